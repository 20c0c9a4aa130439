//! What a plan would do to the state.

use super::{Plan, PlanError, Reversal};
use crate::history::{History, ReplayError};
use crate::state::{PastState, state_of_keys};
use counterfoil_format::codec::CodecError;
use counterfoil_format::landing::Landing;
use counterfoil_format::limits;
use counterfoil_format::ops::{decode_ops, encode_ops};
use std::collections::BTreeSet;

/// What the keys that a plan puts back hold before and after it. Nothing is changed. Refused when a rollback row would be
/// too large to land; `reason` is the bytes of the reason that each of them gives.
pub fn preview<H: History>(
    history: &H,
    plan: &Plan,
    reason: usize,
) -> Result<(PastState, PastState), PlanError<H::Error>> {
    let keys: BTreeSet<String> = plan.reversals.iter().flat_map(|r| r.keys.iter().cloned()).collect();
    let before = state_of_keys(history, &keys)?;
    let mut after = before.clone();
    let mut scratch = Vec::new();
    for reversal in plan.reversals.iter().filter(|reversal| !reversal.ops.is_empty()) {
        let row = reversal.target;
        let impossible = |error: CodecError| ReplayError::Impossible { row, reason: error.to_string() };
        let ops = decode_ops(&reversal.ops).map_err(impossible)?;
        let inverse = after.carry_out_seen(&ops, plan.size, |applied| {
            let inverse = applied.inverse();
            scratch.clear();
            encode_ops(&inverse, &mut scratch);
            inverse.len()
        });
        let inverse = inverse.map_err(|reason| PlanError::Drift { row, reason })?;
        check_size(reversal, inverse, scratch.len(), reason)?;
    }
    Ok((before, after))
}

/// Bytes of a rollback row besides operations, entity and reason: landing, head, body, names, salts and lengths.
const REST: usize = Landing::MAX_BYTES + 1024;
/// Bytes of an effect that it calls for, at most.
const CALL: usize = 5;

/// Whether the rollback row fits: it holds the stored rollback, and the inverse of that again.
fn check_size<E>(
    reversal: &Reversal,
    inverse: usize,
    inverse_bytes: usize,
    reason: usize,
) -> Result<(), PlanError<E>> {
    let around = reversal.entity.len() + reason + REST + reversal.calls.len() * CALL;
    let row = reversal.ops.len() + inverse_bytes + around;
    let sizes = [
        ("operations in its inverse", inverse, limits::OPS),
        ("bytes in its inverse", inverse_bytes, limits::PART_BYTES),
        ("bytes", row, limits::ROW_BYTES),
    ];
    match sizes.into_iter().find(|(_, size, limit)| size > limit) {
        None => Ok(()),
        Some((unit, size, limit)) => Err(PlanError::TooLarge { row: reversal.target, unit, size, limit }),
    }
}
