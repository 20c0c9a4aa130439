//! Plans: what goes with a row, what stays, which rows are meant, plans in files, and what is told of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::{Value, json};
use shop::Shop;
use std::fs;

fn state(shop: &Shop) -> Value {
    let lines = shop.succeeds(&["state", "--json"]).lines();
    lines.into_iter().map(|line| (line["key"].as_str().unwrap().to_owned(), line["value"].clone())).collect()
}

/// Rows 4 to 9: a price that others build on, one that does not, one that points to the first as evidence, and a move.
fn shop() -> Shop {
    let shop = Shop::open();
    let lines = [
        json!({"action": "SET", "mode": "live", "entity": "sku-1", "ops": [
            {"put": {"key": "price/1", "value": 10}}, {"put": {"key": "price/2", "value": 20}}, {"add": {"key": "n", "delta": 1}}]}),
        json!({"action": "SET", "mode": "live", "entity": "sku-2", "ops": [
            {"put": {"key": "price/2", "value": 21}}, {"put": {"key": "price/3", "value": 30}}]}),
        json!({"action": "CUT", "mode": "live", "ops": [{"put": {"key": "price/3", "value": 31}}]}),
        json!({"action": "COUNT", "mode": "live", "evidence": [4], "ops": [{"add": {"key": "n", "delta": 5}}]}),
        json!({"action": "CUT.MORE", "mode": "live", "entity": "sku-9", "ops": [{"put": {"key": "price/9", "value": 9}}]}),
        json!({"action": "MOVE", "mode": "live", "ops": [{"transition": {"entity": "sku-1", "to": "testing"}}]}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let run = shop.append(&[], &(lines.join("\n") + "\n"));
    assert_eq!((run.status, shop.size()), (0, 10), "{}", run.err);
    shop
}

#[test]
fn a_row_goes_alone_or_with_all_that_builds_on_it_or_but_for_what_came_later() {
    let shop = shop();
    let refused = shop.run(&["rollback", "4"]);
    assert_eq!(refused.status, 1);
    for words in ["--cascade", "--keep-later", "row 5 wrote price/2 after row 4"] {
        assert!(refused.err.contains(words), "{}", refused.err);
    }
    let cascade = shop.succeeds(&["rollback", "4", "--cascade", "--json"]);
    assert_eq!(cascade.targets(), [6, 5, 4]);
    assert_eq!(cascade.json()["citations"], json!([{"row": 7, "cites": 4}]));
    let told = shop.succeeds(&["rollback", "4", "--cascade"]).out;
    for words in ["builds on 5", "builds on 4", "asked for", "row 7 points to row 4 as evidence", "21  ->  -"]
    {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let keep = shop.succeeds(&["rollback", "4", "--keep-later", "--json"]).json();
    let row = &keep["plan"][0];
    assert_eq!((&row["manner"], &row["keys"]), (&json!("partial"), &json!(["n", "price/1"])));
    assert_eq!(row["left"], json!([{"key": "price/2", "by": 5}]));
    let unasked = shop.run(&["rollback", "4", "--cascade", "--apply"]);
    unasked.fails(1, &["Take back 3 rows and change 4 keys?", "--yes"]);

    shop.succeeds(&["rollback", "4", "--keep-later", "--apply"]);
    let left = json!({"price/2": 21, "price/3": 31, "price/9": 9, "n": 5, "lifecycle/sku-1": "testing"});
    assert_eq!(state(&shop), left);
    shop.run(&["rollback", "4", "--apply"])
        .fails(1, &["row 4 stands in part only: row 10 has taken it back"]);
    shop.succeeds(&["redo", "10", "--apply"]);
    shop.succeeds(&["rollback", "4", "--cascade", "--apply", "--yes"]);
    assert_eq!(state(&shop), json!({"price/9": 9, "n": 5, "lifecycle/sku-1": "testing"}));
    assert_eq!(shop.succeeds(&["verify", "--json"]).json()["verdict"], "intact");
}

#[test]
fn rows_are_meant_by_who_wrote_them_what_they_are_about_and_when() {
    let shop = shop();
    let meant = |args: &[&str]| {
        let run = shop.run(&[&["rollback", "--cascade", "--json"], args].concat());
        assert_eq!(run.status, 0, "{args:?} {}", run.err);
        run.targets()
    };
    assert_eq!(
        meant(&["--entity", "sku-1"]),
        [9, 6, 5, 4],
        "what it is about, what moves it, and what builds on that"
    );
    assert_eq!(meant(&["--action", "CUT*"]), [8, 6]);
    assert_eq!(meant(&["--action", "CUT*", "--until", "7"]), [6]);
    assert_eq!(meant(&["--key", "executor-1", "--since", "6"]), [9, 8, 7]);
    assert_eq!(meant(&["--executor", "executor-1", "--since", "7"]), [9, 8]);
    assert_eq!(meant(&["--since", "2020-01-01"]), [9, 8, 7, 6, 5, 4]);
    assert_eq!(meant(&["--submission", "6"]), [6]);
    shop.run(&["rollback", "--entity", "nobody"]).fails(1, &["no row in force", "--entity nobody"]);
    shop.run(&["rollback", "--key", "nobody"]).fails(1, &["no key is or was enrolled as \"nobody\""]);
    assert_eq!(shop.run(&["rollback"]).status, 2);
    assert_eq!(shop.run(&["rollback", "4", "--entity", "sku-1"]).status, 2);
    assert_eq!(shop.run(&["rollback", "4", "--cascade", "--keep-later"]).status, 2);

    let told = shop.succeeds(&["suspect", "--key", "executor-1", "--since", "6"]).out;
    for words in [
        "executor-1 has written 3 rows since 6: 3 applied",
        "Would take back 3 rows",
        "--key executor-1 --since 6 --cascade --apply",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let told = shop.succeeds(&["suspect", "--key", "executor-1", "--since", "6", "--json"]).json();
    assert_eq!((told["written"].as_array().unwrap().len(), told["plan"].as_array().unwrap().len()), (3, 3));
    let since = shop.run(&["suspect", "--key", "executor-1"]);
    since.fails(1, &["no revocation says since when", "--since"]);
}

#[test]
fn a_saved_plan_is_carried_out_as_it_was_and_refused_when_the_world_has_moved_on() {
    let shop = shop();
    let file = shop.beside("plan.json");
    let path = file.to_str().unwrap();
    shop.succeeds(&["rollback", "4", "--cascade", "--reason", "below cost", "--save", path]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("counterfoil/plan/v1") && text.contains("\u{2014} example.com/shop "), "{text}");
    shop.run(&["rollback", "4", "--cascade", "--save", path]).fails(2, &["plan.json"]);
    let shown = shop.succeeds(&["rollback", "--plan", path]).out;
    assert!(shown.contains("Would take back 3 rows") && shown.contains("rollback --plan"), "{shown}");

    // Changed, or by nobody who may.
    let changed = shop.beside("changed.json");
    fs::write(&changed, text.replace("below cost", "at cost")).unwrap();
    let run = shop.run(&["rollback", "--plan", changed.to_str().unwrap(), "--apply", "--yes"]);
    run.fails(1, &["changed after it was signed"]);
    let other = self::shop();
    other.run(&["rollback", "--plan", path, "--apply", "--yes"]).fails(1, &["another ledger"]);

    // Rows that have nothing to do with it do not matter; one that builds on it does.
    let quiet = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"price/7","value":7}},{"add":{"key":"n","delta":1}}]}"#;
    assert_eq!(shop.append(&[], quiet).status, 0);
    let done = shop.succeeds(&["rollback", "--plan", path, "--apply", "--yes", "--json"]).json();
    assert_eq!(done["applied"], true);
    let row = done["receipts"][0]["seq"].to_string();
    assert!(shop.succeeds(&["show", &row]).out.contains("below cost"));
    shop.run(&["rollback", "--plan", path, "--apply", "--yes"]).fails(1, &["taken back already"]);

    let shop = self::shop();
    let file = shop.beside("plan.json");
    let path = file.to_str().unwrap();
    shop.succeeds(&["rollback", "4", "--cascade", "--save", path]);
    let loud = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"price/3","value":99}}]}"#;
    assert_eq!(shop.append(&[], loud).status, 0);
    let run = shop.run(&["rollback", "--plan", path, "--apply", "--yes"]);
    run.fails(1, &["the world has moved on", "row 6 next, and now row 10", "Nothing was changed"]);
}

#[test]
fn the_state_is_put_back_to_a_time_and_in_part() {
    let shop = shop();
    let landed = shop.succeeds(&["show", "6", "--json"]).json()["landed_at"].as_str().unwrap().to_owned();
    let by_time = shop.succeeds(&["restore", "--to", &landed, "--json"]);
    let by_row = shop.succeeds(&["restore", "--to", "6", "--json"]).targets();
    // All six rows were sent at once and landed in one submission or more; the time is that of the last of them.
    assert!(by_time.targets().len() <= by_row.len(), "{by_row:?}");
    assert_eq!(by_row, [9, 8, 7]);
    let part = shop.succeeds(&["restore", "--to", "4", "--prefix", "price/", "--apply", "--yes", "--json"]);
    assert_eq!(part.targets(), [8, 6, 5]);
    let left = json!({"price/1": 10, "price/2": 20, "n": 6, "lifecycle/sku-1": "testing"});
    assert_eq!(state(&shop), left);
    assert_eq!(shop.succeeds(&["verify", "--json"]).json()["verdict"], "intact");
}

#[test]
fn who_set_a_key_is_told_and_snapshots_tell_the_same() {
    let shop = shop();
    let blame = |shop: &Shop, args: &[&str]| {
        let lines = shop.succeeds(&[&["blame", "--json"], args].concat()).lines();
        lines
            .into_iter()
            .map(|line| (line["key"].as_str().unwrap().to_owned(), line["seq"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    let expected = [("price/1", 4), ("price/2", 5), ("price/3", 6), ("price/9", 8)]
        .map(|(key, row)| (key.to_owned(), row));
    assert_eq!(blame(&shop, &["price/"]), expected);
    assert_eq!(blame(&shop, &["price/3", "--at", "5"]), [("price/3".to_owned(), 5)]);
    let told = shop.succeeds(&["blame", "price/3"]).out;
    assert!(told.contains("executor-1") && told.contains("CUT") && told.contains("31"), "{told}");
    shop.run(&["blame", "nothing/"]).fails(1, &["no key begins with"]);
    let before: Vec<Value> =
        (0..10).map(|row| json!(shop.succeeds(&["state", "--at", &row.to_string(), "--json"]).out)).collect();

    shop.succeeds(&["snapshot", "--now"]);
    let listed = shop.succeeds(&["snapshot", "--json"]).lines();
    assert_eq!((listed.len(), &listed[0]["at"], &listed[0]["file"]), (1, &json!(9), &json!("there")));
    assert!(shop.succeeds(&["status"]).out.contains("of the state after row 9, pinned by row 10"));
    let more = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"price/1","value":11}}]}"#;
    assert_eq!(shop.append(&[], more).status, 0);
    let past =
        |shop: &Shop, row: u64| json!(shop.succeeds(&["state", "--at", &row.to_string(), "--json"]).out);
    let moments = || -> Vec<Value> { (0..12).map(|row| past(&shop, row)).collect() };
    let with = moments();
    assert_eq!(with[..10], before);
    let verified = shop.succeeds(&["verify", "--json"]).json();
    assert_eq!(
        (&verified["verdict"], &verified["checks"]["V16"]["status"]),
        (&json!("intact"), &json!("passed"))
    );

    // A damaged file is passed over, told, and made anew.
    let snapshot = fs::read_dir(shop.path().join("snapshots")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&snapshot).unwrap();
    for place in [0, 20, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&snapshot, bytes).unwrap();
        assert_eq!(moments(), with, "damaged at {place}");
    }
    fs::remove_file(&snapshot).unwrap();
    assert_eq!(moments(), with, "lost");
    shop.succeeds(&["snapshot", "--again"]);
    assert_eq!(fs::read(&snapshot).unwrap(), whole);
    assert_eq!(moments(), with);
}

#[test]
fn the_horizon_tells_what_can_be_taken_back_until_when() {
    let shop = shop();
    let effect = |undo: &str| {
        format!(
            r#"{{"action":"SEND","mode":"live","entity":"c1","effects":[{{"adapter":"mail","do":{{}}{undo}}}]}}"#
        )
    };
    let soon = r#","undo":{},"undo_until":"2999-01-01""#;
    let lines = [effect(""), effect(r#","undo":{}"#), effect(soon), effect(r#","compensate":{}"#)].join("\n");
    let run = shop.append(&[], &(lines + "\n"));
    assert_eq!(run.status, 0, "{}", run.err);
    let told = shop.succeeds(&["horizon", "--json"]).json();
    let rows = |told: &Value| -> Vec<u64> {
        told["classes"].as_array().unwrap().iter().map(|class| class["rows"].as_u64().unwrap()).collect()
    };
    assert_eq!(
        (rows(&told), told["never"].as_u64(), told["closed"].as_u64()),
        (vec![6, 1, 1, 1], Some(1), Some(0))
    );
    assert_eq!(told["closing"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&told["entities"]["c1"]["never"], &told["entities"]["sku-1"]["exact"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(told["executors"]["executor-1"]["exact"], 6);
    let early = shop.succeeds(&["horizon", "--json", "--at", "6"]).json();
    assert_eq!((rows(&early), early["never"].as_u64()), (vec![3, 0, 0, 0], Some(0)));
    let later = shop.succeeds(&["horizon", "--json", "--at", "3000-01-01"]).json();
    assert_eq!((rows(&later), later["closed"].as_u64()), (vec![6, 1, 0, 1], Some(1)));
    let words = shop.succeeds(&["horizon"]).out;
    for word in [
        "Of 10 decisions in force",
        "9 can be taken back, 1 cannot",
        "unproven (never drilled)",
        "2999-01-01",
        "EXECUTOR",
    ] {
        assert!(words.contains(word), "{word:?} is not in {words}");
    }
    let soon = shop.succeeds(&["horizon", "--within", "1 h"]).out;
    assert!(soon.contains("Nothing closes within 1 hour."), "{soon}");
    // What cannot be undone is told before it is taken back.
    let told = shop.succeeds(&["rollback", "10"]).out;
    assert!(told.contains("Not undone: effect 0 of row 10 on mail: it has no undo."), "{told}");
}

#[test]
fn rows_are_taken_back_while_another_program_writes() {
    use std::io::{BufRead, BufReader, Write};
    let shop = shop();
    let mut writer = shop.command();
    let mut writer = writer
        .arg("append")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    writeln!(input, r#"{{"action":"SET","mode":"live","ops":[{{"put":{{"key":"price/8","value":8}}}}]}}"#)
        .unwrap();
    input.flush().unwrap();
    lines.next().unwrap().unwrap();
    shop.succeeds(&["rollback", "4", "--cascade", "--apply", "--yes"]);
    writeln!(input, r#"{{"action":"SET","mode":"live","ops":[{{"put":{{"key":"price/2","value":2}}}}]}}"#)
        .unwrap();
    input.flush().unwrap();
    lines.next().unwrap().unwrap();
    drop(input);
    assert!(writer.wait().unwrap().success());
    assert_eq!(
        state(&shop),
        json!({"price/2": 2, "price/8": 8, "price/9": 9, "n": 5, "lifecycle/sku-1": "testing"})
    );
    assert_eq!(shop.succeeds(&["verify", "--json"]).json()["verdict"], "intact");
}
