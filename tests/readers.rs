//! Readers of other processes: they see a prefix of what is durable, they follow it, and a writer at work is never
//! taken for damage. A second log on the same files stands for another process where what is durable must be known to
//! the row; a real one is followed too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_format::Hash;
use counterfoil_ledger::{Head, Ledger, Log, OpenError, ReadError};
use counterfoil_tests::appender::{Appender, Orders};
use counterfoil_tests::gate::Gate;
use counterfoil_tests::journal::Said;
use counterfoil_tests::shop::{FOUNDING, Keys, Shop, decision_id};
use std::fs::{self, OpenOptions};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A shop on a gate, founded before.
fn begin(dir: &Path, segment_bytes: u64) -> (PathBuf, Gate, Shop) {
    let path = dir.join("shop");
    drop(Shop::begin(&path, segment_bytes));
    let gate = Gate::default();
    let shop = open_on(&gate, &path);
    (path, gate, shop)
}

fn open_on(gate: &Gate, path: &Path) -> Shop {
    let keys = Keys::default();
    Shop { ledger: Ledger::open_on(&gate.platform(), path, keys.ledger.clone()).unwrap(), keys }
}

fn size(path: &Path) -> u64 {
    Log::open(path).unwrap().head().size
}

fn last_segment(path: &Path) -> PathBuf {
    let entries = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "seg")).max().unwrap()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

fn set_length(path: &Path, bytes: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

/// What a reader has read of a log: the rows chain, and none is missing.
struct Prefix {
    head: Option<Head>,
    hash: Hash,
    next: u64,
}

impl Prefix {
    fn new() -> Self {
        Prefix { head: None, hash: Hash::ZERO, next: 0 }
    }

    /// Reads what is new; the head has not gone back, and the last row is the head's.
    fn read_on(&mut self, log: &Log) -> Head {
        let head = log.head();
        if let Some(before) = self.head {
            assert!(head.size >= before.size && head.landed_at >= before.landed_at, "the head only grows");
            assert!(head.size > before.size || head == before, "and does not change otherwise");
        }
        let mut scratch = Vec::new();
        log.scan::<ReadError>(self.next..head.size, |row| {
            assert_eq!(row.landing.seq, self.next, "no row is missing");
            let intent = row.hashes(&mut scratch).unwrap().intent;
            assert_eq!(row.chained(&self.hash, &intent), row.row_hash, "row {} chains", self.next);
            (self.hash, self.next) = (row.row_hash, self.next + 1);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        assert_eq!((self.next, self.hash), (head.size, head.row_hash));
        self.head = Some(head);
        head
    }
}

#[test]
fn a_row_is_seen_when_it_is_durable_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (path, gate, shop) = begin(dir.path(), 64 << 20);
    // The clock stands still, so this group is the last one that the checkpoint file names.
    shop.ledger.submit(shop.decisions(0, 2)).unwrap();
    let reader = Log::open(&path).unwrap();
    let before = reader.head();
    assert_eq!(before.size, FOUNDING + 2);
    assert!(!reader.refresh().unwrap());

    let written = length(&last_segment(&path));
    gate.hold();
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| shop.ledger.submit(shop.decisions(2, 3)).unwrap());
        gate.wait_for_sync();
        let there = length(&last_segment(&path));
        let seen = (reader.refresh(), reader.head(), Log::open(&path));
        // Nobody is to wait for ever when one of these does not hold.
        gate.release();
        caller.join().unwrap();
        assert!(there > written, "the group is there, whole");
        assert!(!seen.0.unwrap());
        assert_eq!((seen.1, seen.2.unwrap().head()), (before, before));
    });
    assert!(reader.refresh().unwrap(), "what was acknowledged is seen, though the writer is idle");
    assert_eq!(reader.head(), shop.ledger.log().head());
    assert_eq!(reader.find_id(&decision_id(4)).unwrap(), Some(FOUNDING + 4));
    assert_eq!(Log::open(&path).unwrap().head(), shop.ledger.log().head());
    assert!(!reader.refresh().unwrap());
    assert!(!shop.ledger.log().refresh().unwrap(), "the writer's own log needs none");
}

#[test]
fn a_group_whose_sync_failed_is_not_seen_until_a_writer_has_opened_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let (path, gate, shop) = begin(dir.path(), 64 << 20);
    shop.ledger.submit(shop.decisions(0, 2)).unwrap();
    let reader = Log::open(&path).unwrap();
    gate.fail();
    assert!(shop.ledger.submit(shop.decisions(2, 3)).is_err());
    gate.release();
    assert!(shop.ledger.submit(shop.decisions(5, 3)).is_err(), "the handle is closed for good");
    drop(shop);
    assert!(!reader.refresh().unwrap());
    assert_eq!(size(&path), FOUNDING + 2);
    drop(open_on(&gate, &path));
    assert!(reader.refresh().unwrap());
    assert_eq!((reader.head().size, size(&path)), (FOUNDING + 5, FOUNDING + 5));
}

#[test]
fn each_thing_that_vouches_for_a_group_is_enough_and_one_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, gate, shop) = begin(dir.path(), 64 << 20);
    for first in [0, 2, 4, 6] {
        shop.ledger.submit(shop.decisions(first, 2)).unwrap();
    }
    drop(shop);
    let (mark, all) = (path.join("durable"), FOUNDING + 8);
    let said = fs::read(&mark).unwrap();
    assert_eq!(size(&path), all, "the mark vouches for the last group");
    fs::remove_file(&mark).unwrap();
    assert_eq!(size(&path), all - 2, "nothing does; the checkpoint names the first one");
    let mut other = said.clone();
    other[30] ^= 1;
    fs::write(&mark, &other).unwrap();
    assert_eq!(size(&path), all - 2, "a mark that is damaged does not");
    fs::remove_file(&mark).unwrap();

    let last = last_segment(&path);
    let whole = fs::read(&last).unwrap();
    set_length(&last, whole.len() as u64 - 8);
    assert_eq!(size(&path), all - 2, "the header of a torn group vouches for those before it");
    fs::write(&last, &whole).unwrap();
    let begins = whole.windows(4).rposition(|four| four == b"cfgr").unwrap();
    set_length(&last, begins as u64 + 40);
    assert_eq!(size(&path), all - 4, "half a header vouches for nothing");
    fs::write(&mark, &said).unwrap();
    let lost = Log::open(&path).map(drop).unwrap_err();
    assert!(matches!(lost, OpenError::Damaged(_)), "a mark says that rows are lost: {lost}");

    fs::write(&last, &whole).unwrap();
    fs::remove_file(&mark).unwrap();
    open_on(&gate, &path).ledger.close().unwrap();
    assert_eq!(size(&path), all, "a writer that has opened the ledger vouches for all of it");
    let other = dir.path().join("other");
    let shop = Shop::begin(&other, 64 << 20);
    shop.ledger.submit(shop.decisions(0, 8)).unwrap();
    drop(shop);
    fs::copy(other.join("durable"), &mark).unwrap();
    fs::remove_file(last.with_extension("idx")).unwrap();
    assert_eq!(size(&path), all - 2, "a mark of another ledger vouches for nothing");
}

#[test]
fn damage_is_told_from_a_writer_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let (path, gate, shop) = begin(dir.path(), 64 << 20);
    shop.ledger.submit(shop.decisions(0, 2)).unwrap();
    let reader = Log::open(&path).unwrap();
    let (last, seen) = (last_segment(&path), reader.head());
    let place = length(&last) + 200;
    for first in [2, 4, 6] {
        shop.ledger.submit(shop.decisions(first, 2)).unwrap();
    }
    flip(&last, place);
    let error = reader.refresh().unwrap_err();
    assert!(matches!(&error, OpenError::Damaged(damage) if damage.offset == place - 200), "{error}");
    assert_eq!(reader.head(), seen, "what was seen stays");
    flip(&last, place);
    assert!(reader.refresh().unwrap());
    drop(shop);

    // A write that a crash cut short is none; neither is the writer who cuts it off.
    let end = length(&last);
    let group = fs::read(&last).unwrap()[place as usize - 200..].to_vec();
    let file = OpenOptions::new().write(true).open(&last).unwrap();
    file.write_all_at(&group[..group.len() / 5], end).unwrap();
    assert!(!reader.refresh().unwrap());
    let shop = open_on(&gate, &path);
    assert!(!reader.refresh().unwrap());
    shop.ledger.submit(shop.decisions(8, 2)).unwrap();
    assert!(reader.refresh().unwrap());
    assert_eq!(reader.head(), shop.ledger.log().head());
    drop(shop);

    // Nor is a segment whose header is not there yet, or never will be.
    let head = reader.head();
    let unborn = path.join(format!("log/{:020}.seg", head.size));
    for bytes in [0, 50] {
        fs::write(&unborn, vec![0; bytes]).unwrap();
        assert!(!reader.refresh().unwrap());
        assert_eq!(Log::open(&path).unwrap().head(), head);
        drop(open_on(&gate, &path));
        assert!(!unborn.exists() && !reader.refresh().unwrap());
    }

    set_length(&last, 300);
    let error = reader.refresh().unwrap_err();
    assert!(matches!(error, OpenError::Damaged(_)), "rows that were durable are gone: {error}");
}

/// Follows a log until told to stop; says how often it looked.
fn follow(path: &Path, gate: &Gate, running: &AtomicBool, looks: &AtomicU64) {
    let log = Log::open(path).unwrap();
    let mut prefix = Prefix::new();
    let mut last = false;
    while !last {
        last = !running.load(Ordering::SeqCst);
        log.refresh().unwrap();
        let head = prefix.read_on(&log);
        assert!(head.size <= gate.durable(), "{} rows seen, {} durable", head.size, gate.durable());
        let fresh = Log::open(path).unwrap().head();
        assert!(fresh.size >= head.size && fresh.size <= gate.durable());
        looks.fetch_add(1, Ordering::SeqCst);
    }
    assert_eq!(prefix.next, gate.durable(), "in the end everything is seen");
}

#[test]
fn readers_beside_a_writer_under_load_see_a_prefix_of_what_is_durable() {
    const CALLERS: u64 = 3;
    const SUBMISSIONS: u64 = 60;
    const ROWS: u64 = 4;
    let dir = tempfile::tempdir().unwrap();
    let (path, gate, shop) = begin(dir.path(), 32 << 10);
    shop.ledger.submit(shop.decisions(1_000_000, 1)).unwrap();
    let (running, looks) = (AtomicBool::new(true), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..2).map(|_| scope.spawn(|| follow(&path, &gate, &running, &looks))).collect();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let shop = &shop;
                scope.spawn(move || {
                    for number in 0..SUBMISSIONS {
                        let first = (caller * SUBMISSIONS + number) * ROWS;
                        shop.ledger.submit(shop.decisions(first, ROWS)).unwrap();
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        running.store(false, Ordering::SeqCst);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(gate.durable(), FOUNDING + 1 + CALLERS * SUBMISSIONS * ROWS);
    assert!(fs::read_dir(path.join("log")).unwrap().count() > 10, "there were segments to follow");
    println!("{} looks", looks.load(Ordering::SeqCst));
}

#[test]
fn what_another_process_acknowledges_is_seen_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    drop(Shop::begin(&path, 64 << 10));
    let reader = Log::open(&path).unwrap();
    let mut prefix = Prefix::new();
    let orders = Orders { submissions: 150, ..Orders::alone(&path, 0, 7) };
    let appender = Appender::start(env!("CARGO_BIN_EXE_appender"), &orders);
    let mut acknowledged = 0;
    for said in appender.said() {
        let Said::Acknowledged { seq, hash } = said else { continue };
        if seq >= prefix.next {
            reader.refresh().unwrap();
            prefix.read_on(&reader);
        }
        assert_eq!(reader.row(seq).unwrap().parse().unwrap().row_hash, hash);
        acknowledged += 1;
    }
    appender.end().unwrap();
    assert_eq!(acknowledged, 150 * 7);
    assert_eq!(reader.head().size, FOUNDING + acknowledged);
    assert_eq!(Log::open(&path).unwrap().head(), reader.head());
}
