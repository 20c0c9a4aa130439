//! One group by itself: all of V01 to V08 that can be known without its neighbours.
//!
//! Groups are taken apart on all cores at once; [`crate::parallel`] joins what comes of them. A group says the hash of
//! the row before it, so its own rows are chained from there; whether that hash is the right one shows at the joint.

use crate::check::CheckId;
use crate::facts::{Part, Piece, RowFacts, Said, Seen};
use crate::meaning::check_evidence;
use crate::tally::{Place, Tally};
use crate::walk::RawGroup;
use crate::words;
use counterfoil_format::Hash;
use counterfoil_format::body::Body;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Context, Evidence, check_parts, check_shape};
use counterfoil_format::group::{GROUP_HEADER_BYTES, GroupBody, Seal};
use counterfoil_format::intent::{Micros, intent_hash};
use counterfoil_format::merkle::{CompactRange, leaf_hash, row_leaf};
use counterfoil_format::ops::{Change, Op, skeleton_of};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;
use counterfoil_format::submission::SignedSubmission;

/// A group by itself.
#[derive(Debug)]
pub(crate) struct Partial {
    pub tally: Tally,
    /// What stands in it; an error when its rows cannot be told apart.
    pub contents: Result<Contents, CodecError>,
}

/// What stands in a group.
#[derive(Debug)]
pub(crate) struct Contents {
    pub rows: Vec<Seen>,
    /// Where the rows' skeletons and bodies are kept.
    pub arena: Vec<u8>,
    pub submissions: Vec<SignedSubmission>,
    pub seal: Seal,
    /// Where the submissions begin in the segment.
    pub signed_at: u64,
    /// The tree over its rows; `None` when a row has no hash.
    pub range: Option<CompactRange>,
    /// The last row's hash as it is stored.
    pub head: Option<Hash>,
    /// When and where the first readable row landed.
    pub first_landed: Option<(Place, Micros)>,
    /// When the last readable row landed.
    pub last_landed: Option<Micros>,
}

impl Partial {
    /// Takes a group apart. `meaning` says whether the checks from V14 on are asked for.
    pub fn of(group: &RawGroup, meaning: bool) -> Self {
        let mut tally = Tally::default();
        let first = group.header.first_seq;
        let place = Place { seq: first, file: group.file, offset: group.offset };
        tally.counts.groups += 1;
        tally.checked(CheckId::V01, 1);
        if !group.header.matches(&group.body, &group.salt) {
            tally.fault(CheckId::V01, place, Some(first), words::group_checksum(group));
        }
        if group.header.durable_upto > group.offset {
            tally.fault(CheckId::V01, place, Some(first), words::DURABLE.to_owned());
        }
        let contents = GroupBody::parse(&group.header, &group.body).map(|body| {
            let mut rows = Rows::new(group, &body, meaning, &mut tally);
            rows.read(&body);
            rows.contents
        });
        Partial { tally, contents }
    }
}

/// Goes through the rows of a group.
struct Rows<'t> {
    tally: &'t mut Tally,
    contents: Contents,
    meaning: bool,
    file: u32,
    /// Where the body begins in the segment.
    base: u64,
    first_seq: u64,
}

impl<'t> Rows<'t> {
    fn new(group: &RawGroup, body: &GroupBody<'_>, meaning: bool, tally: &'t mut Tally) -> Self {
        let base = group.offset + GROUP_HEADER_BYTES as u64;
        let contents = Contents {
            rows: Vec::with_capacity(body.rows().len()),
            arena: Vec::with_capacity(group.body.len() / 2),
            submissions: body.submissions.clone(),
            seal: body.seal,
            signed_at: base + words::rows_end(body),
            range: Some(CompactRange::starting_at(group.header.first_seq)),
            head: Some(group.header.previous),
            first_landed: None,
            last_landed: None,
        };
        let first_seq = group.header.first_seq;
        Rows { tally, contents, meaning, file: group.file, base, first_seq }
    }

    fn read(&mut self, body: &GroupBody<'_>) {
        let mut rows = body.rows().zip(self.first_seq..);
        let mut signed_at = self.contents.signed_at;
        let (mut read, mut lost) = (0u64, 0u64);
        for submission in &body.submissions {
            let mut intents = Some(CompactRange::starting_at(0));
            let mut first = None;
            for (index, ((start, record), seq)) in (0..submission.count).zip(&mut rows) {
                first.get_or_insert(seq);
                let place = Place { seq, file: self.file, offset: self.base + start as u64 };
                let seen = match self.row(record, place, (index, submission.count)) {
                    Ok(facts) => {
                        intents.iter_mut().for_each(|range| range.push(leaf_hash(&facts.intent.0)));
                        read += 1;
                        Seen::Row(facts)
                    }
                    Err(error) => {
                        self.tally.fault(CheckId::V02, place, Some(seq), error.to_string());
                        self.tally.skip_rows(CheckId::OF_ROWS, seq, 1);
                        intents = None;
                        lost += 1;
                        Seen::Unreadable(seq)
                    }
                };
                self.contents.rows.push(seen);
            }
            let place = Place { seq: first.unwrap_or(0), file: self.file, offset: signed_at };
            self.submission_root(submission, place, intents.as_ref());
            signed_at += SignedSubmission::BYTES as u64;
        }
        self.tally.rows += read + lost;
        self.tally.checked(CheckId::V02, read + lost);
        [CheckId::V03, CheckId::V04, CheckId::V07].iter().for_each(|check| self.tally.checked(*check, read));
    }

    fn submission_root(
        &mut self,
        submission: &SignedSubmission,
        place: Place,
        intents: Option<&CompactRange>,
    ) {
        self.tally.counts.submissions += 1;
        let Some(intents) = intents else {
            return self.tally.skip(CheckId::V06, place.seq, words::UNREADABLE);
        };
        self.tally.checked(CheckId::V06, 1);
        if intents.root() != Some(submission.root) {
            let message = words::submission_root(place.seq, submission.count);
            self.tally.fault(CheckId::V06, place, Some(place.seq), message);
        }
    }

    /// One row: its link in the chain and in the tree, then what it says.
    fn row(
        &mut self,
        record: &[u8],
        place: Place,
        in_submission: (u32, u32),
    ) -> Result<RowFacts, CodecError> {
        let contents = &mut self.contents;
        let previous = contents.head;
        contents.head = words::stored_hash(record);
        match (&mut contents.range, contents.head) {
            (Some(range), Some(hash)) => range.push(row_leaf(&hash)),
            _ => contents.range = None,
        }

        let row = Row::parse(record)?;
        let parts = Parts::read(&row).or_else(|_| check_parts(&row).map(|()| Parts::default()))?;
        let mut facts =
            RowFacts::of(&row, &parts.said, place.seq, place.offset, Hash::ZERO, &mut contents.arena)?;
        let rollback = hash_parts(&row, &mut facts, &mut contents.arena)?;

        let (landing, seq) = (&row.landing, Some(place.seq));
        let tally = &mut *self.tally;
        let mut fault = |check, message: &str| tally.fault(check, place, seq, message.to_owned());
        if landing.seq != place.seq {
            fault(CheckId::V03, &words::other_number(landing.seq));
        }
        if (landing.index, landing.count) != in_submission {
            fault(CheckId::V03, words::OTHER_PLACE);
        }
        if contents.last_landed.is_some_and(|before| landing.landed_at < before) {
            fault(CheckId::V04, words::BACK_IN_TIME);
        }
        if rollback != landing.rollback {
            fault(CheckId::V05, words::ROLLBACK_COMMITMENT);
        }
        if previous.is_some_and(|previous| row.chained(&previous, &facts.intent) != row.row_hash) {
            fault(CheckId::V07, words::ROW_HASH);
        }
        tally.checked(CheckId::V05, u64::from(landing.rollback.is_some()));
        contents.last_landed = Some(landing.landed_at);
        contents.first_landed.get_or_insert((place, landing.landed_at));
        tally.count_row(&row);
        tally.counts.closed_values += parts.closed_values;
        if self.meaning {
            check_evidence(&row, &parts.evidence, place, tally);
        }
        Ok(facts)
    }
}

/// Computes the intent hash into the facts, keeping the skeletons; yields the commitment of the rollback.
fn hash_parts(row: &Row<'_>, facts: &mut RowFacts, arena: &mut Vec<u8>) -> Result<Option<Hash>, CodecError> {
    let mut commitments = [Hash::ZERO; PartTag::AUTHORED.len()];
    let mut places = commitments.iter_mut();
    for tag in PartTag::AUTHORED {
        let Some(slot) = row.part(tag) else { continue };
        let commitment = match slot {
            Slot::Closed(commitment) => commitment,
            Slot::Open { .. } if tag == PartTag::Ops => {
                let (part, commitment) = skeleton(tag, slot, arena)?;
                facts.ops = part;
                commitment
            }
            Slot::Open { salt, bytes } => tag.commit(&salt, bytes),
        };
        places.next().into_iter().for_each(|place| *place = commitment);
    }
    let absent = places.len();
    let present = commitments.get(..commitments.len() - absent).unwrap_or_default();
    facts.intent = intent_hash(row.head_bytes, present);
    facts.claim(row, present, arena);
    if let Some(Slot::Closed(_)) = row.part(PartTag::Ops) {
        facts.ops = Part::Closed;
    }
    let Some(slot) = row.part(PartTag::Rollback) else { return Ok(None) };
    let (part, commitment) = skeleton(PartTag::Rollback, slot, arena)?;
    facts.rollback = part;
    Ok(Some(commitment))
}

/// Puts the skeleton of a part into the arena and commits to it there.
fn skeleton(tag: PartTag, slot: Slot<'_>, arena: &mut Vec<u8>) -> Result<(Part, Hash), CodecError> {
    let (salt, bytes) = match slot {
        Slot::Closed(commitment) => return Ok((Part::Closed, commitment)),
        Slot::Open { salt, bytes } => (salt, bytes),
    };
    let start = arena.len();
    skeleton_of(bytes, arena)?;
    let commitment = tag.commit(&salt, arena.get(start..).unwrap_or_default());
    Ok((Part::Open(Piece::since(start, arena)), commitment))
}

/// The content of the parts, as far as it is needed again.
#[derive(Default)]
struct Parts<'a> {
    said: Said<'a>,
    evidence: Vec<Evidence<'a>>,
    closed_values: u64,
}

impl<'a> Parts<'a> {
    /// Accepts exactly what [`check_parts`] accepts, and keeps what it decodes. What is refused here is looked at
    /// again there, which knows what to say about it.
    fn read(row: &Row<'a>) -> Result<Self, CodecError> {
        check_shape(row.head.kind, row.head.parts)?;
        let content = |tag| row.content(tag);
        let said = Said::read(row)?;
        let evidence = content(PartTag::Evidence).map(Evidence::decode_all).transpose()?;
        let mut closed_values = closed(row.ops(PartTag::Ops)?);
        content(PartTag::Context).map(Context::decode).transpose()?;
        content(PartTag::Body).map(|bytes| Body::decode(row.head.kind, bytes)).transpose()?;
        closed_values += closed(row.ops(PartTag::Rollback)?);
        Ok(Parts { said, evidence: evidence.unwrap_or_default(), closed_values })
    }
}

fn closed(ops: Option<Vec<Op<'_>>>) -> u64 {
    let ops = ops.unwrap_or_default();
    ops.iter().filter(|op| matches!(op.change, Change::Put(Slot::Closed(_)))).count() as u64
}
