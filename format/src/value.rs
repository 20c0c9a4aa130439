//! Values: what a key of the state holds, and the free-form data of a part.
//!
//! # Format
//!
//! A value is a tree written in pre-order; these are the bytes postcard gives for the enum below.
//!
//! | tag | value | behind the tag |
//! | --- | --- | --- |
//! | 0 | null | nothing |
//! | 1 | bool | 0 or 1 |
//! | 2 | integer | zigzag varint, 64 bits |
//! | 3 | decimal | mantissa as zigzag varint of 128 bits, then the scale as one byte, 0 to 38 |
//! | 4 | text | varint length, UTF-8 |
//! | 5 | bytes | varint length, bytes |
//! | 6 | list | varint count, that many values |
//! | 7 | map | varint count, that many (text key, value), keys in ascending byte order, no key twice |
//!
//! A decimal is `mantissa / 10^scale`. Scale 0 is only for whole numbers that need more than 64 bits.

use crate::codec::{self, CodecError, Cursor, put_bytes, put_signed, put_varint, within};
use crate::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A value as a tree of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, said openly.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// An exact decimal, `mantissa / 10^scale`.
    Decimal(Decimal),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(BTreeMap<String, Value>),
}

/// An exact decimal number, `mantissa / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decimal {
    /// All digits, with the sign.
    pub mantissa: i128,
    /// How many of the digits stand behind the point, 0 to 38.
    pub scale: u8,
}

impl Decimal {
    /// Whether the scale is in range, and 0 only for what 64 bits cannot hold.
    pub fn is_canonical(self) -> bool {
        self.scale <= limits::DECIMAL_SCALE && (self.scale > 0 || i64::try_from(self.mantissa).is_err())
    }

    /// Checks that the scale is in range, where 0 is allowed with any mantissa.
    pub fn check(self) -> Result<(), CodecError> {
        if self.scale <= limits::DECIMAL_SCALE { Ok(()) } else { Err(CodecError::Malformed("a decimal")) }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        let sign = if self.mantissa < 0 { "-" } else { "" };
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

const NULL: u8 = 0;
const BOOL: u8 = 1;
const INT: u8 = 2;
const DECIMAL: u8 = 3;
const TEXT: u8 = 4;
const BYTES: u8 = 5;
const LIST: u8 = 6;
pub(crate) const MAP: u8 = 7;

impl Value {
    /// Encodes at the end of `out`. Fails on a decimal out of range, on what nests too deep, and above the limit of size.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let before = out.len();
        self.encode_at(1, out)?;
        within("a value", out.len() - before, limits::VALUE_BYTES)
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut out = Vec::new();
        self.encode_into(&mut out)?;
        Ok(out)
    }

    fn encode_at(&self, depth: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        within("nesting", depth, limits::VALUE_DEPTH)?;
        match self {
            Value::Null => out.push(NULL),
            Value::Bool(yes) => out.extend([BOOL, u8::from(*yes)]),
            Value::Int(number) => {
                out.push(INT);
                put_signed(*number, out);
            }
            Value::Decimal(decimal) => {
                if !decimal.is_canonical() {
                    return Err(CodecError::Inconsistent("a decimal's scale is out of range"));
                }
                out.push(DECIMAL);
                codec::encode_into(decimal, out)?;
            }
            Value::Text(text) => {
                out.push(TEXT);
                put_bytes(text.as_bytes(), out);
            }
            Value::Bytes(bytes) => {
                out.push(BYTES);
                put_bytes(bytes, out);
            }
            Value::List(items) => {
                out.push(LIST);
                put_varint(items.len() as u64, out);
                items.iter().try_for_each(|item| item.encode_at(depth + 1, out))?;
            }
            Value::Map(map) => {
                out.push(MAP);
                put_varint(map.len() as u64, out);
                for (key, item) in map {
                    put_bytes(key.as_bytes(), out);
                    item.encode_at(depth + 1, out)?;
                }
            }
        }
        Ok(())
    }

    /// Decodes exactly these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Value, CodecError> {
        within("a value", bytes.len(), limits::VALUE_BYTES)?;
        let mut cursor = Cursor::new(bytes);
        let value = build(&mut cursor, 1)?;
        cursor.finish()?;
        Ok(value)
    }

    /// Checks that the bytes are the canonical encoding of some value, building nothing.
    pub fn check(bytes: &[u8]) -> Result<(), CodecError> {
        within("a value", bytes.len(), limits::VALUE_BYTES)?;
        let mut cursor = Cursor::new(bytes);
        skip(&mut cursor, 1)?;
        cursor.finish()
    }
}

/// One node of the pre-order walk; a list or a map says how many follow.
enum Node<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(usize),
    Map(usize),
}

fn node<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Node<'a>, CodecError> {
    within("nesting", depth, limits::VALUE_DEPTH)?;
    Ok(match cursor.byte()? {
        NULL => Node::Null,
        BOOL => match cursor.byte()? {
            0 => Node::Bool(false),
            1 => Node::Bool(true),
            _ => return Err(CodecError::Malformed("a bool")),
        },
        INT => Node::Int(cursor.signed()?),
        DECIMAL => Node::Decimal(decimal(cursor)?),
        TEXT => Node::Text(cursor.text("a text", limits::VALUE_BYTES)?),
        BYTES => Node::Bytes(cursor.bytes("bytes", limits::VALUE_BYTES)?),
        LIST => Node::List(cursor.count("a list", limits::VALUE_BYTES)?),
        MAP => Node::Map(cursor.count("a map", limits::VALUE_BYTES)?),
        _ => return Err(CodecError::Malformed("a value")),
    })
}

/// The mantissa is a varint of up to 19 bytes: the shortest prefix that ends a varint, then the scale.
fn decimal(cursor: &mut Cursor<'_>) -> Result<Decimal, CodecError> {
    let length = cursor.rest().iter().take(19).position(|byte| byte & 0x80 == 0);
    let bytes = cursor.take(length.ok_or(CodecError::Malformed("a decimal"))? + 2)?;
    let decimal: Decimal = codec::decode("a decimal", bytes)?;
    if decimal.is_canonical() { Ok(decimal) } else { Err(CodecError::NotCanonical) }
}

/// Map keys ascend strictly.
fn next_key<'a>(cursor: &mut Cursor<'a>, last: &mut Option<&'a str>) -> Result<&'a str, CodecError> {
    let key = cursor.text("a map key", limits::VALUE_BYTES)?;
    if last.is_some_and(|last| last.as_bytes() >= key.as_bytes()) {
        return Err(CodecError::Unsorted("map keys"));
    }
    *last = Some(key);
    Ok(key)
}

fn skip(cursor: &mut Cursor<'_>, depth: usize) -> Result<(), CodecError> {
    match node(cursor, depth)? {
        Node::List(count) => (0..count).try_for_each(|_| skip(cursor, depth + 1)),
        Node::Map(count) => {
            let mut last = None;
            (0..count).try_for_each(|_| {
                next_key(cursor, &mut last)?;
                skip(cursor, depth + 1)
            })
        }
        _ => Ok(()),
    }
}

fn build(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value, CodecError> {
    Ok(match node(cursor, depth)? {
        Node::Null => Value::Null,
        Node::Bool(yes) => Value::Bool(yes),
        Node::Int(number) => Value::Int(number),
        Node::Decimal(decimal) => Value::Decimal(decimal),
        Node::Text(text) => Value::Text(text.to_owned()),
        Node::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Node::List(count) => {
            Value::List((0..count).map(|_| build(cursor, depth + 1)).collect::<Result<_, _>>()?)
        }
        Node::Map(count) => {
            let mut last = None;
            let mut map = BTreeMap::new();
            for _ in 0..count {
                let key = next_key(cursor, &mut last)?.to_owned();
                map.insert(key, build(cursor, depth + 1)?);
            }
            Value::Map(map)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        Value::Map(BTreeMap::from([
            ("a".into(), Value::List(vec![Value::Null, Value::Bool(true), Value::Int(-7)])),
            ("b".into(), Value::Decimal(Decimal { mantissa: i128::MIN, scale: 2 })),
            ("c".into(), Value::Text("price".into())),
            ("d".into(), Value::Bytes(vec![1, 2, 3])),
        ]))
    }

    #[test]
    fn a_value_survives_the_trip() {
        let bytes = sample().encode().unwrap();
        assert_eq!(Value::decode(&bytes), Ok(sample()));
        assert_eq!(Value::check(&bytes), Ok(()));
        for cut in 0..bytes.len() {
            assert!(Value::check(&bytes[..cut]).is_err());
            assert!(Value::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn maps_are_sorted_and_nesting_is_bounded() {
        assert_eq!(
            Value::check(&[MAP, 2, 1, b'b', NULL, 1, b'a', NULL]),
            Err(CodecError::Unsorted("map keys"))
        );
        assert_eq!(
            Value::check(&[MAP, 2, 1, b'a', NULL, 1, b'a', NULL]),
            Err(CodecError::Unsorted("map keys"))
        );
        let deep = [[LIST, 1].repeat(limits::VALUE_DEPTH), vec![NULL]].concat();
        assert!(matches!(Value::check(&deep), Err(CodecError::TooLarge { what: "nesting", .. })));
        let allowed = [[LIST, 1].repeat(limits::VALUE_DEPTH - 1), vec![NULL]].concat();
        assert_eq!(Value::check(&allowed), Ok(()));
    }

    #[test]
    fn a_huge_count_costs_nothing() {
        assert_eq!(Value::check(&[LIST, 0xff, 0xff, 0x3f]), Err(CodecError::Truncated));
        assert_eq!(Value::decode(&[LIST, 0xff, 0xff, 0x3f]), Err(CodecError::Truncated));
    }

    #[test]
    fn decimals_print_exactly_and_have_one_form() {
        let show = |mantissa, scale| Decimal { mantissa, scale }.to_string();
        assert_eq!(show(1990, 2), "19.90");
        assert_eq!(show(-5, 3), "-0.005");
        assert_eq!(show(0, 2), "0.00");
        assert_eq!(show(i128::from(i64::MAX) + 1, 0), "9223372036854775808");
        assert_eq!(Value::check(&[DECIMAL, 2, 0]), Err(CodecError::NotCanonical));
        assert_eq!(Value::check(&[DECIMAL, 2, 39]), Err(CodecError::NotCanonical));
        assert_eq!(Value::check(&[DECIMAL, 2, 1]), Ok(()));
    }
}
