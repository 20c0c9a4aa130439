//! Ledgers that every verifier must accept.

use crate::case::{Case, Expected};
use crate::draft::{ChangeDraft, Draft, EXECUTOR, Group, LEDGER, OPERATOR, OWNER, Submission};
use crate::forge::{EPOCH, Forge};
use crate::founding::{Founding, allowing};
use crate::output::{Ledger, Sink};
use counterfoil_format::body::{
    Body, Calibration, EffectOutcome, EffectStatus, Erased, Erasure, KeyChange, Reading, ReviewVerdict, Role,
    Scope, Snapshot, SwitchAct,
};
use counterfoil_format::content::{Effect, Evidence, LifecycleMove, Undo};
use counterfoil_format::hash::Use;
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::note::{SignedNote, VerifierKey, checkpoint_text};
use counterfoil_format::ops::Guard;
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::PolicyBody;
use counterfoil_format::value::{Decimal, Value};

/// All of them.
pub fn accepted() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Intact);
    vec![
        case("smallest", "A genesis row and nothing else.", smallest()),
        case("founded", "Genesis, two keys granted, the kill switch handed over.", Forge::new(101).finish()),
        case("every-kind", "A row of every kind, with every part.", every_kind()),
        case("two-segments", "The first segment is full, the second is not.", two_segments()),
        case("many-submissions", "One group of several submissions by two authors.", many_submissions()),
        case("withheld-parts", "Subject and context of one row are withheld.", withheld_parts()),
        case("withheld-ops", "The operations of a row are withheld as a whole.", withheld_ops())
            .without(&["V14", "V15"]),
        case("closed-value", "A value and its copy in a later rollback are closed.", closed_value()),
        case("rollback", "A row is taken back, brought back, and taken back again.", rollback()),
        case("forced-rollback", "A row is taken back although the state has moved on.", forced_rollback()),
        case("not-applied", "Dry runs and reviews: nothing of them changes the state.", not_applied()),
        case("kill-switch", "Pulled, tried, released; what is live meanwhile is reviewed.", kill_switch()),
        case(
            "key-rotation",
            "The executor's and the ledger's keys are replaced, one is revoked.",
            key_rotation(),
        ),
        case("policy-change", "An action is forbidden, then allowed by a new policy.", policy_change()),
        case("long-batch", "One submission puts, deletes, adds and moves the same keys often.", long_batch()),
        anchored(),
        inner_checkpoint(),
        case(
            "durable-upto",
            "Groups name any offset up to their own as known to be on disk.",
            durable_upto(),
        ),
        case(
            "closed-key-row",
            "The bodies of two key rows are withheld: what keys there are behind the first one is not known.",
            closed_key_rows(),
        )
        .without(&["V09", "V10", "V12"]),
    ]
}

fn reading(cents: i128) -> Draft {
    let value = Decimal { mantissa: cents, scale: 2 };
    Draft::body(&Body::Evidence(Reading { metric: "cost-per-order", value, source: "ads/daily" }))
}

fn price(cents: i64) -> Value {
    Value::Map(
        [("cents".to_owned(), Value::Int(cents)), ("cur".to_owned(), Value::Text("EUR".into()))].into(),
    )
}

fn smallest() -> Ledger {
    let mut forge = Forge::unborn(100, Founding::default(), Sink::memory());
    let genesis = forge.genesis();
    forge.submit(vec![genesis]);
    forge.finish()
}

fn every_kind() -> Ledger {
    let mut forge = Forge::new(102);
    forge.submit(vec![reading(1250), reading(1250), reading(1250)]);
    let threshold = Decimal { mantissa: 125, scale: 1 };
    let calibration = Calibration {
        metric: "cost-per-order",
        action: "",
        from: EPOCH,
        upto: 7,
        quantile: 500_000,
        rows: vec![4, 5, 6],
        threshold,
    };
    forge.submit(vec![Draft::body(&Body::Calibration(calibration))]);
    let (request, undo) = (Value::Text("publish".into()).encode().unwrap(), Value::Null.encode().unwrap());
    let effect = Effect { adapter: "shop", request: &request, undo: Undo::Request(&undo) };
    let document =
        Evidence::Document { uri: "https://example.com/report.pdf", blake3: Use::Value.hash(&[b"x"]) };
    let decision = Draft::decision("price.set")
        .subject("sku-1", Some(LifecycleMove { from: "", to: "testing" }))
        .actors("planner", "judge", 900_000, "agent")
        .evidence(&[Evidence::Row(4), Evidence::Row(6), document])
        .put("price/sku-1", &price(1990))
        .add("changes/sku-1", 1)
        .transition("sku-1", "testing")
        .effects(&[effect])
        .reason("margin")
        .close(PartTag::Context);
    forge.submit(vec![decision]);
    let status = EffectStatus::Done;
    let outcome = EffectOutcome { row: 8, effect: 0, status, detail: "published" };
    forge.submit(vec![Draft::body(&Body::Outcome(outcome))]);
    let snapshot = Snapshot { at: 9, state: forge.state.digest(), leaves: forge.state.len() as u64 };
    let drill = forge.switch(SwitchAct::Drill, true);
    forge.submit(vec![Draft::body(&Body::Snapshot(snapshot)), drill]);
    let stopped = || Draft::decision("price.set").add("changes/sku-1", 1);
    forge.submit(vec![stopped(), stopped()]);
    let end = forge.drill_end(11, 12);
    forge.submit(vec![end]);
    let rejection = forge.review(13, ReviewVerdict::Reject);
    forge.submit(vec![rejection]);
    let erased = Erased::Part { row: 8, tag: PartTag::Context as u8 };
    let erasure = Erasure { items: vec![erased], authority: "request 7 of the data subject" };
    forge.submit(vec![Draft::body(&Body::Erasure(erasure))]);
    forge.submit(vec![Draft::body(&Body::Policy(policy(&["price.*"])))]);
    let rollback = forge.rollback(8, false);
    forge.submit(vec![rollback]);
    forge.finish()
}

fn policy(live: &[&'static str]) -> PolicyBody<'static> {
    allowing(live, 64 << 20)
}

fn two_segments() -> Ledger {
    let founding = Founding { segment_bytes: 4096, ..Founding::default() };
    let mut forge = Forge::founded(103, founding, Sink::memory());
    for round in 0..4 {
        let sku = |place| format!("price/sku-{place}");
        forge.submit((0..4).map(|at| Draft::decision("price.set").put(&sku(at), &price(round))).collect());
    }
    let ledger = forge.finish();
    assert_eq!(ledger.segments.len(), 2);
    ledger
}

fn many_submissions() -> Ledger {
    let mut forge = Forge::new(104);
    let sell = || Draft::decision("stock.sell").add("stock/sku-1", -1);
    let drill = forge.switch(SwitchAct::HandOver, false);
    forge.write(Group::new(vec![
        Submission::new(vec![sell(), sell()]),
        Submission::new(vec![drill]),
        Submission::new(vec![reading(1)]),
        Submission::new(vec![sell(), sell(), sell()]),
    ]));
    forge.finish()
}

fn withheld_parts() -> Ledger {
    let mut forge = Forge::new(105);
    let draft = || Draft::decision("price.set").subject("customer-77", None).reason("they asked");
    let withheld = draft().put("price/1", &price(5)).close(PartTag::Subject).close(PartTag::Context);
    forge.submit(vec![withheld, draft().put("price/1", &price(6))]);
    forge.finish()
}

fn withheld_ops() -> Ledger {
    let mut forge = Forge::new(106);
    let draft = |cents| Draft::decision("price.set").put("price/1", &price(cents)).reason("margin");
    let withheld = draft(5).close(PartTag::Ops).close(PartTag::Rollback);
    forge.submit(vec![withheld, draft(6).close(PartTag::Ops).close(PartTag::Rollback)]);
    forge.finish()
}

fn closed_value() -> Ledger {
    let mut forge = Forge::new(107);
    let closed = |mut draft: Draft| {
        draft.close_values = true;
        draft
    };
    let put = |cents| Draft::decision("price.set").put("price/1", &price(cents));
    forge.submit(vec![closed(put(5)), closed(put(6)), put(7)]);
    forge.finish()
}

fn rollback() -> Ledger {
    let mut forge = Forge::new(108);
    let put = |cents| Draft::decision("price.set").put("price/1", &price(cents)).add("changes", 1);
    forge.submit(vec![put(5), put(6)]);
    for target in [5, 6, 5] {
        let draft = forge.rollback(target, false);
        forge.submit(vec![draft]);
    }
    forge.finish()
}

fn forced_rollback() -> Ledger {
    let mut forge = Forge::new(109);
    let put = |cents| Draft::decision("price.set").put("price/1", &price(cents));
    forge.submit(vec![put(5), put(6)]);
    let honest = forge.rollback(4, false);
    forge.submit(vec![honest]);
    let forced = forge.rollback(4, true);
    forge.submit(vec![forced]);
    assert_eq!(forge.state.get("price/1"), None);
    forge.finish()
}

fn not_applied() -> Ledger {
    let mut forge = Forge::new(110);
    let put = || Draft::decision("price.set").put("price/1", &price(5));
    forge.submit(vec![
        put().dry_run(),
        Draft::decision("discount.grant").put("price/1", &price(1)),
        Draft::decision("price.set").delete("price/none"),
        put().op("price/1", Guard::Absent, ChangeDraft::Delete),
        put(),
        Draft::decision("price.set").add("price/1", 1),
        Draft::decision("stock.sell").add("stock/1", i64::MIN),
        Draft::decision("discount.grant").put("price/1", &price(1)).dry_run(),
    ]);
    forge.finish()
}

fn kill_switch() -> Ledger {
    let mut forge = Forge::new(111);
    let put = |cents| Draft::decision("price.set").put("price/1", &price(cents));
    forge.submit(vec![put(5)]);
    let (engage, release) = (forge.switch(SwitchAct::Engage, true), forge.switch(SwitchAct::Release, false));
    forge.submit(vec![engage]);
    forge.submit(vec![put(6), put(7).dry_run(), Draft::decision("gift.send").add("gifts", 1)]);
    let rollback = forge.rollback(4, false);
    forge.submit(vec![rollback, release]);
    forge.submit(vec![put(8)]);
    forge.finish()
}

fn key_rotation() -> Ledger {
    let mut forge = Forge::new(112);
    let put = |cents| Draft::decision("price.set").put("price/1", &price(cents));
    forge.submit(vec![put(5)]);
    let (executor, ledger, second) = (forge.new_key(), forge.new_key(), forge.new_key());
    let rotate = |forge: &Forge, old, new| {
        Draft::body(&Body::Key(KeyChange::Rotate { old: forge.key_id(old), key: forge.public(new) }))
    };
    let rotations = vec![rotate(&forge, EXECUTOR, executor), rotate(&forge, LEDGER, ledger)];
    forge.submit(rotations);
    forge.submit(vec![put(6).by(executor)]);
    let (key, roles) = (forge.public(second), Role::Executor.bit() | Role::Planner.bit());
    forge.submit(vec![Draft::body(&Body::Key(KeyChange::Grant {
        key,
        roles,
        name: "second",
        scope: Scope::default(),
    }))]);
    let compromised_since = Some(forge.clock - 1);
    let (key, reason) = (forge.key_id(executor), "lost laptop");
    let revoke = KeyChange::Revoke { key, compromised_since, reason };
    forge.submit(vec![Draft::body(&Body::Key(revoke))]);
    forge.submit(vec![put(7).by(second)]);
    forge.finish()
}

fn policy_change() -> Ledger {
    let mut forge = Forge::new(113);
    let grant = || Draft::decision("discount.grant").put("discount/1", &Value::Int(5));
    forge.submit(vec![grant()]);
    forge.submit(vec![Draft::body(&Body::Policy(policy(&["discount.grant", "price.*"])))]);
    forge.submit(vec![grant(), Draft::decision("stock.sell").add("stock/1", -1)]);
    forge.finish()
}

fn long_batch() -> Ledger {
    let mut forge = Forge::new(114);
    let mut draft = Draft::decision("stage.review");
    for round in 0..20 {
        draft = draft
            .put(&format!("price/{round}"), &price(round))
            .put("price/hot", &price(round))
            .add("stock/hot", round + 1)
            .transition("sku-hot", if round % 2 == 0 { "testing" } else { "winner" });
    }
    let undo = draft.delete("price/hot").put("stock/hot", &Value::Null).transition("sku-hot", "");
    forge.submit(vec![undo]);
    let rollback = forge.rollback(4, false);
    forge.submit(vec![rollback]);
    assert!(forge.state.is_empty());
    forge.finish()
}

/// Everything an auditor can hold from elsewhere, and all of it fits.
fn anchored() -> Case {
    let mut forge = Forge::new(115);
    let first = forge.checkpoint().to_owned();
    forge.submit(vec![Draft::decision("stock.sell").add("stock/1", -1)]);
    let second = forge.checkpoint().to_owned();
    let drill = forge.switch(SwitchAct::HandOver, false);
    forge.submit(vec![drill]);
    let last = forge.checkpoint().to_owned();
    let vkey: VerifierKey = forge.verifier_key(LEDGER);
    assert_ne!(forge.key_id(OWNER), forge.key_id(OPERATOR));
    let ledger = forge.finish();
    let owner = counterfoil_format::Hash(ledger.owner).to_string();
    let id = ledger.ledger_id.to_string();
    let why = "Pins of ledger id, owner and ledger key, and three earlier checkpoints, all fit.";
    Case::new("anchored", why, ledger, Expected::Intact)
        .pinned("ledger_id", id)
        .pinned("owner", owner)
        .pinned("vkey", vkey.to_string())
        .kept("first", first)
        .kept("second", second)
        .kept("last", last)
}

/// A checkpoint may be of any size, and by a ledger key that was replaced before the row it ends with.
fn inner_checkpoint() -> Case {
    let mut forge = Forge::new(116);
    let next = forge.new_key();
    let (old, key) = (forge.key_id(LEDGER), forge.public(next));
    forge.submit(vec![Draft::body(&Body::Key(KeyChange::Rotate { old, key }))]);
    forge.submit((0..5).map(|round| Draft::decision("stock.sell").add("stock/1", -1 - round)).collect());
    let size = 7;
    let mut tree = CompactRange::starting_at(0);
    for row in 0..size {
        let record = forge.sink.record(row);
        tree.push(row_leaf(&counterfoil_format::Hash(*record.last_chunk().unwrap())));
    }
    let signer = forge.verifier_key(LEDGER);
    let text = checkpoint_text(&signer.name, size, &tree.root().unwrap());
    let signature = forge.sign(LEDGER, text.as_bytes());
    let note = SignedNote::new(text, &signer, &signature).to_string();
    let why = "A checkpoint of a size inside a group, by a ledger key that was replaced before, fits.";
    Case::new("inner-checkpoint", why, forge.finish(), Expected::Intact).kept("inner", note)
}

fn durable_upto() -> Ledger {
    let mut forge = Forge::new(117);
    for durable_upto in [0, 1, 103, 105] {
        let sell = Draft::decision("stock.sell").add("stock/1", -1);
        let group = Group::new(vec![Submission::new(vec![sell])]);
        forge.write(Group { durable_upto: Some(durable_upto), ..group });
    }
    forge.finish()
}

fn closed_key_rows() -> Ledger {
    let mut forge = Forge::new(118);
    let put = |cents| Draft::decision("price.set").put("price/1", &price(cents));
    forge.submit(vec![put(5)]);
    let (second, ledger, third) = (forge.new_key(), forge.new_key(), forge.new_key());
    let grant = |forge: &Forge, who, name| {
        let (key, roles) = (forge.public(who), Role::Executor.bit());
        Draft::body(&Body::Key(KeyChange::Grant { key, roles, name, scope: Scope::default() }))
    };
    let closed = grant(&forge, second, "second").close(PartTag::Body);
    forge.submit(vec![closed]);
    forge.submit(vec![put(6).by(second)]);
    forge.submit(vec![put(7)]);
    let (old, key) = (forge.key_id(LEDGER), forge.public(ledger));
    let rotate = Draft::body(&Body::Key(KeyChange::Rotate { old, key })).close(PartTag::Body);
    let (old, key) = (forge.key_id(second), forge.public(third));
    let later = Draft::body(&Body::Key(KeyChange::Rotate { old, key }));
    forge.submit(vec![rotate, later]);
    forge.submit(vec![put(8).by(third)]);
    forge.finish()
}
