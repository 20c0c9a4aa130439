//! The kill switch: pulled beside a writer, kept through crashes, drilled.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::Value;
use shop::{Shop, finish};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

fn line(number: u32) -> String {
    format!(
        r#"{{"id":"d{number}","action":"SET","mode":"live","ops":[{{"put":{{"key":"k","value":{number}}}}}]}}"#
    )
}

/// A process that has the ledger open and lands what it is told.
struct Writer {
    child: Child,
    input: ChildStdin,
    receipts: std::io::Lines<BufReader<ChildStdout>>,
}

impl Writer {
    fn of(shop: &Shop) -> Self {
        let mut command = shop.command();
        let mut child = command.arg("append").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let receipts = BufReader::new(child.stdout.take().unwrap()).lines();
        Writer { input: child.stdin.take().unwrap(), receipts, child }
    }

    fn land(&mut self, number: u32) -> Value {
        writeln!(self.input, "{}", line(number)).unwrap();
        serde_json::from_str(&self.receipts.next().unwrap().unwrap()).unwrap()
    }
}

#[test]
fn it_is_pulled_beside_a_writer_and_holds_from_then_on() {
    let shop = Shop::open();
    let mut writer = Writer::of(&shop);
    assert_eq!(writer.land(1)["outcome"], "applied");
    let pulled = shop.run(&["kill-switch", "engage", "--reason", "prices run away", "--json"]).json();
    assert_eq!((&pulled["engaged"], &pulled["outcome"]), (&true.into(), &"applied".into()));
    let stopped = writer.land(2);
    assert_eq!((&stopped["outcome"], &stopped["reasons"][0]), (&"review".into(), &"kill-switch".into()));
    let released = shop.run(&["kill-switch", "release"]);
    assert!(released.out.contains("released"), "{}{}", released.out, released.err);
    shop.run(&["kill-switch", "release"]).fails(1, &["nothing was changed", "released already"]);
    assert_eq!(writer.land(3)["outcome"], "applied");
    // A drill goes through the same writer.
    let drill = shop.run(&["kill-switch", "drill", "--json"]).json();
    assert_eq!(drill["probe"]["reasons"], serde_json::json!(["kill-switch"]));
    assert_eq!(writer.land(4)["outcome"], "applied");
    drop(writer.input);
    assert!(writer.child.wait().unwrap().success());
    assert_eq!(shop.run(&["verify"]).status, 0);
}

#[test]
fn a_pull_that_finds_no_writer_and_no_ledger_key_waits_for_the_next_one() {
    let shop = Shop::open();
    let key = shop.path().join("keys/ledger.key");
    let aside = shop.beside("ledger.key");
    std::fs::rename(&key, &aside).unwrap();
    let left = shop.run(&["kill-switch", "engage"]);
    left.fails(2, &["it waits in", "inbox", "lands it before anything else", "ledger"]);
    assert_eq!(shop.run(&["kill-switch", "status", "--json"]).json()["waiting_in_inbox"], 1);
    assert!(shop.run(&["kill-switch", "status"]).out.contains("1 left there and not landed yet"));
    std::fs::rename(&aside, &key).unwrap();
    let stopped = shop.append(&[], &(line(1) + "\n"));
    assert!(stopped.out.contains("kill-switch"), "{}{}", stopped.out, stopped.err);
    let status = shop.run(&["kill-switch", "status", "--json"]).json();
    assert_eq!((&status["engaged"], &status["row"]), (&true.into(), &4.into()));
}

#[test]
fn a_writer_that_is_killed_right_after_loses_no_pull() {
    let shop = Shop::open();
    let mut writer = Writer::of(&shop);
    writer.land(1);
    let pull = std::thread::scope(|scope| {
        let pull = scope.spawn(|| shop.run(&["kill-switch", "engage", "--json"]));
        writer.child.kill().unwrap();
        pull.join().unwrap()
    });
    writer.child.wait().unwrap();
    assert_eq!(pull.status, 0, "{}", pull.err);
    let stopped = shop.append(&[], &(line(2) + "\n"));
    assert!(stopped.out.contains("kill-switch"), "{}{}", stopped.out, stopped.err);
    assert_eq!(shop.run(&["verify"]).status, 0);
}

/// A writer that never comes to what was left for it, and then is gone, leaves it to who waits.
#[test]
fn what_waits_for_a_writer_that_goes_is_landed_by_who_waits() {
    let shop = Shop::open();
    let mut writer = Writer::of(&shop);
    writer.land(1);
    let stop = std::process::Command::new("kill").args(["-STOP", &writer.child.id().to_string()]).status();
    assert!(stop.unwrap().success());
    let handed = std::thread::scope(|scope| {
        let handing = scope.spawn(|| shop.run(&["kill-switch", "hand-over", "owner", "--json"]));
        let inbox = shop.path().join("inbox");
        let is_left = || std::fs::read_dir(&inbox).is_ok_and(|mut files| files.next().is_some());
        while !is_left() && !handing.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        writer.child.kill().unwrap();
        handing.join().unwrap()
    });
    writer.child.wait().unwrap();
    assert_eq!((&handed.json()["holder"], &handed.json()["outcome"]), (&"owner".into(), &"applied".into()));
}

/// What acts again is refused before anything lands, and a shop whose executors are confined can hold its drills.
#[test]
fn it_stops_redos_as_a_whole_and_drills_keep_to_scopes() {
    let shop = Shop::open();
    shop.append(&[], &(line(1) + "\n"));
    assert_eq!(shop.run(&["rollback", "4", "--apply"]).status, 0);
    shop.run(&["kill-switch", "engage"]);
    for redo in [&["redo", "5"][..], &["redo", "5", "--apply"], &["restore", "--to", "4", "--apply"]] {
        shop.run(redo).fails(1, &["nothing was changed", "row 6 has engaged the kill switch"]);
    }
    assert_eq!(shop.size(), 7);
    shop.run(&["kill-switch", "release"]);
    let roles = ["--role", "executor", "--action", "SET", "--prefix", "price/"];
    assert_eq!(shop.run(&[&["key", "grant", "pricing"], &roles[..]].concat()).status, 0);
    let drill =
        shop.run(&["kill-switch", "drill", "--executor", "pricing", "--action", "SET", "--json"]).json();
    assert_eq!(drill["probe"]["reasons"], serde_json::json!(["kill-switch"]));
    assert_eq!(shop.run(&["verify"]).status, 0);
}

#[test]
fn it_is_handed_over_to_operators_alone_and_every_row_says_who_holds_it() {
    let shop = Shop::open();
    shop.run(&["kill-switch", "hand-over", "executor-1"]).fails(1, &["no operator executor-1", "operator-1"]);
    let handed = shop.run(&["kill-switch", "hand-over", "owner", "--json"]).json();
    assert_eq!((&handed["holder"], &handed["engaged"]), (&"owner".into(), &false.into()));
    shop.append(&[], &(line(1) + "\n"));
    assert_eq!(shop.run(&["show", "5", "--json"]).json()["actors"]["operator"], "owner");
    let status = shop.run(&["kill-switch", "status"]).out;
    assert!(status.contains("owner") && status.contains("asks for none"), "{status}");
}

#[test]
fn a_drill_needs_something_to_stop_and_is_none_while_the_switch_is_engaged() {
    let shop = Shop::open();
    shop.run(&["kill-switch", "engage"]);
    shop.run(&["kill-switch", "drill"]).fails(1, &["engaged in earnest", "row 4"]);
    shop.run(&["kill-switch", "release"]);
    // What cannot land as a probe stops nothing.
    for wrong in [&["--action", ""][..], &["--action", "a\nb"], &["--executor", "operator-1"]] {
        shop.run(&[&["kill-switch", "drill"], wrong].concat()).fails(1, &["nothing was changed"]);
    }
    assert_eq!(shop.run(&["kill-switch", "status", "--json"]).json()["engaged"], false);
    let policy = shop.beside("policy.toml");
    std::fs::write(&policy, "[action.SET]\nlive = false\n").unwrap();
    assert_eq!(shop.run(&["policy", "set", policy.to_str().unwrap(), "--yes"]).status, 0);
    shop.run(&["kill-switch", "drill"]).fails(1, &["allows no action to be live", "--action"]);
    let drill = finish(shop.command().args(["kill-switch", "drill", "--action", "SET"]), b"");
    assert_eq!(drill.status, 0, "{}", drill.err);
    assert!(drill.out.contains("held") && drill.out.contains("released"), "{}", drill.out);
    let status = shop.run(&["status", "--json"]).json();
    assert_eq!(status["kill_switch"]["drill"]["overdue"], false);
}
