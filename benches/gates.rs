//! What the gates cost a row: `cargo bench -p counterfoil-benches --bench gates`.
//!
//! Deciding one decision under a policy that asks for nothing, under one that asks for a tier and a judge, as most do, and
//! under one that asks for everything: judge, lifecycle, a calibrated floor, counts and sums. The difference to the first is
//! what the gates cost. Signatures are not among it: they are checked before, beside other work.

#![allow(clippy::unwrap_used, reason = "a bench that fails may panic")]

use counterfoil_benches::machine;
use counterfoil_format::body::{Body, Calibration, FORMAT_VERSION, Genesis};
use counterfoil_format::content::{Actors, Evidence, Judge};
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, IntentId, KeyId, Kind, Mode, Tier};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::Slot;
use counterfoil_format::policy::{
    ActionRule, Class, Floor, Lifecycle, Limit, MetricFloor, Move, Per, PolicyBody, Reach, SumLimit,
};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::Signer;
use counterfoil_rules::gates::Measured;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::land::{Landing, Proposal, World, land};
use counterfoil_rules::limits::Limits;
use counterfoil_rules::state::{Leaf, MapState, State};
use counterfoil_tests::shop::Keys;
use criterion::{Criterion, criterion_group, criterion_main};
use std::convert::Infallible;
use std::hint::black_box;

/// A state in which the entity is being tested, and one reading.
struct Shop(MapState);

impl State for Shop {
    type Error = Infallible;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, Infallible> {
        self.0.leaf(key)
    }
}

impl World for Shop {
    fn reading(&self, _: u64) -> Result<Option<Measured>, Infallible> {
        let value = Decimal { mantissa: 21, scale: 1 };
        Ok(Some(Measured { metric: "roas".into(), entity: None, value }))
    }
}

/// Rules for four patterns, all like this one.
fn policy(rule: &ActionRule<'static>) -> PolicyBody<'static> {
    const OTHERS: [&str; 3] = ["A_*", "B_*", "SCALE_*"];
    let mut actions: Vec<_> =
        OTHERS.iter().map(|pattern| ActionRule { pattern, ..rule.clone() }).chain([rule.clone()]).collect();
    actions.sort_by_key(|rule| rule.pattern);
    PolicyBody { actions, separation: true, ..PolicyBody::open(64 << 20) }
}

fn usual() -> PolicyBody<'static> {
    policy(&ActionRule {
        class: Class::Hard,
        tier: Tier::B,
        judge_floor: Some(780_000),
        reach: Reach::Compensating,
        ..ActionRule::open("SCALE_AD")
    })
}

fn everything() -> PolicyBody<'static> {
    let most = Decimal { mantissa: i128::MAX, scale: 2 };
    let limit = |per, window, sum| Limit { actions: "SCALE_AD", per, window, count: Some(u32::MAX), sum };
    let sum = Some(SumLimit { field: "budget", most });
    PolicyBody {
        lifecycle: Some(Lifecycle {
            stages: vec!["scaling", "testing", "winner"],
            moves: vec![Move { from: "testing", to: "winner" }, Move { from: "winner", to: "scaling" }],
        }),
        limits: vec![limit(Per::Store, 3_600_000_000, None), limit(Per::Entity, 86_400_000_000, sum)],
        ..policy(&ActionRule {
            metrics: vec![MetricFloor { metric: "roas", floor: Floor::Calibrated }],
            ..usual().actions.pop().unwrap()
        })
    }
}

/// What governs under a policy, with a calibration.
fn governance(policy: PolicyBody<'_>) -> Governance {
    let keys = Keys::default();
    let (owner, ledger) = (*keys.owner.public().as_bytes(), *keys.ledger.public().as_bytes());
    let genesis = Genesis { format: FORMAT_VERSION, origin: "example.com/shop", owner, ledger, policy };
    let mut governance = Governance::from_genesis(&genesis, 0).unwrap();
    let threshold = Decimal { mantissa: 18, scale: 1 };
    let calibration =
        Calibration { metric: "roas", action: "", from: 0, upto: 2, quantile: 1, rows: vec![1], threshold };
    governance.take_in(&Body::Calibration(calibration), 2, 1).unwrap();
    governance
}

fn gates(c: &mut Criterion) {
    println!("machine: {}", machine());
    let mut state = MapState::default();
    state.set("lifecycle/sku-1", Some(Leaf::Stage("testing".into())));
    let value = Value::Map([("budget".to_owned(), Value::Int(50))].into()).encode().unwrap();
    let put = Change::Put(Slot::Open { salt: [1; 16], bytes: &value });
    let op = |key, change| Op { key, guard: Guard::None, change };
    let judge = Some(Judge { by: "judge-1", score: 870_000, attestation: None });
    let proposal = Proposal {
        head: IntentHead {
            version: INTENT_VERSION,
            id: IntentId([1; 16]),
            kind: Kind::Decision,
            author: KeyId([1; 8]),
            action: "SCALE_AD",
            tier: Tier::A,
            mode: Mode::Live,
            authored_at: 0,
            parts: 0,
        },
        entity: Some("sku-1"),
        actors: Some(Actors { planner: "planner-1", judge, executor: "executor-1" }),
        evidence: vec![Evidence::Row(1)],
        ops: vec![op("ad/sku-1", put), op("sku-1", Change::Transition("winner"))],
        effects: Vec::new(),
        body: None,
    };
    let world = Shop(state);
    for (name, policy) in
        [("nothing", PolicyBody::open(64 << 20)), ("tier and judge", usual()), ("everything", everything())]
    {
        let governance = governance(policy);
        let mut limits = Limits::default();
        limits.follow(&governance.in_force.policy.limits);
        let mut landed_at = 1;
        c.bench_function(&format!("decide a row, the policy asks for {name}"), |b| {
            b.iter(|| {
                landed_at += 1_000_000;
                let place = Landing { seq: 9, landed_at };
                let Ok(verdict) = land(&world, &governance, &mut limits, black_box(&proposal), place, None);
                assert_eq!(verdict.outcome, Outcome::Applied, "{:?}", verdict.reasons);
                let Ok(()) = limits.count("SCALE_AD", landed_at, &proposal, &mut Vec::new());
            });
        });
    }
}

criterion_group!(benches, gates);
criterion_main!(benches);
