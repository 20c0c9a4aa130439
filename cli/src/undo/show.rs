//! A plan for people: the rows, what changes key by key, the effects that are called for, and what cannot be undone.

use super::asked::NAMED;
use super::json::as_json;
use super::{Again, LISTED, Made, Options};
use crate::act::Landed;
use crate::calls::Told;
use crate::diff::print_changes;
use crate::json;
use crate::table::{Table, counted, cut, printable};
use crate::time;
use anyhow::Result;
use counterfoil_format::body::Manner;
use counterfoil_format::landing::Outcome;
use counterfoil_replay::plan::{Dependant, Plan, Reversal};
use serde_json::json;
use std::io::Write;

/// What was done of a plan.
#[derive(Default)]
pub(super) struct Done<'d> {
    pub landed: &'d [Landed],
    pub told: &'d [Told],
}

/// Shows a plan, and what was done of it.
pub(super) fn show(
    options: &Options,
    again: &Again,
    made: &Made,
    done: &Done<'_>,
    out: &mut dyn Write,
) -> Result<()> {
    if options.shown.json {
        return Ok(writeln!(out, "{}", as_json(options, made, done)?)?);
    }
    let plan = &made.plan;
    let count = plan.reversals.len();
    if count == 0 {
        writeln!(out, "Nothing to take back: the state is that already.")?;
        return Ok(());
    }
    let taken = done.landed.iter().filter(|row| row.outcome == Outcome::Applied).count();
    if taken < done.landed.len() {
        writeln!(out, "Took back {taken} of {}; the others were put aside.", rows(count))?;
        return print_told(done.told, out);
    }
    print_plan(made, options.apply, done.told, out)?;
    print_end(options, again, made, done.landed, out)
}

/// Shows what a plan would do.
pub(super) fn show_plan(made: &Made, out: &mut dyn Write) -> Result<()> {
    print_plan(made, false, &[], out)
}

fn print_plan(made: &Made, applied: bool, told: &[Told], out: &mut dyn Write) -> Result<()> {
    let plan = &made.plan;
    let verb = if applied { "Took back" } else { "Would take back" };
    writeln!(out, "{verb} {}, newest first:", rows(plan.reversals.len()))?;
    print_rows(plan, out)?;
    let keys = counted(made.changes.len(), "key", "keys");
    let end = match (applied, made.changes.len()) {
        (true, _) => "d",
        (false, 1) => "s",
        (false, _) => "",
    };
    let colon = if made.changes.is_empty() { '.' } else { ':' };
    writeln!(out, "{keys} change{end}{colon}")?;
    print_changes(&made.changes, LISTED, out)?;
    print_left(plan, out)?;
    print_calls(plan, told, out)?;
    if let Some(why) = &made.uncallable {
        writeln!(out, "They cannot be called for yet: {}.", printable(why))?;
    }
    for citation in plan.citations.iter().take(LISTED) {
        let (row, cites) = (citation.row, citation.cites);
        writeln!(out, "Note: row {row} points to row {cites} as evidence, and stays.")?;
    }
    Ok(())
}

fn print_rows(plan: &Plan, out: &mut dyn Write) -> Result<()> {
    let mut table = Table::with_heading(&["ROW", "KIND", "ACTION", "ENTITY", "WHY", "KEYS"]).right(0);
    for reversal in plan.reversals.iter().take(LISTED) {
        let because = plan.dependants.iter().find(|dependant| dependant.row == reversal.target);
        let cells = [
            reversal.target.to_string(),
            reversal.kind.name().into(),
            cut(&reversal.action, 24),
            cut(&reversal.entity, 24),
            why(reversal, because),
            cut(&reversal.keys.join(" "), 48),
        ];
        table.push(cells);
    }
    table.print(2, out)?;
    let count = plan.reversals.len();
    if count > LISTED {
        writeln!(out, "  and {} more", rows(count - LISTED))?;
    }
    Ok(())
}

/// Why a row is in a plan, and what taking a rollback back means.
fn why(reversal: &Reversal, because: Option<&Dependant>) -> String {
    let why = because.map_or("asked for".to_owned(), |because| format!("builds on {}", because.on));
    match reversal.takes_back {
        None => why,
        Some(target) => format!("{why}; took back {target}"),
    }
}

/// The keys of the rows that stay as they are.
fn print_left(plan: &Plan, out: &mut dyn Write) -> Result<()> {
    let parted = plan.reversals.iter().filter(|reversal| reversal.manner == Manner::Partial);
    let left = parted.flat_map(|reversal| reversal.left.iter().map(|left| (reversal.target, left)));
    let lines = left.map(|(row, (key, by))| {
        let why = by.map_or("it is not among those to be put back".to_owned(), |by| {
            format!("row {by} has touched it since")
        });
        format!("Stays: {} of row {row}: {why}.", cut(key, 60))
    });
    print_some(lines, "keys stay", out)?;
    let lines = plan.untouched.iter().map(|staying| {
        let keys = staying.left.iter().map(|(key, by)| format!("{key} by row {by}"));
        let keys = cut(&keys.collect::<Vec<_>>().join(", "), 100);
        format!("Stays: all of row {}: later rows have touched each of its keys: {keys}.", staying.row)
    });
    print_some(lines, "rows stay", out)
}

/// Prints lines, and of many how many more there are.
fn print_some(lines: impl Iterator<Item = String>, what: &str, out: &mut dyn Write) -> Result<()> {
    let mut more = 0;
    for (place, line) in lines.enumerate() {
        match place < LISTED {
            true => writeln!(out, "{line}")?,
            false => more += 1,
        }
    }
    if more > 0 {
        writeln!(out, "{more} more {what}; --json has them all.")?;
    }
    Ok(())
}

fn print_calls(plan: &Plan, told: &[Told], out: &mut dyn Write) -> Result<()> {
    if told.is_empty() {
        print_planned(plan, out)?;
    }
    print_told(told, out)?;
    let staying = plan.reversals.iter().flat_map(|reversal| {
        let not = if reversal.brings_back { "Not done again" } else { "Not undone" };
        reversal.staying.iter().map(move |staying| (not, reversal.target, staying))
    });
    let lines = staying.map(|(not, row, staying)| {
        let adapter = cut(&staying.adapter, 24);
        format!("{not}: effect {} of row {row} on {adapter}: {}.", staying.effect, staying.why)
    });
    print_some(lines, "effects stay as they are", out)
}

fn print_planned(plan: &Plan, out: &mut dyn Write) -> Result<()> {
    let calls = plan
        .reversals
        .iter()
        .flat_map(|reversal| reversal.calls_in_order().map(move |call| (reversal.target, call)));
    let calls: Vec<_> = calls.collect();
    let mut table = Table::default();
    for (row, call) in calls.iter().take(LISTED) {
        let request = json::shown(&json::of_encoded(&call.request));
        let until = call.until.map_or(String::new(), |until| format!("until {}", time::print_short(until)));
        let what = format!("{} effect {} of row {row}", call.does.name(), call.effect);
        table.push([what, cut(&call.adapter, 24), cut(&request, 48), until]);
    }
    if table.is_empty() {
        return Ok(());
    }
    writeln!(out, "Effects to be called for:")?;
    table.print(2, out)?;
    if calls.len() > LISTED {
        writeln!(out, "  and {} more", calls.len() - LISTED)?;
    }
    Ok(())
}

/// What came of the calls.
fn print_told(told: &[Told], out: &mut dyn Write) -> Result<()> {
    for told in told {
        let detail = cut(&json::shown(&json!(told.detail)), 60);
        writeln!(out, "Effect {} called for by row {}: {}, {detail}", told.effect, told.row, told.status)?;
    }
    Ok(())
}

fn print_end(
    options: &Options,
    again: &Again,
    made: &Made,
    landed: &[Landed],
    out: &mut dyn Write,
) -> Result<()> {
    let (program, apply) = (&again.program, options.applying());
    match (landed.first(), landed.last()) {
        (Some(first), Some(last)) if first.seq == last.seq => {
            writeln!(out, "Landed as row {}. To bring it back: {program} redo {}{apply}", last.seq, last.seq)?
        }
        (Some(first), Some(last)) => {
            let (first, last) = (first.seq, last.seq);
            let later = match landed.len() <= NAMED {
                true => landed.iter().map(|row| format!(" {}", row.seq)).collect(),
                false => format!(" --to {}", first.saturating_sub(1)),
            };
            let redo = made.asked.is_redo();
            let command = match (landed.len() <= NAMED, redo) {
                (false, _) => "restore",
                (true, true) => "rollback",
                (true, false) => "redo",
            };
            // A redo brings back what the newest rollback took back that is none itself.
            let how = match redo {
                true => "To take them back again:".to_owned(),
                false => format!("To bring them back: {program} redo{apply}, or later"),
            };
            writeln!(out, "Landed as rows {first} to {last}. {how} {program} {command}{later}{apply}")?;
        }
        _ => {
            if let Some(file) = &options.shown.save {
                writeln!(out, "The plan is written to {}.", printable(&file.display().to_string()))?;
            }
            writeln!(out, "Nothing was changed. To do it: {}", printable(&options.command(again)))?;
        }
    }
    Ok(())
}

fn rows(count: usize) -> String {
    counted(count, "row", "rows")
}
