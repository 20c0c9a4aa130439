//! A Bloom filter of ids, which tells of most that they are not there.

use counterfoil_format::intent::IntentId;

const PROBES: u64 = 7;
const BITS_PER_ROW: usize = 10;

/// The bits of an id in a filter of so many words: the word of each, and its mask.
pub(super) fn probes(id: &IntentId, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let number = u128::from_le_bytes(id.0);
    let mix = |half: u128| {
        let half = u64::try_from(half & u128::from(u64::MAX)).unwrap_or_default();
        (half ^ (half >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    };
    let (first, step) = (mix(number) ^ mix(number >> 64).rotate_left(32), mix(number >> 64) | 1);
    let bits = (words as u64).saturating_mul(64).max(1);
    (0..PROBES).map(move |probe| {
        let bit = first.wrapping_add(step.wrapping_mul(probe)) % bits;
        (usize::try_from(bit / 64).unwrap_or_default(), 1 << (bit % 64))
    })
}

/// The filter of some ids.
pub(super) fn build_filter<'a>(ids: impl Iterator<Item = &'a IntentId>, rows: usize) -> Vec<u64> {
    let mut filter = vec![0; (rows * BITS_PER_ROW).div_ceil(64).max(1)];
    for id in ids {
        for (word, bit) in probes(id, filter.len()) {
            if let Some(word) = filter.get_mut(word) {
                *word |= bit;
            }
        }
    }
    filter
}
