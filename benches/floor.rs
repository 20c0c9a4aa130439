//! The floor under the speed of Counterfoil, as ratios measured in one run.
//!
//! `cargo bench -p counterfoil-benches --bench floor [-- ROWS [ROUNDS]]`, 300,000 rows and 5 rounds when not said.
//! Each line gives the median of the rounds; references are measured in turn with what they stand beside.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that fails may panic")]

use counterfoil_benches::{Pair, machine, median, peak_memory, seconds};
use counterfoil_format::Hash;
use counterfoil_format::frame::{ReadAt, SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::group::{GroupBody, GroupHeader};
use counterfoil_format::key::{PublicKey, SignatureBytes};
use counterfoil_format::submission::MESSAGE_BYTES;
use counterfoil_ledger::{Log, SubmissionBuilder};
use counterfoil_tests::output::Sink;
use counterfoil_tests::sample::Sample;
use counterfoil_tests::shop::{Pricing, Shop, priced};
use counterfoil_verifier::{Options, Scope, Verdict, verify};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const PER_SUBMISSION: u64 = 1000;

fn main() {
    let numbers: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [memory, path] = numbers.as_slice()
        && memory == "--memory"
    {
        check(path.as_ref(), Scope::All, None);
        println!("{}", peak_memory());
        return;
    }
    let number = |place: usize| numbers.get(place).map(|text| text.parse::<u64>().unwrap());
    let (rows, rounds) = (number(0).unwrap_or(300_000), number(1).unwrap_or(5));
    let rounds = usize::try_from(rounds).unwrap();
    println!("machine: {}", machine());
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), rows, rounds);
    single(dir.path(), rounds);
    integrity(dir.path(), rows, rounds);
    signatures(dir.path(), rows / 10, rounds);
    memory(dir.path(), rows);
}

fn segments(ledger: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(ledger.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    found.sort();
    found
}

fn bytes_of(ledger: &Path) -> u64 {
    segments(ledger).iter().map(|path| path.metadata().unwrap().len()).sum()
}

/// Writes as many bytes to one file, in pieces as large as a group, with one fsync at the end; yields rows a second.
fn raw(dir: &Path, bytes: u64, rows: u64) -> f64 {
    let path = dir.join("raw");
    let piece = vec![0xa5; usize::try_from(bytes * PER_SUBMISSION / rows).unwrap()];
    let took = seconds(|| {
        let mut file = File::create(&path).unwrap();
        for _ in 0..rows / PER_SUBMISSION {
            file.write_all(&piece).unwrap();
        }
        file.sync_all().unwrap();
    });
    std::fs::remove_file(&path).unwrap();
    rows as f64 / took
}

/// Appends with some callers, each of which encodes, signs and submits, or submits what was signed before. What the
/// decisions are about is made before either.
fn appended(dir: &Path, rows: u64, callers: usize, signed_before: bool) -> (f64, u64) {
    let path = dir.join("append");
    let shop = Shop::begin(&path, 64 << 20);
    let pricings: Vec<_> = (0..rows).map(Pricing::numbered).collect();
    let per_submission = usize::try_from(PER_SUBMISSION).unwrap();
    let (pricings, keys, ledger) = (&pricings, &shop.keys, &shop.ledger);
    let submit = |submission| drop(ledger.submit(submission).unwrap());
    let submissions = |caller: usize| {
        let mut builder = SubmissionBuilder::new(&keys.executor).unwrap();
        let parts = pricings.chunks(per_submission).skip(caller).step_by(callers);
        parts.map(move |part| priced(&mut builder, ledger.ledger_id(), part))
    };
    let signed: Vec<Vec<_>> =
        (0..callers).filter(|_| signed_before).map(|caller| submissions(caller).collect()).collect();
    let took = seconds(|| {
        std::thread::scope(|scope| {
            for signed in signed {
                scope.spawn(move || signed.into_iter().for_each(submit));
            }
            for caller in (0..callers).filter(|_| !signed_before) {
                scope.spawn(move || submissions(caller).for_each(submit));
            }
        });
    });
    assert_eq!(ledger.log().head().size, rows + 3);
    drop(shop);
    let bytes = bytes_of(&path);
    std::fs::remove_dir_all(&path).unwrap();
    (rows as f64 / took, bytes)
}

fn append(dir: &Path, rows: u64, rounds: usize) {
    let (_, bytes) = appended(dir, PER_SUBMISSION * 10, 1, false);
    let per_row = bytes / (PER_SUBMISSION * 10);
    println!(
        "append: {rows} rows of {per_row} bytes, {PER_SUBMISSION} a submission, durable (fdatasync before each acknowledgement)"
    );
    for (what, callers, signed_before) in [
        ("1 caller, signing included ", 1, false),
        ("2 callers, signing included", 2, false),
        ("1 caller, signed before    ", 1, true),
        ("2 callers, signed before   ", 2, true),
        ("4 callers, signed before   ", 4, true),
    ] {
        let pair = Pair::measure(
            rounds,
            || appended(dir, rows, callers, signed_before).0,
            || raw(dir, per_row * rows, rows),
        );
        println!(
            "  {what}  {:>9.0} rows/s   raw file, one fsync {:>9.0} rows/s   ratio {:.2} (floor 0.20)",
            pair.rate(),
            pair.reference(),
            pair.ratio()
        );
    }
}

/// One row a submission, one caller, against a bare append and fdatasync of as many bytes.
fn single(dir: &Path, rounds: usize) {
    const ROWS: u64 = 1000;
    let ours = || {
        let path = dir.join("single");
        let shop = Shop::begin(&path, 64 << 20);
        let took = seconds(|| {
            (0..ROWS).for_each(|first| drop(shop.ledger.submit(shop.decisions(first, 1)).unwrap()));
        });
        drop(shop);
        std::fs::remove_dir_all(&path).unwrap();
        ROWS as f64 / took
    };
    let bare = || {
        let path = dir.join("bare");
        let mut file = File::create(&path).unwrap();
        let piece = vec![0xa5; 864];
        let took = seconds(|| {
            for _ in 0..ROWS {
                file.write_all(&piece).unwrap();
                file.sync_data().unwrap();
            }
        });
        ROWS as f64 / took
    };
    let pair = Pair::measure(rounds, ours, bare);
    println!(
        "append: 1 row a submission, 1 caller, durable {:.0} rows/s   bare append and fdatasync {:.0}   ratio {:.2}",
        pair.rate(),
        pair.reference(),
        pair.ratio()
    );
}

fn sample(dir: &Path, name: &str, decisions: u64, per_submission: usize, per_group: usize) -> PathBuf {
    let path = dir.join(name);
    Sample { decisions, per_submission, per_group, ..Sample::default() }
        .write(Sink::directory(&path).unwrap());
    path
}

/// Verifies a ledger that must be intact; yields rows a second.
fn check(path: &Path, scope: Scope, threads: Option<usize>) -> f64 {
    let mut rows = 0;
    let took = seconds(|| {
        let options = Options { threads, scope, ..Options::default() };
        let report = verify(path, &options, &|_, _| {}).unwrap();
        assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
        rows = report.rows;
    });
    rows as f64 / took
}

fn integrity(dir: &Path, rows: u64, rounds: usize) {
    let path = sample(dir, "integrity", rows, 1000, 1);
    println!("verify: {rows} rows of {} bytes, {PER_SUBMISSION} a submission", bytes_of(&path) / rows);
    for (what, scope) in [("integrity, V01 to V12", Scope::Integrity), ("all checks           ", Scope::All)]
    {
        let rate = |threads| median((0..rounds).map(|_| check(&path, scope, Some(threads))).collect());
        let (one, two) = (rate(1), rate(2));
        println!(
            "  {what}  {one:>9.0} rows/s on 1 thread, {two:>9.0} on 2, x{:.2} (floor for integrity 300000)",
            two / one
        );
    }
    std::fs::remove_dir_all(&path).unwrap();
}

/// The signatures of a ledger's submissions, with their messages.
fn signed(path: &Path) -> Vec<([u8; MESSAGE_BYTES], SignatureBytes)> {
    let mut found = Vec::new();
    for segment in segments(path) {
        let file = File::open(segment).unwrap();
        let header = SegmentHeader::read(&file).unwrap();
        let (size, mut offset, mut body) = (file.size().unwrap(), SEGMENT_HEADER_BYTES as u64, Vec::new());
        while offset < size {
            let group = GroupHeader::read(&file, offset, size, &header.salt).unwrap();
            group.read_body(&file, offset, &header.salt, &mut body).unwrap();
            let parsed = GroupBody::parse(&group, &body).unwrap();
            let ledger_id: Hash = header.ledger_id;
            found.extend(
                parsed.submissions.iter().map(|signed| (signed.message(&ledger_id), signed.signature)),
            );
            offset += group.group_bytes();
        }
    }
    found
}

/// Every row its own signature, against a plain parallel loop of `verify_strict` over the same signatures.
fn signatures(dir: &Path, rows: u64, rounds: usize) {
    use ed25519_dalek::{Signature, VerifyingKey};
    use rayon::prelude::*;
    let path = sample(dir, "signatures", rows, 1, 1000);
    let all = signed(&path);
    // The loop needs each signature's key; all decisions are by one author, found by trying.
    let keys: Vec<PublicKey> = sample_keys(&path);
    let decisions: Vec<_> = all
        .iter()
        .filter_map(|(message, signature)| {
            let key = keys.iter().find(|key| key.verify(message, signature))?;
            let key = VerifyingKey::from_bytes(key.as_bytes()).unwrap();
            Some((key, message, Signature::from_bytes(&signature.0)))
        })
        .collect();
    assert_eq!(decisions.len(), all.len());
    let strict = || {
        let took = seconds(|| {
            let holds = decisions
                .par_iter()
                .all(|(key, message, signature)| key.verify_strict(*message, signature).is_ok());
            assert!(holds);
        });
        decisions.len() as f64 / took
    };
    let pair = Pair::measure(rounds, || check(&path, Scope::Integrity, None), strict);
    println!(
        "verify: every row its own signature, {rows} rows, integrity {:.0} rows/s   verify_strict loop, all cores {:.0}   ratio {:.2} (floor 1.00)",
        pair.rate(),
        pair.reference(),
        pair.ratio()
    );
    std::fs::remove_dir_all(&path).unwrap();
}

fn sample_keys(path: &Path) -> Vec<PublicKey> {
    let keys = Log::open(path).unwrap().governance().unwrap().keys;
    keys.all().into_iter().map(|enrolled| enrolled.key.clone()).collect()
}

/// What verifying keeps in memory, in a process of its own for each size.
fn memory(dir: &Path, rows: u64) {
    let small = 10_000.min(rows);
    let large = (rows * 10 / 3).max(small);
    for rows in [small, large] {
        let path = sample(dir, "memory", rows, 1000, 1);
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--memory", path.to_str().unwrap()])
            .output()
            .unwrap();
        let peak: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        println!("verify: {rows} rows, 10,000 keys of state, all checks, peak resident {peak:.1} MiB");
        std::fs::remove_dir_all(&path).unwrap();
    }
}
