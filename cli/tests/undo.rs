//! Taking back more rows than one submission holds, and bringing them back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::Value;
use shop::{Run, Shop};
use std::fmt::Write;

/// More than one submission holds.
const ROWS: u64 = 4500;

#[track_caller]
fn succeeds(shop: &Shop, args: &[&str]) -> Run {
    let run = shop.run(args);
    assert_eq!(run.status, 0, "{args:?}: {}", run.err);
    run
}

/// What the keys hold, without the rows that set it.
fn state(shop: &Shop) -> Vec<(Value, Value)> {
    let lines = succeeds(shop, &["state", "--json"]).lines();
    lines.into_iter().map(|mut line| (line["key"].take(), line["value"].take())).collect()
}

/// Lands rows that each put a key and add to a counter.
fn fill(shop: &Shop, rows: u64) {
    let mut lines = String::new();
    for row in 0..rows {
        let ops = format!(
            r#"[{{"put":{{"key":"k/{}","value":{row}}}}},{{"add":{{"key":"n","delta":1}}}}]"#,
            row % 97
        );
        writeln!(lines, r#"{{"action":"SET","mode":"live","ops":{ops}}}"#).unwrap();
    }
    let run = shop.append(&["--batch", "4096"], &lines);
    assert_eq!(run.status, 0, "{}", run.err);
}

fn taken_back(run: &Run) -> usize {
    let told = run.json();
    assert!(told["receipts"].as_array().unwrap().iter().all(|receipt| receipt["outcome"] == "applied"));
    told["receipts"].as_array().unwrap().len()
}

#[test]
fn redo_brings_back_a_whole_restore_and_does_it_once() {
    let shop = Shop::open();
    fill(&shop, 10);
    let early = state(&shop);
    fill(&shop, ROWS);
    let full = state(&shop);
    let rows = usize::try_from(ROWS).unwrap();

    let restored = succeeds(&shop, &["restore", "--to", "13", "--apply", "--yes", "--json"]);
    assert_eq!((taken_back(&restored), state(&shop)), (rows, early.clone()));
    let preview = succeeds(&shop, &["redo", "--json"]).json();
    assert_eq!(preview["plan"].as_array().unwrap().len(), rows);
    let redone = succeeds(&shop, &["redo", "--apply", "--yes", "--json"]);
    assert_eq!((taken_back(&redone), state(&shop)), (rows, full.clone()));
    // Said again, it must not take back what it has brought back.
    shop.run(&["redo", "--apply", "--yes"]).fails(1, &["nothing to redo"]);
    assert_eq!(state(&shop), full);
    assert_eq!(succeeds(&shop, &["verify", "--json"]).json()["verdict"], "intact");
}

#[test]
fn two_rollbacks_are_not_taken_for_one() {
    let shop = Shop::open();
    fill(&shop, 6);
    for rows in [["8", "9"], ["6", "7"]] {
        succeeds(&shop, &[&["rollback", "--apply", "--yes"], &rows[..]].concat());
    }
    succeeds(&shop, &["rollback", "--apply", "5"]);
    let targets = || {
        let plan = succeeds(&shop, &["redo", "--json"]).json();
        let rows = plan["plan"].as_array().unwrap().iter().map(|row| row["target"].as_u64().unwrap());
        rows.collect::<Vec<_>>()
    };
    assert_eq!(targets(), [14]);
    succeeds(&shop, &["redo", "14", "--apply"]);
    // That is done; the next one is the rollback before, as a whole.
    assert_eq!(targets(), [13, 12]);
    // What brought row 5 back is taken back, which is a rollback like any other.
    succeeds(&shop, &["rollback", "15", "--apply"]);
    assert_eq!(targets(), [16]);
}
