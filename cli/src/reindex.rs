//! `reindex`: rebuild what can be rebuilt.

use crate::place::Place;
use anyhow::Result;
use counterfoil_ledger::reindex;
use serde_json::json;
use std::io::Write;

/// What `reindex` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop reindex
  counterfoil -l shop reindex --json | jq .tiles

Side files, state index and tiles hold nothing that the segments do not. They
are made anew from the segments, every row of which is read and checked; nothing
else may write meanwhile. The old state index is kept in quarantine/. When a
segment is damaged nothing is rebuilt.";

/// Rebuilds, and says what was rebuilt.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let done = reindex(place.dir())?;
    if args.json {
        let object = json!({
            "rows": done.rows, "side_files": done.side_files, "state_index": done.state_index,
            "tiles": done.tiles.written, "tiles_failed": done.tiles.failed, "notices": done.notices,
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    for notice in &done.notices {
        eprintln!("counterfoil: note: {notice}");
    }
    let state = if done.state_index { "the state index" } else { "no state index" };
    writeln!(
        out,
        "read {} rows; wrote {} side files, {state} and {} tiles",
        done.rows, done.side_files, done.tiles.written
    )?;
    if done.tiles.failed > 0 {
        writeln!(
            out,
            "{} tiles could not be written; they are made when they are needed",
            done.tiles.failed
        )?;
    }
    Ok(())
}
