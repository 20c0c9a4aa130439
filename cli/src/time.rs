//! Times at the edge: RFC 3339 in UTC with microseconds.

use counterfoil_format::intent::Micros;
use jiff::Timestamp;

/// Prints a time, such as `2026-11-23T10:00:00.000000Z`.
pub fn print(time: Micros) -> String {
    match Timestamp::from_microsecond(time) {
        Ok(time) => format!("{time:.6}"),
        // The format allows any 64-bit number; years beyond 9999 have no RFC 3339 form.
        Err(_) => format!("{time} us since 1970"),
    }
}

/// Prints a time for people, to the second: `2026-11-23 10:00:00`, in UTC.
pub fn print_short(time: Micros) -> String {
    let full = print(time);
    match full.split_once('.') {
        Some((seconds, _)) => seconds.replace('T', " "),
        None => full,
    }
}

/// A span of time in the largest unit that it is whole in.
pub fn span(micros: Micros) -> String {
    const UNITS: [(i64, &str); 5] = [
        (86_400_000_000, "day"),
        (3_600_000_000, "hour"),
        (60_000_000, "minute"),
        (1_000_000, "second"),
        (1, "microsecond"),
    ];
    let whole = UNITS.iter().find(|(unit, _)| micros % unit == 0);
    let (unit, name) = whole.copied().unwrap_or((1, "microsecond"));
    let count = micros / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// About how long a span of time is, in its two largest units.
pub fn about(micros: Micros) -> String {
    const UNITS: [(i64, &str); 4] =
        [(86_400_000_000, "day"), (3_600_000_000, "hour"), (60_000_000, "minute"), (1_000_000, "second")];
    let first = UNITS.iter().position(|(unit, _)| micros >= *unit);
    let Some(units) = first.and_then(|first| UNITS.get(first..)) else { return "less than a second".into() };
    let mut left = micros;
    let mut words = Vec::new();
    for (unit, name) in units.iter().take(2) {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            words.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    words.join(" ")
}

/// Reads an RFC 3339 time with any offset; one without, as tables print it, is in UTC; and a date stands for its midnight in UTC.
pub fn parse(text: &str) -> Result<Micros, String> {
    let (utc, midnight) = (|| format!("{text}Z").parse(), || format!("{text}T00:00:00Z").parse());
    let parsed = text.parse::<Timestamp>().or_else(|error| utc().or_else(|_| midnight()).map_err(|_| error));
    parsed
        .map(Timestamp::as_microsecond)
        .map_err(|_| format!("{text:?} is no time; write it as 2026-11-23T10:00:00Z or 2026-11-23"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for time in [0, 1, -1, 1_795_491_963_000_000, 1_795_491_963_123_456] {
            assert_eq!(parse(&print(time)), Ok(time));
        }
        assert_eq!(print(1_795_491_963_000_000), "2026-11-24T03:46:03.000000Z");
        assert_eq!(print_short(1_795_491_963_000_000), "2026-11-24 03:46:03");
        assert_eq!(parse("1970-01-02"), Ok(86_400_000_000));
        assert_eq!(parse("1970-01-01T01:00:00+01:00"), Ok(0));
        assert!(parse("yesterday").is_err());
        let spans = [86_400_000_000, 7_200_000_000, 90_000_000, 1].map(span);
        assert_eq!(spans, ["1 day", "2 hours", "90 seconds", "1 microsecond"]);
        assert!(print(i64::MAX).ends_with("us since 1970"));
    }
}
