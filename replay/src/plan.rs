//! Plans: which rows are taken back, how, and in which order. A plan changes nothing; the ledger lands it as rollback rows.

mod choice;
mod error;
mod preview;
mod restore;
mod standing;

pub use self::choice::in_force;
use self::choice::{Choice, choose};
pub use self::error::PlanError;
pub use self::preview::preview;
pub use self::restore::plan_restore;
use self::standing::check_standing;
pub use crate::dependence::Dependant;
use crate::effects::{Calling, Unresolved, effects_of};
pub use crate::effects::{Does, PlannedCall, Staying};
use crate::history::{History, ReplayError};
use counterfoil_format::Hash;
use counterfoil_format::body::Manner;
use counterfoil_format::content::Subject;
use counterfoil_format::intent::{Kind, Micros};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{decode_ops, encode_ops};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::rollback::can_be_taken_back;
use std::collections::{BTreeMap, BTreeSet};

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
    /// The row that it took back itself, when it is a rollback.
    pub takes_back: Option<u64>,
    /// Whether that brings a decision back.
    pub brings_back: bool,
    /// How it is taken back.
    pub manner: Manner,
    /// What of its stored rollback is carried out, as the content of a part; empty when that is nothing.
    pub ops: Vec<u8>,
    /// The keys that are put back.
    pub keys: Vec<String>,
    /// The keys that stay as they are, each with the first later row that touches it; in a restore of some keys, all others.
    pub left: Vec<(String, Option<u64>)>,
    /// The effects that are undone, or done again.
    pub calls: Vec<PlannedCall>,
    /// The effects that stay as they are, and why.
    pub staying: Vec<Staying>,
}

impl Reversal {
    /// The effects that are called for, in the order of the calls: what acts goes forth, what undoes goes back.
    pub fn calls_in_order(&self) -> impl Iterator<Item = &PlannedCall> {
        let (forth, back) = match self.brings_back {
            true => (Some(self.calls.iter()), None),
            false => (None, Some(self.calls.iter().rev())),
        };
        forth.into_iter().flatten().chain(back.into_iter().flatten())
    }
}

/// A row that points to one that is taken back as evidence. It is told and nothing more: what it decided stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Citation {
    /// The row.
    pub row: u64,
    /// What it points to.
    pub cites: u64,
}

/// A row that is left as it is, since later rows touch all that it has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untouched {
    /// The row.
    pub row: u64,
    /// Its keys, each with the first later row that touches it.
    pub left: BTreeMap<String, u64>,
}

/// Rows to take back, in this order: the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How many rows the ledger had when the plan was made.
    pub size: u64,
    /// The rows.
    pub reversals: Vec<Reversal>,
    /// The rows that were asked for and stay whole, since later rows touch each of their keys; the newest first.
    pub untouched: Vec<Untouched>,
    /// The rows that are taken back because they build on those that were asked for.
    pub dependants: Vec<Dependant>,
    /// The rows in force that point to one of them as evidence.
    pub citations: Vec<Citation>,
}

/// What becomes of rows that build on those that are taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Later {
    /// There is no plan when there are any.
    #[default]
    Refuse,
    /// They are taken back too.
    Cascade,
    /// They stay, and with them the keys that they touch.
    Keep,
}

/// What becomes of effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outside {
    /// Whether they are undone, or done again, at all.
    pub called: bool,
    /// When.
    pub at: Micros,
}

/// Plans to take back these rows, and no others but those that must go with them.
pub fn plan_rollback<H: History>(
    history: &H,
    governance: &Governance,
    rows: &[u64],
    later: Later,
    outside: Outside,
) -> Result<Plan, PlanError<H::Error>> {
    let Choice { building, mut left, untouched } = choose(history, governance, rows, later)?;
    let size = history.size();
    let taken: BTreeSet<u64> = building.taken().collect();
    let planning = Planning::of(history, governance, &taken, outside)?;
    let mut reversals = Vec::with_capacity(taken.len());
    for row in taken.iter().copied().rev() {
        let left = left.remove(&row).unwrap_or_default().into_iter();
        reversals.push(planning.reversal(row, left.map(|(key, by)| (key, Some(by))).collect())?);
    }
    let dependants = if later == Later::Cascade { building.found } else { Vec::new() };
    let citations = citations(history, governance, &taken)?;
    let plan = Plan { size, reversals, untouched, dependants, citations };
    check_standing(history, governance, &plan)?;
    Ok(plan)
}

fn check_row<E>(row: &Row<'_>) -> Result<(), PlanError<E>> {
    let (seq, outcome, kind) = (row.landing.seq, row.landing.outcome, row.head.kind);
    if outcome != Outcome::Applied {
        return Err(PlanError::NotApplied { row: seq, outcome, approved: None });
    }
    if can_be_taken_back(row) { Ok(()) } else { Err(PlanError::NothingToTakeBack { row: seq, kind }) }
}

/// What the reversals of a plan are made from.
struct Planning<'p, H> {
    history: &'p H,
    governance: &'p Governance,
    calling: Calling,
    /// Of the rows that are taken back, the last for each decision that they take back or bring back: what was done outside is
    /// looked at once, where it is clear whether the decision stands in the end.
    last: BTreeSet<u64>,
    outside: Outside,
}

impl<'p, H: History> Planning<'p, H> {
    /// For these rows, of which the newest is taken back first.
    fn of(
        history: &'p H,
        governance: &'p Governance,
        taken: &BTreeSet<u64>,
        outside: Outside,
    ) -> Result<Self, ReplayError<H::Error>> {
        let last: BTreeMap<u64, u64> = taken.iter().rev().map(|row| (governance.base(*row), *row)).collect();
        let calling = Calling::of(history, governance).map_err(ReplayError::Read)?;
        Ok(Planning { history, governance, calling, last: last.into_values().collect(), outside })
    }

    /// What it takes to take a row back, but for the keys that stay as they are.
    fn reversal(
        &self,
        row: u64,
        left: BTreeMap<String, Option<u64>>,
    ) -> Result<Reversal, PlanError<H::Error>> {
        let Planning { history, governance, calling, last, outside } = self;
        let found = history.with_row(row, |row| bare(row, left)).map_err(ReplayError::Read)?;
        let mut reversal = found?;
        (reversal.takes_back, reversal.brings_back) =
            (governance.target_of(row), governance.brings_back(row));
        if !last.contains(&row) {
            return Ok(reversal);
        }
        let effects = effects_of(*history, governance, calling, row, outside.at)?;
        if !outside.called || reversal.manner == Manner::Partial {
            let why = match reversal.manner {
                Manner::Partial => "the row is taken back in part",
                _ => "effects are left alone",
            };
            reversal.staying = effects.map(|effects| effects.all_staying(why)).unwrap_or_default();
            return Ok(reversal);
        }
        let effects = effects.map_err(|Unresolved { row, effect, status }| PlanError::Unresolved {
            row,
            effect,
            status,
        })?;
        (reversal.calls, reversal.staying) = (effects.calls, effects.staying);
        Ok(reversal)
    }
}

/// The same without the effects.
fn bare<E>(row: &Row<'_>, left: BTreeMap<String, Option<u64>>) -> Result<Reversal, PlanError<E>> {
    check_row(row)?;
    let seq = row.landing.seq;
    let impossible = |reason: String| ReplayError::Impossible { row: seq, reason };
    let mut content = row.content(PartTag::Rollback).unwrap_or_default().to_vec();
    if row.part(PartTag::Rollback).is_some() && content.is_empty() {
        return Err(ReplayError::Withheld(seq).into());
    }
    let mut ops = match content.is_empty() {
        true => Vec::new(),
        false => decode_ops(&content).map_err(|error| impossible(error.to_string()))?,
    };
    let all = ops.len();
    ops.retain(|op| !left.contains_key(op.state_key().as_ref()));
    let manner = if ops.len() < all { Manner::Partial } else { Manner::Exact };
    if all > 0 && ops.is_empty() {
        return Err(PlanError::NothingLeft { row: seq });
    }
    let keys: BTreeSet<String> = ops.iter().map(|op| op.state_key().into_owned()).collect();
    if manner == Manner::Partial {
        let mut kept = Vec::new();
        encode_ops(&ops, &mut kept);
        content = kept;
    }
    let subject = row.content(PartTag::Subject).and_then(|bytes| Subject::decode(bytes).ok());
    Ok(Reversal {
        target: seq,
        target_hash: row.row_hash,
        kind: row.head.kind,
        action: row.head.action.to_owned(),
        entity: subject.map_or(String::new(), |subject| subject.entity.to_owned()),
        takes_back: None,
        brings_back: false,
        manner,
        ops: content,
        keys: keys.into_iter().collect(),
        left: left.into_iter().collect(),
        calls: Vec::new(),
        staying: Vec::new(),
    })
}

/// The rows in force that point to one of these as evidence and are not among them.
fn citations<H: History>(
    history: &H,
    governance: &Governance,
    taken: &BTreeSet<u64>,
) -> Result<Vec<Citation>, PlanError<H::Error>> {
    let mut found = Vec::new();
    for cites in taken.iter().copied() {
        for row in history.citing(cites).map_err(ReplayError::Read)? {
            let applied = |row: &Row<'_>| row.landing.outcome == Outcome::Applied;
            let open = !taken.contains(&row) && governance.undone_by(row).is_none();
            if open && history.with_row(row, applied).map_err(ReplayError::Read)? {
                found.push(Citation { row, cites });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
