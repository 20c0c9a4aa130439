//! Groups: what one durable write adds to a segment, with its seal.
//!
//! # Format
//!
//! All numbers are little-endian.
//!
//! | group header | bytes |
//! | --- | --- |
//! | magic | 4, `cfgr` |
//! | body_bytes | u32, a multiple of 8 |
//! | rows | u32, at least 1 |
//! | submissions | u32, at least 1 |
//! | first_seq | u64 |
//! | durable_upto | u64, the end of the last group in this segment known to be on disk when this one was written |
//! | previous | 32, the row hash before first_seq |
//! | body_crc | u32, CRC-32C of salt and body |
//! | header_crc | u32, CRC-32C of salt and the 68 bytes above |
//!
//! | group body | bytes |
//! | --- | --- |
//! | rows | each a u32 length and a row record |
//! | submissions | 100 bytes each, in row order |
//! | seal | root (32) and signature (64) of the checkpoint of size first_seq + rows |
//! | padding | 0 to 7 zero bytes |

use crate::codec::{CodecError, Cursor, within};
use crate::frame::{FrameError, ReadAt};
use crate::hash::Hash;
use crate::key::SignatureBytes;
use crate::limits;
use crate::submission::SignedSubmission;
use std::ops::Range;

/// Bytes of a group header.
pub const GROUP_HEADER_BYTES: usize = 72;
/// Bytes of a seal.
pub const SEAL_BYTES: usize = 96;
/// Groups begin at multiples of this.
pub const ALIGNMENT: usize = 8;
/// The first bytes of a group.
pub const GROUP_MAGIC: &[u8; 4] = b"cfgr";

/// The head of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHeader {
    /// Bytes of the body behind the header.
    pub body_bytes: u32,
    /// Rows in the body.
    pub rows: u32,
    /// Submissions in the body.
    pub submissions: u32,
    /// The number of the first row.
    pub first_seq: u64,
    /// The end of the last group of the segment known to be on disk.
    pub durable_upto: u64,
    /// The hash of the row before the first one.
    pub previous: Hash,
    body_crc: u32,
}

impl GroupHeader {
    /// Decodes and checks a header. Every bound is checked here, before a length is believed.
    pub fn decode(bytes: &[u8; GROUP_HEADER_BYTES], salt: &[u8; 16]) -> Result<Self, FrameError> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array()? != *GROUP_MAGIC {
            return Err(FrameError::Magic("group"));
        }
        let header = GroupHeader {
            body_bytes: cursor.u32()?,
            rows: cursor.u32()?,
            submissions: cursor.u32()?,
            first_seq: cursor.u64()?,
            durable_upto: cursor.u64()?,
            previous: Hash(cursor.array()?),
            body_crc: cursor.u32()?,
        };
        let covered = bytes.get(..cursor.position()).unwrap_or_default();
        if crc32c::crc32c_append(crc32c::crc32c(salt), covered) != cursor.u32()? {
            return Err(FrameError::Checksum("the group header"));
        }
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), CodecError> {
        within("a group's body", self.body_bytes as usize, limits::GROUP_BYTES)?;
        within("rows of a group", self.rows as usize, limits::GROUP_ROWS)?;
        if self.rows == 0 || self.submissions == 0 || self.submissions > self.rows {
            return Err(CodecError::Inconsistent(
                "a group has no rows, no submissions, or more submissions than rows",
            ));
        }
        if !(self.body_bytes as usize).is_multiple_of(ALIGNMENT) {
            return Err(CodecError::Inconsistent("a group's length is no multiple of 8"));
        }
        if self.first_seq.checked_add(u64::from(self.rows)).is_none() {
            return Err(CodecError::Inconsistent("a group's row numbers leave 64 bits"));
        }
        Ok(())
    }

    /// Bytes of the whole group.
    pub fn group_bytes(&self) -> u64 {
        GROUP_HEADER_BYTES as u64 + u64::from(self.body_bytes)
    }

    /// The number behind the last row.
    pub fn end_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.rows))
    }

    /// Whether the body's checksum matches.
    pub fn matches(&self, body: &[u8], salt: &[u8; 16]) -> bool {
        // Left out only to show that tests fail without it.
        cfg!(counterfoil_without = "crc")
            || crc32c::crc32c_append(crc32c::crc32c(salt), body) == self.body_crc
    }

    /// Reads the header at an offset of a segment of `size` bytes, and checks that its body lies in the segment.
    pub fn read<R: ReadAt + ?Sized>(
        source: &R,
        offset: u64,
        size: u64,
        salt: &[u8; 16],
    ) -> Result<Self, FrameError> {
        let left = size.saturating_sub(offset);
        if left < GROUP_HEADER_BYTES as u64 {
            let needed = GROUP_HEADER_BYTES as u64;
            return Err(FrameError::Truncated { what: "a group header", needed, left });
        }
        let mut bytes = [0; GROUP_HEADER_BYTES];
        source.read_exact_at(offset, &mut bytes)?;
        let header = Self::decode(&bytes, salt)?;
        if header.group_bytes() > left {
            return Err(FrameError::Truncated { what: "a group", needed: header.group_bytes(), left });
        }
        Ok(header)
    }

    /// Reads the body behind a header at an offset, and checks its checksum.
    pub fn read_body<R: ReadAt + ?Sized>(
        &self,
        source: &R,
        offset: u64,
        salt: &[u8; 16],
        body: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        body.resize(self.body_bytes as usize, 0);
        source.read_exact_at(offset.saturating_add(GROUP_HEADER_BYTES as u64), body)?;
        if self.matches(body, salt) { Ok(()) } else { Err(FrameError::Checksum("the group")) }
    }
}

/// The ledger's signature over the tree up to the end of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// The root of the tree.
    pub root: Hash,
    /// The signature over the checkpoint's text.
    pub signature: SignatureBytes,
}

/// A group's body, taken apart but not copied.
#[derive(Debug, Clone)]
pub struct GroupBody<'a> {
    body: &'a [u8],
    rows: Vec<Range<usize>>,
    /// The submissions, in row order; their counts add up to the group's rows.
    pub submissions: Vec<SignedSubmission>,
    /// The seal.
    pub seal: Seal,
}

impl<'a> GroupBody<'a> {
    /// Takes a body apart. Rows are found, not parsed.
    pub fn parse(header: &GroupHeader, body: &'a [u8]) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new(body);
        let mut rows = Vec::with_capacity((header.rows as usize).min(body.len() / 4));
        for _ in 0..header.rows {
            let length = cursor.u32()? as usize;
            within("a row", length, limits::ROW_BYTES)?;
            let start = cursor.position();
            cursor.take(length)?;
            rows.push(start..cursor.position());
        }
        let mut submissions = Vec::with_capacity((header.submissions as usize).min(body.len() / 100));
        let mut covered = 0u64;
        for _ in 0..header.submissions {
            let (count, root) = (cursor.u32()?, Hash(cursor.array()?));
            let signature = SignatureBytes(cursor.array()?);
            within("a submission", count as usize, limits::SUBMISSION_ROWS)?;
            if count == 0 {
                return Err(CodecError::Empty("a submission"));
            }
            covered += u64::from(count);
            submissions.push(SignedSubmission { count, root, signature });
        }
        if covered != u64::from(header.rows) {
            return Err(CodecError::Inconsistent("the submissions do not cover the group's rows"));
        }
        let seal = Seal { root: Hash(cursor.array()?), signature: SignatureBytes(cursor.array()?) };
        let padding = cursor.rest();
        if padding.len() >= ALIGNMENT || padding.iter().any(|byte| *byte != 0) {
            return Err(CodecError::Trailing(padding.len()));
        }
        Ok(GroupBody { body, rows, submissions, seal })
    }

    /// The row records, with where each begins in the body.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (usize, &'a [u8])> + '_ {
        self.rows.iter().map(|range| (range.start, self.body.get(range.clone()).unwrap_or_default()))
    }

    /// One row record by its place in the group.
    pub fn row(&self, place: usize) -> Option<&'a [u8]> {
        self.body.get(self.rows.get(place)?.clone())
    }
}

/// Builds a group: rows first, then submissions, then the seal.
#[derive(Debug)]
pub struct GroupBuilder {
    bytes: Vec<u8>,
    rows: u32,
    submissions: Vec<SignedSubmission>,
}

impl Default for GroupBuilder {
    fn default() -> Self {
        Self::with_capacity(GROUP_HEADER_BYTES)
    }
}

impl GroupBuilder {
    /// An empty builder with room for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut header = Vec::with_capacity(bytes);
        header.resize(GROUP_HEADER_BYTES, 0);
        GroupBuilder { bytes: header, rows: 0, submissions: Vec::new() }
    }

    /// Appends a row record that `write` puts at the end of the bytes it is given; yields where it begins in the
    /// group.
    pub fn push_row(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<usize, CodecError> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        write(&mut self.bytes);
        let start = at + 4;
        let length = self.bytes.len() - start;
        within("a row", length, limits::ROW_BYTES)?;
        let prefix = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(place) = self.bytes.get_mut(at..start) {
            place.copy_from_slice(&prefix);
        }
        self.rows += 1;
        Ok(start)
    }

    /// Adds the signature over the rows pushed since the last one.
    pub fn push_submission(&mut self, submission: SignedSubmission) {
        self.submissions.push(submission);
    }

    /// The finished group.
    pub fn finish(
        mut self,
        first_seq: u64,
        durable_upto: u64,
        previous: &Hash,
        salt: &[u8; 16],
        seal: &Seal,
    ) -> Result<Vec<u8>, CodecError> {
        self.submissions.iter().for_each(|submission| submission.write(&mut self.bytes));
        self.bytes.extend_from_slice(&seal.root.0);
        self.bytes.extend_from_slice(&seal.signature.0);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        let body = self.bytes.get(GROUP_HEADER_BYTES..).unwrap_or_default();
        within("a group's body", body.len(), limits::GROUP_BYTES)?;
        let body_crc = crc32c::crc32c_append(crc32c::crc32c(salt), body);
        let mut header = Vec::with_capacity(GROUP_HEADER_BYTES);
        header.extend_from_slice(GROUP_MAGIC);
        header.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        header.extend_from_slice(&self.rows.to_le_bytes());
        header.extend_from_slice(&u32::try_from(self.submissions.len()).unwrap_or(u32::MAX).to_le_bytes());
        header.extend_from_slice(&first_seq.to_le_bytes());
        header.extend_from_slice(&durable_upto.to_le_bytes());
        header.extend_from_slice(&previous.0);
        header.extend_from_slice(&body_crc.to_le_bytes());
        let header_crc = crc32c::crc32c_append(crc32c::crc32c(salt), &header);
        header.extend_from_slice(&header_crc.to_le_bytes());
        if let Some(place) = self.bytes.get_mut(..GROUP_HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        Ok(self.bytes)
    }
}
