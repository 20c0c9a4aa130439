//! `counterfoil rollback`: take rows back.

use crate::place::Place;
use crate::undo;
use anyhow::Result;
use counterfoil_replay::plan::plan_rollback;
use std::io::Write;

/// Shows what taking rows back would do, and with --apply does it: each row's stored rollback lands as a new row.
///
/// Refused, with the list, when later rows build on one of them.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil rollback 41                       show what would happen
  counterfoil rollback 41 --apply --reason 'priced below cost'
  counterfoil rollback 41 44 45 --apply --yes")]
pub struct Args {
    /// The rows to take back
    #[arg(required = true, value_name = "SEQ")]
    rows: Vec<u64>,
    #[command(flatten)]
    options: undo::Options,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let rows: Vec<String> = args.rows.iter().map(u64::to_string).collect();
    let command = format!("counterfoil rollback {}", rows.join(" "));
    let again = undo::Again { command, goes_on: false };
    undo::run(place, &args.options, &again, out, |past, governance, _| {
        past.check_rows(&args.rows)?;
        plan_rollback(past, governance, &args.rows).map_err(undo::refused)
    })
}
