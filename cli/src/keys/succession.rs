//! The files of a key that takes another's place under the same name.
//!
//! | file | is |
//! | --- | --- |
//! | `NAME.key.next`, `NAME.pub.next` | the new pair, written before the row that puts it in force |
//! | `NAME.key`, `NAME.pub` | the new pair once that row has landed |
//! | `NAME.key.ended-12`, `NAME.pub.ended-12` | the pair that row 12 has ended |
//!
//! None of these names can be that of another key's file. A run that is broken off leaves the new pair under one of its
//! names, and running it again goes on from there: before the row, with the same pair; behind it, by putting the files in
//! place.

use super::{KeyDir, read_public, there};
use anyhow::{Context, Result, bail};
use counterfoil_format::body::KeyBytes;
use counterfoil_ledger::{Passphrase, SecretKey, Signer};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A file's name with this behind it.
fn behind(file: PathBuf, end: &str) -> PathBuf {
    let mut name = file.into_os_string();
    name.push(end);
    name.into()
}

/// Where the file of a key goes that this row has ended.
fn aside(file: PathBuf, row: u64) -> PathBuf {
    behind(file, &format!(".ended-{row}"))
}

impl KeyDir {
    /// The file of the secret key that is to take a key's place.
    pub fn next_secret(&self, name: &str) -> PathBuf {
        behind(self.secret(name), ".next")
    }

    fn next_public(&self, name: &str) -> PathBuf {
        behind(self.public(name), ".next")
    }

    /// Where the pair of a key may lie that this row has ended, or none: the secret key and the public one.
    pub fn pairs(&self, name: &str, ended: Option<u64>) -> Vec<[PathBuf; 2]> {
        let aside = ended.map(|row| [self.secret(name), self.public(name)].map(|file| aside(file, row)));
        let next = [self.next_secret(name), self.next_public(name)];
        aside.into_iter().chain([[self.secret(name), self.public(name)], next]).collect()
    }

    /// The public half of the key that is to take a key's place, when a run was broken off.
    pub fn next(&self, name: &str) -> Result<Option<KeyBytes>> {
        let (secret, public) = (self.next_secret(name), self.next_public(name));
        match (there(&secret), there(&public)) {
            (_, true) => read_public(&public).map(Some),
            (true, false) => Ok(Some(*self.load_next(name)?.public().as_bytes())),
            (false, false) => Ok(None),
        }
    }

    /// Reads the secret key that is to take a key's place.
    pub fn load_next(&self, name: &str) -> Result<SecretKey> {
        let file = self.next_secret(name);
        self.check_mode()?;
        SecretKey::load_with(&file, || self.passphrases().of(&file))
    }

    /// Writes the pair that is to take a key's place.
    pub fn save_next(&self, name: &str, key: &SecretKey, passphrase: Option<&Passphrase>) -> Result<()> {
        self.save_as([&self.next_secret(name), &self.next_public(name)], key, passphrase)
    }

    /// Puts the new pair in place, and the old one aside; yields where that is. Of what an earlier run has done nothing
    /// is done again.
    pub fn succeed(&self, name: &str, row: u64) -> Result<Vec<PathBuf>> {
        let moves =
            [(self.next_secret(name), self.secret(name)), (self.next_public(name), self.public(name))];
        let mut aside = Vec::new();
        for (next, file) in moves.iter().filter(|(next, _)| there(next)) {
            aside.extend(self.move_aside(file, row)?);
            fs::rename(next, file).with_context(|| next.display().to_string())?;
        }
        self.sync()?;
        Ok(aside)
    }

    /// Puts the files of a key aside that a row has ended; yields where they are.
    pub fn put_aside(&self, name: &str, row: u64) -> Result<Vec<PathBuf>> {
        let mut aside = Vec::new();
        for file in [self.secret(name), self.public(name)] {
            aside.extend(self.move_aside(&file, row)?);
        }
        Ok(aside)
    }

    /// The old file must have its new name for good before another takes the old one: it is all there is of that key.
    fn move_aside(&self, file: &Path, row: u64) -> Result<Option<PathBuf>> {
        if !there(file) {
            return Ok(None);
        }
        let aside = aside(file.to_owned(), row);
        if there(&aside) {
            bail!(
                "{}: exists, and {} is to be moved there; move it elsewhere",
                aside.display(),
                file.display()
            );
        }
        fs::rename(file, &aside).with_context(|| file.display().to_string())?;
        self.sync()?;
        Ok(Some(aside))
    }

    fn sync(&self) -> Result<()> {
        File::open(self.path())
            .and_then(|dir| dir.sync_all())
            .with_context(|| self.path().display().to_string())
    }
}
