//! Withheld bodies of rows that govern: what depends on them is left out, and nothing is held against anybody.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::body::{Body, KeyChange, ReviewVerdict, Role, Scope, SwitchAct};
use counterfoil_format::content::Evidence;
use counterfoil_format::intent::Kind;
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{PolicyBody, Writers};
use counterfoil_tests::draft::{Draft, EXECUTOR, OPERATOR, OWNER, Who};
use counterfoil_tests::judge::judge;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::strict::{Strict, grant, reading, strict_policy, switch_to};
use counterfoil_verifier::{CheckId, Report, Status, Verdict};

fn put(key: &str) -> Draft {
    Draft::decision("price.set").add(key, 1)
}

fn policy(separation: bool, writers: Vec<Writers>) -> Draft {
    Draft::body(&Body::Policy(PolicyBody { separation, writers, ..strict_policy() }))
}

fn by_operators() -> Vec<Writers> {
    vec![Writers { kind: Kind::Evidence, roles: Role::Operator.bit() }]
}

/// Submits rows, each a submission, and judges.
fn after(seed: u64, rows: impl FnOnce(&mut Strict)) -> Report {
    let mut shop = Strict::new(seed);
    rows(&mut shop);
    judge(&shop.forge.finish())
}

fn open(report: &Report, check: CheckId) {
    assert_eq!(report.verdict, Verdict::Intact, "{:#?}", report.findings);
    let found = &report.checks[&check];
    assert_eq!(found.status, Status::NotChecked, "{}: {}", check.name(), found.detail);
}

/// Who holds the switch may have got the key in a row whose body is withheld.
#[test]
fn a_holder_whose_key_is_withheld_leaves_the_switch_open() {
    for engaged in [false, true] {
        let report = after(1200, |shop| {
            let who = shop.forge.new_key();
            let row = grant(&shop.forge, who, &[Role::Operator], "night watch", Scope::default());
            shop.forge.submit(vec![row.close(PartTag::Body)]);
            let act = if engaged { SwitchAct::Engage } else { SwitchAct::HandOver };
            let row = switch_to(&shop.forge, who, act, engaged);
            shop.forge.submit(vec![row]);
            shop.forge.submit(vec![put("price/1")]);
        });
        open(&report, CheckId::V14);
        open(&report, CheckId::V18);
    }
}

/// Behind a withheld move of the switch it is not known what drills and hand-overs may do.
#[test]
fn moves_behind_a_withheld_move_are_not_held_against_anybody() {
    let closed = |shop: &mut Strict, act, engaged| {
        let draft = shop.forge.switch(act, engaged).close(PartTag::Body);
        shop.forge.submit(vec![draft]);
    };
    let then = |shop: &mut Strict, act, engaged| {
        let draft = shop.forge.switch(act, engaged);
        shop.forge.submit(vec![draft]);
    };
    let handed = after(1201, |shop| {
        closed(shop, SwitchAct::Engage, true);
        then(shop, SwitchAct::HandOver, true);
    });
    open(&handed, CheckId::V18);
    let begun = after(1202, |shop| {
        then(shop, SwitchAct::Engage, true);
        closed(shop, SwitchAct::Release, false);
        then(shop, SwitchAct::Drill, true);
    });
    open(&begun, CheckId::V18);
    let ended = after(1203, |shop| {
        let began = shop.forge.next_seq;
        closed(shop, SwitchAct::Drill, true);
        shop.forge.submit(vec![put("price/1")]);
        let end = shop.forge.drill_end(began, began + 1);
        shop.forge.submit(vec![end]);
    });
    open(&ended, CheckId::V18);
    // The last row hides what it is, a dry run too.
    open(&after(1204, |shop| closed(shop, SwitchAct::HandOver, false)), CheckId::V18);
    let dry = after(1205, |shop| {
        let draft = shop.forge.switch(SwitchAct::Drill, true).dry_run().close(PartTag::Body);
        shop.forge.submit(vec![draft]);
    });
    open(&dry, CheckId::V18);
}

/// Behind a withheld policy it is not known who may write, nor whether the roles of a key go together.
#[test]
fn rights_behind_a_withheld_policy_are_not_checked() {
    let both = after(1206, |shop| {
        shop.forge.submit(vec![policy(false, Vec::new()).close(PartTag::Body)]);
        let who = shop.forge.new_key();
        let row = grant(&shop.forge, who, &[Role::Planner, Role::Judge], "both", Scope::default());
        shop.forge.submit(vec![row]);
        shop.forge.submit(vec![reading("ctr", 1).by(who)]);
    });
    open(&both, CheckId::V09);
    // An executor whom the withheld policy leaves no evidence to, or does.
    for writers in [by_operators(), Vec::new()] {
        let written = after(1207, |shop| {
            shop.forge.submit(vec![policy(true, writers).close(PartTag::Body)]);
            shop.forge.submit(vec![reading("ctr", 1).by(EXECUTOR)]);
        });
        open(&written, CheckId::V09);
    }
    // What every policy lets the owner write is checked, and all is known again under the next policy.
    let again = after(1208, |shop| {
        shop.forge.submit(vec![policy(true, by_operators()).close(PartTag::Body)]);
        shop.forge.submit(vec![policy(true, Vec::new()).by(OWNER)]);
        shop.forge.submit(vec![reading("ctr", 1).by(EXECUTOR)]);
    });
    assert_eq!(again.checks[&CheckId::V09].status, Status::Passed, "{}", again.checks[&CheckId::V09].detail);
}

/// A right that no policy gives, or that the policy in force does not, is missed by nobody for what else is withheld.
#[test]
fn certain_faults_behind_withheld_bodies_are_found() {
    let report = after(1209, |shop| {
        let draft = shop.forge.switch(SwitchAct::HandOver, false).close(PartTag::Body);
        shop.forge.submit(vec![draft]);
        shop.forge.submit(vec![policy(true, Vec::new()).by(EXECUTOR)]);
    });
    assert_eq!((report.verdict, report.findings[0].check), (Verdict::Broken, CheckId::V09));
    let report = after(1210, |shop| {
        shop.forge.submit(vec![policy(true, Vec::new()).close(PartTag::Body)]);
        let who = shop.forge.new_key();
        let row = grant(&shop.forge, who, &[Role::Auditor], "auditor", Scope::default());
        shop.forge.submit(vec![row]);
        shop.forge.submit(vec![reading("ctr", 1).by(who)]);
    });
    assert_eq!((report.verdict, report.findings[0].check), (Verdict::Broken, CheckId::V09));
}

#[test]
fn withheld_evidence_may_point_anywhere() {
    let report = after(1211, |shop| {
        shop.forge.submit(vec![put("price/1").evidence(&[Evidence::Row(999)]).close(PartTag::Evidence)]);
    });
    open(&report, CheckId::V21);
}

/// A row that governs, or takes something back, as long as it would go through.
fn governing(shop: &mut Strict, made: &mut Vec<Who>, rng: &mut Rng) -> Option<Draft> {
    let next = shop.forge.next_seq;
    let one = (!made.is_empty()).then(|| made[rng.place(made.len().max(1))]);
    let names = ["agent", "night", "judge", "planner"];
    let draft = match rng.below(11) {
        0 | 1 => {
            let all = [Role::Executor, Role::Operator, Role::Planner, Role::Judge];
            let roles: Vec<Role> = all.into_iter().filter(|_| rng.below(2) == 0).collect();
            let who = shop.forge.new_key();
            made.push(who);
            grant(
                &shop.forge,
                who,
                if roles.is_empty() { &all[..2] } else { &roles },
                names[rng.place(4)],
                Scope::default(),
            )
        }
        2 => {
            let (old, who) = (shop.forge.key_id(one?), shop.forge.new_key());
            made.push(who);
            Draft::body(&Body::Key(KeyChange::Rotate { old, key: shop.forge.public(who) }))
        }
        3 => {
            let writers = if rng.below(2) == 0 { by_operators() } else { Vec::new() };
            policy(rng.below(2) == 0, writers)
        }
        4 => shop.forge.switch(SwitchAct::Engage, true),
        5 | 6 => shop.forge.switch(SwitchAct::Release, false),
        7 => {
            let engaged = shop.forge.governance.as_ref()?.in_force.switch.engaged;
            switch_to(&shop.forge, one.unwrap_or(OPERATOR), SwitchAct::HandOver, engaged)
        }
        8 => shop.forge.switch(SwitchAct::Drill, true),
        _ => {
            let target = (1..next).rev().filter(|row| shop.forge.is_reversible(*row)).nth(rng.place(2))?;
            shop.forge.rollback(target, false)
        }
    };
    let body = draft.contents[PartTag::Body as usize].clone()?;
    let body = Body::decode(draft.kind, &body).ok()?;
    shop.forge.governance.as_ref()?.check(&body, next).is_ok().then_some(draft)
}

/// A decision, an approval or a reading, by whoever may.
fn acting(shop: &mut Strict, made: &[Who], rng: &mut Rng) -> Draft {
    let governance = shop.forge.governance.as_ref().unwrap();
    let may = |who: &Who, role: Role| {
        governance
            .keys
            .get(&shop.forge.key_id(*who))
            .is_some_and(|key| key.until.is_none() && key.roles & role.bit() != 0)
    };
    let mut who = |role: Role, else_by: Who| {
        let all: Vec<Who> = made.iter().copied().filter(|who| may(who, role)).collect();
        if all.is_empty() { else_by } else { all[rng.place(all.len())] }
    };
    let (executor, operator) = (who(Role::Executor, EXECUTOR), who(Role::Operator, OPERATOR));
    let separate = |row: u64| {
        let separation = governance.in_force.policy.separation;
        let author = shop.forge.author_of(row);
        !separation || governance.keys.holder_of_both(&author, &shop.forge.key_id(operator)).is_none()
    };
    let waits = (0..shop.forge.next_seq).rev().find(|row| {
        shop.forge.is_put_aside(*row) && governance.reviewed_by(*row).is_none() && separate(*row)
    });
    match (rng.below(4), waits) {
        (0, Some(row)) => shop.forge.review(row, ReviewVerdict::Approve).by(operator),
        (1, _) => reading("margin", 30).by(OPERATOR),
        (2, _) => Draft::decision("house.sell").add("house/1", 1).by(executor),
        _ => {
            let judge = ["judge", "agent", "night", "planner"][rng.place(4)];
            put("price/1").actors("planner", judge, 900_000, "agent").by(executor)
        }
    }
}

/// Whatever bodies of honest rows are withheld, nothing is found.
#[test]
fn nothing_false_is_found_whatever_bodies_are_withheld() {
    let rounds: u64 = std::env::var("COUNTERFOIL_ROUNDS").map_or(80, |rounds| rounds.parse().unwrap());
    let mut rng = Rng::of_this_run();
    let mut governed = 0;
    for _ in 0..rounds {
        let seed = rng.number();
        let (mut shop, mut made) = (Strict::new(seed), Vec::new());
        for _ in 0..14 {
            let draft = match rng.below(2) {
                0 => governing(&mut shop, &mut made, &mut rng),
                _ => None,
            };
            governed += u64::from(draft.is_some());
            let draft = draft.unwrap_or_else(|| acting(&mut shop, &made, &mut rng));
            let closes = draft.kind != Kind::Review && draft.kind != Kind::Decision && rng.below(4) == 0;
            let draft = if closes { draft.close(PartTag::Body) } else { draft };
            shop.forge.submit(vec![draft]);
        }
        let report = judge(&shop.forge.finish());
        assert_eq!(report.verdict, Verdict::Intact, "seed {seed}: {:#?}", report.findings);
    }
    assert!(governed > rounds, "{governed}");
}
