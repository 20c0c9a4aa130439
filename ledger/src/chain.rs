//! The chain: rows of decided batches, encoded, hashed, chained to the row before, and sealed.

use crate::batch::{Batch, Decided, Rollback};
use crate::log::Head;
use crate::lookup::{Entry, is_special};
use crate::queue::Answer;
use crate::secret::Signer;
use counterfoil_format::Hash;
use counterfoil_format::codec::{CodecError, encode_into};
use counterfoil_format::group::{GroupBuilder, Seal};
use counterfoil_format::intent::{KeyId, Micros};
use counterfoil_format::key::PublicKey;
use counterfoil_format::landing::{LANDING_VERSION, Landing, Outcome, Reason, row_hash};
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::note::checkpoint_text;
use counterfoil_format::part::{PartTag, Slot};
use std::ops::Range;
use std::sync::Arc;

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

/// The chain, as far as rows are sealed. It may be ahead of what is durable.
pub(crate) struct Chain {
    origin: String,
    /// The keys at hand. Which of them seals a group depends on the rows in it.
    seal_keys: Vec<Arc<dyn Signer>>,
    row_hash: Hash,
    tree: CompactRange,
    landing: Vec<u8>,
}

/// A batch whose rows are chained and sealed.
pub(crate) struct Group {
    pub builder: GroupBuilder,
    /// Where each row goes, counted from the start of the group.
    pub entries: Vec<Entry>,
    /// The tree without the group.
    pub before: CompactRange,
    /// The end of the log with it.
    pub head: Head,
    pub seal: Seal,
    /// Whose signature the seal is.
    pub seal_key: PublicKey,
}

impl Chain {
    /// Goes on behind the row with this hash, the last one in the tree.
    pub fn behind(origin: &str, row_hash: Hash, tree: CompactRange, seal_key: Arc<dyn Signer>) -> Self {
        Chain { origin: origin.to_owned(), seal_keys: vec![seal_key], row_hash, tree, landing: Vec::new() }
    }

    /// Has another key at hand.
    pub fn hold(&mut self, seal_key: Arc<dyn Signer>) {
        self.seal_keys.push(seal_key);
    }

    /// The key that seals a group, of those at hand.
    fn seal_key(&self, sealing: Option<KeyId>) -> Result<&dyn Signer, CodecError> {
        let seals = |key: &&Arc<dyn Signer>| sealing.is_none_or(|id| key.public().id() == id);
        let found = self.seal_keys.iter().find(seals).map(Arc::as_ref);
        // A batch that puts another key in force was refused.
        found.ok_or(CodecError::Inconsistent("the key that seals the group is not at hand"))
    }

    /// How many rows.
    pub fn size(&self) -> u64 {
        self.tree.end()
    }

    /// The tree over all rows.
    pub fn tree(&self) -> CompactRange {
        self.tree.clone()
    }

    /// Chains and seals a batch. There is no group when none of its submissions lands. The answers are what to tell
    /// those who submitted, once the group is durable.
    pub fn extend(&mut self, batch: Batch) -> Result<(Option<Group>, Vec<Answer>), CodecError> {
        let before = self.tree.clone();
        let mut builder = GroupBuilder::with_capacity(batch.bytes());
        let mut entries = Vec::with_capacity(batch.rows());
        let (landed_at, sealing) = (batch.end.landed_at, batch.sealing);
        let mut answers = Vec::with_capacity(batch.decided.len());
        for decided in batch.decided {
            let answer = match decided {
                Ok(decided) => Ok(self.push(decided, &mut builder, &mut entries)?),
                Err(error) => Err(error),
            };
            answers.push(answer);
        }
        if entries.is_empty() {
            return Ok((None, answers));
        }
        let root = self.tree.root().unwrap_or_default();
        let text = checkpoint_text(&self.origin, self.size(), &root);
        let signer = self.seal_key(sealing)?;
        let (seal_key, signature) = (signer.public().clone(), signer.sign(text.as_bytes()));
        let head = Head { size: self.size(), root, row_hash: self.row_hash, landed_at };
        let seal = Seal { root, signature };
        Ok((Some(Group { builder, entries, before, head, seal, seal_key }), answers))
    }

    fn push(
        &mut self,
        decided: Decided,
        builder: &mut GroupBuilder,
        entries: &mut Vec<Entry>,
    ) -> Result<Vec<Receipt>, CodecError> {
        let Decided { submission, landed_at, rulings, rollbacks } = decided;
        let mut receipts = Vec::with_capacity(rulings.len());
        let count = u32::try_from(rulings.len()).unwrap_or(u32::MAX);
        for (index, (intent, ruling)) in (0..).zip(submission.intents().iter().zip(rulings)) {
            let rollback = ruling.rollback.as_ref().map(|rollback| open(rollback, &rollbacks));
            let landing = Landing {
                version: LANDING_VERSION,
                seq: self.size(),
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
            let write = |out: &mut Vec<u8>| intent.write_row(&self.landing, slot, &self.row_hash, out);
            let offset = builder.push_row(write)? as u64;
            self.tree.push(row_leaf(&self.row_hash));
            let (head, keys) = (&intent.proposal.head, intent.keys.clone());
            let special = is_special(head.kind, intent.proposal.body.as_ref());
            entries.push(Entry { offset, id: head.id, special, keys });
            let Landing { seq, outcome, reasons, .. } = landing;
            receipts.push(Receipt { seq, row_hash: self.row_hash, outcome, reasons, landed_at });
        }
        builder.push_submission(submission.signed);
        Ok(receipts)
    }
}

/// The slot of a rollback, and its commitment.
fn open<'r>(rollback: &Rollback, bytes: &'r [u8]) -> (Slot<'r>, Hash) {
    let part = |range: &Range<usize>| bytes.get(range.clone()).unwrap_or_default();
    let slot = Slot::Open { salt: rollback.salt, bytes: part(&rollback.content) };
    (slot, PartTag::Rollback.commit(&rollback.salt, part(&rollback.skeleton)))
}
