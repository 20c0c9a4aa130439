//! Whether ids are unique (V20), in eight bytes of memory an id.
//!
//! Ids are reduced to 64-bit fingerprints under a key drawn for this run, so that nobody can choose ids that collide.
//! A fingerprint met twice is a suspect; what its ids really are is looked up in a second pass over the log, which is
//! only made when there are suspects. So the result does not depend on the key.

use crate::check::CheckId;
use crate::error::VerifyError;
use crate::source::Book;
use crate::tally::{Place, Tally};
use crate::walk::{Event, RawGroup, Walk};
use counterfoil_format::group::{GROUP_HEADER_BYTES, GroupBody};
use counterfoil_format::intent::IntentId;
use counterfoil_format::row::Row;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// Slots to begin with.
const SLOTS: usize = 1 << 21;

/// The fingerprints met so far: an open-addressing table in which 0 is a free slot.
#[derive(Debug)]
pub(crate) struct Fingerprints {
    key: RandomState,
    slots: Vec<u64>,
    used: usize,
    suspects: HashSet<u64>,
}

impl Default for Fingerprints {
    fn default() -> Self {
        Fingerprints::with_slots(SLOTS)
    }
}

impl Fingerprints {
    /// `slots` is a power of two.
    fn with_slots(slots: usize) -> Self {
        Fingerprints { key: RandomState::new(), slots: vec![0; slots], used: 0, suspects: HashSet::new() }
    }

    fn fingerprint(&self, id: &IntentId) -> u64 {
        self.key.hash_one(u128::from_le_bytes(id.0)).max(1)
    }

    /// Takes in an id.
    pub fn add(&mut self, id: &IntentId) {
        let print = self.fingerprint(id);
        if !insert(&mut self.slots, print) {
            self.suspects.insert(print);
            return;
        }
        self.used += 1;
        if self.used > self.slots.len() / 10 * 7 {
            let mut larger = vec![0; self.slots.len() * 2];
            for print in self.slots.iter().filter(|print| **print != 0) {
                insert(&mut larger, *print);
            }
            self.slots = larger;
        }
    }

    /// Looks at the suspects' ids themselves, and names the rows that share one.
    pub fn settle(mut self, book: &Book, tally: &mut Tally) -> Result<(), VerifyError> {
        self.slots = Vec::new();
        if self.suspects.is_empty() {
            return Ok(());
        }
        let mut first_with = HashMap::new();
        let mut walk = Walk::new(book);
        let mut spare = Vec::new();
        while let Some(event) = walk.next(|| std::mem::take(&mut spare))? {
            let Event::Group(group) = event else { continue };
            self.settle_group(&group, &mut first_with, tally);
            spare = group.body;
        }
        Ok(())
    }

    fn settle_group(&self, group: &RawGroup, first_with: &mut HashMap<IntentId, u64>, tally: &mut Tally) {
        let Ok(body) = GroupBody::parse(&group.header, &group.body) else { return };
        for ((start, record), seq) in body.rows().zip(group.header.first_seq..) {
            let Ok(row) = Row::parse(record) else { continue };
            if !self.suspects.contains(&self.fingerprint(&row.head.id)) {
                continue;
            }
            let first = *first_with.entry(row.head.id).or_insert(seq);
            if first != seq {
                let offset = group.offset + (GROUP_HEADER_BYTES + start) as u64;
                let message = format!("its id {} is that of row {first}", row.head.id);
                tally.fault(CheckId::V20, Place { seq, file: group.file, offset }, Some(seq), message);
            }
        }
    }
}

/// Whether the fingerprint is new. The table always has a free slot.
fn insert(slots: &mut [u64], print: u64) -> bool {
    let mask = slots.len().wrapping_sub(1);
    let mut at = usize::try_from(print & mask as u64).unwrap_or(0);
    for _ in 0..slots.len() {
        match slots.get_mut(at) {
            Some(slot) if *slot == 0 => {
                *slot = print;
                return true;
            }
            Some(slot) if *slot == print => return false,
            _ => at = at.wrapping_add(1) & mask,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_met_twice_are_suspects_also_after_the_table_grew() {
        let mut prints = Fingerprints::with_slots(16);
        let id = |number: u64| IntentId(u128::from(number).to_le_bytes());
        (0..5000).for_each(|number| prints.add(&id(number)));
        assert!(prints.suspects.is_empty());
        assert_eq!(prints.used, 5000);
        [0, 77, 4999].iter().for_each(|number| prints.add(&id(*number)));
        assert_eq!(prints.suspects.len(), 3);
        assert!(prints.suspects.contains(&prints.fingerprint(&id(77))));
    }
}
