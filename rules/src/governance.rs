//! What governs the next row: keys, policy, kill switch, and which rows are taken back.

use crate::keyring::KeyScope;
use crate::keyring::{KeyError, Keyring};
use crate::policy::Policy;
use crate::relation::Relation;
use counterfoil_format::body::{Body, Genesis, KillSwitch, Role, SwitchAct};
use counterfoil_format::intent::{KeyId, Kind, Micros};
use counterfoil_format::limits;
use counterfoil_format::policy::Reach;
use counterfoil_format::value::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kill switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// Whether it is pulled.
    pub engaged: bool,
    /// The key of who holds it; the owner until a row says otherwise.
    pub holder: KeyId,
    /// Whether it is pulled for a drill.
    pub drilling: bool,
}

/// A threshold in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibrated {
    /// The row that says it.
    pub row: u64,
    /// The threshold.
    pub threshold: Decimal,
}

/// A recovery drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryDrill {
    /// The row that says it.
    pub row: u64,
    /// When that landed.
    pub landed_at: Micros,
    /// Whether all was as before in the end.
    pub passed: bool,
}

/// By what the next decision is judged. It changes seldom; who keeps a copy shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// The policy.
    pub policy: Arc<Policy>,
    /// The row that set it.
    pub policy_row: u64,
    /// The kill switch.
    pub switch: Switch,
    /// The row that last moved it; 0 when none has.
    pub switch_row: u64,
    /// When the last drill ended, or the ledger began.
    pub drilled_at: Micros,
}

impl InForce {
    /// When the next drill of the kill switch is due.
    pub fn drill_due(&self) -> Option<Micros> {
        self.policy.drill_period.map(|period| self.drilled_at.saturating_add(period))
    }
}

/// Why a row that governs is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GovernanceError {
    /// The key change does not go through.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A second genesis, or a first row that is none.
    #[error("row 0, and only row 0, is the genesis")]
    Genesis,
    /// The kill switch would go to a key that cannot hold it.
    #[error("key {0} cannot hold the kill switch: it is no operator's key in force")]
    Holder(KeyId),
    /// The row to take back is taken back already.
    #[error("row {target} is taken back already, by row {by}; to bring it back, take back row {by}")]
    AlreadyUndone {
        /// The row.
        target: u64,
        /// The rollback row.
        by: u64,
    },
    /// The row to take back does not come before.
    #[error("row {0} does not come before its rollback")]
    NotBefore(u64),
    /// The drill that a row ends is not under way.
    #[error("no drill that row {0} began is under way")]
    NoDrill(u64),
    /// The switch is engaged already.
    #[error("a drill cannot begin while the kill switch is engaged, as it is by row {0}")]
    Engaged(u64),
    /// A hand-over would move the switch.
    #[error(
        "a hand-over leaves the kill switch as it is, which is {}",
        if *engaged { "engaged" } else { "released" }
    )]
    HandOver {
        /// Whether it is engaged.
        engaged: bool,
    },
    /// The chain of rollbacks of rollbacks is as long as it may be.
    #[error("row {0} is the last of {most} rollbacks, each of the one before; decide anew instead", most = limits::ROLLBACK_CHAIN)]
    LongChain(u64),
    /// What is cited does not come before.
    #[error("row {0}, which it cites, does not come before it")]
    CitedLater(u64),
    /// A human has decided already.
    #[error("row {row} was approved or rejected already, by row {by}")]
    Reviewed {
        /// The row that was put aside.
        row: u64,
        /// The row that says what becomes of it.
        by: u64,
    },
}

/// Everything that governs the next row and follows from the rows so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Governance {
    /// The keys.
    pub keys: Arc<Keyring>,
    /// By what decisions are judged.
    pub in_force: Arc<InForce>,
    /// The newest threshold of each metric.
    calibrations: Arc<BTreeMap<String, Calibrated>>,
    /// The newest recovery drill of each class of reversibility.
    drilled: BTreeMap<Reach, RecoveryDrill>,
    reviewed: Relation,
    undone: Relation,
    targets: Relation,
}

impl Governance {
    /// What governs after row 0, which landed at this time.
    pub fn from_genesis(genesis: &Genesis<'_>, landed_at: Micros) -> Result<Self, GovernanceError> {
        let mut keys = Keyring::default();
        keys.grant(&genesis.owner, Role::Owner.bit(), "owner", KeyScope::default(), 0)?;
        keys.grant(&genesis.ledger, Role::Ledger.bit(), "ledger", KeyScope::default(), 0)?;
        let holder = counterfoil_format::key::key_id(&genesis.owner);
        let in_force = InForce {
            policy: Arc::new(Policy::from_body(&genesis.policy)),
            policy_row: 0,
            switch: Switch { engaged: false, holder, drilling: false },
            switch_row: 0,
            drilled_at: landed_at,
        };
        Ok(Governance {
            keys: Arc::new(keys),
            in_force: Arc::new(in_force),
            calibrations: Arc::default(),
            drilled: BTreeMap::new(),
            reviewed: Relation::default(),
            undone: Relation::default(),
            targets: Relation::default(),
        })
    }

    /// The newest threshold of a metric.
    pub fn calibrated(&self, metric: &str) -> Option<&Calibrated> {
        self.calibrations.get(metric)
    }

    /// The newest recovery drill of a class of reversibility.
    pub fn drilled(&self, class: Reach) -> Option<RecoveryDrill> {
        self.drilled.get(&class).copied()
    }

    /// The rollback row that took a row back and is in force itself.
    pub fn undone_by(&self, row: u64) -> Option<u64> {
        self.undone.get(row)
    }

    /// The row in which a human has approved or rejected a row that was put aside.
    pub fn reviewed_by(&self, row: u64) -> Option<u64> {
        self.reviewed.get(row)
    }

    /// The row that a rollback row in this history took back.
    pub fn target_of(&self, rollback: u64) -> Option<u64> {
        self.targets.get(rollback)
    }

    /// The rollback rows in this history from a row on, ascending.
    pub fn rollbacks_from(&self, row: u64) -> impl Iterator<Item = u64> {
        self.targets.rows_from(row)
    }

    /// Whether an applied row with this body would go through at this number.
    pub fn check(&self, body: &Body<'_>, row: u64) -> Result<(), GovernanceError> {
        match body {
            Body::Genesis(_) => Err(GovernanceError::Genesis),
            Body::Key(change) => Ok(self.keys.check_under(change, &self.in_force.policy)?),
            Body::KillSwitch(switch) => self.check_switch(switch, row),
            Body::Review(review) if review.row >= row => Err(GovernanceError::CitedLater(review.row)),
            Body::Review(review) => match self.reviewed_by(review.row) {
                Some(by) => Err(GovernanceError::Reviewed { row: review.row, by }),
                None => Ok(()),
            },
            Body::Rollback(rollback) if rollback.target >= row => {
                Err(GovernanceError::NotBefore(rollback.target))
            }
            Body::Rollback(rollback) => self.check_chain(rollback.target),
            Body::Outcome(outcome) if outcome.row >= row => Err(GovernanceError::CitedLater(outcome.row)),
            Body::Snapshot(snapshot) if snapshot.at >= row => Err(GovernanceError::CitedLater(snapshot.at)),
            _ => Ok(()),
        }
    }

    fn check_switch(&self, switch: &KillSwitch<'_>, row: u64) -> Result<(), GovernanceError> {
        let holder = self.keys.get(&switch.holder);
        let fit = Role::Operator.bit() | Role::Owner.bit();
        if !holder.is_some_and(|key| key.until.is_none() && key.roles & fit != 0) {
            return Err(GovernanceError::Holder(switch.holder));
        }
        let now = &self.in_force.switch;
        match switch.act {
            // What is engaged in earnest is released in earnest, not by a drill that ends or by giving it away.
            SwitchAct::Drill if switch.engaged && now.engaged => {
                return Err(GovernanceError::Engaged(self.in_force.switch_row));
            }
            SwitchAct::HandOver if switch.engaged != now.engaged => {
                return Err(GovernanceError::HandOver { engaged: now.engaged });
            }
            _ => {}
        }
        match switch.drill {
            Some(drill) if drill.probe >= row => Err(GovernanceError::CitedLater(drill.probe)),
            Some(drill) if !now.drilling || self.in_force.switch_row != drill.began => {
                Err(GovernanceError::NoDrill(drill.began))
            }
            _ => Ok(()),
        }
    }

    /// Whether taking a row back would bring a decision into force again: whether the row is a rollback that is itself no
    /// redo, counted down its chain.
    pub fn brings_back(&self, row: u64) -> bool {
        self.chain(row).skip(1).count() % 2 == 1
    }

    /// A row, what it has taken back when it is a rollback, what that has taken back, and so on down.
    pub fn chain(&self, row: u64) -> impl Iterator<Item = u64> {
        std::iter::successors(Some(row), |row| self.target_of(*row))
    }

    /// The row at the end of the chain of a row that shall be taken back: what is undone in the end, or done again.
    pub fn base(&self, row: u64) -> u64 {
        self.chain(row).last().unwrap_or(row)
    }

    /// Whether a row can be taken back, and the chain of rollbacks becomes no longer than it may be.
    pub fn check_chain(&self, row: u64) -> Result<(), GovernanceError> {
        if self.chain(row).skip(1).nth(limits::ROLLBACK_CHAIN).is_some() {
            return Err(GovernanceError::LongChain(row));
        }
        self.check_in_force(row)
    }

    /// Whether a row can be taken back. It must be in force; and when it is a rollback of a rollback, taking it back
    /// brings that one into force again, whose own target must then be in force, and so on down the chain.
    pub fn check_in_force(&self, row: u64) -> Result<(), GovernanceError> {
        let mut taken_out = Some(row);
        while let Some(target) = taken_out {
            if let Some(by) = self.undone_by(target) {
                return Err(GovernanceError::AlreadyUndone { target, by });
            }
            taken_out = self.target_of(target).and_then(|back| self.target_of(back));
        }
        Ok(())
    }

    /// Takes a row out of force; what it had taken back is in force again, and what that had taken back is not.
    fn take_out(&mut self, row: u64, by: u64) {
        let mut next = Some((row, by));
        while let Some((row, by)) = next {
            self.undone.insert(row, by);
            next = self.target_of(row).and_then(|back| {
                self.undone.remove(back);
                self.target_of(back).map(|target| (target, back))
            });
        }
    }

    /// Whether an applied row of this kind that says this changes anything here.
    pub fn is_changed_by(kind: Kind, body: Option<&Body<'_>>) -> bool {
        match kind {
            Kind::Key
            | Kind::Policy
            | Kind::KillSwitch
            | Kind::Calibration
            | Kind::Review
            | Kind::Rollback => true,
            Kind::Evidence => matches!(body, Some(Body::Evidence(reading)) if reading.drilled().is_some()),
            _ => false,
        }
    }

    /// Takes in an applied row that landed at this time.
    pub fn take_in(&mut self, body: &Body<'_>, row: u64, landed_at: Micros) -> Result<(), GovernanceError> {
        self.check(body, row)?;
        match body {
            Body::Key(change) => Arc::make_mut(&mut self.keys).change(change, row)?,
            Body::Policy(policy) => {
                let in_force = Arc::make_mut(&mut self.in_force);
                in_force.policy = Arc::new(Policy::from_body(policy));
                in_force.policy_row = row;
            }
            Body::KillSwitch(switch) => {
                let in_force = Arc::make_mut(&mut self.in_force);
                let drilling = switch.act == SwitchAct::Drill && switch.engaged;
                in_force.switch = Switch { engaged: switch.engaged, holder: switch.holder, drilling };
                in_force.switch_row = row;
                if let Some(drill) = switch.drill {
                    in_force.drilled_at = landed_at;
                    self.reviewed.insert(drill.probe, row);
                }
            }
            Body::Calibration(calibration) => {
                let calibrated = Calibrated { row, threshold: calibration.threshold };
                Arc::make_mut(&mut self.calibrations).insert(calibration.metric.to_owned(), calibrated);
            }
            Body::Evidence(reading) => {
                if let Some((class, passed)) = reading.drilled() {
                    self.drilled.insert(class, RecoveryDrill { row, landed_at, passed });
                }
            }
            Body::Review(review) => self.reviewed.insert(review.row, row),
            Body::Rollback(rollback) => {
                self.take_out(rollback.target, row);
                self.targets.insert(row, rollback.target);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use counterfoil_format::body::FORMAT_VERSION;
    use counterfoil_format::body::{Manner, RollbackOf};
    use counterfoil_format::policy::PolicyBody;

    fn begun() -> Governance {
        // Two points of the prime-order group: the base point and its double.
        let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
        let genesis = Genesis {
            format: FORMAT_VERSION,
            origin: "example.com/shop",
            owner: base.compress().to_bytes(),
            ledger: (base + base).compress().to_bytes(),
            policy: PolicyBody::open(4096),
        };
        Governance::from_genesis(&genesis, 0).unwrap()
    }

    fn roll_back(governance: &mut Governance, target: u64, row: u64) -> Result<(), GovernanceError> {
        let target_hash = counterfoil_format::Hash::ZERO;
        let (manner, effects) = (Manner::Exact, Vec::new());
        governance.take_in(&Body::Rollback(RollbackOf { target, target_hash, manner, effects }), row, 0)
    }

    #[test]
    fn a_chain_of_rollbacks_flips_what_lies_below() {
        let mut governance = begun();
        for row in 2..8 {
            assert_eq!(roll_back(&mut governance, row - 1, row), Ok(()));
            // Every other row below is in force, counted from the newest.
            for below in 1..row {
                assert_eq!(governance.undone_by(below).is_some(), (row - below) % 2 == 1, "{row} {below}");
            }
        }
        let again = GovernanceError::AlreadyUndone { target: 1, by: 2 };
        assert_eq!(roll_back(&mut governance, 7, 8), Ok(()));
        assert_eq!(roll_back(&mut governance, 1, 9), Err(again));
        assert_eq!(roll_back(&mut governance, 8, 9), Ok(()));
        assert_eq!(governance.undone_by(1), None);
    }

    #[test]
    fn a_rollback_is_not_brought_back_over_a_row_that_another_has_taken_back() {
        let mut governance = begun();
        assert_eq!(roll_back(&mut governance, 1, 2), Ok(()));
        assert_eq!(roll_back(&mut governance, 2, 3), Ok(()));
        assert_eq!(roll_back(&mut governance, 1, 4), Ok(()));
        let taken = GovernanceError::AlreadyUndone { target: 1, by: 4 };
        assert_eq!(roll_back(&mut governance, 3, 5), Err(taken));
    }
}
