//! Walking the frames of a log, from segment to segment and from group to group.
//!
//! Groups are found by their headers; bodies are read but not looked into. Behind a damaged header the walk goes on at
//! the next 8-aligned place where a group header with a valid checksum stands. Every byte is passed once.
//!
//! Rows are numbered by counting them. A header that gives its first row another number than the one that is next is
//! believed when that row's own landing gives it too: then rows are missing, or stand here twice. Else it is not.

use crate::error::VerifyError;
use crate::source::{Book, Segment};
use crate::words;
use counterfoil_format::codec::Cursor;
use counterfoil_format::frame::{FrameError, ReadAt, SEGMENT_HEADER_BYTES};
use counterfoil_format::group::{ALIGNMENT, GROUP_HEADER_BYTES, GROUP_MAGIC, GroupHeader};
use counterfoil_format::landing::Landing;
use std::fs::File;

/// Bytes read at once when a group header is looked for: few at first, for it may stand near,
const FIRST_SCAN_BYTES: u64 = 1024;
/// then this many.
const SCAN_BYTES: u64 = 64 * 1024;

/// What is met on the walk.
#[derive(Debug)]
pub(crate) enum Event {
    /// A segment begins.
    Segment(u32),
    /// Something that is no group stands here.
    Damage(Damage),
    /// A group.
    Group(RawGroup),
}

/// A place in a segment where a group should begin and none does.
#[derive(Debug)]
pub(crate) struct Damage {
    pub file: u32,
    pub offset: u64,
    pub message: String,
}

/// A group whose header is valid; its body has not been looked at.
#[derive(Debug)]
pub(crate) struct RawGroup {
    pub file: u32,
    pub offset: u64,
    pub salt: [u8; 16],
    /// The header; its `first_seq` is the number of the first row as it was counted.
    pub header: GroupHeader,
    /// The number of the first row as the header has it.
    pub claimed: u64,
    /// Whether it is the end of the log, which a crash may have torn.
    pub last: bool,
    pub body: Vec<u8>,
}

/// A walk over a book.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    book: &'a Book,
    next: u32,
    open: Option<Open<'a>>,
    passed: u64,
    /// The number of the next row, once it is known.
    expected: Option<u64>,
}

#[derive(Debug)]
struct Open<'a> {
    number: u32,
    segment: &'a Segment,
    /// Whether no segment follows.
    last: bool,
    file: File,
    salt: [u8; 16],
    offset: u64,
}

impl<'a> Walk<'a> {
    /// A walk from the beginning.
    pub fn new(book: &'a Book) -> Self {
        Walk { book, next: 0, open: None, passed: 0, expected: book.begins_at() }
    }

    /// Bytes passed so far.
    pub fn passed(&self) -> u64 {
        self.passed + self.open.as_ref().map_or(0, |open| open.offset)
    }

    /// What comes next; `None` at the end. `spare` gives the memory for a body.
    pub fn next(&mut self, spare: impl FnOnce() -> Vec<u8>) -> Result<Option<Event>, VerifyError> {
        if let Some(open) = &mut self.open
            && open.offset < open.segment.size
        {
            let mut event = open.next(spare).map_err(VerifyError::io(&open.segment.path))?;
            if let Event::Group(group) = &mut event {
                group.header.first_seq = group.first_row(self.expected);
                self.expected = Some(group.header.end_seq());
            }
            return Ok(Some(event));
        }
        self.passed += self.open.take().map_or(0, |open| open.segment.size);
        let number = self.next;
        let Some(segment) = self.book.segments.get(number as usize) else { return Ok(None) };
        self.next += 1;
        if let Some(salt) = segment.salt {
            let file = File::open(&segment.path).map_err(VerifyError::io(&segment.path))?;
            let (last, offset) = (self.book.is_last(number), SEGMENT_HEADER_BYTES as u64);
            self.open = Some(Open { number, segment, last, file, salt, offset });
        } else {
            self.passed += segment.size;
        }
        Ok(Some(Event::Segment(number)))
    }
}

impl RawGroup {
    /// The record of a row that begins at this byte of the segment.
    pub fn record(&self, offset: u64) -> Option<&[u8]> {
        let start =
            usize::try_from(offset.checked_sub(self.offset)?).ok()?.checked_sub(GROUP_HEADER_BYTES)?;
        let length = self.body.get(start.checked_sub(4)?..)?.first_chunk()?;
        self.body.get(start..)?.get(..u32::from_le_bytes(*length) as usize)
    }

    /// The number of the first row where row `expected` is next.
    fn first_row(&self, expected: Option<u64>) -> u64 {
        let Some(expected) = expected else { return self.claimed };
        let countable = expected.checked_add(u64::from(self.header.rows)).is_some();
        let counted = expected == self.claimed || self.first_landing() != Some(self.claimed);
        if counted && countable { expected } else { self.claimed }
    }

    /// The number of the first row as its landing has it.
    fn first_landing(&self) -> Option<u64> {
        let (length, rest) = self.body.split_first_chunk()?;
        let record = rest.get(..u32::from_le_bytes(*length) as usize)?;
        let landing = Cursor::new(record).bytes("a landing", record.len()).ok()?;
        Landing::decode(landing).ok().map(|landing| landing.seq)
    }
}

impl Open<'_> {
    fn next(&mut self, spare: impl FnOnce() -> Vec<u8>) -> std::io::Result<Event> {
        let (file, offset, size) = (self.number, self.offset, self.segment.size);
        match GroupHeader::read(&self.file, offset, size, &self.salt) {
            Ok(header) => {
                let mut body = spare();
                body.resize(header.body_bytes as usize, 0);
                self.file.read_exact_at(offset + GROUP_HEADER_BYTES as u64, &mut body)?;
                self.offset += header.group_bytes();
                let (salt, claimed, last) = (self.salt, header.first_seq, self.last && self.offset >= size);
                Ok(Event::Group(RawGroup { file, offset, salt, header, claimed, last, body }))
            }
            Err(FrameError::Io(error)) => Err(error),
            Err(error) => {
                let found = self.find_header(offset + ALIGNMENT as u64)?;
                self.offset = found.unwrap_or(size);
                let skipped = self.offset - offset;
                let torn = if self.last { words::TORN } else { "" };
                let message = match (found, &error) {
                    (Some(_), _) => format!("{error}; {skipped} bytes were skipped to the next group"),
                    (None, FrameError::Truncated { .. }) => format!("{error}; the file was cut{torn}"),
                    (None, _) => {
                        format!("{error}; nothing in the last {skipped} bytes can be read as a group{torn}")
                    }
                };
                Ok(Event::Damage(Damage { file, offset, message }))
            }
        }
    }

    /// The next place where a group header with a valid checksum stands.
    fn find_header(&self, from: u64) -> std::io::Result<Option<u64>> {
        let size = self.segment.size;
        let mut buffer = Vec::new();
        let (mut start, mut most) = (from, FIRST_SCAN_BYTES);
        while start.saturating_add(GROUP_HEADER_BYTES as u64) <= size {
            let window = (size - start).min(most);
            most = SCAN_BYTES;
            buffer.resize(usize::try_from(window).unwrap_or_default(), 0);
            self.file.read_exact_at(start, &mut buffer)?;
            let places = (0..buffer.len()).step_by(ALIGNMENT);
            let candidates = places.map_while(|at| {
                let header = buffer.get(at..)?.first_chunk::<GROUP_HEADER_BYTES>()?;
                Some((at, header))
            });
            let mut passed = 0;
            for (at, header) in candidates {
                if header.starts_with(GROUP_MAGIC) && GroupHeader::decode(header, &self.salt).is_ok() {
                    return Ok(Some(start + at as u64));
                }
                passed = at + ALIGNMENT;
            }
            start += passed as u64;
        }
        Ok(None)
    }
}
