//! Passphrases that are typed: on the terminal, whatever standard input is, and never shown.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use shop::Shop;
use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const DECISION: &str = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"k","value":1}}]}"#;

/// A shell on a terminal of its own, which `script` provides.
struct Typist {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    seen: String,
}

impl Typist {
    /// Runs a shell command in which `counterfoil` is the program on this ledger.
    fn at(shop: &Shop, command: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_counterfoil");
        let command =
            format!("counterfoil() {{ '{program}' -l '{}' \"$@\"; }}; {command}", shop.path().display());
        // The tests may run in the background, where what is started would ignore the interrupt key.
        let mut script = Command::new("env");
        script.args([
            "--default-signal=INT",
            // Whoever waits in vain for a question is told so.
            "timeout",
            "--foreground",
            "60",
            "script",
            "--quiet",
            "--return",
            "--command",
            &command,
            "/dev/null",
        ]);
        script.env("SHELL", "/bin/bash");
        for name in ["LEDGER", "KEY_DIR", "PASSPHRASE_FILE", "ADAPTERS"] {
            script.env_remove(format!("COUNTERFOIL_{name}"));
        }
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keys, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Typist { child, keys, screen, seen: String::new() }
    }

    /// Waits until the screen shows these words, and answers.
    fn answer(&mut self, words: &str, keys: &str) {
        let from = self.seen.len();
        while !self.seen[from..].contains(words) {
            let mut byte = [0];
            assert_eq!(self.screen.read(&mut byte).unwrap(), 1, "{words:?} is not asked: {}", self.seen);
            self.seen.push(byte[0].into());
        }
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end; yields the status and all that was shown.
    fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).unwrap();
        self.seen.push_str(&String::from_utf8(rest).unwrap());
        (self.child.wait().unwrap().code().unwrap(), self.seen)
    }
}

fn is_encrypted(shop: &Shop, name: &str) -> bool {
    fs::read_to_string(shop.path().join(format!("keys/{name}.key"))).unwrap().starts_with("-----BEGIN AGE")
}

#[test]
fn a_passphrase_is_typed_unseen_while_decisions_come_from_a_pipe() {
    let shop = Shop::open();
    let mut typist = Typist::at(&shop, "counterfoil key protect executor-1");
    typist.answer("New passphrase for the key executor-1: ", "correct horsx\x7fe\n");
    typist.answer("The same once more: ", "correct horse\n");
    let (status, seen) = typist.end();
    assert_eq!(status, 0, "{seen}");
    assert!(is_encrypted(&shop, "executor-1") && !seen.contains("horse"), "{seen}");

    let mut typist = Typist::at(&shop, &format!("echo '{DECISION}' | counterfoil append"));
    typist.answer("executor-1.key: ", "correct horse\n");
    let (status, seen) = typist.end();
    assert_eq!(status, 0, "{seen}");
    assert!(seen.contains("\"outcome\":\"applied\"") && !seen.contains("horse"), "{seen}");
    assert_eq!((seen.matches("Passphrase").count(), shop.size()), (1, 5), "{seen}");

    let mut typist = Typist::at(&shop, &format!("echo '{DECISION}' | counterfoil append"));
    typist.answer("executor-1.key: ", "correct house\n");
    let (status, seen) = typist.end();
    assert_eq!((status, seen.matches("Passphrase").count()), (2, 1), "it is asked once: {seen}");
    assert!(seen.contains("not the passphrase"), "{seen}");
}

#[test]
fn what_is_not_typed_twice_alike_changes_nothing() {
    let shop = Shop::open();
    for (first, second, told) in [
        ("one\n", "two\n", "differ"),
        ("one\n", "\n", "differ"),
        ("\n", "", "empty"),
        ("o\x16\x01e\n", "", "control"),
    ] {
        let mut typist = Typist::at(&shop, "counterfoil key protect owner");
        typist.answer("New passphrase", first);
        if !second.is_empty() {
            typist.answer("once more", second);
        }
        let (status, seen) = typist.end();
        assert!(status != 0 && seen.contains(told), "{status} {seen}");
        assert!(!is_encrypted(&shop, "owner"), "{seen}");
    }
}

/// The interrupt key ends the program and the loop around it, and the terminal shows again what is typed.
#[test]
fn an_interrupted_question_leaves_the_terminal_as_it_was() {
    let shop = Shop::open();
    let commands = "trap 'echo stopped; stty -a; exit 7' INT; counterfoil key protect owner; echo went on";
    let mut typist = Typist::at(&shop, commands);
    typist.answer("New passphrase", "half\x03");
    let (status, seen) = typist.end();
    assert_eq!(status, 7, "{seen}");
    assert!(seen.contains("stopped") && !seen.contains("went on") && !seen.contains("half"), "{seen}");
    for mode in ["isig", "icanon", "echo", "-echonl"] {
        assert!(seen.split_whitespace().any(|word| word == mode), "{mode}: {seen}");
    }
    assert!(!is_encrypted(&shop, "owner"));
}

/// What is asked about is shown first; nobody is kept from writing meanwhile, and a plan that is another by then is not carried out.
#[test]
fn a_plan_is_shown_before_it_is_asked_about_and_is_another_when_rows_have_landed() {
    let shop = Shop::open();
    let price = |value: u64| {
        let line = format!(
            r#"{{"action":"SET","mode":"live","ops":[{{"put":{{"key":"price","value":{value}}}}}]}}"#
        );
        let run = shop.append(&[], &line);
        assert_eq!(run.status, 0, "{}", run.err);
    };
    (1..=2).for_each(price);
    let rollback = "counterfoil rollback 4 --cascade --apply";
    let mut typist = Typist::at(&shop, rollback);
    typist.answer("Would take back 2 rows, newest first:", "");
    typist.answer("Take back 2 rows and change 1 key? [y/N]", "");
    price(3);
    typist.answer(" ", "y\n");
    let (status, seen) = typist.end();
    assert!(
        status == 1 && seen.contains("rows have landed meanwhile, and the plan is another now"),
        "{seen}"
    );
    assert_eq!(shop.size(), 7);
    let mut typist = Typist::at(&shop, rollback);
    typist.answer("Take back 3 rows and change 1 key? [y/N] ", "");
    // A row that has nothing to do with it is no harm.
    let line = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"other","value":1}}]}"#;
    assert_eq!(shop.append(&[], line).status, 0);
    typist.keys.write_all(b"y\n").unwrap();
    let (status, seen) = typist.end();
    assert!(status == 0 && seen.contains("Took back 3 rows"), "{seen}");
}

/// What is told in the end is what came of it, whatever has landed while it was asked about.
#[test]
fn what_a_plan_has_changed_is_told_as_it_was_when_it_landed() {
    let shop = Shop::open();
    let add = |delta: u64| {
        let line =
            format!(r#"{{"action":"ADD","mode":"live","ops":[{{"add":{{"key":"n","delta":{delta}}}}}]}}"#);
        assert_eq!(shop.append(&[], &line).status, 0);
    };
    add(5);
    add(6);
    let mut typist = Typist::at(&shop, "counterfoil rollback 4 5 --apply");
    typist.answer("n  11  ->  -", "");
    typist.answer("Take back 2 rows and change 1 key? [y/N] ", "");
    add(100);
    typist.keys.write_all(b"y\n").unwrap();
    let (status, seen) = typist.end();
    assert!(status == 0 && seen.contains("n  111  ->  100"), "{seen}");
    // And what would take it back leaves what has landed meanwhile.
    assert!(seen.contains("redo 7 8 --apply"), "{seen}");
    assert_eq!(shop.succeeds(&["redo", "7", "8", "--json"]).targets(), [8, 7]);
}
