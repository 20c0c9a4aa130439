//! Where forged ledgers go: segments in memory or files in a directory, and checksums put right afterwards.

use counterfoil_format::Hash;
use counterfoil_format::frame::{SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::group::GROUP_HEADER_BYTES;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A segment: the number of its first row, and its bytes.
pub type Segment = (u64, Vec<u8>);

/// A finished ledger.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The segments in order; empty when they went to a directory.
    pub segments: Vec<Segment>,
    /// The newest checkpoint, a signed note.
    pub checkpoint: String,
    /// The origin.
    pub origin: String,
    /// The ledger's id.
    pub ledger_id: Hash,
    /// The owner's public key.
    pub owner: [u8; 32],
    /// How many rows.
    pub rows: u64,
}

impl Ledger {
    /// Writes `log/<20 digits>.seg` and `checkpoint` below a directory, which is made when it is not there.
    pub fn write_to(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir.join("log"))?;
        for (first_seq, bytes) in &self.segments {
            fs::write(segment_path(dir, *first_seq), bytes)?;
        }
        fs::write(dir.join("checkpoint"), &self.checkpoint)
    }

    /// All bytes of all segments.
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// The path of a segment.
pub fn segment_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join("log").join(format!("{first_seq:020}.seg"))
}

/// Takes in groups and cuts them into segments.
#[derive(Debug, Default)]
pub struct Sink {
    dir: Option<PathBuf>,
    segments: Vec<Segment>,
    open: Option<Open>,
    rows: Vec<(usize, Range<usize>)>,
    pending: Vec<Range<usize>>,
    closed: usize,
}

#[derive(Debug)]
struct Open {
    header: SegmentHeader,
    bytes: Vec<u8>,
}

impl Sink {
    /// Keeps the segments in memory.
    pub fn memory() -> Self {
        Sink::default()
    }

    /// Writes each segment to a directory as soon as it is full.
    pub fn directory(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir.join("log"))?;
        Ok(Sink { dir: Some(dir.to_owned()), ..Sink::default() })
    }

    /// Begins a new segment when there is none or it has reached its size.
    pub(crate) fn make_room(&mut self, segment_bytes: u64, header: impl FnOnce() -> SegmentHeader) {
        if self.open.as_ref().is_some_and(|open| open.bytes.len() as u64 >= segment_bytes) {
            self.close();
        }
        self.open.get_or_insert_with(|| {
            let header = header();
            Open { bytes: header.encode(), header }
        });
    }

    /// The segment being written, which [`Sink::make_room`] has made sure of.
    fn open(&self) -> &Open {
        self.open.as_ref().unwrap()
    }

    pub(crate) fn offset(&self) -> u64 {
        self.open().bytes.len() as u64
    }

    pub(crate) fn salt(&self) -> &[u8; 16] {
        &self.open().header.salt
    }

    /// Remembers where in the coming group a row record stands.
    pub(crate) fn note_row(&mut self, at: usize, length: usize) {
        if self.dir.is_none() {
            self.pending.push(at..at + length);
        }
    }

    pub(crate) fn push(&mut self, group: &[u8]) {
        let open = self.open.as_mut().unwrap();
        let base = open.bytes.len();
        open.bytes.extend_from_slice(group);
        let places = self.pending.drain(..).map(|at| (self.closed, base + at.start..base + at.end));
        self.rows.extend(places);
    }

    /// Closes the segment, if there is one.
    pub(crate) fn close(&mut self) {
        let Some(Open { header, bytes }) = self.open.take() else { return };
        self.closed += 1;
        match &self.dir {
            Some(dir) => fs::write(segment_path(dir, header.first_seq), bytes).unwrap(),
            None => self.segments.push((header.first_seq, bytes)),
        }
    }

    /// A row record by its number.
    pub(crate) fn record(&self, seq: u64) -> Vec<u8> {
        let (segment, range) = self.rows[usize::try_from(seq).unwrap()].clone();
        let bytes = self.segments.get(segment).map_or_else(|| &self.open().bytes, |(_, bytes)| bytes);
        bytes[range].to_vec()
    }

    pub(crate) fn finish(mut self, checkpoint: &str) -> Vec<Segment> {
        self.close();
        if let Some(dir) = &self.dir {
            fs::write(dir.join("checkpoint"), checkpoint).unwrap();
        }
        self.segments
    }
}

/// Where the groups of a segment stand. Stops at the first that does not end in the segment.
pub fn groups(segment: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    while let Some(length) = segment.get(at + 4..at + 8) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let end = at + GROUP_HEADER_BYTES + length;
        if end > segment.len() {
            break;
        }
        found.push(at..end);
        at = end;
    }
    found
}

/// Where the row records of a group stand in its segment, without their lengths.
pub fn rows(segment: &[u8], group: &Range<usize>) -> Vec<Range<usize>> {
    let number = |at: usize| u32::from_le_bytes(segment[at..at + 4].try_into().unwrap()) as usize;
    let mut at = group.start + GROUP_HEADER_BYTES;
    let count = number(group.start + 8);
    (0..count)
        .map(|_| {
            let record = at + 4..at + 4 + number(at);
            at = record.end;
            record
        })
        .collect()
}

/// Computes every checksum of a segment anew, so that a change to it is left to the other checks.
pub fn fix_checksums(segment: &mut [u8]) {
    segment[12..16].fill(0);
    let header = crc32c::crc32c(&segment[..SEGMENT_HEADER_BYTES]);
    segment[12..16].copy_from_slice(&header.to_le_bytes());
    let salt = crc32c::crc32c(&segment[24..40]);
    for group in groups(segment) {
        let body = crc32c::crc32c_append(salt, &segment[group.start + GROUP_HEADER_BYTES..group.end]);
        set_body_checksum(segment, &group, body);
    }
}

/// Sets a group's body checksum, and puts that of its header right.
pub fn set_body_checksum(segment: &mut [u8], group: &Range<usize>, body: u32) {
    let salt = crc32c::crc32c(&segment[24..40]);
    let group = &mut segment[group.clone()];
    group[64..68].copy_from_slice(&body.to_le_bytes());
    let header = crc32c::crc32c_append(salt, &group[..68]);
    group[68..72].copy_from_slice(&header.to_le_bytes());
}
