//! Bringing a state up to date from the log, which is the only record.

use crate::current::Current;
use crate::error::ReadError;
use crate::index::{Held, IndexSource, MemoryIndex, StateIndex, Watermark};
use crate::layout::Layout;
use crate::log::Log;
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::PartTag;
use counterfoil_rules::apply::apply;
use counterfoil_rules::state::{Leaf, State};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// A state that rows are carried out on.
trait Absorb: State<Error = String> {
    fn absorb(&mut self, key: &str, leaf: Option<Leaf>, row: u64) -> Result<(), String>;
    /// Called after each row.
    fn after(&mut self, watermark: Watermark) -> Result<(), String>;
}

impl Absorb for Current {
    fn absorb(&mut self, key: &str, leaf: Option<Leaf>, row: u64) -> Result<(), String> {
        self.set(key, leaf, row);
        Ok(())
    }

    fn after(&mut self, watermark: Watermark) -> Result<(), String> {
        if self.is_due() { self.hand_over(watermark) } else { Ok(()) }
    }
}

impl State for MemoryIndex {
    type Error = String;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, String> {
        Ok(self.get(key)?.map(|held| held.leaf))
    }
}

impl Absorb for MemoryIndex {
    fn absorb(&mut self, key: &str, leaf: Option<Leaf>, row: u64) -> Result<(), String> {
        self.set(key, leaf.map(|leaf| Held { leaf, row }).as_ref())
    }

    fn after(&mut self, _: Watermark) -> Result<(), String> {
        Ok(())
    }
}

/// Carries out the applied rows of a range.
fn absorb_rows(log: &Log, range: Range<u64>, target: &mut impl Absorb) -> Result<(), ReadError> {
    log.scan(range, |row| {
        let seq = row.landing.seq;
        if row.landing.outcome == Outcome::Applied
            && let Some(ops) = row.ops(PartTag::Ops).map_err(|error| log.damaged(seq, error))?
        {
            let failed = |reason: String| ReadError::Index(format!("at row {seq}: {reason}"));
            let result = apply(target, &ops, true).map_err(failed)?;
            let applied =
                result.map_err(|reason| failed(format!("applied, but would be in review: {reason}")))?;
            for (key, leaf) in applied.into_changes() {
                target.absorb(&key, leaf, seq).map_err(failed)?;
            }
        }
        let watermark = Watermark { rows: seq + 1, last_hash: row.row_hash };
        target.after(watermark).map_err(ReadError::Index)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// An index in memory that covers the whole log.
pub(crate) fn memory_index(log: &Log) -> Result<MemoryIndex, ReadError> {
    let mut index = MemoryIndex::default();
    absorb_rows(log, 0..log.head().size, &mut index)?;
    Ok(index)
}

/// The current state of a log over its index, which is checked, and moved aside when it does not fit.
pub(crate) fn open_current(
    log: &Log,
    source: &dyn IndexSource,
    index: Result<Arc<dyn StateIndex>, String>,
    notices: &mut Vec<String>,
) -> Result<Current, ReadError> {
    let (index, rows) = fitting(log, source, index, notices)?;
    let file = |error| ReadError::Index(format!("no thread for it: {error}"));
    let mut current = Current::over(index).map_err(file)?;
    if let Err(error) = absorb_rows(log, rows..log.head().size, &mut current) {
        notices.push(format!("the state index failed and is kept in memory: {error}"));
        drop(current);
        current = Current::over(Arc::new(memory_index(log)?)).map_err(file)?;
    }
    Ok(current)
}

/// The index and the rows it covers, all of which are in the log.
fn fitting(
    log: &Log,
    source: &dyn IndexSource,
    index: Result<Arc<dyn StateIndex>, String>,
    notices: &mut Vec<String>,
) -> Result<(Arc<dyn StateIndex>, u64), ReadError> {
    let checked = index.and_then(|index| {
        let rows = covered(log, &*index)?;
        Ok((index, rows))
    });
    let reason = match checked {
        Ok((index, rows)) => return Ok((index, rows)),
        Err(reason) => reason,
    };
    let moved = move_aside(log.layout());
    notices.push(format!("the state index is rebuilt from the log: {reason}{moved}"));
    match source.open(&log.layout().index()) {
        Ok(index) => Ok((index, 0)),
        Err(reason) => {
            notices.push(format!("the state index is kept in memory: {reason}"));
            Ok((Arc::new(memory_index(log)?), log.head().size))
        }
    }
}

/// How many rows an index covers; an error when its watermark is not on this log.
fn covered(log: &Log, index: &dyn StateIndex) -> Result<u64, String> {
    let Some(watermark) = index.watermark()? else { return Ok(0) };
    let Some(last) = watermark.rows.checked_sub(1) else { return Ok(0) };
    let stored = log.row(last).map_err(|error| error.to_string())?;
    let row = stored.parse().map_err(|error| error.to_string())?;
    match row.row_hash == watermark.last_hash {
        true => Ok(watermark.rows),
        false => Err(format!("it was made for another log: its row {last} has another hash")),
    }
}

fn move_aside(layout: &Layout) -> String {
    let quarantine = layout.quarantine();
    let free = |number: u32| quarantine.join(format!("index.{number}"));
    let target = (0..1000)
        .map(free)
        .find(|target| layout.storage().kind(target).is_none())
        .unwrap_or_else(|| free(1000));
    let storage = layout.storage();
    let moved = storage.create_dirs(&quarantine).and_then(|()| storage.rename(&layout.index(), &target));
    match moved {
        Ok(()) => format!("; the old one is in {}", target.display()),
        Err(error) => format!("; the old one could not be moved aside: {error}"),
    }
}
