//! Joining groups that were taken apart by themselves, in the order of the log.
//!
//! Two neighbours fit when the second one's number and previous hash follow from the first one's last row. What is
//! joined is small: no row is hashed again.

use crate::anchors::Anchors;
use crate::authority::Authority;
use crate::check::CheckId;
use crate::facts::Seen;
use crate::outcome::Outcome;
use crate::partial::{Contents, Partial};
use crate::signatures::Job;
use crate::source::Book;
use crate::tally::{Place, Tally};
use crate::walk::{Damage, RawGroup};
use crate::words;
use counterfoil_format::Hash;
use counterfoil_format::group::GroupBody;
use counterfoil_format::intent::Micros;
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::submission::SignedSubmission;

/// A piece of the log in order.
pub(crate) enum Item {
    /// A segment begins.
    Segment(u32),
    /// No group stands here.
    Damage(Damage),
    /// A group, taken apart.
    Group {
        group: RawGroup,
        partial: Box<Partial>,
        /// Whether rows are missing before it.
        lost: bool,
    },
}

/// The end of what was joined so far.
pub(crate) struct Joint<'a> {
    book: &'a Book,
    anchors: Anchors,
    authority: Authority,
    /// The number of the next row, once it is known.
    expected: Option<u64>,
    /// The hash that the next group must name; `None` when the row before it cannot be read.
    head: Option<Hash>,
    landed: Option<(Micros, Micros)>,
    /// The tree over all rows so far; `None` once one is missing.
    tree: Option<CompactRange>,
    span: Option<(u64, u64)>,
}

impl<'a> Joint<'a> {
    /// Before the first group.
    pub fn new(book: &'a Book, anchors: Anchors, all: bool) -> Self {
        Joint {
            book,
            anchors,
            authority: Authority::new(book.ledger_id, all),
            expected: book.begins_at(),
            head: book.hash_before(),
            landed: None,
            tree: Some(CompactRange::starting_at(0)),
            span: None,
        }
    }

    /// Joins the next item; signatures that are to be checked are added to `jobs`.
    pub fn join(&mut self, item: &mut Item, jobs: &mut Vec<Job>, tally: &mut Tally) {
        match item {
            Item::Segment(file) => {
                self.book.check_header(*file, self.expected, tally);
                let Some(header) = self.book.header(*file) else { return };
                let place = Place { seq: self.expected.unwrap_or(0), file: *file, offset: 0 };
                self.meet(header.previous, place, None, words::SEGMENT_LINK, tally);
                self.head = Some(header.previous);
            }
            Item::Damage(damage) => {
                let seq = self.expected.unwrap_or(0);
                let place = Place { seq, file: damage.file, offset: damage.offset };
                tally.fault(CheckId::V01, place, self.expected, damage.message.clone());
            }
            Item::Group { group, partial, lost } => {
                tally.merge(std::mem::take(&mut partial.tally));
                *lost = self.border(group, tally);
                match &mut partial.contents {
                    Ok(contents) => self.contents(group, contents, jobs, tally),
                    Err(error) => {
                        let first = group.header.first_seq;
                        let place = Place { seq: first, file: group.file, offset: group.offset };
                        let message = words::group_body(&group.header, error);
                        tally.fault(CheckId::V02, place, Some(first), message);
                        tally.skip_rows(CheckId::OF_ROWS, first, group.header.rows.into());
                        self.authority.unreadable_group(&group.header, tally);
                        self.head = None;
                        self.tree = None;
                    }
                }
            }
        }
    }

    /// V07 where a header names the hash of the row before it.
    fn meet(&self, named: Hash, place: Place, row: Option<u64>, message: &str, tally: &mut Tally) {
        match self.head {
            Some(head) if head == named => {}
            Some(_) => tally.fault(CheckId::V07, place, row, message.to_owned()),
            None => tally.skip(CheckId::V07, place.seq, words::NO_PREVIOUS),
        }
    }

    /// The border between what was joined and a group: yields whether rows are missing there.
    fn border(&mut self, group: &RawGroup, tally: &mut Tally) -> bool {
        let (first, end) = (group.header.first_seq, group.header.end_seq());
        let place = Place { seq: first, file: group.file, offset: group.offset };
        let lost = match self.expected {
            Some(expected) => {
                if expected != group.claimed {
                    tally.fault(CheckId::V03, place, Some(first), words::gap(expected, group));
                }
                expected != first || (self.span.is_none() && first > 0)
            }
            None => true,
        };
        if lost {
            self.authority.lose();
        }
        self.meet(group.header.previous, place, Some(first), words::GROUP_LINK, tally);
        self.tree.take_if(|tree| tree.end() != first);
        self.expected = Some(end);
        self.span = Some((self.span.map_or(first, |(first, _)| first), end));
        lost
    }

    fn contents(
        &mut self,
        group: &RawGroup,
        contents: &mut Contents,
        jobs: &mut Vec<Job>,
        tally: &mut Tally,
    ) {
        self.head = contents.head;
        if let (Some((place, landed)), Some(last)) = (contents.first_landed, contents.last_landed) {
            if self.landed.is_some_and(|(_, before)| landed < before) {
                tally.fault(CheckId::V04, place, Some(place.seq), words::BACK_IN_TIME.to_owned());
            }
            self.landed = Some((self.landed.map_or(landed, |(first, _)| first), last));
        }

        let mut rows = contents.rows.iter_mut();
        let mut signed_at = contents.signed_at;
        for submission in &contents.submissions {
            let mut first = None;
            for seen in rows.by_ref().take(submission.count as usize) {
                if first.is_none() {
                    first = Some(seen.seq());
                    self.authority.begin(seen.seq());
                }
                match seen {
                    Seen::Row(facts) => {
                        jobs.extend(self.authority.row(facts, group.file, &contents.arena, tally))
                    }
                    Seen::Unreadable(seq) => self.authority.unreadable_row(*seq, tally),
                }
            }
            let place = Place { seq: first.unwrap_or(0), file: group.file, offset: signed_at };
            jobs.extend(self.authority.end(place, submission, tally));
            signed_at += SignedSubmission::BYTES as u64;
        }

        self.grow(group, contents);
        let size = group.header.end_seq();
        let place = Place { seq: size.saturating_sub(1), file: group.file, offset: signed_at };
        match self.tree.as_ref().and_then(CompactRange::root) {
            Some(root) => {
                tally.checked(CheckId::V08, 1);
                if root != contents.seal.root {
                    tally.fault(CheckId::V08, place, Some(place.seq), words::seal_root(size));
                }
            }
            None => tally.skip(CheckId::V08, place.seq, words::NO_TREE),
        }
        jobs.extend(self.authority.seal(place, size, &contents.seal, tally));
    }

    /// Adds the rows of a group to the tree; one by one where a root inside the group is wanted.
    fn grow(&mut self, group: &RawGroup, contents: &Contents) {
        let (first, end) = (group.header.first_seq, group.header.end_seq());
        if let Some(tree) = &mut self.tree
            && self.anchors.within(first, end)
            && let Ok(body) = GroupBody::parse(&group.header, &group.body)
        {
            let mut tree = tree.clone();
            for hash in body.rows().map_while(|(_, record)| words::stored_hash(record)) {
                tree.push(row_leaf(&hash));
                self.anchors.pass(&tree);
            }
        }
        let joined = match (&mut self.tree, &contents.range) {
            (Some(tree), Some(range)) => tree.join(range),
            _ => false,
        };
        match &self.tree {
            Some(tree) if joined => self.anchors.pass(tree),
            _ => self.tree = None,
        }
    }

    /// The end of the log. `tally` is what was found in all.
    pub fn finish(self, tally: Tally) -> Outcome {
        Outcome {
            tally,
            anchors: self.anchors,
            authority: self.authority,
            span: self.span,
            head: self.head.filter(|_| self.span.is_some()),
            root: self.tree.filter(|_| self.span.is_some()).and_then(|tree| tree.root()),
            landed: self.landed,
        }
    }
}
