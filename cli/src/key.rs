//! `key`: who may write, and the secret keys with the files they lie in.

mod change;
mod grant;
mod list;
mod new;
mod protect;
mod revoke;
mod rotate;
mod unprotect;

use crate::body_words;
use crate::keys::{KeyDir, dir_from_env};
use crate::place::Place;
use crate::table::Table;
use anyhow::{Context, Result};
use counterfoil_format::Hash;
use counterfoil_ledger::{SecretKey, Signer};
use counterfoil_rules::keyring::KeyScope;
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
    /// List all keys, what they may do, and whether the secret one is here
    List(list::Args),
    /// Enrol a key
    Grant(grant::Args),
    /// Put a new key in the place of an old one
    Rotate(rotate::Args),
    /// End a key, and say since when others may have had it
    Revoke(revoke::Args),
    /// Make a key pair; nothing is enrolled
    New(new::Args),
    /// Encrypt a secret key with a passphrase
    Protect(protect::Args),
    /// Decrypt a secret key, to be used without a passphrase
    Unprotect(unprotect::Args),
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop key list
  counterfoil -l shop key grant judge-1 --role judge
  counterfoil -l shop key rotate executor-1
  counterfoil -l shop key revoke executor-1 --reason 'the agent is retired'
  counterfoil -l shop key protect owner
  COUNTERFOIL_KEY_DIR=/media/stick counterfoil key new owner --encrypt

To grant, rotate and revoke is the owner's: each lands as a row, signed by the
owner's key, also while another process writes, unless it changes which key
seals. `new`, `protect` and `unprotect` change files and no ledger.

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
        Command::List(args) => list::run(args, &Place::find(named)?, out),
        Command::Grant(args) => grant::run(args, &Place::find(named)?, out),
        Command::Rotate(args) => rotate::run(args, &Place::find(named)?, out),
        Command::Revoke(args) => revoke::run(args, &Place::find(named)?, out),
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

/// What a scope restricts, in words.
fn scope(scope: &KeyScope) -> String {
    let words = body_words::scope(&body_words::stated(scope));
    if words.is_empty() { "everything".to_owned() } else { words }
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
