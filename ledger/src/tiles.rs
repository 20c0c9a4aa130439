//! The tree's tiles (c2sp.org/tlog-tiles) and the proofs made from them.
//!
//! Full tiles are files below `tile/`, made from the log when they are first needed and when a ledger is closed. They
//! can be rebuilt and are not trusted: every proof is checked against the root before it is handed out, and made anew
//! from the rows when it does not hold.

use crate::error::ReadError;
use crate::layout::Layout;
use crate::log::{Head, Log};
use crate::reindex::Rewritten;
use counterfoil_format::Hash;
use counterfoil_format::merkle::{
    Nodes, ProofError, check_consistency, check_inclusion, prove_consistency, prove_inclusion, root, row_leaf,
};
use counterfoil_format::tile::{TILE_WIDTH, Tile};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Why a proof cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// Reading the log failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was asked for does not lie in the tree, or the log contradicts its own root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// The tree over a log as it was at one moment.
pub struct Tiles<'l> {
    log: &'l Log,
    head: Head,
    from_files: bool,
}

impl<'l> Tiles<'l> {
    /// The tree over all rows that are durable now.
    pub fn of(log: &'l Log) -> Self {
        Tiles { log, head: log.head(), from_files: true }
    }

    /// The end of the log that the tree covers.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The proof that a row lies in the tree.
    pub fn prove_inclusion(&mut self, row: u64) -> Result<Vec<Hash>, ProveError> {
        let Head { size, root, .. } = self.head;
        if row >= size {
            return Err(ProofError::OutOfRange { inner: row, size }.into());
        }
        let leaf = row_leaf(&self.log.row(row)?.parse()?.row_hash);
        self.proven(|tiles| {
            let proof = prove_inclusion(row, size, tiles)?;
            check_inclusion(row, &leaf, size, &root, &proof)?;
            Ok(proof)
        })
    }

    /// The proof that the tree of the first `from` rows is a prefix of this one.
    pub fn prove_consistency(&mut self, from: u64) -> Result<Vec<Hash>, ProveError> {
        let Head { size, root, .. } = self.head;
        if from == 0 || from > size {
            return Err(ProofError::OutOfRange { inner: from, size }.into());
        }
        self.proven(|tiles| {
            let old_root = tiles.root_of(from)?;
            let proof = prove_consistency(from, size, tiles)?;
            check_consistency(from, &old_root, size, &root, &proof)?;
            Ok(proof)
        })
    }

    /// Makes a proof from the tile files, and from the rows alone when those mislead.
    fn proven(
        &mut self,
        prove: impl Fn(&Self) -> Result<Vec<Hash>, ProveError>,
    ) -> Result<Vec<Hash>, ProveError> {
        self.catch_up()?;
        match prove(self) {
            Err(ProveError::Proof(_)) if self.from_files => {
                self.from_files = false;
                prove(self)
            }
            result => result,
        }
    }

    /// The root of the tree of the first rows.
    pub fn root_of(&self, size: u64) -> Result<Hash, ReadError> {
        let mut below = 0;
        let mut hashes = Vec::new();
        for level in (0..u64::BITS).rev().filter(|level| (size >> level) & 1 == 1) {
            hashes.push(self.node(level, below >> level)?);
            below += 1 << level;
        }
        let range = counterfoil_format::merkle::CompactRange::from_hashes(size, &hashes);
        Ok(range.and_then(|range| range.root()).unwrap_or_default())
    }

    fn path(&self, tile: &Tile) -> PathBuf {
        self.log.layout().root().join(tile.path())
    }

    fn is_kept(&self, tile: &Tile) -> bool {
        self.log.layout().storage().kind(&self.path(tile)).is_some()
    }

    /// Writes the full leaf tiles that are missing, reading each row once.
    pub fn catch_up(&self) -> Result<(), ReadError> {
        let full = self.head.size / TILE_WIDTH;
        let leaf_tile = |index| Tile { level: 0, index, width: 256 };
        let (mut low, mut high) = (0, full);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_kept(&leaf_tile(middle)) { low = middle + 1 } else { high = middle }
        }
        let mut leaves = Vec::with_capacity(256);
        let mut index = low;
        self.log.scan::<ReadError>(low * TILE_WIDTH..full * TILE_WIDTH, |row| {
            leaves.push(row_leaf(&row.row_hash));
            if leaves.len() as u64 == TILE_WIDTH {
                self.keep(&leaf_tile(index), &leaves);
                leaves.clear();
                index += 1;
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Writes every full tile, of all levels, from the rows.
    pub(crate) fn rebuild(&self) -> Result<Rewritten, ReadError> {
        let mut rewritten = Rewritten::default();
        // Of each level, how many tiles are full and the hashes of the next one.
        let mut levels: Vec<(u64, Vec<Hash>)> = Vec::new();
        self.log.scan::<ReadError>(0..self.head.size, |row| {
            let mut hash = row_leaf(&row.row_hash);
            for level in 0.. {
                if usize::from(level) == levels.len() {
                    levels.push((0, Vec::with_capacity(256)));
                }
                let Some((index, hashes)) = levels.get_mut(usize::from(level)) else { break };
                hashes.push(hash);
                if (hashes.len() as u64) < TILE_WIDTH {
                    break;
                }
                let kept = self.keep(&Tile { level, index: *index, width: 256 }, hashes);
                *(if kept { &mut rewritten.written } else { &mut rewritten.failed }) += 1;
                hash = root(hashes.drain(..));
                *index += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rewritten)
    }

    /// Keeps a full tile as a file. A directory that cannot be written only costs time: the tile is made again.
    fn keep(&self, tile: &Tile, hashes: &[Hash]) -> bool {
        let path = self.path(tile);
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        let layout = self.log.layout();
        let made = path.parent().is_some_and(|parent| layout.storage().create_dirs(parent).is_ok());
        made && layout.replace(&path, &bytes, false).is_ok()
    }

    /// The hashes of a tile, from its file when it is full and there, else from what lies below it.
    fn hashes(&self, tile: &Tile) -> Result<Vec<Hash>, ReadError> {
        let full = u64::from(tile.width) == TILE_WIDTH;
        if full
            && self.from_files
            && let Some(hashes) = read_tile(self.log.layout(), &self.path(tile))
        {
            return Ok(hashes);
        }
        let first = tile.index * TILE_WIDTH;
        let range = first..first + u64::from(tile.width);
        let mut hashes = Vec::with_capacity(tile.width.into());
        if tile.level == 0 {
            self.log.scan::<ReadError>(range, |row| {
                hashes.push(row_leaf(&row.row_hash));
                Ok(ControlFlow::Continue(()))
            })?;
        } else {
            for index in range {
                let below = Tile { level: tile.level - 1, index, width: 256 };
                hashes.push(root(self.hashes(&below)?));
            }
        }
        if full && self.from_files {
            self.keep(tile, &hashes);
        }
        Ok(hashes)
    }
}

fn read_tile(layout: &Layout, path: &Path) -> Option<Vec<Hash>> {
    let bytes = layout.storage().read(path).ok()?;
    let (hashes, []) = bytes.as_chunks::<32>() else { return None };
    (hashes.len() as u64 == TILE_WIDTH).then(|| hashes.iter().copied().map(Hash).collect())
}

impl Nodes for Tiles<'_> {
    type Error = ReadError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, ReadError> {
        let size = self.head.size;
        let no_such_row = ReadError::NoSuchRow { row: index.checked_shl(level).unwrap_or(u64::MAX), size };
        let Some(tile) = Tile::holding(level, index, size) else { return Err(no_such_row) };
        let hashes = self.hashes(&tile)?;
        tile.node(&hashes, level, index).ok_or(no_such_row)
    }
}
