//! Which rollback rows belong together: those that one command landed, however many submissions they took.
//!
//! The rows say so themselves, in the data of their context: `operation`, an id that all of them share, `rows`, how many were planned,
//! and `redo`, when they bring back what an operation has taken back. Rows without the mark belong together when they were submitted
//! together, and bring back when the newest of them takes back a rollback.

use crate::history::{History, ReplayError};
use crate::plan::in_force;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Context;
use counterfoil_format::intent::{IntentId, KeyId};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::value::Value;
use counterfoil_rules::governance::Governance;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The mark that rollback rows of one operation share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The operation's id.
    pub operation: String,
    /// How many rows were planned.
    pub rows: u64,
    /// Whether it brings back what another has taken back.
    pub redo: bool,
}

impl Mark {
    /// A mark with this id.
    pub fn new(id: IntentId, rows: u64, redo: bool) -> Self {
        Mark { operation: id.to_string(), rows, redo }
    }

    /// The data of a context that says it.
    pub fn data(&self) -> Result<Vec<u8>, CodecError> {
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        let operation = Value::Text(self.operation.clone());
        let mut data =
            BTreeMap::from([("operation".to_owned(), operation), ("rows".to_owned(), Value::Int(rows))]);
        if self.redo {
            data.insert("redo".to_owned(), Value::Bool(true));
        }
        Value::Map(data).encode()
    }

    /// The mark of a row, when it has one that can be read.
    pub fn of(row: &Row<'_>) -> Option<Self> {
        let context = Context::decode(row.content(PartTag::Context)?).ok()?;
        let Ok(Value::Map(mut data)) = Value::decode(context.data) else { return None };
        let redo = data.remove("redo") == Some(Value::Bool(true));
        match (data.remove("operation")?, data.remove("rows")?) {
            (Value::Text(operation), Value::Int(rows)) => {
                Some(Mark { operation, rows: u64::try_from(rows).ok()?, redo })
            }
            _ => None,
        }
    }
}

/// What tells the rows of one operation from others. A mark counts only among the rows of one author.
fn signs(row: &Row<'_>) -> (KeyId, Option<Mark>) {
    (row.head.author, Mark::of(row))
}

/// Whether a rollback row is marked as one of a redo.
pub fn is_redo(row: &Row<'_>) -> bool {
    Mark::of(row).is_some_and(|mark| mark.redo)
}

/// The rows of the newest operation that is no redo, those of them that can be taken back: the rows to take back for a redo.
/// `rollbacks` are the applied rollback rows, ascending.
pub fn newest_rollback<H: History>(
    history: &H,
    governance: &Governance,
    rollbacks: &[u64],
) -> Result<Vec<u64>, ReplayError<H::Error>> {
    let mut passed = BTreeSet::new();
    for (place, row) in rollbacks.iter().copied().enumerate().rev() {
        if governance.undone_by(row).is_some() || passed.contains(&row) {
            continue;
        }
        let mark = history.with_row(row, Mark::of)?;
        if mark.as_ref().map_or(!governance.brings_back(row), |mark| mark.redo) {
            continue;
        }
        let together = together(history, rollbacks, place, mark)?;
        // What it took back may have been brought back by others.
        let left = in_force(governance, history.size(), &together);
        if !left.is_empty() {
            return Ok(left);
        }
        passed.extend(together);
    }
    Ok(Vec::new())
}

/// The rows that landed with the one at a place, which has this mark.
fn together<H: History>(
    history: &H,
    rollbacks: &[u64],
    place: usize,
    mark: Option<Mark>,
) -> Result<Vec<u64>, ReplayError<H::Error>> {
    let (before, after) = rollbacks.split_at(place + 1);
    let row = before.last().copied().unwrap_or_default();
    let Some(mark) = mark else {
        let submission = history.with_row(row, submission)?;
        return Ok(rollbacks.iter().copied().filter(|row| submission.contains(row)).collect());
    };
    let wanted = (history.with_row(row, |row| row.head.author)?, Some(mark.clone()));
    let mut found = Vec::new();
    // An operation that was broken off has fewer rows than were planned, and then all rollbacks are looked at. Rows of
    // it may stand behind the newest in force, when they were taken back singly.
    for row in before.iter().rev().chain(after).copied() {
        if found.len() as u64 == mark.rows {
            break;
        }
        if history.with_row(row, signs)? == wanted {
            found.push(row);
        }
    }
    Ok(found)
}

/// The rows that were submitted with a row.
fn submission(row: &Row<'_>) -> Range<u64> {
    let first = row.landing.seq.saturating_sub(u64::from(row.landing.index));
    first..first.saturating_add(u64::from(row.landing.count))
}
