//! Which rollback rows belong together: those that one command landed, however many submissions they took.
//!
//! The rows say so themselves, in the data of their context: `operation`, an id that all of them share, and `rows`,
//! how many were planned. Rows without the mark belong together when they were submitted together.

use crate::history::{History, ReplayError};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Context;
use counterfoil_format::intent::{IntentId, KeyId};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::value::Value;
use counterfoil_rules::governance::Governance;
use std::collections::BTreeMap;

/// The mark that rollback rows of one operation share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The operation's id.
    pub operation: String,
    /// How many rows were planned.
    pub rows: u64,
}

impl Mark {
    /// A mark with this id.
    pub fn new(id: IntentId, rows: u64) -> Self {
        Mark { operation: id.to_string(), rows }
    }

    /// The data of a context that says it.
    pub fn data(&self) -> Result<Vec<u8>, CodecError> {
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        let operation = Value::Text(self.operation.clone());
        Value::Map(BTreeMap::from([
            ("operation".to_owned(), operation),
            ("rows".to_owned(), Value::Int(rows)),
        ]))
        .encode()
    }

    /// The mark of a row, when it has one that can be read.
    pub fn of(row: &Row<'_>) -> Option<Self> {
        let context = Context::decode(row.content(PartTag::Context)?).ok()?;
        let Ok(Value::Map(mut data)) = Value::decode(context.data) else { return None };
        match (data.remove("operation")?, data.remove("rows")?) {
            (Value::Text(operation), Value::Int(rows)) => {
                Some(Mark { operation, rows: u64::try_from(rows).ok()? })
            }
            _ => None,
        }
    }
}

/// What tells the rows of one operation from others. A mark counts only among the rows of one author.
fn signs(row: &Row<'_>) -> (KeyId, Option<Mark>) {
    (row.head.author, Mark::of(row))
}

/// The rows that the newest rollback in force landed with, those of them that are in force: the rows to take back for
/// a redo. `rollbacks` are the applied rollback rows, ascending.
pub fn newest_rollback<H: History>(
    history: &H,
    governance: &Governance,
    rollbacks: &[u64],
) -> Result<Vec<u64>, ReplayError<H::Error>> {
    let in_force = |row: u64| governance.target_of(row).is_some() && governance.undone_by(row).is_none();
    let newest = rollbacks.iter().enumerate().rev().find(|(_, row)| in_force(**row));
    let Some((place, newest)) = newest.map(|(place, row)| (place, *row)) else { return Ok(Vec::new()) };
    let ((author, mark), index, count) =
        history.with_row(newest, |row| (signs(row), row.landing.index, row.landing.count))?;
    let Some(mark) = mark else {
        let first = newest.saturating_sub(u64::from(index));
        let submission = first..first.saturating_add(u64::from(count));
        return Ok(rollbacks
            .iter()
            .copied()
            .filter(|row| submission.contains(row) && in_force(*row))
            .collect());
    };
    // An operation that was broken off has fewer rows than were planned, and then all rollbacks are looked at. Rows of
    // it may stand behind the newest in force, when they were taken back singly.
    let wanted = (author, Some(mark.clone()));
    let mut seen = 0;
    let mut found = Vec::new();
    let (before, after) = rollbacks.split_at(place + 1);
    for row in before.iter().rev().chain(after).copied() {
        if seen == mark.rows {
            break;
        }
        if history.with_row(row, signs)? == wanted {
            seen += 1;
            found.extend(in_force(row).then_some(row));
        }
    }
    found.sort_unstable();
    Ok(found)
}
