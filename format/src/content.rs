//! What the parts of a row say: subject, actors, evidence, effects and context.
//!
//! # Format
//!
//! Each part's content is the postcard encoding of its structure here, fields in the order they stand; lists are a
//! varint count and their items. `ops` and `rollback` are described in [`crate::ops`], `body` in [`crate::body`].

use crate::body::Body;
use crate::codec::{CodecError, decode, label, listed, name, named, within};
use crate::hash::Hash;
use crate::intent::{KeyId, Kind, Micros};
use crate::key::SignatureBytes;
use crate::limits;
use crate::ops::decode_ops;
use crate::part::PartTag;
use crate::row::Row;
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// The part `subject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject<'a> {
    /// What the decision is about.
    pub entity: &'a str,
    /// The lifecycle move as the author saw it.
    #[serde(borrow)]
    pub lifecycle: Option<LifecycleMove<'a>>,
}

/// A move of an entity from stage to stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleMove<'a> {
    /// The stage before; empty for none.
    pub from: &'a str,
    /// The stage after; empty for none.
    pub to: &'a str,
}

/// The part `actors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actors<'a> {
    /// Who planned the decision; empty when not stated.
    pub planner: &'a str,
    /// Who judged it.
    #[serde(borrow)]
    pub judge: Option<Judge<'a>>,
    /// Who carried it out; empty when not stated.
    pub executor: &'a str,
}

/// A judge's verdict on a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judge<'a> {
    /// The judge's name.
    pub by: &'a str,
    /// The score in parts per million, 0 to 1,000,000.
    pub score: u32,
    /// The judge's own signature over the verdict.
    pub attestation: Option<Attestation>,
}

/// A judge's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The judge's key.
    pub key: KeyId,
    /// Its signature.
    pub signature: SignatureBytes,
}

/// One piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence<'a> {
    /// An earlier row of this ledger.
    Row(u64),
    /// A document held elsewhere.
    Document {
        /// Where it is.
        uri: &'a str,
        /// The BLAKE3 hash of its bytes.
        blake3: Hash,
    },
}

/// An action outside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect<'a> {
    /// The adapter that carries it out.
    pub adapter: &'a str,
    /// The request, an encoded value.
    pub request: &'a [u8],
    /// How it is undone.
    #[serde(borrow)]
    pub undo: Undo<'a>,
}

/// How an effect is undone. The requests are encoded values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo<'a> {
    /// Not at all.
    Never,
    /// By this request.
    Request(&'a [u8]),
    /// By this request, before this time.
    Until(&'a [u8], Micros),
    /// Not, but this request makes up for it.
    Compensate(&'a [u8]),
}

impl<'a> Undo<'a> {
    /// The request, when there is one.
    pub fn request(&self) -> Option<&'a [u8]> {
        match self {
            Undo::Never => None,
            Undo::Request(request) | Undo::Until(request, _) | Undo::Compensate(request) => Some(request),
        }
    }
}

/// The part `context`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context<'a> {
    /// Why, in the author's words; may be empty.
    pub reason: &'a str,
    /// Free-form data, an encoded map.
    pub data: &'a [u8],
}

impl<'a> Subject<'a> {
    /// Decodes and checks the part.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let subject: Self = decode("a subject", bytes)?;
        subject.check()?;
        Ok(subject)
    }

    /// Checks its bounds.
    pub fn check(&self) -> Result<(), CodecError> {
        named("an entity", self.entity, limits::KEY_BYTES)?;
        match &self.lifecycle {
            Some(moved) => label("a stage", moved.from).and(label("a stage", moved.to)),
            None => Ok(()),
        }
    }
}

impl<'a> Actors<'a> {
    /// Decodes and checks the part.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let actors: Self = decode("actors", bytes)?;
        actors.check()?;
        Ok(actors)
    }

    /// Checks its bounds.
    pub fn check(&self) -> Result<(), CodecError> {
        label("an actor's name", self.planner)?;
        label("an actor's name", self.executor)?;
        if let Some(judge) = &self.judge {
            name("a judge's name", judge.by)?;
            within("a judge's score in parts per million", judge.score as usize, limits::PPM as usize)?;
        }
        Ok(())
    }
}

impl<'a> Evidence<'a> {
    /// Decodes and checks the part `evidence`.
    pub fn decode_all(bytes: &'a [u8]) -> Result<Vec<Self>, CodecError> {
        let evidence: Vec<Self> = decode("evidence", bytes)?;
        Self::check_all(&evidence)?;
        Ok(evidence)
    }

    /// Checks the bounds of the part.
    pub fn check_all(evidence: &[Self]) -> Result<(), CodecError> {
        listed("evidence", evidence.len(), limits::ITEMS)?;
        evidence.iter().try_for_each(|item| match item {
            Evidence::Row(_) => Ok(()),
            Evidence::Document { uri, .. } => named("a URI", uri, limits::TEXT_BYTES),
        })
    }

    /// The rows that are pointed to, ascending, each once.
    pub fn rows(evidence: &[Self]) -> Vec<u64> {
        let mut rows: Vec<u64> = evidence
            .iter()
            .filter_map(|item| match item {
                Evidence::Row(row) => Some(*row),
                Evidence::Document { .. } => None,
            })
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The latest row that is pointed to.
    pub fn latest_row(evidence: &[Self]) -> Option<u64> {
        let rows = evidence.iter().filter_map(|item| match item {
            Evidence::Row(row) => Some(*row),
            Evidence::Document { .. } => None,
        });
        rows.max()
    }
}

impl<'a> Effect<'a> {
    /// Decodes and checks the part `effects`.
    pub fn decode_all(bytes: &'a [u8]) -> Result<Vec<Self>, CodecError> {
        let effects: Vec<Self> = decode("effects", bytes)?;
        Self::check_all(&effects)?;
        Ok(effects)
    }

    /// Checks the bounds of the part.
    pub fn check_all(effects: &[Self]) -> Result<(), CodecError> {
        listed("effects", effects.len(), limits::ITEMS)?;
        effects.iter().try_for_each(|effect| {
            name("an adapter", effect.adapter)?;
            Value::check(effect.request)?;
            effect.undo.request().map_or(Ok(()), Value::check)
        })
    }
}

impl<'a> Context<'a> {
    /// Decodes and checks the part.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let context: Self = decode("a context", bytes)?;
        context.check()?;
        Ok(context)
    }

    /// Checks its bounds.
    pub fn check(&self) -> Result<(), CodecError> {
        within("a reason", self.reason.len(), limits::TEXT_BYTES)?;
        Value::check(self.data)?;
        if self.data.first() != Some(&crate::value::MAP) {
            return Err(CodecError::Malformed("a map"));
        }
        Ok(())
    }
}

/// Checks the content of every open part of a row, and that the row has the parts its kind needs.
pub fn check_parts(row: &Row<'_>) -> Result<(), CodecError> {
    check_contents(row.head.kind, row.head.parts, |tag| row.content(tag))
}

/// The same for the parts that an intent head names, before there is a row of them.
pub fn check_contents<'a>(
    kind: Kind,
    parts: u8,
    content: impl Fn(PartTag) -> Option<&'a [u8]>,
) -> Result<(), CodecError> {
    check_shape(kind, parts)?;
    content(PartTag::Subject).map(Subject::decode).transpose()?;
    content(PartTag::Actors).map(Actors::decode).transpose()?;
    content(PartTag::Evidence).map(Evidence::decode_all).transpose()?;
    content(PartTag::Ops).map(decode_ops).transpose()?;
    content(PartTag::Effects).map(Effect::decode_all).transpose()?;
    content(PartTag::Context).map(Context::decode).transpose()?;
    content(PartTag::Body).map(|bytes| Body::decode(kind, bytes)).transpose()?;
    content(PartTag::Rollback).map(decode_ops).transpose()?;
    Ok(())
}

/// Which parts a kind must and must not have; `parts` are the bits of an intent head.
pub fn check_shape(kind: Kind, parts: u8) -> Result<(), CodecError> {
    let has = |tag: PartTag| parts & tag.bit() != 0;
    let changes = has(PartTag::Ops) || has(PartTag::Effects);
    match kind {
        Kind::Decision if has(PartTag::Body) => Err(CodecError::Inconsistent("a decision has a body")),
        Kind::Decision if !changes => Err(CodecError::Inconsistent("a decision has no ops and no effects")),
        Kind::Decision => Ok(()),
        _ if !has(PartTag::Body) => Err(CodecError::Inconsistent("a row that is no decision has no body")),
        Kind::Rollback if has(PartTag::Effects) => Err(CodecError::Inconsistent("a rollback has effects")),
        Kind::Rollback | Kind::Review => Ok(()),
        _ if changes => {
            Err(CodecError::Inconsistent("only decisions, rollbacks and approvals change the state"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    #[test]
    fn a_list_of_nothing_is_no_part() {
        let (evidence, effects): ([Evidence<'_>; 0], [Effect<'_>; 0]) = ([], []);
        let refused = Evidence::decode_all(&encode(&evidence[..]).unwrap()).map(drop);
        assert_eq!(refused, Err(CodecError::Empty("evidence")));
        let refused = Effect::decode_all(&encode(&effects[..]).unwrap()).map(drop);
        assert_eq!(refused, Err(CodecError::Empty("effects")));
    }

    #[test]
    fn stages_actors_and_adapters_hold_no_control_characters() {
        let moved = |from, to| Subject { entity: "sku\n1", lifecycle: Some(LifecycleMove { from, to }) };
        let decoded = |subject| Subject::decode(&encode(&subject).unwrap()).map(drop);
        assert_eq!(decoded(moved("", "testing")), Ok(()));
        assert_eq!(decoded(moved("", "a\tb")), Err(CodecError::Control("a stage")));
        assert_eq!(decoded(moved("\u{7f}", "")), Err(CodecError::Control("a stage")));
        let effect = [Effect { adapter: "shop\r", request: &[0], undo: Undo::Never }];
        let refused = Effect::decode_all(&encode(&effect[..]).unwrap()).map(drop);
        assert_eq!(refused, Err(CodecError::Control("an adapter")));
        let actors = encode(&Actors { planner: "p\u{7}", judge: None, executor: "" }).unwrap();
        assert_eq!(Actors::decode(&actors).map(drop), Err(CodecError::Control("an actor's name")));
        let judge = Some(Judge { by: "j\n", score: 0, attestation: None });
        let actors = encode(&Actors { planner: "", judge, executor: "" }).unwrap();
        assert_eq!(Actors::decode(&actors).map(drop), Err(CodecError::Control("a judge's name")));
    }
}
