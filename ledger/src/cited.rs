//! What a row cites of earlier ones: the row that it takes back, approves or rejects, the call that it tells of, the probe of a
//! drill, the readings of a calibration. They must be durable, for they are read from the log.

use crate::error::SubmitError;
use crate::submission::Intent;
use crate::surroundings::Surroundings;
use counterfoil_format::body::{Body, Role};
use counterfoil_format::intent::Micros;
use counterfoil_rules::calibration::check_calibration;
use counterfoil_rules::call::{CallFault, Called, check_outcome, may_tell};
use counterfoil_rules::cited::{PutAside, check_probe, check_review};
use counterfoil_rules::governance::Governance;
use counterfoil_rules::rollback::{check_called, check_rollback};

/// Checks what an intent cites that lands now. Yields what an approval approves.
pub(crate) fn check_cited(
    world: &Surroundings<'_>,
    governance: &Governance,
    intent: &Intent<'_>,
    index: usize,
    landed_at: Micros,
) -> Result<Option<PutAside>, SubmitError> {
    let (log, proposal) = (world.log, &intent.proposal);
    let refused = |reason: String| SubmitError::Cited { index, reason };
    match &proposal.body {
        Some(Body::Rollback(rollback)) => {
            let stored = log.row(rollback.target)?;
            let checked = check_rollback(rollback, &proposal.ops, &stored.parse()?);
            checked.map_err(|fault| refused(fault.to_string()))?;
            if !rollback.effects.is_empty() {
                let base = log.row(governance.base(rollback.target))?;
                let undoes = !governance.brings_back(rollback.target);
                let checked = check_called(rollback, &base.parse()?, undoes, landed_at);
                checked.map_err(|fault| refused(fault.to_string()))?;
            }
        }
        Some(Body::Outcome(outcome)) => {
            let stored = log.row(outcome.row)?;
            let caller = stored.parse()?;
            let called = Called::by(&caller).map_err(|error| log.damaged(outcome.row, error))?;
            let author = proposal.head.author;
            let operator = governance.keys.get(&author).map(|key| key.roles & Role::Operator.bit() != 0);
            if may_tell(author, caller.head.author, operator) == Some(false) {
                return Err(refused(CallFault::NotTheirs(outcome.row).to_string()));
            }
            let before = world.call(outcome.row, outcome.effect)?;
            check_outcome(outcome, &called, before).map_err(|fault| refused(fault.to_string()))?;
        }
        Some(Body::Review(review)) => {
            let stored = log.row(review.row)?;
            let commitments = intent.commitments().map_err(|error| SubmitError::Format { index, error })?;
            let (head, target) = (&proposal.head, stored.parse()?);
            let own = match governance.in_force.policy.separation {
                true => governance.keys.holder_of_both(&target.head.author, &head.author),
                false => None,
            };
            let put_aside = check_review(review, head, &commitments, own, &target);
            return put_aside.map(Some).map_err(|fault| refused(fault.to_string()));
        }
        Some(Body::KillSwitch(switch)) => {
            if let Some(drill) = &switch.drill {
                let stored = log.row(drill.probe)?;
                check_probe(drill, &stored.parse()?).map_err(|fault| refused(fault.to_string()))?;
            }
        }
        Some(Body::Calibration(calibration)) => {
            let rows = log.head().size;
            let readings = log.readings(calibration.metric, calibration.from, calibration.upto.min(rows))?;
            let samples = readings.iter().map(|reading| reading.sample());
            check_calibration(calibration, samples, rows).map_err(|fault| refused(fault.to_string()))?;
        }
        _ => {}
    }
    Ok(None)
}
