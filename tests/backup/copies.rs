//! Ledgers and their copies, and what is to be said of them.

use counterfoil_format::Hash;
use counterfoil_ledger::{BackupError, BackupReport, Linking, Log};
use counterfoil_tests::shop::{Shop, row_hashes};
use counterfoil_verifier::{Options, Verdict, verify};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A ledger of small segments.
pub fn begin(path: &Path) -> Shop {
    Shop::begin(path, 32 << 10)
}

/// A closed ledger of several segments with so many decisions.
pub fn closed(dir: &Path, rows: u64) -> PathBuf {
    let path = dir.join("shop");
    begin(&path).ledger.close().unwrap();
    append(&path, 0, rows);
    path
}

/// Lands decisions, ten at a time.
pub fn append(path: &Path, first: u64, rows: u64) {
    let shop = Shop::open(path).unwrap();
    for first in (first..first + rows).step_by(10) {
        shop.ledger.submit(shop.decisions(first, 10)).unwrap();
    }
    shop.ledger.close().unwrap();
}

/// Backs up, and asserts that the copy is intact.
#[track_caller]
pub fn take(path: &Path, dest: &Path) -> BackupReport {
    let report = update(path, dest);
    assert_eq!(intact(dest), report.head.size);
    report
}

/// Backs up.
#[track_caller]
pub fn update(path: &Path, dest: &Path) -> BackupReport {
    Log::open(path).unwrap().backup(dest, Linking::Allowed).unwrap()
}

/// Why a backup is refused; nothing in the destination may have changed.
#[track_caller]
pub fn refusal(path: &Path, dest: &Path) -> BackupError {
    let before = bytes_of(dest);
    let error = Log::open(path).unwrap().backup(dest, Linking::Allowed).unwrap_err();
    assert!(bytes_of(dest) == before, "{error}: something was changed");
    error
}

/// The rows of a ledger that the verifier finds nothing wrong with.
#[track_caller]
pub fn intact(path: &Path) -> u64 {
    let report = verify(path, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    report.rows
}

/// The hashes of all rows, as a reader sees them.
pub fn rows(path: &Path) -> Vec<Hash> {
    row_hashes(&Log::open(path).unwrap())
}

/// The segments, in order.
pub fn segments(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == "seg"));
    found.sort();
    found
}

/// The number of a file on its disk, which all its names share.
pub fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// All files below a directory with their bytes, but for the lock; or the file itself.
pub fn bytes_of(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    if path.is_file() {
        found.push((path.to_owned(), fs::read(path).unwrap()));
    } else if path.is_dir() {
        for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
            if !entry.ends_with("LOCK") && !entry.ends_with("index") {
                found.extend(bytes_of(&entry));
            }
        }
    }
    found.sort();
    found
}

/// Copies a ledger's files, as `cp -r` does it.
pub fn copy_back(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_back(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
