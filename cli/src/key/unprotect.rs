//! `key unprotect`: decrypt a secret key.

use super::print;
use crate::keys::{KeyDir, check_name};
use anyhow::Result;
use std::io::Write;

/// What `key unprotect` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The key, by the name of its file
    #[arg(value_name = "NAME", value_parser = check_name)]
    name: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop key unprotect executor-1

Afterwards whoever can read the file can sign with the key. The plain file
takes the encrypted one's place when it is on disk; an interrupted run leaves
one of the two, whole.";

/// Decrypts the key, and says which it is.
pub fn run(args: &Args, keys: &KeyDir, out: &mut dyn Write) -> Result<()> {
    let key = keys.unprotect(&args.name)?;
    print(out, args.json, keys, &args.name, &key, false)
}
