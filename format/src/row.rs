//! Rows as they are stored, and their hashes.
//!
//! # Format
//!
//! | field | bytes |
//! | --- | --- |
//! | landing | varint length, landing |
//! | head | varint length, intent head |
//! | parts | a slot for each bit of the head's `parts`, in tag order; then the rollback's, when the landing has one |
//! | row_hash | 32 |
//!
//! The row hash is stored so that a row can be read, and a change to it be found, without reading its neighbours.

use crate::codec::{CodecError, Cursor, put_bytes, within};
use crate::hash::Hash;
use crate::intent::{IntentHead, intent_hash};
use crate::landing::{Landing, row_hash};
use crate::limits;
use crate::ops::{Op, decode_ops, skeleton_of};
use crate::part::{PartTag, Slot};

/// A stored row, taken apart but not copied.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The landing.
    pub landing: Landing,
    /// The landing's bytes, which the row hash covers.
    pub landing_bytes: &'a [u8],
    /// The intent's head.
    pub head: IntentHead<'a>,
    /// The head's bytes, which the intent hash covers.
    pub head_bytes: &'a [u8],
    /// The row's hash as it is stored.
    pub row_hash: Hash,
    slots: [Option<Slot<'a>>; 8],
}

/// The hashes of a row, computed from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowHashes {
    /// The hash of the intent.
    pub intent: Hash,
    /// The commitment of the rollback part, when there is one.
    pub rollback: Option<Hash>,
}

impl<'a> Row<'a> {
    /// Takes a row record apart. Everything but the content of the parts is checked here;
    /// [`crate::content::check_parts`] checks that.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CodecError> {
        within("a row", bytes.len(), limits::ROW_BYTES)?;
        let mut cursor = Cursor::new(bytes);
        let landing_bytes = cursor.bytes("a landing", limits::ROW_BYTES)?;
        let head_bytes = cursor.bytes("an intent head", limits::ROW_BYTES)?;
        let landing = Landing::decode(landing_bytes)?;
        let head = IntentHead::decode(head_bytes)?;
        let mut slots = [None; 8];
        for (slot, tag) in slots.iter_mut().zip(PartTag::AUTHORED) {
            if head.parts & tag.bit() != 0 {
                *slot = Some(Slot::read(&mut cursor, "a part", limits::PART_BYTES)?);
            }
        }
        if let [.., rollback] = &mut slots
            && landing.rollback.is_some()
        {
            *rollback = Some(Slot::read(&mut cursor, "a part", limits::PART_BYTES)?);
        }
        let row_hash = Hash(cursor.array()?);
        cursor.finish()?;
        Ok(Row { landing, landing_bytes, head, head_bytes, row_hash, slots })
    }

    /// A part, open or closed, when the row has it.
    pub fn part(&self, tag: PartTag) -> Option<Slot<'a>> {
        self.slots.get(tag as usize).copied().flatten()
    }

    /// The content of a part that is there and open.
    pub fn content(&self, tag: PartTag) -> Option<&'a [u8]> {
        self.part(tag)?.bytes()
    }

    /// The operations of `ops` or `rollback`; `None` when the row has no such part or it is closed.
    pub fn ops(&self, tag: PartTag) -> Result<Option<Vec<Op<'a>>>, CodecError> {
        self.content(tag).map(decode_ops).transpose()
    }

    /// The commitment of a part the row has. `scratch` is overwritten.
    pub fn commitment(&self, tag: PartTag, scratch: &mut Vec<u8>) -> Result<Option<Hash>, CodecError> {
        self.part(tag).map(|slot| slot_commitment(tag, slot, scratch)).transpose()
    }

    /// Computes the row's hashes from its bytes. `scratch` is overwritten.
    pub fn hashes(&self, scratch: &mut Vec<u8>) -> Result<RowHashes, CodecError> {
        let mut commitments = [Hash::ZERO; 7];
        let mut count = 0;
        for tag in PartTag::AUTHORED {
            if let (Some(commitment), Some(place)) =
                (self.commitment(tag, scratch)?, commitments.get_mut(count))
            {
                *place = commitment;
                count += 1;
            }
        }
        let commitments = commitments.get(..count).unwrap_or_default();
        let rollback = self.commitment(PartTag::Rollback, scratch)?;
        Ok(RowHashes { intent: intent_hash(self.head_bytes, commitments), rollback })
    }

    /// The row hash that follows from the row before and from this row's bytes.
    pub fn chained(&self, previous: &Hash, intent: &Hash) -> Hash {
        row_hash(previous, self.landing_bytes, intent)
    }
}

/// The commitment of a part as it stands in a row. `scratch` is overwritten.
pub fn slot_commitment(tag: PartTag, slot: Slot<'_>, scratch: &mut Vec<u8>) -> Result<Hash, CodecError> {
    Ok(match slot {
        Slot::Closed(commitment) => commitment,
        Slot::Open { salt, bytes } if matches!(tag, PartTag::Ops | PartTag::Rollback) => {
            scratch.clear();
            skeleton_of(bytes, scratch)?;
            tag.commit(&salt, scratch)
        }
        Slot::Open { salt, bytes } => tag.commit(&salt, bytes),
    })
}

/// Appends a row record. `slots` are those of the parts that the head names, in tag order, then the rollback's.
pub fn write_row<'a>(
    landing: &[u8],
    head: &[u8],
    slots: impl Iterator<Item = Slot<'a>>,
    row_hash: &Hash,
    out: &mut Vec<u8>,
) {
    put_bytes(landing, out);
    put_bytes(head, out);
    slots.for_each(|slot| slot.write(out));
    out.extend_from_slice(&row_hash.0);
}
