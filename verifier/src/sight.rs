//! What the gates look at in a row of the log. What is withheld or erased cannot be seen, and says so.
//!
//! Most of it is among the row's facts. The little that few policies ask for, the rows it points to and the amounts in its
//! values, is read from the record when it is asked for.

use crate::facts::{Judge, Part, RowFacts};
use crate::inverse::Commitments;
use crate::readings::Readings;
use crate::walk::RawGroup;
use counterfoil_format::content::{Effect, Evidence};
use counterfoil_format::intent::KeyId;
use counterfoil_format::ops::Op;
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::policy::Reach;
use counterfoil_format::row::Row;
use counterfoil_format::value::Decimal;
use counterfoil_rules::amount::amount;
use counterfoil_rules::gates::{Judged, Sight};
use counterfoil_rules::governance::RecoveryDrill;
use counterfoil_rules::land::{moves, stage};
use counterfoil_rules::limits::Amounts;
use counterfoil_rules::number::Magnitude;
use counterfoil_rules::policy::Rule;

const SUBJECT: &str = "its subject is withheld or erased";
const ACTORS: &str = "its actors are withheld or erased";
const AUTHOR: &str = "the key of its author is not known, and with it whether its judge has the same name";
const EVIDENCE: &str = "its evidence is withheld or erased";
const OPS: &str = "its operations are withheld";
const EFFECTS: &str = "its effects are withheld or erased";
const VALUE: &str = "a value of it is withheld or erased, and with it the amount that a limit adds up";
const STATE: &str = "the state before it is not known";
const READINGS: &str = "a row that it points to is withheld or not there, and may be a reading";
const OF_READING: &str = "it is not known what a reading that it points to is about";

/// A row as the gates see it.
pub(crate) struct Seen<'s> {
    pub row: &'s RowFacts,
    pub arena: &'s [u8],
    pub group: &'s RawGroup,
    /// The skeleton of its operations, when it is open.
    pub ops: Option<&'s [Op<'s>]>,
    /// The state before it, when it is known.
    pub state: Option<&'s Commitments>,
    pub readings: &'s Readings,
    /// Whose the row is that is judged: of an approval, the author of what it approves.
    pub author: KeyId,
}

impl Seen<'_> {
    /// The row itself.
    pub fn record(&self) -> Option<Row<'_>> {
        self.group.record(self.row.offset).and_then(|record| Row::parse(record).ok())
    }
}

impl Amounts for Seen<'_> {
    type Error = &'static str;

    fn entity(&self) -> Result<Option<&str>, &'static str> {
        match &self.row.entity {
            Part::Absent => Ok(None),
            Part::Closed => Err(SUBJECT),
            Part::Open(range) => Ok(Some(crate::facts::text(self.arena, range))),
        }
    }

    fn amount(&self, field: &str) -> Result<Option<Magnitude>, &'static str> {
        let row = self.record().ok_or(OPS)?;
        if let Some(Slot::Closed(_)) = row.part(PartTag::Effects) {
            return Err(EFFECTS);
        }
        if let Some(Slot::Closed(_)) = row.part(PartTag::Ops) {
            return Err(OPS);
        }
        let ops = row.ops(PartTag::Ops).map_err(|_| OPS)?.unwrap_or_default();
        let effects =
            row.content(PartTag::Effects).map(Effect::decode_all).transpose().map_err(|_| EFFECTS)?;
        amount(field, &ops, &effects.unwrap_or_default()).map_err(|_| VALUE)
    }
}

impl Sight for Seen<'_> {
    fn judge(&self) -> Result<Option<Judged>, &'static str> {
        match &self.row.judge {
            Judge::Absent => Ok(None),
            Judge::Closed => Err(ACTORS),
            Judge::Named { score, is_party, verdict, .. } => {
                let by_author =
                    verdict.as_ref().is_some_and(|verdict| verdict.attestation.key == self.author);
                let separate = !is_party.ok_or(AUTHOR)? && !by_author;
                Ok(Some(Judged { score: *score, separate, attested: verdict.is_some() }))
            }
        }
    }

    fn reach(&self) -> Result<Reach, &'static str> {
        self.row.reversibility.map(|class| class.reach()).ok_or(EFFECTS)
    }

    fn moves(&self) -> Result<Vec<(&str, &str)>, &'static str> {
        match (self.ops, &self.row.ops) {
            (Some(ops), _) => Ok(moves(ops)),
            (None, Part::Absent) => Ok(Vec::new()),
            _ => Err(OPS),
        }
    }

    fn calibrated(&self, metric: &str) -> Result<Option<Decimal>, &'static str> {
        Ok(self.readings.calibrated(metric))
    }

    fn drilled(&self, class: Reach) -> Result<Option<RecoveryDrill>, &'static str> {
        self.readings.drilled(class)
    }

    fn stage(&self, entity: &str) -> Result<String, &'static str> {
        let state = self.state.ok_or(STATE)?;
        Ok(stage(state.get(&counterfoil_format::ops::stage_key(entity)).cloned()))
    }

    fn readings(&self, rule: &Rule, take: &mut dyn FnMut(&str, &Decimal)) -> Result<(), &'static str> {
        let row = self.record().ok_or(EVIDENCE)?;
        if let Some(Slot::Closed(_)) = row.part(PartTag::Evidence) {
            return Err(EVIDENCE);
        }
        let evidence = row.content(PartTag::Evidence).map(Evidence::decode_all).transpose();
        let cited = Evidence::rows(&evidence.map_err(|_| EVIDENCE)?.unwrap_or_default());
        for cited in cited.into_iter().take_while(|cited| *cited < self.row.seq) {
            match self.readings.get(cited) {
                Some(reading) if rule.metric(reading.metric).is_some() => {
                    let of = reading.entity.ok_or(OF_READING)?;
                    if of.is_empty() || self.entity()? == Some(of) {
                        take(reading.metric, &reading.value);
                    }
                }
                None if self.readings.may_be(cited) => return Err(READINGS),
                _ => {}
            }
        }
        Ok(())
    }
}
