//! Secret keys: making, keeping and using them.
//!
//! # Format
//!
//! A key file is one line, `counterfoil-secret-key-v1 `, 64 hexadecimal digits of the Ed25519 seed (RFC 8032), and a
//! newline. It must be readable by its owner alone (mode 0600).

use counterfoil_format::key::{EnrolError, PublicKey, SignatureBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use rand::TryRng;
use rand::rngs::SysRng;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const PREFIX: &str = "counterfoil-secret-key-v1 ";
const SEED_DIGITS: usize = 64;

/// Something that signs with one key: a key in memory, or one in a device.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public(&self) -> &PublicKey;
    /// Signs a message.
    fn sign(&self, message: &[u8]) -> SignatureBytes;
}

/// Why a secret key cannot be made, kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others than the owner may read the file.
    #[error("{}: mode {mode:04o} lets others read this secret key; run `chmod 600 {}`", path.display(), path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is no key file.
    #[error("{}: not a secret key file of this program", .0.display())]
    Malformed(PathBuf),
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {0}")]
    Random(String),
    /// The key may not be enrolled.
    #[error("the key cannot be used: {0}")]
    Unusable(#[from] EnrolError),
}

/// A secret key in memory. It is wiped when dropped.
pub struct SecretKey {
    key: SigningKey,
    public: PublicKey,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.public.id())
    }
}

impl SecretKey {
    /// A key from its seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, SecretError> {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::enrol(key.verifying_key().as_bytes())?;
        Ok(SecretKey { key, public })
    }

    /// A new key from the operating system's randomness.
    pub fn generate() -> Result<Self, SecretError> {
        let mut seed = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut *seed).map_err(|error| SecretError::Random(error.to_string()))?;
        Self::from_seed(&seed)
    }

    /// Writes the key to a new file of mode 0600. A file that exists is an error.
    pub fn save(&self, path: &Path) -> Result<(), SecretError> {
        let mut line = Zeroizing::new(String::with_capacity(PREFIX.len() + SEED_DIGITS + 1));
        line.push_str(PREFIX);
        for byte in self.key.as_bytes() {
            for digit in [byte >> 4, byte & 15] {
                line.extend(char::from_digit(digit.into(), 16));
            }
        }
        line.push('\n');
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| SecretError::Io { path: path.to_owned(), error })
    }

    /// Reads a key file, which nobody but its owner may be able to read.
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        let io = |error| SecretError::Io { path: path.to_owned(), error };
        let mode = fs::metadata(path).map_err(io)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretError::Permissions { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        let longest = (PREFIX.len() + SEED_DIGITS + 2) as u64;
        let read = File::open(path).map_err(io)?.take(longest).read_to_string(&mut text);
        let malformed = || SecretError::Malformed(path.to_owned());
        read.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => malformed(),
            _ => io(error),
        })?;
        let digits = text.trim_end().strip_prefix(PREFIX).ok_or_else(malformed)?;
        let seed = counterfoil_format::Hash::from_hex(digits).ok_or_else(malformed)?;
        Self::from_seed(&Zeroizing::new(seed.0))
    }
}

impl Signer for SecretKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> SignatureBytes {
        SignatureBytes(self.key.sign(message).to_bytes())
    }
}
