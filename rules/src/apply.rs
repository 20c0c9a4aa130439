//! Applying a row's operations, and their exact inverse.
//!
//! The operations of a row are carried out in order on a working copy of the keys they touch; the first one that
//! fails fails the row, and nothing has happened. Each step remembers what its key held before and after. The inverse
//! of the row is the inverse of each step, last step first:
//!
//! | step | inverse | guard of the inverse |
//! | --- | --- | --- |
//! | put over a value | put the old value, with its salt and commitment | the new value |
//! | put over nothing | delete | the new value |
//! | put over a counter | delete, then add the counter | the new value, then none |
//! | delete of a value | put the old value | absent |
//! | delete of a counter | add the counter | none |
//! | add | add the negated delta | none, since adds commute |
//! | transition | transition back; to no stage when there was none | the new stage; absent when it left all stages |

use crate::state::{Leaf, MapState, State, StoredValue};
use counterfoil_format::landing::Reason;
use counterfoil_format::ops::{Change, Guard, Op, encode_ops};
use counterfoil_format::part::Slot;
use std::borrow::Cow;
use std::collections::HashMap;

/// One operation carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    /// The operation.
    pub op: Op<'a>,
    /// What its key held before.
    pub before: Option<Leaf>,
    /// What its key held after.
    pub after: Option<Leaf>,
}

/// What a row's operations do.
#[derive(Debug, Clone, Default)]
pub struct Applied<'a> {
    /// Each operation, in order.
    pub steps: Vec<Step<'a>>,
    changes: Working<'a>,
}

impl<'a> Applied<'a> {
    /// Each key touched, with what it holds in the end.
    pub fn into_changes(self) -> impl Iterator<Item = (Cow<'a, str>, Option<Leaf>)> {
        self.changes.entries.into_iter()
    }

    /// The operations that take the row back.
    pub fn inverse(&self) -> Vec<Op<'_>> {
        self.inverse_with(StoredValue::slot)
    }

    /// The same operations with every value closed: all that a commitment covers, and nothing to hash again.
    pub fn closed_inverse(&self) -> Vec<Op<'_>> {
        self.inverse_with(|value| Slot::Closed(value.commitment))
    }

    /// Bytes of the operations that bring the row back after it was taken back: what a rollback of this row carries as
    /// its own rollback.
    pub fn redo_bytes(&self) -> usize {
        let mut after = MapState::default();
        self.changes.entries.iter().for_each(|(key, leaf)| after.set(key, leaf.clone()));
        let Ok(back) = apply(&after, &self.inverse(), true);
        let mut bytes = Vec::new();
        // An inverse that fails is refused elsewhere; here it takes no room.
        back.iter().for_each(|back| encode_ops(&back.inverse(), &mut bytes));
        bytes.len()
    }

    fn inverse_with<'s>(&'s self, slot: impl Fn(&'s StoredValue) -> Slot<'s>) -> Vec<Op<'s>> {
        let mut inverse = Vec::with_capacity(self.steps.len());
        self.steps.iter().rev().for_each(|step| invert(step, &slot, &mut inverse));
        inverse
    }
}

fn invert<'s>(step: &'s Step<'_>, slot: &impl Fn(&'s StoredValue) -> Slot<'s>, inverse: &mut Vec<Op<'s>>) {
    let mut push = |guard, change| inverse.push(Op { key: step.op.key, guard, change });
    let after = Leaf::guard(step.after.as_ref());
    match (step.op.change, &step.before) {
        // A delta whose negation does not exist has been refused as an overflow.
        (Change::Add(delta), _) => push(Guard::None, Change::Add(delta.wrapping_neg())),
        (Change::Transition(_), Some(Leaf::Stage(stage))) => push(after, Change::Transition(stage)),
        (Change::Transition(_), _) => push(after, Change::Transition("")),
        (Change::Put(_) | Change::Delete, Some(Leaf::Value(old))) => push(after, Change::Put(slot(old))),
        (Change::Delete, Some(Leaf::Counter(number))) => push(Guard::None, Change::Add(*number)),
        (Change::Put(_), Some(Leaf::Counter(number))) => {
            push(after, Change::Delete);
            push(Guard::None, Change::Add(*number));
        }
        (Change::Put(_) | Change::Delete, _) => push(after, Change::Delete),
    }
}

/// Keys touched so far, in the order they were first touched. A few are searched one by one; many get a map.
#[derive(Debug, Clone, Default)]
struct Working<'a> {
    entries: Vec<(Cow<'a, str>, Option<Leaf>)>,
    places: HashMap<Cow<'a, str>, usize>,
}

const SEARCHED: usize = 16;

impl<'a> Working<'a> {
    fn find(&self, key: &str) -> Option<usize> {
        if self.entries.len() <= SEARCHED {
            return self.entries.iter().position(|(found, _)| found == key);
        }
        self.places.get(key).copied()
    }

    fn set(&mut self, key: Cow<'a, str>, leaf: Option<Leaf>) {
        if let Some((_, place)) = self.find(&key).and_then(|place| self.entries.get_mut(place)) {
            *place = leaf;
            return;
        }
        self.entries.push((key, leaf));
        if self.entries.len() > SEARCHED {
            let first_new = self.places.len();
            let new = self.entries.iter().enumerate().skip(first_new);
            self.places.extend(new.map(|(place, (key, _))| (key.clone(), place)));
        }
    }
}

/// Carries out operations on a state, which is only read. `keep_content` says whether values keep their content
/// beside the commitment. The inner error is why the row fails.
pub fn apply<'a, S: State>(
    state: &S,
    ops: &[Op<'a>],
    keep_content: bool,
) -> Result<Result<Applied<'a>, Reason>, S::Error> {
    let mut applied = Applied::default();
    applied.steps.reserve_exact(ops.len());
    for op in ops {
        let key = op.state_key();
        let place = applied.changes.find(&key);
        let before = match place.and_then(|place| applied.changes.entries.get(place)) {
            Some((_, leaf)) => leaf.clone(),
            None => state.leaf(&key)?,
        };
        let after = match step(op, before.as_ref(), keep_content) {
            Ok(after) => after,
            Err(reason) => return Ok(Err(reason)),
        };
        applied.changes.set(key, after.clone());
        applied.steps.push(Step { op: *op, before, after });
    }
    Ok(Ok(applied))
}

/// What the key holds after one operation.
fn step(op: &Op<'_>, before: Option<&Leaf>, keep_content: bool) -> Result<Option<Leaf>, Reason> {
    if !holds(&op.guard, before) {
        return Err(Reason::GuardFailed);
    }
    match (op.change, before) {
        (Change::Put(slot), _) => Ok(Some(Leaf::Value(StoredValue::from_slot(&slot, keep_content)))),
        (Change::Delete, None) => Err(Reason::KeyAbsent),
        (Change::Delete, Some(_)) => Ok(None),
        (Change::Add(i64::MIN), _) => Err(Reason::CounterOverflow),
        (Change::Add(delta), None) => Ok(Some(Leaf::Counter(delta))),
        (Change::Add(delta), Some(Leaf::Counter(number))) => {
            // A counter at i64::MIN could be deleted or overwritten, but no add could bring it back.
            let sum = number.checked_add(delta).filter(|sum| *sum != i64::MIN);
            let sum = sum.ok_or(Reason::CounterOverflow)?;
            Ok((sum != 0).then_some(Leaf::Counter(sum)))
        }
        (Change::Add(_), Some(_)) => Err(Reason::KindMismatch),
        (Change::Transition(stage), _) => Ok((!stage.is_empty()).then(|| Leaf::Stage(stage.to_owned()))),
    }
}

fn holds(guard: &Guard<'_>, leaf: Option<&Leaf>) -> bool {
    match guard {
        Guard::None => true,
        Guard::Counter(0) => leaf.is_none(),
        guard => *guard == Leaf::guard(leaf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::MapState;

    #[test]
    fn no_counter_reaches_what_no_add_can_restore() {
        let mut state = MapState::default();
        state.set("stock", Some(Leaf::Counter(-i64::MAX)));
        let add = |delta| Op { key: "stock", guard: Guard::None, change: Change::Add(delta) };
        let outcome = |ops: &[Op<'static>]| {
            let Ok(result) = apply(&state, ops, true);
            result.map(|applied| applied.into_changes().next().unwrap().1)
        };
        assert_eq!(outcome(&[add(-1)]), Err(Reason::CounterOverflow));
        assert_eq!(outcome(&[add(i64::MIN)]), Err(Reason::CounterOverflow));
        assert_eq!(outcome(&[add(1)]), Ok(Some(Leaf::Counter(1 - i64::MAX))));
        assert_eq!(outcome(&[add(i64::MAX)]), Ok(None));
    }
}
