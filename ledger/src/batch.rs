//! A batch: submissions decided, encoded and chained into one group, before it is written.

use crate::current::{Current, Staged};
use crate::draft::{Intent, Submission, random_salt};
use crate::error::{ReadError, SubmitError};
use crate::log::{Head, Log};
use crate::lookup::{Entry, HashMap, key_hash};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, RollbackOf};
use counterfoil_format::codec::{CodecError, Cursor, encode_into, within};
use counterfoil_format::content::Effect;
use counterfoil_format::group::{GroupBuilder, SEAL_BYTES};
use counterfoil_format::intent::{IntentHead, IntentId, Kind, Micros};
use counterfoil_format::landing::{LANDING_VERSION, Landing, Outcome, Reason, row_hash};
use counterfoil_format::limits;
use counterfoil_format::ops::{Op, decode_ops, encode_ops, encode_skeleton};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::write_row;
use counterfoil_format::submission::SignedSubmission;
use counterfoil_rules::apply::Applied;
use counterfoil_rules::governance::{Governance, GovernanceError};
use counterfoil_rules::land::{Proposal, land};
use counterfoil_rules::rollback::check_rollback;
use rand::rngs::StdRng;
use std::collections::VecDeque;

/// What the ledger says of a row that landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The row's number.
    pub seq: u64,
    /// The row's hash.
    pub row_hash: Hash,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reasons: Vec<Reason>,
    /// When it landed.
    pub landed_at: Micros,
}

/// What decisions are made from and recorded in.
pub(crate) struct Ground<'g> {
    pub log: &'g Log,
    /// The ids of rows that were decided before and may not be durable yet.
    pub underway: &'g VecDeque<(u64, HashMap<IntentId, u64>)>,
    pub governance: &'g mut Governance,
    pub current: &'g mut Current,
    pub tools: &'g mut Tools,
}

/// Randomness for the salts of rollbacks, and buffers used again for each row.
pub(crate) struct Tools {
    random: StdRng,
    content: Vec<u8>,
    skeleton: Vec<u8>,
    landing: Vec<u8>,
}

impl Tools {
    pub fn new(random: StdRng) -> Self {
        Tools { random, content: Vec::new(), skeleton: Vec::new(), landing: Vec::new() }
    }

    pub fn random(&mut self) -> &mut StdRng {
        &mut self.random
    }
}

/// A group under construction.
pub(crate) struct Batch {
    pub builder: GroupBuilder,
    /// Where each row goes, counted from the start of the group.
    pub entries: Vec<Entry>,
    /// The rows' hashes.
    pub hashes: Vec<Hash>,
    /// The end of the log with these rows; the root is still that without them.
    pub head: Head,
    /// The end of the log without them.
    pub before: Head,
    ids: HashMap<IntentId, u64>,
}

/// What became of a submission that was offered to a batch.
pub(crate) enum Offer {
    /// It is in, or it was refused.
    Answered(Result<Vec<Receipt>, SubmitError>),
    /// It has no place beside the others; it must be offered to the next batch.
    Later,
}

/// What one submission adds, forgotten when one of its intents is refused.
struct Addition<'c> {
    state: Staged<'c>,
    governance: Option<Governance>,
    receipts: Vec<Receipt>,
    head: Head,
}

/// One intent of a submission, and when it lands.
struct Candidate<'s> {
    submission: &'s Submission,
    intent: &'s Intent,
    index: usize,
    now: Micros,
}

/// The rows that were there before the batch.
struct Before<'g> {
    log: &'g Log,
    underway: &'g VecDeque<(u64, HashMap<IntentId, u64>)>,
}

impl Before<'_> {
    fn find_id(&self, id: &IntentId) -> Result<Option<u64>, ReadError> {
        match self.underway.iter().find_map(|(_, ids)| ids.get(id)) {
            Some(row) => Ok(Some(*row)),
            None => self.log.find_id(id),
        }
    }
}

/// The parts of an intent, taken apart.
struct Parts<'s> {
    head: IntentHead<'s>,
    slots: [Option<Slot<'s>>; 7],
}

impl<'s> Parts<'s> {
    fn of(head: &'s [u8], slots: &'s [u8]) -> Result<Self, CodecError> {
        let head = IntentHead::decode(head)?;
        let mut cursor = Cursor::new(slots);
        let mut found = [None; 7];
        for (slot, tag) in found.iter_mut().zip(PartTag::AUTHORED) {
            if head.parts & tag.bit() != 0 {
                *slot = Some(Slot::read(&mut cursor, "a part", limits::PART_BYTES)?);
            }
        }
        cursor.finish()?;
        Ok(Parts { head, slots: found })
    }

    fn content(&self, tag: PartTag) -> Option<&'s [u8]> {
        self.slots.get(tag as usize).copied().flatten()?.bytes()
    }

    fn proposal(&self) -> Result<Proposal<'s>, CodecError> {
        let ops = self.content(PartTag::Ops).map(decode_ops).transpose()?;
        let effects = self.content(PartTag::Effects).map(Effect::decode_all).transpose()?;
        let body =
            self.content(PartTag::Body).map(|bytes| Body::decode(self.head.kind, bytes)).transpose()?;
        Ok(Proposal {
            head: self.head,
            ops: ops.unwrap_or_default(),
            effects: effects.unwrap_or_default(),
            body,
        })
    }
}

impl Batch {
    /// An empty group behind the end of the log.
    pub fn behind(head: Head) -> Self {
        let (entries, hashes, ids) = (Vec::new(), Vec::new(), HashMap::default());
        Batch { builder: GroupBuilder::default(), entries, hashes, head, before: head, ids }
    }

    /// The ids of the batch's rows, when all submissions are in.
    pub fn take_ids(&mut self) -> HashMap<IntentId, u64> {
        std::mem::take(&mut self.ids)
    }

    /// Adds a submission, whole or not at all.
    pub fn offer(&mut self, ground: &mut Ground<'_>, submission: &Submission, now: Micros) -> Offer {
        let here = ground.log.ledger_id();
        if submission.ledger_id() != here {
            let signed = submission.ledger_id();
            return Offer::Answered(Err(SubmitError::OtherLedger { signed, here }));
        }
        if self.builder.rows() as usize + submission.len() > limits::GROUP_ROWS {
            return Offer::Later;
        }
        let (bytes, rows) = (self.builder.len(), self.builder.rows());
        let now = now.max(self.head.landed_at);
        match self.decide(ground, submission, now) {
            Ok((changes, governance, receipts, head)) => {
                for (key, (leaf, row)) in changes {
                    ground.current.set(&key, leaf, row);
                }
                if let Some(governance) = governance {
                    *ground.governance = governance;
                }
                self.head = head;
                self.builder.push_submission(submission.signed());
                Offer::Answered(Ok(receipts))
            }
            Err(error) => {
                self.builder.truncate(bytes, rows);
                self.hashes.truncate(rows as usize);
                for entry in self.entries.drain(rows as usize..) {
                    self.ids.remove(&entry.id);
                }
                let too_large =
                    matches!(error, SubmitError::Format { error: CodecError::TooLarge { .. }, .. });
                if too_large && rows > 0 { Offer::Later } else { Offer::Answered(Err(error)) }
            }
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "the pieces of one submission, taken apart by its only caller"
    )]
    fn decide(
        &mut self,
        ground: &mut Ground<'_>,
        submission: &Submission,
        now: Micros,
    ) -> Result<
        (
            HashMap<String, (Option<counterfoil_rules::state::Leaf>, u64)>,
            Option<Governance>,
            Vec<Receipt>,
            Head,
        ),
        SubmitError,
    > {
        let mut addition = Addition {
            state: Staged { under: ground.current, changes: HashMap::default() },
            governance: None,
            receipts: Vec::with_capacity(submission.len()),
            head: self.head,
        };
        for (index, intent) in submission.intents().iter().enumerate() {
            let candidate = Candidate { submission, intent, index, now };
            let before = Before { log: ground.log, underway: ground.underway };
            self.add(&before, ground.governance, ground.tools, &mut addition, &candidate)?;
        }
        let index = submission.len().saturating_sub(1);
        let tail = SEAL_BYTES + (self.builder.rows() as usize + 1) * SignedSubmission::BYTES;
        within("a group's body", self.builder.len() + tail, limits::GROUP_BYTES)
            .map_err(|error| SubmitError::Format { index, error })?;
        Ok((addition.state.changes, addition.governance, addition.receipts, addition.head))
    }

    fn add(
        &mut self,
        before: &Before<'_>,
        governance: &Governance,
        tools: &mut Tools,
        addition: &mut Addition<'_>,
        candidate: &Candidate<'_>,
    ) -> Result<(), SubmitError> {
        let Candidate { submission, intent, index, now } = *candidate;
        let format = |error| SubmitError::Format { index, error };
        let head_bytes = submission.head(intent);
        let parts = Parts::of(head_bytes, submission.slots(intent)).map_err(format)?;
        let proposal = parts.proposal().map_err(format)?;
        let seq = addition.head.size;
        let governing = addition.governance.as_ref().unwrap_or(governance);
        let landed_as = match self.ids.get(&proposal.head.id) {
            Some(row) => Some(*row),
            None => before.find_id(&proposal.head.id)?,
        };
        let verdict = land(&addition.state, governing, &proposal, seq, landed_as)
            .map_err(|error| SubmitError::Read(ReadError::Index(error)))?
            .map_err(|refusal| SubmitError::Refused { index, refusal })?;
        if let Some(Body::Rollback(rollback)) = &proposal.body {
            check_target(before.log, rollback, &proposal.ops, index)?;
        }
        let rollback = encode_rollback(verdict.applied.as_ref(), tools).map_err(format)?;
        let landing = Landing {
            version: LANDING_VERSION,
            seq,
            landed_at: now,
            outcome: verdict.outcome,
            reasons: verdict.reasons,
            reversibility: verdict.reversibility,
            policy_row: governing.policy_row,
            kill_switch_row: governing.switch_row,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            count: u32::try_from(submission.len()).unwrap_or(u32::MAX),
            rollback: rollback.map(|(_, commitment)| commitment),
        };
        tools.landing.clear();
        encode_into(&landing, &mut tools.landing).map_err(format)?;
        let hash = row_hash(&addition.head.row_hash, &tools.landing, &intent.hash);
        let rollback = rollback.map(|(salt, _)| Slot::Open { salt, bytes: &tools.content });
        let slots = parts.slots.iter().flatten().copied().chain(rollback);
        let write = |out: &mut Vec<u8>| write_row(&tools.landing, head_bytes, slots, &hash, out);
        let offset = self.builder.push_row(write).map_err(format)? as u64;

        if landing.outcome == Outcome::Applied
            && let Some(body) = &proposal.body
        {
            let governing = addition.governance.get_or_insert_with(|| governance.clone());
            let refused = |error: GovernanceError| SubmitError::Refused { index, refusal: error.into() };
            governing.take_in(body, seq).map_err(refused)?;
        }
        if landing.outcome == Outcome::Applied
            && let Some(applied) = verdict.applied
        {
            let changes = applied.into_changes().map(|(key, leaf)| (key.into_owned(), (leaf, seq)));
            addition.state.changes.extend(changes);
        }
        let keys = proposal.ops.iter().map(|op| key_hash(&op.state_key())).collect();
        let special = proposal.head.kind != Kind::Decision;
        self.entries.push(Entry { offset, id: proposal.head.id, special, keys });
        self.ids.insert(proposal.head.id, seq);
        self.hashes.push(hash);
        addition.head = Head { size: seq + 1, row_hash: hash, landed_at: now, ..addition.head };
        let Landing { outcome, reasons, .. } = landing;
        addition.receipts.push(Receipt { seq, row_hash: hash, outcome, reasons, landed_at: now });
        Ok(())
    }
}

/// A rollback row must be the rollback of a row that is there, durable, and was applied.
fn check_target(log: &Log, rollback: &RollbackOf, ops: &[Op<'_>], index: usize) -> Result<(), SubmitError> {
    let stored = log.row(rollback.target)?;
    let target = stored.parse()?;
    check_rollback(rollback, ops, &target)
        .map_err(|fault| SubmitError::Rollback { index, reason: fault.to_string() })
}

/// Encodes the inverse of what a row does into `tools.content`; yields its salt and commitment.
fn encode_rollback(
    applied: Option<&Applied<'_>>,
    tools: &mut Tools,
) -> Result<Option<([u8; 16], Hash)>, CodecError> {
    let Some(applied) = applied else { return Ok(None) };
    let inverse = applied.inverse();
    within("operations of the rollback", inverse.len(), limits::OPS)?;
    tools.content.clear();
    tools.skeleton.clear();
    encode_ops(&inverse, &mut tools.content);
    encode_skeleton(&applied.closed_inverse(), &mut tools.skeleton);
    within("a rollback", tools.content.len(), limits::PART_BYTES)?;
    let salt = random_salt(&mut tools.random);
    Ok(Some((salt, PartTag::Rollback.commit(&salt, &tools.skeleton))))
}
