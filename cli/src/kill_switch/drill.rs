//! `kill-switch drill`: pull it, prove with a probe decision that it holds, release it.

use super::holder;
use crate::act::{self, Landed, Urgency};
use crate::decision::random_id;
use crate::exit::Refused;
use crate::keys::NamedKey;
use crate::place::Place;
use crate::time;
use anyhow::{Context as _, Result, anyhow};
use counterfoil_format::body::{Body, Drill, KillSwitch, SwitchAct};
use counterfoil_format::content::{Context, Subject};
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, IntentId, KeyId, Kind, Mode, Tier};
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::policy::matches;
use counterfoil_ledger::{Draft, DraftError, DraftOp, Log, Signer, Submission, SubmissionBuilder, now};
use counterfoil_rules::governance::Governance;
use serde_json::json;
use std::io::Write;

/// What `kill-switch drill` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The action of the probe; by default one that may be live
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// The executor whose key signs the probe; by default the first one that is here
    #[arg(long, value_name = "NAME")]
    executor: Option<String>,
    /// Why; it stands in the rows
    #[arg(long, value_name = "TEXT", default_value = "the drill that is due")]
    reason: String,
    /// Whose key pulls and releases; by default the first here that may, an operator's before the owner's
    #[arg(long = "as", value_name = "NAME")]
    author: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop kill-switch drill
  counterfoil -l shop kill-switch drill --action SET_PRICE --json

It needs an operator's and an executor's key. While it lasts, which is a few
milliseconds, other live decisions are put aside too; `counterfoil review list`
shows them. The probe would add 1 to the counter kill-switch/probes. When it is
not stopped, the switch stays engaged and the command fails. A drill that was
interrupted goes on when it is run again.";

/// The key that a probe would add to.
const PROBED: &str = "kill-switch/probes";

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let governance = log.governance()?;
    let operator = place.keys().author(&governance, args.author.as_deref(), Kind::KillSwitch)?;
    let executor = place.keys().author(&governance, args.executor.as_deref(), Kind::Decision);
    let executor = executor.context("the probe is a decision")?;
    // All that can be wrong with the probe shows before anything is stopped.
    let probe = Probe::of(&governance, &executor, args.action.as_deref())?.sign(&executor, &log)?;

    let began = begin(args, place, &log, &governance, &operator)?;
    let landed = act::land_all(place, &log, probe, Urgency::Plain);
    let landed = landed.context("THE SWITCH STAYS ENGAGED: the probe did not land")?;
    let probe = landed.into_iter().next().ok_or_else(|| anyhow!("the probe is not to be found"))?;
    if probe.outcome != Outcome::Review || !probe.reasons.contains(&Reason::KillSwitch) {
        return Err(Refused::error(format!(
            "THE SWITCH DOES NOT HOLD: the probe, row {}, landed as {} while it was engaged. It stays engaged. Verify \
             the ledger, and do not trust its writer",
            probe.seq,
            probe.fate()
        )));
    }
    let ended = end(args, place, &log, &operator, &began, &probe)?;
    tell(args, [&began, &probe, &ended], out)
}

fn tell(args: &Args, [began, probe, ended]: [&Landed; 3], out: &mut dyn Write) -> Result<()> {
    let seconds = |from: &Landed, to: &Landed| {
        let millis = to.landed_at.saturating_sub(from.landed_at) / 1000;
        format!("{}.{:03} s", millis / 1000, millis % 1000)
    };
    if args.json {
        let object = json!({ "engaged": began.json(), "probe": probe.json(), "released": ended.json() });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let at = |landed: &Landed| time::print_short(landed.landed_at);
    writeln!(out, "engaged   row {} at {}", began.seq, at(began))?;
    writeln!(out, "held      row {}, the probe, was put aside after {}", probe.seq, seconds(began, probe))?;
    writeln!(out, "released  row {} after {}", ended.seq, seconds(began, ended))?;
    Ok(())
}

/// The row that engages the switch, or the one of a drill that was interrupted.
fn begin(
    args: &Args,
    place: &Place,
    log: &Log,
    governance: &Governance,
    operator: &NamedKey,
) -> Result<Landed> {
    let in_force = &governance.in_force;
    match (in_force.switch.engaged, in_force.switch.drilling) {
        (true, true) => act::landed(log, in_force.switch_row),
        (true, false) => Err(Refused::error(format!(
            "the kill switch is engaged in earnest, by row {}; there is nothing to try out",
            in_force.switch_row
        ))),
        (false, _) => {
            let holder = holder(governance, operator);
            let reason = args.reason.as_str();
            let switch = KillSwitch { act: SwitchAct::Drill, engaged: true, holder, reason, drill: None };
            act::land(place, log, operator, Body::KillSwitch(switch), Urgency::Plain)
        }
    }
}

fn end(
    args: &Args,
    place: &Place,
    log: &Log,
    operator: &NamedKey,
    began: &Landed,
    probe: &Landed,
) -> Result<Landed> {
    log.refresh()?;
    let holder = holder(&log.governance()?, operator);
    let drill = Some(Drill { began: began.seq, probe: probe.seq });
    let reason = args.reason.as_str();
    let switch = KillSwitch { act: SwitchAct::Drill, engaged: false, holder, reason, drill };
    let ended = act::land(place, log, operator, Body::KillSwitch(switch), Urgency::Plain);
    ended.context("the switch has held, and is still engaged")
}

/// The live decision that the switch has to stop.
struct Probe {
    action: String,
    /// The key that it would add to.
    key: String,
}

impl Probe {
    /// One that the executor may write: under its scope, with the action named or one that may be live.
    fn of(governance: &Governance, executor: &NamedKey, named: Option<&str>) -> Result<Self> {
        let id = executor.key.public().id();
        let enrolled = governance.keys.get(&id);
        let scope = enrolled.map(|key| key.scope.clone()).unwrap_or_default();
        let fits =
            |action: &str| scope.actions.is_empty() || scope.actions.iter().any(|it| matches(it, action));
        let action = match named {
            Some(action) => action.to_owned(),
            None => live_actions(governance)?.into_iter().find(|action| fits(action)).ok_or_else(|| {
                Refused::error(format!(
                    "there is no action that the policy allows to be live and {} may take, so the switch has nothing to \
                     stop; name one with --action, or another key with --executor",
                    executor.name
                ))
            })?,
        };
        let key =
            scope.prefixes.first().map_or_else(|| PROBED.to_owned(), |prefix| format!("{prefix}{PROBED}"));
        let probe = Probe { action, key };
        let head = probe.head(id);
        let admitted = governance.keys.authorise(&head, &governance.in_force.policy);
        admitted.and_then(|author| author.scope.check(&head, now())).map_err(|error| {
            Refused::error(format!("nothing was changed: the probe could not land: {error}"))
        })?;
        Ok(probe)
    }

    fn head(&self, author: KeyId) -> IntentHead<'_> {
        IntentHead {
            version: INTENT_VERSION,
            id: IntentId([0; 16]),
            kind: Kind::Decision,
            author,
            action: &self.action,
            tier: Tier::A,
            mode: Mode::Live,
            authored_at: 0,
            parts: 0,
        }
    }

    fn sign(&self, executor: &NamedKey, log: &Log) -> Result<Submission> {
        let time = now();
        let id = random_id(time).map_err(|error| anyhow!(error))?;
        let mut draft = Draft::decision(id, &self.action, time);
        draft.tier = Tier::A;
        draft.subject = Some(Subject { entity: "kill-switch", lifecycle: None });
        draft.context = Some(Context { reason: "the probe of a drill of the kill switch", data: &[7, 0] });
        draft.ops.push(DraftOp::Add(&self.key, 1));
        let mut builder = SubmissionBuilder::new(&executor.key)?;
        builder.push(&draft).map_err(|error| match error {
            DraftError::Format { error, .. } => Refused::error(format!("nothing was changed: {error}")),
            error => error.into(),
        })?;
        Ok(builder.sign(log.ledger_id())?)
    }
}

/// Actions that may be live, those first that the policy names in full.
fn live_actions(governance: &Governance) -> Result<Vec<String>> {
    let rules = governance.in_force.policy.rules();
    let mut live: Vec<&str> =
        rules.iter().filter(|(_, rule)| rule.live).map(|(pattern, _)| pattern.as_str()).collect();
    live.sort_by_key(|pattern| pattern.ends_with('*'));
    if live.is_empty() {
        return Err(Refused::error(
            "the policy allows no action to be live, so the switch has nothing to stop; name one with --action",
        ));
    }
    Ok(live.into_iter().map(|pattern| pattern.replace('*', "PROBE")).collect())
}
