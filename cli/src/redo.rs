//! `counterfoil redo`: bring back what a rollback took back.

use crate::exit::Refused;
use crate::place::Place;
use crate::undo;
use anyhow::Result;
use counterfoil_replay::history::History as _;
use counterfoil_replay::operation::{is_redo, newest_rollback};
use std::io::Write;

/// Shows what bringing rows back would do, and with --apply does it. A redo is the rollback of a rollback.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil redo              the newest rollback in force, as a whole: all
                                that one rollback or restore took back
  counterfoil redo 57 --apply   bring back what row 57 took back")]
pub struct Args {
    /// The rollback rows to take back; the newest ones, when not given
    #[arg(value_name = "SEQ")]
    rows: Vec<u64>,
    #[command(flatten)]
    options: undo::Options,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let named: Vec<String> = args.rows.iter().map(u64::to_string).collect();
    let again = undo::Again::with(place, format!("redo {}", named.join(" ")).trim_end(), false);
    undo::run(place, &args.options, &again, out, |past, governance, log| {
        past.check_rows(&args.rows)?;
        let rollbacks: Vec<u64> =
            log.special().into_iter().filter(|row| governance.target_of(*row).is_some()).collect();
        if let Some(row) = args.rows.iter().find(|row| !rollbacks.contains(row)) {
            let hint = "only a rollback can be taken back by redo; `counterfoil log` shows them";
            return Err(Refused::error(format!("row {row} is no rollback that was applied: {hint}")));
        }
        let rows = match args.rows.as_slice() {
            [] => newest_rollback(past, governance, &rollbacks)?,
            rows => rows.to_vec(),
        };
        if rows.is_empty() {
            return Err(Refused::error(
                "there is nothing to redo: no rollback is in force but such as are a redo",
            ));
        }
        // What takes a redo back takes away again.
        let takes_away =
            rows.iter().map(|row| past.with_row(*row, is_redo)).collect::<Result<Vec<_>, _>>()?;
        Ok(if takes_away.contains(&true) { undo::Asked::rows(rows) } else { undo::Asked::redo(rows) })
    })
}
