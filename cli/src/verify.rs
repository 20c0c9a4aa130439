//! `verify`: prove offline what a ledger is. It is `counterfoil-verify` under another name.

use anyhow::{Result, bail};
use counterfoil_verifier::command::{self, Arguments};
use std::path::{Path, PathBuf};

/// What `verify` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A ledger's directory, a directory of segments, or one segment file; by default the one that -l names
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    #[command(flatten)]
    arguments: Arguments,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil verify shop
  counterfoil verify shop --pin ledger_id=5f1c... --checkpoint march.note
  counterfoil verify shop --json | jq .verdict

Exit status:
  0  intact: every check that ran passed
  1  broken: the bytes are not what was written
  2  unchecked: usage, unreadable input
  3  findings: the bytes are intact, but rows break the rules

It needs no key and writes nothing. The program counterfoil-verify does the
same and is the one to hand to an auditor: it has none of the code that writes
ledgers.";

/// Verifies; yields the exit status. `named` is the ledger that the global option names.
pub fn run(args: &Args, named: Option<&Path>) -> Result<u8> {
    let Some(path) = args.path.as_deref().or(named).filter(|path| !path.as_os_str().is_empty()) else {
        bail!("nothing to verify was named: `counterfoil verify PATH`");
    };
    Ok(command::run(path, &args.arguments, "counterfoil verify"))
}
