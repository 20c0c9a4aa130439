//! What was asked for, so that it can be planned again.

use crate::past::Past;
use crate::selection;
use anyhow::Result;
use counterfoil_ledger::{Log, ReadError};
use counterfoil_replay::in_part::InPart;
use counterfoil_replay::plan::{Later, Outside, Plan, PlanError, in_force, plan_restore, plan_rollback};
use counterfoil_rules::governance::Governance;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Rows that a command is told with that a person shall type.
pub const NAMED: usize = 8;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Asked {
    /// To take rows back.
    Rollback {
        /// The rows.
        rows: Vec<u64>,
        /// By what they were meant, when they were not named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        selection: Option<selection::Args>,
        /// Whether rows that build on them go too.
        cascade: bool,
        /// Whether keys that later rows touch stay.
        keep_later: bool,
        /// Whether they are rollbacks of which what they took back is brought back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        redo: bool,
    },
    /// To put the state back.
    Restore {
        /// To what it was after so many rows.
        size: u64,
        /// The keys that begin so.
        prefix: String,
    },
}

impl Asked {
    /// To take back these rows and no others.
    pub fn rows(rows: Vec<u64>) -> Self {
        Asked::Rollback { rows, selection: None, cascade: false, keep_later: false, redo: false }
    }

    /// To bring back what these rollbacks have taken back.
    pub fn redo(rows: Vec<u64>) -> Self {
        Asked::Rollback { rows, selection: None, cascade: false, keep_later: false, redo: true }
    }

    /// To take back what is meant by a selection.
    pub fn meant_by(selection: &selection::Args, cascade: bool, keep_later: bool) -> Self {
        let selection = Some(selection.clone());
        Asked::Rollback { rows: Vec::new(), selection, cascade, keep_later, redo: false }
    }

    /// Whether it brings back what an operation has taken back.
    pub const fn is_redo(&self) -> bool {
        matches!(self, Asked::Rollback { redo: true, .. })
    }

    /// The same, asked on the log as it is: with the rows that a selection means now; and of several rows that are named, without
    /// those that are taken back already.
    pub fn again(&self, past: &Past<'_>, governance: &Governance, log: &Log) -> Result<Self> {
        let mut asked = self.clone();
        let later = self.later();
        if let Asked::Rollback { rows, selection, .. } = &mut asked {
            match selection {
                Some(selection) => *rows = selection.rows(past, governance, log, later)?,
                None => {
                    // What stands in part is told by the plan.
                    let in_part = InPart::of(past, governance)?;
                    let mut left = in_force(governance, log.head().size, rows);
                    let named: BTreeSet<u64> = rows.iter().copied().collect();
                    left.extend(
                        rows.iter().copied().filter(|row| in_part.above(governance, *row, &named).is_some()),
                    );
                    if !left.is_empty() {
                        *rows = left;
                    }
                }
            }
        }
        Ok(asked)
    }

    /// What becomes of rows that build on them.
    const fn later(&self) -> Later {
        match self {
            Asked::Rollback { cascade: true, .. } => Later::Cascade,
            Asked::Rollback { keep_later: true, .. } => Later::Keep,
            _ => Later::Refuse,
        }
    }

    /// The rows of a redo, to be named in a command, when they are few; a redo does not say which they are.
    pub fn named(&self) -> String {
        match self {
            Asked::Rollback { rows, redo: true, .. } if rows.len() <= NAMED => {
                rows.iter().map(|row| format!(" {row}")).collect()
            }
            _ => String::new(),
        }
    }

    /// Plans it on the log as it is.
    pub fn plan(
        &self,
        past: &Past<'_>,
        governance: &Governance,
        outside: Outside,
    ) -> std::result::Result<Plan, PlanError<ReadError>> {
        match self {
            Asked::Rollback { rows, .. } => plan_rollback(past, governance, rows, self.later(), outside),
            Asked::Restore { size, prefix } => plan_restore(past, governance, *size, prefix, outside),
        }
    }
}
