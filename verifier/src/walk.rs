//! Walking the frames of a log, from segment to segment and from group to group.
//!
//! Groups are found by their headers; bodies are read but not looked into. Behind a damaged header the walk goes on at
//! the next 8-aligned place where a group header with a valid checksum stands. Every byte is passed once.

use crate::error::VerifyError;
use crate::source::{Book, Segment};
use counterfoil_format::frame::{FrameError, ReadAt, SEGMENT_HEADER_BYTES};
use counterfoil_format::group::{ALIGNMENT, GROUP_HEADER_BYTES, GROUP_MAGIC, GroupHeader};
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
    pub header: GroupHeader,
    pub body: Vec<u8>,
}

/// A walk over a book.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    book: &'a Book,
    next: u32,
    open: Option<Open<'a>>,
    passed: u64,
}

#[derive(Debug)]
struct Open<'a> {
    number: u32,
    segment: &'a Segment,
    file: File,
    salt: [u8; 16],
    offset: u64,
}

impl<'a> Walk<'a> {
    /// A walk from the beginning.
    pub fn new(book: &'a Book) -> Self {
        Walk { book, next: 0, open: None, passed: 0 }
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
            return open.next(spare).map(Some).map_err(VerifyError::io(&open.segment.path));
        }
        self.passed += self.open.take().map_or(0, |open| open.segment.size);
        let number = self.next;
        let Some(segment) = self.book.segments.get(number as usize) else { return Ok(None) };
        self.next += 1;
        if let Some(salt) = segment.salt {
            let file = File::open(&segment.path).map_err(VerifyError::io(&segment.path))?;
            self.open = Some(Open { number, segment, file, salt, offset: SEGMENT_HEADER_BYTES as u64 });
        } else {
            self.passed += segment.size;
        }
        Ok(Some(Event::Segment(number)))
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
                Ok(Event::Group(RawGroup { file, offset, salt: self.salt, header, body }))
            }
            Err(FrameError::Io(error)) => Err(error),
            Err(error) => {
                let found = self.find_header(offset + ALIGNMENT as u64)?;
                self.offset = found.unwrap_or(size);
                let skipped = self.offset - offset;
                let message = match (found, &error) {
                    (Some(_), _) => format!("{error}; {skipped} bytes were skipped to the next group"),
                    (None, FrameError::Truncated { .. }) => format!(
                        "{error}; the file was cut, or a crash tore the last write, which the ledger sets right \
                         when it is opened"
                    ),
                    (None, _) => {
                        format!("{error}; nothing in the last {skipped} bytes can be read as a group")
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
