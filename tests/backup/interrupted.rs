//! Backups that were cut short, and copies that lost something: running again completes them.

use super::copies::{append, begin, bytes_of, closed, intact, rows, segments, take, update};
use counterfoil_ledger::Log;
use std::fs::{self, OpenOptions};
use std::path::Path;

fn cut(file: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

fn unfinished(dest: &Path, segment: &Path) -> std::path::PathBuf {
    let mut name = segment.file_name().unwrap().to_owned();
    name.push(".unfinished");
    dest.join("log").join(name)
}

/// The first rows of the ledger, and as many as are there.
#[track_caller]
fn is_prefix(dest: &Path, of: &Path) {
    let (theirs, ours) = (rows(dest), rows(of));
    assert!(ours.starts_with(&theirs), "{} of {} rows", theirs.len(), ours.len());
    // Of the last group a reader knows only by the checkpoint that it is durable.
    assert!(intact(dest) >= theirs.len() as u64);
}

#[test]
fn a_run_that_ends_anywhere_leaves_a_ledger_and_the_next_one_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (path, done) = (closed(dir.path(), 200), dir.path().join("done"));
    let old = dir.path().join("old");
    take(&path, &old);
    append(&path, 200, 200);
    take(&path, &done);
    let ours = segments(&path);
    let kept = segments(&old).len() - 1;
    for complete in kept..ours.len() {
        // The older copy, of which so many segments are new; the next one is not finished.
        let dest = dir.path().join(format!("dest-{complete}"));
        super::copies::copy_back(&old, &dest);
        for segment in ours.iter().take(complete) {
            let name = dest.join("log").join(segment.file_name().unwrap());
            let _ = fs::remove_file(&name);
            fs::hard_link(segment, name).unwrap();
        }
        // The name that a crash leaves may be the ledger's own file: it must not be written to.
        fs::hard_link(&ours[complete], unfinished(&dest, &ours[complete])).unwrap();
        is_prefix(&dest, &path);
        let before = bytes_of(&path);
        let report = take(&path, &dest);
        assert!(report.rows_before >= 203, "{complete} segments: {}", report.rows_before);
        assert!(bytes_of(&path) == before, "the ledger is what it was");
        let (theirs, wanted) = (segments(&dest), segments(&done));
        assert_eq!(theirs.len(), wanted.len());
        for (theirs, wanted) in theirs.iter().zip(&wanted) {
            assert!(fs::read(theirs).unwrap() == fs::read(wanted).unwrap());
        }
        assert!(!unfinished(&dest, &ours[complete]).exists());
        assert_eq!(fs::read(dest.join("checkpoint")).unwrap(), fs::read(done.join("checkpoint")).unwrap());
    }
}

#[test]
fn the_first_run_may_end_before_anything_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (closed(dir.path(), 200), dir.path().join("copy"));
    fs::create_dir_all(dest.join("log")).unwrap();
    fs::write(dest.join("LOCK"), "").unwrap();
    fs::write(unfinished(&dest, &segments(&path)[0]), "half of i").unwrap();
    assert_eq!(take(&path, &dest).rows_before, 0);
    assert_eq!(rows(&dest), rows(&path));
    assert!(!unfinished(&dest, &segments(&path)[0]).exists());
}

#[test]
fn what_a_copy_has_lost_is_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (closed(dir.path(), 200), dir.path().join("copy"));
    take(&path, &dest);
    let wanted = bytes_of(&dest);
    let last = || segments(&dest).pop().unwrap();
    let decay = || {
        let note = fs::read_to_string(dest.join("checkpoint")).unwrap();
        fs::write(dest.join("checkpoint"), note.replace("\n203\n", "\n903\n")).unwrap();
    };
    let losses: [(&str, &dyn Fn(), u64); 8] = [
        ("a bit of the checkpoint, which names 903 rows now", &decay, 203),
        ("the checkpoint", &|| fs::remove_file(dest.join("checkpoint")).unwrap(), 203),
        ("the checkpoint's text", &|| fs::write(dest.join("checkpoint"), "gone").unwrap(), 203),
        ("the last bytes", &|| cut(&last(), 100), 193),
        (
            "the last group and the checkpoint",
            &|| {
                cut(&last(), 100);
                fs::remove_file(dest.join("checkpoint")).unwrap();
            },
            193,
        ),
        ("the last file", &|| fs::remove_file(last()).unwrap(), 0),
        (
            "a side file",
            &|| {
                fs::remove_file(segments(&dest)[0].with_extension("idx")).unwrap();
            },
            203,
        ),
        (
            "all but the header of the last file",
            &|| {
                let size = fs::metadata(last()).unwrap().len();
                cut(&last(), size - 104);
            },
            0,
        ),
    ];
    for (what, lose, rows_before) in losses {
        lose();
        let report = take(&path, &dest);
        if rows_before > 0 {
            assert_eq!(report.rows_before, rows_before, "{what}");
        } else {
            assert!(report.rows_before < 203, "{what}");
        }
        assert!(bytes_of(&dest) == wanted, "{what}");
    }
}

#[test]
fn a_segment_without_rows_is_neither_copied_nor_left() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (closed(dir.path(), 100), dir.path().join("copy"));
    // A crash between the header of a segment and its first group; its name is that of the next row.
    let last = segments(&path).pop().unwrap();
    let mut header = fs::read(&last).unwrap()[..104].to_vec();
    let log = Log::open(&path).unwrap();
    header[16..24].copy_from_slice(&log.head().size.to_le_bytes());
    header[72..104].copy_from_slice(&log.head().row_hash.0);
    header[12..16].fill(0);
    let crc = crc32c::crc32c(&header).to_le_bytes();
    header[12..16].copy_from_slice(&crc);
    let empty = path.join(format!("log/{:020}.seg", log.head().size));
    fs::write(&empty, &header).unwrap();
    assert_eq!(Log::open(&path).unwrap().head(), log.head());

    let report = take(&path, &dest);
    let theirs = segments(&dest);
    assert_eq!(report.linked + report.copied, theirs.len() as u64);
    assert_eq!(theirs.len() + 1, segments(&path).len());
    assert_ne!(
        super::copies::inode(theirs.last().unwrap()),
        super::copies::inode(&last),
        "the last of the copy is its own, also when it is closed in the ledger"
    );
    // In the copy, from another hand: the ledger goes on without it.
    fs::copy(&empty, dest.join("log").join(empty.file_name().unwrap())).unwrap();
    fs::remove_file(&empty).unwrap();
    append(&path, 100, 100);
    take(&path, &dest);
    assert_eq!(rows(&dest), rows(&path));
}

#[test]
fn a_torn_tail_stays_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (path, dest) = (dir.path().join("shop"), dir.path().join("copy"));
    begin(&path).ledger.close().unwrap();
    append(&path, 0, 50);
    ["checkpoint", "durable"].iter().for_each(|witness| fs::remove_file(path.join(witness)).unwrap());
    cut(&segments(&path).pop().unwrap(), 100);
    assert_eq!(update(&path, &dest).head.size, 43);
    assert_eq!(intact(&dest), 43);
}
