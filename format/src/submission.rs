//! Submissions: up to 4096 intents under one signature of their author.
//!
//! The author signs `"counterfoil/submission/v1\n" || ledger_id || u32 count || root`, where the count is
//! little-endian and the root is that of the RFC 6962 tree whose entries are the intent hashes. Genesis signs with the
//! ledger id that follows from itself.

use crate::hash::Hash;
use crate::key::SignatureBytes;
use crate::merkle::{CompactRange, leaf_hash};

const DOMAIN: &[u8] = b"counterfoil/submission/v1\n";

/// The length of a signed message.
pub const MESSAGE_BYTES: usize = DOMAIN.len() + 32 + 4 + 32;

/// A submission as it stands in a group, behind the rows: count (u32, little-endian), root (32), signature (64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedSubmission {
    /// How many intents.
    pub count: u32,
    /// The root over their hashes.
    pub root: Hash,
    /// The author's signature.
    pub signature: SignatureBytes,
}

impl SignedSubmission {
    /// Bytes of one in a group.
    pub const BYTES: usize = 4 + 32 + 64;

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.root.0);
        out.extend_from_slice(&self.signature.0);
    }

    /// The message under the signature.
    pub fn message(&self, ledger_id: &Hash) -> [u8; MESSAGE_BYTES] {
        submission_message(ledger_id, self.count, &self.root)
    }
}

/// The message that an author signs.
pub fn submission_message(ledger_id: &Hash, count: u32, root: &Hash) -> [u8; MESSAGE_BYTES] {
    let mut message = [0; MESSAGE_BYTES];
    let count = count.to_le_bytes();
    let bytes = DOMAIN.iter().chain(&ledger_id.0).chain(&count).chain(&root.0);
    for (slot, byte) in message.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    message
}

/// The root over intent hashes.
pub fn submission_root<'a>(intents: impl IntoIterator<Item = &'a Hash>) -> Hash {
    let mut range = CompactRange::starting_at(0);
    intents.into_iter().for_each(|hash| range.push(leaf_hash(&hash.0)));
    range.root().unwrap_or_default()
}
