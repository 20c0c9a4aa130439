//! A change of the key that seals: by the writer that lands it, and by those that open the ledger afterwards.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use counterfoil_format::body::{Body, KeyChange, Role, Scope};
use counterfoil_format::intent::IntentId;
use counterfoil_format::key::key_id;
use counterfoil_format::note::{SignedNote, VerifierKey};
use counterfoil_ledger::{Draft, Ledger, OpenError, SecretKey, Signer, SubmitError, now};
use counterfoil_tests::shop::Shop;
use counterfoil_verifier::{Options, Verdict, verify, verify_sequential};
use std::path::Path;
use std::sync::Arc;

fn key(seed: u8) -> Arc<SecretKey> {
    Arc::new(SecretKey::from_seed(&[seed; 32]).unwrap())
}

fn changes(number: u8, change: KeyChange<'_>) -> Draft<'_> {
    Draft::with_body(IntentId([number; 16]), Body::Key(change), now())
}

fn rotation(old: &SecretKey, new: &SecretKey) -> KeyChange<'static> {
    KeyChange::Rotate { old: key_id(old.public().as_bytes()), key: *new.public().as_bytes() }
}

fn must_be_intact(dir: &Path) {
    for judge in [verify, verify_sequential] {
        let report = judge(dir, &Options::default(), &|_, _| {}).unwrap();
        assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    }
}

#[test]
fn the_new_key_seals_from_the_row_on_that_puts_it_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::begin(dir.path(), 4096);
    let (old, next) = (shop.keys.ledger.clone(), key(9));
    let rotate = || changes(9, rotation(&old, &next));
    let refused = shop.land(&shop.keys.owner, &[rotate()]);
    let missing = next.public().id();
    assert!(
        matches!(refused, Err(SubmitError::NoSealKey { index: 0, key }) if key == missing),
        "{refused:?}"
    );

    shop.ledger.hold(next.clone());
    shop.ledger.submit(shop.decisions(0, 5)).unwrap();
    must_be_intact(dir.path());
    assert_eq!(shop.land(&shop.keys.owner, &[rotate()]).unwrap()[0].seq, 8);
    must_be_intact(dir.path());
    shop.ledger.submit(shop.decisions(5, 5)).unwrap();
    shop.ledger.close().unwrap();
    must_be_intact(dir.path());

    let note = SignedNote::parse(&std::fs::read(dir.path().join("checkpoint")).unwrap()).unwrap();
    let vkey = VerifierKey { name: "example.com/shop".to_owned(), key: next.public().clone() };
    assert_eq!(note.verify(&vkey), Ok(()));
    assert!(matches!(Ledger::open(dir.path(), old), Err(OpenError::WrongLedgerKey)));
    let ledger = Ledger::open(dir.path(), next).unwrap();
    assert_eq!((ledger.log().head().size, ledger.notices()), (14, Vec::new()));
}

#[test]
fn of_two_ledger_keys_the_newest_living_one_seals() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::begin(dir.path(), 4096);
    let (first, second) = (shop.keys.ledger.clone(), key(9));
    let grant = KeyChange::Grant {
        key: *second.public().as_bytes(),
        roles: Role::Ledger.bit(),
        name: "ledger-2",
        scope: Scope::default(),
    };
    shop.ledger.hold(second.clone());
    shop.land(&shop.keys.owner, &[changes(9, grant)]).unwrap();
    shop.ledger.submit(shop.decisions(0, 5)).unwrap();
    shop.ledger.close().unwrap();
    must_be_intact(dir.path());

    // When it ends the first one seals again, which the writer may not have at hand.
    let revoke = || KeyChange::Revoke { key: second.public().id(), compromised_since: None, reason: "" };
    let shop = Shop { ledger: Ledger::open(dir.path(), second.clone()).unwrap(), keys: shop.keys };
    let refused = shop.land(&shop.keys.owner, &[changes(10, revoke())]);
    assert!(matches!(refused, Err(SubmitError::NoSealKey { .. })), "{refused:?}");
    shop.ledger.hold(first.clone());
    shop.land(&shop.keys.owner, &[changes(10, revoke())]).unwrap();
    shop.ledger.close().unwrap();
    must_be_intact(dir.path());
    assert!(Ledger::open(dir.path(), first).is_ok());
}

/// Rows behind it in the submission may put the old key's successor in force, and again another.
#[test]
fn what_counts_is_the_key_behind_the_last_row_of_a_group() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::begin(dir.path(), 4096);
    let (old, second, third) = (shop.keys.ledger.clone(), key(9), key(10));
    shop.ledger.hold(second.clone());
    shop.ledger.hold(third.clone());
    let drafts = [changes(9, rotation(&old, &second)), changes(10, rotation(&second, &third))];
    shop.land(&shop.keys.owner, &drafts).unwrap();
    shop.ledger.close().unwrap();
    must_be_intact(dir.path());
    assert!(Ledger::open(dir.path(), third).is_ok());
}
