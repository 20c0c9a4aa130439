//! Each check of the verifier against a ledger that breaks just its rule.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange, Role, Scope, Snapshot};
use counterfoil_format::part::PartTag;
use counterfoil_format::value::Value;
use counterfoil_tests::draft::{Draft, EXECUTOR, Group, LEDGER, OPERATOR, OWNER, Submission, Who};
use counterfoil_tests::forge::Forge;
use counterfoil_tests::judge::judge;
use counterfoil_tests::output::{fix_checksums, groups};
use counterfoil_tests::sample::Sample;
use counterfoil_tests::undone::chain;
use counterfoil_verifier::{CheckId, Report, Status, Verdict};

fn found(report: &Report) -> Vec<(CheckId, Option<u64>)> {
    report.findings.iter().map(|finding| (finding.check, finding.row)).collect()
}

fn put(number: i64) -> Draft {
    Draft::decision("price.set").put("price/1", &Value::Int(number))
}

fn forge() -> Forge {
    let mut forge = Forge::new(3);
    forge.submit(vec![put(1)]);
    forge
}

fn grant(forge: &Forge, who: Who, role: Role) -> Draft {
    Draft::body(&Body::Key(KeyChange::Grant {
        key: forge.public(who),
        roles: role.bit(),
        name: "new",
        scope: Scope::default(),
    }))
}

fn revoke(forge: &Forge, who: Who) -> Draft {
    let key = forge.key_id(who);
    Draft::body(&Body::Key(KeyChange::Revoke { key, compromised_since: None, reason: "" }))
}

#[test]
fn a_sample_of_many_windows_is_intact() {
    let sample = Sample { decisions: 3000, per_submission: 3, per_group: 2, ..Sample::default() };
    let report = judge(&sample.write(counterfoil_tests::output::Sink::memory()));
    assert_eq!(report.verdict, Verdict::Intact, "{report:#?}");
    assert_eq!(report.rows, 3000 + Sample::BEFORE);
    assert_eq!(report.checks[&CheckId::V21].detail, "9000 references to rows checked");
}

#[test]
fn rows_that_are_missing_swapped_or_doubled_are_told_from_the_rest() {
    let mut whole = forge();
    (2..6).for_each(|number| whole.submit(vec![put(number)]));
    let ledger = whole.finish();
    let parts = groups(&ledger.segments[0].1);
    let rebuild = |order: &[usize]| {
        let bytes = &ledger.segments[0].1;
        let mut copy = ledger.clone();
        copy.segments[0].1 = order
            .iter()
            .fold(bytes[..104].to_vec(), |all, group| [&all, &bytes[parts[*group].clone()]].concat());
        fix_checksums(&mut copy.segments[0].1);
        judge(&copy)
    };
    assert_eq!(rebuild(&[0, 1, 2, 3, 4, 5, 6]).verdict, Verdict::Intact);
    let dropped = rebuild(&[0, 1, 2, 4, 5, 6]);
    assert!(found(&dropped).contains(&(CheckId::V03, Some(6))), "{dropped:#?}");
    assert!(found(&dropped).contains(&(CheckId::V07, Some(6))));
    assert_eq!(dropped.checks[&CheckId::V08].status, Status::NotChecked);
    assert!(dropped.checks[&CheckId::V15].detail.contains("rows before row 6 are missing"));
    for order in [&[0, 1, 3, 2, 4, 5, 6][..], &[0, 1, 2, 2, 3, 4, 5, 6]] {
        let report = rebuild(order);
        assert_eq!(report.verdict, Verdict::Broken);
        assert!(report.findings.iter().any(|finding| finding.check == CheckId::V03));
    }
}

#[test]
fn behind_a_damaged_group_header_the_reading_goes_on() {
    let mut whole = forge();
    (2..6).for_each(|number| whole.submit(vec![put(number)]));
    let mut ledger = whole.finish();
    let bytes = &mut ledger.segments[0].1;
    let damaged = groups(bytes)[3].clone();
    bytes[damaged.start + 5] ^= 1;
    let report = judge(&ledger);
    assert_eq!(found(&report)[0], (CheckId::V01, Some(5)));
    assert_eq!(report.findings[0].offset, damaged.start as u64);
    assert!(report.findings[0].message.contains("skipped to the next group"));
    assert_eq!((report.rows, report.size), (8, 9));
    assert_eq!(report.checks[&CheckId::V09].status, Status::Passed);
}

#[test]
fn authors_without_the_right_are_named() {
    type Case = (&'static str, fn(&mut Forge) -> Submission);
    let verdicts: [Case; 5] = [
        ("never enrolled", |forge| Submission::new(vec![put(2).by(forge.new_key())])),
        ("the wrong role", |_| Submission::new(vec![put(2).by(OPERATOR)])),
        ("revoked", |forge| {
            let revoke = revoke(forge, EXECUTOR);
            forge.submit(vec![revoke]);
            Submission::new(vec![put(2)])
        }),
        ("signed by another", |_| Submission { signer: Some(OWNER), ..Submission::new(vec![put(2)]) }),
        ("for another ledger", |_| Submission {
            ledger_id: Some(Hash([1; 32])),
            ..Submission::new(vec![put(2)])
        }),
    ];
    for (name, submission) in verdicts {
        let mut forge = forge();
        let submission = submission(&mut forge);
        let seq = forge.next_seq;
        forge.write(Group::new(vec![submission]));
        forge.submit(vec![revoke(&forge, OPERATOR)]);
        let report = judge(&forge.finish());
        assert_eq!(found(&report), [(CheckId::V09, Some(seq))], "{name}: {report:#?}");
        assert_eq!(report.verdict, Verdict::Broken);
    }
}

#[test]
fn keys_change_from_row_to_row_within_a_group() {
    let mut forge = forge();
    let (executor, ledger) = (forge.new_key(), forge.new_key());
    let rows = vec![
        Submission::new(vec![grant(&forge, executor, Role::Executor), grant(&forge, ledger, Role::Ledger)]),
        Submission::new(vec![put(2).by(executor)]),
        Submission::new(vec![revoke(&forge, executor)]),
        Submission::new(vec![put(3)]),
    ];
    forge.write(Group::new(rows));
    forge.submit(vec![put(4)]);
    assert_eq!(judge(&forge.finish()).verdict, Verdict::Intact);

    let mut forge = self::forge();
    let group = Group { sealer: Some(EXECUTOR), ..Group::new(vec![Submission::new(vec![put(2)])]) };
    forge.write(group);
    assert_eq!(found(&judge(&forge.finish()))[0], (CheckId::V10, Some(5)));

    // A key is enrolled once, and its bearer must be who the submission is by.
    let mut forge = self::forge();
    let twice = grant(&forge, EXECUTOR, Role::Executor);
    forge.submit(vec![twice, put(2).by(LEDGER)]);
    let report = judge(&forge.finish());
    assert_eq!(found(&report), [(CheckId::V09, Some(5)), (CheckId::V09, Some(6))], "{report:#?}");
}

#[test]
fn times_places_and_hashes_that_do_not_fit_are_named() {
    let cases: [(CheckId, fn() -> Draft); 6] = [
        (CheckId::V04, || put(2).landing(|landing| landing.landed_at -= 5_000_000)),
        (CheckId::V03, || put(2).landing(|landing| landing.seq += 1)),
        (CheckId::V03, || put(2).landing(|landing| landing.count = 2)),
        (CheckId::V05, || put(2).landing(|landing| landing.rollback = Some(Hash([7; 32])))),
        (CheckId::V07, || Draft { previous: Some(Hash([7; 32])), ..put(2) }),
        (CheckId::V02, || put(2).content(PartTag::Subject, vec![0])),
    ];
    for (check, draft) in cases {
        let mut forge = forge();
        forge.submit(vec![draft()]);
        forge.submit(vec![put(3)]);
        let report = judge(&forge.finish());
        assert_eq!(found(&report), [(check, Some(5))], "{check:?}: {report:#?}");
    }
    let mut forge = forge();
    forge.write(Group { root: Some(Hash([7; 32])), ..Group::new(vec![Submission::new(vec![put(2)])]) });
    forge.submit(vec![put(3)]);
    assert_eq!(found(&judge(&forge.finish())), [(CheckId::V08, Some(5))]);
}

#[test]
fn withheld_values_are_no_obstacle_and_withheld_operations_are_said() {
    let mut forge = forge();
    forge.submit(vec![Draft { close_values: true, ..put(2) }, put(3).reason("x").close(PartTag::Context)]);
    let report = judge(&forge.finish());
    assert_eq!(report.verdict, Verdict::Intact, "{report:#?}");
    assert_eq!(report.checks[&CheckId::V15].status, Status::Passed);
    assert_eq!((report.counts.closed_parts, report.counts.closed_values), (1, 2));

    let mut forge = self::forge();
    forge.submit(vec![put(2).close(PartTag::Ops), put(3)]);
    let report = judge(&forge.finish());
    assert_eq!(report.verdict, Verdict::Intact, "{report:#?}");
    let inverse = &report.checks[&CheckId::V15];
    assert_eq!(inverse.status, Status::NotChecked);
    assert!(inverse.detail.contains("2 not checked, the first at row 5"), "{}", inverse.detail);
}

#[test]
fn forced_rollbacks_are_named_openly() {
    let mut forge = forge();
    forge.submit(vec![put(2)]);
    let forced = forge.rollback(4, true).by(OPERATOR);
    forge.submit(vec![forced]);
    let report = judge(&forge.finish());
    assert_eq!(report.verdict, Verdict::Intact, "{report:#?}");
    assert!(report.checks[&CheckId::V17].detail.ends_with("1 of them openly forced: rows 6"));
}

#[test]
fn a_rollback_far_behind_its_target_finds_it() {
    let mut forge = forge();
    for number in 0..900 {
        forge.submit(vec![put(number), put(number + 1)]);
    }
    forge.close_segment();
    for target in [4, 5, 444, 1803] {
        let rollback = forge.rollback(target, true).by(OPERATOR);
        forge.submit(vec![rollback]);
    }
    let report = judge(&forge.finish());
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    assert!(report.checks[&CheckId::V17].detail.starts_with("4 rollback rows checked"));
}

#[test]
fn rollbacks_of_rollbacks_go_so_far_and_no_further() {
    let longest = judge(&chain(256));
    assert_eq!(longest.verdict, Verdict::Intact, "{:?}", longest.findings);
    let longer = judge(&chain(257));
    assert_eq!(found(&longer), [(CheckId::V17, Some(262))], "{:?}", longer.findings);
}

/// Snapshots of states far back, behind a huge row, use up what may be read again for snapshots, and for nothing else.
#[test]
fn snapshots_that_cost_too_much_hide_no_rollback() {
    let mut forge = forge();
    let then = Snapshot { at: 4, state: forge.state.digest(), leaves: forge.state.len() as u64 };
    forge.submit(vec![Draft::decision("price.set").put("huge", &Value::Text("x".repeat(1_000_000)))]);
    for _ in 0..90 {
        forge.submit(vec![Draft::body(&Body::Snapshot(then)).by(OPERATOR)]);
    }
    let rollback = forge.rollback(4, false).by(OPERATOR);
    forge.submit(vec![rollback]);
    let report = judge(&forge.finish());
    assert_eq!(report.verdict, Verdict::Intact, "{:?}", report.findings);
    assert_eq!(report.checks[&CheckId::V16].status, Status::NotChecked);
    assert_eq!(report.checks[&CheckId::V17].status, Status::Passed);
}

#[test]
fn a_file_full_of_faults_is_counted_in_full_and_listed_in_part() {
    let mut forge = forge();
    let rows = (0..2500).map(|number| put(number).landing(|landing| landing.index = 0));
    let rows: Vec<Draft> = rows.collect();
    forge.submit(rows);
    let report = judge(&forge.finish());
    assert_eq!(report.checks[&CheckId::V03].findings.len(), 1000);
    assert!(
        report.checks[&CheckId::V03].detail.contains("2499 found"),
        "{}",
        report.checks[&CheckId::V03].detail
    );
}

#[test]
fn what_cannot_be_read_passes_no_check() {
    let mut forge = forge();
    forge.submit(vec![Draft { edit_record: Some(Box::new(|record| record[0] = 0xff)), ..put(2) }, put(3)]);
    let report = judge(&forge.finish());
    assert_eq!(found(&report), [(CheckId::V02, Some(5))], "{report:#?}");
    for check in [CheckId::V03, CheckId::V07, CheckId::V09, CheckId::V15, CheckId::V20, CheckId::V21] {
        assert_eq!(report.checks[&check].status, Status::NotChecked, "{check:?}");
    }
    assert_eq!(report.checks[&CheckId::V08].status, Status::Passed);

    let mut forge = self::forge();
    forge.submit(vec![put(2), put(3)]);
    let mut ledger = forge.finish();
    let bytes = &mut ledger.segments[0].1;
    let group = groups(bytes).pop().unwrap();
    bytes[group.start + 72 + 3] = 0x7f;
    fix_checksums(bytes);
    let report = judge(&ledger);
    assert_eq!(found(&report), [(CheckId::V02, Some(5))], "{report:#?}");
    for check in CheckId::ALL.iter().filter(|check| **check != CheckId::V01 && **check != CheckId::V02) {
        assert_eq!(report.checks[check].status, Status::NotChecked, "{check:?}");
    }
}

#[test]
fn a_key_that_ends_itself_is_over_with_that_row() {
    let mut forge = forge();
    let (heir, late) = (forge.new_key(), forge.new_key());
    let last = grant(&forge, late, Role::Auditor);
    let rows = vec![grant(&forge, heir, Role::Owner), revoke(&forge, OWNER), last];
    forge.submit(rows);
    let report = judge(&forge.finish());
    assert_eq!(found(&report), [(CheckId::V09, Some(7))], "{report:#?}");
}

/// Rows with the largest numbers there are.
#[test]
fn the_end_of_all_numbers_is_no_end_of_the_verifier() {
    let mut forge = forge();
    for first_seq in [u64::MAX - 1, u64::MAX - 2, 1 << 63] {
        forge.write(Group { first_seq: Some(first_seq), ..Group::new(vec![Submission::new(vec![put(2)])]) });
    }
    let report = judge(&forge.finish());
    assert_eq!(report.verdict, Verdict::Broken);
    assert_eq!(report.rows, 8);
}
