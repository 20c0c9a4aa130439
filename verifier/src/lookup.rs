//! Reading a row again by its number, for rollbacks that name it (V17).
//!
//! Where rows stand is kept for one row in about 64 KiB of log; from there the log is read forward.

use crate::source::Book;
use crate::walk::RawGroup;
use counterfoil_format::frame::ReadAt;
use counterfoil_format::group::{GROUP_HEADER_BYTES, GroupHeader};
use counterfoil_format::limits;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Bytes of log between two rows whose places are kept.
const SPACING: u64 = 64 * 1024;
/// Bytes of the length before a record.
const PREFIX: u64 = 4;
/// Bytes read at once.
const CHUNK_BYTES: u64 = 64 * 1024 + 4096;

/// Where some of the rows stand.
#[derive(Debug, Default)]
pub(crate) struct Landmarks {
    marks: Vec<Mark>,
}

/// A row's place.
#[derive(Debug, Clone, Copy)]
struct Mark {
    seq: u64,
    file: u32,
    /// Where its group begins.
    group: u64,
    /// Where its length prefix stands.
    offset: u64,
}

impl Landmarks {
    /// Takes in a row that was met, whose record begins at this byte of the segment.
    pub fn pass(&mut self, seq: u64, group: &RawGroup, record: u64) {
        let offset = record.saturating_sub(PREFIX);
        let due = self.marks.last().is_none_or(|last| {
            seq > last.seq && (group.file != last.file || offset.saturating_sub(last.offset) >= SPACING)
        });
        if due {
            self.marks.push(Mark { seq, file: group.file, group: group.offset, offset });
        }
    }

    /// The record of a row; `None` when there is no way to it through the frames.
    pub fn record(&self, seq: u64, reader: &mut Reader<'_>) -> io::Result<Option<Vec<u8>>> {
        let behind = self.marks.partition_point(|mark| mark.seq <= seq);
        match behind.checked_sub(1).and_then(|place| self.marks.get(place)) {
            Some(mark) => reader.walk(mark, seq),
            None => Ok(None),
        }
    }
}

/// Reads segments in chunks; the last one is kept.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    book: &'a Book,
    open: Option<(u32, File)>,
    start: u64,
    chunk: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing yet.
    pub fn new(book: &'a Book) -> Self {
        Reader { book, open: None, start: 0, chunk: Vec::new() }
    }

    /// The file that was read last.
    pub fn path(&self) -> PathBuf {
        let open = self.open.as_ref().and_then(|(file, _)| self.book.segments.get(*file as usize));
        open.map(|segment| segment.path.clone()).unwrap_or_default()
    }

    /// From a row whose place is known to one a little behind it.
    fn walk(&mut self, mark: &Mark, wanted: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(segment) = self.book.segments.get(mark.file as usize) else { return Ok(None) };
        let Some(salt) = segment.salt else { return Ok(None) };
        let (mut seq, mut group, mut offset) = (mark.seq, mark.group, mark.offset);
        let limit = mark.offset.saturating_add(SPACING + limits::ROW_BYTES as u64);
        let Some(mut header) = self.header(mark.file, group, segment.size, &salt)? else { return Ok(None) };
        while offset <= limit {
            if seq >= header.end_seq() {
                group = group.saturating_add(header.group_bytes());
                let Some(next) = self.header(mark.file, group, segment.size, &salt)? else {
                    return Ok(None);
                };
                header = next;
                (seq, offset) = (header.first_seq, group.saturating_add(GROUP_HEADER_BYTES as u64));
                if seq > wanted {
                    return Ok(None);
                }
                continue;
            }
            let Some(prefix) = self.bytes(mark.file, offset, 4, segment.size)? else { return Ok(None) };
            let length = prefix.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize;
            if length > limits::ROW_BYTES {
                return Ok(None);
            }
            let record = offset.saturating_add(PREFIX);
            if seq == wanted {
                return Ok(self.bytes(mark.file, record, length, segment.size)?.map(<[u8]>::to_vec));
            }
            offset = record.saturating_add(length as u64);
            seq += 1;
        }
        Ok(None)
    }

    fn header(
        &mut self,
        file: u32,
        offset: u64,
        size: u64,
        salt: &[u8; 16],
    ) -> io::Result<Option<GroupHeader>> {
        let bytes = self.bytes(file, offset, GROUP_HEADER_BYTES, size)?;
        let decoded = bytes.and_then(<[u8]>::first_chunk).map(|bytes| GroupHeader::decode(bytes, salt));
        Ok(decoded.and_then(Result::ok))
    }

    /// Bytes of a segment; `None` behind its end.
    fn bytes(&mut self, file: u32, offset: u64, length: usize, size: u64) -> io::Result<Option<&[u8]>> {
        let end = offset.saturating_add(length as u64);
        if end > size {
            return Ok(None);
        }
        let here = self.open.as_ref().is_some_and(|(open, _)| *open == file);
        if !here {
            let Some(segment) = self.book.segments.get(file as usize) else { return Ok(None) };
            self.open = Some((file, File::open(&segment.path)?));
            self.chunk.clear();
        }
        let inside = offset >= self.start && end <= self.start + self.chunk.len() as u64;
        if !inside && let Some((_, source)) = &self.open {
            let wanted = (size - offset).min(CHUNK_BYTES.max(length as u64));
            self.start = offset;
            self.chunk.resize(usize::try_from(wanted).unwrap_or(length), 0);
            source.read_exact_at(offset, &mut self.chunk)?;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.chunk.get(from..).and_then(|rest| rest.get(..length)))
    }
}
