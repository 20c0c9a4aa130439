//! Whether a threshold is the quantile that its row says it is, of all the readings that it says it looked at.

use crate::number::quantile;
use counterfoil_format::body::Calibration;
use counterfoil_format::intent::Micros;
use counterfoil_format::value::Decimal;

/// A reading, as a calibration looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Its row.
    pub row: u64,
    /// When it landed.
    pub landed_at: Micros,
    /// What was measured.
    pub metric: &'a str,
    /// The action of its row.
    pub action: &'a str,
    /// The measurement.
    pub value: Decimal,
}

/// Why a calibration does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationFault {
    /// It looks at rows that are not there yet.
    #[error("it looks at rows below {upto}, and there are {rows} it can look at")]
    Ahead {
        /// Below which row it looks.
        upto: u64,
        /// How many rows there are.
        rows: u64,
    },
    /// It leaves out a reading that fits.
    #[error("it leaves out row {0}, which is a reading that it says it looked at")]
    LeftOut(u64),
    /// It names a row that does not fit.
    #[error("it names row {0}, which is no reading of that metric, action and window")]
    NotOne(u64),
    /// The threshold is another one.
    #[error("its threshold is {stated}; the quantile of its rows is {computed}")]
    Threshold {
        /// As it says.
        stated: Decimal,
        /// As it is.
        computed: Decimal,
    },
}

/// Whether a reading is one that a calibration looks at.
pub fn fits(calibration: &Calibration<'_>, sample: &Sample<'_>) -> bool {
    sample.metric == calibration.metric
        && (calibration.action.is_empty() || sample.action == calibration.action)
        && sample.landed_at >= calibration.from
        && sample.row < calibration.upto
}

/// Checks a calibration against all readings of its metric below `rows`, ascending.
pub fn check_calibration<'a>(
    calibration: &Calibration<'_>,
    samples: impl Iterator<Item = Sample<'a>>,
    rows: u64,
) -> Result<(), CalibrationFault> {
    if calibration.upto > rows {
        return Err(CalibrationFault::Ahead { upto: calibration.upto, rows });
    }
    let mut named = calibration.rows.iter().copied().peekable();
    let mut values = Vec::with_capacity(calibration.rows.len());
    for sample in samples.filter(|sample| fits(calibration, sample)) {
        match named.next() {
            Some(row) if row == sample.row => values.push(sample.value),
            Some(row) if row < sample.row => return Err(CalibrationFault::NotOne(row)),
            _ => return Err(CalibrationFault::LeftOut(sample.row)),
        }
    }
    if let Some(row) = named.next() {
        return Err(CalibrationFault::NotOne(row));
    }
    match quantile(&mut values, calibration.quantile) {
        Some(computed) if computed != calibration.threshold => {
            Err(CalibrationFault::Threshold { stated: calibration.threshold, computed })
        }
        _ => Ok(()),
    }
}
