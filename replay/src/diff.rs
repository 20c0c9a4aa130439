//! What differs between two states.

use crate::state::{Held, PastState};

/// A key that two states hold differently. What a key holds is compared by commitment, so a value set again with
/// another salt differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: String,
    /// What it held in the first state.
    pub before: Option<Held>,
    /// What it holds in the second.
    pub after: Option<Held>,
}

/// The keys that differ, ascending.
pub fn difference(before: &PastState, after: &PastState) -> Vec<Difference> {
    let mut found = Vec::new();
    let (mut left, mut right) = (before.with_prefix("").peekable(), after.with_prefix("").peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return found,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let old = if order.is_le() { left.next() } else { None };
        let new = if order.is_ge() { right.next() } else { None };
        if old.map(|(_, held)| &held.leaf) == new.map(|(_, held)| &held.leaf) {
            continue;
        }
        let key = old.or(new).map_or("", |(key, _)| key).to_owned();
        found.push(Difference {
            key,
            before: old.map(|(_, h)| h.clone()),
            after: new.map(|(_, h)| h.clone()),
        });
    }
}
