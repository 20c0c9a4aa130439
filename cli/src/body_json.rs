//! What the rows say that are no decisions, as JSON: the field `body` of a row's object.

use crate::json;
use crate::names::Names;
use crate::time;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Erased, KeyBytes, KeyChange, Role, Scope};
use counterfoil_format::intent::{Micros, Tier};
use counterfoil_format::key::key_id;
use counterfoil_format::policy::{ActionRule, Floor, Limit, PolicyBody};
use counterfoil_format::value::Decimal;
use counterfoil_rules::number::reduced;
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
            "drill": switch.drill.map(|drill| json!({ "began": drill.began, "probe": drill.probe })),
        }),
        Body::Rollback(rollback) => json!({
            "target": rollback.target,
            "target_hash": rollback.target_hash.to_string(),
            "manner": rollback.manner.name(),
            "effects": rollback.effects,
        }),
        Body::Outcome(outcome) => json!({
            "row": outcome.row,
            "effect": outcome.effect,
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
            "action": (!calibration.action.is_empty()).then_some(calibration.action),
            "from": time::print(calibration.from),
            "upto": calibration.upto,
            "quantile_ppm": calibration.quantile,
            "rows": calibration.rows,
            "threshold": json::of_decimal(calibration.threshold),
        }),
        Body::Review(review) => json!({
            "row": review.row,
            "row_hash": review.row_hash.to_string(),
            "verdict": review.verdict.name(),
            "reason": review.reason,
        }),
    }
}

fn hex(key: &KeyBytes) -> String {
    Hash(*key).to_string()
}

fn policy(policy: &PolicyBody<'_>) -> Json {
    let actions: serde_json::Map<String, Json> =
        policy.actions.iter().map(|rule| (rule.pattern.to_owned(), action(rule))).collect();
    let lifecycle = policy.lifecycle.as_ref().map(|lifecycle| {
        let moves = lifecycle.moves.iter().map(|moved| json!([moved.from, moved.to]));
        json!({ "stages": lifecycle.stages, "moves": moves.collect::<Vec<_>>() })
    });
    let writers: serde_json::Map<String, Json> =
        policy.writers.iter().map(|of| (of.kind.name().to_owned(), roles(of.roles))).collect();
    json!({
        "separation": policy.separation,
        "actions": actions,
        "lifecycle": lifecycle,
        "limits": policy.limits.iter().map(limit).collect::<Vec<_>>(),
        "writers": writers,
        "drill_period_seconds": policy.drill_period.map(seconds),
        "snapshot_rows": policy.snapshot_rows,
        "segment_bytes": policy.segment_bytes,
    })
}

fn action(rule: &ActionRule<'_>) -> Json {
    let metrics: serde_json::Map<String, Json> = rule
        .metrics
        .iter()
        .map(|least| {
            let floor = match least.floor {
                Floor::Fixed(number) => json::of_decimal(number),
                Floor::Calibrated => json!("calibrated"),
            };
            (least.metric.to_owned(), floor)
        })
        .collect();
    json!({
        "live": rule.live,
        "class": rule.class.name(),
        "tier": (rule.tier != Tier::Unstated).then(|| rule.tier.name()),
        "judge_floor_ppm": rule.judge_floor,
        "attested": rule.attested,
        "reversibility": rule.reach.name(),
        "proven_seconds": rule.proven.map(seconds),
        "metrics": metrics,
    })
}

fn limit(limit: &Limit<'_>) -> Json {
    let sum = limit.sum.map(|sum| json!({ "field": sum.field, "most": json::of_decimal(sum.most) }));
    json!({
        "action": limit.actions,
        "per": limit.per.name(),
        "window_seconds": seconds(limit.window),
        "count": limit.count,
        "sum": sum,
    })
}

fn roles(set: u8) -> Json {
    json!(Role::in_set(set).map(Role::name).collect::<Vec<_>>())
}

/// The scope of a key.
pub fn scope(scope: &Scope<'_>) -> Json {
    json!({
        "actions": scope.actions,
        "prefixes": scope.prefixes,
        "from": scope.from.map(time::print),
        "until": scope.until.map(time::print),
    })
}

fn key(change: &KeyChange<'_>, names: &Names<'_>) -> Json {
    match change {
        KeyChange::Grant { key, roles: set, name, scope: granted } => json!({
            "change": "grant",
            "name": name,
            "roles": roles(*set),
            "scope": scope(granted),
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

/// A span of time in seconds, to the microsecond.
fn seconds(span: Micros) -> Json {
    json::of_decimal(reduced(Decimal { mantissa: span.into(), scale: 6 }))
}
