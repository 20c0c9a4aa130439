//! Reading a segment front to back: the one place where groups are walked, checked and taken apart.

use crate::log::Head;
use crate::lookup::{Entry, GroupAt, Lookups};
use crate::side::SegmentEnd;
use counterfoil_format::Hash;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::check_parts;
use counterfoil_format::frame::{FrameError, ReadAt, SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::group::{ALIGNMENT, GROUP_HEADER_BYTES, GROUP_MAGIC, GroupBody, GroupHeader};
use counterfoil_format::intent::Micros;
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::row::Row;

/// Where a scan stands: everything that links the next group to the rows before it.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub offset: u64,
    pub seq: u64,
    pub last_hash: Hash,
    pub last_landed: Micros,
    pub tree: CompactRange,
}

/// A segment that was read through.
pub(crate) struct Scanned {
    pub lookups: Lookups,
    pub position: Position,
    /// The group that could not be read, which is where the scan ended.
    pub bad: Option<FrameError>,
}

impl Position {
    /// The place before a segment's first group.
    pub fn start(header: &SegmentHeader, last_landed: Micros, tree: CompactRange) -> Self {
        let offset = SEGMENT_HEADER_BYTES as u64;
        Position { offset, seq: header.first_seq, last_hash: header.previous, last_landed, tree }
    }

    /// Whether a group with this header continues the rows before this place.
    pub fn precedes(&self, group: &GroupHeader) -> bool {
        group.first_seq == self.seq && group.previous == self.last_hash && group.durable_upto <= self.offset
    }

    /// The end of the log, when it ends here.
    pub fn head(&self) -> Head {
        let root = self.tree.root().unwrap_or_default();
        Head { size: self.seq, root, row_hash: self.last_hash, landed_at: self.last_landed }
    }

    /// What a side file says of a segment that ends here.
    pub fn end(&self, header: &SegmentHeader) -> SegmentEnd {
        SegmentEnd {
            rows: self.seq - header.first_seq,
            bytes: self.offset,
            last_hash: self.last_hash,
            last_landed: self.last_landed,
            tree: self.tree.clone(),
        }
    }
}

/// One group that holds.
pub(crate) struct ScannedGroup {
    pub at: GroupAt,
    pub entries: Vec<Entry>,
    /// The place behind it.
    pub next: Position,
    /// Up to where the segment was durable when the group was written.
    pub durable_upto: u64,
}

/// Buffers that are used again from group to group.
#[derive(Default)]
pub(crate) struct Buffers {
    body: Vec<u8>,
    scratch: Vec<u8>,
}

/// Reads a segment from a place on, behind the rows that are in the look-ups, checking checksums, encodings, numbers, chain and roots, until its end
/// or the first group that does not hold.
pub(crate) fn scan_segment<R: ReadAt + ?Sized>(
    source: &R,
    header: &SegmentHeader,
    lookups: Lookups,
    start: Position,
) -> Result<Scanned, FrameError> {
    let size = source.size()?;
    let mut scanned = Scanned { lookups, position: start, bad: None };
    let mut buffers = Buffers::default();
    while scanned.position.offset < size {
        match scan_group(source, header, size, &scanned.position, &mut buffers) {
            Ok(group) => {
                scanned.position = group.next;
                scanned.lookups.groups.push(group.at);
                group.entries.iter().for_each(|entry| scanned.lookups.push(entry));
            }
            Err(FrameError::Io(error)) => return Err(error.into()),
            Err(error) => {
                scanned.bad = Some(error);
                break;
            }
        }
    }
    Ok(scanned)
}

/// The look-ups of a closed segment of `size` bytes, whose chain was checked before. Groups are checked by their
/// checksums. The error says where a group does not hold.
pub(crate) fn read_lookups<R: ReadAt + ?Sized>(
    source: &R,
    header: &SegmentHeader,
    size: u64,
) -> Result<Lookups, (u64, FrameError)> {
    let mut lookups = Lookups::default();
    let mut body = Vec::new();
    let mut offset = SEGMENT_HEADER_BYTES as u64;
    while offset < size {
        let mut read = || {
            let group = GroupHeader::read(source, offset, size, &header.salt)?;
            group.read_body(source, offset, &header.salt, &mut body)?;
            for (at, bytes) in GroupBody::parse(&group, &body)?.rows() {
                lookups.push(&Entry::of(&Row::parse(bytes)?, offset + (GROUP_HEADER_BYTES + at) as u64)?);
            }
            lookups.groups.push(GroupAt { first_seq: group.first_seq, offset });
            Ok(group.group_bytes())
        };
        offset += read().map_err(|error| (offset, error))?;
    }
    Ok(lookups)
}

/// Reads the group at a position of a segment of `size` bytes, and checks all that is to be checked of it.
pub(crate) fn scan_group<R: ReadAt + ?Sized>(
    source: &R,
    header: &SegmentHeader,
    size: u64,
    position: &Position,
    buffers: &mut Buffers,
) -> Result<ScannedGroup, FrameError> {
    let offset = position.offset;
    let Buffers { body, scratch } = buffers;
    let group = GroupHeader::read(source, offset, size, &header.salt)?;
    group.read_body(source, offset, &header.salt, body)?;
    if !position.precedes(&group) {
        return Err(CodecError::Inconsistent("the group does not follow the one before").into());
    }
    let mut next = position.clone();
    let parsed = GroupBody::parse(&group, body)?;
    let mut entries = Vec::with_capacity(group.rows as usize);
    for (at, bytes) in parsed.rows() {
        let row = Row::parse(bytes)?;
        check_parts(&row)?;
        follow(&mut next, &row, scratch)?;
        entries.push(Entry::of(&row, offset + (GROUP_HEADER_BYTES + at) as u64)?);
    }
    if next.tree.root() != Some(parsed.seal.root) {
        return Err(CodecError::Inconsistent("the seal's root is not that of the rows").into());
    }
    next.offset = offset + group.group_bytes();
    let at = GroupAt { first_seq: group.first_seq, offset };
    Ok(ScannedGroup { at, entries, next, durable_upto: group.durable_upto })
}

/// Moves past a row that must follow what came before.
fn follow(next: &mut Position, row: &Row<'_>, scratch: &mut Vec<u8>) -> Result<(), CodecError> {
    let hashes = row.hashes(scratch)?;
    let follows = row.landing.seq == next.seq
        && row.landing.landed_at >= next.last_landed
        && row.landing.rollback == hashes.rollback
        && row.chained(&next.last_hash, &hashes.intent) == row.row_hash;
    if !follows {
        return Err(CodecError::Inconsistent("a row does not follow the one before"));
    }
    next.seq += 1;
    next.last_hash = row.row_hash;
    next.last_landed = row.landing.landed_at;
    next.tree.push(row_leaf(&row.row_hash));
    Ok(())
}

/// The `durable_upto` of each intact group behind an offset, wherever it begins. Only headers whose checksum matches
/// are believed, so the search is linear in the bytes.
pub(crate) fn later_groups<R: ReadAt + ?Sized>(
    source: &R,
    salt: &[u8; 16],
    after: u64,
) -> Result<Vec<u64>, FrameError> {
    const WINDOW: usize = 1 << 20;
    let size = source.size()?;
    let step = ALIGNMENT as u64;
    let mut found = Vec::new();
    let mut window = Vec::new();
    let mut base = after.next_multiple_of(step) + if after.is_multiple_of(step) { step } else { 0 };
    let mut skip_to = base;
    while base < size {
        window.resize(usize::try_from(size - base).unwrap_or(WINDOW).min(WINDOW), 0);
        source.read_exact_at(base, &mut window)?;
        for (place, bytes) in window.chunks(ALIGNMENT).enumerate() {
            let offset = base + place as u64 * step;
            if offset < skip_to || !bytes.starts_with(GROUP_MAGIC) {
                continue;
            }
            let mut body = Vec::new();
            if let Ok(group) = GroupHeader::read(source, offset, size, salt)
                && group.read_body(source, offset, salt, &mut body).is_ok()
            {
                found.push(group.durable_upto);
                skip_to = offset + group.group_bytes();
            }
        }
        base += window.len() as u64;
    }
    Ok(found)
}
