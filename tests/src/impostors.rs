//! Ledgers signed by whom they should not be, or that do not fit what is held elsewhere: the checks V09 to V12.
//!
//! As in [`crate::broken`] there is one fault each, and everything behind it is put right.

use crate::broken::{around, around_row, put};
use crate::case::{Case, Expected};
use crate::draft::{Draft, EXECUTOR, Group, LEDGER, OPERATOR, OWNER, Submission};
use crate::forge::Forge;
use crate::founding::Founding;
use crate::output::{Ledger, Sink, groups};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Genesis, KeyChange, Role, Scope, SwitchAct};
use counterfoil_format::frame::SEGMENT_HEADER_BYTES;
use counterfoil_format::intent::Kind;
use counterfoil_format::key::SignatureBytes;
use counterfoil_format::part::PartTag;

/// All of them.
pub fn impostors() -> Vec<Case> {
    [founders(), authors(), seals(), anchors()].concat()
}

fn authors() -> Vec<Case> {
    let case = |name, why, seed, group: fn(&mut Forge) -> Group| {
        Case::new(name, why, around(seed, group), Expected::Broken(&["V09"]))
    };
    vec![
        case("v09-wrong-key", "The executor's row is signed by the operator.", 250, |_| {
            Group::new(vec![Submission { signer: Some(OPERATOR), ..Submission::new(vec![put(3)]) }])
        }),
        case("v09-unknown-key", "The author's key was never enrolled.", 251, |forge| {
            let stranger = forge.new_key();
            Group::new(vec![Submission::new(vec![put(3).by(stranger)])])
        }),
        case("v09-revoked-key", "The author's key was revoked by the row before.", 252, |forge| {
            let key = forge.key_id(EXECUTOR);
            let revoke = KeyChange::Revoke { key, compromised_since: None, reason: "lost" };
            let second = forge.new_key();
            let rotate = KeyChange::Grant {
                key: forge.public(second),
                roles: Role::Executor.bit(),
                name: "second",
                scope: Scope::default(),
            };
            let changes = [Body::Key(rotate), Body::Key(revoke)].map(|body| Draft::body(&body));
            Group::new(vec![Submission::new(changes.into()), Submission::new(vec![put(3)])])
        }),
        case("v09-wrong-role", "An operator writes a decision.", 253, |_| {
            Group::new(vec![Submission::new(vec![put(3).by(OPERATOR)])])
        }),
        case("v09-other-ledger", "The signature is for another ledger's id.", 254, |_| {
            Group::new(vec![Submission { ledger_id: Some(Hash([5; 32])), ..Submission::new(vec![put(3)]) }])
        }),
        case("v09-two-authors", "One submission has rows of two authors.", 255, |forge| {
            let drill = forge.switch(SwitchAct::HandOver, false);
            Group::new(vec![Submission::new(vec![put(3), drill])])
        }),
        case("v09-zero-signature", "The signature is 64 zero bytes.", 256, |_| {
            let signature = Some(SignatureBytes([0; 64]));
            Group::new(vec![Submission { signature, ..Submission::new(vec![put(3)]) }])
        }),
        case("v09-last-key", "The owner revokes the last key that seals.", 263, |forge| {
            let key = forge.key_id(LEDGER);
            let revoke = KeyChange::Revoke { key, compromised_since: None, reason: "" };
            Group::new(vec![Submission::new(vec![Draft::body(&Body::Key(revoke))])])
        }),
        case("v09-self-granted", "A key row is written by the executor.", 258, |forge| {
            let second = forge.new_key();
            let grant = KeyChange::Grant {
                key: forge.public(second),
                roles: Role::Owner.bit(),
                name: "me",
                scope: Scope::default(),
            };
            Group::new(vec![Submission::new(vec![Draft::body(&Body::Key(grant)).by(EXECUTOR)])])
        }),
    ]
}

/// Ledgers whose row 0 founds none.
fn founders() -> Vec<Case> {
    let case = |name, why, seed, first: fn(&Forge) -> Draft| {
        let mut forge = Forge::unborn(seed, Founding::default(), Sink::memory());
        let draft = first(&forge);
        forge.submit(vec![draft]);
        Case::new(name, why, forge.finish(), Expected::Broken(&["V09"]))
    };
    vec![
        case("v09-no-genesis", "Row 0 is a decision.", 264, |_| put(1).by(OWNER)),
        case("v09-weak-owner", "Row 0 names an owner's key of small order.", 265, |forge| {
            let genesis = forge.genesis();
            let content = genesis.contents[PartTag::Body as usize].clone().unwrap();
            let Ok(Body::Genesis(body)) = Body::decode(Kind::Genesis, &content) else { return genesis };
            let mut owner = [0; 32];
            owner[0] = 1;
            let weak = Body::Genesis(Genesis { owner, ..body }).encode().unwrap();
            genesis.content(PartTag::Body, weak)
        }),
    ]
}

fn seals() -> Vec<Case> {
    let case = |name, why, seed, group: fn(&mut Forge) -> Group| {
        Case::new(name, why, around(seed, group), Expected::Broken(&["V10"]))
    };
    vec![
        case("v10-wrong-key", "A seal is signed by the owner.", 260, |_| Group {
            sealer: Some(OWNER),
            ..Group::new(vec![Submission::new(vec![put(3)])])
        }),
        case("v10-old-key", "A seal is signed by a ledger key that was replaced.", 261, |forge| {
            let next = forge.new_key();
            let (old, key) = (forge.key_id(LEDGER), forge.public(next));
            let rotate = Draft::body(&Body::Key(KeyChange::Rotate { old, key }));
            Group { sealer: Some(LEDGER), ..Group::new(vec![Submission::new(vec![rotate])]) }
        }),
        case("v10-size", "A seal is signed for another size.", 262, |_| Group {
            size: Some(7_000),
            ..Group::new(vec![Submission::new(vec![put(3)])])
        }),
    ]
}

/// A history that ends differently from the one with the same keys.
fn fork(seed: u64, cents: i64) -> Ledger {
    let mut forge = Forge::new(seed);
    forge.submit(vec![put(cents), put(2)]);
    forge.finish()
}

fn anchors() -> Vec<Case> {
    let case = |name, why, ledger, check| Case::new(name, why, ledger, Expected::Broken(check));
    let mut cut = around_row(272, |draft| draft);
    let whole = cut.checkpoint.clone();
    let (_, segment) = &mut cut.segments[0];
    let last = groups(segment).pop().unwrap();
    segment.truncate(last.start);
    assert!(segment.len() > SEGMENT_HEADER_BYTES);
    cut.checkpoint = fork_at(272);
    let stale = {
        let mut ledger = fork(273, 1);
        ledger.checkpoint = fork(274, 1).checkpoint;
        ledger
    };
    let vkey = Forge::new(276).verifier_key(LEDGER).to_string();
    vec![
        case("v11-ledger-id", "Another ledger's id is pinned.", fork(270, 1), &["V11"])
            .pinned("ledger_id", "11".repeat(32)),
        case("v11-owner", "Another owner is pinned.", fork(271, 1), &["V11"])
            .pinned("owner", "22".repeat(32)),
        case("v11-ledger-key", "A key that never sealed here is pinned.", fork(275, 1), &["V11"])
            .pinned("vkey", vkey),
        case("v12-cut-tail", "The last group is gone; a checkpoint kept elsewhere covers it.", cut, &["V12"])
            .kept("whole", whole),
        case(
            "v12-fork",
            "The ledger key signed two histories; the other one's checkpoint was kept.",
            fork(277, 1),
            &["V12"],
        )
        .kept("other", fork(277, 5).checkpoint),
        case("v12-own-checkpoint", "The file `checkpoint` is another ledger's.", stale, &["V12"]),
        case("v12-stranger", "The checkpoint that was kept is another ledger's.", fork(278, 1), &["V12"])
            .kept("stranger", fork(279, 1).checkpoint),
    ]
}

/// The checkpoint before the last group of [`around_row`].
fn fork_at(seed: u64) -> String {
    let mut forge = Forge::new(seed);
    forge.submit(vec![put(1), put(2)]);
    forge.submit(vec![put(3), put(4), put(5)]);
    forge.checkpoint().to_owned()
}
