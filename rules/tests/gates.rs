//! Every gate alone, and every two that can stop a decision together: the reasons are exactly theirs, in the order of the
//! format, and the outcome follows.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod scene;

use counterfoil_format::intent::{Mode, Tier};
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::ops::Guard;
use counterfoil_rules::cited::PutAside;
use counterfoil_rules::gates::is_clearable;
use scene::{AUTHOR, Does, Scene, Undoes, cents};

/// The reasons that no operation gives.
const GATES: [Reason; 16] = [
    Reason::UnknownAction,
    Reason::LiveNotAllowed,
    Reason::KillSwitch,
    Reason::TierTooLow,
    Reason::JudgeMissing,
    Reason::JudgeBelowFloor,
    Reason::JudgeNotSeparate,
    Reason::AttestationMissing,
    Reason::MoveNotAllowed,
    Reason::MetricMissing,
    Reason::MetricUncalibrated,
    Reason::MetricBelowFloor,
    Reason::CountLimit,
    Reason::SumLimit,
    Reason::Irreversible,
    Reason::Unproven,
];
/// The reasons with which operations fail.
const FAILURES: [Reason; 4] =
    [Reason::GuardFailed, Reason::KeyAbsent, Reason::KindMismatch, Reason::CounterOverflow];
/// What lies in a rule, and is not asked where there is none.
const IN_A_RULE: [Reason; 11] = [
    Reason::LiveNotAllowed,
    Reason::TierTooLow,
    Reason::JudgeMissing,
    Reason::JudgeBelowFloor,
    Reason::JudgeNotSeparate,
    Reason::AttestationMissing,
    Reason::MetricMissing,
    Reason::MetricUncalibrated,
    Reason::MetricBelowFloor,
    Reason::Irreversible,
    Reason::Unproven,
];
/// What is asked of a judge who is there.
const OF_A_JUDGE: [Reason; 3] =
    [Reason::JudgeBelowFloor, Reason::JudgeNotSeparate, Reason::AttestationMissing];

/// Spoils the scene so that this reason holds, and of itself no other.
fn spoil(scene: &mut Scene, reason: Reason) {
    match reason {
        Reason::UnknownAction => scene.policy.actions[0].pattern = "stock.*",
        Reason::LiveNotAllowed => scene.rule().live = false,
        Reason::KillSwitch => scene.engaged = true,
        Reason::TierTooLow => scene.tier = Tier::C,
        Reason::JudgeMissing => scene.judge = None,
        Reason::JudgeBelowFloor => scene.judge.iter_mut().for_each(|judge| judge.1 -= 1),
        Reason::JudgeNotSeparate => scene.planner = "judge",
        Reason::AttestationMissing => scene.judge.iter_mut().for_each(|judge| judge.2 = None),
        Reason::MoveNotAllowed => scene.ops.push(("sku-2", Guard::None, Does::Move("live"))),
        Reason::MetricMissing => scene.evidence.retain(|row| *row != 5),
        Reason::MetricUncalibrated => drop(scene.calibrated.remove("ctr")),
        Reason::MetricBelowFloor => scene.readings.get_mut(&6).unwrap().value = cents(99),
        Reason::CountLimit => scene.spent(3, 0),
        Reason::SumLimit => scene.ops.push(("sku-1/spend", Guard::None, Does::Add(91))),
        Reason::Irreversible => scene.effects[0].undo = Undoes::Compensate,
        Reason::Unproven => scene.drilled.clear(),
        Reason::GuardFailed => scene.ops.push(("text", Guard::Absent, Does::Add(1))),
        Reason::KeyAbsent => scene.ops.push(("nothing", Guard::None, Does::Delete)),
        Reason::KindMismatch => scene.ops.push(("text", Guard::None, Does::Add(1))),
        Reason::CounterOverflow => scene.ops.push(("count", Guard::None, Does::Add(1))),
    }
}

fn spoilt(reasons: &[Reason]) -> Scene {
    reasons.iter().fold(Scene::default(), |scene, reason| scene.with(|scene| spoil(scene, *reason)))
}

/// Whether two gates can stop one decision.
fn together(one: Reason, other: Reason) -> bool {
    let hides = |unasked: &[Reason], by, one, other| one == by && unasked.contains(&other);
    !hides(&IN_A_RULE, Reason::UnknownAction, one, other)
        && !hides(&OF_A_JUDGE, Reason::JudgeMissing, one, other)
}

/// Checks that a decision is put aside for exactly these reasons, and would be in a dry run but for those of live rows.
fn check(scene: &Scene, expected: &[Reason]) {
    let became = scene.land();
    assert_eq!(became.reasons, expected);
    assert_eq!((became.outcome, became.changes), (Outcome::Review, false), "{expected:?}");
    let dry = Scene { mode: Mode::DryRun, ..scene.clone() }.land();
    let of_live = |reason: &&Reason| matches!(reason, Reason::LiveNotAllowed | Reason::KillSwitch);
    let left: Vec<Reason> = expected.iter().filter(|reason| !of_live(reason)).copied().collect();
    assert_eq!(dry.reasons, left, "in a dry run: {expected:?}");
    let outcome = if left.is_empty() { Outcome::DryRun } else { Outcome::Review };
    assert_eq!((dry.outcome, dry.changes), (outcome, left.is_empty()), "{expected:?}");
}

#[test]
fn a_decision_that_nothing_stops_is_applied() {
    let became = Scene::default().land();
    assert_eq!((became.outcome, became.reasons, became.changes), (Outcome::Applied, Vec::new(), true));
    let dry = Scene { mode: Mode::DryRun, ..Scene::default() }.land();
    assert_eq!((dry.outcome, dry.reasons, dry.changes), (Outcome::DryRun, Vec::new(), true));
}

#[test]
fn each_gate_stops_a_decision_alone() {
    for reason in GATES.into_iter().chain(FAILURES) {
        check(&spoilt(&[reason]), &[reason]);
    }
    assert_eq!(GATES.iter().chain(&FAILURES).collect::<Vec<_>>(), Reason::ALL.iter().collect::<Vec<_>>());
}

#[test]
fn two_gates_stop_a_decision_together_in_the_order_of_the_format() {
    let mut pairs = 0;
    for (place, one) in GATES.into_iter().enumerate() {
        for other in GATES.into_iter().skip(place + 1).chain(FAILURES) {
            let expected = if together(one, other) { vec![one, other] } else { vec![one] };
            // Neither hides the other, whichever spoils the scene first.
            check(&spoilt(&[one, other]), &expected);
            check(&spoilt(&[other, one]), &expected);
            pairs += usize::from(expected.len() == 2);
        }
    }
    assert_eq!(pairs, 16 * 15 / 2 - 11 - 3 + 16 * 4);
}

#[test]
fn all_that_hold_are_listed_and_of_failures_the_first() {
    let hidden = [Reason::UnknownAction, Reason::JudgeMissing];
    let most: Vec<Reason> = GATES.into_iter().filter(|reason| !hidden.contains(reason)).collect();
    check(&spoilt(&most), &most);
    for (one, other) in FAILURES.into_iter().flat_map(|one| FAILURES.map(|other| (one, other))) {
        check(&spoilt(&[one, other]), &[one]);
    }
    let unknown: Vec<Reason> = GATES.into_iter().filter(|reason| !IN_A_RULE.contains(reason)).collect();
    check(&spoilt(&GATES), &unknown);
}

/// What an approval of a row with these reasons still meets, when nothing has changed.
fn after_approval(scene: &Scene, reasons: &[Reason]) -> Vec<Reason> {
    let approved = Some(PutAside { reasons: reasons.to_vec(), author: AUTHOR });
    Scene { approved, ..scene.clone() }.reasons()
}

#[test]
fn an_approval_clears_what_it_may_and_nothing_else() {
    let held = [Reason::LiveNotAllowed, Reason::KillSwitch, Reason::JudgeNotSeparate, Reason::MoveNotAllowed];
    for reason in GATES.into_iter().chain(FAILURES) {
        let left = after_approval(&spoilt(&[reason]), &[reason]);
        let stays = held.contains(&reason) || FAILURES.contains(&reason);
        assert_eq!(left, if stays { vec![reason] } else { Vec::new() });
        assert_eq!(is_clearable(reason), !stays, "{reason}");
    }
}

#[test]
fn an_approval_clears_only_what_the_human_has_seen() {
    for (one, other) in GATES.into_iter().flat_map(|one| GATES.map(|other| (one, other))) {
        let scene = spoilt(&[one, other]);
        let met = scene.reasons();
        let left = after_approval(&scene, &[one]);
        let expected: Vec<Reason> =
            met.iter().filter(|reason| **reason != one || !is_clearable(one)).copied().collect();
        assert_eq!(left, expected, "{one} was seen, {other} was not");
    }
    let reasons = GATES.into_iter().filter(|reason| *reason != Reason::JudgeNotSeparate).collect();
    let passed = Scene { approved: Some(PutAside { reasons, author: AUTHOR }), ..Scene::default() };
    assert_eq!(passed.land().outcome, Outcome::Applied);
}
