//! The oracle: what each decision does key by key, and on which keys it stands.

use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::value::Value;
use counterfoil_ledger::DraftOp;
use counterfoil_replay::state::PastState;
use counterfoil_rules::state::Leaf;
use counterfoil_tests::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// What a key holds. Two puts of one number are two values, as their salts differ: the row tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    Value(i64),
    Counter(i64),
    Stage(String),
}

pub type State = BTreeMap<String, Plain>;

/// An operation on one key.
#[derive(Debug, Clone)]
pub enum PlainOp {
    Put(String, Value, i64),
    Delete(String),
    Add(String, i64),
    /// Adds when the counter is this.
    AddTo(String, i64, i64),
    Move(String, &'static str),
}

impl PlainOp {
    /// One that may do on a state. No number comes twice: equal values are the same value, and no sums are equal by chance.
    pub fn random(rng: &mut Rng, state: &State) -> Self {
        let value = format!("a/{}", rng.below(5));
        let counter = format!("n/{}", rng.below(3));
        let number = rng.below(1 << 40).cast_signed();
        let delta = if rng.below(2) == 0 { number } else { -number };
        match rng.below(12) {
            0..5 => PlainOp::Put(value, Value::Int(number), number),
            5 => PlainOp::Delete(value),
            6 => PlainOp::Delete(counter),
            7..9 => PlainOp::Add(counter, delta),
            9 => {
                let held = match state.get(&counter) {
                    Some(Plain::Counter(number)) if rng.below(3) > 0 => *number,
                    _ => 0,
                };
                PlainOp::AddTo(counter, held, delta)
            }
            10 => PlainOp::Add(value, delta),
            _ => PlainOp::Move(format!("sku-{}", rng.below(2)), ["", "testing", "winner"][rng.place(3)]),
        }
    }

    pub fn draft(&self) -> DraftOp<'_> {
        match self {
            PlainOp::Put(key, value, _) => DraftOp::Put(key, value),
            PlainOp::Delete(key) => DraftOp::Delete(key),
            PlainOp::Add(key, delta) => DraftOp::Add(key, *delta),
            PlainOp::AddTo(key, number, delta) => {
                let (guard, change) = (Guard::Counter(*number), Change::Add(*delta));
                DraftOp::Stored(Op { key, guard, change })
            }
            PlainOp::Move(entity, stage) => DraftOp::Transition(entity, stage),
        }
    }

    fn key(&self) -> String {
        match self {
            PlainOp::Put(key, ..) | PlainOp::Delete(key) | PlainOp::Add(key, _) | PlainOp::AddTo(key, ..) => {
                key.clone()
            }
            PlainOp::Move(entity, _) => format!("lifecycle/{entity}"),
        }
    }

    /// What the key holds then; `None` when the operation cannot be done.
    fn carry_out(&self, held: Option<Plain>) -> Option<Option<Plain>> {
        let add = |held: Option<Plain>, delta: i64| match held {
            None => Some(Some(Plain::Counter(delta))),
            Some(Plain::Counter(number)) => {
                Some(Some(number + delta).filter(|sum| *sum != 0).map(Plain::Counter))
            }
            Some(_) => None,
        };
        match self {
            PlainOp::Put(_, _, number) => Some(Some(Plain::Value(*number))),
            PlainOp::Delete(_) => held.map(|_| None),
            PlainOp::Add(_, delta) => add(held, *delta),
            PlainOp::AddTo(_, number, delta) => {
                let is = match held {
                    None => 0,
                    Some(Plain::Counter(counter)) => counter,
                    Some(_) => return None,
                };
                (is == *number).then(|| add(held, *delta)).flatten()
            }
            PlainOp::Move(_, stage) => {
                Some(Some((*stage).to_owned()).filter(|stage| !stage.is_empty()).map(Plain::Stage))
            }
        }
    }
}

/// What each operation builds on, by row and place: of a plain addition the row that last did more than add to its key, of others what
/// the key held too.
type Seen = BTreeMap<(u64, usize), (Option<u64>, Option<Plain>)>;

/// Decisions, and what stands of them.
#[derive(Debug, Default)]
pub struct Oracle {
    decisions: BTreeMap<u64, Vec<PlainOp>>,
    /// The keys on which each decision stands.
    stands: BTreeMap<u64, BTreeSet<String>>,
    /// What rollback rows took back.
    targets: BTreeMap<u64, u64>,
}

impl Oracle {
    pub fn decide(&mut self, row: u64, ops: Vec<PlainOp>) {
        self.stands.insert(row, ops.iter().map(PlainOp::key).collect());
        self.decisions.insert(row, ops);
    }

    /// A row takes another back on these keys, which may bring a third one back.
    pub fn roll_back(&mut self, row: u64, target: u64, keys: &[String]) {
        self.targets.insert(row, target);
        let (mut base, mut undoes) = (target, true);
        while let Some(next) = self.targets.get(&base) {
            (base, undoes) = (*next, !undoes);
        }
        let stands = self.stands.get_mut(&base).unwrap();
        for key in keys {
            let changed = if undoes { stands.remove(key) } else { stands.insert(key.clone()) };
            assert!(changed, "row {row} changes {key} of row {base} twice");
        }
    }

    /// Whether a row is a decision that was applied.
    pub fn has_decided(&self, row: u64) -> bool {
        self.decisions.contains_key(&row)
    }

    /// The keys on which decisions stand.
    pub fn standing(&self) -> BTreeSet<(u64, String)> {
        let each = self.stands.iter().flat_map(|(row, keys)| keys.iter().map(|key| (*row, key.clone())));
        each.collect()
    }

    /// On how many keys a decision stands.
    pub fn stands_on(&self, row: u64) -> usize {
        self.stands[&row].len()
    }

    pub fn touches(&self, row: u64, key: &str) -> bool {
        let mut base = row;
        while let Some(next) = self.targets.get(&base) {
            base = *next;
        }
        self.decisions[&base].iter().any(|op| op.key() == key)
    }

    /// Whether a row only adds to a key.
    pub fn only_adds(&self, row: u64, key: &str) -> bool {
        let of_key = |op: &&PlainOp| op.key() == key;
        self.decisions[&row].iter().filter(of_key).all(|op| matches!(op, PlainOp::Add(..)))
    }

    /// A decision that is not taken back alone could not be: others do or see something else without it.
    pub fn check_needed(&self, row: u64) {
        let (_, all) = self.replay(&BTreeSet::new()).unwrap();
        assert!(!self.works(&BTreeSet::from([row]), &all), "row {row} can be taken back alone");
    }

    /// What stands, carried out from scratch.
    pub fn state(&self) -> Option<State> {
        self.replay(&BTreeSet::new()).map(|(state, _)| state)
    }

    fn replay(&self, without: &BTreeSet<u64>) -> Option<(State, Seen)> {
        let (mut state, mut seen) = (State::new(), Seen::new());
        let mut set: BTreeMap<String, u64> = BTreeMap::new();
        for (row, ops) in self.decisions.iter().filter(|(row, _)| !without.contains(row)) {
            for (place, op) in ops.iter().enumerate().filter(|(_, op)| self.stands[row].contains(&op.key())) {
                let held = state.remove(&op.key());
                let adds = matches!(op, PlainOp::Add(..));
                let by = set.get(&op.key()).copied();
                seen.insert((*row, place), (by, held.clone().filter(|_| !adds)));
                if !adds {
                    set.insert(op.key(), *row);
                }
                state.extend(op.carry_out(held)?.map(|held| (op.key(), held)));
            }
        }
        Some((state, seen))
    }

    /// Whether the rows that are left do and see the same without these as with them.
    fn works(&self, without: &BTreeSet<u64>, all: &Seen) -> bool {
        let left = |(row, _): &(u64, usize)| !without.contains(row);
        self.replay(without).is_some_and(|(_, seen)| all.iter().filter(|(at, _)| left(at)).eq(seen.iter()))
    }

    /// Taking these rows back works, and no smaller set of them with those that were asked for does. Yields how many
    /// smaller ones were tried.
    pub fn check_minimal(&self, asked: &[u64], rows: &[u64]) -> usize {
        let (_, all) = self.replay(&BTreeSet::new()).unwrap();
        let whole: BTreeSet<u64> = rows.iter().copied().collect();
        assert!(self.works(&whole, &all), "{rows:?} for {asked:?}");
        let others: Vec<u64> = rows.iter().copied().filter(|row| !asked.contains(row)).take(10).collect();
        let rest: BTreeSet<u64> = rows.iter().copied().filter(|row| !others.contains(row)).collect();
        let mut tried = 0;
        for chosen in 0..(1_u32 << others.len()) - 1 {
            let some = others.iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1);
            let smaller: BTreeSet<u64> = some.map(|(_, row)| *row).chain(rest.iter().copied()).collect();
            assert!(!self.works(&smaller, &all), "{smaller:?} would do for {asked:?}, and not {rows:?}");
            tried += 1;
        }
        tried
    }
}

/// A state in the oracle's terms.
pub fn plain(state: &PastState) -> State {
    let leaf = |leaf: &Leaf| match leaf {
        Leaf::Value(value) => match Value::decode(&value.open.as_ref().unwrap().bytes).unwrap() {
            Value::Int(number) => Plain::Value(number),
            other => panic!("{other:?}"),
        },
        Leaf::Counter(number) => Plain::Counter(*number),
        Leaf::Stage(stage) => Plain::Stage(stage.clone()),
    };
    state.with_prefix("").map(|(key, held)| (key.to_owned(), leaf(&held.leaf))).collect()
}
