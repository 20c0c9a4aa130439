//! Readings: what applied evidence rows have measured.

use crate::error::ReadError;
use crate::log::Log;
use crate::lookup::metric_hash;
use counterfoil_format::body::Body;
use counterfoil_format::intent::{Kind, Micros};
use counterfoil_format::landing::Outcome;
use counterfoil_format::row::Row;
use counterfoil_rules::calibration::Sample;
use counterfoil_rules::gates::Measured;
use counterfoil_rules::land::Proposal;

/// A reading and its row.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The row.
    pub row: u64,
    /// When it landed.
    pub landed_at: Micros,
    /// The action of its head; may be empty.
    pub action: String,
    /// What was measured.
    pub measured: Measured,
}

impl Reading {
    /// The reading of a row; `None` when it is no applied evidence row.
    fn of(row: &Row<'_>) -> Result<Option<Self>, counterfoil_format::codec::CodecError> {
        if row.head.kind != Kind::Evidence || row.landing.outcome != Outcome::Applied {
            return Ok(None);
        }
        let proposal = Proposal::of_row(row)?;
        let Some(Body::Evidence(reading)) = proposal.body else { return Ok(None) };
        let (metric, entity) = (reading.metric.to_owned(), proposal.entity.map(str::to_owned));
        Ok(Some(Reading {
            row: row.landing.seq,
            landed_at: row.landing.landed_at,
            action: row.head.action.to_owned(),
            measured: Measured { metric, entity, value: reading.value },
        }))
    }

    /// The reading, as a calibration looks at it.
    pub fn sample(&self) -> Sample<'_> {
        Sample {
            row: self.row,
            landed_at: self.landed_at,
            metric: &self.measured.metric,
            action: &self.action,
            value: self.measured.value,
        }
    }
}

impl Log {
    /// What a row has measured; `None` when it is no applied evidence row.
    pub fn reading(&self, seq: u64) -> Result<Option<Measured>, ReadError> {
        let stored = self.row(seq)?;
        let reading = Reading::of(&stored.parse()?).map_err(|error| self.damaged(seq, error))?;
        Ok(reading.map(|reading| reading.measured))
    }

    /// The readings of a metric that landed at a time or later, in rows below a number, ascending.
    pub fn readings(&self, metric: &str, from: Micros, upto: u64) -> Result<Vec<Reading>, ReadError> {
        let first = match from.checked_sub(1) {
            Some(before) => self.size_at(before)?,
            None => 0,
        };
        let mut readings = Vec::new();
        for seq in self.candidates(metric_hash(metric), first..upto)? {
            let stored = self.row(seq)?;
            let reading = Reading::of(&stored.parse()?).map_err(|error| self.damaged(seq, error))?;
            readings.extend(reading.filter(|reading| reading.measured.metric == metric));
        }
        Ok(readings)
    }
}
