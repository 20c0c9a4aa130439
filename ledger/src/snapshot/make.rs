//! Making a snapshot: the one before it, with what the rows since have changed. Memory grows with what they touch, and not
//! with the state.

use super::write::Writing;
use super::{SnapshotError, SnapshotFile};
use crate::error::{FileError, ReadError};
use crate::log::Log;
use counterfoil_format::body::Snapshot;
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::state::StateHasher;
use counterfoil_rules::apply::apply;
use counterfoil_rules::state::{Held, Leaf, State};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Why no snapshot was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The snapshot before it is damaged.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A snapshot row has pinned another state than there was.
    #[error(
        "row {row} has pinned a state that is not the one after row {at}; its snapshot is done without. Run `counterfoil verify`"
    )]
    Pinned {
        /// The snapshot row.
        row: u64,
        /// The row that it names.
        at: u64,
    },
    /// A row cannot be carried out.
    #[error("row {row} cannot be carried out again: {reason}. Run `counterfoil verify`")]
    Row {
        /// The row.
        row: u64,
        /// Why not.
        reason: String,
    },
}

/// Makes the snapshot of the state after a row.
pub(crate) fn make(log: &Log, at: u64) -> Result<Snapshot, MakeError> {
    let base = log.snapshot_within(at)?;
    match make_over(log, at, base.as_ref()) {
        Err(MakeError::Snapshot(_)) => make_over(log, at, None),
        made => made,
    }
}

fn make_over(log: &Log, at: u64, base: Option<&SnapshotFile>) -> Result<Snapshot, MakeError> {
    let first = base.map_or(0, |base| base.pinned().at + 1);
    let mut overlay = Overlay { base, changed: BTreeMap::new() };
    log.scan(first..at.saturating_add(1), |row| {
        overlay.absorb(row)?;
        Ok::<_, MakeError>(ControlFlow::Continue(()))
    })?;
    let mut writing = Writing::begin(log.layout(), at)?;
    let mut changed = overlay.changed.into_iter().peekable();
    let mut failed = Ok(());
    let mut put = |key: &str, held: Option<&Held>| {
        if let (Ok(()), Some(held)) = (&failed, held) {
            failed = writing.leaf(key, held);
        }
    };
    if let Some(base) = base {
        let mut hasher = StateHasher::default();
        base.scan("", |key, held| {
            hasher.push(key, &held.leaf.content());
            while let Some((before, held)) = changed.next_if(|(other, _)| other.as_str() < key) {
                put(&before, held.as_ref());
            }
            match changed.next_if(|(other, _)| other == key) {
                Some((key, held)) => put(&key, held.as_ref()),
                None => put(key, Some(&held)),
            }
        })?;
        base.is_digest(&hasher.finish())?;
    }
    changed.for_each(|(key, held)| put(&key, held.as_ref()));
    failed?;
    Ok(writing.finish()?)
}

/// A state: what was changed, over a snapshot.
struct Overlay<'s> {
    base: Option<&'s SnapshotFile>,
    changed: BTreeMap<String, Option<Held>>,
}

impl State for Overlay<'_> {
    type Error = SnapshotError;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, SnapshotError> {
        let held = match (self.changed.get(key), self.base) {
            (Some(held), _) => held.clone(),
            (None, Some(base)) => base.get(key)?,
            (None, None) => None,
        };
        Ok(held.map(|held| held.leaf))
    }
}

impl Overlay<'_> {
    fn absorb(&mut self, row: &Row<'_>) -> Result<(), MakeError> {
        let seq = row.landing.seq;
        if row.landing.outcome != Outcome::Applied || row.part(PartTag::Ops).is_none() {
            return Ok(());
        }
        let fault = |reason: String| MakeError::Row { row: seq, reason };
        let ops = row.ops(PartTag::Ops).map_err(|error| fault(error.to_string()))?;
        let ops = ops.ok_or_else(|| fault("its operations are withheld".to_owned()))?;
        let applied = apply(self, &ops, true)?.map_err(|reason| fault(reason.to_string()))?;
        for (key, leaf) in applied.into_changes() {
            self.changed.insert(key.into_owned(), leaf.map(|leaf| Held { leaf, row: seq }));
        }
        Ok(())
    }
}
