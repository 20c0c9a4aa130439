//! Decisions that stand in part: a rollback in force has taken them back, or brought them back, but for some of their keys, or by
//! force.

use crate::history::History;
use counterfoil_rules::governance::Governance;
use std::collections::{BTreeMap, BTreeSet};

/// The rollbacks in force that are forced or partial.
#[derive(Debug, Default)]
pub struct InPart {
    /// By the decision that each takes back or brings back, ascending.
    rollbacks: BTreeMap<u64, Vec<u64>>,
}

impl InPart {
    /// All of a history.
    pub fn of<H: History>(history: &H, governance: &Governance) -> Result<Self, H::Error> {
        let mut rollbacks: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for row in history.inexact()? {
            if governance.target_of(row).is_some() && governance.undone_by(row).is_none() {
                rollbacks.entry(governance.base(row)).or_default().push(row);
            }
        }
        Ok(InPart { rollbacks })
    }

    /// The rollbacks in force by which a decision stands in part, ascending.
    pub fn by(&self, decision: u64) -> &[u64] {
        self.rollbacks.get(&decision).map(Vec::as_slice).unwrap_or_default()
    }

    /// The rollback in force that has taken a row back, or brought it back, in part, and is not among these.
    pub fn above(&self, governance: &Governance, row: u64, wanted: &BTreeSet<u64>) -> Option<u64> {
        let rows = self.by(governance.base(row)).iter().copied();
        rows.filter(|by| !wanted.contains(by)).rfind(|by| is_above(governance, *by, row))
    }

    /// The rows to take back so that nothing is left of a row that stands in part: what has made it so, all rollbacks that have
    /// followed on that, and the row itself where it was in force before. `None` when it does not stand in part.
    pub fn whole(&self, governance: &Governance, row: u64) -> Option<Vec<u64>> {
        let above = |rollback: &u64| is_above(governance, *rollback, row);
        let first = self.by(governance.base(row)).iter().copied().find(above)?;
        let mut rows: Vec<u64> = governance.rollbacks_from(first).filter(above).collect();
        let steps = governance.chain(first).take_while(|below| *below != row).count();
        rows.extend((steps % 2 == 1).then_some(row));
        Some(rows)
    }
}

/// Whether a rollback has taken back or brought back a row.
fn is_above(governance: &Governance, rollback: u64, row: u64) -> bool {
    governance.chain(rollback).skip(1).any(|below| below == row)
}
