//! Plans that put the state back to an earlier moment.
//!
//! To take back every row since then, the newest first, always leads there. But a row that was taken back since then and what took it
//! back mostly cancel out; a plan without them is shorter, and is taken when it is found to lead to the same state.

use super::standing::{by_key, stand_as_before, stands};
use super::{Outside, Plan, PlanError, Planning, Reversal, citations, preview};
use crate::ahead::Ahead;
use crate::dependence::{rollback_of, touched_by};
use crate::history::{History, ReplayError};
use crate::in_part::InPart;
use crate::state::state_of_keys_after;
use counterfoil_format::body::Manner;
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A row behind the moment that has changed the state.
struct Change {
    row: u64,
    /// What it took back, when it is an exact rollback.
    cancels: Option<u64>,
    /// Its keys that are to be put back.
    keys: Vec<String>,
    /// Its keys that are not.
    others: Vec<String>,
}

/// What is to be restored.
struct Aim<'h, H> {
    history: &'h H,
    governance: &'h Governance,
    to: u64,
    outside: Outside,
}

/// Plans to put the state back to what it was after the first `to` rows: all of it, or the keys that begin with a prefix. What is
/// in force since then is taken back, the newest first. Of a row that touches other keys too these stay as they are; and where
/// one of the prefix was taken back in part, so that it is not in force, nothing can be planned.
pub fn plan_restore<H: History>(
    history: &H,
    governance: &Governance,
    to: u64,
    prefix: &str,
    outside: Outside,
) -> Result<Plan, PlanError<H::Error>> {
    let size = history.size();
    if to > size || to == 0 {
        return Err(ReplayError::NoSuchRow { row: to.saturating_sub(1), size }.into());
    }
    let mut changes = changes(history, to, prefix)?;
    leave_out(history, governance, &mut changes)?;
    let aim = Aim { history, governance, to, outside };
    match aim.plan(&changes, true) {
        Ok(plan) if aim.is_met(&plan, &changes)? => Ok(plan),
        Err(error @ PlanError::Replay(_)) => Err(error),
        _ => aim.plan(&changes, false),
    }
}

impl<H: History> Aim<'_, H> {
    /// A plan for these changes, with those that cancel out or without.
    fn plan(&self, changes: &[Change], cancelling: bool) -> Result<Plan, PlanError<H::Error>> {
        let size = self.history.size();
        let (mut ahead, mut wanted, mut taken) =
            (Ahead::of(self.governance, size), Vec::new(), BTreeSet::new());
        for change in changes.iter().rev() {
            let cancels = cancelling && change.cancels.is_some_and(|target| target >= self.to);
            if cancels || cancelling && !ahead.is_in_force(change.row) {
                continue;
            }
            let row = change.row;
            if let Err(reason) = ahead.take_back(row) {
                let in_part = InPart::of(self.history, self.governance).map_err(ReplayError::Read)?;
                let by = in_part.above(self.governance, row, &taken);
                return Err(
                    by.map_or(PlanError::NotInForce { row, reason }, |by| PlanError::InPart { row, by })
                );
            }
            taken.insert(change.row);
            wanted.push(change);
        }
        let planning = Planning::of(self.history, self.governance, &taken, self.outside)?;
        let reversals: Result<Vec<Reversal>, _> = wanted
            .into_iter()
            .map(|change| {
                let others = change.others.iter().map(|key| (key.clone(), None)).collect();
                planning.reversal(change.row, others)
            })
            .collect();
        let citations = citations(self.history, self.governance, &taken)?;
        let (untouched, dependants) = (Vec::new(), Vec::new());
        Ok(Plan { size, reversals: reversals?, untouched, dependants, citations })
    }

    /// Whether a plan leads where it shall.
    fn is_met(&self, plan: &Plan, changes: &[Change]) -> Result<bool, PlanError<H::Error>> {
        let keys: BTreeSet<String> = changes.iter().flat_map(|change| change.keys.iter().cloned()).collect();
        let after = match preview(self.history, plan, 0) {
            Ok((_, after)) => after,
            Err(error @ PlanError::Replay(_)) => return Err(error),
            Err(_) => return Ok(false),
        };
        let planned: BTreeSet<&String> = plan.reversals.iter().flat_map(|reversal| &reversal.keys).collect();
        let then = state_of_keys_after(self.history, &keys, self.to)?;
        let now = state_of_keys_after(self.history, &keys, self.history.size())?;
        let same = |key: &String| {
            let found = if planned.contains(key) { after.get(key) } else { now.get(key) };
            found.map(|held| &held.leaf) == then.get(key).map(|held| &held.leaf)
        };
        if !keys.iter().all(same) {
            return Ok(false);
        }
        // Where all rollbacks are exact, the same state is made of the same decisions.
        if self.history.inexact().map_err(ReplayError::Read)?.is_empty() {
            return Ok(true);
        }
        let reversals = by_key(plan);
        for key in &keys {
            let reversed = reversals.get(key.as_str()).map(Vec::as_slice).unwrap_or_default();
            if !stand_as_before(self.history, self.governance, reversed, key, self.to)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The applied rows behind a moment that touch a key of the prefix, ascending.
fn changes<H: History>(history: &H, to: u64, prefix: &str) -> Result<Vec<Change>, PlanError<H::Error>> {
    let mut found = Vec::new();
    let mut withheld = None;
    history
        .scan(to..history.size(), |row| match change(row, prefix) {
            Some(change) => {
                found.extend(change);
                ControlFlow::Continue(())
            }
            None => {
                withheld = Some(row.landing.seq);
                ControlFlow::Break(())
            }
        })
        .map_err(ReplayError::Read)?;
    match withheld {
        Some(row) => Err(ReplayError::Withheld(row).into()),
        None => Ok(found),
    }
}

/// Leaves out what of decisions that stand in part does not stand, where what has made it so stays.
fn leave_out<H: History>(
    history: &H,
    governance: &Governance,
    changes: &mut Vec<Change>,
) -> Result<(), PlanError<H::Error>> {
    let in_part = InPart::of(history, governance).map_err(ReplayError::Read)?;
    let rows: BTreeSet<u64> = changes.iter().map(|change| change.row).collect();
    let by = |row: u64| in_part.by(row);
    let stays = |row: u64| !by(row).is_empty() && by(row).iter().all(|by| !rows.contains(by));
    for change in changes.iter_mut().filter(|change| stays(change.row)) {
        for key in std::mem::take(&mut change.keys) {
            match stands(history, governance, change.row, &key)? {
                true => change.keys.push(key),
                false => change.others.push(key),
            }
        }
    }
    changes.retain(|change| !change.keys.is_empty() || !stays(change.row));
    Ok(())
}

/// What a row has changed of the keys of the prefix, and of the world when that is empty. `None` when it is withheld.
fn change(row: &Row<'_>, prefix: &str) -> Option<Option<Change>> {
    let rollback = rollback_of(row);
    let acts = row.part(PartTag::Ops).is_some()
        || prefix.is_empty() && (row.part(PartTag::Effects).is_some() || rollback.is_some());
    if row.landing.outcome != Outcome::Applied || !acts {
        return Some(None);
    }
    let (keys, others): (Vec<_>, Vec<_>) =
        touched_by(row)?.into_keys().partition(|key| key.starts_with(prefix));
    let wanted = prefix.is_empty() || !keys.is_empty();
    let exact = rollback.filter(|rollback| rollback.manner == Manner::Exact);
    let cancels = exact.map(|rollback| rollback.target);
    Some(wanted.then_some(Change { row: row.landing.seq, cancels, keys, others }))
}
