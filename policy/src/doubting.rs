//! Finds what is doubtful in settings that can be set.

use crate::doubt::Doubt;
use crate::nearest::nearest;
use crate::reading::Marks;
use crate::settings::{Bound, EVERY, Rule, Settings, Span, Stages, Unknown};
use crate::source::shown;
use counterfoil_format::body::Role;
use counterfoil_format::intent::Kind;
use counterfoil_format::policy::Reach;
use counterfoil_rules::keyring::roles_for;
use std::collections::BTreeSet;

/// The least rows between two snapshots that cost little.
const FEW_ROWS: u64 = 1000;

/// All doubts, each with the byte where it stands, ascending.
pub(crate) fn doubts(settings: &Settings, marks: &Marks) -> Vec<(usize, Doubt)> {
    let mut found = Vec::new();
    if settings.unknown == Unknown::Review {
        let live = settings.rules.values().any(|rule| rule.live);
        found.extend((!live).then_some((0, Doubt::NothingLive)));
        let said = marks.unknown.filter(|_| settings.rules.contains_key(EVERY));
        found.extend(said.map(|at| (at, Doubt::UnknownNeverAsked)));
    }
    let often = settings.snapshots.is_some_and(|rows| rows < FEW_ROWS);
    found.extend(often.then_some((marks.snapshots, Doubt::ManySnapshots { least: FEW_ROWS })));
    for (pattern, rule) in &settings.rules {
        let at = marks.rules.get(pattern).copied().unwrap_or(0);
        found.extend(about_rule(settings, pattern, rule).map(|doubt| (at, doubt)));
    }
    found.extend(about_evidence(settings, marks));
    found.extend(about_writers(settings).map(|doubt| (marks.writers, doubt)));
    for ((span, bound), at) in settings.limits.iter().zip(&marks.limits) {
        found.extend(about_limit(settings, span, bound).map(|doubt| (*at, doubt)));
    }
    if let Some(lifecycle) = &settings.lifecycle {
        let place = |stage: &str| marks.stages.get(stage).copied().unwrap_or(marks.lifecycle);
        found.extend(about_stages(lifecycle).into_iter().map(|(stage, doubt)| (place(stage), doubt)));
    }
    found.sort_by_key(|(at, _)| *at);
    found
}

/// Readings and recovery drills, and who may write them.
fn about_evidence(settings: &Settings, marks: &Marks) -> impl Iterator<Item = (usize, Doubt)> {
    let writers = settings.writers.get(&Kind::Evidence).copied().unwrap_or_else(|| roles_for(Kind::Evidence));
    let resting = settings.rules.iter().find(|(_, rule)| !rule.metrics.is_empty());
    let own = resting.filter(|_| writers & Role::Executor.bit() != 0);
    let own = own.map(|(pattern, _)| (marks.rules.get(pattern).copied().unwrap_or(0), Doubt::OwnReadings));
    let proven = settings.rules.values().any(|rule| rule.proven.is_some());
    let unrecorded = proven && writers & Role::Operator.bit() == 0;
    own.into_iter().chain(unrecorded.then_some((marks.writers, Doubt::DrillsNotRecorded)))
}

/// Kinds that govern, or bring about what was stopped, and that agents may write.
fn about_writers(settings: &Settings) -> impl Iterator<Item = Doubt> {
    use Kind::{Calibration, Erasure, Key, KillSwitch, Policy, Review, Rollback};
    let agents = Role::Executor.bit() | Role::Planner.bit() | Role::Judge.bit();
    let governing = [Key, Policy, KillSwitch, Rollback, Erasure, Calibration, Review];
    let said =
        governing.into_iter().filter_map(move |kind| Some((kind, settings.writers.get(&kind)? & agents)));
    said.filter(|(_, roles)| *roles != 0).map(|(kind, roles)| {
        let roles: Vec<_> = Role::in_set(roles).map(|role| format!("{}s", role.name())).collect();
        Doubt::AgentsGovern { kind, roles: roles.join(" and ") }
    })
}

fn about_rule(settings: &Settings, pattern: &str, rule: &Rule) -> impl Iterator<Item = Doubt> {
    let any_score = (rule.attested && rule.judge.is_none()).then_some(Doubt::AnyScore);
    let never = (rule.proven.is_some() && rule.reach == Reach::Never).then_some(Doubt::NeverProven);
    let less = instead_of(settings, pattern).filter(|(_, wider)| wider.live && rule.live).and_then(
        |(wider, other)| {
            let demands = missing_demands(rule, other);
            (!demands.is_empty()).then(|| Doubt::AsksLess { wider: shown(wider), demands })
        },
    );
    any_score.into_iter().chain(never).chain(less)
}

/// The rule that would hold for a pattern's actions if it were not there.
pub(crate) fn instead_of<'s>(settings: &'s Settings, pattern: &str) -> Option<(&'s str, &'s Rule)> {
    let Some(prefix) = pattern.strip_suffix('*') else { return settings.wider(pattern) };
    let (last, _) = prefix.char_indices().next_back()?;
    settings.wider(prefix.get(..last)?)
}

/// What another rule asks for, and this one does not ask for at all.
fn missing_demands(rule: &Rule, other: &Rule) -> Vec<String> {
    let judge = (other.judge.is_some() && rule.judge.is_none() && !rule.attested)
        .then(|| "a judge's score".to_owned());
    let signed = (other.attested && !rule.attested).then(|| "a judge's signature".to_owned());
    let metrics = other.metrics.keys().filter(|metric| !rule.metrics.contains_key(*metric));
    let metrics = metrics.map(|metric| format!("the metric `{}`", shown(metric)));
    let proven = (other.proven.is_some() && rule.proven.is_none()).then(|| "a recovery drill".to_owned());
    judge.into_iter().chain(signed).chain(metrics).chain(proven).collect()
}

fn about_limit(settings: &Settings, span: &Span, bound: &Bound) -> impl Iterator<Item = Doubt> {
    let rules = settings.governing(&span.actions);
    let pattern = || shown(&span.actions);
    let covered = if rules.is_empty() {
        let near = nearest(&span.actions, settings.rules.keys().map(String::as_str)).map(shown);
        Some(Doubt::CoversNothing { pattern: pattern(), nearest: near })
    } else {
        (!rules.iter().any(|(_, rule)| rule.live)).then(|| Doubt::NeverLive { pattern: pattern() })
    };
    let nothing = bound.sum.is_some_and(|most| most.mantissa == 0).then_some(Doubt::NoAmount);
    covered.into_iter().chain(nothing)
}

/// Stages that moves do not lead to, or not out of.
fn about_stages(lifecycle: &Stages) -> Vec<(&str, Doubt)> {
    let mut reached = BTreeSet::new();
    let mut next = vec![""];
    while let Some(from) = next.pop() {
        let onward = lifecycle.from(from).filter(|to| !to.is_empty());
        next.extend(onward.filter(|to| reached.insert(*to)));
    }
    let mut found = Vec::new();
    if reached.is_empty() {
        found.push(("", Doubt::NoStart));
    }
    for stage in lifecycle.stages.iter().map(String::as_str) {
        if !reached.is_empty() && !reached.contains(stage) {
            found.push((stage, Doubt::NotReached { stage: shown(stage) }));
        }
        if lifecycle.from(stage).next().is_none() {
            found.push((stage, Doubt::NotLeft { stage: shown(stage) }));
        }
    }
    found
}
