//! `counterfoil suspect`: what a key that may have been in other hands has done, and how to take it back.

use crate::exit::Refused;
use crate::past::{Moment, Past};
use crate::place::Place;
use crate::quote::{quoted, quoted_option};
use crate::selection::{self, keys};
use crate::table::{Table, counted, cut};
use crate::time;
use crate::undo::{self, Asked};
use anyhow::Result;
use counterfoil_format::content::Subject;
use counterfoil_format::intent::{KeyId, Kind, Micros};
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_ledger::Log;
use counterfoil_replay::history::History as _;
use counterfoil_replay::plan::Later;
use counterfoil_replay::selection::approved_by;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::rollback::can_be_taken_back;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::ops::ControlFlow;

/// Rows that are listed for people.
const LISTED: usize = 30;

/// Shows what a key has written since a moment, what that touched, what built on it, and the plan that takes it all back.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil suspect --key agent-7 --since 2026-11-23T10:00:00Z
  counterfoil suspect --key agent-7        since when its revocation says
  counterfoil suspect --key agent-7 --since 41 --save plan.json

Nothing is changed. Revoke the key first: counterfoil key revoke. The plan is
that of `counterfoil rollback --key KEY --since T --cascade`.")]
pub struct Args {
    /// The key: its name, or its id
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Rows behind this row, or from this time on; by default since when the key's revocation says that it was in other hands
    #[arg(long, value_name = "SEQ or TIME")]
    since: Option<Moment>,
    #[command(flatten)]
    shown: undo::Shown,
}

/// A row that the key has written.
struct Written {
    row: u64,
    kind: Kind,
    action: String,
    entity: String,
    outcome: Outcome,
    landed_at: Micros,
    /// Whether it changed what governs, which no rollback takes back.
    governs: bool,
    /// The row of the key that it approves.
    approves: Option<u64>,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let governance = log.governance()?;
    let keys = keys(&governance, &args.key)?;
    let since = args.since.map_or_else(|| compromised(&governance, &keys, &args.key), Ok)?;
    let written = written(&log, &keys, since)?;
    if written.is_empty() {
        return Err(Refused::error(format!("{} has written no row since {since}", args.key)));
    }
    let selection = selection::Args::by_key(&args.key, Some(since));
    let rows = selection.find(&Past::of(&log), &governance, &log, Later::Cascade)?;
    if !args.shown.json {
        show(args, since, &written, out)?;
    }
    if rows.is_empty() {
        return match args.shown.json {
            true => {
                let written = written.iter().map(Written::json).collect::<Vec<_>>();
                Ok(writeln!(out, "{}", json!({ "written": written, "plan": [] }))?)
            }
            false => Ok(writeln!(out, "Nothing of it is in force that a rollback could take back.")?),
        };
    }
    let command = format!("rollback {} --since {since} --cascade", quoted_option("key", &args.key));
    let again = undo::Again::with(place, &command, false);
    let options = undo::Options::for_preview(&args.shown, written.iter().map(Written::json).collect());
    undo::run(place, &options, &again, out, |past, governance, log| {
        Asked::meant_by(&selection, true, false).again(past, governance, log)
    })
}

/// Since when the key was in other hands, as the row says that has revoked it.
fn compromised(governance: &Governance, keys: &[KeyId], named: &str) -> Result<Moment> {
    let since = keys.iter().filter_map(|key| governance.keys.get(key)?.compromised_since).min();
    since.map(Moment::Time).ok_or_else(|| {
        Refused::error(format!(
            "no revocation says since when {named} was in other hands; say it with --since, or revoke the key with \
             `counterfoil key revoke {} --compromised-since TIME`",
            quoted(named)
        ))
    })
}

fn written(log: &Log, keys: &[KeyId], since: Moment) -> Result<Vec<Written>> {
    let first = match since {
        Moment::Time(time) => time.checked_sub(1).map_or(Ok(0), |time| log.size_at(time))?,
        at => at.size(log)?,
    };
    let past = Past::of(log);
    let mut found = Vec::new();
    let mut rows = BTreeSet::new();
    past.scan(first..past.size(), |row| {
        let approves = approved_by(row).filter(|approved| rows.contains(approved));
        if keys.contains(&row.head.author) || approves.is_some() {
            rows.insert(row.landing.seq);
            found.push(Written { approves, ..Written::of(row) });
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

impl Written {
    fn of(row: &Row<'_>) -> Self {
        let subject = row.content(PartTag::Subject).and_then(|bytes| Subject::decode(bytes).ok());
        let (kind, applied) = (row.head.kind, row.landing.outcome == Outcome::Applied);
        let acts = matches!(kind, Kind::Decision | Kind::Rollback) || can_be_taken_back(row);
        Written {
            row: row.landing.seq,
            kind,
            action: row.head.action.to_owned(),
            entity: subject.map_or(String::new(), |subject| subject.entity.to_owned()),
            outcome: row.landing.outcome,
            landed_at: row.landing.landed_at,
            governs: applied && !acts,
            approves: None,
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "row": self.row,
            "kind": self.kind.name(),
            "action": self.action,
            "entity": self.entity,
            "outcome": self.outcome.name(),
            "landed_at": time::print(self.landed_at),
            "approves": self.approves,
        })
    }
}

fn show(args: &Args, since: Moment, written: &[Written], out: &mut dyn Write) -> Result<()> {
    let applied = written.iter().filter(|row| row.outcome == Outcome::Applied).count();
    let entities: BTreeSet<&str> =
        written.iter().map(|row| row.entity.as_str()).filter(|entity| !entity.is_empty()).collect();
    writeln!(
        out,
        "{} has written {} since {since}: {applied} applied, about {}.",
        args.key,
        counted(written.len(), "row", "rows"),
        counted(entities.len(), "entity", "entities")
    )?;
    let mut table =
        Table::with_heading(&["ROW", "LANDED (UTC)", "KIND", "ACTION", "ENTITY", "OUTCOME"]).right(0);
    for row in written.iter().take(LISTED) {
        table.push([
            row.row.to_string(),
            time::print_short(row.landed_at),
            row.kind.name().to_owned(),
            cut(&row.action, 24),
            cut(&row.entity, 24),
            row.outcome.name().to_owned(),
        ]);
    }
    table.print(2, out)?;
    if written.len() > LISTED {
        writeln!(out, "  and {} more; `counterfoil log` lists all", written.len() - LISTED)?;
    }
    for (row, approved) in written.iter().filter_map(|row| Some((row.row, row.approves?))).take(LISTED) {
        writeln!(out, "Row {row} is by somebody else, who has approved row {approved}.")?;
    }
    let governing =
        |kind| written.iter().filter(move |row| row.governs && row.kind == kind).map(|row| row.row);
    for kind in Kind::ALL.iter().copied() {
        let mut rows: Vec<String> = governing(kind).map(|row| row.to_string()).collect();
        if rows.is_empty() {
            continue;
        }
        let what = match kind {
            Kind::Key => "they changed the keys: revoke what they granted",
            Kind::Policy => "they set a policy: set the one that shall hold",
            Kind::KillSwitch => "they moved the kill switch: see `counterfoil kill-switch status`",
            Kind::Evidence => {
                "they are readings: decisions that point to them stand, unless they are told below"
            }
            _ => "no rollback takes them back",
        };
        let more = rows.len().saturating_sub(LISTED);
        rows.truncate(LISTED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        writeln!(out, "Look at these {kind} rows yourself, {what}: {}{more}.", rows.join(", "))?;
    }
    Ok(())
}
