//! Drafts and submissions: what an author does before the ledger is asked.
//!
//! A draft says what a row shall say. A [`SubmissionBuilder`] salts, encodes and hashes up to 4096 of them, and signs
//! them at once. None of it takes a lock.

use crate::secret::Signer;
use counterfoil_format::Hash;
use counterfoil_format::body::Body;
use counterfoil_format::codec::{CodecError, encode_into, put_bytes, within};
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Subject, check_shape};
use counterfoil_format::intent::{
    INTENT_VERSION, IntentHead, IntentId, KeyId, Kind, Micros, Mode, Tier, intent_hash,
};
use counterfoil_format::key::PublicKey;
use counterfoil_format::limits;
use counterfoil_format::ops::{Change, Guard, Op, check_ops, decode_ops, encode_ops, encode_skeleton};
use counterfoil_format::part::{PartTag, Salt, Slot};
use counterfoil_format::submission::{SignedSubmission, submission_message, submission_root};
use counterfoil_format::value::Value;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};
use std::ops::Range;

/// What a row shall say. Everything but the id, the kind and the times may be left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft<'a> {
    /// The idempotency key.
    pub id: IntentId,
    /// What the row is.
    pub kind: Kind,
    /// The action's name.
    pub action: &'a str,
    /// Cost confidence.
    pub tier: Tier,
    /// Dry run or live.
    pub mode: Mode,
    /// When it was decided.
    pub authored_at: Micros,
    /// What it is about.
    pub subject: Option<Subject<'a>>,
    /// Who planned, judged and carried it out.
    pub actors: Option<Actors<'a>>,
    /// What it rests on.
    pub evidence: Vec<Evidence<'a>>,
    /// What it does to the state.
    pub ops: Vec<DraftOp<'a>>,
    /// What it does elsewhere.
    pub effects: Vec<Effect<'a>>,
    /// Why, and what else there is to say.
    pub context: Option<Context<'a>>,
    /// What a row says that is no decision.
    pub body: Option<Body<'a>>,
}

/// An operation of a draft.
#[derive(Debug, Clone, PartialEq)]
pub enum DraftOp<'a> {
    /// Set a key to a value.
    Put(&'a str, &'a Value),
    /// Remove a key.
    Delete(&'a str),
    /// Add to a counter.
    Add(&'a str, i64),
    /// Move an entity to a stage.
    Transition(&'a str, &'a str),
    /// An operation as it is stored, with its guard and with the salt its value was set with: for rollbacks.
    Stored(Op<'a>),
}

impl<'a> Draft<'a> {
    /// A live decision of an action, with nothing else said yet.
    pub fn decision(id: IntentId, action: &'a str, authored_at: Micros) -> Self {
        Draft {
            id,
            kind: Kind::Decision,
            action,
            tier: Tier::Unstated,
            mode: Mode::Live,
            authored_at,
            subject: None,
            actors: None,
            evidence: Vec::new(),
            ops: Vec::new(),
            effects: Vec::new(),
            context: None,
            body: None,
        }
    }

    /// A row that is no decision.
    pub fn with_body(id: IntentId, body: Body<'a>, authored_at: Micros) -> Self {
        Draft { kind: body.kind(), body: Some(body), ..Draft::decision(id, "", authored_at) }
    }
}

/// Why a submission cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The draft does not fit the format.
    #[error("draft {index} of the submission: {error}")]
    Format {
        /// Which draft, from 0.
        index: usize,
        /// Why.
        error: CodecError,
    },
    /// There is no draft in it.
    #[error("a submission needs at least one draft")]
    Empty,
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {0}")]
    Random(String),
    /// The signer's signature does not hold.
    #[error("the signer of key {0} made a signature that does not hold")]
    BadSignature(KeyId),
}

/// An encoded intent: its head, and the slots of its parts as a row stores them.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    head: Range<usize>,
    slots: Range<usize>,
    pub(crate) hash: Hash,
}

/// Up to 4096 intents under one signature.
#[derive(Debug, Clone)]
pub struct Submission {
    bytes: Vec<u8>,
    intents: Vec<Intent>,
    author: PublicKey,
    ledger_id: Hash,
    signed: SignedSubmission,
}

impl Submission {
    /// How many intents.
    pub fn len(&self) -> usize {
        self.intents.len()
    }

    /// Never: a submission has at least one intent.
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty()
    }

    /// Bytes of all heads and slots.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The author's key.
    pub fn author(&self) -> &PublicKey {
        &self.author
    }

    /// The ledger it is for.
    pub fn ledger_id(&self) -> Hash {
        self.ledger_id
    }

    pub(crate) fn signed(&self) -> SignedSubmission {
        self.signed
    }

    pub(crate) fn intents(&self) -> &[Intent] {
        &self.intents
    }

    pub(crate) fn head(&self, intent: &Intent) -> &[u8] {
        self.bytes.get(intent.head.clone()).unwrap_or_default()
    }

    pub(crate) fn slots(&self, intent: &Intent) -> &[u8] {
        self.bytes.get(intent.slots.clone()).unwrap_or_default()
    }

    /// Appends the record of an intent that has landed.
    pub(crate) fn write_row(
        &self,
        intent: &Intent,
        landing: &[u8],
        rollback: Option<Slot<'_>>,
        row_hash: &Hash,
        out: &mut Vec<u8>,
    ) {
        put_bytes(landing, out);
        put_bytes(self.head(intent), out);
        out.extend_from_slice(self.slots(intent));
        rollback.iter().for_each(|slot| slot.write(out));
        out.extend_from_slice(&row_hash.0);
    }
}

/// Salts, encodes, hashes and signs drafts.
pub struct SubmissionBuilder<'k> {
    signer: &'k dyn Signer,
    random: StdRng,
    bytes: Vec<u8>,
    intents: Vec<Intent>,
    content: Vec<u8>,
    skeleton: Vec<u8>,
}

impl<'k> SubmissionBuilder<'k> {
    /// A builder for an author, salting from the operating system's randomness.
    pub fn new(signer: &'k dyn Signer) -> Result<Self, DraftError> {
        Ok(Self::with_random(signer, random()?))
    }

    /// A builder that salts from the generator given, which must not be guessable.
    pub fn with_random(signer: &'k dyn Signer, random: StdRng) -> Self {
        let (bytes, content, skeleton) = (Vec::new(), Vec::new(), Vec::new());
        SubmissionBuilder { signer, random, bytes, intents: Vec::new(), content, skeleton }
    }

    /// How many drafts are in.
    pub fn len(&self) -> usize {
        self.intents.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty()
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Takes a draft in. On an error the builder is as it was before.
    pub fn push(&mut self, draft: &Draft<'_>) -> Result<(), DraftError> {
        let index = self.intents.len();
        let before = self.bytes.len();
        self.encode(draft).map_err(|error| {
            self.bytes.truncate(before);
            DraftError::Format { index, error }
        })
    }

    fn encode(&mut self, draft: &Draft<'_>) -> Result<(), CodecError> {
        within("a submission", self.intents.len() + 1, limits::SUBMISSION_ROWS)?;
        let slots_start = self.bytes.len();
        let mut parts = 0;
        let mut commitments = [Hash::ZERO; 7];
        let mut count = 0;
        for tag in PartTag::AUTHORED {
            self.content.clear();
            if !encode_part(draft, tag, &mut self.random, &mut self.content)? {
                continue;
            }
            within("a part", self.content.len(), limits::PART_BYTES)?;
            let salt = random_salt(&mut self.random);
            let covered = if tag == PartTag::Ops {
                self.skeleton.clear();
                encode_skeleton(&decode_ops(&self.content)?, &mut self.skeleton);
                &self.skeleton
            } else {
                &self.content
            };
            if let Some(place) = commitments.get_mut(count) {
                *place = tag.commit(&salt, covered);
            }
            Slot::Open { salt, bytes: &self.content }.write(&mut self.bytes);
            parts |= tag.bit();
            count += 1;
        }
        let head_start = self.bytes.len();
        let author = self.signer.public().id();
        let Draft { id, kind, action, tier, mode, authored_at, .. } = *draft;
        let head =
            IntentHead { version: INTENT_VERSION, id, kind, author, action, tier, mode, authored_at, parts };
        head.check()?;
        check_shape(kind, parts)?;
        encode_into(&head, &mut self.bytes)?;
        within("a row", self.bytes.len() - slots_start, limits::ROW_BYTES)?;
        let head_bytes = self.bytes.get(head_start..).unwrap_or_default();
        let hash = intent_hash(head_bytes, commitments.get(..count).unwrap_or_default());
        let intent = Intent { head: head_start..self.bytes.len(), slots: slots_start..head_start, hash };
        self.intents.push(intent);
        Ok(())
    }

    /// The hash of the only draft taken in, which for a genesis is the ledger id.
    pub(crate) fn only_hash(&self) -> Option<Hash> {
        match self.intents.as_slice() {
            [intent] => Some(intent.hash),
            _ => None,
        }
    }

    /// Signs what was taken in for the ledger with this id. The builder is empty again and goes on salting.
    pub fn sign(&mut self, ledger_id: Hash) -> Result<Submission, DraftError> {
        let intents = std::mem::take(&mut self.intents);
        let count = match u32::try_from(intents.len()) {
            Ok(count) if count > 0 => count,
            _ => return Err(DraftError::Empty),
        };
        let root = submission_root(intents.iter().map(|intent| &intent.hash));
        let message = submission_message(&ledger_id, count, &root);
        let signature = self.signer.sign(&message);
        let author = self.signer.public().clone();
        if !author.verify(&message, &signature) {
            return Err(DraftError::BadSignature(author.id()));
        }
        let signed = SignedSubmission { count, root, signature };
        Ok(Submission { bytes: std::mem::take(&mut self.bytes), intents, author, ledger_id, signed })
    }
}

/// A generator seeded by the operating system.
pub(crate) fn random() -> Result<StdRng, DraftError> {
    StdRng::try_from_rng(&mut SysRng).map_err(|error| DraftError::Random(error.to_string()))
}

pub(crate) fn random_salt(random: &mut StdRng) -> Salt {
    let mut salt = [0; 16];
    random.fill_bytes(&mut salt);
    salt
}

/// Appends a part's content; `false` when the draft does not have the part.
fn encode_part(
    draft: &Draft<'_>,
    tag: PartTag,
    random: &mut StdRng,
    out: &mut Vec<u8>,
) -> Result<bool, CodecError> {
    match tag {
        PartTag::Subject => draft.subject.as_ref().map(|subject| encode_into(subject, out)),
        PartTag::Actors => draft.actors.as_ref().map(|actors| encode_into(actors, out)),
        PartTag::Evidence => (!draft.evidence.is_empty()).then(|| encode_into(&draft.evidence, out)),
        PartTag::Ops => (!draft.ops.is_empty()).then(|| encode_draft_ops(&draft.ops, random, out)),
        PartTag::Effects => (!draft.effects.is_empty()).then(|| encode_into(&draft.effects, out)),
        PartTag::Context => draft.context.as_ref().map(|context| encode_into(context, out)),
        PartTag::Body => draft.body.as_ref().map(|body| body.encode().map(|bytes| out.extend(bytes))),
        PartTag::Rollback => None,
    }
    .transpose()?;
    check_part(draft.kind, tag, out)?;
    Ok(!out.is_empty())
}

/// What the reader will check, checked before anything is signed.
fn check_part(kind: Kind, tag: PartTag, content: &[u8]) -> Result<(), CodecError> {
    if content.is_empty() {
        return Ok(());
    }
    match tag {
        PartTag::Subject => Subject::decode(content).map(drop),
        PartTag::Actors => Actors::decode(content).map(drop),
        PartTag::Evidence => Evidence::decode_all(content).map(drop),
        PartTag::Effects => Effect::decode_all(content).map(drop),
        PartTag::Context => Context::decode(content).map(drop),
        PartTag::Body => Body::decode(kind, content).map(drop),
        PartTag::Ops | PartTag::Rollback => Ok(()),
    }
}

fn encode_draft_ops(ops: &[DraftOp<'_>], random: &mut StdRng, out: &mut Vec<u8>) -> Result<(), CodecError> {
    within("operations", ops.len(), limits::OPS)?;
    let values = ops
        .iter()
        .map(|op| match op {
            DraftOp::Put(_, value) => value.encode(),
            _ => Ok(Vec::new()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let stored: Vec<Op<'_>> = ops
        .iter()
        .zip(&values)
        .map(|(op, value)| {
            let plain = |key, change| Op { key, guard: Guard::None, change };
            match *op {
                DraftOp::Put(key, _) => {
                    plain(key, Change::Put(Slot::Open { salt: random_salt(random), bytes: value }))
                }
                DraftOp::Delete(key) => plain(key, Change::Delete),
                DraftOp::Add(key, delta) => plain(key, Change::Add(delta)),
                DraftOp::Transition(entity, stage) => plain(entity, Change::Transition(stage)),
                DraftOp::Stored(op) => op,
            }
        })
        .collect();
    check_ops(&stored)?;
    encode_ops(&stored, out);
    Ok(())
}
