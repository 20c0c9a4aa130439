//! Snapshots as a writer makes and pins them: by the policy, in the background or when it closes, whatever happens to the
//! disk meanwhile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use counterfoil_format::body::{Body, KeyChange};
use counterfoil_format::intent::IntentId;
use counterfoil_format::key::key_id;
use counterfoil_format::policy::PolicyBody;
use counterfoil_ledger::{Draft, Log, PinError, Platform, SecretKey, Signer, SnapshotFile, now};
use counterfoil_replay::state::state_after;
use counterfoil_tests::past::Rows;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::Shop;
use counterfoil_tests::sim::{Call, Ignored, Left, SimFs};
use counterfoil_tests::trial::{ROOT, platform};
use counterfoil_verifier::{CheckId, Options, Verdict, verify};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Nothing that goes well takes so long.
const LONG: Duration = Duration::from_secs(60);

/// A shop whose policy has a snapshot kept every so many rows.
fn begin(platform: &Platform, path: &Path, every: u64) -> Shop {
    let shop = Shop::begin_on(platform, path, 64 << 10).unwrap();
    let policy = PolicyBody { snapshot_rows: Some(every), ..PolicyBody::open(64 << 10) };
    shop.land(&shop.keys.owner, &[Draft::with_body(IntentId([7; 16]), Body::Policy(policy), now())]).unwrap();
    shop
}

/// Surroundings in which the writer looks so often whether a snapshot is due.
fn looking(every: Duration) -> Platform {
    Platform { snapshots_every: Some(every), ..Platform::default() }
}

/// Which rows the snapshots are after.
fn pinned(log: &Log) -> Vec<u64> {
    log.snapshot_rows().unwrap().iter().map(|(_, pinned)| pinned.at).collect()
}

/// The verifier finds nothing, and has computed so many snapshots again.
fn check_intact(path: &Path, snapshots: usize) {
    let report = verify(path, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    let detail = &report.checks.get(&CheckId::V16).unwrap().detail;
    assert!(detail.starts_with(&format!("{snapshots} snapshot")), "{detail}");
}

/// Every snapshot tells the state that the rows tell.
fn check_states(log: &Log) {
    for size in [1, 4, 12, log.head().size / 2, log.head().size] {
        let (quick, plain) =
            (state_after(&Rows::and_snapshots(log), size), state_after(&Rows::of(log), size));
        assert_eq!(quick.unwrap().digest(), plain.unwrap().digest(), "after {size} rows");
    }
    for (row, pinned) in log.snapshot_rows().unwrap() {
        let file =
            SnapshotFile::open(log.layout(), pinned).unwrap_or_else(|error| panic!("row {row}: {error}"));
        file.check().unwrap_or_else(|error| panic!("row {row}: {error}"));
    }
}

#[test]
fn they_are_made_in_the_background_while_rows_land() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let shop = begin(&looking(Duration::from_millis(1)), &path, 25);
    let (began, mut number) = (Instant::now(), 0);
    while pinned(shop.ledger.log()).len() < 4 {
        assert!(began.elapsed() < LONG, "{:?}", shop.ledger.notices());
        shop.ledger.submit(shop.decisions(number, 3)).unwrap();
        number += 3;
    }
    shop.ledger.close().unwrap();
    let log = Log::open(&path).unwrap();
    let found = pinned(&log);
    assert!(found.windows(2).all(|pair| pair[1] - pair[0] >= 25), "{found:?}");
    check_states(&log);
    check_intact(&path, found.len());
}

#[test]
fn without_a_word_of_the_policy_none_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let shop = Shop::begin_on(&looking(Duration::ZERO), &path, 64 << 10).unwrap();
    (0..100).for_each(|number| drop(shop.ledger.submit(shop.decisions(number * 3, 3)).unwrap()));
    shop.ledger.close().unwrap();
    assert!(pinned(&Log::open(&path).unwrap()).is_empty());
    assert!(!path.join("snapshots").exists());
}

/// Each of many programs that open the ledger for one row makes it when its turn has come.
#[test]
fn whoever_opens_a_ledger_for_a_moment_makes_it_when_closing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    begin(&looking(LONG), &path, 10).ledger.close().unwrap();
    for number in 0..30 {
        let shop = Shop::open_on(&looking(LONG), &path).unwrap();
        shop.ledger.submit(shop.decisions(number, 1)).unwrap();
        shop.ledger.close().unwrap();
    }
    let log = Log::open(&path).unwrap();
    assert_eq!(pinned(&log), [9, 20, 31]);
    check_states(&log);
    check_intact(&path, 3);
}

#[test]
fn the_key_that_seals_is_the_one_that_pins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let shop = begin(&looking(LONG), &path, 1000);
    shop.ledger.snapshot().unwrap().unwrap();
    let new = Arc::new(SecretKey::from_seed(&[9; 32]).unwrap());
    let old = key_id(shop.keys.ledger.public().as_bytes());
    let rotation = Body::Key(KeyChange::Rotate { old, key: *new.public().as_bytes() });
    shop.ledger.hold(new.clone());
    let rotation = Draft::with_body(IntentId([9; 16]), rotation, now());
    shop.land(&shop.keys.owner, &[rotation]).unwrap();
    let receipt = shop.ledger.snapshot().unwrap().unwrap();
    let row = shop.ledger.log().row(receipt.seq).unwrap();
    assert_eq!(row.parse().unwrap().head.author, new.public().id());
    shop.ledger.close().unwrap();
    check_intact(&path, 2);
}

/// A file that cannot be written costs nothing but the snapshot: rows go on landing, and it is said.
#[test]
fn what_stands_against_a_snapshot_stops_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let shop = begin(&looking(Duration::from_millis(1)), &path, 10);
    std::fs::write(path.join("snapshots"), "in the way").unwrap();
    let (began, mut number) = (Instant::now(), 0);
    while !shop.ledger.notices().iter().any(|notice| notice.contains("no snapshot was made")) {
        assert!(began.elapsed() < LONG);
        shop.ledger.submit(shop.decisions(number, 1)).unwrap();
        number += 1;
    }
    shop.ledger.submit(shop.decisions(number, 1)).unwrap();
    assert!(matches!(shop.ledger.snapshot(), Err(PinError::Make(_))));
    std::fs::remove_file(path.join("snapshots")).unwrap();
    shop.ledger.snapshot().unwrap().unwrap();
    assert!(!shop.ledger.notices().iter().any(|notice| notice.contains("snapshot")));
    shop.ledger.close().unwrap();
    check_intact(&path, 1);
}

/// A file that was changed and put right again is not believed where all of it is read: the next one is made without it.
#[test]
fn a_snapshot_that_is_a_lie_under_right_checksums_is_done_without() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let shop = begin(&looking(LONG), &path, 1000);
    shop.ledger.submit(shop.decisions(0, 10)).unwrap();
    shop.ledger.snapshot().unwrap().unwrap();
    let (_, pinned) = shop.ledger.log().snapshot_rows().unwrap()[0];
    let file = shop.ledger.log().layout().snapshot(pinned.at);
    let mut bytes = std::fs::read(&file).unwrap();
    forge(&mut bytes);
    std::fs::write(&file, bytes).unwrap();
    let forged = SnapshotFile::open(shop.ledger.log().layout(), pinned).unwrap();
    assert!(forged.check().unwrap_err().to_string().contains("its digest does not hold"));
    // It is the nearest to what follows.
    let rows = shop.ledger.log().head().size;
    let (quick, plain) = (Rows::and_snapshots(shop.ledger.log()), Rows::of(shop.ledger.log()));
    assert_eq!(state_after(&quick, rows).unwrap().digest(), state_after(&plain, rows).unwrap().digest());
    shop.ledger.submit(shop.decisions(10, 10)).unwrap();
    shop.ledger.snapshot().unwrap().unwrap();
    shop.ledger.close().unwrap();
    check_intact(&path, 2);
    assert_eq!(Log::open(&path).unwrap().make_snapshots().unwrap(), [pinned.at]);
    check_states(&Log::open(&path).unwrap());
}

/// Changes a bit of the first leaf, and puts the checksums right.
fn forge(snapshot: &mut [u8]) {
    let number = |bytes: &[u8], at: usize| -> usize {
        usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
    };
    // The head: magic, version, crc, at, leaves, state, index, blocks.
    let index = number(snapshot, 64);
    let (block, bytes) = (number(snapshot, index), &snapshot[index + 8..index + 12]);
    let bytes = usize::try_from(u32::from_le_bytes(bytes.try_into().unwrap())).unwrap();
    snapshot[block + bytes - 12] ^= 1;
    let crc = crc32c::crc32c(&snapshot[block..block + bytes]);
    snapshot[index + 12..index + 16].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&snapshot[16..80]), &snapshot[index..]);
    snapshot[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// Ten rows, a snapshot, ten rows, a snapshot; until power goes. Yields after how many changes of the disk the first one was
/// begun. From then on syncs may be left out.
fn work(fs: &SimFs, ignored: Option<Ignored>) -> Option<u64> {
    let shop = Shop::begin_on(&platform(fs), Path::new(ROOT), 64 << 10).ok()?;
    shop.ledger.submit(shop.decisions(0, 10)).ok()?;
    let before = fs.changes();
    ignored.into_iter().for_each(|ignored| fs.ignore(ignored));
    shop.ledger.snapshot().ok()??;
    shop.ledger.submit(shop.decisions(10, 10)).ok()?;
    shop.ledger.snapshot().ok()??;
    shop.ledger.close().ok()?;
    Some(before)
}

/// What is pinned on a disk is there, whole; and the next snapshot can be made.
fn check_disk(fs: &SimFs) -> Result<(), String> {
    let shop = Shop::open_on(&platform(fs), Path::new(ROOT)).map_err(|error| error.to_string())?;
    for (row, pinned) in shop.ledger.log().snapshot_rows().unwrap() {
        let file = SnapshotFile::open(shop.ledger.log().layout(), pinned).and_then(|file| file.check());
        file.map_err(|error| format!("pinned by row {row}: {error}"))?;
    }
    shop.ledger.snapshot().map_err(|error| error.to_string())?;
    check_states(shop.ledger.log());
    Ok(())
}

/// Yields how many disks were checked.
fn power_goes_everywhere(ignored: Option<Ignored>) -> Result<u64, String> {
    let mut rng = Rng::of_this_run();
    let whole = SimFs::default();
    let (before, mut checked) = (work(&whole, None).unwrap(), 0);
    for at in before..=whole.changes() {
        let fs = SimFs::default();
        fs.lose_power_after(at);
        let _ = work(&fs, ignored);
        for left in Left::ALL {
            let disk = fs.power_cut(left, &mut rng);
            check_disk(&disk).map_err(|reason| format!("power went at {at}, {left:?} was left: {reason}"))?;
            checked += 1;
        }
    }
    Ok(checked)
}

#[test]
fn a_snapshot_that_is_pinned_outlives_a_power_cut() {
    let checked = power_goes_everywhere(None).unwrap_or_else(|reason| panic!("{reason}"));
    println!("{checked} disks checked after power cuts");
}

#[test]
fn every_sync_of_it_is_needed() {
    for (call, path) in
        [(Call::SyncAll, ".state.unfinished"), (Call::SyncDir, "/snapshots"), (Call::SyncDir, ROOT)]
    {
        let ignored = Ignored::all(call, path);
        let shown = (0..3).find_map(|_| power_goes_everywhere(Some(ignored)).err());
        assert!(shown.is_some(), "nothing fails without {call:?} of {path}");
    }
}
