//! Frames: segments, read from anything that can be read at an offset.
//!
//! # Format
//!
//! A segment is a header of 104 bytes and groups ([`crate::group`]) behind it, each 8-byte aligned. All numbers are
//! little-endian.
//!
//! | segment header | bytes |
//! | --- | --- |
//! | magic | 8, `cfoilseg` |
//! | version | u32, 1 |
//! | crc | u32, CRC-32C of the header with these four bytes 0 |
//! | first_seq | u64 |
//! | salt | 16, random |
//! | ledger_id | 32 |
//! | previous | 32, the row hash before first_seq |

use crate::codec::{CodecError, Cursor};
use crate::hash::Hash;
use std::io;
use std::ops::Range;

/// The version of segments that this build reads and writes.
pub const SEGMENT_VERSION: u32 = 3;
/// Bytes of a segment header.
pub const SEGMENT_HEADER_BYTES: usize = 104;

const SEGMENT_MAGIC: &[u8; 8] = b"cfoilseg";
const CRC_AT: Range<usize> = 12..16;

/// Something that can be read at an offset: a file, a slice.
pub trait ReadAt {
    /// How many bytes there are.
    fn size(&self) -> io::Result<u64>;
    /// Fills the buffer from the offset; an error when there are too few bytes.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let bytes = from.and_then(|from| self.get(from..)).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

/// Why a segment header or a group is not one.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The bytes could not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file or the group ends early.
    #[error("{what} needs {needed} bytes where {left} are left")]
    Truncated {
        /// What ends early.
        what: &'static str,
        /// Bytes needed.
        needed: u64,
        /// Bytes there.
        left: u64,
    },
    /// The magic bytes are others.
    #[error("no {0} begins here")]
    Magic(&'static str),
    /// A checksum does not match.
    #[error("the checksum of {0} does not match")]
    Checksum(&'static str),
    /// An intact header of a version that this build does not know.
    #[error("segment version {0} is not known here; {hint}", hint = who_reads(*.0))]
    Version(u32),
    /// The layout contradicts itself or a limit.
    #[error("{0}")]
    Layout(#[from] CodecError),
}

/// Who may read segments of a version that this build does not know.
pub const fn who_reads(version: u32) -> &'static str {
    match version > SEGMENT_VERSION {
        true => "a newer build may read it",
        false => "it was written before the format was settled, and the build that wrote it reads it",
    }
}

/// The head of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The number of the first row in the segment.
    pub first_seq: u64,
    /// Random bytes that salt the checksums.
    pub salt: [u8; 16],
    /// The ledger's id.
    pub ledger_id: Hash,
    /// The hash of the row before the first one.
    pub previous: Hash,
}

impl SegmentHeader {
    /// The header's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        out.extend_from_slice(SEGMENT_MAGIC);
        out.extend_from_slice(&SEGMENT_VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.first_seq.to_le_bytes());
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&self.ledger_id.0);
        out.extend_from_slice(&self.previous.0);
        let crc = crc32c::crc32c(&out).to_le_bytes();
        if let Some(place) = out.get_mut(CRC_AT) {
            place.copy_from_slice(&crc);
        }
        out
    }

    /// Reads the header at the start of a segment.
    pub fn read<R: ReadAt + ?Sized>(source: &R) -> Result<Self, FrameError> {
        let left = source.size()?;
        let needed = SEGMENT_HEADER_BYTES as u64;
        if left < needed {
            return Err(FrameError::Truncated { what: "a segment header", needed, left });
        }
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        source.read_exact_at(0, &mut bytes)?;
        Self::decode(&bytes)
    }

    fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, FrameError> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array()? != *SEGMENT_MAGIC {
            return Err(FrameError::Magic("segment"));
        }
        let (version, crc) = (cursor.u32()?, cursor.u32()?);
        let mut blank = *bytes;
        blank.get_mut(CRC_AT).into_iter().for_each(|place| place.fill(0));
        if crc32c::crc32c(&blank) != crc {
            return Err(FrameError::Checksum("the segment header"));
        }
        if version != SEGMENT_VERSION {
            return Err(FrameError::Version(version));
        }
        Ok(SegmentHeader {
            first_seq: cursor.u64()?,
            salt: cursor.array()?,
            ledger_id: Hash(cursor.array()?),
            previous: Hash(cursor.array()?),
        })
    }
}
