//! What limits keep from policy to policy, and what is taken back of it.

#![allow(clippy::unwrap_used, reason = "a test")]

use counterfoil_format::intent::Micros;
use counterfoil_format::landing::Reason;
use counterfoil_format::policy::{Limit, Per, PolicyBody, SumLimit};
use counterfoil_format::value::Decimal;
use counterfoil_rules::limits::{Amounts, Counted, Limits};
use counterfoil_rules::number::Magnitude;
use counterfoil_rules::policy::Policy;
use std::convert::Infallible;

/// A decision about an entity that spends so much.
struct Spends(Option<&'static str>, i64);

impl Amounts for Spends {
    type Error = Infallible;

    fn entity(&self) -> Result<Option<&str>, Infallible> {
        Ok(self.0)
    }

    fn amount(&self, field: &str) -> Result<Option<Magnitude>, Infallible> {
        Ok((field == "spend").then(|| Magnitude::of_int(self.1)))
    }
}

fn count(actions: &'static str, per: Per, window: Micros, count: u32) -> Limit<'static> {
    Limit { actions, per, window, count: Some(count), sum: None }
}

fn sum(window: Micros, field: &'static str, most: i128) -> Limit<'static> {
    let most = Decimal { mantissa: most, scale: 0 };
    Limit { actions: "*", per: Per::Store, window, count: None, sum: Some(SumLimit { field, most }) }
}

fn follow(limits: &mut Limits, rules: &[Limit<'static>]) {
    let mut sorted = rules.to_vec();
    sorted.sort_by_key(|limit| (limit.actions, limit.per, limit.window, limit.sum.map(|sum| sum.field)));
    let body = PolicyBody { limits: sorted, ..PolicyBody::open(4096) };
    body.check().unwrap();
    limits.follow(&Policy::from_body(&body).limits);
}

fn apply(limits: &mut Limits, at: Micros, decision: &Spends) -> Vec<Counted> {
    let mut counted = Vec::new();
    let Ok(()) = limits.count("pay", at, decision, &mut counted);
    counted
}

fn ask(limits: &mut Limits, at: Micros, decision: &Spends) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let Ok(()) = limits.ask("pay", at, decision, &mut reasons);
    reasons
}

const BOTH: [Reason; 2] = [Reason::CountLimit, Reason::SumLimit];

#[test]
fn a_policy_that_repeats_a_limit_goes_on_counting() {
    let one = || Spends(None, 1);
    let base = count("*", Per::Store, 100, 2);
    let changed: [(Limit<'static>, bool); 6] = [
        (base.clone(), true),
        (Limit { count: Some(1), ..base.clone() }, true),
        (Limit { actions: "pay", ..base.clone() }, false),
        (Limit { per: Per::Entity, ..base.clone() }, false),
        (Limit { window: 99, ..base.clone() }, false),
        (
            Limit {
                sum: Some(SumLimit { field: "spend", most: Decimal { mantissa: 9, scale: 0 } }),
                ..base.clone()
            },
            false,
        ),
    ];
    for (later, kept) in changed {
        let mut limits = Limits::default();
        follow(&mut limits, std::slice::from_ref(&base));
        apply(&mut limits, 1, &one());
        apply(&mut limits, 2, &one());
        assert_eq!(ask(&mut limits, 3, &one()), [Reason::CountLimit]);
        follow(&mut limits, &[count("other", Per::Store, 100, 9), later.clone()]);
        let expected = if kept { vec![Reason::CountLimit] } else { Vec::new() };
        assert_eq!(ask(&mut limits, 3, &one()), expected, "{later:?}");
    }
}

#[test]
fn another_field_or_another_sum_is_another_matter() {
    let spends = || Spends(None, 6);
    let mut limits = Limits::default();
    follow(&mut limits, &[sum(100, "spend", 10)]);
    apply(&mut limits, 1, &spends());
    assert_eq!(ask(&mut limits, 2, &spends()), [Reason::SumLimit]);
    // A higher or lower sum of the same field looks at the same rows.
    follow(&mut limits, &[sum(100, "spend", 12)]);
    assert_eq!(ask(&mut limits, 2, &spends()), []);
    follow(&mut limits, &[sum(100, "spend", 11)]);
    assert_eq!(ask(&mut limits, 2, &spends()), [Reason::SumLimit]);
    follow(&mut limits, &[sum(100, "cost", 11)]);
    assert_eq!(ask(&mut limits, 2, &spends()), [Reason::SumLimit], "it has no such amount");
}

#[test]
fn a_limit_that_was_left_out_once_begins_at_nothing() {
    let one = || Spends(None, 1);
    let mut limits = Limits::default();
    let rules = [count("*", Per::Store, 100, 1)];
    follow(&mut limits, &rules);
    apply(&mut limits, 1, &one());
    follow(&mut limits, &[]);
    apply(&mut limits, 2, &one());
    follow(&mut limits, &rules);
    assert_eq!(ask(&mut limits, 3, &one()), []);
    apply(&mut limits, 3, &one());
    assert_eq!(ask(&mut limits, 4, &one()), [Reason::CountLimit]);
}

#[test]
fn what_is_taken_back_was_never_counted() {
    let rules = [count("*", Per::Entity, 100, 2), sum(50, "spend", 10)];
    let mut limits = Limits::default();
    follow(&mut limits, &rules);
    apply(&mut limits, 1, &Spends(Some("a"), 5));
    let before = limits.clone();
    let mut counted = apply(&mut limits, 2, &Spends(Some("a"), 4));
    counted.extend(apply(&mut limits, 2, &Spends(Some("b"), 1)));
    assert_eq!(ask(&mut limits, 2, &Spends(Some("a"), 1)), BOTH);
    limits.take_back(counted);
    for (entity, spend, expected) in [("a", 5, vec![]), ("a", 6, vec![Reason::SumLimit]), ("b", 5, vec![])] {
        assert_eq!(ask(&mut limits, 2, &Spends(Some(entity), spend)), expected);
        assert_eq!(ask(&mut before.clone(), 2, &Spends(Some(entity), spend)), expected);
    }
}

#[test]
fn sums_beyond_all_numbers_are_sums_again_when_rows_leave() {
    struct Huge;
    impl Amounts for Huge {
        type Error = Infallible;
        fn entity(&self) -> Result<Option<&str>, Infallible> {
            Ok(None)
        }
        fn amount(&self, _: &str) -> Result<Option<Magnitude>, Infallible> {
            Ok(Some(Magnitude::of(&Decimal { mantissa: i128::MIN, scale: 0 })))
        }
    }
    let mut limits = Limits::default();
    follow(&mut limits, &[sum(10, "spend", i128::MAX)]);
    for at in [1, 2, 3] {
        let Ok(()) = limits.count("pay", at, &Huge, &mut Vec::new());
    }
    apply(&mut limits, 4, &Spends(None, 7));
    assert_eq!(ask(&mut limits, 12, &Spends(None, 1)), [Reason::SumLimit]);
    follow(&mut limits, &[sum(10, "spend", 10)]);
    assert_eq!(ask(&mut limits, 13, &Spends(None, 4)), [Reason::SumLimit]);
    assert_eq!(ask(&mut limits, 13, &Spends(None, 3)), []);
    assert_eq!(ask(&mut limits, 14, &Spends(None, 10)), []);
}

#[test]
fn the_longest_window_is_looked_back() {
    let mut limits = Limits::default();
    assert_eq!(limits.window(), None);
    follow(&mut limits, &[count("*", Per::Store, 5, 1), count("*", Per::Store, 500, 1), sum(50, "spend", 1)]);
    assert_eq!(limits.window(), Some(500));
}
