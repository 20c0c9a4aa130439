//! Ledgers whose bytes hold and whose rows break the rules: one fault each, for the checks from V14 on.
//!
//! Hashes, signatures and seals are all valid, so only a check of the meaning can object.

use crate::case::{Case, Expected};
use crate::draft::{ChangeDraft, Draft, OpDraft, Rollback, ops_content};
use crate::forge::Forge;
use crate::output::Ledger;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Manner, RollbackOf};
use counterfoil_format::content::Evidence;
use counterfoil_format::intent::IntentId;
use counterfoil_format::ops::Guard;
use counterfoil_format::part::PartTag;
use counterfoil_format::value::Value;

/// All of them.
pub fn lawless() -> Vec<Case> {
    [inverses(), rollbacks(), identities()].concat()
}

fn put(cents: i64) -> Draft {
    Draft::decision("price.set").put("price/sku-1", &Value::Int(cents)).reason("margin")
}

/// An honest row, the faulty one, and an honest one of another key.
fn with(seed: u64, fault: Draft) -> Ledger {
    let mut forge = Forge::new(seed);
    forge.submit(vec![put(1)]);
    forge.submit(vec![fault]);
    forge.submit(vec![Draft::decision("stock.sell").add("stock/sku-1", -1)]);
    forge.finish()
}

fn forged(draft: Draft, ops: &[OpDraft]) -> Draft {
    Draft { rollback: Rollback::Forged(ops_content(ops)), ..draft }
}

fn op(key: &str, change: ChangeDraft) -> OpDraft {
    OpDraft { key: key.to_owned(), guard: Guard::None, change }
}

fn put_back(cents: i64) -> ChangeDraft {
    ChangeDraft::Put(Some([1; 16]), Value::Int(cents).encode().unwrap())
}

fn inverses() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Findings(&["V15"]));
    let sell = || Draft::decision("stock.sell").add("stock/sku-1", -2);
    let mut review = put(2);
    review.action = "discount.grant".to_owned();
    vec![
        case(
            "v15-other-value",
            "The rollback puts back another value than the one that was there.",
            with(301, forged(put(2), &[op("price/sku-1", put_back(77))])),
        ),
        case(
            "v15-deletes",
            "The rollback deletes a key that held a value before.",
            with(302, forged(put(2), &[op("price/sku-1", ChangeDraft::Delete)])),
        ),
        case(
            "v15-half",
            "The rollback takes back one of two operations.",
            with(303, forged(sell().add("stock/sku-2", -1), &[op("stock/sku-1", ChangeDraft::Add(2))])),
        ),
        case(
            "v15-dry-run-bare",
            "A dry run with operations does not say how it would be taken back.",
            with(306, Draft { rollback: Rollback::Absent, ..sell().dry_run() }),
        ),
        case(
            "v15-same-sign",
            "The rollback adds the delta again.",
            with(304, forged(sell(), &[op("stock/sku-1", ChangeDraft::Add(-2))])),
        ),
        case(
            "v15-other-key",
            "The rollback changes a key that the row did not touch.",
            with(305, forged(sell(), &[op("stock/sku-9", ChangeDraft::Add(2))])),
        ),
        case("v15-no-guard", "The rollback does not ask whether the value is still there.", no_guard(306)),
        case(
            "v15-missing",
            "An applied row with operations has no rollback.",
            with(307, Draft { rollback: Rollback::Absent, ..put(2) }),
        ),
        case(
            "v15-review",
            "A row that was put aside has a rollback.",
            with(308, forged(review, &[op("price/sku-1", ChangeDraft::Delete)])),
        ),
    ]
}

/// The honest inverse of a transition, but for its guard.
fn no_guard(seed: u64) -> Ledger {
    let moved = Draft::decision("stage.move").transition("sku-1", "testing");
    with(seed, forged(moved, &[op("sku-1", ChangeDraft::Transition(String::new()))]))
}

fn rollbacks() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Findings(&["V17"]));
    vec![
        case("v17-other-ops", "A rollback row carries the rollback of another row.", other_ops(310)),
        case("v17-double", "A row is taken back twice.", double(311)),
        case("v17-other-hash", "A rollback row names another hash than its target has.", other_hash(312)),
        case(
            "v17-hidden-force",
            "A rollback drops a guard and does not say that it was forced.",
            hidden_force(313),
        ),
        case("v17-dry-run", "A dry run is taken back.", not_applied(314)),
    ]
}

fn other_ops(seed: u64) -> Ledger {
    let mut forge = Forge::new(seed);
    let sell = |sku: &str, delta| Draft::decision("stock.sell").add(sku, delta);
    forge.submit(vec![sell("stock/sku-1", -1), sell("stock/sku-2", -5)]);
    let (wanted, mut given) = (forge.rollback(4, false), forge.rollback(5, false));
    given.contents[PartTag::Body as usize] = wanted.contents[PartTag::Body as usize].clone();
    forge.submit(vec![given]);
    forge.finish()
}

fn double(seed: u64) -> Ledger {
    let mut forge = Forge::new(seed);
    forge.submit(vec![Draft::decision("stock.sell").add("stock/sku-1", -1)]);
    let twice = [forge.rollback(4, false), forge.rollback(4, false)];
    twice.into_iter().for_each(|draft| forge.submit(vec![draft]));
    forge.finish()
}

fn other_hash(seed: u64) -> Ledger {
    let mut forge = Forge::new(seed);
    forge.submit(vec![put(1)]);
    let body = Body::Rollback(RollbackOf {
        target: 4,
        target_hash: Hash([3; 32]),
        manner: Manner::Exact,
        effects: Vec::new(),
    });
    let draft = forge.rollback(4, false).content(PartTag::Body, body.encode().unwrap());
    forge.submit(vec![draft]);
    forge.finish()
}

fn hidden_force(seed: u64) -> Ledger {
    let mut forge = Forge::new(seed);
    forge.submit(vec![put(1)]);
    forge.submit(vec![put(2)]);
    let (mut forced, honest) = (forge.rollback(4, true), forge.rollback(4, false));
    forced.contents[PartTag::Body as usize] = honest.contents[PartTag::Body as usize].clone();
    forge.submit(vec![forced]);
    forge.finish()
}

fn not_applied(seed: u64) -> Ledger {
    let mut forge = Forge::new(seed);
    forge.submit(vec![Draft::decision("stock.sell").add("stock/sku-1", -1).dry_run()]);
    let draft = forge.rollback(4, false);
    forge.submit(vec![draft]);
    forge.finish()
}

fn identities() -> Vec<Case> {
    let id = Some(IntentId([0x1d; 16]));
    let mut twice = Forge::new(320);
    twice.submit(vec![Draft { id, ..put(1) }]);
    twice.submit(vec![put(2), Draft { id, ..put(3) }]);
    let evidence = |row| put(2).evidence(&[Evidence::Row(0), Evidence::Row(row)]);
    vec![
        Case::new(
            "v20-duplicate-id",
            "Two rows have the same id.",
            twice.finish(),
            Expected::Findings(&["V20"]),
        ),
        Case::new(
            "v21-future",
            "A decision points to evidence that came after it.",
            with(321, evidence(6)),
            Expected::Findings(&["V21"]),
        ),
        Case::new(
            "v21-itself",
            "A decision points to itself as evidence.",
            with(322, evidence(5)),
            Expected::Findings(&["V21"]),
        ),
        Case::new(
            "v21-nowhere",
            "A decision points to a row that does not exist.",
            with(323, evidence(1 << 40)),
            Expected::Findings(&["V21"]),
        ),
    ]
}
