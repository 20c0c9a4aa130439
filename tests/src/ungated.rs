//! Ledgers of a writer that does not ask its gates, or stamps something else than they say (V14): one fault each.
//!
//! Hashes, signatures and seals are all valid. Each case names the row that the verifier must name.

use crate::case::{Case, Expected};
use crate::draft::{Draft, Rollback};
use crate::output::Ledger;
use crate::strict::{Strict, WINDOW, reading, strict_policy};
use counterfoil_format::body::{Body, ReviewVerdict};
use counterfoil_format::content::{Effect, Undo};
use counterfoil_format::landing::{Landing, Outcome, Reason, Reversibility};
use counterfoil_format::policy::{ActionRule, PolicyBody};
use counterfoil_format::value::Value;
use counterfoil_rules::limits::Limits;

/// All of them.
pub fn ungated() -> Vec<Case> {
    [unasked(), stamped(), counted()].concat()
}

fn case(name: &'static str, why: &'static str, (ledger, row): (Ledger, u64)) -> Case {
    Case::new(name, why, ledger, Expected::Findings(&["V14"])).at(row)
}

/// For each reason but that of the switch, a row that landed as if it did not hold.
fn unasked() -> Vec<Case> {
    let cases = [
        (Reason::UnknownAction, "v14-unknown-action", "No rule has the action, and the row is applied."),
        (
            Reason::LiveNotAllowed,
            "v14-live-not-allowed",
            "A live row of an action that may not be live is applied.",
        ),
        (Reason::TierTooLow, "v14-tier-too-low", "A row below the tier of its rule is applied."),
        (
            Reason::JudgeMissing,
            "v14-judge-missing",
            "A row without a judge is applied under a rule that asks for one.",
        ),
        (
            Reason::JudgeBelowFloor,
            "v14-judge-below-floor",
            "A row is applied with a score one part per million below the floor.",
        ),
        (
            Reason::JudgeNotSeparate,
            "v14-judge-not-separate",
            "A row whose judge is its planner is applied under separation.",
        ),
        (
            Reason::AttestationMissing,
            "v14-attestation-missing",
            "A row is applied whose judge has not signed and had to.",
        ),
        (
            Reason::MoveNotAllowed,
            "v14-move-not-allowed",
            "A row is applied that moves an entity as the lifecycle does not.",
        ),
        (
            Reason::MetricMissing,
            "v14-metric-missing",
            "A row is applied that points to no reading of a metric it must rest on.",
        ),
        (
            Reason::MetricUncalibrated,
            "v14-metric-uncalibrated",
            "A row is applied that rests on a metric without a threshold.",
        ),
        (
            Reason::MetricBelowFloor,
            "v14-metric-below-floor",
            "A row is applied of whose two readings one is below the floor.",
        ),
        (
            Reason::CountLimit,
            "v14-count-limit",
            "A third row of an entity is applied where two are the limit.",
        ),
        (Reason::SumLimit, "v14-sum-limit", "A row is applied that spends one more than the limit lets."),
        (
            Reason::Irreversible,
            "v14-irreversible",
            "A row is applied whose effect cannot be undone and had to be.",
        ),
        (
            Reason::Unproven,
            "v14-unproven",
            "A row is applied under a rule that asks for a recovery drill, and none was held.",
        ),
        (Reason::GuardFailed, "v14-guard-failed", "A row is applied although a guard of it does not hold."),
        (Reason::KeyAbsent, "v14-key-absent", "A row is applied that deletes a key which is not there."),
        (Reason::KindMismatch, "v14-kind-mismatch", "A row is applied that adds to a value."),
        (
            Reason::CounterOverflow,
            "v14-counter-overflow",
            "A row is applied that takes a counter out of its range.",
        ),
    ];
    let seeds = 500..;
    let forged = |(seed, (reason, name, why))| {
        let mut shop = Strict::new(seed);
        let draft = shop.stopped_by(reason);
        case(name, why, shop.end_with(draft.ignoring(reason)))
    };
    seeds.zip(cases).map(forged).collect()
}

/// An honest row whose landing is changed before it is hashed.
fn edited(
    seed: u64,
    draft: impl FnOnce(&mut Strict) -> Draft,
    edit: impl FnOnce(&mut Landing) + 'static,
) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let draft = draft(&mut shop).landing(edit);
    shop.end_with(draft)
}

fn put(_: &mut Strict) -> Draft {
    Draft::decision("price.set").put("price/1", &Value::Int(1990))
}

fn with_effect(action: &str, undo: Undo<'_>) -> Draft {
    let request = Value::Null.encode().unwrap();
    Draft::decision(action).effects(&[Effect { adapter: "shop", request: &request, undo }])
}

/// What is stamped is not what follows.
fn stamped() -> Vec<Case> {
    let null = Value::Null.encode().unwrap();
    let window = move |shop: &mut Strict| with_effect("price.set", Undo::Until(&null, shop.forge.clock + 9));
    let bare = |shop: &mut Strict| Draft { rollback: Rollback::Absent, ..put(shop) };
    let dry = |shop: &mut Strict| put(shop).dry_run();
    vec![
        case(
            "v14-extra-reason",
            "A row that nothing stops is put aside for a reason that does not hold.",
            edited(530, bare, |landing| {
                (landing.outcome, landing.reasons) = (Outcome::Review, vec![Reason::TierTooLow]);
            }),
        ),
        case(
            "v14-other-reason",
            "A row is put aside for another reason than the one that holds.",
            edited(
                531,
                |shop| shop.stopped_by(Reason::UnknownAction),
                |landing| {
                    landing.reasons = vec![Reason::LiveNotAllowed];
                },
            ),
        ),
        case(
            "v14-one-reason-of-two",
            "Two reasons hold, and one is stamped.",
            edited(
                532,
                |_| Draft::decision("house.sell").delete("house/1"),
                |landing| {
                    landing.reasons = vec![Reason::UnknownAction];
                },
            ),
        ),
        case(
            "v14-review-for-nothing",
            "A row that nothing stops is put aside for no reason.",
            edited(533, bare, |landing| landing.outcome = Outcome::Review),
        ),
        case(
            "v14-live-as-dry-run",
            "A live row that nothing stops is stamped as a dry run.",
            edited(534, put, |landing| landing.outcome = Outcome::DryRun),
        ),
        case(
            "v14-dry-run-applied",
            "A dry run is stamped as applied.",
            edited(535, dry, |landing| landing.outcome = Outcome::Applied),
        ),
        case(
            "v14-applied-with-reasons",
            "A row has the reasons that hold, and is applied all the same.",
            edited(
                536,
                |_| with_effect("house.sell", Undo::Never),
                |landing| landing.outcome = Outcome::Applied,
            ),
        ),
        case(
            "v14-reading-put-aside",
            "A reading is put aside for a reason of decisions.",
            edited(
                537,
                |_| reading("ctr", 1),
                |landing| {
                    (landing.outcome, landing.reasons) = (Outcome::Review, vec![Reason::UnknownAction]);
                },
            ),
        ),
        case(
            "v14-reversibility",
            "A row with an effect that can only be compensated is stamped as exact.",
            edited(
                538,
                |_| with_effect("price.set", Undo::Compensate(&Value::Null.encode().unwrap())),
                |landing| {
                    landing.reversibility = Reversibility::Exact;
                },
            ),
        ),
        case(
            "v14-window",
            "The undo of a row is stamped to work for a microsecond longer.",
            edited(539, window, |landing| {
                if let Reversibility::Window(until) = &mut landing.reversibility {
                    *until += 1;
                }
            }),
        ),
        case("v14-policy-row", "A row names another row than the one that set its policy.", policy_row(540)),
    ]
}

fn policy_row(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    shop.forge.submit(vec![Draft::body(&Body::Policy(strict_policy()))]);
    let draft = put(&mut shop).landing(|landing| landing.policy_row = 0);
    shop.end_with(draft)
}

/// What limits have counted is forgotten.
fn counted() -> Vec<Case> {
    vec![
        case(
            "v14-forgotten-count",
            "A new policy repeats a limit, and the writer begins to count anew.",
            forgotten(550, strict_policy()),
        ),
        case(
            "v14-forgotten-sum",
            "A policy repeats a limit of a sum that is higher, and the writer begins to add anew.",
            forgotten_sum(551),
        ),
        case("v14-rolled-back-count", "A row that was taken back is not counted any more.", rolled_back(552)),
        case("v14-approved-count", "A row that was approved is not counted.", approved(553)),
        case(
            "v14-other-policy",
            "A row is decided by the policy before the one in force.",
            other_policy(554),
        ),
    ]
}

fn sell() -> Draft {
    Draft::decision("stock.sell").subject("sku-1", None).add("stock/sku-1", -1)
}

/// As a writer that has lost its memory.
fn forget(shop: &mut Strict) {
    let in_force = shop.forge.governance.as_ref().unwrap().in_force.clone();
    shop.forge.limits = Limits::default();
    shop.forge.limits.follow(&in_force.policy.limits);
}

fn forgotten(seed: u64, policy: PolicyBody<'static>) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    shop.forge.submit(vec![sell(), sell()]);
    shop.forge.submit(vec![Draft::body(&Body::Policy(policy))]);
    forget(&mut shop);
    shop.end_with(sell())
}

fn forgotten_sum(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let spent = shop.scale(100);
    shop.forge.submit(vec![spent]);
    let mut policy = strict_policy();
    policy.limits[0].sum.as_mut().unwrap().most.mantissa += 50;
    shop.forge.submit(vec![Draft::body(&Body::Policy(policy))]);
    forget(&mut shop);
    let again = shop.scale(51);
    shop.end_with(again)
}

fn rolled_back(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let first = shop.forge.next_seq;
    shop.forge.submit(vec![sell(), sell()]);
    let rollback = shop.forge.rollback(first, false);
    shop.forge.submit(vec![rollback]);
    shop.end_with(sell().ignoring(Reason::CountLimit))
}

/// Two rows, and a third one that a human lets pass; the window of the first two goes by.
fn approved(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let stopped = shop.stopped_by(Reason::CountLimit);
    shop.forge.clock += WINDOW / 2;
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![stopped]);
    let approval = shop.forge.review(row, ReviewVerdict::Approve);
    shop.forge.submit(vec![approval]);
    shop.forge.clock += WINDOW / 2;
    shop.forge.submit(vec![sell()]);
    shop.end_with(sell().ignoring(Reason::CountLimit))
}

fn other_policy(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let mut policy = strict_policy();
    policy.actions[2] = ActionRule { live: false, ..ActionRule::open("price.*") };
    let draft = put(&mut shop).ignoring(Reason::LiveNotAllowed);
    let row = shop.forge.next_seq + 1;
    shop.forge.submit(vec![Draft::body(&Body::Policy(policy))]);
    shop.forge.submit(vec![draft]);
    shop.forge.submit(vec![sell()]);
    (shop.forge.finish(), row)
}
