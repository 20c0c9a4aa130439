//! `history`: the values a key has held.

use crate::exit::Refused;
use crate::json;
use crate::names::Names;
use crate::place::Place;
use crate::table::{Table, cut};
use crate::time;
use anyhow::{Result, anyhow};
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::PartTag;
use counterfoil_rules::apply::apply;
use counterfoil_rules::state::{Leaf, MapState};
use serde_json::{Value as Json, json};
use std::io::Write;

/// What `history` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The key
    key: String,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop history price/sku-1
  counterfoil -l shop history price/sku-1 --json | jq -c '[.seq, .value]'

Oldest first. A line is {\"seq\", \"key\", \"value\", \"deleted\", \"kind\",
\"action\", \"author\", \"landed_at\", \"row_hash\"}; after a deletion the value is
null and `deleted` is true. Rows that were not applied have set nothing and are
left out. `lifecycle/<entity>` is the key of an entity's stage.";

/// Lists what a key has held.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let names = Names::of(&log)?;
    let mut state = MapState::default();
    let mut table = Table::with_heading(&["SEQ", "LANDED (UTC)", "BY", "ACTION", "VALUE"]).right(0);
    let mut found = 0;
    for seq in log.find_key(&args.key, 0..log.head().size)? {
        let stored = log.row(seq)?;
        let row = stored.parse()?;
        if row.landing.outcome != Outcome::Applied {
            continue;
        }
        let ops = row.ops(PartTag::Ops).map_err(|error| log.damaged(seq, error))?.unwrap_or_default();
        let mine: Vec<_> = ops.into_iter().filter(|op| op.state_key() == args.key).collect();
        if mine.is_empty() {
            continue;
        }
        let Ok(result) = apply(&state, &mine, true);
        let applied = result.map_err(|reason| {
            anyhow!(
                "row {seq} cannot have been applied: {reason}. Run `counterfoil verify` to see what is wrong"
            )
        })?;
        for (key, leaf) in applied.into_changes() {
            state.set(&key, leaf);
        }
        found += 1;
        let leaf = state.get(&args.key);
        let author = names.key(&row.head.author);
        let action = if row.head.kind == Kind::Decision { row.head.action } else { row.head.kind.name() };
        if args.json {
            let object = json!({
                "seq": seq, "key": args.key, "value": leaf.map_or(Json::Null, json::of_leaf),
                "deleted": leaf.is_none(), "kind": row.head.kind.name(), "action": row.head.action,
                "author": author, "landed_at": time::print(row.landing.landed_at),
                "row_hash": row.row_hash.to_string(),
            });
            writeln!(out, "{object}")?;
        } else {
            let landed = time::print_short(row.landing.landed_at);
            table.push([&seq.to_string(), &landed, &author, &cut(action, 24), &shown(leaf)]);
        }
    }
    if found == 0 {
        return Err(Refused::error(format!("no applied row has ever set the key {:?}", args.key)));
    }
    if !args.json {
        table.print(0, out)?;
    }
    Ok(())
}

fn shown(leaf: Option<&Leaf>) -> String {
    match leaf {
        None => "(absent)".into(),
        Some(Leaf::Value(value)) if value.open.is_none() => "(withheld)".into(),
        Some(leaf) => json::of_leaf(leaf).to_string(),
    }
}
