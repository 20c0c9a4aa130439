//! Effects: undone by a real adapter against the example shop, done again, and finished after a crash at every step.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod market;
mod shop;

use counterfoil_effects::{Adapters, Call, Fate, Kind as Act};
use counterfoil_example_shop::Fault;
use counterfoil_format::body::{Body, EffectOutcome, EffectStatus, Manner, RollbackOf};
use counterfoil_format::intent::IntentId;
use counterfoil_format::ops::decode_ops;
use counterfoil_format::part::PartTag;
use counterfoil_ledger::{Draft, DraftOp, Ledger, SecretKey, SubmissionBuilder, now};
use market::{Market, adapter};
use serde_json::{Value, json};
use shop::STARTING;
use std::fs;
use std::sync::Arc;

#[test]
fn a_rollback_undoes_effects_and_a_redo_does_them_again() {
    let market = Market::open();
    let preview = market.succeeds(&["rollback", "4"]).out;
    for words in
        ["Effects to be called for:", "undo effect 0 of row 4", "compensate effect 1 of row 4", "300  ->  -"]
    {
        assert!(preview.contains(words), "{words:?} is not in {preview}");
    }
    assert_eq!(market.world.log()["calls"].as_array().map(Vec::len), Some(0), "a preview calls nothing");
    let done = market.succeeds(&["rollback", "4", "--apply", "--json"]).json();
    assert_eq!(done["applied"], true);
    let told = |run: &Value| {
        let effects = run["effects"].as_array().unwrap().clone();
        effects
            .iter()
            .map(|told| (told["effect"].as_u64().unwrap(), told["status"].clone()))
            .collect::<Vec<_>>()
    };
    // The last effect is undone first.
    assert_eq!(told(&done), [(1, json!("done")), (0, json!("done"))]);
    market.is_undone("a rollback");
    let redone = market.succeeds(&["redo", "5", "--apply", "--json"]).json();
    // What acts again goes in the row's own order.
    assert_eq!(told(&redone), [(0, json!("done")), (1, json!("done"))]);
    assert_eq!(market.world.state(), json!({ "budget": 300, "note": "raised" }));
    assert_eq!(market.held(), json!(300));
    assert_eq!(market.verdict().0, "intact");
    // Without the effects: they stay as they are, and it is said.
    let bare = market.succeeds(&["rollback", "4", "--apply", "--without-effects"]).out;
    assert!(bare.contains("Not undone: effect 0 of row 4 on shop: effects are left alone."), "{bare}");
    assert_eq!(market.world.state(), json!({ "budget": 300, "note": "raised" }));
    assert_eq!(market.verdict().0, "intact");
}

#[test]
fn what_fails_stays_open_is_tried_again_or_closed_and_a_redo_brings_back_what_was_undone() {
    let market = Market::open();
    // Effect 1 goes well; effect 0 fails twice, its retry included.
    market.world.fail([Fault::Refuse]);
    let run = market.shop.run(&["rollback", "4", "--apply"]);
    run.fails(1, &["effect 1 that row 5 calls for is failed", "counterfoil effects"]);
    assert_eq!(market.undone(5), [1, 0]);
    let status = market.succeeds(&["status"]).out;
    assert!(status.contains("1 failed; `counterfoil effects` lists them"), "{status}");
    assert_eq!(market.succeeds(&["status", "--json"]).json()["effects"]["failed"], 1);
    // It is told, so the ledger is as it should be.
    assert_eq!(market.verdict().0, "intact");
    let open = market.succeeds(&["effects", "--json"]).lines();
    assert_eq!(
        (open.len(), &open[0]["status"], &open[0]["does"]),
        (1, &json!("failed"), &json!("compensate"))
    );
    let resumed = market.succeeds(&["effects", "resume"]).out;
    assert!(resumed.contains("Nothing is to be resumed"), "{resumed}");
    // A redo now does again what was undone, and nothing else.
    let redo = market.succeeds(&["redo", "5", "--json"]).json();
    let calls = redo["plan"][0]["calls"].as_array().unwrap();
    assert_eq!((calls.len(), &calls[0]["effect"]), (1, &json!(0)));
    let retried = market.succeeds(&["effects", "retry", "5", "1"]).out;
    assert!(retried.contains("effect 1 called for by row 5: done"), "{retried}");
    market.is_undone("a retry");
    market.shop.run(&["effects", "retry", "5", "1"]).fails(1, &["nothing is open of effect 1 of row 5"]);

    let market = Market::open();
    market.world.fail([Fault::Refuse, Fault::Refuse]);
    market.shop.run(&["rollback", "4", "--apply"]).fails(1, &["is failed"]);
    market.succeeds(&["effects", "close", "5", "0", "--reason", "refunded by hand"]);
    market.succeeds(&["effects", "close", "5", "1", "--reason", "not needed"]);
    market.shop.run(&["effects", "close", "5", "1", "--reason", "again"]).fails(1, &["nothing is open"]);
    assert_eq!(market.succeeds(&["effects", "--json"]).out, "");
    assert_eq!((market.undone(5), market.verdict().0.as_str()), ([0, 0], "intact"));
    let redo = market.succeeds(&["redo", "5", "--json"]).json();
    assert_eq!(redo["plan"][0]["calls"], json!([]));
}

/// How far a rollback of row 4 has come before everything stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The rollback row has landed.
    Row,
    /// An undo is said to be about to be made.
    Intended(u32),
    /// It was made, and nobody has said so.
    Called(u32),
    /// It is said to be done.
    Told(u32),
}

const STEPS: [Step; 7] = [
    Step::Row,
    Step::Intended(1),
    Step::Called(1),
    Step::Told(1),
    Step::Intended(0),
    Step::Called(0),
    Step::Told(0),
];

impl Market {
    /// Does what a rollback does, up to a step.
    fn stop_after(&self, steps: usize) {
        let _starting = STARTING.write();
        let key = |name: &str| SecretKey::load(&self.shop.path().join("keys").join(name)).unwrap();
        let (operator, seal) = (key("operator-1.key"), Arc::new(key("ledger.key")));
        let ledger = Ledger::open(&self.shop.path(), seal).unwrap();
        let adapters = Adapters::read(&self.shop.path().join("adapters.toml")).unwrap();
        for (place, step) in STEPS.iter().enumerate().take(steps) {
            let id = IntentId([u8::try_from(place).unwrap() + 1; 16]);
            let land = |draft: &Draft<'_>| {
                let mut builder = SubmissionBuilder::new(&operator).unwrap();
                builder.push(draft).unwrap();
                ledger.submit(builder.sign(ledger.ledger_id()).unwrap()).unwrap();
            };
            let tell = |effect, status| {
                let outcome = EffectOutcome { row: 5, effect, status, detail: "" };
                Draft::with_body(id, Body::Outcome(outcome), now())
            };
            match *step {
                Step::Row => {
                    let stored = ledger.log().row(4).unwrap();
                    let row = stored.parse().unwrap();
                    let (target, target_hash) = (4, row.row_hash);
                    let body = RollbackOf { target, target_hash, manner: Manner::Exact, effects: vec![0, 1] };
                    let mut draft = Draft::with_body(id, Body::Rollback(body), now());
                    let ops = decode_ops(row.content(PartTag::Rollback).unwrap()).unwrap();
                    draft.ops = ops.into_iter().map(DraftOp::Stored).collect();
                    land(&draft);
                }
                Step::Intended(effect) => land(&tell(effect, EffectStatus::Intended)),
                Step::Called(effect) => {
                    let hash = ledger.log().row(5).unwrap().parse().unwrap().row_hash;
                    let value = if effect == 0 { json!(100) } else { json!("sorry") };
                    let name = if effect == 0 { "budget" } else { "note" };
                    let call = Call {
                        kind: Act::Undo,
                        key: format!("{hash}/{effect}"),
                        ledger: ledger.log().origin().to_owned(),
                        row: 5,
                        effect,
                        sandbox: false,
                        request: json!({ "set": { "key": name, "value": value } }),
                    };
                    let outcome = adapters.find("shop").unwrap().carry_out(&call, &mut |_| {});
                    assert_eq!(outcome.status, Fate::Done, "{}", outcome.detail);
                }
                Step::Told(effect) => land(&tell(effect, EffectStatus::Done)),
            }
        }
        ledger.close().unwrap();
    }
}

#[test]
fn a_rollback_that_stops_at_any_step_is_finished_by_resuming_it() {
    for steps in 1..=STEPS.len() {
        let market = Market::open();
        market.stop_after(steps);
        let what = format!("stopped after {:?}", STEPS[steps - 1]);
        let finished = steps == STEPS.len();
        let expected =
            if finished { ("intact", vec![]) } else { ("findings", vec!["V19"; market.missing(steps)]) };
        let (verdict, checks) = market.verdict();
        assert_eq!(
            (verdict.as_str(), checks),
            (expected.0, expected.1.into_iter().map(str::to_owned).collect()),
            "{what}"
        );
        if !finished {
            let open = market.shop.run(&["status", "--json"]).json();
            assert!(open["effects"]["unfinished"].as_u64().unwrap() > 0, "{what}");
        }
        market.succeeds(&["effects", "resume"]);
        market.is_undone(&what);
        // Said again it does nothing.
        let size = market.shop.size();
        market.succeeds(&["effects", "resume"]);
        assert_eq!(market.shop.size(), size, "{what}");
        // A redo knows what was undone.
        let redo = market.succeeds(&["redo", "5", "--json"]).json();
        assert_eq!(redo["plan"][0]["calls"].as_array().unwrap().len(), 2, "{what}");
    }
}

impl Market {
    /// How many calls have no outcome then.
    fn missing(&self, steps: usize) -> usize {
        let told = STEPS[..steps].iter().filter(|step| matches!(step, Step::Told(_))).count();
        2 - told
    }

    /// An adapter that kills the program that runs it, before or after it has called.
    fn deadly(&self, before: bool) {
        let real = format!("{} \"$@\" < \"$0.request\" > \"$0.answer\"", adapter().display());
        self.script(&format!("{}\nkill -9 $PPID", if before { "" } else { &real }));
    }
}

#[test]
fn a_program_that_is_killed_while_an_adapter_runs_leaves_a_trace_and_is_resumed() {
    for before in [true, false] {
        let market = Market::open();
        market.deadly(before);
        market.killed(&["rollback", "4", "--apply"]);
        market.configure(&format!("program = {:?}", adapter()));
        let what = if before { "killed before the call" } else { "killed after the call" };
        assert_eq!(market.undone(5), [0, u64::from(!before)], "{what}");
        assert_eq!(market.verdict().0, "findings", "{what}");
        market.succeeds(&["effects", "resume"]);
        market.is_undone(what);
    }
}

#[test]
fn answers_that_are_lost_are_asked_for_and_never_called_twice() {
    for fault in [Fault::DropAfter, Fault::UnknownAfter, Fault::DropBefore, Fault::Fail] {
        let market = Market::open();
        market.world.fail([fault]);
        let run = market.shop.run(&["rollback", "4", "--apply"]);
        if run.status != 0 {
            // Whatever the adapter could not find out itself is found out, or tried again.
            let open = market.succeeds(&["effects", "--json"]).lines();
            match open[0]["status"].as_str().unwrap() {
                "failed" => drop(market.succeeds(&["effects", "retry", "5", "1"])),
                _ => drop(market.succeeds(&["effects", "resume"])),
            }
        }
        market.is_undone(&format!("{fault:?}"));
    }
}

#[test]
fn nothing_lands_without_the_adapters_that_it_needs() {
    let market = Market::open();
    let size = market.shop.size();
    fs::remove_file(market.shop.path().join("adapters.toml")).unwrap();
    let shown = market.succeeds(&["rollback", "4"]).out;
    assert!(
        shown.contains("They cannot be called for yet:") && shown.contains("adapters.toml does not exist"),
        "{shown}"
    );
    let run = market.shop.run(&["rollback", "4", "--apply"]);
    assert!(
        run.status == 2 && run.err.contains("adapters.toml does not exist"),
        "{} {}",
        run.status,
        run.err
    );
    fs::write(market.shop.path().join("adapters.toml"), "[adapters.other]\nprogram = \"true\"\n").unwrap();
    let shown = market.succeeds(&["rollback", "4"]).out;
    assert!(shown.contains("names no adapter `shop`"), "{shown}");
    market
        .shop
        .run(&["rollback", "4", "--apply"])
        .fails(1, &["nothing was changed", "shop", "--without-effects"]);
    assert_eq!(market.shop.size(), size);
}

#[test]
fn a_recovery_drill_does_and_undoes_for_real_in_a_sandbox() {
    let market = Market::open();
    let shown = market.succeeds(&["drill", "4"]).out;
    assert!(shown.contains("passed") && shown.contains("2 effects done and undone in a sandbox"), "{shown}");
    assert!(shown.contains("Nothing was landed"), "{shown}");
    assert_eq!(market.world.state(), json!({}), "a sandbox is not the world");
    market.succeeds(&["drill", "4", "--apply"]);
    let horizon = market.succeeds(&["horizon", "--json"]).json();
    let class = |name: &str| {
        let all = horizon["classes"].as_array().unwrap();
        all.iter().find(|class| class["class"] == name).unwrap().clone()
    };
    assert_eq!((&class("compensating")["proven"], &class("exact")["proven"]), (&json!(true), &json!(false)));
    // One that fails is no proof any more.
    market.world.fail([Fault::Refuse]);
    market.shop.run(&["drill", "4", "--apply"]).fails(1, &["the drill of 1 of 1 rows failed"]);
    let status = market.succeeds(&["status"]).out;
    assert!(status.contains("compensating unproven (the drill of row 6 failed)"), "{status}");
    assert_eq!(market.verdict().0, "intact");
    // Where there is no sandbox, it is told, and nothing is proven by it.
    fs::write(market.shop.path().join("adapters.toml"), "[adapters.shop]\nprogram = \"true\"\n").unwrap();
    let part = market.succeeds(&["drill", "4"]).out;
    assert!(part.contains("in part") && part.contains("the adapter shop has no sandbox"), "{part}");
    market.shop.run(&["drill", "4", "--apply"]).fails(1, &["nothing was drilled whole"]);
}
