//! Landing: what becomes of an intent, given the state and what governs.
//!
//! An intent that its author may not write, or that would break the ledger's own order, is refused and leaves no row.
//! Any other lands: `review` when a gate stops it, `dry-run` when it asked for no more, else `applied`. The gates are
//! asked in the order of [`Reason`]; all that stop an intent are listed.

use crate::apply::{Applied, apply};
use crate::governance::{Governance, GovernanceError};
use crate::keyring::KeyError;
use crate::state::State;
use counterfoil_format::body::Body;
use counterfoil_format::content::Effect;
use counterfoil_format::intent::{IntentHead, IntentId, Kind, Mode};
use counterfoil_format::landing::{Outcome, Reason, Reversibility};
use counterfoil_format::ops::Op;

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
    /// The operations; empty when there are none.
    pub ops: Vec<Op<'a>>,
    /// The effects; empty when there are none.
    pub effects: Vec<Effect<'a>>,
    /// The body of a row that is no decision.
    pub body: Option<Body<'a>>,
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

/// Decides what becomes of an intent at row `seq`. `landed_as` is the row that has the intent's id already.
pub fn land<'a, S: State>(
    state: &S,
    governance: &Governance,
    proposal: &Proposal<'a>,
    seq: u64,
    landed_as: Option<u64>,
) -> Result<Result<Verdict<'a>, Refusal>, S::Error> {
    if let Err(refusal) = admit(governance, proposal, seq, landed_as) {
        return Ok(Err(refusal));
    }
    let mut reasons = gates(governance, &proposal.head);
    let applied = match apply(state, &proposal.ops, true)? {
        Ok(applied) => Some(applied),
        Err(reason) => {
            reasons.push(reason);
            None
        }
    };
    let outcome = match proposal.head.mode {
        _ if !reasons.is_empty() => Outcome::Review,
        Mode::DryRun => Outcome::DryRun,
        Mode::Live => Outcome::Applied,
    };
    let applied = applied.filter(|applied| outcome != Outcome::Review && !applied.steps.is_empty());
    Ok(Ok(Verdict { outcome, reasons, reversibility: reversibility(&proposal.effects), applied }))
}

/// Whether an intent may leave a row at all.
fn admit(
    governance: &Governance,
    proposal: &Proposal<'_>,
    seq: u64,
    landed_as: Option<u64>,
) -> Result<(), Refusal> {
    governance.keys.authorise(&proposal.head)?;
    if let Some(row) = landed_as {
        return Err(Refusal::DuplicateId { id: proposal.head.id, row });
    }
    if let Some(body) = &proposal.body {
        governance.check(body, seq)?;
    }
    Ok(())
}

/// Whether all rows that an intent points to are there before the row it would be; `latest` is the latest of them.
pub fn check_evidence(latest: Option<u64>, seq: u64) -> Result<(), Refusal> {
    match latest {
        Some(row) if row >= seq => Err(Refusal::LaterEvidence { row, seq }),
        _ => Ok(()),
    }
}

/// The gates that need no look at the state. Only live decisions can be stopped: what governs, and what takes back,
/// must work while the switch is pulled.
fn gates(governance: &Governance, head: &IntentHead<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if head.kind == Kind::Decision && head.mode == Mode::Live {
        if !governance.policy.allows_live(head.action) {
            reasons.push(Reason::LiveNotAllowed);
        }
        if governance.switch.engaged {
            reasons.push(Reason::KillSwitch);
        }
    }
    reasons
}

/// Operations alone are exact; effects are as reversible as the least of them.
pub fn reversibility(effects: &[Effect<'_>]) -> Reversibility {
    match effects {
        [] => Reversibility::Exact,
        effects if effects.iter().all(|effect| effect.undo.is_some()) => Reversibility::Declared,
        _ => Reversibility::Never,
    }
}
