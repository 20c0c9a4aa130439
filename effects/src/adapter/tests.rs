use super::*;
use crate::call::tests::a_call;
use std::fs;
use std::path::Path;

/// An adapter that is a script of the shell.
fn script(dir: &Path, text: &str) -> Adapter {
    fs::write(dir.join("adapter.sh"), text).unwrap();
    Adapter {
        args: vec!["adapter.sh".to_owned()],
        dir: Some(dir.to_owned()),
        retries: 1,
        ..Adapter::new("shop", "sh")
    }
}

/// Carries a call out by a script that appends to `calls` what it was asked for.
fn outcome(text: &str) -> (Outcome, String) {
    let dir = tempfile::tempdir().unwrap();
    let adapter = script(dir.path(), &format!("read -r line; echo \"$line\" >> calls\n{text}"));
    let outcome = adapter.carry_out(&a_call("key/0"), &mut |_| {});
    let verbs = fs::read_to_string(dir.path().join("calls")).unwrap_or_default();
    let verb = |line: &str| if line.contains("\"call\":\"ask\"") { 'a' } else { 'm' };
    (outcome, verbs.lines().map(verb).collect())
}

#[test]
fn a_program_answers() {
    let (outcome, verbs) = outcome("echo '{\"status\":\"done\",\"detail\":\"order 7\"}'");
    assert_eq!(outcome, Outcome::new(Fate::Done, "order 7", 1));
    assert_eq!(verbs, "m");
}

#[test]
fn what_is_no_answer_is_unknown_and_asked_about() {
    for (text, said) in [
        ("echo sorry >&2; exit 3", "ended with status 3, which makes any answer void; it said: sorry"),
        ("echo '{\"status\":\"done\"}'; exit 1", "ended with status 1"),
        ("echo '{\"status\":\"done\"}'; kill -9 $$", "was killed by signal 9"),
        ("exit 0", "ended without an answer"),
        ("echo ok", "gave no answer that can be read (it is no JSON object)"),
        ("echo '{\"status\":\"fine\"}'", "gave no answer that can be read (unknown variant `fine`"),
        ("head -c 70000 /dev/zero", "answered with more than 65536 bytes"),
    ] {
        let (outcome, verbs) = outcome(text);
        assert_eq!((outcome.status, outcome.attempts, verbs.as_str()), (Fate::Unknown, 1, "maa"), "{text}");
        assert!(outcome.detail.starts_with(&format!("the adapter shop {said}")), "{}", outcome.detail);
    }
    let (outcome, verbs) = outcome(
        "case $line in *ask*) echo '{\"status\":\"done\"}';; *) echo '{\"status\":\"absent\"}';; esac",
    );
    assert_eq!((outcome.status, verbs.as_str()), (Fate::Done, "ma"));
}

#[test]
fn what_takes_too_long_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let mut adapter = script(dir.path(), "echo waiting >&2; echo '{\"status\":\"done\"}'; sleep 600");
    adapter.timeout = Duration::from_secs(2);
    adapter.retries = 0;
    let outcome = adapter.carry_out(&a_call("key/0"), &mut |_| {});
    assert_eq!((outcome.status, outcome.attempts), (Fate::Unknown, 1));
    let said = "the adapter shop gave no answer within 2s and was killed; it said: waiting";
    assert!(outcome.detail.starts_with(said), "{}", outcome.detail);
}

#[test]
fn a_program_that_cannot_be_started_has_failed() {
    let adapter = Adapter::new("shop", "/nonexistent/adapter");
    let outcome = adapter.carry_out(&a_call("key/0"), &mut |_| panic!("it is not tried again"));
    assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 1));
    assert!(outcome.detail.contains("correct `program` in [adapters.shop]"), "{}", outcome.detail);
    // When the call may have been made, it says nothing about it.
    let mut waits = 0;
    let outcome = adapter.resume(&a_call("key/0"), &mut |_| waits += 1);
    assert_eq!((outcome.status, outcome.attempts, waits), (Fate::Unknown, 0, 3));
    // It is not asked for ever, whatever the settings.
    let outcome = Adapter { retries: u32::MAX, ..adapter }.resume(&a_call("key/0"), &mut |_| waits += 1);
    assert_eq!((outcome.status, waits), (Fate::Unknown, 23));
}

#[test]
fn what_must_not_be_called_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut adapter = script(dir.path(), "touch called; echo '{\"status\":\"done\"}'");
    let mut call = a_call("key/0");
    call.sandbox = true;
    let outcome = adapter.carry_out(&call, &mut |_| {});
    assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 0));
    assert!(outcome.detail.contains("sandbox = true"), "{}", outcome.detail);
    assert!(!dir.path().join("called").exists());
    adapter.sandbox = true;
    call.key = "two words".to_owned();
    assert_eq!(adapter.carry_out(&call, &mut |_| {}).status, Fate::Failed);
    assert!(!dir.path().join("called").exists());
    call.key = "word".to_owned();
    assert_eq!(adapter.carry_out(&call, &mut |_| {}).status, Fate::Done);
    assert!(dir.path().join("called").exists());
}

#[test]
fn a_sandbox_that_is_no_more_can_be_asked_about() {
    let dir = tempfile::tempdir().unwrap();
    let mut call = a_call("key/0");
    call.sandbox = true;
    for (status, fate) in [("done", Fate::Done), ("absent", Fate::Failed), ("unknown", Fate::Unknown)] {
        let adapter = script(dir.path(), &format!("cat >> calls; echo '{{\"status\":\"{status}\"}}'"));
        let outcome = adapter.resume(&call, &mut |_| {});
        assert_eq!((outcome.status, outcome.attempts), (fate, 0), "{outcome:?}");
    }
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    assert!(calls.lines().all(|line| line.contains("\"call\":\"ask\"")), "{calls}");
}

#[test]
fn attempts_are_numbered_and_the_key_stays() {
    let dir = tempfile::tempdir().unwrap();
    let text = "cat >> calls; echo '{\"status\":\"failed\",\"retry\":true}'";
    let adapter = Adapter { retries: 2, ..script(dir.path(), text) };
    assert_eq!(adapter.carry_out(&a_call("key/0"), &mut |_| {}).attempts, 3);
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    for (place, line) in calls.lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["key"], "key/0");
        assert_eq!(line["attempt"], place + 1);
    }
}
