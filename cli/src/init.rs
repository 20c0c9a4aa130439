//! `init`: begin a ledger with its keys and first rows.
//!
//! Everything is made in a directory of its own inside the ledger's and moved into place at the end, `log/` last, so
//! that what was interrupted is no ledger.

use crate::exit::Refused;
use crate::keys::{KeyDir, check_name, dir_from_env};
use crate::passphrase::Passphrases;
use crate::policy;
use crate::quote::quoted_path;
use anyhow::{Context, Result, anyhow, bail};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange, KillSwitch, Role, Scope, SwitchAct};
use counterfoil_format::intent::Micros;
use counterfoil_format::note::VerifierKey;
use counterfoil_ledger::{Draft, Ledger, Passphrase, Platform, SecretKey, Signer, SubmissionBuilder};
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `init` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The ledger's directory, new or empty; by default the one that -l names
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The ledger's name, a URL without a scheme; it never changes
    #[arg(long, value_name = "NAME")]
    pub origin: String,
    /// The name of the first executor, whose key signs decisions
    #[arg(long, value_name = "NAME", default_value = "executor-1", value_parser = check_name)]
    pub executor: String,
    /// The name of the first operator, whose key takes back and holds the kill switch
    #[arg(long, value_name = "NAME", default_value = "operator-1", value_parser = check_name)]
    pub operator: String,
    /// Encrypt the new keys but the ledger's with one passphrase, which is asked for
    #[arg(long)]
    pub encrypt: bool,
    /// Encrypt the ledger's key too: then nothing lands without the passphrase
    #[arg(long)]
    pub encrypt_ledger: bool,
    /// The first policy: `default`, `open`, or a file; see `counterfoil policy`
    #[arg(long, value_name = "POLICY", default_value = "default")]
    pub policy: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil init shop --origin example.com/shop
  counterfoil init shop --origin example.com/shop --operator alice
  COUNTERFOIL_KEY_DIR=~/keys counterfoil init shop --origin example.com/shop
  counterfoil init shop --origin example.com/shop --encrypt

It makes four keys in DIR/keys, or where COUNTERFOIL_KEY_DIR says: owner,
ledger, executor and operator. Move owner.key away to where it is safe: it is
needed only to grant keys and to set policy. The first policy is `default`, a
shop's; `counterfoil policy show --preset default` prints it. What it prints is
for an auditor to keep elsewhere.

The ledger's key seals whatever anybody lands, so --encrypt leaves it plain;
--encrypt-ledger encrypts all four. The passphrase is asked for twice, or read
as `counterfoil help key` says. `counterfoil key unprotect` decrypts single
keys, such as the executor's when its agents run on their own.";

impl Args {
    /// What `init` is given when only the ledger's name and its first policy are said.
    pub fn new(origin: &str, policy: &str) -> Self {
        let (executor, operator) = ("executor-1".to_owned(), "operator-1".to_owned());
        let (encrypt, encrypt_ledger) = (false, false);
        Args {
            dir: None,
            origin: origin.to_owned(),
            executor,
            operator,
            encrypt,
            encrypt_ledger,
            policy: policy.to_owned(),
            json: false,
        }
    }

    /// The names of the keys, and whether each is to be encrypted.
    fn names(&self) -> [(&str, bool); 4] {
        let any = self.encrypt || self.encrypt_ledger;
        [("owner", any), ("ledger", self.encrypt_ledger), (&self.executor, any), (&self.operator, any)]
    }

    /// The names of the keys that are to be encrypted.
    fn encrypted(&self) -> Vec<&str> {
        self.names().into_iter().filter_map(|(name, encrypted)| encrypted.then_some(name)).collect()
    }
}

/// The keys of a new ledger.
struct Keys {
    owner: SecretKey,
    ledger: Arc<SecretKey>,
    executor: SecretKey,
    operator: SecretKey,
}

/// What an auditor should pin.
pub struct Founded {
    /// The ledger's id.
    pub ledger_id: Hash,
    /// The owner's public key.
    pub owner: Hash,
    /// The key that seals, under the ledger's name.
    pub vkey: String,
    /// Where the secret keys lie.
    pub keys: PathBuf,
}

/// Begins a ledger and says what to pin. `named` is the ledger that the global option names.
pub fn run(args: &Args, named: Option<&Path>, out: &mut dyn Write) -> Result<()> {
    let Some(dir) = args.dir.as_deref().or(named).filter(|dir| !dir.as_os_str().is_empty()) else {
        bail!("no directory was named: `counterfoil init DIR --origin {}`", args.origin);
    };
    let founded = found(args, dir, &Platform::default())?;
    let Founded { ledger_id, owner, vkey, keys } = &founded;
    let shown = dir.display();
    let encrypted = args.encrypted();
    if args.json {
        let object = json!({
            "dir": dir, "origin": args.origin, "ledger_id": ledger_id.to_string(), "owner": owner.to_string(),
            "vkey": vkey, "keys": keys, "executor": args.executor, "operator": args.operator,
            "encrypted": encrypted,
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    writeln!(out, "{shown} is a ledger now: {}\n", args.origin)?;
    writeln!(out, "  ledger id  {ledger_id}")?;
    writeln!(out, "  owner      {owner}")?;
    writeln!(out, "  vkey       {vkey}")?;
    writeln!(out, "  keys       {} (owner, ledger, {}, {})", keys.display(), args.executor, args.operator)?;
    if !encrypted.is_empty() {
        writeln!(out, "  encrypted  {}", encrypted.join(", "))?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "Keep the first three lines elsewhere: with them anyone can tell this ledger from another."
    )?;
    writeln!(out, "Move {} to where it is safe.\n", keys.join("owner.key").display())?;
    let shown = quoted_path(dir);
    writeln!(out, "Next:")?;
    writeln!(out, "  counterfoil -l {shown} append decisions.jsonl")?;
    writeln!(
        out,
        "  counterfoil verify {shown} \\\n    --pin ledger_id={ledger_id} \\\n    --pin owner={owner}"
    )?;
    Ok(())
}

/// Begins a ledger in a directory, or leaves nothing behind.
pub fn found(args: &Args, dir: &Path, platform: &Platform) -> Result<Founded> {
    check(args, dir)?;
    let passphrase = match args.encrypted().is_empty() {
        true => None,
        false => Some(Passphrases::default().new_for("the new keys")?),
    };
    let made_dir = !dir.exists();
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let building = dir.join(".being-made");
    let result = build(args, dir, &building, passphrase.as_ref(), platform);
    if result.is_err() {
        // Everything in it was made here, and none of it is a ledger yet.
        let _ = fs::remove_dir_all(&building);
        if made_dir {
            let _ = fs::remove_dir(dir);
        }
    }
    result
}

fn check(args: &Args, dir: &Path) -> Result<()> {
    counterfoil_format::note::check_key_name(&args.origin).map_err(|error| {
        anyhow!("--origin {:?}: {error}; take something like example.com/shop", args.origin)
    })?;
    if args.origin.contains("://") {
        bail!("--origin {:?}: a URL without its scheme is wanted, like example.com/shop", args.origin);
    }
    let names = args.names().map(|(name, _)| name);
    for (at, name) in names.iter().enumerate() {
        if names.iter().skip(at + 1).any(|other| other == name) {
            bail!("two keys would be called {name}; owner and ledger are taken");
        }
    }
    if dir.exists() && !dir.is_dir() {
        return Err(Refused::error(format!("{}: is a file; a ledger is a directory", dir.display())));
    }
    let occupied = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(error).with_context(|| dir.display().to_string()),
    };
    if dir.join("log").is_dir() {
        return Err(Refused::error(format!("{}: is a ledger already; nothing was changed", dir.display())));
    }
    if occupied {
        let shown = dir.display();
        return Err(Refused::error(format!(
            "{shown}: is not empty; a ledger begins in a new or empty directory. If an `init` was interrupted here, \
             remove {shown} and run it again"
        )));
    }
    if let Some(keys) = dir_from_env() {
        let keys = KeyDir::at(keys);
        let mut files = names.iter().flat_map(|name| [keys.secret(name), keys.public(name)]);
        if let Some(there) = files.find(|file| file.exists()) {
            return Err(Refused::error(format!(
                "{}: exists; a key is never written over. Name another COUNTERFOIL_KEY_DIR",
                there.display()
            )));
        }
    }
    Ok(())
}

fn build(
    args: &Args,
    dir: &Path,
    building: &Path,
    passphrase: Option<&Passphrase>,
    platform: &Platform,
) -> Result<Founded> {
    let keys = Keys {
        owner: SecretKey::generate()?,
        ledger: Arc::new(SecretKey::generate()?),
        executor: SecretKey::generate()?,
        operator: SecretKey::generate()?,
    };
    let policy = policy::named(&args.policy)?;
    let (owner, seal_key) = (&keys.owner, keys.ledger.clone());
    let ledger = Ledger::create_on(platform, building, &args.origin, policy.body(), owner, seal_key)?;
    let ledger_id = ledger.ledger_id();
    first_rows(args, &ledger, &keys, platform.clock.now())?;
    ledger.close()?;

    let elsewhere = dir_from_env();
    let key_dir = KeyDir::at(elsewhere.clone().unwrap_or_else(|| building.join("keys")));
    let named = args.names();
    key_dir.create()?;
    let made = [&keys.owner, &*keys.ledger, &keys.executor, &keys.operator];
    let placed = named
        .iter()
        .zip(made)
        .try_for_each(|((name, encrypted), key)| key_dir.save(name, key, passphrase.filter(|_| *encrypted)));
    let placed = placed.and_then(|()| move_into_place(building, dir));
    if placed.is_err() && elsewhere.is_some() {
        // None of these was there before, as was checked.
        for (name, _) in named {
            let _ = fs::remove_file(key_dir.secret(name));
            let _ = fs::remove_file(key_dir.public(name));
        }
    }
    placed?;
    let vkey = VerifierKey { name: args.origin.clone(), key: keys.ledger.public().clone() };
    Ok(Founded {
        ledger_id,
        owner: Hash(*keys.owner.public().as_bytes()),
        vkey: vkey.to_string(),
        keys: elsewhere.unwrap_or_else(|| dir.join("keys")),
    })
}

/// The rows behind the genesis: the executor's and the operator's key, and the kill switch in the operator's hands.
fn first_rows(args: &Args, ledger: &Ledger, keys: &Keys, time: Micros) -> Result<()> {
    let grant = |key: &SecretKey, role: Role, name| {
        let key = *key.public().as_bytes();
        Body::Key(KeyChange::Grant { key, roles: role.bit(), name, scope: Scope::default() })
    };
    let switch = KillSwitch {
        act: SwitchAct::HandOver,
        engaged: false,
        holder: keys.operator.public().id(),
        reason: "the ledger begins",
        drill: None,
    };
    let bodies = [
        grant(&keys.executor, Role::Executor, &args.executor),
        grant(&keys.operator, Role::Operator, &args.operator),
        Body::KillSwitch(switch),
    ];
    let mut builder = SubmissionBuilder::new(&keys.owner)?;
    for body in bodies {
        let id = crate::decision::random_id(time).map_err(|error| anyhow!(error))?;
        builder.push(&Draft::with_body(id, body, time))?;
    }
    ledger.submit(builder.sign(ledger.ledger_id())?)?;
    Ok(())
}

/// Moves what was made into the ledger's directory, what makes it a ledger last.
fn move_into_place(building: &Path, dir: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(building).with_context(|| building.display().to_string())? {
        names.push(entry?.file_name());
    }
    names.sort_by_key(|name| name == "log");
    for name in names {
        let (from, to) = (building.join(&name), dir.join(&name));
        fs::rename(&from, &to).with_context(|| to.display().to_string())?;
    }
    fs::remove_dir(building).with_context(|| building.display().to_string())?;
    File::open(dir).and_then(|dir| dir.sync_all()).with_context(|| dir.display().to_string())
}
