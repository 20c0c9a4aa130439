//! Policies for tests, landed with the library: what is tested is what lands under them, not how they are written.

#![allow(dead_code, reason = "not every test uses all of it")]

use crate::shop::{STARTING, Shop};
use counterfoil_format::body::Body;
use counterfoil_format::intent::IntentId;
use counterfoil_format::policy::{ActionRule, Lifecycle, Move, PolicyBody};
use counterfoil_ledger::{Draft, Ledger, SecretKey, SubmissionBuilder, now};
use std::sync::Arc;

/// Lands rows that say this, signed by the key of this name.
pub fn land(shop: &Shop, author: &str, bodies: &[Body<'_>]) {
    let drafts: Vec<Draft<'_>> =
        bodies.iter().map(|body| Draft::with_body(IntentId([0; 16]), body.clone(), now())).collect();
    land_drafts(shop, author, drafts);
}

/// Lands drafts, each under an id of its own.
pub fn land_drafts(shop: &Shop, author: &str, drafts: Vec<Draft<'_>>) {
    let key = |name: &str| SecretKey::load(&shop.path().join(format!("keys/{name}.key"))).unwrap();
    let _alone = STARTING.write();
    let ledger = Ledger::open(&shop.path(), Arc::new(key("ledger"))).unwrap();
    let author = key(author);
    let mut builder = SubmissionBuilder::new(&author).unwrap();
    let size = ledger.log().head().size;
    for (number, draft) in (size..).zip(drafts) {
        let mut id = [0xcf; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        builder.push(&Draft { id: IntentId(id), ..draft }).unwrap();
    }
    ledger.submit(builder.sign(ledger.ledger_id()).unwrap()).unwrap();
    ledger.close().unwrap();
}

/// Sets a policy, in the next row.
pub fn set(shop: &Shop, policy: PolicyBody<'_>) {
    land(shop, "owner", &[Body::Policy(policy)]);
}

/// A policy that has these rules and asks for nothing else.
pub fn with_actions(mut actions: Vec<ActionRule<'_>>) -> PolicyBody<'_> {
    actions.sort_by_key(|rule| rule.pattern);
    PolicyBody { actions, ..PolicyBody::open(1 << 20) }
}

/// A policy under which entities go by these moves; empty text stands for no stage.
pub fn with_moves<'a>(moves: &[(&'a str, &'a str)]) -> PolicyBody<'a> {
    let mut moves: Vec<_> = moves.iter().map(|(from, to)| Move { from, to }).collect();
    moves.sort();
    let mut stages: Vec<_> = moves.iter().flat_map(|moved| [moved.from, moved.to]).collect();
    stages.sort_unstable();
    stages.dedup();
    stages.retain(|stage| !stage.is_empty());
    PolicyBody { lifecycle: Some(Lifecycle { stages, moves }), ..PolicyBody::open(1 << 20) }
}
