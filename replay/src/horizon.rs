//! The undo horizon: what of the rows in force can be taken back at a moment, until when, and what cannot.

use crate::history::{History, ReplayError};
use crate::in_part::InPart;
use counterfoil_format::content::{Actors, Subject};
use counterfoil_format::intent::Micros;
use counterfoil_format::landing::{Outcome, Reversibility};
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::Reach;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::rollback::can_be_taken_back;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Rows by how they can be taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The state alone.
    pub exact: u64,
    /// Effects with an undo too.
    pub declared: u64,
    /// Effects whose undo works until a time that is ahead.
    pub window: u64,
    /// Effects that can be made up for.
    pub compensating: u64,
    /// Effects whose undo worked until a time that is over.
    pub closed: u64,
    /// Effects that never had an undo.
    pub never: u64,
}

impl Counts {
    /// How many rows.
    pub const fn rows(&self) -> u64 {
        self.reversible() + self.closed + self.never
    }

    /// How many of them can be taken back, or made up for.
    pub const fn reversible(&self) -> u64 {
        self.exact + self.declared + self.window + self.compensating
    }

    /// Those of a class that can be taken back.
    pub const fn of(&self, class: Reach) -> u64 {
        match class {
            Reach::Exact => self.exact,
            Reach::Declared => self.declared,
            Reach::Window => self.window,
            Reach::Compensating => self.compensating,
            Reach::Never => self.never + self.closed,
        }
    }

    fn count(&mut self, reversibility: Reversibility, now: Micros) {
        let place = match reversibility {
            Reversibility::Exact => &mut self.exact,
            Reversibility::Declared => &mut self.declared,
            Reversibility::Window(until) if until > now => &mut self.window,
            Reversibility::Window(_) => &mut self.closed,
            Reversibility::Compensating => &mut self.compensating,
            Reversibility::Never => &mut self.never,
        };
        *place += 1;
    }
}

/// A row whose undo works until a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closing {
    /// Until when.
    pub until: Micros,
    /// The row.
    pub row: u64,
    /// Its action.
    pub action: String,
    /// What it is about; empty when it does not say.
    pub entity: String,
}

/// What can be taken back at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Horizon {
    /// All rows in force.
    pub all: Counts,
    /// By what they are about; those that do not say stand under the empty name.
    pub entities: BTreeMap<String, Counts>,
    /// By who carried them out.
    pub executors: BTreeMap<String, Counts>,
    /// Those whose undo works until a time that is ahead, the first to close first.
    pub closing: Vec<Closing>,
    /// How many rows are taken back but for a part, and do not count else.
    pub in_part: u64,
}

/// The horizon of the rows of a history at a time. A row's class is the one that was stamped on it. Rows that are taken back
/// and rollback rows do not count.
pub fn horizon<H: History>(
    history: &H,
    governance: &Governance,
    now: Micros,
) -> Result<Horizon, ReplayError<H::Error>> {
    let mut horizon = Horizon::default();
    let in_part = InPart::of(history, governance)?;
    history.scan(0..history.size(), |row| {
        let seq = row.landing.seq;
        let acted = row.landing.outcome == Outcome::Applied && can_be_taken_back(row);
        if acted && governance.target_of(seq).is_none() {
            match governance.undone_by(seq) {
                None => horizon.count(row, now),
                Some(by) => horizon.in_part += u64::from(in_part.by(seq).contains(&by)),
            }
        }
        ControlFlow::Continue(())
    })?;
    horizon.closing.sort_unstable();
    Ok(horizon)
}

impl Horizon {
    fn count(&mut self, row: &Row<'_>, now: Micros) {
        let class = row.landing.reversibility;
        let subject = row.content(PartTag::Subject).and_then(|bytes| Subject::decode(bytes).ok());
        let entity = subject.map_or("", |subject| subject.entity);
        let actors = row.content(PartTag::Actors).and_then(|bytes| Actors::decode(bytes).ok());
        let executor = actors.map_or("", |actors| actors.executor);
        self.all.count(class, now);
        counts_of(&mut self.entities, entity).count(class, now);
        counts_of(&mut self.executors, executor).count(class, now);
        if let Reversibility::Window(until) = class
            && until > now
        {
            let (action, entity) = (row.head.action.to_owned(), entity.to_owned());
            self.closing.push(Closing { until, row: row.landing.seq, action, entity });
        }
    }
}

fn counts_of<'c>(by: &'c mut BTreeMap<String, Counts>, name: &str) -> &'c mut Counts {
    if !by.contains_key(name) {
        by.insert(name.to_owned(), Counts::default());
    }
    by.entry(name.to_owned()).or_default()
}
