//! Copies on another file system: nothing can be linked there, so everything is copied, and the report says so.

use super::copies::{append, bytes_of, closed, intact, rows, segments, take};
use counterfoil_ledger::{BackupReport, Linking, Log};
use counterfoil_tests::notice::skipped;
use counterfoil_tests::shop::Shop;
use counterfoil_tests::sim::{Call, SimFs};
use counterfoil_tests::trial::{ROOT, platform};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A directory on another file system than this one, if the machine has any that can be written to.
fn elsewhere(than: &Path) -> Option<tempfile::TempDir> {
    let disk = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    let here = disk(than);
    let is_other = |dir: &tempfile::TempDir| disk(dir.path()) != here;
    let named = std::env::var("COUNTERFOIL_OTHER_DISK").unwrap_or_default();
    let places = [named.as_str(), "/dev/shm", "/run/shm", "/var/tmp", "/tmp", env!("CARGO_MANIFEST_DIR")];
    let usable = places.into_iter().filter(|place| !place.is_empty());
    usable.filter_map(|place| tempfile::tempdir_in(place).ok()).find(is_other)
}

/// The report of a copy of which so many segments were there, and all others were copied.
#[track_caller]
fn is_copied(report: &BackupReport, kept: u64, segments: &[u64]) {
    let new = &segments[kept as usize..];
    assert_eq!((report.kept, report.linked, report.copied, report.shared), (kept, 0, new.len() as u64, 0));
    assert_eq!(report.bytes_copied, new.iter().sum::<u64>());
}

#[test]
fn a_copy_on_another_disk_has_every_byte_twice() {
    let dir = tempfile::tempdir().unwrap();
    let Some(other) = elsewhere(dir.path()) else {
        skipped(
            "no second file system was found, so copies across two were NOT tested on a real one; name a directory on \
             another disk in COUNTERFOIL_OTHER_DISK",
        );
        return;
    };
    let (path, dest) = (closed(dir.path(), 300), other.path().join("new/copy"));
    let sizes = || segments(&path).iter().map(|file| fs::metadata(file).unwrap().len()).collect::<Vec<_>>();
    let told = take(&path, &dest);
    assert!(told.copied >= 4);
    is_copied(&told, 0, &sizes());
    let before = sizes().len() as u64;
    append(&path, 300, 300);
    is_copied(&take(&path, &dest), before - 1, &sizes());
    let wanted = bytes_of(&dest);
    is_copied(&take(&path, &dest), sizes().len() as u64, &sizes());
    assert!(bytes_of(&dest) == wanted);

    for (ours, theirs) in segments(&path).iter().zip(&segments(&dest)) {
        assert_eq!(fs::read(ours).unwrap(), fs::read(theirs).unwrap());
        assert_ne!(fs::metadata(ours).unwrap().dev(), fs::metadata(theirs).unwrap().dev());
        let side = |segment: &Path| fs::read(segment.with_extension("idx"));
        if let Ok(theirs) = side(theirs) {
            assert_eq!(theirs, side(ours).unwrap(), "side files are copied too");
        }
    }
    assert_eq!(rows(&dest), rows(&path));
    // The copy goes on where it is, and the ledger knows nothing of it.
    let before = bytes_of(&path);
    append(&dest, 1000, 10);
    assert_eq!(intact(&dest), 613);
    assert!(bytes_of(&path) == before);
}

/// The same on a simulated disk, so that it is tested on every machine.
#[test]
fn where_linking_fails_everything_is_copied() {
    let (fs, dest) = (SimFs::default(), Path::new("/other/copy"));
    fs.mount(Path::new("/other"));
    let shop = Shop::begin_on(&platform(&fs), Path::new(ROOT), 4096).unwrap();
    let land = |first| {
        (first..first + 20).for_each(|number| drop(shop.ledger.submit(shop.decisions(number, 1)).unwrap()))
    };
    let backup =
        |linking| Log::open_on(&platform(&fs), Path::new(ROOT)).unwrap().backup(dest, linking).unwrap();
    let sizes = |root: &str| {
        let found = fs.contents(".seg").into_iter().filter(|(path, _)| path.starts_with(root));
        found.map(|(_, bytes)| bytes.len() as u64).collect::<Vec<_>>()
    };
    land(0);
    is_copied(&backup(Linking::Allowed), 0, &sizes(ROOT));
    let before = sizes(ROOT).len() as u64;
    assert!(before >= 3);
    land(20);
    is_copied(&backup(Linking::Allowed), before - 1, &sizes(ROOT));
    for linking in [Linking::Allowed, Linking::Never] {
        is_copied(&backup(linking), sizes(ROOT).len() as u64, &sizes(ROOT));
    }
    assert_eq!(sizes("/other"), sizes(ROOT));
    assert!(fs.contents(".unfinished").is_empty());
    assert!(fs.trace().iter().any(|(call, _)| *call == Call::Link), "linking was tried");
}

#[test]
fn links_of_earlier_runs_are_told_too() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (closed(dir.path(), 300), dir.path().join("copy"));
    let closed = segments(&path).len() as u64 - 1;
    let told = |report: &BackupReport| (report.kept, report.linked, report.copied, report.shared);
    assert_eq!(told(&take(&path, &dest)), (0, closed, 1, closed));
    assert_eq!(told(&take(&path, &dest)), (closed + 1, 0, 0, closed), "they still lie on the disk once");
    let report = Log::open(&path).unwrap().backup(&dest, Linking::Never).unwrap();
    assert_eq!(told(&report), (1, 0, closed, 0));
    assert_eq!(told(&take(&path, &dest)), (closed + 1, 0, 0, 0), "what has bytes of its own keeps them");
}

/// A linked segment whose side file was linked before it: one more name for the same file is none.
#[test]
fn no_unfinished_name_is_left_where_the_side_file_was_linked() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (closed(dir.path(), 300), dir.path().join("copy"));
    take(&path, &dest);
    let wanted = bytes_of(&dest);
    let theirs = segments(&dest);
    theirs[theirs.len() - 2..].iter().for_each(|segment| fs::remove_file(segment).unwrap());
    take(&path, &dest);
    assert!(bytes_of(&dest) == wanted);
}
