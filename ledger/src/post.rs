//! Posts: signed submissions as files, which other processes leave for the writer ([`crate::inbox`]).
//!
//! # Format
//!
//! All numbers are little-endian.
//!
//! | field | bytes |
//! | --- | --- |
//! | magic, version, crc | 8 `cfoilpst`, u32 1, u32 CRC-32C of all that follows |
//! | ledger_id | 32, the ledger that it was signed for |
//! | author | 32, the author's public key |
//! | submission | 100: count, root and signature, as they stand in a group |
//! | intents | `count` times: varint length and head, then a slot for each bit of the head's `parts`, in tag order |
//!
//! Heads and slots are the bytes that the rows will hold. A post has at most [`Submission::POST_BYTES`] bytes, nothing
//! stands behind its last intent, and the bytes of each submission are the only ones that are read as it.
//!
//! The checksum finds a file that was cut short. Nothing else in a post is believed for it: whoever can write files
//! can write any checksum. All parts are read as a verifier will read them, the hashes and the root are computed from
//! them, and the signature must hold over the result.

use crate::error::SubmitError;
use crate::submission::{Encoded, Place, Said, Submission};
use counterfoil_format::Hash;
use counterfoil_format::codec::{CodecError, Cursor, listed, put_bytes, within};
use counterfoil_format::content::check_contents;
use counterfoil_format::intent::{IntentHead, KeyId, intent_hash};
use counterfoil_format::key::{EnrolError, PublicKey, SignatureBytes};
use counterfoil_format::limits;
use counterfoil_format::ops::skeleton_of;
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::submission::{SignedSubmission, submission_root};
use counterfoil_rules::keyring::Keyring;

const MAGIC: &[u8; 8] = b"cfoilpst";
const VERSION: u32 = 1;
/// Bytes before the first intent.
const HEADER_BYTES: usize = 8 + 4 + 4 + 32 + 32 + SignedSubmission::BYTES;

/// Why a file is no post.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostFault {
    /// The magic bytes are others.
    #[error("no post begins here")]
    Magic,
    /// A version that this build does not know.
    #[error("version {0} of a post is not known here; a newer build may read it")]
    Version(u32),
    /// The checksum does not match.
    #[error("the checksum of the post does not match")]
    Checksum,
    /// It is cut short, too large, or holds too many intents, or bytes behind them.
    #[error("the post: {0}")]
    Format(#[from] CodecError),
    /// An intent is none.
    #[error("intent {index} of the post: {error}")]
    Intent {
        /// Which one, from 0.
        index: usize,
        /// Why.
        error: CodecError,
    },
    /// The author's key is none that could be enrolled.
    #[error("the author's key: {0}")]
    Author(EnrolError),
    /// The root is not that of the intents.
    #[error("the root is not that of the intents")]
    Root,
    /// The signature does not hold.
    #[error("the signature of key {0} does not hold")]
    Signature(KeyId),
}

impl Submission {
    /// Bytes of a post, at most: so many that any row which could land fits.
    pub const POST_BYTES: usize = HEADER_BYTES + limits::ROW_BYTES;

    /// The bytes by which a submission is left to the writer. A submission may be too large for it; then it must be
    /// submitted to an open ledger, or be made of fewer intents.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        let Encoded { bytes, places } = self.said.borrow_owner();
        within("a post", HEADER_BYTES + bytes.len(), Self::POST_BYTES)?;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.ledger_id.0);
        out.extend_from_slice(self.author.as_bytes());
        self.signed.write(&mut out);
        for place in places {
            put_bytes(bytes.get(place.head.clone()).unwrap_or_default(), &mut out);
            out.extend_from_slice(bytes.get(place.slots.clone()).unwrap_or_default());
        }
        within("a post", out.len(), Self::POST_BYTES)?;
        let crc = crc32c::crc32c(out.get(16..).unwrap_or_default());
        out.get_mut(12..16).into_iter().for_each(|place| place.copy_from_slice(&crc.to_le_bytes()));
        Ok(out)
    }

    /// Reads a submission that somebody has left, and checks all that can be checked without the ledger. Whether its
    /// author may write, and whether it is for this ledger, is asked when it is decided.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PostFault> {
        within("a post", bytes.len(), Self::POST_BYTES)?;
        let mut cursor = Cursor::new(bytes);
        if cursor.array()? != *MAGIC {
            return Err(PostFault::Magic);
        }
        let (version, crc) = (cursor.u32()?, cursor.u32()?);
        if version != VERSION {
            return Err(PostFault::Version(version));
        }
        if crc32c::crc32c(cursor.rest()) != crc {
            return Err(PostFault::Checksum);
        }
        let ledger_id = Hash(cursor.array()?);
        let author = PublicKey::enrol(&cursor.array()?).map_err(PostFault::Author)?;
        let signed = SignedSubmission {
            count: cursor.u32()?,
            root: Hash(cursor.array()?),
            signature: SignatureBytes(cursor.array()?),
        };
        let said = read_intents(cursor, signed.count as usize, author.id())?;
        if submission_root(said.borrow_dependent().iter().map(|intent| &intent.hash)) != signed.root {
            return Err(PostFault::Root);
        }
        if !author.verify(&signed.message(&ledger_id), &signed.signature) {
            return Err(PostFault::Signature(author.id()));
        }
        Ok(Submission { said, author, ledger_id, signed, verdicts_hold: false })
    }

    /// Whether the key that has signed is the very one that the ledger knows by its id, when it knows one. An id is the
    /// beginning of a hash, so keys could be made until two have the same.
    pub(crate) fn check_signer(&self, keys: &Keyring) -> Result<(), SubmitError> {
        let named = self.intents().first().map(|intent| intent.proposal.head.author);
        match named.and_then(|id| keys.get(&id).map(|enrolled| (id, enrolled))) {
            Some((id, enrolled)) if enrolled.key != self.author => Err(SubmitError::OtherKey(id)),
            _ => Ok(()),
        }
    }
}

fn read_intents(mut cursor: Cursor<'_>, count: usize, author: KeyId) -> Result<Said, PostFault> {
    listed("a submission", count, limits::SUBMISSION_ROWS)?;
    let mut encoded = Encoded::default();
    let mut scratch = Vec::new();
    for index in 0..count {
        read_intent(&mut cursor, author, &mut encoded, &mut scratch)
            .map_err(|error| PostFault::Intent { index, error })?;
    }
    cursor.finish()?;
    Said::read(encoded).map_err(|(index, error)| PostFault::Intent { index, error })
}

/// Reads an intent as the builder of submissions would have made it.
fn read_intent(
    cursor: &mut Cursor<'_>,
    author: KeyId,
    encoded: &mut Encoded,
    scratch: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let head_bytes = cursor.bytes("an intent head", limits::ROW_BYTES)?;
    let head = IntentHead::decode(head_bytes)?;
    if head.author != author {
        return Err(CodecError::Inconsistent("it names another author than the key that signs"));
    }
    let slots = cursor.rest();
    let mut open = [None; 7];
    for (place, tag) in open.iter_mut().zip(PartTag::AUTHORED) {
        if head.parts & tag.bit() == 0 {
            continue;
        }
        *place = match Slot::read(cursor, "a part", limits::PART_BYTES)? {
            Slot::Open { salt, bytes } => Some((tag, salt, bytes)),
            Slot::Closed(_) => {
                return Err(CodecError::Inconsistent("a part is withheld, so nobody can decide"));
            }
        };
    }
    let content = |tag: PartTag| open.get(tag as usize).copied().flatten().map(|(_, _, bytes)| bytes);
    check_contents(head.kind, head.parts, content)?;
    let (mut commitments, mut parts) = ([Hash::ZERO; 7], 0);
    for (place, (tag, salt, bytes)) in commitments.iter_mut().zip(open.iter().flatten()) {
        scratch.clear();
        if *tag == PartTag::Ops {
            skeleton_of(bytes, scratch)?;
        }
        *place = tag.commit(salt, if *tag == PartTag::Ops { scratch } else { bytes });
        parts += 1;
    }
    let slots = slots.get(..slots.len() - cursor.rest().len()).unwrap_or_default();
    within("a row", slots.len() + head_bytes.len(), limits::ROW_BYTES)?;
    let hash = intent_hash(head_bytes, commitments.get(..parts).unwrap_or_default());
    let out = &mut encoded.bytes;
    let start = out.len();
    out.extend_from_slice(slots);
    let head_start = out.len();
    out.extend_from_slice(head_bytes);
    encoded.places.push(Place { head: head_start..out.len(), slots: start..head_start, hash });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Ledger, SecretKey, Signer, SubmissionBuilder};
    use counterfoil_format::body::Body;
    use counterfoil_format::intent::IntentId;
    use counterfoil_format::policy::PolicyBody;
    use std::sync::Arc;

    /// Two keys with one id are not to be had, so the submission is made to say that another key has signed it.
    #[test]
    fn the_signer_is_the_very_key_that_is_enrolled() {
        let key = |seed| SecretKey::from_seed(&[seed; 32]).unwrap();
        let (owner, seal_key, other) = (key(1), Arc::new(key(2)), key(3));
        let dir = tempfile::tempdir().unwrap();
        let policy = PolicyBody::open(1 << 20);
        let path = dir.path().join("shop");
        let ledger = Ledger::create(&path, "example.com/shop", policy.clone(), &owner, seal_key).unwrap();
        let sign = |number| {
            let mut builder = SubmissionBuilder::new(&owner).unwrap();
            builder.push(&Draft::with_body(IntentId([number; 16]), Body::Policy(policy.clone()), 0)).unwrap();
            builder.sign(ledger.ledger_id()).unwrap()
        };
        assert!(ledger.submit(sign(1)).is_ok());
        let forged = Submission { author: other.public().clone(), ..sign(2) };
        let refused = ledger.submit(forged).unwrap_err();
        assert!(matches!(refused, SubmitError::OtherKey(id) if id == owner.public().id()), "{refused}");
    }
}
