//! `counterfoil restore`: put the whole state back to an earlier row.

use crate::place::Place;
use crate::undo;
use anyhow::Result;
use counterfoil_replay::plan::plan_restore;
use std::io::Write;

/// Shows what putting the whole state back would do, and with --apply does it: what is in force since that row is taken
/// back, the newest first, each as a row of its own. Keys, policy and kill switch stay as they are.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil restore --to 41          show what would happen
  counterfoil restore --to 41 --apply --yes
  counterfoil restore --to 99 --apply  when row 99 was the head before that:
                                       this brings it all back")]
pub struct Args {
    /// The row after which the state was as it shall be
    #[arg(long, value_name = "SEQ")]
    to: u64,
    #[command(flatten)]
    options: undo::Options,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let again = undo::Again { command: format!("counterfoil restore --to {}", args.to), goes_on: true };
    undo::run(place, &args.options, &again, out, |past, governance, _| {
        past.check_rows(&[args.to])?;
        plan_restore(past, governance, args.to).map_err(undo::refused)
    })
}
