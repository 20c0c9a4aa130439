//! Reads the rules for actions, and what they take when they do not say otherwise.

use crate::nearest::nearest;
use crate::problem::{Problem, Problems};
use crate::reading::set;
use crate::settings::Rule;
use crate::table::{Entry, entries, name};
use crate::{number, quantity};
use counterfoil_format::intent::{Micros, Tier};
use counterfoil_format::limits;
use counterfoil_format::policy::{Class, Floor, Reach};
use std::collections::BTreeMap;

const ACTION: &[&str] = &["class", "tier", "live", "reversibility", "proven", "judge", "attested", "metrics"];
const DEFAULTS: &[&str] = &["class", "live", "reversibility", "proven"];
/// The word for the newest threshold that was computed of a metric.
pub(crate) const CALIBRATED: &str = "calibrated";
/// The word for no recovery drill, where [defaults] ask for one.
const NONE: &str = "none";

/// What rules take when they do not say otherwise.
#[derive(Debug, Default)]
pub(crate) struct Defaults {
    class: Option<Class>,
    live: Option<bool>,
    reach: Option<Reach>,
    proven: Option<Micros>,
}

impl Defaults {
    pub fn read(entry: &Entry<'_>, problems: &mut Problems<'_>) -> Self {
        let mut defaults = Defaults::default();
        let table = entry.table("a table, [defaults]", problems);
        for entry in table.into_iter().flat_map(entries) {
            match entry.key {
                "class" => defaults.class = class(&entry, problems),
                "live" => defaults.live = entry.boolean(problems),
                "reversibility" => defaults.reach = reach(&entry, problems),
                "proven" => set(&mut defaults.proven, proven(&entry, problems)),
                _ => entry.unknown("[defaults]", DEFAULTS, problems),
            }
        }
        defaults
    }

    fn rule(&self) -> Rule {
        let silent = Rule::silent();
        Rule {
            class: self.class.unwrap_or(silent.class),
            live: self.live.unwrap_or(silent.live),
            reach: self.reach.unwrap_or(silent.reach),
            proven: self.proven,
            ..silent
        }
    }
}

/// Reads a rule.
pub(crate) fn read_action(
    entry: &Entry<'_>,
    defaults: &Defaults,
    problems: &mut Problems<'_>,
) -> Option<Rule> {
    let table = entry.table("a table, [action.NAME]", problems)?;
    let (mut rule, mut tier) = (defaults.rule(), None);
    let action = entry.key;
    for entry in entries(table) {
        match entry.key {
            "class" => set(&mut rule.class, class(&entry, problems)),
            "tier" => tier = entry.word("tier", TIERS, tier_name, problems),
            "live" => set(&mut rule.live, entry.boolean(problems)),
            "reversibility" => set(&mut rule.reach, reach(&entry, problems)),
            "proven" => set(&mut rule.proven, proven(&entry, problems)),
            "judge" => rule.judge = entry.score(problems),
            "attested" => set(&mut rule.attested, entry.boolean(problems)),
            "metrics" => rule.metrics = read_metrics(&entry, problems),
            // [action.price.set] is a table within the table of the action `price`.
            key if entry.is_table() && nearest(key, ACTION.iter().copied()).is_none() => {
                entry.dotted(action, "an action", problems);
            }
            _ => entry.unknown("an action", ACTION, problems),
        }
    }
    rule.tier = tier.unwrap_or(Rule::tier_of(rule.class));
    Some(rule)
}

fn class(entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Class> {
    entry.word("class", Class::ALL, Class::name, problems)
}

fn reach(entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Reach> {
    entry.word("reversibility", Reach::ALL, Reach::name, problems)
}

/// How long ago a recovery drill may have passed, or that none is asked for.
fn proven(entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Option<Micros>> {
    if entry.is_text(NONE) {
        return Some(None);
    }
    let wanted = "a time in quotes, such as \"30 days\", or \"none\"";
    entry.quantity(wanted, quantity::time, problems).map(Some)
}

/// The tiers, the highest first.
const TIERS: &[Tier] = &[Tier::A, Tier::B, Tier::C, Tier::Unstated];

/// A tier as a rule names it.
pub(crate) const fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Unstated => "any",
        _ => tier.name(),
    }
}

fn read_metrics(entry: &Entry<'_>, problems: &mut Problems<'_>) -> BTreeMap<String, Floor> {
    let mut metrics = BTreeMap::new();
    let table = entry.table("a table of floors by metric, such as { roas = 1.8 }", problems);
    for entry in table.into_iter().flat_map(entries) {
        if let Some(within) = entry.as_table() {
            entries(within).for_each(|inner| inner.dotted(entry.key, "a metric", problems));
            continue;
        }
        let wanted = "a number without quotes, or \"calibrated\"";
        let floor = match entry.is_text(CALIBRATED) {
            true => Some(Floor::Calibrated),
            false => entry.number(wanted, number::decimal, problems).map(Floor::Fixed),
        };
        if name("a metric's name", entry.key, entry.key_at, problems) {
            metrics.extend(floor.map(|floor| (entry.key.to_owned(), floor)));
        }
    }
    if metrics.len() > limits::ITEMS {
        let problem = Problem::TooMany { what: "metrics", found: metrics.len(), limit: limits::ITEMS };
        problems.push(entry.at, problem);
    }
    metrics
}
