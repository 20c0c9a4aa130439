//! The two ways of verifying agree on every ledger, intact or damaged, and each damage is found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::content::Evidence;
use counterfoil_format::intent::Mode;
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::note::{SignedNote, checkpoint_text};
use counterfoil_format::value::Value;
use counterfoil_tests::draft::{Draft, Group, LEDGER, OPERATOR, Rollback, Submission};
use counterfoil_tests::forge::Forge;
use counterfoil_tests::founding::Founding;
use counterfoil_tests::output::{Ledger, Sink, fix_checksums, groups};
use counterfoil_verifier::{CheckId, Options, Pin, Report, Scope, Status, Verdict, VerifyError};
use counterfoil_verifier::{verify, verify_sequential};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A small ledger with everything in it that the checks look at, in two segments.
fn small() -> Forge {
    let mut forge = Forge::founded(11, Founding::default(), Sink::memory());
    let price = |number| Value::Int(number);
    forge.submit(vec![
        Draft::decision("price.set").put("price/1", &price(10)).evidence(&[Evidence::Row(1)]).reason("up"),
        Draft::decision("price.set").put("price/1", &price(12)).put("price/2", &price(5)),
    ]);
    forge.close_segment();
    let rollback = forge.rollback(5, false);
    forge.write(Group::new(vec![
        Submission::new(vec![rollback.by(OPERATOR)]),
        Submission::new(vec![
            Draft::decision("stock.add").add("stock/1", 4),
            Draft::decision("price.drop").delete("price/9"),
            Draft { mode: Mode::DryRun, ..Draft::decision("price.set").put("price/3", &price(1)) },
        ]),
    ]));
    forge
}

/// Verifies in every way, expects one report, and yields it.
fn judge_with(path: &Path, options: &Options) -> Result<Report, String> {
    agree(path, options, &[1, 2, 3])
}

fn agree(path: &Path, options: &Options, threads: &[usize]) -> Result<Report, String> {
    let text = |result: Result<Report, VerifyError>| result.map_err(|error| error.to_string());
    let expected = text(verify_sequential(path, options, &|_, _| {}));
    for &threads in threads {
        let options = Options { threads: Some(threads), ..options.clone() };
        let found = text(verify(path, &options, &|_, _| {}));
        assert_eq!(found, expected, "{threads} threads");
    }
    expected
}

fn judge(path: &Path) -> Result<Report, String> {
    judge_with(path, &Options::default())
}

/// For the thousands: one fast run against the reference.
fn judge_once(path: &Path) -> Result<Report, String> {
    agree(path, &Options::default(), &[2])
}

fn written(ledger: &Ledger) -> TempDir {
    let dir = TempDir::new().unwrap();
    ledger.write_to(dir.path()).unwrap();
    dir
}

fn found(report: &Report) -> Vec<(CheckId, Option<u64>)> {
    report.findings.iter().map(|finding| (finding.check, finding.row)).collect()
}

#[test]
fn an_honest_ledger_is_intact_and_the_report_says_what_was_not_checked() {
    let dir = written(&small().finish());
    let report = judge(dir.path()).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{report:#?}");
    assert_eq!((report.rows, report.size, report.first_row), (10, 10, Some(0)));
    assert_eq!(report.origin.as_deref(), Some("example.com/shop"));
    assert_eq!(report.checks[&CheckId::V11].status, Status::NotChecked);
    assert!(report.checks[&CheckId::V12].detail.contains("same hands"));
    assert!(report.not_checked.iter().any(|item| item.what.contains("no tail was cut")));
    assert_eq!(report.checks[&CheckId::V17].status, Status::Passed);
    assert_eq!(report.checks[&CheckId::V17].detail, "1 rollback rows checked");
    assert_eq!(report.counts.rows["outcomes"]["review"], 1);
    let integrity = Options { scope: Scope::Integrity, ..Options::default() };
    let report = judge_with(dir.path(), &integrity).unwrap();
    assert_eq!(report.verdict, Verdict::Intact);
    assert_eq!(report.checks[&CheckId::V15].status, Status::NotChecked);
}

#[test]
fn every_flipped_byte_of_every_segment_is_found() {
    let ledger = small().finish();
    for (segment, (first, bytes)) in ledger.segments.iter().enumerate() {
        for at in 0..bytes.len() {
            let mut damaged = ledger.clone();
            damaged.segments[segment].1[at] ^= 0x20;
            let dir = written(&damaged);
            let report = judge_once(dir.path()).unwrap();
            assert_eq!(report.verdict, Verdict::Broken, "segment {first}, byte {at}");
        }
    }
}

/// The same with checksums put right again, so that hashes and signatures alone must find it.
#[test]
fn every_flipped_byte_under_valid_checksums_is_found() {
    let ledger = small().finish();
    for (segment, (first, bytes)) in ledger.segments.iter().enumerate() {
        for at in 0..bytes.len() {
            let mut damaged = ledger.clone();
            let copy = &mut damaged.segments[segment].1;
            copy[at] ^= 0x01;
            if groups(copy) != groups(bytes) {
                continue;
            }
            fix_checksums(copy);
            if copy == bytes {
                continue;
            }
            // The salt and the mark of durability are covered by checksums alone.
            let covered = |at: usize| {
                !(24..40).contains(&at)
                    && !groups(bytes).iter().any(|g| (g.start + 24..g.start + 32).contains(&at))
            };
            let dir = written(&damaged);
            match judge_once(dir.path()) {
                Ok(report) if covered(at) => {
                    assert_eq!(report.verdict, Verdict::Broken, "segment {first}, byte {at}")
                }
                Ok(_) => {}
                Err(error) => {
                    let other = error.contains("newer") || error.contains("before the format was settled");
                    assert!(other, "segment {first}, byte {at}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_ledger_cut_anywhere_is_broken_or_says_what_it_cannot_know() {
    let ledger = small().finish();
    for (segment, (_, bytes)) in ledger.segments.iter().enumerate() {
        for end in 0..bytes.len() {
            let mut cut = ledger.clone();
            cut.segments[segment].1.truncate(end);
            let dir = written(&cut);
            if end % 8 == 0 {
                let report = judge_once(dir.path()).unwrap();
                assert_eq!(report.verdict, Verdict::Broken, "with its checkpoint, at {end}");
            }
            fs::remove_file(dir.path().join("checkpoint")).unwrap();
            let report = judge_once(dir.path()).unwrap();
            if report.verdict == Verdict::Intact {
                let border = end == 104 || groups(bytes).iter().any(|group| group.end == end);
                assert!(border && segment == 1, "at {end}");
                assert_eq!(report.checks[&CheckId::V12].status, Status::NotChecked);
            }
        }
    }
}

#[test]
fn garbage_never_panics_and_is_judged_alike() {
    let ledger = small().finish();
    let mut rng = counterfoil_tests::rng::Rng::new(5);
    for _ in 0..300 {
        let mut damaged = ledger.clone();
        for (_, bytes) in &mut damaged.segments {
            for _ in 0..1 + rng.below(6) {
                let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
                let end = (at + usize::try_from(rng.below(60)).unwrap()).min(bytes.len());
                match rng.below(4) {
                    0 => bytes[at..end].fill_with(|| rng.bytes::<1>()[0]),
                    1 => drop(bytes.drain(at..end)),
                    2 => drop(bytes.splice(at..at, [0x63, 0x66, 0x67, 0x72].repeat(4))),
                    _ => bytes[at..end].fill(0),
                }
            }
            if rng.below(2) == 0 && bytes.len() > 104 {
                fix_checksums(bytes);
            }
        }
        let dir = written(&damaged);
        drop(judge(dir.path()));
    }
    for length in [0, 7, 8, 103, 104, 4000] {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("00000000000000000000.seg");
        let mut bytes = vec![0x5a; length];
        fs::write(&file, &bytes).unwrap();
        assert_eq!(judge(dir.path()).unwrap().verdict, Verdict::Broken);
        assert!(judge(&file).unwrap_err().contains("not a segment"));
        if length >= 8 {
            bytes[..8].copy_from_slice(b"cfoilseg");
            fs::write(&file, &bytes).unwrap();
            assert_eq!(judge(&file).unwrap().verdict, Verdict::Broken);
        }
    }
}

#[test]
fn one_changed_row_is_named_once_in_the_chain() {
    let mut ledger = small().finish();
    let bytes = &mut ledger.segments[0].1;
    let group = groups(bytes).pop().unwrap();
    let row = counterfoil_tests::output::rows(bytes, &group)[0].clone();
    let at = bytes[row.clone()].windows(2).position(|pair| pair == b"up").unwrap() + row.start;
    bytes[at] = b'U';
    let dir = written(&ledger);
    let report = judge(dir.path()).unwrap();
    assert_eq!(
        found(&report),
        [(CheckId::V01, Some(4)), (CheckId::V07, Some(4)), (CheckId::V06, Some(4))],
        "{report:#?}"
    );
    assert_eq!(report.findings[1].offset, row.start as u64);
}

#[test]
fn pins_and_checkpoints_from_elsewhere_are_held_against_the_log() {
    let mut forge = small();
    let early = forge.checkpoint().to_owned();
    let vkey = forge.verifier_key(LEDGER).to_string();
    forge.submit(vec![Draft::decision("stock.add").add("stock/1", 1)]);
    let late = forge.checkpoint().to_owned();
    let ledger = forge.finish();
    let dir = written(&ledger);
    let note = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let owner = counterfoil_format::Hash(ledger.owner);
    let pins = [format!("ledger_id={}", ledger.ledger_id), format!("owner={owner}"), format!("vkey={vkey}")];
    let good = Options {
        pins: pins.iter().map(|pin| pin.parse().unwrap()).collect(),
        checkpoints: vec![note("early", &early), note("late", &late)],
        ..Options::default()
    };
    let report = judge_with(dir.path(), &good).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{report:#?}");
    assert_eq!(report.checks[&CheckId::V11].detail, "3 pins checked");
    assert_eq!(report.checks[&CheckId::V12].detail, "3 checkpoints checked");

    let mut cut = ledger.clone();
    cut.checkpoint = early;
    let last = groups(&cut.segments[1].1).pop().unwrap();
    cut.segments[1].1.truncate(last.start);
    let other = written(&cut);
    assert_eq!(judge(other.path()).unwrap().verdict, Verdict::Intact);
    let report = judge_with(other.path(), &good).unwrap();
    assert_eq!(report.verdict, Verdict::Broken);
    assert!(report.findings[0].message.contains("tail was cut"), "{report:#?}");

    // The same keys and the same rows but for one: another history by the key holder.
    let mut rewritten = small();
    rewritten.submit(vec![Draft::decision("stock.add").add("stock/1", 2)]);
    let other = written(&rewritten.finish());
    let report = judge_with(other.path(), &good).unwrap();
    assert_eq!(found(&report), [(CheckId::V12, None)]);
    let wrong = Options { pins: vec![Pin::Owner([1; 32])], ..Options::default() };
    assert_eq!(found(&judge_with(dir.path(), &wrong).unwrap()), [(CheckId::V11, Some(0))]);
}

/// No ledger of ours seals inside a group, but a checkpoint is a checkpoint.
#[test]
fn a_checkpoint_at_any_size_is_held_against_the_log() {
    let price = |number| Draft::decision("price.set").put("price/7", &Value::Int(number));
    let (mut forge, mut twin) = (small(), small());
    [&mut forge, &mut twin].iter_mut().for_each(|forge| forge.submit((0..5).map(price).collect()));
    let key = forge.verifier_key(LEDGER);
    let signed = |size: u64, root| {
        let text = checkpoint_text(&key.name, size, &root);
        SignedNote::new(text.clone(), &key, &forge.sign(LEDGER, text.as_bytes())).to_string()
    };
    let sign: Vec<(u64, String, String)> = {
        let mut range = CompactRange::starting_at(0);
        let ledger = twin.finish();
        let hashes = ledger.segments.iter().flat_map(|(_, bytes)| {
            groups(bytes)
                .into_iter()
                .flat_map(|group| counterfoil_tests::output::rows(bytes, &group))
                .map(|row| counterfoil_format::Hash(bytes[row.end - 32..row.end].try_into().unwrap()))
        });
        hashes
            .map(|hash| {
                range.push(row_leaf(&hash));
                let (size, root) = (range.end(), range.root().unwrap());
                (size, signed(size, root), signed(size, hash))
            })
            .collect()
    };
    let dir = written(&forge.finish());
    let path = dir.path().join("kept");
    for (size, good, bad) in sign {
        let options = Options { checkpoints: vec![path.clone()], ..Options::default() };
        fs::write(&path, good).unwrap();
        let report = judge_with(dir.path(), &options).unwrap();
        assert_eq!(report.checks[&CheckId::V12].status, Status::Passed, "{size}: {report:#?}");
        fs::write(&path, bad).unwrap();
        assert_eq!(found(&judge_with(dir.path(), &options).unwrap()), [(CheckId::V12, None)], "{size}");
    }
}

/// Rows that break the rules under valid hashes and signatures: only the checks of meaning can object.
#[test]
fn broken_rules_under_valid_signatures_are_findings() {
    type Case = (&'static str, CheckId, fn(&mut Forge) -> Draft);
    let cases: [Case; 7] = [
        ("no rollback", CheckId::V15, |_| Draft {
            rollback: Rollback::Absent,
            ..Draft::decision("stock.add").add("s", 1)
        }),
        ("a wrong rollback", CheckId::V15, |_| {
            let mut wrong = Vec::new();
            let op = Draft::decision("x").add("s", -2).ops[0].clone();
            counterfoil_format::ops::encode_ops(&[op.op()], &mut wrong);
            Draft { rollback: Rollback::Forged(wrong), ..Draft::decision("stock.add").add("s", 1) }
        }),
        ("a review that is applied", CheckId::V14, |_| {
            Draft::decision("price.drop").delete("price/none").landing(|landing| {
                landing.reasons.clear();
                landing.outcome = counterfoil_format::landing::Outcome::Applied;
            })
        }),
        ("evidence from the future", CheckId::V21, |_| {
            Draft::decision("stock.add").add("s", 1).evidence(&[Evidence::Row(99)])
        }),
        ("a row taken back twice", CheckId::V17, |forge| {
            let once = forge.rollback(7, false).by(OPERATOR);
            forge.submit(vec![once]);
            forge.rollback(7, false).by(OPERATOR)
        }),
        ("the rollback of another row", CheckId::V17, |forge| {
            let mut draft = forge.rollback(7, false).by(OPERATOR);
            draft.ops = Draft::decision("x").add("stock/1", -3).ops;
            draft
        }),
        ("an id used twice", CheckId::V20, |forge| {
            let twice = counterfoil_format::intent::IntentId([9; 16]);
            forge.submit(vec![Draft { id: Some(twice), ..Draft::decision("stock.add").add("s", 3) }]);
            Draft { id: Some(twice), ..Draft::decision("stock.add").add("s", 4) }
        }),
    ];
    for (name, check, draft) in cases {
        let mut forge = small();
        let draft = draft(&mut forge);
        let seq = forge.next_seq;
        forge.submit(vec![draft]);
        let dir = written(&forge.finish());
        let report = judge(dir.path()).unwrap();
        assert_eq!(report.verdict, Verdict::Findings, "{name}: {report:#?}");
        assert!(found(&report).contains(&(check, Some(seq))), "{name}: {report:#?}");
        assert!(report.findings.iter().all(|finding| finding.check == check), "{name}: {report:#?}");
    }
}

#[test]
fn one_segment_alone_is_checked_as_far_as_it_goes() {
    let dir = written(&small().finish());
    let report = judge(&counterfoil_tests::output::segment_path(dir.path(), 6)).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{report:#?}");
    assert_eq!((report.rows, report.first_row), (4, Some(6)));
    for check in [CheckId::V08, CheckId::V09, CheckId::V10, CheckId::V12, CheckId::V15, CheckId::V17] {
        assert_eq!(report.checks[&check].status, Status::NotChecked, "{check:?}");
    }
    assert_eq!(report.checks[&CheckId::V07].status, Status::Passed);
}

#[test]
fn missing_paths_and_newer_versions_are_errors_that_name_the_file() {
    let dir = TempDir::new().unwrap();
    assert!(judge(&dir.path().join("gone")).unwrap_err().contains("gone"));
    assert!(judge(dir.path()).unwrap_err().contains("no *.seg"));
    let mut ledger = small().finish();
    ledger.segments[1].1[8] = 4;
    fix_checksums(&mut ledger.segments[1].1);
    let dir = written(&ledger);
    assert!(judge(dir.path()).unwrap_err().contains("version 4"));
}
