//! Where the ledger is, and opening it.

use crate::keys::{KeyDir, check_name, there};
use crate::quote::quoted_path;
use anyhow::{Context, Result, bail};
use counterfoil_ledger::{Layout, Ledger, Log, OpenError, Platform, SecretKey};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether the key given is not the one that seals.
fn is_wrong(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::WrongLedgerKey))
}

/// Whether a ledger was not opened because its key's file holds another key, or is not there.
fn is_about_the_key(error: &anyhow::Error, file: &Path) -> bool {
    is_wrong(error) || !there(file)
}

/// The directory of a ledger that was named on the command line or in the environment.
#[derive(Debug, Clone)]
pub struct Place {
    dir: PathBuf,
    keys: KeyDir,
}

impl Place {
    /// The ledger that was named; an error says how to name one.
    pub fn find(named: Option<&Path>) -> Result<Self> {
        match named {
            Some(file) if file.is_file() => bail!(
                "{}: not a ledger: it is a file, and a ledger is a directory. `counterfoil init DIR --origin NAME` \
                 makes one",
                file.display()
            ),
            Some(dir) if !dir.as_os_str().is_empty() => {
                Ok(Place { dir: dir.to_owned(), keys: KeyDir::of(dir) })
            }
            _ => bail!(
                "no ledger was named: give -l DIR or set COUNTERFOIL_LEDGER \
                 (`counterfoil init DIR --origin NAME` begins one)"
            ),
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The program with this ledger named, as a person can type it: the environment may name it already.
    pub fn command(&self) -> String {
        match std::env::var_os("COUNTERFOIL_LEDGER").is_some_and(|named| Path::new(&named) == self.dir) {
            true => "counterfoil".to_owned(),
            false => format!("counterfoil -l {}", quoted_path(&self.dir)),
        }
    }

    /// Where its secret keys lie.
    pub fn keys(&self) -> &KeyDir {
        &self.keys
    }

    /// An error that says why this is no ledger, when it is none.
    pub fn must_exist(&self) -> Result<()> {
        if !Layout::of(&self.dir).log().is_dir() {
            self.log()?;
        }
        Ok(())
    }

    /// Opens the log for reading. Another process may be writing.
    pub fn log(&self) -> Result<Log> {
        Ok(Log::open(&self.dir)?)
    }

    /// Opens the ledger for writing with its sealing key, and says on standard error what was mended.
    pub fn ledger(&self) -> Result<Ledger> {
        self.ledger_on(&Platform::default())
    }

    /// The same in given surroundings.
    pub fn ledger_on(&self, platform: &Platform) -> Result<Ledger> {
        // A missing key would not be what is wrong.
        self.must_exist()?;
        let first = self.keys.load("ledger").context("the key that seals");
        let opened = match first.and_then(|key| self.open(key, platform)) {
            Err(error) if is_about_the_key(&error, &self.keys.secret("ledger")) => {
                self.open_with_another(error, platform)
            }
            opened => opened,
        };
        let ledger = opened?;
        for notice in ledger.notices() {
            eprintln!("counterfoil: note: {notice}");
        }
        Ok(ledger)
    }

    fn open(&self, seal_key: SecretKey, platform: &Platform) -> Result<Ledger> {
        Ok(Ledger::open_on(platform, &self.dir, Arc::new(seal_key))?)
    }

    /// Opens the ledger when `ledger.key` does not: by the key that seals under another name, or by the one that a
    /// rotation which was broken off has put in force. The error is told when there is neither.
    fn open_with_another(&self, error: anyhow::Error, platform: &Platform) -> Result<Ledger> {
        let governance = self.log()?.governance()?;
        let sealing = governance.keys.sealing().map(|key| (key.name.clone(), key.key.id()));
        let (name, id) = sealing.unzip();
        let name = name.filter(|name| check_name(name).is_ok()).unwrap_or_else(|| "ledger".to_owned());
        if name != "ledger" && there(&self.keys.secret(&name)) {
            match self.keys.load(&name).and_then(|key| self.open(key, platform)) {
                Err(error) if is_wrong(&error) => {}
                opened => return opened,
            }
        }
        let mut names = vec!["ledger"];
        names.extend((name != "ledger").then_some(name.as_str()));
        for name in names.into_iter().filter(|name| there(&self.keys.next_secret(name))) {
            match self.keys.load_next(name).and_then(|key| self.open(key, platform)) {
                Err(error) if is_wrong(&error) => {}
                Err(error) => return Err(error),
                Ok(ledger) => {
                    let file = self.keys.next_secret(name);
                    eprintln!(
                        "counterfoil: note: {}: this key seals by now; `counterfoil key rotate {name}` ends the \
                         rotation that was broken off",
                        file.display()
                    );
                    return Ok(ledger);
                }
            }
        }
        let seals = id.map_or(String::new(), |id| format!("key {id} of {name} seals this ledger, and "));
        let dir = self.keys.path().display();
        Err(error.context(format!("{seals}its secret key is not in {dir}")))
    }
}
