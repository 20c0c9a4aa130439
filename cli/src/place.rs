//! Where the ledger is, and opening it.

use crate::keys::KeyDir;
use anyhow::{Context, Result, bail};
use counterfoil_ledger::{Layout, Ledger, Log, Platform};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
        let seal_key = self.keys.load("ledger").context("the key that seals")?;
        let ledger = Ledger::open_on(platform, &self.dir, Arc::new(seal_key))?;
        for notice in ledger.notices() {
            eprintln!("counterfoil: note: {notice}");
        }
        Ok(ledger)
    }
}
