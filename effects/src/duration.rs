//! Times as people write them: a whole number and a unit, such as "200ms", "10s" and "2m".

use std::time::Duration;

/// The longest time that a setting takes.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000)];

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is no whole number with a unit.
    #[error("a time is a whole number and one of the units ms, s and m, such as \"10s\"")]
    Unit,
    /// It is 0.
    #[error("a time is above 0")]
    Zero,
    /// It is too long.
    #[error("a time is at most 24 hours, which is \"1440m\"")]
    TooLong,
}

/// Reads a time.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).filter(|end| *end > 0);
    let (digits, unit) = end.and_then(|end| text.split_at_checked(end)).ok_or(DurationError::Unit)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError::Unit)?;
    let millis = digits.parse().ok().and_then(|number: u64| number.checked_mul(*worth));
    match millis.map(Duration::from_millis) {
        Some(Duration::ZERO) => Err(DurationError::Zero),
        Some(time) if time <= LONGEST => Ok(time),
        _ => Err(DurationError::TooLong),
    }
}

/// Writes a time in the largest unit of which it is a multiple.
pub fn show(time: Duration) -> String {
    let millis = time.as_millis();
    let fit = UNITS.iter().rev().find(|(_, worth)| millis.is_multiple_of(u128::from(*worth)));
    fit.map(|(name, worth)| format!("{}{name}", millis / u128::from(*worth))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        assert_eq!(parse("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(parse("10 s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("1440m"), Ok(LONGEST));
        assert_eq!(parse("1441m"), Err(DurationError::TooLong));
        assert_eq!(parse("99999999999999999999s"), Err(DurationError::TooLong));
        assert_eq!(parse("18446744073709551615m"), Err(DurationError::TooLong));
        assert_eq!(parse("0s"), Err(DurationError::Zero));
        for text in ["", "s", "10", "10h", "1.5s", "-1s", "10  s", "1m30s", "٣s", "10S"] {
            assert_eq!(parse(text), Err(DurationError::Unit), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["1ms", "1500ms", "10s", "90s", "2m"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }
}
