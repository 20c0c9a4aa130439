//! A plan as JSON.

use super::show::Done;
use super::{Made, Options};
use crate::calls::Told;
use crate::diff::side;
use crate::json;
use crate::row_json;
use crate::time;
use anyhow::Result;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::decode_ops;
use counterfoil_replay::diff::Difference;
use counterfoil_replay::plan::{PlannedCall, Reversal, Staying};
use serde_json::{Value as Json, json};

/// All of it.
pub(super) fn as_json(options: &Options, made: &Made, done: &Done<'_>) -> Result<Json> {
    let plan = &made.plan;
    let all = done.landed.iter().all(|row| row.outcome == Outcome::Applied);
    let changes = all.then(|| made.changes.iter().map(change).collect::<Vec<_>>());
    let dependants = plan.dependants.iter().map(|d| json!({ "row": d.row, "on": d.on, "key": d.key }));
    let untouched = plan.untouched.iter().map(|it| {
        let left: Vec<Json> = it.left.iter().map(|(key, by)| json!({ "key": key, "by": by })).collect();
        json!({ "row": it.row, "left": left })
    });
    let citations = plan.citations.iter().map(|it| json!({ "row": it.row, "cites": it.cites }));
    let mut object = json!({
        "size": plan.size,
        "plan": plan.reversals.iter().map(reversal).collect::<Result<Vec<_>>>()?,
        "untouched": untouched.collect::<Vec<_>>(),
        "dependants": dependants.collect::<Vec<_>>(),
        "citations": citations.collect::<Vec<_>>(),
        "changes": changes,
        "applied": options.apply && all,
        "receipts": done.landed.iter().map(|row| row.json()).collect::<Vec<_>>(),
        "effects": done.told.iter().map(Told::json).collect::<Vec<_>>(),
    });
    if let (Some(object), Some(written)) = (object.as_object_mut(), &options.written) {
        object.insert("written".to_owned(), json!(written));
    }
    Ok(object)
}

fn reversal(reversal: &Reversal) -> Result<Json> {
    let ops = if reversal.ops.is_empty() { Vec::new() } else { decode_ops(&reversal.ops)? };
    let left = reversal.left.iter().map(|(key, by)| json!({ "key": key, "by": by }));
    Ok(json!({
        "target": reversal.target,
        "target_hash": reversal.target_hash.to_string(),
        "kind": reversal.kind.name(),
        "action": reversal.action,
        "entity": reversal.entity,
        "takes_back": reversal.takes_back,
        "manner": reversal.manner.name(),
        "keys": reversal.keys,
        "left": left.collect::<Vec<_>>(),
        "ops": ops.iter().map(row_json::op).collect::<Vec<_>>(),
        "calls": reversal.calls_in_order().map(call).collect::<Vec<_>>(),
        "effects_not_undone": reversal.staying.iter().map(staying).collect::<Vec<_>>(),
    }))
}

/// A call.
pub(super) fn call(call: &PlannedCall) -> Json {
    json!({
        "effect": call.effect,
        "adapter": call.adapter,
        "does": call.does.name(),
        "request": json::of_encoded(&call.request),
        "until": call.until.map(time::print),
    })
}

fn staying(staying: &Staying) -> Json {
    json!({ "effect": staying.effect, "adapter": staying.adapter, "why": staying.why })
}

/// What a key holds before and after.
pub(super) fn change(change: &Difference) -> Json {
    json!({
        "key": change.key,
        "before": side(change.before.as_ref()),
        "after": side(change.after.as_ref()),
    })
}
