//! Why a row was put aside: what stopped it, and what to do about it.

use crate::lifecycle::steps;
use crate::names::Names;
use crate::policy_words;
use crate::row_json::score;
use crate::summary;
use crate::time;
use anyhow::Result;
use counterfoil_format::content::{Actors, Judge};
use counterfoil_format::intent::{Kind, Mode};
use counterfoil_format::landing::Reason;
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{ActionRule, Floor, PolicyBody, matches};
use counterfoil_format::row::Row;
use counterfoil_ledger::Log;
use counterfoil_rules::gates::is_clearable;
use counterfoil_rules::land::moves;
use std::fmt::Write as _;

/// A reason in words.
pub struct Why {
    /// Its name.
    pub name: &'static str,
    /// What stopped the row.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// What is looked at to tell why.
struct Case<'c> {
    row: &'c Row<'c>,
    log: &'c Log,
    names: &'c Names<'c>,
    /// The policy in force at the row, unless it is withheld.
    policy: Option<PolicyBody<'c>>,
    actors: Option<Actors<'c>>,
}

/// Why a row was put aside, reason by reason.
pub fn explain(row: &Row<'_>, log: &Log, names: &Names<'_>) -> Result<Vec<Why>> {
    let stored = log.row(row.landing.policy_row)?;
    let setting = stored.parse()?;
    let seq = row.landing.seq;
    let actors = row.content(PartTag::Actors).map(Actors::decode).transpose();
    let actors = actors.map_err(|error| log.damaged(seq, error))?;
    let case = Case { row, log, names, policy: policy_words::policy_of(&setting).ok(), actors };
    row.landing
        .reasons
        .iter()
        .map(|reason| {
            let (what, remedy) = case.words(*reason)?;
            Ok(Why { name: reason.name(), what, remedy })
        })
        .collect()
}

/// Whether a human may let it pass all the same, in words.
pub fn approval(row: &Row<'_>) -> String {
    let reasons = &row.landing.reasons;
    let firm: Vec<_> =
        reasons.iter().filter(|reason| !is_clearable(**reason)).map(|reason| reason.name()).collect();
    match firm.as_slice() {
        _ if row.head.kind != Kind::Decision => String::new(),
        _ if row.head.mode == Mode::DryRun => "A dry run waits for nobody: it is not approved.".to_owned(),
        [] => format!("A human may let it pass as it is: `counterfoil review approve {}`.", row.landing.seq),
        firm => format!("An approval does not help as long as this holds: {}.", firm.join(", ")),
    }
}

impl<'c> Case<'c> {
    /// What stopped it, and what to do.
    fn words(&self, reason: Reason) -> Result<(String, String)> {
        let action = self.row.head.action;
        let policy = format!("the policy of row {}", self.row.landing.policy_row);
        let (what, remedy) = match reason {
            Reason::UnknownAction => (
                format!("{policy} has no rule for {action}"),
                "have the owner set a policy with a rule for it",
            ),
            Reason::LiveNotAllowed => (
                format!("{policy} lets no {action} be live"),
                "send it as a dry run, or have the owner set a policy that lets it",
            ),
            Reason::KillSwitch => {
                (self.switch(), "send it again when it is released; `counterfoil kill-switch status` tells")
            }
            Reason::TierTooLow => (self.tier(), "decide on better cost figures, and state the better tier"),
            Reason::JudgeMissing => (self.judge_missing(), "have it judged, and send it again with `judge`"),
            Reason::JudgeBelowFloor => {
                (self.below_floor(), "decide otherwise, or better founded, and have it judged again")
            }
            Reason::JudgeNotSeparate => (self.not_separate(), "have it judged by somebody else"),
            Reason::AttestationMissing => (
                format!("{action} needs the judge's own signature, and {} has not signed", self.judge_name()),
                "send it with `append --attest` and the judge's key",
            ),
            Reason::MoveNotAllowed => {
                (self.no_such_move()?, "go by a move that is allowed; `counterfoil lifecycle` lists them")
            }
            Reason::MetricMissing => (
                self.metrics("a reading is missing"),
                "land a reading of each with `counterfoil measure`, and name its row as evidence",
            ),
            Reason::MetricUncalibrated => (
                self.metrics("a metric has no calibration yet"),
                "have an operator calibrate it: `counterfoil calibrate METRIC`",
            ),
            Reason::MetricBelowFloor => (
                self.metrics("a reading is below its floor"),
                "decide otherwise, or wait for better readings",
            ),
            Reason::CountLimit => (self.limits("more rows", |limit| limit.count.is_some()), LATER),
            Reason::SumLimit => {
                (self.limits("a larger sum, or none is stated", |limit| limit.sum.is_some()), LATER)
            }
            Reason::Irreversible => (self.irreversible(), "declare a better `undo` for each effect"),
            Reason::Unproven => (
                self.unproven(),
                "hold a recovery drill of such rows: `counterfoil drill ROWS --apply`, and send it again",
            ),
            Reason::GuardFailed => (
                "a key does not hold any more what its operation names".to_owned(),
                "see what came after it with `counterfoil history KEY`; take that back first",
            ),
            Reason::KeyAbsent => ("it deletes a key that is not there".to_owned(), STATE),
            Reason::KindMismatch => {
                ("it adds to a key that holds a value, and not a counter".to_owned(), STATE)
            }
            Reason::CounterOverflow => ("a counter would leave the range of 64 bits".to_owned(), STATE),
        };
        Ok((what, remedy.to_owned()))
    }

    /// The rule for its action, as landing finds it.
    fn rule(&self) -> Option<&ActionRule<'c>> {
        let rules = self.policy.iter().flat_map(|policy| &policy.actions);
        // A rule without a star is longer than the prefix of any that matches too.
        let length = |rule: &&ActionRule<'_>| (!rule.pattern.ends_with('*'), rule.pattern.len());
        rules.filter(|rule| matches(rule.pattern, self.row.head.action)).max_by_key(length)
    }

    fn judge(&self) -> Option<Judge<'c>> {
        self.actors.and_then(|actors| actors.judge)
    }

    fn judge_name(&self) -> &str {
        self.judge().map_or("the judge", |judge| judge.by)
    }

    fn switch(&self) -> String {
        format!("the kill switch was engaged, by row {}", self.row.landing.kill_switch_row)
    }

    fn tier(&self) -> String {
        let (head, least) = (&self.row.head, self.rule().map_or("a better one", |rule| rule.tier.name()));
        format!("its tier is {}, and {} needs {least} or better", tier(head.tier.name()), head.action)
    }

    fn judge_missing(&self) -> String {
        let floor = self.rule().and_then(|rule| rule.judge_floor);
        let floor =
            floor.map_or(String::new(), |floor| format!(" with a score of at least {}", score(floor)));
        format!("{} needs a judge{floor}, and none is named", self.row.head.action)
    }

    fn below_floor(&self) -> String {
        let given = self.judge().map_or("?".to_owned(), |judge| score(judge.score).to_string());
        let floor = self.rule().and_then(|rule| rule.judge_floor);
        let floor = floor.map_or("more".to_owned(), |floor| score(floor).to_string());
        format!("{} gave it {given}, and {} needs at least {floor}", self.judge_name(), self.row.head.action)
    }

    fn not_separate(&self) -> String {
        let planner = self.actors.map(|actors| actors.planner);
        match self.judge() {
            Some(judge) if planner == Some(judge.by) => format!("{} has planned and judged it", judge.by),
            Some(judge) => format!(
                "the key that signed as judge {} has written the row, too ({})",
                judge.by,
                self.names.key(&self.row.head.author)
            ),
            None => "who judged it has planned or written it, too".to_owned(),
        }
    }

    fn no_such_move(&self) -> Result<String> {
        let seq = self.row.landing.seq;
        let ops =
            self.row.ops(PartTag::Ops).map_err(|error| self.log.damaged(seq, error))?.unwrap_or_default();
        let allowed = |from: &str, to: &str| {
            let lifecycle = self.policy.as_ref().and_then(|policy| policy.lifecycle.as_ref());
            lifecycle.is_none_or(|known| known.moves.iter().any(|moved| (moved.from, moved.to) == (from, to)))
        };
        let mut looked_at = Vec::new();
        for (entity, _) in moves(&ops) {
            if looked_at.contains(&entity) {
                continue;
            }
            looked_at.push(entity);
            let steps = steps(self.log, self.names, entity)?;
            let mine = steps.iter().filter(|step| step.seq == seq);
            if let Some(step) = mine.into_iter().find(|step| !allowed(&step.from, &step.to)) {
                let (from, to) = (summary::stage(&step.from), summary::stage(&step.to));
                return Ok(format!("{entity} was in {from}, and no move leads from there to {to}"));
            }
        }
        Ok("the lifecycle has no such move".to_owned())
    }

    /// What the action must rest on.
    fn metrics(&self, what: &str) -> String {
        let metrics = self.rule().into_iter().flat_map(|rule| &rule.metrics);
        let metrics: Vec<String> = metrics
            .map(|least| match least.floor {
                Floor::Fixed(number) => format!("{} of at least {number}", least.metric),
                Floor::Calibrated => format!("{} as calibrated", least.metric),
            })
            .collect();
        format!("{what}: {} must rest on {}", self.row.head.action, metrics.join(", "))
    }

    /// The limits that it may have met.
    fn limits(&self, what: &str, which: impl Fn(&counterfoil_format::policy::Limit<'_>) -> bool) -> String {
        let limits = self.policy.iter().flat_map(|policy| &policy.limits);
        let covering = limits.filter(|limit| which(limit) && matches(limit.actions, self.row.head.action));
        let mut words = format!("{what} than a limit lets be applied");
        for limit in covering {
            // Writing to a string cannot fail.
            let _ = write!(words, "; {}", policy_words::limit(limit));
        }
        words
    }

    fn unproven(&self) -> String {
        let class = self.row.landing.reversibility.name();
        let within =
            self.rule().and_then(|rule| rule.proven).map(|within| format!(" within {}", time::span(within)));
        format!("no recovery drill of the class {class} has passed{}", within.unwrap_or_default())
    }

    fn irreversible(&self) -> String {
        let reach = self.rule().map_or("better", |rule| rule.reach.name());
        let (action, own) = (self.row.head.action, self.row.landing.reversibility.name());
        format!("its reversibility is {own}, and {action} needs {reach} or better")
    }
}

/// What to do about a limit.
const LATER: &str = "send it again when the window has moved on";
/// What to do when the state does not let operations through.
const STATE: &str = "look at the keys with `counterfoil state --key KEY`, and decide again";

fn tier(name: &str) -> &str {
    if matches!(name, "A" | "B" | "C") { name } else { "not stated" }
}
