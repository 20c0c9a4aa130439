//! Random policies, scopes and decisions, from few names, so that they meet.

use counterfoil_format::body::{Role, Scope};
use counterfoil_format::content::{Actors, Effect, Evidence, Judge, Subject, Undo};
use counterfoil_format::intent::{IntentId, Kind, Micros, Mode, Tier};
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::policy::{
    ActionRule, Class, Floor, Lifecycle, Limit, MetricFloor, Move, Per, PolicyBody, Reach, SumLimit, Writers,
};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::{Draft, DraftOp};
use counterfoil_tests::rng::Rng;

pub const ACTIONS: [&str; 6] = ["ad.pause", "ad.scale", "mail.send", "price.set", "stock.buy", "stock.sell"];
const PATTERNS: [&str; 9] =
    ["*", "ad.*", "ad.s*", "ad.scale", "mail.send", "price.*", "price.set", "stock.*", "stock.sell"];
pub const METRICS: [&str; 3] = ["ctr", "margin", "views"];
const ENTITIES: [Option<&str>; 4] = [None, Some("sku-1"), Some("sku-1"), Some("sku-2")];
const STAGES: [&str; 3] = ["", "live", "test"];
/// Short and long windows beside a clock that moves by tens of microseconds.
const WINDOWS: [Micros; 4] = [40, 300, 2_000, 50_000];

pub fn pick<T: Copy>(rng: &mut Rng, items: &[T]) -> T {
    items[rng.place(items.len())]
}

/// Once in so many times.
pub fn once_in(rng: &mut Rng, times: u64) -> bool {
    rng.below(times) == 0
}

fn maybe<T>(rng: &mut Rng, times: u64, draw: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    once_in(rng, times).then(|| draw(rng))
}

pub fn number(rng: &mut Rng) -> Decimal {
    Decimal { mantissa: i128::from(rng.below(80)) - 8, scale: u8::try_from(rng.below(3)).unwrap() }
}

pub fn tier(rng: &mut Rng) -> Tier {
    pick(rng, &[Tier::Unstated, Tier::A, Tier::A, Tier::B, Tier::B, Tier::C])
}

fn rule(rng: &mut Rng, pattern: &'static str) -> ActionRule<'static> {
    let mut metrics = Vec::new();
    for metric in METRICS {
        let floor = if once_in(rng, 2) { Floor::Calibrated } else { Floor::Fixed(number(rng)) };
        metrics.extend(maybe(rng, 14, |_| MetricFloor { metric, floor }));
    }
    let reaches = [Reach::Exact, Reach::Declared, Reach::Window, Reach::Compensating];
    ActionRule {
        pattern,
        live: !once_in(rng, 16),
        class: Class::Soft,
        tier: if once_in(rng, 5) { tier(rng) } else { Tier::Unstated },
        judge_floor: maybe(rng, 8, |rng| 100_000 * u32::try_from(rng.below(11)).unwrap()),
        attested: once_in(rng, 12),
        reach: maybe(rng, 6, |rng| pick(rng, &reaches)).unwrap_or(Reach::Never),
        proven: maybe(rng, 6, |rng| pick(rng, &WINDOWS)),
        metrics,
    }
}

fn limit(rng: &mut Rng) -> Limit<'static> {
    let most =
        |rng: &mut Rng| Decimal { mantissa: i128::from(rng.below(90)), scale: u8::from(once_in(rng, 3)) };
    let sum = maybe(rng, 2, |rng| SumLimit {
        field: pick(rng, &["cost", "spend", "spend", "spend"]),
        most: most(rng),
    });
    let count = match &sum {
        Some(_) if !once_in(rng, 3) => None,
        _ => Some(1 + u32::try_from(rng.below(4)).unwrap()),
    };
    let per = if once_in(rng, 2) { Per::Entity } else { Per::Store };
    Limit { actions: pick(rng, &PATTERNS), per, window: pick(rng, &WINDOWS), count, sum }
}

/// A policy; often one that keeps limits of the one before.
pub fn policy(rng: &mut Rng, before: Option<&PolicyBody<'static>>) -> PolicyBody<'static> {
    let patterns = PATTERNS.into_iter().filter(|_| rng.below(3) > 0).collect::<Vec<_>>();
    let actions = patterns.into_iter().map(|pattern| rule(rng, pattern)).collect();
    let mut limits: Vec<Limit<'static>> = (0..rng.below(3)).map(|_| limit(rng)).collect();
    limits.extend(before.into_iter().flat_map(|before| before.limits.clone()).filter(|_| !once_in(rng, 4)));
    let order =
        |limit: &Limit<'static>| (limit.actions, limit.per, limit.window, limit.sum.map(|sum| sum.field));
    limits.sort_by_key(order);
    limits.dedup_by_key(|limit| order(limit));
    limits.truncate(6);
    let mut moves: Vec<Move<'static>> = STAGES
        .into_iter()
        .flat_map(|from| STAGES.map(|to| Move { from, to }))
        .filter(|moved| moved.from != moved.to && !once_in(rng, 3))
        .collect();
    moves.sort();
    let lifecycle = Some(Lifecycle { stages: STAGES[1..].to_vec(), moves });
    let writers = maybe(rng, 3, |_| Writers {
        kind: Kind::Evidence,
        roles: Role::Executor.bit() | Role::Operator.bit(),
    });
    PolicyBody {
        writers: writers.into_iter().collect(),
        separation: once_in(rng, 2),
        actions,
        lifecycle: lifecycle.filter(|lifecycle| !lifecycle.moves.is_empty() && once_in(rng, 3)),
        limits,
        drill_period: maybe(rng, 2, |_| 1 << 50),
        ..PolicyBody::open(4096 + rng.below(30_000))
    }
}

/// A scope that often has what is decided.
pub fn scope(rng: &mut Rng, now: Micros) -> Scope<'static> {
    let actions = PATTERNS.into_iter().filter(|_| once_in(rng, 2)).collect::<Vec<_>>();
    let prefixes = ["ad/", "lifecycle/sku-1", "price/", "s"];
    let prefixes = prefixes.into_iter().filter(|_| !once_in(rng, 3)).collect::<Vec<_>>();
    let (early, late) = (now + rng.below(100).cast_signed() - 50, now + 60 + rng.below(3_000).cast_signed());
    Scope {
        actions: if once_in(rng, 2) { actions } else { Vec::new() },
        prefixes: if once_in(rng, 2) { prefixes } else { Vec::new() },
        from: maybe(rng, 3, |_| early),
        until: maybe(rng, 3, |_| late),
    }
}

/// A decision that owns what it says.
#[derive(Debug, Clone)]
pub struct Wish {
    pub id: IntentId,
    pub action: &'static str,
    pub tier: Tier,
    pub mode: Mode,
    pub entity: Option<&'static str>,
    pub planner: &'static str,
    pub judge: Option<(&'static str, u32)>,
    pub evidence: Vec<u64>,
    ops: Vec<WishOp>,
    effects: Vec<(Value, u64, Micros)>,
}

#[derive(Debug, Clone)]
enum WishOp {
    Put(&'static str, Value),
    Change(&'static str, Guard<'static>, Change<'static>),
}

fn op(rng: &mut Rng) -> WishOp {
    let counters = ["ad/spend", "spend", "stock/sku-1"];
    let values = ["price/sku-1", "price/spend"];
    let odd = once_in(rng, 25);
    let counter = pick(rng, if odd { &values } else { &counters[..] });
    let value = pick(rng, if odd { &counters } else { &values[..] });
    let amount = |rng: &mut Rng| match rng.below(6) {
        0 => Value::Text("much".into()),
        1 => Value::Decimal(Decimal { mantissa: i128::from(rng.below(100)) * 2 - 99, scale: 1 }),
        _ => Value::Int(rng.below(30).cast_signed() - 10),
    };
    let guard = match rng.below(40) {
        0 => Guard::Absent,
        1 => Guard::Counter(rng.below(3).cast_signed()),
        2 => Guard::Stage("live"),
        _ => Guard::None,
    };
    match rng.below(24) {
        0 => WishOp::Change(value, guard, Change::Delete),
        1 if once_in(rng, 3) => WishOp::Change("stock/sku-1", Guard::None, Change::Add(i64::MAX)),
        2..5 => WishOp::Change(pick(rng, &["sku-1", "sku-2"]), guard, Change::Transition(pick(rng, &STAGES))),
        5..8 => {
            let field = pick(rng, &["cost", "spend"]);
            WishOp::Put(value, Value::Map([(field.to_owned(), amount(rng))].into()))
        }
        8..10 => WishOp::Put(value, amount(rng)),
        _ => WishOp::Change(counter, guard, Change::Add(1 + rng.below(9).cast_signed())),
    }
}

/// A decision that may rest on these rows.
pub fn wish(rng: &mut Rng, now: Micros, readings: &[u64]) -> Wish {
    let judge = maybe(rng, 2, |rng| {
        (
            pick(rng, &["judge", "judge", "judge", "judge", "judge", "other"]),
            100_000 * u32::try_from(rng.below(11)).unwrap(),
        )
    });
    let mut evidence: Vec<u64> =
        (0..rng.below(5)).filter_map(|_| readings.get(rng.place(readings.len().max(1))).copied()).collect();
    evidence.extend(maybe(rng, 8, |rng| rng.below(4)));
    let effects = (0..rng.below(6).saturating_sub(3)).map(|_| {
        let spend = Value::Map([("spend".to_owned(), Value::Int(rng.below(20).cast_signed()))].into());
        let request = if once_in(rng, 2) { spend } else { Value::Null };
        (request, rng.below(5), now + rng.below(60).cast_signed())
    });
    Wish {
        effects: effects.collect(),
        id: IntentId(rng.bytes()),
        action: pick(rng, &ACTIONS),
        tier: tier(rng),
        mode: if once_in(rng, 6) { Mode::DryRun } else { Mode::Live },
        entity: pick(rng, &ENTITIES),
        planner: pick(rng, &["", "judge", "planner", "planner", "planner", "planner"]),
        judge,
        evidence,
        ops: (0..1 + rng.below(3)).map(|_| op(rng)).collect(),
    }
}

impl Wish {
    /// The draft, with the encoded requests of its effects.
    pub fn draft<'d>(&'d self, requests: &'d [Vec<u8>], now: Micros) -> Draft<'d> {
        let judge = self.judge.map(|(by, score)| Judge { by, score, attestation: None });
        let undo = |kind, request, until| match kind {
            0 => Undo::Never,
            1 => Undo::Compensate(request),
            2 => Undo::Until(request, until),
            _ => Undo::Request(request),
        };
        let effects = self.effects.iter().zip(requests);
        Draft {
            tier: self.tier,
            mode: self.mode,
            subject: self.entity.map(|entity| Subject { entity, lifecycle: None }),
            actors: Some(Actors { planner: self.planner, judge, executor: "agent" }),
            evidence: self.evidence.iter().map(|row| Evidence::Row(*row)).collect(),
            ops: self.ops.iter().map(WishOp::draft).collect(),
            effects: effects
                .map(|((_, kind, until), request)| Effect {
                    adapter: "shop",
                    request,
                    undo: undo(*kind, request, *until),
                })
                .collect(),
            ..Draft::decision(self.id, self.action, now)
        }
    }

    /// The encoded requests of its effects.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.effects.iter().map(|(request, ..)| request.encode().unwrap()).collect()
    }
}

impl WishOp {
    fn draft(&self) -> DraftOp<'_> {
        match self {
            WishOp::Put(key, value) => DraftOp::Put(key, value),
            WishOp::Change(key, guard, change) => DraftOp::Stored(Op { key, guard: *guard, change: *change }),
        }
    }
}
