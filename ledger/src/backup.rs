//! Backup: a copy of a ledger that is a ledger itself, made beside the writer and brought up to date by the next run.
//!
//! # What is copied
//!
//! The segments, up to the end of the last group that is durable; their side files, where there are any; and the
//! newest seal of just these rows, as the file `checkpoint`. What can be rebuilt (`index/`, `tile/`), what only people
//! read (`quarantine/`) and what has not landed (`inbox/`) stays behind. **Secret keys are never copied.**
//!
//! # Links
//!
//! A closed segment never changes, so the copy may be another name of the same file. The last segment of a copy is
//! always a file of its own: whoever opens the copy for writing writes to that one. When a run that was cut short has
//! left a link last, opening for writing makes a file of its own of it first (`load.rs`).
//!
//! # Order and sync
//!
//! 1. The source's segments and their names are synced: a link is no safer than the file, and what the copy holds must
//!    never be taken back by a power cut here.
//! 2. Segment by segment in row order: written under a name of its own, synced, renamed, directory synced. So at every
//!    moment the copy holds the first rows of the ledger, and at least those it held before.
//! 3. The checkpoint, when all rows that it names are there, and the copy's own directory.
//!
//! Nothing is ever written to a file that is there already. A run that was cut short is completed by the next one,
//! which syncs what it finds: nobody knows how far the one before it came. So a copy that was reported is durable.

use crate::error::{BackupError, FileError, OpenError, ReadError};
use crate::layout::{Layout, UNFINISHED};
use crate::load::{Loaded, load_copy};
use crate::log::{Head, Log};
use crate::segment::SegmentFile;
use crate::storage::{Access, Kind, StoredFile};
use counterfoil_format::Hash;
use counterfoil_format::codec::CodecError;
use counterfoil_format::frame::{SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::group::GroupHeader;
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::note::{Checkpoint, SignedNote};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Whether closed segments of a copy may be other names of the ledger's own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// Wherever the file system can do it. Such a copy costs no space and no time, and survives mistakes, but not the
    /// disk.
    Allowed,
    /// Never: every byte of the copy is there twice, also of segments that an earlier run has linked.
    Never,
}

/// What a backup did.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// The end of the copy.
    pub head: Head,
    /// How many rows the copy held before.
    pub rows_before: u64,
    /// Segments that were there already, byte for byte.
    pub kept: u64,
    /// Segments that are other names of the ledger's own files since this run.
    pub linked: u64,
    /// Segments whose bytes the disk holds once for the copy and for somebody else, linked in this run or in an earlier
    /// one.
    pub shared: u64,
    /// Segments that were copied in this run.
    pub copied: u64,
    /// Bytes of those.
    pub bytes_copied: u64,
    /// The seal at the end of the copy, which is its file `checkpoint`.
    pub checkpoint: SignedNote,
}

impl Log {
    /// Brings a directory up to date as a copy of this log: a new or empty one, or an older copy of the same ledger.
    /// The copy ends where this log ended when it began; a writer may go on beside it. It is a ledger in itself, but
    /// for the secret keys: copied back, with the keys put beside it, it goes on.
    ///
    /// Whoever needs to know that the bytes are right verifies the copy afterwards, as `counterfoil backup` does.
    ///
    /// # Errors
    ///
    /// A directory that holds anything else is refused, above all another ledger, another history of this one, or one
    /// with more rows than this log. Nothing in it is changed then.
    pub fn backup(&self, dest: &Path, linking: Linking) -> Result<BackupReport, BackupError> {
        let (segments, head) = self.segments();
        let checkpoint = self.seal_at(head.size)?;
        let dest = self.layout().elsewhere(dest);
        check_place(self.layout(), &dest)?;
        prepare(&dest)?;
        // A path may lead elsewhere now that all of it exists.
        check_place(self.layout(), &dest)?;
        let _lock = dest.lock()?;
        let rows_before = self.rows_that_agree(&dest, &segments, &head)?;
        sync_source(self.layout(), &segments)?;
        clear(&dest, &segments)?;
        let (kept, linked, shared, copied, bytes_copied) = Default::default();
        let mut report =
            BackupReport { head, rows_before, kept, linked, shared, copied, bytes_copied, checkpoint };
        for (place, segment) in segments.iter().enumerate() {
            let is_last = place + 1 == segments.len();
            put(self.layout(), &dest, segment, is_last, linking, &mut report)?;
        }
        put_checkpoint(&dest, &report.checkpoint.to_string())?;
        confirm(&dest, &head)?;
        Ok(report)
    }

    /// How many rows a destination holds, all of which are this log's rows.
    fn rows_that_agree(
        &self,
        dest: &Layout,
        segments: &[SegmentFile],
        head: &Head,
    ) -> Result<u64, BackupError> {
        if dest.segments()?.is_empty() {
            return Ok(0);
        }
        let loaded = load_copy(dest).map_err(BackupError::Copy)?;
        let there = loaded.active.header.ledger_id;
        if there != self.ledger_id() {
            return Err(BackupError::OtherLedger { dest: dest.root().into(), there, here: self.ledger_id() });
        }
        let rows = loaded.head.size;
        if rows > 0 {
            self.compare(dest, loaded, segments, head)?;
        }
        self.compare_checkpoint(dest, rows, head)?;
        Ok(rows)
    }

    /// Holds the rows of a copy against this log's.
    fn compare(
        &self,
        dest: &Layout,
        loaded: Loaded,
        segments: &[SegmentFile],
        head: &Head,
    ) -> Result<(), BackupError> {
        let copy = Log::from_loaded(dest.clone(), loaded).map_err(BackupError::Copy)?;
        let root = || dest.root().to_owned();
        let size = copy.head().size;
        if let Some(row) = first_difference(self, &copy, size.min(head.size))? {
            let previous = row.checked_sub(1).map_or(Ok(Hash::ZERO), |before| row_hash(self, before))?;
            let (here, there) = (proven_hash(self, row, &previous)?, proven_hash(&copy, row, &previous)?);
            return Err(BackupError::Fork { dest: root(), row, there, here });
        }
        if size > head.size {
            return Err(BackupError::Ahead { dest: root(), there: size, here: head.size });
        }
        let (theirs, _) = copy.segments();
        let cut_here = |first: u64| segments.iter().any(|segment| segment.header.first_seq == first);
        match theirs.iter().map(|segment| segment.header.first_seq).find(|first| !cut_here(*first)) {
            Some(row) => Err(BackupError::OtherSegments { dest: root(), row }),
            None => Ok(()),
        }
    }

    /// Holds the checkpoint of a copy against this log, when it names rows that the copy has lost: they must be this
    /// log's rows too.
    fn compare_checkpoint(&self, dest: &Layout, rows: u64, head: &Head) -> Result<(), BackupError> {
        let path = dest.checkpoint();
        let note = match dest.storage().read(&path) {
            Ok(bytes) => SignedNote::parse(&bytes).ok(),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // Nobody knows what it names.
            Err(error) => return Err(FileError { path, error }.into()),
        };
        let note = note.filter(|note| !self.denies(note));
        let Some(Checkpoint { size, root, .. }) = note.and_then(|note| Checkpoint::parse(&note.text).ok())
        else {
            return Ok(());
        };
        if size <= rows {
            return Ok(());
        }
        if size > head.size {
            return Err(BackupError::Ahead { dest: dest.root().into(), there: size, here: head.size });
        }
        let mut tree = CompactRange::starting_at(0);
        self.scan::<ReadError>(0..size, |row| {
            tree.push(row_leaf(&row.row_hash));
            Ok(ControlFlow::Continue(()))
        })?;
        match tree.root() == Some(root) {
            true => Ok(()),
            false => Err(BackupError::LostFork { checkpoint: dest.checkpoint(), rows, size }),
        }
    }
}

/// Refuses a destination that lies in the ledger or in another, and one that is neither a ledger nor empty. Nothing is changed.
fn check_place(source: &Layout, dest: &Layout) -> Result<(), BackupError> {
    let storage = dest.storage();
    let resolved = |path: &Path| storage.resolve(path).map_err(FileError::at(path));
    let mut existing = dest.root().to_owned();
    while storage.kind(&existing).is_none() {
        existing = match existing.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
    }
    let inside =
        |ledger: &Path| Err(BackupError::Inside { dest: dest.root().into(), ledger: ledger.to_owned() });
    let at = resolved(&existing)?;
    if at.starts_with(resolved(source.root())?) {
        return inside(source.root());
    }
    // A destination that exists may be a ledger itself: an older copy.
    let around = at.ancestors().skip(usize::from(existing == dest.root()));
    let is_ledger = |dir: &&Path| dest.elsewhere(dir).check().is_ok();
    if let Some(other) = around.into_iter().find(is_ledger) {
        return inside(other);
    }
    let occupied = || BackupError::Occupied(dest.root().to_owned());
    match storage.kind(dest.root()) {
        None => return Ok(()),
        Some(Kind::File) => return Err(occupied()),
        Some(Kind::Directory) => {}
    }
    let list = |dir: &Path| storage.list(dir).map_err(FileError::at(dir));
    let log = if dest.is_dir(&dest.log()) { list(&dest.log())? } else { Vec::new() };
    if log.iter().any(|name| name.ends_with(".seg")) {
        return Ok(());
    }
    // What a first run that was cut short may have left.
    let ours = |name: &String| name == "LOCK" || name == "log";
    let empty = list(dest.root())?.iter().all(ours) && log.iter().all(|name| name.ends_with(UNFINISHED));
    if empty { Ok(()) } else { Err(occupied()) }
}

/// Makes the destination's directories. Those that are there may have been made by a run that died before it synced
/// their names.
fn prepare(dest: &Layout) -> Result<(), FileError> {
    if !dest.is_dir(&dest.log()) {
        dest.storage().create_dirs(&dest.log()).map_err(FileError::at(&dest.log()))?;
    }
    dest.sync_dir(dest.root())?;
    dest.sync_parent()?;
    dest.sync_above()
}

/// Makes the source durable: a copy that links its files is no safer than they are, and no power cut may take back what
/// the copy holds. Nobody may have synced it, when it was put there by hand.
fn sync_source(source: &Layout, segments: &[SegmentFile]) -> Result<(), FileError> {
    segments.iter().try_for_each(|segment| sync_file(source, &segment.path))?;
    source.sync_dir(&source.log())?;
    source.sync_dir(source.root())?;
    source.sync_parent()
}

/// Removes what is in the way: files that a crash left unfinished, and segments without rows.
fn clear(dest: &Layout, segments: &[SegmentFile]) -> Result<(), FileError> {
    let log = dest.log();
    for name in dest.storage().list(&log).map_err(FileError::at(&log))? {
        if name.ends_with(UNFINISHED) {
            dest.discard(&log.join(name))?;
        }
    }
    // One that holds rows and is not the source's was refused.
    let known = |first: &u64| segments.iter().any(|segment| segment.header.first_seq == *first);
    for first in dest.segments()?.iter().filter(|first| !known(first)) {
        dest.discard(&dest.segment(*first))?;
    }
    dest.sync_dir(&log)
}

/// Puts a segment into the destination, unless it is there.
fn put(
    source: &Layout,
    dest: &Layout,
    segment: &SegmentFile,
    is_last: bool,
    linking: Linking,
    report: &mut BackupReport,
) -> Result<(), FileError> {
    let first = segment.header.first_seq;
    let path = dest.segment(first);
    let may_link = linking == Linking::Allowed && !is_last;
    let is_shared = || dest.storage().is_shared(&path).map_err(FileError::at(&path));
    let is_kept =
        dest.storage().kind(&path).is_some() && is_same(dest, segment, &path)? && (may_link || !is_shared()?);
    if is_kept {
        sync_file(dest, &path)?;
        report.kept += 1;
    } else if may_link && dest.link(&segment.path, &path).is_ok() {
        report.linked += 1;
    } else {
        dest.copy(&*segment.file, &segment.path, segment.end, &path)?;
        report.copied += 1;
        report.bytes_copied += segment.end;
    }
    report.shared += u64::from(is_shared()?);
    dest.sync_dir(&dest.log())?;
    let has_side = is_kept && dest.storage().kind(&dest.side(first)).is_some();
    if !is_last && !has_side {
        put_side(source, dest, first, may_link);
    }
    Ok(())
}

/// Puts the checkpoint into the destination, unless it is there.
fn put_checkpoint(dest: &Layout, note: &str) -> Result<(), FileError> {
    let path = dest.checkpoint();
    if dest.storage().read(&path).ok().as_deref() == Some(note.as_bytes()) {
        sync_file(dest, &path)?;
    } else {
        dest.replace(&path, note.as_bytes(), true)?;
    }
    dest.sync_dir(dest.root())
}

/// Makes a file durable that somebody else has written. The handle is one of its own, so that an error of the disk is
/// told to both.
fn sync_file(layout: &Layout, path: &Path) -> Result<(), FileError> {
    layout.open(path, Access::Read)?.sync_data().map_err(FileError::at(path))
}

/// Puts the side file of a closed segment into the destination. One that is missing is rebuilt when it is needed, so
/// that no backup fails for it.
fn put_side(source: &Layout, dest: &Layout, first: u64, may_link: bool) {
    let (from, to) = (source.side(first), dest.side(first));
    if may_link && dest.link(&from, &to).is_ok() {
        return;
    }
    let copied = source.open(&from, Access::Read).and_then(|file| {
        let size = file.size().map_err(FileError::at(&from))?;
        dest.copy(&*file, &from, size, &to)
    });
    let _ = copied;
}

/// Whether a file holds the segment as it is now: the same size, and the same headers of segment and groups. These hold
/// the checksums of all bytes, so a segment from which something was erased since is another one.
fn is_same(dest: &Layout, segment: &SegmentFile, path: &Path) -> Result<bool, FileError> {
    let copy = dest.open(path, Access::Read)?;
    if copy.size().map_err(FileError::at(path))? != segment.end {
        return Ok(false);
    }
    if SegmentHeader::read(&*copy).ok() != Some(segment.header) {
        return Ok(false);
    }
    let SegmentFile { header, file, end, .. } = segment;
    let mut offset = SEGMENT_HEADER_BYTES as u64;
    while offset < *end {
        let group = |file: &dyn StoredFile| GroupHeader::read(file, offset, *end, &header.salt).ok();
        match (group(&**file), group(&*copy)) {
            (Some(here), Some(there)) if here == there => offset += here.group_bytes(),
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The first of so many rows that two logs hold differently. Rows are chained, so behind it all differ.
fn first_difference(here: &Log, there: &Log, rows: u64) -> Result<Option<u64>, ReadError> {
    let differs = |row| Ok::<_, ReadError>(row_hash(here, row)? != row_hash(there, row)?);
    let Some(last) = rows.checked_sub(1) else { return Ok(None) };
    if !differs(last)? {
        return Ok(None);
    }
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low + (high - low) / 2;
        if differs(middle)? { high = middle } else { low = middle + 1 }
    }
    Ok(Some(low))
}

fn row_hash(log: &Log, row: u64) -> Result<Hash, ReadError> {
    Ok(log.row(row)?.parse()?.row_hash)
}

/// The hash of a row, which must follow from its bytes: a row that has decayed is no other history.
fn proven_hash(log: &Log, seq: u64, previous: &Hash) -> Result<Hash, ReadError> {
    let stored = log.row(seq)?;
    let row = stored.parse()?;
    let hashes = row.hashes(&mut Vec::new()).map_err(|error| log.damaged(seq, error))?;
    match row.chained(previous, &hashes.intent) == row.row_hash {
        true => Ok(row.row_hash),
        false => {
            Err(log.damaged(seq, CodecError::Inconsistent("the row's hash does not follow from its bytes")))
        }
    }
}

/// Reads the copy, and holds its end against the ledger's.
fn confirm(dest: &Layout, head: &Head) -> Result<(), BackupError> {
    let found = load_copy(dest).map_err(BackupError::Copy)?.head;
    if found == *head {
        return Ok(());
    }
    let reason =
        format!("the copy ends with {} rows, and not as the {} rows of the ledger", found.size, head.size);
    Err(BackupError::Copy(OpenError::Broken { path: dest.root().to_owned(), reason }))
}
