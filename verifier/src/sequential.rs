//! The reference: one row at a time, as an auditor would do it with pen and paper.
//!
//! Nothing here is clever. [`crate::parallel`] must come to the same report; where they differ, this one is right.

use crate::anchors::Anchors;
use crate::authority::Authority;
use crate::check::CheckId;
use crate::error::VerifyError;
use crate::facts::{Part, RowFacts, Said, Seen};
use crate::meaning::{Meaning, check_evidence};
use crate::options::{Options, Scope};
use crate::outcome::Outcome;
use crate::source::Book;
use crate::tally::{Place, Tally};
use crate::walk::{Damage, Event, RawGroup, Walk};
use crate::{Progress, words};
use counterfoil_format::Hash;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Evidence, check_parts};
use counterfoil_format::group::{GROUP_HEADER_BYTES, GroupBody};
use counterfoil_format::intent::Micros;
use counterfoil_format::key::PublicKey;
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::ops::{Change, skeleton_of};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;
use counterfoil_format::submission::{SignedSubmission, submission_root};

/// Reads the whole book row by row.
pub(crate) fn run(
    book: &Book,
    options: &Options,
    anchors: Anchors,
    progress: &Progress<'_>,
) -> Result<Outcome, VerifyError> {
    let all = options.scope == Scope::All;
    let mut reader = Reference {
        book,
        anchors,
        authority: Authority::new(book.ledger_id, all),
        meaning: all.then(|| Meaning::new(book)),
        tally: Tally::default(),
        expected: book.begins_at(),
        previous: book.hash_before(),
        landed: None,
        first_landed: None,
        range: Some(CompactRange::starting_at(0)),
        span: None,
    };
    let mut walk = Walk::new(book);
    while let Some(event) = walk.next(Vec::new)? {
        match event {
            Event::Segment(file) => reader.segment(file),
            Event::Damage(damage) => reader.damage(&damage),
            Event::Group(group) => reader.group(&group)?,
        }
        progress(walk.passed(), book.bytes());
    }
    reader.finish()
}

/// What is carried from row to row.
struct Reference<'a> {
    book: &'a Book,
    anchors: Anchors,
    authority: Authority,
    meaning: Option<Meaning<'a>>,
    tally: Tally,
    /// The number of the next row, once it is known.
    expected: Option<u64>,
    /// The hash of the last row as it is stored; `None` when it could not be read.
    previous: Option<Hash>,
    /// When the last row landed that could be read.
    landed: Option<Micros>,
    first_landed: Option<Micros>,
    /// The tree over all rows so far; `None` once one is missing.
    range: Option<CompactRange>,
    span: Option<(u64, u64)>,
}

/// A row's place in its group.
struct Position<'g> {
    seq: u64,
    offset: u64,
    index: u32,
    submission: &'g SignedSubmission,
}

impl Reference<'_> {
    fn segment(&mut self, file: u32) {
        self.book.check_header(file, self.expected, &mut self.tally);
        let Some(header) = self.book.header(file) else { return };
        let place = Place { seq: self.expected.unwrap_or(0), file, offset: 0 };
        self.link(header.previous, place, None, words::SEGMENT_LINK);
        self.previous = Some(header.previous);
    }

    fn damage(&mut self, damage: &Damage) {
        let place = Place { seq: self.expected.unwrap_or(0), file: damage.file, offset: damage.offset };
        self.tally.fault(CheckId::V01, place, self.expected, damage.message.clone());
    }

    /// V07 where a header names the hash of the row before it.
    fn link(&mut self, named: Hash, place: Place, row: Option<u64>, message: &str) {
        match self.previous {
            Some(previous) if previous == named => {}
            Some(_) => self.tally.fault(CheckId::V07, place, row, message.to_owned()),
            None => self.tally.skip(CheckId::V07, place.seq, words::NO_PREVIOUS),
        }
    }

    /// Rows are missing before row `next`.
    fn lose(&mut self, next: u64) {
        self.authority.lose();
        self.meaning.iter_mut().for_each(|meaning| meaning.lose(next));
    }

    fn group(&mut self, group: &RawGroup) -> Result<(), VerifyError> {
        let header = &group.header;
        let first = header.first_seq;
        let place = Place { seq: first, file: group.file, offset: group.offset };
        self.tally.counts.groups += 1;
        self.tally.checked(CheckId::V01, 1);
        if !header.matches(&group.body, &group.salt) {
            self.tally.fault(CheckId::V01, place, Some(first), words::group_checksum(group));
        }
        if header.durable_upto > group.offset {
            self.tally.fault(CheckId::V01, place, Some(first), words::DURABLE.to_owned());
        }
        if let Some(expected) = self.expected.filter(|expected| *expected != group.claimed) {
            self.tally.fault(CheckId::V03, place, Some(first), words::gap(expected, group));
        }
        if self.expected != Some(first) || (self.span.is_none() && first > 0) {
            self.lose(first);
        }
        self.link(header.previous, place, Some(first), words::GROUP_LINK);
        self.previous = Some(header.previous);
        self.range.take_if(|range| range.end() != first);
        self.expected = Some(header.end_seq());
        self.span = Some((self.span.map_or(first, |(first, _)| first), header.end_seq()));

        match GroupBody::parse(header, &group.body) {
            Ok(body) => self.body(group, &body),
            Err(error) => {
                self.tally.fault(CheckId::V02, place, Some(first), words::group_body(header, &error));
                self.tally.skip_rows(CheckId::OF_ROWS, first, header.rows.into());
                self.authority.unreadable_group(header, &mut self.tally);
                if let Some(meaning) = &mut self.meaning {
                    meaning.lose_group(header, &mut self.tally);
                }
                self.previous = None;
                self.range = None;
                Ok(())
            }
        }
    }

    fn body(&mut self, group: &RawGroup, body: &GroupBody<'_>) -> Result<(), VerifyError> {
        let base = group.offset + GROUP_HEADER_BYTES as u64;
        let mut rows = body.rows().zip(group.header.first_seq..);
        let mut signed_at = base + words::rows_end(body);
        for submission in &body.submissions {
            let (mut intents, mut first) = (Vec::new(), None);
            for (index, ((start, record), seq)) in (0..submission.count).zip(&mut rows) {
                if first.is_none() {
                    first = Some(seq);
                    self.authority.begin(seq);
                }
                let offset = base + start as u64;
                let position = Position { seq, offset, index, submission };
                intents.push(self.row(group, record, &position)?);
            }
            let place = Place { seq: first.unwrap_or(0), file: group.file, offset: signed_at };
            self.submission(submission, place, &intents);
            signed_at += SignedSubmission::BYTES as u64;
        }
        self.seal(group, body, signed_at);
        Ok(())
    }

    /// V02 to V07 of one row; yields the hash of its intent when it can be read.
    fn row(
        &mut self,
        group: &RawGroup,
        record: &[u8],
        position: &Position<'_>,
    ) -> Result<Option<Hash>, VerifyError> {
        let place = Place { seq: position.seq, file: group.file, offset: position.offset };
        let previous = self.previous;
        self.previous = words::stored_hash(record);
        match (&mut self.range, self.previous) {
            (Some(range), Some(hash)) => {
                range.push(row_leaf(&hash));
                self.anchors.pass(range);
            }
            _ => self.range = None,
        }
        self.tally.rows += 1;
        self.tally.checked(CheckId::V02, 1);
        let mut arena = Vec::new();
        let mut seen = match self.read_row(record, position, previous, place, &mut arena) {
            Ok(facts) => Seen::Row(facts),
            Err(error) => {
                self.tally.fault(CheckId::V02, place, Some(position.seq), error.to_string());
                self.tally.skip_rows(CheckId::OF_ROWS, position.seq, 1);
                Seen::Unreadable(position.seq)
            }
        };
        match &mut seen {
            Seen::Row(facts) => {
                if let Some(job) = self.authority.row(facts, group.file, &arena, &mut self.tally) {
                    job.run(PublicKey::verify_reference, &mut self.tally);
                }
            }
            Seen::Unreadable(seq) => self.authority.unreadable_row(*seq, &mut self.tally),
        }
        if let Some(meaning) = &mut self.meaning {
            meaning.row(&seen, group, &arena, &mut self.tally)?;
            meaning.ids(std::slice::from_ref(&seen), &mut self.tally);
        }
        Ok(match seen {
            Seen::Row(facts) => Some(facts.intent),
            Seen::Unreadable(_) => None,
        })
    }

    fn read_row(
        &mut self,
        record: &[u8],
        position: &Position<'_>,
        previous: Option<Hash>,
        place: Place,
        arena: &mut Vec<u8>,
    ) -> Result<RowFacts, CodecError> {
        let row = Row::parse(record)?;
        check_parts(&row)?;
        let hashes = row.hashes(&mut Vec::new())?;
        let seq = position.seq;
        let (landing, tally) = (&row.landing, &mut self.tally);
        let mut fault = |check, message: &str| tally.fault(check, place, Some(seq), message.to_owned());

        if landing.seq != seq {
            fault(CheckId::V03, &words::other_number(landing.seq));
        }
        if landing.index != position.index || landing.count != position.submission.count {
            fault(CheckId::V03, words::OTHER_PLACE);
        }
        if self.landed.is_some_and(|before| landing.landed_at < before) {
            fault(CheckId::V04, words::BACK_IN_TIME);
        }
        if hashes.rollback != landing.rollback {
            fault(CheckId::V05, words::ROLLBACK_COMMITMENT);
        }
        if previous.is_some_and(|previous| row.chained(&previous, &hashes.intent) != row.row_hash) {
            fault(CheckId::V07, words::ROW_HASH);
        }
        [CheckId::V03, CheckId::V04, CheckId::V07].iter().for_each(|check| tally.checked(*check, 1));
        tally.checked(CheckId::V05, u64::from(landing.rollback.is_some()));
        self.landed = Some(landing.landed_at);
        self.first_landed.get_or_insert(landing.landed_at);

        tally.count_row(&row);
        for ops in [row.ops(PartTag::Ops)?, row.ops(PartTag::Rollback)?].into_iter().flatten() {
            let closed = ops.iter().filter(|op| matches!(op.change, Change::Put(Slot::Closed(_))));
            tally.counts.closed_values += closed.count() as u64;
        }
        if self.meaning.is_some() {
            let evidence = row.content(PartTag::Evidence).map(Evidence::decode_all).transpose()?;
            check_evidence(&row, &evidence.unwrap_or_default(), place, tally);
        }
        let said = Said::read(&row)?;
        let mut facts = RowFacts::of(&row, &said, seq, position.offset, hashes.intent, arena)?;
        let mut commitments = Vec::new();
        for tag in PartTag::AUTHORED {
            commitments.extend(row.commitment(tag, &mut Vec::new())?);
        }
        facts.claim(&row, &commitments, arena);
        facts.ops = Part::store(row.part(PartTag::Ops), arena, skeleton_of)?;
        facts.rollback = Part::store(row.part(PartTag::Rollback), arena, skeleton_of)?;
        Ok(facts)
    }

    /// V06 and V09 of a submission whose rows were read.
    fn submission(&mut self, submission: &SignedSubmission, place: Place, intents: &[Option<Hash>]) {
        self.tally.counts.submissions += 1;
        let known: Option<Vec<Hash>> = intents.iter().copied().collect();
        match known {
            Some(intents) => {
                self.tally.checked(CheckId::V06, 1);
                if submission_root(&intents) != submission.root {
                    let message = words::submission_root(place.seq, submission.count);
                    self.tally.fault(CheckId::V06, place, Some(place.seq), message);
                }
            }
            None => self.tally.skip(CheckId::V06, place.seq, words::UNREADABLE),
        }
        if let Some(job) = self.authority.end(place, submission, &mut self.tally) {
            job.run(PublicKey::verify_reference, &mut self.tally);
        }
    }

    /// V08 and V10 at the end of a group.
    fn seal(&mut self, group: &RawGroup, body: &GroupBody<'_>, offset: u64) {
        let size = group.header.end_seq();
        let place = Place { seq: size.saturating_sub(1), file: group.file, offset };
        match self.range.as_ref().and_then(CompactRange::root) {
            Some(root) => {
                self.tally.checked(CheckId::V08, 1);
                if root != body.seal.root {
                    self.tally.fault(CheckId::V08, place, Some(place.seq), words::seal_root(size));
                }
            }
            None => self.tally.skip(CheckId::V08, place.seq, words::NO_TREE),
        }
        if let Some(job) = self.authority.seal(place, size, &body.seal, &mut self.tally) {
            job.run(PublicKey::verify_reference, &mut self.tally);
        }
    }

    fn finish(mut self) -> Result<Outcome, VerifyError> {
        if let Some(meaning) = self.meaning {
            meaning.finish(&mut self.tally)?;
        }
        Ok(Outcome {
            tally: self.tally,
            anchors: self.anchors,
            authority: self.authority,
            span: self.span,
            head: self.previous.filter(|_| self.span.is_some()),
            root: self.range.filter(|_| self.span.is_some()).and_then(|range| range.root()),
            landed: self.first_landed.zip(self.landed),
        })
    }
}
