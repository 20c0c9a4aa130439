//! A log as replay sees it, and the moments of it that a person names.

use crate::exit::{Refused, no_such_row};
use crate::time;
use anyhow::Result;
use counterfoil_format::Hash;
use counterfoil_format::body::EffectStatus;
use counterfoil_format::row::Row;
use counterfoil_ledger::{Log, ReadError, SnapshotFile};
use counterfoil_replay::history::{DamagedStore, History, StoredState, Touch};
use counterfoil_replay::state::Held;
use serde::{Deserialize, Serialize};
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

    /// The first rows, as if no others had followed.
    pub fn upto(log: &'l Log, size: u64) -> Self {
        Past { log, size }
    }

    fn within(&self, mut rows: Vec<u64>) -> Vec<u64> {
        rows.truncate(rows.partition_point(|row| *row < self.size));
        rows
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

    fn rows_of_key(&self, key: &str, touch: Touch, within: Range<u64>) -> Result<Vec<u64>, ReadError> {
        let within = within.start..within.end.min(self.size);
        match touch {
            Touch::Any => self.log.find_key(key, within),
            Touch::Set => self.log.find_key_set(key, within),
        }
    }

    fn citing(&self, row: u64) -> Result<Vec<u64>, ReadError> {
        Ok(self.within(self.log.citing(row)?))
    }

    fn inexact(&self) -> Result<Vec<u64>, ReadError> {
        Ok(self.within(self.log.inexact_rollbacks()?))
    }

    fn calling(&self) -> Result<Vec<(u64, Vec<u32>)>, ReadError> {
        let mut rows = self.log.calling_rollbacks()?;
        rows.retain(|(row, _)| *row < self.size);
        Ok(rows)
    }

    fn call(&self, row: u64, effect: u32) -> Result<Option<(u64, EffectStatus)>, ReadError> {
        let outcomes = self.log.outcomes(row, effect)?;
        Ok(outcomes.into_iter().rev().find(|(row, _)| *row < self.size))
    }

    fn stored(&self, size: u64) -> Result<Option<Box<dyn StoredState + '_>>, ReadError> {
        let found = self.log.snapshot_within(size.min(self.size))?;
        Ok(found.map(|file| Box::new(Pinned(file)) as Box<dyn StoredState>))
    }
}

/// A snapshot of the ledger.
struct Pinned(SnapshotFile);

impl StoredState for Pinned {
    fn size(&self) -> u64 {
        self.0.pinned().at.saturating_add(1)
    }

    fn digest(&self) -> Hash {
        self.0.pinned().state
    }

    fn get(&self, key: &str) -> Result<Option<Held>, DamagedStore> {
        self.0.get(key).map_err(|_| DamagedStore)
    }

    fn scan(&self, prefix: &str, take: &mut dyn FnMut(&str, Held)) -> Result<(), DamagedStore> {
        self.0.scan(prefix, take).map_err(|_| DamagedStore)
    }
}

/// A moment of a ledger: after a row, or at a time by the ledger's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Moment::Row(row) => row.fmt(f),
            Moment::Time(at) => f.write_str(&time::print(*at)),
        }
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        moment.to_string()
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

    /// The same where there must have been one.
    pub fn size_of_some(self, log: &Log) -> Result<u64> {
        match self.size(log)? {
            0 => {
                let began = time::print(log.row(0)?.parse()?.landing.landed_at);
                Err(Refused::error(format!("there was no ledger yet at {self}: it began at {began}")))
            }
            size => Ok(size),
        }
    }
}
