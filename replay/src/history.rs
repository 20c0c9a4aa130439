//! What replay needs to see of a log.

use counterfoil_format::row::Row;
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

    /// The rows whose ops name a key, ascending, whatever became of them.
    fn rows_of_key(&self, key: &str) -> Result<Vec<u64>, Self::Error>;
}

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
        let found = history.rows_of_key(key)?;
        looked += found.len() as u64;
        if looked > few {
            return Ok(None);
        }
        rows.extend(found.into_iter().filter(|row| range.contains(row)));
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
