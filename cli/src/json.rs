//! Values as JSON, exactly.
//!
//! | value | JSON |
//! | --- | --- |
//! | null, bool, text, list, map | the same |
//! | integer | a number without fraction or exponent |
//! | decimal | a number with the very digits: `19.90` stays `19.90`; a whole number beyond 64 bits has no point |
//! | bytes | `{"$bytes": "<hexadecimal>"}` |
//! | a map whose only key is `$bytes`, `$map` or `withheld` | `{"$map": <the map>}` |
//!
//! Numbers are read digit by digit and never pass through a float: `19.90` is the decimal 1990 with scale 2, `1e3` is
//! the integer 1000, `1.5e-2` is 15 with scale 3. What is withheld or erased prints as `{"withheld": "<commitment>"}`, and
//! `$map` keeps a map that looks like that, or like bytes, apart from it. It is read as it is printed.

use crate::table::is_hidden;
use counterfoil_format::Hash;
use counterfoil_format::limits::DECIMAL_SCALE;
use counterfoil_format::part::Slot;
use counterfoil_format::value::{Decimal, Value};
use counterfoil_rules::state::Leaf;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Number, Value as Json, json};
use std::fmt::{self, Write};
use std::marker::PhantomData;

const BYTES: &str = "$bytes";
const MAP: &str = "$map";
const WITHHELD: &str = "withheld";

/// A value as JSON.
pub fn of_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(yes) => Json::Bool(*yes),
        Value::Int(number) => json!(number),
        Value::Decimal(decimal) => of_decimal(*decimal),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!({ BYTES: hex(bytes) }),
        Value::List(items) => Json::Array(items.iter().map(of_value).collect()),
        Value::Map(map) => {
            let object = map.iter().map(|(key, item)| (key.clone(), of_value(item))).collect::<Map<_, _>>();
            let marked =
                map.len() == 1 && map.keys().any(|key| [BYTES, MAP, WITHHELD].contains(&key.as_str()));
            if marked { json!({ MAP: object }) } else { Json::Object(object) }
        }
    }
}

/// A decimal as a JSON number with the same digits.
pub fn of_decimal(decimal: Decimal) -> Json {
    let digits = decimal.to_string();
    digits.parse::<Number>().map_or(Json::String(digits), Json::Number)
}

/// An encoded value as JSON; bytes that are no encoding print as bytes.
pub fn of_encoded(bytes: &[u8]) -> Json {
    Value::decode(bytes).map_or_else(|_| json!({ BYTES: hex(bytes) }), |value| of_value(&value))
}

/// A value that may be closed.
pub fn of_slot(slot: &Slot<'_>) -> Json {
    match slot {
        Slot::Closed(commitment) => withheld(commitment),
        Slot::Open { bytes, .. } => of_encoded(bytes),
    }
}

/// What a key of the state holds.
pub fn of_leaf(leaf: &Leaf) -> Json {
    match leaf {
        Leaf::Value(value) => of_slot(&value.slot()),
        Leaf::Counter(number) => json!(number),
        Leaf::Stage(stage) => json!(stage),
    }
}

/// What stands where content is withheld or erased.
pub fn withheld(commitment: &Hash) -> Json {
    json!({ WITHHELD: commitment.to_string() })
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Reads a value.
pub fn to_value(json: Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Bool(yes),
        Json::Number(number) => to_number(&number)?,
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::List(items.into_iter().map(to_value).collect::<Result<_, _>>()?),
        Json::Object(map) => match tagged_bytes(&map) {
            Some(bytes) => Value::Bytes(bytes),
            None => to_map(escaped_map(map))?,
        },
    })
}

fn to_map(map: Map<String, Json>) -> Result<Value, String> {
    let entries = map.into_iter().map(|(key, item)| to_value(item).map(|item| (key, item)));
    Ok(Value::Map(entries.collect::<Result<_, _>>()?))
}

/// The map in `{"$map": <a map>}`, or else the map itself.
fn escaped_map(mut map: Map<String, Json>) -> Map<String, Json> {
    if map.len() == 1
        && let Some(Json::Object(inner)) = map.get_mut(MAP)
    {
        return std::mem::take(inner);
    }
    map
}

/// The bytes in `{"$bytes": "<hexadecimal>"}`.
fn tagged_bytes(map: &Map<String, Json>) -> Option<Vec<u8>> {
    let digits = map.get(BYTES).filter(|_| map.len() == 1)?.as_str()?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// What derived code reads from a JSON object. By itself it would take a list of the fields' values as well.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// JSON in which no object holds a key twice, so that nothing which was sent is lost.
pub struct Strict(pub Json);

/// The key under which the JSON reader hands the text of a number on, as a string of its own. A string of the input is
/// never handed on like that.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<Json, E> {
        Ok(Json::Bool(yes))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        Ok(json!(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        Ok(json!(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(json!(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key == NUMBER {
                let NumberText(number) = entries.next_value()?;
                return Ok(Json::Number(number));
            }
            if map.contains_key(&key) {
                return Err(Error::custom(format!("the key {key:?} stands twice in an object")));
            }
            let Strict(item) = entries.next_value()?;
            map.insert(key, item);
        }
        Ok(Json::Object(map))
    }
}

/// A number, as the JSON reader hands it on.
struct NumberText(Number);

impl<'de> Deserialize<'de> for NumberText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = NumberText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "no object with the key {NUMBER}, which is reserved")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<NumberText, E> {
                Err(E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<NumberText, E> {
                text.parse().map(NumberText).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// Reads a number: an integer when it is whole and was written without a fraction that remains, else a decimal.
fn to_number(number: &Number) -> Result<Value, String> {
    let text = number.to_string();
    let Decimal { mantissa, scale } = read_decimal(&text)?;
    Ok(match (scale, i64::try_from(mantissa)) {
        (0, Ok(whole)) => Value::Int(whole),
        _ => Value::Decimal(Decimal { mantissa, scale }),
    })
}

/// Reads the text of a JSON number without losing a digit.
pub fn read_decimal(text: &str) -> Result<Decimal, String> {
    let too_many = || format!("the number {} has too many digits: 38 are kept exactly", shorten(text));
    if !is_number(text) {
        return Err(format!(
            "{:?} is no number: digits, and a point and an exponent if need be",
            shorten(text)
        ));
    }
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significant = format!("{whole}{fraction}");
    if significant.bytes().all(|byte| matches!(byte, b'0' | b'-')) && (fraction.is_empty() || exponent != "0")
    {
        return Ok(Decimal { mantissa: 0, scale: 0 });
    }
    let mantissa: i128 = significant.parse().map_err(|_| too_many())?;
    let exponent: i64 = exponent.parse().map_err(|_| too_many())?;
    let written = i64::try_from(fraction.len()).map_err(|_| too_many())?;
    let scale = written.checked_sub(exponent).ok_or_else(too_many)?;
    if scale > 0 {
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= DECIMAL_SCALE).ok_or_else(too_many)?;
        return Ok(Decimal { mantissa, scale });
    }
    let zeros = u32::try_from(-scale).map_err(|_| too_many())?;
    let shifted = 10i128.checked_pow(zeros).and_then(|power| mantissa.checked_mul(power));
    Ok(Decimal { mantissa: shifted.ok_or_else(too_many)?, scale: 0 })
}

/// Whether a text is a number as JSON has it, leading zeros and all.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let number = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    digits(whole) && digits(fraction) && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(24) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// JSON for people: the same, with characters that a terminal hides or obeys written as escapes.
pub fn shown(value: &Json) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        let mut units = [0; 2];
        match is_hidden(c) {
            true => c.encode_utf16(&mut units).iter().for_each(|unit| text += &format!("\\u{unit:04x}")),
            false => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        let Strict(json) = serde_json::from_str(text).unwrap();
        to_value(json)
    }

    #[test]
    fn what_people_see_is_json_and_hides_nothing() {
        let text = json!({ "a\u{202e}b\u{7f}": "plain \u{e9} \u{1f600}" });
        let shown = shown(&text);
        assert_eq!(shown, "{\"a\\u202eb\\u007f\":\"plain \u{e9} \u{1f600}\"}");
        assert_eq!(serde_json::from_str::<Json>(&shown).unwrap(), text);
    }

    fn decimal(mantissa: i128, scale: u8) -> Result<Value, String> {
        Ok(Value::Decimal(Decimal { mantissa, scale }))
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(read("19.90"), decimal(1990, 2));
        assert_eq!(read("-0.005"), decimal(-5, 3));
        assert_eq!(read("0.00"), decimal(0, 2));
        assert_eq!(read("1.5e-2"), decimal(15, 3));
        assert_eq!(read("1e3"), Ok(Value::Int(1000)));
        assert_eq!(read("1E+3"), Ok(Value::Int(1000)));
        assert_eq!(read("1.50e1"), decimal(150, 1));
        assert_eq!(read("-7"), Ok(Value::Int(-7)));
        assert_eq!(read("-0"), Ok(Value::Int(0)));
        assert_eq!(read("0e999999999999999999999"), Ok(Value::Int(0)));
        assert_eq!(read("9223372036854775808"), decimal(1 << 63, 0));
        assert_eq!(read("-9223372036854775808"), Ok(Value::Int(i64::MIN)));
        for text in ["1e39", "1e-39", "1e99999999999999999999", &"9".repeat(40)] {
            assert!(read(text).unwrap_err().contains("too many digits"), "{text}");
        }
    }

    #[test]
    fn values_go_there_and_back() {
        let text = r#"{"a":[null,true,-7,"x"],"b":19.90,"c":{"$bytes":"00ff"},"d":9223372036854775808}"#;
        let value = read(text).unwrap();
        assert_eq!(of_value(&value).to_string(), text);
        let Value::Map(map) = value else { panic!("a map was written") };
        assert_eq!(map["c"], Value::Bytes(vec![0, 255]));
    }

    #[test]
    fn a_map_that_looks_withheld_or_like_bytes_is_told_apart() {
        for key in [BYTES, MAP, WITHHELD] {
            for inner in [Value::Text("00".into()), Value::Map([(key.to_owned(), Value::Null)].into())] {
                let map = Value::Map([(key.to_owned(), inner)].into());
                let nested = Value::List(vec![map.clone()]);
                let printed = of_value(&map).to_string();
                assert!(printed.starts_with(&format!(r#"{{"$map":{{"{key}":"#)), "{printed}");
                assert_eq!(read(&printed), Ok(map));
                assert_eq!(read(&of_value(&nested).to_string()), Ok(nested));
            }
        }
        // Nothing is escaped that cannot be mistaken, and what is written without the escape is read as it was.
        let two =
            Value::Map([("withheld".to_owned(), Value::Int(1)), ("x".to_owned(), Value::Int(2))].into());
        assert_eq!(of_value(&two).to_string(), r#"{"withheld":1,"x":2}"#);
        assert_eq!(read(r#"{"withheld":"00"}"#), read(r#"{"$map":{"withheld":"00"}}"#));
        assert_eq!(read(r#"{"$map":{"$bytes":"00"}}"#).map(|value| matches!(value, Value::Map(_))), Ok(true));
    }

    #[test]
    fn only_well_formed_bytes_are_bytes() {
        for text in [r#"{"$bytes":"0"}"#, r#"{"$bytes":"zz"}"#, r#"{"$bytes":"00","x":1}"#, r#"{"$bytes":1}"#]
        {
            assert!(matches!(read(text), Ok(Value::Map(_))), "{text}");
        }
    }
}
