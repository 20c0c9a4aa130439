//! `counterfoil blame`: for every key, the row that last set it.

use crate::exit::Refused;
use crate::json;
use crate::names::Names;
use crate::past::{Moment, Past};
use crate::place::Place;
use crate::table::{Table, cut};
use crate::time;
use anyhow::Result;
use counterfoil_format::intent::Kind;
use counterfoil_ledger::Log;
use counterfoil_replay::state::{Held, state_after};
use serde_json::{Value as Json, json};
use std::io::Write;

/// Shows, for every key, the row that last set it, who wrote that row and what it did.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil blame                   every key
  counterfoil blame price/            keys that begin with this
  counterfoil blame price/ --at 41    as it was after row 41
  counterfoil blame price/ --json | jq -c '[.key, .seq, .author]'")]
pub struct Args {
    /// Only keys that begin with this
    #[arg(default_value = "")]
    prefix: String,
    /// After this row, or at this time (RFC 3339); now, when not given
    #[arg(long, value_name = "SEQ or TIME")]
    at: Option<Moment>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// The row that set a key.
struct Setter {
    kind: Kind,
    action: String,
    author: String,
    landed_at: i64,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let names = Names::of(&log)?;
    let size = args.at.map_or(Ok(log.head().size), |at| at.size_of_some(&log))?;
    let state = state_after(&Past::of(&log), size)?;
    let mut table =
        Table::with_heading(&["KEY", "SEQ", "LANDED (UTC)", "BY", "ACTION", "VALUE"]).right(1).fitting();
    let mut found = 0;
    for (key, held) in state.with_prefix(&args.prefix) {
        let setter = setter(&log, &names, held.row)?;
        found += 1;
        if args.json {
            writeln!(out, "{}", line(key, held, &setter))?;
            continue;
        }
        let action = if setter.kind == Kind::Decision { &setter.action } else { setter.kind.name() };
        table.push([
            cut(key, 60),
            held.row.to_string(),
            time::print_short(setter.landed_at),
            cut(&setter.author, 24),
            cut(action, 24),
            json::shown(&json::of_leaf(&held.leaf)),
        ]);
    }
    if found == 0 {
        return Err(Refused::error(match args.prefix.as_str() {
            "" => "there is no key".to_owned(),
            prefix => format!("no key begins with {prefix:?}"),
        }));
    }
    if !args.json {
        table.print(0, out)?;
    }
    Ok(())
}

fn setter(log: &Log, names: &Names<'_>, row: u64) -> Result<Setter> {
    let stored = log.row(row)?;
    let row = stored.parse()?;
    Ok(Setter {
        kind: row.head.kind,
        action: row.head.action.to_owned(),
        author: names.key(&row.head.author),
        landed_at: row.landing.landed_at,
    })
}

fn line(key: &str, held: &Held, setter: &Setter) -> Json {
    json!({
        "key": key,
        "value": json::of_leaf(&held.leaf),
        "seq": held.row,
        "kind": setter.kind.name(),
        "action": setter.action,
        "author": setter.author,
        "landed_at": time::print(setter.landed_at),
    })
}
