//! Which rows build on rows that shall be taken back.
//!
//! A row depends on an earlier one when it is in force and writes a key that the earlier one wrote, unless both only
//! add to it. A rollback row that took back a row behind the earlier one has put back what was there, so it does not
//! count.

use crate::history::{History, scan_keys};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{Change, Op};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// A row that builds on one that shall be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependant {
    /// The row that shall be taken back.
    pub on: u64,
    /// The row that builds on it.
    pub row: u64,
    /// The key they share.
    pub key: String,
}

/// For each key that ops touch, whether they only add to it.
pub(crate) type Touched = BTreeMap<String, bool>;

/// The keys that ops touch.
pub(crate) fn touched(ops: &[Op<'_>]) -> Touched {
    let mut keys = BTreeMap::new();
    for op in ops {
        let adds = matches!(op.change, Change::Add(_));
        keys.entry(op.state_key().into_owned()).and_modify(|only| *only &= adds).or_insert(adds);
    }
    keys
}

/// The rows in force that build on one of these and are not among them. `targets` says what each of them touches,
/// ascending. Every later row is looked at once, however many keys and rows there are.
pub(crate) fn dependants_of<H: History>(
    history: &H,
    governance: &Governance,
    targets: &BTreeMap<u64, Touched>,
) -> Result<Vec<Dependant>, H::Error> {
    let Some((first, _)) = targets.first_key_value() else { return Ok(Vec::new()) };
    let mut writers: BTreeMap<&str, Vec<(u64, bool)>> = BTreeMap::new();
    for (target, keys) in targets {
        keys.iter().for_each(|(key, adds)| writers.entry(key).or_default().push((*target, *adds)));
    }
    let keys: BTreeSet<&str> = writers.keys().copied().collect();
    let mut found = Vec::new();
    scan_keys(history, &keys, first + 1..history.size(), |row| {
        let seq = row.landing.seq;
        let counts = row.landing.outcome == Outcome::Applied
            && !targets.contains_key(&seq)
            && governance.undone_by(seq).is_none();
        if counts {
            building(row, &writers, governance.target_of(seq), &mut found);
        }
        ControlFlow::Continue(())
    })?;
    found.sort_by(|a, b| (a.row, a.on, &a.key).cmp(&(b.row, b.on, &b.key)));
    Ok(found)
}

/// What one row builds on. `took_back` is the row that it took back.
fn building(
    row: &Row<'_>,
    writers: &BTreeMap<&str, Vec<(u64, bool)>>,
    took_back: Option<u64>,
    found: &mut Vec<Dependant>,
) {
    let seq = row.landing.seq;
    for (key, adds) in touched(&row.ops(PartTag::Ops).ok().flatten().unwrap_or_default()) {
        let before = writers.get(key.as_str()).map_or(&[][..], Vec::as_slice);
        let end = before.partition_point(|(on, _)| *on < seq);
        let start = before.partition_point(|(on, _)| took_back.is_some_and(|target| target > *on));
        let open = before.get(start..end).unwrap_or_default().iter();
        let built = open.filter(|(_, only_adds)| !(*only_adds && adds));
        found.extend(built.map(|(on, _)| Dependant { on: *on, row: seq, key: key.clone() }));
    }
}
