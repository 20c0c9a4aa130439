//! V17: a rollback row has the very operations that its target stored for it, and calls for effects that are there.

use crate::again::{Again, For, Found, TOO_MANY};
use crate::check::CheckId;
use crate::error::VerifyError;
use crate::facts::{Part, RowFacts};
use crate::tally::{Place, Tally};
use counterfoil_format::body::{Body, Manner, RollbackOf};
use counterfoil_format::ops::{Op, decode_skeleton};
use counterfoil_format::row::Row;
use counterfoil_rules::rollback::{RollbackFault, check_called, check_rollback};

const CLOSED: &str = "the body or the operations of the rollback row are withheld";
const TARGET_LOST: &str = "the row that is taken back cannot be read";
const TARGET_CLOSED: &str = "the rollback of the row that is taken back is withheld";
const BASE_LOST: &str = "the row whose effects it calls for cannot be read, or is hidden by a withheld body";
const EFFECTS_CLOSED: &str = "the effects that it calls for are withheld or erased";

/// A rollback row.
pub(crate) struct Rollback<'r> {
    pub row: &'r RowFacts,
    pub arena: &'r [u8],
    pub place: Place,
}

/// What came of a part of the check.
enum Held {
    Holds,
    Fault(String),
    Open(&'static str),
}

impl Rollback<'_> {
    /// Holds it against its target, and against the row whose effects it calls for.
    pub fn check(&self, again: &mut Again<'_>, tally: &mut Tally) -> Result<(), VerifyError> {
        let seq = self.row.seq;
        let body = self.row.body.bytes(self.arena).map(|bytes| Body::decode(self.row.kind, bytes));
        let ops = match &self.row.ops {
            Part::Absent => Some(Ok(Vec::new())),
            part => part.bytes(self.arena).map(decode_skeleton),
        };
        let (Some(body), Some(ops)) = (body, ops) else {
            tally.skip(CheckId::V17, seq, CLOSED);
            return Ok(());
        };
        let (Ok(Body::Rollback(rollback)), Ok(ops)) = (body, ops) else { return Ok(()) };
        match rollback.manner {
            Manner::Exact => {}
            Manner::Forced => tally.forced(seq),
            Manner::Partial => tally.counts.partial += 1,
        }
        if rollback.target >= seq {
            // That it does not come before was told where the keys are looked at.
            return Ok(());
        }
        let held = [self.target(&rollback, &ops, again)?, self.called(&rollback, again)?];
        let mut whole = true;
        for held in held {
            match held {
                Held::Holds => {}
                Held::Fault(message) => tally.fault(CheckId::V17, self.place, Some(seq), message),
                Held::Open(why) => {
                    whole = false;
                    tally.skip(CheckId::V17, seq, why);
                }
            }
        }
        if whole {
            tally.checked(CheckId::V17, 1);
        }
        Ok(())
    }

    fn target(
        &self,
        rollback: &RollbackOf,
        ops: &[Op<'_>],
        again: &mut Again<'_>,
    ) -> Result<Held, VerifyError> {
        let record = match again.record(rollback.target, For::Citation)? {
            Found::Record(record) => record,
            Found::Lost => return Ok(Held::Open(TARGET_LOST)),
            Found::TooMany => return Ok(Held::Open(TOO_MANY)),
        };
        let row = Row::parse(&record).ok().filter(|row| row.landing.seq == rollback.target);
        let Some(target) = row else { return Ok(Held::Open(TARGET_LOST)) };
        Ok(match check_rollback(rollback, ops, &target) {
            Ok(()) => Held::Holds,
            Err(RollbackFault::Codec(_)) => Held::Open(TARGET_LOST),
            Err(RollbackFault::Withheld(_)) => Held::Open(TARGET_CLOSED),
            Err(fault) => Held::Fault(fault.to_string()),
        })
    }

    fn called(&self, rollback: &RollbackOf, again: &mut Again<'_>) -> Result<Held, VerifyError> {
        if rollback.effects.is_empty() {
            return Ok(Held::Holds);
        }
        let (Some(base), Some(redoes)) = (self.row.base, self.row.brings_back) else {
            return Ok(Held::Open(BASE_LOST));
        };
        let record = match again.record(base, For::Citation)? {
            Found::Record(record) => record,
            Found::Lost => return Ok(Held::Open(BASE_LOST)),
            Found::TooMany => return Ok(Held::Open(TOO_MANY)),
        };
        let Ok(base) = Row::parse(&record) else { return Ok(Held::Open(BASE_LOST)) };
        Ok(match check_called(rollback, &base, !redoes, self.row.stamp.landed_at) {
            Ok(()) => Held::Holds,
            Err(RollbackFault::Codec(_)) => Held::Open(BASE_LOST),
            Err(RollbackFault::EffectsWithheld(_)) => Held::Open(EFFECTS_CLOSED),
            Err(fault) => Held::Fault(fault.to_string()),
        })
    }
}
