//! The state by commitments, and V15: the stored rollback is the exact inverse of what the row did, or would have done in
//! its dry run.
//!
//! As soon as it is not known what a row did, the state behind it is not known either, and V15 stops there, saying so.

use crate::check::CheckId;
use crate::facts::{Part, RowFacts};
use crate::gates::Carried;
use crate::tally::{Place, Tally};
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::ops::{Op, encode_skeleton};
use counterfoil_rules::apply::{Applied, apply};
use counterfoil_rules::state::{Leaf, State};
use std::collections::HashMap;
use std::convert::Infallible;

/// A state by commitments, in no order.
#[derive(Debug, Default)]
pub(crate) struct Commitments(HashMap<Box<str>, Leaf>);

impl State for Commitments {
    type Error = Infallible;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, Infallible> {
        Ok(self.0.get(key).cloned())
    }
}

impl Commitments {
    /// What a key holds.
    pub fn get(&self, key: &str) -> Option<&Leaf> {
        self.0.get(key)
    }

    /// Keys and what they hold, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Leaf)> {
        self.0.iter().map(|(key, leaf)| (&**key, leaf))
    }

    fn set(&mut self, key: &str, leaf: Option<Leaf>) {
        match (leaf, self.0.get_mut(key)) {
            (Some(leaf), Some(place)) => *place = leaf,
            (Some(leaf), None) => drop(self.0.insert(key.into(), leaf)),
            (None, _) => drop(self.0.remove(key)),
        }
    }
}

/// The state as the rows so far left it.
#[derive(Debug, Default)]
pub(crate) struct Inverses {
    state: Commitments,
    /// Since when the state is not known, and why.
    stopped: Option<String>,
    /// The last row whose stored rollback does not take it back.
    inexact: Option<u64>,
    scratch: Vec<u8>,
}

/// What a row's operations do on the state before it.
pub(crate) enum Steps<'a> {
    /// It has none.
    None,
    /// They go through.
    Through(Applied<'a>),
    /// They fail.
    Fail(Reason),
    /// It is not known.
    Unknown(String),
}

impl Steps<'_> {
    /// Whether they go through.
    pub fn carried(&self) -> Carried {
        match self {
            Steps::None | Steps::Through(_) => Carried::Through,
            Steps::Fail(reason) => Carried::Fail(*reason),
            Steps::Unknown(why) => Carried::Unknown(why.clone()),
        }
    }
}

impl Inverses {
    /// Rows before row `next` are missing or cannot be read: the state is not known from there on.
    pub fn lose(&mut self, next: u64) {
        let why =
            || format!("rows before row {next} are missing or cannot be read, so the state is not known");
        self.stopped.get_or_insert_with(why);
    }

    /// The state, as long as it is known.
    pub fn state(&self) -> Option<&Commitments> {
        self.stopped.is_none().then_some(&self.state)
    }

    /// The state, when it can be taken back by stored rollbacks to the one after a row: `None` when it cannot, and why it is
    /// not known when it is not.
    pub fn known_since(&self, at: u64) -> Result<Option<&Commitments>, &str> {
        match &self.stopped {
            Some(why) => Err(why),
            None => Ok(Some(&self.state).filter(|_| self.inexact.is_none_or(|row| row <= at))),
        }
    }

    /// Carries out a row's operations on the state before it, which stays as it is. `ops` is `None` when they are closed.
    pub fn carry_out<'o>(&self, row: &RowFacts, ops: Option<&[Op<'o>]>) -> Steps<'o> {
        if matches!(row.ops, Part::Absent) {
            return Steps::None;
        }
        if let Some(why) = &self.stopped {
            return Steps::Unknown(why.clone());
        }
        let Some(ops) = ops else {
            let seq = row.seq;
            return Steps::Unknown(format!(
                "the operations of row {seq} are withheld, so the state behind it is not known"
            ));
        };
        let Ok(result) = apply(&self.state, ops, false);
        match result {
            Ok(applied) => Steps::Through(applied),
            Err(reason) => Steps::Fail(reason),
        }
    }

    /// Checks the stored rollback, and moves the state on. `decided` says that V14 has told of operations that fail.
    pub fn check(
        &mut self,
        (row, arena): (&RowFacts, &[u8]),
        steps: Steps<'_>,
        decided: bool,
        place: Place,
        tally: &mut Tally,
    ) {
        let mut inexact = self.inexact;
        let mut fault = |message: &str| {
            inexact = Some(row.seq);
            tally.fault(CheckId::V15, place, Some(row.seq), message.to_owned());
        };
        let bare = matches!(row.rollback, Part::Absent);
        let outcome = row.stamp.outcome;
        if outcome == Outcome::Review || matches!(steps, Steps::None) {
            match (outcome, bare) {
                (_, true) => {}
                (Outcome::Review, _) => fault("a row that was put aside for review has a rollback"),
                _ => fault("a row without operations has a rollback"),
            }
            self.inexact = inexact;
            return;
        }
        let applied = match steps {
            Steps::Through(applied) => applied,
            Steps::Unknown(why) => {
                tally.skip(CheckId::V15, row.seq, &why);
                if outcome == Outcome::Applied {
                    self.stopped.get_or_insert(why);
                }
                return;
            }
            Steps::Fail(reason) => {
                if !decided {
                    fault(&format!("its operations do not go through: {reason}"));
                }
                self.inexact = Some(row.seq);
                return tally.checked(CheckId::V15, 1);
            }
            Steps::None => return,
        };
        match row.rollback.bytes(arena) {
            Some(stored) => {
                self.scratch.clear();
                encode_skeleton(&applied.inverse(), &mut self.scratch);
                if self.scratch != stored {
                    fault("its rollback is not the inverse of its operations on the state of that moment");
                }
                tally.checked(CheckId::V15, 1);
            }
            None if bare => {
                if !applied.steps.is_empty() {
                    fault("it has operations, was not put aside, and has no rollback");
                }
                tally.checked(CheckId::V15, 1);
            }
            None => tally.skip(CheckId::V15, row.seq, "its rollback is withheld"),
        }
        self.inexact = inexact;
        if outcome == Outcome::Applied {
            for (key, leaf) in Applied::into_changes(applied) {
                self.state.set(&key, leaf);
            }
        }
    }
}
