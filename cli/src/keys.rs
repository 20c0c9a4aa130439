//! The directory of key files: `NAME.key` is a secret key, plain or encrypted, `NAME.pub` its public half in
//! hexadecimal.
//!
//! It is `keys/` in the ledger's directory, or what `COUNTERFOIL_KEY_DIR` says. The directory has mode 0700, secret
//! keys have mode 0600; a secret key that others may read is refused, and so is
//! a directory that others may write to. What a key that takes another's place leaves there is told by [`succession`].

mod succession;

use crate::passphrase::Passphrases;
use crate::quote::quoted_path;
use anyhow::{Context, Result, anyhow};
use counterfoil_format::Hash;
use counterfoil_format::body::{KeyBytes, Role};
use counterfoil_format::intent::Kind;
use counterfoil_ledger::{Layout, Passphrase, SecretError, SecretKey, Signer};
use counterfoil_rules::governance::Governance;
use counterfoil_rules::keyring::Enrolled;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A directory of key files.
#[derive(Debug, Clone)]
pub struct KeyDir {
    path: PathBuf,
    passphrases: Rc<Passphrases>,
}

/// A secret key, with the name under which it is enrolled.
#[derive(Debug)]
pub struct NamedKey {
    /// The name.
    pub name: String,
    /// The key.
    pub key: SecretKey,
}

/// The directory that the environment names for all secret keys.
pub fn dir_from_env() -> Option<PathBuf> {
    std::env::var_os("COUNTERFOIL_KEY_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

impl KeyDir {
    /// Where the keys of the ledger in this directory lie.
    pub fn of(ledger: &Path) -> Self {
        Self::at(dir_from_env().unwrap_or_else(|| Layout::of(ledger).keys()))
    }

    /// Keys in this directory.
    pub fn at(path: PathBuf) -> Self {
        KeyDir { path, passphrases: Rc::default() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The passphrases of its encrypted keys.
    pub fn passphrases(&self) -> &Passphrases {
        &self.passphrases
    }

    /// The file of a secret key.
    pub fn secret(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.key"))
    }

    /// The file of its public half.
    pub fn public(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.pub"))
    }

    /// Makes the directory, readable by its owner alone, when it is not there.
    pub fn create(&self) -> Result<()> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.with_context(|| self.path.display().to_string())
    }

    /// Writes both halves of a key to new files, the secret one encrypted when there is a passphrase.
    pub fn save(&self, name: &str, key: &SecretKey, passphrase: Option<&Passphrase>) -> Result<()> {
        self.save_as([&self.secret(name), &self.public(name)], key, passphrase)
    }

    fn save_as(
        &self,
        [secret, public]: [&Path; 2],
        key: &SecretKey,
        passphrase: Option<&Passphrase>,
    ) -> Result<()> {
        match passphrase {
            Some(passphrase) => key.save_encrypted(secret, passphrase)?,
            None => key.save(secret)?,
        }
        let hex = Hash(*key.public().as_bytes());
        let write = || {
            let mut file = File::create_new(public)?;
            file.write_all(format!("{hex}\n").as_bytes())?;
            file.sync_all()?;
            File::open(&self.path)?.sync_all()
        };
        let written = write();
        if written.is_err() {
            // It is new, and nobody knows its public half.
            let _ = fs::remove_file(secret);
        }
        written.with_context(|| public.display().to_string())
    }

    /// The public half of a key whose file is here, as the file says.
    pub fn load_public(&self, name: &str) -> Result<Option<KeyBytes>> {
        match self.public(name) {
            file if there(&file) => read_public(&file).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads a secret key.
    pub fn load(&self, name: &str) -> Result<SecretKey> {
        self.of_file(name, |file| SecretKey::load_with(file, || self.passphrases.of(file)))
    }

    /// Encrypts a secret key in place.
    pub fn protect(&self, name: &str) -> Result<SecretKey> {
        let ask = || self.passphrases.new_for(&format!("the key {name}"));
        self.of_file(name, |file| SecretKey::protect(file, ask))
    }

    /// Decrypts a secret key in place.
    pub fn unprotect(&self, name: &str) -> Result<SecretKey> {
        self.of_file(name, |file| SecretKey::unprotect(file, || self.passphrases.of(file)))
    }

    /// The key that is got from the file of this name.
    fn of_file(&self, name: &str, get: impl FnOnce(&Path) -> Result<SecretKey>) -> Result<SecretKey> {
        check_name(name).map_err(|error| anyhow!("key {name:?}: {error}"))?;
        self.check_mode()?;
        let path = self.secret(name);
        get(&path).map_err(|error| match error.downcast_ref() {
            Some(SecretError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => anyhow!(
                "there is no key {name}: looked for {}. Secret keys lie in the ledger's directory keys/, or where \
                 COUNTERFOIL_KEY_DIR says",
                path.display()
            ),
            _ => error,
        })
    }

    /// Checks that nobody else can put files into the directory, when it is there.
    pub fn check_mode(&self) -> Result<()> {
        if let Ok(mode) = fs::metadata(&self.path).map(|dir| dir.mode() & 0o7777)
            && mode & 0o022 != 0
        {
            let dir = self.path.display();
            return Err(anyhow!(
                "{dir}: mode {mode:04o} lets others replace the secret keys in it; run `chmod go-w {}`",
                quoted_path(&self.path)
            ));
        }
        Ok(())
    }

    /// The secret key of the first enrolled key in force with a role, of those whose file is here.
    pub fn for_role(&self, governance: &Governance, role: Role) -> Result<NamedKey> {
        let mut looked_for = Vec::new();
        for enrolled in governance.keys.all() {
            if enrolled.until.is_some() || enrolled.roles & role.bit() == 0 {
                continue;
            }
            let name = enrolled.name.clone();
            match self.of_enrolled(enrolled)? {
                Some(key) => return Ok(NamedKey { name, key }),
                None if check_name(&name).is_ok() && there(&self.secret(&name)) => {
                    looked_for.push(format!("{name}.key (another key than the enrolled one)"));
                }
                None => looked_for.push(format!("{name}.key")),
            }
        }
        match looked_for.is_empty() {
            true => Err(anyhow!("no key in force has the role {}; the owner can grant one", role.name())),
            false => Err(anyhow!(
                "no secret key of a key with the role {}: looked in {} for {}. COUNTERFOIL_KEY_DIR names another \
                 directory",
                role.name(),
                self.path.display(),
                looked_for.join(", ")
            )),
        }
    }

    /// The secret half of an enrolled key, when it is here: in its file, or in the one that a rotation which was broken
    /// off has not yet put in its place.
    fn of_enrolled(&self, enrolled: &Enrolled) -> Result<Option<SecretKey>> {
        let name = &enrolled.name;
        if check_name(name).is_err() {
            return Ok(None);
        }
        // What a run has left half written holds up nobody but its own successor.
        let next = self.next(name).ok().flatten();
        if next == Some(*enrolled.key.as_bytes()) && there(&self.next_secret(name)) {
            let file = self.next_secret(name);
            eprintln!(
                "counterfoil: note: the key of {name} lies in {}; `counterfoil key rotate {name}` puts it in its place",
                file.display()
            );
            return self.load_next(name).map(Some);
        }
        if !self.secret(name).exists() {
            return Ok(None);
        }
        Ok(Some(self.load(name)?).filter(|key| *key.public() == enrolled.key))
    }

    /// The key named, or else the first one here that may write rows of a kind under the policy in force: an executor's,
    /// an operator's, the owner's, a planner's or a judge's.
    pub fn author(&self, governance: &Governance, named: Option<&str>, kind: Kind) -> Result<NamedKey> {
        if let Some(name) = named {
            return self.named(governance, name);
        }
        let order = [Role::Executor, Role::Operator, Role::Owner, Role::Planner, Role::Judge];
        self.first_of(governance, order, kind)
    }

    /// The key named, or else one that may tell what became of calls: an operator's here, which may end any, before others.
    pub fn teller(&self, governance: &Governance, named: Option<&str>) -> Result<NamedKey> {
        if let Some(name) = named {
            return self.named(governance, name);
        }
        let order = [Role::Operator, Role::Executor, Role::Owner, Role::Planner, Role::Judge];
        self.first_of(governance, order, Kind::Outcome)
    }

    /// The key named, or else the first operator's here.
    pub fn operator(&self, governance: &Governance, named: Option<&str>) -> Result<NamedKey> {
        named.map_or_else(|| self.for_role(governance, Role::Operator), |name| self.named(governance, name))
    }

    /// The key of the first of these roles here that may write rows of a kind under the policy in force.
    fn first_of(&self, governance: &Governance, order: [Role; 5], kind: Kind) -> Result<NamedKey> {
        let writers = governance.in_force.policy.writers(kind);
        let mut failed = None;
        for role in order.into_iter().filter(|role| writers & role.bit() != 0) {
            match self.for_role(governance, role) {
                Ok(key) => return Ok(key),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or_else(|| anyhow!("nobody may write {kind} rows under the policy in force")))
    }

    /// The key of this name: the living one, when its secret half is here, else whatever its file holds.
    fn named(&self, governance: &Governance, name: &str) -> Result<NamedKey> {
        let all = governance.keys.all();
        let living = all.into_iter().rev().find(|key| key.until.is_none() && key.name == name);
        if let Some(key) = living.map(|key| self.of_enrolled(key)).transpose()?.flatten() {
            return Ok(NamedKey { name: name.to_owned(), key });
        }
        let key = self.load(name)?;
        let enrolled = governance.keys.get(&key.public().id()).map(|enrolled| enrolled.name.clone());
        Ok(NamedKey { name: enrolled.unwrap_or_else(|| name.to_owned()), key })
    }
}

/// Whether something has this name, be it a link to nothing.
pub fn there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Bytes of the file of a public key that are looked at. It has 65.
const PUBLIC_BYTES: u64 = 256;

/// Reads the file of a public key.
pub fn read_public(file: &Path) -> Result<KeyBytes> {
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(PUBLIC_BYTES).read_to_string(&mut text));
    read.with_context(|| file.display().to_string())?;
    let key = Hash::from_hex(text.trim()).map(|digits| digits.0);
    key.ok_or_else(|| {
        anyhow!("{}: not the file of a public key: 64 hexadecimal digits are wanted", file.display())
    })
}

/// Checks that a key's name can be the name of a file: letters, digits, `.`, `_` and `-`, and no dot in front.
pub fn check_name(name: &str) -> Result<String, String> {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 64 || name.starts_with(['.', '-']) || !name.chars().all(fit) {
        return Err(
            "a key's name is 1 to 64 letters, digits, '.', '_' and '-', and begins with none of '.', '-'"
                .into(),
        );
    }
    Ok(name.to_owned())
}
