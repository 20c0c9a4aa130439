//! Bringing a state up to date from the log, which is the only record.

use crate::current::Current;
use crate::error::ReadError;
use crate::index::{IndexSource, MemoryIndex, StateIndex, Watermark};
use crate::layout::Layout;
use crate::log::Log;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::PartTag;
use counterfoil_rules::apply::apply;
use counterfoil_rules::state::{Held, Leaf, MapState, State};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// A state that rows are carried out on.
trait Absorb: State<Error = String> {
    /// Called before each row. `exact` says whether the row depends on what its keys held before it.
    fn before(&mut self, row: u64, exact: bool);
    fn absorb(&mut self, key: &str, leaf: Option<Leaf>, row: u64) -> Result<(), String>;
    /// Called after each row.
    fn after(&mut self, watermark: Watermark) -> Result<(), String>;
}

/// A current state that catches up with the log over an index that may be ahead of its watermark: a crash may have come
/// after changes were written and before the watermark that stands for them. Such a change is not what the key held
/// before the row that is carried out again. Where that matters, the log says what it held.
struct CatchUp<'c> {
    current: &'c mut Current,
    log: &'c Log,
    /// Whether the index held nothing before.
    fresh: bool,
    row: u64,
    exact: bool,
}

impl State for CatchUp<'_> {
    type Error = String;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, String> {
        if let Some((leaf, _)) = self.current.changed(key) {
            return Ok(leaf);
        }
        let held = self.current.index().get(key)?;
        let ahead = held.as_ref().map_or(!self.fresh, |held| held.row >= self.row);
        match ahead && self.exact {
            true => held_before(self.log, key, self.row).map_err(|error| error.to_string()),
            false => Ok(held.map(|held| held.leaf)),
        }
    }
}

/// What a key held before a row, by the log alone.
fn held_before(log: &Log, key: &str, row: u64) -> Result<Option<Leaf>, ReadError> {
    let mut state = MapState::default();
    for seq in log.find_key(key, 0..row)? {
        let stored = log.row(seq)?;
        let row = stored.parse()?;
        if row.landing.outcome != Outcome::Applied {
            continue;
        }
        let ops = row.ops(PartTag::Ops).map_err(|error| log.damaged(seq, error))?.unwrap_or_default();
        let mine: Vec<_> = ops.into_iter().filter(|op| op.state_key() == key).collect();
        let Ok(result) = apply(&state, &mine, true);
        let applied = result.map_err(|reason| contradicted(seq, reason))?;
        applied.into_changes().for_each(|(key, leaf)| state.set(&key, leaf));
    }
    Ok(state.get(key).cloned())
}

fn contradicted(row: u64, reason: Reason) -> ReadError {
    ReadError::Index(format!("at row {row}: applied, but would be in review: {reason}"))
}

impl Absorb for CatchUp<'_> {
    fn before(&mut self, row: u64, exact: bool) {
        (self.row, self.exact) = (row, exact);
    }

    fn absorb(&mut self, key: &str, leaf: Option<Leaf>, row: u64) -> Result<(), String> {
        self.current.set(key, leaf, row);
        Ok(())
    }

    fn after(&mut self, watermark: Watermark) -> Result<(), String> {
        if self.current.is_due() { self.current.hand_over(watermark) } else { Ok(()) }
    }
}

impl State for MemoryIndex {
    type Error = String;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, String> {
        Ok(self.get(key)?.map(|held| held.leaf))
    }
}

impl Absorb for MemoryIndex {
    fn before(&mut self, _: u64, _: bool) {}

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
            target.before(seq, ops.iter().any(|op| !is_plain_put(op)));
            let result = apply(target, &ops, true).map_err(failed)?;
            let applied = result.map_err(|reason| contradicted(seq, reason))?;
            for (key, leaf) in applied.into_changes() {
                target.absorb(&key, leaf, seq).map_err(failed)?;
            }
        }
        let watermark = Watermark { rows: seq + 1, last_hash: row.row_hash };
        target.after(watermark).map_err(ReadError::Index)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Whether an operation does the same whatever its key holds.
fn is_plain_put(op: &Op<'_>) -> bool {
    matches!((op.guard, op.change), (Guard::None, Change::Put(_)))
}

/// An index that was opened, and what it says that it covers. It is asked once: what has failed once is not believed.
pub(crate) struct Opened {
    index: Arc<dyn StateIndex>,
    watermark: Option<Watermark>,
}

impl Opened {
    /// Opens the index of a ledger.
    pub fn on(layout: &Layout, source: &dyn IndexSource) -> Result<Self, String> {
        let index = source.open(&layout.index())?;
        let watermark = index.watermark()?;
        Ok(Opened { index, watermark })
    }

    /// How many rows it covers.
    pub fn rows(&self) -> u64 {
        self.watermark.map_or(0, |watermark| watermark.rows)
    }
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
    index: Result<Opened, String>,
    notices: &mut Vec<String>,
) -> Result<Current, ReadError> {
    let Fitting { index, rows, fresh } = fitting(log, source, index, notices)?;
    let mut current = over(index)?;
    let mut target = CatchUp { current: &mut current, log, fresh, row: rows, exact: true };
    if let Err(error) = absorb_rows(log, rows..log.head().size, &mut target) {
        notices.push(format!("the state index failed and is kept in memory until the next open: {error}"));
        drop(current);
        current = over(Arc::new(memory_index(log)?))?;
    }
    Ok(current)
}

/// A state over an index made anew from the log, in place of whatever index there is.
pub(crate) fn rebuild_current(
    log: &Log,
    source: &dyn IndexSource,
    reason: &str,
    notices: &mut Vec<String>,
) -> Result<Current, ReadError> {
    open_current(log, source, Err(reason.to_owned()), notices)
}

fn over(index: Arc<dyn StateIndex>) -> Result<Current, ReadError> {
    Current::over(index).map_err(|error| ReadError::Index(format!("no thread for it: {error}")))
}

/// An index, and the rows it covers, all of which are in the log.
struct Fitting {
    index: Arc<dyn StateIndex>,
    rows: u64,
    /// Whether it is known to hold nothing.
    fresh: bool,
}

/// The index, when it fits the log, or a new one, or one in memory.
fn fitting(
    log: &Log,
    source: &dyn IndexSource,
    index: Result<Opened, String>,
    notices: &mut Vec<String>,
) -> Result<Fitting, ReadError> {
    let checked = index.and_then(|Opened { index, watermark }| {
        let rows = covered(log, watermark)?;
        Ok(Fitting { index, rows, fresh: false })
    });
    let reason = match checked {
        Ok(fitting) => return Ok(fitting),
        Err(reason) => reason,
    };
    let moved = move_aside(log.layout());
    notices.push(format!("the state index is rebuilt from the log: {reason}{moved}"));
    match Opened::on(log.layout(), source).and_then(new) {
        Ok(index) => Ok(Fitting { index, rows: 0, fresh: true }),
        Err(reason) => {
            notices.push(format!("the state index is kept in memory until the next open: {reason}"));
            let (index, rows) = (Arc::new(memory_index(log)?), log.head().size);
            Ok(Fitting { index, rows, fresh: false })
        }
    }
}

/// An index that covers nothing yet. One that does is the old one, which nobody trusts.
fn new(opened: Opened) -> Result<Arc<dyn StateIndex>, String> {
    match opened.watermark {
        None => Ok(opened.index),
        Some(_) => Err("the old one is still in its place".to_owned()),
    }
}

/// How many rows an index covers; an error when its watermark is not on this log.
fn covered(log: &Log, watermark: Option<Watermark>) -> Result<u64, String> {
    let Some(watermark) = watermark else { return Ok(0) };
    let Some(last) = watermark.rows.checked_sub(1) else { return Ok(0) };
    let stored = log.row(last).map_err(|error| error.to_string())?;
    let row = stored.parse().map_err(|error| error.to_string())?;
    match row.row_hash == watermark.last_hash {
        true => Ok(watermark.rows),
        false => Err(format!("it was made for another log: its row {last} has another hash")),
    }
}

fn move_aside(layout: &Layout) -> String {
    if layout.storage().kind(&layout.index()).is_none() {
        return String::new();
    }
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
