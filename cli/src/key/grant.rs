//! `key grant`: enrol a key.

use super::change::{Desk, as_json, public_key};
use crate::act::Urgency;
use crate::exit::Refused;
use crate::keys::{check_name, there};
use crate::place::Place;
use crate::table::Table;
use crate::time;
use anyhow::{Context, Result};
use counterfoil_format::Hash;
use counterfoil_format::body::{KeyBytes, KeyChange, Role, Scope};
use counterfoil_format::intent::Micros;
use counterfoil_format::key::key_id;
use counterfoil_ledger::{Passphrase, SecretKey, Signer};
use serde_json::json;
use std::io::Write;

/// What `key grant` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Who holds the key; by default also the name of its files
    #[arg(value_name = "NAME", value_parser = check_name)]
    name: String,
    /// What it may do: owner, planner, judge, executor, operator, ledger or auditor
    #[arg(long = "role", value_name = "ROLE", required = true, num_args = 1..,
          value_delimiter = ',', value_parser = role)]
    roles: Vec<Role>,
    /// The public key, in hexadecimal or in a file; without it, NAME.pub or a new pair
    #[arg(long, value_name = "HEX|FILE")]
    public: Option<String>,
    /// The actions that its decisions may have, a * at the end for a prefix; all, if not said
    #[arg(long = "action", value_name = "PATTERN", num_args = 1..)]
    actions: Vec<String>,
    /// What the keys that it changes may begin with; anything, if not said
    #[arg(long = "prefix", value_name = "KEY", num_args = 1..)]
    prefixes: Vec<String>,
    /// From this time on, by the ledger's clock
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Option<Micros>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    until: Option<Micros>,
    /// Encrypt a new secret key with a passphrase, which is asked for twice
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
  counterfoil key grant judge-1 --role judge
  counterfoil key grant pricing --role executor --action 'PRICE_*' \\
    --prefix price/ --until 2027-01-01
  counterfoil key grant alice --role operator --public alice.pub
  COUNTERFOIL_KEY_DIR=/media/stick counterfoil key grant bob --role auditor

The owner's key signs it. Without --public the public key is that of NAME.pub
in the key directory, and when there is none, a new pair is made there, as by
`counterfoil key new`. A key has its roles and its scope for good: to change
them, revoke it and grant another. With the role owner or ledger it has no
scope. A key with the role ledger seals from that row on, so its secret key
must be there.";

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text)
        .ok_or_else(|| "a role is owner, planner, judge, executor, operator, ledger or auditor".into())
}

/// The key that is granted.
struct Pair {
    public: KeyBytes,
    /// The secret key, as far as it is here and needed.
    secret: Option<SecretKey>,
    /// Whether it is new, and how it is to be kept.
    made: bool,
    passphrase: Option<Passphrase>,
}

/// Enrols the key, and says which it is.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(place, args.author.as_deref())?;
    let name = &args.name;
    let namesakes = desk.governance.keys.all().into_iter().filter(|key| key.until.is_none());
    if let Some(key) = namesakes.into_iter().find(|key| key.name == *name) {
        let (id, row) = (key.key.id(), key.since);
        return Err(Refused::error(format!(
            "{name} has a key already, {id} since row {row}: `counterfoil key rotate {name}` puts a new one in its \
             place, `counterfoil key revoke {name}` ends it"
        )));
    }
    let Pair { public, secret, made, passphrase } = pair(args, &desk)?;
    let (actions, prefixes) = (sorted(&args.actions), sorted(&args.prefixes));
    let scope = Scope { actions, prefixes, from: args.from, until: args.until };
    let roles = args.roles.iter().fold(0, |set, role| set | role.bit());
    let vital = args.roles.iter().find(|role| matches!(role, Role::Owner | Role::Ledger));
    if let Some(role) = vital.filter(|_| scope != Scope::default()) {
        return Err(Refused::error(format!(
            "a key with the role {} has no scope: leave --action, --prefix, --from and --until out, or grant its \
             other roles to another key",
            role.name()
        )));
    }
    if args.from.zip(args.until).is_some_and(|(from, until)| from >= until) {
        return Err(Refused::error("--until is not after --from, so the key could sign nothing"));
    }
    let change = KeyChange::Grant { key: public, roles, name, scope };
    desk.check(&change).map_err(|error| on_own_file(error, args, &desk, &public))?;
    let file = desk.keys().secret(name);
    if made && let Some(secret) = &secret {
        desk.keys().create()?;
        desk.keys().save(name, secret, passphrase.as_ref())?;
    }
    let landed = desk.land(&change, secret, Urgency::Plain);
    let receipt = match made {
        true => landed.with_context(|| {
            format!("the new pair is in {}, and the same command grants it; what stopped it", file.display())
        })?,
        false => landed?,
    };
    let kept = args.public.is_none() && there(&file);
    let encrypted = kept.then(|| SecretKey::is_encrypted(&file)).transpose()?;
    if args.json {
        let file = ("file", json!(kept.then_some(&file)));
        let object = as_json(place, &change, &receipt, [file, ("encrypted", json!(encrypted))])?;
        return Ok(writeln!(out, "{object}")?);
    }
    let row = receipt.seq;
    writeln!(out, "{name} has a key from row {row} on.\n")?;
    let mut table = Table::default();
    table.push(["key id", &key_id(&public).to_string()]);
    table.push(["public", &Hash(public).to_string()]);
    let roles: Vec<_> = Role::in_set(roles).map(Role::name).collect();
    table.push(["may be", &roles.join(", ")]);
    let enrolled = place.log()?.governance()?;
    let scope = enrolled.keys.get(&key_id(&public)).map(|key| super::scope(&key.scope)).unwrap_or_default();
    table.push(["scope", &scope]);
    match encrypted {
        Some(true) => table.push(["secret", &format!("{}, encrypted with a passphrase", file.display())]),
        Some(false) => table.push(["secret", &format!("{}, plain", file.display())]),
        None => table.push(["secret", "not here"]),
    }
    Ok(table.print(2, out)?)
}

/// Texts as a scope lists them.
fn sorted(texts: &[String]) -> Vec<&str> {
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The key that is granted: the one that is given, the one that is there, or a new one.
fn pair(args: &Args, desk: &Desk<'_>) -> Result<Pair> {
    let given = |public, secret| Pair { public, secret, made: false, passphrase: None };
    if let Some(text) = &args.public {
        return Ok(given(public_key(text)?, None));
    }
    let (keys, name) = (desk.keys(), &args.name);
    let (secret, public) = (keys.secret(name), keys.load_public(name)?);
    if !there(&secret) && public.is_none() {
        let passphrase = match args.encrypt {
            true => Some(keys.passphrases().new_for(&format!("the key {name}"))?),
            false => None,
        };
        let secret = SecretKey::generate()?;
        let public = *secret.public().as_bytes();
        return Ok(Pair { public, secret: Some(secret), made: true, passphrase });
    }
    if args.encrypt {
        return Err(Refused::error(format!(
            "{name} has key files already, and --encrypt is for a new pair; `counterfoil key protect {name}` encrypts \
             them"
        )));
    }
    let sealing = args.roles.contains(&Role::Ledger);
    let needed = there(&secret) && (sealing || public.is_none() || !SecretKey::is_encrypted(&secret)?);
    let secret = needed.then(|| keys.load(name)).transpose()?;
    let own = secret.as_ref().map(|secret| *secret.public().as_bytes());
    if let (Some(own), Some(public)) = (own, public)
        && own != public
    {
        return Err(Refused::error(format!(
            "{}: another key than {}; move one of them aside",
            keys.public(name).display(),
            keys.secret(name).display()
        )));
    }
    let public = own.or(public).with_context(|| format!("the key {name}"))?;
    Ok(given(public, secret))
}

/// The error, with what to do when the key of the file that was found has had its time.
fn on_own_file(error: anyhow::Error, args: &Args, desk: &Desk<'_>, public: &KeyBytes) -> anyhow::Error {
    let row = desk.governance.keys.get(&key_id(public)).and_then(|key| key.until);
    match row.filter(|_| args.public.is_none()) {
        Some(row) => Refused::error(format!(
            "{}: its key was ended by row {row} and never lives again; move it and the secret one aside, and a new \
             pair is made",
            desk.keys().public(&args.name).display()
        )),
        None => error,
    }
}
