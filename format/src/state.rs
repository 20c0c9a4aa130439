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
    let mut hasher = StateHasher::default();
    leaves.into_iter().for_each(|(key, content)| hasher.push(key, &content));
    hasher.finish()
}

/// A state digest in the making.
#[derive(Debug)]
pub struct StateHasher {
    hasher: blake3::Hasher,
    leaf: Vec<u8>,
}

impl Default for StateHasher {
    fn default() -> Self {
        StateHasher { hasher: Use::State.hasher(), leaf: Vec::new() }
    }
}

impl StateHasher {
    /// Takes in the leaf of the next key.
    pub fn push(&mut self, key: &str, content: &LeafContent<'_>) {
        self.leaf.clear();
        put_bytes(key.as_bytes(), &mut self.leaf);
        match content {
            LeafContent::Value(commitment) => {
                self.leaf.push(0);
                self.leaf.extend_from_slice(&commitment.0);
            }
            LeafContent::Counter(number) => {
                self.leaf.push(1);
                put_signed(*number, &mut self.leaf);
            }
            LeafContent::Stage(stage) => {
                self.leaf.push(2);
                put_bytes(stage.as_bytes(), &mut self.leaf);
            }
        }
        self.hasher.update(&self.leaf);
    }

    /// The digest.
    pub fn finish(self) -> Hash {
        Hash(*self.hasher.finalize().as_bytes())
    }
}
