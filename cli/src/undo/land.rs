//! Landing a plan as rollback rows.

use crate::decision::random_id;
use crate::keys::NamedKey;
use anyhow::Result;
use counterfoil_format::body::{Body, RollbackOf};
use counterfoil_format::content::{Actors, Context, Subject};
use counterfoil_format::limits::SUBMISSION_ROWS;
use counterfoil_format::ops::decode_ops;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, DraftOp, Ledger, Receipt, SubmissionBuilder, now};
use counterfoil_replay::operation::Mark;
use counterfoil_replay::plan::{Plan, Reversal};
use std::collections::BTreeMap;

/// Bytes after which a submission takes in no more rows.
const SUBMISSION_BYTES: usize = 4 << 20;

/// Lands a plan, up to 4096 rows a submission. Each submission lands whole, and after each the state is one that was.
/// Rows of a plan of more than one share a mark.
pub fn land(ledger: &Ledger, author: &NamedKey, reason: &str, plan: &Plan) -> Result<Vec<Receipt>> {
    let data = match plan.reversals.len() {
        0 | 1 => Value::Map(BTreeMap::new()).encode()?,
        rows => Mark::new(random_id(now()).map_err(anyhow::Error::msg)?, rows as u64).data()?,
    };
    let mut builder = SubmissionBuilder::new(&author.key)?;
    let mut receipts = Vec::with_capacity(plan.reversals.len());
    for (place, reversal) in plan.reversals.iter().enumerate() {
        push(&mut builder, reversal, Context { reason, data: &data }, &author.name)?;
        let last = place + 1 == plan.reversals.len();
        if last || builder.len() == SUBMISSION_ROWS || builder.bytes() >= SUBMISSION_BYTES {
            receipts.extend(ledger.submit(builder.sign(ledger.ledger_id())?)?);
        }
    }
    Ok(receipts)
}

fn push(
    builder: &mut SubmissionBuilder<'_>,
    reversal: &Reversal,
    context: Context<'_>,
    executor: &str,
) -> Result<()> {
    let ops = decode_ops(&reversal.ops)?;
    let now = now();
    let id = random_id(now).map_err(anyhow::Error::msg)?;
    let body = RollbackOf { target: reversal.target, target_hash: reversal.target_hash, forced: false };
    let mut draft = Draft::with_body(id, Body::Rollback(body), now);
    draft.action = "rollback";
    draft.ops = ops.into_iter().map(DraftOp::Stored).collect();
    draft.subject =
        (!reversal.entity.is_empty()).then_some(Subject { entity: &reversal.entity, lifecycle: None });
    draft.actors = Some(Actors { planner: "", judge: None, executor });
    draft.context = Some(context);
    Ok(builder.push(&draft)?)
}
