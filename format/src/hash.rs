//! Hashes: BLAKE3 with one context per use inside rows, SHA-256 only in the tree and in notes.
//!
//! Each use is BLAKE3 in `derive_key` mode (BLAKE3 paper, section 2.3) with the context
//! `counterfoil 2026-11-23 <use> v1`, so that stock `b3sum --derive-key` recomputes any of them.

use blake3::Hasher;
use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::LazyLock;

/// A 32-byte hash: a commitment, an intent hash, a row hash, a tree node or root, a state digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash that stands before row 0.
    pub const ZERO: Hash = Hash([0; 32]);

    /// Reads 64 lowercase or uppercase hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Hash> {
        let mut out = [0; 32];
        decode_hex(text, &mut out).then_some(Hash(out))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

pub(crate) fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Fills `out` from exactly twice as many hexadecimal digits; `false` on anything else.
pub(crate) fn decode_hex(text: &str, out: &mut [u8]) -> bool {
    let digits = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    digits.len() == out.len() * 2
        && digits.chunks_exact(2).zip(out).all(|(pair, slot)| match pair {
            [high, low] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    *slot = (high << 4) | low;
                    true
                }
                _ => false,
            },
            _ => false,
        })
}

/// What a BLAKE3 hash is for; each use has a context of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The commitment of a part.
    Part,
    /// The commitment of a value in a part.
    Value,
    /// The hash of an intent.
    Intent,
    /// The hash of a row.
    Row,
    /// The digest of a state.
    State,
    /// The id of a key.
    Key,
}

static CONTEXT_KEYS: LazyLock<[ContextKey; 6]> = LazyLock::new(|| {
    [Use::Part, Use::Value, Use::Intent, Use::Row, Use::State, Use::Key]
        .map(|purpose| hash_derive_key_context(purpose.context()))
});

impl Use {
    /// The `derive_key` context string.
    pub const fn context(self) -> &'static str {
        match self {
            Use::Part => "counterfoil 2026-11-23 part v1",
            Use::Value => "counterfoil 2026-11-23 value v1",
            Use::Intent => "counterfoil 2026-11-23 intent v1",
            Use::Row => "counterfoil 2026-11-23 row v1",
            Use::State => "counterfoil 2026-11-23 state v1",
            Use::Key => "counterfoil 2026-11-23 key v1",
        }
    }

    /// A hasher for this use.
    pub fn hasher(self) -> Hasher {
        let [part, value, intent, row, state, key] = &*CONTEXT_KEYS;
        Hasher::new_from_context_key(match self {
            Use::Part => part,
            Use::Value => value,
            Use::Intent => intent,
            Use::Row => row,
            Use::State => state,
            Use::Key => key,
        })
    }

    /// The hash of the concatenation of `pieces`.
    pub fn hash(self, pieces: &[&[u8]]) -> Hash {
        let mut hasher = self.hasher();
        for piece in pieces {
            hasher.update(piece);
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_blake3_derive_key_of_its_context() {
        for purpose in [Use::Part, Use::Value, Use::Intent, Use::Row, Use::State, Use::Key] {
            let expected = blake3::derive_key(purpose.context(), b"some bytes");
            assert_eq!(purpose.hash(&[b"some ", b"bytes"]).0, expected);
        }
    }

    #[test]
    fn hexadecimal_goes_there_and_back() {
        let hash = Use::Row.hash(&[b"x"]);
        assert_eq!(Hash::from_hex(&hash.to_string()), Some(hash));
        assert_eq!(Hash::from_hex("00"), None);
        assert_eq!(Hash::from_hex(&"g".repeat(64)), None);
    }
}
