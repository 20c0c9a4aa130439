//! The week of the demo: what a shop's people and agents do from Monday to Sunday, each day beside the usual business.

use crate::shop::{Shop, price};
use anyhow::{Context as _, Result};
use counterfoil_format::body::{
    Body, Calibration, Drill, KeyChange, KillSwitch, Manner, Reading, ReviewOf, ReviewVerdict, Role,
    RollbackOf, Scope, SwitchAct,
};
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Judge, Subject, Undo};
use counterfoil_format::intent::{Kind, Micros, Tier};
use counterfoil_format::ops::decode_ops;
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{Floor, MetricFloor};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::{Clock, Draft, DraftOp, Receipt, SecretKey, Signer};
use counterfoil_policy::{PRESETS, PolicyFile};
use counterfoil_rules::number::quantile;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const HOUR: Micros = 3_600_000_000;
/// The metric that the shop's own readings calibrate.
const ROAS: &str = "roas";
/// The quantile at which the floor is: above it is the better quarter.
const FLOOR: u32 = 750_000;

/// The clock of the week, which goes on by itself a little with each look, and by days when it is told to.
#[derive(Debug, Clone)]
pub struct WeekClock(Arc<AtomicI64>);

impl WeekClock {
    /// Begins at a time.
    pub fn at(time: Micros) -> Self {
        WeekClock(Arc::new(AtomicI64::new(time)))
    }

    fn skip(&self, time: Micros) {
        self.0.fetch_add(time, Ordering::Relaxed);
    }
}

impl Clock for WeekClock {
    fn now(&self) -> Micros {
        self.0.fetch_add(1_500, Ordering::Relaxed)
    }
}

/// What happens on a day.
type Events<'w> = fn(&mut Week<'w>) -> Result<()>;

/// The week, as it goes by.
pub struct Week<'w> {
    shop: &'w mut Shop,
    clock: WeekClock,
    out: &'w mut dyn Write,
    judge: SecretKey,
    /// The reading of the winner and that of an also-ran.
    readings: (u64, u64),
}

impl<'w> Week<'w> {
    /// A week of this shop by this clock.
    pub fn new(shop: &'w mut Shop, clock: WeekClock, out: &'w mut dyn Write) -> Result<Self> {
        Ok(Week { shop, clock, out, judge: SecretKey::generate()?, readings: (0, 0) })
    }

    /// Lives through it, with so many decisions of the usual business spread over its days.
    pub fn live(&mut self, decisions: u64) -> Result<()> {
        let days: [(&str, Events<'w>); 7] = [
            ("Monday", Self::monday),
            ("Tuesday", Self::tuesday),
            ("Wednesday", Self::wednesday),
            ("Thursday", Self::thursday),
            ("Friday", Self::friday),
            ("Saturday", Self::saturday),
            ("Sunday", |_| Ok(())),
        ];
        for (day, (name, events)) in (0..).zip(days) {
            writeln!(self.out, "   {name}")?;
            self.clock.skip(9 * HOUR);
            events(self)?;
            let share = decisions / 7 + u64::from(day < decisions % 7);
            self.shop.decide_many(share)?;
            writeln!(self.out, "     usual business: {share} decisions")?;
            self.clock.skip(15 * HOUR);
        }
        Ok(())
    }

    /// The shop measures itself, and the owner lets scaling rest on that.
    fn monday(&mut self) -> Result<()> {
        let key = *self.judge.public().as_bytes();
        let roles = Role::Judge.bit();
        let grant = KeyChange::Grant { key, roles, name: "judge-1", scope: Scope::default() };
        let granted = self.land(Body::Key(grant))?;
        self.say(&granted, "the owner enrols the judge, who signs its verdicts with a key of its own")?;

        let from = self.clock.now();
        let values = [8, 12, 15, 18, 21, 24, 31, 40].map(|tenths| Decimal { mantissa: tenths, scale: 1 });
        let mut rows = Vec::new();
        for (place, value) in (1..).zip(values) {
            let entity = format!("sku-00{place}");
            let body = Body::Evidence(Reading { metric: ROAS, value, source: "ads/daily" });
            let mut draft = self.draft(body)?;
            draft.subject = Some(Subject { entity: &entity, lifecycle: None });
            rows.push(self.shop.land_one(&draft)?.seq);
        }
        self.readings = (rows.last().copied().unwrap_or_default(), rows.first().copied().unwrap_or_default());
        let upto = self.shop.size();
        let threshold = quantile(&mut values.to_vec(), FLOOR).context("there are readings")?;
        let metric = ROAS;
        let calibration = Calibration { metric, action: "", from, upto, quantile: FLOOR, rows, threshold };
        let calibrated = self.land(Body::Calibration(calibration))?;
        let words = format!("return on ad spend is calibrated from the shop's own 8 readings: {threshold}");
        self.say(&calibrated, &words)?;

        let preset = PRESETS.first().context("there are presets")?;
        let file = PolicyFile::parse(preset.text)?;
        let mut policy = file.body();
        for rule in policy.actions.iter_mut().filter(|rule| rule.pattern == "SCALE_AD") {
            rule.metrics = vec![MetricFloor { metric: ROAS, floor: Floor::Calibrated }];
        }
        let set = self.land(Body::Policy(policy))?;
        self.say(&set, "the owner sets a policy: an ad is scaled only where readings reach that")?;
        for stage in ["candidate", "testing", "learning", "winner"] {
            let mut draft = self.decision("MOVE", "sku-008", Tier::A)?;
            draft.ops.push(DraftOp::Transition("sku-008", stage));
            self.shop.land_one(&draft)?;
        }
        Ok(())
    }

    /// A winner is scaled; an also-ran is not.
    fn tuesday(&mut self) -> Result<()> {
        let budget = price(25_000);
        let (winner, also_ran) = self.readings;
        let mut draft = self.decision("SCALE_AD", "sku-008", Tier::A)?;
        draft.evidence = vec![Evidence::Row(winner)];
        draft.ops =
            vec![DraftOp::Put("ad/sku-008/budget", &budget), DraftOp::Transition("sku-008", "scaling")];
        let scaled = self.shop.land_one(&draft)?;
        self.say(&scaled, "a winner, sku-008, is scaled at tier A")?;
        let mut draft = self.decision("SCALE_AD", "sku-001", Tier::A)?;
        draft.evidence = vec![Evidence::Row(also_ran)];
        draft.ops = vec![DraftOp::Put("ad/sku-001/budget", &budget)];
        let stopped = self.shop.land_one(&draft)?;
        self.say(&stopped, "an also-ran, sku-001, would be scaled too")
    }

    /// At tier B soft actions go through, and hard ones do not.
    fn wednesday(&mut self) -> Result<()> {
        let (cut, cheap) = (price(500), price(990));
        let mut draft = self.decision("OPTIMIZE_LOSER", "sku-002", Tier::B)?;
        draft.ops = vec![DraftOp::Put("ad/sku-002/budget", &cut)];
        let optimised = self.shop.land_one(&draft)?;
        self.say(&optimised, "a loser, sku-002, is optimised at tier B")?;
        let mut draft = self.decision("DISCOUNT", "sku-002", Tier::B)?;
        draft.ops = vec![DraftOp::Put("price/sku-002", &cheap)];
        let refused = self.shop.land_one(&draft)?;
        self.say(&refused, "a discount is asked for at tier B")
    }

    /// A reply that the judge does not like goes to a human, who likes it; a move that is no move goes nowhere.
    fn thursday(&mut self) -> Result<()> {
        let text = |text: &str| Value::Map([("text".to_owned(), Value::Text(text.into()))].into()).encode();
        let (request, makes_up) = (text("it ships on Friday, promised")?, text("we are sorry")?);
        let mut draft = self.decision("REPLY", "order-4711", Tier::A)?;
        let judge = Some(Judge { by: "judge-1", score: 710_000, attestation: None });
        draft.actors = Some(Actors { planner: "planner-1", judge, executor: "executor-1" });
        let undo = Undo::Compensate(&makes_up);
        draft.effects = vec![Effect { adapter: "mail", request: &request, undo }];
        let put_aside = self.shop.land_judged(&draft, &self.judge)?;
        self.say(&put_aside, "a reply, to which the judge gives 0.71, signed")?;
        let approved = self.approve(&put_aside)?;
        self.say(&approved, "a human reads it and approves")?;
        let mut draft = self.decision("MOVE", "sku-002", Tier::A)?;
        draft.ops.push(DraftOp::Transition("sku-002", "winner"));
        let nowhere = self.shop.land_one(&draft)?;
        self.say(&nowhere, "sku-002, of which nothing is known yet, made a winner")
    }

    /// The switch is tried out.
    fn friday(&mut self) -> Result<()> {
        let began = self.turn(SwitchAct::Drill, true, None, "the monthly drill")?;
        self.say(&began, "the operator pulls the kill switch for a drill")?;
        let probe = self.try_a_price("sku-003")?;
        self.say(&probe, "a probe is stopped")?;
        let drill = Some(Drill { began: began.seq, probe: probe.seq });
        let ended = self.turn(SwitchAct::Drill, false, drill, "the monthly drill")?;
        let millis = ended.landed_at.saturating_sub(began.landed_at) / 1000;
        self.say(&ended, &format!("the switch holds, and is released after {millis} ms"))
    }

    /// The switch is pulled in earnest, and what takes back works all the same.
    fn saturday(&mut self) -> Result<()> {
        let wrong = self.try_a_price("sku-004")?;
        self.say(&wrong, "an agent sets a price from a feed that has gone wrong")?;
        let pulled = self.turn(SwitchAct::Engage, true, None, "the price feed looks wrong")?;
        self.say(&pulled, "the operator pulls the kill switch")?;
        let stopped = self.try_a_price("sku-005")?;
        self.say(&stopped, "the next price is stopped")?;
        let back = self.take_back(&wrong)?;
        self.say(&back, &format!("row {} is taken back meanwhile", wrong.seq))?;
        let released = self.turn(SwitchAct::Release, false, None, "the price feed is right again")?;
        self.say(&released, "the switch is released")
    }

    fn try_a_price(&mut self, entity: &str) -> Result<Receipt> {
        let (key, value) = (format!("price/{entity}"), price(1));
        let mut draft = self.decision("SET_PRICE", entity, Tier::A)?;
        draft.ops = vec![DraftOp::Put(&key, &value)];
        self.shop.land_one(&draft)
    }

    fn turn(&mut self, act: SwitchAct, engaged: bool, drill: Option<Drill>, reason: &str) -> Result<Receipt> {
        let holder = self.shop.holder();
        self.land(Body::KillSwitch(KillSwitch { act, engaged, holder, reason, drill }))
    }

    fn approve(&mut self, put_aside: &Receipt) -> Result<Receipt> {
        let (row, row_hash) = (put_aside.seq, put_aside.row_hash);
        let verdict = ReviewVerdict::Approve;
        let body = ReviewOf { row, row_hash, verdict, reason: "true, and kindly put" };
        let draft = self.draft(Body::Review(body))?;
        self.shop.land_by(Kind::Review, |builder, log| {
            let stored = log.row(row)?;
            Ok(builder.push_review(&draft, &stored.parse()?)?)
        })
    }

    fn take_back(&mut self, wrong: &Receipt) -> Result<Receipt> {
        let body = RollbackOf {
            target: wrong.seq,
            target_hash: wrong.row_hash,
            manner: Manner::Exact,
            effects: Vec::new(),
        };
        let draft = self.draft(Body::Rollback(body))?;
        self.shop.land_by(Kind::Rollback, |builder, log| {
            let stored = log.row(wrong.seq)?;
            let row = stored.parse()?;
            let ops = decode_ops(row.content(PartTag::Rollback).context("it has a rollback")?)?;
            let ops = ops.into_iter().map(DraftOp::Stored).collect();
            Ok(builder.push(&Draft { ops, ..draft.clone() })?)
        })
    }

    /// Lands a row with a body, by who writes rows of its kind.
    fn land(&mut self, body: Body<'_>) -> Result<Receipt> {
        let draft = self.draft(body)?;
        self.shop.land_one(&draft)
    }

    fn draft<'b>(&self, body: Body<'b>) -> Result<Draft<'b>> {
        let time = self.clock.now();
        Ok(Draft::with_body(crate::decision::random_id(time).map_err(anyhow::Error::msg)?, body, time))
    }

    fn decision<'d>(&self, action: &'d str, entity: &'d str, tier: Tier) -> Result<Draft<'d>> {
        let time = self.clock.now();
        let mut draft =
            Draft::decision(crate::decision::random_id(time).map_err(anyhow::Error::msg)?, action, time);
        draft.tier = tier;
        draft.subject = Some(Subject { entity, lifecycle: None });
        draft.context = Some(Context { reason: "", data: &[7, 0] });
        Ok(draft)
    }

    /// Tells what became of a row.
    fn say(&mut self, receipt: &Receipt, what: &str) -> Result<()> {
        let reasons: Vec<_> = receipt.reasons.iter().map(|reason| reason.name()).collect();
        let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        writeln!(self.out, "     row {:<4} {what}: {}{why}", receipt.seq, receipt.outcome)?;
        Ok(())
    }
}
