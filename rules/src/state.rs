//! The state that a ledger governs: a map from key to value, counter or stage.

use counterfoil_format::Hash;
use counterfoil_format::ops::Guard;
use counterfoil_format::part::{Salt, Slot, commit_value};
use counterfoil_format::state::{LeafContent, state_digest};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// What a key holds. A counter is never 0: that is the same as an absent key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// A value.
    Value(StoredValue),
    /// A counter.
    Counter(i64),
    /// The stage of an entity.
    Stage(String),
}

/// What a key holds, and the row that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What it holds.
    pub leaf: Leaf,
    /// The row that set it.
    pub row: u64,
}

/// A value with its commitment; the content may be withheld, erased, or not needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValue {
    /// The commitment.
    pub commitment: Hash,
    /// The content.
    pub open: Option<OpenValue>,
}

/// The content of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenValue {
    /// The salt it was set with.
    pub salt: Salt,
    /// The encoded value.
    pub bytes: Arc<[u8]>,
}

impl StoredValue {
    /// The value that a slot holds. `keep_content` says whether its content is wanted beside the commitment.
    pub fn from_slot(slot: &Slot<'_>, keep_content: bool) -> Self {
        match *slot {
            Slot::Closed(commitment) => StoredValue { commitment, open: None },
            Slot::Open { salt, bytes } => StoredValue {
                commitment: commit_value(&salt, bytes),
                open: keep_content.then(|| OpenValue { salt, bytes: bytes.into() }),
            },
        }
    }

    /// The slot to write for this value.
    pub fn slot(&self) -> Slot<'_> {
        match &self.open {
            Some(open) => Slot::Open { salt: open.salt, bytes: &open.bytes },
            None => Slot::Closed(self.commitment),
        }
    }
}

impl Leaf {
    /// What the state digest sees of it.
    pub fn content(&self) -> LeafContent<'_> {
        match self {
            Leaf::Value(value) => LeafContent::Value(value.commitment),
            Leaf::Counter(number) => LeafContent::Counter(*number),
            Leaf::Stage(stage) => LeafContent::Stage(stage),
        }
    }

    /// The guard that holds exactly as long as a key holds what this one does.
    pub fn guard(leaf: Option<&Leaf>) -> Guard<'_> {
        match leaf {
            None => Guard::Absent,
            Some(Leaf::Value(value)) => Guard::Value(value.commitment),
            Some(Leaf::Counter(number)) => Guard::Counter(*number),
            Some(Leaf::Stage(stage)) => Guard::Stage(stage),
        }
    }
}

/// A state that can be read.
pub trait State {
    /// What can go wrong on the way.
    type Error;

    /// What a key holds.
    fn leaf(&self, key: &str) -> Result<Option<Leaf>, Self::Error>;
}

/// A state in memory, sorted by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapState {
    leaves: BTreeMap<String, Leaf>,
}

impl MapState {
    /// Sets or removes a key.
    pub fn set(&mut self, key: &str, leaf: Option<Leaf>) {
        match leaf {
            Some(leaf) => match self.leaves.get_mut(key) {
                Some(place) => *place = leaf,
                None => drop(self.leaves.insert(key.to_owned(), leaf)),
            },
            None => drop(self.leaves.remove(key)),
        }
    }

    /// What a key holds.
    pub fn get(&self, key: &str) -> Option<&Leaf> {
        self.leaves.get(key)
    }

    /// Keys and what they hold, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Leaf)> {
        self.leaves.iter().map(|(key, leaf)| (key.as_str(), leaf))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The state digest.
    pub fn digest(&self) -> Hash {
        state_digest(self.iter().map(|(key, leaf)| (key, leaf.content())))
    }
}

impl State for MapState {
    type Error = Infallible;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, Infallible> {
        Ok(self.get(key).cloned())
    }
}
