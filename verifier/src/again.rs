//! Reading an earlier row again: one that is taken back, reviewed, shown by a drill, or lies behind a snapshot.

use crate::error::VerifyError;
use crate::lookup::{Landmarks, Reader};
use crate::source::Book;
use crate::walk::RawGroup;

/// In an honest log a row is cited about once, so the rows that are read again are no larger than the log. A hostile one
/// could name one huge row over and over; what is read again is bounded by this many times the log,
const READ_AGAIN: u64 = 4;
/// and some.
const READ_ANYWAY: u64 = 64 << 20;

pub(crate) const TOO_MANY: &str = "the rows before it cite far more bytes of rows than the log has";

/// Finds earlier rows.
#[derive(Debug)]
pub(crate) struct Again<'a> {
    landmarks: Landmarks,
    reader: Reader<'a>,
    /// Bytes of rows that may still be read again.
    budget: u64,
    /// The same for snapshots, which have a budget of their own: what they use up is not missing where rows are taken back.
    for_snapshots: u64,
}

/// What earlier rows are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// A row that names them.
    Citation,
    /// A snapshot behind them.
    Snapshot,
}

/// What came of looking for a row.
#[derive(Debug)]
pub(crate) enum Found {
    /// Its record.
    Record(Vec<u8>),
    /// There is no way to it.
    Lost,
    /// Too much was read again already.
    TooMany,
}

impl<'a> Again<'a> {
    /// Before the first row.
    pub fn new(book: &'a Book) -> Self {
        let budget = book.bytes().saturating_mul(READ_AGAIN).saturating_add(READ_ANYWAY);
        let (landmarks, reader) = (Landmarks::default(), Reader::new(book));
        Again { landmarks, reader, budget, for_snapshots: budget }
    }

    /// Takes in a row that was met.
    pub fn pass(&mut self, seq: u64, group: &RawGroup, record: u64) {
        self.landmarks.pass(seq, group, record);
    }

    /// Whether so many bytes more may be looked at.
    pub fn spend(&mut self, what_for: For, bytes: u64) -> bool {
        let budget = match what_for {
            For::Citation => &mut self.budget,
            For::Snapshot => &mut self.for_snapshots,
        };
        let may = *budget > 0;
        *budget = budget.saturating_sub(bytes);
        may
    }

    /// The record of an earlier row.
    pub fn record(&mut self, row: u64, what_for: For) -> Result<Found, VerifyError> {
        if !self.spend(what_for, 0) {
            return Ok(Found::TooMany);
        }
        let found = self.landmarks.record(row, &mut self.reader);
        let found = found.map_err(|error| VerifyError::Io { path: self.reader.path(), error })?;
        self.spend(what_for, found.as_ref().map_or(0, Vec::len) as u64);
        Ok(found.map_or(Found::Lost, Found::Record))
    }
}
