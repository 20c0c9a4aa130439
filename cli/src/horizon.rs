//! `counterfoil horizon`: what can be taken back, until when, and what cannot.

use crate::past::{Moment, Past};
use crate::place::Place;
use crate::table::{Table, cut};
use crate::time;
use anyhow::Result;
use counterfoil_format::intent::Micros;
use counterfoil_format::policy::Reach;
use counterfoil_ledger::now;
use counterfoil_replay::horizon::{Closing, Counts, Horizon, horizon};
use counterfoil_rules::governance::Governance;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::Write;

/// Entities, executors and rows that are listed for people.
const LISTED: usize = 20;
/// The classes that can be taken back.
pub const CLASSES: [Reach; 4] = [Reach::Exact, Reach::Declared, Reach::Window, Reach::Compensating];

/// Shows how many of the rows in force can be taken back: the state alone, with the undo of their effects, until when; and
/// how many cannot. By class, by what they are about and by who carried them out.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil horizon
  counterfoil horizon --within '24 h'     what closes until tomorrow
  counterfoil horizon --at 41             as it was when row 41 landed
  counterfoil horizon --json | jq .classes

A class is proven when its newest recovery drill has passed; `counterfoil drill`
holds one. Whether later rows build on a row is told by `rollback` and `suspect`.")]
pub struct Args {
    /// As of this row or time (RFC 3339); now, when not given
    #[arg(long, value_name = "SEQ or TIME")]
    at: Option<Moment>,
    /// List windows that close within this time; without it the first 20
    #[arg(long, value_name = "TIME", value_parser = span)]
    within: Option<Micros>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

fn span(text: &str) -> Result<Micros, String> {
    counterfoil_policy::parse_time(text).map_err(|error| error.to_string())
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let size = args.at.map_or(Ok(log.head().size), |at| at.size_of_some(&log))?;
    let at = match args.at {
        None => now().max(log.head().landed_at),
        Some(Moment::Time(time)) => time,
        Some(Moment::Row(row)) => log.row(row)?.parse()?.landing.landed_at,
    };
    let governance = log.governance_at(size)?;
    let found = horizon(&Past::upto(&log, size), &governance, at)?;
    let soon =
        |closing: &&Closing| args.within.is_none_or(|within| closing.until <= at.saturating_add(within));
    let closing: Vec<&Closing> = found.closing.iter().filter(soon).collect();
    if args.json {
        writeln!(out, "{}", as_json(&found, &governance, at, size, &closing))?;
        return Ok(());
    }
    show(args, &found, &governance, (at, size), &closing, out)
}

/// After what time a drill is too old for a rule of the policy.
fn stale_after(governance: &Governance) -> Option<Micros> {
    governance.in_force.policy.rules().values().filter_map(|rule| rule.proven).min()
}

/// Whether a class is proven at a time: by a drill that has passed, and is not too old for any rule of the policy.
pub fn is_proven(governance: &Governance, class: Reach, at: Micros) -> bool {
    let fresh =
        |landed: Micros| stale_after(governance).is_none_or(|after| at.saturating_sub(landed) <= after);
    governance.drilled(class).is_some_and(|drill| drill.passed && fresh(drill.landed_at))
}

/// Since when a class is proven, in words.
pub fn proven(governance: &Governance, class: Reach, at: Micros) -> String {
    let Some(drill) = governance.drilled(class) else { return "unproven (never drilled)".to_owned() };
    let (row, when) = (drill.row, time::print_short(drill.landed_at));
    match (drill.passed, is_proven(governance, class, at)) {
        (_, true) => format!("proven by row {row} at {when}"),
        (false, _) => format!("unproven (the drill of row {row} failed)"),
        (true, false) => {
            let after = stale_after(governance).map_or(String::new(), time::span);
            format!(
                "unproven (the drill of row {row} at {when} is stale: the policy asks for one within {after})"
            )
        }
    }
}

fn show(
    args: &Args,
    found: &Horizon,
    governance: &Governance,
    (at, size): (Micros, u64),
    closing: &[&Closing],
    out: &mut dyn Write,
) -> Result<()> {
    let Counts { closed, never, .. } = found.all;
    writeln!(
        out,
        "Of {} in force in {size} rows, at {}: {} can be taken back, {} cannot.",
        match found.all.rows() {
            1 => "1 decision".to_owned(),
            rows => format!("{rows} decisions"),
        },
        time::print_short(at),
        found.all.reversible(),
        closed + never
    )?;
    match found.in_part {
        0 => {}
        1 => writeln!(out, "1 more is taken back but for a part, which stands.")?,
        more => writeln!(out, "{more} more are taken back but for a part, which stands.")?,
    }
    let mut table = Table::with_heading(&["CLASS", "ROWS", ""]).right(1);
    for class in CLASSES {
        table.push([class.name().to_owned(), found.all.of(class).to_string(), proven(governance, class, at)]);
    }
    table.push(["closed", &closed.to_string(), "the undo worked until a time that is over"]);
    table.push(["never", &never.to_string(), "an effect had no undo when it landed"]);
    table.print(2, out)?;
    if let (Some(within), true) = (args.within, closing.is_empty()) {
        writeln!(out, "Nothing closes within {}.", time::span(within))?;
    }
    if !closing.is_empty() {
        writeln!(out, "Closing, the first to close first:")?;
        let mut table = Table::default();
        for closing in closing.iter().take(if args.within.is_some() { usize::MAX } else { LISTED }) {
            let (until, row) = (time::print_short(closing.until), format!("row {}", closing.row));
            let left = time::about(closing.until.saturating_sub(at));
            table.push([
                until,
                format!("in {left}"),
                row,
                cut(&closing.action, 24),
                cut(&closing.entity, 24),
            ]);
        }
        table.print(2, out)?;
        if args.within.is_none() && closing.len() > LISTED {
            writeln!(out, "  and {} more; --within lists those of a time", closing.len() - LISTED)?;
        }
    }
    by("ENTITY", &found.entities, out)?;
    by("EXECUTOR", &found.executors, out)
}

/// Those with the most rows that cannot be taken back, or can only for a time, first.
fn by(what: &str, counts: &BTreeMap<String, Counts>, out: &mut dyn Write) -> Result<()> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, counts)| {
        std::cmp::Reverse((counts.never + counts.closed, counts.window, counts.rows()))
    });
    let heading = [what, "EXACT", "DECLARED", "WINDOW", "COMPENSATING", "CLOSED", "NEVER"];
    let mut table = (1..heading.len()).fold(Table::with_heading(&heading), Table::right);
    for (name, counts) in sorted.iter().take(LISTED) {
        let Counts { exact, declared, window, compensating, closed, never } = counts;
        let numbers = [exact, declared, window, compensating, closed, never].map(u64::to_string);
        let name = if name.is_empty() { "(none)".to_owned() } else { cut(name, 32) };
        table.push([name].into_iter().chain(numbers));
    }
    table.print(0, out)?;
    if sorted.len() > LISTED {
        writeln!(out, "and {} more; --json has all", sorted.len() - LISTED)?;
    }
    Ok(())
}

fn as_json(found: &Horizon, governance: &Governance, at: Micros, size: u64, closing: &[&Closing]) -> Json {
    let classes = CLASSES.map(|class| {
        let drill = governance.drilled(class);
        json!({
            "class": class.name(),
            "rows": found.all.of(class),
            "proven": is_proven(governance, class, at),
            "drill": drill.map(|drill| json!({ "row": drill.row, "at": time::print(drill.landed_at), "passed": drill.passed })),
        })
    });
    let closing = closing.iter().map(|closing| {
        json!({
            "until": time::print(closing.until),
            "row": closing.row,
            "action": closing.action,
            "entity": closing.entity,
        })
    });
    let named = |by: &BTreeMap<String, Counts>| {
        by.iter().map(|(name, counts)| (name.clone(), of_counts(counts))).collect::<serde_json::Map<_, _>>()
    };
    json!({
        "at": time::print(at),
        "size": size,
        "reversible": found.all.reversible(),
        "classes": classes,
        "closed": found.all.closed,
        "never": found.all.never,
        "in_part": found.in_part,
        "closing": closing.collect::<Vec<_>>(),
        "entities": named(&found.entities),
        "executors": named(&found.executors),
    })
}

fn of_counts(counts: &Counts) -> Json {
    let Counts { exact, declared, window, compensating, closed, never } = counts;
    json!({
        "exact": exact, "declared": declared, "window": window, "compensating": compensating, "closed": closed,
        "never": never,
    })
}
