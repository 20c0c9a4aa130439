//! What lands can be taken back: rows so large that their rollback would not fit are refused, and so is evidence that
//! is not there yet.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use counterfoil_format::body::{Body, Manner, RollbackOf};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Evidence;
use counterfoil_format::intent::IntentId;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::decode_ops;
use counterfoil_format::part::PartTag;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, DraftOp, Receipt, SubmitError, now};
use counterfoil_rules::land::Refusal;
use counterfoil_tests::shop::Shop;

fn put_all(shop: &Shop, id: u8, keys: usize, text: &str) -> Result<Receipt, SubmitError> {
    let names: Vec<String> = (0..keys).map(|number| format!("key/{number:06}")).collect();
    let value = Value::Text(text.to_owned());
    let mut draft = Draft::decision(IntentId([id; 16]), "SET", now());
    draft.ops = names.iter().map(|name| DraftOp::Put(name, &value)).collect();
    shop.land(&shop.keys.executor, &[draft]).map(|mut receipts| receipts.remove(0))
}

/// Takes a row back by the rollback it has stored.
fn take_back(shop: &Shop, id: u8, target: &Receipt) -> Receipt {
    let stored = shop.ledger.log().row(target.seq).unwrap();
    let row = stored.parse().unwrap();
    let body = RollbackOf {
        target: target.seq,
        target_hash: target.row_hash,
        manner: Manner::Exact,
        effects: Vec::new(),
    };
    let mut draft = Draft::with_body(IntentId([id; 16]), Body::Rollback(body), now());
    let ops = decode_ops(row.content(PartTag::Rollback).unwrap()).unwrap();
    draft.ops = ops.into_iter().map(DraftOp::Stored).collect();
    let receipt = shop.land(&shop.keys.operator, &[draft]).unwrap().remove(0);
    assert_eq!(receipt.outcome, Outcome::Applied);
    receipt
}

#[test]
fn the_largest_row_that_lands_can_be_taken_back_and_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::begin(&dir.path().join("shop"), 64 << 20);
    let text = "a".repeat(60);
    put_all(&shop, 100, 40_000, &text).unwrap();
    // The most keys that a row may set anew is somewhere between.
    let (mut fits, mut too_many) = (20_000, 40_000);
    let mut largest = None;
    for id in 101..112 {
        let keys = usize::midpoint(fits, too_many);
        match put_all(&shop, id, keys, &text) {
            Ok(receipt) => (fits, largest) = (keys, Some(receipt)),
            Err(SubmitError::Format { error: CodecError::TooLarge { what, .. }, .. }) => {
                assert!(what.contains("take this one back"), "{keys} keys: {what}");
                too_many = keys;
            }
            Err(error) => panic!("{keys} keys: {error}"),
        }
    }
    println!("a row may set {fits} keys of 60 bytes anew, and not {too_many}");
    let largest = largest.unwrap();
    let back = take_back(&shop, 11, &largest);
    let again = take_back(&shop, 12, &back);
    take_back(&shop, 13, &again);
}

#[test]
fn evidence_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::begin(&dir.path().join("shop"), 64 << 20);
    let size = shop.ledger.log().head().size;
    let pointing = |id, row| {
        let mut draft = Draft::decision(IntentId([id; 16]), "SET", now());
        draft.evidence = vec![Evidence::Row(row)];
        draft.ops = vec![DraftOp::Add("seen", 1)];
        draft
    };
    // The second row of a submission may point to the first, and to nothing later.
    let refused = shop.land(&shop.keys.executor, &[pointing(11, 0), pointing(12, size + 1)]);
    let Err(SubmitError::Refused { index: 1, refusal }) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal, Refusal::LaterEvidence { row: size + 1, seq: size + 1 });
    assert_eq!(shop.ledger.log().head().size, size);
    shop.land(&shop.keys.executor, &[pointing(11, 0), pointing(12, size)]).unwrap();
}
