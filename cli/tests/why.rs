//! What people are told of rows that were put aside, and of rows that are no decisions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod policy;
mod shop;

use counterfoil_format::body::{
    Body, Calibration, Drill, KillSwitch, Reading, ReviewOf, ReviewVerdict, SwitchAct,
};
use counterfoil_format::intent::{IntentId, Tier};
use counterfoil_format::policy::{ActionRule, Floor, Limit, MetricFloor, Per, PolicyBody, Reach, SumLimit};
use counterfoil_format::value::Decimal;
use counterfoil_ledger::{Draft, Log, SecretKey, Signer, now};
use serde_json::{Value, json};
use shop::Shop;

const HOUR: i64 = 3_600_000_000;

#[track_caller]
fn shows(shop: &Shop, row: u64, words: &[&str]) -> String {
    let run = shop.run(&["show", &row.to_string()]);
    assert_eq!(run.status, 0, "{}", run.err);
    for words in words {
        assert!(run.out.contains(words), "{words}: {}", run.out);
    }
    run.out
}

/// Lands a decision; yields its row and its reasons.
fn decide(shop: &Shop, args: &[&str], line: &str) -> (u64, Value) {
    let run = shop.append(args, line);
    assert_eq!(run.status, 0, "{}", run.err);
    let receipt = run.json();
    (receipt["seq"].as_u64().unwrap(), receipt["reasons"].clone())
}

fn line(action: &str, more: &str) -> String {
    format!(
        r#"{{"action":"{action}","mode":"live","entity":"sku-1",{more}"ops":[{{"put":{{"key":"k","value":1}}}}]}}"#
    )
}

fn number(mantissa: i128, scale: u8) -> Decimal {
    Decimal { mantissa, scale }
}

fn strict() -> PolicyBody<'static> {
    let fixed = |metric, floor| MetricFloor { metric, floor };
    let metrics = vec![fixed("margin", Floor::Fixed(number(30, 0))), fixed("roas", Floor::Calibrated)];
    let hard = ActionRule {
        tier: Tier::A,
        judge_floor: Some(780_000),
        reach: Reach::Declared,
        ..ActionRule::open("HARD")
    };
    let rules = vec![
        hard,
        ActionRule { attested: true, ..ActionRule::open("SIGNED") },
        ActionRule { metrics, ..ActionRule::open("RESTS") },
        ActionRule { live: false, ..ActionRule::open("DRY*") },
        ActionRule::open("SOFT"),
        ActionRule::open("MOVE"),
    ];
    let sum = Some(SumLimit { field: "spend", most: number(10000, 2) });
    let limits = vec![
        Limit { actions: "SOFT", per: Per::Store, window: 24 * HOUR, count: None, sum },
        Limit { actions: "SOFT", per: Per::Entity, window: HOUR, count: Some(1), sum: None },
    ];
    let lifecycle = policy::with_moves(&[("", "testing"), ("testing", "winner")]).lifecycle;
    PolicyBody {
        separation: true,
        limits,
        lifecycle,
        drill_period: Some(30 * 24 * HOUR),
        ..policy::with_actions(rules)
    }
}

#[test]
fn each_reason_is_explained_with_what_to_do() {
    let shop = Shop::open();
    policy::set(&shop, strict());
    let (row, reasons) = decide(&shop, &[], &line("NEW", ""));
    assert_eq!(reasons, json!(["unknown-action"]));
    let people =
        shows(&shop, row, &["the policy of row 4 has no rule for NEW", "set a policy with a rule for it"]);
    assert!(people.contains("`counterfoil review approve 5`"), "{people}");
    let (row, _) = decide(&shop, &[], &line("DRY_1", ""));
    shows(
        &shop,
        row,
        &["lets no DRY_1 be live", "An approval does not help as long as this holds: live-not-allowed."],
    );

    let effect =
        r#""tier":"B","judge":{"by":"j","score":0.7},"planner":"j","effects":[{"adapter":"a","do":1}],"#;
    let (row, reasons) = decide(&shop, &[], &line("HARD", effect));
    assert_eq!(reasons, json!(["tier-too-low", "judge-below-floor", "judge-not-separate", "irreversible"]));
    shows(
        &shop,
        row,
        &[
            "its tier is B, and HARD needs A or better",
            "j gave it 0.70, and HARD needs at least 0.78",
            "j has planned and judged it",
            "its reversibility is none, and HARD needs declared or better",
            "holds: judge-not-separate.",
        ],
    );
    let (row, _) = decide(&shop, &[], &line("HARD", ""));
    shows(
        &shop,
        row,
        &["its tier is not stated", "needs a judge with a score of at least 0.78, and none is named"],
    );
    let (row, reasons) = decide(&shop, &[], &line("SIGNED", r#""judge":{"by":"j","score":1},"#));
    assert_eq!(reasons, json!(["attestation-missing"]));
    shows(&shop, row, &["SIGNED needs the judge's own signature, and j has not signed", "append --attest"]);

    let (row, reasons) = decide(&shop, &[], &line("SOFT", ""));
    assert_eq!(reasons, json!(["sum-limit"]));
    shows(&shop, row, &["or none is stated", "SOFT in all in 1 day: a sum of spend of at most 100.00"]);
    let spends = line("SOFT", "").replace(r#""value":1"#, r#""value":{"spend":60.00}"#);
    assert_eq!(decide(&shop, &[], &spends).1, json!([]));
    let (row, reasons) = decide(&shop, &[], &spends);
    assert_eq!(reasons, json!(["count-limit", "sum-limit"]));
    shows(&shop, row, &["SOFT per entity in 1 hour: at most 1 row", "when the window has moved on"]);

    let moves = r#"{"action":"MOVE","mode":"live","ops":[{"transition":{"entity":"e","to":"testing"}},{"transition":{"entity":"e","to":"gone"}}]}"#;
    let (row, _) = decide(&shop, &[], moves);
    shows(&shop, row, &["e was in testing, and no move leads from there to gone", "counterfoil lifecycle"]);
    let (row, _) = decide(&shop, &[], r#"{"action":"MOVE","mode":"live","ops":[{"delete":{"key":"none"}}]}"#);
    shows(&shop, row, &["it deletes a key that is not there", "counterfoil state --key KEY"]);
    let (row, _) =
        decide(&shop, &[], r#"{"action":"MOVE","mode":"live","ops":[{"add":{"key":"k","delta":1}}]}"#);
    shows(&shop, row, &["adds to a key that holds a value"]);
    assert_eq!(shop.run(&["verify"]).status, 0);
}

#[test]
fn readings_and_their_floors_are_explained() {
    let shop = Shop::open();
    policy::set(&shop, strict());
    let reading = |metric, value| Body::Evidence(Reading { metric, value, source: "the till" });
    policy::land(&shop, "executor-1", &[reading("margin", number(295, 1)), reading("roas", number(2, 0))]);
    let rests = "RESTS must rest on margin of at least 30, roas as calibrated";
    let (row, reasons) = decide(&shop, &[], &line("RESTS", r#""evidence":[5],"#));
    assert_eq!(reasons, json!(["metric-missing", "metric-uncalibrated", "metric-below-floor"]));
    shows(&shop, row, &[rests, "a reading is missing", "no calibration yet", "a reading is below its floor"]);
    shows(&shop, 5, &["margin is 29.5", "the till"]);

    let calibration = Calibration {
        metric: "roas",
        action: "",
        from: 0,
        upto: 7,
        quantile: 250_000,
        rows: vec![6],
        threshold: number(2, 0),
    };
    policy::land(&shop, "operator-1", &[Body::Calibration(calibration)]);
    let words = "readings of roas that landed from 1970-01-01T00:00:00.000000Z on, in rows below 7";
    shows(&shop, 8, &["roas is 2, the quantile 0.25 of 1 reading", words, "from rows    6"]);
    let body = shop.run(&["show", "8", "--json"]).json()["body"].clone();
    assert_eq!(
        (&body["rows"], &body["quantile_ppm"], &body["upto"]),
        (&json!([6]), &json!(250_000), &json!(7))
    );
    assert!(shop.run(&["log"]).out.contains("roas is 2, the quantile 0.25 of 1 reading"));
}

#[test]
fn a_policy_is_told_line_by_line() {
    let shop = Shop::open();
    policy::set(&shop, strict());
    shows(
        &shop,
        4,
        &[
            "a policy; live: HARD, MOVE, RESTS, SIGNED, SOFT; 2 stages; 2 limits",
            "DRY*: dry runs only; soft",
            "HARD: may be live; soft; tier A or better; a judge with a score of at least 0.78; reversibility declared or better",
            "RESTS: may be live; soft; margin at least 30; roas at least as calibrated",
            "SIGNED: may be live; soft; a judge, who signs",
            "stages       testing, winner",
            "no stage to testing; testing to winner",
            "SOFT per entity in 1 hour: at most 1 row",
            "who judges neither plans nor writes",
            "of the kill switch every 30 days",
        ],
    );
    policy::set(&shop, PolicyBody { actions: Vec::new(), ..PolicyBody::open(1 << 20) });
    shows(&shop, 5, &["a policy; live: none", "none: every decision goes to review"]);
}

#[test]
fn changes_of_keys_are_told_with_what_they_mean() {
    let shop = Shop::open();
    for args in [
        &["key", "grant", "pricing", "--role", "executor", "--prefix", "price/"][..],
        &["key", "rotate", "pricing"],
        &["key", "revoke", "pricing", "--yes", "--compromised-since", "2026-01-01", "--reason", "lost"],
    ] {
        assert_eq!(shop.run(args).status, 0, "{args:?}");
    }
    shows(
        &shop,
        4,
        &["grant pricing as executor; keys from price/", "scope        keys from price/", "public"],
    );
    shows(&shop, 5, &["a new key for pricing", "name, roles and scope stay those of pricing"]);
    shows(
        &shop,
        6,
        &["revoke pricing, suspect from 2026-01-01 00:00:00: lost", "`counterfoil verify` lists them"],
    );
    let body = shop.run(&["show", "4", "--json"]).json()["body"].clone();
    assert_eq!(body["scope"]["prefixes"], json!(["price/"]));
    let log = shop.run(&["log"]).out;
    assert!(log.contains("grant pricing as executor; keys from price/"), "{log}");
}

#[test]
fn drills_and_reviews_are_told() {
    let shop = Shop::open();
    let key = SecretKey::load(&shop.path().join("keys/operator-1.key")).unwrap();
    let holder = key.public().id();
    let switch = |act, engaged, drill| {
        Body::KillSwitch(KillSwitch { act, engaged, holder, reason: "the monthly one", drill })
    };
    policy::land(&shop, "operator-1", &[switch(SwitchAct::Drill, true, None)]);
    let (row, reasons) = decide(&shop, &[], &line("SET", ""));
    assert_eq!((row, &reasons), (5, &json!(["kill-switch"])));
    shows(&shop, 5, &["the kill switch was engaged, by row 4", "kill-switch status", "holds: kill-switch."]);
    assert_eq!(decide(&shop, &[], &line("SET", "")).0, 6);
    let drill = Some(Drill { began: 4, probe: 5 });
    policy::land(&shop, "operator-1", &[switch(SwitchAct::Drill, false, drill)]);
    shows(&shop, 4, &["drill: engaged, held by operator-1: the monthly one", "nothing live is applied"]);
    shows(&shop, 7, &["drill: released, held by operator-1; it stopped row 5", "begun by row 4"]);
    let body = shop.run(&["show", "7", "--json"]).json()["body"].clone();
    assert_eq!(body["drill"], json!({ "began": 4, "probe": 5 }));
    shows(&shop, 5, &["Settled by row 7"]);

    let row_hash = Log::open(&shop.path()).unwrap().row(6).unwrap().parse().unwrap().row_hash;
    let review = ReviewOf { row: 6, row_hash, verdict: ReviewVerdict::Reject, reason: "too late by now" };
    let rejection =
        Draft { action: "SET", ..Draft::with_body(IntentId([0; 16]), Body::Review(review), now()) };
    policy::land_drafts(&shop, "operator-1", vec![rejection]);
    shows(&shop, 8, &["rejects row 6: too late by now", &row_hash.to_string()]);
    let settled = shows(&shop, 6, &["Settled by row 8"]);
    assert!(!settled.contains("An approval does not help"), "{settled}");
    assert!(shop.run(&["log"]).out.contains("rejects row 6: too late by now"));
    assert_eq!(shop.run(&["verify"]).status, 0);
}
