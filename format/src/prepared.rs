//! A public key made ready for many signatures.
//!
//! The rule is that of [`crate::key`]: `S < l`, `R` not of small order, and `encode([S]B - [k]A)` equal to `R` byte for
//! byte, with `k = SHA-512(R || A || message) mod l`. A table of multiples of `-A` makes both products cheap. Making it
//! costs about as much as two signatures.

use crate::key::{PublicKey, SignatureBytes, is_small_order_encoding};
use curve25519_dalek::constants::ED25519_BASEPOINT_TABLE;
use curve25519_dalek::edwards::EdwardsBasepointTable;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::BasepointTable;
use sha2::{Digest, Sha512};

/// A public key with a table of its multiples.
pub struct PreparedKey {
    key: PublicKey,
    /// Multiples of `-A`.
    table: Box<EdwardsBasepointTable>,
}

impl PreparedKey {
    /// Makes a key ready.
    pub fn new(key: &PublicKey) -> Self {
        let table = Box::new(EdwardsBasepointTable::create(&-key.point()));
        PreparedKey { key: key.clone(), table }
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The rule; the answer is that of [`PublicKey::verify`].
    pub fn verify(&self, message: &[u8], signature: &SignatureBytes) -> bool {
        let (Some(r), Some(s)) = (signature.0.first_chunk::<32>(), signature.0.last_chunk::<32>()) else {
            return false;
        };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s)) else { return false };
        if is_small_order_encoding(r) {
            return false;
        }
        let hash = Sha512::new().chain_update(r).chain_update(self.key.as_bytes()).chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let expected = ED25519_BASEPOINT_TABLE * &s + &*self.table * &k;
        expected.compress().as_bytes() == r
    }
}
