//! Plans that do not land whole, and plans made in two ways.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use super::*;
use crate::exit::{REFUSED, status_of};
use crate::past::Past;
use crate::place::Place;
use counterfoil_format::Hash;
use counterfoil_format::body::EffectStatus;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::Change;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Log, ReadError};
use counterfoil_replay::history::{History, Touch};
use counterfoil_replay::plan::{Dependant, Later, Outside, PlanError, plan_restore, plan_rollback, preview};
use counterfoil_replay::state::state_after;
use counterfoil_rules::governance::Governance;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::ops::{ControlFlow, Range};
use tempfile::TempDir;

/// A ledger that has just begun, with its executor and operator.
struct Begun {
    _dir: TempDir,
    place: Place,
    log: Log,
    executor: NamedKey,
    operator: NamedKey,
}

/// There are no effects.
const OUTSIDE: Outside = Outside { called: true, at: 0 };

impl Begun {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        crate::init::found(
            &crate::init::Args::new("example.com/shop", "open"),
            dir.path(),
            &counterfoil_ledger::Platform::default(),
        )
        .unwrap();
        let place = Place::find(Some(dir.path())).unwrap();
        let log = place.log().unwrap();
        let key = |kind| place.keys().author(&log.governance().unwrap(), None, kind).unwrap();
        Begun { executor: key(Kind::Decision), operator: key(Kind::Rollback), log, place, _dir: dir }
    }

    /// Lands decisions, each with these operations.
    fn decide(&self, rows: &[Vec<DraftOp<'_>>]) {
        for rows in rows.chunks(SUBMISSION_ROWS) {
            let mut builder = SubmissionBuilder::new(&self.executor.key).unwrap();
            for ops in rows {
                let mut draft = Draft::decision(random_id(now()).unwrap(), "DO", now());
                draft.ops.clone_from(ops);
                builder.push(&draft).unwrap();
            }
            let lander = Lander::begin(&self.place).unwrap();
            lander.land(builder.sign(self.log.ledger_id()).unwrap()).unwrap();
            lander.end().unwrap();
        }
    }

    fn past(&self) -> Past<'_> {
        self.log.refresh().unwrap();
        Past::of(&self.log)
    }

    fn digest(&self) -> Hash {
        state_after(&self.past(), self.past().size()).unwrap().digest()
    }

    fn again(&self) -> Again {
        Again::with(&self.place, "restore --to 3", true)
    }

    fn land(&self, plan: &Plan) -> Result<Vec<Landed>> {
        let lander = Lander::begin(&self.place)?;
        let saying = Saying { reason: "a test", redo: false };
        let landed = land(&lander, &self.operator, &saying, plan, &self.again())?;
        lander.end()?;
        Ok(landed)
    }

    fn governance(&self) -> Governance {
        self.log.refresh().unwrap();
        self.log.governance().unwrap()
    }

    fn restore_plan(&self, to: u64) -> Plan {
        plan_restore(&self.past(), &self.governance(), to + 1, "", OUTSIDE).unwrap()
    }
}

#[test]
fn a_landing_that_is_broken_off_says_what_landed_and_how_to_go_on() {
    let begun = Begun::new();
    begun.decide(&vec![vec![DraftOp::Add("n", 1)]; 4200]);
    let (full, head) = (begun.digest(), begun.past().size() - 1);
    let mut plan = begun.restore_plan(3);
    // Of the second submission, the fifth row names a hash that no row has.
    plan.reversals[SUBMISSION_ROWS + 4].target_hash = Hash::ZERO;
    let target = plan.reversals[SUBMISSION_ROWS + 4].target;
    let error = begun.land(&plan).unwrap_err();
    assert_eq!(status_of(&error), REFUSED);
    let said = format!("{error:#}");
    let (first, last) = (head + 1, head + SUBMISSION_ROWS as u64);
    for words in [
        format!("4096 of 4200 rows are taken back, by rows {first} to {last}, and the other 104 are not"),
        format!("row {target} cannot be taken back: row {target} has another hash"),
        format!("{} restore --to {head} --apply", begun.place.command()),
        format!("to go on with the rest: {} restore --to 3 --apply", begun.place.command()),
    ] {
        assert!(said.contains(&words), "{words:?} is not in {said}");
    }
    assert!(!said.contains("intent "), "{said}");
    assert_eq!(begun.past().size(), last + 1);
    // Both ways that it names lead where it says.
    begun.land(&begun.restore_plan(head)).unwrap();
    assert_eq!(begun.digest(), full);
    begun.land(&begun.restore_plan(3)).unwrap();
    assert_eq!(begun.digest(), state_after(&begun.past(), 4).unwrap().digest());
}

#[test]
fn a_landing_that_is_refused_at_once_says_that_nothing_landed() {
    let begun = Begun::new();
    begun.decide(&vec![vec![DraftOp::Add("n", 1)]; 3]);
    let mut plan = begun.restore_plan(3);
    plan.reversals[1].target_hash = Hash::ZERO;
    let said = format!("{:#}", begun.land(&plan).unwrap_err());
    assert!(said.starts_with("nothing landed: row 5 cannot be taken back: "), "{said}");
    assert_eq!(begun.past().size(), 7);
}

#[test]
fn a_write_in_doubt_is_not_told_as_nothing() {
    let begun = Begun::new();
    begun.decide(&vec![vec![DraftOp::Add("n", 1)]; 3]);
    let plan = begun.restore_plan(3);
    let again = begun.again();
    let receipts = begun.land(&plan).unwrap();
    for landed in [&receipts[..0], &receipts[..1]] {
        let told = |error: SubmitError| {
            format!("{:#}", broken_off(&plan, &again, landed, refused(&plan, landed, error.into())))
        };
        let (failed, poisoned) = (SubmitError::Failed("disk".into()), SubmitError::Poisoned("disk".into()));
        let (doubt, sure) = (told(failed), told(poisoned));
        assert!(doubt.contains("may have landed or not") && !doubt.contains("nothing landed"), "{doubt}");
        assert!(!sure.contains("may have landed"), "{sure}");
    }
}

/// The same rows, whose look-up by key finds so much that reading them all is less work.
struct Scanned<'l>(Past<'l>);

impl History for Scanned<'_> {
    type Error = ReadError;

    fn size(&self) -> u64 {
        self.0.size()
    }

    fn with_row<T>(&self, seq: u64, look: impl FnOnce(&Row<'_>) -> T) -> Result<T, ReadError> {
        self.0.with_row(seq, look)
    }

    fn scan(
        &self,
        range: Range<u64>,
        look: impl FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.0.scan(range, look)
    }

    fn rows_of_key(&self, key: &str, touch: Touch, within: Range<u64>) -> Result<Vec<u64>, ReadError> {
        let found = self.0.rows_of_key(key, touch, within)?;
        Ok(found.into_iter().chain(1 << 40..(1 << 40) + 10_000).collect())
    }

    fn citing(&self, row: u64) -> Result<Vec<u64>, ReadError> {
        self.0.citing(row)
    }

    fn inexact(&self) -> Result<Vec<u64>, ReadError> {
        self.0.inexact()
    }

    fn calling(&self) -> Result<Vec<(u64, Vec<u32>)>, ReadError> {
        self.0.calling()
    }

    fn call(&self, row: u64, effect: u32) -> Result<Option<(u64, EffectStatus)>, ReadError> {
        self.0.call(row, effect)
    }
}

/// What builds on one row, told key by key and row by row.
fn building_on(past: &Past<'_>, governance: &Governance, on: u64) -> Vec<Dependant> {
    let adds = |seq: u64, key: &str| {
        let look = |row: &Row<'_>| {
            let ops = row.ops(PartTag::Ops).unwrap().unwrap_or_default();
            let mut named = ops.iter().filter(|op| op.state_key() == key).peekable();
            let applied = row.landing.outcome == Outcome::Applied && named.peek().is_some();
            applied.then(|| named.all(|op| matches!(op.change, Change::Add(_))))
        };
        past.with_row(seq, look).unwrap()
    };
    let mut found = Vec::new();
    for row in on + 1..past.size() {
        let cancels = governance.target_of(row).is_some_and(|target| target > on);
        if cancels || governance.undone_by(row).is_some() {
            continue;
        }
        for key in KEYS {
            // A rollback touches a key as the decision does at the end of its chain.
            let of = |seq: u64| adds(seq, key).map(|_| adds(governance.base(seq), key) == Some(true));
            if let (Some(first), Some(second)) = (of(on), of(row))
                && !(first && second)
            {
                found.push(Dependant { on, row, key: key.to_owned() });
            }
        }
    }
    found
}

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Lands decisions and takes some rows back, at random.
fn random_history(begun: &Begun, random: &mut StdRng) {
    let below = |random: &mut StdRng, bound: u64| usize::try_from(random.next_u64() % bound).unwrap();
    let value = Value::Int(7);
    for _ in 0..60 {
        if below(random, 3) == 0 {
            let row = below(random, begun.past().size()) as u64;
            let plan = plan_rollback(&begun.past(), &begun.governance(), &[row], Later::Refuse, OUTSIDE);
            if let Ok(plan) = plan {
                begun.land(&plan).unwrap();
            }
            continue;
        }
        let ops = (0..=below(random, 3)).map(|_| {
            let place = below(random, KEYS.len() as u64);
            match below(random, 5) {
                0 => DraftOp::Delete(KEYS[place]),
                1 => DraftOp::Put(KEYS[place], &value),
                2 => DraftOp::Put(KEYS[place % 3], &value),
                _ => DraftOp::Add(KEYS[3 + place % 3], 1),
            }
        });
        begun.decide(&[ops.collect()]);
    }
}

#[test]
fn plans_are_the_same_looked_up_or_read_in_order() {
    let mut random = StdRng::seed_from_u64(7);
    let (mut planned, mut built_on) = (0, 0);
    for _ in 0..5 {
        let begun = Begun::new();
        random_history(&begun, &mut random);
        let (past, scanned, governance) = (begun.past(), Scanned(begun.past()), begun.governance());
        for row in 0..past.size() {
            let plan = plan_rollback(&past, &governance, &[row], Later::Refuse, OUTSIDE);
            let same = plan_rollback(&scanned, &governance, &[row], Later::Refuse, OUTSIDE);
            match (plan, same) {
                (Ok(plan), Ok(same)) => {
                    assert_eq!(plan, same);
                    assert_eq!(building_on(&past, &governance, row), [], "row {row}");
                    assert_eq!(preview(&past, &plan, 0).unwrap(), preview(&scanned, &plan, 0).unwrap());
                    planned += 1;
                }
                (Err(PlanError::Dependants(found)), Err(PlanError::Dependants(same))) => {
                    assert_eq!(found, same);
                    assert_eq!(found, building_on(&past, &governance, row));
                    built_on += 1;
                }
                (Err(error), Err(same)) => assert_eq!(error.to_string(), same.to_string()),
                other => panic!("row {row}: {other:?}"),
            }
            let plan = plan_restore(&past, &governance, row + 1, "", OUTSIDE);
            let same = plan_restore(&scanned, &governance, row + 1, "", OUTSIDE);
            let (plan, same) = (plan.unwrap(), same.unwrap());
            assert_eq!(preview(&past, &plan, 0).unwrap(), preview(&scanned, &same, 0).unwrap());
        }
    }
    assert!(planned > 10 && built_on > 10, "{planned} {built_on}");
}
