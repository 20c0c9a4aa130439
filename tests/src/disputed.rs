//! Ledgers at the edges of the format, where two readers that mean well could come to two verdicts. Each pins the one.
//!
//! As in [`crate::broken`] there is one fault each, and everything behind it is put right.

use crate::broken::{around, around_row, put};
use crate::case::{Case, Expected};
use crate::draft::{Draft, EXECUTOR, Edit, Group, LEDGER, OWNER, Rollback, Submission};
use crate::forge::Forge;
use crate::founding::Founding;
use crate::output::{Ledger, Sink, fix_checksums};
use counterfoil_format::body::{
    Body, Calibration, Erasure, FORMAT_VERSION, Genesis, KeyChange, KillSwitch, Role, Scope, SwitchAct,
};
use counterfoil_format::codec::{CodecError, encode};
use counterfoil_format::intent::{INTENT_VERSION, Kind};
use counterfoil_format::landing::{LANDING_VERSION, Landing, Outcome, Reason, Reversibility};
use counterfoil_format::merkle::empty_root;
use counterfoil_format::note::{SignedNote, checkpoint_text};
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{ActionRule, POLICY_VERSION, PolicyBody};
use counterfoil_format::value::Decimal;

/// All of them.
pub fn disputed() -> Vec<Case> {
    [versions(), nothings(), names(), founders(), changes(), vec![no_rows()]].concat()
}

fn edited(edit: impl FnOnce(&mut Vec<u8>) + 'static) -> Option<Edit<Vec<u8>>> {
    Some(Box::new(edit))
}

/// What no writer of ours writes, so that it has to be encoded past the checks.
fn raw(kind: Kind, body: Result<Vec<u8>, CodecError>) -> Draft {
    Draft::new(kind).content(PartTag::Body, body.unwrap())
}

fn policy(version: u8, live: &'static str) -> PolicyBody<'static> {
    PolicyBody { version, actions: vec![ActionRule::open(live)], ..PolicyBody::open(64 << 20) }
}

/// An honest group before and behind a row that is none of the executor's.
fn around_alone(seed: u64, draft: Draft) -> Ledger {
    around(seed, |_| Group::new(vec![Submission::new(vec![draft])]))
}

/// A segment holds structures of its own version alone.
fn versions() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Broken(&["V02"]));
    let first = edited(|bytes| bytes[0] = INTENT_VERSION + 1);
    let newer_head = around_row(400, |draft| Draft { edit_head_bytes: first, ..draft });
    let first = edited(|bytes| bytes[0] = LANDING_VERSION + 1);
    let newer_landing = around_row(401, |draft| Draft { edit_landing_bytes: first, ..draft });
    let newer_genesis = unborn(402, |forge| {
        let format = FORMAT_VERSION + 1;
        let content = encode(&Genesis { format, ..genesis(forge) }).unwrap();
        vec![forge.genesis().content(PartTag::Body, content)]
    });
    let newer_policy = around_alone(403, raw(Kind::Policy, encode(&policy(POLICY_VERSION + 1, "*"))));
    let mut newer_segment = around_row(404, |draft| draft);
    newer_segment.segments[0].1[8] = 4;
    fix_checksums(&mut newer_segment.segments[0].1);
    vec![
        case("v02-newer-intent", "An intent is of another version than its segment.", newer_head),
        case("v02-newer-landing", "A landing is of another version than its segment.", newer_landing),
        case("v02-newer-genesis", "The genesis is of another version than its segment.", newer_genesis),
        case("v02-newer-policy", "A policy is of another version than its segment.", newer_policy),
        Case::new(
            "newer-segment",
            "The segment is of another version, and its header is intact.",
            newer_segment,
            Expected::Unchecked,
        ),
    ]
}

/// What says nothing is left out.
fn nothings() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Broken(&["V02"]));
    let empty = |seed, tag| around_row(seed, move |draft| draft.content(tag, vec![0]));
    let no_ops = around_row(412, |draft| Draft { ops: Vec::new(), ..draft }.content(PartTag::Ops, vec![0]));
    let no_rollback = around_row(413, |draft| Draft { rollback: Rollback::Forged(vec![0]), ..draft });
    let erasure = Erasure { items: Vec::new(), authority: "request 7" };
    let threshold = Decimal { mantissa: 1, scale: 0 };
    let calibration = Calibration {
        metric: "cost",
        action: "",
        from: 0,
        upto: 4,
        quantile: 1,
        rows: Vec::new(),
        threshold,
    };
    vec![
        case("v02-no-evidence", "A part lists no evidence.", empty(410, PartTag::Evidence)),
        case("v02-no-effects", "A part lists no effects.", empty(411, PartTag::Effects)),
        case("v02-no-ops", "A part lists no operations.", no_ops),
        case("v02-no-inverse", "A rollback part lists no operations.", no_rollback),
        case(
            "v02-no-items",
            "An erasure erases nothing.",
            around_alone(414, raw(Kind::Erasure, encode(&erasure))),
        ),
        case(
            "v02-no-readings",
            "A calibration was computed from no rows.",
            around_alone(415, raw(Kind::Calibration, encode(&calibration))),
        ),
    ]
}

/// What names and patterns may not hold.
fn names() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Broken(&["V02"]));
    let control = around_row(421, |draft| Draft { action: "price.set\u{7f}".to_owned(), ..draft });
    let stage = around_row(422, |draft| draft.transition("sku-1", "a\nb"));
    let grant = KeyChange::Grant {
        key: [1; 32],
        roles: Role::Auditor.bit(),
        name: "a\u{1b}[2J",
        scope: Scope::default(),
    };
    vec![
        case(
            "v02-inner-star",
            "A pattern has a star before its end.",
            around_alone(420, raw(Kind::Policy, encode(&policy(POLICY_VERSION, "price.*.*")))),
        ),
        case("v02-control-action", "An action has a control character.", control),
        case("v02-control-stage", "A stage has a control character.", stage),
        case(
            "v02-control-holder",
            "The name of a key's holder has control characters.",
            around_alone(423, raw(Kind::Key, encode(&grant))),
        ),
    ]
}

/// A ledger of one group, whose rows are all in one submission.
fn unborn(seed: u64, rows: impl FnOnce(&Forge) -> Vec<Draft>) -> Ledger {
    let mut forge = Forge::unborn(seed, Founding::default(), Sink::memory());
    let drafts = rows(&forge);
    forge.submit(drafts);
    forge.finish()
}

fn genesis(forge: &Forge) -> Genesis<'static> {
    Genesis {
        format: FORMAT_VERSION,
        origin: "example.com/shop",
        owner: forge.public(OWNER),
        ledger: forge.public(LEDGER),
        policy: policy(POLICY_VERSION, "*"),
    }
}

/// Row 0, and only row 0, is a genesis: live, applied, alone in its submission.
fn founders() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Broken(&["V09"]));
    let review = |landing: &mut Landing| landing.outcome = Outcome::Review;
    let again = |forge: &Forge| raw(Kind::Genesis, encode(&genesis(forge)));
    let once_more = |seed, draft: fn(Draft) -> Draft| {
        around(seed, move |forge| Group::new(vec![Submission::new(vec![draft(again(forge))])]))
    };
    let grant = |forge: &Forge| {
        let (key, roles) = (forge.public(EXECUTOR), Role::Executor.bit());
        Draft::body(&Body::Key(KeyChange::Grant { key, roles, name: "executor", scope: Scope::default() }))
    };
    vec![
        case("v09-dry-genesis", "Row 0 is a dry run.", unborn(430, |forge| vec![forge.genesis().dry_run()])),
        case(
            "v09-genesis-in-review",
            "Row 0 was put aside for review.",
            unborn(431, move |forge| vec![forge.genesis().landing(review)]),
        ),
        case(
            "v09-inexact-genesis",
            "Row 0 is stamped as reversible by a compensation.",
            unborn(434, |forge| {
                let inexact = |landing: &mut Landing| landing.reversibility = Reversibility::Compensating;
                vec![forge.genesis().landing(inexact)]
            }),
        ),
        case(
            "v09-genesis-with-reasons",
            "Row 0 is stamped with a reason.",
            unborn(435, |forge| {
                let told = |landing: &mut Landing| landing.reasons = vec![Reason::TierTooLow];
                vec![forge.genesis().landing(told)]
            }),
        ),
        case(
            "v09-genesis-in-company",
            "Row 0 shares its submission with another row.",
            unborn(432, move |forge| vec![forge.genesis(), grant(forge)]),
        ),
        case("v09-second-genesis", "A row behind row 0 is a genesis.", once_more(433, |draft| draft)),
        case(
            "v09-closed-second-genesis",
            "A row behind row 0 is a genesis, put aside for review, and its body is withheld.",
            once_more(434, |draft| {
                draft.close(PartTag::Body).landing(|landing| landing.outcome = Outcome::Review)
            }),
        ),
    ]
}

/// Rows that change what governs, and should have been refused.
fn changes() -> Vec<Case> {
    let case = |name, why, seed, group: fn(&mut Forge) -> Group| {
        Case::new(name, why, around(seed, group), Expected::Broken(&["V09"]))
    };
    fn to_executor(forge: &Forge) -> Draft {
        let holder = forge.key_id(EXECUTOR);
        let switch = KillSwitch { act: SwitchAct::HandOver, engaged: false, holder, reason: "", drill: None };
        Draft::body(&Body::KillSwitch(switch))
    }
    fn twice(forge: &Forge) -> Draft {
        let (key, roles) = (forge.public(EXECUTOR), Role::Executor.bit());
        Draft::body(&Body::Key(KeyChange::Grant { key, roles, name: "again", scope: Scope::default() }))
    }
    vec![
        case("v09-switch-holder", "The kill switch is handed to an executor.", 440, |forge| {
            Group::new(vec![Submission::new(vec![to_executor(forge)])])
        }),
        case("v09-dry-switch-holder", "A dry run hands the kill switch to an executor.", 441, |forge| {
            Group::new(vec![Submission::new(vec![to_executor(forge).dry_run()])])
        }),
        case("v09-enrolled-twice", "A key is granted that is enrolled already.", 442, |forge| {
            Group::new(vec![Submission::new(vec![twice(forge)])])
        }),
        case("v09-takes-effect", "An executor grants a key, which then writes.", 443, |forge| {
            let second = forge.new_key();
            let (key, roles) = (forge.public(second), Role::Executor.bit());
            let grant = Body::Key(KeyChange::Grant { key, roles, name: "second", scope: Scope::default() });
            Group::new(vec![
                Submission::new(vec![Draft::body(&grant).by(EXECUTOR)]),
                Submission::new(vec![put(3).by(second)]),
            ])
        }),
    ]
}

/// A checkpoint over no rows, signed by the ledger: it names no row of any history.
fn no_rows() -> Case {
    let mut forge = Forge::new(450);
    forge.submit(vec![put(1)]);
    let signer = forge.verifier_key(LEDGER);
    let text = checkpoint_text(&signer.name, 0, &empty_root());
    let signature = forge.sign(LEDGER, text.as_bytes());
    let note = SignedNote::new(text, &signer, &signature).to_string();
    let why = "A checkpoint that was kept is over no rows at all.";
    Case::new("v12-size-0", why, forge.finish(), Expected::Broken(&["V12"])).kept("none", note)
}
