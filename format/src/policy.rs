//! Policies: by which rules decisions land, as a policy row or the genesis states them.
//!
//! # Format
//!
//! The postcard encoding of [`PolicyBody`], fields in the order they stand. Every list that has a natural order
//! ascends strictly, so that one policy has one encoding. What the rules mean stands in `docs/FORMAT.md`, section 21.

use crate::body::Role;
use crate::codec::{CodecError, listed, name, within};
use crate::intent::{Kind, Micros, Tier, named_enum};
use crate::limits;
use crate::value::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of policies that this build writes.
pub const POLICY_VERSION: u8 = 3;

/// The policy in force from the next row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyBody<'a> {
    /// [`POLICY_VERSION`].
    pub version: u8,
    /// Who may write rows of a kind, where that differs from the format's own table; by kind, ascending.
    pub writers: Vec<Writers>,
    /// Whether who judges must be another than who plans or writes, and who approves another than who wrote.
    pub separation: bool,
    /// What holds for which actions; by pattern, ascending.
    #[serde(borrow)]
    pub actions: Vec<ActionRule<'a>>,
    /// By which moves entities go from stage to stage; without it any move goes.
    pub lifecycle: Option<Lifecycle<'a>>,
    /// How much may be applied in a time; by their fields, ascending.
    pub limits: Vec<Limit<'a>>,
    /// How long after a drill of the kill switch the next one is due; without it none is.
    pub drill_period: Option<Micros>,
    /// How many rows after a snapshot of the state the next one is made; without it none is.
    pub snapshot_rows: Option<u64>,
    /// A segment is closed when it has reached this many bytes.
    pub segment_bytes: u64,
}

/// The roles that may write rows of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Writers {
    /// The kind.
    pub kind: Kind,
    /// The roles, [`crate::body::Role::bit`] each.
    pub roles: u8,
}

named_enum! {
    /// How much an action can do.
    Class {
        /// Little harm is done when it was wrong.
        Soft = "soft",
        /// It costs money or trust.
        Hard = "hard",
    }
}

named_enum! {
    /// How reversible a row is, the most reversible first.
    Reach {
        /// The state alone; the inverse is proved.
        Exact = "exact",
        /// Each effect declares an undo.
        Declared = "declared",
        /// Effects whose undo works until a time.
        Window = "window",
        /// Effects that can only be compensated.
        Compensating = "compensating",
        /// Effects that cannot be undone.
        Never = "none",
    }
}

/// What holds for the actions that a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRule<'a> {
    /// An action's name, or a prefix with `*` behind it.
    pub pattern: &'a str,
    /// Whether it may be live.
    pub live: bool,
    /// How much it can do.
    pub class: Class,
    /// The least tier; [`Tier::Unstated`] asks for none.
    pub tier: Tier,
    /// The least score of a judge, in parts per million; without it no judge is asked for.
    pub judge_floor: Option<u32>,
    /// Whether the judge must have signed its verdict.
    pub attested: bool,
    /// How reversible it must be.
    pub reach: Reach,
    /// How long ago a recovery drill of its class of reversibility may have passed; without it none is asked for.
    pub proven: Option<Micros>,
    /// Readings that it must rest on; by metric, ascending.
    #[serde(borrow)]
    pub metrics: Vec<MetricFloor<'a>>,
}

/// The least reading of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricFloor<'a> {
    /// The metric.
    pub metric: &'a str,
    /// The floor.
    pub floor: Floor,
}

/// Where a floor comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Floor {
    /// It is this number.
    Fixed(Decimal),
    /// It is the threshold of the newest calibration of the metric.
    Calibrated,
}

/// Stages and the moves between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle<'a> {
    /// The stages, ascending.
    #[serde(borrow)]
    pub stages: Vec<&'a str>,
    /// The allowed moves, ascending; empty text stands for no stage.
    pub moves: Vec<Move<'a>>,
}

/// A move from stage to stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Move<'a> {
    /// The stage before; empty for none.
    pub from: &'a str,
    /// The stage after; empty for none.
    pub to: &'a str,
}

/// How much may be applied in a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit<'a> {
    /// The actions it counts together, as in [`ActionRule::pattern`].
    pub actions: &'a str,
    /// Whether each entity is counted for itself.
    pub per: Per,
    /// How far back it looks.
    pub window: Micros,
    /// The most rows.
    pub count: Option<u32>,
    /// The largest sum of a field.
    #[serde(borrow)]
    pub sum: Option<SumLimit<'a>>,
}

named_enum! {
    /// What a limit counts together.
    Per {
        /// All rows of the store.
        Store = "store",
        /// The rows about one entity.
        Entity = "entity",
    }
}

/// The largest sum of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumLimit<'a> {
    /// The field's name.
    pub field: &'a str,
    /// The largest sum.
    pub most: Decimal,
}

impl<'a> PolicyBody<'a> {
    /// A policy that asks for nothing: any action may be live, at any tier, with any effect.
    pub fn open(segment_bytes: u64) -> Self {
        PolicyBody {
            version: POLICY_VERSION,
            writers: Vec::new(),
            separation: false,
            actions: vec![ActionRule::open("*")],
            lifecycle: None,
            limits: Vec::new(),
            drill_period: None,
            snapshot_rows: None,
            segment_bytes,
        }
    }

    /// Checks version, bounds and order, and that the policy does not contradict itself.
    pub fn check(&self) -> Result<(), CodecError> {
        if self.version != POLICY_VERSION {
            return Err(CodecError::Version { what: "a policy", found: self.version.into() });
        }
        self.check_writers()?;
        within("rules for actions", self.actions.len(), limits::ITEMS)?;
        self.actions.iter().try_for_each(ActionRule::check)?;
        ascending("rules for actions", &self.actions, |rule| rule.pattern)?;
        self.lifecycle.iter().try_for_each(Lifecycle::check)?;
        within("limits", self.limits.len(), limits::POLICY_LIMITS)?;
        self.limits.iter().try_for_each(Limit::check)?;
        ascending("limits", &self.limits, |limit| {
            (limit.actions, limit.per, limit.window, limit.sum.map(|sum| sum.field))
        })?;
        if self.drill_period.is_some_and(|period| period <= 0) {
            return Err(CodecError::Inconsistent("a drill period that is not above 0"));
        }
        if self.snapshot_rows == Some(0) {
            return Err(CodecError::Inconsistent("a snapshot every 0 rows"));
        }
        if !(4096..=limits::SEGMENT_BYTES).contains(&self.segment_bytes) {
            return Err(CodecError::Inconsistent("a segment size outside 4 KiB to 4 GiB"));
        }
        Ok(())
    }

    /// Whoever sets policy and keys must be able to go on, and whoever takes back and pulls the switch too.
    fn check_writers(&self) -> Result<(), CodecError> {
        ascending("kinds with writers", &self.writers, |writers| writers.kind)?;
        let holders = Role::Operator.bit() | Role::Owner.bit();
        let writing = !(Role::Ledger.bit() | Role::Auditor.bit());
        for Writers { kind, roles } in &self.writers {
            let known = Role::ALL.iter().fold(0, |set, role| set | role.bit());
            let fit = match kind {
                Kind::Genesis | Kind::Snapshot => false,
                Kind::Key | Kind::Policy | Kind::Erasure => roles & Role::Owner.bit() != 0,
                Kind::Rollback | Kind::KillSwitch | Kind::Review => roles & holders != 0,
                _ => *roles != 0,
            };
            if !fit || roles & !(known & writing) != 0 {
                return Err(CodecError::Inconsistent(
                    "the writers of a kind: key, policy and erasure rows need the owner, rollback, kill-switch and review \
                     rows the owner or the operator, each kind but genesis and snapshot somebody, and ledger and auditor nothing",
                ));
            }
        }
        Ok(())
    }
}

impl<'a> ActionRule<'a> {
    /// A rule that asks for nothing.
    pub const fn open(pattern: &'a str) -> Self {
        ActionRule {
            pattern,
            live: true,
            class: Class::Soft,
            tier: Tier::Unstated,
            judge_floor: None,
            attested: false,
            reach: Reach::Never,
            proven: None,
            metrics: Vec::new(),
        }
    }

    fn check(&self) -> Result<(), CodecError> {
        check_pattern(self.pattern)?;
        if self.proven.is_some_and(|since| since <= 0) {
            return Err(CodecError::Inconsistent("a time since a recovery drill that is not above 0"));
        }
        let floor = self.judge_floor.unwrap_or(0) as usize;
        within("a judge's floor in parts per million", floor, limits::PPM as usize)?;
        within("metrics of an action", self.metrics.len(), limits::ITEMS)?;
        self.metrics.iter().try_for_each(|least| {
            name("a metric", least.metric)?;
            match least.floor {
                Floor::Fixed(decimal) => decimal.check(),
                Floor::Calibrated => Ok(()),
            }
        })?;
        ascending("metrics of an action", &self.metrics, |least| least.metric)
    }
}

impl Lifecycle<'_> {
    fn check(&self) -> Result<(), CodecError> {
        listed("stages", self.stages.len(), limits::ITEMS)?;
        self.stages.iter().try_for_each(|stage| name("a stage", stage))?;
        ascending("stages", &self.stages, |stage| *stage)?;
        listed("moves", self.moves.len(), limits::ITEMS)?;
        ascending("moves", &self.moves, |moved| *moved)?;
        let known = |stage: &str| stage.is_empty() || self.stages.binary_search(&stage).is_ok();
        for Move { from, to } in &self.moves {
            if !known(from) || !known(to) {
                return Err(CodecError::Inconsistent("a move from or to a stage that is not listed"));
            }
            if from == to {
                return Err(CodecError::Inconsistent("a move from a stage to itself"));
            }
        }
        Ok(())
    }
}

impl Limit<'_> {
    fn check(&self) -> Result<(), CodecError> {
        check_pattern(self.actions)?;
        if self.window <= 0 {
            return Err(CodecError::Inconsistent("a limit's window that is not above 0"));
        }
        if self.count.is_none() && self.sum.is_none() {
            return Err(CodecError::Inconsistent("a limit that limits nothing"));
        }
        if self.count == Some(0) {
            return Err(CodecError::Inconsistent(
                "a limit of 0 rows: an action that must not be live says so",
            ));
        }
        self.sum.iter().try_for_each(|sum| {
            name("a field", sum.field)?;
            sum.most.check()?;
            match sum.most.mantissa < 0 {
                true => Err(CodecError::Inconsistent("a sum below 0 as a limit")),
                false => Ok(()),
            }
        })
    }
}

/// Whether a pattern matches an action.
pub fn matches(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => action.starts_with(prefix),
        None => action == pattern,
    }
}

/// A pattern is a name, or a prefix with one `*` behind it.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), CodecError> {
    name("a pattern", pattern)?;
    if pattern.strip_suffix('*').unwrap_or(pattern).contains('*') {
        return Err(CodecError::Inconsistent("a pattern has a * that is not its last character"));
    }
    Ok(())
}

/// Checks that a list ascends strictly by a key of its items.
pub(crate) fn ascending<'i, T, K: PartialOrd>(
    what: &'static str,
    items: &'i [T],
    key: impl Fn(&'i T) -> K,
) -> Result<(), CodecError> {
    match items.is_sorted_by(|left, right| key(left) < key(right)) {
        true => Ok(()),
        false => Err(CodecError::Unsorted(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::codec::encode;

    /// What the reader says of a policy, whatever the writer thinks of it.
    fn read(policy: &PolicyBody<'_>) -> Result<(), CodecError> {
        Body::decode(Kind::Policy, &encode(policy).unwrap()).map(drop)
    }

    fn with_actions(patterns: &[&'static str]) -> PolicyBody<'static> {
        let actions = patterns.iter().map(|pattern| ActionRule::open(pattern)).collect();
        PolicyBody { actions, ..PolicyBody::open(4096) }
    }

    #[test]
    fn a_pattern_is_a_name_or_a_prefix_with_one_star_behind_it() {
        for pattern in ["*", "price.*", "price.set"] {
            assert_eq!(read(&with_actions(&[pattern])), Ok(()), "{pattern}");
        }
        for pattern in ["**", "*.set", "price.*.*", "a*b"] {
            let refused = read(&with_actions(&[pattern]));
            assert!(matches!(refused, Err(CodecError::Inconsistent(_))), "{pattern}: {refused:?}");
        }
        assert_eq!(read(&with_actions(&["a\n*"])), Err(CodecError::Control("a pattern")));
        assert_eq!(read(&with_actions(&[""])), Err(CodecError::Empty("a pattern")));
        assert_eq!(read(&with_actions(&["b", "a"])), Err(CodecError::Unsorted("rules for actions")));
        assert_eq!(read(&with_actions(&["a", "a"])), Err(CodecError::Unsorted("rules for actions")));
        assert_eq!(read(&with_actions(&[])), Ok(()));
    }

    #[test]
    fn nobody_is_locked_out() {
        let with = |kind, roles| {
            read(&PolicyBody { writers: vec![Writers { kind, roles }], ..PolicyBody::open(4096) }).is_ok()
        };
        let (owner, operator, executor) = (Role::Owner.bit(), Role::Operator.bit(), Role::Executor.bit());
        assert!(with(Kind::Policy, owner | operator) && !with(Kind::Policy, operator));
        assert!(with(Kind::Key, owner) && !with(Kind::Key, executor));
        assert!(with(Kind::Rollback, operator) && !with(Kind::Rollback, executor));
        assert!(with(Kind::KillSwitch, owner) && !with(Kind::KillSwitch, 0));
        assert!(with(Kind::Decision, executor) && !with(Kind::Decision, 0));
        assert!(!with(Kind::Decision, executor | Role::Auditor.bit()));
        assert!(!with(Kind::Evidence, 0x80) && !with(Kind::Genesis, owner));
    }

    #[test]
    fn a_lifecycle_knows_its_stages() {
        let with = |stages: &[&'static str], moves: &[(&'static str, &'static str)]| {
            let moves = moves.iter().map(|(from, to)| Move { from, to }).collect();
            let lifecycle = Some(Lifecycle { stages: stages.to_vec(), moves });
            read(&PolicyBody { lifecycle, ..PolicyBody::open(4096) })
        };
        assert_eq!(with(&["a", "b"], &[("", "a"), ("a", "b"), ("b", "")]), Ok(()));
        assert!(matches!(with(&["a"], &[("", "c")]), Err(CodecError::Inconsistent(_))));
        assert!(matches!(with(&["a"], &[("a", "a")]), Err(CodecError::Inconsistent(_))));
        assert_eq!(with(&["b", "a"], &[("", "a")]), Err(CodecError::Unsorted("stages")));
        assert_eq!(with(&["a"], &[]), Err(CodecError::Empty("moves")));
    }

    #[test]
    fn a_limit_limits_something() {
        let limit = Limit { actions: "A", per: Per::Entity, window: 1, count: Some(1), sum: None };
        let with = |limit| read(&PolicyBody { limits: vec![limit], ..PolicyBody::open(4096) });
        assert_eq!(with(limit.clone()), Ok(()));
        assert!(with(Limit { window: 0, ..limit.clone() }).is_err());
        assert!(with(Limit { count: None, ..limit.clone() }).is_err());
        assert!(with(Limit { count: Some(0), ..limit.clone() }).is_err());
        let most = Decimal { mantissa: -1, scale: 0 };
        assert!(with(Limit { sum: Some(SumLimit { field: "spend", most }), ..limit }).is_err());
    }
}
