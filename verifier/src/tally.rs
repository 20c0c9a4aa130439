//! What was met on the way: findings, how much was checked and how much was not, counts.
//!
//! Tallies of ranges are merged in any order and give the same sum. A hostile file may hold millions of faults; all
//! are counted, and of each check the first [`KEPT`] by place are kept.

use crate::check::CheckId;
use crate::words;
use counterfoil_format::content::Evidence;
use counterfoil_format::intent::{Kind, Mode, Tier};
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use std::collections::BTreeMap;

/// How many findings of one check are kept.
pub const KEPT: usize = 1000;
/// How many forced rollbacks are named.
const NAMED: usize = 20;

/// Where something was met: a file by its place in the book, and a byte in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The row at or behind which it stands; findings are sorted by it first.
    pub seq: u64,
    /// The file: segments first, then the ledger's own checkpoint, then the checkpoints handed in.
    pub file: u32,
    /// The byte in the file.
    pub offset: u64,
}

/// A fault, in the order in which faults are told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    pub place: Place,
    pub check: CheckId,
    /// The row that it is about, when it is about one.
    pub row: Option<u64>,
    pub message: String,
}

/// The faults of one check.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// How many were found.
    pub found: u64,
    kept: Vec<Fault>,
}

impl Faults {
    fn keep(&mut self, fault: Fault) {
        self.kept.push(fault);
        if self.kept.len() >= 2 * KEPT {
            self.prune();
        }
    }

    /// Which ones are kept depends on their places alone, not on the order in which they came.
    fn prune(&mut self) {
        self.kept.sort_unstable();
        self.kept.truncate(KEPT);
    }
}

/// What of a check was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    /// How often.
    pub count: u64,
    /// The first row that it was left out for, and why.
    pub first: (u64, String),
}

/// Counts of what the rows are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub kinds: [u64; 16],
    pub tiers: [u64; 4],
    pub modes: [u64; 2],
    pub outcomes: [u64; 4],
    pub groups: u64,
    pub submissions: u64,
    pub closed_parts: u64,
    pub closed_values: u64,
    pub documents: u64,
    pub forced: u64,
    pub partial: u64,
}

/// The sum over a range of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub counts: Counts,
    pub rows: u64,
    faults: BTreeMap<CheckId, Faults>,
    skips: BTreeMap<CheckId, Skip>,
    checked: [u64; CheckId::ALL.len()],
    forced_rows: Vec<u64>,
}

impl Tally {
    /// Takes down a fault in a row, or at a place that belongs to no row.
    pub fn fault(&mut self, check: CheckId, place: Place, row: Option<u64>, message: String) {
        let faults = self.faults.entry(check).or_default();
        faults.found += 1;
        faults.keep(Fault { place, check, row, message });
    }

    /// Counts units of a check that were checked.
    pub fn checked(&mut self, check: CheckId, units: u64) {
        if let Some(count) = self.checked.get_mut(check as usize) {
            *count += units;
        }
    }

    /// Takes down that a unit of a check was left out.
    pub fn skip(&mut self, check: CheckId, seq: u64, why: &str) {
        self.skip_many(check, seq, 1, why);
    }

    /// Takes down that the checks of single rows were left out for rows that cannot be read.
    pub fn skip_rows(&mut self, checks: &[CheckId], first: u64, rows: u64) {
        checks.iter().for_each(|check| self.skip_many(*check, first, rows, words::ROW_UNREADABLE));
    }

    fn skip_many(&mut self, check: CheckId, seq: u64, units: u64, why: &str) {
        let new = || Skip { count: 0, first: (seq, why.to_owned()) };
        let skip = self.skips.entry(check).or_insert_with(new);
        skip.count += units;
        let (first, reason) = &skip.first;
        if (seq, why) < (*first, reason.as_str()) {
            skip.first = (seq, why.to_owned());
        }
    }

    /// Counts a row by kind, tier, mode and outcome, and its closed parts.
    pub fn count_row(&mut self, row: &Row<'_>) {
        bump(&mut self.counts.kinds, row.head.kind as usize);
        bump(&mut self.counts.tiers, row.head.tier as usize);
        bump(&mut self.counts.modes, row.head.mode as usize);
        bump(&mut self.counts.outcomes, row.landing.outcome as usize);
        let tags = PartTag::AUTHORED.into_iter().chain([PartTag::Rollback]);
        let closed = tags.filter_map(|tag| row.part(tag)).filter(|slot| slot.bytes().is_none());
        self.counts.closed_parts += closed.count() as u64;
    }

    /// Counts the pieces of evidence that lie outside the ledger.
    pub fn count_documents(&mut self, evidence: &[Evidence<'_>]) {
        let documents = evidence.iter().filter(|item| matches!(item, Evidence::Document { .. }));
        self.counts.documents += documents.count() as u64;
    }

    /// Takes down an openly forced rollback. They come in row order.
    pub fn forced(&mut self, row: u64) {
        self.counts.forced += 1;
        if self.forced_rows.len() < NAMED {
            self.forced_rows.push(row);
        }
    }

    /// Adds the tally of another range. Of two ranges with forced rollbacks the earlier one must come first.
    pub fn merge(&mut self, other: Tally) {
        self.rows += other.rows;
        self.counts.add(&other.counts);
        for (check, faults) in other.faults {
            let sum = self.faults.entry(check).or_default();
            sum.found += faults.found;
            faults.kept.into_iter().for_each(|fault| sum.keep(fault));
        }
        for (check, skip) in other.skips {
            let sum = self.skips.entry(check).or_insert_with(|| Skip { count: 0, first: skip.first.clone() });
            sum.count += skip.count;
            if skip.first < sum.first {
                sum.first = skip.first;
            }
        }
        self.checked.iter_mut().zip(other.checked).for_each(|(sum, count)| *sum += count);
        let room = NAMED.saturating_sub(self.forced_rows.len());
        self.forced_rows.extend(other.forced_rows.into_iter().take(room));
    }

    /// How many faults a check found.
    pub fn found(&self, check: CheckId) -> u64 {
        self.faults.get(&check).map_or(0, |faults| faults.found)
    }

    /// How many units a check looked at.
    pub fn units(&self, check: CheckId) -> u64 {
        self.checked.get(check as usize).copied().unwrap_or(0)
    }

    /// What of a check was left out.
    pub fn skipped(&self, check: CheckId) -> Option<&Skip> {
        self.skips.get(&check)
    }

    /// The forced rollbacks that are named.
    pub fn forced_rows(&self) -> &[u64] {
        &self.forced_rows
    }

    /// The faults that are kept, in order.
    pub fn into_faults(self) -> Vec<Fault> {
        let mut all = Vec::new();
        for mut faults in self.faults.into_values() {
            faults.prune();
            all.append(&mut faults.kept);
        }
        all.sort_unstable();
        all
    }
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        let add = |sum: &mut [u64], counts: &[u64]| sum.iter_mut().zip(counts).for_each(|(a, b)| *a += b);
        add(&mut self.kinds, &other.kinds);
        add(&mut self.tiers, &other.tiers);
        add(&mut self.modes, &other.modes);
        add(&mut self.outcomes, &other.outcomes);
        self.groups += other.groups;
        self.submissions += other.submissions;
        self.closed_parts += other.closed_parts;
        self.closed_values += other.closed_values;
        self.documents += other.documents;
        self.forced += other.forced;
        self.partial += other.partial;
    }

    /// The counts by name that are not 0.
    pub fn named(&self) -> [(&'static str, BTreeMap<&'static str, u64>); 4] {
        fn by_name<T: Copy>(
            all: &[T],
            counts: &[u64],
            name: fn(T) -> &'static str,
        ) -> BTreeMap<&'static str, u64> {
            let named = all.iter().zip(counts).map(|(item, count)| (name(*item), *count));
            named.filter(|(_, count)| *count > 0).collect()
        }
        [
            ("kinds", by_name(Kind::ALL, &self.kinds, Kind::name)),
            ("tiers", by_name(Tier::ALL, &self.tiers, Tier::name)),
            ("modes", by_name(Mode::ALL, &self.modes, Mode::name)),
            ("outcomes", by_name(Outcome::ALL, &self.outcomes, Outcome::name)),
        ]
    }
}

fn bump(counts: &mut [u64], place: usize) {
    if let Some(count) = counts.get_mut(place) {
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_faults_are_kept_whatever_the_order_they_came_in() {
        let place = |seq| Place { seq, file: 0, offset: 0 };
        let total = 5 * KEPT as u64;
        let (mut forward, mut pieces) = (Tally::default(), Tally::default());
        (0..total).for_each(|seq| forward.fault(CheckId::V07, place(seq), Some(seq), String::new()));
        for start in [3, 0, 4, 2, 1] {
            let mut piece = Tally::default();
            for seq in (0..total).filter(|seq| seq % 5 == start) {
                piece.fault(CheckId::V07, place(seq), Some(seq), String::new());
            }
            pieces.merge(piece);
        }
        assert_eq!(forward.found(CheckId::V07), total);
        assert_eq!(pieces.found(CheckId::V07), total);
        let kept = forward.into_faults();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept, pieces.into_faults());
    }
}
