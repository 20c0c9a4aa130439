//! What a forged ledger says of itself, and drafts of the rows that depend on it.

use crate::draft::{Draft, LEDGER, OPERATOR, OWNER};
use crate::forge::Forge;
use counterfoil_format::body::{
    Body, Drill, FORMAT_VERSION, Genesis, KillSwitch, Manner, ReviewOf, ReviewVerdict, RollbackOf, SwitchAct,
};
use counterfoil_format::intent::{KeyId, Kind};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{Guard, Op, decode_ops, encode_ops};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::policy::{ActionRule, PolicyBody};
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
    /// Another policy than one that only says which actions may be live.
    pub policy: Option<PolicyBody<'static>>,
}

/// A policy that only says which actions may be live.
pub fn allowing<'a>(live: &[&'a str], segment_bytes: u64) -> PolicyBody<'a> {
    let mut actions: Vec<ActionRule<'a>> = live.iter().map(|pattern| ActionRule::open(pattern)).collect();
    if !live.contains(&"*") {
        actions.push(ActionRule { live: false, ..ActionRule::open("*") });
    }
    actions.sort_by_key(|rule| rule.pattern);
    PolicyBody { actions, ..PolicyBody::open(segment_bytes) }
}

impl Default for Founding {
    fn default() -> Self {
        let live = vec!["ad.*", "price.*", "stage.*", "stock.*"];
        Founding { origin: "example.com/shop", live, segment_bytes: 64 << 20, policy: None }
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
            policy: match &self.founding.policy {
                Some(policy) => policy.clone(),
                None => allowing(&self.founding.live, self.founding.segment_bytes),
            },
        }))
    }

    /// A draft of a kill-switch row that leaves the switch in the operator's hands.
    pub fn switch(&self, act: SwitchAct, engaged: bool) -> Draft {
        let holder = self.key_id(OPERATOR);
        Draft::body(&Body::KillSwitch(KillSwitch { act, engaged, holder, reason: "", drill: None }))
    }

    /// A draft of the row that ends a drill.
    pub fn drill_end(&self, began: u64, probe: u64) -> Draft {
        let (act, engaged, holder) = (SwitchAct::Drill, false, self.key_id(OPERATOR));
        let drill = Some(Drill { began, probe });
        Draft::body(&Body::KillSwitch(KillSwitch { act, engaged, holder, reason: "", drill }))
    }

    /// A draft of the row that approves or rejects another. Only for ledgers kept in memory.
    pub fn review(&self, target: u64, verdict: ReviewVerdict) -> Draft {
        let record = self.sink.record(target);
        let row = Row::parse(&record).unwrap();
        let body = ReviewOf { row: target, row_hash: row.row_hash, verdict, reason: "" };
        let mut draft = Draft::body(&Body::Review(body));
        draft.action = row.head.action.to_owned();
        if verdict == ReviewVerdict::Approve {
            (draft.tier, draft.mode) = (row.head.tier, row.head.mode);
            for tag in [PartTag::Subject, PartTag::Actors, PartTag::Evidence, PartTag::Ops, PartTag::Effects]
            {
                if let Some(Slot::Open { salt, bytes }) = row.part(tag) {
                    draft.contents[tag as usize] = Some(bytes.to_vec());
                    draft.salts[tag as usize] = Some(salt);
                }
            }
        }
        draft
    }

    /// A draft of the rollback of a row: its stored rollback as ops. Only for ledgers kept in memory.
    pub fn rollback(&self, target: u64, forced: bool) -> Draft {
        let manner = if forced { Manner::Forced } else { Manner::Exact };
        self.rollback_as(target, manner, &[], |_| true)
    }

    /// The same in some manner, calling for some effects, with those of the operations that are wanted.
    pub fn rollback_as(
        &self,
        target: u64,
        manner: Manner,
        effects: &[u32],
        wanted: impl Fn(&Op<'_>) -> bool,
    ) -> Draft {
        let record = self.sink.record(target);
        let row = Row::parse(&record).unwrap();
        let body = RollbackOf { target, target_hash: row.row_hash, manner, effects: effects.to_vec() };
        let draft = Draft::body(&Body::Rollback(body));
        if row.part(PartTag::Rollback).is_none() {
            return draft;
        }
        let stored = row.content(PartTag::Rollback).expect("the row's rollback is open");
        let mut ops = decode_ops(stored).unwrap();
        ops.retain(wanted);
        ops.iter_mut().filter(|_| manner == Manner::Forced).for_each(|op| op.guard = Guard::None);
        let mut content = Vec::new();
        encode_ops(&ops, &mut content);
        draft.content(PartTag::Ops, content)
    }

    /// Who wrote a row. Only for ledgers kept in memory.
    pub fn author_of(&self, row: u64) -> KeyId {
        Row::parse(&self.sink.record(row)).unwrap().head.author
    }

    /// Whether a row is a decision that was put aside. Only for ledgers kept in memory.
    pub fn is_put_aside(&self, row: u64) -> bool {
        let record = self.sink.record(row);
        Row::parse(&record)
            .is_ok_and(|row| row.head.kind == Kind::Decision && row.landing.outcome == Outcome::Review)
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
