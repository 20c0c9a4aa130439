//! `counterfoil diff`: what differs between two moments.

use crate::json;
use crate::past::{Moment, Past};
use crate::place::Place;
use crate::table::{Table, cut};
use anyhow::Result;
use counterfoil_replay::diff::{Difference, difference};
use counterfoil_replay::state::{Held, state_after};
use serde_json::{Value as Json, json};
use std::io::Write;

/// Prints the keys that two moments hold differently.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil diff 10 41                   what rows 11 to 41 changed
  counterfoil diff 2026-11-01 2026-11-23   by the ledger's clock, midnight UTC
  counterfoil diff 10 41 --json")]
pub struct Args {
    /// The first moment: after this row, or at this time
    #[arg(value_name = "A")]
    from: Moment,
    /// The second moment
    #[arg(value_name = "B")]
    to: Moment,
    /// A line {"key","before","after"} for each key, each side null or {"value","seq"}
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let past = Past::of(&log);
    let before = state_after(&past, args.from.size(&log)?)?;
    let after = state_after(&past, args.to.size(&log)?)?;
    let changes = difference(&before, &after);
    if args.json {
        for change in &changes {
            let sides = (side(change.before.as_ref()), side(change.after.as_ref()));
            writeln!(out, "{}", json!({ "key": change.key, "before": sides.0, "after": sides.1 }))?;
        }
        return Ok(());
    }
    print_changes(&changes, usize::MAX, out)?;
    if changes.is_empty() {
        writeln!(out, "no difference")?;
    }
    Ok(())
}

/// One side of a difference as JSON.
pub fn side(held: Option<&Held>) -> Json {
    held.map_or(Json::Null, |held| json!({ "value": json::of_leaf(&held.leaf), "seq": held.row }))
}

/// Prints differences for people, at most so many.
pub fn print_changes(changes: &[Difference], most: usize, out: &mut dyn Write) -> Result<()> {
    let mut table = Table::default();
    for change in changes.iter().take(most) {
        let text = |held: &Option<Held>| {
            held.as_ref().map_or("-".to_owned(), |held| cut(&json::of_leaf(&held.leaf).to_string(), 48))
        };
        let (before, after) = (text(&change.before), text(&change.after));
        // What is compared is what was written: a value with its salt, or a counter.
        let note = if before == after { "(set anew)" } else { "" };
        table.push([cut(&change.key, 60), before, "->".to_owned(), after, note.to_owned()]);
    }
    table.print(2, out)?;
    if changes.len() > most {
        writeln!(out, "  and {} keys more", changes.len() - most)?;
    }
    Ok(())
}
