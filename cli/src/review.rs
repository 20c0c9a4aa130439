//! `review`: the decisions that were put aside, and what humans make of them.

use crate::act::{self, Urgency, land_all};
use crate::exit::{Refused, no_such_row};
use crate::names::Names;
use crate::place::Place;
use crate::summary::{entity, summary};
use crate::table::Table;
use crate::time;
use anyhow::{Result, anyhow};
use counterfoil_format::body::{Body, ReviewOf, ReviewVerdict};
use counterfoil_format::intent::{Kind, Mode};
use counterfoil_format::landing::Outcome;
use counterfoil_format::row::Row;
use counterfoil_ledger::{Log, SubmissionBuilder};
use counterfoil_rules::gates::is_clearable;
use counterfoil_rules::governance::Governance;
use serde_json::json;
use std::io::Write;
use std::ops::ControlFlow;

/// What `review` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List the decisions that wait for a human
    List(List),
    /// Let decisions land: each anew, under the gates of now
    #[command(after_help = APPROVE)]
    Approve(Said),
    /// Settle decisions without landing them
    Reject(Said),
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop review list
  counterfoil -l shop review list --json | jq 'select(.action == \"REPLY\").seq'
  counterfoil -l shop review approve 12 --reason 'the tone is fine'
  counterfoil -l shop review reject 13 14 --reason 'too cheap'";

const APPROVE: &str = "\
Examples:
  counterfoil -l shop review list
  counterfoil -l shop review approve 12 --reason 'the tone is fine'
  counterfoil -l shop review reject 13 14 --reason 'too cheap'

An operator's row says it and cites the one put aside. An approval has that
row's action and parts, and is its landing. What stopped it then is let pass,
but for what no human lets pass: the kill switch, a policy that allows nothing
live, the lifecycle, roles that must be apart, and operations that the state
does not admit. All other gates are asked anew: an approval may be put aside in
turn, and then the decision waits on.";

#[derive(clap::Args)]
struct List {
    /// Also those that are settled
    #[arg(long)]
    all: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Said {
    /// The rows that were put aside
    #[arg(value_name = "ROW", required = true)]
    rows: Vec<u64>,
    /// Why; it stands in the rows
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Whose key signs; by default the first here that may, an operator's before the owner's
    #[arg(long = "as", value_name = "NAME")]
    author: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    match &args.what {
        What::List(args) => list(args, place, out),
        What::Approve(said) => say(said, ReviewVerdict::Approve, place, out),
        What::Reject(said) => say(said, ReviewVerdict::Reject, place, out),
    }
}

/// Whether a row is a live decision that was put aside. A dry run has nothing to wait for.
fn waits(row: &Row<'_>) -> bool {
    let live = row.head.mode == Mode::Live;
    row.head.kind == Kind::Decision && row.landing.outcome == Outcome::Review && live
}

fn list(args: &List, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let (governance, names) = (log.governance()?, Names::of(&log)?);
    let heading = ["SEQ", "LANDED (UTC)", "ACTION", "ENTITY", "SETTLED", "WHY"];
    let mut table = Table::with_heading(&heading).right(0).fitting();
    let mut found = 0;
    let listed = log.scan::<anyhow::Error>(0..log.head().size, |row| {
        let (seq, by) = (row.landing.seq, governance.reviewed_by(row.landing.seq));
        if !waits(row) || (by.is_some() && !args.all) {
            return Ok(ControlFlow::Continue(()));
        }
        found += 1;
        let about = entity(row).map_err(|error| log.damaged(seq, error))?;
        let reasons: Vec<_> = row.landing.reasons.iter().map(|reason| reason.name()).collect();
        if args.json {
            let stays: Vec<_> = row
                .landing
                .reasons
                .iter()
                .filter(|reason| !is_clearable(**reason))
                .map(|it| it.name())
                .collect();
            let object = json!({
                "seq": seq, "landed_at": time::print(row.landing.landed_at), "action": row.head.action,
                "entity": about, "tier": row.head.tier.name(),
                "reversibility": row.landing.reversibility.name(), "reasons": reasons, "no_approval_clears": stays, "settled_by": by,
            });
            writeln!(out, "{object}")?;
        } else {
            let settled = by.map_or_else(String::new, |by| format!("row {by}"));
            let why = summary(row, &names).map_err(|error| log.damaged(seq, error))?;
            let landed = time::print_short(row.landing.landed_at);
            table.push([&seq.to_string(), &landed, row.head.action, &about, &settled, &why]);
        }
        Ok(ControlFlow::Continue(()))
    });
    listed?;
    if args.json {
        return Ok(());
    }
    if found == 0 {
        writeln!(out, "No decision waits for a human.")?;
        return Ok(());
    }
    table.print(0, out)?;
    Ok(())
}

fn say(said: &Said, verdict: ReviewVerdict, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let governance = log.governance()?;
    for row in &said.rows {
        check(&log, &governance, *row)?;
    }
    let author = place.keys().author(&governance, said.author.as_deref(), Kind::Review)?;
    let mut anew = Vec::new();
    for row in &said.rows {
        let stored = log.row(*row)?;
        let target = stored.parse()?;
        let body = ReviewOf { row: *row, row_hash: target.row_hash, verdict, reason: &said.reason };
        let draft = act::draft(Body::Review(body))?;
        let mut builder = SubmissionBuilder::new(&author.key)?;
        builder.push_review(&draft, &target)?;
        let landed = land_all(place, &log, builder.sign(log.ledger_id())?, Urgency::Plain)?;
        let landed = landed.into_iter().next().ok_or_else(|| anyhow!("the row is not to be found"))?;
        if verdict == ReviewVerdict::Approve && landed.outcome == Outcome::Review {
            anew.push(row.to_string());
        }
        if said.json {
            let more = [("reviewed", json!(row)), ("verdict", json!(verdict.name()))];
            writeln!(out, "{}", landed.json_with(more))?;
            continue;
        }
        let what = match (verdict, landed.outcome) {
            (ReviewVerdict::Reject, _) => "rejected",
            (_, Outcome::Review) => "approved, and put aside anew; it waits on",
            _ => "approved",
        };
        writeln!(out, "row {row}: {what}, by row {} ({})", landed.seq, landed.fate())?;
    }
    match anew.is_empty() {
        true => Ok(()),
        false => Err(Refused::error(format!(
            "approved and put aside anew, so they wait on: {}; `counterfoil show` says why",
            anew.join(", ")
        ))),
    }
}

/// Refuses what is no decision that waits, before anything lands.
fn check(log: &Log, governance: &Governance, row: u64) -> Result<()> {
    let size = log.head().size;
    if row >= size {
        return Err(no_such_row(row, size));
    }
    let stored = log.row(row)?;
    let target = stored.parse()?;
    if !waits(&target) {
        let (kind, outcome) = (target.head.kind, target.landing.outcome);
        return Err(Refused::error(format!(
            "row {row} waits for nobody: it is a {kind} row and landed as {outcome}. `counterfoil review list` lists \
             those that wait"
        )));
    }
    match governance.reviewed_by(row) {
        Some(by) => Err(Refused::error(format!(
            "row {row} was settled already, by row {by}; see `counterfoil show {by}`"
        ))),
        None => Ok(()),
    }
}
