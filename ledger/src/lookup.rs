//! What is looked up in one segment: rows by number, by id and by key. Kept in memory while the segment grows;
//! [`crate::side`] writes it to a side file when the segment is closed.

use counterfoil_format::body::{Body, EffectStatus, Manner};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Evidence;
use counterfoil_format::intent::{IntentId, Kind};
use counterfoil_format::ops::Op;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry::{Occupied, Vacant};
use smallvec::SmallVec;
use std::hash::BuildHasher;

/// A map with a hash that is quick and seeded at random, so that chosen keys cannot be made to collide.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;

/// Hashes by which a row is looked up: of the keys that its operations name, of what it measures, cites and tells of.
/// Most rows have few.
pub(crate) type KeyHashes = SmallVec<[u64; 2]>;

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
    /// Rows that may change what governs those behind them.
    pub special: Vec<u32>,
    /// The id of each row.
    ids: Vec<IntentId>,
    /// Rows by id.
    by_id: HashTable<u32>,
    /// Each naming of a key, in the order of rows.
    namings: Vec<Naming>,
    /// The latest naming of each key, by its place in `namings`.
    latest: HashTable<u32>,
    random: RandomState,
}

/// A row whose operations name a key.
#[derive(Debug, Clone, Copy)]
struct Naming {
    key: u64,
    row: u32,
    /// The place of the naming of the same key before this one; its own when there is none.
    before: u32,
}

/// What the look-ups keep of one row, gathered before the row is durable.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where the row record begins in the segment.
    pub offset: u64,
    /// The row's id.
    pub id: IntentId,
    /// Whether the row may change what governs those behind it.
    pub special: bool,
    /// The hashes of the keys that its ops name.
    pub keys: KeyHashes,
}

impl Entry {
    /// The entry of a stored row.
    pub fn of(row: &Row<'_>, offset: u64) -> Result<Self, CodecError> {
        let ops = row.ops(PartTag::Ops)?.unwrap_or_default();
        let kind = row.head.kind;
        let told = matches!(kind, Kind::Evidence | Kind::Outcome | Kind::Snapshot | Kind::Rollback);
        let body = row.content(PartTag::Body).filter(|_| told);
        let body = body.map(|bytes| Body::decode(kind, bytes)).transpose()?;
        let evidence = row.content(PartTag::Evidence).map(Evidence::decode_all).transpose()?;
        let keys = hashes(&ops, &evidence.unwrap_or_default(), body.as_ref());
        Ok(Entry { offset, id: row.head.id, special: is_special(kind, body.as_ref()), keys })
    }
}

impl Lookups {
    /// Empty look-ups, with as much room as others have needed.
    pub fn sized_like(other: &Self) -> Self {
        let mut lookups = Self::default();
        lookups.rows.reserve(other.rows.len());
        lookups.ids.reserve(other.ids.len());
        lookups.namings.reserve(other.namings.len());
        lookups.by_id = HashTable::with_capacity(other.by_id.len());
        lookups.latest = HashTable::with_capacity(other.latest.len());
        lookups
    }

    /// Takes in the next row.
    pub fn push(&mut self, entry: &Entry) {
        let row = place(self.rows.len());
        self.rows.push(entry.offset);
        self.push_id(entry.id);
        if entry.special {
            self.special.push(row);
        }
        entry.keys.iter().for_each(|key| self.push_key(*key, row));
    }

    /// Takes in the id of the next row.
    pub fn push_id(&mut self, id: IntentId) {
        let row = place(self.ids.len());
        self.ids.push(id);
        let Lookups { ids, by_id, random, .. } = self;
        let hash = |row: &u32| random.hash_one(at(ids, *row));
        by_id.insert_unique(random.hash_one(Some(&id)), row, hash);
    }

    /// Takes in a key that a row names. The rows of a key must come in order.
    pub fn push_key(&mut self, key: u64, row: u32) {
        let new = place(self.namings.len());
        let Lookups { namings, latest, random, .. } = self;
        let key_at = |place: &u32| at(namings, *place).map(|naming| naming.key);
        let found = latest.entry(
            random.hash_one(Some(key)),
            |place| key_at(place) == Some(key),
            |place| random.hash_one(key_at(place)),
        );
        let before = match found {
            Occupied(mut found) => {
                if at(namings, *found.get()).is_some_and(|naming| naming.row == row) {
                    return;
                }
                std::mem::replace(found.get_mut(), new)
            }
            Vacant(free) => *free.insert(new).get(),
        };
        self.namings.push(Naming { key, row, before });
    }

    /// The row with an id.
    pub fn row_of(&self, id: &IntentId) -> Option<u32> {
        let same = |row: &u32| at(&self.ids, *row) == Some(id);
        self.by_id.find(self.random.hash_one(Some(id)), same).copied()
    }

    /// The rows that name a key with this hash, ascending.
    pub fn rows_of(&self, key: u64) -> Vec<u32> {
        let same = |place: &u32| at(&self.namings, *place).is_some_and(|naming| naming.key == key);
        let mut next = self.latest.find(self.random.hash_one(Some(key)), same).copied();
        let mut rows = Vec::new();
        while let Some(place) = next {
            let naming = at(&self.namings, place);
            rows.extend(naming.map(|naming| naming.row));
            next = naming.map(|naming| naming.before).filter(|before| *before != place);
        }
        rows.reverse();
        rows
    }

    /// Ids and their rows, in the order of rows.
    pub fn ids(&self) -> impl Iterator<Item = (IntentId, u32)> {
        self.ids.iter().copied().zip(0..)
    }

    /// Hashes of keys and the rows that name them, in the order of rows.
    pub fn keys(&self) -> impl Iterator<Item = (u64, u32)> {
        self.namings.iter().map(|naming| (naming.key, naming.row))
    }
}

fn place(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn at<T>(items: &[T], place: u32) -> Option<&T> {
    items.get(place as usize)
}

/// The hashes by which a row that says this is looked up. Hashes of two uses may be the same, which costs time and nothing
/// else.
pub(crate) fn hashes(ops: &[Op<'_>], evidence: &[Evidence<'_>], body: Option<&Body<'_>>) -> KeyHashes {
    let told = match body {
        Some(Body::Evidence(reading)) => [Some(metric_hash(reading.metric)), None],
        Some(Body::Outcome(outcome)) => {
            let unfinished = outcome.status != EffectStatus::Done;
            [Some(call_hash(outcome.row, outcome.effect)), unfinished.then(unfinished_hash)]
        }
        Some(Body::Snapshot(_)) => [Some(snapshot_hash()), None],
        Some(Body::Rollback(rollback)) => {
            let calls = !rollback.effects.is_empty();
            let inexact = rollback.manner != Manner::Exact;
            [calls.then(calling_hash), inexact.then(inexact_hash)]
        }
        _ => [None, None],
    };
    // What a rollback adds may take back, or bring back, more than an addition.
    let apart = !matches!(body, Some(Body::Rollback(_)));
    let touched = ops.iter().map(|op| match op.only_adds() && apart {
        true => added_hash(&op.state_key()),
        false => key_hash(&op.state_key()),
    });
    let cited = evidence.iter().filter_map(|item| match item {
        Evidence::Row(row) => Some(cited_hash(*row)),
        Evidence::Document { .. } => None,
    });
    touched.chain(told.into_iter().flatten()).chain(cited).collect()
}

/// The hash by which rows are looked up that only add to a key, whatever it holds.
pub(crate) fn added_hash(key: &str) -> u64 {
    hash_of("added\0", key.bytes())
}

/// The hash by which the readings of a metric are looked up.
pub(crate) fn metric_hash(metric: &str) -> u64 {
    hash_of("reading\0", metric.bytes())
}

/// The hash by which the outcomes of a call are looked up.
pub(crate) fn call_hash(row: u64, effect: u32) -> u64 {
    hash_of("call\0", row.to_le_bytes().into_iter().chain(effect.to_le_bytes()))
}

/// The hash by which rows are looked up that point to a row as evidence.
pub(crate) fn cited_hash(row: u64) -> u64 {
    hash_of("cited\0", row.to_le_bytes())
}

/// The hash by which outcome rows are looked up after which a call may not have ended.
pub(crate) fn unfinished_hash() -> u64 {
    key_hash("unfinished\0")
}

/// The hash by which rollback rows are looked up that call for effects.
pub(crate) fn calling_hash() -> u64 {
    key_hash("calling\0")
}

/// The hash by which rollback rows are looked up that are forced or partial.
pub(crate) fn inexact_hash() -> u64 {
    key_hash("inexact\0")
}

/// The hash by which snapshot rows are looked up.
pub(crate) fn snapshot_hash() -> u64 {
    key_hash("snapshot\0")
}

/// Whether rows of a kind that say this may change what governs those behind them.
pub(crate) fn is_special(kind: Kind, body: Option<&Body<'_>>) -> bool {
    kind == Kind::Genesis || Governance::is_changed_by(kind, body)
}

/// The hash by which keys are looked up. Rows found are read and compared, so a collision costs time and nothing else.
pub(crate) fn key_hash(key: &str) -> u64 {
    hash_of("", key.bytes())
}

/// FNV-1a with a final mix, of a use and what it is looked up by.
fn hash_of(of: &str, what: impl IntoIterator<Item = u8>) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let bytes = of.bytes().chain(what);
    let folded = bytes.fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (folded ^ (folded >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
