//! Landings: the ledger's part of a row.
//!
//! # Format
//!
//! The landing's bytes are hashed into the row: `row_hash = BLAKE3[row](previous row_hash || landing || intent_hash)`;
//! before row 0 stands a hash of 32 zero bytes. The leaf of a row in the tree is `SHA-256(0x00 || 0x01 || row_hash)`.

use crate::codec::{CodecError, within};
use crate::hash::{Hash, Use};
use crate::intent::{Micros, named_enum};
use crate::limits;
use crate::policy::Reach;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of landings that this build writes.
pub const LANDING_VERSION: u8 = 3;

named_enum! {
    /// What became of an intent.
    Outcome {
        /// Its ops changed the state.
        Applied = "applied",
        /// It would have been applied; nothing changed.
        DryRun = "dry-run",
        /// It was put aside for a human; nothing changed.
        Review = "review",
    }
}

named_enum! {
    /// Why an intent landed as it did. They stand in a landing in this order.
    Reason {
        /// The policy does not know the action.
        UnknownAction = "unknown-action",
        /// The policy allows no live rows of this action.
        LiveNotAllowed = "live-not-allowed",
        /// The kill switch was engaged.
        KillSwitch = "kill-switch",
        /// The tier is below the action's least.
        TierTooLow = "tier-too-low",
        /// The action needs a judge, and none is named.
        JudgeMissing = "judge-missing",
        /// The judge's score is below the action's floor.
        JudgeBelowFloor = "judge-below-floor",
        /// The judge is the planner, or has written the row.
        JudgeNotSeparate = "judge-not-separate",
        /// The judge has not signed its verdict.
        AttestationMissing = "attestation-missing",
        /// The entity may not move from its stage to that one.
        MoveNotAllowed = "move-not-allowed",
        /// No reading of a metric that the action must rest on.
        MetricMissing = "metric-missing",
        /// The metric has no calibration yet.
        MetricUncalibrated = "metric-uncalibrated",
        /// A reading is below the floor.
        MetricBelowFloor = "metric-below-floor",
        /// More rows than a limit lets be applied in its window.
        CountLimit = "count-limit",
        /// A larger sum than a limit lets be applied in its window.
        SumLimit = "sum-limit",
        /// It is less reversible than the action must be.
        Irreversible = "irreversible",
        /// No recovery drill of its class of reversibility has passed lately.
        Unproven = "unproven",
        /// The key does not hold what the operation's guard names.
        GuardFailed = "guard-failed",
        /// A delete of a key that is not there.
        KeyAbsent = "key-absent",
        /// The key holds another kind of thing than the operation needs.
        KindMismatch = "kind-mismatch",
        /// A counter would leave the range of 64 bits.
        CounterOverflow = "counter-overflow",
    }
}

/// Whether and how a row can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reversibility {
    /// Operations on the state alone; the inverse is proved.
    Exact,
    /// With effects, each of which declares an undo.
    Declared,
    /// With effects whose undo works until this time.
    Window(Micros),
    /// With effects that can only be compensated.
    Compensating,
    /// With effects that cannot be undone.
    Never,
}

impl Reversibility {
    /// The name used in docs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Reversibility::Exact => "exact",
            Reversibility::Declared => "declared",
            Reversibility::Window(_) => "window",
            Reversibility::Compensating => "compensating",
            Reversibility::Never => "none",
        }
    }

    /// Its class, without the time of a window.
    pub const fn reach(self) -> Reach {
        match self {
            Reversibility::Exact => Reach::Exact,
            Reversibility::Declared => Reach::Declared,
            Reversibility::Window(_) => Reach::Window,
            Reversibility::Compensating => Reach::Compensating,
            Reversibility::Never => Reach::Never,
        }
    }
}

/// The ledger's part of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// [`LANDING_VERSION`].
    pub version: u8,
    /// The row's number, from 0.
    pub seq: u64,
    /// When it landed, by the ledger's clock; never before the row before it.
    pub landed_at: Micros,
    /// What became of it.
    pub outcome: Outcome,
    /// Why; ascending, no reason twice.
    pub reasons: Vec<Reason>,
    /// Whether and how it can be taken back.
    pub reversibility: Reversibility,
    /// The row that set the policy in force.
    pub policy_row: u64,
    /// The row that set the kill switch as it was in force, and so who held it; 0 when none did yet.
    pub kill_switch_row: u64,
    /// The place of the intent in its submission, from 0.
    pub index: u32,
    /// How many intents the submission has.
    pub count: u32,
    /// The commitment of the rollback part, when the row has one.
    pub rollback: Option<Hash>,
}

impl Landing {
    /// Bytes of an encoded landing, at most.
    pub const MAX_BYTES: usize = {
        let (varint, number, hash) = (10, 2, 32);
        let reasons = 1 + Reason::ALL.len();
        let fixed = 1 + varint + varint + 1 + reasons + (1 + varint);
        fixed + varint + varint + number + number + (1 + hash)
    };

    /// Decodes and checks a landing.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        match bytes.first() {
            Some(&LANDING_VERSION) => {}
            Some(&found) => return Err(CodecError::Version { what: "a landing", found: found.into() }),
            None => return Err(CodecError::Truncated),
        }
        let landing: Landing = crate::codec::decode("a landing", bytes)?;
        landing.check()?;
        Ok(landing)
    }

    /// Checks what needs no context.
    pub fn check(&self) -> Result<(), CodecError> {
        within("reasons", self.reasons.len(), limits::ITEMS)?;
        if !self.reasons.is_sorted_by(|a, b| a < b) {
            return Err(CodecError::Unsorted("reasons"));
        }
        within("a submission", self.count as usize, limits::SUBMISSION_ROWS)?;
        if self.index >= self.count {
            return Err(CodecError::Inconsistent("a row's place lies outside its submission"));
        }
        let newest_before = self.seq.saturating_sub(1);
        if self.policy_row > newest_before || self.kill_switch_row > newest_before {
            return Err(CodecError::Inconsistent("what is in force at a row was not set before it"));
        }
        Ok(())
    }
}

/// The hash of a row, which chains it to the one before.
pub fn row_hash(previous: &Hash, landing: &[u8], intent: &Hash) -> Hash {
    Use::Row.hash(&[&previous.0, landing, &intent.0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    #[test]
    fn no_landing_is_larger_than_the_largest() {
        let rows = u32::try_from(limits::SUBMISSION_ROWS).unwrap();
        let landing = Landing {
            version: LANDING_VERSION,
            seq: u64::MAX,
            landed_at: Micros::MIN,
            outcome: Outcome::Review,
            reasons: Reason::ALL.to_vec(),
            reversibility: Reversibility::Window(Micros::MIN),
            policy_row: u64::MAX - 1,
            kill_switch_row: u64::MAX - 1,
            index: rows - 1,
            count: rows,
            rollback: Some(Hash::ZERO),
        };
        assert_eq!(landing.check(), Ok(()));
        assert_eq!(encode(&landing).unwrap().len(), Landing::MAX_BYTES);
    }

    #[test]
    fn every_class_of_reversibility_is_read() {
        let classes = [
            Reversibility::Exact,
            Reversibility::Declared,
            Reversibility::Window(-5),
            Reversibility::Compensating,
            Reversibility::Never,
        ];
        for reversibility in classes {
            let landing = Landing {
                version: LANDING_VERSION,
                seq: 3,
                landed_at: 0,
                outcome: Outcome::Applied,
                reasons: Vec::new(),
                reversibility,
                policy_row: 0,
                kill_switch_row: 0,
                index: 0,
                count: 1,
                rollback: None,
            };
            assert_eq!(Landing::decode(&encode(&landing).unwrap()), Ok(landing));
        }
    }
}
