//! Effects against a model of the world: random decisions, rollbacks, redos and restores, with and without their effects, while
//! calls fail, get lost, are resumed, tried again and closed.
//!
//! A plan calls for exactly what stands in the world otherwise than the decision shall, each once; nothing is undone that is
//! undone already, or done that stands; and where it is not known what stands, there is no plan.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

#[path = "effects_model/world.rs"]
mod world;

use counterfoil_format::body::{Body, EffectOutcome, EffectStatus, Manner, RollbackOf};
use counterfoil_format::intent::{IntentId, Mode};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::decode_ops;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, DraftOp, OpenCall, ReadError, now};
use counterfoil_replay::effects::Calling;
use counterfoil_replay::plan::{
    Later, Outside, Plan, PlanError, Reversal, plan_restore, plan_rollback, preview,
};
use counterfoil_tests::past::Rows;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::Shop;
use counterfoil_verifier::{Options, Verdict, verify};
use std::collections::{BTreeMap, BTreeSet};
use world::{Real, World};

/// A ledger and the world.
struct Pair {
    shop: Shop,
    world: World,
    /// The calls that have taken place though nobody has said so.
    unsaid: BTreeSet<(u64, u32)>,
    /// How many rows there were when nothing was half done.
    moments: Vec<u64>,
    rng: Rng,
    told: Told,
    story: Vec<String>,
}

/// What was tried.
#[derive(Debug, Default)]
struct Told {
    undone: usize,
    redone: usize,
    /// Plans of several rows about one decision.
    several: usize,
    /// Plans that were refused, since it is not known what stands.
    unresolved: usize,
    /// Calls that were of no use any more.
    moot: usize,
    bare: usize,
    partial: usize,
}

impl Pair {
    fn open_calls(&self) -> Vec<OpenCall> {
        self.shop.ledger.log().open_calls().unwrap()
    }

    fn decide(&mut self) {
        let effects: Vec<Real> = (0..self.rng.below(4)).map(|_| Real::random(&mut self.rng)).collect();
        let value = Value::Int(i64::try_from(self.rng.below(1000)).unwrap());
        let (place, keys) = (self.rng.place(4), ["k1", "k2", "k3", "other"]);
        let mut draft = Draft::decision(IntentId(self.rng.bytes()), "DO", now());
        draft.mode = Mode::Live;
        draft.ops =
            (place..=3.min(place + self.rng.place(2))).map(|key| DraftOp::Put(keys[key], &value)).collect();
        draft.effects = effects.iter().map(Real::draft).collect();
        let landed = self.shop.land(&self.shop.keys.executor, &[draft]).unwrap().remove(0);
        assert_eq!(landed.outcome, Outcome::Applied, "{:?}", landed.reasons);
        self.story.push(format!("{}: {effects:?}", landed.seq));
        self.world.decide(landed.seq, effects);
        for place in 0..self.world.count(landed.seq) {
            let effect = u32::try_from(place).unwrap();
            let took_place = self.rng.below(2) == 0;
            match self.rng.below(8) {
                0 => self.tell(landed.seq, effect, EffectStatus::Done),
                1 => {
                    self.world.did_not_happen(landed.seq, place);
                    self.tell(landed.seq, effect, EffectStatus::Failed);
                }
                2 => {
                    match took_place {
                        true => drop(self.unsaid.insert((landed.seq, effect))),
                        false => self.world.did_not_happen(landed.seq, place),
                    }
                    self.tell(landed.seq, effect, EffectStatus::Unknown);
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, row: u64, effect: u32, status: EffectStatus) {
        let body = Body::Outcome(EffectOutcome { row, effect, status, detail: "" });
        let draft = Draft::with_body(IntentId(self.rng.bytes()), body, now());
        let landed = self.shop.land(&self.shop.keys.operator, &[draft]).unwrap().remove(0);
        assert_eq!(landed.outcome, Outcome::Applied);
        self.story.push(format!("{}: effect {effect} called for by row {row} is {status}", landed.seq));
    }

    /// Makes a call that is said to be about to be made, with what comes of it.
    fn attempt(&mut self, row: u64, effect: u32) {
        let (takes_place, status) = match self.rng.below(12) {
            0..6 => (true, Some(EffectStatus::Done)),
            6..8 => (false, Some(EffectStatus::Failed)),
            8 => (true, Some(EffectStatus::Unknown)),
            9 => (false, Some(EffectStatus::Unknown)),
            // Whoever called is gone.
            10 => (true, None),
            _ => (false, None),
        };
        if takes_place {
            self.world.call(row, effect, &self.story);
            if status != Some(EffectStatus::Done) {
                self.unsaid.insert((row, effect));
            }
        }
        if let Some(status) = status {
            self.tell(row, effect, status);
        }
    }

    /// Goes on with a call that has not ended, as an operator does.
    fn settle(&mut self, open: &OpenCall) {
        let OpenCall { row, effect, status, .. } = *open;
        let governance = self.shop.ledger.governance();
        let calling = Calling::of(&Rows::of(self.shop.ledger.log()), &governance).unwrap();
        let moot = calling.moot(&governance, row, effect).is_some();
        self.told.moot += usize::from(moot);
        match status {
            None if moot => self.tell(row, effect, EffectStatus::Closed),
            Some(EffectStatus::Failed) if moot || self.rng.below(3) == 0 => {
                self.tell(row, effect, EffectStatus::Closed);
            }
            None | Some(EffectStatus::Failed) => {
                self.tell(row, effect, EffectStatus::Intended);
                self.attempt(row, effect);
            }
            _ => {
                if status == Some(EffectStatus::Unknown) {
                    self.tell(row, effect, EffectStatus::Intended);
                }
                match (self.unsaid.remove(&(row, effect)), moot) {
                    (true, _) => self.tell(row, effect, EffectStatus::Done),
                    (false, true) => self.tell(row, effect, EffectStatus::Failed),
                    (false, false) => self.attempt(row, effect),
                }
            }
        }
    }

    fn take_back(&mut self) {
        let mut all = self.world.rows();
        // Mostly about a decision with a call that has not ended.
        let open = self.open_calls();
        if !open.is_empty() && self.rng.below(4) > 0 {
            let base = self.world.base(open[self.rng.place(open.len())].row);
            all.retain(|row| self.world.base(*row) == base);
        }
        let Some(row) = all.get(self.rng.place(all.len().max(1))).copied() else { return };
        // Alone, the newest about the same decision, or with others.
        let (base, some) = (self.world.base(row), 1 + self.rng.place(4));
        let newest = all.into_iter().rev();
        let rows: Vec<u64> = match self.rng.below(3) {
            0 => vec![row],
            1 => newest.filter(|other| self.world.base(*other) == base).take(some).collect(),
            _ => [row].into_iter().chain(newest.take(some)).collect(),
        };
        let later = [Later::Refuse, Later::Cascade, Later::Cascade, Later::Keep][self.rng.place(4)];
        let outside = self.outside();
        let governance = self.shop.ledger.governance();
        let plan = plan_rollback(&Rows::of(self.shop.ledger.log()), &governance, &rows, later, outside);
        self.carry_out(plan, outside);
    }

    fn restore(&mut self) {
        let recent = self.rng.place(self.moments.len().min(8));
        let to = self.moments[self.moments.len() - 1 - recent];
        let prefix = ["", "", "", "k"][self.rng.place(4)];
        let outside = self.outside();
        let governance = self.shop.ledger.governance();
        let plan = plan_restore(&Rows::of(self.shop.ledger.log()), &governance, to, prefix, outside);
        self.carry_out(plan, outside);
    }

    fn outside(&mut self) -> Outside {
        Outside { called: self.rng.below(2) == 0, at: now() }
    }

    fn carry_out(&mut self, plan: Result<Plan, PlanError<ReadError>>, outside: Outside) {
        let plan = match plan {
            Ok(plan) => plan,
            Err(PlanError::Unresolved { row, effect, .. }) => {
                let open =
                    self.open_calls().into_iter().find(|open| (open.row, open.effect) == (row, effect));
                let status = open.map(|open| open.status);
                assert!(outside.called && status.is_some_and(|status| status != Some(EffectStatus::Failed)));
                self.told.unresolved += 1;
                return;
            }
            Err(_) => return,
        };
        if preview(&Rows::of(self.shop.ledger.log()), &plan, 0).is_err() {
            return;
        }
        self.check(&plan, outside);
        let landed: Vec<u64> = plan.reversals.iter().map(|reversal| self.land(reversal)).collect();
        self.told.bare += usize::from(!outside.called);
        let partial = plan.reversals.iter().filter(|reversal| reversal.manner == Manner::Partial);
        self.told.partial += partial.count();
        for (reversal, row) in plan.reversals.iter().zip(landed) {
            for call in reversal.calls_in_order() {
                // Some are not begun.
                if self.rng.below(12) > 0 {
                    self.tell(row, call.effect, EffectStatus::Intended);
                    self.attempt(row, call.effect);
                }
            }
        }
    }

    /// The plan calls for what the world wants, once.
    fn check(&mut self, plan: &Plan, outside: Outside) {
        let open = self.open_calls();
        let mut last = BTreeMap::new();
        for reversal in &plan.reversals {
            if last.insert(self.world.base(reversal.target), reversal.target).is_some() {
                self.told.several += 1;
            }
        }
        for reversal in &plan.reversals {
            let base = self.world.base(reversal.target);
            let settles =
                last[&base] == reversal.target && reversal.manner == Manner::Exact && outside.called;
            let wanted = if settles { self.world.wanted(reversal.target) } else { Vec::new() };
            assert_eq!(reversal.calls, wanted, "{plan:?} {}", self.story.join("\n"));
            let unknown = |open: &&OpenCall| {
                self.world.base(open.row) == base && open.status != Some(EffectStatus::Failed)
            };
            assert_eq!(open.iter().find(unknown).filter(|_| settles), None, "{plan:?}");
        }
    }

    fn land(&mut self, reversal: &Reversal) -> u64 {
        let body = RollbackOf {
            target: reversal.target,
            target_hash: reversal.target_hash,
            manner: reversal.manner,
            effects: reversal.calls.iter().map(|call| call.effect).collect(),
        };
        let mut draft = Draft::with_body(IntentId(self.rng.bytes()), Body::Rollback(body), now());
        let ops = if reversal.ops.is_empty() { Vec::new() } else { decode_ops(&reversal.ops).unwrap() };
        draft.ops = ops.into_iter().map(DraftOp::Stored).collect();
        let landed = self.shop.land(&self.shop.keys.operator, &[draft]).unwrap().remove(0);
        assert_eq!(landed.outcome, Outcome::Applied, "{reversal:?} {:?}", landed.reasons);
        self.story.push(format!("{}: takes back {}, {}", landed.seq, reversal.target, reversal.manner));
        self.world.take_back(landed.seq, reversal.target);
        landed.seq
    }

    /// One act, whatever it is.
    fn act(&mut self) {
        match self.rng.below(10) {
            0..2 => self.decide(),
            2..7 => self.take_back(),
            7 => self.restore(),
            _ => {
                let mut open = self.open_calls();
                if !open.is_empty() {
                    let one = open.swap_remove(self.rng.place(open.len()));
                    self.settle(&one);
                }
            }
        }
        self.moments.push(self.shop.ledger.log().head().size);
    }
}

#[test]
fn the_world_is_as_the_decisions_in_force_want_it_and_nothing_is_called_twice() {
    let rounds: u64 = std::env::var("COUNTERFOIL_ROUNDS").map_or(100, |rounds| rounds.parse().unwrap());
    let mut sum = Told::default();
    let mut rng = Rng::of_this_run();
    for _ in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop");
        let shop = Shop::begin(&path, 1 << 20);
        let mut pair = Pair {
            moments: vec![shop.ledger.log().head().size],
            shop,
            world: World::default(),
            unsaid: BTreeSet::new(),
            rng: Rng::new(rng.below(u64::MAX)),
            told: Told::default(),
            story: Vec::new(),
        };
        for _ in 0..120 {
            pair.act();
        }
        // In the end all is settled, and the verifier finds nothing.
        while let Some(open) = pair.open_calls().first() {
            pair.settle(open);
        }
        drop(pair.shop);
        let report = verify(&path, &Options::default(), &|_, _| {}).unwrap();
        assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
        let (told, [undone, redone]) = (pair.told, pair.world.calls);
        sum.undone += undone;
        sum.redone += redone;
        sum.several += told.several;
        sum.unresolved += told.unresolved;
        sum.moot += told.moot;
        sum.bare += told.bare;
        sum.partial += told.partial;
    }
    println!("{sum:?}");
    let Told { undone, redone, several, unresolved, moot, bare, partial } = sum;
    let counts = [undone, redone, several, unresolved, moot, bare, partial];
    assert!(counts.iter().all(|count| *count > 0), "{sum:?}");
}
