//! Which row another row is related to, such as the one that took it back. Copies share what they have in common, so that
//! what governs can be copied for every row that changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

/// So many row numbers, as a power of two, are copied together when one of them changes.
const SHIFT: u32 = 9;

/// Rows by rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Relation {
    /// By the upper digits of the row, each without those that are empty.
    chunks: BTreeMap<u64, Arc<BTreeMap<u64, u64>>>,
}

impl Relation {
    /// The row that this one is related to.
    pub fn get(&self, row: u64) -> Option<u64> {
        self.chunks.get(&(row >> SHIFT))?.get(&row).copied()
    }

    /// The rows from this one on that are related to another, ascending.
    pub fn rows_from(&self, row: u64) -> impl Iterator<Item = u64> {
        let chunks = self.chunks.range(row >> SHIFT..);
        chunks.flat_map(move |(_, chunk)| chunk.range(row..).map(|(row, _)| *row))
    }

    /// Relates a row to another, and no longer to the one before.
    pub fn insert(&mut self, row: u64, to: u64) {
        Arc::make_mut(self.chunks.entry(row >> SHIFT).or_default()).insert(row, to);
    }

    /// Relates a row to none.
    pub fn remove(&mut self, row: u64) {
        if let Some(chunk) = self.chunks.get_mut(&(row >> SHIFT)) {
            Arc::make_mut(chunk).remove(&row);
            if chunk.is_empty() {
                self.chunks.remove(&(row >> SHIFT));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_was_put_in_and_a_copy_is_its_own() {
        let mut relation = Relation::default();
        let rows = [0, 1, (1 << SHIFT) - 1, 1 << SHIFT, u64::MAX];
        rows.iter().for_each(|row| relation.insert(*row, row / 2));
        let before = relation.clone();
        relation.insert(1, 7);
        relation.remove(u64::MAX);
        relation.remove(5);
        assert_eq!(rows.map(|row| relation.get(row)), [Some(0), Some(7), Some(255), Some(256), None]);
        assert_eq!(relation.rows_from(1).collect::<Vec<_>>(), rows[1..4]);
        assert_eq!(relation.rows_from(1 << SHIFT).collect::<Vec<_>>(), rows[3..4]);
        assert_eq!(rows.map(|row| before.get(row)), rows.map(|row| Some(row / 2)));
        rows.iter().for_each(|row| relation.remove(*row));
        assert_eq!(relation, Relation::default());
    }
}
