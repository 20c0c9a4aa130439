//! Judges who sign what they say of a decision.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod policy;
mod shop;

use counterfoil_format::policy::ActionRule;
use serde_json::{Value, json};
use shop::Shop;

fn line(id: &str, judge: &str) -> String {
    let judge =
        if judge.is_empty() { String::new() } else { format!(r#""judge":{{"by":"{judge}","score":0.87}},"#) };
    format!(
        r#"{{"id":"{id}","action":"SET","mode":"live","entity":"e",{judge}"ops":[{{"put":{{"key":"k","value":1}}}}]}}"#
    )
}

fn shop_with_judges() -> Shop {
    let shop = Shop::open();
    for name in ["judge-1", "judge-2"] {
        assert_eq!(shop.run(&["key", "grant", name, "--role", "judge"]).status, 0);
    }
    shop
}

#[test]
fn a_verdict_is_signed_by_the_judge_whom_the_line_names() {
    let shop = shop_with_judges();
    let lines = [line("a", "judge-1"), line("b", ""), line("c", "judge-2")].join("\n");
    let run = shop.append(&["--attest", "judge-1", "--attest", "judge-2", "--batch", "3"], &lines);
    assert_eq!(run.status, 0, "{}", run.err);
    let ids: Vec<Value> = shop.run(&["key", "list", "--json"]).lines();
    let id = |name: &str| ids.iter().find(|key| key["name"] == name).unwrap()["key_id"].clone();
    let judge = |row: u64| shop.run(&["show", &row.to_string(), "--json"]).json()["actors"]["judge"].clone();
    let signed_by = json!({ "key_id": id("judge-1"), "name": "judge-1" });
    assert_eq!(judge(6), json!({ "by": "judge-1", "score": 0.87, "signed_by": signed_by }));
    assert_eq!(judge(7), Value::Null);
    assert_eq!(judge(8)["signed_by"]["name"], "judge-2");
    let people = shop.run(&["show", "6"]).out;
    let words = format!("judge-1, score 0.87, signed by judge-1 (key {})", id("judge-1").as_str().unwrap());
    assert!(people.contains(&words), "{people}");
    assert_eq!(shop.append(&[], &line("d", "judge-1")).status, 0);
    assert_eq!(judge(9)["signed_by"], Value::Null);
    assert!(shop.run(&["show", "9"]).out.contains("judge-1, score 0.87, not signed"));
    assert_eq!(shop.run(&["verify"]).status, 0);
}

#[test]
fn a_policy_can_ask_for_the_signature() {
    let shop = shop_with_judges();
    let rule = ActionRule { attested: true, judge_floor: Some(800_000), ..ActionRule::open("SET") };
    policy::set(&shop, policy::with_actions(vec![rule]));
    let outcome = |args: &[&str], line: &str| {
        let receipt = shop.append(args, line).json();
        (receipt["outcome"].as_str().unwrap().to_owned(), receipt["reasons"].clone())
    };
    assert_eq!(outcome(&[], &line("a", "judge-1")), ("review".into(), json!(["attestation-missing"])));
    assert_eq!(outcome(&["--attest", "judge-1"], &line("b", "judge-1")), ("applied".into(), json!([])));
    assert_eq!(
        outcome(&["--attest", "judge-1"], &line("c", "")),
        ("review".into(), json!(["judge-missing"]))
    );
    assert_eq!(shop.run(&["verify"]).status, 0);
}

#[test]
fn what_is_sent_again_lands_once_signed_or_not() {
    let shop = shop_with_judges();
    let signed = ["--attest", "judge-1"];
    let landed = shop.append(&signed, &line("a", "judge-1"));
    assert_eq!(landed.json()["seq"], 6, "{}", landed.err);
    for args in [&signed[..], &[]] {
        let again = shop.append(args, &line("a", "judge-1")).json();
        assert_eq!((&again["seq"], &again["duplicate"]), (&json!(6), &json!(true)));
    }
    let other = line("a", "judge-1").replace("0.87", "0.88");
    shop.append(&signed, &other).fails(1, &["row 6", "other content", "actors"]);
    assert_eq!(shop.append(&[], &line("b", "judge-1")).status, 0);
    shop.append(&signed, &line("b", "judge-1"))
        .fails(1, &["row 7", "other content", "the judge's signature"]);
    assert_eq!(shop.size(), 8);
}

#[test]
fn a_key_that_cannot_sign_for_the_judge_is_refused_before_anything_lands() {
    let shop = shop_with_judges();
    let attest = |key: &str, lines: &str| shop.append(&["--attest", key], lines);
    let good = line("a", "judge-1");
    attest("executor-1", &good)
        .fails(1, &["--attest executor-1", "has not the role judge", "Nothing landed"]);
    attest("nobody", &good).fails(2, &["there is no key nobody"]);
    assert_eq!(shop.run(&["key", "new", "stray"]).status, 0);
    attest("stray", &good).fails(1, &["--attest stray", "is not enrolled", "Nothing landed"]);
    let lines = [line("a", "judge-1"), line("b", "judge-2")].join("\n");
    shop.append(&["--attest", "judge-1", "--batch", "2"], &lines).fails(
        1,
        &[
            "line 2",
            "names the judge \"judge-2\"",
            "--attest signs for judge-1",
            "enrolled",
            "Nothing landed",
        ],
    );
    assert_eq!(shop.run(&["key", "revoke", "judge-2", "--yes"]).status, 0);
    attest("judge-2", &line("b", "judge-2")).fails(1, &["--attest judge-2", "was ended by row 6"]);
    assert_eq!(shop.size(), 7);
    // The file may be called otherwise; what counts is the name in the ledger.
    for end in ["key", "pub"] {
        let file = |name: &str| shop.path().join(format!("keys/{name}.{end}"));
        std::fs::rename(file("judge-1"), file("mine")).unwrap();
    }
    attest("mine", &line("c", "mine")).fails(1, &["line 1", "names the judge \"mine\"", "signs for judge-1"]);
    assert_eq!(attest("mine", &line("c", "judge-1")).json()["outcome"], "applied");
}
