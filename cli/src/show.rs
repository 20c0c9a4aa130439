//! `show`: all that one row says.

use crate::body_words;
use crate::exit::no_such_row;
use crate::json;
use crate::names::Names;
use crate::place::Place;
use crate::row_json::{RowJson, score};
use crate::summary;
use crate::table::{Table, printable};
use crate::why;
use anyhow::Result;
use counterfoil_format::body::Body;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Undo};
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::{Outcome, Reversibility};
use counterfoil_format::ops::Guard;
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;
use counterfoil_format::value::Value;
use counterfoil_ledger::Log;
use counterfoil_rules::governance::Governance;
use serde_json::Value as Json;
use std::io::Write;

/// What `show` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The row's number
    seq: u64,
    /// Print the same JSON object as `log --json`
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop show 12
  counterfoil -l shop show 12 --json | jq .rollback";

/// How many operations, effects and pieces of evidence are shown.
const SHOWN: usize = 20;

/// Shows a row.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let size = log.head().size;
    if args.seq >= size {
        return Err(no_such_row(args.seq, size));
    }
    let stored = log.row(args.seq)?;
    let row = stored.parse()?;
    let mut names = Names::of(&log)?;
    let object = RowJson::of(&row, &mut names)?;
    if args.json {
        serde_json::to_writer(&mut *out, &object)?;
        writeln!(out)?;
        return Ok(());
    }
    let operator = names.holder(row.landing.kill_switch_row)?;
    let governance = log.governance()?;
    writeln!(out, "{}\n", title(&row, &object))?;
    let mut table = Table::default();
    provenance(&row, &object, &names, operator, &mut table).map_err(|error| log.damaged(args.seq, error))?;
    changes(&row, &names, &mut table).map_err(|error| log.damaged(args.seq, error))?;
    identity(&object, &mut table);
    table.print(2, out)?;
    stopped(&row, &names, &log, &governance, out)?;
    next_step(&row, &governance, &log, out)
}

fn title(row: &Row<'_>, object: &RowJson) -> String {
    let what = if row.head.kind == Kind::Decision { row.head.action } else { object.kind };
    let mut title = format!("row {}: {}, {}", object.seq, printable(what), object.outcome);
    if !object.reasons.is_empty() {
        title.push_str(&format!(" ({})", object.reasons.join(", ")));
    }
    title
}

/// Who, when, why and on what.
fn provenance(
    row: &Row<'_>,
    object: &RowJson,
    names: &Names<'_>,
    operator: Option<String>,
    table: &mut Table,
) -> Result<(), CodecError> {
    table.push(["landed", &object.landed_at]);
    table.push(["decided", &object.authored_at]);
    let entity = summary::entity(row)?;
    if !entity.is_empty() {
        table.push(["about", &entity]);
        if let Some(moved) = object.lifecycle.as_object() {
            let stage = |name| moved.get(name).and_then(Json::as_str).map_or("(withheld)", summary::stage);
            table.push(["seen", &format!("in {}, to go to {}", stage("from"), stage("to"))]);
        }
    }
    match row.part(PartTag::Context) {
        None => {}
        Some(Slot::Closed(_)) => table.push(["why", "(withheld)"]),
        Some(Slot::Open { bytes, .. }) => {
            let context = Context::decode(bytes)?;
            if !context.reason.is_empty() {
                table.push(["why", context.reason]);
            }
            if let Ok(Value::Map(map)) = Value::decode(context.data) {
                let entries = map.iter().map(|(key, value)| format!("{key}: {}", json::of_value(value)));
                push_some(table, "context", entries);
            }
        }
    }
    if row.head.kind == Kind::Decision {
        let asked = format!("{}, tier {}", object.mode, object.tier.unwrap_or("not stated"));
        table.push(["asked for", &asked]);
    }
    actors(row, names, table)?;
    table.push(["signed by", &format!("{} (key {})", object.author, object.author_key)]);
    let operator = operator.unwrap_or_else(|| "(withheld)".into());
    let since = match object.kill_switch_row {
        0 => "from the start".to_owned(),
        row => format!("since row {row}"),
    };
    table.push(["kill switch", &format!("held by {operator}, {since}")]);
    table.push(["policy", &format!("set by row {}", object.policy_row)]);
    match row.part(PartTag::Evidence) {
        None => {}
        Some(Slot::Closed(_)) => table.push(["evidence", "(withheld)"]),
        Some(Slot::Open { bytes, .. }) => {
            let evidence = Evidence::decode_all(bytes)?;
            push_some(
                table,
                "evidence",
                evidence.iter().map(|item| match item {
                    Evidence::Row(row) => format!("row {row}"),
                    Evidence::Document { uri, blake3 } => format!("{uri} (blake3 {blake3})"),
                }),
            );
        }
    }
    Ok(())
}

fn actors(row: &Row<'_>, names: &Names<'_>, table: &mut Table) -> Result<(), CodecError> {
    match row.part(PartTag::Actors) {
        None => {}
        Some(Slot::Closed(_)) => table.push(["actors", "(withheld)"]),
        Some(Slot::Open { bytes, .. }) => {
            let actors = Actors::decode(bytes)?;
            if !actors.planner.is_empty() {
                table.push(["planner", actors.planner]);
            }
            if let Some(judge) = actors.judge {
                let signed = match judge.attestation {
                    None => "not signed".to_owned(),
                    Some(signed) => format!("signed by {} (key {})", names.key(&signed.key), signed.key),
                };
                table.push(["judge", &format!("{}, score {}, {signed}", judge.by, score(judge.score))]);
            }
            if !actors.executor.is_empty() {
                table.push(["executor", actors.executor]);
            }
        }
    }
    Ok(())
}

/// What the row does, and what takes it back.
fn changes(row: &Row<'_>, names: &Names<'_>, table: &mut Table) -> Result<(), CodecError> {
    if row.part(PartTag::Body).is_some() {
        let words = summary::summary(row, names)?;
        table.push(["says", &words]);
    }
    if let Some(bytes) = row.content(PartTag::Body) {
        let lines = body_words::lines(&Body::decode(row.head.kind, bytes)?, names);
        let count = lines.len();
        let mut before = "";
        for (label, words) in lines.iter().take(SHOWN * 2) {
            table.push([if *label == before { "" } else { label }, words]);
            before = label;
        }
        if count > SHOWN * 2 {
            table.push(["", &format!("and {} lines more; --json prints all", count - SHOWN * 2)]);
        }
    }
    let does = match row.landing.outcome {
        Outcome::Applied => "does",
        Outcome::DryRun => "would do",
        Outcome::Review => "asked to do",
    };
    push_ops(row, PartTag::Ops, does, table)?;
    match row.part(PartTag::Effects) {
        None => {}
        Some(Slot::Closed(_)) => table.push(["effects", "(withheld)"]),
        Some(Slot::Open { bytes, .. }) => {
            let effects = Effect::decode_all(bytes)?;
            push_some(
                table,
                "effect",
                effects.iter().map(|effect| {
                    let (request, undo) = (json::of_encoded(effect.request), undo(&effect.undo));
                    format!("{}: {request}; {undo}", effect.adapter)
                }),
            );
        }
    }
    push_ops(row, PartTag::Rollback, "rollback", table)?;
    let reversible = match row.landing.reversibility {
        Reversibility::Exact => return Ok(()),
        Reversibility::Declared => "its effects by the undo that each declares".to_owned(),
        Reversibility::Window(until) => format!("its effects until {}", crate::time::print(until)),
        Reversibility::Compensating => "its effects can only be compensated".to_owned(),
        Reversibility::Never => "its effects cannot be undone".to_owned(),
    };
    table.push(["reversible", &reversible]);
    Ok(())
}

fn undo(undo: &Undo<'_>) -> String {
    match undo {
        Undo::Never => "undo: none".into(),
        Undo::Request(request) => format!("undo: {}", json::of_encoded(request)),
        Undo::Until(request, until) => {
            format!("undo until {}: {}", crate::time::print(*until), json::of_encoded(request))
        }
        Undo::Compensate(request) => format!("no undo, made up for by: {}", json::of_encoded(request)),
    }
}

fn push_ops(row: &Row<'_>, tag: PartTag, label: &str, table: &mut Table) -> Result<(), CodecError> {
    match row.part(tag) {
        None => {}
        Some(Slot::Closed(_)) => table.push([label, "(withheld)"]),
        Some(Slot::Open { .. }) => {
            let ops = row.ops(tag)?.unwrap_or_default();
            push_some(table, label, ops.iter().map(summary::op));
            if ops.iter().any(|op| op.guard != Guard::None) {
                table.push(["", "(refused where a key holds something else by then)"]);
            }
        }
    }
    Ok(())
}

fn push_some(table: &mut Table, label: &str, items: impl ExactSizeIterator<Item = String>) {
    let count = items.len();
    for (at, item) in items.take(SHOWN).enumerate() {
        table.push([if at == 0 { label } else { "" }, &item]);
    }
    if count > SHOWN {
        table.push(["", &format!("and {} more; --json prints all", count - SHOWN)]);
    }
}

fn identity(object: &RowJson, table: &mut Table) {
    table.push(["id", &object.id]);
    table.push(["row hash", &object.row_hash]);
}

/// What stopped the row, reason by reason, and what to do.
fn stopped(
    row: &Row<'_>,
    names: &Names<'_>,
    log: &Log,
    governance: &Governance,
    out: &mut dyn Write,
) -> Result<()> {
    let reasons = why::explain(row, log, names)?;
    if reasons.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWhat stopped it, and what to do:")?;
    let mut table = Table::default();
    for why in &reasons {
        table.push([why.name, &why.what]);
        table.push(["", &why.remedy]);
    }
    table.print(2, out)?;
    let approval = why::approval(row);
    if approval.is_empty() || governance.reviewed_by(row.landing.seq).is_some() {
        return Ok(());
    }
    Ok(writeln!(out, "{approval}")?)
}

/// What can be done about the row.
fn next_step(row: &Row<'_>, governance: &Governance, log: &Log, out: &mut dyn Write) -> Result<()> {
    let seq = row.landing.seq;
    if let Some(by) = governance.reviewed_by(seq) {
        writeln!(out, "\nSettled by row {by}; `counterfoil show {by}` tells how.")?;
    } else if let Some(by) = governance.undone_by(seq) {
        let part = if log.inexact_rollbacks()?.contains(&by) { "in part " } else { "" };
        writeln!(
            out,
            "\nTaken back {part}by row {by}; `counterfoil rollback {by}` shows what bringing it back does."
        )?;
    } else if row.landing.outcome == Outcome::Applied && row.part(PartTag::Rollback).is_some() {
        writeln!(out, "\n`counterfoil rollback {seq}` shows what taking it back does, and changes nothing.")?;
    } else if seq + 1 < log.head().size {
        writeln!(out, "\n`counterfoil show {}` shows the next row.", seq + 1)?;
    }
    Ok(())
}
