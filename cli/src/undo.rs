//! What `rollback`, `restore` and `redo` share: showing a plan, and landing it as rollback rows.

mod land;

pub use self::land::Again;
use self::land::land;
use crate::confirm::confirm;
use crate::diff::{print_changes, side};
use crate::exit::Refused;
use crate::past::Past;
use crate::place::Place;
use crate::row_json;
use crate::table::{Table, cut};
use crate::time;
use anyhow::{Context as _, Result};
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::decode_ops;
use counterfoil_ledger::{Log, ReadError, Receipt};
use counterfoil_replay::diff::{Difference, difference};
use counterfoil_replay::plan::{Plan, PlanError, Reversal, plan_rollback, preview};
use counterfoil_rules::governance::Governance;
use serde_json::{Value as Json, json};
use std::io::Write;

/// Keys and rows that a preview lists for people before it cuts.
const LISTED: usize = 30;

/// How a plan is carried out.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Do it; without this, the plan is shown and nothing changes
    #[arg(long)]
    apply: bool,
    /// Answer yes when more than one row is taken back
    #[arg(long)]
    yes: bool,
    /// Why, in your words; it stands in each rollback row
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The key that signs, by name; the first here that may, when not given
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// One JSON object: size, plan, changes, applied, receipts
    #[arg(long)]
    json: bool,
}

/// Makes a plan on the log as it is, shows it, and with --apply lands it. `again` is the command to apply it with.
pub fn run(
    place: &Place,
    options: &Options,
    again: &Again,
    out: &mut dyn Write,
    make: impl Fn(&Past<'_>, &Governance, &Log) -> Result<Plan>,
) -> Result<()> {
    if !options.apply {
        let log = place.log()?;
        let governance = log.governance()?;
        let plan = make(&Past::of(&log), &governance, &log)?;
        let changes = changes(&log, &plan, options)?;
        show(options, again, &plan, &changes, &[], out)?;
        return check_switch(&plan, &governance);
    }
    let ledger = place.ledger()?;
    let log = ledger.log();
    let plan = make(&Past::of(log), &ledger.governance(), log)?;
    let changes = changes(log, &plan, options)?;
    check_switch(&plan, &ledger.governance())?;
    let count = plan.reversals.len();
    if count > 1 {
        confirm(&format!("Take back {count} rows and change {} keys?", changes.len()), options.yes)?;
    }
    let author = place.keys().author(&ledger.governance(), options.author.as_deref(), Kind::Rollback)?;
    let receipts = land(&ledger, &author, &options.reason, &plan, again)?;
    let done = || match receipts.as_slice() {
        [] => "nothing was to be taken back".to_owned(),
        [one] => format!("row {} has landed, but", one.seq),
        [first, .., last] => format!("rows {} to {} have landed, but", first.seq, last.seq),
    };
    ledger.close().with_context(|| format!("{} closing the ledger failed", done()))?;
    show(options, again, &plan, &changes, &receipts, out)
        .map_err(|error| Refused::error(format!("{} that cannot be written out: {error:#}", done())))?;
    match receipts.iter().find(|receipt| receipt.outcome != Outcome::Applied) {
        None => Ok(()),
        Some(receipt) => Err(Refused::error(format!(
            "row {} landed as {} ({}); `counterfoil show {}` tells more",
            receipt.seq,
            receipt.outcome,
            receipt.reasons.iter().map(|reason| reason.name()).collect::<Vec<_>>().join(", "),
            receipt.seq
        ))),
    }
}

/// Refuses a plan that the kill switch would stop half way: taking a rollback back acts again.
fn check_switch(plan: &Plan, governance: &Governance) -> Result<()> {
    let stopped = plan.reversals.iter().find(|reversal| governance.brings_back(reversal.target));
    match stopped.filter(|_| governance.in_force.switch.engaged) {
        None => Ok(()),
        Some(reversal) => Err(Refused::error(format!(
            "nothing was changed: taking back row {}, a rollback, acts again, and row {} has engaged the kill switch; \
             release it first",
            reversal.target, governance.in_force.switch_row
        ))),
    }
}

/// Shows what taking one row back would do.
pub fn preview_one(place: &Place, row: u64, out: &mut dyn Write) -> Result<()> {
    one(place, row, &Options::default(), out)
}

/// Takes one row back; yields the row that does.
pub fn apply_one(place: &Place, row: u64, reason: &str, out: &mut dyn Write) -> Result<u64> {
    let options = Options { apply: true, reason: reason.to_owned(), ..Options::default() };
    one(place, row, &options, out)?;
    Ok(place.log()?.head().size.saturating_sub(1))
}

fn one(place: &Place, row: u64, options: &Options, out: &mut dyn Write) -> Result<()> {
    let again = Again { command: format!("counterfoil rollback {row}"), goes_on: false };
    run(place, options, &again, out, |past, governance, _| {
        plan_rollback(past, governance, &[row]).map_err(refused)
    })
}

/// A plan that cannot be made is a refusal, unless the log could not be read.
pub fn refused(error: PlanError<ReadError>) -> anyhow::Error {
    match error {
        PlanError::Replay(error) => error.into(),
        PlanError::Dependants(dependants) => {
            let rows =
                dependants.iter().map(|d| format!("\n  row {} wrote {} after row {}", d.row, d.key, d.on));
            Refused::error(format!(
                "later rows build on what would be taken back; take them back too, or leave it:{}",
                rows.collect::<String>()
            ))
        }
        error => Refused::error(error.to_string()),
    }
}

fn changes(log: &Log, plan: &Plan, options: &Options) -> Result<Vec<Difference>> {
    let (before, after) = preview(&Past::of(log), plan, options.reason.len()).map_err(refused)?;
    Ok(difference(&before, &after))
}

fn show(
    options: &Options,
    again: &Again,
    plan: &Plan,
    changes: &[Difference],
    receipts: &[Receipt],
    out: &mut dyn Write,
) -> Result<()> {
    if options.json {
        return Ok(writeln!(out, "{}", as_json(options, plan, changes, receipts)?)?);
    }
    let (count, keys) = (plan.reversals.len(), changes.len());
    if count == 0 {
        writeln!(out, "Nothing to take back: the state is that already.")?;
        return Ok(());
    }
    let taken = receipts.iter().filter(|receipt| receipt.outcome == Outcome::Applied).count();
    if taken < receipts.len() {
        writeln!(out, "Took back {taken} of {}; the others were put aside.", rows(count))?;
        return Ok(());
    }
    let done = if options.apply { "Took back" } else { "Would take back" };
    writeln!(out, "{done} {}, newest first:", rows(count))?;
    let mut table = Table::with_heading(&["ROW", "KIND", "ACTION", "ENTITY", "KEYS"]).right(0);
    for reversal in plan.reversals.iter().take(LISTED) {
        let keys = cut(&reversal.keys.join(" "), 60);
        let cells = [
            reversal.target.to_string(),
            reversal.kind.name().into(),
            cut(&reversal.action, 24),
            cut(&reversal.entity, 24),
            keys,
        ];
        table.push(cells);
    }
    table.print(2, out)?;
    if count > LISTED {
        writeln!(out, "  and {} more", rows(count - LISTED))?;
    }
    writeln!(out, "{} change{}:", keys_of(keys), if options.apply { "d" } else { "" })?;
    print_changes(changes, LISTED, out)?;
    let effects: Vec<_> = plan.reversals.iter().filter(|reversal| reversal.effects > 0).collect();
    for reversal in effects {
        let (row, effects) = (reversal.target, reversal.effects);
        writeln!(out, "Not undone: row {row} also had {effects} effect(s) outside the state.")?;
    }
    match (receipts.first(), receipts.last()) {
        (Some(first), Some(last)) if first.seq == last.seq => {
            writeln!(
                out,
                "Landed as row {}. To bring it back: counterfoil redo {} --apply",
                last.seq, last.seq
            )?;
        }
        (Some(first), Some(last)) => writeln!(
            out,
            "Landed as rows {} to {}. To bring them back: counterfoil redo --apply, or later \
             counterfoil restore --to {} --apply",
            first.seq,
            last.seq,
            plan.size.saturating_sub(1)
        )?,
        _ => writeln!(out, "Nothing was changed. To do it: {} --apply", again.command)?,
    }
    Ok(())
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}

fn keys_of(count: usize) -> String {
    if count == 1 { "1 key".into() } else { format!("{count} keys") }
}

fn as_json(options: &Options, plan: &Plan, changes: &[Difference], receipts: &[Receipt]) -> Result<Json> {
    let reversal = |reversal: &Reversal| -> Result<Json> {
        let ops: Vec<Json> = decode_ops(&reversal.ops)?.iter().map(row_json::op).collect();
        Ok(json!({
            "target": reversal.target,
            "target_hash": reversal.target_hash.to_string(),
            "kind": reversal.kind.name(),
            "action": reversal.action,
            "entity": reversal.entity,
            "keys": reversal.keys,
            "ops": ops,
            "effects_not_undone": reversal.effects,
        }))
    };
    let change = |change: &Difference| {
        json!({
            "key": change.key,
            "before": side(change.before.as_ref()),
            "after": side(change.after.as_ref()),
        })
    };
    let receipt = |receipt: &Receipt| {
        json!({
            "seq": receipt.seq,
            "row_hash": receipt.row_hash.to_string(),
            "outcome": receipt.outcome.name(),
            "reasons": receipt.reasons.iter().map(|reason| reason.name()).collect::<Vec<_>>(),
            "landed_at": time::print(receipt.landed_at),
        })
    };
    let all = receipts.iter().all(|receipt| receipt.outcome == Outcome::Applied);
    let changes = all.then(|| changes.iter().map(change).collect::<Vec<_>>());
    Ok(json!({
        "size": plan.size,
        "plan": plan.reversals.iter().map(reversal).collect::<Result<Vec<_>>>()?,
        "changes": changes,
        "applied": options.apply && all,
        "receipts": receipts.iter().map(receipt).collect::<Vec<_>>(),
    }))
}
