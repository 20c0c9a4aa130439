//! How what a key holds is stored outside the log: row, tag, and the value's slot, the counter, or the stage.

use counterfoil_format::codec::{CodecError, Cursor, put_bytes, put_signed, put_varint};
use counterfoil_format::limits;
use counterfoil_format::part::Slot;
use counterfoil_rules::state::{Held, Leaf, StoredValue};

/// Appends what a key holds.
pub(crate) fn write_held(held: &Held, bytes: &mut Vec<u8>) {
    put_varint(held.row, bytes);
    match &held.leaf {
        Leaf::Value(value) => {
            bytes.push(0);
            value.slot().write(bytes);
        }
        Leaf::Counter(number) => {
            bytes.push(1);
            put_signed(*number, bytes);
        }
        Leaf::Stage(stage) => {
            bytes.push(2);
            put_bytes(stage.as_bytes(), bytes);
        }
    }
}

/// Reads it back. The commitment of an open value follows from its bytes.
pub(crate) fn read_held(cursor: &mut Cursor<'_>) -> Result<Held, CodecError> {
    let row = cursor.varint()?;
    let leaf = match cursor.byte()? {
        0 => {
            let slot = Slot::read(cursor, "a value", limits::VALUE_BYTES)?;
            Leaf::Value(StoredValue::from_slot(&slot, true))
        }
        1 => Leaf::Counter(cursor.signed()?),
        2 => Leaf::Stage(cursor.text("a stage", limits::NAME_BYTES)?.to_owned()),
        _ => return Err(CodecError::Malformed("what a key holds")),
    };
    Ok(Held { leaf, row })
}

#[cfg(test)]
mod tests {
    use super::*;
    use counterfoil_format::Hash;

    #[test]
    fn entries_survive_the_trip() {
        let open = Slot::Open { salt: [1; 16], bytes: &[0] };
        for leaf in [
            Leaf::Value(StoredValue::from_slot(&open, true)),
            Leaf::Value(StoredValue::from_slot(&Slot::Closed(Hash([5; 32])), true)),
            Leaf::Counter(-3),
            Leaf::Stage("winner".into()),
        ] {
            let held = Held { leaf, row: 7 };
            let mut bytes = Vec::new();
            write_held(&held, &mut bytes);
            let mut cursor = Cursor::new(&bytes);
            assert_eq!(read_held(&mut cursor), Ok(held));
            assert_eq!(cursor.finish(), Ok(()));
        }
    }
}
