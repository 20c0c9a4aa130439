//! Where things lie in a ledger's directory, and the lock of its one writer.

use crate::error::{FileError, OpenError};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The paths of a ledger.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The paths below a directory.
    pub fn of(root: &Path) -> Self {
        Layout { root: root.to_owned() }
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
        for entry in fs::read_dir(&log).map_err(FileError::at(&log))? {
            let name = entry.map_err(FileError::at(&log))?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(".seg"));
            if let Some(first) = digits.filter(|digits| digits.len() == 20).and_then(|d| d.parse().ok()) {
                found.push(first);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Takes the lock that one writer holds for as long as the file is open.
    pub fn lock(&self) -> Result<File, OpenError> {
        let path = self.root.join("LOCK");
        let options = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = options.map_err(FileError::at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked(self.root.clone())),
            Err(TryLockError::Error(error)) => Err(FileError { path, error }.into()),
        }
    }
}

/// Makes names in a directory durable: new, renamed and removed files.
pub(crate) fn sync_dir(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(FileError::at(path))
}

/// Replaces a file by one with this content, so that a reader sees the old or the new one. With `durable`, the new
/// one is on disk when this returns.
pub(crate) fn replace(path: &Path, content: &[u8], durable: bool) -> Result<(), FileError> {
    let fresh = path.with_extension("new");
    let write = || {
        let mut file = File::create(&fresh)?;
        file.write_all(content)?;
        if durable { file.sync_all() } else { Ok(()) }
    };
    write().map_err(FileError::at(&fresh))?;
    fs::rename(&fresh, path).map_err(FileError::at(path))?;
    match path.parent() {
        Some(parent) if durable => sync_dir(parent),
        _ => Ok(()),
    }
}
