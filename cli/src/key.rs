//! `key`: secret keys and the files they lie in.

mod new;
mod protect;
mod unprotect;

use crate::keys::{KeyDir, dir_from_env};
use crate::place::Place;
use crate::table::Table;
use anyhow::{Context, Result};
use counterfoil_format::Hash;
use counterfoil_ledger::{SecretKey, Signer};
use serde_json::json;
use std::io::Write;
use std::path::Path;

/// What `key` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// What is done with a key.
#[derive(clap::Subcommand)]
enum Command {
    /// Make a key pair; nothing is enrolled
    New(new::Args),
    /// Encrypt a secret key with a passphrase
    Protect(protect::Args),
    /// Decrypt a secret key, to be used without a passphrase
    Unprotect(unprotect::Args),
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop key new executor-2
  counterfoil -l shop key protect owner
  COUNTERFOIL_KEY_DIR=/media/stick counterfoil key new owner --encrypt

Keys lie in the ledger's directory keys/, or where COUNTERFOIL_KEY_DIR says; no
ledger needs to be named then. NAME.key is the secret key, plain or encrypted,
and NAME.pub the public one.

An encrypted NAME.key is a file of the `age` program: `age -d NAME.key` prints
the plain one. Each command that needs the key asks for the passphrase on the
terminal. A service has none: there COUNTERFOIL_PASSPHRASE_FILE names a file
whose first line is the passphrase, the same for all the keys of a run. It may
be /dev/fd/N; a file that all may read is refused. No passphrase is ever taken
from the arguments or from a variable.

Whoever loses the passphrase loses the key.";

/// Does it. `named` is the ledger that the global option names.
pub fn run(args: &Args, named: Option<&Path>, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        Command::New(args) => new::run(args, &key_dir(named)?, out),
        Command::Protect(args) => protect::run(args, &key_dir(named)?, out),
        Command::Unprotect(args) => unprotect::run(args, &key_dir(named)?, out),
    }
}

/// Where the keys lie, which needs no ledger when the environment tells.
fn key_dir(named: Option<&Path>) -> Result<KeyDir> {
    if let Some(dir) = dir_from_env() {
        return Ok(KeyDir::at(dir));
    }
    let place = Place::find(named).context("COUNTERFOIL_KEY_DIR does not say where keys lie, and")?;
    place.must_exist()?;
    Ok(place.keys().clone())
}

/// Says which key it is, and how it is kept.
fn print(
    out: &mut dyn Write,
    json: bool,
    keys: &KeyDir,
    name: &str,
    key: &SecretKey,
    encrypted: bool,
) -> Result<()> {
    let file = keys.secret(name);
    let public = Hash(*key.public().as_bytes()).to_string();
    let id = key.public().id().to_string();
    if json {
        let object =
            json!({ "name": name, "file": file, "public": public, "key_id": id, "encrypted": encrypted });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let kept = if encrypted { "encrypted with a passphrase" } else { "plain" };
    let mut table = Table::default();
    table.push(["key", name]);
    table.push(["file", &file.display().to_string()]);
    table.push(["kept", kept]);
    table.push(["public", &public]);
    table.push(["key id", &id]);
    Ok(table.print(0, out)?)
}
