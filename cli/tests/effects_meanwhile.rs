//! Calls, while others act: whether one is to be made is looked at before each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod market;
mod shop;

use market::Market;
use std::fs;

/// Sets an adapter that runs the program once, before it answers; it notes what it is asked to do.
fn meanwhile(market: &Market, args: &str, answer: &str) {
    let ledger = market.shop.path();
    let program = env!("CARGO_BIN_EXE_counterfoil");
    market.script(&format!(
        "sed 's/.*\"call\":\"\\([a-z]*\\)\".*/\\1/' \"$0.request\" >> \"$0.calls\"\n\
         [ -e \"$0.once\" ] || {{ touch \"$0.once\"; {program} -l {ledger:?} {args} > \"$0.said\" 2>&1; }}\n{answer}"
    ));
}

/// What the adapter was asked to do.
fn calls(market: &Market) -> Vec<String> {
    let calls = fs::read_to_string(market.shop.beside("adapter.calls")).unwrap_or_default();
    calls.lines().map(str::to_owned).collect()
}

const DONE: &str = r#"echo '{"status":"done"}'"#;

#[test]
fn nothing_is_undone_for_a_row_that_is_brought_back_meanwhile() {
    let market = Market::open();
    meanwhile(&market, "redo 5 --apply --without-effects", DONE);
    let run = market.shop.run(&["rollback", "4", "--apply"]);
    run.fails(1, &["row 5 has landed", "effect 0 was not called for", "row 5 is taken back itself, by row"]);
    assert!(run.out.contains("Effect 1 called for by row 5: done"), "{}", run.out);
    assert_eq!(calls(&market), ["undo"]);
    let ended = market.succeeds(&["effects", "resume"]).out;
    assert!(ended.contains("effect 0 called for by row 5: closed: row 5 is taken back itself"), "{ended}");
    assert_eq!((calls(&market).len(), market.verdict().0.as_str()), (1, "intact"));
}

#[test]
fn a_kill_switch_stops_the_next_call() {
    let market = Market::open();
    market.succeeds(&["rollback", "4", "--apply"]);
    meanwhile(&market, "kill-switch engage --reason stop", DONE);
    let run = market.shop.run(&["redo", "--apply"]);
    run.fails(1, &["effect 1 was not called for: the kill switch is engaged", "counterfoil effects"]);
    assert_eq!(calls(&market), ["do"]);
    market.shop.run(&["effects", "resume"]).fails(1, &["was not begun, and is not now: the kill switch"]);
    market.succeeds(&["kill-switch", "release"]);
    market.succeeds(&["effects", "resume"]);
    assert_eq!(calls(&market), ["do", "do"]);
    assert_eq!(market.verdict().0, "intact");
}

#[test]
fn what_is_resumed_is_looked_at_before_each_call() {
    let market = Market::open();
    market.says(r#"{"status":"unknown"}"#);
    market.shop.run(&["rollback", "4", "--apply"]).fails(1, &["is unknown"]);
    let absent =
        r#"grep -q '"call":"ask"' "$0.request" && echo '{"status":"absent"}' || echo '{"status":"done"}'"#;
    meanwhile(&market, "redo 5 --apply --without-effects", absent);
    market.shop.run(&["effects", "resume"]).fails(1, &["still open"]);
    // The first was asked about before the other program came; the second is asked about, and not made.
    assert_eq!(calls(&market), ["ask", "undo", "ask"]);
    let open = market.succeeds(&["effects", "--json"]).lines();
    assert_eq!((open.len(), &open[0]["status"]), (1, &serde_json::json!("failed")));
    assert!(open[0]["not_to_be_made"].as_str().unwrap().starts_with("row 5 is taken back itself"));
    assert_eq!(market.verdict().0, "intact");
}
