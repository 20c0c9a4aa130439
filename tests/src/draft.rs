//! Drafts: rows and submissions as the forge is asked to write them.
//!
//! A draft is honest until something in it is overridden: what is `None` or untouched, the forge fills in as a
//! correct author and a correct ledger would.

use counterfoil_format::Hash;
use counterfoil_format::body::Body;
use counterfoil_format::codec::encode;
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Judge, LifecycleMove, Subject};
use counterfoil_format::intent::{IntentId, KeyId, Kind, Micros, Mode, Tier};
use counterfoil_format::key::SignatureBytes;
use counterfoil_format::landing::{Landing, Reason};
use counterfoil_format::ops::{Change, Guard, Op, encode_ops};
use counterfoil_format::part::{PartTag, Salt, Slot};
use counterfoil_format::value::Value;

/// A change made to something that was honest before.
pub type Edit<T> = Box<dyn FnOnce(&mut T)>;

/// One of the forge's keys, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who(pub usize);

/// The owner.
pub const OWNER: Who = Who(0);
/// The ledger.
pub const LEDGER: Who = Who(1);
/// An executor, enrolled by row 1.
pub const EXECUTOR: Who = Who(2);
/// An operator, enrolled by row 2, who holds the kill switch from row 3 on.
pub const OPERATOR: Who = Who(3);

/// An operation that owns what it says.
#[derive(Debug, Clone)]
pub struct OpDraft {
    /// The key; for a transition the entity.
    pub key: String,
    /// What the key must hold before.
    pub guard: Guard<'static>,
    /// What is done.
    pub change: ChangeDraft,
}

/// What an operation does.
#[derive(Debug, Clone)]
pub enum ChangeDraft {
    /// Set the key to an encoded value, under this salt.
    Put(Option<Salt>, Vec<u8>),
    /// Set the key to a value of which only the commitment is known.
    PutClosed(Hash),
    /// Remove the key.
    Delete,
    /// Add to the counter.
    Add(i64),
    /// Move the entity to a stage.
    Transition(String),
}

impl OpDraft {
    /// The operation, borrowed. A put that has no salt yet takes the one of 16 zero bytes.
    pub fn op(&self) -> Op<'_> {
        let change = match &self.change {
            ChangeDraft::Put(salt, bytes) => {
                Change::Put(Slot::Open { salt: salt.unwrap_or_default(), bytes })
            }
            ChangeDraft::PutClosed(commitment) => Change::Put(Slot::Closed(*commitment)),
            ChangeDraft::Delete => Change::Delete,
            ChangeDraft::Add(delta) => Change::Add(*delta),
            ChangeDraft::Transition(stage) => Change::Transition(stage),
        };
        Op { key: &self.key, guard: self.guard, change }
    }
}

/// The content of a part with these operations.
pub fn ops_content(ops: &[OpDraft]) -> Vec<u8> {
    let mut content = Vec::new();
    encode_ops(&ops.iter().map(OpDraft::op).collect::<Vec<_>>(), &mut content);
    content
}

/// The rollback part of a row.
#[derive(Debug, Clone, Default)]
pub enum Rollback {
    /// The exact inverse, when the row has ops that go through.
    #[default]
    Honest,
    /// None.
    Absent,
    /// This content, whatever it says; its commitment stands in the landing.
    Forged(Vec<u8>),
}

/// A row to be written.
pub struct Draft {
    /// What the row is.
    pub kind: Kind,
    /// The action.
    pub action: String,
    /// The tier.
    pub tier: Tier,
    /// The mode asked for.
    pub mode: Mode,
    /// Whose key id stands in the intent.
    pub author: Who,
    /// Another author's key id than that of `author`.
    pub author_id: Option<KeyId>,
    /// The idempotency key; a random one when there is none.
    pub id: Option<IntentId>,
    /// When it was authored; half a millisecond before it lands when nothing is said.
    pub authored_at: Option<Micros>,
    /// The content of each authored part by its tag; `ops` only when raw bytes are forged.
    pub contents: [Option<Vec<u8>>; 7],
    /// The salt of each authored part by its tag; a random one when there is none.
    pub salts: [Option<Salt>; 7],
    /// The operations, unless the content of `ops` is given raw.
    pub ops: Vec<OpDraft>,
    /// The rollback part.
    pub rollback: Rollback,
    /// The reasons that the writer does not know of: it lands the row without them.
    pub ignores: Vec<Reason>,
    /// The judge who signs the verdict that the actors give.
    pub judge: Option<Who>,
    /// The bits of parts that are written closed.
    pub closed: u8,
    /// Whether the values in `ops` and `rollback` are written closed.
    pub close_values: bool,
    /// Changes the landing before it is encoded and hashed.
    pub edit_landing: Option<Edit<Landing>>,
    /// Changes the landing's bytes before they are hashed.
    pub edit_landing_bytes: Option<Edit<Vec<u8>>>,
    /// Changes the head's bytes before they are hashed.
    pub edit_head_bytes: Option<Edit<Vec<u8>>>,
    /// Changes the row record after everything was hashed and signed.
    pub edit_record: Option<Edit<Vec<u8>>>,
    /// The hash of the row before, as it goes into this row's hash.
    pub previous: Option<Hash>,
    /// The row's hash as it is stored; what follows is chained to it.
    pub row_hash: Option<Hash>,
}

impl Draft {
    /// A row of this kind, live, by who usually writes such rows.
    pub fn new(kind: Kind) -> Self {
        let author = match kind {
            Kind::Genesis | Kind::Key | Kind::Policy | Kind::Erasure => OWNER,
            Kind::Decision | Kind::Evidence | Kind::Outcome => EXECUTOR,
            Kind::KillSwitch | Kind::Rollback | Kind::Snapshot | Kind::Calibration | Kind::Review => OPERATOR,
        };
        Draft {
            kind,
            action: String::new(),
            tier: Tier::Unstated,
            mode: Mode::Live,
            author,
            author_id: None,
            id: None,
            authored_at: None,
            contents: Default::default(),
            salts: [None; 7],
            ops: Vec::new(),
            rollback: Rollback::Honest,
            ignores: Vec::new(),
            judge: None,
            closed: 0,
            close_values: false,
            edit_landing: None,
            edit_landing_bytes: None,
            edit_head_bytes: None,
            edit_record: None,
            previous: None,
            row_hash: None,
        }
    }

    /// A live decision at tier A.
    pub fn decision(action: &str) -> Self {
        Draft { action: action.to_owned(), tier: Tier::A, ..Draft::new(Kind::Decision) }
    }

    /// A row with a body, which names its kind.
    pub fn body(body: &Body<'_>) -> Self {
        Draft::new(body.kind()).content(PartTag::Body, body.encode().unwrap())
    }

    /// Sets the raw content of a part.
    pub fn content(mut self, tag: PartTag, bytes: Vec<u8>) -> Self {
        self.contents[tag as usize] = Some(bytes);
        self
    }

    /// By another author.
    pub fn by(self, author: Who) -> Self {
        Draft { author, ..self }
    }

    /// Asks for a dry run.
    pub fn dry_run(self) -> Self {
        Draft { mode: Mode::DryRun, ..self }
    }

    /// Sets the subject.
    pub fn subject(self, entity: &str, lifecycle: Option<LifecycleMove<'_>>) -> Self {
        self.content(PartTag::Subject, encode(&Subject { entity, lifecycle }).unwrap())
    }

    /// Sets the actors, with a judge's score in parts per million.
    pub fn actors(self, planner: &str, judge: &str, score: u32, executor: &str) -> Self {
        let judge = Some(Judge { by: judge, score, attestation: None });
        self.content(PartTag::Actors, encode(&Actors { planner, judge, executor }).unwrap())
    }

    /// Lets this judge sign the verdict that the actors give.
    pub fn signed_by(self, judge: Who) -> Self {
        Draft { judge: Some(judge), ..self }
    }

    /// Lands it as a writer would that does not know of a reason.
    pub fn ignoring(mut self, reason: Reason) -> Self {
        self.ignores.push(reason);
        self
    }

    /// Points to evidence.
    pub fn evidence(self, evidence: &[Evidence<'_>]) -> Self {
        self.content(PartTag::Evidence, encode(evidence).unwrap())
    }

    /// Adds effects.
    pub fn effects(self, effects: &[Effect<'_>]) -> Self {
        self.content(PartTag::Effects, encode(effects).unwrap())
    }

    /// Gives the reason, with no further data.
    pub fn reason(self, reason: &str) -> Self {
        let data = Value::Map(Default::default()).encode().unwrap();
        self.content(PartTag::Context, encode(&Context { reason, data: &data }).unwrap())
    }

    /// Adds an operation.
    pub fn op(mut self, key: &str, guard: Guard<'static>, change: ChangeDraft) -> Self {
        self.ops.push(OpDraft { key: key.to_owned(), guard, change });
        self
    }

    /// Adds a put.
    pub fn put(self, key: &str, value: &Value) -> Self {
        self.op(key, Guard::None, ChangeDraft::Put(None, value.encode().unwrap()))
    }

    /// Adds a delete.
    pub fn delete(self, key: &str) -> Self {
        self.op(key, Guard::None, ChangeDraft::Delete)
    }

    /// Adds an add.
    pub fn add(self, key: &str, delta: i64) -> Self {
        self.op(key, Guard::None, ChangeDraft::Add(delta))
    }

    /// Adds a transition.
    pub fn transition(self, entity: &str, stage: &str) -> Self {
        self.op(entity, Guard::None, ChangeDraft::Transition(stage.to_owned()))
    }

    /// Writes a part closed.
    pub fn close(mut self, tag: PartTag) -> Self {
        self.closed |= tag.bit();
        self
    }

    /// Changes the landing before it is encoded and hashed.
    pub fn landing(self, edit: impl FnOnce(&mut Landing) + 'static) -> Self {
        Draft { edit_landing: Some(Box::new(edit)), ..self }
    }
}

/// Drafts under one signature.
pub struct Submission {
    /// The rows.
    pub drafts: Vec<Draft>,
    /// Who signs; the first draft's author when nothing is said.
    pub signer: Option<Who>,
    /// The root as it is stored and signed.
    pub root: Option<Hash>,
    /// The ledger id as it is signed.
    pub ledger_id: Option<Hash>,
    /// The signature as it is stored.
    pub signature: Option<SignatureBytes>,
}

impl Submission {
    /// An honest submission.
    pub fn new(drafts: Vec<Draft>) -> Self {
        Submission { drafts, signer: None, root: None, ledger_id: None, signature: None }
    }
}

/// Submissions that are written at once under one seal.
pub struct Group {
    /// The submissions.
    pub submissions: Vec<Submission>,
    /// The number of the first row as the group header says it.
    pub first_seq: Option<u64>,
    /// The hash of the row before as the group header says it.
    pub previous: Option<Hash>,
    /// The end of the last group known to be on disk; honestly the end of the one before.
    pub durable_upto: Option<u64>,
    /// Who seals; the ledger key in force behind the group when nothing is said.
    pub sealer: Option<Who>,
    /// The root as it is stored and sealed.
    pub root: Option<Hash>,
    /// The size as it is sealed.
    pub size: Option<u64>,
}

impl Group {
    /// An honest group.
    pub fn new(submissions: Vec<Submission>) -> Self {
        Group {
            submissions,
            first_seq: None,
            previous: None,
            durable_upto: None,
            sealer: None,
            root: None,
            size: None,
        }
    }
}
