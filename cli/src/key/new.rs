//! `key new`: make a key pair.

use super::print;
use crate::exit::Refused;
use crate::keys::{KeyDir, check_name};
use anyhow::Result;
use counterfoil_ledger::SecretKey;
use std::io::Write;

/// What `key new` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The key's name, which becomes the name of its files
    #[arg(value_name = "NAME", value_parser = check_name)]
    name: String,
    /// Encrypt the secret key with a passphrase, which is asked for twice
    #[arg(long)]
    encrypt: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop key new executor-2
  counterfoil -l shop key new alice --encrypt
  COUNTERFOIL_KEY_DIR=~/keys counterfoil key new alice --encrypt --json

No ledger knows a new key: only its public half, which is printed and lies in
NAME.pub, is needed to enrol it. A key that exists is never written over.";

/// Makes the key, and says which it is.
pub fn run(args: &Args, keys: &KeyDir, out: &mut dyn Write) -> Result<()> {
    let name = &args.name;
    let mut files = [keys.secret(name), keys.public(name)].into_iter();
    if let Some(there) = files.find(|file| file.symlink_metadata().is_ok()) {
        return Err(Refused::error(format!("{}: exists; a key is never written over", there.display())));
    }
    keys.check_mode()?;
    let passphrase = match args.encrypt {
        true => Some(keys.passphrases().new_for(&format!("the key {name}"))?),
        false => None,
    };
    let key = SecretKey::generate()?;
    keys.create()?;
    keys.save(name, &key, passphrase.as_ref())?;
    print(out, args.json, keys, name, &key, args.encrypt)
}
