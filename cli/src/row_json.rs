//! A row as the JSON object that `log` and `show` print. Scripts rely on its shape.
//!
//! An absent list is `[]`, an absent text `null`, an absent context `{}`. `rollback` is `null` when the row has none:
//! it changed nothing and would have changed nothing. A part that is withheld or erased is
//! `{"withheld": "<commitment>"}` in each field that comes from it; so is a single value of `ops` and `rollback`.
//! A value that was put and only looks like that is `{"$map": {"withheld": ...}}`, as [`json`] says.

use crate::json;
use crate::names::Names;
use crate::time;
use anyhow::Result;
use counterfoil_format::body::Body;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Subject, Undo};
use counterfoil_format::intent::Tier;
use counterfoil_format::landing::Reason;
use counterfoil_format::limits::PPM;
use counterfoil_format::ops::{Change, Guard, Op, decode_ops};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;
use counterfoil_format::value::Decimal;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// A row, ready to be written as JSON.
#[derive(Debug, Serialize)]
pub struct RowJson {
    /// The row's number.
    pub seq: u64,
    /// Its hash, in hexadecimal.
    pub row_hash: String,
    /// What the row is.
    pub kind: &'static str,
    /// The action's name; empty for rows that are no decisions.
    pub action: String,
    /// What it is about.
    pub entity: Json,
    /// The move of that entity as the author saw it: `from` and `to`, empty for no stage.
    pub lifecycle: Json,
    /// Cost confidence, `A`, `B` or `C`; null when none was stated.
    pub tier: Option<&'static str>,
    /// `dry-run` or `live`, as it was asked for.
    pub mode: &'static str,
    /// `applied`, `dry-run` or `review`.
    pub outcome: &'static str,
    /// Why.
    pub reasons: Vec<&'static str>,
    /// The name of the key that signed it.
    pub author: String,
    /// `planner`, `judge` with `by`, `score` and `signed_by`, `executor`, and `operator`, who held the kill switch.
    pub actors: Json,
    /// Row numbers, and documents with `uri` and `blake3`.
    pub evidence: Json,
    /// What it does to the state.
    pub ops: Json,
    /// What it does elsewhere: `adapter`, `do`, `undo`.
    pub effects: Json,
    /// What takes it back.
    pub rollback: Json,
    /// Why, in the author's words.
    pub reason: Json,
    /// What else the author said.
    pub context: Json,
    /// What a row says that is no decision; null for a decision.
    pub body: Json,
    /// When it was decided, by the author's clock.
    pub authored_at: String,
    /// When it landed, by the ledger's clock.
    pub landed_at: String,
    /// The idempotency key.
    pub id: String,
    /// The id of the key that signed it.
    pub author_key: String,
    /// Whether and how it can be taken back.
    pub reversibility: &'static str,
    /// The row that set the policy in force.
    pub policy_row: u64,
    /// The row that last moved the kill switch; 0 when none had.
    pub kill_switch_row: u64,
    /// The place in its submission and the submission's size.
    pub submission: Json,
}

impl RowJson {
    /// The object of a row.
    pub fn of(row: &Row<'_>, names: &mut Names<'_>) -> Result<Self> {
        let operator = names.holder(row.landing.kill_switch_row)?;
        let (reason, context) = context(row)?;
        let (entity, lifecycle) = subject(row)?;
        let (head, landing) = (&row.head, &row.landing);
        Ok(RowJson {
            seq: landing.seq,
            row_hash: row.row_hash.to_string(),
            kind: head.kind.name(),
            action: head.action.to_owned(),
            entity,
            lifecycle,
            tier: (head.tier != Tier::Unstated).then(|| head.tier.name()),
            mode: head.mode.name(),
            outcome: landing.outcome.name(),
            reasons: landing.reasons.iter().copied().map(Reason::name).collect(),
            author: names.key(&head.author),
            actors: actors(row, names, operator.as_deref())?,
            evidence: list(row, PartTag::Evidence, |bytes| {
                Ok(Evidence::decode_all(bytes)?.iter().map(evidence).collect())
            })?,
            ops: ops_as_sent(row)?,
            effects: list(row, PartTag::Effects, |bytes| {
                Ok(Effect::decode_all(bytes)?.iter().map(effect).collect())
            })?,
            rollback: ops(row, PartTag::Rollback, Json::Null)?,
            reason,
            context,
            body: body(row, names)?,
            authored_at: time::print(head.authored_at),
            landed_at: time::print(landing.landed_at),
            id: head.id.to_string(),
            author_key: head.author.to_string(),
            reversibility: landing.reversibility.name(),
            policy_row: landing.policy_row,
            kill_switch_row: landing.kill_switch_row,
            submission: json!({ "index": landing.index, "count": landing.count }),
        })
    }
}

/// One operation.
pub fn op(op: &Op<'_>) -> Json {
    let (name, mut fields) = match &op.change {
        Change::Put(slot) => ("put", json!({ "key": op.key, "value": json::of_slot(slot) })),
        Change::Delete => ("delete", json!({ "key": op.key })),
        Change::Add(delta) => ("add", json!({ "key": op.key, "delta": delta })),
        Change::Transition(stage) => ("transition", json!({ "entity": op.key, "to": stage })),
    };
    let guard = match op.guard {
        Guard::None => None,
        Guard::Absent => Some(json!("absent")),
        Guard::Value(commitment) => Some(json!({ "value": commitment.to_string() })),
        Guard::Counter(number) => Some(json!({ "counter": number })),
        Guard::Stage(stage) => Some(json!({ "stage": stage })),
    };
    if let (Some(guard), Json::Object(fields)) = (guard, &mut fields) {
        fields.insert("only_if".into(), guard);
    }
    Json::Object(Map::from_iter([(name.to_owned(), fields)]))
}

/// A judge's score as the decimal it is: 870000 parts per million are 0.87.
pub fn score(ppm: u32) -> Json {
    let (mut mantissa, mut scale) = (i128::from(ppm), 6u8);
    while scale > 2 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    debug_assert!(ppm <= PPM, "a decoded score is in range");
    json::of_decimal(Decimal { mantissa, scale })
}

/// A part that is a list, or what stands in its place.
fn list<'a>(
    row: &Row<'a>,
    tag: PartTag,
    items: impl FnOnce(&'a [u8]) -> Result<Vec<Json>, CodecError>,
) -> Result<Json, CodecError> {
    Ok(match row.part(tag) {
        None => Json::Array(Vec::new()),
        Some(Slot::Closed(commitment)) => json::withheld(&commitment),
        Some(Slot::Open { bytes, .. }) => Json::Array(items(bytes)?),
    })
}

fn ops(row: &Row<'_>, tag: PartTag, absent: Json) -> Result<Json, CodecError> {
    match row.part(tag) {
        None => Ok(absent),
        Some(_) => list(row, tag, |bytes| Ok(decode_ops(bytes)?.iter().map(op).collect())),
    }
}

fn evidence(item: &Evidence<'_>) -> Json {
    match item {
        Evidence::Row(row) => json!(row),
        Evidence::Document { uri, blake3 } => json!({ "uri": uri, "blake3": blake3.to_string() }),
    }
}

fn effect(effect: &Effect<'_>) -> Json {
    let request = json::of_encoded;
    let undo = match effect.undo {
        Undo::Never => vec![("undo", Json::Null)],
        Undo::Request(undo) => vec![("undo", request(undo))],
        Undo::Until(undo, until) => {
            vec![("undo", request(undo)), ("undo_until", json!(time::print(until)))]
        }
        Undo::Compensate(instead) => vec![("compensate", request(instead))],
    };
    let done = [("adapter", json!(effect.adapter)), ("do", request(effect.request))];
    let fields = done.into_iter().chain(undo).map(|(name, value)| (name.to_owned(), value));
    Json::Object(fields.collect())
}

/// What it is about, and how that moves.
fn subject(row: &Row<'_>) -> Result<(Json, Json), CodecError> {
    Ok(match row.part(PartTag::Subject) {
        None => (Json::Null, Json::Null),
        Some(Slot::Closed(commitment)) => (json::withheld(&commitment), json::withheld(&commitment)),
        Some(Slot::Open { bytes, .. }) => {
            let Subject { entity, lifecycle } = Subject::decode(bytes)?;
            (json!(entity), json!(lifecycle.map(|moved| json!({ "from": moved.from, "to": moved.to }))))
        }
    })
}

/// The operations, a transition with the stage from which the author saw the entity move, as a decision line has it.
fn ops_as_sent(row: &Row<'_>) -> Result<Json, CodecError> {
    let subject = row.content(PartTag::Subject).map(Subject::decode).transpose()?;
    let seen = subject.and_then(|subject| Some((subject.entity, subject.lifecycle?)));
    let mut printed = ops(row, PartTag::Ops, Json::Array(Vec::new()))?;
    let Some((entity, moved)) = seen else { return Ok(printed) };
    for op in printed.as_array_mut().into_iter().flatten() {
        if let Some(Json::Object(fields)) = op.get_mut("transition")
            && fields.get("entity").is_some_and(|of| of == entity)
            && fields.get("to").is_some_and(|to| to == moved.to)
        {
            fields.insert("from".into(), json!(moved.from));
        }
    }
    Ok(printed)
}

fn actors(row: &Row<'_>, names: &Names<'_>, operator: Option<&str>) -> Result<Json, CodecError> {
    let stated = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    let mut actors = match row.part(PartTag::Actors) {
        None => json!({ "planner": null, "judge": null, "executor": null }),
        Some(Slot::Closed(commitment)) => json::withheld(&commitment),
        Some(Slot::Open { bytes, .. }) => {
            let actors = Actors::decode(bytes)?;
            let judge = actors.judge.map(|judge| {
                let signed_by = judge.attestation.map(
                    |signed| json!({ "key_id": signed.key.to_string(), "name": names.key(&signed.key) }),
                );
                json!({ "by": judge.by, "score": score(judge.score), "signed_by": signed_by })
            });
            json!({ "planner": stated(actors.planner), "judge": judge, "executor": stated(actors.executor) })
        }
    };
    if let Json::Object(fields) = &mut actors {
        fields.insert("operator".into(), json!(operator));
    }
    Ok(actors)
}

/// The reason and the free-form data.
fn context(row: &Row<'_>) -> Result<(Json, Json), CodecError> {
    Ok(match row.part(PartTag::Context) {
        None => (Json::Null, json!({})),
        Some(Slot::Closed(commitment)) => (json::withheld(&commitment), json::withheld(&commitment)),
        Some(Slot::Open { bytes, .. }) => {
            let context = Context::decode(bytes)?;
            let reason = (!context.reason.is_empty()).then_some(context.reason);
            (json!(reason), json::of_encoded(context.data))
        }
    })
}

fn body(row: &Row<'_>, names: &Names<'_>) -> Result<Json, CodecError> {
    Ok(match row.part(PartTag::Body) {
        None => Json::Null,
        Some(Slot::Closed(commitment)) => json::withheld(&commitment),
        Some(Slot::Open { bytes, .. }) => {
            crate::body_json::of_body(&Body::decode(row.head.kind, bytes)?, names)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_has_at_least_two_digits_and_no_float() {
        assert_eq!(score(870_000).to_string(), "0.87");
        assert_eq!(score(876_543).to_string(), "0.876543");
        assert_eq!(score(1_000_000).to_string(), "1.00");
        assert_eq!(score(0).to_string(), "0.00");
        assert_eq!(score(1).to_string(), "0.000001");
    }

    #[test]
    fn a_guard_is_said_with_its_operation() {
        let back = Op { key: "k", guard: Guard::Absent, change: Change::Add(-2) };
        assert_eq!(op(&back).to_string(), r#"{"add":{"delta":-2,"key":"k","only_if":"absent"}}"#);
        let stage = Op { key: "sku", guard: Guard::Stage("live"), change: Change::Transition("") };
        let said = r#"{"transition":{"entity":"sku","only_if":{"stage":"live"},"to":""}}"#;
        assert_eq!(op(&stage).to_string(), said);
    }
}
