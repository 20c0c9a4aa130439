//! Reading an earlier row again: one that is taken back, reviewed, or shown by a drill.

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
        Again { landmarks: Landmarks::default(), reader: Reader::new(book), budget }
    }

    /// Takes in a row that was met.
    pub fn pass(&mut self, seq: u64, group: &RawGroup, record: u64) {
        self.landmarks.pass(seq, group, record);
    }

    /// The record of an earlier row.
    pub fn record(&mut self, row: u64) -> Result<Found, VerifyError> {
        if self.budget == 0 {
            return Ok(Found::TooMany);
        }
        let found = self.landmarks.record(row, &mut self.reader);
        let found = found.map_err(|error| VerifyError::Io { path: self.reader.path(), error })?;
        let bytes = found.as_ref().map_or(0, Vec::len) as u64;
        self.budget = self.budget.saturating_sub(bytes);
        Ok(found.map_or(Found::Lost, Found::Record))
    }
}
