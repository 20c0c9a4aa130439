//! Landing a plan as rollback rows.

use crate::act::{Landed, Lander};
use crate::decision::random_id;
use crate::exit::Refused;
use crate::keys::NamedKey;
use crate::place::Place;
use anyhow::Result;
use counterfoil_format::body::{Body, RollbackOf};
use counterfoil_format::content::{Actors, Context, Subject};
use counterfoil_format::limits::SUBMISSION_ROWS;
use counterfoil_format::ops::decode_ops;
use counterfoil_ledger::{Draft, DraftError, DraftOp, SubmissionBuilder, SubmitError, now};
use counterfoil_replay::operation::Mark;
use counterfoil_replay::plan::{Plan, Reversal};

/// Bytes after which a submission takes in no more rows.
const SUBMISSION_BYTES: usize = 4 << 20;

/// What is said of rows when writing them has failed.
const IN_DOUBT: &str = "a submission may have landed or not (`counterfoil log` tells)";

/// How to land a plan again.
pub struct Again {
    /// The program, with the ledger named.
    pub program: String,
    /// The command that plans it, without `--apply`.
    pub command: String,
    /// Whether that command goes on from where a landing was broken off.
    pub goes_on: bool,
    /// Whether that is a plan that was saved, which says by itself how it was asked for.
    pub is_saved: bool,
}

impl Again {
    /// By a command on a ledger.
    pub fn with(place: &Place, command: &str, goes_on: bool) -> Self {
        let program = place.command();
        Again { command: format!("{program} {command}"), program, goes_on, is_saved: false }
    }

    /// The same of a plan that was saved.
    pub fn saved(self) -> Self {
        Again { is_saved: true, ..self }
    }
}

/// What the rows of a plan say besides.
pub struct Saying<'s> {
    /// Why, in somebody's words.
    pub reason: &'s str,
    /// Whether they bring back what an operation has taken back.
    pub redo: bool,
}

/// Lands a plan, up to 4096 rows a submission. Each submission lands whole, and after each the state is one that was.
/// Its rows share a mark. An error says what landed before.
pub fn land(
    lander: &Lander<'_>,
    author: &NamedKey,
    saying: &Saying<'_>,
    plan: &Plan,
    again: &Again,
) -> Result<Vec<Landed>> {
    let id = random_id(now()).map_err(anyhow::Error::msg)?;
    let data = Mark::new(id, plan.reversals.len() as u64, saying.redo).data()?;
    let reason = saying.reason;
    let mut builder = SubmissionBuilder::new(&author.key)?;
    let mut receipts = Vec::with_capacity(plan.reversals.len());
    for (place, reversal) in plan.reversals.iter().enumerate() {
        let pushed = push(&mut builder, reversal, Context { reason, data: &data }, &author.name);
        pushed.map_err(|error| broken_off(plan, again, &receipts, named(Some(reversal), error)))?;
        let last = place + 1 == plan.reversals.len();
        if last || builder.len() == SUBMISSION_ROWS || builder.bytes() >= SUBMISSION_BYTES {
            let landed = lander.land(builder.sign(lander.log().ledger_id())?);
            let landed = landed
                .map_err(|error| broken_off(plan, again, &receipts, refused(plan, &receipts, error)))?;
            receipts.extend(landed);
        }
    }
    Ok(receipts)
}

/// An error about one intent of the submission behind these receipts, told by the row that should be taken back.
fn refused(plan: &Plan, receipts: &[Landed], error: anyhow::Error) -> anyhow::Error {
    let target = |index: usize| plan.reversals.get(receipts.len() + index);
    match error.downcast::<SubmitError>() {
        Ok(SubmitError::Refused { index, refusal }) => named(target(index), refusal.into()),
        Ok(SubmitError::Cited { index, reason }) => named(target(index), anyhow::Error::msg(reason)),
        Ok(SubmitError::Format { index, error }) => named(target(index), error.into()),
        Ok(error) => error.into(),
        Err(error) => error,
    }
}

/// The error, with the row that could not be taken back named.
fn named(reversal: Option<&Reversal>, error: anyhow::Error) -> anyhow::Error {
    let why = match error.downcast_ref::<DraftError>() {
        Some(DraftError::Format { error, .. }) => error.to_string(),
        _ => format!("{error:#}"),
    };
    match reversal {
        Some(reversal) => Refused::error(format!("row {} cannot be taken back: {why}", reversal.target)),
        None => error,
    }
}

/// The error, with what landed before it and how to go on.
fn broken_off(plan: &Plan, again: &Again, receipts: &[Landed], error: anyhow::Error) -> anyhow::Error {
    let in_doubt = matches!(error.downcast_ref(), Some(SubmitError::Failed(_)));
    let (Some(first), Some(last)) = (receipts.first(), receipts.last()) else {
        return error.context(if in_doubt { IN_DOUBT } else { "nothing landed" });
    };
    let (done, all) = (receipts.len(), plan.reversals.len());
    let head = first.seq.saturating_sub(1);
    let go_on = match again.goes_on {
        true => format!("; to go on with the rest: {} --apply", again.command),
        false => String::new(),
    };
    let others = if in_doubt {
        format!("of the others {IN_DOUBT}")
    } else {
        format!("the other {} are not", all - done)
    };
    error.context(format!(
        "broken off: {done} of {all} rows are taken back, by rows {} to {}, and {others}; to put the state \
         back to what it was before: {} restore --to {head} --apply{go_on}; effects that these rows call for are finished by \
         `counterfoil effects resume`; what stopped it",
        first.seq, last.seq, again.program,
    ))
}

fn push(
    builder: &mut SubmissionBuilder<'_>,
    reversal: &Reversal,
    context: Context<'_>,
    executor: &str,
) -> Result<()> {
    let ops = if reversal.ops.is_empty() { Vec::new() } else { decode_ops(&reversal.ops)? };
    let now = now();
    let id = random_id(now).map_err(anyhow::Error::msg)?;
    let body = RollbackOf {
        target: reversal.target,
        target_hash: reversal.target_hash,
        manner: reversal.manner,
        effects: reversal.calls.iter().map(|call| call.effect).collect(),
    };
    let mut draft = Draft::with_body(id, Body::Rollback(body), now);
    draft.action = "rollback";
    draft.ops = ops.into_iter().map(DraftOp::Stored).collect();
    draft.subject =
        (!reversal.entity.is_empty()).then_some(Subject { entity: &reversal.entity, lifecycle: None });
    draft.actors = Some(Actors { planner: "", judge: None, executor });
    draft.context = Some(context);
    Ok(builder.push(&draft)?)
}

#[cfg(test)]
mod tests;
