//! The adapter for commands and its journal, also when it is killed in the midst of a call.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod adapters;

use adapters::{COMMAND, call, carry_out, command, resume};
use counterfoil_effects::{Adapter, Fate, Kind};
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often the script took effect.
fn effects(dir: &Path) -> usize {
    fs::read_to_string(dir.join("effects")).unwrap_or_default().lines().count()
}

fn entries(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_command_is_run_once_for_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = command(dir.path(), "cat >> effects; echo starting; echo order 7; echo quiet >&2");
    let budget = call(Kind::Do, "ab/0", 300);
    for attempt in 0..3 {
        let outcome = if attempt == 2 { resume(&adapter, &budget) } else { carry_out(&adapter, &budget) };
        assert_eq!((outcome.status, outcome.detail.as_str()), (Fate::Done, "order 7"));
    }
    assert_eq!(
        fs::read_to_string(dir.path().join("effects")).unwrap(),
        "{\"set\":{\"key\":\"budget\",\"value\":300}}\n"
    );
    // Undoing it is another call.
    assert_eq!(carry_out(&adapter, &call(Kind::Undo, "ab/0", 200)).status, Fate::Done);
    assert_eq!((effects(dir.path()), entries(dir.path()).len()), (2, 2));
}

#[test]
fn the_command_knows_what_it_is_run_for() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        "echo $COUNTERFOIL_CALL $COUNTERFOIL_KEY $COUNTERFOIL_ROW $COUNTERFOIL_EFFECT $COUNTERFOIL_SANDBOX";
    let adapter = Adapter { sandbox: true, ..command(dir.path(), script) };
    let mut budget = call(Kind::Undo, "ab/1", 300);
    assert_eq!(carry_out(&adapter, &budget).detail, "undo ab/1 12 0 0");
    (budget.sandbox, budget.effect, budget.key) = (true, 3, "ab/3".to_owned());
    assert_eq!(carry_out(&adapter, &budget).detail, "undo ab/3 12 3 1");
}

#[test]
fn exit_statuses_have_meanings() {
    for (script, fate, attempts, words) in [
        ("echo out; exit 3", Fate::Failed, 1, "it ended with status 3: out"),
        ("echo out; echo no such sku >&2; exit 1", Fate::Failed, 1, "it ended with status 1: no such sku"),
        ("exit 75", Fate::Failed, 4, "it ended with status 75"),
        ("test -e once && exit 0; touch once; exit 75", Fate::Done, 2, ""),
        ("kill -9 $$", Fate::Unknown, 1, "it was killed by signal 9"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let adapter = command(dir.path(), script);
        let outcome = carry_out(&adapter, &call(Kind::Do, "ab/0", 300));
        assert_eq!((outcome.status, outcome.attempts), (fate, attempts), "{script}: {outcome:?}");
        assert!(outcome.detail.starts_with(words), "{script}: {outcome:?}");
    }
}

#[test]
fn what_cannot_be_run_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    let missing = command(dir.path(), "");
    let with = |args: &[&str]| Adapter {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        ..missing.clone()
    };
    for (args, words) in [
        (&["--journal", "journal", "--", "/nonexistent"][..], "/nonexistent could not be started"),
        (&["--journal", "a/b", "--", "true"], "the journal a/b cannot be opened"),
        (&["--journal", "journal"], "the program is missing"),
        (&["--", "true"], "--journal is missing"),
        (&["--verbose"], "--verbose is no option"),
    ] {
        let outcome = carry_out(&with(args), &call(Kind::Do, "ab/0", 300));
        assert_eq!((outcome.status, outcome.attempts), (Fate::Failed, 1), "{args:?}");
        assert!(outcome.detail.contains(words), "{outcome:?}");
    }
}

/// A script that takes effect and then waits to be killed, once; later it ends.
const CUT_SHORT: &str = "echo x >> effects; test -e begun && exit 0; echo $$ > begun; exec sleep 600";

/// Starts the adapter by itself, and waits until its command has begun.
fn begin(dir: &Path) -> std::process::Child {
    let mut child = Command::new(COMMAND)
        .args(["--journal", "journal", "--", "sh", "effect.sh"])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let request = "{\"protocol\":1,\"call\":\"do\",\"key\":\"ab/0\",\"ledger\":\"l\",\"row\":1,\"effect\":0,\
                   \"adapter\":\"shop\",\"sandbox\":false,\"attempt\":1,\"request\":{}}";
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    while fs::read_to_string(dir.join("begun")).unwrap_or_default().is_empty() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn kill(target: &str) {
    assert!(Command::new("kill").args(["-KILL", "--", target]).status().unwrap().success());
}

#[test]
fn what_was_cut_short_is_unknown_and_not_run_again() {
    for whole_group in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let adapter = command(dir.path(), CUT_SHORT);
        let mut child = begin(dir.path());
        kill(&if whole_group { format!("-{}", child.id()) } else { child.id().to_string() });
        child.wait().unwrap();
        let budget = call(Kind::Do, "ab/0", 300);
        for outcome in [resume(&adapter, &budget), carry_out(&adapter, &budget)] {
            assert_eq!(outcome.status, Fate::Unknown, "{outcome:?}");
            assert!(
                outcome.detail.contains("it began, and either still runs or was cut short"),
                "{outcome:?}"
            );
        }
        assert_eq!(effects(dir.path()), 1);
        if !whole_group {
            kill(fs::read_to_string(dir.path().join("begun")).unwrap().trim());
        }
        // Somebody has looked: it is as if it had never been called.
        let [entry] = entries(dir.path()).try_into().unwrap();
        fs::remove_file(entry).unwrap();
        assert_eq!(resume(&adapter, &budget).status, Fate::Done);
        assert_eq!(resume(&adapter, &budget).status, Fate::Done);
        assert_eq!(effects(dir.path()), 2);
    }
}

#[test]
fn what_took_too_long_is_unknown_and_not_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = Adapter { timeout: Duration::from_secs(3), ..command(dir.path(), CUT_SHORT) };
    let outcome = carry_out(&adapter, &call(Kind::Do, "ab/0", 300));
    assert_eq!((outcome.status, outcome.attempts), (Fate::Unknown, 1));
    assert!(outcome.detail.contains("gave no answer within 3s and was killed"), "{outcome:?}");
    assert_eq!((effects(dir.path()), entries(dir.path()).len()), (1, 1));
}

#[test]
fn of_many_at_the_same_time_one_runs() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = command(dir.path(), "echo x >> effects");
    let fates: Vec<_> = std::thread::scope(|scope| {
        let run = || carry_out(&adapter, &call(Kind::Do, "ab/0", 300)).status;
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(fates.contains(&Fate::Done) && !fates.contains(&Fate::Failed), "{fates:?}");
    assert_eq!(effects(dir.path()), 1);
    assert_eq!(resume(&adapter, &call(Kind::Do, "ab/0", 300)).status, Fate::Done);
}

#[test]
fn an_entry_that_cannot_be_read_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = command(dir.path(), "echo x >> effects");
    let budget = call(Kind::Do, "ab/0", 300);
    assert_eq!(carry_out(&adapter, &budget).status, Fate::Done);
    let [entry] = entries(dir.path()).try_into().unwrap();
    fs::write(entry, "torn").unwrap();
    for outcome in [resume(&adapter, &budget), carry_out(&adapter, &budget)] {
        assert_eq!(outcome.status, Fate::Unknown);
        assert!(outcome.detail.contains("cannot be read"), "{outcome:?}");
    }
    assert_eq!(effects(dir.path()), 1);
}
