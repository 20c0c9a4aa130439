//! `log`: list rows.

mod follow;

use crate::names::Names;
use crate::place::Place;
use crate::row_json::RowJson;
use crate::summary::summary;
use crate::table::{Table, cut};
use crate::time;
use anyhow::Result;
use counterfoil_format::intent::Kind;
use counterfoil_format::row::Row;
use counterfoil_ledger::Log;
use std::io::Write;
use std::ops::{ControlFlow, Range};

/// What `log` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Every row
    #[arg(long, conflicts_with_all = ["from", "to", "limit"])]
    all: bool,
    /// The first row to list
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// The last row to list
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// At most N rows: the newest ones, or with --from the first ones
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on, and print rows as they become durable, until interrupted
    #[arg(short, long, conflicts_with = "to")]
    follow: bool,
    /// Print one JSON object a line; without a range, every row
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop log
  counterfoil -l shop log --from 100 --to 199
  counterfoil -l shop log --limit 50
  counterfoil -l shop log --follow
  counterfoil -l shop log --json | jq 'select(.outcome == \"review\")'

Rows come in the order they landed. Without a range people see the newest 20,
and --json prints all. --follow looks for new rows five times a second; with
--from and --limit it ends when so many rows were printed.";

/// How many rows people see who did not say.
const NEWEST: u64 = 20;

/// Lists rows.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    if args.follow {
        return follow::run(args, &log, out);
    }
    let size = log.head().size;
    let mut names = Names::of(&log)?;
    let range = range(args, size);
    if args.json {
        return print_json(&log, &mut names, range, out);
    }
    let shown = range.clone();
    print_table(&log, &names, range, &mut table(), out)?;
    if shown.is_empty() {
        writeln!(out, "no rows there; the ledger has {size}, 0 to {}", size.saturating_sub(1))?;
    } else if shown.end - shown.start < size {
        let count = shown.end - shown.start;
        writeln!(
            out,
            "\n{count} of {size} rows; --all lists every one, `counterfoil show SEQ` tells all of one"
        )?;
    } else {
        writeln!(out, "\n`counterfoil show SEQ` tells all of one row")?;
    }
    Ok(())
}

/// The rows asked for.
fn range(args: &Args, size: u64) -> Range<u64> {
    let start = args.from.unwrap_or(0).min(size);
    let end = args.to.map_or(size, |to| to.saturating_add(1).min(size)).max(start);
    let asked = args.all || args.from.is_some() || args.to.is_some();
    let limit = args.limit.unwrap_or(if asked || args.json { u64::MAX } else { NEWEST });
    match args.from {
        Some(_) => start..end.min(start.saturating_add(limit)),
        None => end.saturating_sub(limit).max(start)..end,
    }
}

/// Rows that are aligned with each other. More than that would have to be kept in memory.
const PAGE: usize = 1000;

/// An empty table of rows, with its heading.
fn table() -> Table {
    Table::with_heading(&["SEQ", "LANDED (UTC)", "OUTCOME", "ACTION", "ENTITY", "T", "AUTHOR", "WHAT"])
        .right(0)
        .fitting()
}

fn print_json(log: &Log, names: &mut Names<'_>, range: Range<u64>, out: &mut dyn Write) -> Result<()> {
    log.scan(range, |row| {
        serde_json::to_writer(&mut *out, &RowJson::of(row, names)?)?;
        out.write_all(b"\n")?;
        Ok(ControlFlow::Continue(()))
    })
}

fn print_table(
    log: &Log,
    names: &Names<'_>,
    range: Range<u64>,
    table: &mut Table,
    out: &mut dyn Write,
) -> Result<()> {
    let mut rows = 0;
    log.scan(range, |row| {
        if rows == PAGE {
            table.print_on(out)?;
            rows = 0;
        }
        rows += 1;
        table.push(cells(row, names).map_err(|error| log.damaged(row.landing.seq, error))?);
        Ok::<_, anyhow::Error>(ControlFlow::Continue(()))
    })?;
    if rows > 0 {
        table.print_on(out)?;
    }
    Ok(())
}

fn cells(row: &Row<'_>, names: &Names<'_>) -> Result<[String; 8], counterfoil_format::codec::CodecError> {
    let (head, landing) = (&row.head, &row.landing);
    let action = if head.kind == Kind::Decision { head.action } else { head.kind.name() };
    Ok([
        landing.seq.to_string(),
        time::print_short(landing.landed_at),
        landing.outcome.name().to_owned(),
        cut(action, 20),
        cut(&crate::summary::entity(row)?, 20),
        head.tier.name().to_owned(),
        cut(&names.key(&head.author), 14),
        cut(&summary(row, names)?, 60),
    ])
}
