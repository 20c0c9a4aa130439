//! Writing a snapshot: leaves one after the other, then the index, then the head, then the name.

use super::{Block, CRC_END, HEAD, MAGIC, VERSION};
use crate::error::FileError;
use crate::held::write_held;
use crate::layout::{Layout, unfinished};
use crate::storage::{Access, StoredFile};
use counterfoil_format::body::Snapshot;
use counterfoil_format::codec::put_bytes;
use counterfoil_format::state::StateHasher;
use counterfoil_rules::state::Held;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes at which a block is full.
const BLOCK_BYTES: usize = 4096;

/// A snapshot that is being written.
pub(super) struct Writing<'l> {
    layout: &'l Layout,
    path: PathBuf,
    file: Arc<dyn StoredFile>,
    at: u64,
    leaves: u64,
    hasher: StateHasher,
    block: Vec<u8>,
    first: String,
    end: u64,
    blocks: Vec<Block>,
}

impl<'l> Writing<'l> {
    /// Begins the snapshot of the state after a row.
    pub fn begin(layout: &'l Layout, at: u64) -> Result<Self, FileError> {
        let path = unfinished(&layout.snapshot(at));
        let dir = layout.snapshots();
        layout.storage().create_dirs(&dir).map_err(FileError::at(&dir))?;
        let file = layout.open(&path, Access::Replace)?;
        Ok(Writing {
            layout,
            path,
            file,
            at,
            leaves: 0,
            hasher: StateHasher::default(),
            block: Vec::new(),
            first: String::new(),
            end: HEAD as u64,
            blocks: Vec::new(),
        })
    }

    /// Appends the leaf of the next key.
    pub fn leaf(&mut self, key: &str, held: &Held) -> Result<(), FileError> {
        self.hasher.push(key, &held.leaf.content());
        self.leaves += 1;
        if self.block.is_empty() {
            key.clone_into(&mut self.first);
        }
        put_bytes(key.as_bytes(), &mut self.block);
        write_held(held, &mut self.block);
        if self.block.len() >= BLOCK_BYTES { self.write_block() } else { Ok(()) }
    }

    fn write_block(&mut self) -> Result<(), FileError> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.file.write_at(self.end, &self.block).map_err(FileError::at(&self.path))?;
        let bytes = u32::try_from(self.block.len()).unwrap_or(u32::MAX);
        let crc = crc32c::crc32c(&self.block);
        self.blocks.push(Block { offset: self.end, bytes, crc, first: self.first.as_str().into() });
        self.end += u64::from(bytes);
        self.block.clear();
        Ok(())
    }

    /// Ends it: what it is, the file under its name and on disk.
    pub fn finish(mut self) -> Result<Snapshot, FileError> {
        self.write_block()?;
        let state = self.hasher.finish();
        let mut index = Vec::new();
        for block in &self.blocks {
            index.extend_from_slice(&block.offset.to_le_bytes());
            index.extend_from_slice(&block.bytes.to_le_bytes());
            index.extend_from_slice(&block.crc.to_le_bytes());
            put_bytes(block.first.as_bytes(), &mut index);
        }
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&[0; 4]);
        head.extend_from_slice(&self.at.to_le_bytes());
        head.extend_from_slice(&self.leaves.to_le_bytes());
        head.extend_from_slice(&state.0);
        head.extend_from_slice(&self.end.to_le_bytes());
        head.extend_from_slice(&(self.blocks.len() as u64).to_le_bytes());
        let covered = crc32c::crc32c(head.get(CRC_END..).unwrap_or_default());
        let crc = crc32c::crc32c_append(covered, &index);
        head.get_mut(CRC_END - 4..CRC_END).into_iter().for_each(|at| at.copy_from_slice(&crc.to_le_bytes()));
        self.file.write_at(self.end, &index).map_err(FileError::at(&self.path))?;
        self.file.write_at(0, &head).map_err(FileError::at(&self.path))?;
        self.file.sync_all().map_err(FileError::at(&self.path))?;
        let named = self.layout.snapshot(self.at);
        self.layout.storage().rename(&self.path, &named).map_err(FileError::at(&named))?;
        self.layout.sync_dir(&self.layout.snapshots())?;
        self.layout.sync_dir(self.layout.root())?;
        Ok(Snapshot { at: self.at, state, leaves: self.leaves })
    }
}
