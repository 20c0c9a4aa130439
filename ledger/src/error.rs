//! What can go wrong, by operation. Damage, misuse and trouble with the disk are told apart.

use crate::draft::DraftError;
use counterfoil_format::Hash;
use counterfoil_format::codec::CodecError;
use counterfoil_format::frame::FrameError;
use counterfoil_format::intent::KeyId;
use counterfoil_rules::land::Refusal;
use std::io;
use std::path::{Path, PathBuf};

/// A file or directory that the operating system would not let us use.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl FileError {
    /// For use in `map_err`.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> FileError {
        move |error| FileError { path: path.to_owned(), error }
    }

    /// What those are told who submit while the inbox cannot be looked into.
    pub(crate) fn unseen(&self) -> SubmitError {
        let reason = format!(
            "{}; nothing was written, since a pulled kill switch may lie there: make it readable, and submit again",
            self.error
        );
        let error = FileError { path: self.path.clone(), error: io::Error::new(self.error.kind(), reason) };
        ReadError::File(error).into()
    }

    /// The same error, saying what to do.
    pub(crate) fn adding(self, advice: &str) -> Self {
        let error = io::Error::new(self.error.kind(), format!("{}; {advice}", self.error));
        FileError { error, ..self }
    }
}

/// Bytes of the log that are not what was written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}, offset {offset}: {error}. Nothing was changed. Run `counterfoil verify` to see all damage, and restore \
     this file from a copy",
    path.display()
)]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong.
    pub error: FrameError,
}

/// Why a ledger cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The directory holds something already.
    #[error("{}: exists and is not empty; a ledger begins in a new or empty directory", .0.display())]
    Occupied(PathBuf),
    /// The origin, the policy or a key is not acceptable.
    #[error("the genesis cannot be made: {0}")]
    Genesis(#[from] DraftError),
    /// The keys or the policy contradict each other.
    #[error("the genesis does not hold: {0}")]
    Governance(#[from] counterfoil_rules::governance::GovernanceError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger was made and could not be opened.
    #[error(transparent)]
    Open(#[from] Box<OpenError>),
    /// The first rows could not be landed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is no ledger.
    #[error("{}: not a ledger: {reason}. `counterfoil init DIR --origin NAME` makes one", path.display())]
    NotALedger {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// Another process writes.
    #[error("{}: another process has this ledger open for writing; wait for it or stop it", .0.display())]
    Locked(PathBuf),
    /// The log is damaged in a way that no crash explains.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// A segment was written by a newer build.
    #[error("{}: {error}", path.display())]
    Newer {
        /// The segment.
        path: PathBuf,
        /// Which version.
        error: FrameError,
    },
    /// The segments do not follow each other.
    #[error("{}: {reason}. Nothing was changed; restore the missing or altered segment from a copy", path.display())]
    Broken {
        /// The segment.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The key given does not seal this ledger.
    #[error("the key given is not the key that seals this ledger")]
    WrongLedgerKey,
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {0}")]
    Random(String),
    /// What lies in the inbox cannot be landed.
    #[error("what lies in inbox/ cannot be landed: {0}. Open the ledger again to see what is on disk")]
    Inbox(String),
    /// A row that governs cannot be read or does not hold.
    #[error("row {row}: {reason}")]
    Governance {
        /// The row.
        row: u64,
        /// Why.
        reason: String,
    },
    /// A row cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a submission did not land. Nothing of it did.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The rules refuse one of its intents.
    #[error("intent {index} of the submission: {refusal}")]
    Refused {
        /// Which intent, from 0.
        index: usize,
        /// Why.
        refusal: Refusal,
    },
    /// Behind it another key would seal the ledger, and the writer does not hold that key.
    #[error(
        "intent {index} of the submission: from it on key {key} would seal the ledger, and its writer does not hold that key"
    )]
    NoSealKey {
        /// Which intent, from 0.
        index: usize,
        /// The key that would seal.
        key: KeyId,
    },
    /// It was signed for another ledger.
    #[error("the submission was signed for ledger {signed}, and this is ledger {here}")]
    OtherLedger {
        /// The ledger it names.
        signed: Hash,
        /// This ledger.
        here: Hash,
    },
    /// A row does not hold against the earlier rows that it cites: the one that it takes back, approves or rejects, the probe
    /// of a drill, the readings of a calibration.
    #[error("intent {index} of the submission: {reason}")]
    Cited {
        /// Which intent, from 0.
        index: usize,
        /// Why.
        reason: String,
    },
    /// A row or the submission is too large, or does not fit the format.
    #[error("intent {index} of the submission: {error}")]
    Format {
        /// Which intent, from 0.
        index: usize,
        /// Why.
        error: CodecError,
    },
    /// The key that has signed it is not the one that the ledger knows by its id.
    #[error("key {0} is enrolled in this ledger as another key than the one that has signed")]
    OtherKey(KeyId),
    /// The submission could not be made.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// Reading what the decision needs failed; nothing was written.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Writing or syncing failed. What is on disk is not known, so this handle accepts nothing more.
    #[error(
        "writing failed: {0}. This handle is closed for good: open the ledger again to see what is on disk"
    )]
    Failed(String),
    /// An earlier write or sync failed. Nothing of this submission was written.
    #[error("nothing was written, since an earlier write failed ({0}); open the ledger again to go on")]
    Poisoned(String),
}

/// Why a submission was not left in an inbox.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// There is no ledger.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is too large to be left.
    #[error("{0}; leave fewer intents at a time, or submit them to the open ledger")]
    TooLarge(CodecError),
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {0}")]
    Random(String),
    /// The disk. Where only the last sync failed, the submission may be there, and may land.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such row.
    #[error("there is no row {row}: the ledger has {size} rows, 0 to {}", size.saturating_sub(1))]
    NoSuchRow {
        /// The row asked for.
        row: u64,
        /// How many rows there are.
        size: u64,
    },
    /// The row's bytes are not those of a row.
    #[error("row {row} in {}, offset {offset}: {error}. Run `counterfoil verify` to see all damage", path.display())]
    Damaged {
        /// The row.
        row: u64,
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// Why.
        error: CodecError,
    },
    /// A group's bytes are not those of a group.
    #[error(transparent)]
    Group(#[from] Damage),
    /// The state index failed.
    #[error("the state index failed: {0}")]
    Index(String),
    /// A write failed, and the state holds what may not be durable.
    #[error("an earlier write failed, so what keys hold by durable rows is not known; open the ledger again")]
    Unsettled,
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a ledger was not backed up. What was in the destination is still there: the older copy, or anything else.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The destination is the ledger's own directory, or lies in it or in that of another ledger.
    #[error("{}: lies in the directory of the ledger {}; a copy goes elsewhere", dest.display(), ledger.display())]
    Inside {
        /// The destination.
        dest: PathBuf,
        /// That ledger's directory.
        ledger: PathBuf,
    },
    /// The destination holds something that is no ledger.
    #[error(
        "{}: is no ledger and not empty; a backup goes into a new or empty directory, or an older copy of the same \
         ledger. Nothing was changed",
        .0.display()
    )]
    Occupied(PathBuf),
    /// The destination holds another ledger.
    #[error(
        "{}: holds another ledger, {there}; this one is {here}. Nothing was changed; back up to another directory",
        dest.display()
    )]
    OtherLedger {
        /// The destination.
        dest: PathBuf,
        /// The id of the ledger there.
        there: Hash,
        /// The id of the ledger to be copied.
        here: Hash,
    },
    /// The destination holds another history of this ledger.
    #[error(
        "{}: holds another history of this ledger: row {row} is {there} there and {here} here, and the rows before it \
         are the same. Nothing was changed; one of the two went on from an older copy, or was forged. Back up to \
         another directory, and keep both",
        dest.display()
    )]
    Fork {
        /// The destination.
        dest: PathBuf,
        /// The first row where they part.
        row: u64,
        /// The hash of that row there.
        there: Hash,
        /// The hash of that row in the ledger.
        here: Hash,
    },
    /// The destination has lost rows, and they were not those of this ledger.
    #[error(
        "{}: names {size} rows, of which {rows} are there, and the rest were not those of this ledger: they parted \
         somewhere in rows {rows} to {}. Nothing was changed; back up to another directory, and keep both",
        checkpoint.display(),
        size.saturating_sub(1)
    )]
    LostFork {
        /// The destination's checkpoint.
        checkpoint: PathBuf,
        /// How many rows are there.
        rows: u64,
        /// How many rows it names.
        size: u64,
    },
    /// The destination holds more rows than the ledger.
    #[error(
        "{}: holds {there} rows, and the ledger {here}: the ledger is older than its copy, or was cut. Nothing was \
         changed; to go on from the copy, put it in the ledger's place",
        dest.display()
    )]
    Ahead {
        /// The destination.
        dest: PathBuf,
        /// How many rows it holds, by its log or its checkpoint.
        there: u64,
        /// How many rows the ledger holds.
        here: u64,
    },
    /// The destination holds the same rows, cut into other segments.
    #[error(
        "{}: holds the same rows in other segments: one begins at row {row} there, and none here. Nothing was changed; \
         back up to another directory",
        dest.display()
    )]
    OtherSegments {
        /// The destination.
        dest: PathBuf,
        /// The first row of a segment that the ledger does not have.
        row: u64,
    },
    /// The older copy cannot be read, or the new one is not what was written.
    #[error("the copy cannot be used: {0}. Move it aside, and back up to an empty directory")]
    Copy(OpenError),
    /// The ledger cannot be read, or another process has the destination open for writing.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A row of either cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}
