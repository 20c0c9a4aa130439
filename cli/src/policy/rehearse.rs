//! `policy test`: which rows would have landed differently under a policy.

use super::read;
use crate::past::Past;
use crate::place::Place;
use crate::table::Table;
use anyhow::Result;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_replay::rehearsal::{Difference, rehearse};
use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::PathBuf;

/// What `policy test` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The policy file
    file: PathBuf,
    /// Judge the decisions that the ledger holds
    #[arg(long, required = true)]
    against_log: bool,
    /// How many rows to list
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop policy test policy.toml --against-log
  counterfoil -l shop policy test policy.toml --against-log --json |
    jq '.differences[] | select(.would_be.outcome == \"review\") | .row'

Each decision is judged by the new policy on the state, the readings and the
counts that history really left before it. Nothing lands.";

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let file = read(&args.file)?;
    let log = place.log()?;
    let rehearsal = rehearse(&Past::of(&log), &file.body())?;
    if args.json {
        let differences: Vec<Json> = rehearsal.differences.iter().map(difference).collect();
        writeln!(out, "{}", json!({ "judged": rehearsal.judged, "differences": differences }))?;
        return Ok(());
    }
    let count = rehearsal.differences.len();
    if count == 0 {
        writeln!(out, "All {} decisions would have landed as they did.", rehearsal.judged)?;
        return Ok(());
    }
    writeln!(out, "{count} of {} decisions would have landed differently:", rehearsal.judged)?;
    let mut table =
        Table::with_heading(&["SEQ", "ACTION", "ENTITY", "LANDED", "WOULD BE"]).right(0).fitting();
    for found in rehearsal.differences.iter().take(args.limit) {
        let entity = found.entity.as_deref().unwrap_or_default();
        let seq = found.row.to_string();
        table.push([&seq, &found.action, entity, &words(&found.was), &words(&found.would_be)]);
    }
    table.print(0, out)?;
    if count > args.limit {
        writeln!(out, "and {} more; --limit {count} lists them", count - args.limit)?;
    }
    Ok(())
}

fn words((outcome, reasons): &(Outcome, Vec<Reason>)) -> String {
    let reasons: Vec<_> = reasons.iter().map(|reason| reason.name()).collect();
    match reasons.as_slice() {
        [] => outcome.to_string(),
        reasons => format!("{outcome} ({})", reasons.join(", ")),
    }
}

fn difference(found: &Difference) -> Json {
    let fate = |(outcome, reasons): &(Outcome, Vec<Reason>)| {
        let reasons: Vec<_> = reasons.iter().map(|reason| reason.name()).collect();
        json!({ "outcome": outcome.name(), "reasons": reasons })
    };
    json!({
        "row": found.row, "action": found.action, "entity": found.entity,
        "was": fate(&found.was), "would_be": fate(&found.would_be),
    })
}
