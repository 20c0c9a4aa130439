//! The state at a row: the applied rows up to it, carried out from the first, or from the nearest stored state on.

use crate::history::{DamagedStore, History, ReplayError, StoredState, scan_keys};
use counterfoil_format::Hash;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::ops::Op;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::state::state_digest;
use counterfoil_rules::apply::{Applied, apply};
pub use counterfoil_rules::state::Held;
use counterfoil_rules::state::{Leaf, State};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::{Bound, ControlFlow};

/// The state at some moment, sorted by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PastState {
    held: BTreeMap<String, Held>,
}

impl PastState {
    /// What a key holds.
    pub fn get(&self, key: &str) -> Option<&Held> {
        self.held.get(key)
    }

    /// Keys and what they hold, ascending, from the first that begins with the prefix.
    pub fn with_prefix<'s>(&'s self, prefix: &'s str) -> impl Iterator<Item = (&'s str, &'s Held)> + 's {
        let from = self.held.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(move |(key, _)| key.starts_with(prefix)).map(|(key, held)| (key.as_str(), held))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The state digest.
    pub fn digest(&self) -> Hash {
        state_digest(self.held.iter().map(|(key, held)| (key.as_str(), held.leaf.content())))
    }

    /// Carries out an applied row; others change nothing.
    pub fn absorb<E>(&mut self, row: &Row<'_>) -> Result<(), ReplayError<E>> {
        self.absorb_ops(row, |_| true)
    }

    /// Carries out those operations of an applied row that are wanted. Operations on one key do not look at others.
    fn absorb_ops<E>(
        &mut self,
        row: &Row<'_>,
        wanted: impl Fn(&Op<'_>) -> bool,
    ) -> Result<(), ReplayError<E>> {
        let seq = row.landing.seq;
        if row.landing.outcome != Outcome::Applied || row.part(PartTag::Ops).is_none() {
            return Ok(());
        }
        let impossible = |reason: String| ReplayError::Impossible { row: seq, reason };
        let ops = row.ops(PartTag::Ops).map_err(|error| impossible(error.to_string()))?;
        let mut ops = ops.ok_or(ReplayError::Withheld(seq))?;
        ops.retain(wanted);
        self.carry_out(&ops, seq).map_err(|reason| impossible(reason.to_string()))
    }

    /// Carries out the operations of a row, or none of them when one fails.
    pub fn carry_out(&mut self, ops: &[Op<'_>], row: u64) -> Result<(), Reason> {
        self.carry_out_seen(ops, row, |_| ())
    }

    /// The same, with a look at what they do.
    pub(crate) fn carry_out_seen<T>(
        &mut self,
        ops: &[Op<'_>],
        row: u64,
        look: impl FnOnce(&Applied<'_>) -> T,
    ) -> Result<T, Reason> {
        let Ok(result) = apply(self, ops, true);
        let applied = result?;
        let seen = look(&applied);
        for (key, leaf) in applied.into_changes() {
            match leaf {
                Some(leaf) => drop(self.held.insert(key.into_owned(), Held { leaf, row })),
                None => drop(self.held.remove(key.as_ref())),
            }
        }
        Ok(seen)
    }
}

impl State for PastState {
    type Error = Infallible;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, Infallible> {
        Ok(self.get(key).map(|held| held.leaf.clone()))
    }
}

/// The state after the first `size` rows: the nearest stored one, and what the rows behind it did.
pub fn state_after<H: History>(history: &H, size: u64) -> Result<PastState, ReplayError<H::Error>> {
    if size > history.size() {
        return Err(ReplayError::NoSuchRow { row: size.saturating_sub(1), size: history.size() });
    }
    let (mut state, from) = nearest(history, size, read_whole)?;
    let mut failed = None;
    history.scan(from..size, |row| match state.absorb(row) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(state), Err)
}

/// What these keys hold now: of the rows, only what touches them is carried out.
pub fn state_of_keys<H: History>(
    history: &H,
    keys: &BTreeSet<String>,
) -> Result<PastState, ReplayError<H::Error>> {
    state_of_keys_after(history, keys, history.size())
}

/// What these keys held after the first `size` rows.
pub fn state_of_keys_after<H: History>(
    history: &H,
    keys: &BTreeSet<String>,
    size: u64,
) -> Result<PastState, ReplayError<H::Error>> {
    let (mut state, from) = nearest(history, size, |stored| read_keys(stored, keys))?;
    let mut failed = None;
    let named = keys.iter().map(String::as_str).collect();
    let wanted = |op: &Op<'_>| keys.contains(op.state_key().as_ref());
    scan_keys(history, &named, from..size, |row| match state.absorb_ops(row, wanted) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(state), Err)
}

/// The newest stored state of at most so many rows that can be read, and how many rows it covers: the empty one when there
/// is none.
fn nearest<H: History>(
    history: &H,
    size: u64,
    read: impl Fn(&dyn StoredState) -> Result<PastState, DamagedStore>,
) -> Result<(PastState, u64), H::Error> {
    let mut within = size;
    while let Some(stored) = history.stored(within)? {
        let covers = stored.size();
        match read(&*stored) {
            Ok(state) => return Ok((state, covers)),
            Err(DamagedStore) => within = covers.min(within).saturating_sub(1),
        }
    }
    Ok((PastState::default(), 0))
}

fn read_whole(stored: &dyn StoredState) -> Result<PastState, DamagedStore> {
    let mut leaves = Vec::new();
    stored.scan("", &mut |key, held| leaves.push((key.to_owned(), held)))?;
    // They come sorted, so the map is built at once.
    let state = PastState { held: leaves.into_iter().collect() };
    if state.digest() == stored.digest() { Ok(state) } else { Err(DamagedStore) }
}

fn read_keys(stored: &dyn StoredState, keys: &BTreeSet<String>) -> Result<PastState, DamagedStore> {
    let mut state = PastState::default();
    for key in keys {
        if let Some(held) = stored.get(key)? {
            state.held.insert(key.clone(), held);
        }
    }
    Ok(state)
}
