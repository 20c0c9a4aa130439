//! Which rollback rows belong together: those that one command landed, however many submissions they took.
//!
//! The rows say so themselves, in the data of their context: `operation`, an id that all of them share, `rows`, how many were planned,
//! and `redo`, when they bring back what an operation has taken back. Rows without the mark belong together when they were submitted
//! together, and bring back when the newest of them takes back a rollback.

use crate::history::{History, ReplayError};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Context;
use counterfoil_format::intent::{IntentId, KeyId};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::value::Value;
use counterfoil_rules::governance::Governance;
use std::collections::BTreeMap;
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

/// The rows that the newest rollback in force landed with that is no redo, those of them that are in force: the rows to take back for
/// a redo. `rollbacks` are the applied rollback rows, ascending.
pub fn newest_rollback<H: History>(
    history: &H,
    governance: &Governance,
    rollbacks: &[u64],
) -> Result<Vec<u64>, ReplayError<H::Error>> {
    let in_force = |row: &u64| is_in_force(governance, *row);
    let Some(newest) = newest(history, governance, rollbacks)? else { return Ok(Vec::new()) };
    let Some(mark) = newest.mark else {
        let submission = history.with_row(newest.row, submission)?;
        let together = rollbacks.iter().copied().filter(|row| submission.contains(row));
        return Ok(together.filter(in_force).collect());
    };
    let author = history.with_row(newest.row, |row| row.head.author)?;
    // An operation that was broken off has fewer rows than were planned, and then all rollbacks are looked at. Rows of
    // it may stand behind the newest in force, when they were taken back singly.
    let wanted = (author, Some(mark.clone()));
    let mut seen = 0;
    let mut found = Vec::new();
    let (before, after) = rollbacks.split_at(newest.place + 1);
    for row in before.iter().rev().chain(after).copied() {
        if seen == mark.rows {
            break;
        }
        if history.with_row(row, signs)? == wanted {
            seen += 1;
            found.extend(Some(row).filter(in_force));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A rollback among others.
struct Newest {
    place: usize,
    row: u64,
    mark: Option<Mark>,
}

/// The newest rollback in force that is no redo.
fn newest<H: History>(
    history: &H,
    governance: &Governance,
    rollbacks: &[u64],
) -> Result<Option<Newest>, ReplayError<H::Error>> {
    for (place, row) in rollbacks.iter().copied().enumerate().rev() {
        if !is_in_force(governance, row) {
            continue;
        }
        let mark = history.with_row(row, Mark::of)?;
        let redo = mark.as_ref().map_or(!governance.brings_back(row), |mark| mark.redo);
        if !redo {
            return Ok(Some(Newest { place, row, mark }));
        }
    }
    Ok(None)
}

fn is_in_force(governance: &Governance, row: u64) -> bool {
    governance.target_of(row).is_some() && governance.undone_by(row).is_none()
}

/// The rows that were submitted with a row.
fn submission(row: &Row<'_>) -> Range<u64> {
    let first = row.landing.seq.saturating_sub(u64::from(row.landing.index));
    first..first.saturating_add(u64::from(row.landing.count))
}
