//! The tamper corpus, row by row: rows, groups and segments dropped, doubled, swapped and spliced, and histories signed
//! anew. Everything is judged by the reference and by the fast path on 1, 2 and 4 threads, whose reports must be equal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

#[path = "tamper/victim.rs"]
mod victim;

use counterfoil_tests::damage::{Pieces, doubled_group, regroup, swapped_groups, without_group};
use counterfoil_tests::draft::{Draft, Group, OWNER, Submission};
use counterfoil_tests::forge::Forge;
use counterfoil_tests::output::{Ledger, groups};
use counterfoil_verifier::{CheckId, Options, Report, Status, Verdict};
use std::fs;
use tempfile::TempDir;
use victim::{Kills, Victim, failed, grow, judge, names, small};

/// Every change to the rows and submissions of a group that leaves it a group.
fn changes(honest: &Pieces, foreign: &Pieces) -> Vec<(String, Pieces)> {
    let mut changes = vec![("the sibling's rows and signatures".to_owned(), foreign.clone())];
    let mut change = |what: String, edit: &dyn Fn(&mut Pieces)| {
        let mut pieces = honest.clone();
        edit(&mut pieces);
        changes.push((what, pieces));
    };
    for row in 0..honest.rows.len() {
        if honest.clone().covering(row).count > 1 {
            change(format!("row {row} dropped"), &|pieces| {
                pieces.covering(row).count -= 1;
                pieces.rows.remove(row);
            });
        }
        change(format!("row {row} doubled"), &|pieces| {
            pieces.covering(row).count += 1;
            pieces.rows.insert(row, honest.rows[row].clone());
        });
        if row + 1 < honest.rows.len() {
            change(format!("row {row} swapped with the next"), &|pieces| pieces.rows.swap(row, row + 1));
        }
        change(format!("row {row} from the sibling"), &|pieces| {
            pieces.rows[row].clone_from(&foreign.rows[row]);
        });
    }
    let mut begin = 0;
    for (place, submission) in honest.submissions.iter().enumerate() {
        let rows = begin..begin + submission.count as usize;
        begin = rows.end;
        if rows.len() < honest.rows.len() {
            change(format!("submission {place} dropped"), &|pieces| {
                pieces.rows.drain(rows.clone());
                pieces.submissions.remove(place);
            });
        }
        change(format!("submission {place} with the sibling's signature"), &|pieces| {
            pieces.submissions[place].signature = foreign.submissions[place].signature;
        });
    }
    changes
}

/// Rows dropped, doubled, swapped and spliced in; counts and checksums are put right behind it.
#[test]
fn no_row_can_be_dropped_doubled_swapped_or_spliced() {
    let victim = Victim::new(small(7));
    let sibling = small(8);
    let mut kills = Kills::default();
    for (place, (_, segment)) in victim.ledger.segments.iter().enumerate() {
        let frames = groups(segment);
        for group in 0..frames.len() {
            let honest = Pieces::of(segment, group);
            for (what, pieces) in changes(&honest, &Pieces::of(&sibling.segments[place].1, group)) {
                let bytes = regroup(segment, group, &pieces);
                let report = victim.with_segment(place, &bytes, &[1, 2, 4]);
                let damaged = frames[group].start..groups(&bytes)[group].end;
                let found = |report: &Report| names(report, &victim.segment(place), &damaged);
                kills.expect(&report, || format!("segment {place}, group {group}: {what}"), found);
            }
            if group + 1 == frames.len() {
                continue;
            }
            let (mut first, mut second) = (honest, Pieces::of(segment, group + 1));
            std::mem::swap(first.rows.last_mut().unwrap(), &mut second.rows[0]);
            let bytes = regroup(&regroup(segment, group, &first), group + 1, &second);
            let report = victim.with_segment(place, &bytes, &[1, 2, 4]);
            kills.expect(&report, || format!("last row of group {group} swapped with the next"), |_| true);
        }
    }
    kills.settle("rows dropped, doubled, swapped, spliced");
}

#[test]
fn no_group_or_segment_can_be_dropped_doubled_swapped_or_spliced() {
    let victim = Victim::new(small(7));
    let sibling = small(8);
    let mut kills = Kills::default();
    for (place, (_, segment)) in victim.ledger.segments.iter().enumerate() {
        let count = groups(segment).len();
        let mut damaged = Vec::new();
        for group in 0..count {
            damaged.push((format!("group {group} dropped"), without_group(segment, group)));
            damaged.push((format!("group {group} doubled"), doubled_group(segment, group)));
            if group + 1 < count {
                damaged.push((format!("group {group} swapped"), swapped_groups(segment, group)));
            }
        }
        let other = &victim.ledger.segments[1 - place].1;
        damaged.push(("the other segment's bytes".to_owned(), other.clone()));
        damaged.push(("the sibling's segment".to_owned(), sibling.segments[place].1.clone()));
        for (what, bytes) in damaged {
            let report = victim.with_segment(place, &bytes, &[1, 2, 4]);
            kills.expect(&report, || format!("segment {place}: {what}"), |_| true);
        }
        fs::remove_file(victim.segment(place)).unwrap();
        kills.expect(&victim.judge(&[1, 2, 4]), || format!("segment {place} removed"), |_| true);
        fs::write(victim.segment(place), segment).unwrap();
    }
    kills.settle("groups and segments dropped, doubled, swapped, spliced");
}

fn judged(ledger: &Ledger, options: &Options) -> Report {
    let dir = TempDir::new().unwrap();
    ledger.write_to(dir.path()).unwrap();
    judge(dir.path(), options, &[1, 2, 4])
}

/// Who has no key of the ledger can only make another ledger; a pin tells it from the one that is meant.
#[test]
fn a_history_signed_by_other_keys_is_another_ledger() {
    let (honest, forged) = (small(7), small(9));
    let report = judged(&forged, &Options::default());
    assert_eq!(report.verdict, Verdict::Intact);
    assert_eq!(report.checks[&CheckId::V11].status, Status::NotChecked);
    let owner = counterfoil_format::Hash(honest.owner);
    for pin in [format!("ledger_id={}", honest.ledger_id), format!("owner={owner}")] {
        let options = Options { pins: vec![pin.parse().unwrap()], ..Options::default() };
        assert_eq!(judged(&honest, &options).verdict, Verdict::Intact);
        let report = judged(&forged, &options);
        assert!(report.verdict == Verdict::Broken && failed(&report, CheckId::V11), "{pin}");
    }

    // With the true genesis, but seals of a key that no row enrolled, or rows that another key signed.
    let mut forge = Forge::new(7);
    let stranger = forge.new_key();
    forge.write(Group {
        sealer: Some(stranger),
        ..Group::new(vec![Submission::new(vec![Draft::decision("stock.sell").add("stock/1", -1)])])
    });
    let report = judged(&forge.finish(), &Options::default());
    assert!(report.verdict == Verdict::Broken && failed(&report, CheckId::V10));
    let mut forge = Forge::new(7);
    let drafts = vec![Draft::decision("stock.sell").add("stock/1", -1)];
    forge.write(Group::new(vec![Submission { signer: Some(OWNER), ..Submission::new(drafts) }]));
    let report = judged(&forge.finish(), &Options::default());
    assert!(report.verdict == Verdict::Broken && failed(&report, CheckId::V09));
}

/// Who holds all keys can write history anew, and nothing in the files shows it; a checkpoint kept elsewhere does.
#[test]
fn a_history_signed_anew_by_the_right_keys_shows_against_a_checkpoint() {
    let dir = TempDir::new().unwrap();
    let kept = dir.path().join("kept.note");
    let honest = small(7);
    fs::write(&kept, &honest.checkpoint).unwrap();
    let mut forge = Forge::new(7);
    grow(&mut forge, 1);
    let forged = forge.finish();
    assert_eq!(forged.ledger_id, honest.ledger_id);

    let pinned = Options {
        pins: vec![format!("ledger_id={}", honest.ledger_id).parse().unwrap()],
        ..Options::default()
    };
    for options in [&Options::default(), &pinned] {
        let report = judged(&forged, options);
        assert_eq!(report.verdict, Verdict::Intact, "no pin of a key can show it");
        assert!(
            report.not_checked.iter().any(|item| item.why.contains("checkpoint")),
            "{:?}",
            report.not_checked
        );
    }
    let against = Options { checkpoints: vec![kept], ..Options::default() };
    assert_eq!(judged(&honest, &against).verdict, Verdict::Intact);
    let report = judged(&forged, &against);
    assert!(report.verdict == Verdict::Broken && failed(&report, CheckId::V12));
}
