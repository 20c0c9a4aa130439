//! Rollbacks, cascades, what is left to later rows, restores and redos, against an oracle that replays from scratch.
//!
//! The oracle knows of each decision on which keys it stands, and carries out the operations that stand, in the order of rows,
//! key by key. After whatever was taken back or brought back the state is what that gives, keys that no plan names have not
//! changed, and no smaller set of rows than a cascade's would have done. What is refused alone is held to be needed only where nothing
//! is taken back in part, and that nothing comes back only of cascades of decisions in force.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

#[path = "undo_model/oracle.rs"]
mod oracle;

use counterfoil_format::body::{Body, Manner, RollbackOf};
use counterfoil_format::intent::IntentId;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::decode_ops;
use counterfoil_ledger::{Draft, DraftOp, Log, ReadError, now};
use counterfoil_replay::in_part::InPart;
use counterfoil_replay::plan::{
    Later, Outside, Plan, PlanError, Reversal, in_force, plan_restore, plan_rollback, preview,
};
use counterfoil_replay::state::{PastState, state_after};
use counterfoil_tests::past::Rows;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::Shop;
use counterfoil_verifier::{Options, Verdict, verify};
use oracle::{Oracle, PlainOp, State, plain};
use std::collections::BTreeSet;

/// There are no effects.
const OUTSIDE: Outside = Outside { called: true, at: 0 };

/// A ledger and its oracle.
struct Pair {
    shop: Shop,
    oracle: Oracle,
    /// The state after each row, as it was.
    after: Vec<State>,
    /// How many rows there were when nothing was half done.
    moments: Vec<u64>,
    rng: Rng,
    told: Told,
    /// What was done, for whoever has to find out why it went wrong.
    story: Vec<String>,
}

/// What was tried.
#[derive(Debug, Default)]
struct Told {
    exact: usize,
    cascades: usize,
    kept: usize,
    restores: usize,
    redos: usize,
    smaller: usize,
    needed: usize,
    whole: usize,
    several: usize,
}

impl Pair {
    fn log(&self) -> &Log {
        self.shop.ledger.log()
    }

    fn state(&self) -> PastState {
        state_after(&Rows::of(self.log()), self.log().head().size).unwrap()
    }

    /// Lands a decision of a few operations.
    fn decide(&mut self) {
        let state = plain(&self.state());
        let ops: Vec<PlainOp> =
            (0..=self.rng.below(2)).map(|_| PlainOp::random(&mut self.rng, &state)).collect();
        let mut draft = Draft::decision(IntentId(self.rng.bytes()), "DO", now());
        draft.ops = ops.iter().map(PlainOp::draft).collect();
        let receipt = self.shop.land(&self.shop.keys.executor, &[draft]).unwrap().remove(0);
        if receipt.outcome == Outcome::Applied {
            self.story.push(format!("{}: {ops:?}", receipt.seq));
            self.oracle.decide(receipt.seq, ops);
        }
        self.note();
    }

    /// The state is the oracle's after every row.
    fn note(&mut self) {
        let state = plain(&self.state());
        let expected = self.oracle.state();
        assert_eq!(Some(&state), expected.as_ref(), "what stands, from scratch: {}", self.story.join("\n"));
        while (self.after.len() as u64) < self.log().head().size {
            self.after.push(state.clone());
        }
        self.moments.push(self.after.len() as u64);
    }

    /// Lands a plan, row by row. Keys that it does not name keep what they hold.
    fn land(&mut self, plan: &Plan) {
        let before = plain(&self.state());
        let (shown, then) = preview(&Rows::of(self.log()), plan, 0).unwrap();
        for reversal in &plan.reversals {
            let body = RollbackOf {
                target: reversal.target,
                target_hash: reversal.target_hash,
                manner: reversal.manner,
                effects: Vec::new(),
            };
            let mut draft = Draft::with_body(IntentId(self.rng.bytes()), Body::Rollback(body), now());
            draft.ops = decode_ops(&reversal.ops).unwrap().into_iter().map(DraftOp::Stored).collect();
            let receipt = self.shop.land(&self.shop.keys.operator, &[draft]).unwrap().remove(0);
            assert_eq!(receipt.outcome, Outcome::Applied, "{reversal:?} {:?}", receipt.reasons);
            let Reversal { target, manner, keys, .. } = reversal;
            self.story.push(format!("{}: takes back {target}, {manner}: {keys:?}", receipt.seq));
            self.oracle.roll_back(receipt.seq, reversal.target, &reversal.keys);
            self.after.push(plain(&self.state()));
        }
        self.note();
        let (now, named) = (plain(&self.state()), named(plan));
        for key in before.keys().chain(now.keys()).filter(|key| !named.contains(*key)) {
            assert_eq!(before.get(key), now.get(key), "{key} is not named by {plan:?}");
        }
        // The preview has told what came of it.
        for key in &named {
            assert_eq!(plain(&shown).get(key), before.get(key), "{key} before");
            assert_eq!(plain(&then).get(key), now.get(key), "{key} after");
        }
    }

    fn plan(&self, row: u64, later: Later) -> Result<Plan, PlanError<ReadError>> {
        plan_rollback(&Rows::of(self.log()), &self.shop.ledger.governance(), &[row], later, OUTSIDE)
    }

    /// Takes a random row back: alone if nothing builds on it, else with all that does, or but for what later rows touch.
    fn roll_back(&mut self) {
        let row = self.rng.below(self.log().head().size);
        let is_redo = self.shop.ledger.governance().target_of(row).is_some();
        let alone = self.plan(row, Later::Refuse);
        match alone {
            Ok(plan) => {
                assert_eq!(plan.reversals.len(), 1);
                // Nothing builds on it, so a cascade is the same, and so is what is left to later rows.
                assert_eq!(self.plan(row, Later::Cascade).unwrap(), plan);
                assert_eq!(self.plan(row, Later::Keep).unwrap(), plan);
                if preview(&Rows::of(self.log()), &plan, 0).is_err() {
                    return;
                }
                self.story.push(format!("row {row} alone"));
                self.land(&plan);
                self.told.exact += 1;
                self.told.redos += usize::from(is_redo);
            }
            Err(PlanError::Dependants(_) | PlanError::InPart { .. }) if self.rng.below(3) == 0 => {
                self.keep_later(row);
            }
            Err(PlanError::Dependants(_)) => {
                if !is_redo && self.log().inexact_rollbacks().unwrap().is_empty() {
                    self.oracle.check_needed(row);
                    self.told.needed += 1;
                }
                self.cascade(&[row]);
            }
            Err(_) => {}
        }
    }

    /// Takes rows back with all that builds on them.
    fn cascade(&mut self, rows: &[u64]) {
        let governance = self.shop.ledger.governance();
        let plan = || plan_rollback(&Rows::of(self.log()), &governance, rows, Later::Cascade, OUTSIDE);
        let Ok(found) = plan() else { return };
        assert_eq!(plan().unwrap(), found, "plans are the same each time");
        let targets: Vec<u64> = found.reversals.iter().map(|reversal| reversal.target).collect();
        assert!(targets.is_sorted_by(|left, right| left > right), "newest first: {targets:?}");
        let decisions = targets.iter().all(|target| governance.target_of(*target).is_none());
        if decisions {
            self.told.smaller += self.oracle.check_minimal(rows, &targets);
        }
        match preview(&Rows::of(self.log()), &found, 0) {
            Ok(_) => {}
            Err(error) => return assert!(!decisions, "{rows:?}: {error}: {}", self.story.join("\n")),
        }
        self.story.push(format!("all that builds on {rows:?}"));
        let before = self.oracle.standing();
        self.land(&found);
        // Of decisions, nothing is brought back by that.
        if rows.iter().all(|row| governance.target_of(*row).is_none()) {
            let after = self.oracle.standing();
            assert!(after.is_subset(&before), "{rows:?}: {}", self.story.join("\n"));
        }
        self.told.cascades += 1;
        self.told.several += usize::from(rows.len() > 1);
    }

    /// Takes some decisions in force back, with all that builds on them.
    fn cascade_of_some(&mut self) {
        let governance = self.shop.ledger.governance();
        let size = self.log().head().size;
        let rows: BTreeSet<u64> = (0..4).map(|_| size - 1 - self.rng.below(size.min(40))).collect();
        let decided = |row: &u64| self.oracle.has_decided(*row) && governance.undone_by(*row).is_none();
        let rows: Vec<u64> = rows.into_iter().filter(decided).collect();
        if !rows.is_empty() {
            self.cascade(&rows);
        }
    }

    fn keep_later(&mut self, row: u64) {
        let plan = match self.plan(row, Later::Keep) {
            Ok(plan) => plan,
            Err(PlanError::NothingLeft { .. } | PlanError::InPart { .. } | PlanError::Unsound { .. }) => {
                return;
            }
            Err(error) => panic!("row {row}: {error}"),
        };
        let [reversal] = plan.reversals.as_slice() else { panic!("{plan:?}") };
        assert_eq!(reversal.manner, Manner::Partial);
        for (key, by) in &reversal.left {
            let by = by.unwrap();
            assert!(self.oracle.touches(by, key) && by > row, "{plan:?}");
            let governance = self.shop.ledger.governance();
            let decisions = [row, by].iter().all(|row| governance.target_of(*row).is_none());
            let both_add = decisions && self.oracle.only_adds(row, key) && self.oracle.only_adds(by, key);
            assert!(!both_add, "{key} can be put back: {plan:?}");
        }
        if preview(&Rows::of(self.log()), &plan, 0).is_ok() {
            self.story.push(format!("row {row} but for what came later"));
            self.land(&plan);
            self.told.kept += 1;
        }
    }

    /// Takes back all that is left of a decision that stands in part, with what builds on that.
    fn take_whole(&mut self) {
        let governance = self.shop.ledger.governance();
        let rows = Rows::of(self.log());
        let in_part = InPart::of(&rows, &governance).unwrap();
        let row = self.rng.below(self.after.len() as u64);
        let Some(whole) = in_part.whole(&governance, row).filter(|_| governance.target_of(row).is_none())
        else {
            return;
        };
        let plan = plan_rollback(&Rows::of(self.log()), &governance, &whole, Later::Cascade, OUTSIDE);
        // By themselves they can be taken back in this order, whatever builds on them.
        let sorted: Vec<u64> = whole.iter().copied().collect::<BTreeSet<u64>>().into_iter().collect();
        assert_eq!(in_force(&governance, self.log().head().size, &whole), sorted, "for row {row}");
        let plan = match plan {
            Ok(plan) => plan,
            Err(PlanError::InPart { row: found, .. }) => return assert_ne!(found, row, "{whole:?}"),
            Err(_) => return,
        };
        if preview(&Rows::of(self.log()), &plan, 0).is_err() {
            return;
        }
        self.story.push(format!("all that is left of row {row}"));
        self.land(&plan);
        assert_eq!(self.oracle.stands_on(row), 0, "row {row}: {}", self.story.join("\n"));
        self.told.whole += 1;
    }

    /// Puts all keys, or those of one kind, back to what they were.
    fn restore(&mut self) {
        let recent = self.rng.place(self.moments.len().min(30));
        let to = self.moments[self.moments.len() - 1 - recent];
        let prefix = ["", "", "a", "n"][self.rng.place(4)];
        let governance = self.shop.ledger.governance();
        let plan = match plan_restore(&Rows::of(self.log()), &governance, to, prefix, OUTSIDE) {
            // A row of the prefix was taken back in part, on other keys.
            Err(PlanError::NotInForce { .. } | PlanError::InPart { .. }) if !prefix.is_empty() => return,
            plan => plan.unwrap(),
        };
        if !prefix.is_empty() && preview(&Rows::of(self.log()), &plan, 0).is_err() {
            return;
        }
        let before = plain(&self.state());
        self.story.push(format!("restored to {to} rows for {prefix:?}"));
        self.land(&plan);
        let (now, then) = (plain(&self.state()), &self.after[usize::try_from(to).unwrap() - 1]);
        for key in before.keys().chain(now.keys()).chain(then.keys()) {
            let expected = if key.starts_with(prefix) { then.get(key) } else { before.get(key) };
            assert_eq!(now.get(key), expected, "{key}, restored to {to} rows for {prefix:?}");
        }
        self.told.restores += 1;
    }
}

fn named(plan: &Plan) -> BTreeSet<String> {
    plan.reversals.iter().flat_map(|reversal| reversal.keys.iter().cloned()).collect()
}

#[test]
fn what_is_taken_back_is_as_if_it_had_never_been() {
    let rounds: u64 = std::env::var("COUNTERFOIL_ROUNDS").map_or(30, |rounds| rounds.parse().unwrap());
    let mut sum = Told::default();
    let mut rng = Rng::of_this_run();
    for _ in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop");
        let shop = Shop::begin(&path, 1 << 20);
        let size = usize::try_from(shop.ledger.log().head().size).unwrap();
        let mut pair = Pair {
            shop,
            oracle: Oracle::default(),
            after: vec![State::new(); size],
            moments: vec![size as u64],
            rng: Rng::new(rng.below(u64::MAX)),
            told: Told::default(),
            story: Vec::new(),
        };
        for _ in 0..120 {
            match pair.rng.below(12) {
                0 => pair.restore(),
                11 => (0..10).for_each(|_| pair.take_whole()),
                1..3 => pair.roll_back(),
                3 => pair.cascade_of_some(),
                _ => pair.decide(),
            }
        }
        drop(pair.shop);
        let report = verify(&path, &Options::default(), &|_, _| {}).unwrap();
        assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
        let told = pair.told;
        sum.exact += told.exact;
        sum.cascades += told.cascades;
        sum.kept += told.kept;
        sum.restores += told.restores;
        sum.redos += told.redos;
        sum.smaller += told.smaller;
        sum.needed += told.needed;
        sum.whole += told.whole;
        sum.several += told.several;
    }
    println!("{sum:?}");
    let Told { exact, cascades, kept, restores, redos, smaller, needed, whole, several } = sum;
    let counts = [exact, cascades, kept, restores, redos, smaller, needed, whole, several];
    assert!(counts.iter().all(|count| *count > 0), "{sum:?}");
}
