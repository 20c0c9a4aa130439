//! Snapshots while rows land: made every so many rows, as the policy says, and pinned by a row that the ledger's key signs.

use crate::builder::{SubmissionBuilder, random};
use crate::chain::Receipt;
use crate::draft::{Draft, DraftError, random_salt};
use crate::error::SubmitError;
use crate::log::Log;
use crate::secret::Signer;
use crate::snapshot::{MakeError, make};
use crate::submission::Submission;
use counterfoil_format::body::Body;
use counterfoil_format::intent::{IntentId, Micros};
use counterfoil_rules::governance::Governance;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Why a snapshot was not made or not pinned.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file was not made.
    #[error("no snapshot was made: {0}")]
    Make(#[from] MakeError),
    /// The row that pins it was not made.
    #[error("the row that pins the snapshot was not made: {0}")]
    Draft(#[from] DraftError),
    /// The row that pins it has not landed.
    #[error("the row that pins the snapshot has not landed: {0}")]
    Submit(#[from] SubmitError),
    /// No key at hand seals.
    #[error("none of the ledger's keys at hand is in force")]
    NoKey,
}

/// The keys that can pin, and where it stands.
pub(crate) struct Pinning {
    signers: Mutex<Vec<Arc<dyn Signer>>>,
    state: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    /// The newest snapshot row, once it was looked for.
    newest: Option<Option<u64>>,
    failed: Option<(Instant, String)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pinning {
    /// With the key that seals.
    pub fn by(signer: Arc<dyn Signer>) -> Self {
        Pinning { signers: Mutex::new(vec![signer]), state: Mutex::default() }
    }

    /// Another key that can seal, and so can pin.
    pub fn hold(&self, signer: Arc<dyn Signer>) {
        lock(&self.signers).push(signer);
    }

    /// Why the last snapshot failed, in words for people.
    pub fn notice(&self) -> Option<String> {
        let standing = lock(&self.state);
        standing.failed.as_ref().map(|(_, why)| format!("{why}; it is tried again in a minute"))
    }

    /// Whether it is time for a snapshot, so many rows behind the last row that has pinned one.
    pub fn is_due(&self, log: &Log, every: Option<u64>) -> bool {
        let (Some(every), size) = (every, log.head().size) else { return false };
        let mut standing = lock(&self.state);
        if size < every || standing.failed.as_ref().is_some_and(|(when, _)| when.elapsed() < AGAIN) {
            return false;
        }
        let newest = match standing.newest {
            Some(newest) => newest,
            None => match log.snapshot_rows() {
                Ok(rows) => *standing.newest.insert(rows.last().map(|(row, _)| *row)),
                Err(_) => return false,
            },
        };
        newest.map_or(size, |row| size - 1 - row) >= every
    }

    /// Makes the snapshot of the state as it is, and pins it.
    pub fn pin(
        &self,
        log: &Log,
        governance: &Governance,
        now: Micros,
        submit: impl FnOnce(Submission) -> Result<Vec<Receipt>, SubmitError>,
    ) -> Result<Option<Receipt>, PinError> {
        let pinned = self.try_pin(log, governance, now, submit);
        let mut standing = lock(&self.state);
        match &pinned {
            Ok(Some(receipt)) => *standing = Standing { newest: Some(Some(receipt.seq)), failed: None },
            Ok(None) => {}
            Err(error) => standing.failed = Some((Instant::now(), error.to_string())),
        }
        pinned
    }

    fn try_pin(
        &self,
        log: &Log,
        governance: &Governance,
        now: Micros,
        submit: impl FnOnce(Submission) -> Result<Vec<Receipt>, SubmitError>,
    ) -> Result<Option<Receipt>, PinError> {
        let sealing = governance.keys.sealing().map(|key| key.key.clone()).ok_or(PinError::NoKey)?;
        let signers = lock(&self.signers).clone();
        let signer = signers.iter().find(|signer| *signer.public() == sealing).ok_or(PinError::NoKey)?;
        let snapshot = make(log, log.head().size.saturating_sub(1))?;
        let mut random = random().map_err(|error| DraftError::Random(error.to_string()))?;
        let id = IntentId(random_salt(&mut random));
        let mut builder = SubmissionBuilder::new(&**signer)?;
        builder.push(&Draft::with_body(id, Body::Snapshot(snapshot), now))?;
        Ok(submit(builder.sign(log.ledger_id())?)?.into_iter().next())
    }
}
