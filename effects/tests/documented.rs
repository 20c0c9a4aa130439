//! What `docs/EFFECTS.md` shows is so.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod adapters;

use adapters::{adapter, call, carry_out, resume};
use counterfoil_effects::request::Request;
use counterfoil_effects::{Adapter, Adapters, Answer, Call, Fate, Kind, Verb};
use std::fs;
use std::path::Path;
use std::time::Duration;

const PAGE: &str = include_str!("../../docs/EFFECTS.md");

/// The blocks of the page in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let blocks: Vec<_> = PAGE.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "{language}");
    blocks
}

#[test]
fn the_file_is_read() {
    let file = Path::new("/etc/shop/adapters.toml");
    let adapters = Adapters::parse(blocks("toml")[0], file).unwrap();
    let shop = adapters.find("shop").unwrap();
    assert_eq!((shop.timeout, shop.retries), (Duration::from_secs(10), 5));
    assert_eq!(shop.backoff, Duration::from_millis(500));
    let deploy = adapters.find("deploy").unwrap();
    assert_eq!(deploy.args.last().unwrap(), "./deploy.sh");
}

#[test]
fn the_request_and_the_answer_are_read() {
    let [request, answer] = blocks("json").try_into().unwrap();
    let request = Request::parse(request.trim().as_bytes()).unwrap();
    assert_eq!((request.verb, request.kind, request.row), (Verb::Make, Kind::Do, 12));
    assert_eq!(Answer::parse(answer.as_bytes()), Ok(Answer::failed_for_now("the shop is busy")));
}

#[test]
fn the_request_is_what_an_adapter_gets() {
    let dir = tempfile::tempdir().unwrap();
    let script = "cat > request; echo '{\"status\":\"done\"}'";
    let adapter = Adapter { dir: Some(dir.path().to_owned()), ..adapter("sh", &["-c", script]) };
    let documented = Request::parse(blocks("json")[0].trim().as_bytes()).unwrap();
    let call = Call { key: documented.key.clone(), ..call(Kind::Do, "", 300) };
    assert_eq!(carry_out(&adapter, &call).status, Fate::Done);
    assert_eq!(fs::read_to_string(dir.path().join("request")).unwrap(), blocks("json")[0]);
}

#[test]
fn the_adapter_in_python_does_what_it_should() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("outbox.py"), blocks("python")[0]).unwrap();
    let adapter = Adapter { dir: Some(dir.path().to_owned()), ..adapter("python3", &["outbox.py"]) };
    let budget = call(Kind::Do, "ab/0", 300);
    // It was never received, so it is made; then it is done, and stays so.
    let outcome = resume(&adapter, &budget);
    assert_eq!((outcome.status, outcome.attempts), (Fate::Done, 1), "{outcome:?}");
    let file = dir.path().join(&outcome.detail);
    let dropped: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(dropped, budget.request);
    let outcome = resume(&adapter, &budget);
    assert_eq!((outcome.status, outcome.attempts), (Fate::Done, 0), "{outcome:?}");
    assert_eq!(carry_out(&adapter, &call(Kind::Do, "ab/0", 400)).status, Fate::Done);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&fs::read(&file).unwrap()).unwrap(), dropped);
    assert_eq!(carry_out(&adapter, &call(Kind::Undo, "ab/0", 200)).status, Fate::Done);
    assert_eq!(fs::read_dir(dir.path().join("outbox")).unwrap().count(), 2);
}
