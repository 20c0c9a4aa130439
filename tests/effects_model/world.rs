//! The world outside: what the effects of decisions have come to. Every call is checked in the moment in which it takes place.

use counterfoil_format::content::{Effect, Undo};
use counterfoil_format::value::Value;
use counterfoil_replay::plan::{Does, PlannedCall};
use counterfoil_tests::rng::Rng;
use std::collections::BTreeMap;

/// How an effect is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Never,
    Undo,
    Compensate,
}

/// An effect.
#[derive(Debug)]
pub struct Real {
    way: Way,
    /// The requests that do and undo it.
    requests: [Vec<u8>; 2],
    /// Whether the decision has carried it out.
    happened: bool,
    /// Whether it stands now.
    stands: bool,
}

impl Real {
    /// One that is new, of a decision that is about to land.
    pub fn random(rng: &mut Rng) -> Self {
        let way = [Way::Never, Way::Undo, Way::Undo, Way::Compensate][rng.place(4)];
        let mut request = || Value::Int(i64::try_from(rng.below(1 << 40)).unwrap()).encode().unwrap();
        Real { way, requests: [request(), request()], happened: true, stands: true }
    }

    /// As it stands in a draft.
    pub fn draft(&self) -> Effect<'_> {
        let [request, undo] = &self.requests;
        let undo = match self.way {
            Way::Never => Undo::Never,
            Way::Undo => Undo::Request(undo),
            Way::Compensate => Undo::Compensate(undo),
        };
        Effect { adapter: "shop", request, undo }
    }
}

/// All effects, and which row takes back which.
#[derive(Debug, Default)]
pub struct World {
    effects: BTreeMap<u64, Vec<Real>>,
    targets: BTreeMap<u64, u64>,
    /// How many calls have undone something, and done something again.
    pub calls: [usize; 2],
}

impl World {
    /// A decision has landed, and its effects have taken place.
    pub fn decide(&mut self, row: u64, effects: Vec<Real>) {
        self.effects.insert(row, effects);
    }

    /// A row takes another back.
    pub fn take_back(&mut self, row: u64, target: u64) {
        self.targets.insert(row, target);
    }

    /// An effect has not taken place, as turns out.
    pub fn did_not_happen(&mut self, row: u64, effect: usize) {
        let real = &mut self.effects.get_mut(&row).unwrap()[effect];
        (real.happened, real.stands) = (false, false);
    }

    /// All rows that can be taken back, or could be, ascending.
    pub fn rows(&self) -> Vec<u64> {
        let mut rows: Vec<u64> = self.effects.keys().chain(self.targets.keys()).copied().collect();
        rows.sort_unstable();
        rows
    }

    fn chain(&self, row: u64) -> impl Iterator<Item = u64> {
        std::iter::successors(Some(row), |row| self.targets.get(row).copied())
    }

    /// The decision that a row is, takes back or brings back.
    pub fn base(&self, row: u64) -> u64 {
        self.chain(row).last().unwrap()
    }

    /// Whether a row acts, by itself or by bringing back.
    pub fn acts(&self, row: u64) -> bool {
        self.chain(row).count() % 2 == 1
    }

    /// Whether nothing that is in force itself takes a row back.
    fn is_in_force(&self, row: u64) -> bool {
        let by = self.targets.iter().filter(|(_, target)| **target == row);
        by.into_iter().all(|(by, _)| !self.is_in_force(*by))
    }

    /// How many effects a decision has.
    pub fn count(&self, row: u64) -> usize {
        self.effects[&row].len()
    }

    /// What a row calls for takes place.
    pub fn call(&mut self, row: u64, effect: u32, story: &[String]) {
        let (base, acts) = (self.base(row), self.acts(row));
        let story = story.join("\n");
        assert!(self.is_in_force(row), "row {row} calls: {story}");
        assert_eq!(self.is_in_force(base), acts, "effect {effect} of row {base} is called for: {story}");
        let real = &mut self.effects.get_mut(&base).unwrap()[effect as usize];
        assert_ne!(real.stands, acts, "effect {effect} of row {base} is called for: {story}");
        assert!(acts || real.way != Way::Never, "effect {effect} of row {base}");
        real.stands = acts;
        match acts {
            true if row == base => real.happened = true,
            acts => self.calls[usize::from(acts)] += 1,
        }
    }

    /// What taking a row back must call for: what has taken place and is not as it shall be, as far as that can be had.
    pub fn wanted(&self, target: u64) -> Vec<PlannedCall> {
        let acts = !self.acts(target);
        let wanted = (0..)
            .zip(&self.effects[&self.base(target)])
            .filter(|(_, real)| real.happened && real.stands != acts && (acts || real.way != Way::Never));
        let call = |(effect, real): (u32, &Real)| {
            let does = match (acts, real.way) {
                (true, _) => Does::Redo,
                (false, Way::Compensate) => Does::Compensate,
                (false, _) => Does::Undo,
            };
            let request = real.requests[usize::from(!acts)].clone();
            PlannedCall { effect, adapter: "shop".to_owned(), does, request, until: None }
        };
        wanted.map(call).collect()
    }
}
