//! Public keys, and the one rule by which a signature is valid.
//!
//! A key is enrolled once, by a row: its 32 bytes are the canonical encoding of a point that is not of small order
//! and is torsion-free. A signature is valid if and only if it is 64 bytes `R || S` with `S < l`, `R` is canonical
//! and not of small order, and `encode([S]B - [k]A)` equals `R` byte for byte (RFC 8032 section 5.1.7, without the
//! cofactor). With a torsion-free `A` every mainstream library accepts what this rule accepts.

use crate::codec::CodecError;
use crate::hash::{Hash, Use};
use crate::intent::KeyId;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::IsIdentity;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::LazyLock;

/// The bytes of a signature, `R || S`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignatureBytes(pub [u8; 64]);

impl fmt::Debug for SignatureBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hash::write_hex(&self.0, f)
    }
}

impl Serialize for SignatureBytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (r, s) = self.0.split_at(32);
        let half = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map_err(serde::ser::Error::custom);
        (half(r)?, half(s)?).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignatureBytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let halves = <([u8; 32], [u8; 32])>::deserialize(deserializer)?;
        let mut bytes = [0; 64];
        for (slot, byte) in bytes.iter_mut().zip(halves.0.into_iter().chain(halves.1)) {
            *slot = byte;
        }
        Ok(SignatureBytes(bytes))
    }
}

/// The id of a public key.
pub fn key_id(key: &[u8; 32]) -> KeyId {
    let Hash([a, b, c, d, e, f, g, h, ..]) = Use::Key.hash(&[key]);
    KeyId([a, b, c, d, e, f, g, h])
}

/// Why a public key cannot be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// The bytes are not the canonical encoding of a point on the curve.
    #[error("the key is not the canonical encoding of a point on the curve")]
    NotCanonical,
    /// The point is of small order: anyone could sign for it.
    #[error("the key is of small order")]
    SmallOrder,
    /// The point has a torsion component: libraries would disagree about its signatures.
    #[error("the key has a torsion component")]
    Torsion,
}

impl From<EnrolError> for CodecError {
    fn from(error: EnrolError) -> Self {
        CodecError::Inconsistent(match error {
            EnrolError::NotCanonical => "a key is not the canonical encoding of a point on the curve",
            EnrolError::SmallOrder => "a key is of small order",
            EnrolError::Torsion => "a key has a torsion component",
        })
    }
}

/// A public key that passed the enrolment checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Runs the enrolment checks.
    pub fn enrol(bytes: &[u8; 32]) -> Result<Self, EnrolError> {
        let point = CompressedEdwardsY(*bytes).decompress().ok_or(EnrolError::NotCanonical)?;
        if point.compress().as_bytes() != bytes {
            return Err(EnrolError::NotCanonical);
        }
        if point.is_small_order() || point.is_identity() {
            return Err(EnrolError::SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(EnrolError::Torsion);
        }
        VerifyingKey::from_bytes(bytes).map(PublicKey).map_err(|_| EnrolError::NotCanonical)
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        key_id(self.as_bytes())
    }

    /// The point of the key.
    pub(crate) fn point(&self) -> EdwardsPoint {
        self.0.to_edwards()
    }

    /// The rule, as the library states it: slow, and the reference.
    pub fn verify_reference(&self, message: &[u8], signature: &SignatureBytes) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(&signature.0)).is_ok()
    }

    /// The rule, computed faster. The library's plain check compares encodings, so an accepted `R` is canonical;
    /// what is left to refuse are the eight canonical encodings of points of small order.
    pub fn verify(&self, message: &[u8], signature: &SignatureBytes) -> bool {
        let r = signature.0.first_chunk::<32>();
        !r.is_some_and(is_small_order_encoding)
            && self.0.verify(message, &Signature::from_bytes(&signature.0)).is_ok()
    }
}

/// Whether these bytes are the canonical encoding of one of the eight points of small order.
pub(crate) fn is_small_order_encoding(bytes: &[u8; 32]) -> bool {
    SMALL_ORDER.contains(bytes)
}

/// The canonical encodings of the eight points of small order.
static SMALL_ORDER: LazyLock<[[u8; 32]; 8]> =
    LazyLock::new(|| EIGHT_TORSION.map(|point| point.compress().to_bytes()));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_small_order_or_of_strange_encoding_are_not_enrolled() {
        for point in EIGHT_TORSION {
            assert_eq!(PublicKey::enrol(point.compress().as_bytes()), Err(EnrolError::SmallOrder));
        }
        assert_eq!(PublicKey::enrol(&[0xff; 32]), Err(EnrolError::NotCanonical));
        let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
        let mixed = base + EIGHT_TORSION[1];
        assert_eq!(PublicKey::enrol(mixed.compress().as_bytes()), Err(EnrolError::Torsion));
        assert!(PublicKey::enrol(base.compress().as_bytes()).is_ok());
    }
}
