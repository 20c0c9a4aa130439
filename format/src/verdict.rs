//! The verdict that a judge signs: its score over what was proposed.
//!
//! # Format
//!
//! The signed message is
//!
//! | bytes | content |
//! | --- | --- |
//! | 23 | ASCII `counterfoil/verdict/v1` and a newline |
//! | 32 | ledger id |
//! | the rest | the claim |
//!
//! and the claim is
//!
//! | bytes | content |
//! | --- | --- |
//! | 16 | intent id |
//! | 1 | tier, by its number |
//! | 4 | score, `u32` little-endian |
//! | 1 | bit `1 << tag` for each of the parts `subject`, `evidence`, `ops` and `effects` that the intent has |
//! | 32 each | their commitments, in tag order |
//! | the rest | the action |

use crate::hash::Hash;
use crate::intent::IntentHead;
use crate::part::PartTag;

const DOMAIN: &[u8] = b"counterfoil/verdict/v1\n";

/// The parts that a verdict covers. The judge stands in `actors`, so that part cannot be among them.
const JUDGED: [PartTag; 4] = [PartTag::Subject, PartTag::Evidence, PartTag::Ops, PartTag::Effects];

/// Appends what a judge claims of an intent. `commitments` are those of all parts that the head names, in tag order.
pub fn write_claim(head: &IntentHead<'_>, score: u32, commitments: &[Hash], out: &mut Vec<u8>) {
    let covered = JUDGED.iter().fold(0, |bits, tag| bits | tag.bit());
    out.extend_from_slice(&head.id.0);
    out.push(head.tier as u8);
    out.extend_from_slice(&score.to_le_bytes());
    out.push(head.parts & covered);
    let present = PartTag::AUTHORED.into_iter().filter(|tag| head.parts & tag.bit() != 0);
    for (_, commitment) in present.zip(commitments).filter(|(tag, _)| covered & tag.bit() != 0) {
        out.extend_from_slice(&commitment.0);
    }
    out.extend_from_slice(head.action.as_bytes());
}

/// The message that a judge signs for a claim.
pub fn verdict_message(ledger_id: &Hash, claim: &[u8]) -> Vec<u8> {
    [DOMAIN, &ledger_id.0, claim].concat()
}
