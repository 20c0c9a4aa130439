//! Limits at their edges: windows to the microsecond, counts and sums that are just reached, what they cover, and where an
//! amount is found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod scene;

use counterfoil_format::landing::Reason;
use counterfoil_format::ops::Guard;
use counterfoil_format::policy::{Limit, Per, PolicyBody, SumLimit};
use counterfoil_format::value::{Decimal, Value};
use scene::{ACTION, Acts, Does, Earlier, NOW, Scene, Undoes, WINDOW, cents};

fn limited(limits: Vec<Limit<'static>>) -> Scene {
    Scene { policy: PolicyBody { limits, ..PolicyBody::open(4096) }, ..Scene::default() }
}

fn number(mantissa: i128) -> Decimal {
    Decimal { mantissa, scale: 0 }
}

fn counting(actions: &'static str, per: Per, window: i64, count: u32) -> Limit<'static> {
    Limit { actions, per, window, count: Some(count), sum: None }
}

fn summing(per: Per, window: i64, most: Decimal) -> Limit<'static> {
    Limit { actions: "*", per, window, count: None, sum: Some(SumLimit { field: "spend", most }) }
}

fn earlier(landed_at: i64) -> Earlier {
    Earlier { landed_at, action: ACTION, entity: Some("sku-1"), spend: Some(10) }
}

#[test]
fn a_row_is_out_of_a_window_when_it_is_as_old() {
    for (limit, reason) in [
        (counting("*", Per::Store, WINDOW, 1), Reason::CountLimit),
        (summing(Per::Entity, WINDOW, number(19)), Reason::SumLimit),
    ] {
        let ask =
            |landed_at| Scene { earlier: vec![earlier(landed_at)], ..limited(vec![limit.clone()]) }.reasons();
        assert_eq!(ask(NOW - WINDOW), []);
        assert_eq!(ask(NOW - WINDOW - 1), []);
        assert_eq!(ask(NOW - WINDOW + 1), [reason]);
        assert_eq!(ask(NOW), [reason]);
    }
    let forever = counting("*", Per::Store, i64::MAX, 1);
    let old = Scene { earlier: vec![earlier(i64::MIN / 4)], ..limited(vec![forever]) };
    assert_eq!(old.reasons(), [Reason::CountLimit]);
}

#[test]
fn several_windows_each_look_back_as_far_as_they_do() {
    let limits = vec![counting("*", Per::Store, 10, 1), counting("*", Per::Store, 100, 3)];
    let ask = |times: &[i64]| {
        let earlier = times.iter().map(|ago| earlier(NOW - ago)).collect();
        Scene { earlier, ..limited(limits.clone()) }.reasons()
    };
    let stopped = [Reason::CountLimit];
    assert_eq!(ask(&[]), []);
    assert_eq!(ask(&[9]), stopped);
    assert_eq!(ask(&[10]), []);
    assert_eq!(ask(&[99, 50, 10]), stopped);
    assert_eq!(ask(&[100, 50, 10]), []);
    assert_eq!(ask(&[99, 50]), []);
}

#[test]
fn a_count_is_full_when_so_many_rows_are_there() {
    let ask = |rows| {
        limited(vec![counting("*", Per::Store, WINDOW, 3)]).with(|scene| scene.spent(rows, 0)).reasons()
    };
    assert_eq!(ask(2), []);
    assert_eq!(ask(3), [Reason::CountLimit]);
    assert_eq!(ask(4), [Reason::CountLimit]);
}

#[test]
fn a_limit_counts_the_actions_and_entities_that_it_covers() {
    let ask = |limit: Limit<'static>, action, entity, row: Earlier| {
        Scene { action, entity, earlier: vec![row], ..limited(vec![limit]) }.reasons()
    };
    let row = |action, entity| Earlier { action, entity, ..earlier(NOW) };
    let stopped = [Reason::CountLimit];
    let store = || counting("price.*", Per::Store, WINDOW, 1);
    assert_eq!(ask(store(), ACTION, Some("sku-1"), row("price.raise", Some("sku-2"))), stopped);
    assert_eq!(ask(store(), ACTION, Some("sku-1"), row("stock.sell", Some("sku-1"))), []);
    assert_eq!(ask(store(), "stock.sell", Some("sku-1"), row(ACTION, Some("sku-1"))), []);
    let one = || counting(ACTION, Per::Store, WINDOW, 1);
    assert_eq!(ask(one(), "price.set.low", None, row(ACTION, None)), []);
    let each = || counting("*", Per::Entity, WINDOW, 1);
    assert_eq!(ask(each(), ACTION, Some("sku-1"), row("stock.sell", Some("sku-1"))), stopped);
    assert_eq!(ask(each(), ACTION, Some("sku-1"), row(ACTION, Some("sku-2"))), []);
    assert_eq!(ask(each(), ACTION, None, row(ACTION, Some("sku-1"))), []);
    assert_eq!(ask(each(), ACTION, Some("sku-1"), row(ACTION, None)), []);
    // Rows about nothing are counted together.
    assert_eq!(ask(each(), ACTION, None, row(ACTION, None)), stopped);
}

#[test]
fn a_sum_may_be_reached_and_not_passed() {
    let ask = |most, rows: usize, ops: &[i64]| {
        let ops = ops.iter().map(|delta| ("spend", Guard::None, Does::Add(*delta))).collect();
        Scene { ops, ..limited(vec![summing(Per::Store, WINDOW, most)]) }
            .with(|scene| scene.spent(rows, 30))
            .reasons()
    };
    let stopped = [Reason::SumLimit];
    assert_eq!(ask(number(100), 3, &[10]), []);
    assert_eq!(ask(number(100), 3, &[11]), stopped);
    assert_eq!(ask(cents(10_001), 3, &[10]), []);
    assert_eq!(ask(cents(9_999), 3, &[10]), stopped);
    // What is paid back opens nothing.
    assert_eq!(ask(number(100), 3, &[-10]), []);
    assert_eq!(ask(number(100), 3, &[-11]), stopped);
    assert_eq!(ask(number(100), 3, &[6, -6]), stopped);
    assert_eq!(ask(number(0), 0, &[1]), stopped);
    // What does not say how much it is could be any amount.
    assert_eq!(ask(number(100), 0, &[]), stopped);
}

#[test]
fn a_row_without_an_amount_counts_as_nothing_later() {
    let ask = |spend, delta| {
        let row = Earlier { spend, ..earlier(NOW) };
        let ops = vec![("spend", Guard::None, Does::Add(delta))];
        Scene { ops, earlier: vec![row], ..limited(vec![summing(Per::Store, WINDOW, number(10))]) }.reasons()
    };
    assert_eq!(ask(None, 10), []);
    assert_eq!(ask(Some(1), 10), [Reason::SumLimit]);
    assert_eq!(ask(Some(0), 10), []);
}

#[test]
fn an_amount_is_found_where_the_format_says_and_nowhere_else() {
    let spend = |number| Value::Map([("spend".to_owned(), number)].into());
    let put = |key, value: Value| (key, Guard::None, Does::Put(value.encode().unwrap()));
    let ask = |ops: Vec<(&'static str, Guard<'static>, Does)>, requests: Vec<Value>| {
        let acts = |request| Acts { request, undo: Undoes::Request };
        let effects = requests.into_iter().map(acts).collect();
        // A sum of exactly 12 is reached by no other amount than 12 and those below, so it is asked for twice.
        let most = |most| Scene {
            ops: Vec::clone(&ops),
            effects: Vec::clone(&effects),
            ..limited(vec![summing(Per::Store, WINDOW, most)])
        };
        (
            most(number(12)).reasons().is_empty(),
            most(Decimal { mantissa: 119_999, scale: 4 }).reasons().is_empty(),
        )
    };
    let twelve = (true, false);
    let none = (false, false);
    let decimal = Value::Decimal(Decimal { mantissa: -120, scale: 1 });
    assert_eq!(ask(vec![put("ad/budget", spend(Value::Int(12)))], vec![]), twelve);
    assert_eq!(ask(vec![put("ad/budget", spend(decimal.clone()))], vec![]), twelve);
    assert_eq!(ask(vec![put("ad/1/spend", Value::Int(-12))], vec![]), twelve);
    assert_eq!(ask(vec![put("spend", decimal)], vec![]), twelve);
    assert_eq!(ask(vec![("ad/spend", Guard::None, Does::Add(12))], vec![]), twelve);
    assert_eq!(ask(vec![], vec![spend(Value::Int(5)), spend(Value::Int(-7))]), twelve);
    assert_eq!(
        ask(
            vec![put("spend", spend(Value::Int(4))), ("ad/spend", Guard::None, Does::Add(-3))],
            vec![spend(Value::Int(5))]
        ),
        twelve
    );
    assert_eq!(ask(vec![put("ad/spend/1", Value::Int(12)), put("adspend", Value::Int(12))], vec![]), none);
    assert_eq!(ask(vec![put("ad/spend", Value::Text("12".into()))], vec![Value::Int(12)]), none);
    assert_eq!(
        ask(vec![put("ad", spend(Value::Text("12".into())))], vec![spend(spend(Value::Int(12)))]),
        none
    );
    assert_eq!(
        ask(vec![("spend/x", Guard::None, Does::Add(12)), ("spend", Guard::None, Does::Move("12"))], vec![]),
        none
    );
}
