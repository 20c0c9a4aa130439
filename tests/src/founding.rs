//! What a forged ledger says of itself, and drafts of the rows that depend on it.

use crate::draft::{Draft, LEDGER, OPERATOR, OWNER};
use crate::forge::Forge;
use counterfoil_format::body::{
    Body, FORMAT_VERSION, Genesis, KillSwitch, POLICY_VERSION, PolicyBody, RollbackOf, SwitchAct,
};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{Guard, decode_ops, encode_ops};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;

/// What a forged ledger says of itself in row 0.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The origin.
    pub origin: &'static str,
    /// The actions that may be live.
    pub live: Vec<&'static str>,
    /// A segment is closed when it has reached this many bytes.
    pub segment_bytes: u64,
}

impl Default for Founding {
    fn default() -> Self {
        let live = vec!["ad.*", "price.*", "stage.*", "stock.*"];
        Founding { origin: "example.com/shop", live, segment_bytes: 64 << 20 }
    }
}

impl Forge {
    /// A draft of row 0.
    pub fn genesis(&self) -> Draft {
        Draft::body(&Body::Genesis(Genesis {
            format: FORMAT_VERSION,
            origin: self.founding.origin,
            owner: self.public(OWNER),
            ledger: self.public(LEDGER),
            policy: PolicyBody {
                version: POLICY_VERSION,
                live: self.founding.live.clone(),
                segment_bytes: self.founding.segment_bytes,
            },
        }))
    }

    /// A draft of a kill-switch row that leaves the switch in the operator's hands.
    pub fn switch(&self, act: SwitchAct, engaged: bool) -> Draft {
        let holder = self.key_id(OPERATOR);
        Draft::body(&Body::KillSwitch(KillSwitch { act, engaged, holder, reason: "" }))
    }

    /// A draft of the rollback of a row: its stored rollback as ops. Only for ledgers kept in memory.
    pub fn rollback(&self, target: u64, forced: bool) -> Draft {
        let record = self.sink.record(target);
        let row = Row::parse(&record).unwrap();
        let body = RollbackOf { target, target_hash: row.row_hash, forced };
        let stored = row.content(PartTag::Rollback).expect("the row has an open rollback");
        let mut ops = decode_ops(stored).unwrap();
        ops.iter_mut().filter(|_| forced).for_each(|op| op.guard = Guard::None);
        let mut content = Vec::new();
        encode_ops(&ops, &mut content);
        Draft::body(&Body::Rollback(body)).content(PartTag::Ops, content)
    }

    /// Whether a row was applied and has a rollback that can be read. Only for ledgers kept in memory.
    pub fn is_reversible(&self, row: u64) -> bool {
        let record = self.sink.record(row);
        let row = Row::parse(&record);
        row.is_ok_and(|row| {
            row.landing.outcome == Outcome::Applied && row.content(PartTag::Rollback).is_some()
        })
    }
}
