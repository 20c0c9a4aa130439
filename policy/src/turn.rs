//! Which way a change of a policy turns: whether more goes through afterwards, or less.

use counterfoil_format::intent::Tier;
use counterfoil_format::value::Decimal;
use counterfoil_rules::number::compare;
use std::cmp::Ordering;
use std::fmt;

/// Whether more goes through without a human after a change, or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It changes nothing there, or it cannot be told from the policies alone.
    Neither,
    /// Less goes through.
    Stricter,
    /// More goes through.
    Looser,
    /// Some that did not goes through, and some that did does not.
    Both,
}

impl Turn {
    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Turn::Neither => "neither",
            Turn::Stricter => "stricter",
            Turn::Looser => "looser",
            Turn::Both => "both",
        }
    }

    /// From one strictness to another, the greater the stricter.
    pub(crate) fn between<T: Ord + Copy>(old: T, new: T) -> Self {
        Turn::of(new.cmp(&old))
    }

    fn of(strictness: Ordering) -> Self {
        match strictness {
            Ordering::Less => Turn::Looser,
            Ordering::Equal => Turn::Neither,
            Ordering::Greater => Turn::Stricter,
        }
    }

    /// From one least tier to another.
    pub(crate) fn of_tiers(old: Tier, new: Tier) -> Self {
        let rank = |tier| match tier {
            Tier::Unstated => 0,
            Tier::C => 1,
            Tier::B => 2,
            Tier::A => 3,
        };
        Turn::between(rank(old), rank(new))
    }

    /// From one largest count to another.
    pub(crate) fn of_count(old: Option<u32>, new: Option<u32>) -> Self {
        let most = |count: Option<u32>| count.map_or(u64::MAX, u64::from);
        Turn::between(most(new), most(old))
    }

    /// From one least number to another.
    pub(crate) fn of_floors(old: Option<&Decimal>, new: Option<&Decimal>) -> Self {
        match (old, new) {
            (Some(old), Some(new)) => Turn::of(compare(new, old)),
            _ => Turn::between(old.is_some(), new.is_some()),
        }
    }

    /// From one set of those who may do something to another.
    pub(crate) const fn of_sets(old: u8, new: u8) -> Self {
        match (old & !new != 0, new & !old != 0) {
            (false, false) => Turn::Neither,
            (true, false) => Turn::Stricter,
            (false, true) => Turn::Looser,
            (true, true) => Turn::Both,
        }
    }

    /// The way back.
    pub(crate) const fn reversed(self) -> Self {
        match self {
            Turn::Stricter => Turn::Looser,
            Turn::Looser => Turn::Stricter,
            Turn::Neither | Turn::Both => self,
        }
    }

    /// Both together.
    pub(crate) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Turn::Neither, turn) | (turn, Turn::Neither) => turn,
            (Turn::Stricter, Turn::Stricter) => Turn::Stricter,
            (Turn::Looser, Turn::Looser) => Turn::Looser,
            _ => Turn::Both,
        }
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Turn::Neither => "neither stricter nor looser",
            Turn::Stricter => "stricter",
            Turn::Looser => "looser",
            Turn::Both => "stricter in some cases, looser in others",
        })
    }
}
