//! The amount of a decision in a named field, for limits that add it up.
//!
//! An operation has the field when the last segment of its key is the field's name, or when it puts a map with such an
//! entry; an effect has it when its request is such a map. Signs are left out: a limit on what is spent is not opened by
//! what is paid back. Where the field stands and is not counted, deeper inside or as a text, nothing is known.

use crate::number::Magnitude;
use counterfoil_format::content::Effect;
use counterfoil_format::ops::{Change, Op};
use counterfoil_format::part::Slot;
use counterfoil_format::value::Value;

/// A value that might have the field is withheld or erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// The sum of a field's magnitudes over operations and effects; `None` when none of them has it, and when one has it where
/// it is not counted: deeper inside, or as something else than a number. What cannot be added up could be any amount.
pub fn amount(field: &str, ops: &[Op<'_>], effects: &[Effect<'_>]) -> Result<Option<Magnitude>, Closed> {
    let (mut sum, mut clear) = (None, true);
    let mut add = |found: Found| match found {
        Found::Nothing => {}
        Found::Number(amount) => sum = Some(sum.unwrap_or(Magnitude::default()).plus(amount)),
        Found::Unclear => clear = false,
    };
    for op in ops {
        let named = op.key.rsplit('/').next() == Some(field);
        match op.change {
            Change::Put(Slot::Closed(_)) => return Err(Closed),
            Change::Put(Slot::Open { bytes, .. }) => add(in_value(field, named, bytes)),
            Change::Add(delta) if named => add(Found::Number(Magnitude::of_int(delta))),
            _ => {}
        }
    }
    effects.iter().for_each(|effect| add(in_value(field, false, effect.request)));
    Ok(sum.filter(|_| clear))
}

/// What a value has of a field.
enum Found {
    Nothing,
    Number(Magnitude),
    /// Something that is not counted.
    Unclear,
}

fn in_value(field: &str, named: bool, bytes: &[u8]) -> Found {
    let Ok(value) = Value::decode(bytes) else { return Found::Unclear };
    match &value {
        Value::Map(entries) => match entries.get(field) {
            Some(number) if entries.values().all(|value| !names(value, field)) => counted(number),
            None if !names(&value, field) => {
                if named {
                    Found::Unclear
                } else {
                    Found::Nothing
                }
            }
            _ => Found::Unclear,
        },
        Value::List(_) if names(&value, field) => Found::Unclear,
        value if named => counted(value),
        _ => Found::Nothing,
    }
}

fn counted(value: &Value) -> Found {
    match value {
        Value::Int(number) => Found::Number(Magnitude::of_int(*number)),
        Value::Decimal(decimal) => Found::Number(Magnitude::of(decimal)),
        _ => Found::Unclear,
    }
}

/// Whether a map anywhere in a value has an entry of this name.
fn names(value: &Value, field: &str) -> bool {
    match value {
        Value::Map(entries) => entries.iter().any(|(name, value)| name == field || names(value, field)),
        Value::List(items) => items.iter().any(|item| names(item, field)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use counterfoil_format::Hash;
    use counterfoil_format::content::Undo;
    use counterfoil_format::ops::Guard;
    use counterfoil_format::value::Decimal;

    fn put<'a>(key: &'a str, bytes: &'a [u8]) -> Op<'a> {
        Op { key, guard: Guard::None, change: Change::Put(Slot::Open { salt: [0; 16], bytes }) }
    }

    #[test]
    fn a_field_is_found_in_keys_maps_and_requests() {
        let spend = Value::Map([("spend".to_owned(), Value::Int(-3))].into()).encode().unwrap();
        let half = Value::Decimal(Decimal { mantissa: -5, scale: 1 }).encode().unwrap();
        let text = Value::Text("7".into()).encode().unwrap();
        let add = Op { key: "ad/spend", guard: Guard::None, change: Change::Add(-2) };
        let of = |ops: &[Op<'_>], effects: &[Effect<'_>]| amount("spend", ops, effects);
        let int = |number| Ok(Some(Magnitude::of_int(number)));
        assert_eq!(of(&[put("ad/budget", &spend)], &[]), int(3));
        assert_eq!(of(&[add], &[]), int(2));
        assert_eq!(of(&[put("ad/spend", &half), put("ad/2/spend", &half)], &[]), int(1));
        assert_eq!(of(&[put("spend", &spend), add], &[]), int(5));
        let effect = Effect { adapter: "shop", request: &spend, undo: Undo::Never };
        assert_eq!(of(&[], &[effect, effect]), int(6));
        assert_eq!(of(&[put("ad/budget", &half), put("ad/spend", &text)], &[]), Ok(None));
        let nested =
            Value::List(vec![Value::Map([("spend".to_owned(), Value::Int(9))].into())]).encode().unwrap();
        assert_eq!(of(&[add, put("ad/budget", &nested)], &[]), Ok(None), "a decoy hides nothing");
        let closed = Op { change: Change::Put(Slot::Closed(Hash::ZERO)), ..add };
        assert_eq!(of(&[closed], &[]), Err(Closed));
    }
}
