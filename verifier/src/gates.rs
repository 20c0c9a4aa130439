//! Every row decided again (V14), and the kill switch and its drills (V18).
//!
//! By what a row is judged was put into its facts where the keys are looked at; the state before it comes from V15. What
//! limits have counted is kept here. Where a part that is needed is closed, a row is not decided
//! again, and neither are those whose limits depend on it. What needs no part is checked all the same: the switch above all.

use crate::again::{Again, For, Found, TOO_MANY};
use crate::check::CheckId;
use crate::error::VerifyError;
use crate::facts::RowFacts;
use crate::sight::Seen;
use crate::tally::{Place, Tally};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, ReviewVerdict};
use counterfoil_format::intent::{KeyId, Kind, Micros, Mode};
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::cited::{CitedFault, PutAside, check_probe, check_review};
use counterfoil_rules::gates::Asked;
use counterfoil_rules::governance::InForce;
use counterfoil_rules::land::outcome;
use counterfoil_rules::limits::Limits;
use std::collections::HashMap;

const CITED_LOST: &str = "the row that it is about cannot be read";
const AUTHORS_LOST: &str =
    "a key is not known by which its author and that of the row it is about are told apart";
const BODY_CLOSED: &str = "its body is withheld";
const CHAIN_CLOSED: &str = "a withheld body hides whether it brings a decision back into force";
const EFFECTS_CLOSED: &str = "its effects are withheld or erased, and with them how reversible it is";

/// What rows are judged by beside what is in force.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    limits: Limits,
    /// The row of the policy that the limits are of.
    policy_row: Option<u64>,
    /// Why the last row that was not counted could not be.
    uncounted: String,
    /// For whom keys are enrolled.
    names: HashMap<KeyId, Box<str>>,
    /// The end of the drill behind which a late row was told.
    told: Option<Micros>,
}

/// What is known of how a row's operations go on the state.
pub(crate) enum Carried {
    /// They go through.
    Through,
    /// They fail.
    Fail(Reason),
    /// It is not known.
    Unknown(String),
}

/// A row, with what is beside it.
pub(crate) struct Case<'c> {
    pub seen: Seen<'c>,
    pub place: Place,
    pub carried: Carried,
}

/// Whose decision is judged, and what a human lets pass.
enum Judged {
    /// A row that is not gated.
    Free,
    /// A decision, or the approval of one.
    Gated(Option<PutAside>),
    /// Gated, and it is not known what it approves.
    Unknown(&'static str),
}

impl Gates {
    /// The next row. Yields whether it was decided again.
    pub fn row(
        &mut self,
        case: &mut Case<'_>,
        again: &mut Again<'_>,
        tally: &mut Tally,
    ) -> Result<bool, VerifyError> {
        let row = case.seen.row;
        self.names.extend(row.enrols.iter().cloned());
        match row.in_force.as_ref() {
            // What a genesis must be was looked at with the keys.
            _ if row.seq == 0 || row.kind == Kind::Genesis => Ok(false),
            Some(Ok(in_force)) => self.decide(in_force, case, again, tally),
            Some(Err(why)) => {
                skip(row, why, tally);
                Ok(false)
            }
            None => Ok(false),
        }
    }

    fn decide(
        &mut self,
        in_force: &InForce,
        case: &mut Case<'_>,
        again: &mut Again<'_>,
        tally: &mut Tally,
    ) -> Result<bool, VerifyError> {
        let row = case.seen.row;
        if self.policy_row.replace(in_force.policy_row) != Some(in_force.policy_row) {
            self.limits.follow(&in_force.policy.limits);
        }
        self.drills(in_force, case, again, tally)?;
        let judged = self.judged(in_force, case, again, tally)?;
        if let Judged::Gated(Some(put_aside)) = &judged {
            case.seen.author = put_aside.author;
        }
        let reasons = self.reasons(in_force, case, &judged);
        let gated = !matches!(judged, Judged::Free);
        compare(in_force, case, &reasons, tally);
        match row.brings_back {
            None if row.mode == Mode::Live && in_force.switch.engaged => {
                tally.skip(CheckId::V18, row.seq, CHAIN_CLOSED);
            }
            brings_back => compare_switch(in_force, case, gated || brings_back == Some(true), tally),
        }
        if row.stamp.outcome == Outcome::Applied && gated {
            self.count(row, &case.seen);
        }
        Ok(reasons.is_ok())
    }

    fn reasons(
        &mut self,
        in_force: &InForce,
        case: &Case<'_>,
        judged: &Judged,
    ) -> Result<Vec<Reason>, String> {
        let (seen, row) = (&case.seen, case.seen.row);
        let mut reasons = match judged {
            Judged::Free => in_force.redo(row.mode, row.brings_back == Some(true)).into_iter().collect(),
            Judged::Unknown(why) => return Err((*why).to_owned()),
            Judged::Gated(put_aside) => {
                let approved = put_aside.as_ref().map_or(&[][..], |put_aside| &put_aside.reasons);
                let action = row.action(seen.arena);
                let landed_at = row.stamp.landed_at;
                if !self.limits.is_known(action, landed_at, seen)? {
                    return Err(format!("what its limits have counted is not known: {}", self.uncounted));
                }
                let asked = Asked { action, tier: row.tier, mode: row.mode, landed_at };
                in_force.gates(&mut self.limits, &asked, seen, approved)?
            }
        };
        match &case.carried {
            Carried::Through => {}
            Carried::Fail(reason) => reasons.push(*reason),
            Carried::Unknown(why) => return Err(why.clone()),
        }
        Ok(reasons)
    }

    fn count(&mut self, row: &RowFacts, seen: &Seen<'_>) {
        let action = row.action(seen.arena);
        let counted = self.limits.count(action, row.stamp.landed_at, seen, &mut Vec::new());
        if let Err(why) = counted {
            self.uncounted = format!("of row {}: {why}", row.seq);
        }
    }

    /// Whether the gates are asked, and of an approval what it approves.
    fn judged(
        &self,
        in_force: &InForce,
        case: &Case<'_>,
        again: &mut Again<'_>,
        tally: &mut Tally,
    ) -> Result<Judged, VerifyError> {
        let (seen, row) = (&case.seen, case.seen.row);
        match row.kind {
            Kind::Decision => return Ok(Judged::Gated(None)),
            Kind::Review => {}
            _ => return Ok(Judged::Free),
        }
        let Some(bytes) = row.body.bytes(seen.arena) else {
            // What approves does something, as the row did that it approves; what rejects does nothing.
            let acts = PartTag::Ops.bit() | PartTag::Effects.bit();
            let approves = seen.record().is_none_or(|own| own.head.parts & acts != 0);
            if !approves {
                tally.skip(CheckId::V14, row.seq, BODY_CLOSED);
            }
            return Ok(if approves { Judged::Unknown(BODY_CLOSED) } else { Judged::Free });
        };
        let Ok(Body::Review(review)) = Body::decode(row.kind, bytes) else { return Ok(Judged::Free) };
        let gated = |put_aside| match review.verdict {
            ReviewVerdict::Approve => Judged::Gated(put_aside),
            ReviewVerdict::Reject => Judged::Free,
        };
        if review.row >= row.seq {
            // That it does not come before was told where the keys are looked at.
            return Ok(gated(None));
        }
        let mut lost = |why| match review.verdict {
            ReviewVerdict::Approve => Judged::Unknown(why),
            ReviewVerdict::Reject => {
                tally.skip(CheckId::V14, row.seq, why);
                Judged::Free
            }
        };
        let record = match again.record(review.row, For::Citation)? {
            Found::Record(record) => record,
            Found::Lost => return Ok(lost(CITED_LOST)),
            Found::TooMany => return Ok(lost(TOO_MANY)),
        };
        let (Ok(target), Some(own)) = (Row::parse(&record), seen.record()) else {
            return Ok(lost(CITED_LOST));
        };
        let mut author = None;
        if in_force.policy.separation {
            let names = [row.author, target.head.author].map(|key| self.names.get(&key));
            let [Some(reviewer), Some(decider)] = names else { return Ok(lost(AUTHORS_LOST)) };
            author = (reviewer == decider).then_some(&**reviewer);
        }
        match check_review(&review, &own.head, &commitments(&own), author, &target) {
            Ok(put_aside) => Ok(gated(Some(put_aside))),
            Err(CitedFault::Codec(_)) => Ok(lost(CITED_LOST)),
            Err(fault) => {
                tally.fault(CheckId::V14, case.place, Some(row.seq), fault.to_string());
                Ok(gated(None))
            }
        }
    }

    /// V18 of drills: those that end have stopped a decision, and the next one is not due.
    fn drills(
        &mut self,
        in_force: &InForce,
        case: &Case<'_>,
        again: &mut Again<'_>,
        tally: &mut Tally,
    ) -> Result<(), VerifyError> {
        let row = case.seen.row;
        let mut fault = |message: String| tally.fault(CheckId::V18, case.place, Some(row.seq), message);
        let late = in_force.drill_due().is_some_and(|due| row.stamp.landed_at > due);
        if late && self.told.replace(in_force.drilled_at) != Some(in_force.drilled_at) {
            fault("a drill of the kill switch was due before it landed, and none was held".to_owned());
        }
        let body = row.body.bytes(case.seen.arena).filter(|_| row.kind == Kind::KillSwitch);
        let Some(Ok(Body::KillSwitch(switch))) = body.map(|bytes| Body::decode(row.kind, bytes)) else {
            return Ok(());
        };
        let Some(drill) = switch.drill.filter(|drill| drill.probe < row.seq) else { return Ok(()) };
        let found = match again.record(drill.probe, For::Citation)? {
            Found::Record(record) => Row::parse(&record).map(|probe| check_probe(&drill, &probe)).ok(),
            Found::Lost | Found::TooMany => None,
        };
        match found {
            Some(Err(error)) => fault(error.to_string()),
            Some(Ok(())) => {}
            None => tally.skip(CheckId::V18, row.seq, CITED_LOST),
        }
        Ok(())
    }
}

fn commitments(row: &Row<'_>) -> Vec<Hash> {
    let mut scratch = Vec::new();
    let commitment = |tag| row.commitment(tag, &mut scratch).ok().flatten();
    PartTag::AUTHORED.into_iter().filter_map(commitment).collect()
}

/// V14: holds what was stamped against what follows. The switch is the matter of V18.
fn compare(in_force: &InForce, case: &Case<'_>, computed: &Result<Vec<Reason>, String>, tally: &mut Tally) {
    let row = case.seen.row;
    let stamp = &row.stamp;
    let mut fault = |message: String| tally.fault(CheckId::V14, case.place, Some(row.seq), message);
    let but_switch = |reasons: &[Reason]| -> Vec<Reason> {
        reasons.iter().copied().filter(|reason| *reason != Reason::KillSwitch).collect()
    };
    let stamped = but_switch(&stamp.reasons);
    let others = computed.as_ref().ok().filter(|computed| but_switch(computed) != stamped);
    if let Some(computed) = others {
        let expected = but_switch(computed);
        let (is, shall) = (words(stamp.outcome, &stamped), words(outcome(row.mode, computed), &expected));
        let policy = in_force.policy_row;
        fault(format!("it is stamped {is}; the policy of row {policy} says {shall}"));
    } else if stamp.outcome != outcome(row.mode, &stamp.reasons) {
        let (is, shall) = (stamp.outcome, outcome(row.mode, &stamp.reasons));
        fault(format!("it is stamped {is}; its reasons and its mode make it {shall}"));
    }
    if let Some(class) = row.reversibility.filter(|class| *class != stamp.reversibility) {
        let (is, shall) = (stamp.reversibility.name(), class.name());
        fault(format!("it is stamped as {is} in how it is taken back; its effects make it {shall}"));
    }
    if stamp.policy_row != in_force.policy_row {
        let (is, shall) = (stamp.policy_row, in_force.policy_row);
        fault(format!("it names the policy of row {is}; that of row {shall} was in force"));
    }
    match computed {
        Ok(_) if row.reversibility.is_some() => tally.checked(CheckId::V14, 1),
        Ok(_) => tally.skip(CheckId::V14, row.seq, EFFECTS_CLOSED),
        Err(why) => tally.skip(CheckId::V14, row.seq, why),
    }
}

/// V18 of one row: it is stamped as stopped by the switch exactly when the switch stops it.
fn compare_switch(in_force: &InForce, case: &Case<'_>, gated: bool, tally: &mut Tally) {
    let row = case.seen.row;
    let stamp = &row.stamp;
    let mut fault = |message: String| tally.fault(CheckId::V18, case.place, Some(row.seq), message);
    let live = row.mode == Mode::Live;
    match (stamp.reasons.contains(&Reason::KillSwitch), gated && live && in_force.switch.engaged) {
        (false, true) => {
            let by = in_force.switch_row;
            fault(format!("the kill switch was engaged by row {by}, and it is not stamped so"));
        }
        (true, false) => {
            let why = match (gated, live) {
                (false, _) => "stops nothing but decisions and what brings them back",
                (_, false) => "stops no dry run",
                _ => "was released",
            };
            fault(format!("it is stamped as stopped by the kill switch, which {why}"));
        }
        _ => {}
    }
    if stamp.kill_switch_row != in_force.switch_row {
        let (is, shall) = (stamp.kill_switch_row, in_force.switch_row);
        fault(format!("it names the kill switch of row {is}; that of row {shall} was in force"));
    }
    tally.checked(CheckId::V18, 1);
}

fn skip(row: &RowFacts, why: &str, tally: &mut Tally) {
    tally.skip(CheckId::V14, row.seq, why);
    tally.skip(CheckId::V18, row.seq, why);
}

fn words(outcome: Outcome, reasons: &[Reason]) -> String {
    match reasons {
        [] => outcome.to_string(),
        reasons => {
            let reasons: Vec<_> = reasons.iter().map(|reason| reason.name()).collect();
            format!("{outcome} ({})", reasons.join(", "))
        }
    }
}
