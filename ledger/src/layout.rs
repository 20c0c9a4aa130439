//! Where things lie in a ledger's directory, and the lock of its one writer.

use crate::error::{FileError, OpenError};
use crate::storage::{Access, Disk, Kind, Lock, Storage, StoredFile};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The paths of a ledger, and the file system they are on.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    storage: Arc<dyn Storage>,
}

impl Layout {
    /// The paths below a directory of the operating system's file system.
    pub fn of(root: &Path) -> Self {
        Self::on(root, Arc::new(Disk))
    }

    /// The paths below a directory of a file system.
    pub fn on(root: &Path, storage: Arc<dyn Storage>) -> Self {
        Layout { root: root.to_owned(), storage }
    }

    /// The file system.
    pub fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The segments and their side files.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The newest seal that was written out, a signed note.
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    /// How far the rows are durable, said by the writer to readers of other processes.
    pub fn durable(&self) -> PathBuf {
        self.root.join("durable")
    }

    /// The state index.
    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// Bytes cut from a torn tail, and state indexes moved aside.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Secret keys; never part of what is handed to others.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The segment that begins with a row.
    pub fn segment(&self, first_seq: u64) -> PathBuf {
        self.log().join(format!("{first_seq:020}.seg"))
    }

    /// The side file of the segment that begins with a row.
    pub fn side(&self, first_seq: u64) -> PathBuf {
        self.log().join(format!("{first_seq:020}.idx"))
    }

    /// The first rows of all segments, ascending. Files of other names are not looked at.
    pub fn segments(&self) -> Result<Vec<u64>, FileError> {
        let log = self.log();
        let mut found = Vec::new();
        for name in self.storage.list(&log).map_err(FileError::at(&log))? {
            let digits = name.strip_suffix(".seg");
            if let Some(first) = digits.filter(|digits| digits.len() == 20).and_then(|d| d.parse().ok()) {
                found.push(first);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Whether a directory stands at a path.
    pub(crate) fn is_dir(&self, path: &Path) -> bool {
        self.storage.kind(path) == Some(Kind::Directory)
    }

    /// Whether this looks like a ledger at all.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let reason = match (self.is_dir(&self.root), self.is_dir(&self.log())) {
            (true, true) => return Ok(()),
            (true, false) => "it has no directory log/",
            (false, _) => "there is no such directory",
        };
        Err(OpenError::NotALedger { path: self.root.clone(), reason })
    }

    /// Takes the lock that one writer holds for as long as it lives.
    pub(crate) fn lock(&self) -> Result<Box<dyn Lock>, OpenError> {
        let path = self.root.join("LOCK");
        let taken = self.storage.lock(&path).map_err(FileError::at(&path))?;
        taken.ok_or_else(|| OpenError::Locked(self.root.clone()))
    }

    /// Opens a file.
    pub(crate) fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn StoredFile>, FileError> {
        self.storage.open(path, access).map_err(FileError::at(path))
    }

    /// Makes names in a directory durable: new, renamed and removed files.
    pub(crate) fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        self.storage.sync_dir(path).map_err(FileError::at(path))
    }

    /// Makes the name of the ledger's own directory durable.
    pub(crate) fn sync_parent(&self) -> Result<(), FileError> {
        match self.root.parent() {
            Some(parent) if parent.as_os_str().is_empty() => self.sync_dir(Path::new(".")),
            Some(parent) => self.sync_dir(parent),
            None => Ok(()),
        }
    }

    /// Replaces a file by one with this content, so that a reader sees the old or the new one. With `durable`, a crash
    /// too leaves the old or the new one, and the new one is on disk when this returns.
    pub(crate) fn replace(&self, path: &Path, content: &[u8], durable: bool) -> Result<(), FileError> {
        let fresh = path.with_extension("new");
        let write = || {
            let file = self.storage.open(&fresh, Access::Replace)?;
            file.write_at(0, content)?;
            if durable { file.sync_all() } else { Ok(()) }
        };
        write().map_err(FileError::at(&fresh))?;
        self.storage.rename(&fresh, path).map_err(FileError::at(path))?;
        match path.parent() {
            Some(parent) if durable => self.sync_dir(parent),
            _ => Ok(()),
        }
    }
}
