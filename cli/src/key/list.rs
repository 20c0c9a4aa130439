//! `key list`: all keys that were ever enrolled.

use super::scope;
use crate::keys::{KeyDir, check_name, there};
use crate::place::Place;
use crate::table::{Table, cut};
use crate::time;
use crate::{body_json, body_words};
use anyhow::Result;
use counterfoil_format::Hash;
use counterfoil_format::body::Role;
use counterfoil_ledger::{SecretKey, Signer};
use counterfoil_rules::keyring::Enrolled;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::PathBuf;

/// What `key list` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Only keys that have not ended
    #[arg(long)]
    living: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil key list
  counterfoil key list --living
  counterfoil key list --json | jq -r 'select(.secret == null) | .name'

In the order they were enrolled. SECRET says whether the secret key lies in the
key directory: plain, encrypted, or - when it does not. A line of JSON is
{\"name\", \"key_id\", \"key\", \"roles\", \"scope\", \"since\", \"until\",
\"compromised_since\", \"seals\", \"secret\"}; since and until are the rows that
enrolled the key and that ended it, and secret is {\"file\", \"kept\"} or null.";

/// Lists the keys.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let governance = place.log()?.governance()?;
    let sealing = governance.keys.sealing().map(|key| key.key.id());
    let keys = governance.keys.all().into_iter().filter(|key| !args.living || key.until.is_none());
    let mut table =
        Table::with_heading(&["NAME", "KEY ID", "ROLES", "IN FORCE", "SECRET", "SCOPE"]).fitting();
    for key in keys {
        let seals = sealing == Some(key.key.id());
        let secret = secret(key, place.keys());
        if args.json {
            writeln!(out, "{}", as_json(key, seals, secret.as_ref()))?;
            continue;
        }
        let roles: Vec<_> = Role::in_set(key.roles).map(Role::name).collect();
        table.push([
            cut(&key.name, 24),
            key.key.id().to_string(),
            roles.join(", "),
            in_force(key, seals),
            secret.map_or("-", |secret| secret.kept).to_owned(),
            scope(&key.scope),
        ]);
    }
    if !args.json {
        table.print(0, out)?;
    }
    Ok(())
}

fn in_force(key: &Enrolled, seals: bool) -> String {
    let since = key.since;
    match (key.until, key.compromised_since) {
        (None, _) if seals => format!("since row {since}, seals"),
        (None, _) => format!("since row {since}"),
        (Some(until), None) => format!("rows {} to {until}", since + 1),
        (Some(until), Some(time)) => {
            format!("rows {} to {until}, suspect from {}", since + 1, time::print_short(time))
        }
    }
}

/// A secret key that is here.
struct Secret {
    file: PathBuf,
    kept: &'static str,
}

/// The secret key's file, when it is here under its name or, after its end, under the name that it has then.
fn secret(key: &Enrolled, keys: &KeyDir) -> Option<Secret> {
    let name = check_name(&key.name).ok()?;
    let pairs = keys.pairs(&name, key.until);
    pairs.into_iter().find_map(|[file, public]| {
        if !there(&file) {
            return None;
        }
        let kept = match SecretKey::is_encrypted(&file) {
            Err(_) => "unreadable",
            // What is in it cannot be told without the passphrase; the file of its public half tells.
            Ok(true) => {
                let named = crate::keys::read_public(&public).ok();
                if named.is_some_and(|named| named != *key.key.as_bytes()) {
                    return None;
                }
                "encrypted"
            }
            Ok(false) => match SecretKey::load(&file) {
                Ok(secret) if *secret.public() != key.key => return None,
                Ok(_) => "plain",
                Err(_) => "unreadable",
            },
        };
        Some(Secret { file, kept })
    })
}

fn as_json(key: &Enrolled, seals: bool, secret: Option<&Secret>) -> Json {
    json!({
        "name": key.name,
        "key_id": key.key.id().to_string(),
        "key": Hash(*key.key.as_bytes()).to_string(),
        "roles": Role::in_set(key.roles).map(Role::name).collect::<Vec<_>>(),
        "scope": body_json::scope(&body_words::stated(&key.scope)),
        "since": key.since,
        "until": key.until,
        "compromised_since": key.compromised_since.map(time::print),
        "seals": seals,
        "secret": secret.map(|secret| json!({ "file": secret.file, "kept": secret.kept })),
    })
}
