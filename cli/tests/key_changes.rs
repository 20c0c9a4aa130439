//! Keys that are granted, rotated, revoked and listed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::{Value, json};
use shop::{Run, Shop, finish};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

const DECISION: &str = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"k","value":1}}]}"#;

#[track_caller]
fn succeeds(shop: &Shop, args: &[&str]) -> Run {
    let run = shop.run(args);
    assert_eq!(run.status, 0, "{args:?}: {}{}", run.out, run.err);
    run
}

#[track_caller]
fn is_intact(shop: &Shop) -> Value {
    let report = succeeds(shop, &["verify", "--json"]).json();
    assert_eq!(report["verdict"], "intact");
    report
}

fn key_file(shop: &Shop, name: &str) -> PathBuf {
    shop.path().join("keys").join(name)
}

fn read(shop: &Shop, name: &str) -> String {
    fs::read_to_string(key_file(shop, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What `key list` says of a key, by name; the newest one of that name.
fn listed(shop: &Shop, name: &str) -> Value {
    let all = succeeds(shop, &["key", "list", "--json"]).lines();
    all.into_iter().rev().find(|key| key["name"] == name).unwrap_or_else(|| panic!("{name} is not listed"))
}

#[test]
fn a_key_is_granted_with_a_pair_of_its_own() {
    let shop = Shop::open();
    let people = succeeds(&shop, &["key", "grant", "judge-1", "--role", "judge"]).out;
    let public = read(&shop, "judge-1.pub");
    for words in ["judge-1 has a key from row 4 on.", public.trim(), "may be  judge", "judge-1.key, plain"] {
        assert!(people.contains(words), "{words}: {people}");
    }
    let mode = fs::metadata(key_file(&shop, "judge-1.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let told = listed(&shop, "judge-1");
    assert_eq!(
        (&told["roles"], &told["since"], &told["until"]),
        (&json!(["judge"]), &json!(4), &Value::Null)
    );
    assert_eq!((&told["key"], &told["secret"]["kept"]), (&json!(public.trim()), &json!("plain")));
    shop.run(&["key", "grant", "judge-1", "--role", "judge"])
        .fails(1, &["judge-1 has a key already", "since row 4", "key rotate judge-1", "key revoke judge-1"]);

    // One that was made before; nothing is made anew.
    succeeds(&shop, &["key", "new", "auditor-1"]);
    let before = read(&shop, "auditor-1.key");
    let told = succeeds(&shop, &["key", "grant", "auditor-1", "--role", "auditor,planner", "--json"]).json();
    assert_eq!(read(&shop, "auditor-1.key"), before);
    assert_eq!(told["key"], read(&shop, "auditor-1.pub").trim());
    assert_eq!(
        (&told["change"], &told["seq"], &told["encrypted"]),
        (&json!("grant"), &json!(5), &json!(false))
    );
    assert_eq!(told["roles"], json!(["planner", "auditor"]));

    // One whose holder keeps it elsewhere.
    let elsewhere = Shop::open();
    let file = key_file(&elsewhere, "operator-1.pub");
    let grant = ["key", "grant", "alice", "--role", "operator", "--public", file.to_str().unwrap(), "--json"];
    let told = succeeds(&shop, &grant).json();
    assert_eq!(
        (&told["key"], &told["file"]),
        (&json!(read(&elsewhere, "operator-1.pub").trim()), &Value::Null)
    );
    assert!(!key_file(&shop, "alice.pub").exists());
    assert_eq!(listed(&shop, "alice")["secret"], Value::Null);
    let hex = read(&elsewhere, "owner.pub");
    succeeds(&shop, &["key", "grant", "bob", "--role", "owner", "--public", hex.trim()]);
    let table = succeeds(&shop, &["key", "list"]).out;
    assert_eq!(table.lines().count(), 9, "{table}");
    is_intact(&shop);
}

#[test]
fn a_scope_holds_what_a_key_does() {
    let shop = Shop::open();
    let grant =
        ["key", "grant", "pricing", "--role", "executor", "--action", "PRICE_*", "A", "--prefix", "price/"];
    let told = succeeds(&shop, &[&grant[..], &["--until", "2027-01-01", "--json"]].concat()).json();
    let scope = json!({ "actions": ["A", "PRICE_*"], "prefixes": ["price/"], "from": null,
                        "until": "2027-01-01T00:00:00.000000Z" });
    assert_eq!((&told["scope"], &listed(&shop, "pricing")["scope"]), (&scope, &scope));
    let table = succeeds(&shop, &["key", "list"]).out;
    let words = "actions A PRICE_*; keys from price/; until 2027-01-01 00:00:00";
    assert!(table.contains(words), "{table}");
    let append = |action: &str, key: &str| {
        let ops = format!(r#"[{{"put":{{"key":"{key}","value":1}}}}]"#);
        shop.append(
            &["--author", "pricing"],
            &format!(r#"{{"action":"{action}","mode":"live","ops":{ops}}}"#),
        )
    };
    assert_eq!(append("PRICE_CUT", "price/1").status, 0);
    append("SCALE", "price/1").fails(1, &["not granted for the action SCALE"]);
    append("PRICE_CUT", "stock/1").fails(1, &["not granted for the key stock/1"]);
    is_intact(&shop);
}

#[test]
fn what_cannot_be_granted_leaves_no_files() {
    let shop = Shop::open();
    let grant = |args: &[&str]| shop.run(&[&["key", "grant", "new"], args].concat());
    grant(&["--role", "owner", "--action", "X"]).fails(1, &["role owner has no scope", "--action"]);
    grant(&["--role", "judge", "--from", "2027-01-02", "--until", "2027-01-01"])
        .fails(1, &["--until is not after"]);
    grant(&["--role", "executor", "--action", "a*b"]).fails(1, &["pattern"]);
    grant(&["--role", "judge", "--public", "12ab"]).fails(2, &["--public", "12ab", "64 hexadecimal digits"]);
    grant(&["--role", "judge", "--public", &"0".repeat(64)]).fails(1, &["--public"]);
    let owner = read(&shop, "owner.pub");
    grant(&["--role", "judge", "--public", owner.trim()]).fails(1, &["is enrolled already"]);
    let own = key_file(&shop, "owner.key");
    grant(&["--role", "judge", "--public", own.to_str().unwrap()])
        .fails(2, &["owner.key", "not the file of a public"]);
    grant(&["--role", "ledger", "--public", read(&Shop::open(), "owner.pub").trim()])
        .fails(2, &["the key that would seal", "there is no key new"]);
    for args in [&["--role", "king"][..], &[], &["--role", "judge", "--until", "soon"]] {
        let run = grant(args);
        assert_eq!(run.status, 2, "{args:?} {}", run.err);
    }
    assert_eq!(shop.run(&["key", "grant", "../up", "--role", "judge"]).status, 2);
    assert!(!key_file(&shop, "new.key").exists() && !key_file(&shop, "new.pub").exists());

    succeeds(&shop, &["key", "new", "made"]);
    shop.run(&["key", "grant", "made", "--role", "judge", "--encrypt"])
        .fails(1, &["key files already", "key protect made"]);
    fs::write(key_file(&shop, "made.pub"), read(&shop, "owner.pub")).unwrap();
    shop.run(&["key", "grant", "made", "--role", "judge"])
        .fails(1, &["made.pub: another key than", "made.key"]);
    fs::rename(key_file(&shop, "owner.key"), shop.beside("owner.key")).unwrap();
    grant(&["--role", "judge"]).fails(2, &["no secret key", "role owner", "owner.key"]);
    assert_eq!(shop.size(), 4);
}

#[test]
fn a_rotated_key_signs_and_the_old_one_is_kept_aside() {
    let shop = Shop::open();
    let old = [read(&shop, "executor-1.key"), read(&shop, "executor-1.pub")];
    assert_eq!(shop.append(&[], DECISION).status, 0);
    let told = succeeds(&shop, &["key", "rotate", "executor-1", "--json"]).json();
    assert_eq!(
        (&told["seq"], &told["name"], &told["finished"]),
        (&json!(5), &json!("executor-1"), &json!(false))
    );
    assert_eq!([read(&shop, "executor-1.key.ended-5"), read(&shop, "executor-1.pub.ended-5")], old);
    assert_eq!(told["key"], read(&shop, "executor-1.pub").trim());
    assert_eq!(told["aside"].as_array().unwrap().len(), 2);
    let landed = shop.append(&[], DECISION);
    assert_eq!(landed.json()["outcome"], "applied", "{}", landed.err);
    let all = succeeds(&shop, &["key", "list", "--json"]).lines();
    let mine: Vec<_> = all.iter().filter(|key| key["name"] == "executor-1").collect();
    assert_eq!((&mine[0]["until"], &mine[1]["since"]), (&json!(5), &json!(5)));
    let aside = mine[0]["secret"]["file"].as_str().unwrap();
    assert!(aside.ends_with("executor-1.key.ended-5"), "{aside}");
    assert!(!succeeds(&shop, &["key", "list", "--living"]).out.contains("rows "));
    let left: Vec<_> =
        fs::read_dir(shop.path().join("keys")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 10, "{left:?}");

    // By id, and by a public key whose secret one is elsewhere.
    let id = told["key_id"].as_str().unwrap();
    let public = read(&Shop::open(), "executor-1.pub");
    let told = succeeds(&shop, &["key", "rotate", id, "--public", public.trim(), "--json"]).json();
    assert_eq!((&told["seq"], &told["file"]), (&json!(7), &Value::Null));
    assert!(
        !key_file(&shop, "executor-1.key").exists() && key_file(&shop, "executor-1.key.ended-7").exists()
    );
    shop.append(&[], DECISION).fails(2, &["executor-1.key"]);
    shop.run(&["key", "rotate", "nobody"]).fails(1, &["no key is called nobody", "key list"]);
    shop.run(&["key", "rotate", id]).fails(1, &["ended by row 7"]);
    is_intact(&shop);
}

#[test]
fn the_ledgers_key_and_the_owners_are_rotated() {
    let shop = Shop::open();
    let old = read(&shop, "ledger.pub");
    shop.run(&["key", "rotate", "ledger", "--public", old.trim()]).fails(1, &["seals", "without --public"]);
    succeeds(&shop, &["key", "rotate", "ledger"]);
    succeeds(&shop, &["key", "rotate", "owner"]);
    assert_eq!(shop.append(&[], DECISION).json()["seq"], 6);
    succeeds(&shop, &["key", "rotate", "ledger"]);
    succeeds(&shop, &["key", "grant", "judge-1", "--role", "judge"]);
    assert_eq!(listed(&shop, "ledger")["seals"], true);
    is_intact(&shop);
    let status = succeeds(&shop, &["status", "--json"]).json();
    let pin = format!("vkey={}", status["vkey"].as_str().unwrap());
    assert_eq!(succeeds(&shop, &["verify", "--json", "--pin", &pin]).json()["verdict"], "intact");

    // Another key that seals, under a name of its own, and back again.
    succeeds(&shop, &["key", "grant", "seal-2", "--role", "ledger"]);
    assert_eq!(listed(&shop, "seal-2")["seals"], true);
    assert_eq!(shop.append(&[], DECISION).json()["seq"], 10);
    succeeds(&shop, &["key", "revoke", "seal-2", "--yes"]);
    assert_eq!(listed(&shop, "ledger")["seals"], true);
    assert_eq!(shop.append(&[], DECISION).json()["seq"], 12);
    is_intact(&shop);
    fs::remove_file(key_file(&shop, "ledger.key")).unwrap();
    shop.append(&[], DECISION).fails(2, &["of ledger seals this ledger", "there is no key ledger"]);
    fs::copy(key_file(&shop, "owner.key"), key_file(&shop, "ledger.key")).unwrap();
    shop.append(&[], DECISION).fails(2, &["of ledger seals this ledger", "not in"]);
}

/// Puts the files of a rotated key back to how a run that was broken off has left them.
fn break_off(shop: &Shop, name: &str, row: u64, ends: &[&str]) {
    for end in ends {
        let file = key_file(shop, &format!("{name}.{end}"));
        fs::rename(&file, key_file(shop, &format!("{name}.{end}.next"))).unwrap();
        fs::rename(key_file(shop, &format!("{name}.{end}.ended-{row}")), file).unwrap();
    }
}

#[test]
fn a_rotation_that_was_broken_off_goes_on() {
    let shop = Shop::open();
    // Before the row: the same pair is used.
    let secret = read(&Shop::open(), "owner.key");
    fs::write(key_file(&shop, "executor-1.key.next"), &secret).unwrap();
    fs::set_permissions(key_file(&shop, "executor-1.key.next"), fs::Permissions::from_mode(0o600)).unwrap();
    let other = read(&shop, "owner.pub");
    shop.run(&["key", "rotate", "executor-1", "--public", other.trim()])
        .fails(1, &["executor-1.key.next", "an earlier run", "without --public"]);
    succeeds(&shop, &["key", "rotate", "executor-1"]);
    assert_eq!(read(&shop, "executor-1.key"), secret);
    assert!(!key_file(&shop, "executor-1.key.next").exists());

    // Behind the row, with no file moved, and with one.
    for (row, ends) in [(5, &["key", "pub"][..]), (6, &["pub"])] {
        succeeds(&shop, &["key", "rotate", "operator-1"]);
        let after = ["key", "pub"].map(|end| read(&shop, &format!("operator-1.{end}")));
        break_off(&shop, "operator-1", row, ends);
        let told = succeeds(&shop, &["key", "rotate", "operator-1", "--json"]).json();
        assert_eq!((&told["finished"], &told["seq"]), (&json!(true), &json!(row)));
        assert_eq!(["key", "pub"].map(|end| read(&shop, &format!("operator-1.{end}"))), after);
        assert_eq!(shop.size(), row + 1, "nothing lands twice");
    }
    break_off(&shop, "operator-1", 6, &["key", "pub"]);
    let undone = shop.append(&[], DECISION);
    assert_eq!(undone.status, 0, "{}", undone.err);
    // What is enrolled is used meanwhile: nothing is held up by files that are not in their places.
    let back = succeeds(&shop, &["rollback", "7", "--apply"]);
    assert!(
        back.err.contains("operator-1.key.next") && back.err.contains("key rotate operator-1"),
        "{}",
        back.err
    );
    succeeds(&shop, &["kill-switch", "engage", "--as", "operator-1"]);
    succeeds(&shop, &["kill-switch", "release"]);
    let people = succeeds(&shop, &["key", "rotate", "operator-1"]).out;
    assert!(people.contains("An earlier run has landed row 6"), "{people}");
    // The owner's too, which signs every other change of the keys.
    for ends in [&["key", "pub"][..], &["pub"]] {
        let row = shop.size();
        succeeds(&shop, &["key", "rotate", "owner"]);
        break_off(&shop, "owner", row, ends);
        let told = succeeds(&shop, &["key", "rotate", "owner", "--json"]).json();
        assert_eq!((&told["finished"], shop.size()), (&json!(true), row + 1));
    }
    is_intact(&shop);
}

#[test]
fn a_ledger_opens_while_its_rotation_is_broken_off() {
    let shop = Shop::open();
    succeeds(&shop, &["key", "rotate", "ledger"]);
    break_off(&shop, "ledger", 4, &["key", "pub"]);
    let landed = shop.append(&[], DECISION);
    assert_eq!(landed.json()["seq"], 5);
    assert!(
        landed.err.contains("ledger.key.next") && landed.err.contains("key rotate ledger"),
        "{}",
        landed.err
    );
    let told = succeeds(&shop, &["key", "rotate", "ledger", "--json"]).json();
    assert_eq!((&told["finished"], &told["seq"]), (&json!(true), &json!(4)));
    let landed = shop.append(&[], DECISION);
    assert_eq!((landed.status, landed.err.as_str()), (0, ""));
    is_intact(&shop);
}

#[test]
fn a_revocation_says_what_it_means_and_which_rows_to_doubt() {
    let shop = Shop::open();
    let early = shop.append(&["--batch", "2"], &format!("{DECISION}\n{DECISION}\n"));
    assert_eq!(early.status, 0);
    let since = succeeds(&shop, &["show", "5", "--json"]).json()["landed_at"].as_str().unwrap().to_owned();
    assert_eq!(shop.append(&[], DECISION).status, 0);
    let asked = shop.run(&["key", "revoke", "executor-1", "--compromised-since", &since]);
    asked.fails(1, &["nothing was changed", "Revoke executor-1", "--yes"]);
    for words in
        ["It has signed 3 rows, which stay valid", "3 rows are suspect", "No other key has the role executor"]
    {
        assert!(asked.out.contains(words), "{words}: {}", asked.out);
    }
    assert_eq!(shop.size(), 7);
    let revoke = ["key", "revoke", "executor-1", "--yes", "--reason", "found on a pastebin"];
    let done = succeeds(&shop, &[&revoke[..], &["--compromised-since", &since]].concat()).out;
    assert!(
        done.contains("Landed as row 7") && done.contains("3 rows are suspect; `counterfoil verify`"),
        "{done}"
    );
    let suspects = is_intact(&shop)["suspects"].clone();
    assert_eq!((&suspects[0]["name"], &suspects[0]["count"]), (&json!("executor-1"), &json!(3)));
    assert_eq!(listed(&shop, "executor-1")["compromised_since"], since);
    shop.append(&[], DECISION).fails(2, &["no key in force has the role executor"]);
    shop.run(&revoke).fails(1, &["executor-1 was ended by row 7"]);
    // Its files are still there, and the key never lives again.
    shop.run(&["key", "grant", "executor-1", "--role", "executor"])
        .fails(1, &["executor-1.pub", "ended by row 7", "aside"]);
}

#[test]
fn what_cannot_be_revoked() {
    let shop = Shop::open();
    for name in ["owner", "ledger"] {
        shop.run(&["key", "revoke", name, "--yes"])
            .fails(1, &["last one of the owner or of the ledger", "rotate it"]);
    }
    shop.run(&["key", "revoke", "nobody", "--yes"]).fails(1, &["no key is called nobody"]);
    shop.run(&["key", "revoke", "executor-1", "--yes", "--compromised-since", "2999-01-01"])
        .fails(1, &["--compromised-since", "future"]);
    assert_eq!(shop.run(&["key", "revoke", "executor-1", "--compromised-since", "then"]).status, 2);
    assert_eq!(shop.size(), 4);
    let told = succeeds(&shop, &["key", "revoke", "operator-1", "--yes", "--json"]).json();
    assert_eq!(
        (&told["change"], &told["signed_rows"], &told["suspect_rows"]),
        (&json!("revoke"), &json!(0), &Value::Null)
    );
}

#[test]
fn an_encrypted_key_has_an_encrypted_successor() {
    let shop = Shop::open();
    let words = shop.beside("words");
    fs::write(&words, "correct horse\n").unwrap();
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600)).unwrap();
    let knowing = |args: &[&str]| {
        let run = finish(shop.command().args(args).env("COUNTERFOIL_PASSPHRASE_FILE", &words), b"");
        assert_eq!(run.status, 0, "{args:?}: {}", run.err);
        run
    };
    knowing(&["key", "protect", "executor-1"]);
    knowing(&["key", "rotate", "executor-1"]);
    assert_eq!(listed(&shop, "executor-1")["secret"]["kept"], "encrypted");
    let told = knowing(&["key", "grant", "judge-1", "--role", "judge", "--encrypt", "--json"]).json();
    assert_eq!(told["encrypted"], true);
    assert!(read(&shop, "judge-1.key").starts_with("-----BEGIN AGE"));
}

#[test]
fn keys_change_while_another_process_writes() {
    let shop = Shop::open();
    let mut child =
        shop.command().arg("append").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut receipts = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(stdin, "{DECISION}").unwrap();
    assert!(receipts.next().unwrap().unwrap().contains("applied"));
    shop.run(&["key", "rotate", "ledger"])
        .fails(2, &["the key that seals changes", "another process has this ledger open"]);
    succeeds(&shop, &["key", "grant", "judge-1", "--role", "judge"]);
    succeeds(&shop, &["key", "rotate", "judge-1"]);
    let told = succeeds(
        &shop,
        &["key", "revoke", "executor-1", "--yes", "--compromised-since", "2026-01-01", "--json"],
    )
    .json();
    assert_eq!((&told["seq"], &told["suspect_rows"]), (&json!(7), &json!(1)));
    writeln!(stdin, "{DECISION}").unwrap();
    drop(stdin);
    let refused = child.wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    // What was made for the ledger's key is used when it can be.
    let left = key_file(&shop, "ledger.key.next");
    let next = fs::read_to_string(&left).unwrap();
    succeeds(&shop, &["key", "rotate", "ledger"]);
    assert_eq!(read(&shop, "ledger.key"), next);
    is_intact(&shop);
}
