//! Key files: where secret keys are kept, plain or encrypted with a passphrase.
//!
//! # Format
//!
//! A plain key file is one line, `counterfoil-secret-key-v1 `, 64 hexadecimal digits of the Ed25519 seed (RFC 8032), and
//! a newline. An encrypted one is an age file whose plaintext is that line ([`crate::passphrase`]), so that `age -d`
//! turns the one into the other. Which of them a file is, its first bytes say. Either is a regular file of at most 4 KiB,
//! and must be readable by its owner alone (mode 0600).
//!
//! # Sync
//!
//! A new file is durable, name and all, when the call that wrote it returns. A file that is encrypted or decrypted in
//! place is written beside the old one, as `NAME.unfinished`, synced, read back, and renamed over it: a crash leaves the
//! old file or the new one, whole. A file of that name that is there already is not touched: it may be another run's, half
//! written.

use crate::layout::unfinished;
use crate::passphrase::{self, Passphrase, WORK};
use crate::secret::{SecretError, SecretKey};
use crate::storage::{Access, Disk, Storage};
use counterfoil_format::Hash;
use rustix::fs::OFlags;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const PREFIX: &str = "counterfoil-secret-key-v1 ";
const SEED_DIGITS: usize = 64;
/// Bytes of the line, with a line end of either kind.
const LINE_BYTES: usize = PREFIX.len() + SEED_DIGITS + 2;
/// Bytes of a key file, at most. An encrypted one has about 500.
const FILE_BYTES: u64 = 4096;

impl SecretKey {
    /// Writes the key to a new file of mode 0600. A file that exists is an error.
    pub fn save(&self, path: &Path) -> Result<(), SecretError> {
        write_new(&Disk, path, line(self).as_bytes())?;
        sync_dir_of(&Disk, path)
    }

    /// Writes the key to a new file of mode 0600, encrypted. A file that exists is an error.
    pub fn save_encrypted(&self, path: &Path, passphrase: &Passphrase) -> Result<(), SecretError> {
        let file = passphrase::encrypt(line(self).as_bytes(), passphrase, WORK, path)?;
        write_new(&Disk, path, file.as_bytes())?;
        sync_dir_of(&Disk, path)
    }

    /// Reads a plain key file, which nobody but its owner may be able to read. An encrypted one is
    /// [`SecretError::Encrypted`].
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        Self::load_with(path, || Err(SecretError::Encrypted(path.to_owned())))
    }

    /// Reads a key file, which nobody but its owner may be able to read. The passphrase is asked for once, when the file
    /// is encrypted, and never when it is plain.
    ///
    /// Decrypting takes about a second and 256 MiB of memory.
    pub fn load_with<E: From<SecretError>>(
        path: &Path,
        ask: impl FnOnce() -> Result<Passphrase, E>,
    ) -> Result<Self, E> {
        let file = read(path)?;
        if !passphrase::is_encrypted(&file) {
            return Ok(parse(&file, path)?);
        }
        Ok(open(&file, &ask()?, path)?)
    }

    /// Whether a key file is encrypted, by its first bytes.
    pub fn is_encrypted(path: &Path) -> Result<bool, SecretError> {
        Ok(passphrase::is_encrypted(&read(path)?))
    }

    /// Encrypts a plain key file in place; yields the key. The passphrase is asked for once the file has been read.
    ///
    /// The plain bytes are not wiped from the disk, nor from copies that were made of it.
    pub fn protect<E: From<SecretError>>(
        path: &Path,
        ask: impl FnOnce() -> Result<Passphrase, E>,
    ) -> Result<Self, E> {
        let file = read(path)?;
        if passphrase::is_encrypted(&file) {
            return Err(SecretError::AlreadyEncrypted(path.to_owned()).into());
        }
        let key = parse(&file, path)?;
        let passphrase = ask()?;
        let encrypted = passphrase::encrypt(line(&key).as_bytes(), &passphrase, WORK, path)?;
        let place = resolve(path)?;
        replace(&Disk, &place, encrypted.as_bytes(), |fresh| holds(fresh, &key, || Ok(passphrase)))?;
        Ok(key)
    }

    /// Decrypts an encrypted key file in place; yields the key. The passphrase is asked for once the file has been read.
    pub fn unprotect<E: From<SecretError>>(
        path: &Path,
        ask: impl FnOnce() -> Result<Passphrase, E>,
    ) -> Result<Self, E> {
        let file = read(path)?;
        if !passphrase::is_encrypted(&file) {
            // A file that is no key file at all is told first.
            parse(&file, path)?;
            return Err(SecretError::NotEncrypted(path.to_owned()).into());
        }
        let key = open(&file, &ask()?, path)?;
        let not_plain = || Err(SecretError::NotReadBack(path.to_owned()));
        replace(&Disk, &resolve(path)?, line(&key).as_bytes(), |fresh| holds(fresh, &key, not_plain))?;
        Ok(key)
    }
}

/// The line that stands for a key.
fn line(key: &SecretKey) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(LINE_BYTES));
    line.push_str(PREFIX);
    for byte in key.seed() {
        for digit in [byte >> 4, byte & 15] {
            line.extend(char::from_digit(digit.into(), 16));
        }
    }
    line.push('\n');
    line
}

/// The key that a line stands for.
fn parse(line: &[u8], path: &Path) -> Result<SecretKey, SecretError> {
    let malformed = || SecretError::Malformed(path.to_owned());
    let text = str::from_utf8(line).ok().filter(|text| text.len() <= LINE_BYTES).ok_or_else(malformed)?;
    let digits = text.trim_end().strip_prefix(PREFIX).ok_or_else(malformed)?;
    let seed = Hash::from_hex(digits).ok_or_else(malformed)?;
    SecretKey::from_seed(&Zeroizing::new(seed.0))
}

/// The key in an encrypted file.
fn open(file: &[u8], passphrase: &Passphrase, path: &Path) -> Result<SecretKey, SecretError> {
    parse(&passphrase::decrypt(file, passphrase, LINE_BYTES, path)?, path)
}

/// Reads a file that its owner alone may read, and that is no larger than a key file can be.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let io = at(path);
    // A pipe that stands in its place keeps nobody waiting.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(&io)?;
    let found = file.metadata().map_err(&io)?;
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Permissions { path: path.to_owned(), mode });
    }
    if !found.is_file() || found.len() > FILE_BYTES {
        return Err(SecretError::Malformed(path.to_owned()));
    }
    // With room for all of it from the start, growing leaves no copies of the secret behind.
    let room = usize::try_from(FILE_BYTES).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(FILE_BYTES).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Writes a file that must not be there yet, and makes its bytes durable.
fn write_new(storage: &dyn Storage, path: &Path, content: &[u8]) -> Result<(), SecretError> {
    let file = storage.open(path, Access::CreatePrivate).map_err(at(path))?;
    let written = file.write_at(0, content).and_then(|()| file.sync_all());
    if written.is_err() {
        // It is new, and half a key is of no use to anybody.
        let _ = storage.remove(path);
    }
    written.map_err(at(path))
}

/// Puts other content in the place of a key file's, once `check` has found the new file good.
fn replace(
    storage: &dyn Storage,
    path: &Path,
    content: &[u8],
    check: impl FnOnce(&Path) -> Result<(), SecretError>,
) -> Result<(), SecretError> {
    let fresh = unfinished(path);
    write_new(storage, &fresh, content).map_err(|error| match error {
        SecretError::Io { path, error } if error.kind() == io::ErrorKind::AlreadyExists => {
            SecretError::Unfinished(path)
        }
        error => error,
    })?;
    let checked = same_owner(path, &fresh).and_then(|()| check(&fresh));
    let placed = checked.and_then(|()| storage.rename(&fresh, path).map_err(at(path)));
    if placed.is_err() {
        let _ = storage.remove(&fresh);
    }
    placed?;
    sync_dir_of(storage, path)
}

/// Whether a file reads back as a key.
fn holds(
    path: &Path,
    key: &SecretKey,
    ask: impl FnOnce() -> Result<Passphrase, SecretError>,
) -> Result<(), SecretError> {
    match SecretKey::load_with(path, ask) {
        Ok(read) if read.seed() == key.seed() => Ok(()),
        Err(error @ SecretError::Io { .. }) => Err(error),
        _ => Err(SecretError::NotReadBack(path.to_owned())),
    }
}

/// Whether the file that takes another's place can be read by those who could read that one.
fn same_owner(old: &Path, fresh: &Path) -> Result<(), SecretError> {
    let owner = |path: &Path| fs::metadata(path).map(|found| found.uid()).map_err(at(path));
    if owner(old)? == owner(fresh)? { Ok(()) } else { Err(SecretError::Owner(old.to_owned())) }
}

/// The file behind symbolic links: a link that is replaced would leave the old file as it was, elsewhere.
fn resolve(path: &Path) -> Result<PathBuf, SecretError> {
    fs::canonicalize(path).map_err(at(path))
}

fn sync_dir_of(storage: &dyn Storage, path: &Path) -> Result<(), SecretError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    storage.sync_dir(dir).map_err(at(dir))
}

fn at(path: &Path) -> impl Fn(io::Error) -> SecretError {
    move |error| SecretError::Io { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests;
