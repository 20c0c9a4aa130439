//! The shop itself: what it has, which calls it received, and which of them took effect.

use crate::faults::Fault;
use crate::http::Reply;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, VecDeque};

/// Calls that the log keeps, the newest.
const LOGGED: usize = 10_000;

/// Calls that it remembers by their keys.
const KEYS: usize = 1_000_000;

/// A shop.
#[derive(Debug, Default)]
pub struct Shop {
    faults: VecDeque<Fault>,
    log: VecDeque<Json>,
    real: Books,
    sandbox: Books,
}

/// What is kept of the shop itself and of its sandbox, each for itself.
#[derive(Debug, Default)]
struct Books {
    state: BTreeMap<String, Json>,
    /// How often each call took effect, by what it does and its key.
    times: BTreeMap<(String, String), u64>,
}

/// A call, as it was received.
struct Call<'a> {
    word: &'a str,
    key: &'a str,
    /// What it does; of a question, what the call does that it asks about.
    what: &'a str,
    request: Option<&'a Json>,
}

impl Shop {
    /// A shop without anything.
    pub fn new(faults: Vec<Fault>) -> Self {
        Shop { faults: faults.into(), ..Shop::default() }
    }

    /// Lets more go wrong.
    pub fn fail(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.extend(faults);
    }

    /// What it has.
    pub fn state(&self, sandbox: bool) -> Json {
        let books = if sandbox { &self.sandbox } else { &self.real };
        Json::Object(books.state.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// How often a call took effect outside of the sandbox.
    pub fn times(&self, what: &str, key: &str) -> u64 {
        self.real.times.get(&(what.to_owned(), key.to_owned())).copied().unwrap_or(0)
    }

    /// Every call, and how often it took effect.
    pub fn log(&self) -> Json {
        let keys = |books: &Books, sandbox: bool| {
            let each = books.times.iter();
            each.map(|((what, key), times)| {
                json!({ "call": what, "key": key, "sandbox": sandbox, "took_effect": times })
            })
            .collect::<Vec<_>>()
        };
        let keys = [keys(&self.real, false), keys(&self.sandbox, true)].concat();
        json!({ "calls": self.log, "keys": keys })
    }

    /// Receives a call.
    pub fn receive(&mut self, body: &[u8], sandbox: bool) -> Reply {
        let parsed: Json = serde_json::from_slice(body).unwrap_or_default();
        let call = match Call::read(&parsed, sandbox) {
            Ok(call) => call,
            Err(fault) => return Reply::Answer(422, json!({ "status": "failed", "detail": fault })),
        };
        let (reply, told) = self.answer(&call, sandbox);
        if self.log.len() == LOGGED {
            self.log.pop_front();
        }
        let mut line = Map::new();
        for name in ["call", "of", "key", "ledger", "row", "effect", "attempt", "sandbox", "request"] {
            line.extend(parsed.get(name).map(|value| (name.to_owned(), value.clone())));
        }
        line.insert("told".to_owned(), told.into());
        self.log.push_back(Json::Object(line));
        reply
    }

    /// The answer, and what the log says of it.
    fn answer(&mut self, call: &Call<'_>, sandbox: bool) -> (Reply, &'static str) {
        if call.word == "ask" {
            let books = if sandbox { &self.sandbox } else { &self.real };
            let times = books.times.get(&(call.what.to_owned(), call.key.to_owned()));
            let status = if times.is_some_and(|times| *times > 0) { "done" } else { "absent" };
            return (Reply::Answer(200, json!({ "status": status })), status);
        }
        let before = match self.faults.pop_front() {
            Some(Fault::Fail) => return (Reply::Answer(503, json!({ "error": "out of order" })), "fail"),
            Some(Fault::Busy) => return (Reply::Answer(429, json!({ "error": "too many calls" })), "busy"),
            Some(Fault::Refuse) => {
                let answer = json!({ "status": "failed", "detail": "the shop does not want it" });
                return (Reply::Answer(422, answer), "refuse");
            }
            Some(Fault::Hang) => return (Reply::Hang, "hang"),
            Some(Fault::DropBefore) => return (Reply::Drop, "drop-before"),
            after => after,
        };
        let books = if sandbox { &mut self.sandbox } else { &mut self.real };
        let answer = match books.apply(call) {
            Ok(detail) => json!({ "status": "done", "detail": detail }),
            Err(fault) => {
                return (Reply::Answer(422, json!({ "status": "failed", "detail": fault })), "failed");
            }
        };
        match before {
            Some(Fault::UnknownAfter) => (Reply::Answer(500, json!({ "error": "oops" })), "unknown-after"),
            Some(Fault::HangAfter) => (Reply::Hang, "hang-after"),
            Some(Fault::DropAfter) => (Reply::Drop, "drop-after"),
            _ => (Reply::Answer(200, answer), "done"),
        }
    }
}

impl Books {
    /// Lets a call take effect, unless it did before.
    fn apply(&mut self, call: &Call<'_>) -> Result<String, String> {
        let name = (call.what.to_owned(), call.key.to_owned());
        if self.times.contains_key(&name) {
            return Ok("it was done before".to_owned());
        }
        if self.times.len() >= KEYS {
            return Err("the shop remembers no more keys; start another".to_owned());
        }
        let set = call.request.and_then(|request| request.get("set"));
        let key = set.and_then(|set| set.get("key")).and_then(Json::as_str);
        let value = set.and_then(|set| set.get("value"));
        let (Some(key), Some(value)) = (key, value) else {
            return Err("the request is {\"set\":{\"key\":...,\"value\":...}}".to_owned());
        };
        // What is set to null is not there.
        if value.is_null() {
            self.state.remove(key);
        } else {
            self.state.insert(key.to_owned(), value.clone());
        }
        let times = self.times.entry(name).or_default();
        *times = times.saturating_add(1);
        Ok(format!("{key} is set"))
    }
}

impl<'a> Call<'a> {
    fn read(parsed: &'a Json, sandbox: bool) -> Result<Self, &'static str> {
        let text = |name| parsed.get(name).and_then(Json::as_str);
        if parsed.get("protocol").and_then(Json::as_u64) != Some(1) {
            return Err("the body is a request of protocol 1");
        }
        let (word, what) = match (text("call"), text("of")) {
            (Some(word @ ("do" | "undo")), None) => (word, word),
            (Some("ask"), Some(of @ ("do" | "undo"))) => ("ask", of),
            _ => return Err("`call` is do or undo, or ask with `of`"),
        };
        let key = text("key").filter(|key| !key.is_empty()).ok_or("the `key` is missing")?;
        if parsed.get("sandbox").and_then(Json::as_bool) != Some(sandbox) {
            return Err("calls with `sandbox` go to /sandbox/webhook, others to /webhook");
        }
        Ok(Call { word, key, what, request: parsed.get("request") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(call: &str, of: &str, key: &str, value: i32) -> Vec<u8> {
        let of = if of.is_empty() { String::new() } else { format!("\"of\":\"{of}\",") };
        format!(
            "{{\"protocol\":1,\"call\":\"{call}\",{of}\"key\":\"{key}\",\"sandbox\":false,\
             \"request\":{{\"set\":{{\"key\":\"budget\",\"value\":{value}}}}}}}"
        )
        .into_bytes()
    }

    fn told(reply: Reply) -> (u16, String) {
        let Reply::Answer(status, body) = reply else { panic!("no answer") };
        (status, body["status"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_key_takes_effect_once() {
        let mut shop = Shop::default();
        assert_eq!(told(shop.receive(&body("ask", "do", "k", 0), false)), (200, "absent".into()));
        assert_eq!(told(shop.receive(&body("do", "", "k", 1), false)), (200, "done".into()));
        assert_eq!(told(shop.receive(&body("do", "", "k", 2), false)), (200, "done".into()));
        assert_eq!(told(shop.receive(&body("ask", "do", "k", 0), false)), (200, "done".into()));
        assert_eq!(told(shop.receive(&body("ask", "undo", "k", 0), false)), (200, "absent".into()));
        assert_eq!((shop.times("do", "k"), shop.state(false)), (1, json!({ "budget": 1 })));
        assert_eq!(shop.log()["calls"].as_array().unwrap().len(), 5);
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let mut shop = Shop::default();
        for text in ["", "{}", "{\"protocol\":1,\"call\":\"do\"}", "[1]"] {
            assert_eq!(told(shop.receive(text.as_bytes(), false)).0, 422, "{text}");
        }
        assert_eq!(told(shop.receive(&body("ask", "", "k", 1), false)).0, 422);
        assert_eq!(told(shop.receive(&body("do", "", "k", 1), true)).0, 422);
        let unset = b"{\"protocol\":1,\"call\":\"do\",\"key\":\"k\",\"sandbox\":false,\"request\":3}";
        assert_eq!(told(shop.receive(unset, false)), (422, "failed".into()));
        assert_eq!(shop.times("do", "k"), 0);
    }
}
