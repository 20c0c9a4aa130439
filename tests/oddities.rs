//! What stands in the place of a small file and is none: a sparse giant, a pipe, a directory. Nobody waits for it, no memory
//! is asked for it, and what can do without the file does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use counterfoil_ledger::Log;
use counterfoil_tests::shop::{FOUNDING, Shop};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const ROWS: u64 = 200;

fn closed(dir: &Path) -> PathBuf {
    let path = dir.join("shop");
    let shop = Shop::begin(&path, 16 << 10);
    for first in (0..ROWS).step_by(10) {
        shop.ledger.submit(shop.decisions(first, 10)).unwrap();
    }
    shop.ledger.close().unwrap();
    path
}

/// Puts something else in the place of a file.
fn replace(file: &Path, with: &str) {
    let _ = fs::remove_file(file);
    match with {
        "a giant" => File::create(file).unwrap().set_len(1 << 40).unwrap(),
        "a pipe" => assert!(Command::new("mkfifo").arg(file).status().unwrap().success()),
        _ => fs::create_dir(file).unwrap(),
    }
}

#[test]
fn what_can_be_done_without_is() {
    for name in ["checkpoint", "durable", "log/00000000000000000000.idx"] {
        for with in ["a giant", "a pipe", "a directory"] {
            let dir = tempfile::tempdir().unwrap();
            let path = closed(dir.path());
            replace(&path.join(name), with);
            let what = format!("{with} in the place of {name}");
            assert_eq!(Log::open(&path).unwrap().row(0).unwrap().parse().unwrap().landing.seq, 0, "{what}");
            let shop = Shop::open(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(shop.ledger.log().head().size, FOUNDING + ROWS, "{what}");
            shop.ledger.submit(shop.decisions(ROWS, 1)).unwrap();
            let lags = shop.ledger.notices().iter().any(|notice| notice.contains("lags behind"));
            assert_eq!(
                lags,
                name == "checkpoint" && with == "a directory",
                "{what}: said when it cannot be replaced"
            );
            drop(shop);
            assert_eq!(Shop::open(&path).unwrap().ledger.log().head().size, FOUNDING + ROWS + 1, "{what}");
        }
    }
}

#[test]
fn what_cannot_be_done_without_is_named() {
    for name in ["LOCK", "log/00000000000000000000.seg"] {
        for with in ["a pipe", "a directory"] {
            let dir = tempfile::tempdir().unwrap();
            let path = closed(dir.path());
            replace(&path.join(name), with);
            let said = Shop::open(&path).map(drop).unwrap_err().to_string();
            assert!(said.contains(name), "{with} in the place of {name}: {said}");
        }
    }
}
