//! What the rows say that are no decisions: the part `body`.
//!
//! # Format
//!
//! The postcard encoding of the structure that belongs to the row's kind; the kind itself stands in the head.

use crate::codec::{CodecError, decode};
use crate::hash::Hash;
use crate::intent::{KeyId, Kind, Micros, named_enum};
use crate::policy::PolicyBody;
use crate::value::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

mod bounds;

/// The version of the format that a genesis row written by this build names.
pub const FORMAT_VERSION: u16 = 3;

/// What the metrics of recovery drills begin with; a class of reversibility follows.
pub const DRILL_METRICS: &str = "drill/";

/// The bytes of a public key as they stand in a row, not yet checked.
pub type KeyBytes = [u8; 32];

/// A body, by the kind of its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// Row 0.
    Genesis(Genesis<'a>),
    /// Of a key row.
    Key(KeyChange<'a>),
    /// Of a policy row.
    Policy(PolicyBody<'a>),
    /// Of an evidence row.
    Evidence(Reading<'a>),
    /// Of a kill-switch row.
    KillSwitch(KillSwitch<'a>),
    /// Of a rollback row.
    Rollback(RollbackOf),
    /// Of an outcome row.
    Outcome(EffectOutcome<'a>),
    /// Of a snapshot row.
    Snapshot(Snapshot),
    /// Of an erasure row.
    Erasure(Erasure<'a>),
    /// Of a calibration row.
    Calibration(Calibration<'a>),
    /// Of a review row.
    Review(ReviewOf<'a>),
}

/// How a ledger begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis<'a> {
    /// [`FORMAT_VERSION`].
    pub format: u16,
    /// The ledger's name, a schema-less URL; it never changes.
    pub origin: &'a str,
    /// The key that grants keys and sets policy.
    pub owner: KeyBytes,
    /// The key that seals.
    pub ledger: KeyBytes,
    /// The first policy.
    #[serde(borrow)]
    pub policy: PolicyBody<'a>,
}

/// A change of the keys that may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyChange<'a> {
    /// A key is enrolled.
    Grant {
        /// The public key.
        key: KeyBytes,
        /// What it may do, [`Role::bit`] each.
        roles: u8,
        /// Who holds it.
        name: &'a str,
        /// Where and when it may do it.
        #[serde(borrow)]
        scope: Scope<'a>,
    },
    /// A key is replaced by a new one with the same roles, name and scope.
    Rotate {
        /// The key that ends.
        old: KeyId,
        /// The key that takes its place.
        key: KeyBytes,
    },
    /// A key ends.
    Revoke {
        /// The key.
        key: KeyId,
        /// Since when it may have been in other hands.
        compromised_since: Option<Micros>,
        /// Why.
        reason: &'a str,
    },
}

/// Where and when a key may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope<'a> {
    /// The actions that its decisions may have: names, or prefixes that end in `*`; ascending. None: all.
    #[serde(borrow)]
    pub actions: Vec<&'a str>,
    /// The beginnings that the keys of its operations may have; ascending. None: all.
    pub prefixes: Vec<&'a str>,
    /// Rows before this time are not its.
    pub from: Option<Micros>,
    /// Rows from this time on are not its.
    pub until: Option<Micros>,
}

named_enum! {
    /// What a key may do.
    Role {
        /// Grants keys, sets policy.
        Owner = "owner",
        /// Plans decisions.
        Planner = "planner",
        /// Judges decisions.
        Judge = "judge",
        /// Writes decisions.
        Executor = "executor",
        /// Rolls back; holds the kill switch.
        Operator = "operator",
        /// Seals.
        Ledger = "ledger",
        /// Reads.
        Auditor = "auditor",
    }
}

impl Role {
    /// The bit of this role in a set of roles.
    pub const fn bit(self) -> u8 {
        1 << (self as u8)
    }

    /// The roles in a set.
    pub fn in_set(set: u8) -> impl Iterator<Item = Role> {
        Role::ALL.iter().copied().filter(move |role| set & role.bit() != 0)
    }
}

/// A reading that decisions may point to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading<'a> {
    /// What was measured.
    pub metric: &'a str,
    /// The measurement.
    pub value: Decimal,
    /// Where it comes from; may be empty.
    pub source: &'a str,
}

named_enum! {
    /// What was done with the kill switch.
    SwitchAct {
        /// It was pulled.
        Engage = "engage",
        /// It was released.
        Release = "release",
        /// It was given to another holder.
        HandOver = "hand-over",
        /// It was tried out.
        Drill = "drill",
    }
}

/// The state of the kill switch from the next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitch<'a> {
    /// What was done.
    pub act: SwitchAct,
    /// Whether it is engaged now.
    pub engaged: bool,
    /// The key of who holds it now.
    pub holder: KeyId,
    /// Why; may be empty.
    pub reason: &'a str,
    /// What a drill that ends has shown.
    pub drill: Option<Drill>,
}

/// What a drill has shown: that a live decision was stopped while the switch was engaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// The row that engaged the switch for the drill.
    pub began: u64,
    /// The decision that was stopped.
    pub probe: u64,
}

named_enum! {
    /// How a row is taken back.
    Manner {
        /// As it was: its stored rollback, guards and all.
        Exact = "exact",
        /// Although the state has moved on since: without some of the guards.
        Forced = "forced",
        /// But for some of its keys, which stay as later rows have left them.
        Partial = "partial",
    }
}

/// Which row a rollback row takes back. Its ops are that row's stored rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackOf {
    /// The row that is taken back.
    pub target: u64,
    /// That row's hash.
    pub target_hash: Hash,
    /// How it is taken back.
    pub manner: Manner,
    /// Which effects are to be undone, or done again, by their places in the row at the end of the chain; ascending.
    pub effects: Vec<u32>,
}

named_enum! {
    /// How an effect went.
    EffectStatus {
        /// It is about to be carried out.
        Intended = "intended",
        /// It was carried out.
        Done = "done",
        /// It failed.
        Failed = "failed",
        /// Nobody knows.
        Unknown = "unknown",
        /// A human has decided that it is not tried any more.
        Closed = "closed",
    }
}

/// How an effect went that an earlier row calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectOutcome<'a> {
    /// The row that calls for it: one that has the effect, or a rollback row that has it undone or done again.
    pub row: u64,
    /// The effect's place, from 0.
    pub effect: u32,
    /// How it went.
    pub status: EffectStatus,
    /// What the adapter said, or why it is closed; may be empty.
    pub detail: &'a str,
}

/// The digest of the state after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The row.
    pub at: u64,
    /// The digest, `BLAKE3[state]` over the sorted leaves.
    pub state: Hash,
    /// How many leaves.
    pub leaves: u64,
}

/// What is erased, and by what right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure<'a> {
    /// The parts and values.
    pub items: Vec<Erased>,
    /// By what right.
    pub authority: &'a str,
}

/// One erased item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Erased {
    /// A part of a row.
    Part {
        /// The row.
        row: u64,
        /// The part's number.
        tag: u8,
    },
    /// A value, wherever it stands.
    Value {
        /// Its commitment.
        commitment: Hash,
    },
}

/// A threshold computed from the store's own rows: a quantile of all readings of a metric in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration<'a> {
    /// What is measured.
    pub metric: &'a str,
    /// The action that the readings' rows have; empty for any.
    pub action: &'a str,
    /// Readings that landed at or after this time,
    pub from: Micros,
    /// in rows below this one.
    pub upto: u64,
    /// The quantile in parts per million.
    pub quantile: u32,
    /// The evidence rows it was computed from, ascending: all that fit the above.
    pub rows: Vec<u64>,
    /// The threshold.
    pub threshold: Decimal,
}

named_enum! {
    /// What a human says of a row that was put aside.
    ReviewVerdict {
        /// It lands, under the gates of now.
        Approve = "approve",
        /// It does not.
        Reject = "reject",
    }
}

/// What a human says of a row that was put aside for review. An approval has the parts of that row, and is its landing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewOf<'a> {
    /// The row that was put aside.
    pub row: u64,
    /// That row's hash.
    pub row_hash: Hash,
    /// What is said of it.
    pub verdict: ReviewVerdict,
    /// Why; may be empty.
    pub reason: &'a str,
}

impl<'a> Body<'a> {
    /// Decodes and checks the body of a row of this kind.
    pub fn decode(kind: Kind, bytes: &'a [u8]) -> Result<Self, CodecError> {
        let body = match kind {
            Kind::Genesis => Body::Genesis(decode("a genesis", bytes)?),
            Kind::Key => Body::Key(decode("a key change", bytes)?),
            Kind::Policy => Body::Policy(decode("a policy", bytes)?),
            Kind::Evidence => Body::Evidence(decode("a reading", bytes)?),
            Kind::KillSwitch => Body::KillSwitch(decode("a kill switch", bytes)?),
            Kind::Rollback => Body::Rollback(decode("a rollback's target", bytes)?),
            Kind::Outcome => Body::Outcome(decode("an outcome", bytes)?),
            Kind::Snapshot => Body::Snapshot(decode("a snapshot", bytes)?),
            Kind::Erasure => Body::Erasure(decode("an erasure", bytes)?),
            Kind::Calibration => Body::Calibration(decode("a calibration", bytes)?),
            Kind::Review => Body::Review(decode("a review", bytes)?),
            Kind::Decision => return Err(CodecError::Inconsistent("a decision has a body")),
        };
        body.check()?;
        Ok(body)
    }

    /// Encodes the body.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        self.check()?;
        match self {
            Body::Genesis(body) => crate::codec::encode(body),
            Body::Key(body) => crate::codec::encode(body),
            Body::Policy(body) => crate::codec::encode(body),
            Body::Evidence(body) => crate::codec::encode(body),
            Body::KillSwitch(body) => crate::codec::encode(body),
            Body::Rollback(body) => crate::codec::encode(body),
            Body::Outcome(body) => crate::codec::encode(body),
            Body::Snapshot(body) => crate::codec::encode(body),
            Body::Erasure(body) => crate::codec::encode(body),
            Body::Calibration(body) => crate::codec::encode(body),
            Body::Review(body) => crate::codec::encode(body),
        }
    }

    /// The kind of the rows that have such a body.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Genesis(_) => Kind::Genesis,
            Body::Key(_) => Kind::Key,
            Body::Policy(_) => Kind::Policy,
            Body::Evidence(_) => Kind::Evidence,
            Body::KillSwitch(_) => Kind::KillSwitch,
            Body::Rollback(_) => Kind::Rollback,
            Body::Outcome(_) => Kind::Outcome,
            Body::Snapshot(_) => Kind::Snapshot,
            Body::Erasure(_) => Kind::Erasure,
            Body::Calibration(_) => Kind::Calibration,
            Body::Review(_) => Kind::Review,
        }
    }
}
