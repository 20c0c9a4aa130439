//! Policies, reviews and calibrations, as an operator works with them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::json;
use shop::{Shop, finish, program};

/// A shop under a policy of its own.
fn under(policy: &str) -> Shop {
    let shop = Shop::open();
    let file = shop.beside("policy.toml");
    std::fs::write(&file, policy).unwrap();
    let set = shop.run(&["policy", "set", file.to_str().unwrap(), "--yes"]);
    assert_eq!(set.status, 0, "{}", set.err);
    shop
}

const SOFT: &str = "[action.SET]\nclass = \"soft\"\nlive = true\njudge = 0.78\n";

fn decision(tier: &str, score: &str) -> String {
    format!(
        r#"{{"action":"SET","entity":"sku-1","tier":"{tier}","mode":"live","judge":{{"by":"j","score":{score}}},"ops":[{{"add":{{"key":"n","delta":1}}}}]}}"#
    ) + "\n"
}

#[test]
fn a_ledger_begins_under_the_policy_that_comes_with_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("s");
    let begun = finish(program().arg("init").arg(&at).args(["--origin", "x.org/s"]), b"");
    assert_eq!(begun.status, 0, "{}", begun.err);
    let run = |args: &[&str]| finish(program().arg("-l").arg(&at).args(args), b"");
    let shown = run(&["policy", "show", "--json"]).json();
    assert_eq!(
        (&shown["row"], &shown["policy"]["actions"]["REPLY"]["judge_floor_ppm"]),
        (&json!(0), &json!(780_000))
    );
    assert_eq!(shown["policy"]["drill_period_seconds"], 30 * 86_400);
    assert_eq!(shown["policy"]["lifecycle"]["stages"].as_array().unwrap().len(), 8);
    let unknown = br#"{"action":"INVENTED","tier":"A","mode":"live","ops":[{"add":{"key":"n","delta":1}}]}"#;
    let receipt = finish(program().arg("-l").arg(&at).arg("append"), unknown).json();
    assert_eq!((&receipt["outcome"], &receipt["reasons"]), (&json!("review"), &json!(["unknown-action"])));
    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, "unknown = 3\n").unwrap();
    let refused = finish(
        program().arg("init").arg(dir.path().join("t")).args(["--origin", "x.org/t", "--policy"]).arg(&bad),
        b"",
    );
    assert_eq!(refused.status, 1, "{}", refused.err);
    assert!(refused.err.contains("bad.toml:1:11"), "{}", refused.err);
    assert!(!dir.path().join("t").exists(), "nothing is left behind");
}

#[test]
fn a_policy_is_checked_compared_rehearsed_and_set() {
    let shop = Shop::open();
    shop.append(&[], &(decision("C", "0.9") + &decision("A", "0.7") + &decision("A", "0.9")));
    let file = shop.beside("policy.toml");
    let at = file.to_str().unwrap();
    std::fs::write(&file, "[action.SET]\nlive = yes\ntier = \"D\"\n").unwrap();
    let refused = shop.run(&["policy", "check", at]);
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains(":2:") || refused.err.contains(":3:"), "{}", refused.err);
    let as_json = shop.run(&["policy", "check", at, "--json"]);
    assert_eq!((as_json.status, &as_json.json()["errors"][0]["line"]), (1, &json!(2)));
    std::fs::write(&file, SOFT).unwrap();
    assert!(shop.run(&["policy", "check", at]).out.contains("can be set"));
    assert_eq!(shop.run(&["policy", "check", at, "--json"]).json()["ok"], true);
    assert!(shop.run(&["policy", "diff", at]).out.contains("SET"));
    let changes = shop.run(&["policy", "diff", at, "--json"]).json();
    assert_eq!(changes["changes"][0]["turn"], "stricter", "{changes}");
    let tried = shop.run(&["policy", "test", at, "--against-log", "--json"]).json();
    assert_eq!(tried["judged"], 3);
    let would: Vec<_> =
        tried["differences"].as_array().unwrap().iter().map(|it| &it["would_be"]["reasons"]).collect();
    assert_eq!(would, [&json!(["tier-too-low"]), &json!(["judge-below-floor"])]);
    let size = shop.size();
    shop.run(&["policy", "set", at]).fails(1, &["nothing was changed", "--yes"]);
    assert_eq!(shop.size(), size, "nobody said yes");
    assert_eq!(shop.run(&["policy", "set", at, "--yes"]).status, 0);
    shop.run(&["policy", "set", at, "--yes"]).fails(1, &["this is the policy in force"]);
    let printed = shop.run(&["policy", "show"]).out;
    std::fs::write(&file, printed).unwrap();
    assert!(
        shop.run(&["policy", "diff", at]).out.contains("changes nothing"),
        "what is printed is the policy"
    );
    let below = shop.append(&[], &decision("A", "0.7")).json();
    assert_eq!(below["reasons"], json!(["judge-below-floor"]));
}

#[test]
fn a_human_approves_or_rejects_once_and_under_the_gates_of_now() {
    let shop = under(SOFT);
    shop.append(&[], &(decision("A", "0.7") + &decision("C", "0.9") + &decision("C", "0.5")));
    let waiting = shop.run(&["review", "list", "--json"]).lines();
    assert_eq!(waiting.iter().map(|it| it["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!(waiting[2]["reasons"], json!(["tier-too-low", "judge-below-floor"]));
    shop.run(&["kill-switch", "engage"]);
    let again = shop.run(&["review", "approve", "5", "--json"]).json();
    assert_eq!((&again["outcome"], &again["reasons"]), (&json!("review"), &json!(["kill-switch"])));
    shop.run(&["kill-switch", "release"]);
    let approved = shop.run(&["review", "approve", "5", "7", "--reason", "fine", "--json"]).lines();
    assert!(approved.iter().all(|it| it["outcome"] == "applied"), "{approved:?}");
    assert_eq!(shop.run(&["state", "--json"]).json()["value"], 2);
    assert_eq!(shop.run(&["review", "reject", "6"]).status, 0);
    shop.run(&["review", "approve", "6"]).fails(1, &["settled already", "counterfoil show"]);
    shop.run(&["review", "approve", "0"]).fails(1, &["waits for nobody"]);
    shop.run(&["review", "approve", "99"]).fails(1, &["there is no row 99"]);
    assert!(shop.run(&["review", "list"]).out.contains("No decision waits"));
    // An approval is a landing, and is taken back like any.
    let row = approved[1]["seq"].to_string();
    assert_eq!(shop.run(&["rollback", &row, "--apply"]).status, 0);
    let report = shop.run(&["verify", "--json"]).json();
    assert_eq!(report["verdict"], "intact", "{}", report["findings"]);
}

#[test]
fn a_threshold_comes_from_the_stores_own_readings() {
    let shop = under("[action.SET]\nclass = \"soft\"\nlive = true\nmetrics = { roas = \"calibrated\" }\n");
    let lines: String = (1..=8)
        .map(|n| format!("{{\"metric\":\"roas\",\"value\":{n}.50,\"entity\":\"sku-{n}\"}}\n"))
        .collect();
    let read = finish(shop.command().args(["measure", "--lines", "-"]), lines.as_bytes());
    assert_eq!(read.lines().len(), 8, "{}", read.err);
    let from = |lines: &str| finish(shop.command().args(["measure", "--lines", "-"]), lines.as_bytes());
    from("\n{\"metric\":\"\",\"value\":1}").fails(1, &["line 2: a metric is empty; nothing landed"]);
    from("\n").fails(1, &["no readings; nothing landed"]);
    for nothing in ["", ".", "-", "e", "-.", "0x10", "NaN", "1e"] {
        let told = shop.run(&["measure", "roas", "--", nothing]);
        assert!(told.status == 2 && told.err.contains("is no number"), "{nothing}: {}", told.err);
    }
    shop.run(&["measure", "", "1"]).fails(1, &["a metric is empty; nothing landed"]);
    shop.run(&["measure", "roas", "-3", "--action", "OTHER"]);
    let none = shop.run(&["calibrate", "cost", "--quantile", "0.5", "--window", "1 day"]);
    none.fails(1, &["no reading of cost"]);
    let dry = shop
        .run(&["calibrate", "roas", "--quantile", "0.5", "--window", "1 day", "--dry-run", "--json"])
        .json();
    assert_eq!((&dry["threshold"], &dry["landed"]), (&json!(4.5), &json!(null)));
    let args =
        ["calibrate", "roas", "--quantile", "0.25", "--window", "24h", "--where", "action=OTHER", "--json"];
    assert_eq!(shop.run(&args).json()["threshold"], -3);
    let set = shop.run(&["calibrate", "roas", "--quantile", "0.5", "--window", "1 day", "--json"]).json();
    assert_eq!((&set["landed"]["outcome"], set["rows"].as_array().unwrap().len()), (&json!("applied"), 9));
    let resting = |entity: &str, row: u64| {
        let line = format!(
            r#"{{"action":"SET","entity":"{entity}","tier":"A","mode":"live","evidence":[{row}],"ops":[{{"add":{{"key":"n","delta":1}}}}]}}"#
        );
        shop.append(&[], &line).json()["reasons"].clone()
    };
    assert_eq!(resting("sku-8", 12), json!([]));
    assert_eq!(resting("sku-1", 5), json!(["metric-below-floor"]));
    assert_eq!(resting("sku-1", 12), json!(["metric-missing"]), "the reading is about another");
    assert_eq!(shop.run(&["verify"]).status, 0);
}
