//! Why nothing could be verified. A damaged ledger is not an error: it is a verdict.

use counterfoil_format::frame::who_reads;
use std::io;
use std::path::PathBuf;

/// Why no verdict was reached (exit code 2). Each names the file and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is nothing at the path.
    #[error("{}: no such file or directory; give a ledger's directory, or one segment file", .0.display())]
    Missing(PathBuf),
    /// A directory without segments.
    #[error("{}: no *.seg files here or in log/ below it; give the directory that the ledger was made in", .0.display())]
    NoSegments(PathBuf),
    /// A file named by the caller that is no segment.
    #[error("{}: not a segment, its first bytes are others; give a ledger's directory, or a file from its log/", .0.display())]
    NotSegment(PathBuf),
    /// Something else stands where a file of the ledger should be.
    #[error("{}: this is no file; a ledger has a file of that name, so move away what stands there", .0.display())]
    NotFile(PathBuf),
    /// A segment of a version that this build does not know.
    #[error("{path}: segment version {version} is not known here; {hint}", path = .path.display(), hint = who_reads(*version))]
    NewerVersion {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A file could not be read.
    #[error("{path}: cannot be read: {error}; check its permissions and that nothing changes it meanwhile", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A checkpoint handed in is none.
    #[error("{path}: {why}; give a checkpoint as the ledger wrote it, origin, size, root and signature", path = .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The threads could not be started.
    #[error("the threads could not be started: {0}; try --threads 1")]
    Threads(String),
}

impl VerifyError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> VerifyError {
        let path = path.into();
        move |error| VerifyError::Io { path, error }
    }
}
