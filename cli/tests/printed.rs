//! What the program prints can be used: proofs, values, commands, and the ledger of the demo.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::{Value, json};
use shop::{Shop, finish, program};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn a_proof_is_printed_as_a_file_and_as_json() {
    let shop = Shop::open();
    for (args, name, number) in [(&["prove", "2"][..], "index", 2), (&["prove", "--from", "2"], "from", 2)] {
        let file = shop.run(args);
        assert_eq!(file.status, 0, "{}", file.err);
        let told = shop.run(&[args, &["--json"]].concat());
        assert_eq!(told.status, 0, "{}", told.err);
        let told = told.json();
        assert_eq!((&told[name], told["file"].as_str().unwrap()), (&json!(number), file.out.as_str()));
    }
    for args in [&["prove"][..], &["prove", "--json"], &["prove", "1", "--from", "2"]] {
        let run = shop.run(args);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{}", run.err);
        assert!(run.err.contains("SEQ") && run.err.contains("--from"), "{}", run.err);
    }
}

#[test]
fn a_value_that_looks_withheld_is_told_apart_and_can_be_sent_back() {
    let shop = Shop::open();
    let line = r#"{"action":"SET","mode":"live","ops":[{"put":{"key":"k","value":{"withheld":"00"}}}],"effects":[{"adapter":"a","do":{"$map":{"$bytes":"00"}},"undo":null}],"context":{"withheld":"01"}}"#;
    assert_eq!(shop.append(&[], line).status, 0);
    let escaped = json!({ "$map": { "withheld": "00" } });
    let row = shop.run(&["show", "4", "--json"]).json();
    assert_eq!(row["ops"][0]["put"]["value"], escaped);
    assert_eq!(row["effects"][0]["do"], json!({ "$map": { "$bytes": "00" } }));
    assert_eq!(row["context"], json!({ "$map": { "withheld": "01" } }));
    let state = shop.run(&["state", "--json"]).lines();
    assert_eq!(state[0]["value"], escaped);
    let again: Value = json!({ "action": "SET", "mode": "live", "ops": row["ops"], "effects": row["effects"],
                               "context": row["context"] });
    assert_eq!(shop.append(&[], &again.to_string()).status, 0);
    let second = shop.run(&["show", "5", "--json"]).json();
    for field in ["ops", "effects", "context"] {
        assert_eq!(second[field], row[field], "{field}");
    }
}

#[test]
fn printed_commands_quote_what_a_shell_would_split() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("my shop's $HOME");
    let begun = finish(
        program().arg("init").arg(&at).args(["--origin", "example.com/shop", "--policy", "open"]),
        b"",
    );
    // The command is the last thing printed, on lines that a backslash joins.
    let command = &begun.out[begun.out.find("counterfoil verify").unwrap()..];
    assert!(command.contains("--pin owner="), "{command}");
    let script = command.replace("counterfoil", env!("CARGO_BIN_EXE_counterfoil"));
    let run = finish(std::process::Command::new("sh").args(["-c", &script]), b"");
    assert_eq!(run.status, 0, "{script}: {}", run.err);
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn the_demo_writes_nothing_outside_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("my demo");
    let (checkpoint, tampered) = (dir.path().join("my demo.checkpoint"), dir.path().join("my demo.tampered"));
    fs::write(&checkpoint, "mine").unwrap();
    fs::create_dir(&tampered).unwrap();
    fs::write(tampered.join("file"), "mine").unwrap();
    let run = finish(program().args(["demo", "--rows", "40", "--dir"]).arg(&at), b"");
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    assert_eq!(names(dir.path()), [at.clone(), checkpoint.clone(), tampered.clone()]);
    assert_eq!(fs::read_to_string(&checkpoint).unwrap(), "mine");
    assert_eq!(fs::read_to_string(tampered.join("file")).unwrap(), "mine");
    let seal = at.join("demo/checkpoint");
    assert_eq!(names(&at.join("demo")), std::slice::from_ref(&seal));
    assert!(run.out.contains(seal.to_str().unwrap()), "{}", run.out);
    // The commands at its end are those of a shell.
    let commands: Vec<&str> = run.out.lines().skip_while(|line| !line.starts_with("  export")).collect();
    assert!(commands.len() > 4, "{}", run.out);
    let script =
        commands.join("\n").replace("  counterfoil", &format!("  {}", env!("CARGO_BIN_EXE_counterfoil")));
    let run = finish(std::process::Command::new("sh").args(["-e", "-c", &script]), b"");
    assert_eq!(run.status, 0, "{script}: {}", run.err);
}
