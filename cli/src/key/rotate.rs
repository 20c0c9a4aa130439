//! `key rotate`: put a new key in the place of an old one.
//!
//! The new pair is durable before the row that puts it in force, and takes the old one's file names after it. What is left of
//! a run that was broken off is told by [`crate::keys`]; the same command goes on from there.

use super::change::{Desk, as_json, note_on_switch, public_key};
use crate::act::Urgency;
use crate::exit::Refused;
use crate::keys::{KeyDir, check_name, there};
use crate::place::Place;
use crate::table::Table;
use anyhow::{Context, Result};
use counterfoil_format::Hash;
use counterfoil_format::body::{KeyBytes, KeyChange, Role};
use counterfoil_format::key::key_id;
use counterfoil_ledger::{SecretKey, Signer};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// What `key rotate` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Whose key it is; or the key's id
    #[arg(value_name = "NAME", value_parser = check_name)]
    name: String,
    /// The new public key, in hexadecimal or in a file; without it, a new pair is made
    #[arg(long, value_name = "HEX|FILE")]
    public: Option<String>,
    /// Encrypt the new secret key with a passphrase; it is so anyway when the old one was
    #[arg(long, conflicts_with = "public")]
    encrypt: bool,
    /// The key that signs the row, by the name of its file; the owner's, if not said
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil key rotate executor-1
  counterfoil key rotate ledger
  counterfoil key rotate alice --public alice-2027.pub

The new key has the name, the roles and the scope of the old one, which signs
nothing from the next row on. The files NAME.key and NAME.pub are then those of
the new key; the old ones stay beside them as NAME.key.ended-ROW and
NAME.pub.ended-ROW. When the run is broken off, the same command goes on with
the same new pair, and ends what was begun.

The new ledger's key seals the very row that names it, and opens the ledger
from then on. When others may have had the old key, `counterfoil key revoke`
with --compromised-since says so of a key; rotating says nothing of the kind.";

/// The new key.
struct Successor {
    public: KeyBytes,
    /// The secret key, when the ledger has to hold it or it is to be kept here.
    secret: Option<SecretKey>,
    /// Whether its files are here.
    kept: bool,
}

/// Puts a new key in place, and says which it is.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(place, args.author.as_deref())?;
    let keys = desk.keys();
    let old = desk.living(&args.name)?;
    let name = check_name(&old.name).map_err(|error| Refused::error(format!("{:?}: {error}", old.name)))?;
    let left = keys.next(&name)?;
    if left.is_some_and(|public| public == *old.key.as_bytes()) {
        return finish(args, keys, &name, *old.key.as_bytes(), old.since, out);
    }
    let sealing = old.roles & Role::Ledger.bit() != 0;
    let next = successor(args, keys, &name, left, sealing)?;
    let change = KeyChange::Rotate { old: old.key.id(), key: next.public };
    desk.check(&change)?;
    let again = || {
        let file = keys.next_secret(&name);
        format!(
            "the new pair is in {}, and the same command goes on with it; what stopped it",
            file.display()
        )
    };
    let landed = desk.land(&change, next.secret, Urgency::Plain);
    let receipt = if next.kept { landed.with_context(again)? } else { landed? };
    let moved = match next.kept {
        true => keys.succeed(&name, receipt.seq),
        false if keys.load_public(&name)? == Some(next.public) => Ok(Vec::new()),
        false => keys.put_aside(&name, receipt.seq),
    };
    let aside = moved.with_context(|| {
        format!(
            "row {} has landed, and the same command puts the files in place; what stopped it",
            receipt.seq
        )
    })?;
    let (switch, held) = (note_on_switch(&desk.governance, old.key.id()), next.kept);
    if args.json {
        let file = ("file", json!(held.then(|| keys.secret(&name))));
        let more = [file, ("aside", json!(aside)), ("finished", json!(false))];
        let object = as_json(place, &change, &receipt, more)?;
        return Ok(writeln!(out, "{object}")?);
    }
    writeln!(out, "{name} has a new key from row {} on.\n", receipt.seq)?;
    print(out, keys, &name, next.public, held, &aside)?;
    switch.map_or(Ok(()), |note| Ok(writeln!(out, "\n{note}")?))
}

/// The new key: the one that is given, the one that a run has left, or one that is made and written now.
fn successor(
    args: &Args,
    keys: &KeyDir,
    name: &str,
    left: Option<KeyBytes>,
    sealing: bool,
) -> Result<Successor> {
    let file = keys.next_secret(name);
    if let Some(text) = &args.public {
        let public = public_key(text)?;
        let shown = file.display();
        if left.is_some() {
            return Err(Refused::error(format!(
                "{shown}: an earlier run has left it for {name}; go on without --public, or remove it"
            )));
        }
        if sealing {
            return Err(Refused::error(format!(
                "{name} seals the ledger, so its new secret key must be here; rotate it without --public"
            )));
        }
        return Ok(Successor { public, secret: None, kept: false });
    }
    if let Some(public) = left {
        // Nobody has to type a passphrase for a key that is not used yet.
        let secret = sealing.then(|| keys.load_next(name)).transpose()?;
        return Ok(Successor { public, secret, kept: true });
    }
    let old = keys.secret(name);
    let encrypted = args.encrypt || (there(&old) && SecretKey::is_encrypted(&old)?);
    let passphrase = match encrypted {
        true => Some(keys.passphrases().new_for(&format!("the new key of {name}"))?),
        false => None,
    };
    let secret = SecretKey::generate()?;
    keys.check_mode()?;
    keys.create()?;
    keys.save_next(name, &secret, passphrase.as_ref())?;
    Ok(Successor { public: *secret.public().as_bytes(), secret: Some(secret), kept: true })
}

/// Puts the files of a key in place whose row an earlier run has landed.
fn finish(
    args: &Args,
    keys: &KeyDir,
    name: &str,
    public: KeyBytes,
    row: u64,
    out: &mut dyn Write,
) -> Result<()> {
    let aside = keys.succeed(name, row)?;
    if args.json {
        let object = json!({
            "change": "rotate", "name": name, "key": Hash(public).to_string(), "key_id": key_id(&public).to_string(),
            "seq": row, "file": keys.secret(name), "aside": aside, "finished": true,
        });
        return Ok(writeln!(out, "{object}")?);
    }
    writeln!(
        out,
        "An earlier run has landed row {row}, and was broken off; now {name}'s files are in place."
    )?;
    writeln!(out, "Nothing landed. To rotate the key once more, run it again.\n")?;
    print(out, keys, name, public, true, &aside)
}

fn print(
    out: &mut dyn Write,
    keys: &KeyDir,
    name: &str,
    public: KeyBytes,
    kept: bool,
    aside: &[PathBuf],
) -> Result<()> {
    let mut table = Table::default();
    table.push(["key id", &key_id(&public).to_string()]);
    table.push(["public", &Hash(public).to_string()]);
    let file = keys.secret(name);
    let how =
        |file| Ok::<_, anyhow::Error>(if SecretKey::is_encrypted(file)? { "encrypted" } else { "plain" });
    match kept {
        true => table.push(["secret", &format!("{}, {}", file.display(), how(&file)?)]),
        false => table.push(["secret", "not here"]),
    }
    for (at, file) in aside.iter().enumerate() {
        table.push([if at == 0 { "aside" } else { "" }, &file.display().to_string()]);
    }
    Ok(table.print(2, out)?)
}
