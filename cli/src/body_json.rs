//! What the rows say that are no decisions, as JSON: the field `body` of a row's object.

use crate::json;
use crate::names::Names;
use crate::time;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Erased, KeyBytes, KeyChange, PolicyBody, Role};
use counterfoil_format::key::key_id;
use serde_json::{Value as Json, json};

/// A body as JSON. Keys are in hexadecimal; those that only have an id here are named as well.
pub fn of_body(body: &Body<'_>, names: &Names<'_>) -> Json {
    match body {
        Body::Genesis(genesis) => json!({
            "format": genesis.format,
            "origin": genesis.origin,
            "owner": hex(&genesis.owner),
            "ledger": hex(&genesis.ledger),
            "policy": policy(&genesis.policy),
        }),
        Body::Key(change) => key(change, names),
        Body::Policy(body) => policy(body),
        Body::Evidence(reading) => json!({
            "metric": reading.metric,
            "value": json::of_decimal(reading.value),
            "source": reading.source,
        }),
        Body::KillSwitch(switch) => json!({
            "act": switch.act.name(),
            "engaged": switch.engaged,
            "holder": names.key(&switch.holder),
            "holder_key": switch.holder.to_string(),
            "reason": switch.reason,
        }),
        Body::Rollback(rollback) => json!({
            "target": rollback.target,
            "target_hash": rollback.target_hash.to_string(),
            "forced": rollback.forced,
        }),
        Body::Outcome(outcome) => json!({
            "row": outcome.row,
            "effect": outcome.effect,
            "undo": outcome.undo,
            "status": outcome.status.name(),
            "detail": outcome.detail,
        }),
        Body::Snapshot(snapshot) => json!({
            "at": snapshot.at,
            "state": snapshot.state.to_string(),
            "leaves": snapshot.leaves,
        }),
        Body::Erasure(erasure) => json!({
            "authority": erasure.authority,
            "items": erasure.items.iter().map(erased).collect::<Vec<_>>(),
        }),
        Body::Calibration(calibration) => json!({
            "metric": calibration.metric,
            "quantile_ppm": calibration.quantile,
            "rows": calibration.rows,
            "threshold": json::of_decimal(calibration.threshold),
        }),
    }
}

fn hex(key: &KeyBytes) -> String {
    Hash(*key).to_string()
}

fn policy(policy: &PolicyBody<'_>) -> Json {
    json!({ "live": policy.live, "segment_bytes": policy.segment_bytes })
}

fn key(change: &KeyChange<'_>, names: &Names<'_>) -> Json {
    match change {
        KeyChange::Grant { key, roles, name } => json!({
            "change": "grant",
            "name": name,
            "roles": Role::in_set(*roles).map(Role::name).collect::<Vec<_>>(),
            "key": hex(key),
            "key_id": key_id(key).to_string(),
        }),
        KeyChange::Rotate { old, key } => json!({
            "change": "rotate",
            "name": names.key(old),
            "old": old.to_string(),
            "key": hex(key),
            "key_id": key_id(key).to_string(),
        }),
        KeyChange::Revoke { key, compromised_since, reason } => json!({
            "change": "revoke",
            "name": names.key(key),
            "key_id": key.to_string(),
            "compromised_since": compromised_since.map(time::print),
            "reason": reason,
        }),
    }
}

fn erased(item: &Erased) -> Json {
    match item {
        Erased::Part { row, tag } => {
            let part =
                counterfoil_format::part::PartTag::AUTHORED.into_iter().find(|part| *part as u8 == *tag);
            json!({ "row": row, "part": part.map(counterfoil_format::part::PartTag::name) })
        }
        Erased::Value { commitment } => json!({ "value": commitment.to_string() }),
    }
}
