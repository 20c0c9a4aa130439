//! Rehearsing a policy: what would have become of the rows of a log if it had been in force from the first row on.
//!
//! Each decision is judged on the state, the readings and the counts that history really left before it; a decision that
//! would have landed differently does not change what follows. Keys, switch and calibrations are those of history.

use crate::history::{History, ReplayError};
use crate::state::PastState;
use counterfoil_format::body::{Body, Genesis};
use counterfoil_format::codec::CodecError;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::policy::PolicyBody;
use counterfoil_format::row::Row;
use counterfoil_rules::cited::PutAside;
use counterfoil_rules::gates::Measured;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::land::{Landing, Proposal, Remembered, is_gated, land};
use counterfoil_rules::limits::Limits;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

/// A row that would have landed differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The row.
    pub row: u64,
    /// Its action.
    pub action: String,
    /// What it is about, when it says so.
    pub entity: Option<String>,
    /// What became of it, and why.
    pub was: (Outcome, Vec<Reason>),
    /// What would have become of it, and why.
    pub would_be: (Outcome, Vec<Reason>),
}

/// What a policy would have made of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// How many decisions and approvals were judged.
    pub judged: u64,
    /// Those that would have landed differently, ascending.
    pub differences: Vec<Difference>,
}

/// Judges every decision of a log by a policy. Parts that are withheld are taken for absent.
pub fn rehearse<H: History>(
    history: &H,
    policy: &PolicyBody<'_>,
) -> Result<Rehearsal, ReplayError<H::Error>> {
    let mut rehearsing = Rehearsing {
        policy,
        state: PastState::default(),
        readings: BTreeMap::new(),
        governance: None,
        limits: Limits::default(),
        put_aside: HashMap::new(),
        found: Rehearsal::default(),
    };
    let mut failed = None;
    history.scan(0..history.size(), |row| match rehearsing.row(row) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(rehearsing.found), Err)
}

struct Rehearsing<'p> {
    policy: &'p PolicyBody<'p>,
    state: PastState,
    readings: BTreeMap<u64, Measured>,
    governance: Option<Governance>,
    limits: Limits,
    /// The rows that the policy puts aside, and why.
    put_aside: HashMap<u64, PutAside>,
    found: Rehearsal,
}

impl Rehearsing<'_> {
    fn row<E>(&mut self, row: &Row<'_>) -> Result<(), ReplayError<E>> {
        let impossible =
            |error: CodecError| ReplayError::Impossible { row: row.landing.seq, reason: error.to_string() };
        let proposal = Proposal::of_row(row).map_err(impossible)?;
        if is_gated(&proposal) {
            self.judge(row, &proposal);
        }
        if row.landing.outcome == Outcome::Applied {
            self.take_in(row, &proposal);
        }
        self.state.absorb(row)
    }

    fn judge(&mut self, row: &Row<'_>, proposal: &Proposal<'_>) {
        let Some(governance) = &self.governance else { return };
        let place = Landing { seq: row.landing.seq, landed_at: row.landing.landed_at };
        let approved = match &proposal.body {
            Some(Body::Review(review)) => match self.put_aside.get(&review.row) {
                // What the policy would have let pass needs no approval.
                None => return,
                found => found,
            },
            _ => None,
        };
        let world = Remembered { state: &self.state, readings: &self.readings };
        let Ok(verdict) = land(&world, governance, &mut self.limits, proposal, place, approved);
        self.found.judged += 1;
        if verdict.outcome == Outcome::Review {
            let (reasons, author) = (verdict.reasons.clone(), row.head.author);
            self.put_aside.insert(place.seq, PutAside { reasons, author });
        }
        if (verdict.outcome, &verdict.reasons) != (row.landing.outcome, &row.landing.reasons) {
            self.found.differences.push(Difference {
                row: place.seq,
                action: row.head.action.to_owned(),
                entity: proposal.entity.map(str::to_owned),
                was: (row.landing.outcome, row.landing.reasons.clone()),
                would_be: (verdict.outcome, verdict.reasons),
            });
        }
    }

    /// Takes in what an applied row changes for those behind it, but for the policy, which stays the rehearsed one.
    fn take_in(&mut self, row: &Row<'_>, proposal: &Proposal<'_>) {
        let (seq, landed_at) = (row.landing.seq, row.landing.landed_at);
        if is_gated(proposal) {
            let Ok(()) = self.limits.count(row.head.action, landed_at, proposal, &mut Vec::new());
        }
        match (&proposal.body, &mut self.governance) {
            (Some(Body::Genesis(genesis)), governance) => {
                let genesis = Genesis { policy: self.policy.clone(), ..genesis.clone() };
                *governance = Governance::from_genesis(&genesis, landed_at).ok();
                let limits = governance.as_ref().map(|governance| governance.in_force.policy.limits.clone());
                self.limits.follow(&limits.unwrap_or_default());
            }
            (Some(Body::Evidence(reading)), _) => {
                let (metric, entity) = (reading.metric.to_owned(), proposal.entity.map(str::to_owned));
                self.readings.insert(seq, Measured { metric, entity, value: reading.value });
                if let (Some(governance), Some(body)) = (&mut self.governance, &proposal.body) {
                    drop(governance.take_in(body, seq, landed_at));
                }
            }
            (Some(Body::Policy(_)), _) => {}
            // What the policy of that time let through may not go through under this one; then it is left out.
            (Some(body), Some(governance)) => drop(governance.take_in(body, seq, landed_at)),
            _ => {}
        }
    }
}
