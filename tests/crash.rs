//! Process crashes: `kill -9` in the middle of appending, and a disk that takes no more.
//!
//! These show that nothing acknowledged is lost when the process dies; they say nothing about power cuts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_format::Hash;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{FOUNDING, Shop};
use counterfoil_verifier::{Options, Verdict, verify};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Rows that a process said were acknowledged, in order.
type Acknowledged = Vec<(u64, Hash)>;

fn read_ack(line: &str) -> Option<(u64, Hash)> {
    let (seq, hash) = line.split_once(' ')?;
    Some((seq.parse().ok()?, Hash::from_hex(hash)?))
}

/// Every acknowledged row is there, the rows are whole submissions, and the verifier finds nothing.
fn check(dir: &Path, acknowledged: &Acknowledged, per_submission: u64) -> u64 {
    let shop = Shop::open(dir).unwrap_or_else(|error| panic!("it must open: {error}"));
    let size = shop.ledger.log().head().size;
    for (seq, hash) in acknowledged {
        let stored = shop.ledger.log().row(*seq).unwrap();
        assert_eq!(stored.parse().unwrap().row_hash, *hash, "row {seq} was acknowledged");
    }
    assert_eq!((size - FOUNDING) % per_submission, 0, "a submission landed in part");
    drop(shop);
    let report = verify(dir, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    assert_eq!(report.rows, size);
    size
}

#[test]
fn what_was_acknowledged_outlives_a_hundred_kills() {
    let rounds: u64 = std::env::var("COUNTERFOIL_KILLS").map_or(100, |kills| kills.parse().unwrap());
    let mut rng = Rng::of_this_run();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    // Small segments, so that kills also hit the change from one to the next.
    drop(Shop::begin(&path, 64 << 10));
    let mut acknowledged = Acknowledged::new();
    let mut torn = 0;
    for round in 0..rounds {
        let per_submission = 7;
        let size = check(&path, &acknowledged, per_submission);
        let mut child = Command::new(env!("CARGO_BIN_EXE_appender"))
            .args([path.to_str().unwrap(), &(size - FOUNDING).to_string(), &per_submission.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The kill comes after some acknowledgements, at whatever the process is doing then.
        let enough = rng.below(120);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.by_ref().take(usize::try_from(enough).unwrap()) {
            acknowledged.push(read_ack(&line.unwrap()).unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| read_ack(&line)));
        if round % 10 == 9 {
            torn = std::fs::read_dir(path.join("quarantine")).map_or(0, Iterator::count);
        }
    }
    let size = check(&path, &acknowledged, 7);
    println!("{size} rows, {} acknowledged, {torn} torn tails kept", acknowledged.len());
    assert!(acknowledged.len() as u64 >= rounds, "the processes hardly got to append");
}

#[test]
fn a_full_disk_stops_the_ledger_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    drop(Shop::begin(&path, 64 << 20));
    // A limit on the size of files stands in for the full disk: the write that crosses it fails half way.
    let script = format!(
        "trap '' XFSZ; ulimit -f 600; exec {} {} 0 100",
        env!("CARGO_BIN_EXE_appender"),
        path.display()
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let acknowledged: Acknowledged = text.lines().filter_map(read_ack).collect();
    let failure = text.lines().find(|line| line.starts_with("failed: ")).unwrap();
    assert!(failure.contains("File too large") && failure.contains("open the ledger again"), "{failure}");
    assert!(acknowledged.len() >= 100);
    let size = check(&path, &acknowledged, 100);
    assert_eq!(size - FOUNDING, acknowledged.len() as u64, "what failed did not land");

    // And it goes on where there is room.
    let shop = Shop::open(&path).unwrap();
    shop.ledger.submit(shop.decisions(size - FOUNDING, 100)).unwrap();
    drop(shop);
    check(&path, &acknowledged, 100);
}
