//! The main job through the program: begin, append, and read back what was landed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::{Value, json};
use shop::{Shop, finish, program};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const PRICE: &str = r#"{"id":"order-1","action":"SET_PRICE","entity":"sku-1","tier":"A","mode":"live","planner":"planner-1","judge":{"by":"judge-1","score":0.87},"evidence":[1,{"uri":"https://example.com/r","blake3":"0101010101010101010101010101010101010101010101010101010101010101"}],"ops":[{"put":{"key":"price/sku-1","value":{"amount":19.90,"big":12345678901234567890,"raw":{"$bytes":"00ff"}}}},{"add":{"key":"stock","delta":-2}}],"effects":[{"adapter":"shop","do":{"price":19.90},"undo":{"price":21}}],"reason":"margin","context":{"campaign":7}}"#;

fn put(id: &str, value: u64) -> String {
    format!(r#"{{"id":"{id}","action":"SET","mode":"live","ops":[{{"put":{{"key":"k","value":{value}}}}}]}}"#)
}

#[test]
fn init_says_what_to_pin_and_keeps_keys_to_their_owner() {
    let shop = Shop::open();
    let keys = shop.path().join("keys");
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
    for name in ["owner", "ledger", "executor-1", "operator-1"] {
        let mode = fs::metadata(keys.join(format!("{name}.key"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let status = shop.run(&["status", "--json"]).json();
    assert_eq!(status["origin"], "example.com/shop");
    assert_eq!(status["size"], 4);
    assert_eq!(status["mode"], "live");
    let switch = &status["kill_switch"];
    assert_eq!((&switch["engaged"], &switch["holder"]), (&json!(false), &json!("operator-1")));
    assert_eq!(switch["drill"]["overdue"], false);
    let owner = fs::read_to_string(keys.join("owner.pub")).unwrap();
    assert_eq!(status["owner"], owner.trim());
    let pin = format!("ledger_id={}", status["ledger_id"].as_str().unwrap());
    let (owner, vkey) =
        (format!("owner={}", owner.trim()), format!("vkey={}", status["vkey"].as_str().unwrap()));
    let path = shop.path();
    let path = path.to_str().unwrap();
    let verified = shop.run(&["verify", path, "--pin", &pin, "--pin", &owner, "--pin", &vkey, "--json"]);
    assert_eq!(
        (verified.status, verified.json()["verdict"].as_str()),
        (0, Some("intact")),
        "{}",
        verified.out
    );
    let wrong = pin.replace('a', "b").replace('1', "2");
    assert_eq!(shop.run(&["verify", path, "--pin", &wrong]).status, 1);
}

#[test]
fn what_init_prints_is_the_same_in_json_and_for_people() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("new");
    let begun = finish(
        program().arg("init").arg(&at).args([
            "--origin",
            "x.org/s",
            "--policy",
            "open",
            "--operator",
            "alice",
            "--json",
        ]),
        b"",
    );
    let told = begun.json();
    let status = finish(program().arg("-l").arg(&at).args(["status", "--json"]), b"").json();
    for field in ["origin", "ledger_id", "owner", "vkey"] {
        assert_eq!(told[field], status[field], "{field}");
    }
    assert_eq!(status["kill_switch"]["holder"], "alice");
    let names: Vec<_> = fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.contains(&".being-made".into()), "{names:?}");
}

#[test]
fn keys_may_lie_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (at, keys) = (dir.path().join("new"), dir.path().join("safe"));
    let with_keys = |args: &[&str], input: &str| {
        finish(program().arg("-l").arg(&at).args(args).env("COUNTERFOIL_KEY_DIR", &keys), input.as_bytes())
    };
    assert_eq!(with_keys(&["init", "--origin", "x.org/s", "--policy", "open"], "").status, 0);
    assert!(keys.join("owner.key").exists() && !at.join("keys").exists());
    assert_eq!(with_keys(&["append"], &put("a", 1)).status, 0);
    finish(program().arg("-l").arg(&at).arg("append"), put("b", 1).as_bytes())
        .fails(2, &["there is no key ledger", "looked for", "COUNTERFOIL_KEY_DIR"]);
    let again = dir.path().join("again");
    let taken = finish(
        program().arg("init").arg(&again).args(["--origin", "y"]).env("COUNTERFOIL_KEY_DIR", &keys),
        b"",
    );
    taken.fails(1, &["exists", "never written over"]);
    assert!(!again.exists(), "nothing is half done");
}

#[test]
fn a_decision_comes_back_as_it_was_sent() {
    let shop = Shop::open();
    let landed = shop.append(&[], PRICE);
    let receipt = landed.json();
    assert_eq!(
        (&receipt["seq"], &receipt["outcome"], &receipt["reasons"]),
        (&json!(4), &json!("applied"), &json!([]))
    );
    assert!(landed.out.starts_with(r#"{"seq":4,"row_hash":""#), "{}", landed.out);

    let shown = shop.run(&["show", "4", "--json"]);
    let log = shop.run(&["log", "--json", "--from", "4"]);
    assert_eq!(shown.out, log.out);
    let row = shown.json();
    let sent: Value = serde_json::from_str(PRICE).unwrap();
    for field in ["action", "entity", "tier", "mode", "evidence", "ops", "effects", "reason", "context"] {
        assert_eq!(row[field], sent[field], "{field}");
    }
    assert!(shown.out.contains("19.90") && shown.out.contains("12345678901234567890"));
    let judge = json!({ "by": "judge-1", "score": sent["judge"]["score"], "signed_by": null });
    let actors =
        json!({ "planner": "planner-1", "judge": judge, "executor": "executor-1", "operator": "operator-1" });
    assert_eq!(row["actors"], actors);
    assert_eq!(
        (&row["author"], &row["kind"], &row["row_hash"]),
        (&json!("executor-1"), &json!("decision"), &receipt["row_hash"])
    );
    let rollback = row["rollback"].as_array().unwrap();
    assert_eq!(rollback[0], json!({ "add": { "key": "stock", "delta": 2 } }));
    assert_eq!(rollback[1]["delete"]["key"], "price/sku-1");

    let people = shop.run(&["show", "4"]).out;
    for words in [
        "SET_PRICE",
        "judge-1, score 0.87, not signed",
        "held by operator-1",
        "stock += 2",
        "counterfoil rollback 4",
    ] {
        assert!(people.contains(words), "{words}: {people}");
    }
}

#[test]
fn a_dry_run_is_the_default_and_changes_nothing() {
    let shop = Shop::open();
    let receipt = shop.append(&[], r#"{"action":"SET","ops":[{"put":{"key":"k","value":1}}]}"#).json();
    assert_eq!(receipt["outcome"], "dry-run");
    shop.run(&["history", "k"]).fails(1, &["no applied row"]);
    let review = shop.append(&[], r#"{"action":"DROP","mode":"live","ops":[{"delete":{"key":"k"}}]}"#).json();
    assert_eq!((&review["outcome"], &review["reasons"]), (&json!("review"), &json!(["key-absent"])));
    assert_eq!(shop.run(&["show", "5", "--json"]).json()["rollback"], Value::Null);
}

#[test]
fn a_malformed_line_is_named_and_nothing_of_its_submission_lands() {
    let shop = Shop::open();
    let lines = format!("{}\n{}\n\n{}\nnot json\n{}\n", put("a", 1), put("b", 2), put("c", 3), put("d", 4));
    let run = shop.append(&["--batch", "2"], &lines);
    run.fails(1, &["line 5"]);
    let receipts = run.lines();
    assert_eq!(
        receipts.iter().map(|receipt| receipt["seq"].as_u64()).collect::<Vec<_>>(),
        [Some(4), Some(5)]
    );
    assert_eq!(shop.size(), 6);
    // The same file, mended: what landed is not landed again.
    let mended = shop.append(&["--batch", "2"], &lines.replace("not json\n", ""));
    assert_eq!(mended.status, 0, "{}", mended.err);
    let again = mended.lines();
    assert_eq!(again.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert_eq!(
        again.iter().map(|line| line["duplicate"] == true).collect::<Vec<_>>(),
        [true, true, false, false]
    );
    assert_eq!(again[0]["row_hash"], receipts[0]["row_hash"]);
    assert_eq!(shop.size(), 8);
}

#[test]
fn an_id_stands_for_one_content() {
    let shop = Shop::open();
    assert_eq!(shop.append(&[], PRICE).status, 0);
    for (from, to, what) in [
        ("SET_PRICE", "CUT_PRICE", "action"),
        ("\"A\"", "\"B\"", "tier"),
        ("\"live\"", "\"dry-run\"", "mode"),
        ("sku-1\",\"tier", "sku-2\",\"tier", "subject"),
        ("0.87", "0.88", "actors"),
        ("[1,", "[2,", "evidence"),
        ("-2", "-3", "ops"),
        ("00ff", "00fe", "ops"),
        ("21}", "22}", "effects"),
        ("margin", "margins", "context"),
    ] {
        let other = PRICE.replacen(from, to, 1);
        assert_ne!(other, PRICE, "{from}");
        shop.append(&[], &other).fails(1, &["line 1", "row 4", "other content", what]);
    }
    let same = shop.append(&["--batch", "3"], &format!("{PRICE}\n{PRICE}\n"));
    assert_eq!(same.lines().iter().map(|line| line["duplicate"].clone()).collect::<Vec<_>>(), [true, true]);
    assert_eq!(shop.size(), 5);
    // Twice in one submission.
    let twice = shop.append(&["--batch", "2"], &format!("{0}\n{0}\n", put("new", 1)));
    assert_eq!(twice.lines()[0]["seq"], twice.lines()[1]["seq"]);
    assert_eq!(twice.lines()[1]["duplicate"], true);
    shop.append(&["--batch", "2"], &format!("{}\n{}\n", put("n", 1), put("n", 2)))
        .fails(1, &["line 2", "other content"]);
    assert_eq!(shop.size(), 6);
}

#[test]
fn receipts_come_while_the_input_is_still_open() {
    let shop = Shop::open();
    let mut child =
        shop.command().arg("append").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut receipts = BufReader::new(child.stdout.take().unwrap()).lines();
    for value in 0..3 {
        writeln!(stdin, "{}", put(&value.to_string(), value)).unwrap();
        let receipt: Value = serde_json::from_str(&receipts.next().unwrap().unwrap()).unwrap();
        assert_eq!(receipt["seq"], 4 + value);
        // Others read while it writes.
        assert_eq!(shop.size(), 5 + value);
        assert_eq!(shop.run(&["show", &(4 + value).to_string()]).status, 0);
    }
    shop.append(&[], &put("x", 1)).fails(2, &["another process", "open for writing"]);
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn history_tells_each_value_and_each_deletion() {
    let shop = Shop::open();
    let lines = [
        put("a", 1),
        r#"{"action":"ADD","mode":"live","ops":[{"add":{"key":"n","delta":5}}]}"#.into(),
        r#"{"action":"DROP","mode":"live","ops":[{"delete":{"key":"k"}}]}"#.into(),
        r#"{"action":"ADD","mode":"live","ops":[{"add":{"key":"n","delta":-2}},{"put":{"key":"k","value":2.50}}]}"#.into(),
        r#"{"action":"ADD","mode":"dry-run","ops":[{"add":{"key":"n","delta":9}}]}"#.into(),
    ];
    assert_eq!(shop.append(&[], &lines.join("\n")).status, 0);
    let values = |key: &str| {
        let run = shop.run(&["history", key, "--json"]);
        run.lines()
            .iter()
            .map(|line| format!("{} {} {}", line["seq"], line["value"], line["deleted"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(values("k"), ["4 1 false", "6 null true", "7 2.50 false"]);
    assert_eq!(values("n"), ["5 5 false", "7 3 false"]);
    assert!(shop.run(&["history", "k"]).out.contains("(absent)"));
}

#[test]
fn log_lists_the_newest_or_what_was_asked_for() {
    let shop = Shop::open();
    let lines: Vec<_> = (0..30).map(|value| put(&value.to_string(), value)).collect();
    assert_eq!(shop.append(&["--batch", "7"], &lines.join("\n")).lines().len(), 30);
    let seqs = |args: &[&str]| {
        let args = [&["log", "--json"], args].concat();
        shop.run(&args).lines().iter().map(|row| row["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(seqs(&[]), (0..34).collect::<Vec<_>>());
    assert_eq!(seqs(&["--all"]), (0..34).collect::<Vec<_>>());
    assert_eq!(seqs(&["--from", "30"]), [30, 31, 32, 33]);
    assert_eq!(seqs(&["--from", "3", "--to", "5"]), [3, 4, 5]);
    assert_eq!(seqs(&["--limit", "2"]), [32, 33]);
    assert_eq!(seqs(&["--from", "7", "--limit", "2"]), [7, 8]);
    assert_eq!(seqs(&["--to", "2", "--limit", "2"]), [1, 2]);
    assert_eq!(seqs(&["--from", "99"]), [0; 0]);
    let people = shop.run(&["log"]).out;
    assert_eq!(people.lines().filter(|line| line.contains("SET")).count(), 20);
    assert!(people.contains("20 of 34 rows"), "{people}");
    // A reader that goes away is no error.
    let mut child = shop.command().args(["log", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn every_command_explains_itself_and_shells_and_man_know_them() {
    let shop = Shop::open();
    let help = shop.run(&["--help"]).out;
    let listed: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(listed.len() >= 10, "{listed:?}");
    for name in &listed {
        let one = if *name == "import" { vec!["import", "git", "--help"] } else { vec![*name, "--help"] };
        assert!(shop.run(&one).out.contains("Examples:"), "{name} has no examples");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(shop.run(&["completions", shell]).out.contains("history"), "{shell}");
    }
    let pages = shop.beside("man");
    assert_eq!(shop.run(&["man", pages.to_str().unwrap()]).status, 0);
    for name in listed {
        assert!(pages.join(format!("counterfoil-{name}.1")).exists(), "{name} has no page");
    }
}

#[test]
fn transitions_and_every_way_to_undo_come_back_as_they_were_sent() {
    let shop = Shop::open();
    let line = r#"{"id":"m","action":"MOVE","mode":"live","entity":"sku-1","ops":[{"transition":{"entity":"sku-1","from":"","to":"testing"}},{"transition":{"entity":"sku-2","to":"testing"}}],"effects":[{"adapter":"ads","do":1,"undo":2,"undo_until":"2999-12-01T00:00:00.000000Z"},{"adapter":"mail","do":1,"compensate":"sorry"},{"adapter":"post","do":1,"undo":null}]}"#;
    let landed = shop.append(&[], line);
    assert_eq!(landed.json()["outcome"], "applied", "{}", landed.err);
    let sent: Value = serde_json::from_str(line).unwrap();
    let row = shop.run(&["show", "4", "--json"]).json();
    for field in ["entity", "ops", "effects"] {
        assert_eq!(row[field], sent[field], "{field}");
    }
    assert_eq!(row["lifecycle"], json!({ "from": "", "to": "testing" }));
    assert_eq!(row["reversibility"], "none");
    let people = shop.run(&["show", "4"]).out;
    for words in
        ["in no stage, to go to testing", "sku-2 moves to testing", "undo until 2999-12-01", "made up for by"]
    {
        assert!(people.contains(words), "{words}: {people}");
    }
    // What a row prints is a line again.
    let again = json!({ "action": "MOVE", "mode": "live", "entity": row["entity"], "ops": row["ops"],
                        "effects": row["effects"] });
    assert_eq!(shop.append(&[], &again.to_string()).status, 0);
    assert_eq!(shop.run(&["show", "5", "--json"]).json()["ops"], row["ops"]);

    assert_eq!(shop.append(&[], line).json()["duplicate"], true);
    for (from, to, what) in [
        (r#""from":"","#, r#""from":"a","#, "subject"),
        (r#""sku-2","to":"testing""#, r#""sku-2","to":"winner""#, "ops"),
        ("2999", "2998", "effects"),
        (r#""compensate":"sorry""#, r#""undo":"sorry""#, "effects"),
    ] {
        let other = line.replacen(from, to, 1);
        assert_ne!(other, line, "{from}");
        shop.append(&[], &other).fails(1, &["row 4", "other content", what]);
    }

    let leave = r#"{"action":"MOVE","mode":"live","ops":[{"transition":{"entity":"sku-1","to":null}}]}"#;
    assert_eq!(shop.append(&[], leave).json()["outcome"], "applied");
    let values: Vec<_> = shop.run(&["history", "lifecycle/sku-1", "--json"]).lines();
    let values: Vec<_> = values.iter().map(|line| line["value"].clone()).collect();
    assert_eq!(values, [json!("testing"), json!("testing"), Value::Null]);
    let stage = "s".repeat(129);
    shop.append(&[], &leave.replace("null", &format!("\"{stage}\""))).fails(1, &["line 1", "a stage"]);
    shop.append(&[], &leave.replace("null", "7"))
        .fails(1, &["line 1", "a stage, which is a text, or null for none"]);
    shop.append(&[], r#"{"action":"A","effects":[{"adapter":"a","do":1,"undo_until":"2027-01-01"}]}"#)
        .fails(1, &["line 1", "undo_until and no undo"]);
    assert_eq!(shop.size(), 7);
    assert_eq!(shop.run(&["verify"]).status, 0);
}
