//! Recovery: what a writer does about the end of the last segment when it opens a ledger.
//!
//! A group at offset X that cannot be read is **corruption**, and the ledger is not opened, when anything says that X
//! was durable: the checkpoint file or the state index names rows at or behind it, or a later intact group says
//! `durable_upto` above X. Otherwise it is a **torn tail** of a write that nobody was told of: its bytes are kept in
//! `quarantine/`, and then cut off. A log that ends cleanly but short of what the checkpoint or the index names has
//! lost rows, and is not opened either.
//!
//! What cannot be told from a torn tail is damage to the very last group when nothing written later names it. A
//! checkpoint kept elsewhere can tell.

use crate::error::{FileError, OpenError};
use crate::layout::{Layout, pieces};
use crate::load::frame_error;
use crate::lookup::GroupAt;
use crate::scan::{Position, later_groups};
use crate::storage::{Access, StoredFile};
use crate::witness::Witnesses;
use counterfoil_format::frame::{FrameError, SEGMENT_HEADER_BYTES, SegmentHeader};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The end of the last segment.
pub(crate) struct Tail<'a> {
    pub file: &'a dyn StoredFile,
    pub path: &'a Path,
    pub header: &'a SegmentHeader,
    pub position: &'a Position,
}

/// Decides about the end of the last segment; yields what was done, in words. Without `repair` nothing is changed.
pub(crate) fn judge_tail(
    layout: &Layout,
    tail: &Tail<'_>,
    bad: Option<FrameError>,
    witnesses: &Witnesses,
    repair: bool,
) -> Result<Option<String>, OpenError> {
    let offset = tail.position.offset;
    let witness = witnesses.of_more_than(layout, tail.position.seq);
    let Some(error) = bad else {
        return match witness {
            None => Ok(None),
            Some(witness) => Err(OpenError::Broken {
                path: tail.path.to_owned(),
                reason: format!(
                    "rows are missing at its end: {witness}. If an older copy was put here on purpose, remove that \
                     file or directory"
                ),
            }),
        };
    };
    let later = later_groups(tail.file, &tail.header.salt, offset);
    let later = later.map_err(|error| frame_error(tail.path, offset, error))?;
    // Left out only to show that tests fail without it.
    let later = if cfg!(counterfoil_without = "durable_upto") { Vec::new() } else { later };
    if witness.is_some() || later.iter().any(|durable_upto| *durable_upto > offset) {
        return Err(frame_error(tail.path, offset, error));
    }
    if repair { cut(layout, tail, offset).map(Some) } else { Ok(None) }
}

/// Makes the last segment durable as it was read. A process that died, or a sync that failed, may have left bytes in
/// memory alone, where a failed sync makes the system take them for written: so whatever no witness names is written
/// again before it is synced.
pub(crate) fn settle(
    tail: &Tail<'_>,
    groups: &[GroupAt],
    end: u64,
    witnesses: &Witnesses,
    changed: bool,
) -> Result<(), FileError> {
    let named = witnesses.settled();
    let unnamed = groups.iter().find(|group| group.first_seq >= named).map_or(end, |group| group.offset);
    let from = if tail.header.first_seq >= named { 0 } else { unnamed };
    let write = |offset, piece: &[u8]| tail.file.write_at(offset, piece).map_err(FileError::at(tail.path));
    pieces(tail.file, tail.path, from..end, write)?;
    if changed || from < end { tail.file.sync_all().map_err(FileError::at(tail.path)) } else { Ok(()) }
}

/// Keeps the bytes of a torn tail, and cuts it off.
fn cut(layout: &Layout, tail: &Tail<'_>, offset: u64) -> Result<String, OpenError> {
    let at = FileError::at;
    let size = tail.file.size().map_err(at(tail.path))?;
    let name = tail.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("segment");
    let kept = keep(layout, tail.file, tail.path, offset..size, &format!("{name}-{offset}"))?;
    tail.file.truncate(offset).map_err(at(tail.path))?;
    Ok(format!(
        "{}: the last {} bytes, from offset {offset}, were a write that a crash cut short and nobody was told of; \
         they are kept in {}",
        tail.path.display(),
        size - offset,
        kept.display()
    ))
}

/// Copies bytes to a new file in quarantine, durably.
fn keep(
    layout: &Layout,
    file: &dyn StoredFile,
    path: &Path,
    range: Range<u64>,
    name: &str,
) -> Result<PathBuf, FileError> {
    let quarantine = layout.quarantine();
    layout.storage().create_dirs(&quarantine).map_err(FileError::at(&quarantine))?;
    let free = |number: u32| quarantine.join(format!("{name}.{number}.torn"));
    let target = (0..u32::MAX)
        .map(free)
        .find(|target| layout.storage().kind(target).is_none())
        .unwrap_or_else(|| free(u32::MAX));
    let bytes = range.end.saturating_sub(range.start);
    if let Err(failed) = layout.copy_range(file, path, range, &target) {
        // Half a copy is of no use, and a full disk needs the room.
        let _ = layout.discard(&target);
        return Err(
            failed.adding(&format!("{bytes} bytes are kept here before they are cut; make room for them"))
        );
    }
    layout.sync_dir(&quarantine)?;
    layout.sync_dir(layout.root())?;
    Ok(target)
}

/// Whether a last segment's header never became durable: a crash, or a look beside a writer, came between its creation
/// and its first sync, so no row can be in it.
pub(crate) fn is_unborn(layout: &Layout, first: u64, witnesses: &Witnesses) -> Result<bool, OpenError> {
    let path = layout.segment(first);
    let file = layout.open(&path, Access::Read)?;
    let size = file.size().map_err(FileError::at(&path))?;
    let headless = match SegmentHeader::read(&*file) {
        Ok(_) | Err(FrameError::Version(_) | FrameError::Io(_)) => false,
        Err(_) => first > 0 && size <= SEGMENT_HEADER_BYTES as u64,
    };
    Ok(headless && witnesses.of_more_than(layout, first).is_none())
}

/// Removes a segment whose header never became durable. Its bytes are kept.
pub(crate) fn remove_unborn(layout: &Layout, first: u64) -> Result<String, OpenError> {
    let path = layout.segment(first);
    let file = layout.open(&path, Access::Read)?;
    let size = file.size().map_err(FileError::at(&path))?;
    let kept = keep(layout, &*file, &path, 0..size, &format!("{first:020}-header"))?;
    layout.storage().remove(&path).map_err(FileError::at(&path))?;
    layout.sync_dir(&layout.log())?;
    Ok(format!(
        "{}: a crash came before this segment's header was on disk; its bytes are kept in {}",
        path.display(),
        kept.display()
    ))
}
