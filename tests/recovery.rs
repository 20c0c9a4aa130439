//! Opening a ledger: torn tails, corruption, missing rows, broken side files and state indexes, and a second writer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_ledger::{Ledger, Log, OpenError, reindex};
use counterfoil_tests::shop::{ENTITIES, FOUNDING, Shop};
use counterfoil_verifier::{Options, Verdict, verify};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const ROWS: u64 = 300;

/// A closed ledger of three segments or more, the last of which has more than one group of decisions.
fn closed(dir: &Path) -> PathBuf {
    let path = dir.join("shop");
    let shop = Shop::begin(&path, 64 << 10);
    for first in (0..ROWS).step_by(10) {
        shop.ledger.submit(shop.decisions(first, 10)).unwrap();
    }
    shop.ledger.close().unwrap();
    assert!(segments(&path).len() >= 3);
    path
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    segments.sort();
    segments
}

fn last_segment(path: &Path) -> PathBuf {
    segments(path).pop().unwrap()
}

const WITNESSES: [&str; 3] = ["checkpoint", "durable", "index"];

/// Removes everything that names rows, but for the log and this witness: what a crash soon after a sync may leave.
fn forget_witnesses_but(path: &Path, kept: &str) {
    let _ = fs::remove_file(last_segment(path).with_extension("idx"));
    for witness in WITNESSES.iter().filter(|witness| **witness != kept) {
        let (path, is_dir) = (path.join(witness), *witness == "index");
        let _ = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}

fn forget_witnesses(path: &Path) {
    forget_witnesses_but(path, "");
}

fn cut(file: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

fn flip(file: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

fn open_error(path: &Path) -> OpenError {
    Shop::open(path).err().unwrap()
}

#[test]
fn a_torn_tail_is_kept_aside_and_the_ledger_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    forget_witnesses(&path);
    cut(&last_segment(&path), 100);
    // A reader leaves the tail alone and sees what is before it.
    let before = size(&last_segment(&path));
    assert_eq!(Log::open(&path).unwrap().head().size, ROWS + FOUNDING - 10);
    assert_eq!(size(&last_segment(&path)), before);

    let shop = Shop::open(&path).unwrap();
    assert_eq!(shop.ledger.log().head().size, ROWS + FOUNDING - 10);
    assert!(shop.ledger.notices().iter().any(|notice| notice.contains("quarantine")));
    let kept: Vec<_> = fs::read_dir(path.join("quarantine")).unwrap().collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].as_ref().unwrap().metadata().unwrap().len(), before - size(&last_segment(&path)));
    shop.ledger.submit(shop.decisions(ROWS, 10)).unwrap();
    shop.ledger.close().unwrap();
    let report = verify(&path, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
}

#[test]
fn a_torn_tail_that_something_names_is_corruption_and_nothing_is_cut() {
    for witness in WITNESSES {
        let dir = tempfile::tempdir().unwrap();
        let path = closed(dir.path());
        let last = last_segment(&path);
        forget_witnesses_but(&path, witness);
        cut(&last, 100);
        let before = size(&last);
        let error = open_error(&path);
        assert!(matches!(error, OpenError::Damaged(_)), "{witness}: {error}");
        assert!(error.to_string().contains(last.to_str().unwrap()), "{error}");
        assert_eq!(size(&last), before, "nothing is cut");
        assert!(!path.join("quarantine").exists());
    }
}

#[test]
fn whole_groups_missing_at_the_end_are_missed_when_something_names_them() {
    for witness in WITNESSES {
        let dir = tempfile::tempdir().unwrap();
        let path = closed(dir.path());
        forget_witnesses_but(&path, witness);
        let removed = last_segment(&path);
        fs::remove_file(&removed).unwrap();
        let error = open_error(&path);
        assert!(matches!(error, OpenError::Broken { .. }), "{witness}: {error}");
        let said = error.to_string();
        assert!(said.contains("rows are missing at its end") && said.contains(witness), "{said}");
    }
}

#[test]
fn damage_before_the_last_group_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    forget_witnesses(&path);
    // In the last segment: a later group says that this one was durable.
    let last = last_segment(&path);
    flip(&last, 200);
    assert!(matches!(open_error(&path), OpenError::Damaged(_)));
    flip(&last, 200);
    assert!(Shop::open(&path).is_ok());
    // In a closed segment, when it has to be read: without its side file.
    forget_witnesses(&path);
    let first = &segments(&path)[0];
    fs::remove_file(first.with_extension("idx")).unwrap();
    flip(first, 300);
    let error = open_error(&path);
    assert!(matches!(error, OpenError::Damaged(_)), "{error}");
    flip(first, 300);
    assert!(Shop::open(&path).is_ok());
}

#[test]
fn a_segment_whose_header_was_never_synced_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    forget_witnesses(&path);
    let unborn = path.join(format!("log/{:020}.seg", ROWS + FOUNDING));
    for bytes in [0, 50] {
        fs::write(&unborn, vec![0; bytes]).unwrap();
        let shop = Shop::open(&path).unwrap();
        assert_eq!(shop.ledger.log().head().size, ROWS + FOUNDING);
        assert!(shop.ledger.notices().iter().any(|notice| notice.contains("header")), "{bytes} bytes");
        assert!(!unborn.exists());
    }
}

#[test]
fn a_founding_that_was_cut_short_is_left_alone_by_opening_and_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    fs::create_dir_all(path.join("log")).unwrap();
    fs::write(path.join("log/00000000000000000000.new"), b"half a segment").unwrap();
    assert!(matches!(open_error(&path), OpenError::NotALedger { .. }));
    assert!(matches!(reindex(&path), Err(OpenError::NotALedger { .. })));
    assert!(matches!(Log::open(&path), Err(OpenError::NotALedger { .. })));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "nothing was made beside log/");
    drop(Shop::begin(&path, 64 << 10));
    assert_eq!(Log::open(&path).unwrap().head().size, FOUNDING);
}

#[test]
fn side_files_and_state_index_are_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let answers = |shop: &Shop| -> Vec<_> {
        let ids = (0..ROWS)
            .map(|number| shop.ledger.log().find_id(&counterfoil_tests::shop::decision_id(number)).unwrap());
        let keys = (0..ROWS).flat_map(|number| {
            let key = format!("price/sku-{:06}", number.wrapping_mul(7919) % ENTITIES);
            [
                shop.ledger.current(&key).unwrap().map(|held| held.row),
                shop.ledger.log().find_key(&key, 0..u64::MAX).unwrap().pop(),
            ]
        });
        ids.chain(keys).collect()
    };
    let shop = Shop::open(&path).unwrap();
    assert_eq!(shop.ledger.notices(), Vec::<String>::new());
    let right = answers(&shop);
    assert!(right.iter().all(Option::is_some));
    drop(shop);

    let side = segments(&path)[0].with_extension("idx");
    let whole = fs::read(&side).unwrap();
    for damage in ["gone", "flipped", "cut", "of another segment"] {
        match damage {
            "gone" => fs::remove_file(&side).unwrap(),
            "flipped" => flip(&side, whole.len() as u64 / 2),
            "cut" => cut(&side, 1),
            _ => drop(fs::copy(segments(&path)[1].with_extension("idx"), &side).unwrap()),
        }
        let shop = Shop::open(&path).unwrap();
        assert_eq!(shop.ledger.notices().len(), 1, "{damage}");
        assert_eq!(answers(&shop), right, "{damage}");
        drop(shop);
        let rebuilt = fs::read(&side).unwrap();
        assert_eq!(rebuilt, whole, "a rebuild gives the same bytes");
    }

    // An index of another ledger, one that is garbage, and one that is gone.
    let other = tempfile::tempdir().unwrap();
    let foreign = closed(other.path());
    for index in ["foreign", "garbage", "gone"] {
        fs::remove_dir_all(path.join("index")).unwrap();
        match index {
            "foreign" => fs::rename(foreign.join("index"), path.join("index")).unwrap(),
            "garbage" => {
                fs::create_dir(path.join("index")).unwrap();
                fs::write(path.join("index/db"), b"not a database").unwrap();
                fs::write(path.join("index/conf"), b"nor its configuration").unwrap();
            }
            _ => {}
        }
        let shop = Shop::open(&path).unwrap();
        assert_eq!(answers(&shop), right, "{index}");
        assert_eq!(shop.ledger.notices().is_empty(), index == "gone", "{index}: {:?}", shop.ledger.notices());
        shop.ledger.close().unwrap();
    }
}

#[test]
fn there_is_one_writer_and_it_has_the_right_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let shop = Shop::open(&path).unwrap();
    assert!(matches!(open_error(&path), OpenError::Locked(_)));
    assert_eq!(Log::open(&path).unwrap().head(), shop.ledger.log().head());
    drop(shop);
    let stranger = std::sync::Arc::new(counterfoil_ledger::SecretKey::generate().unwrap());
    assert!(matches!(Ledger::open(&path, stranger).err().unwrap(), OpenError::WrongLedgerKey));
    for (missing, there) in [("nowhere", false), ("empty", true)] {
        let path = dir.path().join(missing);
        if there {
            fs::create_dir(&path).unwrap();
        }
        assert!(matches!(open_error(&path), OpenError::NotALedger { .. }));
        assert!(matches!(Log::open(&path).err().unwrap(), OpenError::NotALedger { .. }));
        assert!(!path.join("LOCK").exists(), "nothing is made in a directory that is no ledger");
    }
}
