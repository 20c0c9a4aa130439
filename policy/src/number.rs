//! Numbers of a policy file. They are read digit by digit from their source text and never pass through a float, so
//! that 0.78 is 780,000 parts per million and 200.00 has two digits behind the point.

use crate::problem::NumberFault;
use counterfoil_format::limits::{DECIMAL_SCALE, PPM};
use counterfoil_format::value::Decimal;

/// Digits behind the point of a score: parts per million.
const SCORE_DIGITS: u8 = 6;

/// Reads a decimal, keeping as many digits behind the point as are written.
pub(crate) fn decimal(text: &str) -> Result<Decimal, NumberFault> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return Err(NumberFault::NotPlain);
    }
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= DECIMAL_SCALE);
    let scale = scale.ok_or(NumberFault::TooLong)?;
    let sign = if text.starts_with('-') { "-" } else { "" };
    let mantissa = format!("{sign}{whole}{fraction}").parse().map_err(|_| NumberFault::TooLong)?;
    Ok(Decimal { mantissa, scale })
}

/// Reads a score from 0 to 1 in parts per million.
pub(crate) fn score(text: &str) -> Result<u32, NumberFault> {
    let Decimal { mantissa, scale } = decimal(text)?;
    let missing = SCORE_DIGITS.checked_sub(scale).ok_or(NumberFault::ScoreDigits)?;
    let ppm = mantissa.checked_mul(10i128.pow(missing.into())).and_then(|ppm| u32::try_from(ppm).ok());
    ppm.filter(|ppm| *ppm <= PPM).ok_or(NumberFault::Score)
}

/// Writes parts per million as a decimal.
pub(crate) fn score_text(ppm: u32) -> String {
    counterfoil_rules::number::reduced(Decimal { mantissa: ppm.into(), scale: SCORE_DIGITS }).to_string()
}

/// Reads a count.
pub(crate) fn count(text: &str) -> Result<u32, NumberFault> {
    let Decimal { mantissa, scale } = decimal(text)?;
    let count = u32::try_from(mantissa).ok().filter(|count| *count > 0 && scale == 0);
    count.ok_or(NumberFault::Count)
}

/// Reads a number of rows.
pub(crate) fn rows(text: &str) -> Result<u64, NumberFault> {
    let Decimal { mantissa, scale } = decimal(text)?;
    let rows = u64::try_from(mantissa).ok().filter(|rows| *rows > 0 && scale == 0);
    rows.ok_or(NumberFault::Rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        let read = |text: &str| decimal(text).map(|decimal| (decimal.mantissa, decimal.scale));
        assert_eq!(read("200.00"), Ok((20_000, 2)));
        assert_eq!(read("-0.5"), Ok((-5, 1)));
        assert_eq!(read("+7"), Ok((7, 0)));
        assert_eq!(read(&i128::MIN.to_string()), Ok((i128::MIN, 0)));
        assert_eq!(read(&i128::MAX.to_string()), Ok((i128::MAX, 0)));
        assert_eq!(read("170141183460469231731687303715884105728"), Err(NumberFault::TooLong));
        assert_eq!(read(&format!("0.{}", "0".repeat(38))), Ok((0, 38)));
        assert_eq!(read(&format!("0.{}", "0".repeat(39))), Err(NumberFault::TooLong));
        assert_eq!(read(&format!("0.{}", "0".repeat(300))), Err(NumberFault::TooLong));
        for text in ["1e3", "inf", "nan", "-inf", "", "-", ".5", "--1", "1.2.3", "١"] {
            assert_eq!(read(text), Err(NumberFault::NotPlain), "{text}");
        }
    }

    #[test]
    fn scores_are_parts_per_million() {
        assert_eq!(score("0.78"), Ok(780_000));
        assert_eq!(score("1"), Ok(1_000_000));
        assert_eq!(score("1.000000"), Ok(1_000_000));
        assert_eq!(score("0"), Ok(0));
        assert_eq!(score("0.000001"), Ok(1));
        assert_eq!(score("1.000001"), Err(NumberFault::Score));
        assert_eq!(score("-0.1"), Err(NumberFault::Score));
        assert_eq!(score("78"), Err(NumberFault::Score));
        assert_eq!(score(&i128::MAX.to_string()), Err(NumberFault::Score));
        assert_eq!(score("0.7800000"), Err(NumberFault::ScoreDigits));
        for ppm in [0, 1, 780_000, 999_999, 1_000_000] {
            assert_eq!(score(&score_text(ppm)), Ok(ppm));
        }
        assert_eq!(score_text(780_000), "0.78");
    }

    #[test]
    fn counts_are_whole_and_not_zero() {
        assert_eq!(count("3"), Ok(3));
        assert_eq!(count("4294967295"), Ok(u32::MAX));
        for text in ["0", "-1", "1.5", "4294967296"] {
            assert_eq!(count(text), Err(NumberFault::Count), "{text}");
        }
        assert_eq!(rows("100000"), Ok(100_000));
        assert_eq!(rows("18446744073709551615"), Ok(u64::MAX));
        for text in ["0", "-1", "1.5", "18446744073709551616"] {
            assert_eq!(rows(text), Err(NumberFault::Rows), "{text}");
        }
    }
}
