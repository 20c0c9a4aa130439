//! A caller that panics while it leads, at any stage: it holds nobody, nothing is acknowledged behind it, and what was
//! acknowledged before is there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use counterfoil_format::key::{PublicKey, SignatureBytes};
use counterfoil_ledger::{Clock, InMemory, Ledger, Platform, Receipt, Signer, SubmitError, now};
use counterfoil_tests::shop::{FOUNDING, Keys, Shop};
use counterfoil_verifier::{Options, Verdict, verify};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const CALLERS: u64 = 4;
const SUBMISSIONS: u64 = 6;
const ROWS: u64 = 3;

/// Counts down, and panics once at zero.
#[derive(Debug)]
struct Fuse(AtomicI64);

impl Fuse {
    fn of(calls: i64) -> Arc<Self> {
        Arc::new(Fuse(AtomicI64::new(calls)))
    }

    fn burn(&self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            resume_unwind(Box::new("the fuse"));
        }
    }
}

/// A clock that is read when a submission is decided, and when a group was written.
#[derive(Debug)]
struct Watch(Arc<Fuse>);

impl Clock for Watch {
    fn now(&self) -> i64 {
        self.0.burn();
        now()
    }
}

/// A key that is used when a group is sealed.
struct Seal(Arc<Fuse>, Keys);

impl Signer for Seal {
    fn public(&self) -> &PublicKey {
        self.1.ledger.public()
    }

    fn sign(&self, message: &[u8]) -> SignatureBytes {
        self.0.burn();
        self.1.ledger.sign(message)
    }
}

#[test]
fn a_leader_that_panics_holds_nobody() {
    // There are six groups at least.
    for calls in 0..6 {
        for stage in ["clock", "seal"] {
            let fuse = |burning: &str| Fuse::of(if burning == stage { calls } else { i64::MAX });
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("shop");
            drop(Shop::begin(&path, 16 << 10));
            let clock = Arc::new(Watch(fuse("clock")));
            let platform = Platform { clock, index: Arc::new(InMemory), ..Platform::default() };
            let seal = Arc::new(Seal(fuse("seal"), Keys::default()));
            let shop =
                Shop { ledger: Ledger::open_on(&platform, &path, seal).unwrap(), keys: Keys::default() };
            let ends = all_submit(&shop);
            let panicked = ends.iter().filter(|end| end.is_none()).count();
            assert_eq!(panicked, 1, "{stage} {calls}");
            let last = shop.ledger.submit(shop.decisions(1_000_000, 1)).unwrap_err();
            assert!(matches!(&last, SubmitError::Poisoned(reason) if reason.contains("panicked")), "{last}");
            drop(shop);

            let shop = Shop::open(&path).unwrap();
            let log = shop.ledger.log();
            for receipt in ends.iter().flatten().flatten().flatten() {
                assert_eq!(log.row(receipt.seq).unwrap().parse().unwrap().row_hash, receipt.row_hash);
            }
            assert_eq!((log.head().size - FOUNDING) % ROWS, 0, "a submission landed in part");
            drop(shop);
            let report = verify(&path, &Options::default(), &|_, _| {}).unwrap();
            assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
        }
    }
}

/// How submissions ended; `None` where the caller panicked, who then submits no more.
fn all_submit(shop: &Shop) -> Vec<Option<Result<Vec<Receipt>, SubmitError>>> {
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                scope.spawn(move || {
                    let submit = |number| {
                        let submission = shop.decisions((caller * SUBMISSIONS + number) * ROWS, ROWS);
                        catch_unwind(AssertUnwindSafe(|| shop.ledger.submit(submission))).ok()
                    };
                    (0..SUBMISSIONS).map(submit).collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}
