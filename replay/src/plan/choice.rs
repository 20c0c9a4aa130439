//! Which rows a plan takes back, when rows are asked for: these, and what builds on them or but for what later rows touch.

use super::{Later, PlanError, Untouched, check_row};
use crate::ahead::Ahead;
use crate::dependence::Building;
use crate::history::{History, ReplayError};
use counterfoil_rules::governance::Governance;
use counterfoil_rules::rollback::can_be_taken_back;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What was chosen.
pub(super) struct Choice<'h, H> {
    /// The rows that are taken back, and what builds on them.
    pub building: Building<'h, H>,
    /// Their keys that stay as they are, each with the first later row that touches it.
    pub left: BTreeMap<u64, BTreeMap<String, u64>>,
    /// The rows that were asked for and stay whole; the newest first.
    pub untouched: Vec<Untouched>,
}

/// Chooses the rows.
pub(super) fn choose<'h, H: History>(
    history: &'h H,
    governance: &'h Governance,
    rows: &[u64],
    later: Later,
) -> Result<Choice<'h, H>, PlanError<H::Error>> {
    let mut wanted: BTreeSet<u64> = rows.iter().copied().collect();
    let (mut untouched, mut barred) = (Vec::new(), BTreeSet::new());
    loop {
        let building = build(history, governance, &wanted, later, barred.clone())?;
        let out = out_of_force(history, governance, &wanted, &building)?;
        if !out.is_empty() {
            barred.extend(out);
            continue;
        }
        let left = if later == Later::Keep { building.left() } else { BTreeMap::new() };
        let whole = left.iter().filter(|(row, left)| left.len() == building.keys(**row));
        let staying: Vec<Untouched> =
            whole.map(|(row, left)| Untouched { row: *row, left: left.clone() }).collect();
        match staying.first() {
            None => {
                untouched.sort_unstable_by_key(|staying: &Untouched| Reverse(staying.row));
                return Ok(Choice { building, left, untouched });
            }
            Some(first) if staying.len() == wanted.len() => {
                return Err(PlanError::NothingLeft { row: first.row });
            }
            // What stays is a later row to those before it.
            Some(_) => {
                wanted.retain(|row| staying.binary_search_by_key(row, |staying| staying.row).is_err());
            }
        }
        untouched.extend(staying);
    }
}

/// The rows that build on others, and are out of force when their turn comes: a later one that goes with them has brought them back.
fn out_of_force<H: History>(
    history: &H,
    governance: &Governance,
    wanted: &BTreeSet<u64>,
    building: &Building<'_, H>,
) -> Result<Vec<u64>, PlanError<H::Error>> {
    let (size, taken): (u64, Vec<u64>) = (history.size(), building.taken().collect());
    let going = in_force(governance, size, &taken);
    let out: Vec<u64> = taken.iter().copied().filter(|row| going.binary_search(row).is_err()).collect();
    match out.iter().any(|row| wanted.contains(row)) {
        true => check_order(governance, size, taken.into_iter().rev()).map(|()| out),
        false => Ok(out),
    }
}

/// What builds on these rows, when they can be taken back so.
fn build<'h, H: History>(
    history: &'h H,
    governance: &'h Governance,
    wanted: &BTreeSet<u64>,
    later: Later,
    barred: BTreeSet<u64>,
) -> Result<Building<'h, H>, PlanError<H::Error>> {
    let building = Building::new(history, governance, later, wanted, barred);
    let mut building = building.map_err(ReplayError::Read)?;
    match check_wanted(history, governance, wanted) {
        Err(PlanError::NotInForce { row, reason }) => {
            let by = building.in_part(row, wanted);
            return Err(by.map_or(PlanError::NotInForce { row, reason }, |by| PlanError::InPart { row, by }));
        }
        checked => checked?,
    }
    for row in wanted.iter().copied() {
        if let Some(by) = building.in_part(row, wanted) {
            return Err(PlanError::InPart { row, by });
        }
        if !building.ask_for(row).map_err(ReplayError::Read)? {
            return Err(ReplayError::Withheld(row).into());
        }
    }
    building.build().map_err(ReplayError::Read)?;
    if let Some(row) = building.withheld {
        return Err(ReplayError::Withheld(row).into());
    }
    if let (Later::Cascade | Later::Refuse, Some((row, by))) = (later, building.unclear) {
        return Err(PlanError::InPart { row, by });
    }
    if later == Later::Refuse && !building.found.is_empty() {
        return Err(PlanError::Dependants(building.found));
    }
    Ok(building)
}

/// Refuses rows that cannot be taken back, whatever builds on them.
fn check_wanted<H: History>(
    history: &H,
    governance: &Governance,
    wanted: &BTreeSet<u64>,
) -> Result<(), PlanError<H::Error>> {
    let size = history.size();
    if let Some(row) = wanted.iter().copied().find(|row| *row >= size) {
        return Err(ReplayError::NoSuchRow { row, size }.into());
    }
    check_order(governance, size, wanted.iter().rev().copied())?;
    for row in wanted.iter().rev().copied() {
        let checked = history.with_row(row, check_row).map_err(ReplayError::Read)?;
        let Err(PlanError::NotApplied { outcome, .. }) = checked else {
            checked?;
            continue;
        };
        let reviewed = governance.reviewed_by(row);
        let approves = |by: &u64| history.with_row(*by, can_be_taken_back).unwrap_or(false);
        return Err(PlanError::NotApplied { row, outcome, approved: reviewed.filter(approves) });
    }
    Ok(())
}

/// Those of some rows that are in force when their turn comes to be taken back, the newest first; ascending.
pub fn in_force(governance: &Governance, size: u64, rows: &[u64]) -> Vec<u64> {
    let rows: BTreeSet<u64> = rows.iter().copied().collect();
    let mut ahead = Ahead::of(governance, size);
    let mut left: Vec<u64> = rows.into_iter().rev().filter(|row| ahead.take_back(*row).is_ok()).collect();
    left.reverse();
    left
}

/// Whether rows are in force when their turn comes to be taken back: each may be brought back by one before it.
fn check_order<E>(
    governance: &Governance,
    size: u64,
    rows: impl Iterator<Item = u64>,
) -> Result<(), PlanError<E>> {
    let mut ahead = Ahead::of(governance, size);
    rows.into_iter()
        .try_for_each(|row| ahead.take_back(row).map_err(|reason| PlanError::NotInForce { row, reason }))
}
