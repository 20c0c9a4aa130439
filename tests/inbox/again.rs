//! Posts that are met again: after a crash that came between landing and removal, or because they were made twice.

use crate::{Fate, check_intact, fate, founded, names, pull, unwatched};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange};
use counterfoil_format::intent::IntentId;
use counterfoil_ledger::{Draft, Inbox, Log, SecretKey, Signer, Submission, now};
use counterfoil_tests::draft;
use counterfoil_tests::post::post;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{FOUNDING, Keys, Shop, decisions, switch};

/// Puts a post back as it was before it landed, as a crash leaves it.
fn land_and_put_back(path: &std::path::Path) -> counterfoil_ledger::Posted {
    let log = Log::open(path).unwrap();
    let posted = Inbox::of(path).post(&decisions(&Keys::default().executor, log.ledger_id(), 0, 5)).unwrap();
    let bytes = std::fs::read(posted.path()).unwrap();
    drop(Shop::open_on(&unwatched(), path).unwrap());
    assert!(!posted.path().exists());
    std::fs::write(posted.path(), bytes).unwrap();
    posted
}

#[test]
fn a_post_that_has_landed_is_removed_and_lands_no_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let posted = land_and_put_back(&path);
    assert_eq!(fate(&path, &posted), Fate::Landed(FOUNDING..FOUNDING + 5));
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    assert!(!posted.path().exists() && names(&path.join("quarantine")).is_empty());
    assert_eq!(shop.ledger.notices(), Vec::<String>::new());
    assert_eq!(shop.ledger.log().head().size, FOUNDING + 5);
    assert_eq!(fate(&path, &posted), Fate::Landed(FOUNDING..FOUNDING + 5));
}

/// It is known by its rows, whatever it would be told now.
#[test]
fn a_post_that_has_landed_is_known_when_its_author_was_revoked_since() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let posted = land_and_put_back(&path);
    let bytes = std::fs::read(posted.path()).unwrap();
    std::fs::remove_file(posted.path()).unwrap();
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    let revoke =
        KeyChange::Revoke { key: shop.keys.executor.public().id(), compromised_since: None, reason: "" };
    shop.land(&shop.keys.owner, &[Draft::with_body(IntentId([9; 16]), Body::Key(revoke), now())]).unwrap();
    std::fs::write(posted.path(), bytes).unwrap();
    shop.grant_another().unwrap();
    assert!(!posted.path().exists() && names(&path.join("quarantine")).is_empty());
}

/// The second lies there while the first is in the same group.
#[test]
fn a_submission_that_was_left_twice_lands_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let submission = switch(Log::open(&path).unwrap().ledger_id(), 0, true);
    let posted: Vec<_> = (0..2).map(|_| Inbox::of(&path).post(&submission).unwrap()).collect();
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    for posted in posted {
        assert_eq!(fate(&path, &posted), Fate::Landed(FOUNDING..FOUNDING + 1));
        assert!(!posted.path().exists());
    }
    assert!(names(&path.join("quarantine")).is_empty());
    shop.ledger.close().unwrap();
    check_intact(&path, FOUNDING + 1);
}

/// Rows of the same ids that say something else, or that landed in other company, are not the post's.
#[test]
fn a_post_whose_ids_are_those_of_other_rows_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    let id = shop.ledger.ledger_id();
    shop.ledger.submit(switch(id, 0, false)).unwrap();
    let other = pull(&path, 0, true);
    let first = Inbox::of(&path).post(&decisions(&shop.keys.executor, id, 0, 2)).unwrap();
    shop.ledger.submit(shop.decisions(10, 1)).unwrap();
    let company = Inbox::of(&path).post(&decisions(&shop.keys.executor, id, 1, 2)).unwrap();
    shop.ledger.submit(shop.decisions(11, 1)).unwrap();
    assert_eq!(fate(&path, &first), Fate::Landed(FOUNDING + 1..FOUNDING + 3));
    for refused in [other, company] {
        let Fate::Refused(reason) = fate(&path, &refused) else { panic!("it is refused") };
        assert!(reason.contains("has landed already"), "{reason}");
    }
    assert!(!shop.ledger.governance().in_force.switch.engaged);
}

/// A submission whose salts follow from nothing, so that the same decision is the same intent in each.
fn salted(author: &SecretKey, ledger_id: Hash, numbers: &[u8]) -> Submission {
    let decide = |number: &u8| draft::Draft {
        id: Some(IntentId([*number; 16])),
        ..draft::Draft::decision("SET").add("counter", i64::from(*number))
    };
    let drafts = draft::Submission::new(numbers.iter().map(decide).collect());
    Submission::from_bytes(&post(&mut Rng::new(1), author, ledger_id, drafts)).unwrap()
}

/// The very intents have landed, and not in this submission.
#[test]
fn a_post_whose_intents_have_landed_in_other_company_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    let (author, id) = (&shop.keys.executor, shop.ledger.ledger_id());
    shop.ledger.submit(salted(author, id, &[100, 101])).unwrap();
    let leave = |numbers: &[u8]| Inbox::of(&path).post(&salted(author, id, numbers)).unwrap();
    let posted = [leave(&[100]), leave(&[100, 101, 102]), leave(&[100, 101])];
    shop.ledger.submit(shop.decisions(0, 1)).unwrap();
    let fates = posted.map(|posted| fate(&path, &posted));
    assert!(matches!(&fates[..2], [Fate::Refused(_), Fate::Refused(_)]), "{fates:?}");
    assert_eq!(fates[2], Fate::Landed(FOUNDING..FOUNDING + 2));
}

/// Somebody has taken the file away.
#[test]
fn a_post_that_was_taken_away_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let posted = pull(&path, 0, true);
    std::fs::remove_file(posted.path()).unwrap();
    assert_eq!(fate(&path, &posted), Fate::Missing);
}
