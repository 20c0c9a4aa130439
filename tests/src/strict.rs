//! A shop under a policy that asks for everything, and drafts that it stops for one reason each.

use crate::draft::{ChangeDraft, Draft, Who};
use crate::forge::{EPOCH, Forge};
use crate::founding::Founding;
use crate::output::{Ledger, Sink};
use counterfoil_format::body::{Body, Calibration, KeyChange, KillSwitch, Reading, Role, Scope, SwitchAct};
use counterfoil_format::codec::encode;
use counterfoil_format::content::{Actors, Effect, Evidence, Undo};
use counterfoil_format::intent::{Kind, Micros, Tier};
use counterfoil_format::landing::Reason;
use counterfoil_format::ops::Guard;
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{
    ActionRule, Class, Floor, Lifecycle, Limit, MetricFloor, Move, Per, PolicyBody, Reach, SumLimit, Writers,
};
use counterfoil_format::value::{Decimal, Value};

/// The window of the limits: an hour.
pub const WINDOW: Micros = 3_600_000_000;
/// From drill to drill: a day.
pub const DRILL_PERIOD: Micros = 24 * WINDOW;

/// Small segments, since files in `vectors/` are.
const SEGMENT_BYTES: u64 = 8 << 10;

/// What a judge needs to pass, in parts per million.
pub const JUDGE_FLOOR: u32 = 800_000;

/// A rule that asks for everything that a rule can ask for.
pub fn strict_rule(pattern: &str) -> ActionRule<'_> {
    let floor = |metric, floor| MetricFloor { metric, floor };
    ActionRule {
        class: Class::Hard,
        tier: Tier::B,
        judge_floor: Some(JUDGE_FLOOR),
        attested: true,
        reach: Reach::Declared,
        metrics: vec![
            floor("ctr", Floor::Calibrated),
            floor("depth", Floor::Calibrated),
            floor("margin", Floor::Fixed(Decimal { mantissa: 25, scale: 2 })),
        ],
        ..ActionRule::open(pattern)
    }
}

/// The policy of the shop.
pub fn strict_policy() -> PolicyBody<'static> {
    let limit = |actions, per, count, most| {
        let sum = |most| SumLimit { field: "spend", most: Decimal { mantissa: most, scale: 0 } };
        Limit { actions, per, window: WINDOW, count, sum: Option::map(most, sum) }
    };
    let moves = [("", "test"), ("live", ""), ("test", "live")];
    let planner = Role::Planner.bit() | Role::Executor.bit() | Role::Operator.bit();
    PolicyBody {
        writers: vec![Writers { kind: Kind::Evidence, roles: planner }],
        separation: true,
        actions: vec![
            strict_rule("ad.*"),
            ActionRule { live: false, ..ActionRule::open("gift.*") },
            ActionRule::open("price.*"),
            ActionRule { proven: Some(WINDOW), ..ActionRule::open("proof.*") },
            ActionRule::open("stage.*"),
            ActionRule::open("stock.*"),
        ],
        lifecycle: Some(Lifecycle {
            stages: vec!["live", "test"],
            moves: moves.into_iter().map(|(from, to)| Move { from, to }).collect(),
        }),
        limits: vec![
            limit("ad.*", Per::Store, None, Some(100)),
            limit("stock.*", Per::Entity, Some(2), None),
        ],
        drill_period: Some(DRILL_PERIOD),
        ..PolicyBody::open(SEGMENT_BYTES)
    }
}

/// A shop that has its keys, readings and calibration.
pub struct Strict {
    /// The ledger.
    pub forge: Forge,
    /// The judge, who is enrolled under that name.
    pub judge: Who,
    /// The rows of the readings that a decision of `ad.scale` rests on.
    pub readings: Vec<Evidence<'static>>,
}

impl Strict {
    /// Rows 0 to 3 found it, row 4 enrols the judge, rows 5 to 7 are readings, and row 8 calibrates one metric of two.
    pub fn new(seed: u64) -> Self {
        let policy = Some(strict_policy());
        let founding = Founding { policy, segment_bytes: SEGMENT_BYTES, ..Founding::default() };
        let mut forge = Forge::founded(seed, founding, Sink::memory());
        let judge = forge.new_key();
        let grant = grant(&forge, judge, &[Role::Judge], "judge", Scope::default());
        forge.submit(vec![grant]);
        forge.submit(vec![reading("ctr", 300), reading("depth", 500), reading("margin", 25)]);
        let calibrations = [("ctr", 5, 3), ("depth", 6, 5)].map(|(metric, row, threshold)| {
            let threshold = Decimal { mantissa: threshold, scale: 0 };
            Draft::body(&Body::Calibration(Calibration {
                metric,
                action: "",
                from: EPOCH,
                upto: 8,
                quantile: 500_000,
                rows: vec![row],
                threshold,
            }))
        });
        forge.submit(calibrations.into());
        Strict { forge, judge, readings: [5, 6, 7].map(Evidence::Row).into() }
    }

    /// A decision that meets everything and spends so much.
    pub fn scale(&self, spend: i64) -> Draft {
        let request = Value::Null.encode().unwrap();
        let effect = Effect { adapter: "ads", request: &request, undo: Undo::Request(&request) };
        self.judged("planner", JUDGE_FLOOR)
            .evidence(&self.readings)
            .add("ad/1/spend", spend)
            .effects(&[effect])
    }

    /// A decision of `ad.scale` at tier B under a signed verdict, with nothing done yet.
    pub fn judged(&self, planner: &str, score: u32) -> Draft {
        let draft =
            Draft::decision("ad.scale").subject("ad-1", None).actors(planner, "judge", score, "agent");
        Draft { tier: Tier::B, ..draft }.signed_by(self.judge)
    }

    /// What is stopped for this reason and no other. May write honest rows before it.
    pub fn stopped_by(&mut self, reason: Reason) -> Draft {
        let put = |key: &str| Draft::decision("price.set").put(key, &Value::Int(1990));
        match reason {
            Reason::UnknownAction => Draft::decision("house.sell").add("house/1", -1),
            Reason::LiveNotAllowed => Draft::decision("gift.send").add("gift/1", 1),
            Reason::KillSwitch => {
                let engage = self.forge.switch(SwitchAct::Engage, true);
                self.forge.submit(vec![engage]);
                put("price/1")
            }
            Reason::TierTooLow => Draft { tier: Tier::C, ..self.scale(1) },
            Reason::JudgeMissing => {
                let named = self.scale(1);
                let judged = Draft { judge: None, ..named };
                let actors = Actors { planner: "planner", judge: None, executor: "agent" };
                judged.content(PartTag::Actors, encode(&actors).unwrap())
            }
            Reason::JudgeBelowFloor => self.scale(1).actors("planner", "judge", JUDGE_FLOOR - 1, "agent"),
            Reason::JudgeNotSeparate => self.scale(1).actors("judge", "judge", JUDGE_FLOOR, "agent"),
            Reason::AttestationMissing => Draft { judge: None, ..self.scale(1) },
            Reason::MoveNotAllowed => Draft::decision("stage.move").transition("sku-1", "live"),
            Reason::MetricMissing => self.scale(1).evidence(&self.readings[..2]),
            Reason::MetricUncalibrated => self.uncalibrated(),
            Reason::MetricBelowFloor => {
                let row = self.forge.next_seq;
                self.forge.submit(vec![reading("margin", 24)]);
                let low = [self.readings.as_slice(), &[Evidence::Row(row)]].concat();
                self.scale(1).evidence(&low)
            }
            Reason::CountLimit => {
                let sell = || Draft::decision("stock.sell").subject("sku-1", None).add("stock/sku-1", -1);
                self.forge.submit(vec![sell(), sell()]);
                sell()
            }
            Reason::SumLimit => {
                let spent = self.scale(60);
                self.forge.submit(vec![spent]);
                self.scale(41)
            }
            Reason::Irreversible => {
                let request = Value::Null.encode().unwrap();
                self.scale(1).effects(&[Effect { adapter: "ads", request: &request, undo: Undo::Never }])
            }
            Reason::Unproven => Draft::decision("proof.set").put("proof/1", &Value::Int(1)),
            Reason::GuardFailed => put("price/1").op("price/2", Guard::Counter(3), ChangeDraft::Add(1)),
            Reason::KeyAbsent => put("price/1").delete("price/2"),
            Reason::KindMismatch => put("price/1").add("price/1", 1),
            Reason::CounterOverflow => put("price/1").add("price/2", i64::MAX).add("price/2", 1),
        }
    }

    /// Under a policy that asks for one more metric, which nobody has calibrated.
    fn uncalibrated(&mut self) -> Draft {
        let mut policy = strict_policy();
        let floor = MetricFloor { metric: "views", floor: Floor::Calibrated };
        policy.actions[0].metrics.push(floor);
        let views = self.forge.next_seq + 1;
        self.forge.submit(vec![Draft::body(&Body::Policy(policy))]);
        self.forge.submit(vec![reading("views", 100)]);
        let readings = [self.readings.as_slice(), &[Evidence::Row(views)]].concat();
        self.scale(1).evidence(&readings)
    }

    /// An honest row, whatever happened before; it stays clear of what the faults touch.
    pub fn go_on(&mut self) {
        let price = Draft::decision("price.set").put("price/last", &Value::Int(5)).reason("margin");
        self.forge.submit(vec![price]);
    }

    /// The row goes in, then an honest one. Yields the ledger and the number of the row.
    pub fn end_with(mut self, fault: Draft) -> (Ledger, u64) {
        let row = self.forge.next_seq;
        self.forge.submit(vec![fault]);
        self.go_on();
        (self.forge.finish(), row)
    }
}

/// A reading in hundredths, of the store as a whole.
pub fn reading(metric: &'static str, cents: i128) -> Draft {
    let value = Decimal { mantissa: cents, scale: 2 };
    Draft::body(&Body::Evidence(Reading { metric, value, source: "ads/daily" }))
}

/// A draft of the row that grants a key.
pub fn grant(forge: &Forge, who: Who, roles: &[Role], name: &'static str, scope: Scope<'static>) -> Draft {
    let roles = roles.iter().fold(0, |set, role| set | role.bit());
    Draft::body(&Body::Key(KeyChange::Grant { key: forge.public(who), roles, name, scope }))
}

/// A draft of a kill-switch row with this holder.
pub fn switch_to(forge: &Forge, holder: Who, act: SwitchAct, engaged: bool) -> Draft {
    let holder = forge.key_id(holder);
    Draft::body(&Body::KillSwitch(KillSwitch { act, engaged, holder, reason: "", drill: None }))
}
