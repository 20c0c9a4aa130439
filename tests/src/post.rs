//! Posts written byte by byte, right or wrong, with hashes, signatures and checksums that hold.

use crate::draft::{Draft, Submission};
use crate::piece::pieces;
use crate::rng::Rng;
use counterfoil_format::Hash;
use counterfoil_format::codec::{encode, put_bytes};
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, IntentId, intent_hash};
use counterfoil_format::submission::{SignedSubmission, submission_message, submission_root};
use counterfoil_ledger::Signer;

/// Bytes before the ledger's id: magic, version and checksum.
const BEFORE: usize = 16;

/// A post of these drafts by a key, whoever they say is their author.
pub fn post(rng: &mut Rng, signer: &dyn Signer, ledger_id: Hash, submission: Submission) -> Vec<u8> {
    let mut intents = Vec::new();
    let mut hashes = Vec::new();
    for draft in submission.drafts {
        hashes.push(write_intent(rng, signer, draft, &mut intents));
    }
    let count = u32::try_from(hashes.len()).unwrap();
    let root = submission.root.unwrap_or_else(|| submission_root(&hashes));
    let signed_for = submission.ledger_id.unwrap_or(ledger_id);
    let signature = submission.signature.unwrap_or_else(|| {
        let message = submission_message(&signed_for, count, &root);
        signer.sign(&message)
    });
    let mut bytes = b"cfoilpst".to_vec();
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(ledger_id.0);
    bytes.extend(signer.public().as_bytes());
    SignedSubmission { count, root, signature }.write(&mut bytes);
    bytes.extend(intents);
    sum(&mut bytes);
    bytes
}

/// Puts the checksum of a post right.
pub fn sum(bytes: &mut [u8]) {
    if bytes.len() >= BEFORE {
        let crc = crc32c::crc32c(&bytes[BEFORE..]);
        bytes[12..BEFORE].copy_from_slice(&crc.to_le_bytes());
    }
}

fn write_intent(rng: &mut Rng, signer: &dyn Signer, mut draft: Draft, out: &mut Vec<u8>) -> Hash {
    let pieces = pieces(rng, &mut draft);
    let head = IntentHead {
        version: INTENT_VERSION,
        id: draft.id.unwrap_or_else(|| IntentId(rng.bytes())),
        kind: draft.kind,
        author: draft.author_id.unwrap_or_else(|| signer.public().id()),
        action: &draft.action,
        tier: draft.tier,
        mode: draft.mode,
        authored_at: draft.authored_at.unwrap_or(0),
        parts: pieces.iter().fold(0, |bits, piece| bits | piece.tag.bit()),
    };
    let mut head_bytes = encode(&head).unwrap();
    draft.edit_head_bytes.take().into_iter().for_each(|edit| edit(&mut head_bytes));
    put_bytes(&head_bytes, out);
    pieces.iter().for_each(|piece| piece.slot(draft.closed).write(out));
    let commitments: Vec<Hash> = pieces.iter().map(|piece| piece.commitment).collect();
    intent_hash(&head_bytes, &commitments)
}
