//! The strict codec: postcard, accepted only in its one canonical encoding.
//!
//! postcard itself accepts over-long varints and ignores trailing bytes. Here a decoded structure is encoded
//! again and compared with what was read, byte for byte and without a copy; bytes left over are an error.
//! [`Cursor`] reads the layouts around those structures with the same varints, minimal only.

use crate::limits;
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

/// Why bytes are not the canonical encoding of what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end before the structure does.
    #[error("the bytes end early")]
    Truncated,
    /// Bytes are left over behind the structure.
    #[error("{0} bytes left over")]
    Trailing(usize),
    /// The bytes decode, but the canonical encoding of the result is another one.
    #[error("not the canonical encoding")]
    NotCanonical,
    /// The bytes are no encoding of this structure at all.
    #[error("not an encoding of {0}")]
    Malformed(&'static str),
    /// A length or a count is above its limit.
    #[error("{what} of {found} is above the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The size met.
        found: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// A name, a key or a list that must not be empty is.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A name holds a control character.
    #[error("{0} holds a control character")]
    Control(&'static str),
    /// A version this build does not know.
    #[error("version {found} of {what} is not known here; a newer build may read it")]
    Version {
        /// The structure.
        what: &'static str,
        /// Its version.
        found: u64,
    },
    /// Items that must be sorted and unique are not.
    #[error("{0} are not sorted and unique")]
    Unsorted(&'static str),
    /// The structure contradicts itself or what stands beside it.
    #[error("{0}")]
    Inconsistent(&'static str),
}

/// Checks a size against its limit.
pub fn within(what: &'static str, found: usize, limit: usize) -> Result<(), CodecError> {
    if found > limit {
        return Err(CodecError::TooLarge { what, found: found as u64, limit: limit as u64 });
    }
    Ok(())
}

/// Checks a text that must not be empty and has a limit in bytes.
pub fn named(what: &'static str, text: &str, limit: usize) -> Result<(), CodecError> {
    if text.is_empty() {
        return Err(CodecError::Empty(what));
    }
    within(what, text.len(), limit)
}

/// Checks a list that must not be empty, since what says nothing is left out, and has a limit.
pub fn listed(what: &'static str, count: usize, limit: usize) -> Result<(), CodecError> {
    if count == 0 {
        return Err(CodecError::Empty(what));
    }
    within(what, count, limit)
}

/// Checks the name of an action, a stage, an actor, an adapter, a metric or a key's holder: at most 128 bytes, and no control
/// characters (U+0000 to U+001F, U+007F). It may be empty.
pub fn label(what: &'static str, text: &str) -> Result<(), CodecError> {
    within(what, text.len(), limits::NAME_BYTES)?;
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(CodecError::Control(what));
    }
    Ok(())
}

/// Checks such a name where one must be given.
pub fn name(what: &'static str, text: &str) -> Result<(), CodecError> {
    if text.is_empty() {
        return Err(CodecError::Empty(what));
    }
    label(what, text)
}

/// Encodes a structure at the end of `out`.
pub fn encode_into<T: Serialize + ?Sized>(structure: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    postcard::serialize_with_flavor(structure, Append(out))
        .map_err(|_| CodecError::Inconsistent("a structure of unknown length cannot be encoded"))
}

/// Encodes a structure.
pub fn encode<T: Serialize + ?Sized>(structure: &T) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    encode_into(structure, &mut out)?;
    Ok(out)
}

/// Decodes a structure from exactly these bytes, which must be its canonical encoding.
pub fn decode<'a, T>(what: &'static str, bytes: &'a [u8]) -> Result<T, CodecError>
where
    T: Deserialize<'a> + Serialize,
{
    let (structure, rest) = postcard::take_from_bytes::<T>(bytes).map_err(|error| match error {
        postcard::Error::DeserializeUnexpectedEnd => CodecError::Truncated,
        _ => CodecError::Malformed(what),
    })?;
    if !rest.is_empty() {
        return Err(CodecError::Trailing(rest.len()));
    }
    let left =
        postcard::serialize_with_flavor(&structure, Compare(bytes)).map_err(|_| CodecError::NotCanonical)?;
    if left == 0 { Ok(structure) } else { Err(CodecError::NotCanonical) }
}

/// Appends what postcard writes to a vector.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Compares what postcard writes with the bytes that are expected; yields how many were not reached.
struct Compare<'a>(&'a [u8]);

impl Flavor for Compare<'_> {
    type Output = usize;

    /// Most of a structure is pushed byte by byte, so no slices are compared here.
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                Ok(())
            }
            _ => Err(postcard::Error::SerializeBufferFull),
        }
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0 = self.0.strip_prefix(bytes).ok_or(postcard::Error::SerializeBufferFull)?;
        Ok(())
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.0.len())
    }
}

/// Appends a varint: seven bits a byte, lowest first, the high bit set on all bytes but the last.
pub fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a varint length and the bytes.
pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a signed number as the varint of its zigzag form: 0, -1, 1, -2 are 0, 1, 2, 3.
pub fn put_signed(number: i64, out: &mut Vec<u8>) {
    put_varint(((number << 1) ^ (number >> 63)).cast_unsigned(), out);
}

/// Reads a layout front to back. Nothing is copied; every read is bounded by the bytes that are there.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    start: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes, start: bytes.len() }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.start - self.rest.len()
    }

    /// The bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A little-endian 32-bit number.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A little-endian 64-bit number.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A varint in its shortest form.
    pub fn varint(&mut self) -> Result<u64, CodecError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(CodecError::Malformed("a 64-bit number"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return if bits == 0 && shift > 0 { Err(CodecError::NotCanonical) } else { Ok(number) };
            }
        }
        Err(CodecError::Malformed("a 64-bit number"))
    }

    /// A signed number in zigzag form.
    pub fn signed(&mut self) -> Result<i64, CodecError> {
        let raw = self.varint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A varint count, at most `limit`.
    pub fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, CodecError> {
        let found = self.varint()?;
        match usize::try_from(found) {
            Ok(count) if count <= limit => Ok(count),
            _ => Err(CodecError::TooLarge { what, found, limit: limit as u64 }),
        }
    }

    /// A varint length and as many bytes, at most `limit`.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], CodecError> {
        let count = self.count(what, limit)?;
        self.take(count)
    }

    /// A varint length and as many bytes of UTF-8, at most `limit`.
    pub fn text(&mut self, what: &'static str, limit: usize) -> Result<&'a str, CodecError> {
        let bytes = self.bytes(what, limit)?;
        str::from_utf8(bytes).map_err(|_| CodecError::Malformed("UTF-8 text"))
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.rest.len())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_long_varints_and_trailing_bytes_are_refused() {
        assert_eq!(decode::<u32>("a number", &[0x05]), Ok(5));
        assert_eq!(decode::<u32>("a number", &[0x85, 0x00]), Err(CodecError::NotCanonical));
        assert_eq!(decode::<u32>("a number", &[0x05, 0x00]), Err(CodecError::Trailing(1)));
        assert_eq!(decode::<u32>("a number", &[0x85]), Err(CodecError::Truncated));
        assert_eq!(Cursor::new(&[0x85, 0x00]).varint(), Err(CodecError::NotCanonical));
        assert_eq!(Cursor::new(&[0xff; 11]).varint(), Err(CodecError::Malformed("a 64-bit number")));
    }

    #[test]
    fn names_are_short_and_hold_no_control_characters() {
        assert_eq!(name("a name", "price.set é*"), Ok(()));
        assert_eq!(label("a name", ""), Ok(()));
        assert_eq!(name("a name", ""), Err(CodecError::Empty("a name")));
        for text in ["\0", "a\u{1f}", "\u{7f}b", "a\nb"] {
            assert_eq!(name("a name", text), Err(CodecError::Control("a name")), "{text:?}");
        }
        assert!(name("a name", &"x".repeat(129)).is_err());
        assert_eq!(name("a name", "\u{80}"), Ok(()));
    }

    #[test]
    fn the_cursor_reads_what_postcard_writes() {
        for number in [0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN] {
            let mut ours = Vec::new();
            put_signed(number, &mut ours);
            assert_eq!(encode(&number).unwrap(), ours);
            assert_eq!(Cursor::new(&ours).signed(), Ok(number));
            let mut ours = Vec::new();
            put_varint(number.cast_unsigned(), &mut ours);
            assert_eq!(encode(&number.cast_unsigned()).unwrap(), ours);
            assert_eq!(Cursor::new(&ours).varint(), Ok(number.cast_unsigned()));
        }
    }
}
