//! Recovery drills: a row carried out and taken back on a scratch copy of the state.

use crate::history::{History, ReplayError};
use crate::state::state_of_keys_after;
use counterfoil_format::Hash;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::{Outcome, Reversibility};
use counterfoil_format::ops::Op;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use std::collections::BTreeSet;

/// What a drill of one row has shown of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// The row.
    pub row: u64,
    /// Its class, as stamped.
    pub reversibility: Reversibility,
    /// The digest of the keys that it touches, before it.
    pub before: Hash,
    /// The same once it was carried out and taken back.
    pub after: Option<Hash>,
    /// What went wrong.
    pub fault: Option<String>,
}

impl Drilled {
    /// Whether all was as before.
    pub fn passed(&self) -> bool {
        self.fault.is_none() && self.after == Some(self.before)
    }
}

/// Why a row cannot be drilled.
#[derive(Debug, thiserror::Error)]
pub enum DrillError<E> {
    /// The past cannot be told.
    #[error(transparent)]
    Replay(#[from] ReplayError<E>),
    /// It was not applied.
    #[error("row {row} landed as {outcome} and has done nothing that a drill could take back")]
    NotApplied {
        /// The row.
        row: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// It is no decision and no approval, or one that does nothing.
    #[error(
        "row {row}, a {kind} row, has done nothing that a drill could take back; drill decisions, or approvals of such"
    )]
    Nothing {
        /// The row.
        row: u64,
        /// What it is.
        kind: Kind,
    },
}

/// Carries out a row's operations and then its stored rollback on the state of its moment, as far as they touch it.
pub fn drill<H: History>(history: &H, row: u64) -> Result<Drilled, DrillError<H::Error>> {
    if row >= history.size() {
        return Err(ReplayError::NoSuchRow { row, size: history.size() }.into());
    }
    let look = |row: &Row<'_>| {
        let acts = row.head.parts & (PartTag::Ops.bit() | PartTag::Effects.bit()) != 0;
        let drills = acts && matches!(row.head.kind, Kind::Decision | Kind::Review);
        (row.landing.outcome, row.head.kind, drills, ops(row, PartTag::Ops).map(|ops| keys(&ops)))
    };
    let (outcome, kind, drills, keys) = history.with_row(row, look).map_err(ReplayError::Read)?;
    if outcome != Outcome::Applied {
        return Err(DrillError::NotApplied { row, outcome });
    }
    if !drills {
        return Err(DrillError::Nothing { row, kind });
    }
    let keys = keys.map_err(|reason| ReplayError::Impossible { row, reason })?;
    let mut state = state_of_keys_after(history, &keys, row)?;
    let before = state.digest();
    let carried = history.with_row(row, |row| {
        let (forward, back) = (ops(row, PartTag::Ops)?, ops(row, PartTag::Rollback)?);
        let seq = row.landing.seq;
        state.carry_out(&forward, seq).map_err(|reason| format!("it does not go through again: {reason}"))?;
        state.carry_out(&back, seq).map_err(|reason| format!("its rollback does not go through: {reason}"))
    });
    let fault = carried.map_err(ReplayError::Read)?.err();
    let reversibility = history.with_row(row, |row| row.landing.reversibility).map_err(ReplayError::Read)?;
    let after = fault.is_none().then(|| state.digest());
    Ok(Drilled { row, reversibility, before, after, fault })
}

fn ops<'r>(row: &Row<'r>, tag: PartTag) -> Result<Vec<Op<'r>>, String> {
    match row.part(tag) {
        None => Ok(Vec::new()),
        Some(_) => row
            .ops(tag)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("its {} are withheld", tag.name())),
    }
}

fn keys(ops: &[Op<'_>]) -> BTreeSet<String> {
    ops.iter().map(|op| op.state_key().into_owned()).collect()
}
