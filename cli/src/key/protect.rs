//! `key protect`: encrypt a secret key.

use super::print;
use crate::keys::{KeyDir, check_name};
use anyhow::Result;
use std::io::Write;

/// What `key protect` is given.
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
  counterfoil -l shop key protect owner
  COUNTERFOIL_KEY_DIR=~/keys counterfoil key protect owner

The key stays the same. The encrypted file takes the plain one's place when it
is on disk and has been read back; an interrupted run leaves one of the two,
whole. To change a passphrase, unprotect the key and protect it again.

What lay on the disk in plain may stay there unseen, and in copies and backups.
A key that others may have got hold of needs a successor, not a passphrase.";

/// Encrypts the key, and says which it is.
pub fn run(args: &Args, keys: &KeyDir, out: &mut dyn Write) -> Result<()> {
    let key = keys.protect(&args.name)?;
    print(out, args.json, keys, &args.name, &key, true)
}
