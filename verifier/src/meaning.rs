//! The checks of what the rows mean, in row order: inverses (V15), rollbacks (V17), ids (V20), evidence (V21).
//!
//! The state is kept by commitments alone, so withheld and erased values stand in nobody's way. As soon as it is not
//! known what a row did, the state behind it is not known either, and V15 stops there, saying so.

use crate::check::CheckId;
use crate::error::VerifyError;
use crate::facts::{Part, RowFacts, Seen};
use crate::ids::Fingerprints;
use crate::lookup::{Landmarks, Reader};
use crate::source::Book;
use crate::tally::{Place, Tally};
use crate::walk::RawGroup;
use counterfoil_format::body::{Body, RollbackOf};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Evidence;
use counterfoil_format::group::GroupHeader;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{decode_skeleton, encode_skeleton};
use counterfoil_format::row::Row;
use counterfoil_rules::apply::{Applied, apply};
use counterfoil_rules::rollback::{RollbackFault, check_rollback};
use counterfoil_rules::state::{Leaf, State};
use std::collections::HashMap;
use std::convert::Infallible;

const TARGET_LOST: &str = "the row that is taken back cannot be read";
const TOO_MANY: &str = "the rollbacks before it name far more bytes of rows than the log has";
/// In an honest log a row is taken back about once, so the rows that are read again are no larger than the log. A hostile
/// one could name one huge row over and over; what is read again is bounded by this many times the log,
const READ_AGAIN: u64 = 4;
/// and some.
const READ_ANYWAY: u64 = 64 << 20;

/// What the rows so far mean.
#[derive(Debug)]
pub(crate) struct Meaning<'a> {
    book: &'a Book,
    state: Commitments,
    /// Since when the state is not known, and why.
    stopped: Option<String>,
    ids: Fingerprints,
    landmarks: Landmarks,
    reader: Reader<'a>,
    /// Bytes of rows that may still be read again.
    budget: u64,
    scratch: Vec<u8>,
}

/// A state by commitments, in no order.
#[derive(Debug, Default)]
struct Commitments(HashMap<Box<str>, Leaf>);

impl State for Commitments {
    type Error = Infallible;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, Infallible> {
        Ok(self.0.get(key).cloned())
    }
}

impl Commitments {
    fn set(&mut self, key: &str, leaf: Option<Leaf>) {
        match (leaf, self.0.get_mut(key)) {
            (Some(leaf), Some(place)) => *place = leaf,
            (Some(leaf), None) => drop(self.0.insert(key.into(), leaf)),
            (None, _) => drop(self.0.remove(key)),
        }
    }
}

impl<'a> Meaning<'a> {
    /// Before the first row.
    pub fn new(book: &'a Book) -> Self {
        Meaning {
            book,
            state: Commitments::default(),
            stopped: None,
            ids: Fingerprints::default(),
            landmarks: Landmarks::default(),
            reader: Reader::new(book),
            budget: book.bytes().saturating_mul(READ_AGAIN).saturating_add(READ_ANYWAY),
            scratch: Vec::new(),
        }
    }

    /// Rows before row `next` are missing or cannot be read: the state is not known from there on.
    pub fn lose(&mut self, next: u64) {
        let why =
            || format!("rows before row {next} are missing or cannot be read, so the state is not known");
        self.stopped.get_or_insert_with(why);
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
        self.landmarks.pass(row.seq, group, row.offset);
        let place = Place { seq: row.seq, file: group.file, offset: row.offset };
        self.check_inverse(row, arena, place, tally);
        if row.kind == Kind::Rollback && row.outcome != Outcome::Review {
            self.check_rollback(row, arena, place, tally)?;
        }
        Ok(())
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
        self.ids.settle(self.book, tally)
    }

    /// V15: the stored rollback is the exact inverse of what the row did, or would have done in its dry run.
    fn check_inverse(&mut self, row: &RowFacts, arena: &[u8], place: Place, tally: &mut Tally) {
        let mut fault = |message: &str| tally.fault(CheckId::V15, place, Some(row.seq), message.to_owned());
        let bare = matches!(row.rollback, Part::Absent);
        if row.outcome == Outcome::Review || matches!(row.ops, Part::Absent) {
            match (row.outcome, bare) {
                (_, true) => {}
                (Outcome::Review, _) => fault("a row that was put aside for review has a rollback"),
                _ => fault("a row without operations has a rollback"),
            }
            return;
        }
        if let Some(why) = &self.stopped {
            return tally.skip(CheckId::V15, row.seq, why);
        }
        let Some(skeleton) = row.ops.bytes(arena) else {
            let why = format!(
                "the operations of row {} are withheld, so the state behind it is not known",
                row.seq
            );
            tally.skip(CheckId::V15, row.seq, &why);
            if row.outcome == Outcome::Applied {
                self.stopped = Some(why);
            }
            return;
        };
        let ops = decode_skeleton(skeleton).unwrap_or_default();
        let Ok(result) = apply(&self.state, &ops, false);
        let applied = match result {
            Ok(applied) => applied,
            Err(reason) => {
                tally.checked(CheckId::V15, 1);
                return fault_of(row, place, tally, format!("its operations do not go through: {reason}"));
            }
        };
        match row.rollback.bytes(arena) {
            Some(stored) => {
                self.scratch.clear();
                encode_skeleton(&applied.inverse(), &mut self.scratch);
                tally.checked(CheckId::V15, 1);
                if self.scratch != stored {
                    let message =
                        "its rollback is not the inverse of its operations on the state of that moment";
                    fault_of(row, place, tally, message.to_owned());
                }
            }
            None if bare => {
                tally.checked(CheckId::V15, 1);
                if row.outcome == Outcome::Applied && !applied.steps.is_empty() {
                    fault_of(row, place, tally, "it changed the state and has no rollback".to_owned());
                }
            }
            None => tally.skip(CheckId::V15, row.seq, "its rollback is withheld"),
        }
        if row.outcome == Outcome::Applied {
            for (key, leaf) in Applied::into_changes(applied) {
                self.state.set(&key, leaf);
            }
        }
    }

    /// V17: a rollback row has the very operations that its target stored for it.
    fn check_rollback(
        &mut self,
        row: &RowFacts,
        arena: &[u8],
        place: Place,
        tally: &mut Tally,
    ) -> Result<(), VerifyError> {
        let (Some(body), Some(skeleton)) = (row.body.bytes(arena), row.ops.bytes(arena)) else {
            tally.skip(CheckId::V17, row.seq, "the body or the operations of the rollback row are withheld");
            return Ok(());
        };
        let (Ok(Body::Rollback(rollback)), Ok(ops)) =
            (Body::decode(row.kind, body), decode_skeleton(skeleton))
        else {
            return Ok(());
        };
        if rollback.forced {
            tally.forced(row.seq);
        }
        if self.budget == 0 {
            tally.skip(CheckId::V17, row.seq, TOO_MANY);
            return Ok(());
        }
        let result = match self.target(&rollback, row.seq)? {
            Some(record) => match Row::parse(&record) {
                Ok(target) if target.landing.seq != rollback.target => {
                    Err(RollbackFault::Codec(CodecError::Inconsistent("the row has another number")))
                }
                Ok(target) => check_rollback(&rollback, &ops, &target),
                Err(error) => Err(RollbackFault::Codec(error)),
            },
            None if rollback.target >= row.seq => return Ok(()),
            None => {
                tally.skip(CheckId::V17, row.seq, TARGET_LOST);
                return Ok(());
            }
        };
        match result {
            Err(RollbackFault::Codec(_)) => tally.skip(CheckId::V17, row.seq, TARGET_LOST),
            Err(RollbackFault::Withheld(_)) => {
                tally.skip(CheckId::V17, row.seq, "the rollback of the row that is taken back is withheld");
            }
            other => {
                tally.checked(CheckId::V17, 1);
                if let Err(error) = other {
                    tally.fault(CheckId::V17, place, Some(row.seq), error.to_string());
                }
            }
        }
        Ok(())
    }

    /// The record of the row that is taken back. One that does not come before is told when the keys are looked at.
    fn target(&mut self, rollback: &RollbackOf, seq: u64) -> Result<Option<Vec<u8>>, VerifyError> {
        if rollback.target >= seq {
            return Ok(None);
        }
        let found = self.landmarks.record(rollback.target, &mut self.reader);
        let found = found.map_err(|error| VerifyError::Io { path: self.reader.path(), error })?;
        let bytes = found.as_ref().map_or(0, Vec::len) as u64;
        self.budget = self.budget.saturating_sub(bytes);
        Ok(found)
    }
}

fn fault_of(row: &RowFacts, place: Place, tally: &mut Tally, message: String) {
    tally.fault(CheckId::V15, place, Some(row.seq), message);
}

/// V21: the rows that a row points to come before it. Documents are counted; they lie outside the ledger.
pub(crate) fn check_evidence(evidence: &[Evidence<'_>], place: Place, tally: &mut Tally) {
    let seq = place.seq;
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
