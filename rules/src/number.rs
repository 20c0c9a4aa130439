//! Exact arithmetic on decimals: order, sums of magnitudes, quantiles. Nothing is ever rounded.

use counterfoil_format::limits::DECIMAL_SCALE;
use counterfoil_format::value::Decimal;
use std::cmp::Ordering;

/// 10 to the power of the largest scale: so many fractions make one whole.
const WHOLE: u128 = 10u128.pow(DECIMAL_SCALE as u32);

/// Compares two decimals by what they are worth, whatever their scales.
pub fn compare(left: &Decimal, right: &Decimal) -> Ordering {
    match (left.mantissa < 0, right.mantissa < 0) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => Magnitude::of(left).cmp(&Magnitude::of(right)),
        (true, true) => Magnitude::of(right).cmp(&Magnitude::of(left)),
    }
}

/// The same number with as few digits behind the point as it needs.
pub fn reduced(decimal: Decimal) -> Decimal {
    let Decimal { mut mantissa, mut scale } = decimal;
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal { mantissa, scale }
}

/// A quantile by the nearest rank: of n numbers, ascending, the one at rank `ceil(n * quantile / 1,000,000)`, and the
/// first at quantile 0; reduced. `None` of no numbers.
pub fn quantile(numbers: &mut [Decimal], ppm: u32) -> Option<Decimal> {
    numbers.sort_unstable_by(compare);
    let rank = (numbers.len() as u128 * u128::from(ppm)).div_ceil(1_000_000).max(1);
    let place = usize::try_from(rank - 1).ok()?;
    numbers.get(place).copied().map(reduced)
}

/// A number that is not negative, or a sum of few such: a whole and a fraction. A sum beyond 128 bits stays at the largest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Magnitude {
    whole: u128,
    /// In units of 10 to the power of minus 38.
    fraction: u128,
}

impl Magnitude {
    /// The largest.
    const MOST: Magnitude = Magnitude { whole: u128::MAX, fraction: WHOLE - 1 };

    /// The magnitude of a decimal, its sign left out.
    pub fn of(decimal: &Decimal) -> Self {
        let scale = u32::from(decimal.scale.min(DECIMAL_SCALE));
        let (digits, unit) = (decimal.mantissa.unsigned_abs(), 10u128.pow(scale));
        Magnitude { whole: digits / unit, fraction: (digits % unit) * (WHOLE / unit) }
    }

    /// The magnitude of an integer.
    pub fn of_int(number: i64) -> Self {
        Magnitude { whole: u128::from(number.unsigned_abs()), fraction: 0 }
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        match self.carried(other) {
            (sum, false) => sum,
            (_, true) => Magnitude::MOST,
        }
    }

    /// The sum without what lies beyond 128 bits, and whether something does.
    fn carried(self, other: Self) -> (Self, bool) {
        let fraction = self.fraction + other.fraction;
        let carry = u128::from(fraction >= WHOLE);
        let (whole, over) = self.whole.overflowing_add(other.whole);
        let (whole, carried) = whole.overflowing_add(carry);
        (Magnitude { whole, fraction: fraction - carry * WHOLE }, over || carried)
    }
}

/// A sum of magnitudes, however many: terms are taken out of it as exactly as they were added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum {
    /// How often the whole has gone beyond 128 bits.
    over: u64,
    rest: Magnitude,
}

impl Sum {
    /// Adds a term.
    pub fn add(&mut self, term: Magnitude) {
        let (rest, over) = self.rest.carried(term);
        *self = Sum { over: self.over.saturating_add(over.into()), rest };
    }

    /// Takes out a term that was added.
    pub fn subtract(&mut self, term: Magnitude) {
        let borrow = u128::from(self.rest.fraction < term.fraction);
        let fraction = self.rest.fraction + borrow * WHOLE - term.fraction;
        let (whole, under) = self.rest.whole.overflowing_sub(term.whole);
        let (whole, borrowed) = whole.overflowing_sub(borrow);
        let over = self.over.saturating_sub(u64::from(under || borrowed));
        *self = Sum { over, rest: Magnitude { whole, fraction } };
    }

    /// Whether it would be above this with one more term.
    pub fn passes(mut self, term: Magnitude, most: Magnitude) -> bool {
        self.add(term);
        self > Sum { over: 0, rest: most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(mantissa: i128, scale: u8) -> Decimal {
        Decimal { mantissa, scale }
    }

    #[test]
    fn decimals_are_compared_by_what_they_are_worth() {
        let ascending = [
            decimal(i128::MIN, 0),
            decimal(-2, 0),
            decimal(-19, 1),
            decimal(-1, 38),
            decimal(0, 0),
            decimal(1, 38),
            decimal(1, 1),
            decimal(11, 2),
            decimal(i128::MAX, 38),
            decimal(2, 0),
            decimal(i128::MAX, 0),
        ];
        for (at, left) in ascending.iter().enumerate() {
            for (place, right) in ascending.iter().enumerate() {
                assert_eq!(compare(left, right), at.cmp(&place), "{left} {right}");
            }
        }
        assert_eq!(compare(&decimal(100, 2), &decimal(1, 0)), Ordering::Equal);
        assert_eq!(compare(&decimal(-100, 2), &decimal(-1, 0)), Ordering::Equal);
        assert_eq!(compare(&decimal(0, 9), &decimal(0, 0)), Ordering::Equal);
    }

    #[test]
    fn a_quantile_is_one_of_the_numbers() {
        let numbers = || (1..=10).map(|number| decimal(number * 10, 1)).collect::<Vec<_>>();
        let at = |ppm| quantile(&mut numbers(), ppm);
        assert_eq!(at(0), Some(decimal(1, 0)));
        assert_eq!(at(1), Some(decimal(1, 0)));
        assert_eq!(at(100_000), Some(decimal(1, 0)));
        assert_eq!(at(100_001), Some(decimal(2, 0)));
        assert_eq!(at(500_000), Some(decimal(5, 0)));
        assert_eq!(at(999_999), Some(decimal(10, 0)));
        assert_eq!(at(1_000_000), Some(decimal(10, 0)));
        assert_eq!(quantile(&mut [], 500_000), None);
    }

    #[test]
    fn magnitudes_carry_and_stay_at_the_largest() {
        let tenth = Magnitude::of(&decimal(-1, 1));
        let sum = (0..10).fold(Magnitude::default(), |sum, _| sum.plus(tenth));
        assert_eq!(sum, Magnitude::of_int(1));
        assert_eq!(Magnitude::MOST.plus(tenth), Magnitude::MOST);
        assert_eq!(Magnitude::MOST.plus(Magnitude::MOST), Magnitude::MOST);
        assert_eq!(Magnitude::of_int(i64::MIN), Magnitude::of(&decimal(i64::MIN.into(), 0)));
    }

    #[test]
    fn sums_know_no_largest() {
        let terms =
            [decimal(i128::MIN, 0), decimal(1, 38), decimal(-9, 1), decimal(i128::MAX, 38), decimal(5, 0)];
        let terms: Vec<Magnitude> = terms.iter().map(Magnitude::of).chain([Magnitude::MOST; 3]).collect();
        let mut sums = vec![Sum::default()];
        for term in &terms {
            let mut sum = sums[sums.len() - 1];
            sum.add(*term);
            assert!(sum > sums[sums.len() - 1]);
            sums.push(sum);
        }
        // Terms leave in any order.
        for (first, leaving) in terms.iter().enumerate() {
            let mut sum = sums[terms.len()];
            sum.subtract(*leaving);
            let others = terms.iter().enumerate().filter(|(place, _)| *place != first);
            let mut expected = Sum::default();
            others.for_each(|(_, term)| expected.add(*term));
            assert_eq!(sum, expected);
        }
        let (mut sum, tiny) = (Sum { over: 0, rest: Magnitude::MOST }, Magnitude::of(&decimal(1, 38)));
        sum.add(tiny);
        assert_eq!(sum, Sum { over: 1, rest: Magnitude::default() });
        sum.subtract(tiny);
        assert_eq!(sum, Sum { over: 0, rest: Magnitude::MOST });
        let whole = Magnitude::of_int(1);
        assert!(!Sum::default().passes(whole, whole) && sums[1].passes(whole, Magnitude::of_int(i64::MIN)));
        assert!(sums[terms.len()].passes(Magnitude::default(), Magnitude::MOST));
    }
}
