//! What can be rebuilt never stops an append, a read or a verification: side files and tiles that are damaged under an
//! open ledger, and a state index that fails at any of its calls. `reindex` makes all of it anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_format::intent::IntentId;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, DraftOp, Ledger, Log, Platform, SubmitError, Tiles, now, reindex};
use counterfoil_rules::land::Refusal;
use counterfoil_rules::state::Leaf;
use counterfoil_tests::failing_index::{Call, Fault, Source};
use counterfoil_tests::shop::{FOUNDING, Keys, Shop, decision_id, decision_key};
use counterfoil_verifier::{Options, Verdict, verify};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ROWS: u64 = 600;

/// A closed ledger of several segments.
fn closed(dir: &Path) -> PathBuf {
    let path = dir.join("shop");
    let shop = Shop::begin(&path, 64 << 10);
    for first in (0..ROWS).step_by(10) {
        shop.ledger.submit(shop.decisions(first, 10)).unwrap();
    }
    shop.ledger.close().unwrap();
    path
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every row is found by number, by id and by key.
fn check_lookups(log: &Log) {
    for number in 0..ROWS {
        let row = FOUNDING + number;
        assert_eq!(log.find_id(&decision_id(number)).unwrap(), Some(row));
        assert_eq!(log.find_key(&decision_key(number), 0..u64::MAX).unwrap(), [row]);
        assert_eq!(log.row(row).unwrap().parse().unwrap().head.id, decision_id(number));
        assert_eq!(log.find_id(&decision_id(number + 1_000_000)).unwrap(), None);
        assert_eq!(log.find_key(&format!("none/{number}"), 0..u64::MAX).unwrap(), [0; 0]);
    }
}

fn is_intact(path: &Path) {
    let report = verify(path, &Options::default(), &|_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
}

#[test]
fn side_files_that_are_damaged_under_an_open_ledger_stop_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let sides = files(&path.join("log"), ".idx");
    let whole: Vec<_> = sides.iter().map(|side| fs::read(side).unwrap()).collect();
    assert!(sides.len() >= 3);
    // The last of these damages every block, so whatever is looked at is wrong.
    for damage in ["cut", "zeros", "every byte in a hundred"] {
        let shop = Shop::open(&path).unwrap();
        let reader = Log::open(&path).unwrap();
        assert_eq!(shop.ledger.notices(), Vec::<String>::new());
        for (side, whole) in sides.iter().zip(&whole) {
            let file = OpenOptions::new().write(true).open(side).unwrap();
            match damage {
                "cut" => file.set_len(100).unwrap(),
                "zeros" => file.write_all_at(&vec![0; whole.len()], 0).unwrap(),
                _ => {
                    for place in (0..whole.len()).step_by(100) {
                        file.write_all_at(&[whole[place] ^ 1], place as u64).unwrap();
                    }
                }
            }
        }
        check_lookups(shop.ledger.log());
        check_lookups(&reader);
        let twice = shop.ledger.submit(shop.decisions(0, 1)).unwrap_err();
        let refused = matches!(&twice, SubmitError::Refused { refusal: Refusal::DuplicateId { row, .. }, .. } if *row == FOUNDING);
        assert!(refused, "{damage}: {twice}");
        let notices = shop.ledger.notices();
        // That of the last segment is in memory already.
        assert_eq!(notices.len(), sides.len() - 1, "{damage}: {notices:?}");
        assert!(notices.iter().all(|notice| notice.contains(".idx") && notice.contains("reindex")));
        shop.ledger.close().unwrap();
        is_intact(&path);
        // Opening again writes them again.
        assert_eq!(Shop::open(&path).unwrap().ledger.notices().len(), sides.len() - 1);
        assert!(sides.iter().zip(&whole).all(|(side, whole)| fs::read(side).unwrap() == *whole));
    }
}

#[test]
fn damage_in_both_is_said_and_not_guessed_at() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let log = Log::open(&path).unwrap();
    let side = files(&path.join("log"), ".idx").remove(0);
    OpenOptions::new().write(true).open(&side).unwrap().set_len(100).unwrap();
    let segment = OpenOptions::new().write(true).open(side.with_extension("seg")).unwrap();
    segment.write_all_at(&[0xff; 8], 5000).unwrap();
    let error = log.find_id(&decision_id(0)).unwrap_err();
    assert!(error.to_string().contains("00000000000000000000.seg"), "{error}");
    assert!(reindex(&path).is_err(), "nothing is made from a segment that is damaged");
}

#[test]
fn everything_is_made_anew_from_the_segments() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let proof = |log: &Log| {
        let mut tiles = Tiles::of(log);
        [tiles.prove_inclusion(5).unwrap(), tiles.prove_consistency(300).unwrap()]
    };
    let log = Log::open(&path).unwrap();
    let proven = proof(&log);
    let kept: Vec<_> = [path.join("log"), path.join("tile")].iter().flat_map(|dir| files(dir, "")).collect();
    let before: BTreeMap<_, _> = kept.iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let tiles = files(&path.join("tile"), "");
    let sides = files(&path.join("log"), ".idx");
    assert_eq!(tiles.len() as u64, (ROWS + FOUNDING) / 256);
    for file in tiles.iter().chain(&sides) {
        fs::write(file, vec![0x55; fs::metadata(file).unwrap().len() as usize]).unwrap();
    }
    fs::remove_dir_all(path.join("index")).unwrap();
    fs::create_dir(path.join("index")).unwrap();
    fs::write(path.join("index/db"), b"not a database").unwrap();
    assert_eq!(proof(&log), proven, "a tile that is wrong is not believed");

    let shop = Shop::open(&path).unwrap();
    assert!(reindex(&path).unwrap_err().to_string().contains("another process"), "the writer has the lock");
    drop(shop);
    let done = reindex(&path).unwrap();
    assert_eq!((done.rows, done.side_files), (ROWS + FOUNDING, sides.len() as u64));
    assert!(done.state_index, "{:?}", done.notices);
    assert_eq!((done.tiles.written, done.tiles.failed), (tiles.len() as u64, 0));
    for (path, bytes) in &before {
        assert_eq!(&fs::read(path).unwrap(), bytes, "{}", path.display());
    }
    let shop = Shop::open(&path).unwrap();
    assert_eq!(shop.ledger.notices(), Vec::<String>::new(), "nothing is left to mend");
    check_lookups(shop.ledger.log());
    for number in 0..ROWS {
        assert_eq!(shop.ledger.current(&decision_key(number)).unwrap().unwrap().row, FOUNDING + number);
    }
    drop(shop);
    is_intact(&path);
}

/// What counters must hold; those that are none are gone.
type Counters = BTreeMap<String, i64>;

struct Book {
    path: PathBuf,
    source: Source,
    counters: Counters,
    next: u64,
}

impl Book {
    fn open(&self) -> Shop {
        let keys = Keys::default();
        let platform = Platform { index: Arc::new(self.source.clone()), ..Platform::default() };
        Shop { ledger: Ledger::open_on(&platform, &self.path, keys.ledger.clone()).unwrap(), keys }
    }

    fn id(&mut self) -> IntentId {
        self.next += 1;
        IntentId(u128::from(self.next + 1000).to_be_bytes())
    }

    /// Adds to counters, which must all be applied; some come to nothing and are gone, some come anew.
    fn add(&mut self, shop: &Shop) {
        for round in 0..12 {
            let key = format!("count/{}", self.next % 5);
            let held = self.counters.get(&key).copied().unwrap_or_default();
            let delta = if round % 4 == 3 && held != 0 { -held } else { self.next.cast_signed() + 1 };
            let mut draft = Draft::decision(self.id(), "COUNT", now());
            draft.ops.push(DraftOp::Add(&key, delta));
            let receipts = shop.land(&shop.keys.executor, &[draft]).unwrap();
            assert!(receipts[0].reasons.is_empty(), "{:?}", receipts[0]);
            match held + delta {
                0 => drop(self.counters.remove(&key)),
                sum => drop(self.counters.insert(key, sum)),
            }
        }
    }

    /// Sets so many keys that changes are handed over to the index.
    fn set_many(&mut self, shop: &Shop, prefix: &str) {
        let keys: Vec<_> = (0..65_536).map(|number| format!("{prefix}{number:x}")).collect();
        let mut draft = Draft::decision(self.id(), "SET", now());
        draft.ops = keys.iter().map(|key| DraftOp::Put(key, &Value::Null)).collect();
        shop.land(&shop.keys.executor, &[draft]).unwrap();
    }

    fn check(&self, shop: &Shop, what: &str) {
        for number in 0..5 {
            let key = format!("count/{number}");
            let held = shop.ledger.current(&key).unwrap().map(|held| held.leaf);
            assert_eq!(held, self.counters.get(&key).copied().map(Leaf::Counter), "{what}: {key}");
        }
    }
}

fn book(dir: &Path) -> Book {
    let path = dir.join("shop");
    drop(Shop::begin(&path, 1 << 20));
    fs::remove_dir_all(path.join("index")).unwrap();
    let mut book = Book { path, source: Source::default(), counters: Counters::new(), next: 0 };
    let shop = book.open();
    book.add(&shop);
    shop.ledger.close().unwrap();
    book
}

#[test]
fn an_index_that_fails_at_any_call_stops_nothing_and_changes_nothing() {
    let calls = [Call::Open, Call::Watermark, Call::Get, Call::Set, Call::SetWatermark];
    for call in calls {
        // What is written to an index while its ledger is open comes of large rows, so each call has a ledger of its own.
        let dir = tempfile::tempdir().unwrap();
        fails_at(call, book(dir.path()));
    }
}

fn fails_at(call: Call, mut book: Book) {
    for (nth, forever) in [(1, false), (2, false), (1, true), (3, true)] {
        let what = format!("{call:?} {nth} {forever}");
        book.source.tell(Some(Fault { call, nth, forever }));
        let shop = book.open();
        book.add(&shop);
        let writes = matches!(call, Call::Set | Call::SetWatermark);
        if writes {
            (0..if nth < 3 { 2 } else { 3 }).for_each(|round| book.set_many(&shop, &format!("m{round}/")));
        }
        book.add(&shop);
        book.check(&shop, &what);
        if book.source.failed() > 0 && shop.ledger.notices().is_empty() {
            // What fails in the thread of the index comes out when changes are handed over the next time.
            book.set_many(&shop, "again/");
            book.add(&shop);
        }
        let (failed, notices) = (book.source.failed(), shop.ledger.notices());
        assert_eq!(failed > 0, !notices.is_empty(), "{what}: {failed} failures, {notices:?}");
        shop.ledger.close().unwrap();

        book.source.tell(None);
        let shop = book.open();
        book.check(&shop, &format!("{what}, opened again"));
        book.add(&shop);
        book.check(&shop, &format!("{what}, opened again, and more"));
        shop.ledger.close().unwrap();
        let shop = book.open();
        assert_eq!(shop.ledger.notices(), Vec::<String>::new(), "{what}: the next open has set it right");
        book.check(&shop, &format!("{what}, opened a third time"));
        drop(shop);
    }
    is_intact(&book.path);
}

#[test]
fn changes_that_are_ahead_of_the_watermark_are_not_made_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = book(dir.path());
    for round in 0..4 {
        // All changes are written, or all but some, and what says so is not.
        let fault = match round % 2 {
            0 => Fault { call: Call::SetWatermark, nth: 1, forever: true },
            _ => Fault { call: Call::Set, nth: 3, forever: true },
        };
        book.source.tell(Some(fault));
        let shop = book.open();
        book.add(&shop);
        shop.ledger.close().unwrap();
        assert!(book.source.failed() > 0);
        book.source.tell(None);
        let shop = book.open();
        assert_eq!(shop.ledger.notices(), Vec::<String>::new());
        book.check(&shop, &format!("round {round}"));
        drop(shop);
    }
}

#[test]
fn changes_are_handed_over_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = book(dir.path());
    let shop = book.open();
    for round in 0..5 {
        book.set_many(&shop, &format!("m{round}/"));
        book.add(&shop);
    }
    book.check(&shop, "while open");
    for round in 0..5 {
        assert!(shop.ledger.current(&format!("m{round}/ff")).unwrap().is_some());
    }
    assert_eq!(shop.ledger.notices(), Vec::<String>::new());
    shop.ledger.close().unwrap();
    book.check(&book.open(), "opened again");
}

/// A large last segment is not read again after a clean close; without its side file, or with a damaged one, it is, and
/// nothing else differs.
/// Where a side file says how its segment ends: the last hash, the last time, the tree.
const END: [usize; 3] = [56, 88 + 6, 136];

/// A side file that says something else at a place, under a checksum that holds.
fn forged(side: &[u8], place: usize) -> Vec<u8> {
    let mut forged = side.to_vec();
    forged[place] ^= 1;
    let crc = crc32c::crc32c(&forged[16..]);
    forged[12..16].copy_from_slice(&crc.to_le_bytes());
    forged
}

#[test]
fn what_a_side_file_says_of_its_end_is_held_against_the_segment() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed(dir.path());
    let sides = files(&path.join("log"), ".idx");
    let last_closed = &sides[sides.len() - 2];
    for (number, place) in (ROWS..).zip(END) {
        let head = Log::open(&path).unwrap().head();
        fs::write(last_closed, forged(&fs::read(last_closed).unwrap(), place)).unwrap();
        assert_eq!(Log::open(&path).unwrap().head(), head, "byte {place}");
        let shop = Shop::open(&path).unwrap();
        let notices = shop.ledger.notices();
        assert!(notices.iter().any(|notice| notice.contains(last_closed.to_str().unwrap())), "{notices:?}");
        let receipts = shop.ledger.submit(shop.decisions(number, 1)).unwrap();
        assert!(receipts[0].landed_at <= now(), "byte {place}: rows land in the future");
        shop.ledger.close().unwrap();
        is_intact(&path);
    }
}

#[test]
fn a_large_last_segment_is_opened_by_its_side_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let shop = Shop::begin(&path, 64 << 20);
    for first in (0..10_000).step_by(1000) {
        shop.ledger.submit(shop.decisions(first, 1000)).unwrap();
    }
    shop.ledger.close().unwrap();
    let segment = files(&path.join("log"), ".seg").remove(0);
    assert!(fs::metadata(&segment).unwrap().len() > 4 << 20);
    let side = segment.with_extension("idx");
    let look = |log: &Log| {
        let rows = [0, 2, 5_000, 10_002].map(|seq| log.row(seq).unwrap().bytes().to_vec());
        let ids = [0, 4_999, 9_999].map(|number| log.find_id(&decision_id(number)).unwrap());
        (log.head(), rows, ids, log.find_key("price/sku-000000", 0..u64::MAX).unwrap(), log.special())
    };
    let by_side = (look(&Log::open(&path).unwrap()), look(Shop::open(&path).unwrap().ledger.log()));
    // What the side file covers is not read: a flipped bit there is left to the verifier.
    let whole = fs::read(&segment).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&segment, &flipped).unwrap();
    drop(Shop::open(&path).unwrap());
    assert_eq!(verify(&path, &Options::default(), &|_, _| {}).unwrap().verdict, Verdict::Broken);
    fs::write(&segment, &whole).unwrap();

    let kept = fs::read(&side).unwrap();
    let cut = [kept[..kept.len() - 1].to_vec(), Vec::new()];
    for bytes in END.map(|place| forged(&kept, place)).into_iter().chain(cut) {
        fs::write(&side, bytes).unwrap();
        let read_through = (look(&Log::open(&path).unwrap()), look(Shop::open(&path).unwrap().ledger.log()));
        assert_eq!(read_through, by_side);
    }
    fs::write(&side, kept).unwrap();
    let shop = Shop::open(&path).unwrap();
    shop.ledger.submit(shop.decisions(10_000, 10)).unwrap();
    drop(shop);
    // Now it covers less than there is.
    let shop = Shop::open(&path).unwrap();
    assert_eq!(shop.ledger.log().head().size, 10_010 + FOUNDING);
    assert!(shop.ledger.log().find_id(&decision_id(10_009)).unwrap().is_some());
    shop.ledger.close().unwrap();
    is_intact(&path);
}
