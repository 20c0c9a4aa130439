//! A decision as one JSON line.
//!
//! ```json
//! {"id": "...", "action": "SET_PRICE", "entity": "sku-1", "tier": "A", "mode": "live", "planner": "planner-1",
//!  "judge": {"by": "judge-1", "score": 0.87}, "evidence": [12, {"uri": "...", "blake3": "..."}],
//!  "ops": [{"put": {"key": "price/sku-1", "value": 19.90}}, {"delete": {"key": "..."}},
//!          {"add": {"key": "...", "delta": -2}}],
//!  "effects": [{"adapter": "...", "do": {}, "undo": {}}], "reason": "...", "context": {}}
//! ```
//!
//! Only `action` and one of `ops` and `effects` are required. A field that is not known is an error. Without `mode` it
//! is a dry run.
//!
//! An id is 32 hexadecimal digits, with or without the hyphens of a UUID, and stands for those sixteen bytes; any
//! other text stands for the first sixteen bytes of the value commitment `BLAKE3[value]("counterfoil id 1" || text)`.
//! Without an id the line gets a random one, and cannot be sent again without landing twice.

use crate::json::{self, Object, Strict};
use counterfoil_format::Hash;
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Judge, Subject, Undo};
use counterfoil_format::intent::{IntentId, Micros, Mode, Tier};
use counterfoil_format::part::{Salt, commit_value};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::{Draft, DraftOp};
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

#[derive(Debug, Clone, PartialEq)]
enum Change {
    Put(String, Value),
    Delete(String),
    Add(String, i64),
}

#[derive(Debug, Clone, PartialEq)]
struct Request {
    adapter: String,
    request: Vec<u8>,
    undo: Option<Vec<u8>>,
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
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum OpLine {
    Put(Object<PutLine>),
    Delete(Object<DeleteLine>),
    Add(Object<AddLine>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutLine {
    key: String,
    value: Strict,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteLine {
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddLine {
    key: String,
    delta: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EffectLine {
    adapter: String,
    #[serde(rename = "do")]
    request: Strict,
    undo: Option<Strict>,
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
        Ok(Decision {
            id: line.id.as_deref().map(read_id).transpose()?,
            action: line.action,
            entity: line.entity,
            tier: tier.ok_or("tier is \"A\", \"B\" or \"C\"")?,
            mode: mode.ok_or("mode is \"live\" or \"dry-run\"")?,
            planner: line.planner.unwrap_or_default(),
            judge: line
                .judge
                .map(|Object(judge)| Ok::<_, String>((judge.by, read_score(&judge.score)?)))
                .transpose()?,
            evidence: line.evidence.into_iter().map(read_evidence).collect::<Result<_, _>>()?,
            ops: line.ops.into_iter().map(read_op).collect::<Result<_, _>>()?,
            effects: line.effects.into_iter().map(read_effect).collect::<Result<_, _>>()?,
            reason: line.reason.unwrap_or_default(),
            context: context.map(|context| encode(&context, "context")).transpose()?,
        })
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
        Draft {
            tier: self.tier,
            mode: self.mode,
            subject: self.entity.as_deref().map(|entity| Subject { entity, lifecycle: None }),
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

impl Change {
    fn op(&self) -> DraftOp<'_> {
        match self {
            Change::Put(key, value) => DraftOp::Put(key, value),
            Change::Delete(key) => DraftOp::Delete(key),
            Change::Add(key, delta) => DraftOp::Add(key, *delta),
        }
    }
}

impl Request {
    fn effect(&self) -> Effect<'_> {
        Effect {
            adapter: &self.adapter,
            request: &self.request,
            undo: self.undo.as_ref().map_or(Undo::Never, |undo| Undo::Request(undo)),
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

fn read_op(op: OpLine) -> Result<Change, String> {
    let named = |key: String| if key.is_empty() { Err("a key is empty".to_owned()) } else { Ok(key) };
    Ok(match op {
        OpLine::Put(Object(PutLine { key, value: Strict(value) })) => {
            let key = named(key)?;
            let value = json::to_value(value).map_err(|error| format!("the value of {key:?}: {error}"))?;
            Change::Put(key, value)
        }
        OpLine::Delete(Object(DeleteLine { key })) => Change::Delete(named(key)?),
        OpLine::Add(Object(AddLine { key, delta })) => Change::Add(named(key)?, delta),
    })
}

fn read_effect(Object(effect): Object<EffectLine>) -> Result<Request, String> {
    let request = |Strict(json)| encode(&json::to_value(json)?, "the request of an effect");
    Ok(Request {
        adapter: effect.adapter,
        request: request(effect.request)?,
        undo: effect.undo.map(request).transpose()?,
    })
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
mod tests {
    use super::*;

    fn fault(line: &str) -> String {
        Decision::parse(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_line_has_the_shape_that_is_written_down() {
        let full = r#"{"id":"x","action":"A","entity":"e","tier":"B","mode":"live","planner":"p",
            "judge":{"by":"j","score":0.87},
            "evidence":[12,{"uri":"u","blake3":"0101010101010101010101010101010101010101010101010101010101010101"}],
            "ops":[{"put":{"key":"k","value":{"price":19.90}}},{"delete":{"key":"d"}},{"add":{"key":"n","delta":-2}}],
            "effects":[{"adapter":"shop","do":{"a":1},"undo":null},{"adapter":"mail","do":1}],
            "reason":"r","context":{"c":1}}"#;
        let decision = Decision::parse(full.replace('\n', "").as_bytes()).unwrap();
        let draft = decision.draft(IntentId([1; 16]), "executor-1", 5);
        assert_eq!((draft.tier, draft.mode), (Tier::B, Mode::Live));
        assert_eq!((draft.evidence.len(), draft.ops.len(), draft.effects.len()), (2, 3, 2));
        assert_eq!(draft.actors.unwrap().judge.unwrap().score, 870_000);
        let shortest = Decision::parse(br#"{"action":"A","ops":[{"delete":{"key":"k"}}]}"#).unwrap();
        assert_eq!((shortest.mode, shortest.tier, shortest.id), (Mode::DryRun, Tier::Unstated, None));
    }

    #[test]
    fn every_other_shape_is_named() {
        assert!(fault("{").contains("EOF"));
        assert!(fault("[]").contains("column"));
        assert!(fault(r#"{"ops":[{"delete":{"key":"k"}}]}"#).contains("missing field `action`"));
        assert!(fault(r#"{"action":"A"}"#).contains("neither ops nor effects"));
        assert!(fault(r#"{"action":"A","colour":1}"#).contains("unknown field `colour`"));
        let with =
            |rest: &str| fault(&format!(r#"{{"action":"A","ops":[{{"delete":{{"key":"k"}}}}],{rest}}}"#));
        assert!(with(r#""tier":"D""#).contains("tier is"));
        assert!(with(r#""mode":"maybe""#).contains("mode is"));
        assert!(with(r#""judge":{"by":"j","score":1.1}"#).contains("score"));
        assert!(with(r#""judge":{"by":"j","score":0.1234567}"#).contains("score"));
        assert!(with(r#""evidence":[-1]"#).contains("evidence is"));
        assert!(with(r#""evidence":[{"uri":"u","blake3":"00"}]"#).contains("evidence is"));
        assert!(with(r#""id":"""#).contains("id is empty"));
        assert!(with(r#""action":"B""#).contains("duplicate field"));
        let op = |op: &str| fault(&format!(r#"{{"action":"A","ops":[{op}]}}"#));
        assert!(op(r#"{"delete":{"key":""}}"#).contains("a key is empty"));
        assert!(op(r#"{"put":{"key":"k"}}"#).contains("missing field `value`"));
        assert!(op(r#"{"put":{"key":"k","value":1,"ttl":2}}"#).contains("unknown field `ttl`"));
        assert!(op(r#"{"add":{"key":"k","delta":1.5}}"#).contains("i64"));
        assert!(op(r#"{"erase":{"key":"k"}}"#).contains("unknown variant `erase`"));
    }

    #[test]
    fn objects_are_objects_and_not_lists_of_fields() {
        for line in [
            r#"["x","A",null,null,null,null,null,[],[{"delete":{"key":"k"}}],[],null,null]"#,
            r#"{"action":"A","ops":[{"put":["x",2]}]}"#,
            r#"{"action":"A","ops":[{"delete":["x"]}]}"#,
            r#"{"action":"A","ops":[{"add":["x",2]}]}"#,
            r#"{"action":"A","ops":[["put",{"key":"x","value":2}]]}"#,
            r#"{"action":"A","effects":[["shop",1,null]]}"#,
            r#"{"action":"A","judge":["j",0.5],"ops":[{"delete":{"key":"k"}}]}"#,
        ] {
            let said = fault(line);
            assert!(said.contains("an object") || said.contains("expected value"), "{line}: {said}");
            assert!(said.contains("column"), "{line}: {said}");
        }
        let with =
            |rest: &str| fault(&format!(r#"{{"action":"A","ops":[{{"delete":{{"key":"k"}}}}],{rest}}}"#));
        let hash = "01".repeat(32);
        assert!(with(&format!(r#""evidence":[["u","{hash}"]]"#)).contains("evidence is"));
        assert!(with(r#""context":[]"#).contains("context is an object"));
        assert!(with(r#""context":{"$bytes":"00"}"#).contains("context is an object"));
    }

    #[test]
    fn a_key_stands_once_in_an_object_at_any_depth() {
        for line in [
            r#"{"action":"A","ops":[{"put":{"key":"k","value":{"a":1,"a":2}}}]}"#,
            r#"{"action":"A","ops":[{"put":{"key":"k","value":[{"b":{"a":1,"\u0061":2}}]}}]}"#,
            r#"{"action":"A","ops":[{"delete":{"key":"k"}}],"context":{"a":1,"a":1}}"#,
            r#"{"action":"A","ops":[{"delete":{"key":"k"}}],"context":{"b":[[{"a":1,"a":2}]]}}"#,
            r#"{"action":"A","effects":[{"adapter":"shop","do":{"a":1,"a":2}}]}"#,
            r#"{"action":"A","effects":[{"adapter":"shop","do":1,"undo":[{"a":1,"a":2}]}]}"#,
        ] {
            let said = fault(line);
            assert!(said.contains("key \"a\" stands twice in an object, column "), "{line}: {said}");
        }
        // The key under which the JSON reader hands numbers on is no way to write one.
        let disguised =
            r#"{"action":"A","ops":[{"put":{"key":"k","value":{"$serde_json::private::Number":"1"}}}]}"#;
        assert!(fault(disguised).contains("reserved"), "{}", fault(disguised));
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let deep = format!(r#"{{"action":"A","context":{{"a":{}"#, "[".repeat(1_000_000));
        assert!(fault(&deep).contains("recursion limit"));
        let deep = format!(
            r#"{{"action":"A","ops":[{{"put":{{"key":"k","value":{}1{}}}}}]}}"#,
            "[".repeat(40),
            "]".repeat(40)
        );
        let decision = Decision::parse(deep.as_bytes()).unwrap();
        assert_eq!(decision.ops.len(), 1);
    }

    #[test]
    fn ids_are_bytes_or_hashed() {
        let hex = "0123456789abcdef0123456789abcdef";
        let uuid = "01234567-89ab-cdef-0123-456789ABCDEF";
        assert_eq!(read_id(hex), read_id(uuid));
        assert_eq!(read_id(hex).unwrap().to_string(), hex);
        assert_ne!(read_id("order-1"), read_id("order-2"));
        assert_eq!(read_id("order-1"), read_id("order-1"));
        assert_ne!(read_id(&format!("{hex}0")), read_id(hex));
        let id = random_id(1_795_491_963_000_000).unwrap().to_string();
        assert_eq!((&id[12..13], id.len()), ("7", 32));
    }
}
