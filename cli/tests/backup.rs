//! `backup` through the program: what it prints, what it refuses, and that a copy can be copied back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::json;
use shop::{Run, Shop, finish, program};
use std::fs;
use std::path::{Path, PathBuf};

fn put(id: &str) -> String {
    format!(r#"{{"id":"{id}","action":"SET","mode":"live","ops":[{{"put":{{"key":"k","value":1}}}}]}}"#)
}

fn backup(shop: &Shop, dest: &Path, more: &[&str]) -> Run {
    finish(shop.command().arg("backup").arg(dest).args(more), b"")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A ledger among the vectors.
fn vector(name: &str, to: &Path) -> PathBuf {
    let at = to.join("vector");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(name), &at);
    at
}

#[test]
fn it_says_what_was_copied_and_what_was_not() {
    let shop = Shop::open();
    let dest = shop.beside("copy");
    let first = backup(&shop, &dest, &["--json"]);
    assert_eq!(first.status, 0, "{}", first.err);
    let status = shop.run(&["status", "--json"]).json();
    let told = first.json();
    for field in ["origin", "ledger_id", "root"] {
        assert_eq!(told[field], status[field], "{field}");
    }
    assert_eq!(told["dest"], json!(dest));
    assert_eq!((&told["rows"], &told["rows_before"]), (&json!(4), &json!(0)));
    assert_eq!(told["segments"], json!({ "kept": 0, "linked": 0, "copied": 1, "shared": 0 }));
    assert_eq!((&told["verdict"], &told["findings"]), (&json!("intact"), &json!(0)));
    assert_eq!(told["keys_copied"], json!(false));
    assert_eq!(told["checkpoint"], fs::read_to_string(dest.join("checkpoint")).unwrap());
    assert!(!dest.join("keys").exists() && !dest.join("index").exists());

    assert_eq!(shop.append(&[], &put("a")).status, 0);
    let people = backup(&shop, &dest, &[]);
    assert_eq!(people.status, 0, "{}", people.err);
    let keys = shop.path().join("keys");
    let keys = format!("Secret keys are not in the copy; keep {} safe elsewhere.", keys.display());
    for words in ["5, 1 of them new", "0 were there, 0 linked, 1 copied anew", "verified  intact", &keys] {
        assert!(people.out.contains(words), "{words}: {}", people.out);
    }
    assert!(!people.out.contains("are links"), "nothing was");
    let none = backup(&shop, &dest, &["--json"]).json();
    assert_eq!((&none["segments"]["kept"], &none["bytes_copied"]), (&json!(1), &json!(0)));
}

#[test]
fn closed_segments_are_linked_unless_copies_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let at = vector("accept/two-segments", dir.path());
    let run = |dest: &str, more: &[&str]| {
        finish(program().arg("-l").arg(&at).arg("backup").arg(dir.path().join(dest)).args(more), b"")
    };
    let linked = run("linked", &[]);
    assert_eq!(linked.status, 0, "{}", linked.err);
    assert!(linked.out.contains("1 linked, 1 copied") && linked.out.contains("--copy"), "{}", linked.out);
    let again = run("linked", &[]);
    let words = ["2 were there, 0 linked, 0 copied", "1 of the segments are links", "--copy"];
    assert!(words.iter().all(|words| again.out.contains(words)), "links stay links: {}", again.out);
    let copied = run("copied", &["--copy", "--json"]).json();
    assert_eq!(copied["segments"], json!({ "kept": 0, "linked": 0, "copied": 2, "shared": 0 }));
}

#[test]
fn a_copy_that_is_not_intact_is_no_success() {
    let dir = tempfile::tempdir().unwrap();
    let at = vector("reject/v15-other-value", dir.path());
    let dest = dir.path().join("copy");
    let run = |more: &[&str]| finish(program().arg("-l").arg(&at).arg("backup").arg(&dest).args(more), b"");
    for more in [&[][..], &["--json"]] {
        let run = run(more);
        run.fails(1, &["the copy in", "is not intact (findings)", "counterfoil verify"]);
        assert!(run.out.contains("findings") && !run.out.contains("intact"), "{}", run.out);
    }
    assert!(run(&[]).out.contains("V15"), "the first findings are shown");
}

#[test]
fn what_is_refused_has_its_reason_and_its_status() {
    let shop = Shop::open();
    let (dest, fork, old) = (shop.beside("copy"), shop.beside("fork"), shop.beside("old"));
    assert_eq!(backup(&shop, &old, &[]).status, 0);
    copy(&shop.path(), &fork);
    let fork_append = finish(program().arg("-l").arg(&fork).arg("append"), put("there").as_bytes());
    assert_eq!(fork_append.status, 0, "{}", fork_append.err);
    assert_eq!(shop.append(&[], &put("here")).status, 0);
    assert_eq!(backup(&shop, &dest, &[]).status, 0);

    backup(&shop, &fork, &[]).fails(1, &["another history", "row 4 is", "Nothing was changed"]);
    let ahead = finish(program().arg("-l").arg(&old).arg("backup").arg(&dest), b"");
    ahead.fails(1, &["holds 5 rows, and the ledger 4"]);
    let other = Shop::open();
    let ids = [&shop, &other].map(|shop| shop.run(&["status", "--json"]).json()["ledger_id"].clone());
    backup(&shop, &other.path(), &[])
        .fails(1, &["another ledger", ids[0].as_str().unwrap(), ids[1].as_str().unwrap()]);
    backup(&shop, &shop.path().join("inside"), &[]).fails(1, &["lies in the directory of the ledger"]);
    let full = shop.beside("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("thesis.txt"), "years of work").unwrap();
    backup(&shop, &full, &[]).fails(1, &["no ledger and not empty"]);
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    finish(program().arg("backup").arg(&dest), b"").fails(2, &["no ledger was named"]);
    finish(program().arg("-l").arg(&full).arg("backup").arg(shop.beside("x")), b"")
        .fails(2, &["not a ledger"]);
    assert!(!shop.beside("x").exists());
    assert_eq!(backup(&shop, Path::new(""), &[]).status, 2);
}

#[test]
fn a_copy_is_restored_by_copying_it_back_with_the_keys() {
    let shop = Shop::open();
    let dest = shop.beside("copy");
    assert_eq!(shop.append(&[], &put("a")).status, 0);
    assert_eq!(backup(&shop, &dest, &[]).status, 0);
    let safe = shop.beside("safe");
    fs::rename(shop.path().join("keys"), &safe).unwrap();
    fs::remove_dir_all(shop.path()).unwrap();

    copy(&dest, &shop.path());
    let state = shop.run(&["state", "--json"]);
    assert!(state.out.contains("\"k\""), "it can be read without keys: {}{}", state.out, state.err);
    shop.append(&[], &put("b")).fails(2, &["there is no key ledger"]);
    copy(&safe, &shop.path().join("keys"));
    let landed = shop.append(&[], &put("b"));
    assert_eq!(landed.json()["seq"], 5, "{}", landed.err);
    assert_eq!(shop.append(&[], &put("a")).json()["duplicate"], true, "what landed before is known");
    assert_eq!(shop.run(&["verify", shop.path().to_str().unwrap(), "--quiet"]).status, 0);
}
