//! Ledgers under a policy that asks for everything, which every verifier must accept.

use crate::case::{Case, Expected};
use crate::draft::{Draft, EXECUTOR, OPERATOR, OWNER, Who};
use crate::forge::{EPOCH, TICK};
use crate::output::Ledger;
use crate::strict::{DRILL_PERIOD, Strict, WINDOW, grant, reading, strict_policy, switch_to};
use counterfoil_format::body::{Body, Calibration, KeyChange, ReviewVerdict, Role, Scope, SwitchAct};
use counterfoil_format::content::{Effect, Evidence, Undo};
use counterfoil_format::intent::Tier;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{ActionRule, PolicyBody, Reach};
use counterfoil_format::row::Row;
use counterfoil_format::value::{Decimal, Value};

/// All of them.
pub fn lawful() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Intact);
    vec![
        case("gates", "A row is put aside for each reason there is, and some land.", gates(1000)),
        case(
            "reviews",
            "Rows that were put aside are approved, put aside again, and rejected.",
            reviews(1001),
        ),
        case("own-approval", "Without separation a row is approved by its author.", own_approval(1009)),
        case("drills", "Drills are held in time, with a decision that each of them stopped.", drills(1002)),
        case("limits", "Limits are reached, windows go by, and policies repeat them or not.", limits(1003)),
        case("scopes", "Keys go as far as they were granted for, and their successors too.", scopes(1004)),
        case("verdicts", "Judges sign verdicts, with one key after another.", verdicts(1005)),
        case("calibrations", "Thresholds are computed anew, and decisions meet them.", calibrations(1006)),
        case(
            "windows-of-undo",
            "Effects that can be undone until a time land before it and at it.",
            undo(1007),
        ),
        case(
            "withheld-governance",
            "The bodies of rows are withheld that set policy and switch.",
            governance(1010),
        )
        .without(&["V09", "V14", "V18"]),
        case("withheld-under-gates", "Parts are withheld that the gates ask for.", withheld(1008))
            .without(&["V09", "V14"]),
    ]
}

/// Expects of a row what became of it, so that the case is what it says.
fn expect(shop: &Strict, row: u64, outcome: Outcome, reasons: &[Reason]) {
    let record = shop.forge.sink.record(row);
    let landing = Row::parse(&record).unwrap().landing;
    assert_eq!((landing.outcome, landing.reasons.as_slice()), (outcome, reasons), "row {row}");
}

/// Lands a row, and expects for what reasons it is put aside, or that it is applied.
fn land(shop: &mut Strict, draft: Draft, reasons: &[Reason]) -> u64 {
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![draft]);
    let outcome = if reasons.is_empty() { Outcome::Applied } else { Outcome::Review };
    expect(shop, row, outcome, reasons);
    row
}

fn gates(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let last = [Reason::KillSwitch, Reason::MetricUncalibrated];
    for reason in Reason::ALL.iter().copied().filter(|reason| !last.contains(reason)).chain(last) {
        let draft = shop.stopped_by(reason);
        land(&mut shop, draft, &[reason]);
        if reason == Reason::KillSwitch {
            let release = shop.forge.switch(SwitchAct::Release, false);
            shop.forge.submit(vec![release]);
        }
    }
    shop.go_on();
    shop.forge.finish()
}

fn reviews(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let review = |shop: &mut Strict, row, verdict, reasons: &[Reason]| {
        let draft = shop.forge.review(row, verdict).reason("seen");
        land(shop, draft, reasons)
    };
    let approve =
        |shop: &mut Strict, row, reasons: &[Reason]| review(shop, row, ReviewVerdict::Approve, reasons);
    let low = shop.stopped_by(Reason::TierTooLow);
    let low = land(&mut shop, low, &[Reason::TierTooLow]);
    let spent = shop.scale(100);
    land(&mut shop, spent, &[]);
    // The human had not seen that it is too much by now; when the window has gone by, it is not any more.
    approve(&mut shop, low, &[Reason::SumLimit]);
    shop.forge.clock += WINDOW;
    approve(&mut shop, low, &[]);

    let moved = shop.stopped_by(Reason::MoveNotAllowed);
    let moved = land(&mut shop, moved, &[Reason::MoveNotAllowed]);
    approve(&mut shop, moved, &[Reason::MoveNotAllowed]);
    land(&mut shop, Draft::decision("stage.move").transition("sku-1", "test"), &[]);
    approve(&mut shop, moved, &[]);

    let gift = shop.stopped_by(Reason::LiveNotAllowed);
    let gift = land(&mut shop, gift, &[Reason::LiveNotAllowed]);
    review(&mut shop, gift, ReviewVerdict::Reject, &[]);
    let unknown = shop.stopped_by(Reason::UnknownAction);
    let unknown = land(&mut shop, unknown, &[Reason::UnknownAction]);
    let engage = shop.forge.switch(SwitchAct::Engage, true);
    shop.forge.submit(vec![engage]);
    approve(&mut shop, unknown, &[Reason::KillSwitch]);
    let release = shop.forge.switch(SwitchAct::Release, false);
    shop.forge.submit(vec![release]);
    approve(&mut shop, unknown, &[]);
    shop.forge.finish()
}

fn own_approval(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let both = shop.forge.new_key();
    let row = grant(&shop.forge, both, &[Role::Executor, Role::Operator], "both", Scope::default());
    let policy = PolicyBody { separation: false, ..strict_policy() };
    shop.forge.submit(vec![row, Draft::body(&Body::Policy(policy))]);
    let sale = Draft::decision("house.sell").add("house/1", -1).by(both);
    let row = land(&mut shop, sale, &[Reason::UnknownAction]);
    let approval = shop.forge.review(row, ReviewVerdict::Approve).by(both);
    land(&mut shop, approval, &[]);
    shop.forge.finish()
}

fn drills(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let mut due = EPOCH + DRILL_PERIOD;
    for _ in 0..2 {
        // All of it at the last moment at which no drill is overdue.
        let at_last = |shop: &mut Strict, draft: Draft| {
            shop.forge.clock = due;
            shop.forge.submit(vec![draft]);
        };
        let hand_over = switch_to(&shop.forge, OWNER, SwitchAct::HandOver, false);
        at_last(&mut shop, hand_over);
        let began = shop.forge.next_seq;
        let begin = switch_to(&shop.forge, OPERATOR, SwitchAct::Drill, true);
        at_last(&mut shop, begin);
        at_last(&mut shop, Draft::decision("price.set").add("tries", 1).dry_run());
        at_last(&mut shop, Draft::decision("house.sell").add("house/1", -1).subject("sku-1", None));
        expect(&shop, began + 2, Outcome::Review, &[Reason::UnknownAction, Reason::KillSwitch]);
        let end = shop.forge.drill_end(began, began + 2);
        at_last(&mut shop, end);
        due += DRILL_PERIOD;
        shop.go_on();
    }
    shop.forge.finish()
}

fn sell(entity: Option<&str>) -> Draft {
    let draft = Draft::decision("stock.sell").add("stock/sku", -1);
    match entity {
        Some(entity) => draft.subject(entity, None),
        None => draft,
    }
}

fn limits(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let began = shop.forge.clock;
    for entity in [Some("sku-1"), Some("sku-2"), None] {
        land(&mut shop, sell(entity), &[]);
        land(&mut shop, sell(entity), &[]);
        land(&mut shop, sell(entity), &[Reason::CountLimit]);
    }
    for spend in [40, 60] {
        let draft = shop.scale(spend);
        land(&mut shop, draft, &[]);
    }
    let more = shop.scale(1);
    land(&mut shop, more, &[Reason::SumLimit]);
    shop.forge.submit(vec![Draft::body(&Body::Policy(strict_policy()))]);
    land(&mut shop, sell(Some("sku-1")), &[Reason::CountLimit]);
    shop.forge.clock = began + WINDOW - 1;
    land(&mut shop, sell(Some("sku-1")), &[Reason::CountLimit]);
    shop.forge.clock = began + WINDOW;
    land(&mut shop, sell(Some("sku-1")), &[]);
    land(&mut shop, sell(Some("sku-1")), &[]);
    land(&mut shop, sell(Some("sku-1")), &[Reason::CountLimit]);
    let mut policy = strict_policy();
    policy.limits[1].window += 1;
    shop.forge.submit(vec![Draft::body(&Body::Policy(policy)), Draft::body(&Body::Policy(strict_policy()))]);
    land(&mut shop, sell(Some("sku-1")), &[]);
    shop.forge.finish()
}

fn scopes(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let (who, heir) = (shop.forge.new_key(), shop.forge.new_key());
    let from = shop.forge.clock + TICK;
    let until = from + 20 * TICK;
    let scope = Scope {
        actions: vec!["price.*", "stage.move"],
        prefixes: vec!["lifecycle/sku-", "price/"],
        from: Some(from),
        until: Some(until),
    };
    let row = grant(&shop.forge, who, &[Role::Executor, Role::Operator], "agent", scope);
    shop.forge.submit(vec![row]);
    let put = |who: Who| Draft::decision("price.set").put("price/1", &Value::Int(5)).by(who);
    let target = shop.forge.next_seq;
    shop.forge.submit(vec![put(who), Draft::decision("stage.move").transition("sku-1", "test").by(who)]);
    let rollback = shop.forge.rollback(target, false).by(who);
    shop.forge.submit(vec![rollback]);
    shop.forge.submit(vec![reading("stock.count", 1).by(who)]);
    let stopped = land(&mut shop, put(EXECUTOR).delete("price/none"), &[Reason::KeyAbsent]);
    let approval = shop.forge.review(stopped, ReviewVerdict::Approve).by(who);
    land(&mut shop, approval, &[Reason::KeyAbsent]);
    let (old, key) = (shop.forge.key_id(who), shop.forge.public(heir));
    shop.forge.submit(vec![Draft::body(&Body::Key(KeyChange::Rotate { old, key }))]);
    shop.forge.clock = until - 1;
    shop.forge.submit(vec![put(heir)]);
    shop.forge.clock = until;
    shop.go_on();
    shop.forge.finish()
}

fn verdicts(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let first = shop.scale(1);
    land(&mut shop, first, &[]);
    let heir = shop.forge.new_key();
    let (old, key) = (shop.forge.key_id(shop.judge), shop.forge.public(heir));
    shop.forge.submit(vec![Draft::body(&Body::Key(KeyChange::Rotate { old, key }))]);
    let by_heir = shop.scale(2).signed_by(heir);
    land(&mut shop, by_heir, &[]);
    // One that nobody asked for is checked too; a second key of the same name will do.
    let second = shop.forge.new_key();
    let until = Some(shop.forge.clock + 3 * TICK);
    let row = grant(&shop.forge, second, &[Role::Judge], "judge", Scope { until, ..Scope::default() });
    shop.forge.submit(vec![row]);
    let unasked = Draft::decision("price.set").actors("planner", "judge", 1, "agent").add("tries", 1);
    land(&mut shop, unasked.signed_by(second), &[]);
    // The judge is the one who wrote the row.
    let both = shop.forge.new_key();
    let row = grant(&shop.forge, both, &[Role::Judge, Role::Executor], "judge", Scope::default());
    shop.forge.submit(vec![row]);
    let own = shop.scale(3).by(both).signed_by(both);
    land(&mut shop, own, &[Reason::JudgeNotSeparate]);
    // So is one of the same name.
    let other = shop.scale(3).by(both).signed_by(heir);
    land(&mut shop, other, &[Reason::JudgeNotSeparate]);
    // In rows of other kinds an attestation means nothing.
    shop.forge.submit(vec![reading("ctr", 1).actors("planner", "nobody", 1, "agent").signed_by(both)]);
    shop.forge.finish()
}

fn calibrations(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let began = shop.forge.clock;
    let of = |draft: Draft, action: &str| Draft { action: action.to_owned(), ..draft };
    let first = shop.forge.next_seq;
    let readings = [("a", 400), ("b", 500), ("a", 600), ("a", 700)];
    shop.forge.submit(readings.map(|(action, value)| of(reading("ctr", value), action)).into());
    let calibrate = |shop: &mut Strict, action, quantile, rows: &[u64], threshold| {
        let rows: Vec<u64> = rows.iter().map(|row| first + row).collect();
        let threshold = Decimal { mantissa: threshold, scale: 0 };
        let (metric, upto) = ("ctr", shop.forge.next_seq);
        let body = Calibration { metric, action, from: began, upto, quantile, rows, threshold };
        shop.forge.submit(vec![Draft::body(&Body::Calibration(body))]);
    };
    let with = |shop: &Strict, place: u64| {
        let evidence = [Evidence::Row(first + place), Evidence::Row(6), Evidence::Row(7)];
        shop.scale(1).evidence(&evidence)
    };
    for (action, quantile, rows, threshold) in [
        ("", 0, &[0u64, 1, 2, 3][..], 4),
        ("", 1_000_000, &[0, 1, 2, 3], 7),
        ("", 500_001, &[0, 1, 2, 3], 6),
        ("b", 1, &[1], 5),
        ("a", 666_667, &[0, 2, 3], 7),
    ] {
        calibrate(&mut shop, action, quantile, rows, threshold);
        for (place, value) in [4, 5, 6, 7].into_iter().enumerate() {
            if value == threshold || value == threshold - 1 {
                let draft = with(&shop, place as u64);
                let below = [Reason::MetricBelowFloor];
                land(&mut shop, draft, if value < threshold { &below } else { &[] });
            }
        }
    }
    shop.forge.finish()
}

fn undo(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let mut policy = strict_policy();
    policy.limits.clear();
    policy.actions[0] = ActionRule { reach: Reach::Window, ..ActionRule::open("ad.*") };
    shop.forge.submit(vec![Draft::body(&Body::Policy(policy))]);
    let request = Value::Null.encode().unwrap();
    let act = |undo: Undo<'_>| {
        let effects =
            [Undo::Request(&request), undo].map(|undo| Effect { adapter: "ads", request: &request, undo });
        Draft { tier: Tier::A, ..Draft::decision("ad.scale") }.effects(&effects)
    };
    let now = shop.forge.clock;
    land(&mut shop, act(Undo::Until(&request, now + 1)), &[]);
    let now = shop.forge.clock;
    land(&mut shop, act(Undo::Until(&request, now)), &[Reason::Irreversible]);
    let late = shop.forge.clock + 2 * TICK;
    let compensated = land(&mut shop, act(Undo::Compensate(&request)), &[Reason::Irreversible]);
    let approval = shop.forge.review(compensated, ReviewVerdict::Approve);
    land(&mut shop, approval, &[]);
    land(&mut shop, act(Undo::Until(&request, late)), &[Reason::Irreversible]);
    shop.forge.finish()
}

fn governance(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    let closed = |shop: &mut Strict, draft: Draft| shop.forge.submit(vec![draft.close(PartTag::Body)]);
    let engaged = shop.forge.switch(SwitchAct::Engage, true);
    closed(&mut shop, engaged);
    closed(&mut shop, Draft::body(&Body::Policy(strict_policy())));
    let handed = shop.forge.switch(SwitchAct::HandOver, true);
    shop.forge.submit(vec![handed]);
    shop.go_on();
    shop.forge.finish()
}

fn withheld(seed: u64) -> Ledger {
    let mut shop = Strict::new(seed);
    for tag in [PartTag::Subject, PartTag::Actors, PartTag::Evidence, PartTag::Effects] {
        let draft = shop.scale(1).close(tag);
        land(&mut shop, draft, &[]);
    }
    shop.go_on();
    shop.forge.finish()
}
