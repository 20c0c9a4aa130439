//! What becomes of each row, in the simplest terms: section 21 of the format, read off and written down.
//!
//! It shares the format with the ledger and nothing of its rules. It is as slow as it likes: each row looks through all
//! rows before it. Only numbers with few digits are understood.

use counterfoil_format::body::{Body, KeyChange, ReviewVerdict};
use counterfoil_format::content::{Actors, Effect, Evidence, Subject, Undo};
use counterfoil_format::intent::{KeyId, Kind, Micros, Mode, Tier};
use counterfoil_format::key::key_id;
use counterfoil_format::landing::{Outcome, Reason, Reversibility};
use counterfoil_format::ops::{Change, Op};
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{ActionRule, Floor, PolicyBody};
use counterfoil_format::row::Row;
use counterfoil_format::value::Decimal;
use limits::limits;
use state::{Holds, State, carry_out};
use std::collections::BTreeMap;

mod limits;
mod recovery;
mod state;

/// What the ledger should have stamped on a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reasons: Vec<Reason>,
    /// How it is taken back.
    pub reversibility: Reversibility,
    /// The row that set the policy.
    pub policy_row: u64,
    /// The row that set the kill switch.
    pub kill_switch_row: u64,
}

/// A row with its parts.
struct Said<'a> {
    row: &'a Row<'a>,
    entity: Option<&'a str>,
    actors: Option<Actors<'a>>,
    evidence: Vec<Evidence<'a>>,
    ops: Vec<Op<'a>>,
    effects: Vec<Effect<'a>>,
    body: Option<Body<'a>>,
}

/// What the rows of a ledger should be stamped with, from row 1 on. The rows before each are believed as they are stamped.
pub fn stamps(rows: &[Row<'_>]) -> Vec<Stamp> {
    let said: Vec<Said<'_>> = rows.iter().map(Said::of).collect();
    let mut state = BTreeMap::new();
    let mut stamps = Vec::new();
    for place in 1..said.len() {
        let (before, row) = (&said[..place], &said[place]);
        let carried = carry_out(&state, &row.ops);
        stamps.push(stamp(before, row, &state, carried.as_ref().err().copied()));
        if let (true, Ok(after)) = (row.applied(), carried) {
            state = after;
        }
    }
    stamps
}

impl<'a> Said<'a> {
    fn of(row: &'a Row<'a>) -> Self {
        let content = |tag| row.content(tag);
        Said {
            row,
            entity: content(PartTag::Subject).map(|bytes| Subject::decode(bytes).unwrap().entity),
            actors: content(PartTag::Actors).map(|bytes| Actors::decode(bytes).unwrap()),
            evidence: content(PartTag::Evidence)
                .map(|bytes| Evidence::decode_all(bytes).unwrap())
                .unwrap_or_default(),
            ops: row.ops(PartTag::Ops).unwrap().unwrap_or_default(),
            effects: content(PartTag::Effects)
                .map(|bytes| Effect::decode_all(bytes).unwrap())
                .unwrap_or_default(),
            body: content(PartTag::Body).map(|bytes| Body::decode(row.head.kind, bytes).unwrap()),
        }
    }

    fn applied(&self) -> bool {
        self.row.landing.outcome == Outcome::Applied
    }

    fn seq(&self) -> u64 {
        self.row.landing.seq
    }

    /// The row that it approves.
    fn approves(&self) -> Option<u64> {
        match &self.body {
            Some(Body::Review(review)) if review.verdict == ReviewVerdict::Approve => Some(review.row),
            _ => None,
        }
    }

    fn is_gated(&self) -> bool {
        self.row.head.kind == Kind::Decision || self.approves().is_some()
    }

    fn policy(&self) -> Option<&PolicyBody<'a>> {
        match &self.body {
            Some(Body::Policy(policy)) => Some(policy),
            Some(Body::Genesis(genesis)) => Some(&genesis.policy),
            _ => None,
        }
    }
}

fn stamp(before: &[Said<'_>], row: &Said<'_>, state: &State, failure: Option<Reason>) -> Stamp {
    let policies: Vec<&Said<'_>> = before.iter().filter(|it| it.applied() && it.policy().is_some()).collect();
    let switch = before.iter().rev().filter(|it| it.applied()).find_map(|it| match &it.body {
        Some(Body::KillSwitch(switch)) => Some((it.seq(), switch.engaged)),
        _ => None,
    });
    let (kill_switch_row, engaged) = switch.unwrap_or((0, false));
    let mut reasons = Vec::new();
    if row.is_gated() {
        reasons = gates(before, &policies, row, state, engaged);
        if let Some(approved) = row.approves() {
            let seen = &before[usize::try_from(approved).unwrap()].row.landing.reasons;
            reasons.retain(|reason| !CLEARED.contains(reason) || !seen.contains(reason));
        }
    }
    if row.row.head.mode == Mode::Live && engaged && brings_back(before, row) {
        reasons.push(Reason::KillSwitch);
    }
    reasons.extend(failure);
    let outcome = match row.row.head.mode {
        _ if !reasons.is_empty() => Outcome::Review,
        Mode::DryRun => Outcome::DryRun,
        Mode::Live => Outcome::Applied,
    };
    let policy_row = policies.last().unwrap().seq();
    Stamp { outcome, reasons, reversibility: reversibility(row), policy_row, kill_switch_row }
}

/// Whether a rollback row brings a decision back: the rollback rows in the chain of its targets are odd in number.
fn brings_back(before: &[Said<'_>], row: &Said<'_>) -> bool {
    let target = |row: &Said<'_>| match &row.body {
        Some(Body::Rollback(rollback)) => before.get(usize::try_from(rollback.target).unwrap()),
        _ => None,
    };
    let chain = std::iter::successors(target(row), |row| target(row));
    chain.filter(|row| row.row.head.kind == Kind::Rollback).count() % 2 == 1
}

/// The name under which a key is enrolled.
fn name_of(before: &[Said<'_>], key: KeyId) -> String {
    let enrolled = before.iter().filter(|row| row.applied()).rev().find_map(|row| match &row.body {
        Some(Body::Genesis(genesis)) if key_id(&genesis.owner) == key => Some("owner".to_owned()),
        Some(Body::Key(KeyChange::Grant { key: granted, name, .. })) if key_id(granted) == key => {
            Some((*name).to_owned())
        }
        Some(Body::Key(KeyChange::Rotate { old, key: new })) if key_id(new) == key => {
            Some(name_of(before, *old))
        }
        _ => None,
    });
    enrolled.unwrap_or_default()
}

/// What an approval lets pass.
const CLEARED: [Reason; 12] = [
    Reason::UnknownAction,
    Reason::TierTooLow,
    Reason::JudgeMissing,
    Reason::JudgeBelowFloor,
    Reason::AttestationMissing,
    Reason::MetricMissing,
    Reason::MetricUncalibrated,
    Reason::MetricBelowFloor,
    Reason::CountLimit,
    Reason::SumLimit,
    Reason::Irreversible,
    Reason::Unproven,
];

fn gates(
    before: &[Said<'_>],
    policies: &[&Said<'_>],
    row: &Said<'_>,
    state: &State,
    engaged: bool,
) -> Vec<Reason> {
    let policy = policies.last().unwrap().policy().unwrap();
    let (head, live) = (&row.row.head, row.row.head.mode == Mode::Live);
    let rule = rule(policy, head.action);
    let mut held = Vec::new();
    let mut when = |holds: bool, reason| held.extend(holds.then_some(reason));
    when(rule.is_none(), Reason::UnknownAction);
    when(live && rule.is_some_and(|rule| !rule.live), Reason::LiveNotAllowed);
    when(live && engaged, Reason::KillSwitch);
    when(rule.is_some_and(|rule| rank(head.tier) < rank(rule.tier)), Reason::TierTooLow);
    if let Some(rule) = rule {
        let actors = row.actors.as_ref();
        let judge = actors.and_then(|actors| actors.judge.as_ref());
        let planner = actors.map_or("", |actors| actors.planner);
        let author = match row.approves() {
            Some(approved) => before[usize::try_from(approved).unwrap()].row.head.author,
            None => head.author,
        };
        let asked = rule.judge_floor.is_some() || rule.attested;
        when(asked && judge.is_none(), Reason::JudgeMissing);
        if let Some(judge) = judge {
            let signed = judge.attestation.map(|attestation| attestation.key);
            when(rule.judge_floor.is_some_and(|floor| judge.score < floor), Reason::JudgeBelowFloor);
            let told = row.approves().is_some_and(|approved| {
                let approved = &before[usize::try_from(approved).unwrap()].row.landing.reasons;
                approved.contains(&Reason::JudgeNotSeparate)
            });
            let by_name = judge.by == planner || judge.by == name_of(before, head.author);
            let one = by_name || signed == Some(author) || told;
            when(policy.separation && one, Reason::JudgeNotSeparate);
            when(rule.attested && signed.is_none(), Reason::AttestationMissing);
        }
    }
    when(!moves(policy, row, state), Reason::MoveNotAllowed);
    let of_rule = rule.map(|rule| metrics(before, rule, row)).unwrap_or_default();
    held.extend(of_rule);
    held.extend(limits(before, policies, row));
    held.extend(recovery::reasons(before, rule, row));
    held
}

/// The rule whose pattern is the action itself, else the one with the longest prefix that the action begins with.
fn rule<'p>(policy: &'p PolicyBody<'p>, action: &str) -> Option<&'p ActionRule<'p>> {
    let itself = policy.actions.iter().find(|rule| rule.pattern == action);
    let prefixed =
        policy.actions.iter().filter(|rule| rule.pattern.ends_with('*') && covers(rule.pattern, action));
    itself.or_else(|| prefixed.max_by_key(|rule| rule.pattern.len()))
}

fn covers(pattern: &str, action: &str) -> bool {
    match pattern.find('*') {
        Some(end) => action.starts_with(&pattern[..end]),
        None => pattern == action,
    }
}

fn rank(tier: Tier) -> usize {
    ["-", "C", "B", "A"].iter().position(|name| *name == tier.name()).unwrap()
}

fn moves(policy: &PolicyBody<'_>, row: &Said<'_>, state: &State) -> bool {
    let Some(lifecycle) = &policy.lifecycle else { return true };
    let mut stages: BTreeMap<&str, String> = BTreeMap::new();
    row.ops.iter().all(|op| {
        let Change::Transition(to) = op.change else { return true };
        let held = match state.get(&format!("lifecycle/{}", op.key)) {
            Some(Holds::Stage(stage)) => stage.clone(),
            _ => String::new(),
        };
        let from = stages.insert(op.key, to.to_owned()).unwrap_or(held);
        lifecycle.moves.iter().any(|allowed| allowed.from == from && allowed.to == to)
    })
}

fn metrics(before: &[Said<'_>], rule: &ActionRule<'_>, row: &Said<'_>) -> Vec<Reason> {
    let (mut missing, mut uncalibrated, mut below) = (false, false, false);
    for least in &rule.metrics {
        let pointed = row.evidence.iter().filter_map(|item| match item {
            Evidence::Row(row) => before.get(usize::try_from(*row).unwrap()),
            Evidence::Document { .. } => None,
        });
        let serving: Vec<i128> = pointed
            .filter(|it| it.applied() && (it.entity.is_none() || it.entity == row.entity))
            .filter_map(|it| match &it.body {
                Some(Body::Evidence(reading)) if reading.metric == least.metric => {
                    Some(millionths(&reading.value))
                }
                _ => None,
            })
            .collect();
        let newest = before.iter().rev().filter(|it| it.applied()).find_map(|it| match &it.body {
            Some(Body::Calibration(calibration)) if calibration.metric == least.metric => {
                Some(millionths(&calibration.threshold))
            }
            _ => None,
        });
        let floor = match &least.floor {
            Floor::Fixed(number) => Some(millionths(number)),
            Floor::Calibrated => newest,
        };
        missing |= serving.is_empty();
        uncalibrated |= floor.is_none();
        below |= floor.is_some_and(|floor| serving.iter().any(|value| *value < floor));
    }
    let held = [
        (missing, Reason::MetricMissing),
        (uncalibrated, Reason::MetricUncalibrated),
        (below, Reason::MetricBelowFloor),
    ];
    held.into_iter().filter_map(|(holds, reason)| holds.then_some(reason)).collect()
}

/// A number in millionths.
fn millionths(number: &Decimal) -> i128 {
    number.mantissa.checked_mul(10i128.pow(6 - u32::from(number.scale))).unwrap()
}

fn reversibility(row: &Said<'_>) -> Reversibility {
    let landed_at = row.row.landing.landed_at;
    let open = |until: &Micros| *until > landed_at;
    let any = |test: &dyn Fn(&Undo<'_>) -> bool| row.effects.iter().any(|effect| test(&effect.undo));
    if any(&|undo| matches!(undo, Undo::Never) || matches!(undo, Undo::Until(_, until) if !open(until))) {
        return Reversibility::Never;
    }
    if any(&|undo| matches!(undo, Undo::Compensate(_))) {
        return Reversibility::Compensating;
    }
    let until = row.effects.iter().filter_map(|effect| match effect.undo {
        Undo::Until(_, until) => Some(until),
        _ => None,
    });
    match until.min() {
        Some(first) => Reversibility::Window(first),
        None if row.effects.is_empty() => Reversibility::Exact,
        None => Reversibility::Declared,
    }
}
