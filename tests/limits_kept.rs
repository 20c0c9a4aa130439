//! What a ledger keeps of its limits: over refused submissions, over new policies, over closing and opening, and when its
//! clock goes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::body::{Body, KeyChange, Role, Scope};
use counterfoil_format::content::Subject;
use counterfoil_format::intent::IntentId;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::policy::{Limit, Per, PolicyBody, SumLimit};
use counterfoil_format::value::Decimal;
use counterfoil_ledger::{
    Draft, DraftOp, Ledger, Platform, SecretKey, Signer, SubmissionBuilder, SubmitError,
};
use counterfoil_tests::sim::SimFs;
use counterfoil_tests::told::{Told, told};
use counterfoil_verifier::{Options, Status, verify};
use std::path::Path;
use std::sync::Arc;

const ROOT: &str = "/kept";
const WINDOW: i64 = 1_000;

/// Two rows of each entity, and 100 of what is spent in all.
fn policy() -> PolicyBody<'static> {
    let sum = SumLimit { field: "spend", most: Decimal { mantissa: 100, scale: 0 } };
    let limit = |per, count, sum| Limit { actions: "*", per, window: WINDOW, count, sum };
    let limits = vec![limit(Per::Store, None, Some(sum)), limit(Per::Entity, Some(2), None)];
    PolicyBody { limits, ..PolicyBody::open(4096) }
}

struct Kept {
    ledger: Option<Ledger>,
    platform: Platform,
    clock: Arc<Told>,
    fs: SimFs,
    ids: u8,
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32]).unwrap()
}

impl Kept {
    fn new() -> Self {
        let fs = SimFs::default();
        let (platform, clock) = told(&fs);
        let (root, seal) = (Path::new(ROOT), Arc::new(key(2)));
        let ledger = Ledger::create_on(&platform, root, "example.com/kept", policy(), &key(1), seal).unwrap();
        let mut kept = Kept { ledger: Some(ledger), platform, clock, fs, ids: 0 };
        let (key, roles) = (*key(3).public().as_bytes(), Role::Executor.bit());
        let grant = KeyChange::Grant { key, roles, name: "agent", scope: Scope::default() };
        kept.submit(&SecretKey::from_seed(&[1; 32]).unwrap(), &[Said::body(Body::Key(grant))]).unwrap();
        kept
    }

    fn open(&mut self) {
        drop(self.ledger.take());
        let ledger = Ledger::open_on(&self.platform, Path::new(ROOT), Arc::new(key(2)));
        self.ledger = Some(ledger.unwrap());
    }

    /// Lands rows under one signature; yields why each was put aside.
    fn submit(&mut self, by: &SecretKey, rows: &[Said]) -> Result<Vec<Vec<Reason>>, SubmitError> {
        let ledger = self.ledger.as_ref().unwrap();
        let mut builder = SubmissionBuilder::new(by).unwrap();
        for row in rows {
            self.ids += u8::from(!matches!(row, Said::Again));
            let id = IntentId([self.ids; 16]);
            let draft = match row {
                Said::Body(body) => Draft::with_body(id, Body::clone(body), 0),
                Said::Spends(entity, spend) => Draft {
                    subject: Some(Subject { entity, lifecycle: None }),
                    ops: vec![DraftOp::Add("ad/spend", *spend)],
                    ..Draft::decision(id, "pay", 0)
                },
                Said::Again => Draft { ops: vec![DraftOp::Add("x", 1)], ..Draft::decision(id, "pay", 0) },
            };
            builder.push(&draft).unwrap();
        }
        let receipts = ledger.submit(builder.sign(ledger.ledger_id()).unwrap())?;
        let put_aside = |receipt: &counterfoil_ledger::Receipt| receipt.outcome == Outcome::Review;
        assert!(receipts.iter().all(|receipt| put_aside(receipt) != receipt.reasons.is_empty()));
        Ok(receipts.into_iter().map(|receipt| receipt.reasons).collect())
    }

    fn spend(&mut self, entity: &'static str, spend: i64) -> Vec<Reason> {
        self.submit(&key(3), &[Said::Spends(entity, spend)]).unwrap().remove(0)
    }

    /// The verifier decides every row as the ledger did.
    fn end(self) {
        let dir = tempfile::tempdir().unwrap();
        self.fs.export(Path::new(ROOT), dir.path());
        let report = verify(dir.path(), &Options::default(), &|_, _| {}).unwrap();
        let v14 = &report.checks[&counterfoil_verifier::CheckId::V14];
        assert_eq!((v14.status, report.findings.len()), (Status::Passed, 0), "{:#?}", report.findings);
    }
}

enum Said {
    Body(Box<Body<'static>>),
    Spends(&'static str, i64),
    /// A row with the id of the one before, for which the whole submission is refused.
    Again,
}

impl Said {
    fn body(body: Body<'static>) -> Self {
        Said::Body(Box::new(body))
    }
}

const SUM: [Reason; 1] = [Reason::SumLimit];
const COUNT: [Reason; 1] = [Reason::CountLimit];

#[test]
fn a_refused_submission_has_spent_nothing() {
    let mut kept = Kept::new();
    assert_eq!(kept.spend("a", 40), []);
    let refused = kept.submit(&key(3), &[Said::Spends("a", 60), Said::Spends("b", 1), Said::Again]);
    assert!(matches!(refused, Err(SubmitError::Refused { index: 2, .. })));
    assert_eq!(kept.spend("a", 60), []);
    assert_eq!(kept.spend("b", 1), SUM);
    kept.end();
}

#[test]
fn rows_of_one_submission_count_for_those_behind_them() {
    let mut kept = Kept::new();
    let rows = ["a", "a", "a", "b"].map(|entity| Said::Spends(entity, 33));
    let reasons = kept.submit(&key(3), &rows).unwrap();
    assert_eq!(reasons, [vec![], vec![], COUNT.to_vec(), vec![]]);
    assert_eq!(kept.spend("c", 2), SUM);
    kept.end();
}

#[test]
fn a_policy_that_is_refused_changes_no_limit() {
    let mut kept = Kept::new();
    assert_eq!(kept.spend("a", 100), []);
    let free = || Said::body(Body::Policy(PolicyBody { limits: Vec::new(), ..policy() }));
    let refused = kept.submit(&key(1), &[free(), free(), Said::Again]);
    assert!(matches!(refused, Err(SubmitError::Refused { .. })));
    assert_eq!(kept.spend("b", 1), SUM);
    kept.submit(&key(1), &[free(), Said::body(Body::Policy(policy()))]).unwrap();
    assert_eq!(kept.spend("b", 100), []);
    assert_eq!(kept.spend("b", 1), SUM);
    kept.end();
}

#[test]
fn what_was_counted_is_found_again_when_the_ledger_is_opened() {
    let mut kept = Kept::new();
    assert_eq!(kept.spend("a", 60), []);
    kept.clock.pass(WINDOW / 2);
    assert_eq!(kept.spend("a", 30), []);
    kept.submit(&key(1), &[Said::body(Body::Policy(policy()))]).unwrap();
    kept.open();
    assert_eq!(kept.spend("a", 10), COUNT);
    assert_eq!(kept.spend("b", 11), SUM);
    kept.clock.pass(WINDOW / 2 - 1);
    kept.open();
    assert_eq!(kept.spend("b", 11), SUM);
    kept.clock.pass(1);
    kept.open();
    assert_eq!(kept.spend("a", 70), []);
    assert_eq!(kept.spend("a", 1), [Reason::CountLimit, Reason::SumLimit]);
    kept.end();
}

/// A submission that is refused moves the windows on; then the clock goes back.
#[test]
fn nothing_lands_at_a_time_for_which_limits_have_forgotten() {
    let mut kept = Kept::new();
    assert_eq!(kept.spend("a", 100), []);
    kept.clock.pass(2 * WINDOW);
    let refused = kept.submit(&key(3), &[Said::Spends("b", 1), Said::Again]);
    assert!(matches!(refused, Err(SubmitError::Refused { .. })));
    kept.clock.pass(-2 * WINDOW + 1);
    // Either answer is right for its time; the verifier knows for which time it was given.
    kept.spend("b", 1);
    kept.end();
}
