//! What belongs together: what one command took back and a redo brings back, and rows that stand in part.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::{Value, json};
use shop::Shop;

/// Lands a decision that puts these keys, by a key of this name.
fn put(shop: &Shop, author: &str, keys: &[(&str, u64)]) -> u64 {
    let ops: Vec<Value> =
        keys.iter().map(|(key, value)| json!({ "put": { "key": key, "value": value } })).collect();
    let line = json!({ "action": "SET", "mode": "live", "ops": ops }).to_string();
    let run = shop.append(&["--author", author], &line);
    assert_eq!(run.status, 0, "{}", run.err);
    run.lines()[0]["seq"].as_u64().unwrap()
}

fn state(shop: &Shop) -> Value {
    let lines = shop.succeeds(&["state", "--json"]).lines();
    lines.into_iter().map(|line| (line["key"].as_str().unwrap().to_owned(), line["value"].clone())).collect()
}

fn apply(shop: &Shop, args: &[&str]) {
    shop.succeeds(&[args, &["--apply", "--yes"]].concat());
}

/// Whatever the newest rollback or restore has taken back, decisions or rollbacks, a redo brings all of it back and nothing else.
#[test]
fn a_redo_brings_back_a_restore_as_a_whole() {
    let shop = Shop::open();
    put(&shop, "executor-1", &[("a", 1)]);
    put(&shop, "executor-1", &[("b", 2)]);
    apply(&shop, &["rollback", "4"]);
    put(&shop, "executor-1", &[("c", 3)]);
    let before = state(&shop);
    assert_eq!(before, json!({ "b": 2, "c": 3 }));
    apply(&shop, &["restore", "--to", "5"]);
    assert_eq!(state(&shop), json!({ "a": 1, "b": 2 }));
    apply(&shop, &["redo"]);
    assert_eq!(state(&shop), before);
    // The next one passes over the redo, and over what it has brought back.
    apply(&shop, &["redo"]);
    assert_eq!(state(&shop), json!({ "a": 1, "b": 2, "c": 3 }));
    shop.run(&["redo"]).fails(1, &["there is nothing to redo"]);
}

#[test]
fn a_redo_brings_back_a_restore_that_brought_back_one_row() {
    let shop = Shop::open();
    put(&shop, "executor-1", &[("a", 1)]);
    put(&shop, "executor-1", &[("b", 2)]);
    apply(&shop, &["rollback", "5"]);
    apply(&shop, &["rollback", "4"]);
    apply(&shop, &["restore", "--to", "6"]);
    assert_eq!(state(&shop), json!({ "a": 1 }));
    apply(&shop, &["redo"]);
    assert_eq!(state(&shop), json!({}));
    // Carried out from a file it is a redo too.
    let file = shop.beside("plan.json");
    let path = file.to_str().unwrap();
    shop.succeeds(&["redo", "--save", path]);
    apply(&shop, &["rollback", "--plan", path]);
    assert_eq!(state(&shop), json!({ "a": 1 }));
    apply(&shop, &["redo"]);
    assert_eq!(state(&shop), json!({ "a": 1, "b": 2 }));
}

/// What was brought back otherwise is passed over.
#[test]
fn a_redo_goes_on_to_what_can_be_brought_back() {
    let shop = Shop::open();
    put(&shop, "executor-1", &[("b", 1)]);
    put(&shop, "executor-1", &[("a", 1)]);
    apply(&shop, &["rollback", "4"]);
    apply(&shop, &["rollback", "5"]);
    apply(&shop, &["redo"]);
    apply(&shop, &["restore", "--to", "7"]);
    // Row 9 has taken row 8 back, and brings row 7 into force; row 10 has taken that back itself.
    apply(&shop, &["redo", "7"]);
    assert_eq!(state(&shop), json!({ "a": 1 }));
    assert_eq!(shop.succeeds(&["redo", "--json"]).targets(), [6]);
    apply(&shop, &["redo"]);
    assert_eq!(state(&shop), json!({ "a": 1, "b": 1 }));
}

/// A rollback that has brought a partial one into force again can be taken back: that one goes out of force with it.
#[test]
fn what_brought_a_partial_rollback_back_can_be_taken_back() {
    let shop = Shop::open();
    put(&shop, "executor-1", &[("p/x", 1), ("q", 1)]);
    apply(&shop, &["restore", "--to", "3", "--prefix", "p/"]);
    apply(&shop, &["redo"]);
    apply(&shop, &["restore", "--to", "5", "--prefix", "p/"]);
    assert_eq!(state(&shop), json!({ "q": 1 }));
    assert_eq!(shop.succeeds(&["redo", "7", "--json"]).targets(), [7]);
    apply(&shop, &["redo"]);
    assert_eq!(state(&shop), json!({ "p/x": 1, "q": 1 }));
    // What stands in part is named as that.
    apply(&shop, &["rollback", "8"]);
    for args in
        [&["rollback", "4"][..], &["rollback", "4", "--cascade"], &["restore", "--to", "3", "--prefix", "q"]]
    {
        shop.run(args)
            .fails(1, &["row 4 stands in part only: row 5 has taken it back", "counterfoil redo 5"]);
    }
}

/// Later rows stay, so what they have left of a row stays too, however often it is asked for.
#[test]
fn what_is_left_to_later_rows_is_left_once() {
    let shop = Shop::open();
    shop.succeeds(&["key", "grant", "agent-2", "--role", "executor"]);
    put(&shop, "agent-2", &[("a", 1), ("b", 1)]);
    put(&shop, "executor-1", &[("a", 2)]);
    let command = ["rollback", "--key", "agent-2", "--keep-later"];
    apply(&shop, &command);
    shop.run(&command).fails(1, &["no row in force that can be taken back is meant"]);
    assert_eq!(state(&shop), json!({ "a": 2 }));
}

/// Whatever has taken back a part, or taken that back, what is meant does not stand in the end, and nothing else comes back.
#[test]
fn nothing_comes_back_with_what_stands_in_part() {
    let shop = Shop::open();
    put(&shop, "executor-1", &[("b", 1), ("p", 2)]);
    apply(&shop, &["rollback", "4"]);
    apply(&shop, &["restore", "--to", "4", "--prefix", "p"]);
    assert_eq!(state(&shop), json!({ "p": 2 }));
    apply(&shop, &["rollback", "--since", "3", "--cascade"]);
    assert_eq!(state(&shop), json!({}));

    let shop = Shop::open();
    put(&shop, "executor-1", &[("k", 1)]);
    let line =
        r#"{"action":"SET","mode":"live","ops":[{"delete":{"key":"k"}},{"put":{"key":"m","value":1}}]}"#;
    assert_eq!(shop.append(&[], line).status, 0);
    apply(&shop, &["restore", "--to", "3", "--prefix", "k"]);
    assert_eq!(state(&shop), json!({ "m": 1 }));
    apply(&shop, &["rollback", "--since", "3", "--cascade"]);
    assert_eq!(state(&shop), json!({}));

    // Of rows that are named, one that stands in part is not left out in silence.
    let shop = Shop::open();
    put(&shop, "executor-1", &[("a", 1), ("b", 1)]);
    put(&shop, "executor-1", &[("c", 1)]);
    apply(&shop, &["restore", "--to", "3", "--prefix", "a"]);
    shop.run(&["rollback", "4", "5"]).fails(1, &["row 4 stands in part only"]);
}

/// Taking a redo back takes away, so a redo brings that back too.
#[test]
fn a_redo_of_a_redo_is_none() {
    let shop = Shop::open();
    put(&shop, "executor-1", &[("a", 1)]);
    put(&shop, "executor-1", &[("b", 1)]);
    apply(&shop, &["rollback", "4"]);
    apply(&shop, &["redo"]);
    apply(&shop, &["rollback", "5"]);
    apply(&shop, &["redo", "7"]);
    assert_eq!(state(&shop), json!({}));
    apply(&shop, &["redo"]);
    assert_eq!(state(&shop), json!({ "a": 1 }));
}

/// Rows that go with others may be older than some that were asked for.
#[test]
fn a_cascade_of_several_rows_misses_none() {
    let shop = Shop::open();
    let append = |lines: &[Value]| {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        assert_eq!(shop.append(&[], &lines.join("\n")).status, 0);
    };
    let row = |ops: Value| json!({ "action": "SET", "mode": "live", "ops": ops });
    append(&[
        row(json!([{ "put": { "key": "a", "value": 1 } }])),
        row(json!([{ "put": { "key": "a", "value": 2 } }, { "add": { "key": "c", "delta": 5 } }])),
        row(json!([{ "delete": { "key": "c" } }])),
        row(json!([{ "add": { "key": "c", "delta": 1 } }])),
    ]);
    assert_eq!(shop.succeeds(&["rollback", "4", "7", "--cascade", "--json"]).targets(), [7, 6, 5, 4]);
    apply(&shop, &["rollback", "4", "7", "--cascade"]);
    assert_eq!(state(&shop), json!({}));
}

/// The rollbacks of an operator whose key was stolen, with what that key has decided.
#[test]
fn a_redo_brings_back_what_a_selection_took_back() {
    let shop = Shop::open();
    shop.succeeds(&["key", "grant", "both", "--role", "operator", "--role", "executor"]);
    let row = put(&shop, "executor-1", &[("a", 1)]).to_string();
    shop.succeeds(&["rollback", &row, "--author", "both", "--apply"]);
    put(&shop, "both", &[("evil", 1)]);
    let before = state(&shop);
    apply(&shop, &["rollback", "--key", "both", "--cascade"]);
    assert_eq!(state(&shop), json!({ "a": 1 }));
    apply(&shop, &["redo"]);
    assert_eq!(state(&shop), before);
}

/// Nothing of a stolen key's rows is left, whoever has taken them back in part.
#[test]
fn what_stands_in_part_is_meant_whole() {
    let stolen = || {
        let shop = Shop::open();
        shop.succeeds(&["key", "grant", "thief", "--role", "executor"]);
        put(&shop, "thief", &[("price/a", 1), ("stock/a", 0)]);
        shop
    };
    let takes_all_back = |shop: &Shop, targets: &[u64], left: Value| {
        let told = shop.succeeds(&["suspect", "--key", "thief", "--since", "4", "--json"]);
        assert_eq!(told.targets(), targets);
        for selection in [["--key", "thief"], ["--executor", "thief"]] {
            let plan = shop.succeeds(&[&["rollback", "--cascade", "--json"][..], &selection].concat());
            assert_eq!(plan.targets(), targets, "{selection:?}");
        }
        apply(shop, &["rollback", "--key", "thief", "--cascade"]);
        assert_eq!(state(shop), left);
        let told = shop.succeeds(&["suspect", "--key", "thief", "--since", "4"]).out;
        assert!(told.contains("Nothing of it is in force"), "{told}");
        assert_eq!(shop.succeeds(&["verify", "--json"]).json()["verdict"], "intact");
    };

    // One prefix was put back.
    let shop = stolen();
    apply(&shop, &["restore", "--to", "4", "--prefix", "price/"]);
    let shown = shop.succeeds(&["show", "5"]).out;
    assert!(shown.contains("Taken back in part by row 6"), "{shown}");
    let horizon = shop.succeeds(&["horizon"]).out;
    assert!(horizon.contains("1 more is taken back but for a part, which stands."), "{horizon}");
    assert_eq!(shop.succeeds(&["horizon", "--json"]).json()["in_part"], 1);
    takes_all_back(&shop, &[6, 5], json!({}));

    // All but what came later was put back, and that went later.
    let shop = stolen();
    put(&shop, "executor-1", &[("stock/a", 5)]);
    apply(&shop, &["rollback", "--key", "thief", "--keep-later"]);
    apply(&shop, &["rollback", "6"]);
    takes_all_back(&shop, &[7, 5], json!({}));

    // It was taken back, and that was taken back in part; another of its rows stands.
    let shop = stolen();
    put(&shop, "thief", &[("z", 1)]);
    apply(&shop, &["rollback", "5"]);
    put(&shop, "executor-1", &[("price/a", 7)]);
    apply(&shop, &["rollback", "7", "--keep-later"]);
    takes_all_back(&shop, &[9, 6], json!({ "price/a": 7 }));
}

/// Rows of which later rows touch every key stay whole, and the others go.
#[test]
fn of_several_rows_those_that_were_overwritten_stay_whole() {
    let shop = Shop::open();
    let add = |delta: u64| {
        let line =
            format!(r#"{{"action":"ADD","mode":"live","ops":[{{"add":{{"key":"n","delta":{delta}}}}}]}}"#);
        assert_eq!(shop.append(&[], &line).status, 0);
    };
    add(1);
    put(&shop, "executor-1", &[("a", 1)]);
    let line =
        r#"{"action":"SET","mode":"live","ops":[{"delete":{"key":"n"}},{"put":{"key":"b","value":1}}]}"#;
    assert_eq!(shop.append(&[], line).status, 0);
    add(5);
    put(&shop, "executor-1", &[("b", 2)]);
    // Row 7 adds to what row 6 has deleted, so that stays; and what row 4 has added is not there any more.
    let plan = shop.succeeds(&["rollback", "4", "5", "6", "--keep-later", "--json"]).json();
    assert_eq!(plan["plan"].as_array().unwrap().len(), 1, "{plan}");
    assert_eq!(plan["plan"][0]["target"], 5);
    let untouched = json!([
        { "row": 6, "left": [{ "key": "b", "by": 8 }, { "key": "n", "by": 7 }] },
        { "row": 4, "left": [{ "key": "n", "by": 6 }] },
    ]);
    assert_eq!(plan["untouched"], untouched);
    let told = shop.succeeds(&["rollback", "4", "5", "6", "--keep-later"]).out;
    let words = "Stays: all of row 6: later rows have touched each of its keys: b by row 8, n by row 7.";
    assert!(told.contains(words), "{told}");
    apply(&shop, &["rollback", "4", "5", "6", "--keep-later"]);
    assert_eq!(state(&shop), json!({ "b": 2, "n": 5 }));
    shop.run(&["rollback", "4", "6", "--keep-later"]).fails(1, &["has nothing left to take back"]);
}
