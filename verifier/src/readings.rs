//! The readings of the log, for the gates that ask for them and for calibrations (V23). About 80 bytes a reading, and the
//! names of metrics, entities and actions once each.

use crate::check::CheckId;
use crate::facts::{Part, RowFacts, text};
use crate::tally::{Place, Tally};
use counterfoil_format::body::{Body, Calibration};
use counterfoil_format::intent::{Kind, Micros};
use counterfoil_format::landing::Outcome;
use counterfoil_format::policy::Reach;
use counterfoil_format::value::Decimal;
use counterfoil_rules::calibration::{Sample, check_calibration};
use counterfoil_rules::governance::RecoveryDrill;
use std::collections::{BTreeMap, HashMap};

const BODY_CLOSED: &str = "its body is withheld";
const DRILL_CLOSED: &str = "a row before it is withheld or not there, and may be a recovery drill";

/// Readings, in row order.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    entries: Vec<Entry>,
    /// Those of each metric, in row order.
    of_metric: HashMap<u32, Vec<OfMetric>>,
    /// The newest threshold of each metric.
    thresholds: HashMap<u32, Decimal>,
    /// The newest recovery drill of each class of reversibility.
    drilled: BTreeMap<Reach, RecoveryDrill>,
    names: Names,
    /// Applied evidence rows whose body is withheld, ascending.
    closed: Vec<u64>,
    /// Why rows may not have been met.
    lost: Option<String>,
}

#[derive(Debug)]
struct Entry {
    row: u64,
    landed_at: Micros,
    value: Decimal,
    metric: u32,
    action: u32,
    /// What it was measured of; `None` when that is withheld or erased.
    entity: Option<u32>,
}

/// A reading among those of its metric.
#[derive(Debug, Clone, Copy)]
struct OfMetric {
    /// Its place among all readings.
    place: usize,
    /// When the latest landed of those up to it: the earlier ones, whose is below a time, all landed before that.
    latest: Micros,
}

/// A reading that is looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'r> {
    pub metric: &'r str,
    /// What it was measured of: empty for the store; `None` when that is withheld or erased.
    pub entity: Option<&'r str>,
    pub value: Decimal,
}

impl Readings {
    /// Why not all readings are known.
    fn unknown(&self) -> Option<String> {
        let closed = || self.closed.first().map(|row| format!("the body of row {row} is withheld"));
        self.lost.clone().or_else(closed)
    }

    /// From here on a reading may be missing.
    pub fn lose(&mut self, why: impl FnOnce() -> String) {
        self.lost.get_or_insert_with(why);
    }

    /// Whether a row that is not among them may be one all the same.
    pub fn may_be(&self, row: u64) -> bool {
        self.lost.is_some() || self.closed.binary_search(&row).is_ok()
    }

    /// Keeps what an evidence row has measured, and checks a calibration (V23).
    pub fn row(&mut self, row: &RowFacts, arena: &[u8], place: Place, tally: &mut Tally) {
        if !matches!(row.kind, Kind::Evidence | Kind::Calibration) {
            return;
        }
        let Some(bytes) = row.body.bytes(arena) else {
            match row.kind {
                Kind::Evidence if row.stamp.outcome == Outcome::Applied => self.closed.push(row.seq),
                Kind::Evidence => {}
                _ => tally.skip(CheckId::V23, row.seq, BODY_CLOSED),
            }
            return;
        };
        match Body::decode(row.kind, bytes) {
            Ok(Body::Evidence(reading)) if row.stamp.outcome == Outcome::Applied => {
                let entity = match &row.entity {
                    Part::Absent => Some(""),
                    Part::Closed => None,
                    Part::Open(range) => Some(text(arena, range)),
                };
                let (landed_at, action) = (row.stamp.landed_at, row.action(arena));
                if let Some((class, passed)) = reading.drilled() {
                    self.drilled.insert(class, RecoveryDrill { row: row.seq, landed_at, passed });
                }
                let (metric, value) = (reading.metric, reading.value);
                self.add(&Sample { row: row.seq, landed_at, metric, action, value }, entity);
            }
            Ok(Body::Calibration(calibration)) => {
                if row.stamp.outcome == Outcome::Applied {
                    self.thresholds.insert(self.names.number(calibration.metric), calibration.threshold);
                }
                if let Some(why) = self.unknown() {
                    return tally.skip(CheckId::V23, row.seq, &why);
                }
                tally.checked(CheckId::V23, 1);
                if let Err(error) = check_calibration(&calibration, self.samples(&calibration), row.seq) {
                    tally.fault(CheckId::V23, place, Some(row.seq), error.to_string());
                }
            }
            _ => {}
        }
    }

    /// The newest threshold that was calibrated of a metric.
    pub fn calibrated(&self, metric: &str) -> Option<Decimal> {
        self.thresholds.get(self.names.numbers.get(metric)?).copied()
    }

    /// The newest recovery drill of a class of reversibility; an error when a row behind it may be one.
    pub fn drilled(&self, class: Reach) -> Result<Option<RecoveryDrill>, &'static str> {
        let newest = self.drilled.get(&class).copied();
        let closed = self.closed.last().is_some_and(|row| newest.is_none_or(|newest| newest.row < *row));
        match class != Reach::Never && (closed || self.lost.is_some()) {
            true => Err(DRILL_CLOSED),
            false => Ok(newest),
        }
    }

    fn add(&mut self, sample: &Sample<'_>, entity: Option<&str>) {
        let entry = Entry {
            row: sample.row,
            landed_at: sample.landed_at,
            value: sample.value,
            metric: self.names.number(sample.metric),
            action: self.names.number(sample.action),
            entity: entity.map(|entity| self.names.number(entity)),
        };
        let of_metric = self.of_metric.entry(entry.metric).or_default();
        let latest = of_metric.last().map_or(entry.landed_at, |before| before.latest.max(entry.landed_at));
        of_metric.push(OfMetric { place: self.entries.len(), latest });
        self.entries.push(entry);
    }

    /// The reading of a row.
    pub fn get(&self, row: u64) -> Option<Reading<'_>> {
        let place = self.entries.binary_search_by_key(&row, |entry| entry.row).ok()?;
        let entry = self.entries.get(place)?;
        let (metric, entity) =
            (self.names.text(entry.metric), entry.entity.map(|entity| self.names.text(entity)));
        Some(Reading { metric, entity, value: entry.value })
    }

    /// Those that a calibration may have to name, and few others: of its metric, from its window on.
    fn samples(&self, calibration: &Calibration<'_>) -> impl Iterator<Item = Sample<'_>> {
        let metric = self.names.numbers.get(calibration.metric);
        let all = metric.and_then(|metric| self.of_metric.get(metric)).map_or(&[][..], Vec::as_slice);
        let before = all.partition_point(|reading| reading.latest < calibration.from);
        let (_, from) = all.split_at_checked(before).unwrap_or_default();
        let (from, upto) = (from.iter(), calibration.upto);
        let entries = from.filter_map(|reading| self.entries.get(reading.place));
        entries.take_while(move |entry| entry.row < upto).map(|entry| Sample {
            row: entry.row,
            landed_at: entry.landed_at,
            metric: self.names.text(entry.metric),
            action: self.names.text(entry.action),
            value: entry.value,
        })
    }
}

/// Names by numbers.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.into(), number);
        self.texts.push(name.into());
        number
    }

    fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }
}
