//! What an adapter answers.

use crate::call::Verb;
use crate::text::{DETAIL_BYTES, cut};
use serde::{Deserialize, Serialize};

/// What became of a call, as its adapter tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It took effect.
    Done,
    /// It certainly did not take effect.
    Failed,
    /// Nobody can tell.
    Unknown,
    /// Only when asked: it was never received, so that making it is safe.
    Absent,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What became of the call.
    pub status: Status,
    /// More about it, for people.
    #[serde(default)]
    pub detail: String,
    /// Whether a failed call may succeed later.
    #[serde(default)]
    pub retry: bool,
}

impl Answer {
    /// It took effect.
    pub fn done(detail: impl Into<String>) -> Self {
        Answer { status: Status::Done, detail: detail.into(), retry: false }
    }

    /// It did not take effect, and never will.
    pub fn failed(detail: impl Into<String>) -> Self {
        Answer { status: Status::Failed, detail: detail.into(), retry: false }
    }

    /// It did not take effect; later it may.
    pub fn failed_for_now(detail: impl Into<String>) -> Self {
        Answer { status: Status::Failed, detail: detail.into(), retry: true }
    }

    /// Nobody can tell.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Answer { status: Status::Unknown, detail: detail.into(), retry: false }
    }

    /// It was never received.
    pub fn absent(detail: impl Into<String>) -> Self {
        Answer { status: Status::Absent, detail: detail.into(), retry: false }
    }

    /// What it means that a request was certainly not passed on. Of a call that was only asked about, that says nothing.
    pub fn not_sent(verb: Verb, detail: impl Into<String>) -> Self {
        match verb {
            Verb::Make => Answer::failed(detail),
            Verb::Ask => Answer::unknown(detail),
        }
    }

    /// The same, where a later attempt may get through.
    pub fn not_sent_for_now(verb: Verb, detail: impl Into<String>) -> Self {
        Answer { retry: verb == Verb::Make, ..Answer::not_sent(verb, detail) }
    }

    /// Reads an answer: one JSON object, and nothing else but white space. Its detail is cut.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        // A list of three values would do for serde, but not for the protocol.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err("it is no JSON object".to_owned());
        }
        let answer: Answer = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        Ok(answer.cut())
    }

    /// With its detail cut to what is kept.
    pub(crate) fn cut(mut self) -> Self {
        let end = cut(&self.detail, DETAIL_BYTES).len();
        self.detail.truncate(end);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_objects_with_a_status() {
        assert_eq!(Answer::parse(b" {\"status\":\"done\"}\n"), Ok(Answer::done("")));
        let text = b"{\"status\":\"failed\",\"detail\":\"busy\",\"retry\":true,\"more\":1}";
        assert_eq!(Answer::parse(text), Ok(Answer::failed_for_now("busy")));
        for text in [
            "",
            "done",
            "{}",
            "[\"done\",\"\",false]",
            "{\"status\":\"ok\"}",
            "{\"status\":\"done\"} {}",
            "{\"status\":\"done\",\"detail\":3}",
            "{\"status\":\"done\",\"retry\":\"no\"}",
            "{\"status\":\"done\",\"status\":\"failed\"}",
        ] {
            assert!(Answer::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn details_are_cut() {
        let text = format!("{{\"status\":\"done\",\"detail\":\"{}\"}}", "é".repeat(4000));
        assert_eq!(Answer::parse(text.as_bytes()).unwrap().detail.len(), DETAIL_BYTES);
    }
}
