//! The inbox: what other processes leave for the writer lands, whether it is idle, busy or not there, and ahead of all
//! that is submitted later.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod inbox {
    pub mod again;
    pub mod processes;
    pub mod refused;
}

use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::limits;
use counterfoil_format::value::Value;
use counterfoil_ledger::{
    Draft, DraftOp, Fate, InMemory, Inbox, Linking, Log, OpenError, Platform, PostError, Posted,
    SubmissionBuilder, now,
};
use counterfoil_tests::gate::Gate;
use counterfoil_tests::shop::{FOUNDING, Keys, Shop, decision_id, switch, switch_id};
use counterfoil_verifier::{Options, Verdict, verify};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Nothing that goes well takes so long.
const LONG: Duration = Duration::from_secs(60);

/// A ledger that was founded and closed.
fn founded(dir: &Path) -> PathBuf {
    let path = dir.join("shop");
    Shop::begin(&path, 64 << 10).ledger.close().unwrap();
    path
}

/// Surroundings in which nobody looks into the inbox unless something is submitted.
fn unwatched() -> Platform {
    Platform {
        inbox_every: None,
        snapshots_every: None,
        index: std::sync::Arc::new(InMemory),
        ..Platform::default()
    }
}

/// Leaves a switch in an inbox, as another process would.
fn pull(path: &Path, number: u64, engaged: bool) -> Posted {
    let log = Log::open(path).unwrap();
    Inbox::of(path).post(&switch(log.ledger_id(), number, engaged)).unwrap()
}

/// What became of a post, as another process sees it.
fn fate(path: &Path, posted: &Posted) -> Fate {
    posted.fate(&Log::open(path).unwrap()).unwrap()
}

/// The names in a directory of a ledger, sorted.
fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn check_intact(path: &Path, rows: u64) {
    let report = verify(path, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!((report.verdict, report.rows), (Verdict::Intact, rows), "{:?}", report.findings);
}

#[test]
fn an_idle_writer_lands_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let shop = Shop::open(&path).unwrap();
    let posted = pull(&path, 0, true);
    let reader = Log::open(&path).unwrap();
    assert_eq!(posted.wait(&reader, LONG).unwrap(), Fate::Landed(FOUNDING..FOUNDING + 1));
    assert!(shop.ledger.governance().in_force.switch.engaged);
    assert_eq!(shop.ledger.notices(), Vec::<String>::new());
    // A writer's own log tells it as well.
    assert_eq!(posted.fate(shop.ledger.log()).unwrap(), Fate::Landed(FOUNDING..FOUNDING + 1));
    shop.ledger.close().unwrap();
    assert!(names(&path.join("inbox")).is_empty());
    check_intact(&path, FOUNDING + 1);
}

#[test]
fn what_is_left_while_nobody_writes_lands_first_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let posted = pull(&path, 0, true);
    assert_eq!(fate(&path, &posted), Fate::Waiting);
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    assert_eq!(shop.ledger.log().head().size, FOUNDING + 1);
    assert!(shop.ledger.governance().in_force.switch.engaged);
    assert_eq!(fate(&path, &posted), Fate::Landed(FOUNDING..FOUNDING + 1));
    let receipts = shop.ledger.submit(shop.decisions(0, 1)).unwrap();
    assert_eq!((receipts[0].seq, receipts[0].outcome), (FOUNDING + 1, Outcome::Review));
}

/// More than are taken at once, the last of which matter: they land in the order in which they were made.
#[test]
fn many_posts_land_in_order_and_before_a_submission() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    for opened_before in [false, true] {
        let size = Log::open(&path).unwrap().head().size;
        let numbers = size * 1000..size * 1000 + 150;
        let post = || -> Vec<_> {
            let post = |number: u64| pull(&path, number, number.is_multiple_of(2));
            numbers.clone().map(post).collect()
        };
        let open = || Shop::open_on(&unwatched(), &path).unwrap();
        let (shop, posted) = if opened_before {
            let shop = open();
            (shop, post())
        } else {
            let posted = post();
            (open(), posted)
        };
        let receipts = shop.ledger.submit(shop.decisions(size, 1)).unwrap();
        for (row, posted) in (size..).zip(&posted) {
            assert_eq!(fate(&path, posted), Fate::Landed(row..row + 1));
        }
        assert_eq!(receipts[0].seq, size + 150);
        assert_eq!(receipts[0].outcome, Outcome::Applied);
        assert!(!shop.ledger.governance().in_force.switch.engaged);
    }
}

/// A clock that went backwards puts no post before one that is there.
#[test]
fn posts_are_taken_in_the_order_in_which_they_were_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let mut posted = vec![pull(&path, 0, true)];
    let end = "0".repeat(16) + ".submission";
    for future in ["7fffffffffffffff", "fffffffffffffffe"] {
        let last = posted.last().unwrap().path();
        std::fs::rename(&last, last.with_file_name(future.to_owned() + &end)).unwrap();
        posted.push(pull(&path, posted.len() as u64, true));
    }
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    let log = shop.ledger.log();
    let rows: Vec<_> = (0..3).map(|number| log.find_id(&switch_id(number)).unwrap().unwrap()).collect();
    assert!(rows.is_sorted(), "{rows:?}");
}

/// Whoever submits after a post was made is decided behind it, whatever is under way.
#[test]
fn nothing_that_is_submitted_later_is_decided_ahead_of_a_post() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    // Only those who submit look there, so what they are told shows that each of them has looked.
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    for round in 0..10 {
        let (pulled, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let next = AtomicU64::new(round * 1_000_000);
        let submit = || {
            let mut submitted = Vec::new();
            loop {
                let (later, first) = (pulled.load(Ordering::SeqCst), next.fetch_add(3, Ordering::SeqCst));
                submitted.push((later, shop.ledger.submit(shop.decisions(first, 3)).unwrap()));
                if later && stop.load(Ordering::SeqCst) {
                    return submitted;
                }
            }
        };
        let (row, submitted) = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(submit)).collect();
            while next.load(Ordering::SeqCst) < round * 1_000_000 + 60 {
                std::thread::yield_now();
            }
            let posted = pull(&path, round * 2, true);
            pulled.store(true, Ordering::SeqCst);
            let reader = Log::open(&path).unwrap();
            let Fate::Landed(rows) = posted.wait(&reader, LONG).unwrap() else { panic!("it lands") };
            stop.store(true, Ordering::SeqCst);
            (rows.start, callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>())
        });
        for (later, receipts) in submitted {
            assert!(!later || receipts[0].seq > row, "row {} is ahead of the switch", receipts[0].seq);
            for receipt in receipts {
                let expected = if receipt.seq > row { Outcome::Review } else { Outcome::Applied };
                assert_eq!(receipt.outcome, expected, "row {}, switch {row}", receipt.seq);
                assert_eq!(receipt.reasons.contains(&Reason::KillSwitch), receipt.seq > row);
            }
        }
        shop.ledger.submit(switch(shop.ledger.ledger_id(), round * 2 + 1, false)).unwrap();
    }
    let rows = shop.ledger.log().head().size;
    shop.ledger.close().unwrap();
    check_intact(&path, rows);
}

/// A post is there until its rows are durable, and is not taken again meanwhile.
#[test]
fn a_post_is_removed_when_its_rows_are_durable() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let gate = Gate::default();
    let shop = Shop::open_on(&gate.platform(), &path).unwrap();
    let posted = pull(&path, 0, true);
    gate.hold();
    let submit = |first| shop.ledger.submit(shop.decisions(first, 1)).unwrap();
    let (seen, receipts) = std::thread::scope(|scope| {
        let first = scope.spawn(|| submit(0));
        gate.wait_for_sync();
        let looks = gate.looks(&path.join("inbox"));
        let second = scope.spawn(|| submit(1));
        while gate.looks(&path.join("inbox")) == looks {
            std::thread::yield_now();
        }
        let seen = (posted.path().exists(), fate(&path, &posted));
        gate.release();
        (seen, [first.join().unwrap(), second.join().unwrap()].concat())
    });
    assert_eq!(seen, (true, Fate::Waiting));
    assert_eq!(gate.looks(&posted.path()), 1, "it is read once");
    assert_eq!(fate(&path, &posted), Fate::Landed(FOUNDING..FOUNDING + 1));
    assert!(!posted.path().exists());
    assert!(receipts.iter().all(|receipt| receipt.seq > FOUNDING && receipt.outcome == Outcome::Review));
    assert_eq!(shop.ledger.log().head().size, FOUNDING + 3);
}

/// A post that finds no room in a group is the first of the next one, and holds back whoever would find room.
#[test]
fn posts_that_fill_a_group_are_decided_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    let id = shop.ledger.ledger_id();
    let small = |post: u64, rows: u64| {
        let mut builder = SubmissionBuilder::new(&shop.keys.executor).unwrap();
        for row in 0..rows {
            let mut draft = Draft::decision(decision_id(post * 10_000 + row), "A", 0);
            draft.ops.push(DraftOp::Add("a", 1));
            builder.push(&draft).unwrap();
        }
        Inbox::of(&path).post(&builder.sign(id).unwrap()).unwrap()
    };
    let whole = limits::SUBMISSION_ROWS as u64;
    let mut posted: Vec<_> = (0..15).map(|post| (whole, small(post, whole))).collect();
    posted.push((whole - 100, small(15, whole - 100)));
    posted.push((whole, small(16, whole)));
    posted.push((1, pull(&path, 0, true)));
    let receipts = shop.ledger.submit(shop.decisions(1_000_000, 1)).unwrap();
    let mut next = FOUNDING;
    for (rows, posted) in posted {
        assert_eq!(posted.fate(shop.ledger.log()).unwrap(), Fate::Landed(next..next + rows));
        assert!(!posted.path().exists());
        next += rows;
    }
    assert_eq!((receipts[0].seq, receipts[0].outcome), (next, Outcome::Review));
}

/// A write that fails leaves the post where it is, for the next writer. An open that cannot land it is none.
#[test]
fn a_post_outlives_a_write_that_fails() {
    for opened_before in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let path = founded(dir.path());
        let gate = Gate::default();
        let open = || Shop::open_on(&gate.platform(), &path);
        let (shop, posted) = if opened_before {
            let shop = open().unwrap();
            (Some(shop), pull(&path, 0, true))
        } else {
            (None, pull(&path, 0, true))
        };
        gate.fail();
        match &shop {
            Some(shop) => drop(shop.ledger.submit(shop.decisions(0, 1)).unwrap_err()),
            None => assert!(matches!(open().map(drop), Err(OpenError::Inbox(_)))),
        }
        assert!(posted.path().exists());
        drop(shop);
        gate.release();
        let shop = open().unwrap();
        assert_eq!(shop.ledger.log().find_id(&switch_id(0)).unwrap(), Some(FOUNDING));
        assert!(shop.ledger.governance().in_force.switch.engaged && !posted.path().exists());
    }
}

#[test]
fn nothing_is_left_where_there_is_no_ledger_and_nothing_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let log = Log::open(&path).unwrap();
    let submission = switch(log.ledger_id(), 0, true);
    let refused = Inbox::of(dir.path()).post(&submission).unwrap_err();
    assert!(matches!(refused, PostError::Open(OpenError::NotALedger { .. })), "{refused}");
    assert!(!dir.path().join("inbox").exists());
    let (executor, value) = (Keys::default().executor, Value::Text("x".repeat(1_000_000)));
    let mut builder = SubmissionBuilder::new(&executor).unwrap();
    for number in 0..9 {
        let mut draft = Draft::decision(decision_id(number), "SET", now());
        draft.ops.push(DraftOp::Put("key", &value));
        builder.push(&draft).unwrap();
    }
    let large = builder.sign(log.ledger_id()).unwrap();
    assert!(matches!(Inbox::of(&path).post(&large), Err(PostError::TooLarge(_))));
    assert!(names(&path.join("inbox")).is_empty());
}

/// What lies in the inbox is no part of the ledger: a backup leaves it behind.
#[test]
fn a_backup_leaves_the_inbox_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    pull(&path, 0, true);
    let copy = dir.path().join("copy");
    Log::open(&path).unwrap().backup(&copy, Linking::Never).unwrap();
    assert_eq!(names(&copy), ["LOCK", "checkpoint", "log"]);
    check_intact(&path, FOUNDING);
}
