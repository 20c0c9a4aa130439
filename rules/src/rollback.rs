//! Whether a rollback row takes back exactly what it says it does.

use counterfoil_format::body::RollbackOf;
use counterfoil_format::codec::CodecError;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;

/// Why a rollback row is not the rollback of its target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackFault {
    /// The target's hash is another one.
    #[error("row {0} has another hash than the rollback names")]
    AnotherRow(u64),
    /// The target changed nothing.
    #[error("row {0} was not applied, so there is nothing to take back")]
    NotApplied(u64),
    /// The target's rollback part is withheld, so nothing can be compared.
    #[error("the rollback of row {0} is withheld or erased")]
    Withheld(u64),
    /// The ops are not those that the target stored for its rollback.
    #[error("its ops are not the rollback that row {0} stored")]
    OtherOps(u64),
    /// The rows cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Checks a rollback row's body and ops against its target.
pub fn check_rollback(rollback: &RollbackOf, ops: &[Op<'_>], target: &Row<'_>) -> Result<(), RollbackFault> {
    let seq = rollback.target;
    if target.row_hash != rollback.target_hash || target.landing.seq != seq {
        return Err(RollbackFault::AnotherRow(seq));
    }
    if target.landing.outcome != Outcome::Applied || target.part(PartTag::Rollback).is_none() {
        return Err(RollbackFault::NotApplied(seq));
    }
    let stored = target.ops(PartTag::Rollback)?.ok_or(RollbackFault::Withheld(seq))?;
    let same = stored.len() == ops.len()
        && stored.iter().zip(ops).all(|(stored, op)| {
            let guarded = stored.guard == op.guard || (rollback.forced && op.guard == Guard::None);
            guarded && stored.key == op.key && same_change(&stored.change, &op.change)
        });
    if same { Ok(()) } else { Err(RollbackFault::OtherOps(seq)) }
}

/// Values are compared by their commitments, so that erased ones compare too.
fn same_change(left: &Change<'_>, right: &Change<'_>) -> bool {
    match (left, right) {
        (Change::Put(left), Change::Put(right)) => left.value_commitment() == right.value_commitment(),
        (left, right) => left == right,
    }
}
