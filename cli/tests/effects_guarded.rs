//! Effects, in the ways that lead to a wrong call: nothing is undone twice, or done for a row that is taken back, or by two at once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod market;
mod shop;

use counterfoil_example_shop::Fault;
use counterfoil_format::body::{Body, EffectOutcome, EffectStatus};
use counterfoil_format::intent::IntentId;
use counterfoil_ledger::{Draft, Ledger, SecretKey, SubmissionBuilder, SubmitError, now};
use market::{Market, adapter};
use serde_json::{Value, json};
use shop::STARTING;
use std::fs;
use std::sync::Arc;

/// How often calls of a kind have taken effect in the world, whatever called for them.
fn took_place(market: &Market, call: &str) -> u64 {
    let log = market.world.log();
    let keys = log["keys"].as_array().unwrap().iter();
    keys.filter(|key| key["call"] == call).map(|key| key["took_effect"].as_u64().unwrap()).sum()
}

fn undos(market: &Market) -> u64 {
    took_place(market, "undo")
}

#[test]
fn nothing_is_undone_again_that_was_never_done_again() {
    // Brought back without its effects.
    let market = Market::open();
    market.succeeds(&["rollback", "4", "--apply"]);
    assert_eq!(undos(&market), 2);
    let told = market.succeeds(&["redo", "--apply", "--without-effects"]).out;
    assert!(told.contains("Not done again: effect 0 of row 5 on shop: effects are left alone."), "{told}");
    let told = market.succeeds(&["rollback", "4", "--apply"]).out;
    assert!(told.contains("Not undone: effect 0 of row 4 on shop: it is undone already."), "{told}");
    assert_eq!(undos(&market), 2);

    // Brought back and taken back in one plan.
    let market = Market::open();
    market.succeeds(&["rollback", "4", "--apply"]);
    market.succeeds(&["rollback", "4", "5", "--apply", "--yes"]);
    assert_eq!(undos(&market), 2);

    // What should have done it again has failed, and was closed.
    let market = Market::open();
    market.succeeds(&["rollback", "4", "--apply"]);
    market.world.fail([Fault::Refuse; 2]);
    market.shop.run(&["redo", "--apply"]).fails(1, &["is failed"]);
    let plan = market.succeeds(&["rollback", "4", "--json"]).json();
    assert_eq!(plan["plan"][0]["calls"], json!([]));
    let redo = market.shop.size() - 5;
    market.succeeds(&["effects", "close", &redo.to_string(), "1", "--reason", "by hand"]);
    assert_eq!(market.succeeds(&["rollback", "4", "--json"]).json()["plan"][0]["calls"], json!([]));
    assert_eq!(market.verdict().0, "intact");
}

/// Runs a command that lands one rollback row, and yields its number.
fn lands(market: &Market, args: &[&str]) -> u64 {
    let run = market.succeeds(&[args, &["--apply", "--json"]].concat()).json();
    run["receipts"][0]["seq"].as_u64().unwrap()
}

/// However many rollbacks of one decision a plan takes back, its effects are called for once, and only where they change.
#[test]
fn a_plan_calls_once_for_the_effects_of_a_decision() {
    // Never undone, and undone at once by what takes three rollbacks back.
    let market = Market::open();
    for args in [&["rollback", "4"][..], &["redo"], &["rollback", "4"]] {
        lands(&market, &[args, &["--without-effects"]].concat());
    }
    market.succeeds(&["rollback", "5", "6", "7", "--apply", "--yes"]);
    assert_eq!((undos(&market), took_place(&market, "do")), (0, 0));
    market.succeeds(&["restore", "--to", "7", "--apply", "--yes"]);
    assert_eq!(undos(&market), 2);
    assert_eq!(market.verdict().0, "intact");

    // Undone, and done again by what takes three back.
    let market = Market::open();
    let undone = lands(&market, &["rollback", "4"]);
    let before = market.row().to_string();
    lands(&market, &["redo"]);
    let redone = market.row().to_string();
    lands(&market, &["restore", "--to", &before]);
    lands(&market, &["redo", &undone.to_string()]);
    lands(&market, &["rollback", "4"]);
    assert_eq!((undos(&market), took_place(&market, "do")), (6, 4));
    market.succeeds(&["restore", "--to", &redone, "--apply", "--yes"]);
    assert_eq!((undos(&market), took_place(&market, "do")), (6, 6));
    assert_eq!(market.world.state()["budget"], 300);
    assert_eq!(market.verdict().0, "intact");

    // Taken back and brought back in one plan, which changes nothing.
    let market = Market::open();
    for args in [&["rollback", "4"][..], &["redo"], &["rollback", "4"]] {
        lands(&market, args);
    }
    market.succeeds(&["restore", "--to", "5", "--apply", "--yes"]);
    assert_eq!((undos(&market), took_place(&market, "do")), (4, 2));
    assert_eq!(market.world.state()["budget"], 100);
}

#[test]
fn what_a_rollback_called_for_is_not_called_once_that_is_taken_back() {
    let market = Market::open();
    market.world.fail([Fault::Refuse; 2]);
    market.shop.run(&["rollback", "4", "--apply"]).fails(1, &["is failed"]);
    market.succeeds(&["redo", "--apply"]);
    let redo = market.shop.size() - 1;
    let refused = market.shop.run(&["effects", "retry", "5", "0"]);
    refused.fails(1, &["nothing was called: row 5 is taken back itself, by row", "effects resume"]);
    let listed = market.succeeds(&["effects"]).out;
    assert!(
        listed.contains(&format!("effect 0 of row 5: row 5 is taken back itself, by row {redo}.")),
        "{listed}"
    );
    // Back in force, but another row has called for the same since.
    market.succeeds(&["rollback", &redo.to_string(), "--apply"]);
    assert_eq!(undos(&market), 2);
    market.shop.run(&["effects", "retry", "5", "0"]).fails(1, &["has called for it since"]);
    assert_eq!(undos(&market), 2);
    assert_eq!(market.verdict().0, "intact");
}

/// The row that calls is in force, and what it calls for is not wanted all the same: another row of the chain was taken back.
#[test]
fn what_a_rollback_called_for_is_not_called_once_the_decision_is_otherwise() {
    let market = Market::open();
    let undone = lands(&market, &["rollback", "4", "--without-effects"]).to_string();
    let redone = lands(&market, &["redo", "--without-effects"]).to_string();
    market.world.fail([Fault::Refuse; 2]);
    market.shop.run(&["rollback", &redone, "--apply"]).fails(1, &["is failed"]);
    let calls = market.succeeds(&["effects", "--json"]).lines()[0]["row"].to_string();
    lands(&market, &["rollback", &undone, "--without-effects"]);
    market
        .shop
        .run(&["effects", "retry", &calls, "0"])
        .fails(1, &["nothing was called: row 4 is brought back"]);
    assert_eq!((undos(&market), market.verdict().0.as_str()), (0, "intact"));
}

#[test]
fn a_call_that_may_have_been_made_is_asked_about_and_not_made_once_its_row_is_taken_back() {
    let market = Market::open();
    // Nothing is heard of either call, and asking is in vain.
    market.says(r#"{"status":"unknown"}"#);
    market.shop.run(&["rollback", "4", "--apply"]).fails(1, &["is unknown"]);
    market.shop.run(&["redo", "5"]).fails(1, &["is unknown", "effects resume", "--without-effects"]);
    market.configure(&format!("program = {:?}", adapter()));
    market.succeeds(&["redo", "5", "--apply", "--without-effects"]);
    let before = undos(&market);
    market.shop.run(&["effects", "resume"]);
    assert_eq!(undos(&market), before, "nothing was made: {}", market.world.log());
    assert_eq!(market.verdict().0, "intact");
}

#[test]
fn nothing_is_done_again_while_the_kill_switch_is_engaged() {
    let market = Market::open();
    market.succeeds(&["rollback", "4", "--apply"]);
    market.world.fail([Fault::Refuse; 2]);
    market.shop.run(&["redo", "--apply"]).fails(1, &["is failed"]);
    let redo = market.succeeds(&["effects", "--json"]).lines()[0]["row"].to_string();
    market.succeeds(&["kill-switch", "engage", "--reason", "look first"]);
    let refused = market.shop.run(&["effects", "retry", &redo, "0"]);
    refused.fails(1, &["nothing was called: the kill switch is engaged"]);
    market.succeeds(&["kill-switch", "release"]);
    market.succeeds(&["effects", "retry", &redo, "0"]);
    assert_eq!(market.world.state()["budget"], 300);
}

#[test]
fn two_programs_do_not_call_at_once() {
    let market = Market::open();
    let held = fs::File::create(market.shop.path().join("CALLS")).unwrap();
    held.lock().unwrap();
    let refused = market.shop.run(&["rollback", "4", "--apply"]);
    refused.fails(1, &["another program is calling for effects of this ledger"]);
    assert_eq!((market.shop.size(), undos(&market)), (5, 0));
    drop(held);
    market.succeeds(&["rollback", "4", "--apply"]);
    market.is_undone("alone again");
}

/// Resuming goes on with the other calls when one cannot be made.
#[test]
fn one_call_that_cannot_be_made_does_not_hold_the_others() {
    let market = Market::open();
    let twice = market::DECISION.replace('\n', "").replace(
        r#""adapter":"shop","do":{"set":{"key":"note""#,
        r#""adapter":"other","do":{"set":{"key":"note""#,
    );
    let run = market.shop.append(&[], &twice);
    assert_eq!(run.status, 0, "{}", run.err);
    let file = market.shop.path().join("adapters.toml");
    let known = fs::read_to_string(&file).unwrap();
    market.says(r#"{"status":"unknown"}"#);
    let mute = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{mute}\n{}", mute.replace("adapters.shop", "adapters.other"))).unwrap();
    market.shop.run(&["rollback", "5", "--apply"]).fails(1, &["is unknown"]);
    fs::write(&file, known).unwrap();
    let resumed = market.shop.run(&["effects", "resume"]);
    resumed.fails(1, &["effect 1 that row 6 calls for", "other"]);
    assert!(resumed.out.contains("effect 0 called for by row 6: done"), "{}", resumed.out);
}

/// Lands an outcome row of effect 0 of a row, by the executor.
fn tell(market: &Market, row: u64, status: EffectStatus) -> Result<u64, SubmitError> {
    let _starting = STARTING.write();
    let key = |name: &str| SecretKey::load(&market.shop.path().join("keys").join(name)).unwrap();
    let (executor, seal) = (key("executor-1.key"), Arc::new(key("ledger.key")));
    let ledger = Ledger::open(&market.shop.path(), seal).unwrap();
    let outcome = EffectOutcome { row, effect: 0, status, detail: "honest" };
    let mut builder = SubmissionBuilder::new(&executor).unwrap();
    builder.push(&Draft::with_body(IntentId([7; 16]), Body::Outcome(outcome), now())).unwrap();
    Ok(ledger.submit(builder.sign(ledger.ledger_id()).unwrap())?[0].seq)
}

#[test]
fn who_is_no_operator_tells_nothing_of_an_operators_call() {
    let market = Market::open();
    market.says(r#"{"status":"unknown"}"#);
    market.shop.run(&["rollback", "4", "--apply"]).fails(1, &["is unknown"]);
    let refused = tell(&market, 5, EffectStatus::Done).unwrap_err();
    let neither = |reason: &str| reason.contains("its author is neither");
    assert!(matches!(&refused, SubmitError::Cited { reason, .. } if neither(reason)), "{refused}");
}

/// Of a decision of its own it may, and whoever plans to take that back sees on whose word an effect stays.
#[test]
fn an_author_tells_of_its_own_effects_and_a_plan_says_so() {
    let market = Market::open();
    let row = tell(&market, 4, EffectStatus::Failed).unwrap();
    let told = market.succeeds(&["rollback", "4"]).out;
    let words = format!("Not undone: effect 0 of row 4 on shop: it did not take place, as row {row} says.");
    assert!(told.contains(&words), "{told}");
    market.succeeds(&["rollback", "4", "--apply"]);
    assert_eq!((undos(&market), market.verdict().0.as_str()), (1, "intact"));
}

#[test]
fn what_an_adapter_says_does_not_reach_the_terminal_as_it_is() {
    let market = Market::open();
    market.says(r#"{"status":"failed","detail":"\\u001b]0;PWNED\\u0007"}"#);
    let run = market.shop.run(&["rollback", "4", "--apply"]);
    run.fails(1, &["is failed", "PWNED"]);
    assert!(!run.err.contains('\u{1b}') && !run.out.contains('\u{1b}'), "{:?} {:?}", run.out, run.err);
}

/// Where the adapter of a call is not known any more, nobody can be asked about it, and it can be closed.
#[test]
fn a_call_whose_adapter_is_gone_can_be_ended() {
    let market = Market::open();
    market.script("kill -9 $PPID");
    market.killed(&["rollback", "4", "--apply"]);
    fs::write(market.shop.path().join("adapters.toml"), "[adapters.other]\nprogram = \"true\"\n").unwrap();
    let statuses = |market: &Market| -> Vec<Value> {
        market.succeeds(&["effects", "--json"]).lines().iter().map(|open| open["status"].clone()).collect()
    };
    assert_eq!(statuses(&market), ["intended", "not begun"]);
    let close = |effect: &str| market.shop.run(&["effects", "close", "5", effect, "--reason", "by hand"]);
    close("1").fails(1, &["was about to be carried out", "effects resume"]);
    let resumed = market.shop.run(&["effects", "resume"]);
    assert_eq!(resumed.status, 1, "{}", resumed.err);
    assert!(resumed.out.contains("effect 1 called for by row 5: unknown"), "{}", resumed.out);
    assert!(
        resumed.err.contains("effect 0 that row 5 calls for: ")
            && resumed.err.contains("names no adapter `shop`"),
        "{}",
        resumed.err
    );
    assert_eq!(statuses(&market), ["unknown", "not begun"]);
    let again = market.shop.run(&["effects", "resume"]);
    assert!(again.err.contains("effect 1 that row 5 calls for: "), "{}", again.err);
    assert_eq!((close("1").status, close("0").status), (0, 0));
    assert_eq!(market.succeeds(&["effects", "--json"]).out, "");
    assert_eq!(market.verdict().0, "intact");
}

/// Whoever has made a call by hand says so, and it is not made again.
#[test]
fn what_was_made_by_hand_counts_as_made() {
    let market = Market::open();
    market.world.fail([Fault::Refuse; 2]);
    market.shop.run(&["rollback", "4", "--apply"]).fails(1, &["is failed"]);
    let told = market.succeeds(&["effects", "close", "5", "1", "--done", "--reason", "said sorry"]).out;
    assert!(told.contains("effect 1 called for by row 5: done: said sorry"), "{told}");
    market.succeeds(&["effects", "close", "5", "0", "--reason", "never mind"]);
    let redo = market.succeeds(&["redo", "--json"]).json();
    let calls = redo["plan"][0]["calls"].as_array().unwrap().clone();
    assert_eq!((calls.len(), &calls[0]["effect"]), (1, &json!(1)), "{redo}");
    market.succeeds(&["redo", "--apply", "--without-effects"]);
    let plan = market.succeeds(&["rollback", "4", "--json"]).json();
    assert_eq!(
        (&plan["plan"][0]["calls"][0]["effect"], plan["plan"][0]["calls"].as_array().unwrap().len()),
        (&json!(0), 1)
    );
    market.says(r#"{"status":"unknown"}"#);
    market.shop.run(&["rollback", "4", "--apply"]).fails(1, &["is unknown"]);
    let row = market.succeeds(&["effects", "--json"]).lines()[0]["row"].to_string();
    let done = ["effects", "close", &row, "0", "--done", "--reason", "it was there"];
    // Nobody can say so while somebody calls.
    let held = fs::File::create(market.shop.path().join("CALLS")).unwrap();
    held.lock().unwrap();
    market.shop.run(&done).fails(1, &["another program is calling for effects"]);
    drop(held);
    market.succeeds(&done);
    assert_eq!(market.verdict().0, "intact");
}

fn set_policy(market: &Market, text: &str) {
    let file = market.shop.beside("policy.toml");
    fs::write(&file, text).unwrap();
    market.succeeds(&["policy", "set", file.to_str().unwrap(), "--yes"]);
}

/// Whoever may take rows back, what needs an operator is signed by one.
#[test]
fn what_is_an_operators_to_tell_is_signed_by_one() {
    let market = Market::open();
    set_policy(&market, "[writers]\nrollback = [\"executor\", \"operator\"]\n[action.\"*\"]\nlive = true\n");
    market.succeeds(&["drill", "4", "--apply"]);
    let rolled = market.shop.size().to_string();
    market.says(r#"{"status":"unknown"}"#);
    market.shop.run(&["rollback", "4", "--apply"]).fails(1, &["is unknown"]);
    assert_eq!(market.succeeds(&["show", &rolled, "--json"]).json()["author"], "executor-1");
    market.succeeds(&["redo", "--apply", "--without-effects"]);
    market.says(r#"{"status":"failed"}"#);
    market.shop.run(&["effects", "resume"]).fails(1, &["still open"]);
    market.succeeds(&["effects", "close", &rolled, "0", "--reason", "by hand"]);
    // What has failed and is of no use any more is ended without anybody's reason, and without its adapter.
    let listed = market.succeeds(&["effects"]).out;
    assert!(listed.contains("Go on: counterfoil effects resume; counterfoil effects close"), "{listed}");
    fs::remove_file(market.shop.path().join("adapters.toml")).unwrap();
    let ended = market.succeeds(&["effects", "resume"]).out;
    let words = format!("effect 1 called for by row {rolled}: closed: row {rolled} is taken back itself");
    assert!(ended.contains(&words), "{ended}");
    assert_eq!(market.verdict().0, "intact");
}

/// Nothing lands when nobody here could say what became of the calls.
#[test]
fn nothing_lands_when_what_becomes_of_calls_cannot_be_told() {
    let market = Market::open();
    set_policy(&market, "[writers]\noutcome = [\"executor\"]\n[action.\"*\"]\nlive = true\n");
    let size = market.shop.size();
    let refused = market.shop.run(&["rollback", "4", "--apply"]);
    refused.fails(1, &["nothing was changed", "outcome", "--without-effects"]);
    assert_eq!((market.shop.size(), undos(&market)), (size, 0));
    // One who may write them tells in the author's place, as an operator.
    set_policy(&market, "[writers]\nrollback = [\"owner\"]\n[action.\"*\"]\nlive = true\n");
    market.succeeds(&["rollback", "4", "--apply"]);
    assert_eq!((undos(&market), market.verdict().0.as_str()), (2, "intact"));
}
