//! Loading a ledger: from closed segments by their side files, the last one by reading it through.
//!
//! A writer repairs what a crash left behind: it writes missing side files and cuts a torn tail off
//! ([`crate::recovery`]). A reader changes nothing, and reads the last segment as a follower does ([`crate::follow`]).

use crate::error::{Damage, FileError, OpenError};
use crate::layout::Layout;
use crate::log::Head;
use crate::lookup::Lookups;
use crate::recovery::{Tail, is_unborn, judge_tail, remove_unborn, settle};
use crate::scan::{Position, Scanned, scan_segment};
use crate::segment::{Look, Segment};
use crate::side::{self, SegmentEnd, SideFile};
use crate::storage::{Access, StoredFile};
use crate::witness::Witnesses;
use counterfoil_format::Hash;
use counterfoil_format::frame::{FrameError, SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::key::PublicKey;
use counterfoil_format::merkle::CompactRange;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A ledger's segments, ready to be read.
pub(crate) struct Loaded {
    pub sealed: Vec<Arc<Segment>>,
    pub active: Segment,
    pub head: Head,
    pub tree: CompactRange,
    /// What was found and mended on the way, in words for people.
    pub notices: Vec<String>,
}

/// Which side files of closed segments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sides {
    /// None: a reader writes nothing.
    Read,
    /// Those that are missing or do not hold.
    Mend,
    /// All of them, from the segments alone.
    Rebuild,
}

/// Loads what is there of a copy that may be cut: neither the checkpoint nor the state index is asked what is missing,
/// and nothing is written.
pub(crate) fn load_copy(layout: &Layout) -> Result<Loaded, OpenError> {
    load_with(layout, &Witnesses::default(), Sides::Read)
}

/// Loads the segments of a ledger for its writer, and repairs what a crash has left; the state index holds this many
/// rows, and this key seals, as far as it is known.
pub(crate) fn load(
    layout: &Layout,
    indexed: u64,
    sides: Sides,
    key: Option<&PublicKey>,
) -> Result<Loaded, OpenError> {
    let mut witnesses = Witnesses::gather(layout, Some(indexed));
    key.into_iter().for_each(|key| witnesses.hold_against(key));
    let mut loaded = match load_with(layout, &witnesses, sides) {
        Err(_) if witnesses.is_denied(layout) => {
            witnesses.disbelieve();
            load_with(layout, &witnesses, sides)
        }
        result => result,
    }?;
    loaded.notices.extend(witnesses.doubt(layout));
    Ok(loaded)
}

fn load_with(layout: &Layout, witnesses: &Witnesses, sides: Sides) -> Result<Loaded, OpenError> {
    let repair = sides != Sides::Read;
    layout.check()?;
    let mut notices = Vec::new();
    let (closed, last) = born_segments(layout, witnesses, repair, &mut notices)?;
    let (sealed, end) = load_closed(layout, &closed, sides, &mut notices)?;
    let (active, position) = load_last(layout, last, &end, witnesses, sides, &mut notices)?;
    Ok(Loaded { sealed, active, head: position.head(), tree: position.tree, notices })
}

/// The first rows of the closed segments and of the last one. A last segment whose header never became durable is none,
/// and with `repair` it is removed.
pub(crate) fn born_segments(
    layout: &Layout,
    witnesses: &Witnesses,
    repair: bool,
    notices: &mut Vec<String>,
) -> Result<(Vec<u64>, u64), OpenError> {
    let mut firsts = layout.segments()?;
    if let Some(last) = firsts.last().copied()
        && is_unborn(layout, last, witnesses)?
    {
        if repair {
            notices.push(remove_unborn(layout, last)?);
        }
        firsts.pop();
    }
    let last = firsts.pop().ok_or_else(|| layout.no_ledger("log/ holds no segment"))?;
    Ok((firsts, last))
}

/// Loads the closed segments of a ledger; yields where the last one of them ends.
pub(crate) fn load_closed(
    layout: &Layout,
    closed: &[u64],
    sides: Sides,
    notices: &mut Vec<String>,
) -> Result<(Vec<Arc<Segment>>, SegmentEnd), OpenError> {
    let mut end = SegmentEnd {
        rows: 0,
        bytes: 0,
        last_hash: Hash::ZERO,
        last_landed: i64::MIN,
        tree: CompactRange::starting_at(0),
    };
    let mut sealed = Vec::with_capacity(closed.len());
    for first in closed {
        let to_go_on = closed.last() == Some(first);
        let segment = load_one_closed(layout, *first, to_go_on, &mut end, sides, notices)?;
        sealed.push(Arc::new(segment));
    }
    Ok((sealed, end))
}

/// Opens a segment and checks that it follows what came before.
pub(crate) fn open_segment(
    layout: &Layout,
    first: u64,
    before: &SegmentEnd,
    write: bool,
) -> Result<(Arc<dyn StoredFile>, SegmentHeader), OpenError> {
    let path = layout.segment(first);
    if write {
        unshare(layout, &path)?;
    }
    let file = layout.open(&path, if write { Access::Write } else { Access::Read })?;
    let header = SegmentHeader::read(&*file).map_err(|error| frame_error(&path, 0, error))?;
    let broken = |reason: &str| OpenError::Broken { path: path.clone(), reason: reason.to_owned() };
    if header.first_seq != first {
        return Err(broken(&format!("its header begins at row {}, its name at {first}", header.first_seq)));
    }
    if first != before.tree.end() {
        return Err(broken(&format!("it begins at row {first} where row {} follows", before.tree.end())));
    }
    if header.previous != before.last_hash {
        return Err(broken("it does not continue the segment before it"));
    }
    Ok((file, header))
}

/// Takes a segment that has other names, as hard-linked copies have, for the ledger's own before it is written to, so
/// that no copy changes with it.
fn unshare(layout: &Layout, path: &Path) -> Result<(), FileError> {
    if !layout.storage().is_shared(path).map_err(FileError::at(path))? {
        return Ok(());
    }
    let shared = layout.open(path, Access::Read)?;
    let size = shared.size().map_err(FileError::at(path))?;
    layout.copy(&*shared, path, size, path)?;
    layout.sync_dir(&layout.log())
}

pub(crate) fn frame_error(path: &Path, offset: u64, error: FrameError) -> OpenError {
    let path = path.to_owned();
    match error {
        FrameError::Io(error) => FileError { path, error }.into(),
        FrameError::Version(_) => OpenError::Newer { path, error },
        error => Damage { path, offset, error }.into(),
    }
}

/// Loads a closed segment. `to_go_on` says that what its side file tells of its end is what the next rows build on.
fn load_one_closed(
    layout: &Layout,
    first: u64,
    to_go_on: bool,
    end: &mut SegmentEnd,
    sides: Sides,
    notices: &mut Vec<String>,
) -> Result<Segment, OpenError> {
    let path = layout.segment(first);
    let (file, header) = open_segment(layout, first, end, false)?;
    let size = file.size().map_err(FileError::at(&path))?;
    let side = if sides == Sides::Rebuild { None } else { SideFile::open(layout, &header, size) };
    let look = match side.filter(|side| !to_go_on || side.is_borne_out(&*file, &header)) {
        Some(side) => {
            *end = side.end.clone();
            Look::Side(side)
        }
        None => {
            let start = Position::start(&header, end.last_landed, end.tree.clone());
            let scanned = scan_segment(&*file, &header, Lookups::default(), start)
                .map_err(|error| frame_error(&path, 0, error))?;
            if let Some(error) = scanned.bad {
                return Err(frame_error(&path, scanned.position.offset, error));
            }
            *end = scanned.position.end(&header);
            let look = Look::Memory(scanned.lookups);
            if sides == Sides::Read { look } else { write_side(layout, &header, look, end, notices)? }
        }
    };
    let end_seq = first.saturating_add(end.rows);
    Ok(Segment { header, path, file, look, mended: OnceLock::new(), end: size, end_seq })
}

/// Writes the side file of a closed segment and reads from it; when it cannot be written, memory serves.
fn write_side(
    layout: &Layout,
    header: &SegmentHeader,
    look: Look,
    end: &SegmentEnd,
    notices: &mut Vec<String>,
) -> Result<Look, OpenError> {
    let Look::Memory(lookups) = &look else { return Ok(look) };
    let path = layout.side(header.first_seq);
    if let Err(error) = layout.replace(&path, &side::encode(header, lookups, end), false) {
        notices.push(format!("a side file could not be written, look-ups stay in memory: {error}"));
        return Ok(look);
    }
    notices.push(format!("rebuilt the side file {}", path.display()));
    Ok(SideFile::open(layout, header, end.bytes).map_or(look, Look::Side))
}

/// A last segment up to this size is read through whatever its side file covers: that costs little, and finds damage.
const READ_THROUGH: u64 = 4 * 1024 * 1024;

/// Where reading the last segment begins: behind what its side file covers, when it is large and the writer has left one
/// as it closed, and the segment bears it out.
pub(crate) fn begin_last(layout: &Layout, begun: Segment, before: &SegmentEnd) -> (Segment, Position) {
    let start = Position::start(&begun.header, before.last_landed, before.tree.clone());
    let covered = || {
        let size = begun.file.size().ok().filter(|size| *size > READ_THROUGH)?;
        let side = SideFile::open_within(layout, &begun.header, size)
            .filter(|side| side.is_borne_out(&*begun.file, &begun.header))?;
        let SegmentEnd { rows, bytes: offset, last_hash, last_landed, tree } = side.end.clone();
        let seq = begun.header.first_seq.checked_add(rows)?;
        let mut covered = Segment::begun(begun.header, begun.path.clone(), begun.file.clone());
        (covered.look, covered.end, covered.end_seq) = (Look::Memory(side.lookups().ok()?), offset, seq);
        Some((covered, Position { offset, seq, last_hash, last_landed, tree }))
    };
    covered().unwrap_or((begun, start))
}

fn load_last(
    layout: &Layout,
    first: u64,
    before: &SegmentEnd,
    witnesses: &Witnesses,
    sides: Sides,
    notices: &mut Vec<String>,
) -> Result<(Segment, Position), OpenError> {
    let repair = sides != Sides::Read;
    let path = layout.segment(first);
    let (file, header) = open_segment(layout, first, before, repair)?;
    let begun = Segment::begun(header, path.clone(), file.clone());
    let (segment, start) = match sides {
        Sides::Rebuild => (begun, Position::start(&header, before.last_landed, before.tree.clone())),
        _ => begin_last(layout, begun, before),
    };
    let lookups = match segment.look {
        Look::Memory(lookups) => lookups,
        Look::Side(_) => Lookups::default(),
    };
    let scanned = scan_segment(&*file, &header, lookups, start);
    let Scanned { lookups, position, bad } = scanned.map_err(|error| frame_error(&path, 0, error))?;
    let tail = Tail { file: &*file, path: &path, header: &header, position: &position };
    let cut = judge_tail(layout, &tail, bad, witnesses, repair)?;
    let end = position.offset.max(SEGMENT_HEADER_BYTES as u64);
    if repair {
        settle(&tail, lookups.groups.as_slice(), end, witnesses, cut.is_some())?;
    }
    notices.extend(cut);
    let end_seq = position.seq;
    let look = Look::Memory(lookups);
    Ok((Segment { header, path, file, look, mended: OnceLock::new(), end, end_seq }, position))
}
