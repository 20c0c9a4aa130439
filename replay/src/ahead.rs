//! What is in force while a plan is carried out.

use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Manner, RollbackOf};
use counterfoil_rules::governance::{Governance, GovernanceError};

/// What is in force behind the rows of a plan that come first.
pub(crate) struct Ahead {
    governance: Governance,
    next: u64,
}

impl Ahead {
    /// Before the first of them, on a ledger of so many rows.
    pub fn of(governance: &Governance, size: u64) -> Self {
        Ahead { governance: governance.clone(), next: size }
    }

    /// Whether a row is in force.
    pub fn is_in_force(&self, row: u64) -> bool {
        self.governance.undone_by(row).is_none()
    }

    /// The rollback in force that has taken a row back.
    pub fn undone_by(&self, row: u64) -> Option<u64> {
        self.governance.undone_by(row)
    }

    /// Takes a row back.
    pub fn take_back(&mut self, row: u64) -> Result<(), GovernanceError> {
        let (manner, effects) = (Manner::Exact, Vec::new());
        let body = RollbackOf { target: row, target_hash: Hash::ZERO, manner, effects };
        self.governance.take_in(&Body::Rollback(body), self.next, 0)?;
        self.next += 1;
        Ok(())
    }
}
