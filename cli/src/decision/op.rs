//! The operations of a decision line.

use crate::json::{self, Object, Strict};
use counterfoil_format::value::Value;
use counterfoil_ledger::DraftOp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

/// What a decision does to the state.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    Put(String, Value),
    Delete(String),
    Add(String, i64),
    Transition(Move),
}

/// An entity goes to another stage; empty text stands for none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Move {
    entity: String,
    /// The stage in which whoever decided saw it.
    from: Option<String>,
    to: String,
}

/// An operation as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum OpLine {
    Put(Object<PutLine>),
    Delete(Object<DeleteLine>),
    Add(Object<AddLine>),
    Transition(Object<TransitionLine>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutLine {
    key: String,
    value: Strict,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteLine {
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddLine {
    key: String,
    delta: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransitionLine {
    entity: String,
    #[serde(default, deserialize_with = "stated")]
    from: Option<Stage>,
    to: Stage,
}

/// A stage: a text, and null or the empty one for none.
struct Stage(String);

/// A field that is there, even where it says null.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Stage>, D::Error> {
    Stage::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Stage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Stage;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a stage, which is a text, or null for none")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Stage, E> {
                Ok(Stage(text.to_owned()))
            }

            fn visit_unit<E: Error>(self) -> Result<Stage, E> {
                Ok(Stage(String::new()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl Change {
    /// Takes an operation in as it is written.
    pub fn read(op: OpLine) -> Result<Self, String> {
        let named = |key: String| if key.is_empty() { Err("a key is empty".to_owned()) } else { Ok(key) };
        Ok(match op {
            OpLine::Put(Object(PutLine { key, value: Strict(value) })) => {
                let key = named(key)?;
                let value =
                    json::to_value(value).map_err(|error| format!("the value of {key:?}: {error}"))?;
                Change::Put(key, value)
            }
            OpLine::Delete(Object(DeleteLine { key })) => Change::Delete(named(key)?),
            OpLine::Add(Object(AddLine { key, delta })) => Change::Add(named(key)?, delta),
            OpLine::Transition(Object(TransitionLine { entity, from, to: Stage(to) })) => {
                if entity.is_empty() {
                    return Err("the entity of a transition is empty".into());
                }
                let from = from.map(|Stage(from)| from);
                if from.as_ref() == Some(&to) {
                    return Err(format!(
                        "a transition moves {entity:?} from {to:?} to {to:?}, which is no move"
                    ));
                }
                Change::Transition(Move { entity, from, to })
            }
        })
    }

    /// The operation of a draft.
    pub fn op(&self) -> DraftOp<'_> {
        match self {
            Change::Put(key, value) => DraftOp::Put(key, value),
            Change::Delete(key) => DraftOp::Delete(key),
            Change::Add(key, delta) => DraftOp::Add(key, *delta),
            Change::Transition(moved) => DraftOp::Transition(&moved.entity, &moved.to),
        }
    }
}

/// The move of the entity that a decision is about, as far as the line says from where: the stages before and after.
pub(super) fn lifecycle(ops: &[Change], entity: Option<&str>) -> Result<Option<(String, String)>, String> {
    let moves = || {
        ops.iter().filter_map(|op| match op {
            Change::Transition(moved) => Some(moved),
            _ => None,
        })
    };
    let mut stated = moves().filter_map(|moved| Some((moved, moved.from.clone()?)));
    let Some((moved, from)) = stated.next() else { return Ok(None) };
    let about = &moved.entity;
    if entity != Some(about) || stated.any(|(other, _)| other.entity != *about) {
        return Err(format!(
            "a transition says \"from\" of {about:?}: that is kept with the entity which the decision is about, so \
             \"entity\" must be {about:?} too, and \"from\" stand nowhere else"
        ));
    }
    if moves().filter(|other| other.entity == *about).count() > 1 {
        return Err(format!("{about:?} moves more than once, so no transition of it can say \"from\""));
    }
    Ok(Some((from, moved.to.clone())))
}
