//! The durable mark: how far a ledger's rows are durable, said to readers of other processes.
//!
//! A reader sees what a writer has written, synced or not, and cannot tell the two apart. So the writer says it: after
//! each sync, and before it answers those who submitted, it overwrites the file `durable`. The file is never synced. It
//! is read from the memory of the machine that wrote it, and what a power cut leaves of it names rows that were
//! durable, perhaps not the last ones. It is no evidence. It names the hash of the last row, and a reader believes it of a
//! log that holds that very row and of no other. A log that holds fewer rows than it names has lost some.
//!
//! # Format
//!
//! | field | bytes |
//! | --- | --- |
//! | magic, version, crc | 8 `cfoildur`, u32 1, u32 CRC-32C of all that follows |
//! | rows | u64, how many rows are durable |
//! | last_hash | 32, the hash of the last of them |

use crate::layout::Layout;
use crate::log::Head;
use crate::storage::{Access, StoredFile};
use counterfoil_format::Hash;
use counterfoil_format::codec::Cursor;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"cfoildur";
const VERSION: u32 = 1;

/// How often a reader looks again at a mark that it met while it was being written.
const READ_AGAIN: usize = 4;

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Durable {
    /// How many rows are durable.
    pub rows: u64,
    /// The hash of the last of them.
    pub last_hash: Hash,
}

impl Durable {
    /// What the mark of a ledger says; `None` when there is none that can be read.
    pub fn read(layout: &Layout) -> Option<Self> {
        (0..READ_AGAIN).find_map(|_| Self::decode(&layout.storage().read(&layout.durable()).ok()?))
    }

    fn encode(&self) -> Vec<u8> {
        let mut said = self.rows.to_le_bytes().to_vec();
        said.extend_from_slice(&self.last_hash.0);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&said).to_le_bytes());
        bytes.extend_from_slice(&said);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let intact = cursor.array().ok()? == *MAGIC
            && cursor.u32().ok()? == VERSION
            && cursor.u32().ok()? == crc32c::crc32c(cursor.rest());
        let durable = Durable { rows: cursor.u64().ok()?, last_hash: Hash(cursor.array().ok()?) };
        (intact && cursor.rest().is_empty()).then_some(durable)
    }
}

/// The writer's hand on the mark. A mark that cannot be written stops no append: readers of other processes see the
/// last group when the next one, or a checkpoint, vouches for it.
#[derive(Debug)]
pub(crate) struct Mark(Option<Arc<dyn StoredFile>>);

impl Mark {
    /// Places the mark at the end of a log, all of which is durable.
    pub fn place(layout: &Layout, head: &Head) -> Self {
        let path = layout.durable();
        let placed = layout.replace(&path, &of(head).encode(), false);
        Mark(placed.and_then(|()| layout.open(&path, Access::Write)).ok())
    }

    /// Moves the mark to rows that have become durable.
    pub fn move_to(&self, head: &Head) {
        let _ = self.0.as_ref().map(|file| file.write_at(0, &of(head).encode()));
    }
}

fn of(head: &Head) -> Durable {
    Durable { rows: head.size, last_hash: head.row_hash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_mark_is_read() {
        let durable = Durable { rows: 7, last_hash: Hash([9; 32]) };
        let bytes = durable.encode();
        assert_eq!(Durable::decode(&bytes), Some(durable));
        for end in 0..bytes.len() {
            assert_eq!(Durable::decode(bytes.get(..end).unwrap_or_default()), None, "{end} bytes");
        }
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other.get_mut(place).into_iter().for_each(|byte| *byte ^= 1);
            assert_eq!(Durable::decode(&other), None, "byte {place}");
        }
        assert_eq!(Durable::decode(&[bytes, vec![0]].concat()), None);
    }
}
