//! A log as replay sees it.

use counterfoil_format::Hash;
use counterfoil_format::body::EffectStatus;
use counterfoil_format::row::Row;
use counterfoil_ledger::{Held, Log, ReadError, SnapshotFile};
use counterfoil_replay::history::{DamagedStore, History, StoredState, Touch};
use std::ops::{ControlFlow, Range};

/// All durable rows of a log; with its snapshots or without.
pub struct Rows<'l> {
    log: &'l Log,
    snapshots: bool,
}

impl<'l> Rows<'l> {
    /// Without snapshots: what was is replayed from the first row.
    pub fn of(log: &'l Log) -> Self {
        Rows { log, snapshots: false }
    }

    /// With them.
    pub fn and_snapshots(log: &'l Log) -> Self {
        Rows { log, snapshots: true }
    }
}

impl History for Rows<'_> {
    type Error = ReadError;

    fn size(&self) -> u64 {
        self.log.head().size
    }

    fn with_row<T>(&self, seq: u64, look: impl FnOnce(&Row<'_>) -> T) -> Result<T, ReadError> {
        Ok(look(&self.log.row(seq)?.parse()?))
    }

    fn scan(
        &self,
        range: Range<u64>,
        mut look: impl FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.log.scan(range, |row| Ok(look(row)))
    }

    fn rows_of_key(&self, key: &str, touch: Touch, within: Range<u64>) -> Result<Vec<u64>, ReadError> {
        match touch {
            Touch::Any => self.log.find_key(key, within),
            Touch::Set => self.log.find_key_set(key, within),
        }
    }

    fn citing(&self, row: u64) -> Result<Vec<u64>, ReadError> {
        self.log.citing(row)
    }

    fn inexact(&self) -> Result<Vec<u64>, ReadError> {
        self.log.inexact_rollbacks()
    }

    fn calling(&self) -> Result<Vec<(u64, Vec<u32>)>, ReadError> {
        self.log.calling_rollbacks()
    }

    fn call(&self, row: u64, effect: u32) -> Result<Option<(u64, EffectStatus)>, ReadError> {
        Ok(self.log.outcomes(row, effect)?.last().copied())
    }

    fn stored(&self, size: u64) -> Result<Option<Box<dyn StoredState + '_>>, ReadError> {
        let found = if self.snapshots { self.log.snapshot_within(size)? } else { None };
        Ok(found.map(|file| Box::new(Pinned(file)) as Box<dyn StoredState>))
    }
}

struct Pinned(SnapshotFile);

impl StoredState for Pinned {
    fn size(&self) -> u64 {
        self.0.pinned().at + 1
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
