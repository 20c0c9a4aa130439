//! What is open.

use super::{Args, Open, all, status};
use crate::calls::{Held, Watch};
use crate::json;
use crate::place::Place;
use crate::table::{Table, cut};
use anyhow::Result;
use counterfoil_format::body::{Body, EffectStatus};
use counterfoil_format::part::PartTag;
use counterfoil_ledger::Log;
use serde_json::{Value as Json, json};
use std::io::Write;

/// Lists what is open, and how to go on with it.
pub(super) fn list(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let watch = Watch::of(&log)?;
    let open = all(&log, &watch.governance)?;
    let held = |open: &Open| watch.held(open.found.row, open.found.effect, open.call.as_ref());
    if args.json {
        return open
            .iter()
            .try_for_each(|open| Ok(writeln!(out, "{}", as_json(&log, open, held(open).as_ref())?)?));
    }
    if open.is_empty() {
        writeln!(out, "No effect is open.")?;
        return Ok(());
    }
    let mut table =
        Table::with_heading(&["ROW", "EFFECT", "STATUS", "ADAPTER", "DOES", "SAID"]).right(0).right(1);
    for open in &open {
        let said = cut(&detail(&log, open.found.told_by)?, 60);
        let (row, effect) = (open.found.row.to_string(), open.found.effect.to_string());
        let (adapter, does) = match &open.call {
            Some(call) => (cut(&call.adapter, 24), call.does.name()),
            None => ("(withheld)".to_owned(), ""),
        };
        table.push([row.as_str(), &effect, status(&open.found), &adapter, does, &said]);
    }
    table.print(0, out)?;
    for (open, held) in open.iter().filter_map(|open| Some((open, held(open)?))) {
        writeln!(
            out,
            "Not to be made: effect {} of row {}: {}.",
            open.found.effect,
            open.found.row,
            held.why()
        )?;
    }
    // What has failed and is of no use any more is ended like what has not ended otherwise.
    let failed = |open: &&Open| {
        open.found.status == Some(EffectStatus::Failed) && !matches!(held(open), Some(Held::Moot(_)))
    };
    let mut ways = Vec::new();
    if open.iter().filter(failed).count() < open.len() {
        ways.push("counterfoil effects resume");
    }
    if open.iter().any(|open| failed(&open)) {
        ways.push("counterfoil effects retry ROW EFFECT");
    }
    if open.iter().any(|open| open.found.status != Some(EffectStatus::Intended)) {
        ways.push("counterfoil effects close ROW EFFECT --reason TEXT");
    }
    writeln!(out, "Go on: {}", ways.join("; "))?;
    Ok(())
}

/// What the row that told of a call says.
fn detail(log: &Log, told_by: Option<u64>) -> Result<String> {
    let Some(row) = told_by else { return Ok(String::new()) };
    let stored = log.row(row)?;
    let parsed = stored.parse()?;
    let body = parsed.content(PartTag::Body).map(|bytes| Body::decode(parsed.head.kind, bytes)).transpose();
    Ok(match body.map_err(|error| log.damaged(row, error))? {
        Some(Body::Outcome(outcome)) => outcome.detail.to_owned(),
        _ => String::new(),
    })
}

fn as_json(log: &Log, open: &Open, held: Option<&Held>) -> Result<Json> {
    let call = open.call.as_ref();
    Ok(json!({
        "row": open.found.row,
        "effect": open.found.effect,
        "status": status(&open.found),
        "told_by": open.found.told_by,
        "detail": detail(log, open.found.told_by)?,
        "adapter": call.map(|call| &call.adapter),
        "does": call.map(|call| call.does.name()),
        "request": call.map(|call| json::of_encoded(&call.request)),
        "not_to_be_made": held.map(Held::why),
    }))
}
