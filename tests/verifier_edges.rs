//! What the verifier says at the edges: keys that are not known, headers that are not believed, files that are none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::body::{Body, KeyChange, Role, Scope, SwitchAct};
use counterfoil_format::note::{SignedNote, checkpoint_text};
use counterfoil_format::part::PartTag;
use counterfoil_format::value::Value;
use counterfoil_tests::draft::{Draft, EXECUTOR, Group, LEDGER, OPERATOR, Submission, Who};
use counterfoil_tests::forge::Forge;
use counterfoil_tests::output::{Ledger, fix_checksums, groups, set_body_checksum};
use counterfoil_verifier::{CheckId, Options, Pin, Report, Status, Verdict, verify, verify_sequential};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Verifies both ways, expects one answer, and yields it.
fn judge(path: &Path, options: &Options) -> Result<Report, String> {
    let options = Options { threads: Some(2), ..options.clone() };
    let report = verify(path, &options, &|_, _| {}).map_err(|error| error.to_string());
    let reference = verify_sequential(path, &options, &|_, _| {}).map_err(|error| error.to_string());
    assert_eq!(report, reference);
    report
}

fn written(ledger: &Ledger) -> TempDir {
    let dir = TempDir::new().unwrap();
    ledger.write_to(dir.path()).unwrap();
    dir
}

fn report(ledger: &Ledger) -> Report {
    judge(written(ledger).path(), &Options::default()).unwrap()
}

fn found(report: &Report) -> Vec<(CheckId, Option<u64>)> {
    report.findings.iter().map(|finding| (finding.check, finding.row)).collect()
}

fn put(number: i64) -> Draft {
    Draft::decision("price.set").put("price/1", &Value::Int(number))
}

fn grant(forge: &Forge, who: Who, role: Role) -> Draft {
    Draft::body(&Body::Key(KeyChange::Grant {
        key: forge.public(who),
        roles: role.bit(),
        name: "new",
        scope: Scope::default(),
    }))
}

fn rotate(forge: &Forge, old: Who, new: Who) -> Draft {
    let (old, key) = (forge.key_id(old), forge.public(new));
    Draft::body(&Body::Key(KeyChange::Rotate { old, key }))
}

/// Rows 0 to 4, and row 5, which enrols a second ledger key under a closed body.
fn closed(seed: u64) -> (Forge, Who) {
    let mut forge = Forge::new(seed);
    forge.submit(vec![put(1)]);
    let second = forge.new_key();
    let row = rotate(&forge, LEDGER, second).close(PartTag::Body);
    forge.submit(vec![row]);
    (forge, second)
}

#[test]
fn behind_a_closed_key_row_nothing_passes_or_fails_for_lack_of_keys() {
    let (mut forge, second) = closed(1);
    let (heir, third) = (forge.new_key(), forge.new_key());
    // What the closed row may have brought, and what may be gone by it.
    let rows = vec![rotate(&forge, second, third), grant(&forge, heir, Role::Executor)];
    forge.submit(rows);
    forge.submit(vec![put(2).by(heir)]);
    forge.submit(vec![put(3).by(third)]);
    let report = report(&forge.finish());
    assert_eq!(report.verdict, Verdict::Intact, "{report:#?}");
    for check in [CheckId::V09, CheckId::V10, CheckId::V12] {
        let Check { status, detail } = check_of(&report, check);
        assert_eq!(status, Status::NotChecked, "{check:?}: {detail}");
        let why = "the first at row 5: the body of key row 5 is closed: the keys are not known from there on";
        assert!(detail.contains(why), "{check:?}: {detail}");
    }
    assert!(check_of(&report, CheckId::V09).detail.starts_with("3 submissions checked; 4 not checked"));
    for check in [CheckId::V06, CheckId::V07, CheckId::V08, CheckId::V15] {
        assert_eq!(check_of(&report, check).status, Status::Passed, "{check:?}");
    }
}

struct Check {
    status: Status,
    detail: String,
}

fn check_of(report: &Report, id: CheckId) -> Check {
    Check { status: report.checks[&id].status, detail: report.checks[&id].detail.clone() }
}

#[test]
fn behind_a_closed_key_row_what_is_certain_is_still_told() {
    type Fault = fn(&mut Forge) -> Submission;
    let faults: [Fault; 4] = [
        |_| Submission { signer: Some(OPERATOR), ..Submission::new(vec![put(2)]) },
        |_| Submission::new(vec![put(2).by(OPERATOR)]),
        |forge| Submission::new(vec![grant(forge, EXECUTOR, Role::Executor)]),
        |forge| {
            let drill = forge.switch(SwitchAct::HandOver, false);
            Submission::new(vec![put(2), drill])
        },
    ];
    for fault in faults {
        let (mut forge, _) = closed(2);
        let submission = fault(&mut forge);
        let row = forge.next_seq + submission.drafts.len() as u64 - 1;
        forge.write(Group::new(vec![submission]));
        let report = report(&forge.finish());
        assert_eq!(found(&report), [(CheckId::V09, Some(row))], "{report:#?}");
        assert_eq!(check_of(&report, CheckId::V10).status, Status::NotChecked);
    }
}

#[test]
fn pins_and_checkpoints_behind_a_closed_key_row_wait_for_the_keys() {
    let (mut forge, second) = closed(3);
    forge.submit(vec![put(2)]);
    let early = {
        let mut twin = Forge::new(3);
        twin.submit(vec![put(1)]);
        twin.checkpoint().to_owned()
    };
    let (known, unknown) = (forge.verifier_key(LEDGER), forge.verifier_key(second));
    let text = checkpoint_text(&unknown.name, 7, &counterfoil_format::Hash([7; 32]));
    let fork = SignedNote::new(text.clone(), &unknown, &forge.sign(second, text.as_bytes())).to_string();
    let mut ledger = forge.finish();
    ledger.checkpoint = early;
    let dir = written(&ledger);
    let pins = |key| Options { pins: vec![Pin::Ledger(key)], ..Options::default() };
    let report = judge(dir.path(), &pins(known)).unwrap();
    assert_eq!(check_of(&report, CheckId::V11).status, Status::Passed);
    assert_eq!(check_of(&report, CheckId::V12).status, Status::Passed, "{report:#?}");
    let report = judge(dir.path(), &pins(unknown)).unwrap();
    assert_eq!(check_of(&report, CheckId::V11).status, Status::NotChecked);
    assert_eq!(report.verdict, Verdict::Intact);

    // Another root is another history, whoever signed it.
    let kept = dir.path().join("kept");
    fs::write(&kept, fork).unwrap();
    let report = judge(dir.path(), &Options { checkpoints: vec![kept], ..Options::default() }).unwrap();
    assert_eq!(found(&report), [(CheckId::V12, None)]);
    assert!(report.findings[0].message.contains("another root"), "{report:#?}");
}

/// The rows that are gone may have changed the key that seals.
#[test]
fn a_seal_behind_missing_rows_does_not_fail_for_lack_of_its_key() {
    let mut forge = Forge::new(10);
    let second = forge.new_key();
    let row = rotate(&forge, LEDGER, second);
    forge.submit(vec![row]);
    forge.submit(vec![put(1)]);
    let mut ledger = forge.finish();
    let segment = &mut ledger.segments[0].1;
    let lost = groups(segment)[2].clone();
    segment.drain(lost);
    fix_checksums(segment);
    let report = report(&ledger);
    assert!(found(&report).contains(&(CheckId::V03, Some(5))), "{report:#?}");
    let Check { status, detail } = check_of(&report, CheckId::V10);
    assert_eq!(status, Status::NotChecked, "{detail}");
    assert!(detail.contains("may have changed"), "{detail}");
}

/// A row whose author had no right to write it is a finding; what it says is in force all the same.
#[test]
fn a_key_that_was_granted_without_right_is_a_key() {
    let mut forge = Forge::new(4);
    let second = forge.new_key();
    let row = grant(&forge, second, Role::Executor).by(EXECUTOR);
    forge.submit(vec![row]);
    forge.submit(vec![put(1).by(second)]);
    assert_eq!(found(&report(&forge.finish())), [(CheckId::V09, Some(4))]);
}

#[test]
fn signatures_name_the_ledger_by_row_0() {
    let mut forge = Forge::new(5);
    forge.submit(vec![put(1)]);
    let mut ledger = forge.finish();
    let segment = &mut ledger.segments[0].1;
    segment[40] ^= 1;
    fix_checksums(segment);
    let report = report(&ledger);
    assert_eq!(found(&report), [(CheckId::V01, Some(0))], "{report:#?}");
    assert_eq!(report.ledger_id, Some(ledger.ledger_id.to_string()));
}

/// The rows behind such a header are found again: by their ids, and when they are taken back.
#[test]
fn a_header_with_a_wrong_number_moves_no_row() {
    for claimed in [0, 4, 6, 900, u64::MAX - 1] {
        let mut forge = Forge::new(6);
        let twice = Some(counterfoil_format::intent::IntentId([9; 16]));
        forge.submit(vec![Draft { id: twice, ..put(1) }]);
        let group = Group::new(vec![Submission::new(vec![put(2)])]);
        forge.write(Group { first_seq: Some(claimed), ..group });
        let rollback = forge.rollback(5, false);
        forge.submit(vec![rollback]);
        forge.submit(vec![Draft { id: twice, ..put(3) }]);
        let report = report(&forge.finish());
        assert_eq!(found(&report), [(CheckId::V03, Some(5)), (CheckId::V20, Some(7))], "{claimed}");
        assert_eq!((report.rows, report.size), (8, 8));
        assert_eq!(check_of(&report, CheckId::V08).status, Status::Passed);
        assert_eq!(check_of(&report, CheckId::V10).status, Status::Passed);
    }
}

/// Where header and row agree on a far number, counting ends; nothing is numbered past the last number.
#[test]
fn numbers_end_where_64_bits_end() {
    let mut forge = Forge::new(7);
    for (claimed, said) in [(u64::MAX - 2, u64::MAX - 2), (3, 9)] {
        let draft = put(2).landing(move |landing| landing.seq = said);
        let group = Group::new(vec![Submission::new(vec![draft, put(3)])]);
        forge.write(Group { first_seq: Some(claimed), ..group });
    }
    let report = report(&forge.finish());
    assert_eq!(report.verdict, Verdict::Broken);
    assert_eq!(report.rows, 8);
}

#[test]
fn what_stands_where_a_checkpoint_should_be_is_named() {
    let ledger = Forge::new(8).finish();
    let dir = written(&ledger);
    let own = dir.path().join("checkpoint");
    let kept = dir.path().join("kept.note");
    fs::write(&kept, "no checkpoint").unwrap();
    let options = Options { checkpoints: vec![kept], ..Options::default() };
    assert!(judge(dir.path(), &options).unwrap_err().contains("kept.note"));

    fs::write(&own, "no checkpoint").unwrap();
    let report = judge(dir.path(), &Options::default()).unwrap();
    assert_eq!(found(&report), [(CheckId::V12, None)]);
    assert_eq!(report.findings[0].segment, "checkpoint");

    fs::remove_file(&own).unwrap();
    assert_eq!(judge(dir.path(), &Options::default()).unwrap().verdict, Verdict::Intact);
    fs::create_dir(&own).unwrap();
    let error = judge(dir.path(), &Options::default()).unwrap_err();
    assert!(error.contains(&own.display().to_string()) && error.contains("no file"), "{error}");
}

#[test]
fn a_torn_tail_is_broken_and_the_message_says_what_to_do() {
    const ADVICE: &str = "if so, opening the ledger sets that right";
    let mut forge = Forge::new(9);
    forge.submit(vec![put(1)]);
    forge.close_segment();
    forge.submit(vec![put(2)]);
    forge.submit(vec![put(3)]);
    let whole = forge.finish();
    let last = groups(&whole.segments[1].1).pop().unwrap();
    let tails: [fn(&mut Vec<u8>, usize); 4] = [
        |bytes, _| bytes.truncate(bytes.len() - 8),
        |bytes, at| bytes[at..].fill(0),
        |bytes, at| bytes[at + 100..].fill(0),
        |bytes, _| bytes.truncate(100),
    ];
    for (place, tear) in tails.iter().enumerate() {
        let mut torn = whole.clone();
        tear(&mut torn.segments[1].1, last.start);
        let report = report(&torn);
        assert_eq!(report.verdict, Verdict::Broken);
        let first = report.findings.iter().find(|finding| finding.check == CheckId::V01).unwrap();
        assert!(first.message.ends_with(ADVICE), "{place}: {first:?}");
    }
    // Elsewhere it is no crash.
    let mut damaged = whole.clone();
    let end = damaged.segments[0].1.len() - 8;
    damaged.segments[0].1.truncate(end);
    let first = groups(&damaged.segments[1].1)[0].clone();
    set_body_checksum(&mut damaged.segments[1].1, &first, 0);
    let report = report(&damaged);
    assert!(report.findings.iter().all(|finding| !finding.message.contains(ADVICE)), "{report:#?}");
}
