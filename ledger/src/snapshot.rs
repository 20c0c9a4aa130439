//! Snapshots: the whole state after a row, sorted by key, in a file of its own, so that the state at any row is the nearest
//! snapshot and a short replay.
//!
//! A snapshot row pins the digest of each; a file that no such row bears out is passed over, and so is a damaged one. They
//! can be made again from the log.
//!
//! # Format
//!
//! Little-endian throughout.
//!
//! | field | bytes |
//! | --- | --- |
//! | magic, version, crc | 8 `cfoilsnp`, u32 1, u32 CRC-32C of the rest of the head and of the index |
//! | at, leaves | u64 each: the row that it is the state after, how many leaves |
//! | state | 32, the digest |
//! | index, blocks | u64 each: the offset of the index, how many blocks |
//! | blocks | leaves in the order of their keys: key, then what it holds |
//! | index | of each block: u64 offset, u32 bytes, u32 CRC-32C, and its first key |

mod make;
mod write;

pub use make::MakeError;
pub(crate) use make::make;

use crate::held::read_held;
use crate::layout::Layout;
use crate::log::Log;
use crate::storage::{Access, StoredFile};
use counterfoil_format::Hash;
use counterfoil_format::body::Snapshot;
use counterfoil_format::codec::{CodecError, Cursor};
use counterfoil_format::limits;
use counterfoil_format::state::StateHasher;
use counterfoil_rules::state::Held;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"cfoilsnp";
const VERSION: u32 = 1;
/// Where the checksum ends, and what it covers begins.
const CRC_END: usize = 8 + 4 + 4;
const HEAD: usize = CRC_END + 2 * 8 + 32 + 2 * 8;
/// Bytes of the index, at most: that of a state of some hundred million keys.
const INDEX_BYTES: u64 = 1 << 30;

/// A snapshot on disk, read as it is needed.
#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
    file: Arc<dyn StoredFile>,
    pinned: Snapshot,
    blocks: Vec<Block>,
}

/// Some leaves that are read at once.
#[derive(Debug)]
struct Block {
    offset: u64,
    bytes: u32,
    crc: u32,
    first: Box<str>,
}

/// Why a snapshot cannot be read. It is to be done without.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}; it is passed over, and `counterfoil snapshot --again` makes it anew", path.display())]
pub struct SnapshotError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

impl Layout {
    /// The snapshot of the state after a row.
    pub fn snapshot(&self, at: u64) -> PathBuf {
        self.snapshots().join(format!("{at:020}.state"))
    }
}

impl Log {
    /// The snapshot of the newest state after at most so many rows that is there whole and that a snapshot row bears out.
    pub fn snapshot_within(&self, size: u64) -> Result<Option<SnapshotFile>, crate::error::ReadError> {
        let pinned = self.snapshot_rows()?;
        let mut pinned: Vec<_> =
            pinned.into_iter().map(|(_, pinned)| pinned).filter(|pinned| pinned.at < size).collect();
        pinned.sort_by_key(|pinned| std::cmp::Reverse(pinned.at));
        Ok(pinned.into_iter().find_map(|pinned| SnapshotFile::open(self.layout(), pinned).ok()))
    }
}

impl Log {
    /// Makes those snapshots anew that rows have pinned and whose files are lost or damaged; yields after which rows. One that was
    /// pinned wrongly is an error, once the others are made.
    pub fn make_snapshots(&self) -> Result<Vec<u64>, MakeError> {
        let (mut made, mut wrong) = (Vec::new(), None);
        for (row, pinned) in self.snapshot_rows()? {
            if SnapshotFile::open(self.layout(), pinned).and_then(|file| file.check()).is_ok() {
                continue;
            }
            let found = make(self, pinned.at)?;
            if found != pinned {
                wrong.get_or_insert(MakeError::Pinned { row, at: pinned.at });
                continue;
            }
            made.push(pinned.at);
        }
        wrong.map_or(Ok(made), Err)
    }
}

impl SnapshotFile {
    /// Reads all of it, and holds it against its digest.
    pub fn check(&self) -> Result<(), SnapshotError> {
        let mut hasher = StateHasher::default();
        self.scan("", |key, held| hasher.push(key, &held.leaf.content()))?;
        self.is_digest(&hasher.finish())
    }

    /// Whether what was read of it is what was pinned.
    fn is_digest(&self, found: &Hash) -> Result<(), SnapshotError> {
        match *found == self.pinned.state {
            true => Ok(()),
            false => {
                Err(SnapshotError { path: self.path.clone(), reason: "its digest does not hold".to_owned() })
            }
        }
    }

    /// Opens the snapshot that a row has pinned.
    pub fn open(layout: &Layout, pinned: Snapshot) -> Result<Self, SnapshotError> {
        let path = layout.snapshot(pinned.at);
        Self::read_head(layout, &path, pinned).map_err(|reason| SnapshotError { path, reason })
    }

    fn read_head(layout: &Layout, path: &Path, pinned: Snapshot) -> Result<Self, String> {
        let io = |error: std::io::Error| error.to_string();
        let file = layout.open(path, Access::Read).map_err(|error| error.error.to_string())?;
        let size = file.size().map_err(io)?;
        let mut head = [0; HEAD];
        file.read_exact_at(0, &mut head).map_err(io)?;
        let damaged = |error: CodecError| error.to_string();
        let mut cursor = Cursor::new(&head);
        if cursor.array().map_err(damaged)? != *MAGIC || cursor.u32().map_err(damaged)? != VERSION {
            return Err("it is no snapshot of this build".to_owned());
        }
        let crc = cursor.u32().map_err(damaged)?;
        let (at, leaves) = (cursor.u64().map_err(damaged)?, cursor.u64().map_err(damaged)?);
        let state = Hash(cursor.array().map_err(damaged)?);
        let (index_at, blocks) = (cursor.u64().map_err(damaged)?, cursor.u64().map_err(damaged)?);
        let length = size.checked_sub(index_at).filter(|length| *length <= INDEX_BYTES);
        let mut index =
            vec![0; length.and_then(|l| usize::try_from(l).ok()).ok_or("its index is cut short")?];
        file.read_exact_at(index_at, &mut index).map_err(io)?;
        let covered = crc32c::crc32c(head.get(CRC_END..).unwrap_or_default());
        if crc32c::crc32c_append(covered, &index) != crc {
            return Err("its checksum does not hold".to_owned());
        }
        if (Snapshot { at, state, leaves }) != pinned {
            return Err("it is not the state that the snapshot row has pinned".to_owned());
        }
        let mut cursor = Cursor::new(&index);
        let blocks: Result<Vec<_>, _> = (0..blocks).map(|_| Block::read(&mut cursor)).collect();
        let blocks = blocks.map_err(damaged)?;
        if blocks.iter().any(|block| block.offset.saturating_add(block.bytes.into()) > index_at) {
            return Err("its index points outside".to_owned());
        }
        Ok(SnapshotFile { path: path.to_owned(), file, pinned, blocks })
    }

    /// What the snapshot row says of it.
    pub fn pinned(&self) -> &Snapshot {
        &self.pinned
    }

    /// What a key held.
    pub fn get(&self, key: &str) -> Result<Option<Held>, SnapshotError> {
        let behind = self.blocks.partition_point(|block| &*block.first <= key);
        let Some(block) = behind.checked_sub(1).and_then(|place| self.blocks.get(place)) else {
            return Ok(None);
        };
        let mut found = None;
        self.read(block, |name, held| {
            if name == key {
                found = Some(held);
            }
        })?;
        Ok(found)
    }

    /// Hands over the leaves of the keys that begin with a prefix, ascending.
    pub fn scan(&self, prefix: &str, mut take: impl FnMut(&str, Held)) -> Result<(), SnapshotError> {
        let behind = self.blocks.partition_point(|block| &*block.first <= prefix);
        for block in self.blocks.iter().skip(behind.saturating_sub(1)) {
            if &*block.first > prefix && !block.first.starts_with(prefix) {
                break;
            }
            self.read(block, |key, held| {
                if key.starts_with(prefix) {
                    take(key, held);
                }
            })?;
        }
        Ok(())
    }

    fn read(&self, block: &Block, mut take: impl FnMut(&str, Held)) -> Result<(), SnapshotError> {
        let fault = |reason: String| SnapshotError { path: self.path.clone(), reason };
        let mut bytes = vec![0; block.bytes as usize];
        self.file.read_exact_at(block.offset, &mut bytes).map_err(|error| fault(error.to_string()))?;
        if crc32c::crc32c(&bytes) != block.crc {
            return Err(fault(format!("the leaves at offset {} are damaged", block.offset)));
        }
        let mut cursor = Cursor::new(&bytes);
        while !cursor.rest().is_empty() {
            let key = cursor.text("a key", limits::KEY_BYTES).map_err(|error| fault(error.to_string()))?;
            take(key, read_held(&mut cursor).map_err(|error| fault(error.to_string()))?);
        }
        Ok(())
    }
}

impl Block {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, CodecError> {
        let (offset, bytes, crc) = (cursor.u64()?, cursor.u32()?, cursor.u32()?);
        let first = cursor.text("a key", limits::KEY_BYTES)?.into();
        Ok(Block { offset, bytes, crc, first })
    }
}
