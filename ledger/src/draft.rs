//! Drafts: what a row shall say, and the content of its parts.

use counterfoil_format::body::Body;
use counterfoil_format::codec::{CodecError, encode_into, listed, put_varint, within};
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Subject};
use counterfoil_format::intent::{IntentId, KeyId, Kind, Micros, Mode, Tier};
use counterfoil_format::limits;
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::{PartTag, Salt, Slot};
use counterfoil_format::value::Value;
use rand::Rng;
use rand::rngs::StdRng;

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
    /// A judge is to sign, and the draft names none.
    #[error("draft {index} of the submission names no judge who could sign a verdict")]
    NoJudge {
        /// Which draft, from 0.
        index: usize,
    },
    /// The signer's signature does not hold.
    #[error("the signer of key {0} made a signature that does not hold")]
    BadSignature(KeyId),
}

pub(crate) fn random_salt(random: &mut StdRng) -> Salt {
    let mut salt = [0; 16];
    random.fill_bytes(&mut salt);
    salt
}

/// The content of one part at a time; what it needs of memory is kept for the next.
#[derive(Debug, Default)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    skeleton: Vec<u8>,
    value: Vec<u8>,
}

impl Content {
    /// Encodes a part of a draft within its bounds; `false` when the draft does not have it.
    pub fn fill(&mut self, draft: &Draft<'_>, tag: PartTag, random: &mut StdRng) -> Result<bool, CodecError> {
        self.bytes.clear();
        self.skeleton.clear();
        match tag {
            PartTag::Subject => draft.subject.iter().try_for_each(|subject| {
                subject.check()?;
                encode_into(subject, &mut self.bytes)
            }),
            PartTag::Actors => draft.actors.iter().try_for_each(|actors| {
                actors.check()?;
                encode_into(actors, &mut self.bytes)
            }),
            PartTag::Context => draft.context.iter().try_for_each(|context| {
                context.check()?;
                encode_into(context, &mut self.bytes)
            }),
            PartTag::Body => draft.body.iter().try_for_each(|body| self.fill_body(draft.kind, body)),
            PartTag::Evidence if !draft.evidence.is_empty() => Evidence::check_all(&draft.evidence)
                .and_then(|()| encode_into(&draft.evidence, &mut self.bytes)),
            PartTag::Effects if !draft.effects.is_empty() => {
                Effect::check_all(&draft.effects).and_then(|()| encode_into(&draft.effects, &mut self.bytes))
            }
            PartTag::Ops if !draft.ops.is_empty() => self.fill_ops(&draft.ops, random),
            PartTag::Evidence | PartTag::Effects | PartTag::Ops | PartTag::Rollback => Ok(()),
        }?;
        within("a part", self.bytes.len(), limits::PART_BYTES)?;
        Ok(!self.bytes.is_empty())
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What of it the part's commitment covers.
    pub fn covered(&self, tag: PartTag) -> &[u8] {
        if tag == PartTag::Ops { &self.skeleton } else { &self.bytes }
    }

    fn fill_body(&mut self, kind: Kind, body: &Body<'_>) -> Result<(), CodecError> {
        if body.kind() != kind {
            return Err(CodecError::Inconsistent("the body is that of another kind of row"));
        }
        self.bytes.extend(body.encode()?);
        Ok(())
    }

    fn fill_ops(&mut self, ops: &[DraftOp<'_>], random: &mut StdRng) -> Result<(), CodecError> {
        let Content { bytes, skeleton, value: encoded } = self;
        listed("operations", ops.len(), limits::OPS)?;
        put_varint(ops.len() as u64, bytes);
        put_varint(ops.len() as u64, skeleton);
        for draft in ops {
            let plain = |key, change| Op { key, guard: Guard::None, change };
            let op = match *draft {
                DraftOp::Put(key, value) => {
                    encoded.clear();
                    value.encode_into(encoded)?;
                    plain(key, Change::Put(Slot::Open { salt: random_salt(random), bytes: encoded }))
                }
                DraftOp::Delete(key) => plain(key, Change::Delete),
                DraftOp::Add(key, delta) => plain(key, Change::Add(delta)),
                DraftOp::Transition(entity, stage) => plain(entity, Change::Transition(stage)),
                DraftOp::Stored(op) => op,
            };
            match draft {
                DraftOp::Stored(_) => op.check()?,
                _ => op.check_around_value()?,
            }
            op.encode(bytes);
            op.encode_skeleton(skeleton);
        }
        Ok(())
    }
}
