//! Destinations that are refused, each untouched and with its reason.

use super::copies::{append, begin, closed, copy_back, intact, refusal, rows, segments, take};
use counterfoil_ledger::{BackupError, Log, OpenError, ReadError};
use counterfoil_tests::shop::Shop;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};

#[test]
fn another_ledger_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (closed(dir.path(), 50), closed(&dir.path().join("other"), 50));
    let error = refusal(&path, &other);
    let BackupError::OtherLedger { there, here, .. } = &error else { panic!("{error}") };
    assert_eq!(*here, Log::open(&path).unwrap().ledger_id());
    assert_eq!(*there, Log::open(&other).unwrap().ledger_id());
    assert!(error.to_string().contains(&here.to_string()) && error.to_string().contains(&there.to_string()));
}

#[test]
fn a_fork_is_refused_and_the_row_where_it_parts_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (common, ours, theirs) in [(10, 10, 10), (100, 300, 50), (150, 20, 400), (300, 10, 10)] {
        let dir = dir.path().join(common.to_string());
        let (path, fork) = (closed(&dir, common), dir.join("fork"));
        copy_back(&path, &fork);
        append(&path, 1000, ours);
        append(&fork, 2000, theirs);
        for (from, to) in [(&path, &fork), (&fork, &path)] {
            let error = refusal(from, to);
            let BackupError::Fork { row, here, there, .. } = error else { panic!("{error}") };
            assert_eq!(row, common + 3, "{error}");
            let at = usize::try_from(row).unwrap();
            assert_eq!((here, there), (rows(from)[at], rows(to)[at]));
            assert!(error.to_string().contains(&format!("row {row} ")), "{error}");
        }
    }
}

#[test]
fn a_fork_that_lost_its_rows_is_known_by_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (path, fork) = (closed(dir.path(), 100), dir.path().join("fork"));
    copy_back(&path, &fork);
    let last = segments(&fork).pop().unwrap();
    let size = fs::metadata(&last).unwrap().len();
    append(&path, 1000, 50);
    append(&fork, 2000, 30);
    for segment in segments(&fork).iter().filter(|segment| **segment > last) {
        fs::remove_file(segment).unwrap();
    }
    OpenOptions::new().write(true).open(&last).unwrap().set_len(size).unwrap();
    let error = refusal(&path, &fork);
    assert!(matches!(error, BackupError::LostFork { rows: 103, size: 133, .. }), "{error}");
    assert!(error.to_string().contains("rows 103 to 132"), "{error}");
    // When it names more rows than there are here, there is nothing to hold it against.
    let old = dir.path().join("old");
    fs::create_dir(&old).unwrap();
    let old = closed(&old, 10);
    let checkpoint = fs::read(old.join("checkpoint")).unwrap();
    let copy = dir.path().join("copy-of-old");
    take(&old, &copy);
    append(&old, 10, 10);
    fs::copy(old.join("checkpoint"), copy.join("checkpoint")).unwrap();
    let older = dir.path().join("older");
    copy_back(&old, &older);
    fs::write(older.join("checkpoint"), checkpoint).unwrap();
    fs::remove_dir_all(older.join("index")).unwrap();
    fs::remove_file(older.join("durable")).unwrap();
    for segment in segments(&older) {
        fs::copy(copy.join("log").join(segment.file_name().unwrap()), segment).unwrap();
    }
    // A writer vouches for what is there.
    drop(Shop::open(&older).unwrap());
    let error = refusal(&older, &copy);
    assert!(matches!(error, BackupError::Ahead { there: 23, here: 13, .. }), "{error}");
}

#[test]
fn a_copy_that_is_ahead_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (closed(dir.path(), 100), dir.path().join("copy"));
    let old = dir.path().join("old");
    take(&path, &old);
    append(&path, 100, 100);
    take(&path, &copy);
    let error = refusal(&old, &copy);
    assert!(matches!(error, BackupError::Ahead { there: 203, here: 103, .. }), "{error}");
    assert!(error.to_string().contains("203 rows") && error.to_string().contains("older"), "{error}");
}

#[test]
fn what_is_no_copy_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path(), 100);
    let thesis = dir.path().join("thesis");
    fs::create_dir_all(thesis.join("log")).unwrap();
    fs::write(thesis.join("log/diary.txt"), "years of work").unwrap();
    let error = refusal(&path, &thesis);
    assert!(matches!(error, BackupError::Occupied(_)), "{error}");
    assert!(!thesis.join("LOCK").exists());
    let error = refusal(&path, &thesis.join("log/diary.txt"));
    assert!(matches!(error, BackupError::Occupied(_)), "{error}");

    symlink(&path, dir.path().join("alias")).unwrap();
    fs::create_dir(path.join("inner")).unwrap();
    symlink(path.join("inner"), dir.path().join("door")).unwrap();
    let inside = ["shop", "alias", "shop/copies/today", "alias/x", "door", "door/x", "thesis/../shop/x"];
    for place in inside {
        let error = refusal(&path, &dir.path().join(place));
        assert!(matches!(error, BackupError::Inside { .. }), "{place}: {error}");
    }
    assert!(!path.join("x").exists() && !path.join("copies").exists());
    // Nor into another ledger, for whose file it would be taken.
    let other = dir.path().join("other");
    begin(&other).ledger.close().unwrap();
    let error = refusal(&path, &other.join("keys/copy"));
    assert!(matches!(&error, BackupError::Inside { ledger, .. } if ledger.ends_with("other")), "{error}");
    assert!(!other.join("keys").exists());
    // Beside it is not inside it, though the name begins the same.
    take(&path, &dir.path().join("shop-copy"));
}

#[test]
fn a_copy_that_someone_writes_to_or_that_is_damaged_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (closed(dir.path(), 100), dir.path().join("copy"));
    take(&path, &copy);
    let shop = Shop::open(&copy).unwrap();
    let error = refusal(&path, &copy);
    assert!(matches!(error, BackupError::Open(OpenError::Locked(_))), "{error}");
    drop(shop);
    // Damage before the last group of the last segment, which is the copy's own file.
    let last = OpenOptions::new().write(true).open(segments(&copy).pop().unwrap()).unwrap();
    last.write_all_at(&[0xff; 8], 400).unwrap();
    let error = refusal(&path, &copy);
    assert!(matches!(error, BackupError::Copy(OpenError::Damaged(_))), "{error}");
    assert!(error.to_string().contains("Move it aside"), "{error}");
    assert_eq!(intact(&path), 103);
}

#[test]
fn a_row_that_has_decayed_is_no_fork() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old, copy) = (closed(dir.path(), 10), dir.path().join("old"), dir.path().join("copy"));
    copy_back(&path, &old);
    append(&path, 10, 200);
    copy_back(&path, &copy);
    // The hash that the old ledger's last row stores, in a closed segment of the copy: its side file vouches for the
    // segment, so that opening does not see it.
    let (hash, first) = (rows(&old)[12], &segments(&copy)[0]);
    let at = fs::read(first).unwrap().windows(32).position(|window| window == hash.0).unwrap();
    OpenOptions::new().write(true).open(first).unwrap().write_all_at(&[!hash.0[0]], at as u64).unwrap();
    let error = refusal(&old, &copy);
    assert!(matches!(error, BackupError::Read(ReadError::Damaged { row: 12, .. })), "{error}");
}
