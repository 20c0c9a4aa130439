//! What rows that govern change, and whether that goes through (V09, and of V14, V17 and V18 what rows before decide).
//!
//! Where what it depends on is not known, neither is whether it goes through, nor what it would have changed.

use super::{Authority, BAD_GENESIS, LOST_KEY, LOST_RULES};
use crate::check::CheckId;
use crate::facts::RowFacts;
use crate::tally::{Place, Tally};
use counterfoil_format::body::{Body, KeyChange};
use counterfoil_format::intent::{KeyId, Kind, Mode};
use counterfoil_format::key::key_id;
use counterfoil_format::landing::{Outcome, Reversibility};
use counterfoil_rules::governance::{Governance, GovernanceError};
use counterfoil_rules::keyring::{Enrolled, KeyError};

const NOT_ALONE: &str = "the genesis is not live, applied and alone in its submission";
const NOT_PLAIN: &str =
    "the genesis is stamped with reasons, or as another class than exact in how it is taken back";
const CLOSED_POLICY: &str = "the body of the policy in force is closed, and with it who may write what";
const HIDDEN_ROLLBACK: &str = "the body of an earlier rollback is closed, so it is not known whether what this one takes back is in \
    force";
const CLOSED_CHANGE: &str = "its body is closed, so it is not known whether what it changes goes through";

impl Authority {
    /// Row 0: it names the first keys, and its intent hash is the ledger's id.
    pub(super) fn found(&mut self, row: &mut RowFacts, arena: &[u8], place: Place, tally: &mut Tally) {
        self.genesis = Some(row.intent);
        if let Some(id) = self.ledger_id.replace(row.intent).filter(|id| *id != row.intent) {
            let message = format!("the segments name ledger {id}, which row 0 does not hash to");
            tally.fault(CheckId::V01, place, Some(0), message);
        }
        self.unknown = BAD_GENESIS;
        let mut fault = |message: String| tally.fault(CheckId::V09, place, Some(0), message);
        if row.kind != Kind::Genesis {
            return fault(GovernanceError::Genesis.to_string());
        }
        if row.mode != Mode::Live || row.stamp.outcome != Outcome::Applied || row.stamp.count != 1 {
            fault(NOT_ALONE.to_owned());
        }
        if row.stamp.reversibility != Reversibility::Exact || !row.stamp.reasons.is_empty() {
            fault(NOT_PLAIN.to_owned());
        }
        let Some(Ok(Body::Genesis(genesis))) =
            row.body.bytes(arena).map(|bytes| Body::decode(row.kind, bytes))
        else {
            return;
        };
        self.origin = Some(genesis.origin.to_owned());
        match Governance::from_genesis(&genesis, row.stamp.landed_at) {
            Ok(governance) => {
                row.enrols = governance.keys.all().into_iter().map(enrolment).collect();
                self.governance = Some(governance);
            }
            Err(error) => fault(error.to_string()),
        }
    }

    /// A row whose body is closed: what it changes is not known, nor whether that goes through.
    pub(super) fn take_in_closed(&mut self, row: &RowFacts, tally: &mut Tally) {
        let seq = row.seq;
        let applied = row.stamp.outcome == Outcome::Applied;
        if applied && matches!(row.kind, Kind::Policy | Kind::KillSwitch | Kind::Calibration) {
            let why = || {
                format!(
                    "the body of {} row {seq} is closed: what is in force is not known from there on",
                    row.kind
                )
            };
            self.blind.get_or_insert_with(|| why().into());
            self.cleared = None;
            if row.kind == Kind::Policy {
                self.unruled = Some(CLOSED_POLICY);
            }
        }
        if row.kind == Kind::KillSwitch && self.meaning {
            tally.skip(CheckId::V18, seq, CLOSED_CHANGE);
        }
        match row.kind {
            Kind::Key if applied => {
                let why =
                    || format!("the body of key row {seq} is closed: the keys are not known from there on");
                self.cleared = None;
                self.closed.get_or_insert_with(|| (seq, why()));
            }
            Kind::Key | Kind::KillSwitch => tally.skip(CheckId::V09, seq, CLOSED_CHANGE),
            Kind::Rollback if applied && self.governance.is_some() => drop(self.hidden.insert(seq)),
            Kind::Rollback if self.governance.is_none() && self.meaning => {
                tally.skip(CheckId::V17, seq, self.unknown);
            }
            _ => {}
        }
    }

    pub(super) fn take_in(&mut self, row: &mut RowFacts, arena: &[u8], place: Place, tally: &mut Tally) {
        if self.governance.is_none() && self.meaning && row.kind == Kind::Rollback {
            tally.skip(CheckId::V17, row.seq, self.unknown);
        }
        let Some(bytes) = row.body.bytes(arena) else { return };
        let (Some(governance), Ok(body)) = (&mut self.governance, Body::decode(row.kind, bytes)) else {
            return;
        };
        let result = match row.stamp.outcome {
            Outcome::Applied => {
                self.cleared = None;
                governance.take_in(&body, row.seq, row.stamp.landed_at)
            }
            _ => governance.check(&body, row.seq),
        };
        let Err(error) = result else { return self.took_in(&body, row) };
        if matches!(error, GovernanceError::AlreadyUndone { .. }) && !self.hidden.is_empty() {
            self.hidden.insert(row.seq);
            if self.meaning {
                tally.skip(CheckId::V17, row.seq, HIDDEN_ROLLBACK);
            }
            return;
        }
        if self.is_open(&error) {
            self.leave_open(&error, row, tally);
            return;
        }
        let (check, asked) = match error {
            GovernanceError::AlreadyUndone { .. }
            | GovernanceError::LongChain(_)
            | GovernanceError::NotBefore(_) => (CheckId::V17, self.meaning),
            GovernanceError::CitedLater(_) if row.kind == Kind::Outcome => (CheckId::V19, self.meaning),
            GovernanceError::CitedLater(_) if row.kind == Kind::Snapshot => (CheckId::V16, self.meaning),
            GovernanceError::Reviewed { .. } => (CheckId::V14, self.meaning),
            GovernanceError::CitedLater(_) if row.kind == Kind::Review => (CheckId::V14, self.meaning),
            GovernanceError::NoDrill(_)
            | GovernanceError::CitedLater(_)
            | GovernanceError::Engaged(_)
            | GovernanceError::HandOver { .. } => (CheckId::V18, self.meaning),
            _ => (CheckId::V09, true),
        };
        if asked {
            tally.fault(check, place, Some(row.seq), error.to_string());
        }
    }

    /// What an applied row changes beside the governance.
    fn took_in(&mut self, body: &Body<'_>, row: &mut RowFacts) {
        let Some(governance) = self.governance.as_ref().filter(|_| row.stamp.outcome == Outcome::Applied)
        else {
            return;
        };
        match body {
            Body::Policy(_) => self.unruled = None,
            Body::Key(KeyChange::Grant { key, .. } | KeyChange::Rotate { key, .. }) => {
                row.enrols.extend(governance.keys.get(&key_id(key)).map(enrolment));
            }
            _ => {}
        }
    }

    /// Whether a change may have gone through all the same, with what is not known here.
    fn is_open(&self, error: &GovernanceError) -> bool {
        let known = |id| self.governance.as_ref().is_some_and(|governance| governance.keys.get(id).is_some());
        match error {
            GovernanceError::Key(KeyError::Unknown(_) | KeyError::Last(_)) => self.doubt().is_some(),
            GovernanceError::Holder(id) => !known(id) && self.doubt().is_some(),
            GovernanceError::Key(KeyError::NotSeparate(_)) => self.unruled().is_some(),
            GovernanceError::NoDrill(_) | GovernanceError::Engaged(_) | GovernanceError::HandOver { .. } => {
                self.blind.is_some()
            }
            _ => false,
        }
    }

    /// A change of which it is not known whether it went through: neither is what it would have changed.
    fn leave_open(&mut self, error: &GovernanceError, row: &RowFacts, tally: &mut Tally) {
        let seq = row.seq;
        let applied = row.stamp.outcome == Outcome::Applied;
        let check = match error {
            GovernanceError::NoDrill(_) | GovernanceError::Engaged(_) | GovernanceError::HandOver { .. } => {
                CheckId::V18
            }
            _ => CheckId::V09,
        };
        match check {
            CheckId::V18 if self.meaning => tally.skip(check, seq, LOST_RULES),
            // Behind a closed key row the submission as a whole is left out.
            CheckId::V09 if self.closed.is_none() => {
                let separate = matches!(error, GovernanceError::Key(KeyError::NotSeparate(_)));
                tally.skip(check, seq, self.unruled().filter(|_| separate).unwrap_or(LOST_KEY));
            }
            _ => {}
        }
        if row.kind == Kind::Key && applied {
            let why =
                || format!("it is not known whether key row {seq} went through, nor the keys from there on");
            self.cleared = None;
            self.closed.get_or_insert_with(|| (seq, why()));
        }
        if row.kind == Kind::KillSwitch && applied {
            self.blind.get_or_insert_with(|| {
                format!("it is not known whether kill-switch row {seq} went through").into()
            });
        }
    }

    /// Why the policy in force is not known.
    pub(super) fn unruled(&self) -> Option<&'static str> {
        self.unruled.or(self.lost.then_some(LOST_RULES))
    }
}

/// A key, and for whom it is enrolled.
fn enrolment(key: &Enrolled) -> (KeyId, Box<str>) {
    (key.key.id(), key.name.as_str().into())
}
