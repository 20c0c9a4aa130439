//! What limits have counted, found again in the log when a ledger is opened.

use crate::error::{OpenError, ReadError};
use crate::log::Log;
use counterfoil_format::body::Body;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::land::{Proposal, is_gated};
use counterfoil_rules::limits::Limits;
use counterfoil_rules::policy::Policy;
use std::ops::ControlFlow;

/// The limits in force behind the last row. Reads the rows that lie within the longest window, and none without limits.
pub(crate) fn recount(log: &Log, governance: &Governance) -> Result<Limits, OpenError> {
    let mut limits = Limits::default();
    limits.follow(&governance.in_force.policy.limits);
    let Some(window) = limits.window() else { return Ok(limits) };
    let head = log.head();
    let start = log.size_at(head.landed_at.saturating_sub(window))?.clamp(1, head.size);
    let mut limits = Limits::default();
    limits.follow(&log.governance_at(start)?.in_force.policy.limits);
    log.scan(start..head.size, |row| {
        if row.landing.outcome == Outcome::Applied {
            count(&mut limits, row).map_err(|error| log.damaged(row.landing.seq, error))?;
        }
        Ok::<_, ReadError>(ControlFlow::Continue(()))
    })?;
    Ok(limits)
}

fn count(limits: &mut Limits, row: &Row<'_>) -> Result<(), counterfoil_format::codec::CodecError> {
    if !matches!(row.head.kind, Kind::Decision | Kind::Review | Kind::Policy) {
        return Ok(());
    }
    let proposal = Proposal::of_row(row)?;
    if let Some(Body::Policy(policy)) = &proposal.body {
        limits.follow(&Policy::from_body(policy).limits);
    }
    if is_gated(&proposal) {
        let Ok(()) = limits.count(row.head.action, row.landing.landed_at, &proposal, &mut Vec::new());
    }
    Ok(())
}
