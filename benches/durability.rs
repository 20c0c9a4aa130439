//! Opening ledgers, what they take on disk, and callers that share a sync.
//!
//! `cargo bench -p counterfoil-benches --bench durability [-- ROWS [ROUNDS]]`, 1,000,000 rows and 5 rounds when not said.
//! Everything is durable: each caller waits for an fdatasync.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that fails may panic")]

use counterfoil_benches::{machine, median, seconds};
use counterfoil_ledger::Log;
use counterfoil_tests::shop::{FOUNDING, Shop};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

const PER_SUBMISSION: u64 = 1000;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let rows = numbers.first().copied().unwrap_or(1_000_000);
    let rounds = numbers.get(1).copied().unwrap_or(5);
    println!("machine: {}", machine());
    for rows in [rows / 100, rows / 10, rows] {
        open(rows.next_multiple_of(PER_SUBMISSION), rounds);
    }
    share(rounds);
}

/// Opens a closed ledger, and one whose writer died.
fn open(rows: u64, rounds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let shop = Shop::begin(&path, 64 << 20);
    for first in (0..rows).step_by(usize::try_from(PER_SUBMISSION).unwrap()) {
        shop.ledger.submit(shop.decisions(first, PER_SUBMISSION)).unwrap();
    }
    // A copy now is what a writer that dies leaves; the index of a closed one is complete.
    let died = dir.path().join("died");
    copy(&path, &died);
    shop.ledger.close().unwrap();

    let timed = |open: &dyn Fn()| median((0..rounds).map(|_| seconds(open)).collect()) * 1e3;
    let writer = timed(&|| drop(Shop::open(&path).unwrap()));
    let reader = timed(&|| drop(Log::open(&path).unwrap()));
    let after_death = seconds(|| drop(Shop::open(&died).unwrap())) * 1e3;
    println!(
        "open: {rows} rows: writer {writer:.1} ms, reader {reader:.1} ms; after the writer died {after_death:.1} ms"
    );

    let log = Log::open(&path).unwrap();
    let mut bytes = 0;
    log.scan::<counterfoil_ledger::ReadError>(0..rows + FOUNDING, |row| {
        let parts = counterfoil_format::part::PartTag::AUTHORED
            .iter()
            .chain([&counterfoil_format::part::PartTag::Rollback]);
        let slots: usize = parts.filter_map(|tag| row.content(*tag)).map(|bytes| bytes.len() + 18).sum();
        bytes += (row.landing_bytes.len() + row.head_bytes.len() + slots + 34) as u64;
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    let part = |name: &str| taken(&path.join(name), "");
    let segments = taken(&path.join("log"), ".seg");
    let all = taken(&path, "");
    let percent = |part: u64| 100.0 * part as f64 / bytes as f64;
    println!(
        "disk: {rows} rows of {} bytes: segments +{:.1} %, with side files +{:.1} %, with tiles and all +{:.1} %; the state index of {} keys takes {} KiB",
        bytes / (rows + FOUNDING),
        percent(segments) - 100.0,
        percent(part("log")) - 100.0,
        percent(all - part("index")) - 100.0,
        rows.min(counterfoil_tests::shop::ENTITIES),
        part("index") / 1024,
    );
}

/// Bytes that files below a directory take on disk, as `du` counts them.
fn taken(path: &Path, end: &str) -> u64 {
    let Ok(found) = path.symlink_metadata() else { return 0 };
    if !found.is_dir() {
        let counts = path.to_string_lossy().ends_with(end);
        return if counts { found.blocks() * 512 } else { 0 };
    }
    std::fs::read_dir(path).unwrap().map(|entry| taken(&entry.unwrap().path(), end)).sum()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// One row a submission, by one caller and by 64 who share syncs.
fn share(rounds: u64) {
    const ROWS: u64 = 6400;
    let rate = |callers: u64| {
        let figures = (0..rounds).map(|_| {
            let dir = tempfile::tempdir().unwrap();
            let shop = Shop::begin(&dir.path().join("shop"), 64 << 20);
            let each = ROWS / callers;
            let parts: Vec<Vec<_>> = (0..callers)
                .map(|caller| (0..each).map(|number| shop.decisions(caller * each + number, 1)).collect())
                .collect();
            let took = seconds(|| {
                thread::scope(|scope| {
                    for part in parts {
                        let ledger = &shop.ledger;
                        scope.spawn(move || {
                            part.into_iter().for_each(|one| drop(ledger.submit(one).unwrap()))
                        });
                    }
                });
            });
            ROWS as f64 / took
        });
        median(figures.collect())
    };
    let (one, many) = (rate(1), rate(64));
    println!(
        "append: 1 row a submission, signed before: 1 caller {one:.0} rows/s, 64 callers {many:.0} rows/s, x{:.1}",
        many / one
    );
}
