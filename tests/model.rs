//! The whole ledger against a plain map: random appends, rollbacks, restores, redos and reopenings.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_format::body::{Body, Manner, RollbackOf};
use counterfoil_format::intent::{IntentId, Mode};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::decode_ops;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, DraftOp, Receipt, now};
use counterfoil_replay::plan::{Later, Outside, Plan, plan_restore, plan_rollback};
use counterfoil_replay::state::{PastState, state_after};
use counterfoil_rules::state::Leaf;
use counterfoil_tests::past::Rows;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::Shop;
use counterfoil_verifier::{Options, Verdict, verify};
use std::collections::{BTreeMap, BTreeSet};

/// What a key holds, in the simplest terms.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Plain {
    Value(Value),
    Counter(i64),
    Stage(String),
}

type Map = BTreeMap<String, Plain>;

/// The ledger in the simplest terms: the state after each row.
struct Model {
    after: Vec<Map>,
}

impl Model {
    fn now(&self) -> &Map {
        self.after.last().unwrap()
    }
}

#[derive(Debug, Clone)]
enum PlainOp {
    Put(String, Value),
    Delete(String),
    Add(String, i64),
    Transition(String, String),
}

impl PlainOp {
    fn random(rng: &mut Rng) -> Self {
        let key = format!("key/{}", rng.below(6));
        match rng.below(8) {
            0..3 => PlainOp::Put(key, Value::Int(rng.below(100).cast_signed())),
            3 => PlainOp::Delete(key),
            4..6 => PlainOp::Add(format!("count/{}", rng.below(3)), rng.below(9).cast_signed() - 4),
            6 => PlainOp::Add(key, 1),
            _ => {
                let stages = ["", "testing", "winner", "loser"];
                PlainOp::Transition(format!("sku-{}", rng.below(3)), stages[rng.place(4)].into())
            }
        }
    }

    fn draft(&self) -> Option<DraftOp<'_>> {
        Some(match self {
            PlainOp::Put(key, value) => DraftOp::Put(key, value),
            PlainOp::Delete(key) => DraftOp::Delete(key),
            PlainOp::Add(_, 0) => return None,
            PlainOp::Add(key, delta) => DraftOp::Add(key, *delta),
            PlainOp::Transition(entity, stage) => DraftOp::Transition(entity, stage),
        })
    }

    /// What the operation does; `false` when it cannot be done.
    fn apply(&self, map: &mut Map) -> bool {
        match self {
            PlainOp::Put(key, value) => drop(map.insert(key.clone(), Plain::Value(value.clone()))),
            PlainOp::Delete(key) => return map.remove(key).is_some(),
            PlainOp::Add(key, delta) => match map.get(key) {
                None => drop(map.insert(key.clone(), Plain::Counter(*delta))),
                Some(Plain::Counter(number)) if number + delta == 0 => drop(map.remove(key)),
                Some(Plain::Counter(number)) => drop(map.insert(key.clone(), Plain::Counter(number + delta))),
                Some(_) => return false,
            },
            PlainOp::Transition(entity, stage) => {
                let key = format!("lifecycle/{entity}");
                match stage.as_str() {
                    "" => drop(map.remove(&key)),
                    stage => drop(map.insert(key, Plain::Stage(stage.into()))),
                }
            }
        }
        true
    }
}

/// There are no effects.
const OUTSIDE: Outside = Outside { called: true, at: 0 };

fn plain(state: &PastState) -> Map {
    let leaf = |leaf: &Leaf| match leaf {
        Leaf::Value(value) => Plain::Value(Value::decode(&value.open.as_ref().unwrap().bytes).unwrap()),
        Leaf::Counter(number) => Plain::Counter(*number),
        Leaf::Stage(stage) => Plain::Stage(stage.clone()),
    };
    state.with_prefix("").map(|(key, held)| (key.to_owned(), leaf(&held.leaf))).collect()
}

/// Lands one submission of random decisions, and says in the model what must have come of it.
fn decide(shop: &Shop, model: &mut Model, rng: &mut Rng) {
    let count = rng.below(4) + 1;
    let rows: Vec<(Vec<PlainOp>, Mode)> = (0..count)
        .map(|_| {
            let ops = (0..=rng.below(3)).map(|_| PlainOp::random(rng)).collect();
            (ops, if rng.below(5) == 0 { Mode::DryRun } else { Mode::Live })
        })
        .collect();
    let drafts: Vec<Draft<'_>> = rows
        .iter()
        .map(|(ops, mode)| {
            let mut draft = Draft::decision(IntentId(rng.bytes()), "DO", now());
            draft.mode = *mode;
            draft.ops = ops.iter().filter_map(PlainOp::draft).collect();
            draft
        })
        .collect();
    if drafts.iter().any(|draft| draft.ops.is_empty()) {
        return;
    }
    let receipts = shop.land(&shop.keys.executor, &drafts).unwrap();
    for ((ops, mode), receipt) in rows.iter().zip(receipts) {
        let mut map = model.now().clone();
        let mut live = ops.iter().filter(|op| op.draft().is_some());
        let done = live.all(|op| op.apply(&mut map));
        let expected = match mode {
            _ if !done => Outcome::Review,
            Mode::DryRun => Outcome::DryRun,
            Mode::Live => Outcome::Applied,
        };
        assert_eq!(receipt.outcome, expected, "row {}: {ops:?}", receipt.seq);
        let now = if expected == Outcome::Applied { map } else { model.now().clone() };
        assert_eq!(model.after.len() as u64, receipt.seq);
        model.after.push(now);
    }
}

fn land_plan(shop: &Shop, plan: &Plan, rng: &mut Rng) -> Vec<Receipt> {
    let drafts: Vec<Draft<'_>> = plan
        .reversals
        .iter()
        .map(|reversal| {
            let body = RollbackOf {
                target: reversal.target,
                target_hash: reversal.target_hash,
                manner: Manner::Exact,
                effects: Vec::new(),
            };
            let mut draft = Draft::with_body(IntentId(rng.bytes()), Body::Rollback(body), now());
            draft.ops = decode_ops(&reversal.ops).unwrap().into_iter().map(DraftOp::Stored).collect();
            draft
        })
        .collect();
    if drafts.is_empty() { Vec::new() } else { shop.land(&shop.keys.operator, &drafts).unwrap() }
}

/// Takes one random row back. Keys it did not touch keep what they hold; those it touched hold what they held before
/// it, or for adds the sum without it.
fn roll_back(shop: &Shop, model: &mut Model, rng: &mut Rng) -> bool {
    let log = shop.ledger.log();
    let target = rng.below(log.head().size);
    let Ok(plan) =
        plan_rollback(&Rows::of(log), &shop.ledger.governance(), &[target], Later::Refuse, OUTSIDE)
    else {
        return false;
    };
    let touched: BTreeSet<&String> = plan.reversals[0].keys.iter().collect();
    let place = usize::try_from(target).unwrap();
    let (before, after) = (model.after[place - 1].clone(), model.after[place].clone());
    let mut expected = model.now().clone();
    for key in touched {
        let count = |map: &Map| match map.get(key) {
            Some(Plain::Counter(number)) => *number,
            _ => 0,
        };
        let counts = [&before, &after, &expected]
            .map(|map| !matches!(map.get(key), Some(Plain::Value(_) | Plain::Stage(_))));
        if counts == [true; 3] {
            match count(&expected) - (count(&after) - count(&before)) {
                0 => drop(expected.remove(key)),
                number => drop(expected.insert(key.clone(), Plain::Counter(number))),
            }
        } else {
            match before.get(key) {
                Some(held) => drop(expected.insert(key.clone(), held.clone())),
                None => drop(expected.remove(key)),
            }
        }
    }
    let receipts = land_plan(shop, &plan, rng);
    assert_eq!(receipts[0].outcome, Outcome::Applied, "row {target}");
    model.after.push(expected);
    true
}

/// Puts the whole state back to what it was after a random row.
fn restore(shop: &Shop, model: &mut Model, rng: &mut Rng) {
    let log = shop.ledger.log();
    let to = log.head().size - 1 - rng.below(log.head().size.min(60));
    let plan = plan_restore(&Rows::of(log), &shop.ledger.governance(), to + 1, "", OUTSIDE).unwrap();
    let receipts = land_plan(shop, &plan, rng);
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Applied), "to {to}");
    for receipt in &receipts {
        let state = state_after(&Rows::of(log), receipt.seq + 1).unwrap();
        model.after.push(plain(&state));
    }
    assert_eq!(model.now(), &model.after[usize::try_from(to).unwrap()], "restored to {to}");
}

#[test]
fn the_ledger_does_what_a_map_would() {
    let rounds: u64 = std::env::var("COUNTERFOIL_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    let mut rng = Rng::of_this_run();
    let mut rolled_back = 0;
    for _ in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop");
        let mut shop = Shop::begin(&path, 16 << 10);
        let mut model = Model { after: vec![Map::new(); 3] };
        for _ in 0..150 {
            match rng.below(20) {
                0 => {
                    if rng.below(2) == 0 {
                        shop.ledger.close().unwrap();
                    } else {
                        drop(shop);
                    }
                    shop = Shop::open(&path).unwrap();
                }
                1 => restore(&shop, &mut model, &mut rng),
                2..8 => rolled_back += u64::from(roll_back(&shop, &mut model, &mut rng)),
                _ => decide(&shop, &mut model, &mut rng),
            }
            assert_eq!(model.after.len() as u64, shop.ledger.log().head().size);
        }
        check(&shop, &model, &mut rng);
        drop(shop);
        let report = verify(&path, &Options::default(), &|_, _| {}).unwrap();
        assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    }
    println!("{rolled_back} rows taken back");
    assert!(rolled_back > rounds);
}

/// The state now and at random rows, by replay and by the state index.
fn check(shop: &Shop, model: &Model, rng: &mut Rng) {
    let log = shop.ledger.log();
    for _ in 0..20 {
        let size = rng.below(log.head().size) + 1;
        let state = state_after(&Rows::of(log), size).unwrap();
        assert_eq!(plain(&state), model.after[usize::try_from(size).unwrap() - 1], "after {size} rows");
    }
    let state = state_after(&Rows::of(log), log.head().size).unwrap();
    assert_eq!(&plain(&state), model.now());
    for (key, held) in state.with_prefix("") {
        let current = shop.ledger.current(key).unwrap().unwrap();
        assert_eq!((&current.leaf, current.row), (&held.leaf, held.row), "{key}");
    }
    for key in ["key/none", "count/none", "lifecycle/none"] {
        assert_eq!(shop.ledger.current(key).unwrap(), None);
    }
}
