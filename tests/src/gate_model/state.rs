//! The state, and what operations do to it: section 7 of the format.

use counterfoil_format::Hash;
use counterfoil_format::landing::Reason;
use counterfoil_format::ops::{Change, Guard, Op};
use std::collections::BTreeMap;

/// What a key of the state holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holds {
    Value(Hash),
    Counter(i64),
    Stage(String),
}

pub(super) type State = BTreeMap<String, Holds>;

/// The state behind the operations, or why they fail (section 7).
pub(super) fn carry_out(state: &State, ops: &[Op<'_>]) -> Result<State, Reason> {
    let mut state = state.clone();
    for op in ops {
        let key = match op.change {
            Change::Transition(_) => format!("lifecycle/{}", op.key),
            _ => op.key.to_owned(),
        };
        let held = state.get(&key).cloned();
        let holds = match (op.guard, &held) {
            (Guard::None, _) | (Guard::Absent | Guard::Counter(0), None) => true,
            (Guard::Value(hash), Some(Holds::Value(value))) => hash == *value,
            (Guard::Counter(number), Some(Holds::Counter(counter))) => number == *counter,
            (Guard::Stage(name), Some(Holds::Stage(stage))) => name == stage,
            _ => false,
        };
        if !holds {
            return Err(Reason::GuardFailed);
        }
        let after = match (op.change, held) {
            (Change::Put(slot), _) => Some(Holds::Value(slot.value_commitment())),
            (Change::Delete, None) => return Err(Reason::KeyAbsent),
            (Change::Delete, Some(_)) => None,
            (Change::Add(i64::MIN), _) => return Err(Reason::CounterOverflow),
            (Change::Add(delta), None) => Some(Holds::Counter(delta)),
            (Change::Add(delta), Some(Holds::Counter(number))) => {
                match number.checked_add(delta).filter(|sum| *sum != i64::MIN) {
                    Some(sum) => Some(Holds::Counter(sum)).filter(|_| sum != 0),
                    None => return Err(Reason::CounterOverflow),
                }
            }
            (Change::Add(_), Some(_)) => return Err(Reason::KindMismatch),
            (Change::Transition(stage), _) => {
                Some(Holds::Stage(stage.to_owned())).filter(|_| !stage.is_empty())
            }
        };
        match after {
            Some(after) => drop(state.insert(key, after)),
            None => drop(state.remove(&key)),
        }
    }
    Ok(state)
}
