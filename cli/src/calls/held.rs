//! Why calls are not to be made now.

use crate::past::Past;
use crate::time;
use anyhow::Result;
use counterfoil_ledger::{Log, now};
use counterfoil_replay::effects::Calling;
use counterfoil_replay::plan::PlannedCall;
use counterfoil_rules::governance::Governance;

/// Why a call is not to be made.
pub enum Held {
    /// It is of no use any more.
    Moot(String),
    /// It cannot be made now.
    Now(String),
}

impl Held {
    /// In words.
    pub fn why(&self) -> &str {
        match self {
            Held::Moot(why) | Held::Now(why) => why,
        }
    }
}

/// What tells whether a call is to be made: which rows are taken back, who has called since, and the kill switch.
pub struct Watch {
    /// What governs now.
    pub governance: Governance,
    calling: Calling,
    /// How many rows there were.
    size: u64,
}

impl Watch {
    /// As the log is.
    pub fn of(log: &Log) -> Result<Self> {
        let governance = log.governance()?;
        let calling = Calling::of(&Past::of(log), &governance)?;
        Ok(Watch { governance, calling, size: log.head().size })
    }

    /// Takes in what has landed since.
    pub fn refresh(&mut self, log: &Log) -> Result<()> {
        log.refresh()?;
        match log.special().last() {
            Some(row) if *row >= self.size => *self = Self::of(log)?,
            _ => self.size = log.head().size,
        }
        Ok(())
    }

    /// Why what a row calls for by the place of an effect is not to be called for. Of what is withheld no more is known than what
    /// the rows say.
    pub fn held(&self, row: u64, effect: u32, call: Option<&PlannedCall>) -> Option<Held> {
        if let Some(moot) = self.calling.moot(&self.governance, row, effect) {
            return Some(Held::Moot(moot.to_string()));
        }
        let (acts, in_force) = (call.is_some_and(|call| call.does.acts()), &self.governance.in_force);
        if acts && in_force.switch.engaged {
            return Some(Held::Now(format!("the kill switch is engaged, by row {}", in_force.switch_row)));
        }
        let until = call.and_then(|call| call.until).filter(|until| *until <= now())?;
        Some(Held::Moot(format!("it could be undone until {}", time::print_short(until))))
    }
}
