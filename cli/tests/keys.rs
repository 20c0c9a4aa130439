//! Secret keys that are encrypted: made, changed in place, and used by those who know the passphrase.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::json;
use shop::{Run, Shop, finish, program};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "COUNTERFOIL_PASSPHRASE_FILE";
const DECISION: &str = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"k","value":1}}]}"#;
const ARMOUR: &str = "-----BEGIN AGE ENCRYPTED FILE-----\n";

/// A file that only its owner can read.
fn secret(path: &Path, content: &str) -> PathBuf {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}

/// A program without a terminal, wherever the tests are run.
fn detached(command: &Command) -> Command {
    let mut detached = Command::new("setsid");
    detached.arg("--wait").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => detached.env(name, value),
            None => detached.env_remove(name),
        };
    }
    detached
}

/// Runs the program on a ledger, with the passphrase in a file.
fn knowing(shop: &Shop, passphrase: &Path, args: &[&str], input: &str) -> Run {
    finish(detached(shop.command().args(args)).env(VARIABLE, passphrase), input.as_bytes())
}

fn key_file(shop: &Shop, name: &str) -> String {
    fs::read_to_string(shop.path().join(format!("keys/{name}.key"))).unwrap()
}

#[test]
fn a_key_is_made_and_never_written_over() {
    let shop = Shop::open();
    let words = secret(&shop.beside("words"), "correct horse\n");
    let plain = knowing(&shop, &words, &["key", "new", "plain", "--json"], "");
    let sealed = knowing(&shop, &words, &["key", "new", "sealed", "--encrypt", "--json"], "");
    for (run, name, encrypted) in [(&plain, "plain", false), (&sealed, "sealed", true)] {
        assert_eq!(run.status, 0, "{}", run.err);
        let told = run.json();
        assert_eq!((&told["name"], &told["encrypted"]), (&json!(name), &json!(encrypted)));
        let public = fs::read_to_string(shop.path().join(format!("keys/{name}.pub"))).unwrap();
        assert_eq!(told["public"], public.trim_end());
        assert_eq!(told["key_id"].as_str().unwrap().len(), 16);
        assert_eq!(
            told["file"].as_str().unwrap(),
            shop.path().join(format!("keys/{name}.key")).to_str().unwrap()
        );
        assert_eq!(key_file(&shop, name).starts_with(ARMOUR), encrypted);
        let before = key_file(&shop, name);
        shop.run(&["key", "new", name]).fails(1, &["exists", "never written over"]);
        assert_eq!(key_file(&shop, name), before);
    }
    fs::write(shop.path().join("keys/left.pub"), "").unwrap();
    shop.run(&["key", "new", "left"]).fails(1, &["left.pub", "exists"]);
    assert!(!shop.path().join("keys/left.key").exists());
    assert_eq!(shop.run(&["key", "new", "../up"]).status, 2);
    assert_eq!(shop.size(), 4, "nothing is enrolled");
}

#[test]
fn keys_need_no_ledger_where_the_environment_says_where_they_lie() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    let run = finish(program().args(["key", "new", "a"]).env("COUNTERFOIL_KEY_DIR", &keys), b"");
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.out.contains("plain") && keys.join("a.key").exists(), "{}", run.out);
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o722)).unwrap();
    let open = finish(program().args(["key", "new", "b"]).env("COUNTERFOIL_KEY_DIR", &keys), b"");
    open.fails(2, &["0722", "chmod go-w"]);

    finish(program().args(["key", "new", "a"]), b"")
        .fails(2, &["COUNTERFOIL_KEY_DIR", "no ledger was named"]);
    let missing = dir.path().join("typo");
    finish(program().arg("-l").arg(&missing).args(["key", "new", "a"]), b"").fails(2, &["not a ledger"]);
    assert!(!missing.exists());
}

#[test]
fn encrypted_keys_sign_for_those_who_know_the_passphrase() {
    let shop = Shop::open();
    let words = secret(&shop.beside("words"), "correct horse\r\n");
    let plain = key_file(&shop, "executor-1");
    for name in ["executor-1", "operator-1"] {
        let run = knowing(&shop, &words, &["key", "protect", name], "");
        assert_eq!(run.status, 0, "{}", run.err);
        assert!(run.out.contains("encrypted with a passphrase"), "{}", run.out);
        assert!(key_file(&shop, name).starts_with(ARMOUR));
    }
    knowing(&shop, &words, &["key", "protect", "operator-1"], "").fails(1, &["encrypted already"]);

    let landed = knowing(&shop, &words, &["append"], DECISION);
    assert_eq!(landed.status, 0, "{}", landed.err);
    let back = knowing(&shop, &words, &["rollback", "4", "--apply", "--json"], "");
    assert_eq!(back.status, 0, "{}", back.err);
    assert_eq!(back.json()["receipts"][0]["outcome"], "applied");
    let wrong = secret(&shop.beside("wrong"), "correct house\n");
    knowing(&shop, &wrong, &["append"], DECISION).fails(2, &["executor-1.key", "not the passphrase"]);
    assert_eq!(shop.size(), 6);

    let before = key_file(&shop, "executor-1");
    knowing(&shop, &wrong, &["key", "unprotect", "executor-1"], "").fails(2, &["not the passphrase"]);
    assert_eq!(key_file(&shop, "executor-1"), before);
    let run = knowing(&shop, &words, &["key", "unprotect", "executor-1", "--json"], "");
    assert_eq!((run.status, &run.json()["encrypted"]), (0, &json!(false)), "{}", run.err);
    assert_eq!(key_file(&shop, "executor-1"), plain);
    shop.run(&["key", "unprotect", "executor-1"]).fails(1, &["not encrypted"]);
    shop.run(&["key", "protect", "nobody"]).fails(2, &["there is no key nobody", "looked for"]);
}

#[test]
fn nobody_is_asked_about_plain_keys_and_without_a_terminal_nobody_can_be() {
    let shop = Shop::open();
    // Were it looked for, its absence would be an error.
    let nowhere = shop.beside("nowhere");
    assert_eq!(knowing(&shop, &nowhere, &["append"], DECISION).status, 0);
    let without = |args: &[&str]| finish(&mut detached(shop.command().args(args)), DECISION.as_bytes());
    assert_eq!(without(&["append"]).status, 0);
    without(&["key", "protect", "executor-1"]).fails(2, &["no terminal", VARIABLE]);
    without(&["key", "new", "a", "--encrypt"]).fails(2, &["no terminal", VARIABLE]);
    assert!(!shop.path().join("keys/a.key").exists());

    let words = secret(&shop.beside("words"), "correct horse");
    assert_eq!(knowing(&shop, &words, &["key", "protect", "executor-1"], "").status, 0);
    without(&["append"]).fails(2, &["executor-1.key", "encrypted", "no terminal", VARIABLE]);
    knowing(&shop, &nowhere, &["append"], DECISION).fails(2, &[VARIABLE, "nowhere", "No such file"]);
    secret(&words, "\n");
    knowing(&shop, &words, &["append"], DECISION).fails(2, &[VARIABLE, "words", "empty"]);
    fs::set_permissions(&words, fs::Permissions::from_mode(0o644)).unwrap();
    knowing(&shop, &words, &["append"], DECISION).fails(2, &[VARIABLE, "0644", "chmod"]);
    assert_eq!(shop.size(), 6);
}

/// What comes from a pipe can be read once, so a run that has two encrypted keys must not look twice; and what stands
/// behind the first line is left to others.
#[test]
fn a_passphrase_is_read_once_and_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        set -e
        COUNTERFOIL_PASSPHRASE_FILE=<(echo words) "$0" init "$1" --origin x.org/s --policy open --encrypt-ledger --json
        (echo words; echo "$2") | COUNTERFOIL_PASSPHRASE_FILE=/dev/stdin "$0" -l "$1" append
    "#;
    let mut bash = Command::new("bash");
    bash.args(["-c", script, env!("CARGO_BIN_EXE_counterfoil")]).arg(dir.path().join("s")).arg(DECISION);
    let run = finish(bash.env_remove("COUNTERFOIL_KEY_DIR"), b"");
    assert_eq!(run.status, 0, "{}", run.err);
    let told = run.lines();
    assert_eq!(told[0]["encrypted"], json!(["owner", "ledger", "executor-1", "operator-1"]));
    assert_eq!(told[1]["outcome"], "applied");
}

#[test]
fn a_ledger_begins_with_encrypted_keys_and_seals_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let words = secret(&dir.path().join("words"), "correct horse");
    let (at, unmade) = (dir.path().join("s"), dir.path().join("unmade"));
    let init = |at: &Path| {
        let mut command = program();
        command.arg("init").arg(at).args(["--origin", "x.org/s", "--policy", "open", "--encrypt"]);
        detached(&command)
    };
    finish(&mut init(&unmade), b"").fails(2, &["no terminal", VARIABLE]);
    assert!(!unmade.exists(), "nothing is half done");
    let begun = finish(init(&at).env(VARIABLE, &words), b"");
    assert_eq!(begun.status, 0, "{}", begun.err);
    assert!(begun.out.contains("encrypted  owner, executor-1, operator-1\n"), "{}", begun.out);
    for (name, encrypted) in [("owner", true), ("ledger", false), ("executor-1", true), ("operator-1", true)]
    {
        let file = fs::read_to_string(at.join(format!("keys/{name}.key"))).unwrap();
        assert_eq!(file.starts_with(ARMOUR), encrypted, "{name}");
    }
}

#[test]
fn a_hostile_or_damaged_key_file_is_refused_at_once() {
    let shop = Shop::open();
    let words = secret(&shop.beside("words"), "correct horse");
    let path = shop.path().join("keys/executor-1.key");
    // 2^40 blocks of scrypt would take a pebibyte, and weeks.
    let salt = "rF0/NwblUHHTpgQgRpe5CQ";
    let body = "qW9eVsT0NVb/Vswtw8kPIxUnaYmm9Px1dYmq2+4+qZA";
    let mac = "38TpQMxQRRNMfmYYpBX6DDrPx4/QY5UmJnhPyVoX/cw";
    let hostile = format!("age-encryption.org/v1\n-> scrypt {salt} 40\n{body}\n--- {mac}\n0123456789abcdef");
    secret(&path, &hostile);
    knowing(&shop, &words, &["append"], DECISION).fails(2, &["executor-1.key", "2^40", "2^20"]);
    secret(&path, ARMOUR);
    knowing(&shop, &words, &["append"], DECISION).fails(2, &["executor-1.key", "damaged"]);
    secret(&path, &(ARMOUR.to_owned() + &"A\n".repeat(10_000)));
    knowing(&shop, &words, &["append"], DECISION).fails(2, &["not a secret key file"]);
    secret(&path, &hostile);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    knowing(&shop, &words, &["append"], DECISION).fails(2, &["0640", "chmod 600"]);
    assert_eq!(shop.size(), 4);
}
