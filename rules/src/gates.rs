//! The gates: why a decision does not land as it asks.
//!
//! They are asked in the order of [`Reason`], each whatever the ones before said, and all that stop a decision are
//! listed. Whether the operations go through on the state is asked last, by [`crate::land`].

use crate::governance::{InForce, RecoveryDrill};
use crate::limits::{Amounts, Limits};
use crate::number::compare;
use crate::policy::{Lifecycle, Rule};
use counterfoil_format::content::{Actors, Effect, Undo};
use counterfoil_format::intent::{KeyId, Micros, Mode, Tier};
use counterfoil_format::landing::{Reason, Reversibility};
use counterfoil_format::policy::Reach;
use counterfoil_format::value::Decimal;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What a decision says of itself where nobody has to look.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The action.
    pub action: &'a str,
    /// The tier.
    pub tier: Tier,
    /// Dry run or live.
    pub mode: Mode,
    /// When it lands.
    pub landed_at: Micros,
}

/// What the gates may have to look at in a decision, and around it. An error says that it cannot be seen.
pub trait Sight: Amounts {
    /// What its judge says.
    fn judge(&self) -> Result<Option<Judged>, Self::Error>;
    /// How reversible it is.
    fn reach(&self) -> Result<Reach, Self::Error>;
    /// The moves that it makes, in order: the entity, and the stage that it moves to.
    fn moves(&self) -> Result<Vec<(&str, &str)>, Self::Error>;
    /// The newest threshold that was calibrated of a metric.
    fn calibrated(&self, metric: &str) -> Result<Option<Decimal>, Self::Error>;
    /// The newest recovery drill of a class of reversibility.
    fn drilled(&self, class: Reach) -> Result<Option<RecoveryDrill>, Self::Error>;
    /// The stage that an entity is in before it; empty for none.
    fn stage(&self, entity: &str) -> Result<String, Self::Error>;
    /// Hands over the readings that it points to and may rest on, each with its metric. Those of metrics that the rule does
    /// not ask for may be left out.
    fn readings(&self, rule: &Rule, take: &mut dyn FnMut(&str, &Decimal)) -> Result<(), Self::Error>;
}

/// What a judge says of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The score in parts per million.
    pub score: u32,
    /// Whether the judge is another than the planner and than who wrote the row, as far as the row tells.
    pub separate: bool,
    /// Whether the judge has signed.
    pub attested: bool,
}

/// A reading that decisions may point to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// What was measured.
    pub metric: String,
    /// What it was measured of; `None` for the store as a whole.
    pub entity: Option<String>,
    /// The measurement.
    pub value: Decimal,
}

impl Measured {
    /// Whether a decision about this entity can rest on it: a reading of that entity can serve, and one of none.
    pub fn serves(&self, entity: Option<&str>) -> bool {
        self.entity.is_none() || self.entity.as_deref() == entity
    }
}

impl Judged {
    /// What a row's actors say, whose author has this key and this name.
    pub fn of(actors: &Actors<'_>, author: KeyId, name: Option<&str>) -> Option<Self> {
        actors.judge.map(|judge| Judged {
            score: judge.score,
            separate: judge.by != actors.planner
                && Some(judge.by) != name
                && judge.attestation.is_none_or(|signed| signed.key != author),
            attested: judge.attestation.is_some(),
        })
    }
}

impl InForce {
    /// The reasons for which a decision goes to a human, but for those of its operations. `approved` are the ones that a
    /// human has seen and let pass.
    pub fn gates<S: Sight>(
        &self,
        limits: &mut Limits,
        asked: &Asked<'_>,
        sight: &S,
        approved: &[Reason],
    ) -> Result<Vec<Reason>, S::Error> {
        let mut reasons = Vec::new();
        let rule = self.policy.rule(asked.action);
        reasons.extend(rule.is_none().then_some(Reason::UnknownAction));
        if asked.mode == Mode::Live {
            reasons.extend(rule.is_some_and(|rule| !rule.live).then_some(Reason::LiveNotAllowed));
            reasons.extend(self.switch.engaged.then_some(Reason::KillSwitch));
        }
        if let Some(rule) = rule {
            reasons.extend((!reaches(asked.tier, rule.tier)).then_some(Reason::TierTooLow));
            judge(rule, self.policy.separation, sight, approved, &mut reasons)?;
        }
        if let Some(lifecycle) = &self.policy.lifecycle {
            reasons.extend((!moves_go(lifecycle, sight)?).then_some(Reason::MoveNotAllowed));
        }
        if let Some(rule) = rule {
            metrics(rule, sight, &mut reasons)?;
        }
        limits.ask(asked.action, asked.landed_at, sight, &mut reasons)?;
        if let Some(rule) = rule.filter(|rule| rule.reach != Reach::Never) {
            reasons.extend((sight.reach()? > rule.reach).then_some(Reason::Irreversible));
        }
        if let Some(within) = rule.and_then(|rule| rule.proven) {
            let drilled = sight.drilled(sight.reach()?)?;
            let since = asked.landed_at.saturating_sub(within);
            reasons.extend((!is_proven(drilled, since)).then_some(Reason::Unproven));
        }
        reasons.retain(|reason| !(is_clearable(*reason) && approved.contains(reason)));
        Ok(reasons)
    }

    /// The reason for which a rollback goes to a human that brings a decision back into force: the switch stops it as it
    /// would stop the decision.
    pub fn redo(&self, mode: Mode, brings_back: bool) -> Option<Reason> {
        (brings_back && mode == Mode::Live && self.switch.engaged).then_some(Reason::KillSwitch)
    }
}

fn metrics<S: Sight>(rule: &Rule, sight: &S, reasons: &mut Vec<Reason>) -> Result<(), S::Error> {
    if rule.metrics.is_empty() {
        return Ok(());
    }
    let mut floors = Vec::with_capacity(rule.metrics.len());
    for (metric, fixed) in &rule.metrics {
        floors.push(match fixed {
            Some(number) => Some(*number),
            None => sight.calibrated(metric)?,
        });
    }
    let (mut met, mut below) = (vec![false; floors.len()], false);
    sight.readings(rule, &mut |metric, reading| {
        let Some(place) = rule.metric(metric) else { return };
        met.get_mut(place).into_iter().for_each(|met| *met = true);
        let floor = floors.get(place).copied().flatten();
        below |= floor.is_some_and(|floor| compare(reading, &floor) == Ordering::Less);
    })?;
    reasons.extend(met.contains(&false).then_some(Reason::MetricMissing));
    reasons.extend(floors.contains(&None).then_some(Reason::MetricUncalibrated));
    reasons.extend(below.then_some(Reason::MetricBelowFloor));
    Ok(())
}

fn judge<S: Sight>(
    rule: &Rule,
    separation: bool,
    sight: &S,
    approved: &[Reason],
    reasons: &mut Vec<Reason>,
) -> Result<(), S::Error> {
    let needed = rule.judge_floor.is_some() || rule.attested;
    if !needed && !separation {
        return Ok(());
    }
    let judged = sight.judge()?;
    reasons.extend((needed && judged.is_none()).then_some(Reason::JudgeMissing));
    let Some(judged) = judged else { return Ok(()) };
    let below = rule.judge_floor.is_some_and(|floor| judged.score < floor);
    reasons.extend(below.then_some(Reason::JudgeBelowFloor));
    // Whose row is approved is known by its key alone; that its judge was its author was told when it was put aside.
    let separate = judged.separate && !approved.contains(&Reason::JudgeNotSeparate);
    reasons.extend((separation && !separate).then_some(Reason::JudgeNotSeparate));
    reasons.extend((rule.attested && !judged.attested).then_some(Reason::AttestationMissing));
    Ok(())
}

/// Whether all moves are allowed, each from the stage that the ones before it left.
fn moves_go<S: Sight>(lifecycle: &Lifecycle, sight: &S) -> Result<bool, S::Error> {
    let mut moved: BTreeMap<&str, &str> = BTreeMap::new();
    let moves = sight.moves()?;
    let several = moves.len() > 1;
    for (entity, to) in moves {
        let allowed = match moved.get(entity) {
            Some(from) => lifecycle.allows(from, to),
            None => lifecycle.allows(&sight.stage(entity)?, to),
        };
        if !allowed {
            return Ok(false);
        }
        // Only the moves behind it ask for what it leaves.
        if several {
            moved.insert(entity, to);
        }
    }
    Ok(true)
}

/// Whether a tier is at least the other: A is above B, B above C, and C above none.
fn reaches(tier: Tier, least: Tier) -> bool {
    let rank = |tier| match tier {
        Tier::A => 3,
        Tier::B => 2,
        Tier::C => 1,
        Tier::Unstated => 0,
    };
    rank(tier) >= rank(least)
}

/// Whether a class of reversibility whose newest recovery drill this is has been proven since a time.
pub fn is_proven(drilled: Option<RecoveryDrill>, since: Micros) -> bool {
    drilled.is_some_and(|drill| drill.passed && drill.landed_at >= since)
}

/// Whether a human's approval lets a decision pass that was stopped for this reason. What the switch, the lifecycle, the
/// separation of roles and the state itself stop, no approval lets pass.
pub const fn is_clearable(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::UnknownAction
            | Reason::TierTooLow
            | Reason::JudgeMissing
            | Reason::JudgeBelowFloor
            | Reason::AttestationMissing
            | Reason::MetricMissing
            | Reason::MetricUncalibrated
            | Reason::MetricBelowFloor
            | Reason::CountLimit
            | Reason::SumLimit
            | Reason::Irreversible
            | Reason::Unproven
    )
}

/// How reversible a row with these effects is that lands at this time: as the least reversible of them, and exact
/// without any. Of several windows the one that closes first counts, and one that has closed is none.
pub fn reversibility(effects: &[Effect<'_>], landed_at: Micros) -> Reversibility {
    let of = |effect: &Effect<'_>| match effect.undo {
        Undo::Never => Reversibility::Never,
        Undo::Request(_) => Reversibility::Declared,
        Undo::Until(_, until) if until <= landed_at => Reversibility::Never,
        Undo::Until(_, until) => Reversibility::Window(until),
        Undo::Compensate(_) => Reversibility::Compensating,
    };
    let least = |left: Reversibility, right: Reversibility| match (left, right) {
        (Reversibility::Window(left), Reversibility::Window(right)) => Reversibility::Window(left.min(right)),
        (left, right) if left.reach() >= right.reach() => left,
        (_, right) => right,
    };
    effects.iter().map(of).fold(Reversibility::Exact, least)
}
