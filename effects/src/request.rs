//! The side of the adapter: for programs in Rust that carry out calls, such as those of this crate.

use crate::PROTOCOL;
use crate::answer::Answer;
use crate::call::{CallError, Kind, Verb, check_key};
use serde::Deserialize;
use serde_json::Value as Json;
use std::io::{self, Read, Write};

/// The largest request, in bytes.
pub const REQUEST_BYTES: usize = 64 << 20;

/// A request, as an adapter reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Whether the call is to be made or was asked about.
    pub verb: Verb,
    /// What the call is to do; of a question, what the call was to do that it asks about.
    pub kind: Kind,
    /// The idempotency key. Together with `kind` it says which call this is.
    pub key: String,
    /// The origin of the ledger.
    pub ledger: String,
    /// The row that calls for it.
    pub row: u64,
    /// Its place in the effects of that row.
    pub effect: u32,
    /// The name under which the adapter was called.
    pub adapter: String,
    /// Whether it must have no effect outside of a sandbox.
    pub sandbox: bool,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// What is asked for.
    pub request: Json,
    /// All of it as it was read, without white space around it.
    pub text: Vec<u8>,
}

/// Why a request cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The input cannot be read.
    #[error("the request cannot be read from the standard input: {0}")]
    Unreadable(#[from] io::Error),
    /// It is too large.
    #[error("the request has more than {REQUEST_BYTES} bytes")]
    TooLarge,
    /// It is no request.
    #[error("the standard input is no request, which is one JSON object: {0}")]
    Malformed(String),
    /// It is one of another protocol.
    #[error("the request is of protocol {0}, and this program knows protocol {PROTOCOL}")]
    Protocol(u32),
    /// Its key cannot be passed on.
    #[error(transparent)]
    Key(#[from] CallError),
}

#[derive(Deserialize)]
struct Line {
    protocol: u32,
    call: String,
    of: Option<Kind>,
    key: String,
    ledger: String,
    row: u64,
    effect: u32,
    adapter: String,
    sandbox: bool,
    attempt: u32,
    request: Json,
}

impl Request {
    /// Reads a request to the end of the input.
    pub fn read(input: impl Read) -> Result<Self, RequestError> {
        let mut text = Vec::new();
        let limit = u64::try_from(REQUEST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        input.take(limit).read_to_end(&mut text)?;
        if text.len() > REQUEST_BYTES {
            return Err(RequestError::TooLarge);
        }
        Request::parse(text.trim_ascii())
    }

    /// Reads a request from its text. Fields that this version does not know are passed over.
    pub fn parse(text: &[u8]) -> Result<Self, RequestError> {
        let malformed = |fault: &str| RequestError::Malformed(fault.to_owned());
        let line: Line = serde_json::from_slice(text).map_err(|error| malformed(&error.to_string()))?;
        if line.protocol != PROTOCOL {
            return Err(RequestError::Protocol(line.protocol));
        }
        let (verb, kind) = match (line.call.as_str(), line.of) {
            ("do", None) => (Verb::Make, Kind::Do),
            ("undo", None) => (Verb::Make, Kind::Undo),
            ("ask", Some(of)) => (Verb::Ask, of),
            ("ask", None) => return Err(malformed("`ask` comes with `of`, which is do or undo")),
            ("do" | "undo", Some(_)) => return Err(malformed("`of` comes only with `ask`")),
            _ => return Err(malformed("`call` is do, undo or ask")),
        };
        check_key(&line.key)?;
        Ok(Request {
            verb,
            kind,
            key: line.key,
            ledger: line.ledger,
            row: line.row,
            effect: line.effect,
            adapter: line.adapter,
            sandbox: line.sandbox,
            attempt: line.attempt,
            request: line.request,
            text: text.to_vec(),
        })
    }
}

impl Answer {
    /// Writes the answer, on a line of its own.
    pub fn write(self, mut out: impl Write) -> io::Result<()> {
        let mut line = serde_json::to_vec(&self.cut())?;
        line.push(b'\n');
        out.write_all(&line)?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::tests::a_call;

    #[test]
    fn what_is_written_is_read() {
        let call = a_call("ab/0");
        for verb in [Verb::Make, Verb::Ask] {
            let line = call.line(verb, "shop", 3).unwrap();
            let read = Request::read(line.as_slice()).unwrap();
            assert_eq!((read.verb, read.kind, read.key.as_str()), (verb, Kind::Do, "ab/0"));
            assert_eq!((read.row, read.effect, read.attempt), (12, 0, 3));
            assert_eq!((&read.request, read.text.as_slice()), (&call.request, line.trim_ascii()));
        }
    }

    #[test]
    fn numbers_are_passed_on_as_they_are_written() {
        let mut call = a_call("ab/0");
        call.request = serde_json::from_str("{\"price\":19.90000000000000000000001}").unwrap();
        let read = Request::read(call.line(Verb::Make, "shop", 1).unwrap().as_slice()).unwrap();
        assert_eq!(read.request.to_string(), "{\"price\":19.90000000000000000000001}");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let line = String::from_utf8(a_call("ab/0").line(Verb::Make, "shop", 1).unwrap()).unwrap();
        for (from, to, fault) in [
            ("\"do\"", "\"go\"", "`call` is do, undo or ask"),
            ("\"do\"", "\"ask\"", "`ask` comes with `of`"),
            ("\"do\"", "\"do\",\"of\":\"do\"", "`of` comes only with `ask`"),
            ("\"protocol\":1", "\"protocol\":2", "protocol 2"),
            ("ab/0", "a b", "visible ASCII"),
            ("\"row\":12,", "", "missing field `row`"),
            ("{\"protocol\"", "\"protocol\"", "no request"),
        ] {
            let refused = Request::parse(line.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(fault), "{refused}");
        }
    }
}
