//! What changes from one policy to another, in words.

use crate::doubting::instead_of;
use crate::number::score_text;
use crate::printing::floor_text;
use crate::quantity::{size_text, time_text};
use crate::read_action::tier_name;
use crate::reading::NEVER;
use crate::settings::{Bound, Rule, Settings, Span, Stages, Unknown};
use crate::source::shown;
use crate::turn::Turn;
use counterfoil_format::body::Role;
use counterfoil_format::intent::{Kind, Micros};
use counterfoil_format::policy::{Floor, PolicyBody};
use counterfoil_rules::keyring::roles_for;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One thing that another policy says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub subject: Subject,
    /// How that changes.
    pub change: Change,
    /// Whether more goes through then, or less.
    pub turn: Turn,
}

/// What a difference is about. Texts are cut, hidden characters escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A setting of the policy as a whole.
    Policy,
    /// The rule of this pattern.
    Action(String),
    /// The stages and the moves.
    Lifecycle,
    /// A limit, by what it looks at.
    Limit(String),
    /// Who may write rows of a kind.
    Writers(Kind),
}

/// How something changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added(String),
    /// It is no more.
    Removed(String),
    /// A setting of it is another.
    Set {
        /// The setting.
        setting: String,
        /// As it was.
        old: String,
        /// As it will be.
        new: String,
    },
}

/// What changes from the old policy to the new one; nothing exactly when the two are the same.
pub fn diff(old: &PolicyBody<'_>, new: &PolicyBody<'_>) -> Vec<Difference> {
    let (old, new) = (&Settings::from_body(old), &Settings::from_body(new));
    let mut found = Found::default();
    found.settings(old, new);
    found.rules(old, new);
    found.lifecycle(old.lifecycle.as_ref(), new.lifecycle.as_ref());
    found.limits(&old.limits, &new.limits);
    found.writers(&old.writers, &new.writers);
    found.0
}

#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn push(&mut self, subject: &Subject, change: Change, turn: Turn) {
        self.0.push(Difference { subject: subject.clone(), change, turn });
    }

    /// Something that both policies have, if it differs.
    fn set<T: PartialEq>(
        &mut self,
        subject: &Subject,
        setting: &str,
        (old, new): (&T, &T),
        words: impl Fn(&T) -> String,
        turn: Turn,
    ) {
        if old != new {
            let change = Change::Set { setting: setting.to_owned(), old: words(old), new: words(new) };
            self.push(subject, change, turn);
        }
    }

    fn settings(&mut self, old: &Settings, new: &Settings) {
        let policy = &Subject::Policy;
        let open = |settings: &Settings| settings.unknown == Unknown::Allow;
        let turn = Turn::between(!open(old), !open(new));
        self.set(policy, "unknown", (&old.unknown, &new.unknown), |unknown| unknown.name().to_owned(), turn);
        let turn = Turn::between(old.separation, new.separation);
        self.set(policy, "separation", (&old.separation, &new.separation), bool::to_string, turn);
        let words = |size: &u64| size_text(*size);
        self.set(policy, "segment_bytes", (&old.segment_bytes, &new.segment_bytes), words, Turn::Neither);
        let words = |rows: &Option<u64>| rows.map_or_else(|| NEVER.to_owned(), |rows| rows.to_string());
        self.set(policy, "snapshots", (&old.snapshots, &new.snapshots), words, Turn::Neither);
        let every = |settings: &Settings| settings.drill.unwrap_or(i64::MAX);
        let words = |drill: &Option<i64>| drill.map_or_else(|| NEVER.to_owned(), time_text);
        let turn = Turn::between(every(new), every(old));
        self.set(policy, "kill_switch.drill", (&old.drill, &new.drill), words, turn);
    }

    fn rules(&mut self, old: &Settings, new: &Settings) {
        for pattern in keys(&old.rules, &new.rules) {
            let subject = &Subject::Action(shown(pattern));
            match (old.rules.get(pattern), new.rules.get(pattern)) {
                (Some(before), Some(after)) => self.rule(subject, before, after),
                (Some(rule), None) => {
                    let (words, turn) = in_place_of(new, pattern, rule);
                    let change = Change::Removed(format!("{}; now {words}", rule_words(rule)));
                    self.push(subject, change, turn.reversed());
                }
                (None, Some(rule)) => {
                    let (words, turn) = in_place_of(old, pattern, rule);
                    let change = Change::Added(format!("{}; before {words}", rule_words(rule)));
                    self.push(subject, change, turn);
                }
                (None, None) => {}
            }
        }
    }

    fn rule(&mut self, subject: &Subject, old: &Rule, new: &Rule) {
        let turns = aspects(old, new);
        let mut turn = turns.iter().copied();
        let mut turn = || turn.next().unwrap_or(Turn::Neither);
        self.set(subject, "class", (&old.class, &new.class), |class| class.name().to_owned(), Turn::Neither);
        self.set(subject, "tier", (&old.tier, &new.tier), |tier| tier_name(*tier).to_owned(), turn());
        self.set(subject, "live", (&old.live, &new.live), bool::to_string, turn());
        self.set(subject, "reversibility", (&old.reach, &new.reach), |reach| reach.name().to_owned(), turn());
        let words = |within: &Option<Micros>| within.map_or_else(none, time_text);
        self.set(subject, "proven", (&old.proven, &new.proven), words, turn());
        let words = |floor: &Option<u32>| floor.map_or_else(none, score_text);
        self.set(subject, "judge", (&old.judge, &new.judge), words, turn());
        self.set(subject, "attested", (&old.attested, &new.attested), bool::to_string, turn());
        for metric in keys(&old.metrics, &new.metrics) {
            let floors = (&old.metrics.get(metric), &new.metrics.get(metric));
            let words = |floor: &Option<&Floor>| floor.map_or_else(none, floor_text);
            self.set(subject, &format!("metrics.{}", shown(metric)), floors, words, turn());
        }
    }

    fn lifecycle(&mut self, old: Option<&Stages>, new: Option<&Stages>) {
        let subject = &Subject::Lifecycle;
        let words = |lifecycle: &Stages| {
            format!("{} stages, {} moves", lifecycle.stages.len(), lifecycle.moves.len())
        };
        let (old, new) = match (old, new) {
            (None, None) => return,
            (Some(old), Some(new)) => (old, new),
            (None, Some(new)) => {
                let change = Change::Added(format!("{}; before any move went", words(new)));
                return self.push(subject, change, Turn::Stricter);
            }
            (Some(old), None) => {
                let change = Change::Removed(format!("{}; now any move goes", words(old)));
                return self.push(subject, change, Turn::Looser);
            }
        };
        for stage in old.stages.difference(&new.stages) {
            self.push(subject, Change::Removed(format!("stage {}", shown(stage))), Turn::Neither);
        }
        for stage in new.stages.difference(&old.stages) {
            self.push(subject, Change::Added(format!("stage {}", shown(stage))), Turn::Neither);
        }
        for moved in old.moves.difference(&new.moves) {
            self.push(subject, Change::Removed(move_words(moved)), Turn::Stricter);
        }
        for moved in new.moves.difference(&old.moves) {
            self.push(subject, Change::Added(move_words(moved)), Turn::Looser);
        }
    }

    fn limits(&mut self, old: &BTreeMap<Span, Bound>, new: &BTreeMap<Span, Bound>) {
        for span in keys(old, new) {
            let subject = &Subject::Limit(span_words(span));
            match (old.get(span), new.get(span)) {
                (Some(before), Some(after)) => {
                    let turn = Turn::of_count(before.count, after.count);
                    let words = |count: &Option<u32>| count.map_or_else(none, |count| count.to_string());
                    self.set(subject, "count", (&before.count, &after.count), words, turn);
                    let turn = Turn::of_floors(before.sum.as_ref(), after.sum.as_ref()).reversed();
                    let words = |most: &Option<_>| most.map_or_else(none, |most| ToString::to_string(&most));
                    self.set(subject, "sum.at_most", (&before.sum, &after.sum), words, turn);
                }
                (Some(bound), None) => {
                    self.push(subject, Change::Removed(bound_words(bound)), Turn::Looser);
                }
                (None, Some(bound)) => {
                    let words = format!("{}; it begins to count at nothing", bound_words(bound));
                    self.push(subject, Change::Added(words), Turn::Stricter);
                }
                (None, None) => {}
            }
        }
    }

    fn writers(&mut self, old: &BTreeMap<Kind, u8>, new: &BTreeMap<Kind, u8>) {
        for kind in keys(old, new) {
            let (old, new) = (old.get(kind), new.get(kind));
            let roles = |set: Option<&u8>| set.copied().unwrap_or(roles_for(*kind));
            let words = |set: &Option<&u8>| {
                let names = Role::in_set(roles(*set)).map(Role::name).collect::<Vec<_>>().join(", ");
                if set.is_some() { names } else { format!("as usual ({names})") }
            };
            let turn = Turn::of_sets(roles(old), roles(new));
            self.set(&Subject::Writers(*kind), "roles", (&old, &new), words, turn);
        }
    }
}

/// The keys of both, ascending.
fn keys<'m, K: Ord, V>(old: &'m BTreeMap<K, V>, new: &'m BTreeMap<K, V>) -> BTreeSet<&'m K> {
    old.keys().chain(new.keys()).collect()
}

/// Which way each demand of a rule turns: tier, live, reversibility, proven, judge, attested, then the metrics of both,
/// ascending.
fn aspects(old: &Rule, new: &Rule) -> Vec<Turn> {
    let mut turns = vec![
        Turn::of_tiers(old.tier, new.tier),
        Turn::between(!old.live, !new.live),
        Turn::between(new.reach, old.reach),
        Turn::between(old.proven.map(Reverse), new.proven.map(Reverse)),
        Turn::between(old.judge, new.judge),
        Turn::between(old.attested, new.attested),
    ];
    turns.extend(keys(&old.metrics, &new.metrics).into_iter().map(|metric| {
        match (old.metrics.get(metric), new.metrics.get(metric)) {
            (Some(Floor::Fixed(old)), Some(Floor::Fixed(new))) => Turn::of_floors(Some(old), Some(new)),
            (old, new) => Turn::between(old.is_some(), new.is_some()),
        }
    }));
    turns
}

/// What holds for a pattern where it has no rule of its own, and which way it turns when this rule comes.
fn in_place_of(settings: &Settings, pattern: &str, rule: &Rule) -> (String, Turn) {
    match instead_of(settings, pattern) {
        Some((wider, other)) => {
            let turn = aspects(other, rule).into_iter().fold(Turn::Neither, Turn::and);
            (format!("the rule for {}", shown(wider)), turn)
        }
        // What is unknown goes to review, and can be approved; what may not be live cannot.
        None => ("unknown".to_owned(), if rule.live { Turn::Looser } else { Turn::Both }),
    }
}

fn none() -> String {
    "none".to_owned()
}

fn rule_words(rule: &Rule) -> String {
    let live = if rule.live { "live" } else { "dry run only" };
    let mut words =
        format!("{}, tier {}, {live}, reversibility {}", rule.class, tier_name(rule.tier), rule.reach);
    rule.proven.iter().for_each(|within| words += &format!(", proven within {}", time_text(*within)));
    rule.judge.iter().for_each(|floor| words += &format!(", judge {}", score_text(*floor)));
    words += if rule.attested { ", attested" } else { "" };
    for (metric, floor) in &rule.metrics {
        words += &format!(", {} {}", shown(metric), floor_text(floor));
    }
    words
}

fn move_words((from, to): &(String, String)) -> String {
    let stage = |stage: &str| if stage.is_empty() { "(none)".to_owned() } else { shown(stage) };
    format!("move {} -> {}", stage(from), stage(to))
}

fn span_words(span: &Span) -> String {
    let field = span.field.as_deref().map(|field| format!(", with the sum of {}", shown(field)));
    let (actions, window) = (shown(&span.actions), time_text(span.window));
    format!("{actions} per {} in {window}{}", span.per, field.unwrap_or_default())
}

fn bound_words(bound: &Bound) -> String {
    let count = bound.count.map(|count| format!("count {count}"));
    let sum = bound.sum.map(|most| format!("sum at most {most}"));
    count.into_iter().chain(sum).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Policy => {}
            Subject::Action(pattern) => write!(f, "action {pattern}: ")?,
            Subject::Lifecycle => f.write_str("lifecycle: ")?,
            Subject::Limit(span) => write!(f, "limit on {span}: ")?,
            Subject::Writers(kind) => write!(f, "writers of {kind} rows: ")?,
        }
        match &self.change {
            Change::Added(what) => write!(f, "new: {what}")?,
            Change::Removed(what) => write!(f, "gone: {what}")?,
            Change::Set { setting, old, new } => write!(f, "{setting}: {old} -> {new}")?,
        }
        match self.turn {
            Turn::Neither => Ok(()),
            turn => write!(f, " ({turn})"),
        }
    }
}
