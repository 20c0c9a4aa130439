//! What a whole run found, before it is put into words.

use crate::anchors::{Anchors, check_pins};
use crate::authority::Authority;
use crate::check::CheckId;
use crate::options::Options;
use crate::source::Book;
use crate::tally::{Place, Tally};
use counterfoil_format::Hash;
use counterfoil_format::intent::Micros;

/// What a run over a book found.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub tally: Tally,
    pub anchors: Anchors,
    pub authority: Authority,
    /// The number of the first row, and that behind the last one.
    pub span: Option<(u64, u64)>,
    /// The hash of the last row.
    pub head: Option<Hash>,
    /// The root over all rows, when none is missing.
    pub root: Option<Hash>,
    /// When the first and the last row landed.
    pub landed: Option<(Micros, Micros)>,
}

impl Outcome {
    /// The checks that are made when the whole log was read.
    pub fn conclude(&mut self, book: &Book, options: &Options) {
        let size = self.span.map_or(0, |(_, end)| end);
        let tally = &mut self.tally;
        if self.span.is_none() && book.begins_at().is_none_or(|first| first == 0) {
            let place = Place { seq: 0, file: 0, offset: 0 };
            tally.fault(CheckId::V01, place, Some(0), "there are no rows: row 0 is missing".to_owned());
        }
        check_pins(&options.pins, book, &self.authority, tally);
        let first_file = u32::try_from(book.segments.len()).unwrap_or(u32::MAX);
        self.anchors.check(first_file, size, &self.authority, tally);
    }
}
