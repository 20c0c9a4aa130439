//! Plans: which rows are taken back, in which order. A plan changes nothing; the ledger lands it as rollback rows.

pub use crate::dependants::Dependant;
use crate::dependants::{Touched, dependants_of, touched};
use crate::history::{History, ReplayError};
use crate::state::{PastState, state_of_keys};
use counterfoil_format::Hash;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Effect, Subject};
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::{Landing, Outcome, Reason};
use counterfoil_format::limits;
use counterfoil_format::ops::{decode_ops, encode_ops};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::{Governance, GovernanceError};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// One row that is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The row.
    pub target: u64,
    /// Its hash.
    pub target_hash: Hash,
    /// What it was.
    pub kind: Kind,
    /// Its action's name.
    pub action: String,
    /// What it was about; empty when it does not say, or the part is withheld.
    pub entity: String,
    /// Its stored rollback, as the part's content.
    pub ops: Vec<u8>,
    /// The keys that are put back.
    pub keys: Vec<String>,
    /// How many effects it had outside the state. Taking the row back does not call their undo.
    pub effects: usize,
}

/// Rows to take back, in this order: the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How many rows the ledger had when the plan was made.
    pub size: u64,
    /// The rows.
    pub reversals: Vec<Reversal>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError<E> {
    /// The past cannot be told.
    #[error(transparent)]
    Replay(#[from] ReplayError<E>),
    /// The row was not applied.
    #[error("row {row} landed as {outcome} and changed nothing, so there is nothing to take back")]
    NotApplied {
        /// The row.
        row: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// The row changed no state.
    #[error("row {row} ({kind}) has no operations on the state, so there is nothing to take back")]
    NoOps {
        /// The row.
        row: u64,
        /// What it is.
        kind: Kind,
    },
    /// The row, or one that would be taken back again with it, is taken back already.
    #[error("row {row} cannot be taken back: {reason}")]
    NotInForce {
        /// The row.
        row: u64,
        /// Which row is taken back, and by which.
        reason: GovernanceError,
    },
    /// The state has moved on from what the row left.
    #[error("row {row} cannot be taken back exactly: {reason}, since a key it left is not as it left it")]
    Drift {
        /// The row.
        row: u64,
        /// What stands against it.
        reason: Reason,
    },
    /// The row that would take it back is larger than a row can be.
    #[error(
        "row {row} cannot be taken back: the row that does it would have about {size} {unit}, and {limit} is the most. \
         It carries a guard for each operation, and so does its own inverse, so it can be larger than the row itself. \
         Put the keys back with decisions, some at a time"
    )]
    TooLarge {
        /// The row.
        row: u64,
        /// What there would be too much of.
        unit: &'static str,
        /// How much there would be.
        size: usize,
        /// How much there may be.
        limit: usize,
    },
    /// Later rows build on it.
    #[error("later rows build on what would be taken back: {}", list(.0))]
    Dependants(Vec<Dependant>),
}

fn list(dependants: &[Dependant]) -> String {
    let name = |d: &Dependant| format!("row {} wrote {} after row {}", d.row, d.key, d.on);
    dependants.iter().map(name).collect::<Vec<_>>().join("; ")
}

/// Plans to take back these rows and no others. Refused when a later row in force, not among them, builds on one.
pub fn plan_rollback<H: History>(
    history: &H,
    governance: &Governance,
    rows: &[u64],
) -> Result<Plan, PlanError<H::Error>> {
    let wanted: BTreeSet<u64> = rows.iter().copied().collect();
    let size = history.size();
    let mut reversals = Vec::with_capacity(wanted.len());
    let mut targets = BTreeMap::new();
    for row in wanted.iter().rev().copied() {
        if row >= size {
            return Err(ReplayError::NoSuchRow { row, size }.into());
        }
        governance.check_in_force(row).map_err(|reason| PlanError::NotInForce { row, reason })?;
        let (reversal, touched) =
            history.with_row(row, |row| (reversal(row), touched_by(row))).map_err(ReplayError::Read)?;
        reversals.push(reversal?);
        targets.insert(row, touched.ok_or(ReplayError::Withheld(row))?);
    }
    let dependants = dependants_of(history, governance, &targets).map_err(ReplayError::Read)?;
    if dependants.is_empty() { Ok(Plan { size, reversals }) } else { Err(PlanError::Dependants(dependants)) }
}

/// Plans to put the whole state back to what it was after row `to`. What is in force since then is taken back, the
/// newest first; rows that were taken back since then, and what took them back, cancel out and stay.
pub fn plan_restore<H: History>(
    history: &H,
    governance: &Governance,
    to: u64,
) -> Result<Plan, PlanError<H::Error>> {
    let size = history.size();
    if to >= size {
        return Err(ReplayError::NoSuchRow { row: to, size }.into());
    }
    let mut reversals = Vec::new();
    let mut failed = None;
    let look = |row: &Row<'_>| {
        let seq = row.landing.seq;
        let cancels = governance.target_of(seq).is_some_and(|target| target > to);
        let changed = row.landing.outcome == Outcome::Applied && row.part(PartTag::Ops).is_some();
        if changed && !cancels && governance.undone_by(seq).is_none() {
            match reversal(row) {
                Ok(reversal) => reversals.push(reversal),
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    };
    history.scan(to + 1..size, look).map_err(ReplayError::Read)?;
    if let Some(error) = failed {
        return Err(error);
    }
    reversals.reverse();
    Ok(Plan { size, reversals })
}

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
    for reversal in &plan.reversals {
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

/// Whether the rollback row fits: it holds the stored rollback, and the inverse of that again.
fn check_size<E>(
    reversal: &Reversal,
    inverse: usize,
    inverse_bytes: usize,
    reason: usize,
) -> Result<(), PlanError<E>> {
    let row = reversal.ops.len() + inverse_bytes + reversal.entity.len() + reason + REST;
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

/// What the row's operations touch, unless they are withheld.
fn touched_by(row: &Row<'_>) -> Option<Touched> {
    row.ops(PartTag::Ops).ok().flatten().map(|ops| touched(&ops))
}

/// What it takes to take a row back.
fn reversal<E>(row: &Row<'_>) -> Result<Reversal, PlanError<E>> {
    let seq = row.landing.seq;
    if row.landing.outcome != Outcome::Applied {
        return Err(PlanError::NotApplied { row: seq, outcome: row.landing.outcome });
    }
    let impossible = |reason: String| ReplayError::Impossible { row: seq, reason };
    if row.part(PartTag::Rollback).is_none() {
        return Err(PlanError::NoOps { row: seq, kind: row.head.kind });
    }
    let bytes = row.content(PartTag::Rollback).ok_or(ReplayError::Withheld(seq))?;
    let ops = row.ops(PartTag::Rollback).map_err(|error| impossible(error.to_string()))?.unwrap_or_default();
    let keys: BTreeSet<String> = ops.iter().map(|op| op.state_key().into_owned()).collect();
    let subject = row.content(PartTag::Subject).and_then(|bytes| Subject::decode(bytes).ok());
    let effects = row.content(PartTag::Effects).and_then(|bytes| Effect::decode_all(bytes).ok());
    Ok(Reversal {
        target: seq,
        target_hash: row.row_hash,
        kind: row.head.kind,
        action: row.head.action.to_owned(),
        entity: subject.map_or(String::new(), |subject| subject.entity.to_owned()),
        ops: bytes.to_vec(),
        keys: keys.into_iter().collect(),
        effects: effects.map_or(0, |effects| effects.len()),
    })
}

#[cfg(test)]
mod tests;
