//! Secret keys: making and using them. How they are kept is told by [`crate::keyfile`].

use crate::passphrase::PassphraseError;
use counterfoil_format::key::{EnrolError, PublicKey, SignatureBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use rand::TryRng;
use rand::rngs::SysRng;
use std::io;
use std::path::PathBuf;
use zeroize::Zeroizing;

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
    /// The file is encrypted with a passphrase, and none was given.
    #[error("{}: this secret key is encrypted, and no passphrase was given", .0.display())]
    Encrypted(PathBuf),
    /// The file should be encrypted, and is.
    #[error("{}: this secret key is encrypted already", .0.display())]
    AlreadyEncrypted(PathBuf),
    /// The file should be decrypted, and is plain.
    #[error("{}: this secret key is not encrypted", .0.display())]
    NotEncrypted(PathBuf),
    /// The file is encrypted with another passphrase. One whose encrypted part was changed cannot be told apart.
    #[error("{}: this is not the passphrase of this secret key", .0.display())]
    WrongPassphrase(PathBuf),
    /// The file is encrypted for holders of keys, which no passphrase opens.
    #[error("{}: encrypted for other keys and not with a passphrase; decrypt it with `age -d -i`", .0.display())]
    NoPassphrase(PathBuf),
    /// The file begins as an encrypted one does, and was cut short or changed.
    #[error("{}: this encrypted secret key is cut short or damaged; take it from a copy", .0.display())]
    Damaged(PathBuf),
    /// To try a passphrase would take more work and memory than a key file may ask for.
    #[error("{}: trying a passphrase takes 2^{log_n} blocks of scrypt, and at most 2^{limit} are spent; decrypt it with \
             `age -d` if you trust it", path.display())]
    TooMuchWork {
        /// The file.
        path: PathBuf,
        /// The binary logarithm of scrypt's N that the file asks for.
        log_n: u8,
        /// The largest one that is accepted.
        limit: u8,
    },
    /// The passphrase may not be used.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// A file stands where the new one would be written before it takes the place of the old.
    #[error("{}: another run is changing this secret key, or one was interrupted and left this file; the key file beside \
             it is whole. When no other run is at work, remove this one and try again", .0.display())]
    Unfinished(PathBuf),
    /// The file belongs to another user, who could not read the one that would take its place.
    #[error("{}: this secret key belongs to another user; do it as that user", .0.display())]
    Owner(PathBuf),
    /// A new file does not hold the key that was written to it. The old one is kept.
    #[error("{}: the key could not be read back; nothing was changed", .0.display())]
    NotReadBack(PathBuf),
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

    /// The seed that the key is made from.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        self.key.as_bytes()
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
