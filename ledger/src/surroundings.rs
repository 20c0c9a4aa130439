//! What decisions are made on: the state, and the readings of earlier rows, durable or not.

use crate::batch::Fresh;
use crate::current::Current;
use crate::error::ReadError;
use crate::log::Log;
use counterfoil_format::body::EffectStatus;
use counterfoil_rules::gates::Measured;
use counterfoil_rules::land::World;
use counterfoil_rules::state::{Leaf, State};
use std::collections::VecDeque;

/// What a decision is made on: the state, and the readings before it.
pub(crate) struct Surroundings<'g> {
    pub current: &'g Current,
    pub log: &'g Log,
    pub underway: &'g VecDeque<(u64, Fresh)>,
    pub fresh: &'g Fresh,
}

impl Surroundings<'_> {
    /// The status that a call has, as the rows so far have told, durable or not.
    pub fn call(&self, row: u64, effect: u32) -> Result<Option<EffectStatus>, ReadError> {
        let call = (row, effect);
        let underway = || self.underway.iter().rev().find_map(|(_, fresh)| fresh.calls.get(&call));
        match self.fresh.calls.get(&call).or_else(underway) {
            Some(status) => Ok(Some(*status)),
            None => Ok(self.log.outcomes(row, effect)?.last().map(|(_, status)| *status)),
        }
    }
}

impl State for Surroundings<'_> {
    type Error = ReadError;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, ReadError> {
        self.current.leaf(key).map_err(ReadError::Index)
    }
}

impl World for Surroundings<'_> {
    fn reading(&self, row: u64) -> Result<Option<Measured>, ReadError> {
        let underway = || self.underway.iter().find_map(|(_, fresh)| fresh.readings.get(&row));
        match self.fresh.readings.get(&row).or_else(underway) {
            Some(measured) => Ok(Some(measured.clone())),
            None if row >= self.log.head().size => Ok(None),
            None => self.log.reading(row),
        }
    }
}
