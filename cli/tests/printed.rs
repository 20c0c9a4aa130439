//! What the program prints can be used: proofs, values, commands, and the ledger of the demo.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::json;
use shop::{Shop, finish, program};

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
        assert!(run.err.contains("Usage: "), "{}", run.err);
    }
}

#[test]
fn printed_commands_quote_what_a_shell_would_split() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("my shop's $HOME");
    let begun = finish(program().arg("init").arg(&at).args(["--origin", "example.com/shop"]), b"");
    let command = begun.out.lines().find(|line| line.contains("counterfoil verify")).unwrap();
    let script = command.replace("counterfoil", env!("CARGO_BIN_EXE_counterfoil"));
    let run = finish(std::process::Command::new("sh").args(["-c", &script]), b"");
    assert_eq!(run.status, 0, "{script}: {}", run.err);
}
