//! What is refused: it is kept with its reason, and stops nobody.

use crate::{Fate, check_intact, fate, founded, names, pull, unwatched};
use counterfoil_format::Hash;
use counterfoil_format::intent::IntentId;
use counterfoil_format::value::Value;
use counterfoil_ledger::{
    Draft, DraftOp, Inbox, Log, Posted, SecretKey, Signer, Submission, SubmissionBuilder, now,
};
use counterfoil_tests::shop::{FOUNDING, Keys, Shop, switch};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// A name of a post, in front of all that are made now.
fn name(number: u64) -> String {
    format!("{number:032x}.submission")
}

fn decision(author: &dyn Signer, ledger_id: Hash) -> Submission {
    let value = Value::Int(1);
    let mut draft = Draft::decision(IntentId([77; 16]), "SET", now());
    draft.ops.push(DraftOp::Put("key", &value));
    let mut builder = SubmissionBuilder::new(author).unwrap();
    builder.push(&draft).unwrap();
    builder.sign(ledger_id).unwrap()
}

/// Garbage of all kinds under the names of posts; yields the reason that each is expected to be refused for.
fn litter(inbox: &Path, good: &[u8]) -> Vec<(String, &'static str)> {
    let at = |number| inbox.join(name(number));
    fs::write(at(0), b"").unwrap();
    fs::write(at(1), vec![0xa5; 4096]).unwrap();
    fs::write(at(2), &good[..good.len() - 1]).unwrap();
    let sparse = fs::File::create(at(3)).unwrap();
    sparse.set_len(1 << 40).unwrap();
    fs::create_dir(at(4)).unwrap();
    fs::write(at(4).join("inside"), b"x").unwrap();
    assert!(Command::new("mkfifo").arg(at(5)).status().unwrap().success());
    symlink("/dev/zero", at(6)).unwrap();
    symlink("../log/00000000000000000000.seg", at(7)).unwrap();
    let reasons =
        ["end early", "no post", "checksum", "large", "regular file", "regular file", "regular file"];
    let reasons = reasons.into_iter().chain(["no post"]);
    (0..).map(name).zip(reasons).collect()
}

#[test]
fn garbage_is_kept_aside_and_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let inbox = path.join("inbox");
    let posted = pull(&path, 0, true);
    let garbage = litter(&inbox, &fs::read(posted.path()).unwrap());
    // These are none of the writer's, or lead nowhere.
    let others = ["README", "0123.submission", &format!("{}.new", "ab".repeat(16)), &name(99)];
    others[..3].iter().for_each(|other| fs::write(inbox.join(other), b"x").unwrap());
    symlink("nowhere", inbox.join(others[3])).unwrap();

    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    assert_eq!(fate(&path, &posted), Fate::Landed(FOUNDING..FOUNDING + 1));
    let notices = shop.ledger.notices();
    for (name, expected) in &garbage {
        let kept = path.join("quarantine").join(name);
        assert!(fs::symlink_metadata(&kept).is_ok(), "{name} is kept");
        let reason = fs::read_to_string(path.join("quarantine").join(format!("{name}.reason"))).unwrap();
        assert!(reason.contains(expected), "{name}: {reason}");
        assert!(notices.iter().any(|notice| notice.contains(name)), "{name} is told");
    }
    let mut left = others.map(str::to_owned).to_vec();
    left.sort();
    assert_eq!(names(&inbox), left);
    assert!(path.join("quarantine").join(name(4)).join("inside").exists());
    shop.ledger.submit(shop.decisions(0, 1)).unwrap();
    shop.ledger.close().unwrap();
    check_intact(&path, FOUNDING + 2);
}

/// What is refused a second time does not take the place of what was kept.
#[test]
fn what_is_kept_stays_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    fs::create_dir(path.join("inbox")).unwrap();
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    for number in 0..3 {
        fs::write(path.join("inbox").join(name(0)), [number; 3]).unwrap();
        shop.ledger.submit(shop.decisions(number.into(), 1)).unwrap();
    }
    let kept = |end: &str| fs::read(path.join("quarantine").join(name(0) + end)).unwrap();
    assert_eq!([kept(""), kept(".0"), kept(".1")], [[0; 3], [1; 3], [2; 3]]);
}

#[test]
fn what_may_not_land_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    let here = shop.ledger.ledger_id();
    let post = |submission: &Submission| Inbox::of(&path).post(submission).unwrap();
    let posts: [(Posted, &str); 4] = [
        (post(&switch(Hash([1; 32]), 0, true)), "was signed for ledger"),
        (post(&decision(&SecretKey::generate().unwrap(), here)), "never enrolled"),
        (post(&decision(&Keys::default().operator, here)), "may not write decision rows"),
        (post(&decision(&*Keys::default().ledger, here)), "may not write decision rows"),
    ];
    let good = pull(&path, 1, true);
    let receipts = shop.ledger.submit(shop.decisions(0, 2)).unwrap();
    assert_eq!(receipts[0].seq, FOUNDING + 1, "what is refused leaves no row, and answers nobody else");
    for (posted, expected) in posts {
        let Fate::Refused(reason) = fate(&path, &posted) else { panic!("{expected}") };
        assert!(reason.contains(expected), "{reason}");
    }
    assert_eq!(fate(&path, &good), Fate::Landed(FOUNDING..FOUNDING + 1));
    check_intact(&path, FOUNDING + 3);
}

/// A reason that a crash has taken is said to be lost.
#[test]
fn a_reason_may_be_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let posted = Inbox::of(&path).post(&switch(Hash([1; 32]), 0, true)).unwrap();
    drop(Shop::open_on(&unwatched(), &path).unwrap());
    for entry in names(&path.join("quarantine")).iter().filter(|name| name.ends_with(".reason")) {
        fs::write(path.join("quarantine").join(entry), b"").unwrap();
    }
    let Fate::Refused(reason) = posted.fate(&Log::open(&path).unwrap()).unwrap() else { panic!() };
    assert!(reason.contains("lost"), "{reason}");
}

/// Notices are told, but not without end.
#[test]
fn notices_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    fs::create_dir(path.join("inbox")).unwrap();
    (0..100).for_each(|number| fs::write(path.join("inbox").join(name(number)), b"x").unwrap());
    let shop = Shop::open_on(&unwatched(), &path).unwrap();
    let notices = shop.ledger.notices();
    assert_eq!(notices.len(), 33, "{notices:?}");
    assert!(notices[0].contains("68 earlier"), "{}", notices[0]);
    assert!(names(&path.join("inbox")).is_empty());
}
