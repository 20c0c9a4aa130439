//! One segment as readers see it: its file and its look-ups.

use crate::error::{Damage, FileError, ReadError};
use crate::lookup::{GroupAt, Lookups};
use crate::scan::read_lookups;
use crate::side::SideFile;
use crate::storage::StoredFile;
use counterfoil_format::frame::{FrameError, SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::group::GroupHeader;
use counterfoil_format::intent::IntentId;
use counterfoil_format::limits;
use counterfoil_format::row::Row;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The look-ups of a segment: in memory while it grows, in its side file when it is closed.
#[derive(Debug)]
pub(crate) enum Look {
    Memory(Lookups),
    Side(SideFile),
}

/// A segment that readers may read up to `end`.
#[derive(Debug)]
pub(crate) struct Segment {
    pub header: SegmentHeader,
    pub path: PathBuf,
    pub file: Arc<dyn StoredFile>,
    pub look: Look,
    /// Look-ups in place of a side file that has failed.
    pub mended: OnceLock<Lookups>,
    /// Bytes that are durable.
    pub end: u64,
    /// The number behind the last durable row.
    pub end_seq: u64,
}

/// A segment's file and the part of it that readers may read, without the look-ups.
#[derive(Debug, Clone)]
pub(crate) struct SegmentFile {
    pub header: SegmentHeader,
    pub path: PathBuf,
    pub file: Arc<dyn StoredFile>,
    /// Bytes that are durable.
    pub end: u64,
}

impl SegmentFile {
    /// A segment as it is now.
    pub fn of(segment: &Segment) -> Self {
        let Segment { header, path, file, end, .. } = segment;
        SegmentFile { header: *header, path: path.clone(), file: file.clone(), end: *end }
    }
}

/// A row's bytes, read from a segment.
#[derive(Debug, Clone)]
pub struct StoredRow {
    bytes: Vec<u8>,
    path: PathBuf,
    offset: u64,
    seq: u64,
}

impl StoredRow {
    /// Takes the row apart.
    pub fn parse(&self) -> Result<Row<'_>, ReadError> {
        let damaged =
            |error| ReadError::Damaged { row: self.seq, path: self.path.clone(), offset: self.offset, error };
        let row = Row::parse(&self.bytes).map_err(damaged)?;
        if row.landing.seq != self.seq {
            let error = counterfoil_format::codec::CodecError::Inconsistent("another row stands here");
            return Err(damaged(error));
        }
        Ok(row)
    }

    /// The record's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Segment {
    /// A segment of which no group is known yet.
    pub fn begun(header: SegmentHeader, path: PathBuf, file: Arc<dyn StoredFile>) -> Self {
        let look = Look::Memory(Lookups::default());
        let (end, end_seq) = (SEGMENT_HEADER_BYTES as u64, header.first_seq);
        Segment { header, path, file, look, mended: OnceLock::new(), end, end_seq }
    }

    /// Reads a row that lies in this segment.
    pub fn row(&self, seq: u64) -> Result<StoredRow, ReadError> {
        let place = seq.saturating_sub(self.header.first_seq);
        let in_memory = |lookups: &Lookups| lookups.rows.get(usize::try_from(place).ok()?).copied();
        let offset = self.look_up(in_memory, |side| side.row_offset(place).map(Some))?;
        let offset = offset.ok_or(ReadError::NoSuchRow { row: seq, size: self.end_seq })?;
        let read = |offset, buffer: &mut [u8]| {
            self.file.read_exact_at(offset, buffer).map_err(FileError::at(&self.path))
        };
        let mut length = [0; 4];
        read(offset.saturating_sub(4), &mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        let damaged = |error| ReadError::Damaged { row: seq, path: self.path.clone(), offset, error };
        counterfoil_format::codec::within("a row", length, limits::ROW_BYTES).map_err(damaged)?;
        let mut bytes = vec![0; length];
        read(offset, &mut bytes)?;
        Ok(StoredRow { bytes, path: self.path.clone(), offset, seq })
    }

    /// The row with an id.
    pub fn find_id(&self, id: &IntentId) -> Result<Option<u64>, ReadError> {
        let in_memory =
            |lookups: &Lookups| lookups.row_of(id).map(|row| self.header.first_seq + u64::from(row));
        self.look_up(in_memory, |side| side.find_id(id))
    }

    /// Candidates for the rows whose ops name a key, ascending; they must be read to be sure.
    pub fn find_key(&self, hash: u64, within: &Range<u64>) -> Result<Vec<u64>, ReadError> {
        let in_memory = |lookups: &Lookups| {
            let rows = lookups.rows_of(hash).into_iter().map(|row| self.header.first_seq + u64::from(row));
            rows.filter(|row| within.contains(row)).collect()
        };
        self.look_up(in_memory, |side| side.find_key(hash, within))
    }

    /// Whether a row of a range may be here.
    pub fn holds_some_of(&self, range: &Range<u64>) -> bool {
        range.start < self.end_seq && self.header.first_seq < range.end
    }

    /// Looks something up. When the side file fails, the segment itself is read, once, and memory serves from then on.
    fn look_up<T>(
        &self,
        in_memory: impl Fn(&Lookups) -> T,
        in_side: impl Fn(&SideFile) -> Result<T, FileError>,
    ) -> Result<T, ReadError> {
        let side = match (&self.look, self.mended.get()) {
            (Look::Memory(lookups), _) | (_, Some(lookups)) => return Ok(in_memory(lookups)),
            (Look::Side(side), None) => side,
        };
        if let Ok(found) = in_side(side) {
            return Ok(found);
        }
        let lookups = read_lookups(&*self.file, &self.header, self.end).map_err(|(offset, error)| {
            let path = self.path.clone();
            match error {
                FrameError::Io(error) => ReadError::File(FileError { path, error }),
                error => Damage { path, offset, error }.into(),
            }
        })?;
        Ok(in_memory(self.mended.get_or_init(|| lookups)))
    }

    /// Whether a side file serves.
    pub fn has_side(&self) -> bool {
        matches!(self.look, Look::Side(_))
    }

    /// What has become of the side file since it was opened, when it has failed.
    pub fn notice(&self) -> Option<String> {
        let Look::Side(side) = &self.look else { return None };
        self.mended.get()?;
        Some(format!(
            "{}: it can no longer be read as it was; look-ups of its segment are kept in memory. \
             `counterfoil reindex` writes it anew",
            side.path().display()
        ))
    }

    /// The rows that are no decisions, ascending.
    pub fn special(&self) -> Vec<u64> {
        match &self.look {
            Look::Memory(lookups) => {
                lookups.special.iter().map(|row| self.header.first_seq + u64::from(*row)).collect()
            }
            Look::Side(side) => side.special().collect(),
        }
    }

    /// The group that a row of this segment lies in.
    pub fn group_of(&self, seq: u64) -> Option<GroupAt> {
        let groups = match &self.look {
            Look::Memory(lookups) => &lookups.groups,
            Look::Side(side) => side.groups(),
        };
        let behind = groups.partition_point(|group| group.first_seq <= seq);
        groups.get(behind.checked_sub(1)?).copied()
    }
}

/// Where a group lies, and the means to read it without holding a lock.
pub(crate) struct GroupPlace {
    file: Arc<dyn StoredFile>,
    path: PathBuf,
    salt: [u8; 16],
    offset: u64,
    end: u64,
}

impl GroupPlace {
    /// A group of a segment.
    pub fn of(segment: &Segment, offset: u64) -> Self {
        let (file, path) = (segment.file.clone(), segment.path.clone());
        GroupPlace { file, path, salt: segment.header.salt, offset, end: segment.end }
    }

    /// An error that names the place.
    pub fn damage(&self, error: FrameError) -> ReadError {
        Damage { path: self.path.clone(), offset: self.offset, error }.into()
    }

    /// Reads and checks the group; its body is put into the buffer.
    pub fn read(&self, body: &mut Vec<u8>) -> Result<GroupHeader, ReadError> {
        let mut read = || {
            let header = GroupHeader::read(&*self.file, self.offset, self.end, &self.salt)?;
            header.read_body(&*self.file, self.offset, &self.salt, body)?;
            Ok(header)
        };
        read().map_err(|error| match error {
            FrameError::Io(error) => FileError { path: self.path.clone(), error }.into(),
            error => self.damage(error),
        })
    }
}
