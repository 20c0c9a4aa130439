//! Submissions: what authors sign, encoded, and read back as any reader would read it.
//!
//! Reading takes longer than deciding does, and needs nothing of the ledger. So it is done by the author, before the
//! signature; when a submission's turn comes, what it says is at hand.

use crate::lookup::{KeyHashes, hashes};
use counterfoil_format::Hash;
use counterfoil_format::body::Body;
use counterfoil_format::codec::{CodecError, Cursor, put_bytes};
use counterfoil_format::content::{Actors, Attestation, Effect, Evidence, Judge, Subject};
use counterfoil_format::intent::{IntentHead, Kind};
use counterfoil_format::key::PublicKey;
use counterfoil_format::limits;
use counterfoil_format::ops::decode_ops;
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::slot_commitment;
use counterfoil_format::submission::SignedSubmission;
use counterfoil_format::verdict::{verdict_message, write_claim};
use counterfoil_rules::keyring::{KeyError, Keyring};
use counterfoil_rules::land::{Proposal, Refusal};
use self_cell::self_cell;
use std::ops::Range;

/// Up to 4096 intents under one signature.
#[derive(Debug)]
pub struct Submission {
    pub(crate) said: Said,
    pub(crate) author: PublicKey,
    pub(crate) ledger_id: Hash,
    pub(crate) signed: SignedSubmission,
    /// Whether the judges' signatures in it are known to hold.
    pub(crate) verdicts_hold: bool,
}

self_cell!(
    /// Encoded intents, with what they say.
    pub(crate) struct Said {
        owner: Encoded,
        #[covariant]
        dependent: Intents,
    }

    impl {Debug}
);

type Intents<'s> = Vec<Intent<'s>>;

/// Encoded intents: the heads, and the slots of their parts as rows store them.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub bytes: Vec<u8>,
    pub places: Vec<Place>,
}

/// Where an encoded intent lies.
#[derive(Debug)]
pub(crate) struct Place {
    pub head: Range<usize>,
    pub slots: Range<usize>,
    pub hash: Hash,
}

/// What an intent says, as far as landing it looks into it.
#[derive(Debug)]
pub(crate) struct Intent<'s> {
    pub proposal: Proposal<'s>,
    /// The hashes by which its row is looked up.
    pub keys: KeyHashes,
    pub hash: Hash,
    head: &'s [u8],
    slots: &'s [u8],
}

impl Submission {
    /// How many intents.
    pub fn len(&self) -> usize {
        self.intents().len()
    }

    /// Never: a submission has at least one intent.
    pub fn is_empty(&self) -> bool {
        self.intents().is_empty()
    }

    /// Bytes of all heads and slots.
    pub fn bytes(&self) -> usize {
        self.said.borrow_owner().bytes.len()
    }

    /// The author's key.
    pub fn author(&self) -> &PublicKey {
        &self.author
    }

    /// The ledger it is for.
    pub fn ledger_id(&self) -> Hash {
        self.ledger_id
    }

    /// Checks the judges' signatures in it, as far as their keys are among these. A key never changes its bytes, so what
    /// holds now holds when the rows land.
    pub(crate) fn check_verdicts(&mut self, keys: &Keyring) {
        self.verdicts_hold = self.intents().iter().all(|intent| {
            let key = intent.attestation().map(|attestation| keys.get(&attestation.key));
            key.is_none_or(|key| {
                key.is_some_and(|enrolled| intent.check_verdict(&self.ledger_id, &enrolled.key).is_ok())
            })
        });
    }

    pub(crate) fn intents(&self) -> &[Intent<'_>] {
        self.said.borrow_dependent()
    }
}

impl Said {
    /// Reads encoded intents; an error comes with the number of the intent.
    pub fn read(encoded: Encoded) -> Result<Self, (usize, CodecError)> {
        Self::try_new(encoded, |encoded| {
            let read = |(index, place)| Intent::read(encoded, place).map_err(|error| (index, error));
            encoded.places.iter().enumerate().map(read).collect()
        })
    }
}

impl<'s> Intent<'s> {
    fn read(encoded: &'s Encoded, place: &Place) -> Result<Self, CodecError> {
        let part = |range: &Range<usize>| encoded.bytes.get(range.clone()).unwrap_or_default();
        let (head_bytes, slots) = (part(&place.head), part(&place.slots));
        let head = IntentHead::decode(head_bytes)?;
        let contents = contents(head.parts, slots)?;
        let content = |tag: PartTag| contents.get(tag as usize).copied().flatten();
        let ops = content(PartTag::Ops).map(decode_ops).transpose()?.unwrap_or_default();
        let effects = content(PartTag::Effects).map(Effect::decode_all).transpose()?.unwrap_or_default();
        let body = content(PartTag::Body).map(|bytes| Body::decode(head.kind, bytes)).transpose()?;
        let evidence = content(PartTag::Evidence).map(Evidence::decode_all).transpose()?.unwrap_or_default();
        let actors = content(PartTag::Actors).map(Actors::decode).transpose()?;
        let entity =
            content(PartTag::Subject).map(Subject::decode).transpose()?.map(|subject| subject.entity);
        Ok(Intent {
            keys: hashes(&ops, &evidence, body.as_ref()),
            proposal: Proposal { head, entity, actors, evidence, ops, effects, body },
            hash: place.hash,
            head: head_bytes,
            slots,
        })
    }

    /// Bytes of its head and its slots.
    pub fn bytes(&self) -> usize {
        self.head.len() + self.slots.len()
    }

    /// The commitments of its parts, in tag order.
    pub fn commitments(&self) -> Result<Vec<Hash>, CodecError> {
        let (mut cursor, mut scratch) = (Cursor::new(self.slots), Vec::new());
        let present = PartTag::AUTHORED.into_iter().filter(|tag| self.proposal.head.parts & tag.bit() != 0);
        present
            .map(|tag| {
                let slot = Slot::read(&mut cursor, "a part", limits::PART_BYTES)?;
                slot_commitment(tag, slot, &mut scratch)
            })
            .collect()
    }

    /// The judge's signature that is to be checked when it lands.
    pub fn attestation(&self) -> Option<&Attestation> {
        self.judge().and_then(|judge| judge.attestation.as_ref())
    }

    fn judge(&self) -> Option<&Judge<'s>> {
        let actors = self.proposal.actors.as_ref().filter(|_| self.proposal.head.kind == Kind::Decision);
        actors.and_then(|actors| actors.judge.as_ref())
    }

    /// Whether the judge's signature holds under this key.
    pub fn check_verdict(&self, ledger_id: &Hash, key: &PublicKey) -> Result<(), Refusal> {
        let Some((judge, attestation)) =
            self.judge().and_then(|judge| Some((judge, judge.attestation.as_ref()?)))
        else {
            return Ok(());
        };
        let mut claim = Vec::new();
        let holds = self.commitments().is_ok_and(|commitments| {
            write_claim(&self.proposal.head, judge.score, &commitments, &mut claim);
            key.verify(&verdict_message(ledger_id, &claim), &attestation.signature)
        });
        if holds { Ok(()) } else { Err(KeyError::FalseVerdict(judge.by.to_owned()).into()) }
    }

    /// Appends the record of the row as which it has landed.
    pub fn write_row(&self, landing: &[u8], rollback: Option<Slot<'_>>, row_hash: &Hash, out: &mut Vec<u8>) {
        put_bytes(landing, out);
        put_bytes(self.head, out);
        out.extend_from_slice(self.slots);
        rollback.iter().for_each(|slot| slot.write(out));
        out.extend_from_slice(&row_hash.0);
    }
}

/// The content of each part that an author signs, by its tag.
fn contents(parts: u8, slots: &[u8]) -> Result<[Option<&[u8]>; 7], CodecError> {
    let mut cursor = Cursor::new(slots);
    let mut found = [None; 7];
    for (content, tag) in found.iter_mut().zip(PartTag::AUTHORED) {
        if parts & tag.bit() != 0 {
            *content = Slot::read(&mut cursor, "a part", limits::PART_BYTES)?.bytes();
        }
    }
    cursor.finish()?;
    Ok(found)
}
