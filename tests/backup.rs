//! Backup: full, brought up to date, beside a writer, interrupted, refused, and copied back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod backup {
    pub mod copies;
    mod elsewhere;
    mod interrupted;
    mod refused;
}

use backup::copies::{
    append, begin, bytes_of, closed, copy_back, inode, intact, rows, segments, take, update,
};
use counterfoil_ledger::{BackupReport, Linking, Log};
use counterfoil_tests::draft::Draft;
use counterfoil_tests::forge::Forge;
use counterfoil_tests::founding::Founding;
use counterfoil_tests::output::{Ledger, Sink};
use counterfoil_tests::shop::{FOUNDING, Shop, decision_key};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_copy_is_the_same_ledger_without_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (closed(dir.path(), 300), dir.path().join("new/place/copy"));
    fs::create_dir(path.join("keys")).unwrap();
    fs::write(path.join("keys/ledger.key"), "secret").unwrap();
    let report = take(&path, &dest);

    let (ours, theirs) = (segments(&path), segments(&dest));
    assert!(ours.len() >= 4);
    let closed = ours.len() as u64 - 1;
    let BackupReport { rows_before, kept, linked, copied, bytes_copied, .. } = report;
    assert_eq!((rows_before, kept, linked, copied), (0, 0, closed, 1));
    assert_eq!(bytes_copied, fs::metadata(ours.last().unwrap()).unwrap().len());
    for (place, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours.file_name(), theirs.file_name());
        assert_eq!(fs::read(ours).unwrap(), fs::read(theirs).unwrap());
        let is_last = place as u64 == closed;
        assert_eq!(inode(ours) == inode(theirs), !is_last, "closed segments are linked, the last is not");
        assert_ne!(theirs.with_extension("idx").exists(), is_last, "side files are there for closed ones");
    }
    assert_eq!(rows(&dest), rows(&path));
    assert_eq!(intact(&dest), 300 + FOUNDING);
    assert_eq!(report.head, Log::open(&path).unwrap().head());
    let note = Log::open(&path).unwrap().signed_checkpoint().unwrap().to_string();
    assert_eq!(fs::read_to_string(dest.join("checkpoint")).unwrap(), note);
    let mut names: Vec<_> =
        fs::read_dir(&dest).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["LOCK", "checkpoint", "log"], "no keys, no index");
}

#[test]
fn the_next_run_brings_only_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (closed(dir.path(), 300), dir.path().join("copy"));
    take(&path, &dest);
    let before: Vec<_> = segments(&dest).iter().map(|segment| inode(segment)).collect();

    let report = take(&path, &dest);
    assert_eq!((report.rows_before, report.kept), (303, before.len() as u64));
    assert_eq!((report.linked, report.copied, report.bytes_copied), (0, 0, 0));

    append(&path, 300, 300);
    let report = take(&path, &dest);
    let after = segments(&dest);
    let old = before.len() as u64 - 1;
    assert_eq!((report.rows_before, report.head.size), (303, 603));
    assert_eq!((report.kept, report.copied), (old, 1), "of the old ones the last has grown");
    assert_eq!(report.linked, after.len() as u64 - old - 1);
    assert!(report.bytes_copied <= fs::metadata(after.last().unwrap()).unwrap().len());
    for (segment, before) in after.iter().zip(&before[..old as usize]) {
        assert_eq!(inode(segment), *before, "what was there is left alone");
    }
    assert_eq!(rows(&dest), rows(&path));
    assert_eq!(intact(&dest), 603);

    // Every byte twice from now on.
    let report = Log::open(&path).unwrap().backup(&dest, Linking::Never).unwrap();
    assert_eq!((report.linked, report.copied, report.kept), (0, after.len() as u64 - 1, 1));
    for (ours, theirs) in segments(&path).iter().zip(&after) {
        assert_ne!(inode(ours), inode(theirs));
    }
    let report = Log::open(&path).unwrap().backup(&dest, Linking::Never).unwrap();
    assert_eq!((report.copied, report.kept), (0, after.len() as u64));
    assert_eq!(intact(&dest), 603);
}

#[test]
fn every_backup_beside_writers_is_a_prefix_that_is_intact() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (dir.path().join("shop"), dir.path().join("copy"));
    let shop = begin(&path);
    let running = AtomicBool::new(true);
    let sizes = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let shop = &shop;
                scope.spawn(move || {
                    for number in 0..60 {
                        shop.ledger.submit(shop.decisions((writer * 60 + number) * 5, 5)).unwrap();
                    }
                })
            })
            .collect();
        let copier = scope.spawn(|| {
            let mut sizes = Vec::new();
            while running.load(Ordering::Relaxed) {
                // As another process does it, and on the writer's own handle.
                let own = sizes.len() % 2 == 1;
                let report = match own {
                    true => shop.ledger.log().backup(&dest, Linking::Allowed).unwrap(),
                    false => take(&path, &dest),
                };
                assert_eq!(intact(&dest), report.head.size);
                assert_eq!(report.rows_before, sizes.last().copied().unwrap_or(0));
                sizes.push(report.head.size);
            }
            sizes
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        running.store(false, Ordering::Relaxed);
        copier.join().unwrap()
    });
    println!("{} backups beside the writers: {sizes:?}", sizes.len());
    assert!(sizes.is_sorted());
    shop.ledger.close().unwrap();
    take(&path, &dest);
    assert_eq!(rows(&dest), rows(&path));
    assert_eq!(intact(&dest), 900 + FOUNDING);
}

#[test]
fn a_copy_that_is_copied_back_goes_on_as_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (closed(dir.path(), 300), dir.path().join("copy"));
    take(&path, &dest);
    let shop = Shop::open(&path).unwrap();
    let held = |shop: &Shop| -> Vec<_> {
        (0..300)
            .map(|number| shop.ledger.current(&decision_key(number)).unwrap().map(|held| held.row))
            .collect()
    };
    let state = held(&shop);
    assert!(state.iter().all(Option::is_some));
    drop(shop);
    fs::remove_dir_all(&path).unwrap();

    copy_back(&dest, &path);
    let shop = Shop::open(&path).unwrap();
    assert_eq!(shop.ledger.notices(), Vec::<String>::new());
    assert_eq!(held(&shop), state);
    shop.ledger.submit(shop.decisions(300, 200)).unwrap();
    shop.ledger.close().unwrap();
    assert_eq!(intact(&path), 503);
    // And the copy it came from is brought up to date.
    assert_eq!(take(&path, &dest).rows_before, 303);
    assert_eq!(rows(&dest), rows(&path));
}

#[test]
fn writing_to_a_linked_copy_never_reaches_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (closed(dir.path(), 300), dir.path().join("copy"));
    let before = bytes_of(&path);
    // Linked whole, as `cp -rl` does it.
    fs::create_dir_all(copy.join("log")).unwrap();
    for segment in segments(&path) {
        fs::hard_link(&segment, copy.join("log").join(segment.file_name().unwrap())).unwrap();
    }
    append(&copy, 300, 10);
    assert_eq!(bytes_of(&path), before, "the ledger's own files are what they were");
    assert_eq!((intact(&path), intact(&copy)), (303, 313));
    // The other way round too.
    let before = bytes_of(&copy);
    append(&path, 400, 10);
    assert_eq!(bytes_of(&copy), before);
}

#[test]
fn what_was_erased_in_the_ledger_is_erased_in_the_copy() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (dir.path().join("shop"), dir.path().join("copy"));
    let forge = |erased: bool| {
        let founding = Founding { segment_bytes: 4 << 10, ..Founding::default() };
        let mut forge = Forge::founded(7, founding, Sink::memory());
        for number in 0..40 {
            let draft = Draft::decision("price.set").subject("customer-7701", None).add("stock/1", 1);
            let closed = erased && number == 3;
            let draft = if closed { draft.close(counterfoil_format::part::PartTag::Subject) } else { draft };
            forge.submit(vec![draft]);
        }
        forge.finish()
    };
    let (whole, erased) = (forge(false), forge(true));
    whole.write_to(&path).unwrap();
    let count = whole.segments.len() as u64;
    assert!(count >= 3);
    take(&path, &dest);
    let sizes = |ledger: &Ledger| ledger.segments.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>();
    assert_eq!(sizes(&whole), sizes(&erased), "a closed slot may be as long as the open one was");
    for (first, bytes) in &erased.segments {
        // As erasing does it: written beside the old file, and renamed over it.
        let segment = counterfoil_tests::output::segment_path(&path, *first);
        fs::write(segment.with_extension("erased"), bytes).unwrap();
        fs::rename(segment.with_extension("erased"), segment).unwrap();
    }
    let differ = whole.segments.iter().zip(&erased.segments).filter(|(a, b)| a != b).count() as u64;
    assert!((1..count).contains(&differ), "the rows are the same, some bytes are not");
    let report = update(&path, &dest);
    assert_eq!((report.kept, report.linked + report.copied), (count - differ, differ));
    let theirs: Vec<_> = segments(&dest).iter().map(|segment| fs::read(segment).unwrap()).collect();
    let erased: Vec<_> = erased.segments.into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(theirs, erased);
}
