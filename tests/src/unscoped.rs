//! Ledgers whose authors go beyond what they were granted, and keys that are granted against the policy (V09): one fault
//! each.

use crate::case::{Case, Expected};
use crate::draft::{Draft, EXECUTOR, OPERATOR, Who};
use crate::forge::{EPOCH, TICK};
use crate::output::Ledger;
use crate::strict::{Strict, grant, reading, strict_policy};
use counterfoil_format::body::{Body, Calibration, KeyChange, ReviewVerdict, Role, Scope};
use counterfoil_format::codec::encode;
use counterfoil_format::intent::{Kind, Micros};
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{PolicyBody, Writers};
use counterfoil_format::value::{Decimal, Value};

/// All of them.
pub fn unscoped() -> Vec<Case> {
    [scopes(), roles(), grants()].concat()
}

fn case(name: &'static str, why: &'static str, (ledger, row): (Ledger, u64)) -> Case {
    Case::new(name, why, ledger, Expected::Broken(&["V09"])).at(row)
}

/// A key with a scope of each kind, from the tick behind its grant on, for ten ticks.
fn scoped(shop: &mut Strict, roles: &[Role]) -> Who {
    let who = shop.forge.new_key();
    let from = shop.forge.clock + TICK;
    let scope = Scope {
        actions: vec!["price.*", "stage.move"],
        prefixes: vec!["lifecycle/sku-", "price/"],
        from: Some(from),
        until: Some(from + 10 * TICK),
    };
    let row = grant(&shop.forge, who, roles, "scoped", scope);
    shop.forge.submit(vec![row]);
    who
}

fn put(key: &str) -> Draft {
    Draft::decision("price.set").put(key, &Value::Int(1990))
}

/// A row of a scoped key, at so many microseconds behind the beginning of its time.
fn beyond(seed: u64, at: Micros, draft: Draft) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let who = scoped(&mut shop, &[Role::Executor]);
    shop.forge.clock += at;
    shop.end_with(draft.by(who))
}

fn scopes() -> Vec<Case> {
    vec![
        case(
            "v09-scope-action",
            "A key decides an action that it was not granted for.",
            beyond(900, 0, Draft::decision("stock.sell").subject("sku-1", None).add("price/1", 1)),
        ),
        case(
            "v09-scope-key",
            "A row touches a second key of the state that its author was not granted for.",
            beyond(901, 0, put("price/1").add("stock/1", 1)),
        ),
        case(
            "v09-scope-lifecycle",
            "A row moves an entity whose stage its author was not granted for.",
            beyond(902, 0, Draft::decision("stage.move").transition("ad-1", "test")),
        ),
        case(
            "v09-scope-early",
            "A row lands a microsecond before its author's time.",
            beyond(903, -1, put("price/1")),
        ),
        case(
            "v09-scope-late",
            "A row lands when its author's time is over.",
            beyond(904, 10 * TICK, put("price/1")),
        ),
        case(
            "v09-scope-dry-run",
            "A dry run is of an action that its author was not granted for.",
            beyond(905, 0, Draft::decision("stock.sell").subject("sku-1", None).add("price/1", 1).dry_run()),
        ),
        case(
            "v09-scope-reading",
            "A reading lands when its author's time is over.",
            beyond(906, 10 * TICK, reading("ctr", 1)),
        ),
        case("v09-scope-second", "The second row of a submission is out of its author's scope.", second(907)),
        case(
            "v09-scope-review",
            "An approval is of an action that its author was not granted for.",
            review(908),
        ),
        case("v09-scope-rotated", "A rotated key goes beyond the scope of the one before.", rotated(909)),
        case(
            "v09-scope-rollback",
            "A rollback touches a key of the state that its author was not granted for.",
            rollback(910),
        ),
    ]
}

fn second(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let who = scoped(&mut shop, &[Role::Executor]);
    let row = shop.forge.next_seq + 1;
    shop.forge.submit(vec![put("price/1").by(who), put("stock/1").by(who)]);
    shop.go_on();
    (shop.forge.finish(), row)
}

fn review(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let who = scoped(&mut shop, &[Role::Operator]);
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![Draft::decision("house.sell").add("price/1", 1)]);
    let approval = shop.forge.review(row, ReviewVerdict::Approve).by(who);
    shop.end_with(approval)
}

fn rotated(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let who = scoped(&mut shop, &[Role::Executor]);
    let next = shop.forge.new_key();
    let (old, key) = (shop.forge.key_id(who), shop.forge.public(next));
    shop.forge.submit(vec![Draft::body(&Body::Key(KeyChange::Rotate { old, key }))]);
    shop.forge.submit(vec![put("price/1").by(next)]);
    shop.end_with(put("stock/1").by(next))
}

fn rollback(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let who = scoped(&mut shop, &[Role::Operator]);
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![put("price/1"), put("sku/1")]);
    let inside = shop.forge.rollback(row, false).by(who);
    shop.forge.submit(vec![inside]);
    let outside = shop.forge.rollback(row + 1, false).by(who);
    shop.end_with(outside)
}

fn roles() -> Vec<Case> {
    vec![
        case(
            "v09-writers",
            "A judge writes a reading, which the policy leaves to others.",
            with(920, |shop| reading("ctr", 1).by(shop.judge)),
        ),
        case(
            "v09-writers-before",
            "An executor writes a reading, as a policy let it that is not in force.",
            writers(921),
        ),
        case(
            "v09-plans-and-judges",
            "A key is granted that plans and judges, under separation.",
            with(922, |shop| {
                let who = shop.forge.new_key();
                grant(&shop.forge, who, &[Role::Planner, Role::Judge], "both", Scope::default())
            }),
        ),
        case(
            "v09-rotated-both",
            "A key that planned and judged before separation is rotated under it.",
            rotated_both(923),
        ),
        case(
            "v09-review-role",
            "An executor rejects a row that was put aside.",
            with(924, |shop| {
                let row = shop.forge.next_seq;
                shop.forge.submit(vec![Draft::decision("house.sell").add("house/1", 1)]);
                shop.forge.review(row, ReviewVerdict::Reject).by(EXECUTOR)
            }),
        ),
        case(
            "v09-calibration-role",
            "An operator who may no longer calibrate does.",
            with(925, |shop| {
                let mut policy = strict_policy();
                policy.writers.push(Writers { kind: Kind::Calibration, roles: Role::Owner.bit() });
                shop.forge.submit(vec![Draft::body(&Body::Policy(policy))]);
                let calibration = Calibration {
                    metric: "margin",
                    action: "",
                    from: EPOCH,
                    upto: 8,
                    quantile: 0,
                    rows: vec![7],
                    threshold: Decimal { mantissa: 25, scale: 2 },
                };
                Draft::body(&Body::Calibration(calibration)).by(OPERATOR)
            }),
        ),
    ]
}

/// Grants that no reader of the format accepts.
fn grants() -> Vec<Case> {
    let granted = |name, why, seed, roles, scope| {
        let mut shop = Strict::new(seed);
        let who = shop.forge.new_key();
        let grant = KeyChange::Grant { key: shop.forge.public(who), roles, name: "new", scope };
        let draft = Draft::new(Kind::Key).content(PartTag::Body, encode(&grant).unwrap());
        let (ledger, row) = shop.end_with(draft);
        Case::new(name, why, ledger, Expected::Broken(&["V02"])).at(row)
    };
    let until = Some(10);
    let over = Scope { from: until, until, ..Scope::default() };
    let unsorted = Scope { prefixes: vec!["b", "a"], ..Scope::default() };
    let owner = Role::Owner.bit();
    vec![
        granted(
            "v02-scope-of-owner",
            "An owner's key is granted for a time.",
            930,
            owner,
            Scope { until, ..Scope::default() },
        ),
        granted("v02-scope-over", "A key's time is over when it begins.", 931, Role::Executor.bit(), over),
        granted(
            "v02-scope-unsorted",
            "A scope lists beginnings out of order.",
            932,
            Role::Executor.bit(),
            unsorted,
        ),
    ]
}

fn with(seed: u64, draft: fn(&mut Strict) -> Draft) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let draft = draft(&mut shop);
    shop.end_with(draft)
}

fn writers(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let mut policy = strict_policy();
    policy.writers[0].roles = Role::Operator.bit();
    shop.forge.submit(vec![reading("ctr", 1).by(EXECUTOR)]);
    shop.forge.submit(vec![Draft::body(&Body::Policy(policy))]);
    shop.forge.submit(vec![reading("ctr", 1).by(OPERATOR)]);
    shop.end_with(reading("ctr", 1).by(EXECUTOR))
}

fn rotated_both(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let policy = |separation| Draft::body(&Body::Policy(PolicyBody { separation, ..strict_policy() }));
    let (who, next) = (shop.forge.new_key(), shop.forge.new_key());
    shop.forge.submit(vec![policy(false)]);
    let both = grant(&shop.forge, who, &[Role::Planner, Role::Judge], "both", Scope::default());
    shop.forge.submit(vec![both, policy(true)]);
    let (old, key) = (shop.forge.key_id(who), shop.forge.public(next));
    shop.end_with(Draft::body(&Body::Key(KeyChange::Rotate { old, key })))
}
