//! The ledger: one writer's handle on a directory.

use crate::builder::random;
use crate::chain::{Chain, Receipt};
use crate::error::{CreateError, FileError, OpenError, ReadError, SubmitError};
use crate::founding::found;
use crate::layout::Layout;
use crate::load::{Sides, load};
use crate::log::Log;
use crate::pinning::{PinError, Pinning};
use crate::pipeline::{Pipeline, Stages};
use crate::platform::Platform;
use crate::queue::Queue;
use crate::rebuild::{Opened, open_current};
use crate::recount::recount;
use crate::secret::Signer;
use crate::storage::Lock;
use crate::submission::Submission;
use crate::watch::Watch;
use crate::writer::Writer;
use counterfoil_format::Hash;
use counterfoil_format::policy::PolicyBody;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::state::Held;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A ledger open for writing. It may be shared between threads; there is one per directory at a time.
pub struct Ledger {
    /// Stands first: nobody looks into the inbox any more when the lock is given up.
    watch: Option<Watch>,
    /// Makes snapshots in the background.
    pinning: Option<Watch>,
    writing: Arc<Writing>,
    _lock: Box<dyn Lock>,
}

/// What the threads share that may lead.
struct Writing {
    queue: Queue,
    commit: Pipeline,
    pinning: Pinning,
}

impl Writing {
    /// Lands what lies in the inbox, when anything does.
    fn tend(&self) {
        if self.commit.waiting() > 0 {
            self.queue.tend(&self.commit);
        }
    }

    /// Makes a snapshot, when the policy says that one is due.
    fn pin_if_due(&self) {
        let log = self.commit.log();
        if self.pinning.is_due(log, self.commit.in_force().policy.snapshot_rows)
            && self.queue.poisoned().is_none()
        {
            // What stands against it is among the notices; it is tried again.
            let _ = self.pin();
        }
    }

    fn pin(&self) -> Result<Option<Receipt>, PinError> {
        let (log, governance) = (self.commit.log(), self.commit.governance());
        let submit = |submission| self.queue.submit(submission, &self.commit);
        self.pinning.pin(log, &governance, self.commit.now(), submit)
    }

    /// The same until all is landed or refused that is there now, before anybody else can submit.
    fn begin(&self) -> Result<(), OpenError> {
        (0..self.commit.begin()?).for_each(|_| self.tend());
        self.queue.poisoned().map_or(Ok(()), |reason| Err(OpenError::Inbox(reason)))
    }
}

impl Ledger {
    /// Begins a ledger in a new or empty directory: row 0 names its origin, the owner's and the ledger's key, and the
    /// first policy. Other keys are granted by rows that follow.
    pub fn create(
        dir: &Path,
        origin: &str,
        policy: PolicyBody<'_>,
        owner: &dyn Signer,
        seal_key: Arc<dyn Signer>,
    ) -> Result<Self, CreateError> {
        Self::create_on(&Platform::default(), dir, origin, policy, owner, seal_key)
    }

    /// The same in given surroundings.
    pub fn create_on(
        platform: &Platform,
        dir: &Path,
        origin: &str,
        policy: PolicyBody<'_>,
        owner: &dyn Signer,
        seal_key: Arc<dyn Signer>,
    ) -> Result<Self, CreateError> {
        let layout = Layout::on(dir, platform.storage.clone());
        found(&layout, platform.clock.now(), origin, policy, owner, seal_key.clone())?;
        Self::open_on(platform, dir, seal_key).map_err(|error| CreateError::Open(Box::new(error)))
    }

    /// Opens a ledger for writing: takes its lock, cuts a torn tail off, brings the state up to date, and lands what
    /// lies in the inbox.
    pub fn open(dir: &Path, seal_key: Arc<dyn Signer>) -> Result<Self, OpenError> {
        Self::open_on(&Platform::default(), dir, seal_key)
    }

    /// The same in given surroundings.
    pub fn open_on(platform: &Platform, dir: &Path, seal_key: Arc<dyn Signer>) -> Result<Self, OpenError> {
        let layout = Layout::on(dir, platform.storage.clone());
        layout.check()?;
        let lock = layout.lock()?;
        layout.sync_dir(&layout.log())?;
        layout.sync_dir(layout.root())?;
        layout.sync_parent()?;
        let index = Opened::on(&layout, &*platform.index);
        let indexed = index.as_ref().map_or(0, Opened::rows);
        let loaded = load(&layout, indexed, Sides::Mend, Some(seal_key.public()))?;
        let (tree, mut notices) = (loaded.tree.clone(), loaded.notices.clone());
        let log = Arc::new(Log::from_loaded(layout, loaded)?);
        let governance = log.governance()?;
        if governance.keys.sealing().is_none_or(|key| key.key != *seal_key.public()) {
            return Err(OpenError::WrongLedgerKey);
        }
        let current = open_current(&log, &*platform.index, index, &mut notices)?;
        let pinning = Pinning::by(seal_key.clone());
        let stages = Stages {
            limits: recount(&log, &governance)?,
            governance,
            current,
            seal_key: seal_key.public().id(),
            random: random().map_err(|error| OpenError::Random(error.to_string()))?,
            chain: Chain::behind(log.origin(), log.head().row_hash, tree, seal_key),
            writer: Writer::new(log.clone(), platform.clock.clone()),
        };
        let commit = Pipeline::new(log, platform.clock.clone(), stages, notices);
        let writing = Arc::new(Writing { queue: Queue::default(), commit, pinning });
        writing.begin()?;
        let watching = |every| watch("inbox", every, &writing, Writing::tend);
        let watch_of_inbox = platform.inbox_every.map(watching).transpose()?;
        let watching = |every| watch("snapshots", every, &writing, Writing::pin_if_due);
        let watch_of_pins = platform.snapshots_every.map(watching).transpose()?;
        Ok(Ledger { watch: watch_of_inbox, pinning: watch_of_pins, writing, _lock: lock })
    }

    /// Holds another key that can seal. A group is sealed by the key in force behind its last row, so a change of the
    /// ledger's key lands only when the writer holds the key that seals from then on; without it the change is
    /// [`SubmitError::NoSealKey`]. From the next open on the new key is the one to open with.
    pub fn hold(&self, seal_key: Arc<dyn Signer>) {
        self.writing.pinning.hold(seal_key.clone());
        self.writing.commit.hold(seal_key);
    }

    /// The durable rows.
    pub fn log(&self) -> &Arc<Log> {
        self.writing.commit.log()
    }

    /// The ledger's id.
    pub fn ledger_id(&self) -> Hash {
        self.log().ledger_id()
    }

    /// What governs the next row.
    pub fn governance(&self) -> Governance {
        self.writing.commit.governance()
    }

    /// What a key holds now, by durable rows. Waits for a group that is on its way. Fails when a write has failed.
    pub fn current(&self, key: &str) -> Result<Option<Held>, ReadError> {
        self.writing.commit.current(key)
    }

    /// What was found and mended since the ledger was opened, in words for people.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = self.writing.commit.notices();
        notices.extend(self.writing.pinning.notice());
        notices
    }

    /// Makes a snapshot of the state as it is now, whatever the policy says, and pins it by a row; yields that row's receipt.
    /// Rows go on landing meanwhile.
    pub fn snapshot(&self) -> Result<Option<Receipt>, PinError> {
        self.writing.pin()
    }

    /// Lands a submission, whole or not at all. Returns when its rows are durable. Callers of several threads share
    /// one sync.
    pub fn submit(&self, mut submission: Submission) -> Result<Vec<Receipt>, SubmitError> {
        let (signed, here) = (submission.ledger_id(), self.ledger_id());
        if signed != here {
            return Err(SubmitError::OtherLedger { signed, here });
        }
        if submission.intents().iter().any(|intent| intent.attestation().is_some()) {
            submission.check_verdicts(&self.writing.commit.keys());
        }
        self.writing.queue.submit(submission, &self.writing.commit)
    }

    /// Makes a snapshot when one is due, and writes out what is only in memory, so that the next open is quick. Nothing is
    /// lost without it: every row that was acknowledged is durable.
    pub fn close(mut self) -> Result<(), FileError> {
        if self.pinning.take().is_some() {
            // Who opens a ledger for a moment, again and again, gives no thread the time for it.
            self.writing.pin_if_due();
        }
        self.watch = None;
        match self.writing.queue.poisoned() {
            Some(_) => Ok(()),
            None => self.writing.commit.finish(),
        }
    }
}

/// Does something with a ledger from time to time: looks into the inbox, so that what is left for an idle writer does not wait
/// for a submission; makes a snapshot when one is due.
fn watch(
    name: &str,
    every: Duration,
    writing: &Arc<Writing>,
    look: fn(&Writing),
) -> Result<Watch, OpenError> {
    let writing = writing.clone();
    let begun = Watch::begin(name, every, move || look(&writing));
    begun.map_err(|error| OpenError::Inbox(format!("no thread to look there: {error}")))
}
