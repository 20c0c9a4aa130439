//! The shop of the demo: what its planner, judge and executor decide, from a seed.

use crate::decision::random_id;
use crate::keys::NamedKey;
use crate::place::Place;
use anyhow::{Context as _, Result, anyhow};
use counterfoil_format::body::{Body, Reading, Role};
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Judge, Subject, Undo};
use counterfoil_format::intent::{KeyId, Kind, Mode, Tier};
use counterfoil_format::landing::Outcome;
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::{Draft, DraftOp, Ledger, Log, Platform, Receipt, Signer, SubmissionBuilder, now};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

/// Decisions signed at once.
const PER_SUBMISSION: u64 = 100;
/// Products of the shop.
const PRODUCTS: u64 = 40;

/// What became of what the shop decided.
#[derive(Debug, Default, Clone, Copy)]
pub struct Landed {
    /// Rows that changed the state, or governed.
    pub applied: u64,
    /// Rows that said what would happen.
    pub dry_run: u64,
    /// Rows put aside for a human.
    pub review: u64,
}

impl Landed {
    /// All rows.
    pub fn total(&self) -> u64 {
        self.applied + self.dry_run + self.review
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Applied => self.applied += 1,
            Outcome::DryRun => self.dry_run += 1,
            Outcome::Review => self.review += 1,
        }
    }
}

/// A shop at work.
pub struct Shop {
    ledger: Ledger,
    owner: NamedKey,
    executor: NamedKey,
    operator: NamedKey,
    random: StdRng,
    landed: Landed,
    last_price: Option<(u64, String)>,
    reading: u64,
}

/// What one decision is made of, owned.
struct Plan {
    action: &'static str,
    entity: String,
    key: String,
    value: Value,
    delta: i64,
    request: Vec<u8>,
    undo: Vec<u8>,
    data: Vec<u8>,
    score: u32,
    roll: u32,
}

impl Shop {
    /// Opens the shop's new ledger by this clock.
    pub fn open(place: &Place, seed: u64, platform: &Platform) -> Result<Self> {
        let ledger = place.ledger_on(platform)?;
        let governance = ledger.governance();
        let key = |role| place.keys().for_role(&governance, role);
        let (owner, executor, operator) = (key(Role::Owner)?, key(Role::Executor)?, key(Role::Operator)?);
        let random = StdRng::seed_from_u64(seed);
        // The rows that `init` made.
        let landed = Landed { applied: ledger.log().head().size, ..Landed::default() };
        Ok(Shop { ledger, owner, executor, operator, random, landed, last_price: None, reading: 0 })
    }

    /// The row that last set a price, and the key.
    pub fn last_price(&self) -> Option<(u64, String)> {
        self.last_price.clone()
    }

    /// What became of all that was decided.
    pub fn landed(&self) -> Landed {
        self.landed
    }

    /// How many rows there are.
    pub fn size(&self) -> u64 {
        self.ledger.log().head().size
    }

    /// Who holds the kill switch.
    pub fn holder(&self) -> KeyId {
        self.operator.key.public().id()
    }

    /// The newest checkpoint, as a signed note.
    pub fn checkpoint(&self) -> Result<String> {
        Ok(self.ledger.log().signed_checkpoint()?.to_string())
    }

    /// Closes the ledger.
    pub fn close(self) -> Result<()> {
        Ok(self.ledger.close()?)
    }

    /// Lands a row, signed by who writes rows of its kind.
    pub fn land_one(&mut self, draft: &Draft<'_>) -> Result<Receipt> {
        self.land_by(draft.kind, |builder, _| Ok(builder.push(draft)?))
    }

    /// Lands a decision whose judge signs its verdict.
    pub fn land_judged(&mut self, draft: &Draft<'_>, judge: &dyn Signer) -> Result<Receipt> {
        let ledger_id = self.ledger.ledger_id();
        self.land_by(draft.kind, |builder, _| Ok(builder.push_judged(draft, judge, ledger_id)?))
    }

    /// Lands the one row that is pushed, signed by who writes rows of this kind.
    pub fn land_by(
        &mut self,
        kind: Kind,
        push: impl FnOnce(&mut SubmissionBuilder<'_>, &Log) -> Result<()>,
    ) -> Result<Receipt> {
        let key = match kind {
            Kind::Key | Kind::Policy => &self.owner.key,
            Kind::Decision | Kind::Evidence => &self.executor.key,
            _ => &self.operator.key,
        };
        let mut builder = SubmissionBuilder::new(key)?;
        push(&mut builder, self.ledger.log())?;
        let receipts = self.ledger.submit(builder.sign(self.ledger.ledger_id())?)?;
        receipts.iter().for_each(|receipt| self.landed.count(receipt.outcome));
        receipts.into_iter().next().context("the row landed")
    }

    /// Lands a reading that the usual business points to.
    pub fn read_margin(&mut self) -> Result<()> {
        let value = Decimal { mantissa: 314, scale: 1 };
        let body = Body::Evidence(Reading { metric: "margin-percent", value, source: "ledger of the shop" });
        let now = now();
        let draft = Draft::with_body(random_id(now).map_err(anyhow::Error::msg)?, body, now);
        self.reading = self.land_one(&draft)?.seq;
        Ok(())
    }

    /// The usual business: so many decisions.
    pub fn decide_many(&mut self, decisions: u64) -> Result<()> {
        let mut left = decisions;
        while left > 0 {
            let count = left.min(PER_SUBMISSION);
            let plans = (0..count).map(|_| self.plan()).collect::<Result<Vec<_>>>()?;
            self.land_plans(&plans)?;
            left -= count;
        }
        Ok(())
    }

    /// The last word is a price, so that there is something to take back that nothing builds on.
    pub fn set_a_price(&mut self) -> Result<()> {
        for cents in [1990, 2490] {
            let mut plan = self.plan()?;
            plan.roll = 0;
            plan.action = "SET_PRICE";
            plan.entity = "sku-001".into();
            plan.key = "price/sku-001".into();
            plan.value = price(cents);
            self.land_plans(&[plan])?;
        }
        Ok(())
    }

    /// One event of the shop.
    fn plan(&mut self) -> Result<Plan> {
        let roll = self.random.random_range(0..100);
        let entity = format!("sku-{:03}", self.random.random_range(0..PRODUCTS));
        let cents = self.random.random_range(500..5000);
        let (action, key, value) = match roll {
            0..40 => ("SET_PRICE", format!("price/{entity}"), price(cents)),
            40..43 => ("SCALE_AD", format!("ad/{entity}/budget"), price(cents * 10)),
            43..68 => ("SELL", format!("stock/{entity}"), Value::Null),
            68..72 => ("MOVE", entity.clone(), Value::Null),
            72..85 => ("REPLY", format!("reply/{entity}"), Value::Text("we are looking into it".into())),
            _ => ("OPTIMIZE_LOSER", format!("ad/{entity}/budget"), price(cents)),
        };
        let message = |text: &str| Value::Map(BTreeMap::from([("text".into(), Value::Text(text.into()))]));
        let spend = Value::Decimal(Decimal { mantissa: i128::from(cents), scale: 2 });
        Ok(Plan {
            action,
            entity,
            key,
            value,
            delta: -i64::from(self.random.random_range(1..5u8)),
            request: message("we are looking into it").encode()?,
            undo: message("please disregard our last message").encode()?,
            data: Value::Map(BTreeMap::from([("spend_yesterday".into(), spend)])).encode()?,
            score: self.random.random_range(700_000..=1_000_000),
            roll,
        })
    }

    fn land_plans(&mut self, plans: &[Plan]) -> Result<()> {
        let executor = self.executor.name.clone();
        let drafts =
            plans.iter().map(|plan| plan.draft(&executor, self.reading)).collect::<Result<Vec<_>>>()?;
        let mut builder = SubmissionBuilder::new(&self.executor.key)?;
        drafts.iter().try_for_each(|draft| builder.push(draft))?;
        let receipts = self.ledger.submit(builder.sign(self.ledger.ledger_id())?)?;
        for (draft, receipt) in drafts.iter().zip(receipts) {
            self.landed.count(receipt.outcome);
            if let (Outcome::Applied, "SET_PRICE", Some(DraftOp::Put(key, _))) =
                (receipt.outcome, draft.action, draft.ops.first())
            {
                self.last_price = Some((receipt.seq, (*key).to_owned()));
            }
        }
        Ok(())
    }
}

/// A price in euros.
pub fn price(cents: u32) -> Value {
    Value::Decimal(Decimal { mantissa: i128::from(cents), scale: 2 })
}

impl Plan {
    fn draft<'p>(&'p self, executor: &'p str, reading: u64) -> Result<Draft<'p>> {
        let now = now();
        let mut draft = Draft::decision(random_id(now).map_err(|error| anyhow!(error))?, self.action, now);
        draft.tier = if self.roll.is_multiple_of(3) { Tier::A } else { Tier::B };
        draft.mode = if self.roll % 10 == 9 { Mode::DryRun } else { Mode::Live };
        draft.subject = Some(Subject { entity: &self.entity, lifecycle: None });
        let judge = Some(Judge { by: "judge-1", score: self.score, attestation: None });
        draft.actors = Some(Actors { planner: "planner-1", judge, executor });
        draft.evidence = vec![Evidence::Row(reading)];
        draft.context = Some(Context { reason: self.reason(), data: &self.data });
        draft.ops = vec![match self.action {
            "SELL" => DraftOp::Add(&self.key, self.delta),
            "MOVE" => DraftOp::Transition(
                &self.key,
                if self.roll.is_multiple_of(2) { "candidate" } else { "testing" },
            ),
            _ => DraftOp::Put(&self.key, &self.value),
        }];
        if self.action == "REPLY" {
            draft.effects =
                vec![Effect { adapter: "mail", request: &self.request, undo: Undo::Request(&self.undo) }];
        }
        Ok(draft)
    }

    fn reason(&self) -> &'static str {
        match self.action {
            "SET_PRICE" => "margin above the floor for three days",
            "SCALE_AD" => "return on ad spend above the store's own threshold",
            "SELL" => "an order came in",
            "MOVE" => "enough data to tell",
            "REPLY" => "a customer asked",
            _ => "losing for a week",
        }
    }
}
