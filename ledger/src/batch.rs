//! A batch: submissions decided one after the other, before their rows are encoded, hashed and written.
//!
//! Deciding needs the state, so it is done by one thread at a time. Whatever can wait until the order of the rows is
//! settled is left to [`crate::chain`].

use crate::cited::check_cited;
use crate::current::{Change, Current};
use crate::draft::random_salt;
use crate::error::{ReadError, SubmitError};
use crate::log::Log;
use crate::lookup::HashMap;
use crate::room;
use crate::submission::{Intent, Submission};
use crate::surroundings::Surroundings;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, EffectStatus};
use counterfoil_format::codec::{CodecError, within};
use counterfoil_format::group::{GROUP_HEADER_BYTES, SEAL_BYTES};
use counterfoil_format::intent::{IntentId, KeyId, Kind, Micros};
use counterfoil_format::landing::{Outcome, Reason, Reversibility};
use counterfoil_format::limits;
use counterfoil_format::ops::{encode_ops, encode_skeleton};
use counterfoil_format::part::Salt;
use counterfoil_format::submission::SignedSubmission;
use counterfoil_rules::apply::Applied;
use counterfoil_rules::gates::Measured;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::land::{Landing, Proposal, Refusal, admit, is_gated, land};
use counterfoil_rules::limits::{Counted, Limits};
use rand::rngs::StdRng;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// What decisions are made from and recorded in.
pub(crate) struct Ground<'g> {
    pub log: &'g Log,
    /// What was decided before and may not be durable yet.
    pub underway: &'g VecDeque<(u64, Fresh)>,
    pub governance: &'g mut Governance,
    pub limits: &'g mut Limits,
    pub current: &'g mut Current,
    /// The keys at hand that could seal.
    pub seal_keys: &'g [KeyId],
    /// For the salts of rollbacks.
    pub random: &'g mut StdRng,
}

/// What is decided and not durable yet, as later decisions look it up.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    /// The rows by their ids.
    ids: HashMap<IntentId, u64>,
    /// What applied evidence rows have measured.
    pub readings: HashMap<u64, Measured>,
    /// The status of the calls that applied outcome rows tell of, by row and effect.
    pub calls: HashMap<(u64, u32), EffectStatus>,
}

/// How far decisions have gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// How many rows.
    pub size: u64,
    /// When the last of them lands.
    pub landed_at: Micros,
    /// The latest time at which anything was decided, refused or not: what has left the window of a limit by then is
    /// forgotten, so nothing lands earlier, although the clock goes back.
    pub decided_at: Micros,
}

/// A group under construction.
pub(crate) struct Batch {
    /// How far they have gone with it.
    pub end: End,
    /// What became of each submission, in the order they were offered.
    pub decided: Vec<Result<Decided, SubmitError>>,
    /// Why the state index has failed, when it has; the submission is to be offered again over another one.
    pub index_failed: Option<String>,
    /// The key that seals the group: the one in force behind its last row. Unknown when there is but one at hand.
    pub sealing: Option<KeyId>,
    fresh: Fresh,
    rows: usize,
    bytes: usize,
}

/// A submission that lands.
pub(crate) struct Decided {
    pub submission: Submission,
    pub landed_at: Micros,
    /// What was decided of each intent.
    pub rulings: Vec<Ruling>,
    /// The rollbacks: of each, its content and then its skeleton.
    pub rollbacks: Vec<u8>,
}

/// What was decided of an intent: its landing, but for what follows from its place.
pub(crate) struct Ruling {
    pub outcome: Outcome,
    pub reasons: Vec<Reason>,
    pub reversibility: Reversibility,
    pub policy_row: u64,
    pub switch_row: u64,
    pub rollback: Option<Rollback>,
}

/// A rollback, by where it lies in [`Decided::rollbacks`].
pub(crate) struct Rollback {
    pub salt: Salt,
    pub content: Range<usize>,
    pub skeleton: Range<usize>,
}

/// What one submission adds, taken back when one of its intents is refused.
struct Addition<'s> {
    /// What stood in place of each change to the state, in the order they were made.
    replaced: Vec<(Cow<'s, str>, Option<Change>)>,
    governance: Option<Governance>,
    /// The calls that were told of, each with the status that it had before in this group.
    told: Vec<((u64, u32), Option<EffectStatus>)>,
    /// What was counted for limits.
    counted: Vec<Counted>,
    /// The limits before a policy replaced them, and how much of `counted` was in them.
    limits: Option<(Limits, usize)>,
    rulings: Vec<Ruling>,
    rollbacks: Vec<u8>,
    /// Bytes of its rows, at most.
    bytes: usize,
}

impl Addition<'_> {
    /// Checks that the key which seals behind the intents so far is at hand: nothing could be written otherwise.
    fn check_sealing(&self, at_hand: &[KeyId]) -> Result<(), SubmitError> {
        let sealing = self.governance.as_ref().and_then(|governing| governing.keys.sealing());
        let missing = sealing.map(|key| key.key.id()).filter(|key| !at_hand.contains(key));
        missing.map_or(Ok(()), |key| Err(SubmitError::NoSealKey { index: self.rulings.len(), key }))
    }
}

impl Ground<'_> {
    /// The row with an id, of those that were there before the batch.
    fn find_id(&self, id: &IntentId) -> Result<Option<u64>, ReadError> {
        match self.underway.iter().find_map(|(_, fresh)| fresh.ids.get(id)) {
            Some(row) => Ok(Some(*row)),
            None => self.log.find_id(id),
        }
    }
}

impl Batch {
    /// An empty group behind the rows decided so far.
    pub fn behind(end: End) -> Self {
        let bytes = GROUP_HEADER_BYTES + SEAL_BYTES;
        let (decided, fresh) = (Vec::new(), Fresh::default());
        Batch { end, decided, index_failed: None, sealing: None, fresh, rows: 0, bytes }
    }

    /// Row 0, which nothing can be asked about.
    pub fn genesis(submission: Submission, landed_at: Micros) -> Self {
        let ruling = Ruling {
            outcome: Outcome::Applied,
            reasons: Vec::new(),
            reversibility: Reversibility::Exact,
            policy_row: 0,
            switch_row: 0,
            rollback: None,
        };
        let end = End { size: 1, landed_at, decided_at: landed_at };
        let rulings = vec![ruling];
        let decided = vec![Ok(Decided { submission, landed_at, rulings, rollbacks: Vec::new() })];
        Batch { decided, rows: 1, ..Self::behind(end) }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the group, at most.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What later batches look up, when all submissions are in.
    pub fn take_fresh(&mut self) -> Fresh {
        std::mem::take(&mut self.fresh)
    }

    /// Decides a submission, which lands whole or not at all. It is given back when it has no place beside the others
    /// and must be offered to the next batch.
    pub fn offer(
        &mut self,
        ground: &mut Ground<'_>,
        submission: Submission,
        now: Micros,
    ) -> Option<Submission> {
        if self.rows + submission.intents().len() > limits::GROUP_ROWS {
            return Some(submission);
        }
        let landed_at = now.max(self.end.decided_at);
        self.end.decided_at = landed_at;
        let signed = submission.check_signer(&ground.governance.keys);
        match signed.and_then(|()| self.decide(ground, &submission, landed_at)) {
            Ok((bytes, rulings, rollbacks)) => {
                self.rows += rulings.len();
                self.bytes += bytes;
                self.end.size += rulings.len() as u64;
                self.end.landed_at = landed_at;
                self.decided.push(Ok(Decided { submission, landed_at, rulings, rollbacks }));
                None
            }
            Err(SubmitError::Format { error: CodecError::TooLarge { .. }, .. }) if self.rows > 0 => {
                Some(submission)
            }
            Err(SubmitError::Read(ReadError::Index(reason))) => {
                self.index_failed = Some(reason);
                Some(submission)
            }
            Err(error) => {
                self.decided.push(Err(error));
                None
            }
        }
    }

    /// Answers a submission without deciding it.
    pub fn refuse(&mut self, error: SubmitError) {
        self.decided.push(Err(error));
    }

    /// Decides all intents of a submission and takes in what they change, or nothing of it.
    fn decide(
        &mut self,
        ground: &mut Ground<'_>,
        submission: &Submission,
        landed_at: Micros,
    ) -> Result<(usize, Vec<Ruling>, Vec<u8>), SubmitError> {
        let intents = submission.intents();
        let mut addition = Addition {
            replaced: Vec::with_capacity(intents.len()),
            governance: None,
            told: Vec::new(),
            counted: Vec::new(),
            limits: None,
            rulings: Vec::with_capacity(intents.len()),
            rollbacks: Vec::new(),
            bytes: SignedSubmission::BYTES,
        };
        let verdicts = if submission.verdicts_hold { None } else { Some(submission.ledger_id) };
        let decided = (self.end.size..).zip(intents).try_for_each(|(seq, intent)| {
            let place = Landing { seq, landed_at };
            self.add(ground, &mut addition, place, intent, verdicts.as_ref())
        });
        if let Err(error) = decided {
            for (seq, intent) in (self.end.size..).zip(intents).take(addition.rulings.len()) {
                self.fresh.ids.remove(&intent.proposal.head.id);
                self.fresh.readings.remove(&seq);
            }
            for (call, before) in addition.told.into_iter().rev() {
                match before {
                    Some(status) => drop(self.fresh.calls.insert(call, status)),
                    None => drop(self.fresh.calls.remove(&call)),
                }
            }
            if let Some((limits, counted)) = addition.limits {
                *ground.limits = limits;
                addition.counted.truncate(counted);
            }
            ground.limits.take_back(addition.counted);
            for (key, change) in addition.replaced.into_iter().rev() {
                ground.current.put_back(&key, change);
            }
            return Err(error);
        }
        if let Some(governance) = addition.governance {
            *ground.governance = governance;
        }
        Ok((addition.bytes, addition.rulings, addition.rollbacks))
    }

    /// Decides an intent. `verdicts` is the ledger's id when judges' signatures are still to be checked.
    fn add<'s>(
        &mut self,
        ground: &mut Ground<'_>,
        addition: &mut Addition<'s>,
        place: Landing,
        intent: &Intent<'s>,
        verdicts: Option<&Hash>,
    ) -> Result<(), SubmitError> {
        let (index, seq) = (addition.rulings.len(), place.seq);
        let proposal = &intent.proposal;
        let id = proposal.head.id;
        let format = |error| SubmitError::Format { index, error };
        let refused = |refusal| SubmitError::Refused { index, refusal };
        let governing = addition.governance.as_ref().unwrap_or(ground.governance);
        let landed_as = match self.fresh.ids.get(&id) {
            Some(row) => Some(*row),
            None => ground.find_id(&id)?,
        };
        admit(governing, proposal, place, landed_as).map_err(refused)?;
        if let (Some(ledger_id), Some(attestation)) = (verdicts, intent.attestation())
            && let Some(judge) = governing.keys.get(&attestation.key)
        {
            intent.check_verdict(ledger_id, &judge.key).map_err(refused)?;
        }
        let world = Surroundings {
            current: ground.current,
            log: ground.log,
            underway: ground.underway,
            fresh: &self.fresh,
        };
        let put_aside = check_cited(&world, governing, intent, index, place.landed_at)?;
        let verdict = land(&world, governing, ground.limits, proposal, place, put_aside.as_ref())?;
        let (policy_row, switch_row) = (governing.in_force.policy_row, governing.in_force.switch_row);
        let rollback = encode_rollback(verdict.applied.as_ref(), ground.random, &mut addition.rollbacks);
        let rollback = rollback.map_err(format)?;
        let content = rollback.as_ref().map(|rollback| rollback.content.len());
        let size = room::row(intent.bytes(), content).map_err(format)?;
        within("a group's body", self.bytes + addition.bytes + size, limits::GROUP_BYTES).map_err(format)?;
        if let Some(applied) = &verdict.applied {
            room::of_rollback(applied, intent.bytes(), content.unwrap_or_default()).map_err(format)?;
        }

        if verdict.outcome == Outcome::Applied {
            self.take_in(ground, addition, proposal, place).map_err(refused)?;
            addition.check_sealing(ground.seal_keys)?;
            for (key, leaf) in verdict.applied.into_iter().flat_map(Applied::into_changes) {
                let replaced = ground.current.set(&key, leaf, seq);
                addition.replaced.push((key, replaced));
            }
        }
        addition.bytes += size;
        self.fresh.ids.insert(id, seq);
        addition.rulings.push(Ruling {
            outcome: verdict.outcome,
            reasons: verdict.reasons,
            reversibility: verdict.reversibility,
            policy_row,
            switch_row,
            rollback,
        });
        Ok(())
    }

    /// Takes in what an applied row changes for the rows behind it, but for the state.
    fn take_in(
        &mut self,
        ground: &mut Ground<'_>,
        addition: &mut Addition<'_>,
        proposal: &Proposal<'_>,
        place: Landing,
    ) -> Result<(), Refusal> {
        if is_gated(proposal) {
            let (action, counted) = (proposal.head.action, &mut addition.counted);
            let Ok(()) = ground.limits.count(action, place.landed_at, proposal, counted);
        }
        let Some(body) = &proposal.body else { return Ok(()) };
        if Governance::is_changed_by(proposal.head.kind, Some(body)) {
            let governing = addition.governance.get_or_insert_with(|| ground.governance.clone());
            governing.take_in(body, place.seq, place.landed_at)?;
            if proposal.head.kind == Kind::Policy {
                let counted = addition.counted.len();
                addition.limits.get_or_insert_with(|| (ground.limits.clone(), counted));
                ground.limits.follow(&governing.in_force.policy.limits);
            }
        }
        if let Body::Evidence(reading) = body {
            let measured = Measured {
                metric: reading.metric.to_owned(),
                entity: proposal.entity.map(str::to_owned),
                value: reading.value,
            };
            self.fresh.readings.insert(place.seq, measured);
        }
        if let Body::Outcome(outcome) = body {
            let call = (outcome.row, outcome.effect);
            addition.told.push((call, self.fresh.calls.insert(call, outcome.status)));
        }
        Ok(())
    }
}

/// Appends the inverse of what a row does, and its skeleton.
fn encode_rollback(
    applied: Option<&Applied<'_>>,
    random: &mut StdRng,
    out: &mut Vec<u8>,
) -> Result<Option<Rollback>, CodecError> {
    let Some(applied) = applied else { return Ok(None) };
    let inverse = applied.inverse();
    within("operations of the rollback", inverse.len(), limits::OPS)?;
    let start = out.len();
    encode_ops(&inverse, out);
    let content = start..out.len();
    within("a rollback", content.len(), limits::PART_BYTES)?;
    encode_skeleton(&applied.closed_inverse(), out);
    Ok(Some(Rollback { salt: random_salt(random), skeleton: content.end..out.len(), content }))
}
