//! A decision as one JSON line.
//!
//! ```json
//! {"id": "...", "action": "SET_PRICE", "entity": "sku-1", "tier": "A", "mode": "live", "planner": "planner-1",
//!  "judge": {"by": "judge-1", "score": 0.87}, "evidence": [12, {"uri": "...", "blake3": "..."}],
//!  "ops": [{"put": {"key": "price/sku-1", "value": 19.90}}, {"delete": {"key": "..."}},
//!          {"add": {"key": "...", "delta": -2}}, {"transition": {"entity": "sku-1", "from": "testing", "to": "winner"}}],
//!  "effects": [{"adapter": "...", "do": {}, "undo": {}, "undo_until": "2026-12-01"},
//!              {"adapter": "...", "do": {}, "compensate": {}}], "reason": "...", "context": {}}
//! ```
//!
//! Only `action` and one of `ops` and `effects` are required. A field that is not known is an error. Without `mode` it
//! is a dry run.
//!
//! A transition moves an entity to another stage; `to` is a text, and null or the empty one for none. `from` may be left
//! out. It is the stage in which whoever decided saw the entity, is kept in the part `subject`, and decides nothing. So it
//! may stand in the one transition of the entity that the decision is about.
//!
//! An effect without `undo` and without `compensate` cannot be undone. `undo_until` is the time from which on its undo does
//! not work any more. `compensate` stands instead of `undo`, and is a request that makes up for it.
//!
//! An id is 32 hexadecimal digits, with or without the hyphens of a UUID, and stands for those sixteen bytes; any
//! other text stands for the first sixteen bytes of the value commitment `BLAKE3[value]("counterfoil id 1" || text)`.
//! Without an id the line gets a random one, and cannot be sent again without landing twice.

mod effect;
mod op;

use self::effect::{EffectLine, Request};
use self::op::{Change, OpLine};
use crate::json::{self, Object, Strict};
use counterfoil_format::Hash;
use counterfoil_format::content::{Actors, Context, Evidence, Judge, LifecycleMove, Subject};
use counterfoil_format::intent::{IntentId, Micros, Mode, Tier};
use counterfoil_format::part::{Salt, commit_value};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::Draft;
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Deserialize;
use serde_json::{Number, Value as Json};

/// A decision that was read, owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The idempotency key, when the line has one.
    pub id: Option<IntentId>,
    action: String,
    entity: Option<String>,
    /// The stages between which that entity moves, as the line says.
    lifecycle: Option<(String, String)>,
    tier: Tier,
    mode: Mode,
    planner: String,
    judge: Option<(String, u32)>,
    evidence: Vec<Pointer>,
    ops: Vec<Change>,
    effects: Vec<Request>,
    reason: String,
    /// An encoded map, when there is context.
    context: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Pointer {
    Row(u64),
    Document(String, Hash),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Option<String>,
    action: String,
    entity: Option<String>,
    tier: Option<String>,
    mode: Option<String>,
    planner: Option<String>,
    judge: Option<Object<JudgeLine>>,
    #[serde(default)]
    evidence: Vec<Strict>,
    #[serde(default)]
    ops: Vec<OpLine>,
    #[serde(default)]
    effects: Vec<Object<EffectLine>>,
    reason: Option<String>,
    context: Option<Strict>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JudgeLine {
    by: String,
    score: Number,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentLine {
    uri: String,
    blake3: String,
}

impl Decision {
    /// Reads a line. The error says what is wrong with it, in words.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let Object(line): Object<Line> = serde_json::from_slice(line).map_err(|error| said(&error))?;
        let tier = line.tier.as_deref().map_or(Some(Tier::Unstated), |tier| {
            Tier::from_name(tier).filter(|tier| *tier != Tier::Unstated)
        });
        let mode = line.mode.as_deref().map_or(Some(Mode::DryRun), Mode::from_name);
        if line.ops.is_empty() && line.effects.is_empty() {
            return Err("it has neither ops nor effects, so it decides nothing".into());
        }
        let context = line.context.map(|Strict(context)| json::to_value(context)).transpose()?;
        if context.as_ref().is_some_and(|context| !matches!(context, Value::Map(_))) {
            return Err("context is an object".into());
        }
        let ops: Vec<Change> = line.ops.into_iter().map(Change::read).collect::<Result<_, _>>()?;
        Ok(Decision {
            id: line.id.as_deref().map(read_id).transpose()?,
            action: line.action,
            lifecycle: op::lifecycle(&ops, line.entity.as_deref())?,
            entity: line.entity,
            tier: tier.ok_or("tier is \"A\", \"B\" or \"C\"")?,
            mode: mode.ok_or("mode is \"live\" or \"dry-run\"")?,
            planner: line.planner.unwrap_or_default(),
            judge: line
                .judge
                .map(|Object(judge)| Ok::<_, String>((judge.by, read_score(&judge.score)?)))
                .transpose()?,
            evidence: line.evidence.into_iter().map(read_evidence).collect::<Result<_, _>>()?,
            ops,
            effects: line.effects.into_iter().map(Request::read).collect::<Result<_, _>>()?,
            reason: line.reason.unwrap_or_default(),
            context: context.map(|context| encode(&context, "context")).transpose()?,
        })
    }

    /// The judge whom it names.
    pub fn judge(&self) -> Option<&str> {
        self.judge.as_ref().map(|(by, _)| by.as_str())
    }

    /// The newest row that it names as evidence.
    pub fn newest_evidence(&self) -> Option<u64> {
        let rows = self.evidence.iter().filter_map(|pointer| match pointer {
            Pointer::Row(row) => Some(*row),
            Pointer::Document(..) => None,
        });
        rows.max()
    }

    /// The draft of this decision. `executor` is the name of whoever carries it out.
    pub fn draft<'a>(&'a self, id: IntentId, executor: &'a str, authored_at: Micros) -> Draft<'a> {
        let judge = self.judge.as_ref().map(|(by, score)| Judge { by, score: *score, attestation: None });
        let context = (self.context.is_some() || !self.reason.is_empty())
            .then(|| Context { reason: &self.reason, data: self.context.as_deref().unwrap_or(EMPTY_MAP) });
        let lifecycle = self.lifecycle.as_ref().map(|(from, to)| LifecycleMove { from, to });
        Draft {
            tier: self.tier,
            mode: self.mode,
            subject: self.entity.as_deref().map(|entity| Subject { entity, lifecycle }),
            actors: Some(Actors { planner: &self.planner, judge, executor }),
            evidence: self.evidence.iter().map(Pointer::evidence).collect(),
            ops: self.ops.iter().map(Change::op).collect(),
            effects: self.effects.iter().map(Request::effect).collect(),
            context,
            ..Draft::decision(id, &self.action, authored_at)
        }
    }
}

/// The encoding of a map with nothing in it.
const EMPTY_MAP: &[u8] = &[7, 0];

impl Pointer {
    fn evidence(&self) -> Evidence<'_> {
        match self {
            Pointer::Row(row) => Evidence::Row(*row),
            Pointer::Document(uri, blake3) => Evidence::Document { uri, blake3: *blake3 },
        }
    }
}

/// What the JSON reader says, without its own line number, which is always 1.
fn said(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", ", column ")
}

fn encode(value: &Value, what: &str) -> Result<Vec<u8>, String> {
    value.encode().map_err(|error| format!("{what}: {error}"))
}

fn read_evidence(Strict(item): Strict) -> Result<Pointer, String> {
    let shape = "evidence is a row's number or {\"uri\", \"blake3\"} with 64 hexadecimal digits";
    if let Json::Number(number) = &item {
        return number.as_u64().map(Pointer::Row).ok_or_else(|| shape.to_owned());
    }
    let Object(document): Object<DocumentLine> =
        serde_json::from_value(item).map_err(|error| format!("{shape}: {error}"))?;
    let blake3 = Hash::from_hex(&document.blake3).ok_or(shape)?;
    Ok(Pointer::Document(document.uri, blake3))
}

/// A score from 0 to 1 in parts per million.
fn read_score(score: &Number) -> Result<u32, String> {
    let wrong =
        || "a judge's score is a number from 0 to 1 with at most 6 digits behind the point".to_owned();
    let Decimal { mut mantissa, mut scale } = json::read_decimal(&score.to_string())?;
    while scale > 6 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    let shift = 6u32.checked_sub(scale.into()).ok_or_else(wrong)?;
    let ppm = mantissa.checked_mul(10i128.pow(shift)).ok_or_else(wrong)?;
    u32::try_from(ppm).ok().filter(|ppm| *ppm <= counterfoil_format::limits::PPM).ok_or_else(wrong)
}

/// Before a text that is hashed into an id.
const TEXT_ID: &Salt = b"counterfoil id 1";

fn read_id(text: &str) -> Result<IntentId, String> {
    if text.is_empty() {
        return Err("the id is empty; leave it out for a random one".into());
    }
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    if matches!(groups.as_slice(), [32] | [8, 4, 4, 4, 12])
        && let Some(id) = IntentId::from_hex(&text.replace('-', ""))
    {
        return Ok(id);
    }
    Ok(hashed_id(TEXT_ID, text.as_bytes()))
}

/// The id that some bytes stand for: the first half of their value commitment under a salt that is known to all.
pub fn hashed_id(salt: &Salt, bytes: &[u8]) -> IntentId {
    let hash = commit_value(salt, bytes);
    IntentId(hash.0.first_chunk().copied().unwrap_or_default())
}

/// A random id that sorts by time, as a UUID of version 7 does (RFC 9562 section 5.7).
pub fn random_id(now: Micros) -> Result<IntentId, String> {
    let mut id = [0; 16];
    SysRng.try_fill_bytes(&mut id).map_err(|error| format!("no randomness from the system: {error}"))?;
    let [.., a, b, c, d, e, f] = (now / 1000).to_be_bytes();
    for (place, byte) in id.iter_mut().zip([a, b, c, d, e, f]) {
        *place = byte;
    }
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut id;
    *version = (*version & 0x0f) | 0x70;
    *variant = (*variant & 0x3f) | 0x80;
    Ok(IntentId(id))
}

#[cfg(test)]
mod tests;
