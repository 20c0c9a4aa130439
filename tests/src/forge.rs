//! The forge: writes a ledger byte by byte from drafts, honest where nothing is overridden.
//!
//! It is no ledger: nothing is refused and nothing is durable. Rows that break the rules are written as asked, with
//! hashes, signatures and checksums that hold, so that only the check that looks at the broken rule can object.
//! Everything follows from the seed; two runs give the same bytes.

use crate::draft::{Draft, EXECUTOR, Group, LEDGER, OPERATOR, OWNER, Rollback, Submission, Who};
use crate::founding::Founding;
use crate::output::{Ledger, Sink};
use crate::piece::{Piece, inverse_content, pieces};
use crate::rng::Rng;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange, Role, Scope, SwitchAct};
use counterfoil_format::codec::encode;
use counterfoil_format::content::{Actors, Attestation, Effect, Evidence, Subject};
use counterfoil_format::frame::SegmentHeader;
use counterfoil_format::group::{GroupBuilder, Seal};
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, IntentId, KeyId, Micros, intent_hash};
use counterfoil_format::key::{PublicKey, SignatureBytes, key_id};
use counterfoil_format::landing::{LANDING_VERSION, Landing, Outcome, row_hash};
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::note::{SignedNote, VerifierKey, checkpoint_text};
use counterfoil_format::ops::decode_ops;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::{Row, write_row};
use counterfoil_format::submission::{SignedSubmission, submission_message, submission_root};
use counterfoil_format::verdict::{verdict_message, write_claim};
use counterfoil_rules::apply::{Applied, apply};
use counterfoil_rules::cited::PutAside;
use counterfoil_rules::gates::{Measured, reversibility};
use counterfoil_rules::governance::Governance;
use counterfoil_rules::land as rules;
use counterfoil_rules::limits::Limits;
use counterfoil_rules::state::MapState;
use ed25519_dalek::{Signer, SigningKey};
use std::collections::BTreeMap;

/// When row 0 lands: 2026-11-23 09:00 UTC.
pub const EPOCH: Micros = 1_795_424_400_000_000;
/// The time from row to row.
pub const TICK: Micros = 1_000;

/// Writes ledgers. See the module.
pub struct Forge {
    /// The random numbers that salts and ids come from.
    pub rng: Rng,
    /// The state after the rows so far.
    pub state: MapState,
    /// What limits have counted after the rows so far.
    pub limits: Limits,
    /// What the rows so far have measured.
    pub readings: BTreeMap<u64, Measured>,
    /// What governs after the rows so far; `None` before row 0.
    pub governance: Option<Governance>,
    /// The number of the next row.
    pub next_seq: u64,
    /// The hash of the last row.
    pub head: Hash,
    /// The ledger's id.
    pub ledger_id: Hash,
    /// When the next row lands.
    pub clock: Micros,
    pub(crate) founding: Founding,
    keys: Vec<SigningKey>,
    tree: CompactRange,
    pub(crate) sink: Sink,
    checkpoint: String,
}

impl Forge {
    /// A ledger in memory with its first four rows: genesis, the executor's and the operator's key, and the kill
    /// switch in the operator's hands.
    pub fn new(seed: u64) -> Self {
        Forge::founded(seed, Founding::default(), Sink::memory())
    }

    /// The same with another founding, written elsewhere.
    pub fn founded(seed: u64, founding: Founding, sink: Sink) -> Self {
        let mut forge = Forge::unborn(seed, founding, sink);
        let genesis = forge.genesis();
        forge.submit(vec![genesis]);
        let grant = |forge: &Forge, who, role: Role| {
            let key = forge.public(who);
            Draft::body(&Body::Key(KeyChange::Grant {
                key,
                roles: role.bit(),
                name: role.name(),
                scope: Scope::default(),
            }))
        };
        let grants = [grant(&forge, EXECUTOR, Role::Executor), grant(&forge, OPERATOR, Role::Operator)];
        let hand_over = forge.switch(SwitchAct::HandOver, false).by(OWNER);
        forge.submit(grants.into_iter().chain([hand_over]).collect());
        forge
    }

    /// A ledger without any row yet.
    pub fn unborn(seed: u64, founding: Founding, sink: Sink) -> Self {
        let mut forge = Forge {
            rng: Rng::new(seed),
            state: MapState::default(),
            limits: Limits::default(),
            readings: BTreeMap::new(),
            governance: None,
            next_seq: 0,
            head: Hash::ZERO,
            ledger_id: Hash::ZERO,
            clock: EPOCH,
            founding,
            keys: Vec::new(),
            tree: CompactRange::starting_at(0),
            sink,
            checkpoint: String::new(),
        };
        for _ in [OWNER, LEDGER, EXECUTOR, OPERATOR] {
            forge.new_key();
        }
        forge
    }

    /// Makes a key. No row enrols it yet.
    pub fn new_key(&mut self) -> Who {
        self.keys.push(SigningKey::from_bytes(&self.rng.bytes()));
        Who(self.keys.len() - 1)
    }

    /// The bytes of a public key.
    pub fn public(&self, who: Who) -> [u8; 32] {
        self.keys[who.0].verifying_key().to_bytes()
    }

    /// The id of a key.
    pub fn key_id(&self, who: Who) -> KeyId {
        key_id(&self.public(who))
    }

    /// Signs with one of the keys.
    pub fn sign(&self, who: Who, message: &[u8]) -> SignatureBytes {
        SignatureBytes(self.keys[who.0].sign(message).to_bytes())
    }

    /// The name under which a key signs notes.
    pub fn verifier_key(&self, who: Who) -> VerifierKey {
        let key = PublicKey::enrol(&self.public(who)).unwrap();
        VerifierKey { name: self.founding.origin.to_owned(), key }
    }

    /// Writes an honest group of one honest submission.
    pub fn submit(&mut self, drafts: Vec<Draft>) {
        self.write(Group::new(vec![Submission::new(drafts)]));
    }

    /// Writes a group, in a new segment when the one before is full.
    pub fn write(&mut self, group: Group) {
        let (first_seq, previous) = (self.next_seq, self.head);
        let mut builder = GroupBuilder::default();
        for submission in group.submissions {
            self.write_submission(submission, &mut builder);
        }
        self.sink.make_room(self.founding.segment_bytes, || SegmentHeader {
            first_seq,
            salt: self.rng.bytes(),
            ledger_id: self.ledger_id,
            previous,
        });
        let root = group.root.unwrap_or_else(|| self.tree.root().unwrap());
        let size = group.size.unwrap_or(self.next_seq);
        let sealer = group.sealer.unwrap_or_else(|| self.sealer());
        let text = checkpoint_text(self.founding.origin, size, &root);
        let signature = self.sign(sealer, text.as_bytes());
        self.checkpoint = SignedNote::new(text, &self.verifier_key(sealer), &signature).to_string();
        let bytes = builder
            .finish(
                group.first_seq.unwrap_or(first_seq),
                group.durable_upto.unwrap_or_else(|| self.sink.offset()),
                &group.previous.unwrap_or(previous),
                self.sink.salt(),
                &Seal { root, signature },
            )
            .unwrap();
        self.sink.push(&bytes);
    }

    /// Closes the segment although it is not full.
    pub fn close_segment(&mut self) {
        self.sink.close();
    }

    /// The ledger as it stands.
    pub fn finish(self) -> Ledger {
        Ledger {
            segments: self.sink.finish(&self.checkpoint),
            checkpoint: self.checkpoint,
            origin: self.founding.origin.to_owned(),
            ledger_id: self.ledger_id,
            owner: self.keys[OWNER.0].verifying_key().to_bytes(),
            rows: self.next_seq,
        }
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    fn sealer(&self) -> Who {
        let sealing = self.governance.as_ref().and_then(|governance| governance.keys.sealing());
        let place = sealing.and_then(|sealing| {
            self.keys.iter().position(|key| key.verifying_key().as_bytes() == sealing.key.as_bytes())
        });
        place.map_or(LEDGER, Who)
    }

    fn write_submission(&mut self, submission: Submission, builder: &mut GroupBuilder) {
        let count = u32::try_from(submission.drafts.len()).unwrap();
        let author = submission.drafts.first().map_or(OWNER, |draft| draft.author);
        let mut intents = Vec::with_capacity(submission.drafts.len());
        for (index, draft) in submission.drafts.into_iter().enumerate() {
            let place = (u32::try_from(index).unwrap(), count);
            intents.push(self.write_row(draft, place, builder));
        }
        let root = submission.root.unwrap_or_else(|| submission_root(&intents));
        let ledger_id = submission.ledger_id.unwrap_or(self.ledger_id);
        let signature = submission.signature.unwrap_or_else(|| {
            self.sign(submission.signer.unwrap_or(author), &submission_message(&ledger_id, count, &root))
        });
        builder.push_submission(SignedSubmission { count, root, signature });
    }

    /// Lands one row and yields the hash of its intent.
    fn write_row(&mut self, mut draft: Draft, place: (u32, u32), builder: &mut GroupBuilder) -> Hash {
        let mut pieces = pieces(&mut self.rng, &mut draft);
        let seq = self.next_seq;
        let landed_at = self.clock;
        let head = IntentHead {
            version: INTENT_VERSION,
            id: draft.id.unwrap_or_else(|| IntentId(self.rng.bytes())),
            kind: draft.kind,
            author: draft.author_id.unwrap_or_else(|| self.key_id(draft.author)),
            action: &draft.action,
            tier: draft.tier,
            mode: draft.mode,
            authored_at: draft.authored_at.unwrap_or(landed_at - TICK / 2),
            parts: pieces.iter().fold(0, |bits, piece| bits | piece.tag.bit()),
        };
        self.attest(&draft, &head, &mut pieces);
        let mut head_bytes = encode(&head).unwrap();
        draft.edit_head_bytes.take().into_iter().for_each(|edit| edit(&mut head_bytes));
        let commitments: Vec<Hash> = pieces.iter().map(|piece| piece.commitment).collect();
        let intent = intent_hash(&head_bytes, &commitments);
        if seq == 0 {
            self.ledger_id = intent;
        }

        let (mut landing, rollback) = self.land(&draft, &pieces, place);
        let salt = self.rng.bytes();
        pieces.extend(rollback.map(|content| Piece::new(PartTag::Rollback, salt, content)));
        landing.rollback =
            pieces.last().filter(|piece| piece.tag == PartTag::Rollback).map(|piece| piece.commitment);
        draft.edit_landing.take().into_iter().for_each(|edit| edit(&mut landing));
        let mut landing_bytes = encode(&landing).unwrap();
        draft.edit_landing_bytes.take().into_iter().for_each(|edit| edit(&mut landing_bytes));

        let hash = row_hash(&draft.previous.unwrap_or(self.head), &landing_bytes, &intent);
        let hash = draft.row_hash.unwrap_or(hash);
        for piece in pieces.iter_mut().filter(|_| draft.close_values) {
            if matches!(piece.tag, PartTag::Ops | PartTag::Rollback) {
                piece.close_values();
            }
        }
        let mut record = Vec::with_capacity(512);
        let slots = pieces.iter().map(|piece| piece.slot(draft.closed));
        write_row(&landing_bytes, &head_bytes, slots, &hash, &mut record);
        draft.edit_record.take().into_iter().for_each(|edit| edit(&mut record));
        let at = builder.push_row(|out| out.extend_from_slice(&record)).unwrap();
        self.sink.note_row(at, record.len());

        self.head = hash;
        self.tree.push(row_leaf(&hash));
        self.next_seq += 1;
        self.clock += TICK;
        intent
    }

    /// Puts the judge's signature into the actors, when one is asked for.
    fn attest(&self, draft: &Draft, head: &IntentHead<'_>, pieces: &mut [Piece]) {
        let Some(who) = draft.judge else { return };
        let commitments: Vec<Hash> = pieces.iter().map(|piece| piece.commitment).collect();
        let piece = pieces.iter_mut().find(|piece| piece.tag == PartTag::Actors).expect("a judge is named");
        let content = {
            let mut actors = Actors::decode(&piece.content).unwrap();
            let judge = actors.judge.as_mut().expect("a judge is named");
            let mut claim = Vec::new();
            write_claim(head, judge.score, &commitments, &mut claim);
            let signature = self.sign(who, &verdict_message(&self.ledger_id, &claim));
            judge.attestation = Some(Attestation { key: self.key_id(who), signature });
            encode(&actors).unwrap()
        };
        *piece = Piece::new(PartTag::Actors, piece.salt, content);
    }

    /// Decides what becomes of a row as an honest ledger would, and moves state and governance on.
    fn land(
        &mut self,
        draft: &Draft,
        pieces: &[Piece],
        (index, count): (u32, u32),
    ) -> (Landing, Option<Vec<u8>>) {
        let content =
            |tag| pieces.iter().find(|piece| piece.tag == tag).map(|piece| piece.content.as_slice());
        let proposal = self.proposal(draft, &content);
        let place = rules::Landing { seq: self.next_seq, landed_at: self.clock };
        let in_force = self.governance.as_ref().map(|governance| governance.in_force.clone());
        let (policy_row, kill_switch_row) =
            in_force.map_or((0, 0), |in_force| (in_force.policy_row, in_force.switch_row));

        let put_aside = self.put_aside(&proposal);
        let world = rules::Remembered { state: &self.state, readings: &self.readings };
        let verdict = self.governance.as_ref().map(|governance| {
            let limits = &mut self.limits;
            let Ok(verdict) = rules::land(&world, governance, limits, &proposal, place, put_aside.as_ref());
            verdict
        });
        let mut reasons = verdict.map(|verdict| verdict.reasons).unwrap_or_default();
        reasons.retain(|reason| !draft.ignores.contains(reason));
        let Ok(applied) = apply(&self.state, &proposal.ops, true);
        let outcome = rules::outcome(draft.mode, &reasons);
        let applied = applied.ok();
        let applied = applied.filter(|applied| outcome != Outcome::Review && !applied.steps.is_empty());
        let rollback = match &draft.rollback {
            Rollback::Honest => applied.as_ref().map(inverse_content),
            Rollback::Absent => None,
            Rollback::Forged(content) => Some(content.clone()),
        };
        let landing = Landing {
            version: LANDING_VERSION,
            seq: self.next_seq,
            landed_at: self.clock,
            outcome,
            reasons,
            reversibility: reversibility(&proposal.effects, self.clock),
            policy_row,
            kill_switch_row,
            index,
            count,
            rollback: None,
        };
        if outcome == Outcome::Applied {
            if rules::is_gated(&proposal) {
                let Ok(()) = self.limits.count(&draft.action, self.clock, &proposal, &mut Vec::new());
            }
            for (key, leaf) in applied.into_iter().flat_map(Applied::into_changes) {
                self.state.set(&key, leaf);
            }
            if let Some(Body::Evidence(reading)) = &proposal.body {
                let (metric, entity) = (reading.metric.to_owned(), proposal.entity.map(str::to_owned));
                self.readings.insert(self.next_seq, Measured { metric, entity, value: reading.value });
            }
            proposal.body.iter().for_each(|body| self.govern(body));
        }
        (landing, rollback)
    }

    /// The intent as the rules look at it; what cannot be read is left out.
    fn proposal<'p>(
        &self,
        draft: &'p Draft,
        content: &impl Fn(PartTag) -> Option<&'p [u8]>,
    ) -> rules::Proposal<'p> {
        let head = IntentHead {
            version: INTENT_VERSION,
            id: IntentId([0; 16]),
            kind: draft.kind,
            author: draft.author_id.unwrap_or_else(|| self.key_id(draft.author)),
            action: &draft.action,
            tier: draft.tier,
            mode: draft.mode,
            authored_at: 0,
            parts: 0,
        };
        let subject = content(PartTag::Subject).and_then(|bytes| Subject::decode(bytes).ok());
        rules::Proposal {
            head,
            entity: subject.map(|subject| subject.entity),
            actors: content(PartTag::Actors).and_then(|bytes| Actors::decode(bytes).ok()),
            evidence: content(PartTag::Evidence)
                .and_then(|bytes| Evidence::decode_all(bytes).ok())
                .unwrap_or_default(),
            ops: content(PartTag::Ops).and_then(|bytes| decode_ops(bytes).ok()).unwrap_or_default(),
            effects: content(PartTag::Effects)
                .and_then(|bytes| Effect::decode_all(bytes).ok())
                .unwrap_or_default(),
            body: content(PartTag::Body).and_then(|bytes| Body::decode(draft.kind, bytes).ok()),
        }
    }

    /// What an approval approves.
    fn put_aside(&self, proposal: &rules::Proposal<'_>) -> Option<PutAside> {
        let Some(Body::Review(review)) = &proposal.body else { return None };
        if review.row >= self.next_seq {
            return None;
        }
        let record = self.sink.record(review.row);
        let row = Row::parse(&record).ok()?;
        Some(PutAside { reasons: row.landing.reasons, author: row.head.author })
    }

    /// A body that an honest ledger would refuse changes nothing.
    fn govern(&mut self, body: &Body<'_>) {
        match (&mut self.governance, body) {
            (None, Body::Genesis(genesis)) => {
                self.governance = Governance::from_genesis(genesis, self.clock).ok();
            }
            (Some(governance), body) => drop(governance.take_in(body, self.next_seq, self.clock)),
            _ => {}
        }
        if let (Some(governance), Body::Genesis(_) | Body::Policy(_)) = (&self.governance, body) {
            self.limits.follow(&governance.in_force.policy.limits);
        }
    }
}
