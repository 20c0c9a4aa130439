//! Whether a plan that brings rows back leaves what a replay of the decisions that then stand gives.
//!
//! A row that is brought back finds the state of now, and not the one that it was decided on. Where that makes a difference, for what
//! it built on was taken back meanwhile, it is not brought back alone.

use super::{Plan, PlanError, preview};
use crate::history::{History, ReplayError, Touch};
use crate::state::PastState;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{Op, decode_ops, encode_ops};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use std::collections::BTreeMap;

/// A decision on one key: its operations there, and whether they stand.
struct Standing {
    ops: Vec<u8>,
    stands: bool,
}

/// Refuses a plan that takes rollbacks back and leaves something else on their keys than the decisions that stand make.
pub(super) fn check_standing<H: History>(
    history: &H,
    governance: &Governance,
    plan: &Plan,
) -> Result<(), PlanError<H::Error>> {
    let rollbacks = plan.reversals.iter().filter(|it| governance.target_of(it.target).is_some());
    let keys: BTreeMap<&String, u64> =
        rollbacks.flat_map(|it| it.keys.iter().map(|key| (key, it.target))).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let (_, after) = preview(history, plan, 0)?;
    let reversals = by_key(plan);
    for (key, row) in keys {
        let left = after.get(key).map(|held| &held.leaf);
        let reversed = reversals.get(key.as_str()).map(Vec::as_slice).unwrap_or_default();
        let stands = replay(history, governance, reversed, key)?;
        if stands.as_ref().map(|state| state.get(key).map(|held| &held.leaf)) != Some(left) {
            return Err(PlanError::Unsound { row: governance.base(row), key: key.clone() });
        }
    }
    Ok(())
}

/// The rows that a plan takes back, in its order, by the keys that it puts back.
pub(super) fn by_key(plan: &Plan) -> BTreeMap<&str, Vec<u64>> {
    let mut rows: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for reversal in &plan.reversals {
        reversal.keys.iter().for_each(|key| rows.entry(key).or_default().push(reversal.target));
    }
    rows
}

/// What the decisions make of a key that stand once these rows are taken back; `None` when one of them would not go through.
fn replay<H: History>(
    history: &H,
    governance: &Governance,
    reversed: &[u64],
    key: &str,
) -> Result<Option<PastState>, PlanError<H::Error>> {
    let mut decisions = decisions(history, governance, key, history.size())?;
    reversed.iter().for_each(|target| turn_to(&mut decisions, governance, *target));
    let mut state = PastState::default();
    for (seq, decision) in decisions.iter().filter(|(_, decision)| decision.stands) {
        let ops = decode_ops(&decision.ops)
            .map_err(|error| ReplayError::Impossible { row: *seq, reason: error.to_string() })?;
        if state.carry_out(&ops, *seq).is_err() {
            return Ok(None);
        }
    }
    Ok(Some(state))
}

/// Whether the same decisions stand on a key once these rows are taken back as stood there after the first `to` rows.
pub(super) fn stand_as_before<H: History>(
    history: &H,
    governance: &Governance,
    reversed: &[u64],
    key: &str,
    to: u64,
) -> Result<bool, PlanError<H::Error>> {
    let before = decisions(history, governance, key, to)?;
    let mut after = decisions(history, governance, key, history.size())?;
    reversed.iter().for_each(|target| turn_to(&mut after, governance, *target));
    let standing = |decisions: &BTreeMap<u64, Standing>| -> Vec<u64> {
        decisions.iter().filter(|(_, decision)| decision.stands).map(|(row, _)| *row).collect()
    };
    Ok(standing(&before) == standing(&after))
}

/// Whether a decision stands on a key now.
pub(super) fn stands<H: History>(
    history: &H,
    governance: &Governance,
    row: u64,
    key: &str,
) -> Result<bool, PlanError<H::Error>> {
    let decisions = decisions(history, governance, key, history.size())?;
    Ok(decisions.get(&row).is_some_and(|decision| decision.stands))
}

/// The decisions on a key among the first rows, as these have left them.
fn decisions<H: History>(
    history: &H,
    governance: &Governance,
    key: &str,
    size: u64,
) -> Result<BTreeMap<u64, Standing>, PlanError<H::Error>> {
    let mut decisions = BTreeMap::new();
    for seq in history.rows_of_key(key, Touch::Any, 0..size).map_err(ReplayError::Read)? {
        let found = history.with_row(seq, |row| on_key(row, key)).map_err(ReplayError::Read)?;
        let Some(ops) = found else { continue };
        match governance.target_of(seq) {
            None => drop(decisions.insert(seq, Standing { ops, stands: true })),
            Some(target) => turn_to(&mut decisions, governance, target),
        }
    }
    Ok(decisions)
}

/// A rollback of a row takes the decision at the end of its chain back on a key, or brings it back.
fn turn_to(decisions: &mut BTreeMap<u64, Standing>, governance: &Governance, target: u64) {
    if let Some(decision) = decisions.get_mut(&governance.base(target)) {
        decision.stands = governance.brings_back(target);
    }
}

/// The operations of an applied row on a key.
fn on_key(row: &Row<'_>, key: &str) -> Option<Vec<u8>> {
    let ops = row.ops(PartTag::Ops).ok().flatten().filter(|_| row.landing.outcome == Outcome::Applied)?;
    let ops: Vec<Op<'_>> = ops.into_iter().filter(|op| op.state_key() == key).collect();
    let mut bytes = Vec::new();
    encode_ops(&ops, &mut bytes);
    Some(bytes).filter(|_| !ops.is_empty())
}
