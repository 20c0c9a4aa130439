//! Parts: the separately committed, separately disclosable pieces of a row.
//!
//! # Format
//!
//! A part stands in a row as a slot. The slot of a value inside `ops` and `rollback` has the same layout.
//!
//! | slot | bytes |
//! | --- | --- |
//! | closed: withheld or erased | `0`, commitment (32) |
//! | open | `1`, salt (16), varint length, bytes |
//!
//! The commitment of an open part is `BLAKE3[part](salt || tag || content)`, where `tag` is the part's number as
//! one byte and `content` is its bytes; for `ops` and `rollback` it is their skeleton, in which each value slot is
//! replaced by the value's commitment. The commitment of a value is `BLAKE3[value](salt || bytes)`.

use crate::codec::{CodecError, Cursor, put_bytes};
use crate::hash::{Hash, Use};

/// Which part of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PartTag {
    /// The entity, and the lifecycle move as the author saw it.
    Subject = 0,
    /// Planner, judge with its score, executor.
    Actors = 1,
    /// The rows and documents that the decision points to.
    Evidence = 2,
    /// The changes to the state.
    Ops = 3,
    /// The actions outside the state, with their undo.
    Effects = 4,
    /// The reason, and free-form data.
    Context = 5,
    /// What a row says that is no decision.
    Body = 6,
    /// The inverse of the ops, written by the ledger at landing.
    Rollback = 7,
}

impl PartTag {
    /// The parts that an author signs, in the order they stand in a row.
    pub const AUTHORED: [PartTag; 7] = [
        PartTag::Subject,
        PartTag::Actors,
        PartTag::Evidence,
        PartTag::Ops,
        PartTag::Effects,
        PartTag::Context,
        PartTag::Body,
    ];

    /// The bit of this part in an intent's `parts`.
    pub const fn bit(self) -> u8 {
        1 << (self as u8)
    }

    /// The name used in docs, in JSON and in findings.
    pub const fn name(self) -> &'static str {
        match self {
            PartTag::Subject => "subject",
            PartTag::Actors => "actors",
            PartTag::Evidence => "evidence",
            PartTag::Ops => "ops",
            PartTag::Effects => "effects",
            PartTag::Context => "context",
            PartTag::Body => "body",
            PartTag::Rollback => "rollback",
        }
    }

    /// The commitment of this part with this content (for `ops` and `rollback`: the skeleton).
    pub fn commit(self, salt: &Salt, content: &[u8]) -> Hash {
        Use::Part.hash(&[salt, &[self as u8], content])
    }
}

/// Sixteen fresh random bytes before a part or a value, so that a commitment does not betray its content.
pub type Salt = [u8; 16];

/// The commitment of a value.
pub fn commit_value(salt: &Salt, bytes: &[u8]) -> Hash {
    Use::Value.hash(&[salt, bytes])
}

/// A part or a value as it stands in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot<'a> {
    /// Only the commitment is left: the content is withheld or erased.
    Closed(Hash),
    /// The content, with its salt.
    Open {
        /// Sixteen random bytes.
        salt: Salt,
        /// The content.
        bytes: &'a [u8],
    },
}

const CLOSED: u8 = 0;
const OPEN: u8 = 1;

impl<'a> Slot<'a> {
    /// Reads a slot whose content has at most `limit` bytes.
    pub fn read(cursor: &mut Cursor<'a>, what: &'static str, limit: usize) -> Result<Self, CodecError> {
        match cursor.byte()? {
            CLOSED => Ok(Slot::Closed(Hash(cursor.array()?))),
            OPEN => {
                let salt = cursor.array()?;
                Ok(Slot::Open { salt, bytes: cursor.bytes(what, limit)? })
            }
            _ => Err(CodecError::Malformed("a slot")),
        }
    }

    /// Appends the slot.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Slot::Closed(commitment) => {
                out.push(CLOSED);
                out.extend_from_slice(&commitment.0);
            }
            Slot::Open { salt, bytes } => {
                out.push(OPEN);
                out.extend_from_slice(salt);
                put_bytes(bytes, out);
            }
        }
    }

    /// The content, when it is there.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Slot::Closed(_) => None,
            Slot::Open { bytes, .. } => Some(bytes),
        }
    }

    /// The commitment of this slot as a value.
    pub fn value_commitment(&self) -> Hash {
        match self {
            Slot::Closed(commitment) => *commitment,
            Slot::Open { salt, bytes } => commit_value(salt, bytes),
        }
    }
}
