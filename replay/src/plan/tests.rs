//! Plans that no ledger of today makes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use super::*;
use crate::history::Touch;
use counterfoil_format::body::EffectStatus;
use counterfoil_format::limits;
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::Slot;
use counterfoil_format::value::Value;
use std::convert::Infallible;
use std::ops::{ControlFlow, Range};

/// A ledger without rows.
struct Nothing;

impl History for Nothing {
    type Error = Infallible;

    fn size(&self) -> u64 {
        0
    }

    fn with_row<T>(&self, _: u64, _: impl FnOnce(&Row<'_>) -> T) -> Result<T, Infallible> {
        panic!("there is no row")
    }

    fn scan(&self, _: Range<u64>, _: impl FnMut(&Row<'_>) -> ControlFlow<()>) -> Result<(), Infallible> {
        Ok(())
    }

    fn rows_of_key(&self, _: &str, _: Touch, _: Range<u64>) -> Result<Vec<u64>, Infallible> {
        Ok(Vec::new())
    }

    fn citing(&self, _: u64) -> Result<Vec<u64>, Infallible> {
        Ok(Vec::new())
    }

    fn inexact(&self) -> Result<Vec<u64>, Infallible> {
        Ok(Vec::new())
    }

    fn calling(&self) -> Result<Vec<(u64, Vec<u32>)>, Infallible> {
        Ok(Vec::new())
    }

    fn call(&self, _: u64, _: u32) -> Result<Option<(u64, EffectStatus)>, Infallible> {
        Ok(None)
    }
}

/// A plan that puts this many keys back, to values of this many bytes.
fn plan_of(keys: usize, bytes: usize) -> Plan {
    let keys: Vec<String> = (0..keys).map(|key| format!("k/{key:06}")).collect();
    let value = Value::Text("v".repeat(bytes)).encode().unwrap();
    let put = Change::Put(Slot::Open { salt: [1; 16], bytes: &value });
    let ops: Vec<Op<'_>> = keys.iter().map(|key| Op { key, guard: Guard::None, change: put }).collect();
    let mut stored = Vec::new();
    encode_ops(&ops, &mut stored);
    let reversal = Reversal {
        target: 7,
        target_hash: Hash::ZERO,
        kind: Kind::Decision,
        action: String::new(),
        entity: String::new(),
        takes_back: None,
        brings_back: false,
        manner: Manner::Exact,
        ops: stored,
        keys,
        left: Vec::new(),
        calls: Vec::new(),
        staying: Vec::new(),
    };
    let (untouched, dependants, citations) = (Vec::new(), Vec::new(), Vec::new());
    Plan { size: 0, reversals: vec![reversal], untouched, dependants, citations }
}

#[test]
fn a_row_whose_rollback_row_is_too_large_has_no_preview() {
    // The operations alone would fit; the guards of what takes them back again do not.
    let plan = plan_of(20_000, 370);
    assert!(plan.reversals[0].ops.len() < limits::ROW_BYTES);
    match preview(&Nothing, &plan, 0) {
        Err(PlanError::TooLarge { row: 7, unit: "bytes", size, limit: limits::ROW_BYTES }) => {
            assert!(size > limits::ROW_BYTES);
        }
        other => panic!("{other:?}"),
    }
    let said = preview(&Nothing, &plan, 0).unwrap_err().to_string();
    assert!(
        said.starts_with("row 7 cannot be taken back: ") && said.contains("8388608 is the most"),
        "{said}"
    );
    assert_eq!(preview(&Nothing, &plan_of(20_000, 340), 0).unwrap().1.len(), 20_000);
}

#[test]
fn the_reason_counts() {
    let plan = plan_of(20_000, 340);
    let PlanError::TooLarge { size, .. } = preview(&Nothing, &plan, limits::ROW_BYTES).unwrap_err() else {
        panic!("it fits")
    };
    let room = limits::ROW_BYTES - (size - limits::ROW_BYTES);
    assert!(preview(&Nothing, &plan, room).is_ok());
    assert!(preview(&Nothing, &plan, room + 1).is_err());
}
