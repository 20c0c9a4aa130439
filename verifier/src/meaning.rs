//! The checks of what the rows mean, in row order: outcomes (V14), inverses (V15), snapshots (V16), rollbacks (V17), kill
//! switch (V18), effects (V19), ids (V20), evidence (V21), calibrations (V23).
//!
//! The state is kept by commitments alone, so withheld and erased values stand in nobody's way.

use crate::again::Again;
use crate::calls::Calls;
use crate::check::CheckId;
use crate::error::VerifyError;
use crate::facts::Seen;
use crate::gates::{Case, Gates};
use crate::ids::Fingerprints;
use crate::inverse::Inverses;
use crate::readings::Readings;
use crate::rollbacks::Rollback;
use crate::sight;
use crate::snapshots::check_snapshot;
use crate::source::Book;
use crate::tally::{Place, Tally};
use crate::walk::RawGroup;
use counterfoil_format::content::Evidence;
use counterfoil_format::group::GroupHeader;
use counterfoil_format::intent::Kind;
use counterfoil_format::ops::decode_skeleton;
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;

/// What the rows so far mean.
#[derive(Debug)]
pub(crate) struct Meaning<'a> {
    book: &'a Book,
    inverses: Inverses,
    gates: Gates,
    readings: Readings,
    calls: Calls,
    ids: Fingerprints,
    again: Again<'a>,
}

impl<'a> Meaning<'a> {
    /// Before the first row.
    pub fn new(book: &'a Book) -> Self {
        Meaning {
            book,
            inverses: Inverses::default(),
            gates: Gates::default(),
            readings: Readings::default(),
            calls: Calls::default(),
            ids: Fingerprints::default(),
            again: Again::new(book),
        }
    }

    /// Rows before row `next` are missing or cannot be read: what follows from them is not known from there on.
    pub fn lose(&mut self, next: u64) {
        self.inverses.lose(next);
        let why = || format!("rows before row {next} are missing or cannot be read");
        self.readings.lose(why);
        self.calls.lose(why);
    }

    /// The rows of a group cannot be told apart.
    pub fn lose_group(&mut self, header: &GroupHeader, tally: &mut Tally) {
        tally.skip_rows(CheckId::OF_MEANING, header.first_seq, header.rows.into());
        self.lose(header.end_seq());
    }

    /// The next row.
    pub fn row(
        &mut self,
        seen: &Seen,
        group: &RawGroup,
        arena: &[u8],
        tally: &mut Tally,
    ) -> Result<(), VerifyError> {
        let row = match seen {
            Seen::Row(row) => row,
            Seen::Unreadable(seq) => {
                tally.skip_rows(CheckId::OF_MEANING, *seq, 1);
                self.lose(seq.saturating_add(1));
                return Ok(());
            }
        };
        self.again.pass(row.seq, group, row.offset);
        let place = Place { seq: row.seq, file: group.file, offset: row.offset };
        let ops = row.ops.bytes(arena).map(|bytes| decode_skeleton(bytes).unwrap_or_default());
        let steps = self.inverses.carry_out(row, ops.as_deref());
        let seen = sight::Seen {
            row,
            arena,
            group,
            ops: ops.as_deref(),
            state: self.inverses.state(),
            readings: &self.readings,
            author: row.author,
        };
        let decided =
            self.gates.row(&mut Case { seen, place, carried: steps.carried() }, &mut self.again, tally)?;
        check_snapshot((row, arena), &self.inverses, &mut self.again, place, tally)?;
        self.inverses.check((row, arena), steps, decided, place, tally);
        self.readings.row(row, arena, place, tally);
        self.calls.row(row, arena, place, tally);
        match row.kind {
            Kind::Rollback => Rollback { row, arena, place }.check(&mut self.again, tally),
            _ => Ok(()),
        }
    }

    /// V20 of rows, which may come before or after their other checks: a table of millions is kept busy best by
    /// nothing else in between.
    pub fn ids(&mut self, rows: &[Seen], tally: &mut Tally) {
        for seen in rows {
            if let Seen::Row(row) = seen {
                self.ids.add(&row.id);
                tally.checked(CheckId::V20, 1);
            }
        }
    }

    /// The end of the log.
    pub fn finish(self, tally: &mut Tally) -> Result<(), VerifyError> {
        self.calls.finish(tally);
        self.ids.settle(self.book, tally)
    }
}

/// V21: the rows that a row points to come before it. Documents are counted; they lie outside the ledger.
pub(crate) fn check_evidence(row: &Row<'_>, evidence: &[Evidence<'_>], place: Place, tally: &mut Tally) {
    let seq = place.seq;
    if let Some(Slot::Closed(_)) = row.part(PartTag::Evidence) {
        tally.skip(CheckId::V21, seq, "its evidence is withheld or erased");
    }
    tally.count_documents(evidence);
    for item in evidence {
        let Evidence::Row(row) = *item else { continue };
        tally.checked(CheckId::V21, 1);
        if row >= seq {
            let message = format!("it points to row {row} as evidence, which does not come before it");
            tally.fault(CheckId::V21, place, Some(seq), message);
        }
    }
}
