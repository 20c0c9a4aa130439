//! What a policy file says, in the file's own terms, and its way to and from the body of a policy row.

use counterfoil_format::intent::{Kind, Micros, Tier};
use counterfoil_format::policy::{
    ActionRule, Class, Floor, Lifecycle, Limit, MetricFloor, Move, POLICY_VERSION, Per, PolicyBody, Reach,
    SumLimit, Writers,
};
use counterfoil_format::value::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// The pattern that every action matches.
pub(crate) const EVERY: &str = "*";

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub unknown: Unknown,
    pub separation: bool,
    pub segment_bytes: u64,
    pub drill: Option<Micros>,
    /// Rows from one snapshot to the next.
    pub snapshots: Option<u64>,
    /// By pattern.
    pub rules: BTreeMap<String, Rule>,
    pub lifecycle: Option<Stages>,
    pub limits: BTreeMap<Span, Bound>,
    /// Roles, a bit each, by kind.
    pub writers: BTreeMap<Kind, u8>,
}

/// What becomes of an action without a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Review,
    /// There is a rule for every action that asks for nothing.
    Allow,
}

/// What holds for the actions that a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub class: Class,
    pub tier: Tier,
    pub live: bool,
    pub reach: Reach,
    /// How long ago a recovery drill may have passed.
    pub proven: Option<Micros>,
    /// In parts per million.
    pub judge: Option<u32>,
    pub attested: bool,
    pub metrics: BTreeMap<String, Floor>,
}

/// Stages and the moves between them, empty text for no stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stages {
    pub stages: BTreeSet<String>,
    pub moves: BTreeSet<(String, String)>,
}

/// The rows that a limit looks at. Their order is that of the limits in a body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub actions: String,
    pub per: Per,
    pub window: Micros,
    /// There is one where the limit has a sum.
    pub field: Option<String>,
}

/// The most rows and the largest sum of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    pub count: Option<u32>,
    pub sum: Option<Decimal>,
}

/// The rule for every action that asks for nothing.
static OPEN: Rule = Rule {
    class: Class::Soft,
    tier: Tier::Unstated,
    live: true,
    reach: Reach::Never,
    proven: None,
    judge: None,
    attested: false,
    metrics: BTreeMap::new(),
};

/// The moves that entities make in a shop, where a policy does not say otherwise.
const MOVES: &[(&str, &[&str])] = &[
    ("", &["candidate"]),
    ("candidate", &["testing", "retired"]),
    ("testing", &["learning", "loser", "paused"]),
    ("learning", &["winner", "loser", "paused"]),
    ("winner", &["scaling", "loser", "paused"]),
    ("scaling", &["winner", "loser", "paused"]),
    ("loser", &["testing", "paused", "retired"]),
    ("paused", &["testing", "learning", "winner", "retired"]),
    ("retired", &["candidate", ""]),
];

impl Settings {
    /// Those of an empty file.
    pub fn empty() -> Self {
        Settings {
            unknown: Unknown::Review,
            separation: true,
            segment_bytes: 64 << 20,
            drill: Some(30 * 86_400_000_000),
            snapshots: Some(100_000),
            rules: BTreeMap::new(),
            lifecycle: Some(Stages::usual()),
            limits: BTreeMap::new(),
            writers: BTreeMap::new(),
        }
    }

    /// The body of the policy row that sets them.
    pub fn body(&self) -> PolicyBody<'_> {
        let mut actions: Vec<_> = self.rules.iter().map(|(pattern, rule)| rule.body(pattern)).collect();
        if self.unknown == Unknown::Allow {
            actions.push(ActionRule::open(EVERY));
            actions.sort_unstable_by_key(|rule| rule.pattern);
        }
        PolicyBody {
            version: POLICY_VERSION,
            writers: self.writers.iter().map(|(&kind, &roles)| Writers { kind, roles }).collect(),
            separation: self.separation,
            actions,
            lifecycle: self.lifecycle.as_ref().map(Stages::body),
            limits: self.limits.iter().map(|(span, bound)| span.body(bound)).collect(),
            drill_period: self.drill,
            snapshot_rows: self.snapshots,
            segment_bytes: self.segment_bytes,
        }
    }

    /// What a body says.
    pub fn from_body(body: &PolicyBody<'_>) -> Self {
        let open = ActionRule::open(EVERY);
        let (every, rules): (Vec<_>, Vec<_>) = body.actions.iter().partition(|rule| **rule == open);
        Settings {
            unknown: if every.is_empty() { Unknown::Review } else { Unknown::Allow },
            separation: body.separation,
            segment_bytes: body.segment_bytes,
            drill: body.drill_period,
            snapshots: body.snapshot_rows,
            rules: rules.into_iter().map(|rule| (rule.pattern.to_owned(), Rule::from_body(rule))).collect(),
            lifecycle: body.lifecycle.as_ref().map(Stages::from_body),
            limits: body
                .limits
                .iter()
                .map(|limit| (Span::from_body(limit), Bound::from_body(limit)))
                .collect(),
            writers: body.writers.iter().map(|writers| (writers.kind, writers.roles)).collect(),
        }
    }

    /// The rules for the actions that a pattern matches, all of those that one of them falls under.
    pub fn governing(&self, pattern: &str) -> Vec<(&str, &Rule)> {
        let Some(prefix) = pattern.strip_suffix('*') else {
            let named = self.rules.get_key_value(pattern).map(|(pattern, rule)| (pattern.as_str(), rule));
            return named.or_else(|| self.wider(pattern)).into_iter().collect();
        };
        let within = self.rules.range(prefix.to_owned()..).map(|(pattern, rule)| (pattern.as_str(), rule));
        let within: Vec<_> = within.take_while(|(pattern, _)| pattern.starts_with(prefix)).collect();
        match within.iter().any(|(inner, _)| *inner == pattern) {
            true => within,
            false => within.into_iter().chain(self.wider(prefix)).collect(),
        }
    }

    /// The rule of prefix that holds for what begins like this: of those whose prefix it begins with, the longest.
    pub fn wider(&self, beginning: &str) -> Option<(&str, &Rule)> {
        let prefixes = (0..=beginning.len()).rev().filter_map(|end| beginning.get(..end));
        let mut rules = prefixes.filter_map(|prefix| self.rules.get_key_value(&format!("{prefix}*")));
        let every = || (self.unknown == Unknown::Allow).then_some((EVERY, &OPEN));
        rules.next().map(|(pattern, rule)| (pattern.as_str(), rule)).or_else(every)
    }
}

impl Rule {
    /// What a rule says that says nothing: the strictest.
    pub const fn silent() -> Self {
        Rule {
            class: Class::Hard,
            tier: Self::tier_of(Class::Hard),
            live: false,
            reach: Reach::Compensating,
            proven: None,
            judge: None,
            attested: false,
            metrics: BTreeMap::new(),
        }
    }

    /// The least tier of a class.
    pub const fn tier_of(class: Class) -> Tier {
        match class {
            Class::Soft => Tier::B,
            Class::Hard => Tier::A,
        }
    }

    fn body<'s>(&'s self, pattern: &'s str) -> ActionRule<'s> {
        ActionRule {
            pattern,
            live: self.live,
            class: self.class,
            tier: self.tier,
            judge_floor: self.judge,
            attested: self.attested,
            reach: self.reach,
            proven: self.proven,
            metrics: self.metrics.iter().map(|(metric, &floor)| MetricFloor { metric, floor }).collect(),
        }
    }

    pub fn from_body(rule: &ActionRule<'_>) -> Self {
        Rule {
            class: rule.class,
            tier: rule.tier,
            live: rule.live,
            reach: rule.reach,
            proven: rule.proven,
            judge: rule.judge_floor,
            attested: rule.attested,
            metrics: rule.metrics.iter().map(|least| (least.metric.to_owned(), least.floor)).collect(),
        }
    }
}

impl Stages {
    /// The eight stages of a shop, and the moves between them.
    pub fn usual() -> Self {
        let stages = MOVES.iter().map(|(from, _)| *from).filter(|from| !from.is_empty());
        let moves =
            MOVES.iter().flat_map(|(from, all)| all.iter().map(|to| ((*from).to_owned(), (*to).to_owned())));
        Stages { stages: stages.map(str::to_owned).collect(), moves: moves.collect() }
    }

    /// The stages that one may be left for, with empty text for none.
    pub fn from<'s>(&'s self, stage: &'s str) -> impl Iterator<Item = &'s str> {
        let moves = self.moves.range((stage.to_owned(), String::new())..);
        moves.take_while(move |(from, _)| from == stage).map(|(_, to)| to.as_str())
    }

    fn body(&self) -> Lifecycle<'_> {
        Lifecycle {
            stages: self.stages.iter().map(String::as_str).collect(),
            moves: self.moves.iter().map(|(from, to)| Move { from, to }).collect(),
        }
    }

    fn from_body(lifecycle: &Lifecycle<'_>) -> Self {
        Stages {
            stages: lifecycle.stages.iter().map(|&stage| stage.to_owned()).collect(),
            moves: lifecycle.moves.iter().map(|moved| (moved.from.to_owned(), moved.to.to_owned())).collect(),
        }
    }
}

impl Span {
    fn body<'s>(&'s self, bound: &Bound) -> Limit<'s> {
        let sum = self.field.as_deref().zip(bound.sum);
        Limit {
            actions: &self.actions,
            per: self.per,
            window: self.window,
            count: bound.count,
            sum: sum.map(|(field, most)| SumLimit { field, most }),
        }
    }

    fn from_body(limit: &Limit<'_>) -> Self {
        Span {
            actions: limit.actions.to_owned(),
            per: limit.per,
            window: limit.window,
            field: limit.sum.map(|sum| sum.field.to_owned()),
        }
    }
}

impl Bound {
    fn from_body(limit: &Limit<'_>) -> Self {
        Bound { count: limit.count, sum: limit.sum.map(|sum| sum.most) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use counterfoil_rules::policy::Policy;

    fn with(patterns: &[&str]) -> Settings {
        let rules = patterns.iter().map(|pattern| ((*pattern).to_owned(), Rule::silent())).collect();
        Settings { rules, ..Settings::empty() }
    }

    fn governing(patterns: &[&str], pattern: &str) -> Vec<String> {
        let settings = with(patterns);
        settings.governing(pattern).into_iter().map(|(pattern, _)| pattern.to_owned()).collect()
    }

    #[test]
    fn the_rules_for_a_pattern_are_those_that_one_of_its_actions_falls_under() {
        let rules = ["*", "AD*", "AD_SCALE", "AD_STOP*", "REPLY"];
        assert_eq!(governing(&rules, "AD_SCALE"), ["AD_SCALE"]);
        assert_eq!(governing(&rules, "AD_PAUSE"), ["AD*"]);
        assert_eq!(governing(&rules, "SELL"), ["*"]);
        assert_eq!(governing(&rules, "AD*"), ["AD*", "AD_SCALE", "AD_STOP*"]);
        assert_eq!(governing(&rules, "AD_S*"), ["AD_SCALE", "AD_STOP*", "AD*"]);
        assert_eq!(governing(&rules, "AD_STOP_ALL*"), ["AD_STOP*"]);
        assert_eq!(governing(&rules, "*").len(), 5);
        assert!(governing(&["REPLY"], "REPLY_ALL").is_empty());
        assert!(governing(&["É*"], "È").is_empty());
    }

    /// Over all policies of rules from a small alphabet, what governs is what the rules of landing say.
    #[test]
    fn what_governs_is_what_is_asked_when_a_decision_lands() {
        let names = ["", "a", "b", "aa", "ab", "ba", "aab"];
        let patterns: Vec<String> =
            names.iter().flat_map(|name| [format!("{name}*"), (*name).to_owned()]).collect();
        let patterns: Vec<&String> = patterns.iter().filter(|pattern| !pattern.is_empty()).collect();
        for chosen in 0..1u32 << patterns.len() {
            let rule = |place: usize| Rule { judge: u32::try_from(place).ok(), ..Rule::silent() };
            let rules = patterns.iter().enumerate().filter(|(place, _)| chosen & (1 << place) != 0);
            let rules: BTreeMap<_, _> =
                rules.map(|(place, pattern)| ((*pattern).clone(), rule(place))).collect();
            let settings = Settings { rules, ..Settings::empty() };
            let policy = Policy::from_body(&settings.body());
            for action in ["a", "b", "aa", "ab", "aab", "aac", "c"] {
                let governing = settings.governing(action);
                let asked = policy.rule(action).map(|rule| rule.judge_floor);
                assert_eq!(
                    governing.first().map(|(_, rule)| rule.judge),
                    asked,
                    "{action} {:?}",
                    settings.rules.keys()
                );
                if action.starts_with('a') {
                    let within = settings.governing("a*");
                    assert!(
                        governing.iter().all(|rule| within.contains(rule)),
                        "{action} {:?}",
                        settings.rules.keys()
                    );
                }
            }
        }
    }

    #[test]
    fn the_open_rule_is_that_of_the_format() {
        assert_eq!(OPEN, Rule::from_body(&ActionRule::open(EVERY)));
        let open = Settings { unknown: Unknown::Allow, ..Settings::empty() };
        assert_eq!(open.governing("SELL"), [(EVERY, &OPEN)]);
    }

    #[test]
    fn the_usual_lifecycle_has_eight_stages() {
        let usual = Stages::usual();
        assert_eq!(usual.stages.len(), 8);
        assert!(usual.moves.iter().all(|(from, to)| {
            [from, to].iter().all(|stage| stage.is_empty() || usual.stages.contains(*stage))
        }));
    }
}
