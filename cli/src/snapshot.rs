//! `counterfoil snapshot`: keep the whole state after a row, so that what was then is found quickly.

use crate::exit::Refused;
use crate::place::Place;
use crate::table::Table;
use crate::time;
use anyhow::Result;
use counterfoil_format::body::Snapshot;
use counterfoil_ledger::{Log, SnapshotFile};
use serde_json::{Value as Json, json};
use std::io::Write;

/// Lists the snapshots of the state, or makes one. The policy has them made every so many rows by whoever writes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil snapshot              list them
  counterfoil snapshot --now        make one of the state as it is
  counterfoil snapshot --again      make those anew that are lost or damaged

A snapshot is a file below DIR/snapshots. Its digest is pinned by a row that the
ledger's key signs, and checked by `counterfoil verify`. The files can be made
again from the rows; nothing is lost with them.")]
pub struct Args {
    /// Make one of the state as it is
    #[arg(long)]
    now: bool,
    /// Make those anew whose files are lost or damaged
    #[arg(long, conflicts_with = "now")]
    again: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    if args.now {
        let ledger = place.ledger()?;
        let receipt = ledger.snapshot()?;
        ledger.close()?;
        if receipt.is_none() {
            return Err(Refused::error("no row has pinned it"));
        }
    }
    let log = place.log()?;
    if args.again {
        log.make_snapshots()?;
    }
    let pinned = log.snapshot_rows()?;
    let newest = if args.now { pinned.len().saturating_sub(1) } else { 0 };
    let mut table = Table::with_heading(&["ROW", "STATE AFTER", "LEAVES", "LANDED (UTC)", "FILE"])
        .right(0)
        .right(1)
        .right(2);
    let mut lost = false;
    for (row, snapshot) in pinned.iter().skip(newest) {
        let landed_at = log.row(*row)?.parse()?.landing.landed_at;
        let file = file(&log, *snapshot);
        lost |= file.is_some();
        if args.json {
            writeln!(out, "{}", line(*row, snapshot, landed_at, &file))?;
            continue;
        }
        let numbers = [*row, snapshot.at, snapshot.leaves].map(|number| number.to_string());
        let rest = [time::print_short(landed_at), file.unwrap_or_else(|| "there".to_owned())];
        table.push(numbers.into_iter().chain(rest));
    }
    if args.json {
        return Ok(());
    }
    match pinned.is_empty() {
        true => writeln!(out, "There is no snapshot yet; --now makes one.")?,
        false => table.print(0, out)?,
    }
    if lost {
        writeln!(out, "`counterfoil snapshot --again` makes those anew that are not there.")?;
    }
    Ok(())
}

/// Why the file of a snapshot is of no use; `None` when it is.
fn file(log: &Log, snapshot: Snapshot) -> Option<String> {
    SnapshotFile::open(log.layout(), snapshot).err().map(|error| error.reason)
}

fn line(row: u64, snapshot: &Snapshot, landed_at: i64, file: &Option<String>) -> Json {
    json!({
        "row": row,
        "at": snapshot.at,
        "leaves": snapshot.leaves,
        "state": snapshot.state.to_string(),
        "landed_at": time::print(landed_at),
        "file": file.as_deref().unwrap_or("there"),
    })
}
