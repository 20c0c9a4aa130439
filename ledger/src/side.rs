//! Side files: the look-ups of a closed segment, rebuildable from the segment alone.
//!
//! # Format
//!
//! Little-endian throughout; a rebuild gives the same bytes. Nothing here is evidence: the verifier never reads it.
//!
//! | field | bytes |
//! | --- | --- |
//! | magic, version, crc | 8 `cfoilidx`, u32 2, u32 CRC-32C of all that follows |
//! | first_seq, rows, segment_bytes | u64 each |
//! | salt, last_hash, last_landed | 16 of the segment, 32 the last row's hash, i64 its time |
//! | counts | u64 each: hashes, groups, keys, special, filter words |
//! | hashes | 32 each: the compact range of the tree up to the end of the segment |
//! | groups | 16 each: first row, offset |
//! | rows | 8 each: offset of the record |
//! | ids | 20 each, ascending: id, u32 row from the segment's first |
//! | keys | 12 each, ascending: key hash, u32 row |
//! | special | 4 each: row |
//! | filter | 8 each: a Bloom filter of the ids, 10 bits a row, 7 probes |

mod filter;

use self::filter::{build_filter, probes};
use crate::error::FileError;
use crate::layout::Layout;
use crate::lookup::{GroupAt, Lookups};
use crate::storage::{Access, StoredFile};
use counterfoil_format::Hash;
use counterfoil_format::codec::{CodecError, Cursor};
use counterfoil_format::frame::SegmentHeader;
use counterfoil_format::group::{GroupBody, GroupHeader};
use counterfoil_format::intent::{IntentId, Micros};
use counterfoil_format::merkle::CompactRange;
use counterfoil_format::row::Row;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"cfoilidx";
const VERSION: u32 = 2;
const FIXED: usize = CRC_END + 3 * 8 + 16 + 32 + 8 + 5 * 8;
/// Where the checksum ends, and what it covers begins.
const CRC_END: usize = 8 + 4 + 4;
/// Bytes that any side file may have.
const LEAST: u64 = 64 * 1024;
/// Bytes that are read and checked at once when something is looked up.
const BLOCK: usize = 1024;

/// What a side file says of the segment's end.
#[derive(Debug, Clone)]
pub(crate) struct SegmentEnd {
    /// Rows in the segment.
    pub rows: u64,
    /// Bytes of the segment.
    pub bytes: u64,
    /// The last row's hash.
    pub last_hash: Hash,
    /// When the last row landed.
    pub last_landed: Micros,
    /// The tree up to here.
    pub tree: CompactRange,
}

/// The look-ups of a closed segment, read from its side file as they are needed.
#[derive(Debug)]
pub(crate) struct SideFile {
    path: PathBuf,
    file: Arc<dyn StoredFile>,
    first_seq: u64,
    /// The end of the segment.
    pub end: SegmentEnd,
    groups: Vec<GroupAt>,
    special: Vec<u32>,
    /// The least and the greatest id.
    ids: RangeInclusive<IntentId>,
    filter: Vec<u64>,
    rows_at: u64,
    ids_at: u64,
    keys_at: u64,
    keys: u64,
    /// The checksum of each block, as it was when the file was opened.
    blocks: Vec<u32>,
    bytes: u64,
}

/// The bytes of the side file for a segment.
pub(crate) fn encode(header: &SegmentHeader, lookups: &Lookups, end: &SegmentEnd) -> Vec<u8> {
    let mut ids: Vec<_> = lookups.ids().collect();
    ids.sort_unstable();
    let mut keys: Vec<_> = lookups.keys().collect();
    keys.sort_unstable();
    let filter = build_filter(ids.iter().map(|(id, _)| id), lookups.rows.len());

    let hashes = end.tree.hashes();
    let fixed = FIXED + hashes.len() * 32 + lookups.groups.len() * 16 + lookups.special.len() * 4;
    let mut out = Vec::with_capacity(fixed + ids.len() * (8 + 20) + keys.len() * 12 + filter.len() * 8);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let mut number = |number: u64| out.extend_from_slice(&number.to_le_bytes());
    number(header.first_seq);
    number(end.rows);
    number(end.bytes);
    out.extend_from_slice(&header.salt);
    out.extend_from_slice(&end.last_hash.0);
    out.extend_from_slice(&end.last_landed.to_le_bytes());
    for count in [hashes.len(), lookups.groups.len(), keys.len(), lookups.special.len(), filter.len()] {
        out.extend_from_slice(&(count as u64).to_le_bytes());
    }
    hashes.for_each(|hash| out.extend_from_slice(&hash.0));
    for group in &lookups.groups {
        out.extend_from_slice(&group.first_seq.to_le_bytes());
        out.extend_from_slice(&group.offset.to_le_bytes());
    }
    lookups.rows.iter().for_each(|offset| out.extend_from_slice(&offset.to_le_bytes()));
    for (id, row) in &ids {
        out.extend_from_slice(&id.0);
        out.extend_from_slice(&row.to_le_bytes());
    }
    for (key, row) in &keys {
        out.extend_from_slice(&key.to_le_bytes());
        out.extend_from_slice(&row.to_le_bytes());
    }
    lookups.special.iter().for_each(|row| out.extend_from_slice(&row.to_le_bytes()));
    filter.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));

    let (head, body) = out.split_at_mut(CRC_END);
    if let Some(crc) = head.last_chunk_mut() {
        *crc = crc32c::crc32c(body).to_le_bytes();
    }
    out
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not what it was when it was opened")
}

impl SideFile {
    /// Opens the side file of a segment; `None` when it is absent, damaged, or not of this segment as it is.
    pub fn open(layout: &Layout, header: &SegmentHeader, segment_bytes: u64) -> Option<Self> {
        Self::open_within(layout, header, segment_bytes).filter(|side| side.end.bytes == segment_bytes)
    }

    /// The same for a segment that may have grown since.
    pub fn open_within(layout: &Layout, header: &SegmentHeader, segment_bytes: u64) -> Option<Self> {
        let path = layout.side(header.first_seq);
        let file = layout.open(&path, Access::Read).ok()?;
        // A row and an operation take more than a quarter of their entries, so a larger file is none of this segment.
        let size =
            file.size().ok().filter(|size| *size <= segment_bytes.saturating_mul(4).saturating_add(LEAST))?;
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        file.read_exact_at(0, &mut bytes).ok()?;
        let mut found = Self::decode(path, file, &bytes)?;
        found.blocks = bytes.chunks(BLOCK).map(crc32c::crc32c).collect();
        found.bytes = bytes.len() as u64;
        let fits = found.first_seq == header.first_seq
            && bytes.get(40..56) == Some(&header.salt[..])
            && found.end.bytes <= segment_bytes;
        fits.then_some(found)
    }

    fn decode(path: PathBuf, file: Arc<dyn StoredFile>, bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let intact = cursor.array().ok()? == *MAGIC
            && cursor.u32().ok()? == VERSION
            && cursor.u32().ok()? == crc32c::crc32c(cursor.rest());
        intact.then(|| Self::decode_body(path, file, &mut cursor).ok())?
    }

    fn decode_body(
        path: PathBuf,
        file: Arc<dyn StoredFile>,
        cursor: &mut Cursor<'_>,
    ) -> Result<Self, CodecError> {
        let (first_seq, rows, segment_bytes) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
        cursor.take(16)?;
        let last_hash = Hash(cursor.array()?);
        let last_landed = cursor.u64()?.cast_signed();
        let mut count = || cursor.u64().and_then(|n| usize::try_from(n).map_err(|_| CodecError::Truncated));
        let (hashes, groups, keys, special, filter) = (count()?, count()?, count()?, count()?, count()?);
        let wide = |count: usize, size: u64| (count as u64).saturating_mul(size);

        let hashes: Vec<Hash> = (0..hashes).map(|_| cursor.array().map(Hash)).collect::<Result<_, _>>()?;
        let groups: Vec<GroupAt> = (0..groups)
            .map(|_| Ok(GroupAt { first_seq: cursor.u64()?, offset: cursor.u64()? }))
            .collect::<Result<_, CodecError>>()?;
        let rows_at = (FIXED + hashes.len() * 32 + groups.len() * 16) as u64;
        let ids_at = rows_at.saturating_add(rows.saturating_mul(8));
        let keys_at = ids_at.saturating_add(rows.saturating_mul(20));
        let mut take = |bytes: u64| cursor.take(usize::try_from(bytes).map_err(|_| CodecError::Truncated)?);
        take(ids_at - rows_at)?;
        let (ids, _) = take(keys_at - ids_at)?.as_chunks::<20>();
        take(wide(keys, 12))?;
        let id = |entry: &[u8; 20]| entry.first_chunk().map(|id| IntentId(*id));
        let ids = match (ids.first().and_then(id), ids.last().and_then(id)) {
            (Some(least), Some(greatest)) => least..=greatest,
            _ => IntentId([1; 16])..=IntentId([0; 16]),
        };
        let special: Vec<u32> = (0..special).map(|_| cursor.u32()).collect::<Result<_, _>>()?;
        let filter: Vec<u64> = (0..filter).map(|_| cursor.u64()).collect::<Result<_, _>>()?;
        if !cursor.rest().is_empty() {
            return Err(CodecError::Trailing(cursor.rest().len()));
        }
        let tree = CompactRange::from_hashes(first_seq.saturating_add(rows), &hashes)
            .ok_or(CodecError::Malformed("a compact range"))?;
        let end = SegmentEnd { rows, bytes: segment_bytes, last_hash, last_landed, tree };
        Ok(SideFile {
            ids,
            path,
            file,
            first_seq,
            end,
            groups,
            special,
            filter,
            rows_at,
            ids_at,
            keys_at,
            keys: keys as u64,
            blocks: Vec::new(),
            bytes: 0,
        })
    }

    /// Whether the segment bears out what the side file says of its end: the last group stands there, with that tree
    /// under its seal, and with that row.
    pub fn is_borne_out(&self, segment: &dyn StoredFile, header: &SegmentHeader) -> bool {
        let read = || {
            let (end, at) = (&self.end, self.groups.last()?);
            let group = GroupHeader::read(segment, at.offset, end.bytes, &header.salt).ok()?;
            let mut body = Vec::new();
            group.read_body(segment, at.offset, &header.salt, &mut body).ok()?;
            let body = GroupBody::parse(&group, &body).ok()?;
            let last = Row::parse(body.rows().last()?.1).ok()?;
            let stands = (at.offset + group.group_bytes(), group.end_seq(), Some(body.seal.root))
                == (end.bytes, self.first_seq.checked_add(end.rows)?, end.tree.root());
            Some(stands && (last.row_hash, last.landing.landed_at) == (end.last_hash, end.last_landed))
        };
        read().unwrap_or(false)
    }

    /// Reads a few bytes, no more than a block has.
    fn read<const N: usize>(&self, offset: u64) -> Result<[u8; N], FileError> {
        let mut buffer = [0; 2 * BLOCK];
        let read = self.load(offset, N, &mut buffer);
        read.and_then(|bytes| bytes.first_chunk().copied().ok_or_else(changed))
            .map_err(FileError::at(&self.path))
    }

    /// Loads the blocks of so many bytes, no more than a block has. They are those that were there when the file was opened, or
    /// it is an error.
    fn load<'b>(&self, offset: u64, bytes: usize, buffer: &'b mut [u8; 2 * BLOCK]) -> io::Result<&'b [u8]> {
        let (block, place) = (offset / BLOCK as u64, offset % BLOCK as u64);
        let (first, start) = (usize::try_from(block).unwrap_or(usize::MAX), block * BLOCK as u64);
        let place = usize::try_from(place).unwrap_or_default();
        let blocks = if place + bytes > BLOCK { 2 } else { 1 };
        let left = usize::try_from(self.bytes.saturating_sub(start)).unwrap_or(usize::MAX);
        let window = buffer.get_mut(..left.min(blocks * BLOCK)).unwrap_or_default();
        self.file.read_exact_at(start, window)?;
        let expected = self.blocks.get(first..).unwrap_or_default();
        if window.chunks(BLOCK).zip(expected).any(|(bytes, crc)| crc32c::crc32c(bytes) != *crc) {
            return Err(changed());
        }
        window.get(place..place + bytes).ok_or_else(changed)
    }

    /// All look-ups, to be kept in memory.
    pub fn lookups(&self) -> Result<Lookups, FileError> {
        let read = |offset: u64, count: u64, size: u64| {
            let bytes =
                usize::try_from(count.saturating_mul(size)).map_err(|_| io::ErrorKind::FileTooLarge)?;
            let mut buffer = vec![0; bytes];
            self.file.read_exact_at(offset, &mut buffer)?;
            Ok(buffer)
        };
        let rows = read(self.rows_at, self.end.rows, 8).map_err(FileError::at(&self.path))?;
        let ids = read(self.ids_at, self.end.rows, 20).map_err(FileError::at(&self.path))?;
        let keys = read(self.keys_at, self.keys, 12).map_err(FileError::at(&self.path))?;
        let mut lookups = Lookups::default();
        (lookups.groups, lookups.special) = (self.groups.clone(), self.special.clone());
        lookups.rows = rows.as_chunks::<8>().0.iter().map(|offset| u64::from_le_bytes(*offset)).collect();
        let mut by_row = vec![IntentId([0; 16]); lookups.rows.len()];
        for entry in ids.as_chunks::<20>().0 {
            if let (Some(id), Some(row)) = (entry.first_chunk(), entry.last_chunk()) {
                let place = by_row.get_mut(u32::from_le_bytes(*row) as usize);
                place.into_iter().for_each(|place| *place = IntentId(*id));
            }
        }
        by_row.into_iter().for_each(|id| lookups.push_id(id));
        for entry in keys.as_chunks::<12>().0 {
            if let (Some(key), Some(row)) = (entry.first_chunk(), entry.last_chunk()) {
                lookups.push_key(u64::from_le_bytes(*key), u32::from_le_bytes(*row));
            }
        }
        Ok(lookups)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the record of a row of this segment begins.
    pub fn row_offset(&self, place: u64) -> Result<u64, FileError> {
        self.read(self.rows_at.saturating_add(place.saturating_mul(8))).map(u64::from_le_bytes)
    }

    /// The groups, ascending.
    pub fn groups(&self) -> &[GroupAt] {
        &self.groups
    }

    /// The rows that are no decisions.
    pub fn special(&self) -> impl Iterator<Item = u64> + '_ {
        self.special.iter().map(|row| self.first_seq.saturating_add(u64::from(*row)))
    }

    /// The row with an id.
    pub fn find_id(&self, id: &IntentId) -> Result<Option<u64>, FileError> {
        let present = |(word, bit): (usize, u64)| self.filter.get(word).is_some_and(|word| word & bit != 0);
        // Ids that begin with a time lie outside the range of every older segment.
        if !self.ids.contains(id) || !probes(id, self.filter.len()).all(present) {
            return Ok(None);
        }
        let place = self.first_at_least::<20>(self.ids_at, self.end.rows, |entry| entry[..16] < id.0[..])?;
        if place == self.end.rows {
            return Ok(None);
        }
        let entry = self.read::<20>(self.ids_at + place * 20)?;
        let row = entry.last_chunk::<4>().map_or(0, |row| u32::from_le_bytes(*row));
        Ok((entry[..16] == id.0[..]).then_some(self.first_seq.saturating_add(u64::from(row))))
    }

    /// Candidates for the rows whose ops name a key, ascending.
    pub fn find_key(&self, hash: u64, within: &Range<u64>) -> Result<Vec<u64>, FileError> {
        let named = |entry: &[u8; 12]| {
            let (hash, row) = (entry.first_chunk(), entry.last_chunk());
            let row = self.first_seq.saturating_add(row.map_or(0, |row| u32::from_le_bytes(*row)).into());
            (hash.map_or(0, |hash| u64::from_le_bytes(*hash)), row)
        };
        let wanted = (hash, within.start);
        let mut place = self.first_at_least::<12>(self.keys_at, self.keys, |entry| named(entry) < wanted)?;
        let (mut rows, mut buffer) = (Vec::new(), [0; 2 * BLOCK]);
        while place < self.keys {
            let count = (self.keys - place).min(BLOCK as u64 / 12);
            let bytes = usize::try_from(count * 12).unwrap_or_default();
            let read = self.load(self.keys_at + place * 12, bytes, &mut buffer);
            for entry in read.map_err(FileError::at(&self.path))?.as_chunks().0 {
                let (of, row) = named(entry);
                if of != hash || row >= within.end {
                    return Ok(rows);
                }
                rows.push(row);
            }
            place += count;
        }
        Ok(rows)
    }

    /// The first of `count` sorted entries that is not below what is looked for.
    fn first_at_least<const N: usize>(
        &self,
        at: u64,
        count: u64,
        below: impl Fn(&[u8; N]) -> bool,
    ) -> Result<u64, FileError> {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if below(&self.read::<N>(at + middle * N as u64)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}
