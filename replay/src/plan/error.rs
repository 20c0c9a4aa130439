//! Why there is no plan.

use crate::dependence::Dependant;
use crate::history::ReplayError;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_rules::governance::GovernanceError;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError<E> {
    /// The past cannot be told.
    #[error(transparent)]
    Replay(#[from] ReplayError<E>),
    /// The row was not applied.
    #[error(
        "row {row} landed as {outcome} and changed nothing, so there is nothing to take back{}",
        approved.map(|by| format!("; row {by} has approved it, and can be taken back")).unwrap_or_default()
    )]
    NotApplied {
        /// The row.
        row: u64,
        /// What became of it.
        outcome: Outcome,
        /// The row that has approved it, when one has.
        approved: Option<u64>,
    },
    /// The row is of a kind that neither changes the state nor has effects.
    #[error("row {row} ({kind}) has neither operations nor effects, so there is nothing to take back")]
    NothingToTakeBack {
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
    /// Every key of the row was touched later, so nothing of it is left to take back.
    #[error("row {row} has nothing left to take back: later rows touch each of its keys")]
    NothingLeft {
        /// The row.
        row: u64,
    },
    /// The row stands in part only.
    #[error(
        "row {row} stands in part only: row {by} has taken it back or brought it back but for some of its keys, or by force; \
         take row {by} back first, with `counterfoil redo {by}`"
    )]
    InPart {
        /// The row.
        row: u64,
        /// The rollback row.
        by: u64,
    },
    /// A row would be brought back where it does not belong any more.
    #[error(
        "row {row} cannot be brought back: what it built on in {key} was taken back or changed since; bring that back first, or \
         decide anew"
    )]
    Unsound {
        /// The decision.
        row: u64,
        /// The key.
        key: String,
    },
    /// It is not known what became of an effect.
    #[error(
        "row {row} cannot be taken back: its effect {effect} is {status}, so it is not settled whether it takes place. \
         `counterfoil effects resume` settles it, `counterfoil effects close` what cannot be found out, and --without-effects \
         leaves effects alone"
    )]
    Unresolved {
        /// The row that calls for it.
        row: u64,
        /// The effect's place.
        effect: u32,
        /// How it stands.
        status: &'static str,
    },
}

fn list(dependants: &[Dependant]) -> String {
    let name = |d: &Dependant| format!("row {} wrote {} after row {}", d.row, d.key, d.on);
    dependants.iter().map(name).collect::<Vec<_>>().join("; ")
}
