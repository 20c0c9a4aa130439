//! The policy in force, made ready for being asked about every row.

use crate::keyring::roles_for;
use crate::number::Magnitude;
use counterfoil_format::intent::{Kind, Micros, Tier};
use counterfoil_format::policy::{self, ActionRule, Class, Floor, Limit, Per, PolicyBody, Reach, matches};
use counterfoil_format::value::Decimal;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether who judges must be another than who plans or writes, and who approves another than who wrote.
    pub separation: bool,
    /// The stages of entities, and the moves between them.
    pub lifecycle: Option<Lifecycle>,
    /// How much may be applied in a time.
    pub limits: Vec<LimitRule>,
    /// How long after a drill the next one is due.
    pub drill_period: Option<Micros>,
    /// How many rows after a snapshot the next one is made.
    pub snapshot_rows: Option<u64>,
    /// A segment is closed when it has reached this many bytes.
    pub segment_bytes: u64,
    writers: BTreeMap<Kind, u8>,
    named: HashMap<String, Rule>,
    /// Rules by prefix, the longest first.
    prefixed: Vec<(String, Rule)>,
}

/// What holds for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Whether it may be live.
    pub live: bool,
    /// How much it can do.
    pub class: Class,
    /// The least tier.
    pub tier: Tier,
    /// The least score of a judge, in parts per million.
    pub judge_floor: Option<u32>,
    /// Whether the judge must have signed.
    pub attested: bool,
    /// How reversible it must be.
    pub reach: Reach,
    /// How long ago a recovery drill of its class may have passed.
    pub proven: Option<Micros>,
    /// Readings that it must rest on, ascending by metric; one without a number has the floor that was calibrated.
    pub metrics: Vec<(String, Option<Decimal>)>,
}

/// Stages and moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// The stages, ascending.
    pub stages: Vec<String>,
    /// Where a move may go, by where it begins.
    moves: BTreeMap<String, BTreeSet<String>>,
}

/// A limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRule {
    /// The rows that it looks at.
    pub span: Span,
    /// The most rows.
    pub count: Option<u32>,
    /// The largest sum of the span's field.
    pub most: Option<Magnitude>,
}

/// The rows that a limit looks at, and what it adds up of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The pattern of their actions.
    pub actions: String,
    /// Whether each entity is counted for itself.
    pub per: Per,
    /// How far back it looks.
    pub window: Micros,
    /// The field that is added up.
    pub field: Option<String>,
}

impl Policy {
    /// The policy that a row's body states.
    pub fn from_body(body: &PolicyBody<'_>) -> Self {
        let (mut named, mut prefixed) = (HashMap::new(), Vec::new());
        for rule in &body.actions {
            match rule.pattern.strip_suffix('*') {
                Some(prefix) => prefixed.push((prefix.to_owned(), Rule::from_body(rule))),
                None => drop(named.insert(rule.pattern.to_owned(), Rule::from_body(rule))),
            }
        }
        prefixed.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Policy {
            separation: body.separation,
            lifecycle: body.lifecycle.as_ref().map(Lifecycle::from_body),
            limits: body.limits.iter().map(LimitRule::from_body).collect(),
            drill_period: body.drill_period,
            snapshot_rows: body.snapshot_rows,
            segment_bytes: body.segment_bytes,
            writers: body.writers.iter().map(|writers| (writers.kind, writers.roles)).collect(),
            named,
            prefixed,
        }
    }

    /// The rule for an action: the one that names it, else the one with the longest prefix; `None` when it is unknown.
    pub fn rule(&self, action: &str) -> Option<&Rule> {
        let prefixed = || self.prefixed.iter().find(|(prefix, _)| action.starts_with(prefix.as_str()));
        self.named.get(action).or_else(|| prefixed().map(|(_, rule)| rule))
    }

    /// The patterns of all rules, ascending, each with its rule.
    pub fn rules(&self) -> BTreeMap<String, &Rule> {
        let named = self.named.iter().map(|(name, rule)| (name.clone(), rule));
        named.chain(self.prefixed.iter().map(|(prefix, rule)| (format!("{prefix}*"), rule))).collect()
    }

    /// The roles of which an author needs one to write rows of a kind.
    pub fn writers(&self, kind: Kind) -> u8 {
        self.writers.get(&kind).copied().unwrap_or_else(|| roles_for(kind))
    }
}

impl Rule {
    fn from_body(rule: &ActionRule<'_>) -> Self {
        let floor = |floor| match floor {
            Floor::Fixed(number) => Some(number),
            Floor::Calibrated => None,
        };
        Rule {
            live: rule.live,
            class: rule.class,
            tier: rule.tier,
            judge_floor: rule.judge_floor,
            attested: rule.attested,
            reach: rule.reach,
            proven: rule.proven,
            metrics: rule.metrics.iter().map(|least| (least.metric.to_owned(), floor(least.floor))).collect(),
        }
    }

    /// The place of a metric among the metrics, when the rule asks for it.
    pub fn metric(&self, name: &str) -> Option<usize> {
        self.metrics.binary_search_by(|(metric, _)| metric.as_str().cmp(name)).ok()
    }
}

impl Lifecycle {
    fn from_body(lifecycle: &policy::Lifecycle<'_>) -> Self {
        let mut moves: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for moved in &lifecycle.moves {
            moves.entry(moved.from.to_owned()).or_default().insert(moved.to.to_owned());
        }
        Lifecycle { stages: lifecycle.stages.iter().map(|&stage| stage.to_owned()).collect(), moves }
    }

    /// Whether a move is allowed; empty text stands for no stage.
    pub fn allows(&self, from: &str, to: &str) -> bool {
        self.moves.get(from).is_some_and(|allowed| allowed.contains(to))
    }

    /// The allowed moves, ascending.
    pub fn moves(&self) -> impl Iterator<Item = (&str, &str)> {
        self.moves.iter().flat_map(|(from, all)| all.iter().map(move |to| (from.as_str(), to.as_str())))
    }
}

impl LimitRule {
    fn from_body(limit: &Limit<'_>) -> Self {
        LimitRule {
            span: Span {
                actions: limit.actions.to_owned(),
                per: limit.per,
                window: limit.window,
                field: limit.sum.map(|sum| sum.field.to_owned()),
            },
            count: limit.count,
            most: limit.sum.map(|sum| Magnitude::of(&sum.most)),
        }
    }
}

impl Span {
    /// Whether rows of an action are counted.
    pub fn covers(&self, action: &str) -> bool {
        matches(&self.actions, action)
    }
}
