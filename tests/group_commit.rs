//! Many callers, one log: submissions land whole and in the order of their acknowledgement, and readers beside the
//! writer see a prefix of what is durable.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_format::intent::IntentId;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, DraftOp, Log, Platform, ReadError, SubmitError, now};
use counterfoil_rules::land::Refusal;
use counterfoil_tests::shop::{FOUNDING, Shop, decision_id};
use counterfoil_tests::trial::SimClock;
use counterfoil_verifier::{Options, Verdict, verify};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const CALLERS: u64 = 8;
const SUBMISSIONS: u64 = 40;
const ROWS: u64 = 5;

#[test]
fn callers_share_groups_and_each_submission_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let shop = Shop::begin(&path, 256 << 10);
    let (running, reads) = (AtomicBool::new(true), AtomicU64::new(0));
    let receipts = std::thread::scope(|scope| {
        scope.spawn(|| {
            while running.load(Ordering::Relaxed) {
                read_a_prefix(shop.ledger.log());
                read_a_prefix(&Log::open(&path).unwrap());
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                scope.spawn({
                    let shop = &shop;
                    move || {
                        (0..SUBMISSIONS)
                            .map(|number| {
                                let first = (caller * SUBMISSIONS + number) * ROWS;
                                (first, shop.ledger.submit(shop.decisions(first, ROWS)).unwrap())
                            })
                            .collect::<Vec<_>>()
                    }
                })
            })
            .collect();
        let receipts: Vec<_> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
        running.store(false, Ordering::Relaxed);
        receipts
    });
    println!("{} rounds of reading beside the writers", reads.load(Ordering::Relaxed));

    let mut seen = BTreeMap::new();
    for (first, receipts) in &receipts {
        for (place, receipt) in receipts.iter().enumerate() {
            assert_eq!(receipt.seq, receipts[0].seq + place as u64, "a submission's rows stand together");
            seen.insert(receipt.seq, decision_id(first + place as u64));
        }
    }
    let rows = CALLERS * SUBMISSIONS * ROWS;
    assert_eq!(seen.len() as u64, rows);
    for (seq, id) in seen {
        assert_eq!(shop.ledger.log().find_id(&id).unwrap(), Some(seq));
        assert_eq!(shop.ledger.log().row(seq).unwrap().parse().unwrap().head.id, id);
    }
    let stamped: Vec<u64> = receipts
        .chunks(SUBMISSIONS as usize)
        .flat_map(|own| own.windows(2).map(|pair| u64::from(pair[0].1[0].seq < pair[1].1[0].seq)))
        .collect();
    assert!(
        stamped.iter().all(|ordered| *ordered == 1),
        "a caller's submissions land in the order it made them"
    );
    shop.ledger.close().unwrap();
    let report = verify(&path, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    assert_eq!(report.rows, rows + FOUNDING);
}

/// What a reader sees is a chain from row 0 up to the head it was told of.
fn read_a_prefix(log: &Log) {
    let head = log.head();
    let mut next = 0;
    let mut last = None;
    log.scan::<ReadError>(0..head.size, |row| {
        assert_eq!(row.landing.seq, next);
        next += 1;
        last = Some(row.row_hash);
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(next, head.size);
    assert_eq!(last, Some(head.row_hash));
}

#[test]
fn what_is_refused_leaves_nothing_and_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::begin(&dir.path().join("shop"), 64 << 20);
    let value = Value::Int(1);
    let put = |number: u8, key| {
        let mut draft = Draft::decision(IntentId([number; 16]), "SET", now());
        draft.ops.push(DraftOp::Put(key, &value));
        draft
    };
    shop.land(&shop.keys.executor, &[put(10, "a")]).unwrap();
    let size = shop.ledger.log().head().size;

    // The last of three has an id that landed before: none of the three lands, nor do their changes to the state.
    let error = shop.land(&shop.keys.executor, &[put(11, "b"), put(12, "c"), put(10, "d")]).unwrap_err();
    let SubmitError::Refused { index: 2, refusal: Refusal::DuplicateId { row, .. } } = error else {
        panic!("{error}")
    };
    assert_eq!(row, size - 1);
    assert_eq!(shop.ledger.log().head().size, size);
    assert_eq!(shop.ledger.current("b").unwrap(), None);

    // Twice the same id in one submission.
    let error = shop.land(&shop.keys.executor, &[put(13, "b"), put(13, "c")]).unwrap_err();
    assert!(matches!(error, SubmitError::Refused { index: 1, .. }), "{error}");

    // An operator may not decide, and a key that nobody granted may do nothing.
    let error = shop.land(&shop.keys.operator, &[put(14, "b")]).unwrap_err();
    assert!(error.to_string().contains("may not write decision rows"), "{error}");
    let stranger = counterfoil_ledger::SecretKey::generate().unwrap();
    let error = shop.land(&stranger, &[put(14, "b")]).unwrap_err();
    assert!(error.to_string().contains("never enrolled"), "{error}");

    // The ids of what was refused are still free.
    let receipts = shop.land(&shop.keys.executor, &[put(11, "b"), put(13, "c")]).unwrap();
    assert_eq!(receipts[0].seq, size);
    assert_eq!(shop.ledger.current("b").unwrap().unwrap().row, size);
}

/// A clock that goes backwards, by a minute at each look, moves no row before the one that came first.
#[test]
fn a_clock_that_goes_backwards_lands_no_row_before_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let platform = Platform { clock: SimClock::stepping(-60_000_000), ..Platform::default() };
    let shop = Shop::begin_on(&platform, &path, 4096).unwrap();
    for first in (0..30).step_by(3) {
        shop.ledger.submit(shop.decisions(first, 3)).unwrap();
    }
    let log = shop.ledger.log();
    let landed: Vec<_> =
        (0..log.head().size).map(|seq| log.row(seq).unwrap().parse().unwrap().landing.landed_at).collect();
    assert!(landed.is_sorted(), "{landed:?}");
    shop.ledger.close().unwrap();
    // A later handle, whose clock stands still further back, goes on behind the last row.
    let shop = Shop::open_on(&platform, &path).unwrap();
    let receipts = shop.ledger.submit(shop.decisions(30, 1)).unwrap();
    assert_eq!(Some(&receipts[0].landed_at), landed.last());
    drop(shop);
    let report = verify(&path, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
}
