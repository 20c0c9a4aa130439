//! The effects of a decision line.

use super::encode;
use crate::json::{self, Object, Strict};
use crate::time;
use counterfoil_format::content::{Effect, Undo};
use counterfoil_format::intent::Micros;
use serde::Deserialize;

/// What a decision asks of an adapter, and how that is undone. The requests are encoded values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    adapter: String,
    request: Vec<u8>,
    undo: Way,
}

#[derive(Debug, Clone, PartialEq)]
enum Way {
    Never,
    Request(Vec<u8>),
    Until(Vec<u8>, Micros),
    Compensate(Vec<u8>),
}

/// An effect as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EffectLine {
    adapter: String,
    #[serde(rename = "do")]
    request: Strict,
    undo: Option<Strict>,
    undo_until: Option<String>,
    compensate: Option<Strict>,
}

impl Request {
    /// Takes an effect in as it is written.
    pub fn read(Object(effect): Object<EffectLine>) -> Result<Self, String> {
        let EffectLine { adapter, request, undo, undo_until, compensate } = effect;
        let encoded = |Strict(json)| encode(&json::to_value(json)?, "the request of an effect");
        let undo = match (undo, undo_until, compensate) {
            (None, None, None) => Way::Never,
            (Some(undo), None, None) => Way::Request(encoded(undo)?),
            (Some(undo), Some(until), None) => {
                let until = time::parse(&until)
                    .map_err(|error| format!("undo_until of an effect on {adapter}: {error}"))?;
                Way::Until(encoded(undo)?, until)
            }
            (None, None, Some(compensate)) => Way::Compensate(encoded(compensate)?),
            (None, Some(_), None) => {
                return Err(format!(
                    "an effect on {adapter} has undo_until and no undo: it says until when the undo works"
                ));
            }
            (_, _, Some(_)) => {
                return Err(format!(
                    "an effect on {adapter} has compensate and an undo: what can be undone needs nothing that makes \
                     up for it; leave one of them out"
                ));
            }
        };
        Ok(Request { adapter, request: encoded(request)?, undo })
    }

    /// The effect of a draft.
    pub fn effect(&self) -> Effect<'_> {
        let undo = match &self.undo {
            Way::Never => Undo::Never,
            Way::Request(undo) => Undo::Request(undo),
            Way::Until(undo, until) => Undo::Until(undo, *until),
            Way::Compensate(request) => Undo::Compensate(request),
        };
        Effect { adapter: &self.adapter, request: &self.request, undo }
    }
}
