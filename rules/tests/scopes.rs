//! Where and when keys may be used, and which keys may not be both planner and judge.

#![allow(clippy::unwrap_used, reason = "a test")]

use counterfoil_format::body::{Body, FORMAT_VERSION, Genesis, KeyBytes, KeyChange, Role, Scope};
use counterfoil_format::content::{Attestation, Judge};
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, IntentId, KeyId, Kind, Mode, Tier};
use counterfoil_format::key::{SignatureBytes, key_id};
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::policy::{PolicyBody, Writers};
use counterfoil_rules::governance::{Governance, GovernanceError};
use counterfoil_rules::keyring::KeyError;
use counterfoil_rules::land::{Landing, Proposal, Refusal, admit};

/// A key of the prime-order group, another one for each number from 1 on.
fn key(number: u64) -> KeyBytes {
    let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    (1..number).fold(base, |sum, _| sum + base).compress().to_bytes()
}

fn begun(policy: PolicyBody<'static>) -> Governance {
    let (owner, ledger) = (key(1), key(2));
    let genesis = Genesis { format: FORMAT_VERSION, origin: "example.com/shop", owner, ledger, policy };
    Governance::from_genesis(&genesis, 0).unwrap()
}

fn change(governance: &mut Governance, change: KeyChange<'_>, row: u64) -> Result<(), GovernanceError> {
    governance.take_in(&Body::Key(change), row, 0)
}

fn grant(
    governance: &mut Governance,
    number: u64,
    roles: &[Role],
    scope: Scope<'_>,
) -> Result<(), GovernanceError> {
    let roles = roles.iter().fold(0, |set, role| set | role.bit());
    change(governance, KeyChange::Grant { key: key(number), roles, name: "someone", scope }, number)
}

fn proposal<'a>(kind: Kind, author: KeyId, action: &'a str, ops: &[Op<'a>]) -> Proposal<'a> {
    let head = IntentHead {
        version: INTENT_VERSION,
        id: IntentId([1; 16]),
        kind,
        author,
        action,
        tier: Tier::A,
        mode: Mode::Live,
        authored_at: 0,
        parts: 0,
    };
    let ops = ops.to_vec();
    Proposal { head, entity: None, actors: None, evidence: vec![], ops, effects: vec![], body: None }
}

fn told(governance: &Governance, proposal: &Proposal<'_>, landed_at: i64) -> Option<String> {
    match admit(governance, proposal, Landing { seq: 50, landed_at }, None) {
        Ok(()) => None,
        Err(Refusal::Author(KeyError::OutOfScope { what, .. })) => Some(what),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn a_scope_bounds_actions_state_keys_and_times() {
    let mut governance = begun(PolicyBody::open(4096));
    let scope = Scope {
        actions: vec!["price.*", "stock.sell"],
        prefixes: vec!["lifecycle/sku-", "price/"],
        from: Some(100),
        until: Some(200),
    };
    grant(&mut governance, 3, &[Role::Executor, Role::Operator], scope).unwrap();
    let author = key_id(&key(3));
    let add = |key| Op { key, guard: Guard::None, change: Change::Add(1) };
    let moved = |entity| Op { key: entity, guard: Guard::None, change: Change::Transition("live") };
    let ask =
        |kind, action, ops: &[Op<'static>], at| told(&governance, &proposal(kind, author, action, ops), at);
    let decide = |action, ops: &[Op<'static>], at| ask(Kind::Decision, action, ops, at);

    assert_eq!(decide("price.set", &[add("price/1"), moved("sku-1")], 100), None);
    assert_eq!(decide("stock.sell", &[], 199), None);
    assert_eq!(decide("price.set", &[], 99).as_deref(), Some("so early a time"));
    assert_eq!(decide("price.set", &[], 200).as_deref(), Some("so late a time"));
    assert_eq!(decide("stock.sell.all", &[], 100).as_deref(), Some("the action stock.sell.all"));
    assert_eq!(decide("price", &[], 100).as_deref(), Some("the action price"));
    assert_eq!(decide("price.set", &[add("price")], 100).as_deref(), Some("the key price"));
    assert_eq!(
        decide("price.set", &[add("price/1"), add("stock/1")], 100).as_deref(),
        Some("the key stock/1")
    );
    // The state key of a transition is not the entity's name.
    assert_eq!(decide("price.set", &[moved("price/1")], 100).as_deref(), Some("the key lifecycle/price/1"));

    // Actions bound decisions and reviews alone; state keys and times bound all rows.
    assert_eq!(ask(Kind::Review, "stock.buy", &[], 100).as_deref(), Some("the action stock.buy"));
    assert_eq!(ask(Kind::Review, "", &[], 100).as_deref(), Some("the action "));
    assert_eq!(ask(Kind::Rollback, "", &[add("price/1")], 100), None);
    assert_eq!(ask(Kind::Rollback, "", &[add("stock/1")], 100).as_deref(), Some("the key stock/1"));
    assert_eq!(ask(Kind::Evidence, "stock.count", &[], 100), None);
    assert_eq!(ask(Kind::Evidence, "", &[], 200).as_deref(), Some("so late a time"));
}

#[test]
fn a_rotated_key_has_the_scope_of_the_one_before() {
    let mut governance = begun(PolicyBody::open(4096));
    let scope = Scope { actions: vec!["price.*"], ..Scope::default() };
    grant(&mut governance, 3, &[Role::Executor], scope).unwrap();
    change(&mut governance, KeyChange::Rotate { old: key_id(&key(3)), key: key(4) }, 4).unwrap();
    let ask =
        |number, action| told(&governance, &proposal(Kind::Decision, key_id(&key(number)), action, &[]), 0);
    assert_eq!(ask(4, "price.set"), None);
    assert_eq!(ask(4, "stock.sell").as_deref(), Some("the action stock.sell"));
    let revoked = KeyError::Revoked { key: key_id(&key(3)), row: 4 }.to_string();
    assert_eq!(ask(3, "price.set"), Some(revoked));
}

#[test]
fn a_verdict_is_by_a_living_judge_of_that_name_in_its_time() {
    let mut governance = begun(PolicyBody::open(4096));
    let scope = Scope { actions: vec!["nothing"], prefixes: vec!["x"], from: Some(100), until: Some(200) };
    grant(&mut governance, 3, &[Role::Judge], scope).unwrap();
    grant(&mut governance, 4, &[Role::Executor], Scope::default()).unwrap();
    let ask = |governance: &Governance, by, number: Option<u64>, at| {
        let signed = |number| Attestation { key: key_id(&key(number)), signature: SignatureBytes([0; 64]) };
        let judge = Judge { by, score: 1, attestation: number.map(signed) };
        governance.keys.judge(&judge, at).map(|key| key.is_some())
    };
    let named = key_id(&key(3));
    assert_eq!(ask(&governance, "someone", Some(3), 100), Ok(true));
    assert_eq!(ask(&governance, "someone", None, 0), Ok(false));
    assert_eq!(ask(&governance, "someone", Some(4), 100), Err(KeyError::NoJudge(key_id(&key(4)))));
    assert_eq!(ask(&governance, "someone", Some(9), 100), Err(KeyError::NoJudge(key_id(&key(9)))));
    for at in [99, 200] {
        let told = ask(&governance, "someone", Some(3), at);
        assert!(matches!(told, Err(KeyError::OutOfScope { key, .. }) if key == named), "{told:?}");
    }
    let (other, enrolled) = ("another".to_owned(), "someone".to_owned());
    let expected = KeyError::OtherJudge { key: named, named: other, enrolled };
    assert_eq!(ask(&governance, "another", Some(3), 100), Err(expected));
    let revoke = KeyChange::Revoke { key: named, compromised_since: None, reason: "" };
    change(&mut governance, revoke, 10).unwrap();
    assert_eq!(ask(&governance, "someone", Some(3), 100), Err(KeyError::NoJudge(named)));
}

#[test]
fn nobody_plans_and_judges_where_the_two_are_kept_apart() {
    let both = [Role::Planner, Role::Judge];
    let separate = |separation| PolicyBody { separation, ..PolicyBody::open(4096) };
    let not_separate = |number| Err(GovernanceError::Key(KeyError::NotSeparate(key_id(&key(number)))));
    let mut governance = begun(separate(true));
    assert_eq!(grant(&mut governance, 3, &both, Scope::default()), not_separate(3));
    assert_eq!(grant(&mut governance, 3, &[Role::Planner, Role::Executor], Scope::default()), Ok(()));
    assert_eq!(grant(&mut governance, 4, &[Role::Judge, Role::Executor], Scope::default()), Ok(()));

    // A key that was both before the policy said so is not handed on as both.
    let mut governance = begun(separate(false));
    grant(&mut governance, 3, &both, Scope::default()).unwrap();
    let rotate = |number| KeyChange::Rotate { old: key_id(&key(3)), key: key(number) };
    governance.take_in(&Body::Policy(separate(true)), 4, 0).unwrap();
    assert_eq!(change(&mut governance, rotate(5), 5), not_separate(5));
    governance.take_in(&Body::Policy(separate(false)), 6, 0).unwrap();
    assert_eq!(change(&mut governance, rotate(5), 7), Ok(()));
}

#[test]
fn a_policy_says_who_writes_a_kind() {
    let writers = vec![Writers { kind: Kind::Evidence, roles: Role::Operator.bit() }];
    let mut governance = begun(PolicyBody { writers, ..PolicyBody::open(4096) });
    grant(&mut governance, 3, &[Role::Executor], Scope::default()).unwrap();
    grant(&mut governance, 4, &[Role::Operator], Scope::default()).unwrap();
    let ask = |number, kind| told(&governance, &proposal(kind, key_id(&key(number)), "a", &[]), 0).is_none();
    assert!(!ask(3, Kind::Evidence) && ask(4, Kind::Evidence));
    assert!(ask(3, Kind::Decision) && !ask(4, Kind::Decision));
}
