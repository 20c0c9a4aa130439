//! The rows of a batch: encoded, hashed and chained into a group.

use crate::batch::{Batch, Decided, End, Rollback};
use crate::error::SubmitError;
use crate::lookup::Entry;
use counterfoil_format::Hash;
use counterfoil_format::codec::{CodecError, encode_into};
use counterfoil_format::group::GroupBuilder;
use counterfoil_format::intent::Micros;
use counterfoil_format::landing::{LANDING_VERSION, Landing, Outcome, Reason, row_hash};
use counterfoil_format::part::{PartTag, Slot};

/// What the ledger says of a row that landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The row's number.
    pub seq: u64,
    /// The row's hash.
    pub row_hash: Hash,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reasons: Vec<Reason>,
    /// When it landed.
    pub landed_at: Micros,
}

/// A group whose rows are encoded; its seal is missing.
pub(crate) struct Chain {
    pub builder: GroupBuilder,
    /// Where each row goes, counted from the start of the group.
    pub entries: Vec<Entry>,
    /// What to tell those who submitted, once the group is durable.
    pub answers: Vec<Result<Vec<Receipt>, SubmitError>>,
    /// The last row's hash.
    pub row_hash: Hash,
    pub end: End,
    next: u64,
    landing: Vec<u8>,
}

impl Chain {
    /// Chains the rows of a batch to the row before them.
    pub fn of(batch: Batch, previous: Hash) -> Result<Self, CodecError> {
        let mut chain = Chain {
            builder: GroupBuilder::with_capacity(batch.bytes()),
            entries: Vec::with_capacity(batch.rows()),
            answers: Vec::with_capacity(batch.decided.len()),
            row_hash: previous,
            end: batch.end,
            next: batch.before.size,
            landing: Vec::new(),
        };
        for decided in batch.decided {
            let answer = match decided {
                Ok(decided) => Ok(chain.push(decided)?),
                Err(error) => Err(error),
            };
            chain.answers.push(answer);
        }
        Ok(chain)
    }

    /// The hashes of the rows.
    pub fn hashes(&self) -> impl Iterator<Item = &Hash> {
        let receipts = self.answers.iter().filter_map(|answer| answer.as_ref().ok());
        receipts.flatten().map(|receipt| &receipt.row_hash)
    }

    fn push(&mut self, decided: Decided) -> Result<Vec<Receipt>, CodecError> {
        let Decided { submission, landed_at, rulings, rollbacks } = decided;
        let mut receipts = Vec::with_capacity(rulings.len());
        let count = u32::try_from(rulings.len()).unwrap_or(u32::MAX);
        for (index, (intent, ruling)) in (0..).zip(submission.intents().iter().zip(rulings)) {
            let rollback = ruling.rollback.as_ref().map(|rollback| open(rollback, &rollbacks));
            let landing = Landing {
                version: LANDING_VERSION,
                seq: self.next,
                landed_at,
                outcome: ruling.outcome,
                reasons: ruling.reasons,
                reversibility: ruling.reversibility,
                policy_row: ruling.policy_row,
                kill_switch_row: ruling.switch_row,
                index,
                count,
                rollback: rollback.map(|(_, commitment)| commitment),
            };
            self.landing.clear();
            encode_into(&landing, &mut self.landing)?;
            self.row_hash = row_hash(&self.row_hash, &self.landing, &intent.hash);
            let slot = rollback.map(|(slot, _)| slot);
            let write =
                |out: &mut Vec<u8>| submission.write_row(intent, &self.landing, slot, &self.row_hash, out);
            let offset = self.builder.push_row(write)? as u64;
            let (id, special, keys) = (ruling.id, ruling.special, ruling.keys);
            self.entries.push(Entry { offset, id, special, keys });
            let Landing { seq, outcome, reasons, .. } = landing;
            receipts.push(Receipt { seq, row_hash: self.row_hash, outcome, reasons, landed_at });
            self.next += 1;
        }
        self.builder.push_submission(submission.signed());
        Ok(receipts)
    }
}

/// The slot of a rollback, and its commitment.
fn open<'r>(rollback: &Rollback, bytes: &'r [u8]) -> (Slot<'r>, Hash) {
    let part = |range: &std::ops::Range<usize>| bytes.get(range.clone()).unwrap_or_default();
    let slot = Slot::Open { salt: rollback.salt, bytes: part(&rollback.content) };
    (slot, PartTag::Rollback.commit(&rollback.salt, part(&rollback.skeleton)))
}
