//! Damage to the files `checkpoint` and `durable` of a sound ledger: no row is lost, none is invented, and a note that
//! does not hold is not believed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange};
use counterfoil_format::intent::IntentId;
use counterfoil_format::key::key_id;
use counterfoil_ledger::{Draft, Ledger, Log, SecretKey, Signer, now};
use counterfoil_tests::decay::{Said, Sound};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::Shop;
use counterfoil_tests::sim::SimFs;
use counterfoil_tests::trial::{ROOT, platform};
use std::path::Path;
use std::sync::Arc;

/// Each byte with one bit flipped, and each beginning.
fn damaged(file: &[u8], rng: &mut Rng) -> Vec<Vec<u8>> {
    let flipped = (0..file.len()).map(|at| {
        let mut bytes = file.to_vec();
        bytes[at] ^= 1 << rng.below(8);
        bytes
    });
    flipped.collect::<Vec<_>>().into_iter().chain((0..file.len()).map(|end| file[..end].to_vec())).collect()
}

#[test]
fn a_checkpoint_that_has_decayed_is_not_believed() {
    let (sound, mut rng) = (Sound::new(), Rng::of_this_run());
    let file = sound.file("checkpoint");
    assert_eq!(sound.said(&file), Said::Rows);
    sound.check_checkpoint(&file);
    for bytes in damaged(&file, &mut rng) {
        sound.check_checkpoint(&bytes);
    }
    // Its size is another one: it names rows that are not there, or fewer.
    let note = String::from_utf8(file).unwrap();
    for size in ["9", "77", "18446744073709551615", "2", "0"] {
        let other = note.replace("\n7\n", &format!("\n{size}\n"));
        assert_eq!((other != note, sound.said(other.as_bytes())), (true, Said::Nothing));
        sound.check_checkpoint(other.as_bytes());
    }
}

#[test]
fn a_mark_that_has_decayed_is_not_believed() {
    let (sound, mut rng) = (Sound::new(), Rng::of_this_run());
    let file = sound.file("durable");
    for bytes in damaged(&file, &mut rng) {
        sound.check_durable(&bytes);
    }
}

#[test]
fn a_note_that_holds_is_believed() {
    let sound = Sound::new();
    let size = sound.size();
    for rows in 1..=size {
        let bytes = sound.signed(rows, sound.root(rows).unwrap());
        assert_eq!(sound.said(&bytes), Said::Rows);
        sound.check_checkpoint(&bytes);
    }
    for (rows, root, said) in [
        (size + 1, Hash([7; 32]), Said::MoreRows),
        (u64::MAX, Hash([7; 32]), Said::MoreRows),
        (size, Hash([7; 32]), Said::Otherwise),
        (0, Hash([7; 32]), Said::Otherwise),
    ] {
        let bytes = sound.signed(rows, root);
        assert_eq!(sound.said(&bytes), said);
        sound.check_checkpoint(&bytes);
    }
}

/// The rows that granted the key may be the ones that are missing.
#[test]
fn a_note_by_a_key_that_the_log_does_not_know_is_believed_when_it_names_more_rows() {
    let sound = Sound::new();
    let note = String::from_utf8(sound.signed(sound.size() + 1, Hash([7; 32]))).unwrap();
    let other = note.replace("— example.com/shop", "— example.com/stall");
    assert_eq!(sound.said(other.as_bytes()), Said::MoreRows);
    sound.check_checkpoint(other.as_bytes());
}

/// The key that seals now has not signed the note, and knows nothing of it; the one before has not signed it either.
#[test]
fn a_note_by_an_earlier_key_that_has_decayed_is_not_believed() {
    let (fs, root) = (SimFs::default(), Path::new(ROOT));
    let shop = Shop::begin_on(&platform(&fs), root, 4096).unwrap();
    let next = Arc::new(SecretKey::from_seed(&[9; 32]).unwrap());
    let (old, key) = (key_id(shop.keys.ledger.public().as_bytes()), *next.public().as_bytes());
    let rotate = Draft::with_body(IntentId([9; 16]), Body::Key(KeyChange::Rotate { old, key }), now());
    shop.ledger.hold(next.clone());
    shop.land(&shop.keys.owner, &[rotate]).unwrap();
    drop(shop);
    let note = String::from_utf8(Sound::new().signed(3, Hash([7; 32]))).unwrap().replace("\n3\n", "\n9\n");
    fs.overwrite(Path::new("/shop/checkpoint"), |bytes| *bytes = note.into_bytes());
    assert_eq!(Log::open_on(&platform(&fs), root).unwrap().head().size, 4);
    let ledger = Ledger::open_on(&platform(&fs), root, next).unwrap();
    assert_eq!(ledger.log().head().size, 4);
    assert!(ledger.notices().iter().any(|notice| notice.contains("its signature does not hold")));
}
