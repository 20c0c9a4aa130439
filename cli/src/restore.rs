//! `counterfoil restore`: put the state back to an earlier moment.

use crate::past::Moment;
use crate::place::Place;
use crate::quote::quoted_option;
use crate::undo::{self, Asked};
use anyhow::Result;
use std::io::Write;

/// Shows what putting the state back would do, and with --apply does it: what is in force since that moment is taken
/// back, the newest first, each as a row of its own. Keys, policy and kill switch stay as they are.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil restore --to 41          show what would happen
  counterfoil restore --to 41 --apply --yes
  counterfoil restore --to 2026-11-23T10:00:00Z --prefix price/
  counterfoil restore --to 99 --apply  when row 99 was the head before that:
                                       this brings it all back")]
pub struct Args {
    /// The row after which the state was as it shall be, or the time
    #[arg(long, value_name = "SEQ or TIME")]
    to: Moment,
    /// Only keys that begin with this; rows that touch others too are taken back in part
    #[arg(long, value_name = "P", default_value = "")]
    prefix: String,
    #[command(flatten)]
    options: undo::Options,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let prefix = match args.prefix.as_str() {
        "" => String::new(),
        prefix => format!(" {}", quoted_option("prefix", prefix)),
    };
    let again = undo::Again::with(place, &format!("restore --to {}{prefix}", args.to), true);
    undo::run(place, &args.options, &again, out, |_, _, log| {
        Ok(Asked::Restore { size: args.to.size_of_some(log)?, prefix: args.prefix.clone() })
    })
}
