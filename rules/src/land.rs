//! Landing: what becomes of an intent, given the state and what governs.
//!
//! An intent that its author may not write, or that would break the ledger's own order, is refused and leaves no row.
//! Any other lands: `review` when a gate stops it ([`crate::gates`]) or its operations do not go through, `dry-run` when
//! it asked for no more, else `applied`. Only decisions and approvals of decisions are gated: what governs, and what takes
//! back, must work while the switch is pulled.

use crate::amount::amount;
use crate::apply::{Applied, apply};
use crate::cited::PutAside;
use crate::gates::{Asked, Judged, Measured, Sight, reversibility};
use crate::governance::{Governance, GovernanceError, RecoveryDrill};
use crate::keyring::KeyError;
use crate::limits::{Amounts, Limits};
use crate::number::Magnitude;
use crate::policy::Rule;
use crate::state::{Leaf, State};
use counterfoil_format::body::{Body, ReviewVerdict};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Actors, Effect, Evidence, Subject};
use counterfoil_format::intent::{IntentHead, IntentId, Kind, Micros, Mode};
use counterfoil_format::landing::{Outcome, Reason, Reversibility};
use counterfoil_format::ops::{Change, Op, stage_key};
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::Reach;
use counterfoil_format::row::Row;
use counterfoil_format::value::Decimal;
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Why an intent leaves no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The author may not write it.
    #[error(transparent)]
    Author(#[from] KeyError),
    /// What it would change in the governance does not go through.
    #[error(transparent)]
    Governance(#[from] GovernanceError),
    /// Evidence must be there before the row that points to it.
    #[error(
        "it points to row {row} as evidence, and would itself be row {seq}: evidence must be an earlier row"
    )]
    LaterEvidence {
        /// What it points to.
        row: u64,
        /// What it would be.
        seq: u64,
    },
    /// A row with this id is there already.
    #[error("id {id} has landed already, as row {row}")]
    DuplicateId {
        /// The id.
        id: IntentId,
        /// The row.
        row: u64,
    },
}

/// An intent, as far as landing looks into it.
#[derive(Debug, Clone)]
pub struct Proposal<'a> {
    /// The head.
    pub head: IntentHead<'a>,
    /// What it is about.
    pub entity: Option<&'a str>,
    /// Who planned, judged and carried it out.
    pub actors: Option<Actors<'a>>,
    /// What it points to; empty when it points to nothing.
    pub evidence: Vec<Evidence<'a>>,
    /// The operations; empty when there are none.
    pub ops: Vec<Op<'a>>,
    /// The effects; empty when there are none.
    pub effects: Vec<Effect<'a>>,
    /// The body of a row that is no decision.
    pub body: Option<Body<'a>>,
}

impl<'a> Proposal<'a> {
    /// What a row says. Of a part that is closed nothing is known; it is as if the row had none.
    pub fn of_row(row: &Row<'a>) -> Result<Self, CodecError> {
        let content = |tag| row.content(tag);
        let subject = content(PartTag::Subject).map(Subject::decode).transpose()?;
        Ok(Proposal {
            head: row.head,
            entity: subject.map(|subject| subject.entity),
            actors: content(PartTag::Actors).map(Actors::decode).transpose()?,
            evidence: content(PartTag::Evidence).map(Evidence::decode_all).transpose()?.unwrap_or_default(),
            ops: row.ops(PartTag::Ops)?.unwrap_or_default(),
            effects: content(PartTag::Effects).map(Effect::decode_all).transpose()?.unwrap_or_default(),
            body: content(PartTag::Body).map(|bytes| Body::decode(row.head.kind, bytes)).transpose()?,
        })
    }
}

/// The place that an intent would have.
#[derive(Debug, Clone, Copy)]
pub struct Landing {
    /// The number of its row.
    pub seq: u64,
    /// When it lands.
    pub landed_at: Micros,
}

/// A state that can be read, with the rows before it.
pub trait World: State {
    /// What an earlier row has measured; `None` when it is no applied evidence row.
    fn reading(&self, row: u64) -> Result<Option<Measured>, Self::Error>;
}

/// A world kept in memory.
#[derive(Debug, Clone, Copy)]
pub struct Remembered<'w, S> {
    /// The state.
    pub state: &'w S,
    /// The readings, by their rows.
    pub readings: &'w BTreeMap<u64, Measured>,
}

impl<S: State> State for Remembered<'_, S> {
    type Error = S::Error;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, S::Error> {
        self.state.leaf(key)
    }
}

impl<S: State> World for Remembered<'_, S> {
    fn reading(&self, row: u64) -> Result<Option<Measured>, S::Error> {
        Ok(self.readings.get(&row).cloned())
    }
}

/// What became of an intent.
#[derive(Debug)]
pub struct Verdict<'a> {
    /// The outcome.
    pub outcome: Outcome,
    /// Why, ascending.
    pub reasons: Vec<Reason>,
    /// Whether and how it can be taken back.
    pub reversibility: Reversibility,
    /// What its operations do, or would do in a dry run; `None` in a review, and when it has none.
    pub applied: Option<Applied<'a>>,
}

/// Whether an intent may leave a row at all, as far as its author, what governs and its id say. `landed_as` is the row that
/// has the intent's id already. What it cites of earlier rows is for [`crate::cited`] and [`crate::rollback`].
pub fn admit(
    governance: &Governance,
    proposal: &Proposal<'_>,
    place: Landing,
    landed_as: Option<u64>,
) -> Result<(), Refusal> {
    let head = &proposal.head;
    let author = governance.keys.authorise(head, &governance.in_force.policy)?;
    author.scope.check(head, place.landed_at)?;
    author.scope.check_ops(head.author, &proposal.ops)?;
    proposal.body.as_ref().map_or(Ok(()), |body| governance.keys.check_saying(head.author, body))?;
    if let Some(row) = landed_as {
        return Err(Refusal::DuplicateId { id: head.id, row });
    }
    let latest = Evidence::latest_row(&proposal.evidence);
    if let Some(row) = latest.filter(|row| *row >= place.seq) {
        return Err(Refusal::LaterEvidence { row, seq: place.seq });
    }
    if head.kind == Kind::Decision
        && let Some(judge) = proposal.actors.as_ref().and_then(|actors| actors.judge.as_ref())
    {
        governance.keys.judge(judge, place.landed_at)?;
    }
    if let Some(body) = &proposal.body {
        governance.check(body, place.seq)?;
    }
    Ok(())
}

/// Decides what becomes of an intent that is admitted. `put_aside` is what an approval approves.
pub fn land<'a, W: World>(
    world: &W,
    governance: &Governance,
    limits: &mut Limits,
    proposal: &Proposal<'a>,
    place: Landing,
    put_aside: Option<&PutAside>,
) -> Result<Verdict<'a>, W::Error> {
    let head = &proposal.head;
    let mut reasons = Vec::new();
    if is_gated(proposal) {
        let author = put_aside.map_or(head.author, |put_aside| put_aside.author);
        let name = governance.keys.get(&head.author).map(|key| key.name.as_str());
        let judge = proposal.actors.as_ref().and_then(|actors| Judged::of(actors, author, name));
        let approved = put_aside.map_or(&[][..], |put_aside| &put_aside.reasons);
        let (action, tier, mode, landed_at) = (head.action, head.tier, head.mode, place.landed_at);
        let seen = Seen { world, governance, proposal, judge, landed_at };
        reasons =
            governance.in_force.gates(limits, &Asked { action, tier, mode, landed_at }, &seen, approved)?;
    }
    if let Some(Body::Rollback(rollback)) = &proposal.body {
        reasons.extend(governance.in_force.redo(head.mode, governance.brings_back(rollback.target)));
    }
    let applied = match apply(world, &proposal.ops, true)? {
        Ok(applied) => Some(applied),
        Err(reason) => {
            reasons.push(reason);
            None
        }
    };
    let outcome = outcome(head.mode, &reasons);
    let applied = applied.filter(|applied| outcome != Outcome::Review && !applied.steps.is_empty());
    let reversibility = reversibility(&proposal.effects, place.landed_at);
    Ok(Verdict { outcome, reasons, reversibility, applied })
}

/// The outcome that follows from the reasons.
pub const fn outcome(mode: Mode, reasons: &[Reason]) -> Outcome {
    match mode {
        _ if !reasons.is_empty() => Outcome::Review,
        Mode::DryRun => Outcome::DryRun,
        Mode::Live => Outcome::Applied,
    }
}

/// Whether the gates are asked: of decisions, and of rows that approve one.
pub fn is_gated(proposal: &Proposal<'_>) -> bool {
    match &proposal.body {
        Some(Body::Review(review)) => review.verdict == ReviewVerdict::Approve,
        _ => proposal.head.kind == Kind::Decision,
    }
}

/// An intent as its author wrote it, all of it open.
struct Seen<'s, 'a, W> {
    world: &'s W,
    governance: &'s Governance,
    proposal: &'s Proposal<'a>,
    judge: Option<Judged>,
    landed_at: Micros,
}

impl<W: World> Amounts for Seen<'_, '_, W> {
    type Error = W::Error;

    fn entity(&self) -> Result<Option<&str>, W::Error> {
        Ok(self.proposal.entity)
    }

    fn amount(&self, field: &str) -> Result<Option<Magnitude>, W::Error> {
        let Ok(amount) = self.proposal.amount(field);
        Ok(amount)
    }
}

impl Amounts for Proposal<'_> {
    type Error = Infallible;

    fn entity(&self) -> Result<Option<&str>, Infallible> {
        Ok(self.entity)
    }

    fn amount(&self, field: &str) -> Result<Option<Magnitude>, Infallible> {
        // A value that its author has closed says no amount.
        Ok(amount(field, &self.ops, &self.effects).unwrap_or(None))
    }
}

impl<W: World> Sight for Seen<'_, '_, W> {
    fn judge(&self) -> Result<Option<Judged>, W::Error> {
        Ok(self.judge)
    }

    fn reach(&self) -> Result<Reach, W::Error> {
        Ok(reversibility(&self.proposal.effects, self.landed_at).reach())
    }

    fn moves(&self) -> Result<Vec<(&str, &str)>, W::Error> {
        Ok(moves(&self.proposal.ops))
    }

    fn calibrated(&self, metric: &str) -> Result<Option<Decimal>, W::Error> {
        Ok(self.governance.calibrated(metric).map(|calibrated| calibrated.threshold))
    }

    fn drilled(&self, class: Reach) -> Result<Option<RecoveryDrill>, W::Error> {
        Ok(self.governance.drilled(class))
    }

    fn stage(&self, entity: &str) -> Result<String, W::Error> {
        Ok(stage(self.world.leaf(&stage_key(entity))?))
    }

    fn readings(&self, _: &Rule, take: &mut dyn FnMut(&str, &Decimal)) -> Result<(), W::Error> {
        for row in Evidence::rows(&self.proposal.evidence) {
            let measured = self.world.reading(row)?;
            if let Some(measured) = measured.filter(|measured| measured.serves(self.proposal.entity)) {
                take(&measured.metric, &measured.value);
            }
        }
        Ok(())
    }
}

/// The moves that operations make, in order.
pub fn moves<'o>(ops: &'o [Op<'_>]) -> Vec<(&'o str, &'o str)> {
    let moved = |op: &'o Op<'_>| match op.change {
        Change::Transition(stage) => Some((op.key, stage)),
        _ => None,
    };
    ops.iter().filter_map(moved).collect()
}

/// The stage that a key of a lifecycle holds; empty for none.
pub fn stage(leaf: Option<Leaf>) -> String {
    match leaf {
        Some(Leaf::Stage(stage)) => stage,
        _ => String::new(),
    }
}
