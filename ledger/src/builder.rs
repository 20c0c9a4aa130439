//! The builder of submissions: what an author does before the ledger is asked. None of it takes a lock.

use crate::draft::{Content, Draft, DraftError, random_salt};
use crate::secret::Signer;
use crate::submission::{Encoded, Place, Said, Submission};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, ReviewVerdict};
use counterfoil_format::codec::{CodecError, encode, encode_into, within};
use counterfoil_format::content::{Actors, Attestation, Judge, check_shape};
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, intent_hash};
use counterfoil_format::key::SignatureBytes;
use counterfoil_format::limits;
use counterfoil_format::part::{PartTag, Salt, Slot};
use counterfoil_format::row::{Row, slot_commitment};
use counterfoil_format::submission::{SignedSubmission, submission_message, submission_root};
use counterfoil_format::verdict::{verdict_message, write_claim};
use counterfoil_rules::cited::APPROVED;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use smallvec::SmallVec;

/// Salts, encodes, hashes and signs up to 4096 drafts at once.
pub struct SubmissionBuilder<'k> {
    signer: &'k dyn Signer,
    random: StdRng,
    encoded: Encoded,
    content: Content,
}

impl<'k> SubmissionBuilder<'k> {
    /// A builder for an author, salting from the operating system's randomness.
    pub fn new(signer: &'k dyn Signer) -> Result<Self, DraftError> {
        Ok(Self::with_random(signer, random()?))
    }

    /// A builder that salts from the generator given, which must not be guessable.
    pub fn with_random(signer: &'k dyn Signer, random: StdRng) -> Self {
        SubmissionBuilder { signer, random, encoded: Encoded::default(), content: Content::default() }
    }

    /// How many drafts are in.
    pub fn len(&self) -> usize {
        self.encoded.places.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.encoded.places.is_empty()
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.encoded.bytes.len()
    }

    /// Takes a draft in. On an error the builder is as it was before.
    pub fn push(&mut self, draft: &Draft<'_>) -> Result<(), DraftError> {
        let (index, before) = (self.len(), self.bytes());
        self.encode(draft, |_| None, |_, _| None).map_err(|error| {
            self.encoded.bytes.truncate(before);
            DraftError::Format { index, error }
        })
    }

    /// Takes a draft in that names a judge, who signs its verdict: the score over what is proposed, for the ledger with
    /// this id. On an error the builder is as it was before.
    pub fn push_judged(
        &mut self,
        draft: &Draft<'_>,
        judge: &dyn Signer,
        ledger_id: Hash,
    ) -> Result<(), DraftError> {
        let index = self.len();
        let Some((actors, said)) = draft.actors.and_then(|actors| Some((actors, actors.judge?))) else {
            return Err(DraftError::NoJudge { index });
        };
        let key = judge.public().id();
        let signed = |signature| {
            let attestation = Some(Attestation { key, signature });
            Actors { judge: Some(Judge { attestation, ..said }), ..actors }
        };
        // What is signed depends on the salts of the other parts, so the signature takes its place when they are drawn.
        let draft = Draft { actors: Some(signed(SignatureBytes([0; 64]))), ..draft.clone() };
        let (before, mut holds) = (self.bytes(), true);
        let attest = |head: &IntentHead<'_>, commitments: &[Hash]| {
            let mut claim = Vec::new();
            write_claim(head, said.score, commitments, &mut claim);
            let message = verdict_message(&ledger_id, &claim);
            let signature = judge.sign(&message);
            holds = judge.public().verify(&message, &signature);
            Some(signed(signature))
        };
        let encoded =
            self.encode(&draft, |_| None, attest).map_err(|error| DraftError::Format { index, error });
        let signed = if holds { Ok(()) } else { Err(DraftError::BadSignature(key)) };
        let encoded = encoded.and(signed);
        if encoded.is_err() {
            self.encoded.bytes.truncate(before);
            self.encoded.places.truncate(index);
        }
        encoded
    }

    /// Takes a review in: a draft with the body of one, which gets what it shares with the row that it is about. That is
    /// the action, and in an approval also tier, mode and parts, salts and all. On an error the builder is as it was
    /// before.
    pub fn push_review(&mut self, draft: &Draft<'_>, about: &Row<'_>) -> Result<(), DraftError> {
        let head = &about.head;
        let approves =
            matches!(&draft.body, Some(Body::Review(review)) if review.verdict == ReviewVerdict::Approve);
        let mut draft = Draft { action: head.action, ..draft.clone() };
        if approves {
            (draft.tier, draft.mode) = (head.tier, head.mode);
        }
        let (index, before) = (self.len(), self.bytes());
        let copied = |tag| about.part(tag).filter(|_| approves && APPROVED.contains(&tag));
        if APPROVED.into_iter().any(|tag| matches!(copied(tag), Some(Slot::Closed(_)))) {
            let error = CodecError::Inconsistent("a part of the row that it approves is withheld or erased");
            return Err(DraftError::Format { index, error });
        }
        self.encode(&draft, copied, |_, _| None).map_err(|error| {
            self.encoded.bytes.truncate(before);
            DraftError::Format { index, error }
        })
    }

    /// Encodes a draft. `copied` gives the parts that are taken over from a row; `attest` sees the head and the
    /// commitments, and may give the actors anew, in as many bytes.
    fn encode<'d>(
        &mut self,
        draft: &Draft<'d>,
        copied: impl Fn(PartTag) -> Option<Slot<'d>>,
        attest: impl FnOnce(&IntentHead<'_>, &[Hash]) -> Option<Actors<'d>>,
    ) -> Result<(), CodecError> {
        within("a submission", self.len() + 1, limits::SUBMISSION_ROWS)?;
        let slots_start = self.bytes();
        let mut slots = self.write_slots(draft, copied)?;
        let bytes = &mut self.encoded.bytes;
        let head_start = bytes.len();
        let (author, parts) = (self.signer.public().id(), slots.parts);
        let Draft { id, kind, action, tier, mode, authored_at, .. } = *draft;
        let head =
            IntentHead { version: INTENT_VERSION, id, kind, author, action, tier, mode, authored_at, parts };
        head.check()?;
        check_shape(kind, parts)?;
        if let Some(actors) = attest(&head, &slots.commitments) {
            slots.replace_actors(&actors, bytes)?;
        }
        encode_into(&head, bytes)?;
        within("a row", bytes.len() - slots_start, limits::ROW_BYTES)?;
        let head_bytes = bytes.get(head_start..).unwrap_or_default();
        let hash = intent_hash(head_bytes, &slots.commitments);
        self.encoded.places.push(Place {
            head: head_start..bytes.len(),
            slots: slots_start..head_start,
            hash,
        });
        Ok(())
    }

    /// Writes the slots of a draft's parts.
    fn write_slots<'d>(
        &mut self,
        draft: &Draft<'d>,
        copied: impl Fn(PartTag) -> Option<Slot<'d>>,
    ) -> Result<Slots, CodecError> {
        let mut slots = Slots::default();
        let bytes = &mut self.encoded.bytes;
        for tag in PartTag::AUTHORED {
            let at = bytes.len();
            if let Some(slot) = copied(tag) {
                slots.commitments.push(slot_commitment(tag, slot, &mut Vec::new())?);
                slot.write(bytes);
            } else if self.content.fill(draft, tag, &mut self.random)? {
                let salt = random_salt(&mut self.random);
                if tag == PartTag::Actors {
                    slots.actors = Some((at, salt, slots.commitments.len()));
                }
                slots.commitments.push(tag.commit(&salt, self.content.covered(tag)));
                Slot::Open { salt, bytes: self.content.bytes() }.write(bytes);
            } else {
                continue;
            }
            slots.parts |= tag.bit();
        }
        Ok(slots)
    }

    /// The hash of the only draft taken in, which for a genesis is the ledger id.
    pub(crate) fn only_hash(&self) -> Option<Hash> {
        match self.encoded.places.as_slice() {
            [place] => Some(place.hash),
            _ => None,
        }
    }

    /// Signs what was taken in for the ledger with this id. The builder is empty again and goes on salting.
    pub fn sign(&mut self, ledger_id: Hash) -> Result<Submission, DraftError> {
        let room = (Vec::with_capacity(self.bytes()), Vec::with_capacity(self.len()));
        let encoded = std::mem::replace(&mut self.encoded, Encoded { bytes: room.0, places: room.1 });
        let count = match u32::try_from(encoded.places.len()) {
            Ok(count) if count > 0 => count,
            _ => return Err(DraftError::Empty),
        };
        let said = Said::read(encoded).map_err(|(index, error)| DraftError::Format { index, error })?;
        let root = submission_root(said.borrow_dependent().iter().map(|intent| &intent.hash));
        let message = submission_message(&ledger_id, count, &root);
        let signature = self.signer.sign(&message);
        let author = self.signer.public().clone();
        if !author.verify(&message, &signature) {
            return Err(DraftError::BadSignature(author.id()));
        }
        let signed = SignedSubmission { count, root, signature };
        Ok(Submission { said, author, ledger_id, signed, verdicts_hold: false })
    }
}

/// The slots of a draft as they were written.
#[derive(Default)]
struct Slots {
    parts: u8,
    /// In tag order.
    commitments: SmallVec<[Hash; 7]>,
    /// Where the actors' slot begins, its salt, and its place among the commitments.
    actors: Option<(usize, Salt, usize)>,
}

impl Slots {
    /// Writes the actors anew, which takes as many bytes as before.
    fn replace_actors(&mut self, actors: &Actors<'_>, bytes: &mut [u8]) -> Result<(), CodecError> {
        let Some((at, salt, place)) = self.actors else { return Ok(()) };
        let content = encode(actors)?;
        let mut slot = Vec::with_capacity(content.len() + 32);
        Slot::Open { salt, bytes: &content }.write(&mut slot);
        let old = bytes.get_mut(at..at + slot.len());
        old.into_iter().for_each(|old| old.copy_from_slice(&slot));
        let commitment = PartTag::Actors.commit(&salt, &content);
        self.commitments.get_mut(place).into_iter().for_each(|old| *old = commitment);
        Ok(())
    }
}

/// A generator seeded by the operating system.
pub(crate) fn random() -> Result<StdRng, DraftError> {
    StdRng::try_from_rng(&mut SysRng).map_err(|error| DraftError::Random(error.to_string()))
}
