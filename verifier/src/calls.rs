//! V19: every call that a rollback row asks for, and every call that was intended, has an outcome; none was reported twice.
//!
//! A call is an effect that an applied row calls for, by that row's number and the effect's place. About 60 bytes for each
//! row with effects, and for each call that was told of.

use crate::check::CheckId;
use crate::facts::{Part, RowFacts};
use crate::tally::{Place, Tally};
use counterfoil_format::body::{Body, EffectStatus};
use counterfoil_format::intent::{KeyId, Kind};
use counterfoil_format::landing::Outcome;
use counterfoil_rules::call::{CallFault, Called, check_outcome, may_tell};
use std::collections::HashMap;

const BODY_CLOSED: &str = "its body is withheld";
const AUTHOR_UNKNOWN: &str = "whether its author is an operator is not known";
const CALLER_CLOSED: &str = "the effects of the row that calls, or its body, are withheld or erased";

/// The calls of the rows so far.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// The rows that call for effects.
    callers: HashMap<u64, Caller>,
    /// The status of each call that was told of.
    told: HashMap<(u64, u32), EffectStatus>,
    /// Why calls may have been told of that are not known here.
    blind: Option<String>,
}

/// A row that calls for effects.
#[derive(Debug)]
struct Caller {
    called: Called,
    author: KeyId,
    place: Place,
}

impl Calls {
    /// Rows are not known: neither are the calls that they ask for or tell of.
    pub fn lose(&mut self, why: impl FnOnce() -> String) {
        self.blind.get_or_insert_with(why);
    }

    /// The next row.
    pub fn row(&mut self, row: &RowFacts, arena: &[u8], place: Place, tally: &mut Tally) {
        let author = row.author;
        match row.kind {
            Kind::Outcome => self.outcome(row, arena, place, tally),
            _ if row.stamp.outcome != Outcome::Applied => {}
            Kind::Rollback => {
                let called = match row.body.bytes(arena).map(|bytes| Body::decode(row.kind, bytes)) {
                    Some(Ok(Body::Rollback(rollback))) => Called::Listed(rollback.effects.into()),
                    _ => Called::Unknown,
                };
                if called != Called::Listed(Box::default()) {
                    self.callers.insert(row.seq, Caller { called, author, place });
                }
            }
            Kind::Decision | Kind::Review => match row.effects {
                Some(0) => {}
                count => {
                    let called = count.map_or(Called::Unknown, Called::Own);
                    self.callers.insert(row.seq, Caller { called, author, place });
                }
            },
            _ => {}
        }
    }

    fn outcome(&mut self, row: &RowFacts, arena: &[u8], place: Place, tally: &mut Tally) {
        let seq = row.seq;
        let Some(bytes) = row.body.bytes(arena) else {
            if row.stamp.outcome == Outcome::Applied && matches!(row.body, Part::Closed) {
                self.lose(|| format!("the body of outcome row {seq} is withheld"));
            }
            return tally.skip(CheckId::V19, seq, BODY_CLOSED);
        };
        let Ok(Body::Outcome(outcome)) = Body::decode(row.kind, bytes) else { return };
        if outcome.row >= seq {
            // That it does not come before was told where the keys are looked at.
            return;
        }
        let call = (outcome.row, outcome.effect);
        let caller = self.callers.get(&outcome.row);
        let called = caller.map_or(&Called::Own(0), |caller| &caller.called);
        if let Some(why) = self.blind.as_ref() {
            return tally.skip(CheckId::V19, seq, why);
        }
        match caller.map_or(Some(true), |caller| may_tell(row.author, caller.author, row.by_operator)) {
            Some(true) => {}
            Some(false) => {
                let message = CallFault::NotTheirs(outcome.row).to_string();
                return tally.fault(CheckId::V19, place, Some(seq), message);
            }
            None => tally.skip(CheckId::V19, seq, AUTHOR_UNKNOWN),
        }
        match called {
            Called::Unknown => tally.skip(CheckId::V19, seq, CALLER_CLOSED),
            _ => tally.checked(CheckId::V19, 1),
        }
        if let Err(error) = check_outcome(&outcome, called, self.told.get(&call).copied()) {
            return tally.fault(CheckId::V19, place, Some(seq), error.to_string());
        }
        if row.stamp.outcome == Outcome::Applied {
            self.told.insert(call, outcome.status);
        }
    }

    /// The end of the log: what was begun has ended.
    pub fn finish(self, tally: &mut Tally) {
        let mut callers: Vec<_> = self.callers.iter().collect();
        callers.sort_unstable_by_key(|(row, _)| **row);
        for (row, Caller { called, place, .. }) in callers {
            let Called::Listed(_) = called else { continue };
            if let Some(why) = &self.blind {
                tally.skip(CheckId::V19, *row, why);
                continue;
            }
            for effect in called.effects() {
                tally.checked(CheckId::V19, 1);
                if !self.told.contains_key(&(*row, effect)) {
                    let message = format!(
                        "it calls for effect {effect}, and no row says what became of it; `counterfoil effects resume` \
                         carries it out"
                    );
                    tally.fault(CheckId::V19, *place, Some(*row), message);
                }
            }
        }
        if self.blind.is_some() {
            return;
        }
        for ((row, effect), status) in &self.told {
            if let (EffectStatus::Intended, Some(Caller { place, .. })) = (status, self.callers.get(row)) {
                let message = format!(
                    "effect {effect} that it calls for was about to be carried out, and no row says what became of it; \
                     `counterfoil effects resume` finds out"
                );
                tally.fault(CheckId::V19, *place, Some(*row), message);
            }
        }
    }
}
