//! What changes from one policy to another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_policy::{PolicyFile, Turn, diff};

/// The changes between two texts, a line each; and back again, which must turn the other way.
fn changes(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (PolicyFile::parse(old).unwrap(), PolicyFile::parse(new).unwrap());
    assert_eq!(diff(&old.body(), &old.body()), []);
    let there = diff(&old.body(), &new.body());
    let back = diff(&new.body(), &old.body());
    assert_eq!(there.len(), back.len());
    let reversed = |turn| match turn {
        Turn::Stricter => Turn::Looser,
        Turn::Looser => Turn::Stricter,
        other => other,
    };
    let turns = |differences: &[_]| {
        let mut turns: Vec<_> =
            differences.iter().map(|one: &counterfoil_policy::Difference| one.turn).collect();
        turns.sort_by_key(|turn| format!("{turn:?}"));
        turns
    };
    let mut expected: Vec<_> = there.iter().map(|one| reversed(one.turn)).collect();
    expected.sort_by_key(|turn| format!("{turn:?}"));
    assert_eq!(turns(&back), expected, "{there:?} {back:?}");
    there.iter().map(ToString::to_string).collect()
}

#[test]
fn settings() {
    assert_eq!(
        changes(
            "",
            "unknown = \"allow\"\nseparation = false\nsegment_bytes = \"1 GiB\"\nkill_switch.drill = \"7 days\""
        ),
        [
            "unknown: review -> allow (looser)",
            "separation: true -> false (looser)",
            "segment_bytes: 64 MiB -> 1 GiB",
            "kill_switch.drill: 30 days -> 7 days (stricter)",
        ]
    );
    assert_eq!(changes("", "snapshots = 5000"), ["snapshots: 100000 -> 5000"]);
    assert_eq!(changes("", "snapshots = \"never\""), ["snapshots: 100000 -> never"]);
    assert_eq!(changes("", "snapshots = 100000"), [""; 0]);
    assert_eq!(
        changes("", "kill_switch.drill = \"never\""),
        ["kill_switch.drill: 30 days -> never (looser)"]
    );
}

#[test]
fn rules() {
    let soft = "[action.AD]\nclass = \"soft\"\nlive = true\n";
    assert_eq!(
        changes(
            soft,
            "[action.AD]\nclass = \"hard\"\nreversibility = \"exact\"\nproven = \"30 days\"\nattested = true\njudge = 0.9\nmetrics = { ctr = 1, roas = \"calibrated\" }"
        ),
        [
            "action AD: class: soft -> hard",
            "action AD: tier: B -> A (stricter)",
            "action AD: live: true -> false (stricter)",
            "action AD: reversibility: compensating -> exact (stricter)",
            "action AD: proven: none -> 30 days (stricter)",
            "action AD: judge: none -> 0.9 (stricter)",
            "action AD: attested: false -> true (stricter)",
            "action AD: metrics.ctr: none -> 1 (stricter)",
            "action AD: metrics.roas: none -> \"calibrated\" (stricter)",
        ]
    );
    let metric = |floor: &str| format!("{soft}metrics = {{ roas = {floor} }}");
    assert_eq!(changes(&metric("1.8"), &metric("-2.25")), ["action AD: metrics.roas: 1.8 -> -2.25 (looser)"]);
    assert_eq!(changes(&metric("1.8"), &metric("1.80")), ["action AD: metrics.roas: 1.8 -> 1.80"]);
    assert_eq!(
        changes(&metric("1.8"), &metric("\"calibrated\"")),
        ["action AD: metrics.roas: 1.8 -> \"calibrated\""]
    );
    assert_eq!(
        changes(&format!("{soft}judge = 0.78"), &format!("{soft}judge = 0.7")),
        ["action AD: judge: 0.78 -> 0.7 (looser)"]
    );
    let proven = |within: &str| format!("{soft}proven = \"{within}\"");
    assert_eq!(
        changes(&proven("30 days"), &proven("24 h")),
        ["action AD: proven: 30 days -> 1 day (stricter)"]
    );
    let longest = "9223372036854775807 us";
    assert_eq!(changes(&proven(longest), soft), [format!("action AD: proven: {longest} -> none (looser)")]);
}

#[test]
fn rules_that_come_and_go_are_told_with_what_holds_instead() {
    assert_eq!(
        changes("", "[action.AD]\nlive = true\n[action.SELL]"),
        [
            "action AD: new: hard, tier A, live, reversibility compensating; before unknown (looser)",
            "action SELL: new: hard, tier A, dry run only, reversibility compensating; before unknown \
             (stricter in some cases, looser in others)",
        ]
    );
    let wide = "[action.\"AD*\"]\nclass = \"soft\"\nlive = true\njudge = 0.5\n";
    assert_eq!(
        changes(
            wide,
            &format!(
                "{wide}[action.AD_STOP]\nclass = \"soft\"\nlive = true\nproven = \"7 days\"\njudge = 0.9\nattested = true\nmetrics = {{ a = 1 }}"
            )
        ),
        [
            "action AD_STOP: new: soft, tier B, live, reversibility compensating, proven within 7 days, judge 0.9, \
          attested, a 1; before the rule for AD* (stricter)"
        ]
    );
    assert_eq!(
        changes(&format!("{wide}[action.\"AD_*\"]\nlive = true"), wide),
        [
            "action AD_*: gone: hard, tier A, live, reversibility compensating; now the rule for AD* (stricter in some \
          cases, looser in others)"
        ]
    );
}

#[test]
fn lifecycles() {
    let moves = |stages: &str, moves: &str| {
        format!("[lifecycle]\nstages = [{stages}]\nstart = [\"new\"]\nend = [\"old\"]\nmoves = {{ {moves} }}")
    };
    let old = moves("\"new\", \"old\"", "new = [\"old\"]");
    assert_eq!(
        changes(&old, &moves("\"new\", \"old\", \"lost\"", "new = [\"lost\"], lost = [\"old\"]")),
        [
            "lifecycle: new: stage lost",
            "lifecycle: gone: move new -> old (stricter)",
            "lifecycle: new: move lost -> old (looser)",
            "lifecycle: new: move new -> lost (looser)",
        ]
    );
    assert_eq!(
        changes(&old, &old.replace("end = [\"old\"]", "")),
        ["lifecycle: gone: move old -> (none) (stricter)"]
    );
    assert_eq!(
        changes(&old, "lifecycle = \"free\""),
        ["lifecycle: gone: 2 stages, 3 moves; now any move goes (looser)"]
    );
}

#[test]
fn limits() {
    let limit = |window: &str, bound: &str| {
        format!("[[limit]]\naction = \"AD*\"\nper = \"entity\"\nwindow = \"{window}\"\n{bound}\n")
    };
    assert_eq!(
        changes(&limit("24 h", "count = 3"), &limit("1 day", "count = 5")),
        ["limit on AD* per entity in 1 day: count: 3 -> 5 (looser)"]
    );
    let sum = |most: &str| limit("7 days", &format!("sum = {{ field = \"spend\", at_most = {most} }}"));
    assert_eq!(
        changes(&sum("200.00"), &sum("150")),
        ["limit on AD* per entity in 7 days, with the sum of spend: sum.at_most: 200.00 -> 150 (stricter)"]
    );
    assert_eq!(
        changes(&format!("{}count = 1", sum("1")), &sum("1")),
        ["limit on AD* per entity in 7 days, with the sum of spend: count: 1 -> none (looser)"]
    );
    assert_eq!(
        changes(&limit("24 h", "count = 3"), &limit("12 h", "count = 3")),
        [
            "limit on AD* per entity in 12 h: new: count 3; it begins to count at nothing (stricter)",
            "limit on AD* per entity in 1 day: gone: count 3 (looser)",
        ]
    );
}

#[test]
fn writers() {
    let roles = |roles: &str| format!("[writers]\noutcome = [{roles}]");
    assert_eq!(
        changes("", &roles("\"executor\"")),
        ["writers of outcome rows: roles: as usual (executor, operator) -> executor (stricter)"]
    );
    assert_eq!(
        changes("", &roles("\"operator\", \"executor\"")),
        ["writers of outcome rows: roles: as usual (executor, operator) -> executor, operator"]
    );
    assert_eq!(
        changes(&roles("\"executor\""), &roles("\"judge\"")),
        ["writers of outcome rows: roles: executor -> judge (stricter in some cases, looser in others)"]
    );
}
