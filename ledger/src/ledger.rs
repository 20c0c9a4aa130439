//! The ledger: one writer's handle on a directory.

use crate::batch::Batch;
use crate::chain::{Chain, Group, Receipt};
use crate::draft::{Draft, DraftError, Submission, SubmissionBuilder, random_salt};
use crate::error::{CreateError, FileError, OpenError, ReadError, SubmitError};
use crate::index::{Held, SledIndex, StateIndex};
use crate::layout::{Layout, sync_dir};
use crate::load::load;
use crate::log::Log;
use crate::pipeline::Pipeline;
use crate::queue::Queue;
use crate::rebuild::open_current;
use crate::secret::Signer;
use crate::writer::{Writer, create_segment};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, FORMAT_VERSION, Genesis, PolicyBody};
use counterfoil_format::codec::CodecError;
use counterfoil_format::frame::SegmentHeader;
use counterfoil_format::intent::{IntentId, Micros};
use counterfoil_format::merkle::CompactRange;
use counterfoil_format::note::VerifierKey;
use counterfoil_rules::governance::Governance;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A ledger open for writing. It may be shared between threads; there is one per directory at a time.
pub struct Ledger {
    queue: Queue,
    commit: Pipeline,
    _lock: File,
}

/// Microseconds since 1970 by the system's clock.
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

fn random() -> Result<StdRng, DraftError> {
    StdRng::try_from_rng(&mut SysRng).map_err(|error| DraftError::Random(error.to_string()))
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
        let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            return Err(CreateError::Occupied(dir.to_owned()));
        }
        let mut random = random()?;
        let (owner_key, ledger_key) = (*owner.public().as_bytes(), *seal_key.public().as_bytes());
        let genesis =
            Genesis { format: FORMAT_VERSION, origin, owner: owner_key, ledger: ledger_key, policy };
        Governance::from_genesis(&genesis)?;
        let id = IntentId(random_salt(&mut random));
        let salt = random_salt(&mut random);
        let mut builder = SubmissionBuilder::with_random(owner, random);
        builder.push(&Draft::with_body(id, Body::Genesis(genesis), now()))?;
        let ledger_id = builder.only_hash().unwrap_or_default();
        let submission = builder.sign(ledger_id)?;
        let group = first_group(submission, id, origin, &salt, seal_key.clone())
            .map_err(|error| DraftError::Format { index: 0, error })?;

        let layout = Layout::of(dir);
        fs::create_dir_all(layout.log()).map_err(FileError::at(&layout.log()))?;
        let header = SegmentHeader { first_seq: 0, salt, ledger_id, previous: Hash::ZERO };
        let segment = create_segment(&layout, header)?;
        let write = segment.file.write_all_at(&group, segment.end).and_then(|()| segment.file.sync_all());
        write.map_err(FileError::at(&segment.path))?;
        sync_dir(layout.root())?;
        Self::open(dir, seal_key).map_err(|error| CreateError::Open(Box::new(error)))
    }

    /// Opens a ledger for writing: takes its lock, cuts a torn tail off, brings the state up to date.
    pub fn open(dir: &Path, seal_key: Arc<dyn Signer>) -> Result<Self, OpenError> {
        let layout = Layout::of(dir);
        if !layout.log().is_dir() {
            let reason = if dir.is_dir() { "it has no directory log/" } else { "there is no such directory" };
            return Err(OpenError::NotALedger { path: dir.to_owned(), reason });
        }
        let lock = layout.lock()?;
        sync_dir(&layout.log())?;
        sync_dir(layout.root())?;
        let index = SledIndex::open(&layout.index());
        let watermark = index.as_ref().ok().and_then(|index| index.watermark().ok().flatten());
        let loaded = load(&layout, Some(watermark.map_or(0, |watermark| watermark.rows)))?;
        let (tree, mut notices) = (loaded.tree.clone(), loaded.notices.clone());
        let log = Arc::new(Log::from_loaded(layout, loaded)?);
        let governance = log.governance()?;
        if governance.keys.sealing().is_none_or(|key| key.key != *seal_key.public()) {
            return Err(OpenError::WrongLedgerKey);
        }
        let current = open_current(&log, index, &mut notices)?;
        let verifier_key = VerifierKey { name: log.origin().to_owned(), key: seal_key.public().clone() };
        let chain = Chain::behind(log.origin(), log.head().row_hash, tree, seal_key);
        let writer = Writer::new(log.clone(), verifier_key);
        let salts = |_| OpenError::Governance { row: 0, reason: "no randomness from the system".into() };
        let random = random().map_err(salts)?;
        let commit = Pipeline::new(log, governance, current, random, chain, writer, notices);
        Ok(Ledger { queue: Queue::default(), commit, _lock: lock })
    }

    /// The durable rows.
    pub fn log(&self) -> &Arc<Log> {
        self.commit.log()
    }

    /// The ledger's id.
    pub fn ledger_id(&self) -> Hash {
        self.log().ledger_id()
    }

    /// What governs the next row.
    pub fn governance(&self) -> Governance {
        self.commit.governance()
    }

    /// What a key holds now, by durable rows. Waits for a group that is on its way.
    pub fn current(&self, key: &str) -> Result<Option<Held>, ReadError> {
        self.commit.current(key)
    }

    /// What was found and mended since the ledger was opened, in words for people.
    pub fn notices(&self) -> Vec<String> {
        self.commit.notices()
    }

    /// Lands a submission, whole or not at all. Returns when its rows are durable. Callers of several threads share
    /// one sync.
    pub fn submit(&self, submission: Submission) -> Result<Vec<Receipt>, SubmitError> {
        self.queue.submit(submission, &self.commit)
    }

    /// Writes out what is only in memory, so that the next open is quick. Nothing is lost without it: every row that
    /// was acknowledged is durable.
    pub fn close(self) -> Result<(), FileError> {
        match self.queue.poisoned() {
            Some(_) => Ok(()),
            None => self.commit.finish(),
        }
    }
}

/// The group of row 0.
fn first_group(
    submission: Submission,
    id: IntentId,
    origin: &str,
    salt: &[u8; 16],
    seal_key: Arc<dyn Signer>,
) -> Result<Vec<u8>, CodecError> {
    let mut chain = Chain::behind(origin, Hash::ZERO, CompactRange::starting_at(0), seal_key);
    let (group, _) = chain.extend(Batch::genesis(submission, id, now()))?;
    match group {
        Some(Group { builder, seal, .. }) => builder.finish(0, 0, &Hash::ZERO, salt, &seal),
        None => Err(CodecError::Empty("a submission")),
    }
}
