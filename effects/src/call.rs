//! A call: one effect, or the undoing of one, that an adapter is asked to carry out.

use crate::PROTOCOL;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The longest idempotency key, in bytes.
pub const KEY_BYTES: usize = 256;

/// What a call is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The effect itself.
    Do,
    /// What takes an effect back, or makes up for it.
    Undo,
}

impl Kind {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Do => "do",
            Kind::Undo => "undo",
        }
    }
}

/// What an adapter is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// To make the call.
    Make,
    /// To say what became of it.
    Ask,
}

/// One effect of one row, to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Whether it is done or undone.
    pub kind: Kind,
    /// The idempotency key: the same over all attempts, and of no other call. 1 to 256 visible ASCII characters.
    pub key: String,
    /// The origin of the ledger.
    pub ledger: String,
    /// The row that calls for it.
    pub row: u64,
    /// Its place in the effects of that row, from 0.
    pub effect: u32,
    /// Whether it must have no effect outside of a sandbox.
    pub sandbox: bool,
    /// What is asked for, in words that the adapter knows.
    pub request: Json,
}

/// Why a call is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The key cannot be passed on.
    #[error(
        "the idempotency key has {0} bytes or signs that are not visible ASCII; a key is 1 to {KEY_BYTES} visible ASCII signs"
    )]
    Key(usize),
    /// The request cannot be written.
    #[error("the request cannot be written as JSON: {0}")]
    Json(String),
}

#[derive(Serialize)]
struct Line<'a> {
    protocol: u32,
    call: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<Kind>,
    key: &'a str,
    ledger: &'a str,
    row: u64,
    effect: u32,
    adapter: &'a str,
    sandbox: bool,
    attempt: u32,
    request: &'a Json,
}

impl Call {
    /// Whether it can be made.
    pub fn check(&self) -> Result<(), CallError> {
        check_key(&self.key)
    }

    /// The line that an adapter reads.
    pub(crate) fn line(&self, verb: Verb, adapter: &str, attempt: u32) -> Result<Vec<u8>, CallError> {
        let (call, of) = match verb {
            Verb::Make => (self.kind.name(), None),
            Verb::Ask => ("ask", Some(self.kind)),
        };
        let line = Line {
            protocol: PROTOCOL,
            call,
            of,
            key: &self.key,
            ledger: &self.ledger,
            row: self.row,
            effect: self.effect,
            adapter,
            sandbox: self.sandbox,
            attempt,
            request: &self.request,
        };
        let mut bytes = serde_json::to_vec(&line).map_err(|error| CallError::Json(error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Whether a key can be passed on anywhere: in a header of HTTP, in an environment, in a name.
pub(crate) fn check_key(key: &str) -> Result<(), CallError> {
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && (1..=KEY_BYTES).contains(&key.len()) { Ok(()) } else { Err(CallError::Key(key.len())) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn a_call(key: &str) -> Call {
        Call {
            kind: Kind::Do,
            key: key.to_owned(),
            ledger: "example.com/shop".to_owned(),
            row: 12,
            effect: 0,
            sandbox: false,
            request: json!({"set": {"key": "budget", "value": 300}}),
        }
    }

    #[test]
    fn the_line_is_as_documented() {
        let call = a_call("ab/0");
        assert_eq!(
            String::from_utf8(call.line(Verb::Make, "shop", 1).unwrap()).unwrap(),
            "{\"protocol\":1,\"call\":\"do\",\"key\":\"ab/0\",\"ledger\":\"example.com/shop\",\"row\":12,\"effect\":0,\
             \"adapter\":\"shop\",\"sandbox\":false,\"attempt\":1,\"request\":{\"set\":{\"key\":\"budget\",\"value\":300}}}\n"
        );
        let asked = call.line(Verb::Ask, "shop", 2).unwrap();
        assert!(asked.starts_with(b"{\"protocol\":1,\"call\":\"ask\",\"of\":\"do\",\"key\""));
    }

    #[test]
    fn keys_can_be_passed_on_anywhere() {
        assert_eq!(a_call("0f/4095").check(), Ok(()));
        assert_eq!(a_call(&"k".repeat(256)).check(), Ok(()));
        for key in ["", "a b", "a\nb", "é", &"k".repeat(257)] {
            assert_eq!(a_call(key).check(), Err(CallError::Key(key.len())), "{key}");
        }
    }
}
