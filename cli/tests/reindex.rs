//! `reindex`: what can be rebuilt is, and is said.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use shop::Shop;
use std::fs;

const DECISION: &str = r#"{"id":"a","action":"SET","mode":"live","ops":[{"put":{"key":"k","value":1}}]}"#;

#[test]
fn it_says_what_it_wrote_and_leaves_damage_alone() {
    let shop = Shop::open();
    assert_eq!(shop.append(&[], DECISION).status, 0);
    let done = shop.run(&["reindex", "--json"]);
    assert_eq!(done.status, 0, "{}", done.err);
    let object = done.json();
    assert_eq!((&object["rows"], &object["state_index"]), (&5.into(), &true.into()), "{object}");
    assert_eq!((&object["side_files"], &object["tiles"]), (&1.into(), &0.into()), "{object}");
    let done = shop.run(&["reindex"]);
    assert!(
        done.out.contains("read 5 rows; wrote 1 side files, the state index and 0 tiles"),
        "{}",
        done.out
    );
    assert!(
        done.err.contains("note: the state index is rebuilt") && done.err.contains("quarantine"),
        "{}",
        done.err
    );
    assert_eq!(shop.append(&[], &DECISION.replace("\"a\"", "\"b\"")).status, 0);

    let segment = shop.segment();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[300] ^= 1;
    fs::write(&segment, bytes).unwrap();
    shop.run(&["reindex"]).fails(2, &[".seg"]);
}
