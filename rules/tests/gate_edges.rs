//! The gates at their edges: floors met exactly and missed by the least there is, the most specific pattern, moves within
//! one row, what is told of judges and reversibility.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod scene;

use counterfoil_format::intent::{KeyId, Tier};
use counterfoil_format::landing::{Outcome, Reason, Reversibility};
use counterfoil_format::ops::Guard;
use counterfoil_format::policy::{ActionRule, Floor, MetricFloor, PolicyBody, Reach};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_rules::cited::PutAside;
use counterfoil_rules::gates::Measured;
use scene::{AUTHOR, Acts, Does, JUDGE, NOW, Scene, Undoes, WINDOW, cents, strict};

/// A scene whose policy asks for nothing.
fn open() -> Scene {
    Scene { policy: PolicyBody::open(4096), ..Scene::default() }
}

fn number(mantissa: i128) -> Decimal {
    Decimal { mantissa, scale: 0 }
}

#[test]
fn a_tier_reaches_itself_and_those_below() {
    let ranks = [Tier::Unstated, Tier::C, Tier::B, Tier::A];
    for (place, least) in ranks.into_iter().enumerate() {
        for (rank, tier) in ranks.into_iter().enumerate() {
            let scene = Scene { tier, ..Scene::default() }.with(|scene| scene.rule().tier = least);
            let expected = if rank < place { vec![Reason::TierTooLow] } else { Vec::new() };
            assert_eq!(scene.reasons(), expected, "{tier} where {least} is asked for");
        }
    }
}

#[test]
fn a_score_reaches_the_floor_exactly() {
    let at = |floor, score| {
        let scene = Scene { judge: Some(("judge", score, Some(JUDGE))), ..Scene::default() };
        scene.with(|scene| scene.rule().judge_floor = floor).reasons()
    };
    assert_eq!(at(Some(800_000), 800_000), []);
    assert_eq!(at(Some(800_000), 799_999), [Reason::JudgeBelowFloor]);
    assert_eq!(at(Some(1_000_000), 1_000_000), []);
    assert_eq!(at(Some(1_000_000), 999_999), [Reason::JudgeBelowFloor]);
    assert_eq!(at(Some(0), 0), []);
    assert_eq!(at(None, 0), []);
}

#[test]
fn a_judge_is_asked_for_by_a_floor_or_a_signature_alone() {
    let ask = |floor, attested, judge| {
        let scene = Scene { judge, ..Scene::default() };
        scene.with(|scene| (scene.rule().judge_floor, scene.rule().attested) = (floor, attested)).reasons()
    };
    let unsigned = Some(("judge", 0, None));
    assert_eq!(ask(None, false, None), []);
    assert_eq!(ask(Some(0), false, None), [Reason::JudgeMissing]);
    assert_eq!(ask(None, true, None), [Reason::JudgeMissing]);
    assert_eq!(ask(None, false, unsigned), []);
    assert_eq!(ask(Some(0), false, unsigned), []);
    assert_eq!(ask(None, true, unsigned), [Reason::AttestationMissing]);
    assert_eq!(ask(Some(1), true, unsigned), [Reason::JudgeBelowFloor, Reason::AttestationMissing]);
}

#[test]
fn a_judge_is_separate_by_name_and_by_key() {
    let ask = |separation, planner, key| {
        let scene = Scene { planner, judge: Some(("judge", 900_000, key)), ..Scene::default() };
        scene.with(|scene| scene.policy.separation = separation)
    };
    let same = [Reason::JudgeNotSeparate];
    assert_eq!(ask(true, "judge", Some(JUDGE)).reasons(), same);
    assert_eq!(ask(true, "planner", Some(AUTHOR)).reasons(), same);
    assert_eq!(ask(true, "judge", Some(AUTHOR)).reasons(), same);
    assert_eq!(ask(true, "", Some(JUDGE)).reasons(), []);
    assert_eq!(ask(false, "judge", Some(AUTHOR)).reasons(), []);
    // Separation asks also where the rule needs no judge, and not where there is no rule.
    let unasked = |scene: &mut Scene| (scene.rule().judge_floor, scene.rule().attested) = (None, false);
    assert_eq!(ask(true, "judge", None).with(unasked).reasons(), same);
    assert_eq!(
        ask(true, "judge", None).with(|scene| scene.policy.actions.clear()).reasons(),
        [Reason::UnknownAction]
    );
    // Of an approval the author is that of the row that it approves; and what that row was told stays.
    let by = |author, reasons: &[Reason]| Some(PutAside { reasons: reasons.to_vec(), author });
    let approved = |author, reasons: &[Reason], key| {
        Scene { approved: by(author, reasons), ..ask(true, "planner", Some(key)) }.reasons()
    };
    assert_eq!(approved(KeyId([3; 8]), &[], KeyId([3; 8])), same);
    assert_eq!(approved(KeyId([3; 8]), &[], AUTHOR), []);
    assert_eq!(approved(KeyId([3; 8]), &same, AUTHOR), same);
}

#[test]
fn the_most_specific_pattern_has_the_rule() {
    let dead = |pattern| ActionRule { live: false, ..ActionRule::open(pattern) };
    let ask = |rules: &[ActionRule<'static>], action| {
        let policy = PolicyBody { actions: rules.to_vec(), ..PolicyBody::open(4096) };
        Scene { policy, action, ..Scene::default() }.reasons()
    };
    let (dead_reason, unknown) = ([Reason::LiveNotAllowed], [Reason::UnknownAction]);
    let rules = [
        dead("*"),
        ActionRule::open("price.*"),
        dead("price.set"),
        dead("price.set*"),
        ActionRule::open("price.set.low"),
    ];
    assert_eq!(ask(&rules, "stock.sell"), dead_reason);
    assert_eq!(ask(&rules, "price"), dead_reason);
    assert_eq!(ask(&rules, "price."), []);
    assert_eq!(ask(&rules, "price.raise"), []);
    assert_eq!(ask(&rules, "price.set"), dead_reason);
    assert_eq!(ask(&rules, "price.set.low"), []);
    assert_eq!(ask(&rules, "price.set.lower"), dead_reason);
    // The very name comes before the prefix that is as long.
    assert_eq!(ask(&[ActionRule::open("price.set"), dead("price.set*")], "price.set"), []);
    assert_eq!(ask(&[dead("price.set"), ActionRule::open("price.set*")], "price.set"), dead_reason);
    assert_eq!(ask(&rules[1..], "stock.sell"), unknown);
    assert_eq!(ask(&[], "stock.sell"), unknown);
}

#[test]
fn moves_are_asked_from_where_the_row_has_left_an_entity() {
    let ask = |moves: &[(&'static str, &'static str)]| {
        let ops = moves.iter().map(|(entity, stage)| (*entity, Guard::None, Does::Move(stage))).collect();
        let scene = Scene { ops, ..Scene::default() }.with(|scene| scene.policy.limits.clear());
        let stage = counterfoil_rules::state::Leaf::Stage("test".to_owned());
        scene.with(|scene| scene.state.set("lifecycle/sku-9", Some(stage))).reasons()
    };
    let stopped = [Reason::MoveNotAllowed];
    assert_eq!(ask(&[("sku-1", "test")]), []);
    assert_eq!(ask(&[("sku-1", "live")]), stopped);
    assert_eq!(ask(&[("sku-1", "test"), ("sku-1", "live")]), []);
    assert_eq!(ask(&[("sku-1", "test"), ("sku-1", "test")]), stopped);
    assert_eq!(ask(&[("sku-1", "test"), ("sku-1", "live"), ("sku-1", "live")]), stopped);
    assert_eq!(ask(&[("sku-1", "test"), ("sku-1", "")]), stopped);
    assert_eq!(ask(&[("sku-1", "")]), stopped);
    assert_eq!(ask(&[("sku-9", "live")]), []);
    assert_eq!(ask(&[("sku-9", "test")]), stopped);
    assert_eq!(ask(&[("sku-1", "test"), ("sku-9", "live"), ("sku-1", "live")]), []);
    assert_eq!(ask(&[("sku-1", "test"), ("sku-9", "live"), ("sku-2", "live")]), stopped);
    let free = Scene { ops: vec![("sku-1", Guard::None, Does::Move("anywhere"))], ..open() };
    assert_eq!(free.reasons(), []);
}

fn measured(metric: &str, entity: Option<&str>, value: Decimal) -> Measured {
    Measured { metric: metric.to_owned(), entity: entity.map(str::to_owned), value }
}

/// A rule with one metric, and the readings that a decision points to.
fn resting(floor: Floor, readings: &[Measured]) -> Scene {
    let mut scene = open();
    scene.rule().metrics = vec![MetricFloor { metric: "ctr", floor }];
    scene.readings = (10..).zip(readings.iter().cloned()).collect();
    scene.evidence = scene.readings.keys().copied().collect();
    scene
}

#[test]
fn a_reading_serves_its_own_entity_and_that_of_the_store_all() {
    let ask = |entity, of| {
        let scene = resting(Floor::Fixed(cents(5)), &[measured("ctr", of, cents(5))]);
        Scene { entity, ..scene }.reasons()
    };
    let missing = [Reason::MetricMissing];
    assert_eq!(ask(Some("sku-1"), Some("sku-1")), []);
    assert_eq!(ask(Some("sku-1"), None), []);
    assert_eq!(ask(None, None), []);
    assert_eq!(ask(Some("sku-1"), Some("sku-2")), missing);
    assert_eq!(ask(None, Some("sku-1")), missing);
    let other = resting(Floor::Fixed(cents(5)), &[measured("cpc", None, cents(5))]);
    assert_eq!(other.reasons(), missing);
    let unpointed =
        Scene { evidence: Vec::new(), ..resting(Floor::Fixed(cents(5)), &[measured("ctr", None, cents(5))]) };
    assert_eq!(unpointed.reasons(), missing);
    let no_reading = Scene { evidence: vec![2], ..unpointed };
    assert_eq!(no_reading.reasons(), missing);
}

#[test]
fn every_serving_reading_reaches_the_floor() {
    let ask = |floor, values: &[Decimal]| {
        let readings: Vec<_> = values.iter().map(|value| measured("ctr", None, *value)).collect();
        resting(Floor::Fixed(floor), &readings).reasons()
    };
    let below = [Reason::MetricBelowFloor];
    assert_eq!(ask(cents(500), &[number(5)]), []);
    assert_eq!(ask(cents(500), &[Decimal { mantissa: 4_999_999, scale: 6 }]), below);
    assert_eq!(ask(number(-5), &[cents(-500)]), []);
    assert_eq!(ask(number(-5), &[cents(-501)]), below);
    assert_eq!(ask(cents(5), &[cents(5), cents(9), cents(4), cents(9)]), below);
    assert_eq!(ask(cents(5), &[cents(5), cents(9)]), []);
    // A reading of another entity, however low, stops nothing.
    let scene = resting(
        Floor::Fixed(cents(5)),
        &[measured("ctr", None, cents(5)), measured("ctr", Some("sku-2"), cents(0))],
    );
    assert_eq!(scene.reasons(), []);
}

#[test]
fn a_calibrated_floor_is_the_newest_threshold() {
    let ask = |threshold: Option<Decimal>, value| {
        let scene = resting(Floor::Calibrated, &[measured("ctr", None, value)]);
        Scene { calibrated: threshold.map(|threshold| ("ctr", threshold)).into_iter().collect(), ..scene }
            .reasons()
    };
    assert_eq!(ask(Some(cents(5)), cents(5)), []);
    assert_eq!(ask(Some(cents(5)), cents(4)), [Reason::MetricBelowFloor]);
    assert_eq!(ask(None, cents(4)), [Reason::MetricUncalibrated]);
    let nothing = Scene { evidence: Vec::new(), calibrated: [].into(), ..resting(Floor::Calibrated, &[]) };
    assert_eq!(nothing.reasons(), [Reason::MetricMissing, Reason::MetricUncalibrated]);
    // A fixed floor does not ask for a calibration, nor does it give way to one.
    let fixed = resting(Floor::Fixed(cents(9)), &[measured("ctr", None, cents(8))]);
    assert_eq!(fixed.reasons(), [Reason::MetricBelowFloor]);
}

#[test]
fn an_undo_works_until_its_time_and_not_at_it() {
    let ask = |reach, undo: &[Undoes]| {
        let acts = |undo: &Undoes| Acts { request: Value::Null, undo: *undo };
        let scene = Scene { effects: undo.iter().map(acts).collect(), ..open() };
        let became = scene.with(|scene| scene.rule().reach = reach).land();
        (became.reversibility, became.reasons.is_empty())
    };
    let (never, window) = (Reversibility::Never, Reversibility::Window);
    assert_eq!(ask(Reach::Exact, &[]), (Reversibility::Exact, true));
    assert_eq!(ask(Reach::Exact, &[Undoes::Request]), (Reversibility::Declared, false));
    assert_eq!(ask(Reach::Declared, &[Undoes::Request]), (Reversibility::Declared, true));
    assert_eq!(ask(Reach::Declared, &[Undoes::Until(NOW + 1)]), (window(NOW + 1), false));
    assert_eq!(ask(Reach::Window, &[Undoes::Until(NOW + 1)]), (window(NOW + 1), true));
    assert_eq!(ask(Reach::Window, &[Undoes::Until(NOW)]), (never, false));
    assert_eq!(ask(Reach::Window, &[Undoes::Until(NOW - 1)]), (never, false));
    assert_eq!(ask(Reach::Compensating, &[Undoes::Until(NOW)]), (never, false));
    assert_eq!(ask(Reach::Never, &[Undoes::Until(NOW)]), (never, true));
    // Of several windows the first one to close counts, in any order; of several classes the least reversible.
    let three = [Undoes::Until(NOW + 5), Undoes::Until(NOW + 2), Undoes::Until(NOW + 9)];
    assert_eq!(ask(Reach::Window, &three), (window(NOW + 2), true));
    assert_eq!(ask(Reach::Window, &[three[1], three[0]]), (window(NOW + 2), true));
    assert_eq!(ask(Reach::Window, &[Undoes::Request, three[0], Undoes::Request]), (window(NOW + 5), true));
    assert_eq!(ask(Reach::Window, &[three[0], Undoes::Until(NOW)]), (never, false));
    assert_eq!(ask(Reach::Window, &[three[0], Undoes::Compensate]), (Reversibility::Compensating, false));
    assert_eq!(
        ask(Reach::Compensating, &[Undoes::Compensate, Undoes::Request]),
        (Reversibility::Compensating, true)
    );
    assert_eq!(ask(Reach::Compensating, &[Undoes::Never, Undoes::Compensate]), (never, false));
}

#[test]
fn a_rule_that_asks_for_nothing_stops_nothing() {
    let bare = Scene {
        tier: Tier::Unstated,
        judge: None,
        evidence: Vec::new(),
        entity: None,
        effects: vec![Acts { request: Value::Null, undo: Undoes::Never }],
        ..open()
    };
    assert_eq!(bare.land().outcome, Outcome::Applied);
    let strictest = bare.with(|scene| scene.policy.actions = vec![strict("*")]);
    let reasons = [
        Reason::TierTooLow,
        Reason::JudgeMissing,
        Reason::MetricMissing,
        Reason::Irreversible,
        Reason::Unproven,
    ];
    assert_eq!(strictest.reasons(), reasons);
}

#[test]
fn a_class_is_proven_for_as_long_as_the_rule_says_and_until_a_drill_of_it_fails() {
    let unproven = [Reason::Unproven];
    let drilled = |class, landed_at, passed| {
        Scene::default().with(|scene| _ = scene.drilled.insert(class, (landed_at, passed))).reasons()
    };
    assert_eq!(drilled("declared", NOW - WINDOW, true), []);
    assert_eq!(drilled("declared", NOW - WINDOW - 1, true), unproven);
    assert_eq!(drilled("declared", NOW, false), unproven);
    // Drills of other classes prove nothing of this one, and take nothing from it.
    assert_eq!(drilled("exact", NOW, false), []);
    let alone = Scene::default().with(|scene| scene.drilled.retain(|class, _| *class == "exact"));
    assert_eq!(alone.reasons(), unproven);
    assert_eq!(alone.with(|scene| scene.effects.clear()).reasons(), []);
    // Where nothing is asked, nothing need be proven; and what cannot be taken back never is.
    let free = Scene::default().with(|scene| {
        scene.drilled.clear();
        scene.rule().proven = None;
    });
    assert_eq!(free.reasons(), []);
    let never = Scene::default().with(|scene| {
        scene.rule().reach = Reach::Never;
        scene.effects[0].undo = Undoes::Never;
    });
    assert_eq!(never.reasons(), unproven);
    // Further back than time goes.
    let ages = Scene::default().with(|scene| scene.rule().proven = Some(i64::MAX));
    assert_eq!(
        ages.with(|scene| scene.drilled = [("declared", (i64::MIN, true))].into()).reasons(),
        unproven
    );
}
