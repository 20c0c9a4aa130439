//! Tiles: the tree cut into files of 256 hashes, as c2sp.org/tlog-tiles lays them out.
//!
//! Tile `(level, index)` holds the roots of the complete subtrees at tree level `8 * level` from number
//! `256 * index` on, 32 bytes each; a partial tile holds the 1 to 255 of them that are complete.

use crate::hash::Hash;
use crate::merkle::node_hash;

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;
/// Tree levels from one tile level to the next.
pub const TILE_HEIGHT: u32 = 8;

/// Which tile, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// The tile level, 0 for leaves.
    pub level: u8,
    /// Its place in the level.
    pub index: u64,
    /// How many hashes, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The tile that the root of a complete subtree lies in or is computed from, as wide as a tree of `size` allows.
    /// `None` when the subtree is not complete in that tree.
    pub fn holding(level: u32, index: u64, size: u64) -> Option<Tile> {
        let last_leaf = index.checked_add(1)?.checked_mul(1u64.checked_shl(level)?)?;
        if last_leaf > size {
            return None;
        }
        let tile_level = level / TILE_HEIGHT;
        let first = index << (level % TILE_HEIGHT);
        let tile_index = first / TILE_WIDTH;
        let available = (size >> (tile_level * TILE_HEIGHT)) - tile_index * TILE_WIDTH;
        let width = u16::try_from(available.min(TILE_WIDTH)).ok()?;
        Some(Tile { level: u8::try_from(tile_level).ok()?, index: tile_index, width })
    }

    /// The path below the log's prefix, such as `tile/0/x001/234.p/17`.
    pub fn path(&self) -> String {
        let mut digits = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            digits = format!("x{:03}/{digits}", rest % 1000);
            rest /= 1000;
        }
        let partial =
            if u64::from(self.width) < TILE_WIDTH { format!(".p/{}", self.width) } else { String::new() };
        format!("tile/{}/{digits}{partial}", self.level)
    }

    /// The root of the complete subtree `(level, index)` from the hashes of this tile, which must be the one that
    /// [`Tile::holding`] names.
    pub fn node(&self, hashes: &[Hash], level: u32, index: u64) -> Option<Hash> {
        let height = level.checked_sub(u32::from(self.level) * TILE_HEIGHT)?;
        let count = 1usize.checked_shl(height)?;
        let first = index.checked_shl(height)?.checked_sub(self.index.checked_mul(TILE_WIDTH)?)?;
        let first = usize::try_from(first).ok()?;
        let mut row = hashes.get(first..first.checked_add(count)?)?.to_vec();
        while row.len() > 1 {
            row = row
                .chunks_exact(2)
                .filter_map(|pair| match pair {
                    [left, right] => Some(node_hash(left, right)),
                    _ => None,
                })
                .collect();
        }
        row.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, root};

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |level, index, width| Tile { level, index, width }.path();
        assert_eq!(path(0, 0, 256), "tile/0/000");
        assert_eq!(path(1, 1_234_067, 256), "tile/1/x001/x234/067");
        assert_eq!(path(0, 273, 112), "tile/0/273.p/112");
    }

    #[test]
    fn a_tile_yields_the_subtrees_above_it() {
        let leaves: Vec<Hash> = (0..700u32).map(|n| leaf_hash(&n.to_le_bytes())).collect();
        let tile = Tile::holding(3, 65, 700).unwrap();
        assert_eq!(tile, Tile { level: 0, index: 2, width: 188 });
        let found = tile.node(&leaves[512..], 3, 65).unwrap();
        assert_eq!(found, root(leaves[520..528].iter().copied()));
        assert_eq!(Tile::holding(3, 88, 700), None);
        assert_eq!(Tile::holding(8, 1, 700), Some(Tile { level: 1, index: 0, width: 2 }));
    }
}
