//! Which rows are meant when they are not named: what cancels out, what was approved, what has come since; and what proves nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::{Value, json};
use shop::Shop;
use std::fs;

fn price(shop: &Shop, sku: u64, value: u64, more: &str) {
    let line = format!(
        r#"{{"action":"SET_PRICE","mode":"live","entity":"sku-{sku}","ops":[{{"put":{{"key":"price/{sku}","value":{value}}}}}]{more}}}"#
    );
    let run = shop.append(&[], &line);
    assert_eq!(run.status, 0, "{}", run.err);
}

fn set_policy(shop: &Shop, text: &str) {
    let file = shop.beside("policy.toml");
    fs::write(&file, text).unwrap();
    shop.succeeds(&["policy", "set", file.to_str().unwrap(), "--yes"]);
}

#[test]
fn a_rollback_and_what_it_took_back_cancel_out() {
    let shop = Shop::open();
    (1..=3).for_each(|value| price(&shop, 1, value, ""));
    shop.succeeds(&["rollback", "6", "--apply"]);
    // Row 7 has taken row 6 back: neither is to be taken back any more.
    for selection in [["--entity", "sku-1"], ["--key", "executor-1"]] {
        let run = shop.succeeds(&[["rollback", "--json"], selection].concat());
        assert!(!run.targets().contains(&7), "{selection:?} {}", run.out);
    }
    shop.run(&["rollback", "--since", "5"]).fails(1, &["no row in force that can be taken back is meant"]);
    // Brought back, row 6 is meant itself.
    shop.succeeds(&["redo", "--apply"]);
    assert_eq!(shop.succeeds(&["rollback", "--since", "5", "--json"]).targets(), [6]);
    // What others have taken back since is brought back.
    shop.succeeds(&["rollback", "6", "--apply"]);
    let run = shop.succeeds(&["rollback", "--since", "8"]).out;
    assert!(run.contains("asked for; took back 6") && run.contains("2  ->  3"), "{run}");
}

/// A chain of rollbacks of one row cancels out link by link, as far as it is meant.
#[test]
fn rollbacks_that_follow_on_each_other_cancel_out_link_by_link() {
    let shop = Shop::open();
    price(&shop, 1, 1, "");
    shop.succeeds(&["rollback", "4", "--apply"]);
    shop.succeeds(&["redo", "5", "--apply"]);
    // Row 6 has taken back row 5, and row 5 row 4, which is not meant.
    shop.run(&["rollback", "--since", "4"]).fails(1, &["no row in force that can be taken back is meant"]);
    shop.succeeds(&["rollback", "4", "--apply"]);
    assert_eq!(shop.succeeds(&["rollback", "--since", "4", "--json"]).targets(), [7]);
    assert_eq!(shop.succeeds(&["rollback", "--key", "operator-1", "--json"]).targets(), [7]);
    shop.succeeds(&["rollback", "7", "--apply"]);
    shop.run(&["rollback", "--since", "4"]).fails(1, &["no row in force that can be taken back is meant"]);
    assert_eq!(shop.succeeds(&["rollback", "--since", "3", "--json"]).targets(), [4]);
}

/// A row that was taken back in part stands in part: what did that goes with it.
#[test]
fn a_row_that_was_taken_back_in_part_is_meant_with_what_did_that() {
    let shop = Shop::open();
    let line = r#"{"action":"SET","mode":"live","entity":"sku-1","ops":[{"put":{"key":"a","value":1}},{"put":{"key":"b","value":1}}]}"#;
    assert_eq!(shop.append(&[], line).status, 0);
    let later = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"a","value":2}}]}"#;
    assert_eq!(shop.append(&[], later).status, 0);
    shop.succeeds(&["rollback", "4", "--keep-later", "--apply"]);
    shop.succeeds(&["rollback", "5", "--apply"]);
    let plan = shop.succeeds(&["rollback", "--entity", "sku-1", "--json"]);
    assert_eq!(plan.targets(), [6, 4]);
    shop.succeeds(&["rollback", "--entity", "sku-1", "--apply", "--yes"]);
    assert_eq!(shop.succeeds(&["state", "--json"]).out, "");
}

#[test]
fn what_is_taken_back_already_is_left_out_of_rows_that_are_named() {
    let shop = Shop::open();
    (1..=3).for_each(|sku| price(&shop, sku, sku, ""));
    shop.succeeds(&["rollback", "5", "--apply"]);
    assert_eq!(shop.succeeds(&["rollback", "4", "5", "6", "--json"]).targets(), [6, 4]);
    shop.run(&["rollback", "5"]).fails(1, &["row 5 is taken back already, by row 7"]);
    // With the rollback that took it back it can be taken back itself.
    assert_eq!(shop.succeeds(&["rollback", "5", "7", "--json"]).targets(), [7, 5]);
}

#[test]
fn a_saved_selection_means_what_it_means_now() {
    let shop = Shop::open();
    (1..=2).for_each(|sku| price(&shop, sku, sku, ""));
    let file = shop.beside("plan.json");
    let path = file.to_str().unwrap();
    let saved = shop.succeeds(&["rollback", "--key", "executor-1", "--save", path]).out;
    assert!(saved.contains("The plan is written to") && saved.contains("rollback --plan"), "{saved}");
    price(&shop, 3, 3, "");
    let run = shop.run(&["rollback", "--plan", path, "--apply", "--yes"]);
    run.fails(1, &["the world has moved on", "now row 6 must go"]);
    assert_eq!(shop.size(), 7);
}

#[test]
fn a_plan_is_signed_by_a_key_that_may_carry_it_out() {
    let shop = Shop::open();
    price(&shop, 1, 1, "");
    shop.succeeds(&["key", "grant", "narrow", "--role", "operator", "--prefix", "other/"]);
    let file = shop.beside("plan.json");
    let path = file.to_str().unwrap();
    let run = shop.run(&["rollback", "4", "--author", "narrow", "--save", path]);
    run.fails(1, &["the plan is not written", "the key price/1"]);
    let run = shop.run(&["rollback", "4", "--author", "executor-1", "--save", path]);
    run.fails(1, &["the plan is not written", "it is executor, and needs to be operator"]);
    assert!(!file.exists());
    // One that could when it signed, and cannot any more.
    let line = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"other/1","value":1}}]}"#;
    assert_eq!(shop.append(&[], line).status, 0);
    let row = (shop.size() - 1).to_string();
    shop.succeeds(&["rollback", &row, "--author", "narrow", "--save", path]);
    shop.succeeds(&["key", "revoke", "narrow", "--yes"]);
    let run = shop.run(&["rollback", "--plan", path, "--apply"]);
    run.fails(1, &["not signed by a key in force that may take rows back"]);
}

#[test]
fn what_a_stolen_key_has_had_approved_goes_with_it() {
    let shop = Shop::open();
    set_policy(&shop, "[action.SET_PRICE]\nlive = true\ntier = \"A\"\n");
    price(&shop, 1, 1, r#","tier":"C""#);
    let put_aside = shop.size() - 1;
    shop.succeeds(&["review", "approve", &put_aside.to_string()]);
    let approval = shop.size() - 1;
    let told = shop.succeeds(&["suspect", "--key", "executor-1", "--since", "3"]).out;
    for words in [
        format!("Row {approval} is by somebody else, who has approved row {put_aside}."),
        "Would take back 1 row".into(),
    ] {
        assert!(told.contains(&words), "{words} is not in {told}");
    }
    // It landed behind the row that it approves, and goes with it all the same.
    let within = ["--since", "3", "--until", &put_aside.to_string()];
    let plan = shop.succeeds(&[&["rollback", "--json", "--key", "executor-1"][..], &within].concat());
    assert_eq!(plan.targets(), [approval]);
    let submitted = shop.succeeds(&["rollback", "--json", "--submission", &put_aside.to_string()]);
    assert_eq!(submitted.targets(), [approval]);
    let run = shop.succeeds(&["rollback", "--key", "executor-1", "--apply", "--json"]);
    assert_eq!(run.targets(), [approval]);
    let named = shop.run(&["rollback", &put_aside.to_string()]);
    named.fails(1, &["landed as review", &format!("row {approval} has approved it")]);
    let told = shop.succeeds(&["suspect", "--key", "executor-1", "--since", "3"]).out;
    assert!(told.contains("Nothing of it is in force that a rollback could take back."), "{told}");
    let told = shop.succeeds(&["suspect", "--key", "executor-1", "--since", "3", "--json"]).json();
    assert_eq!((told["written"].as_array().unwrap().len(), &told["plan"]), (2, &json!([])));
    assert_eq!(shop.run(&["suspect", "--key", "executor-1", "--since", "3", "--apply"]).status, 2);
}

#[test]
fn a_drill_of_nothing_proves_nothing_and_an_old_one_is_stale() {
    let shop = Shop::open();
    shop.run(&["drill", "1", "--apply"])
        .fails(1, &["row 1, a key row, has done nothing that a drill could take back"]);
    price(&shop, 1, 1, "");
    shop.succeeds(&["rollback", "4", "--apply"]);
    shop.run(&["drill", "5"]).fails(1, &["row 5, a rollback row"]);
    shop.succeeds(&["drill", "4", "--apply"]);
    let exact = |shop: &Shop| -> (Value, String) {
        let told = shop.succeeds(&["horizon", "--json"]).json();
        (told["classes"][0]["proven"].clone(), shop.succeeds(&["status"]).out)
    };
    assert_eq!(exact(&shop).0, true);
    set_policy(&shop, "[action.SET_PRICE]\nlive = true\nproven = \"1 us\"\n");
    let (proven, status) = exact(&shop);
    assert!(
        proven == false && status.contains("is stale: the policy asks for one within 1 microsecond"),
        "{status}"
    );
}

#[test]
fn what_is_said_at_the_end_can_be_done() {
    let shop = Shop::open();
    (1..=2).for_each(|sku| price(&shop, sku, sku, ""));
    shop.succeeds(&["restore", "--to", "3", "--apply", "--yes"]);
    let redone = shop.succeeds(&["redo", "--apply", "--yes"]).out;
    assert!(
        redone.contains("To take them back again:") && redone.contains("rollback 8 9 --apply"),
        "{redone}"
    );
    assert_eq!(shop.succeeds(&["rollback", "8", "9", "--json"]).targets(), [9, 8]);
    // The command that is shown carries what was given.
    let shown = shop.succeeds(&["rollback", "4", "--reason", "too low", "--without-effects"]).out;
    assert!(shown.contains("rollback 4 --without-effects --reason 'too low' --apply"), "{shown}");
    let shown = shop.succeeds(&["rollback", "4", "--reason", "a --plan of", "--adapters", "other.toml"]).out;
    assert!(shown.contains("rollback 4 --reason 'a --plan of' --adapters other.toml --apply"), "{shown}");
    let shown = shop.succeeds(&["rollback", "4", "--reason=-x\ny"]).out;
    assert!(shown.contains(r"rollback 4 --reason=$'-x\012y' --apply"), "{shown}");
    for command in [&["restore", "--to"][..], &["horizon", "--at"]] {
        shop.run(&[command, &["2020-01-01"]].concat())
            .fails(1, &["there was no ledger yet at 2020-01-01", "it began at"]);
    }
    shop.run(&["effects", "close", "4", "0", "--reason", " "]).fails(1, &["say why with --reason"]);
    shop.run(&["rollback"]).fails(2, &["which rows?", "--entity"]);
}
