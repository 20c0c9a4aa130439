//! `counterfoil state`: what the keys hold, now or at an earlier moment.

use crate::json;
use crate::past::{Moment, Past};
use crate::place::Place;
use anyhow::Result;
use counterfoil_replay::history::History;
use counterfoil_replay::state::{Held, state_after, state_of_keys};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;

/// Prints the state, sorted by key: one JSON object, or with --json a line for each key.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil state
  counterfoil state --at 41                     after row 41
  counterfoil state --at 2026-11-23T10:00:00Z   by the ledger's clock
  counterfoil state --prefix price/ --json")]
pub struct Args {
    /// After this row, or at this time (RFC 3339); now, when not given
    #[arg(long, value_name = "SEQ or TIME")]
    at: Option<Moment>,
    /// Only this key
    #[arg(long, value_name = "K", conflicts_with = "prefix")]
    key: Option<String>,
    /// Only keys that begin with this
    #[arg(long, value_name = "P", default_value = "")]
    prefix: String,
    /// A line {"key","value","seq"} for each key; seq is the row that set it
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let past = Past::of(&log);
    let state = match (&args.key, args.at) {
        (Some(key), None) => state_of_keys(&past, &BTreeSet::from([key.clone()]))?,
        (_, Some(moment)) => state_after(&past, moment.size_of_some(&log)?)?,
        (None, None) => state_after(&past, past.size())?,
    };
    let prefix = args.key.as_deref().unwrap_or(&args.prefix);
    let wanted = |key: &str| args.key.as_ref().is_none_or(|only| only == key);
    let mut held = state.with_prefix(prefix).filter(|(key, _)| wanted(key));
    if args.json {
        return held.try_for_each(|(key, held)| Ok(writeln!(out, "{}", line(key, held))?));
    }
    let mut first = true;
    for (key, held) in held {
        let (key, held) = (json::shown(&json!(key)), json::shown(&json::of_leaf(&held.leaf)));
        write!(out, "{}\n  {key}: {held}", if first { "{" } else { "," })?;
        first = false;
    }
    writeln!(out, "{}", if first { "{}" } else { "\n}" })?;
    Ok(())
}

fn line(key: &str, held: &Held) -> serde_json::Value {
    json!({ "key": key, "value": json::of_leaf(&held.leaf), "seq": held.row })
}
