//! What replay needs to see of a log.

use counterfoil_format::body::EffectStatus;
use counterfoil_format::row::Row;
use counterfoil_rules::state::Held;
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

/// The rows of a ledger, up to one size that stays the same for as long as this is used.
pub trait History {
    /// What can go wrong on the way.
    type Error;

    /// How many rows there are.
    fn size(&self) -> u64;

    /// Looks at one row.
    fn with_row<T>(&self, seq: u64, look: impl FnOnce(&Row<'_>) -> T) -> Result<T, Self::Error>;

    /// Looks at the rows of a range in order, until told to break off.
    fn scan(
        &self,
        range: Range<u64>,
        look: impl FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// The rows of a range whose ops touch a key in this way, ascending, whatever became of them; and perhaps others.
    fn rows_of_key(&self, key: &str, touch: Touch, within: Range<u64>) -> Result<Vec<u64>, Self::Error>;

    /// The rows that point to a row as evidence, ascending, whatever became of them.
    fn citing(&self, row: u64) -> Result<Vec<u64>, Self::Error>;

    /// The applied rollback rows that are forced or partial, ascending.
    fn inexact(&self) -> Result<Vec<u64>, Self::Error>;

    /// The applied rollback rows that call for effects, ascending, each with the places of these.
    fn calling(&self) -> Result<Vec<(u64, Vec<u32>)>, Self::Error>;

    /// The status of a call, and the newest applied row that tells of it.
    fn call(&self, row: u64, effect: u32) -> Result<Option<(u64, EffectStatus)>, Self::Error>;

    /// The newest state that is stored of a moment with at most so many rows.
    fn stored(&self, _size: u64) -> Result<Option<Box<dyn StoredState + '_>>, Self::Error> {
        Ok(None)
    }
}

/// How operations touch a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// They do more than add to it: set it, remove it, or look at what it holds.
    Set,
    /// In any way.
    Any,
}

/// A state that was stored as it was after some rows. Whoever stores it need not be believed: a state that is read whole is
/// held against its digest, and the ledger decides by its own state whatever a preview says.
pub trait StoredState {
    /// How many rows it is the state after.
    fn size(&self) -> u64;

    /// Its digest, as a snapshot row has pinned it.
    fn digest(&self) -> counterfoil_format::Hash;

    /// What a key held. An error says that the store is damaged, and is to be done without.
    fn get(&self, key: &str) -> Result<Option<Held>, DamagedStore>;

    /// Hands over what is held by the keys that begin with a prefix, ascending.
    fn scan(&self, prefix: &str, take: &mut dyn FnMut(&str, Held)) -> Result<(), DamagedStore>;
}

/// A stored state that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedStore;

/// Keys above which rows are read in order rather than looked up by key.
pub(crate) const MANY_KEYS: usize = 256;

/// Looks at the rows of a range, in order, whose ops name one of these keys, and perhaps at others. Rows are looked up
/// by key while that is less to read: a row that is looked up is read and taken apart once for each of its keys.
pub(crate) fn scan_keys<H: History>(
    history: &H,
    keys: &BTreeSet<&str>,
    range: Range<u64>,
    mut look: impl FnMut(&Row<'_>) -> ControlFlow<()>,
) -> Result<(), H::Error> {
    let Some(rows) = look_up(history, keys, &range)? else { return history.scan(range, look) };
    for row in rows {
        if history.with_row(row, &mut look)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The rows of a range whose ops name one of these keys; `None` when looking them up is more work than reading all.
fn look_up<H: History>(
    history: &H,
    keys: &BTreeSet<&str>,
    range: &Range<u64>,
) -> Result<Option<BTreeSet<u64>>, H::Error> {
    let few = range.end.saturating_sub(range.start).max(MANY_KEYS as u64);
    let mut looked = 0;
    let mut rows = BTreeSet::new();
    if keys.len() > MANY_KEYS {
        return Ok(None);
    }
    for key in keys {
        let found = history.rows_of_key(key, Touch::Any, range.clone())?;
        looked += found.len() as u64;
        if looked > few {
            return Ok(None);
        }
        rows.extend(found);
    }
    Ok(Some(rows))
}

/// Why the past cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError<E> {
    /// Reading the log failed.
    #[error(transparent)]
    Read(#[from] E),
    /// There is no such row.
    #[error("there is no row {row}: the ledger has {size} rows")]
    NoSuchRow {
        /// The row asked for.
        row: u64,
        /// How many rows there are.
        size: u64,
    },
    /// The row's operations are withheld, so the state from there on is not known.
    #[error("the operations of row {0} are withheld, so the state from there on cannot be told")]
    Withheld(u64),
    /// The row says it was applied, and it cannot be.
    #[error(
        "row {row} says it was applied, and on the state of that moment it fails: {reason}. Run `counterfoil verify`"
    )]
    Impossible {
        /// The row.
        row: u64,
        /// Why it fails.
        reason: String,
    },
}
