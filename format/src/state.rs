//! State digests: `BLAKE3[state]` over the leaves of a state, sorted by key in ascending byte order.
//!
//! # Format
//!
//! A leaf is the key (varint length, UTF-8), then `0` and the value's commitment (32), or `1` and the counter (zigzag
//! varint), or `2` and the stage (varint length, UTF-8).

use crate::codec::{put_bytes, put_signed};
use crate::hash::{Hash, Use};

/// What a key holds, as far as the digest sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafContent<'a> {
    /// A value, by its commitment.
    Value(Hash),
    /// A counter.
    Counter(i64),
    /// A stage of a lifecycle.
    Stage(&'a str),
}

/// The digest of a state whose leaves come sorted by key.
pub fn state_digest<'a>(leaves: impl IntoIterator<Item = (&'a str, LeafContent<'a>)>) -> Hash {
    let mut hasher = Use::State.hasher();
    let mut bytes = Vec::new();
    for (key, content) in leaves {
        bytes.clear();
        put_bytes(key.as_bytes(), &mut bytes);
        match content {
            LeafContent::Value(commitment) => {
                bytes.push(0);
                bytes.extend_from_slice(&commitment.0);
            }
            LeafContent::Counter(number) => {
                bytes.push(1);
                put_signed(number, &mut bytes);
            }
            LeafContent::Stage(stage) => {
                bytes.push(2);
                put_bytes(stage.as_bytes(), &mut bytes);
            }
        }
        hasher.update(&bytes);
    }
    Hash(*hasher.finalize().as_bytes())
}
