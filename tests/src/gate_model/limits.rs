//! The limits of a policy: how many rows of some actions, and how much of a field, within a time.

use super::{Said, covers, millionths};
use counterfoil_format::landing::Reason;
use counterfoil_format::ops::Change;
use counterfoil_format::part::Slot;
use counterfoil_format::policy::{Limit, Per};
use counterfoil_format::value::{Decimal, Value};

/// Which limits a row would go over.
pub(super) fn limits(before: &[Said<'_>], policies: &[&Said<'_>], row: &Said<'_>) -> Vec<Reason> {
    let (mut too_many, mut too_much) = (false, false);
    for limit in &policies.last().unwrap().policy().unwrap().limits {
        if !covers(limit.actions, row.row.head.action) {
            continue;
        }
        let set = set_by(policies, limit);
        let after = row.row.landing.landed_at.saturating_sub(limit.window);
        let counted: Vec<&Said<'_>> = before
            .iter()
            .filter(|it| it.seq() > set && it.applied() && it.is_gated())
            .filter(|it| covers(limit.actions, it.row.head.action) && it.row.landing.landed_at > after)
            .filter(|it| limit.per == Per::Store || it.entity == row.entity)
            .collect();
        too_many |= limit.count.is_some_and(|most| counted.len() >= most as usize);
        if let Some(sum) = &limit.sum {
            let spent: i128 = counted.iter().filter_map(|it| amount(it, sum.field)).sum();
            let own = amount(row, sum.field);
            too_much |= own.is_none_or(|own| spent + own > millionths(&sum.most));
        }
    }
    let held = [(too_many, Reason::CountLimit), (too_much, Reason::SumLimit)];
    held.into_iter().filter_map(|(holds, reason)| holds.then_some(reason)).collect()
}

/// The first of the policies that has set a limit without a break up to the last one.
fn set_by(policies: &[&Said<'_>], limit: &Limit<'_>) -> u64 {
    let field = |limit: &Limit<'_>| limit.sum.map(|sum| sum.field.to_owned());
    let has = |policy: &&&Said<'_>| {
        policy.policy().unwrap().limits.iter().any(|other| {
            (other.actions, other.per, other.window) == (limit.actions, limit.per, limit.window)
                && field(other) == field(limit)
        })
    };
    policies.iter().rev().take_while(has).last().unwrap().seq()
}

fn amount(row: &Said<'_>, field: &str) -> Option<i128> {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(millionths(&Decimal { mantissa: i128::from(*number), scale: 0 }).abs()),
        Value::Decimal(decimal) => Some(millionths(decimal).abs()),
        _ => None,
    };
    let entry = |value: &Value| match value {
        Value::Map(entries) => entries.get(field).and_then(number),
        _ => None,
    };
    // Entries of that name, at any depth.
    fn entries(value: &Value, field: &str) -> usize {
        match value {
            Value::Map(map) => {
                map.iter().map(|(name, value)| usize::from(name == field) + entries(value, field)).sum()
            }
            Value::List(items) => items.iter().map(|item| entries(item, field)).sum(),
            _ => 0,
        }
    }
    let (mut found, mut unclear) = (Vec::new(), false);
    for op in &row.ops {
        let named = op.key == field || op.key.ends_with(&format!("/{field}"));
        match op.change {
            Change::Put(Slot::Open { bytes, .. }) => {
                let value = Value::decode(bytes).unwrap();
                let counted = entry(&value).or(number(&value).filter(|_| named));
                let there = entries(&value, field);
                unclear |= there > usize::from(entry(&value).is_some()) || (named && counted.is_none());
                found.extend(counted);
            }
            Change::Add(delta) if named => found.extend(number(&Value::Int(delta))),
            _ => {}
        }
    }
    for effect in &row.effects {
        let value = Value::decode(effect.request).unwrap();
        unclear |= entries(&value, field) > usize::from(entry(&value).is_some());
        found.extend(entry(&value));
    }
    found.into_iter().reduce(|sum, number| sum + number).filter(|_| !unclear)
}
