//! The passphrases of encrypted secret keys, from whoever knows them.
//!
//! They are read from the file that `COUNTERFOIL_PASSPHRASE_FILE` names, for services, or else asked for on the
//! terminal. They never stand among the arguments or in the environment, which other programs can see.

use crate::exit::Refused;
use crate::quote::quoted_path;
use crate::terminal::Terminal;
use anyhow::{Context, Result, anyhow, bail};
use counterfoil_ledger::Passphrase;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Names the file whose first line is the passphrase.
const VARIABLE: &str = "COUNTERFOIL_PASSPHRASE_FILE";
/// Bytes of that line, at most.
const LINE_BYTES: usize = 1024;

/// The passphrases that this run has been told. Each is asked for once.
#[derive(Debug, Default)]
pub struct Passphrases {
    /// That of the file, which may be a pipe that can be read only once. It stands for all keys.
    named: OnceCell<Passphrase>,
    /// Those that were typed, by key file.
    typed: RefCell<HashMap<PathBuf, Passphrase>>,
}

impl Passphrases {
    /// The passphrase of a key file that is encrypted.
    pub fn of(&self, file: &Path) -> Result<Passphrase> {
        if let Some(passphrase) = self.named()? {
            return Ok(passphrase);
        }
        if let Some(passphrase) = self.typed.borrow().get(file) {
            return Ok(passphrase.clone());
        }
        let shown = file.display();
        let terminal = Terminal::open().ok_or_else(|| {
            anyhow!(
                "{shown}: this secret key is encrypted, and there is no terminal to ask for its passphrase on; set \
                 {VARIABLE} to a file whose first line it is"
            )
        })?;
        let passphrase = Passphrase::new(&terminal.ask_hidden(&format!("Passphrase of {shown}: "))?)?;
        self.typed.borrow_mut().insert(file.to_owned(), passphrase.clone());
        Ok(passphrase)
    }

    /// A passphrase to encrypt with, typed twice. `what` is encrypted.
    pub fn new_for(&self, what: &str) -> Result<Passphrase> {
        if let Some(passphrase) = self.named()? {
            return Ok(passphrase);
        }
        let terminal = Terminal::open().ok_or_else(|| {
            anyhow!(
                "there is no terminal to ask for a new passphrase on; set {VARIABLE} to a file whose first line it is"
            )
        })?;
        let first = Passphrase::new(&terminal.ask_hidden(&format!("New passphrase for {what}: "))?)?;
        let second = terminal.ask_hidden("The same once more: ")?;
        match Passphrase::new(&second) {
            Ok(second) if second.is_same(&first) => Ok(first),
            _ => Err(Refused::error("the two passphrases differ; nothing was changed")),
        }
    }

    /// The passphrase of the file that the environment names, if it names one.
    fn named(&self) -> Result<Option<Passphrase>> {
        if let Some(known) = self.named.get() {
            return Ok(Some(known.clone()));
        }
        let Some(file) = std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) else {
            return Ok(None);
        };
        let file = Path::new(&file);
        let read = first_line(file).and_then(|line| Ok(Passphrase::new(&line)?));
        let passphrase = read.with_context(|| format!("{VARIABLE}={}", file.display()))?;
        Ok(Some(self.named.get_or_init(|| passphrase).clone()))
    }
}

/// The first line of a file, without its end. No more than that is read: the rest may be meant for somebody else.
fn first_line(path: &Path) -> Result<Zeroizing<String>> {
    let mut file = File::open(path)?;
    let found = file.metadata()?;
    let mode = found.mode() & 0o7777;
    if found.is_file() && mode & 0o004 != 0 {
        bail!("mode {mode:04o} lets others read this passphrase; run `chmod o-rwx {}`", quoted_path(path));
    }
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES));
    let mut byte = Zeroizing::new([0]);
    while file.read(&mut *byte)? == 1 && *byte != [b'\n'] {
        if line.len() == LINE_BYTES {
            bail!("its first line is longer than {LINE_BYTES} bytes");
        }
        line.extend(*byte);
    }
    let text = str::from_utf8(&line).context("its first line is no UTF-8")?;
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn read(content: &[u8], mode: u32) -> Result<String> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("secret");
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(first_line(&path)?.to_string())
    }

    #[test]
    fn the_first_line_is_the_passphrase() {
        let cases: [(&[u8], &str); 6] = [
            (b"words\n", "words"),
            (b"words", "words"),
            (b"two words \r\nmore", "two words "),
            (b"", ""),
            (b"\nwords", ""),
            ("wörter\n".as_bytes(), "wörter"),
        ];
        for (content, line) in cases {
            assert_eq!(read(content, 0o600).unwrap(), line);
        }
        let longest = "x".repeat(LINE_BYTES);
        assert_eq!(read(longest.as_bytes(), 0o600).unwrap(), longest);
        assert!(read((longest + "x").as_bytes(), 0o600).unwrap_err().to_string().contains("longer"));
        assert!(read(b"\xff\n", 0o600).unwrap_err().to_string().contains("UTF-8"));
        // The system that hands out secrets may give them to a group, and show an access list as one.
        assert!(read(b"words", 0o440).is_ok());
        assert!(read(b"words", 0o644).unwrap_err().to_string().contains("chmod o-rwx"));
    }
}
