//! What the checks that go in row order need to know of a row, kept apart from the row's bytes.
//!
//! Skeletons and bodies are copied into an arena that the rows of a group share. In a skeleton a value is its
//! commitment, so these checks never hash a value, and work on withheld and erased values too.

use counterfoil_format::Hash;
use counterfoil_format::codec::CodecError;
use counterfoil_format::intent::{IntentId, KeyId, Kind, Mode};
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;
use std::ops::Range;

/// A part of a row.
#[derive(Debug, Clone, Default)]
pub(crate) enum Part {
    /// The row has none.
    #[default]
    Absent,
    /// It is withheld or erased.
    Closed,
    /// Its content, in the arena.
    Open(Range<usize>),
}

/// A row that could be taken apart.
#[derive(Debug, Clone)]
pub(crate) struct RowFacts {
    /// The number by its place.
    pub seq: u64,
    /// Where its record begins in the segment.
    pub offset: u64,
    pub id: IntentId,
    pub author: KeyId,
    pub kind: Kind,
    pub mode: Mode,
    pub outcome: Outcome,
    /// How many rows its submission has, as it says.
    pub count: u32,
    pub intent: Hash,
    /// The skeleton of the operations.
    pub ops: Part,
    /// The skeleton of the rollback.
    pub rollback: Part,
    /// The body, of the kinds that govern what follows.
    pub body: Part,
}

/// A row on the way through the checks that go in row order.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// It was taken apart.
    Row(RowFacts),
    /// It could not be.
    Unreadable(u64),
}

impl Seen {
    /// The row's number by its place.
    pub fn seq(&self) -> u64 {
        match self {
            Seen::Row(row) => row.seq,
            Seen::Unreadable(seq) => *seq,
        }
    }
}

impl Part {
    /// A part as a slot has it; `write` puts the content of an open one into the arena.
    pub fn store(
        slot: Option<Slot<'_>>,
        arena: &mut Vec<u8>,
        write: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<(), CodecError>,
    ) -> Result<Part, CodecError> {
        Ok(match slot {
            None => Part::Absent,
            Some(Slot::Closed(_)) => Part::Closed,
            Some(Slot::Open { bytes, .. }) => {
                let start = arena.len();
                write(bytes, arena)?;
                Part::Open(start..arena.len())
            }
        })
    }

    /// The content, when it is there.
    pub fn bytes<'a>(&self, arena: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Part::Open(range) => arena.get(range.clone()),
            _ => None,
        }
    }
}

impl RowFacts {
    /// The facts of a row but for its skeletons.
    pub fn of(
        row: &Row<'_>,
        seq: u64,
        offset: u64,
        intent: Hash,
        arena: &mut Vec<u8>,
    ) -> Result<Self, CodecError> {
        let governs = matches!(
            row.head.kind,
            Kind::Genesis | Kind::Key | Kind::Policy | Kind::KillSwitch | Kind::Rollback
        );
        let body = row.part(PartTag::Body).filter(|_| governs);
        let copy = |bytes: &[u8], arena: &mut Vec<u8>| {
            arena.extend_from_slice(bytes);
            Ok(())
        };
        Ok(RowFacts {
            seq,
            offset,
            id: row.head.id,
            author: row.head.author,
            kind: row.head.kind,
            mode: row.head.mode,
            outcome: row.landing.outcome,
            count: row.landing.count,
            intent,
            ops: Part::Absent,
            rollback: Part::Absent,
            body: Part::store(body, arena, copy)?,
        })
    }
}
