//! Reads the limits on how much may be applied in a time.

use crate::problem::{NumberFault, Problem, Problems};
use crate::settings::{Bound, Span};
use crate::table::{Entry, entries};
use crate::{number, quantity};
use counterfoil_format::limits::POLICY_LIMITS;
use counterfoil_format::policy::Per;
use counterfoil_format::value::Decimal;
use std::collections::BTreeMap;

const LIMIT: &[&str] = &["action", "per", "window", "count", "sum"];
const SUM: &[&str] = &["field", "at_most"];

/// Reads all limits, and where they stand, in their order.
pub(crate) fn read_limits(
    entry: &Entry<'_>,
    problems: &mut Problems<'_>,
) -> (BTreeMap<Span, Bound>, Vec<usize>) {
    let mut limits: BTreeMap<Span, (Bound, usize)> = BTreeMap::new();
    let items = entry.list("a list of tables, each under its own [[limit]]", problems).unwrap_or_default();
    if items.len() > POLICY_LIMITS {
        let problem = Problem::TooMany { what: "limits", found: items.len(), limit: POLICY_LIMITS };
        problems.push(entry.at, problem);
        return (BTreeMap::new(), Vec::new());
    }
    for item in items {
        let Some((span, bound)) = read_limit(&item, problems) else { continue };
        match limits.get(&span) {
            Some((_, other)) => {
                let line = problems.place(*other).line;
                problems.push(item.at, Problem::SameLimit { line });
            }
            None => drop(limits.insert(span, (bound, item.at))),
        }
    }
    let marks = limits.values().map(|(_, at)| *at).collect();
    (limits.into_iter().map(|(span, (bound, _))| (span, bound)).collect(), marks)
}

fn read_limit(limit: &Entry<'_>, problems: &mut Problems<'_>) -> Option<(Span, Bound)> {
    let table = limit.table("a table, [[limit]]", problems)?;
    let (mut actions, mut per, mut window, mut count, mut sum) = (None, None, None, None, None);
    for entry in entries(table) {
        match entry.key {
            "action" => actions = entry.pattern(problems),
            "per" => per = entry.word("choice for `per`", Per::ALL, Per::name, problems),
            "window" => {
                window = entry.quantity("a time in quotes, such as \"24 h\"", quantity::time, problems);
            }
            "count" => count = entry.number("a whole number, without quotes", number::count, problems),
            "sum" => sum = read_sum(&entry, problems),
            _ => entry.unknown("a limit", LIMIT, problems),
        }
    }
    let has = |key| entries(table).any(|entry| entry.key == key);
    for (key, example) in [("action", "\"SCALE_AD\""), ("per", "\"entity\""), ("window", "\"24 h\"")] {
        if !has(key) {
            problems.push(limit.at, Problem::Missing { of: "a limit", key, example });
        }
    }
    if !has("count") && !has("sum") {
        problems.push(limit.at, Problem::NoBound);
    }
    let (field, most) = sum.unzip();
    Some((
        Span { actions: actions?.to_owned(), per: per?, window: window?, field },
        Bound { count, sum: most },
    ))
}

fn read_sum(sum: &Entry<'_>, problems: &mut Problems<'_>) -> Option<(String, Decimal)> {
    let table = sum.table("a table, such as { field = \"spend\", at_most = 200.00 }", problems)?;
    let (mut field, mut most) = (None, None);
    for entry in entries(table) {
        match entry.key {
            "field" => field = entry.name("a field's name", problems),
            "at_most" => most = entry.number("a number, without quotes", at_most, problems),
            _ => entry.unknown("a sum", SUM, problems),
        }
    }
    let has = |key| entries(table).any(|entry| entry.key == key);
    for (key, example) in [("field", "\"spend\""), ("at_most", "200.00")] {
        if !has(key) {
            problems.push(sum.at, Problem::Missing { of: "a sum", key, example });
        }
    }
    Some((field?.to_owned(), most?))
}

fn at_most(text: &str) -> Result<Decimal, NumberFault> {
    let most = number::decimal(text)?;
    if most.mantissa < 0 { Err(NumberFault::Negative) } else { Ok(most) }
}
