//! Pieces: parts on their way into a row, with their commitments.

use crate::draft::{ChangeDraft, Draft, ops_content};
use crate::rng::Rng;
use counterfoil_format::Hash;
use counterfoil_format::ops::{Change, decode_ops, encode_ops, skeleton_of};
use counterfoil_format::part::{PartTag, Salt, Slot};
use counterfoil_rules::apply::Applied;

/// A part on its way into a row.
pub(crate) struct Piece {
    pub(crate) tag: PartTag,
    pub(crate) salt: Salt,
    pub(crate) content: Vec<u8>,
    pub(crate) commitment: Hash,
}

impl Piece {
    pub(crate) fn new(tag: PartTag, salt: Salt, content: Vec<u8>) -> Self {
        let mut skeleton = Vec::new();
        let has_values = matches!(tag, PartTag::Ops | PartTag::Rollback);
        let commitment = match has_values && skeleton_of(&content, &mut skeleton).is_ok() {
            true => tag.commit(&salt, &skeleton),
            false => tag.commit(&salt, &content),
        };
        Piece { tag, salt, content, commitment }
    }

    pub(crate) fn slot(&self, closed: u8) -> Slot<'_> {
        match closed & self.tag.bit() {
            0 => Slot::Open { salt: self.salt, bytes: &self.content },
            _ => Slot::Closed(self.commitment),
        }
    }

    /// Closes the values; the commitment stays, since it covers the skeleton.
    pub(crate) fn close_values(&mut self) {
        let mut closed = Vec::new();
        let mut ops = decode_ops(&self.content).unwrap();
        for op in &mut ops {
            if let Change::Put(slot) = &mut op.change {
                *slot = Slot::Closed(slot.value_commitment());
            }
        }
        encode_ops(&ops, &mut closed);
        self.content = closed;
    }
}

/// The content of the rollback part that takes the operations back.
pub(crate) fn inverse_content(applied: &Applied<'_>) -> Vec<u8> {
    let mut content = Vec::new();
    encode_ops(&applied.inverse(), &mut content);
    content
}

/// The authored parts of a draft, in tag order.
pub(crate) fn pieces(rng: &mut Rng, draft: &mut Draft) -> Vec<Piece> {
    if !draft.ops.is_empty() {
        for op in &mut draft.ops {
            if let ChangeDraft::Put(salt, _) = &mut op.change {
                salt.get_or_insert_with(|| rng.bytes());
            }
        }
        draft.contents[PartTag::Ops as usize] = Some(ops_content(&draft.ops));
    }
    let given = PartTag::AUTHORED.into_iter().zip(&mut draft.contents);
    let salts = draft.salts;
    given
        .filter_map(|(tag, content)| {
            let salt = rng.bytes();
            Some(Piece::new(tag, salts[tag as usize].unwrap_or(salt), content.take()?))
        })
        .collect()
}
