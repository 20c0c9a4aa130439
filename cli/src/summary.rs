//! A row in a few words, for people.

use crate::json;
use crate::names::Names;
use crate::policy_words;
use crate::row_json;
use crate::time;
use counterfoil_format::body::{Body, KeyChange, Manner, ReviewVerdict, Role};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Effect, Subject};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{Change, Op};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;

/// What a row is about.
pub fn entity(row: &Row<'_>) -> Result<String, CodecError> {
    Ok(match row.part(PartTag::Subject) {
        None => String::new(),
        Some(Slot::Closed(_)) => "(withheld)".into(),
        Some(Slot::Open { bytes, .. }) => Subject::decode(bytes)?.entity.to_owned(),
    })
}

/// What a row says or does: why it is in review, its first operations, or its body.
pub fn summary(row: &Row<'_>, names: &Names<'_>) -> Result<String, CodecError> {
    let mut words = Vec::new();
    if row.landing.outcome == Outcome::Review {
        let reasons: Vec<_> = row.landing.reasons.iter().map(|reason| reason.name()).collect();
        words.push(format!("[{}]", reasons.join(", ")));
    }
    match row.part(PartTag::Body) {
        None => {}
        Some(Slot::Closed(_)) => words.push("(withheld)".into()),
        Some(Slot::Open { bytes, .. }) => {
            words.push(of_body(&Body::decode(row.head.kind, bytes)?, names));
        }
    }
    match row.part(PartTag::Ops) {
        None => {}
        Some(Slot::Closed(_)) => words.push("(ops withheld)".into()),
        Some(Slot::Open { .. }) => {
            let ops = row.ops(PartTag::Ops)?.unwrap_or_default();
            words.extend(ops.first().map(op));
            if ops.len() > 1 {
                words.push(format!("and {} more", ops.len() - 1));
            }
        }
    }
    if let Some(bytes) = row.content(PartTag::Effects) {
        let effects = Effect::decode_all(bytes)?;
        words.extend(effects.first().map(|effect| format!("effect on {}", effect.adapter)));
    }
    Ok(words.join(" "))
}

/// A stage in words.
pub fn stage(stage: &str) -> &str {
    if stage.is_empty() { "no stage" } else { stage }
}

/// An operation in words.
pub fn op(op: &Op<'_>) -> String {
    let key = op.key;
    match &op.change {
        Change::Put(Slot::Closed(_)) => format!("{key} = (withheld)"),
        Change::Put(slot) => format!("{key} = {}", json::of_slot(slot)),
        Change::Delete => format!("delete {key}"),
        Change::Add(delta) => {
            format!("{key} {} {}", if *delta < 0 { "-=" } else { "+=" }, delta.unsigned_abs())
        }
        Change::Transition("") => format!("{key} leaves its stages"),
        Change::Transition(stage) => format!("{key} moves to {stage}"),
    }
}

fn of_body(body: &Body<'_>, names: &Names<'_>) -> String {
    match body {
        Body::Genesis(genesis) => format!("the ledger {} begins", genesis.origin),
        Body::Key(KeyChange::Grant { roles, name, scope, .. }) => {
            let roles: Vec<_> = Role::in_set(*roles).map(Role::name).collect();
            let scope = crate::body_words::scope(scope);
            let semicolon = if scope.is_empty() { "" } else { "; " };
            format!("grant {name} as {}{semicolon}{scope}", roles.join(", "))
        }
        Body::Key(KeyChange::Rotate { old, .. }) => format!("a new key for {}", names.key(old)),
        Body::Key(KeyChange::Revoke { key, compromised_since, reason }) => {
            let since = compromised_since.map(|since| format!(", suspect from {}", time::print_short(since)));
            with(format!("revoke {}{}", names.key(key), since.unwrap_or_default()), reason)
        }
        Body::Policy(policy) => policy_words::summary(policy),
        Body::Review(review) => {
            let said = if review.verdict == ReviewVerdict::Approve { "approves" } else { "rejects" };
            with(format!("{said} row {}", review.row), review.reason)
        }
        Body::Evidence(reading) => format!("{} is {}", reading.metric, reading.value),
        Body::KillSwitch(switch) => {
            let now = if switch.engaged { "engaged" } else { "released" };
            let drill = switch.drill.map(|drill| format!("; it stopped row {}", drill.probe));
            let held = names.key(&switch.holder);
            let words = format!("{}: {now}, held by {held}{}", switch.act.name(), drill.unwrap_or_default());
            with(words, switch.reason)
        }
        Body::Rollback(rollback) => {
            let manner = match rollback.manner {
                Manner::Exact => String::new(),
                manner => format!(", {manner}"),
            };
            format!("takes back row {}{manner}:", rollback.target)
        }
        Body::Outcome(outcome) => {
            let words =
                format!("effect {} called for by row {}: {}", outcome.effect, outcome.row, outcome.status);
            with(words, outcome.detail)
        }
        Body::Snapshot(snapshot) => {
            format!("the state after row {} has {} keys", snapshot.at, snapshot.leaves)
        }
        Body::Erasure(erasure) => format!("erases {} items: {}", erasure.items.len(), erasure.authority),
        Body::Calibration(calibration) => {
            let (metric, threshold, rows) =
                (calibration.metric, calibration.threshold, calibration.rows.len());
            let rows = if rows == 1 { "1 reading".to_owned() } else { format!("{rows} readings") };
            let quantile = row_json::score(calibration.quantile);
            format!("{metric} is {threshold}, the quantile {quantile} of {rows}")
        }
    }
}

/// Words with a reason behind them, when there is one.
fn with(words: String, reason: &str) -> String {
    if reason.is_empty() { words } else { format!("{words}: {reason}") }
}
