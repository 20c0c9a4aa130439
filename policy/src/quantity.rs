//! Times and sizes of a policy file: a whole number and a unit, such as "30 days" and "64 MiB".

use crate::problem::QuantityFault;
use counterfoil_format::intent::Micros;
use counterfoil_format::limits::SEGMENT_BYTES;

/// The units of time, the longest first, in microseconds. The first name of a unit is the one that is printed.
const TIMES: &[(&str, u64)] = &[
    ("days", 86_400_000_000),
    ("day", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// The units of size, the largest first, in bytes.
const SIZES: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("bytes", 1)];

/// The smallest segment.
const LEAST_SEGMENT: u64 = 4096;

/// Reads a time above 0.
pub fn time(text: &str) -> Result<Micros, QuantityFault> {
    let (number, unit) = split(text, TIMES).ok_or(QuantityFault::Unit("days, h, min, s, ms, us"))?;
    let micros = number.and_then(|number| number.checked_mul(unit)).and_then(|micros| micros.try_into().ok());
    match micros.ok_or(QuantityFault::TooLong)? {
        0 => Err(QuantityFault::Zero),
        micros => Ok(micros),
    }
}

/// Writes a time in the largest unit of which it is a multiple.
pub(crate) fn time_text(micros: Micros) -> String {
    let micros = micros.unsigned_abs();
    if micros == 86_400_000_000 { "1 day".to_owned() } else { join(micros, TIMES) }
}

/// Reads the size of a segment.
pub(crate) fn segment(text: &str) -> Result<u64, QuantityFault> {
    let (number, unit) = split(text, SIZES).ok_or(QuantityFault::Unit("GiB, MiB, KiB, bytes"))?;
    let bytes = number.and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| (LEAST_SEGMENT..=SEGMENT_BYTES).contains(bytes)).ok_or(QuantityFault::Segment)
}

/// Writes a size in the largest unit of which it is a multiple.
pub(crate) fn size_text(bytes: u64) -> String {
    join(bytes, SIZES)
}

/// The number, `None` when it is above 64 bits, and what its unit is worth.
fn split(text: &str, units: &[(&str, u64)]) -> Option<(Option<u64>, u64)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).filter(|end| *end > 0)?;
    let (digits, unit) = text.split_at_checked(end)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, worth) = units.iter().find(|(name, _)| *name == unit)?;
    Some((digits.parse().ok(), *worth))
}

fn join(number: u64, units: &[(&str, u64)]) -> String {
    let fit = units.iter().find(|(_, worth)| number.is_multiple_of(*worth));
    fit.map(|(name, worth)| format!("{} {name}", number / worth)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        assert_eq!(time("30 days"), Ok(30 * 86_400_000_000));
        assert_eq!(time("1 day"), Ok(86_400_000_000));
        assert_eq!(time("24h"), time("1 day"));
        assert_eq!(time("90 min"), Ok(5_400_000_000));
        assert_eq!(time("1us"), Ok(1));
        assert_eq!(time("9223372036854775807 us"), Ok(i64::MAX));
        assert_eq!(time("9223372036854775808 us"), Err(QuantityFault::TooLong));
        assert_eq!(time("99999999999999999999 us"), Err(QuantityFault::TooLong));
        assert_eq!(time("0 days"), Err(QuantityFault::Zero));
        for text in ["", "days", "3", "3  days", "-3 days", "3.5 h", "3 weeks", "3 h 2 min", "٣ h"] {
            assert!(matches!(time(text), Err(QuantityFault::Unit(_))), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for micros in [1, 999, 1000, 1_500_000, 60_000_000, 86_400_000_000, 2 * 86_400_000_000, i64::MAX] {
            assert_eq!(time(&time_text(micros)), Ok(micros), "{}", time_text(micros));
        }
        for bytes in [4096, 4097, 64 << 20, 3 << 30, 4 << 30] {
            assert_eq!(segment(&size_text(bytes)), Ok(bytes), "{}", size_text(bytes));
        }
        assert_eq!(time_text(30 * 86_400_000_000), "30 days");
        assert_eq!(time_text(12 * 3_600_000_000), "12 h");
        assert_eq!(size_text(64 << 20), "64 MiB");
    }

    #[test]
    fn segments_have_bounds() {
        for text in ["4095 bytes", "5 GiB", "99999999999999999999 GiB", "0 MiB"] {
            assert_eq!(segment(text), Err(QuantityFault::Segment), "{text}");
        }
        assert!(matches!(segment("64 MB"), Err(QuantityFault::Unit(_))));
    }
}
