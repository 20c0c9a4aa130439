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

use counterfoil_tests::appender::{Appender, Moment, Orders};
use counterfoil_tests::journal::{Journal, Said};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{FOUNDING, Shop};
use counterfoil_verifier::{Options, Verdict, verify};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const APPENDER: &str = env!("CARGO_BIN_EXE_appender");

/// A number that the environment may give.
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |number| number.parse().unwrap())
}

/// A ledger that processes are killed over.
struct Victim {
    path: PathBuf,
    journal: Journal,
    kills: u64,
    size: u64,
    verified: u64,
}

impl Victim {
    /// Starts a process, and kills it at some moment before so many rows.
    fn kill(&mut self, rng: &mut Rng, rows: u64) {
        let orders = Orders::crowded(&self.path, self.journal.next(), rng.number());
        let appender = Appender::start(APPENDER, &orders);
        appender.wait_for(Moment::any(rng, rows), &mut self.journal);
        appender.kill(&mut self.journal);
        self.kills += 1;
    }

    /// The ledger opens, and what was not checked before is right. The verifier, which reads all of it, is asked when
    /// the ledger has grown by an eighth.
    fn check(&mut self) {
        let shop = Shop::open(&self.path).unwrap_or_else(|error| panic!("it must open: {error}"));
        let right = self.journal.check_new(shop.ledger.log());
        right.unwrap_or_else(|reason| panic!("after kill {}: {reason}", self.kills));
        self.size = shop.ledger.log().head().size;
        drop(shop);
        if self.size >= self.verified + self.verified / 8 {
            check_intact(&self.path, self.size);
            self.verified = self.size;
        }
    }

    /// All of the ledger is right.
    fn check_all(&mut self) {
        let shop = Shop::open(&self.path).unwrap();
        self.journal.check_all(shop.ledger.log()).unwrap_or_else(|reason| panic!("{reason}"));
        drop(shop);
        check_intact(&self.path, self.size);
    }
}

fn check_intact(path: &Path, size: u64) {
    let report = verify(path, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    assert_eq!(report.rows, size);
}

#[test]
fn what_was_acknowledged_outlives_a_hundred_kills() {
    let (kills, rows) = (asked("COUNTERFOIL_KILLS", 100), asked("COUNTERFOIL_STRESS", 20_000));
    let (mut rng, begun) = (Rng::of_this_run(), Instant::now());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    // Small segments, so that kills also hit the change from one to the next.
    drop(Shop::begin(&path, (64 << 10).max(rows * 4)));
    let mut victim = Victim { path, journal: Journal::default(), kills: 0, size: 0, verified: 0 };
    while victim.kills < kills || victim.size < rows {
        victim.kill(&mut rng, (rows / kills).max(100));
        victim.check();
    }
    victim.check_all();
    let torn = std::fs::read_dir(victim.path.join("quarantine")).map_or(0, Iterator::count);
    let (acknowledged, seconds) = (victim.journal.acknowledged(), begun.elapsed().as_secs());
    println!(
        "{} kills, {} rows, {acknowledged} acknowledged and none lost, {torn} torn tails kept, {seconds} s",
        victim.kills, victim.size
    );
    assert!(acknowledged >= rows / 2, "the processes hardly got to append");
}

#[test]
fn a_full_disk_stops_the_ledger_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    drop(Shop::begin(&path, 64 << 20));
    // A limit on the size of files stands in for the full disk: the write that crosses it fails half way.
    let orders = Orders::alone(&path, 0, 100).args().join(" ");
    let script = format!("trap '' XFSZ; ulimit -f 600; exec {APPENDER} {orders}");
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut journal = Journal::default();
    text.split_inclusive('\n').filter_map(Said::parse).for_each(|said| journal.note(said));
    let failure = journal.take_failure().unwrap();
    assert!(failure.contains("File too large") && failure.contains("open the ledger again"), "{failure}");
    assert!(journal.acknowledged() >= 100);

    let shop = Shop::open(&path).unwrap();
    journal.check_new(shop.ledger.log()).unwrap();
    let size = shop.ledger.log().head().size;
    assert_eq!(size - FOUNDING, journal.acknowledged(), "what failed did not land");
    check_intact(&path, size);

    // And it goes on where there is room.
    shop.ledger.submit(shop.decisions(size - FOUNDING, 100)).unwrap();
    drop(shop);
    check_intact(&path, size + 100);
}
