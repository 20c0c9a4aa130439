//! What is looked up in one segment: rows by number, by id and by key. Kept in memory while the segment grows;
//! [`crate::side`] writes it to a side file when the segment is closed.

use counterfoil_format::codec::CodecError;
use counterfoil_format::intent::{IntentId, Kind};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use foldhash::fast::RandomState;

/// A map with a hash that is quick and seeded at random, so that chosen keys cannot be made to collide.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;

/// Where a group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupAt {
    /// Its first row.
    pub first_seq: u64,
    /// Its offset in the segment.
    pub offset: u64,
}

/// The look-ups of one segment. Rows are counted from the segment's first one.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    /// The groups, ascending.
    pub groups: Vec<GroupAt>,
    /// Where each row record begins in the segment; its length stands in the four bytes before.
    pub rows: Vec<u64>,
    /// Rows by id.
    pub ids: HashMap<IntentId, u32>,
    /// Rows by the hash of a key that their ops name.
    pub keys: HashMap<u64, Vec<u32>>,
    /// Rows that are no decisions.
    pub special: Vec<u32>,
}

/// What the look-ups keep of one row, gathered before the row is durable.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where the row record begins in the segment.
    pub offset: u64,
    /// The row's id.
    pub id: IntentId,
    /// Whether the row is no decision.
    pub special: bool,
    /// The hashes of the keys that its ops name.
    pub keys: Vec<u64>,
}

impl Entry {
    /// The entry of a stored row.
    pub fn of(row: &Row<'_>, offset: u64) -> Result<Self, CodecError> {
        let ops = row.ops(PartTag::Ops)?.unwrap_or_default();
        let keys = ops.iter().map(|op| key_hash(&op.state_key())).collect();
        Ok(Entry { offset, id: row.head.id, special: row.head.kind != Kind::Decision, keys })
    }
}

impl Lookups {
    /// Takes in the next row.
    pub fn push(&mut self, entry: Entry) {
        let place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push(entry.offset);
        self.ids.insert(entry.id, place);
        if entry.special {
            self.special.push(place);
        }
        for key in entry.keys {
            let rows = self.keys.entry(key).or_default();
            if rows.last() != Some(&place) {
                rows.push(place);
            }
        }
    }
}

/// The hash by which keys are looked up (FNV-1a with a final mix). Rows found are read and compared, so a collision
/// costs time and nothing else.
pub(crate) fn key_hash(key: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let folded =
        key.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (folded ^ (folded >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
