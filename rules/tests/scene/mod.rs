//! A decision that nothing stops, and what governs it; each test spoils something of it and asks what becomes of it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses a part of it")]

use counterfoil_format::body::{Body, Calibration, FORMAT_VERSION, Genesis, Reading};
use counterfoil_format::content::{Actors, Attestation, Effect, Evidence, Judge};
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, IntentId, KeyId, Kind, Micros, Mode, Tier};
use counterfoil_format::key::SignatureBytes;
use counterfoil_format::landing::{Outcome, Reason, Reversibility};
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::Slot;
use counterfoil_format::policy::{
    ActionRule, Class, Floor, Lifecycle, Limit, MetricFloor, Move, Per, PolicyBody, Reach, SumLimit,
};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_rules::cited::PutAside;
use counterfoil_rules::gates::Measured;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::land::{Landing, Proposal, Remembered, land};
use counterfoil_rules::limits::Limits;
use counterfoil_rules::state::{Leaf, MapState, StoredValue};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const NOW: Micros = 1_000_000;
pub const WINDOW: Micros = 1_000;
pub const AUTHOR: KeyId = KeyId([1; 8]);
pub const JUDGE: KeyId = KeyId([2; 8]);
pub const ACTION: &str = "price.set";

/// Whole numbers with two digits behind the point.
pub fn cents(mantissa: i128) -> Decimal {
    Decimal { mantissa, scale: 2 }
}

/// A rule that asks for everything there is to ask for.
pub fn strict(pattern: &'static str) -> ActionRule<'static> {
    let floor = |metric, floor| MetricFloor { metric, floor };
    ActionRule {
        pattern,
        live: true,
        class: Class::Hard,
        tier: Tier::B,
        judge_floor: Some(800_000),
        attested: true,
        reach: Reach::Declared,
        proven: Some(WINDOW),
        metrics: vec![
            floor("ctr", Floor::Calibrated),
            floor("margin", Floor::Fixed(cents(25))),
            floor("stock", Floor::Fixed(cents(100))),
        ],
    }
}

/// A limit of three rows and a sum of 100 in `spend`, for each entity.
pub fn limit(actions: &'static str) -> Limit<'static> {
    let sum = SumLimit { field: "spend", most: Decimal { mantissa: 100, scale: 0 } };
    Limit { actions, per: Per::Entity, window: WINDOW, count: Some(3), sum: Some(sum) }
}

/// What an operation does.
#[derive(Debug, Clone)]
pub enum Does {
    Put(Vec<u8>),
    Add(i64),
    Delete,
    Move(&'static str),
}

/// An effect: its request and how it is undone.
#[derive(Debug, Clone)]
pub struct Acts {
    pub request: Value,
    pub undo: Undoes,
}

/// How an effect is undone.
#[derive(Debug, Clone, Copy)]
pub enum Undoes {
    Never,
    Request,
    Until(Micros),
    Compensate,
}

/// A decision that was applied earlier.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub landed_at: Micros,
    pub action: &'static str,
    pub entity: Option<&'static str>,
    pub spend: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct Scene {
    pub policy: PolicyBody<'static>,
    pub engaged: bool,
    pub calibrated: BTreeMap<&'static str, Decimal>,
    /// When the newest recovery drill of each class was held, and whether it passed.
    pub drilled: BTreeMap<&'static str, (Micros, bool)>,
    pub state: MapState,
    pub readings: BTreeMap<u64, Measured>,
    pub earlier: Vec<Earlier>,
    pub approved: Option<PutAside>,
    pub landed_at: Micros,
    pub action: &'static str,
    pub tier: Tier,
    pub mode: Mode,
    pub entity: Option<&'static str>,
    pub planner: &'static str,
    /// Name, score, and the key that signed.
    pub judge: Option<(&'static str, u32, Option<KeyId>)>,
    pub evidence: Vec<u64>,
    pub ops: Vec<(&'static str, Guard<'static>, Does)>,
    pub effects: Vec<Acts>,
}

/// What became of a scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Became {
    pub outcome: Outcome,
    pub reasons: Vec<Reason>,
    pub reversibility: Reversibility,
    pub changes: bool,
}

impl Default for Scene {
    fn default() -> Self {
        let moves = vec![Move { from: "", to: "test" }, Move { from: "test", to: "live" }];
        let policy = PolicyBody {
            separation: true,
            actions: vec![strict(ACTION)],
            lifecycle: Some(Lifecycle { stages: vec!["live", "test"], moves }),
            limits: vec![limit("price.*")],
            ..PolicyBody::open(4096)
        };
        let reading = |metric: &str, value| Measured { metric: metric.to_owned(), entity: None, value };
        let readings = [
            (4, reading("ctr", cents(5))),
            (5, reading("margin", cents(25))),
            (6, reading("stock", cents(100))),
        ];
        let value = Value::Int(1).encode().unwrap();
        let mut state = MapState::default();
        let slot = Slot::Open { salt: [7; 16], bytes: &value };
        state.set("text", Some(Leaf::Value(StoredValue::from_slot(&slot, true))));
        state.set("count", Some(Leaf::Counter(i64::MAX)));
        Scene {
            policy,
            engaged: false,
            calibrated: [("ctr", cents(5))].into(),
            drilled: ["exact", "declared", "window", "compensating"]
                .map(|class| (class, (NOW - WINDOW, true)))
                .into(),
            state,
            readings: readings.into(),
            earlier: Vec::new(),
            approved: None,
            landed_at: NOW,
            action: ACTION,
            tier: Tier::B,
            mode: Mode::Live,
            entity: Some("sku-1"),
            planner: "planner",
            judge: Some(("judge", 800_000, Some(JUDGE))),
            evidence: vec![4, 5, 6],
            ops: vec![
                ("sku-1/spend", Guard::None, Does::Add(10)),
                ("sku-1", Guard::None, Does::Move("test")),
            ],
            effects: vec![Acts { request: Value::Null, undo: Undoes::Request }],
        }
    }
}

impl Scene {
    /// The only rule.
    pub fn rule(&mut self) -> &mut ActionRule<'static> {
        &mut self.policy.actions[0]
    }

    /// Changes something, and yields the scene.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// So many earlier rows of its entity, each of this amount, as new as can be.
    pub fn spent(&mut self, rows: usize, spend: i64) {
        let (action, entity) = (self.action, self.entity);
        let row = || Earlier { landed_at: self.landed_at, action, entity, spend: Some(spend) };
        self.earlier.extend((0..rows).map(|_| row()));
    }

    fn governance(&self) -> Governance {
        let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
        let genesis = Genesis {
            format: FORMAT_VERSION,
            origin: "example.com/shop",
            owner: base.compress().to_bytes(),
            ledger: (base + base).compress().to_bytes(),
            policy: self.policy.clone(),
        };
        genesis.policy.check().unwrap();
        let mut governance = Governance::from_genesis(&genesis, 0).unwrap();
        let in_force = Arc::make_mut(&mut governance.in_force);
        in_force.switch.engaged = self.engaged;
        for (metric, threshold) in &self.calibrated {
            let (rows, threshold) = (vec![2], *threshold);
            let calibration =
                Calibration { metric, action: "", from: 0, upto: 3, quantile: 1, rows, threshold };
            governance.take_in(&Body::Calibration(calibration), 3, 0).unwrap();
        }
        for (class, (landed_at, passed)) in &self.drilled {
            let value = Decimal { mantissa: i128::from(*passed), scale: 0 };
            let reading = Reading { metric: &format!("drill/{class}"), value, source: "" };
            governance.take_in(&Body::Evidence(reading), 3, *landed_at).unwrap();
        }
        governance
    }

    fn proposal<'p>(&'p self, requests: &'p [Vec<u8>]) -> Proposal<'p> {
        let head = IntentHead {
            version: INTENT_VERSION,
            id: IntentId([9; 16]),
            kind: Kind::Decision,
            author: AUTHOR,
            action: self.action,
            tier: self.tier,
            mode: self.mode,
            authored_at: 0,
            parts: 0,
        };
        let signed = |key| Attestation { key, signature: SignatureBytes([0; 64]) };
        let judge = self.judge.map(|(by, score, key)| Judge { by, score, attestation: key.map(signed) });
        let change = |does: &'p Does| match does {
            Does::Put(bytes) => Change::Put(Slot::Open { salt: [8; 16], bytes }),
            Does::Add(delta) => Change::Add(*delta),
            Does::Delete => Change::Delete,
            Does::Move(stage) => Change::Transition(stage),
        };
        let undo = |undo, request| match undo {
            Undoes::Never => counterfoil_format::content::Undo::Never,
            Undoes::Request => counterfoil_format::content::Undo::Request(request),
            Undoes::Until(time) => counterfoil_format::content::Undo::Until(request, time),
            Undoes::Compensate => counterfoil_format::content::Undo::Compensate(request),
        };
        let effects = self.effects.iter().zip(requests);
        Proposal {
            head,
            entity: self.entity,
            actors: Some(Actors { planner: self.planner, judge, executor: "agent" }),
            evidence: self.evidence.iter().map(|row| Evidence::Row(*row)).collect(),
            ops: self
                .ops
                .iter()
                .map(|(key, guard, does)| Op { key, guard: *guard, change: change(does) })
                .collect(),
            effects: effects
                .map(|(acts, request)| Effect { adapter: "shop", request, undo: undo(acts.undo, request) })
                .collect(),
            body: None,
        }
    }

    /// What limits have counted of the earlier rows.
    fn limits(&self, governance: &Governance) -> Limits {
        let mut limits = Limits::default();
        limits.follow(&governance.in_force.policy.limits);
        for row in &self.earlier {
            let ops = row.spend.map(|spend| ("spend", Guard::None, Does::Add(spend)));
            let earlier = Scene {
                action: row.action,
                entity: row.entity,
                ops: ops.into_iter().collect(),
                effects: Vec::new(),
                ..Scene::default()
            };
            let Ok(()) = limits.count(row.action, row.landed_at, &earlier.proposal(&[]), &mut Vec::new());
        }
        limits
    }

    /// Lands it.
    pub fn land(&self) -> Became {
        let governance = self.governance();
        let requests: Vec<_> = self.effects.iter().map(|acts| acts.request.encode().unwrap()).collect();
        let proposal = self.proposal(&requests);
        let place = Landing { seq: 7, landed_at: self.landed_at };
        let mut limits = self.limits(&governance);
        let world = Remembered { state: &self.state, readings: &self.readings };
        let verdict = land(&world, &governance, &mut limits, &proposal, place, self.approved.as_ref());
        let Ok(verdict) = verdict;
        Became {
            outcome: verdict.outcome,
            reasons: verdict.reasons,
            reversibility: verdict.reversibility,
            changes: verdict.applied.is_some(),
        }
    }

    /// The reasons for which it does not land as it asks.
    pub fn reasons(&self) -> Vec<Reason> {
        self.land().reasons
    }
}
