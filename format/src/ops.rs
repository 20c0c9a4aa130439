//! Operations on the state: the content of the parts `ops` and `rollback`.
//!
//! # Format
//!
//! A varint count, at least 1, then each operation:
//!
//! | field | bytes |
//! | --- | --- |
//! | tag | 0 put, 1 delete, 2 add, 3 transition |
//! | guard | 0 none; 1 the key is absent; 2 it holds a value, commitment (32); 3 it holds a counter, zigzag varint; 4 it holds a stage, text |
//! | key | text; for a transition the entity |
//! | put | value slot |
//! | add | delta, zigzag varint, not 0 |
//! | transition | the stage moved to, text; empty for none |
//!
//! In the skeleton, which the part's commitment covers, a value slot is the 32 bytes of its commitment alone. An
//! operation whose guard does not hold when it is reached fails, and with it the whole row.
//!
//! Keys are 1 to 1024 bytes of UTF-8. `lifecycle/<entity>` holds the stage of an entity and is reached by
//! transitions alone. A counter at 0 is the same as an absent key.

use crate::codec::{
    CodecError, Cursor, label, listed, name, named, put_bytes, put_signed, put_varint, within,
};
use crate::hash::Hash;
use crate::limits;
use crate::part::Slot;
use crate::value::Value;
use std::borrow::Cow;

/// The prefix of the keys that hold the stages of entities.
pub const LIFECYCLE_PREFIX: &str = "lifecycle/";

/// What a key must hold for an operation to go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard<'a> {
    /// Whatever it holds.
    None,
    /// Nothing.
    Absent,
    /// The value with this commitment.
    Value(Hash),
    /// This counter.
    Counter(i64),
    /// This stage.
    Stage(&'a str),
}

/// What an operation does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// Set the key to a value.
    Put(Slot<'a>),
    /// Remove the key.
    Delete,
    /// Add to the counter; an absent key counts as 0.
    Add(i64),
    /// Move the entity to a stage; the empty text means none.
    Transition(&'a str),
}

/// The key of the state that holds an entity's stage.
pub fn stage_key(entity: &str) -> String {
    format!("{LIFECYCLE_PREFIX}{entity}")
}

/// One operation on the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op<'a> {
    /// The key; for a transition the entity.
    pub key: &'a str,
    /// What the key must hold before.
    pub guard: Guard<'a>,
    /// What is done.
    pub change: Change<'a>,
}

impl<'a> Op<'a> {
    /// The key of the state that this operation touches.
    pub fn state_key(&self) -> Cow<'a, str> {
        match self.change {
            Change::Transition(_) => Cow::Owned(stage_key(self.key)),
            _ => Cow::Borrowed(self.key),
        }
    }

    /// Whether it adds to the counter whatever that is, so that it goes with other such operations in any order.
    pub fn only_adds(&self) -> bool {
        matches!((self.guard, self.change), (Guard::None, Change::Add(_)))
    }

    fn read(cursor: &mut Cursor<'a>, skeleton: bool) -> Result<Self, CodecError> {
        let tag = cursor.byte()?;
        let guard = read_guard(cursor)?;
        let key = cursor.text("a key", limits::KEY_BYTES)?;
        let change = match tag {
            0 if skeleton => Change::Put(Slot::Closed(Hash(cursor.array()?))),
            0 => Change::Put(Slot::read(cursor, "a value", limits::VALUE_BYTES)?),
            1 => Change::Delete,
            2 => Change::Add(cursor.signed()?),
            3 => Change::Transition(cursor.text("a stage", limits::NAME_BYTES)?),
            _ => return Err(CodecError::Malformed("an operation")),
        };
        let op = Op { key, guard, change };
        op.check()?;
        Ok(op)
    }

    /// Checks bounds and the rules that need no state.
    pub fn check(&self) -> Result<(), CodecError> {
        self.check_around_value()?;
        match self.change {
            Change::Put(Slot::Open { bytes, .. }) => Value::check(bytes),
            _ => Ok(()),
        }
    }

    /// The same but for the value of a put, when that has just been encoded.
    pub fn check_around_value(&self) -> Result<(), CodecError> {
        named("a key", self.key, limits::KEY_BYTES)?;
        match self.change {
            Change::Add(0) => return Err(CodecError::Inconsistent("an add of 0 does nothing")),
            Change::Transition(stage) => {
                let limit = limits::KEY_BYTES - LIFECYCLE_PREFIX.len();
                within("an entity with a lifecycle", self.key.len(), limit)?;
                label("a stage", stage)?;
            }
            _ => {}
        }
        if let Guard::Stage(stage) = self.guard {
            name("a stage", stage)?;
        }
        if !matches!(self.change, Change::Transition(_)) && self.key.starts_with(LIFECYCLE_PREFIX) {
            return Err(CodecError::Inconsistent("keys under lifecycle/ are changed by transitions alone"));
        }
        Ok(())
    }

    /// Appends the operation as it stands in a part.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.write(out, false);
    }

    /// Appends the operation as it stands in a skeleton.
    pub fn encode_skeleton(&self, out: &mut Vec<u8>) {
        self.write(out, true);
    }

    fn write(&self, out: &mut Vec<u8>, skeleton: bool) {
        out.push(match self.change {
            Change::Put(_) => 0,
            Change::Delete => 1,
            Change::Add(_) => 2,
            Change::Transition(_) => 3,
        });
        write_guard(&self.guard, out);
        put_bytes(self.key.as_bytes(), out);
        match &self.change {
            Change::Put(slot) if skeleton => out.extend_from_slice(&slot.value_commitment().0),
            Change::Put(slot) => slot.write(out),
            Change::Delete => {}
            Change::Add(delta) => put_signed(*delta, out),
            Change::Transition(stage) => put_bytes(stage.as_bytes(), out),
        }
    }
}

fn read_guard<'a>(cursor: &mut Cursor<'a>) -> Result<Guard<'a>, CodecError> {
    Ok(match cursor.byte()? {
        0 => Guard::None,
        1 => Guard::Absent,
        2 => Guard::Value(Hash(cursor.array()?)),
        3 => Guard::Counter(cursor.signed()?),
        4 => Guard::Stage(cursor.text("a stage", limits::NAME_BYTES)?),
        _ => return Err(CodecError::Malformed("a guard")),
    })
}

fn write_guard(guard: &Guard<'_>, out: &mut Vec<u8>) {
    match guard {
        Guard::None => out.push(0),
        Guard::Absent => out.push(1),
        Guard::Value(commitment) => {
            out.push(2);
            out.extend_from_slice(&commitment.0);
        }
        Guard::Counter(number) => {
            out.push(3);
            put_signed(*number, out);
        }
        Guard::Stage(stage) => {
            out.push(4);
            put_bytes(stage.as_bytes(), out);
        }
    }
}

/// Decodes the operations of a part.
pub fn decode_ops(bytes: &[u8]) -> Result<Vec<Op<'_>>, CodecError> {
    read_all(bytes, false)
}

/// Decodes a skeleton; every value comes out closed.
pub fn decode_skeleton(bytes: &[u8]) -> Result<Vec<Op<'_>>, CodecError> {
    read_all(bytes, true)
}

fn read_all(bytes: &[u8], skeleton: bool) -> Result<Vec<Op<'_>>, CodecError> {
    let mut cursor = Cursor::new(bytes);
    let count = cursor.count("operations", limits::OPS)?;
    listed("operations", count, limits::OPS)?;
    // An operation takes at least three bytes, so a count that lies cannot reserve more than the input's size.
    let mut ops = Vec::with_capacity(count.min(cursor.rest().len() / 3));
    for _ in 0..count {
        ops.push(Op::read(&mut cursor, skeleton)?);
    }
    cursor.finish()?;
    Ok(ops)
}

/// Encodes operations as they stand in a part.
pub fn encode_ops(ops: &[Op<'_>], out: &mut Vec<u8>) {
    put_varint(ops.len() as u64, out);
    ops.iter().for_each(|op| op.encode(out));
}

/// Encodes the skeleton that the part's commitment covers.
pub fn encode_skeleton(ops: &[Op<'_>], out: &mut Vec<u8>) {
    put_varint(ops.len() as u64, out);
    ops.iter().for_each(|op| op.encode_skeleton(out));
}

/// Appends the skeleton of a part's content, taking everything but the values from the bytes as they stand.
/// `bytes` must have been accepted by [`decode_ops`].
pub fn skeleton_of(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut cursor = Cursor::new(bytes);
    let mut copied = 0;
    let count = cursor.count("operations", limits::OPS)?;
    for _ in 0..count {
        let tag = cursor.byte()?;
        read_guard(&mut cursor)?;
        cursor.bytes("a key", limits::KEY_BYTES)?;
        match tag {
            0 => {
                out.extend_from_slice(bytes.get(copied..cursor.position()).unwrap_or_default());
                let slot = Slot::read(&mut cursor, "a value", limits::VALUE_BYTES)?;
                out.extend_from_slice(&slot.value_commitment().0);
                copied = cursor.position();
            }
            2 => drop(cursor.signed()?),
            3 => drop(cursor.text("a stage", limits::NAME_BYTES)?),
            _ => {}
        }
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::commit_value;

    fn sample(value: &[u8]) -> Vec<Op<'_>> {
        let op = |key, guard, change| Op { key, guard, change };
        vec![
            op("price/1", Guard::None, Change::Put(Slot::Open { salt: [7; 16], bytes: value })),
            op("price/2", Guard::Value(Hash([9; 32])), Change::Put(Slot::Closed(Hash([3; 32])))),
            op("price/3", Guard::Absent, Change::Delete),
            op("stock", Guard::Counter(-4), Change::Add(-2)),
            op("sku-1", Guard::Stage("testing"), Change::Transition("winner")),
        ]
    }

    #[test]
    fn ops_survive_the_trip_and_have_one_skeleton() {
        let value = Value::Int(5).encode().unwrap();
        let ops = sample(&value);
        let mut bytes = Vec::new();
        encode_ops(&ops, &mut bytes);
        assert_eq!(decode_ops(&bytes).unwrap(), ops);

        let (mut built, mut cut) = (Vec::new(), Vec::new());
        encode_skeleton(&ops, &mut built);
        skeleton_of(&bytes, &mut cut).unwrap();
        assert_eq!(built, cut);

        let closed = decode_skeleton(&built).unwrap();
        assert_eq!(closed[0].change, Change::Put(Slot::Closed(commit_value(&[7; 16], &value))));
        for end in 0..bytes.len() {
            assert!(decode_ops(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn what_a_key_may_be_is_checked() {
        fn op(key: &str, change: Change<'_>) -> Result<(), CodecError> {
            Op { key, guard: Guard::None, change }.check()
        }
        assert_eq!(op("", Change::Delete), Err(CodecError::Empty("a key")));
        let long = "k".repeat(limits::KEY_BYTES + 1);
        assert!(op(&long, Change::Delete).is_err());
        assert!(op("lifecycle/sku-1", Change::Delete).is_err());
        assert!(op("k", Change::Add(0)).is_err());
        assert_eq!(op("sku-1", Change::Transition("")), Ok(()));
        assert_eq!(op("sku-1", Change::Transition("a\u{7f}")), Err(CodecError::Control("a stage")));
        assert_eq!(op("sku\n1", Change::Delete), Ok(()));
        let guard = Guard::Stage("\t");
        let refused = Op { key: "sku-1", guard, change: Change::Transition("") }.check();
        assert_eq!(refused, Err(CodecError::Control("a stage")));
    }

    #[test]
    fn no_operations_are_no_part() {
        assert_eq!(decode_ops(&[0]).map(drop), Err(CodecError::Empty("operations")));
        assert_eq!(decode_skeleton(&[0]).map(drop), Err(CodecError::Empty("operations")));
    }
}
