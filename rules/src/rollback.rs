//! Whether a rollback row takes back exactly what it says it does.

use counterfoil_format::body::{Manner, RollbackOf};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Effect, Undo};
use counterfoil_format::intent::{Kind, Micros};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why a rollback row is not the rollback of its target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackFault {
    /// The target's hash is another one.
    #[error("row {0} has another hash than the rollback names")]
    AnotherRow(u64),
    /// The target changed nothing.
    #[error("row {0} was not applied, so there is nothing to take back")]
    NotApplied(u64),
    /// The target is of a kind that changes neither the state nor anything outside.
    #[error("row {row} is a {kind} row, which has neither operations nor effects to take back")]
    NothingToTakeBack {
        /// The row.
        row: u64,
        /// What it is.
        kind: Kind,
    },
    /// The target's rollback part is withheld, so nothing can be compared.
    #[error("the rollback of row {0} is withheld or erased")]
    Withheld(u64),
    /// The ops are not those that the target stored for its rollback.
    #[error("its ops are not the rollback that row {0} stored")]
    OtherOps(u64),
    /// A partial rollback leaves out nothing, or everything, or some operations on a key and not all.
    #[error(
        "it says that it leaves out some keys of the rollback that row {0} stored, and does not leave out whole keys"
    )]
    NotPartial(u64),
    /// It calls for an effect that is not there.
    #[error("it calls for effect {effect}, and row {row} has {effects}")]
    NoEffect {
        /// The row with the effects.
        row: u64,
        /// The place that it names.
        effect: u32,
        /// How many effects there are.
        effects: usize,
    },
    /// It calls for the undo of an effect that has none, or none any longer.
    #[error("it calls for the undo of effect {effect} of row {row}, which {why}")]
    NoUndo {
        /// The row with the effect.
        row: u64,
        /// The effect's place.
        effect: u32,
        /// Why not.
        why: &'static str,
    },
    /// The effects are withheld or erased.
    #[error("the effects of row {0} are withheld or erased")]
    EffectsWithheld(u64),
    /// The rows cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Checks a rollback row's body and ops against its target. `ops` are empty when it has none.
pub fn check_rollback(rollback: &RollbackOf, ops: &[Op<'_>], target: &Row<'_>) -> Result<(), RollbackFault> {
    let seq = rollback.target;
    if target.row_hash != rollback.target_hash || target.landing.seq != seq {
        return Err(RollbackFault::AnotherRow(seq));
    }
    if target.landing.outcome != Outcome::Applied {
        return Err(RollbackFault::NotApplied(seq));
    }
    if !can_be_taken_back(target) {
        return Err(RollbackFault::NothingToTakeBack { row: seq, kind: target.head.kind });
    }
    let stored = match target.part(PartTag::Rollback) {
        None => Vec::new(),
        Some(_) => target.ops(PartTag::Rollback)?.ok_or(RollbackFault::Withheld(seq))?,
    };
    let forced = rollback.manner == Manner::Forced;
    let same = |stored: &[Op<'_>]| {
        stored.len() == ops.len() && stored.iter().zip(ops).all(|(stored, op)| same_op(stored, op, forced))
    };
    if rollback.manner != Manner::Partial {
        return if same(&stored) { Ok(()) } else { Err(RollbackFault::OtherOps(seq)) };
    }
    let keys: BTreeSet<Cow<'_, str>> = ops.iter().map(Op::state_key).collect();
    let (kept, left): (Vec<_>, Vec<_>) =
        stored.iter().copied().partition(|op| keys.contains(&op.state_key()));
    if kept.is_empty() || left.is_empty() {
        return Err(RollbackFault::NotPartial(seq));
    }
    if same(&kept) { Ok(()) } else { Err(RollbackFault::OtherOps(seq)) }
}

/// Whether a row is of those that a rollback can name: a decision, the approval of one, or a rollback.
pub fn can_be_taken_back(row: &Row<'_>) -> bool {
    let acts = PartTag::Ops.bit() | PartTag::Effects.bit();
    match row.head.kind {
        Kind::Decision | Kind::Rollback => true,
        Kind::Review => row.head.parts & acts != 0,
        _ => false,
    }
}

/// Checks which effects a rollback row that lands now calls for. `base` is the row at the end of its chain of targets;
/// `undoes` says that they are undone, not done again.
pub fn check_called(
    rollback: &RollbackOf,
    base: &Row<'_>,
    undoes: bool,
    landed_at: Micros,
) -> Result<(), RollbackFault> {
    let row = base.landing.seq;
    if rollback.effects.is_empty() {
        return Ok(());
    }
    let effects = match (base.part(PartTag::Effects), base.content(PartTag::Effects)) {
        (Some(_), None) => return Err(RollbackFault::EffectsWithheld(row)),
        (_, content) => content.map(Effect::decode_all).transpose()?.unwrap_or_default(),
    };
    for effect in rollback.effects.iter().copied() {
        let found = usize::try_from(effect).ok().and_then(|place| effects.get(place));
        let found = found.ok_or(RollbackFault::NoEffect { row, effect, effects: effects.len() })?;
        if let (true, Some(why)) = (undoes, no_undo(&found.undo, landed_at)) {
            return Err(RollbackFault::NoUndo { row, effect, why });
        }
    }
    Ok(())
}

/// Why an effect cannot be undone at a time, when it cannot.
pub fn no_undo(undo: &Undo<'_>, at: Micros) -> Option<&'static str> {
    match undo {
        Undo::Never => Some("has no undo"),
        Undo::Until(_, until) if *until <= at => Some("could be undone until a time that is over"),
        _ => None,
    }
}

/// Values are compared by their commitments, so that erased ones compare too.
fn same_op(stored: &Op<'_>, op: &Op<'_>, forced: bool) -> bool {
    let guarded = stored.guard == op.guard || (forced && op.guard == Guard::None);
    let same_change = match (&stored.change, &op.change) {
        (Change::Put(left), Change::Put(right)) => left.value_commitment() == right.value_commitment(),
        (left, right) => left == right,
    };
    guarded && stored.key == op.key && same_change
}
