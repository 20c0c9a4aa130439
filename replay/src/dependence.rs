//! Which rows build on others.
//!
//! Row B builds on an earlier row A when B is in force and touches a key that A wrote, unless both only add to it: an
//! operation reads or replaces what its key holds, and so does its guard. The stage of an entity is a key like any other.
//! A rollback row touches its keys as the row does that it takes back or brings back in the end: what it adds to a counter may
//! stand for a deletion. One that took back a row behind A has put back what was there, so it does not count. A decision that a
//! forced or partial rollback has taken back, or brought back, stands in part: it goes only once that rollback is taken back.

use crate::ahead::Ahead;
use crate::history::{History, MANY_KEYS, Touch};
use crate::in_part::InPart;
use crate::plan::Later;
use counterfoil_format::body::{Body, Manner, RollbackOf};
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::Op;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

/// A row that builds on one that shall be taken back: of these the first, for each key that it touches. When later rows stay, each
/// row that shall be taken back has the first later one for each key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependant {
    /// The row that builds on it.
    pub row: u64,
    /// The row that shall be taken back.
    pub on: u64,
    /// The key they share.
    pub key: String,
}

/// For each key that ops touch, whether they only add to it.
pub(crate) type Touched = BTreeMap<String, bool>;

/// The keys that ops touch.
pub(crate) fn touched(ops: &[Op<'_>]) -> Touched {
    let mut keys = BTreeMap::new();
    for op in ops {
        let adds = op.only_adds();
        keys.entry(op.state_key().into_owned()).and_modify(|only| *only &= adds).or_insert(adds);
    }
    keys
}

/// What a row touches; `None` when its operations are withheld.
pub(crate) fn touched_by(row: &Row<'_>) -> Option<Touched> {
    match row.part(PartTag::Ops) {
        None => Some(Touched::new()),
        Some(_) => row.ops(PartTag::Ops).ok().flatten().map(|ops| touched(&ops)),
    }
}

/// What a rollback row says; `None` of another row, or when that is withheld.
pub(crate) fn rollback_of(row: &Row<'_>) -> Option<RollbackOf> {
    let bytes = row.content(PartTag::Body).filter(|_| row.head.kind == Kind::Rollback)?;
    match Body::decode(row.head.kind, bytes) {
        Ok(Body::Rollback(rollback)) => Some(rollback),
        _ => None,
    }
}

/// Whether a row is a rollback that has put back all that its target had changed.
fn is_exact(row: &Row<'_>) -> bool {
    rollback_of(row).is_some_and(|rollback| rollback.manner == Manner::Exact)
}

/// The rows that are taken back and wrote a key.
#[derive(Default)]
struct Writers {
    /// Those that do more than add to it.
    set: BTreeSet<u64>,
    /// Those that only add to it.
    added: BTreeSet<u64>,
    /// Those of either on which a later row builds.
    built_on: BTreeSet<u64>,
}

impl Writers {
    fn push(&mut self, row: u64, adds: bool) {
        if adds {
            self.added.insert(row)
        } else {
            self.set.insert(row)
        };
    }

    /// Those in a range on which a row builds that touches the key so, ascending.
    fn built_on_by(&self, range: Range<u64>, adds: bool) -> impl Iterator<Item = u64> {
        let added = (!adds).then(|| self.added.range(range.clone())).into_iter().flatten();
        let (mut set, mut added) = (self.set.range(range).peekable(), added.peekable());
        std::iter::from_fn(move || match (set.peek(), added.peek()) {
            (Some(of_set), Some(of_added)) if of_added < of_set => added.next().copied(),
            (Some(_), _) => set.next().copied(),
            (None, _) => added.next().copied(),
        })
    }
}

/// The rows that shall be taken back, and what builds on them.
pub(crate) struct Building<'h, H> {
    history: &'h H,
    governance: &'h Governance,
    /// What becomes of rows that build on them.
    later: Later,
    taken: BTreeMap<u64, Touched>,
    /// By key.
    writers: BTreeMap<String, Writers>,
    /// How the rows of each key were looked up.
    looked: BTreeMap<String, Touch>,
    /// The rows left to look at.
    ahead: BTreeSet<u64>,
    /// Whether all rows are looked at, in order.
    scanning: bool,
    /// Those that build on one that is taken back.
    pub found: Vec<Dependant>,
    /// A row that builds on others and whose operations are withheld.
    pub withheld: Option<u64>,
    /// A decision that builds on others and stands in part, and the rollback that has made it so.
    pub unclear: Option<(u64, u64)>,
    in_part: InPart,
    /// What is in force once those that were asked for are taken back.
    then: Ahead,
    /// The first of those that were asked for.
    first: u64,
    /// Rows that are out of force when their turn comes to be taken back, so that they are no dependants.
    barred: BTreeSet<u64>,
}

impl<'h, H: History> Building<'h, H> {
    /// For rows that are in force when their turn comes to be taken back, the newest first.
    pub fn new(
        history: &'h H,
        governance: &'h Governance,
        later: Later,
        wanted: &BTreeSet<u64>,
        barred: BTreeSet<u64>,
    ) -> Result<Self, H::Error> {
        let mut then = Ahead::of(governance, history.size());
        for row in wanted.iter().rev() {
            // Whoever asks for others is told so elsewhere.
            let _ = then.take_back(*row);
        }
        let in_part = InPart::of(history, governance)?;
        Ok(Building {
            history,
            governance,
            later,
            taken: BTreeMap::new(),
            writers: BTreeMap::new(),
            looked: BTreeMap::new(),
            ahead: BTreeSet::new(),
            scanning: false,
            found: Vec::new(),
            withheld: None,
            unclear: None,
            in_part,
            then,
            first: wanted.first().copied().unwrap_or_default(),
            barred,
        })
    }

    /// The rollback in force by which a row stands only in part, if it is not among these.
    pub fn in_part(&self, row: u64, wanted: &BTreeSet<u64>) -> Option<u64> {
        self.in_part.above(self.governance, row, wanted)
    }

    /// The rows that are taken back.
    pub fn taken(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.taken.keys().copied()
    }

    pub fn has(&self, row: u64) -> bool {
        self.taken.contains_key(&row)
    }

    /// The keys of taken rows that later rows touch, each with the first of these.
    pub fn left(&self) -> BTreeMap<u64, BTreeMap<String, u64>> {
        let mut left: BTreeMap<u64, BTreeMap<String, u64>> = BTreeMap::new();
        for found in &self.found {
            left.entry(found.on).or_default().entry(found.key.clone()).or_insert(found.row);
        }
        left
    }

    /// How many keys a taken row touches.
    pub fn keys(&self, row: u64) -> usize {
        self.taken.get(&row).map_or(0, BTreeMap::len)
    }

    /// What a row touches, and how; `None` when its operations are withheld.
    fn touched_by(&self, row: &Row<'_>) -> Result<Option<Touched>, H::Error> {
        let Some(mut keys) = touched_by(row) else { return Ok(None) };
        let base = self.governance.base(row.landing.seq);
        if base != row.landing.seq {
            let as_base = self.history.with_row(base, touched_by)?.unwrap_or_default();
            for (key, adds) in &mut keys {
                *adds = as_base.get(key).is_some_and(|adds| *adds);
            }
        }
        Ok(Some(keys))
    }

    /// Takes a row back that was asked for; `false` when its operations are withheld.
    pub fn ask_for(&mut self, row: u64) -> Result<bool, H::Error> {
        match self.history.with_row(row, |row| self.touched_by(row))?? {
            // An older row that goes with them may touch the same keys.
            Some(keys) => self.take(row, keys, self.first).map(|()| true),
            None => Ok(false),
        }
    }

    /// Takes a row back, and has the rows looked at that touch its keys behind another.
    fn take(&mut self, row: u64, keys: Touched, behind: u64) -> Result<(), H::Error> {
        for (key, adds) in &keys {
            self.writers.entry(key.clone()).or_default().push(row, *adds);
            self.look_up(behind, key, if *adds { Touch::Set } else { Touch::Any })?;
        }
        self.taken.insert(row, keys);
        Ok(())
    }

    /// Has the rows looked at that touch a key behind a row.
    fn look_up(&mut self, behind: u64, key: &str, touch: Touch) -> Result<(), H::Error> {
        if self.scanning {
            return Ok(());
        }
        match self.looked.get(key) {
            Some(looked) if *looked >= touch => {}
            _ => {
                self.ahead.extend(self.history.rows_of_key(key, touch, behind + 1..self.history.size())?);
                self.looked.insert(key.to_owned(), touch);
            }
        }
        let rest = self.history.size().saturating_sub(behind).max(MANY_KEYS as u64);
        self.scanning = self.looked.len() > MANY_KEYS || self.ahead.len() as u64 > rest;
        Ok(())
    }

    /// Looks at all rows that may build on those that are taken, and on those that are taken with them.
    pub fn build(&mut self) -> Result<(), H::Error> {
        let Some(first) = self.taken().next() else { return Ok(()) };
        let mut next = first + 1;
        while !self.scanning {
            let Some(row) = self.ahead.range(next..).next().copied() else { break };
            if row >= self.history.size() {
                break;
            }
            self.ahead.remove(&row);
            let said = self.history.with_row(row, |row| self.look(row))??;
            self.follow(row, said)?;
            next = row + 1;
        }
        if self.scanning {
            self.scan(next)?;
        }
        self.found.sort_unstable();
        Ok(())
    }

    fn scan(&mut self, from: u64) -> Result<(), H::Error> {
        let mut failed = Ok(());
        let history = self.history;
        history.scan(from..history.size(), |row| {
            failed = self.look(row).and_then(|said| self.follow(row.landing.seq, said));
            if failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        failed
    }

    /// What a row builds on, when it does.
    fn look(&self, row: &Row<'_>) -> Result<Looked, H::Error> {
        let seq = row.landing.seq;
        let settled = self.has(seq) || self.barred.contains(&seq);
        if row.landing.outcome != Outcome::Applied || settled || row.part(PartTag::Ops).is_none() {
            return Ok(Looked::default());
        }
        let Some(keys) = self.touched_by(row)? else {
            return Ok(Looked { withheld: true, ..Looked::default() });
        };
        // What an exact rollback has put back was there before its target.
        let first = self.governance.target_of(seq).filter(|_| is_exact(row)).unwrap_or(0);
        let mut found = Vec::new();
        for (key, adds) in &keys {
            let Some(writers) = self.writers.get(key) else { continue };
            let on = writers.built_on_by(first..seq, *adds);
            let dependant = |on| Dependant { row: seq, on, key: key.clone() };
            match self.later {
                Later::Keep => found.extend(on.filter(|on| !writers.built_on.contains(on)).map(dependant)),
                Later::Refuse | Later::Cascade => found.extend(on.take(1).map(dependant)),
            }
        }
        Ok(Looked { keys, found, withheld: false })
    }

    /// Takes down what a row builds on, and takes it back in a cascade.
    fn follow(&mut self, row: u64, looked: Looked) -> Result<(), H::Error> {
        let Looked { keys, found, withheld } = looked;
        if withheld {
            self.withheld.get_or_insert(row);
        }
        if found.is_empty() {
            return Ok(());
        }
        let base = self.governance.base(row);
        if let Some(by) = self.in_part.by(base).iter().rfind(|by| !self.has(**by)) {
            self.unclear.get_or_insert((base, *by));
            self.take_down(found);
            return Ok(());
        }
        if self.then.undone_by(row).is_some_and(|by| !self.has(by)) {
            return Ok(());
        }
        self.take_down(found);
        if self.later == Later::Cascade {
            self.take(row, keys, row)?;
            self.bring_back(row)?;
        }
        Ok(())
    }

    fn take_down(&mut self, found: Vec<Dependant>) {
        for dependant in found {
            if let Some(writers) = self.writers.get_mut(&dependant.key) {
                writers.built_on.insert(dependant.on);
            }
            self.found.push(dependant);
        }
    }

    /// What a taken row had taken back is in force again, and goes too where it builds on a taken row, or where a decision that
    /// was out of force would be brought back otherwise.
    fn bring_back(&mut self, taken: u64) -> Result<(), H::Error> {
        let was_out = self.governance.undone_by(self.governance.base(taken)).is_some();
        let mut is_turned = true;
        let mut next = self.governance.target_of(taken);
        while let Some(row) = next.filter(|row| !self.has(*row) && !self.barred.contains(row)) {
            let Looked { keys, found, withheld } = self.history.with_row(row, |row| self.look(row))??;
            if withheld {
                self.withheld.get_or_insert(row);
            }
            // Each that goes turns the decision at the end of the chain.
            if found.is_empty() && !(was_out && is_turned) {
                break;
            }
            self.take_down(found);
            self.take(row, keys, row)?;
            is_turned = !is_turned;
            next = self.governance.target_of(row);
        }
        Ok(())
    }
}

/// What looking at a row has shown.
#[derive(Default)]
struct Looked {
    keys: Touched,
    found: Vec<Dependant>,
    withheld: bool,
}
