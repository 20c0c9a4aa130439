//! The ledger: one writer's handle on a directory.

use crate::builder::random;
use crate::chain::{Chain, Receipt};
use crate::error::{CreateError, FileError, OpenError, ReadError, SubmitError};
use crate::founding::found;
use crate::index::Held;
use crate::layout::Layout;
use crate::load::{Sides, load};
use crate::log::Log;
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
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A ledger open for writing. It may be shared between threads; there is one per directory at a time.
pub struct Ledger {
    /// Stands first: nobody looks into the inbox any more when the lock is given up.
    watch: Option<Watch>,
    writing: Arc<Writing>,
    _lock: Box<dyn Lock>,
}

/// What the threads share that may lead.
struct Writing {
    queue: Queue,
    commit: Pipeline,
}

impl Writing {
    /// Lands what lies in the inbox, when anything does.
    fn tend(&self) {
        if self.commit.waiting() > 0 {
            self.queue.tend(&self.commit);
        }
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
        let writing = Arc::new(Writing { queue: Queue::default(), commit });
        writing.begin()?;
        let watch = platform.inbox_every.map(|every| watch(&writing, every)).transpose()?;
        Ok(Ledger { watch, writing, _lock: lock })
    }

    /// Holds another key that can seal. A group is sealed by the key in force behind its last row, so a change of the
    /// ledger's key lands only when the writer holds the key that seals from then on; without it the change is
    /// [`SubmitError::NoSealKey`]. From the next open on the new key is the one to open with.
    pub fn hold(&self, seal_key: Arc<dyn Signer>) {
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
        self.writing.commit.notices()
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

    /// Writes out what is only in memory, so that the next open is quick. Nothing is lost without it: every row that
    /// was acknowledged is durable.
    pub fn close(mut self) -> Result<(), FileError> {
        self.watch = None;
        match self.writing.queue.poisoned() {
            Some(_) => Ok(()),
            None => self.writing.commit.finish(),
        }
    }
}

/// Looks into the inbox from time to time, so that what is left for an idle writer does not wait for a submission.
fn watch(writing: &Arc<Writing>, every: Duration) -> Result<Watch, OpenError> {
    let writing = writing.clone();
    let begun = Watch::begin("inbox", every, move || writing.tend());
    begun.map_err(|error| OpenError::Inbox(format!("no thread to look there: {error}")))
}
