//! Where things lie in a ledger's directory, and the lock of its one writer.

use crate::error::{FileError, OpenError};
use crate::storage::{Access, Disk, Kind, Lock, Storage, StoredFile};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the name of a file ends in until the file is whole.
pub(crate) const UNFINISHED: &str = ".unfinished";

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

    /// The paths below another directory of the same file system.
    pub(crate) fn elsewhere(&self, root: &Path) -> Self {
        Self::on(root, self.storage.clone())
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

    /// States at some rows.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// Signed submissions that other processes leave for the writer.
    pub fn inbox(&self) -> PathBuf {
        self.root.join("inbox")
    }

    /// Bytes cut from a torn tail, state indexes moved aside, and posts that were refused.
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
        match (self.is_dir(&self.root), self.is_dir(&self.log())) {
            (true, true) if !self.segments()?.is_empty() => Ok(()),
            (true, true) => Err(self.no_ledger("log/ holds no segment")),
            (true, false) => Err(self.no_ledger("it has no directory log/")),
            (false, _) => Err(self.no_ledger("there is no such directory")),
        }
    }

    pub(crate) fn no_ledger(&self, reason: &'static str) -> OpenError {
        OpenError::NotALedger { path: self.root.clone(), reason }
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

    /// Makes the name of the ledger's own directory durable, as far as the directory above may be opened.
    pub(crate) fn sync_parent(&self) -> Result<(), FileError> {
        self.root.parent().map_or(Ok(()), |parent| self.sync_if_allowed(parent))
    }

    /// Makes the names of the directories above durable, in which the ledger's own directory lies: all or some of them
    /// may have been made for it.
    pub(crate) fn sync_above(&self) -> Result<(), FileError> {
        self.root.ancestors().skip(2).try_for_each(|dir| self.sync_if_allowed(dir))
    }

    /// The same for a directory that is not the ledger's, as far as it may be opened and can be synced.
    fn sync_if_allowed(&self, dir: &Path) -> Result<(), FileError> {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        match self.sync_dir(dir) {
            Err(refused)
                if matches!(refused.error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) =>
            {
                Ok(())
            }
            result => result,
        }
    }

    /// Replaces a file by one with this content, so that a reader sees the old or the new one. With `whole`, so does who
    /// comes after a crash; it is the new one for sure once the directory is synced.
    pub(crate) fn replace(&self, path: &Path, content: &[u8], whole: bool) -> Result<(), FileError> {
        let fresh = path.with_extension("new");
        let write = || {
            let file = self.storage.open(&fresh, Access::Replace)?;
            file.write_at(0, content)?;
            if whole { file.sync_all() } else { Ok(()) }
        };
        write().map_err(FileError::at(&fresh))?;
        self.storage.rename(&fresh, path).map_err(FileError::at(path))
    }

    /// Writes the first bytes of an open file to a file of another path, in place of the one that is there, so that a
    /// crash leaves the old or the new one. The bytes are on disk when this returns; the name is once the directory is
    /// synced.
    pub(crate) fn copy(
        &self,
        from: &dyn StoredFile,
        path: &Path,
        size: u64,
        to: &Path,
    ) -> Result<(), FileError> {
        let fresh = unfinished(to);
        self.discard(&fresh)?;
        let copied = self.copy_range(from, path, 0..size, &fresh);
        let named = copied.and_then(|()| self.storage.rename(&fresh, to).map_err(FileError::at(to)));
        if named.is_err() {
            // A disk that is full has room again.
            let _ = self.discard(&fresh);
        }
        named
    }

    /// Gives a file the name `to` as well, in place of the one that has it. The names are durable once the directory is
    /// synced.
    pub(crate) fn link(&self, file: &Path, to: &Path) -> Result<(), FileError> {
        let fresh = unfinished(to);
        self.discard(&fresh)?;
        self.storage.hard_link(file, &fresh).map_err(FileError::at(&fresh))?;
        self.storage.rename(&fresh, to).map_err(FileError::at(to))?;
        // Where `to` was a name of this very file, renaming does nothing, and leaves both names.
        self.discard(&fresh)
    }

    /// Copies bytes of an open file to a new file, durably but for its name.
    pub(crate) fn copy_range(
        &self,
        from: &dyn StoredFile,
        path: &Path,
        range: Range<u64>,
        to: &Path,
    ) -> Result<(), FileError> {
        let out = self.open(to, Access::CreateNew)?;
        let start = range.start;
        let write = |offset, piece: &[u8]| out.write_at(offset - start, piece).map_err(FileError::at(to));
        pieces(from, path, range, write)?;
        out.sync_all().map_err(FileError::at(to))
    }

    /// Removes a file, when there is one. A file that a crash left unfinished may be another name of a segment: it is
    /// removed, and never written over.
    pub(crate) fn discard(&self, path: &Path) -> Result<(), FileError> {
        match self.storage.kind(path) {
            Some(_) => self.storage.remove(path).map_err(FileError::at(path)),
            None => Ok(()),
        }
    }
}

/// Reads a range of an open file piece by piece, and hands each piece on with its offset.
pub(crate) fn pieces(
    file: &dyn StoredFile,
    path: &Path,
    range: Range<u64>,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let mut offset = range.start;
    let mut chunk = vec![0; 1 << 20];
    while offset < range.end {
        let length = usize::try_from(range.end - offset).unwrap_or(chunk.len()).min(chunk.len());
        let piece = chunk.get_mut(..length).unwrap_or_default();
        file.read_exact_at(offset, piece).map_err(FileError::at(path))?;
        take(offset, piece)?;
        offset += length as u64;
    }
    Ok(())
}

/// The name of a file until it is whole. In a ledger's directory nothing but [`Layout::copy`] and [`Layout::link`] uses
/// it, and beside key files nothing but what encrypts and decrypts them.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}
