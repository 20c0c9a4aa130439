//! Encryption with a passphrase, as the `age` program does it.
//!
//! # Format
//!
//! What is encrypted is an age file, version 1 (C2SP age), in its ASCII armour, with one recipient of the type scrypt
//! (RFC 7914), N = 2^18. `age -d` and `rage -d` open it. Read are files with and without the armour, up to N = 2^20:
//! trying a passphrase takes 1 KiB of memory for each of the N blocks, 256 MiB for a file written here and at most 1 GiB.

use crate::secret::SecretError;
use age::secrecy::{ExposeSecret, SecretString};
use age::{DecryptError, Decryptor, armor::ArmoredReader, scrypt};
use std::io::Read;
use std::iter;
use std::path::Path;
use zeroize::Zeroizing;

/// The work that a new file asks for, as a binary logarithm: about a second, the same as the `age` program's.
pub(crate) const WORK: u8 = 18;
/// The most work that is done for a file. Whoever can write a file must not keep its reader busy for minutes.
const MOST_WORK: u8 = 20;
/// Bytes of the longest passphrase.
const LONGEST: usize = 1024;

/// How an age file begins, with the armour and without.
const BEGINNINGS: [&[u8]; 2] = [b"-----BEGIN AGE ENCRYPTED FILE-----", b"age-encryption.org/"];

/// A passphrase in memory: 1 to 1024 bytes of text. It is wiped when dropped.
#[derive(Debug, Clone)]
pub struct Passphrase(SecretString);

/// Why a text may not be a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// It is empty, which protects from nobody.
    #[error("the passphrase is empty")]
    Empty,
    /// It is longer than 1024 bytes.
    #[error("the passphrase is longer than {LONGEST} bytes")]
    TooLong,
}

impl Passphrase {
    /// A passphrase with these words. Every byte counts, spaces and line ends among them.
    pub fn new(text: &str) -> Result<Self, PassphraseError> {
        match text.len() {
            0 => Err(PassphraseError::Empty),
            length if length > LONGEST => Err(PassphraseError::TooLong),
            _ => Ok(Passphrase(text.into())),
        }
    }

    /// Whether two passphrases are the same, as when one is typed twice.
    pub fn is_same(&self, other: &Passphrase) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

/// Whether a file begins as an encrypted one does.
pub(crate) fn is_encrypted(bytes: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
}

/// Encrypts. `work` is the binary logarithm of scrypt's N.
pub(crate) fn encrypt(
    plain: &[u8],
    passphrase: &Passphrase,
    work: u8,
    path: &Path,
) -> Result<String, SecretError> {
    let mut recipient = scrypt::Recipient::new(passphrase.0.clone());
    recipient.set_work_factor(work);
    age::encrypt_and_armor(&recipient, plain).map_err(|error| SecretError::Io {
        path: path.to_owned(),
        error: std::io::Error::other(error.to_string()),
    })
}

/// Decrypts what the file holds, when it is no longer than `longest` bytes.
pub(crate) fn decrypt(
    bytes: &[u8],
    passphrase: &Passphrase,
    longest: usize,
    path: &Path,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let damaged = || SecretError::Damaged(path.to_owned());
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(bytes)).map_err(|_| damaged())?;
    if !decryptor.is_scrypt() {
        return Err(SecretError::NoPassphrase(path.to_owned()));
    }
    let mut identity = scrypt::Identity::new(passphrase.0.clone());
    identity.set_max_work_factor(MOST_WORK);
    let plain = decryptor.decrypt(iter::once(&identity as _)).map_err(|error| match error {
        DecryptError::DecryptionFailed => SecretError::WrongPassphrase(path.to_owned()),
        DecryptError::ExcessiveWork { required, .. } => {
            SecretError::TooMuchWork { path: path.to_owned(), log_n: required, limit: MOST_WORK }
        }
        _ => damaged(),
    })?;
    // With room for all of it from the start, growing leaves no copies of the secret behind.
    let mut read = Zeroizing::new(Vec::with_capacity(longest.saturating_add(64)));
    plain.take(longest as u64 + 1).read_to_end(&mut read).map_err(|_| damaged())?;
    if read.len() > longest {
        return Err(SecretError::Malformed(path.to_owned()));
    }
    Ok(read)
}
