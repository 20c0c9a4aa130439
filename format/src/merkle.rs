//! The tree over rows: RFC 6962 section 2.1 with SHA-256, exactly.
//!
//! A [`CompactRange`] is what must be kept of the leaves `begin..end` to go on hashing: the roots of the largest
//! complete subtrees that cover them. Ranges that touch are joined, so parts of a tree can be hashed apart. Proofs
//! are made from complete subtrees, read through [`Nodes`], and checked as in RFC 9162 sections 2.1.3 and 2.1.4.

use crate::hash::Hash;
use sha2::{Digest, Sha256};

/// The version byte of the log entries of rows; 0xD2 is reserved for COSE entries.
pub const ENTRY_VERSION: u8 = 0x01;

/// The hash of a leaf: `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0x00]).chain_update(entry).finalize().into())
}

/// The leaf of a row: the entry is the version byte and the row's hash.
pub fn row_leaf(row_hash: &Hash) -> Hash {
    let mut input = [0; 34];
    let [_, version, hash @ ..] = &mut input;
    *version = ENTRY_VERSION;
    hash.copy_from_slice(&row_hash.0);
    Hash(Sha256::digest(input).into())
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update([0x01]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of a tree without leaves: `SHA-256()`.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The roots of the complete subtrees that cover the leaves `begin..end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactRange {
    begin: u64,
    end: u64,
    nodes: Vec<Subtree>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subtree {
    level: u32,
    index: u64,
    hash: Hash,
}

impl CompactRange {
    /// The empty range that begins at a leaf.
    pub fn starting_at(begin: u64) -> Self {
        CompactRange { begin, end: begin, nodes: Vec::new() }
    }

    /// The number of the first leaf.
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// The number behind the last leaf.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Adds the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(Subtree { level: 0, index: self.end, hash: leaf });
        self.end = self.end.saturating_add(1);
    }

    /// Adds a range that begins where this one ends; `false`, and no change, when it does not.
    pub fn join(&mut self, next: &CompactRange) -> bool {
        if next.begin != self.end {
            return false;
        }
        next.nodes.iter().for_each(|node| self.push_subtree(*node));
        self.end = next.end;
        true
    }

    /// Two siblings become their parent for as long as there are two.
    fn push_subtree(&mut self, mut node: Subtree) {
        while let Some(last) = self.nodes.last()
            && last.level == node.level
            && last.index % 2 == 0
            && last.index.saturating_add(1) == node.index
        {
            node = Subtree {
                level: node.level + 1,
                index: node.index / 2,
                hash: node_hash(&last.hash, &node.hash),
            };
            self.nodes.pop();
        }
        self.nodes.push(node);
    }

    /// The roots of the complete subtrees, left to right: with `end`, all that a range from leaf 0 is made of.
    pub fn hashes(&self) -> impl ExactSizeIterator<Item = Hash> + '_ {
        self.nodes.iter().map(|node| node.hash)
    }

    /// The range of the leaves `0..end` from the roots of its complete subtrees; `None` when their number is wrong.
    pub fn from_hashes(end: u64, hashes: &[Hash]) -> Option<Self> {
        if hashes.len() != end.count_ones() as usize {
            return None;
        }
        let mut covered = 0;
        let levels = (0..u64::BITS).rev().filter(|level| (end >> level) & 1 == 1);
        let nodes = levels.zip(hashes).map(|(level, hash)| {
            let index = covered >> level;
            covered += 1 << level;
            Subtree { level, index, hash: *hash }
        });
        Some(CompactRange { begin: 0, end, nodes: nodes.collect() })
    }

    /// The root of the tree with `end` leaves; `None` when the range does not begin at leaf 0.
    pub fn root(&self) -> Option<Hash> {
        if self.begin != 0 {
            return None;
        }
        let right_to_left = self.nodes.iter().rev().map(|node| node.hash);
        Some(right_to_left.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root))
    }
}

/// The root over these leaves.
pub fn root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut range = CompactRange::starting_at(0);
    leaves.into_iter().for_each(|leaf| range.push(leaf));
    range.root().unwrap_or_else(empty_root)
}

/// Where the roots of complete subtrees come from when a proof is made.
pub trait Nodes {
    /// What can go wrong on the way.
    type Error;

    /// The root of the subtree over the leaves `index << level .. (index + 1) << level`.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf or the smaller size does not lie in the tree.
    #[error("leaf or size {inner} does not lie in a tree of {size}")]
    OutOfRange {
        /// The leaf's number or the smaller size.
        inner: u64,
        /// The tree's size.
        size: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("the proof has {found} hashes where {expected} belong")]
    Length {
        /// How many it has.
        found: usize,
        /// How many belong.
        expected: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    Mismatch,
}

/// The proof that leaf `leaf` lies in the tree of `size` leaves (RFC 6962 section 2.1.1), leaf's side first.
/// `leaf` must be below `size`; otherwise the proof is empty.
pub fn prove_inclusion<N: Nodes>(leaf: u64, size: u64, nodes: &N) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size);
    while leaf < size && high - low > 1 {
        let middle = low + split(high - low);
        if leaf < middle {
            path.push(subtree(middle, high, nodes)?);
            high = middle;
        } else {
            path.push(subtree(low, middle, nodes)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `old` leaves is a prefix of that of `size` leaves (RFC 6962 section 2.1.2).
/// It is empty when the sizes are equal or `old` is 0.
pub fn prove_consistency<N: Nodes>(old: u64, size: u64, nodes: &N) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= size {
        return Ok(path);
    }
    let (mut low, mut high) = (0, size);
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(subtree(middle, high, nodes)?);
            high = middle;
        } else {
            path.push(subtree(low, middle, nodes)?);
            low = middle;
        }
    }
    if low != 0 {
        path.push(subtree(low, high, nodes)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `count`, which must be at least 2.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// The root over the leaves `low..high`, where `low` is a multiple of the least power of two not below the length.
fn subtree<N: Nodes>(low: u64, high: u64, nodes: &N) -> Result<Hash, N::Error> {
    let count = high - low;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return nodes.node(level, low >> level);
    }
    let middle = low + split(count);
    Ok(node_hash(&subtree(low, middle, nodes)?, &subtree(middle, high, nodes)?))
}

/// Checks that `leaf_hash` is leaf `leaf` of the tree with this size and root (RFC 9162 section 2.1.3.2).
pub fn check_inclusion(
    leaf: u64,
    leaf_hash: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if leaf >= size {
        return Err(ProofError::OutOfRange { inner: leaf, size });
    }
    let inner = inner_levels(leaf, size);
    let expected = inner + border_levels(leaf, inner);
    if proof.len() != expected {
        return Err(ProofError::Length { found: proof.len(), expected });
    }
    let (below, above) = proof.split_at_checked(inner).unwrap_or_default();
    let mut hash = *leaf_hash;
    for (level, sibling) in below.iter().enumerate() {
        hash = match (leaf >> level) & 1 {
            0 => node_hash(&hash, sibling),
            _ => node_hash(sibling, &hash),
        };
    }
    hash = above.iter().fold(hash, |hash, left| node_hash(left, &hash));
    if hash == *root { Ok(()) } else { Err(ProofError::Mismatch) }
}

/// Checks that the tree of `old` leaves is a prefix of that of `size` leaves (RFC 9162 section 2.1.4.2).
/// The smaller tree must not be empty: an empty tree is a prefix of anything, and proves nothing.
pub fn check_consistency(
    old: u64,
    old_root: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old == 0 || old > size {
        return Err(ProofError::OutOfRange { inner: old, size });
    }
    if old == size {
        return match proof {
            [] if old_root == root => Ok(()),
            [] => Err(ProofError::Mismatch),
            _ => Err(ProofError::Length { found: proof.len(), expected: 0 }),
        };
    }
    // The proof is that of the last leaf of the smaller tree, from the level of the smaller tree's last subtree up.
    let shift = old.trailing_zeros();
    let last = (old - 1) >> shift;
    let inner = inner_levels(old - 1, size).saturating_sub(shift as usize);
    let border = border_levels(last, inner);
    let (seed, path) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((seed, path)) => (seed, path),
        None => return Err(ProofError::Length { found: 0, expected: inner + border + 1 }),
    };
    if path.len() != inner + border {
        let expected = proof.len() - path.len() + inner + border;
        return Err(ProofError::Length { found: proof.len(), expected });
    }
    let (below, above) = path.split_at_checked(inner).unwrap_or_default();
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for (level, sibling) in below.iter().enumerate() {
        if (last >> level) & 1 == 1 {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
    }
    for left in above {
        old_hash = node_hash(left, &old_hash);
        new_hash = node_hash(left, &new_hash);
    }
    if old_hash == *old_root && new_hash == *root { Ok(()) } else { Err(ProofError::Mismatch) }
}

/// How many levels lie between a leaf and the point where its path meets the right border of the tree.
fn inner_levels(leaf: u64, size: u64) -> usize {
    (64 - (leaf ^ (size - 1)).leading_zeros()) as usize
}

/// How many left siblings stand above that point.
fn border_levels(leaf: u64, inner: usize) -> usize {
    u32::try_from(inner).ok().and_then(|inner| leaf.checked_shr(inner)).unwrap_or(0).count_ones() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    struct Leaves(Vec<Hash>);

    impl Nodes for Leaves {
        type Error = Infallible;

        fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
            let low = usize::try_from(index << level).unwrap();
            Ok(mth(&self.0[low..low + (1 << level)]))
        }
    }

    /// RFC 6962 section 2.1, as it is written there.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&mth(left), &mth(right))
            }
        }
    }

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|byte| leaf_hash(&[byte])).collect()
    }

    #[test]
    fn ranges_cut_and_joined_anywhere_give_the_root() {
        let all = leaves(40);
        for end in 0..=all.len() {
            assert_eq!(root(all[..end].iter().copied()), mth(&all[..end]));
            for cut in 0..=end {
                let mut left = CompactRange::starting_at(0);
                all[..cut].iter().for_each(|leaf| left.push(*leaf));
                let mut right = CompactRange::starting_at(cut as u64);
                all[cut..end].iter().for_each(|leaf| right.push(*leaf));
                assert!(left.join(&right));
                assert_eq!(left.root(), Some(mth(&all[..end])));
                let hashes: Vec<Hash> = left.hashes().collect();
                assert_eq!(CompactRange::from_hashes(end as u64, &hashes), Some(left));
            }
        }
        assert!(!CompactRange::starting_at(3).join(&CompactRange::starting_at(4)));
        assert_eq!(CompactRange::starting_at(3).root(), None);
    }

    #[test]
    fn every_proof_of_small_trees_holds_and_no_other_does() {
        let all = leaves(33);
        let nodes = Leaves(all.clone());
        for size in 1..=all.len() {
            let root = mth(&all[..size]);
            for inner in 0..size {
                let Ok(proof) = prove_inclusion(inner as u64, size as u64, &nodes);
                let check =
                    |leaf, proof: &[Hash]| check_inclusion(leaf, &all[inner], size as u64, &root, proof);
                assert_eq!(check(inner as u64, &proof), Ok(()));
                assert!(check(inner as u64 + 1, &proof).is_err());
                assert!(check(inner as u64, &[&proof[..], &[root]].concat()).is_err());

                let old = inner + 1;
                let Ok(proof) = prove_consistency(old as u64, size as u64, &nodes);
                let check = |old_root: &Hash, proof: &[Hash]| {
                    check_consistency(old as u64, old_root, size as u64, &root, proof)
                };
                assert_eq!(check(&mth(&all[..old]), &proof), Ok(()));
                assert!(check(&Hash::ZERO, &proof).is_err());
                assert!(check(&mth(&all[..old]), &[&proof[..], &[root]].concat()).is_err());
            }
        }
    }
}
