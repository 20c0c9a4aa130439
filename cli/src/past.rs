//! A log as replay sees it, and the moments of it that a person names.

use crate::exit::no_such_row;
use crate::time;
use anyhow::Result;
use counterfoil_format::row::Row;
use counterfoil_ledger::{Log, ReadError};
use counterfoil_replay::history::History;
use std::ops::{ControlFlow, Range};
use std::str::FromStr;

/// The rows of a log up to the size it had when this was made.
pub struct Past<'l> {
    log: &'l Log,
    size: u64,
}

impl<'l> Past<'l> {
    /// Refuses rows that are not there.
    pub fn check_rows(&self, rows: &[u64]) -> Result<()> {
        match rows.iter().find(|row| **row >= self.size) {
            Some(row) => Err(no_such_row(*row, self.size)),
            None => Ok(()),
        }
    }

    /// All rows that are durable now.
    pub fn of(log: &'l Log) -> Self {
        Past { log, size: log.head().size }
    }
}

impl History for Past<'_> {
    type Error = ReadError;

    fn size(&self) -> u64 {
        self.size
    }

    fn with_row<T>(&self, seq: u64, look: impl FnOnce(&Row<'_>) -> T) -> Result<T, ReadError> {
        let stored = self.log.row(seq)?;
        Ok(look(&stored.parse()?))
    }

    fn scan(
        &self,
        range: Range<u64>,
        mut look: impl FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.log.scan(range, |row| Ok(look(row)))
    }

    fn rows_of_key(&self, key: &str) -> Result<Vec<u64>, ReadError> {
        let mut rows = self.log.find_key(key)?;
        rows.retain(|row| *row < self.size);
        Ok(rows)
    }
}

/// A moment of a ledger: after a row, or at a time by the ledger's clock.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// After this row.
    Row(u64),
    /// At this time.
    Time(i64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(row) => Ok(Moment::Row(row)),
            Err(_) => time::parse(text)
                .map(Moment::Time)
                .map_err(|error| format!("{error}; or give the number of a row")),
        }
    }
}

impl Moment {
    /// How many rows there were.
    pub fn size(self, log: &Log) -> Result<u64> {
        let size = log.head().size;
        match self {
            Moment::Row(row) if row < size => Ok(row + 1),
            Moment::Row(row) => Err(no_such_row(row, size)),
            Moment::Time(time) => Ok(log.size_at(time)?),
        }
    }
}
