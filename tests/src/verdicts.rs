//! Ledgers with judges' signatures that are not what they pass for (V09): one fault each.
//!
//! The rows meet every gate: only the signature under the verdict, or whose it is, is wrong.

use crate::case::{Case, Expected};
use crate::draft::{Draft, OPERATOR, Who};
use crate::forge::TICK;
use crate::output::Ledger;
use crate::strict::{JUDGE_FLOOR, Strict, WINDOW, grant};
use counterfoil_format::body::{Body, KeyChange, Role, Scope};
use counterfoil_format::codec::encode;
use counterfoil_format::content::{Actors, Effect, Evidence, Undo};
use counterfoil_format::intent::{IntentId, Tier};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::value::Value;

/// All of them.
pub fn verdicts() -> Vec<Case> {
    [signers(), claims()].concat()
}

fn case(name: &'static str, why: &'static str, (ledger, row): (Ledger, u64)) -> Case {
    Case::new(name, why, ledger, Expected::Broken(&["V09"])).at(row)
}

fn with(seed: u64, draft: fn(&mut Strict) -> Draft) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let draft = draft(&mut shop);
    shop.end_with(draft)
}

/// A second judge's key.
fn another(shop: &mut Strict, name: &'static str, scope: Scope<'static>) -> Who {
    let who = shop.forge.new_key();
    let row = grant(&shop.forge, who, &[Role::Judge], name, scope);
    shop.forge.submit(vec![row]);
    who
}

/// Whose signature it is.
fn signers() -> Vec<Case> {
    vec![
        case(
            "v09-verdict-no-judge",
            "An operator signs a judge's verdict.",
            with(940, |shop| shop.scale(1).signed_by(OPERATOR)),
        ),
        case(
            "v09-verdict-unknown",
            "A verdict is signed by a key that nobody enrolled.",
            with(941, |shop| {
                let stranger = shop.forge.new_key();
                shop.scale(1).signed_by(stranger)
            }),
        ),
        case(
            "v09-verdict-other-judge",
            "A judge signs a verdict in another judge's name.",
            with(942, |shop| {
                let other = another(shop, "another judge", Scope::default());
                shop.scale(1).signed_by(other)
            }),
        ),
        case(
            "v09-verdict-revoked",
            "A verdict is signed by a judge's key that was revoked.",
            with(943, |shop| {
                let key = shop.forge.key_id(shop.judge);
                let revoke = KeyChange::Revoke { key, compromised_since: None, reason: "lost" };
                shop.forge.submit(vec![Draft::body(&Body::Key(revoke))]);
                shop.scale(1)
            }),
        ),
        case(
            "v09-verdict-early",
            "A verdict is signed by a judge whose time has not come.",
            with(944, |shop| {
                let from = Some(shop.forge.clock + WINDOW);
                let early = another(shop, "judge", Scope { from, ..Scope::default() });
                shop.scale(1).signed_by(early)
            }),
        ),
        case(
            "v09-verdict-late",
            "A verdict is signed by a judge whose time is over.",
            with(945, |shop| {
                // The grant itself takes a tick; the time is over with the next one.
                let until = Some(shop.forge.clock + TICK);
                let late = another(shop, "judge", Scope { until, ..Scope::default() });
                shop.scale(1).signed_by(late)
            }),
        ),
        case(
            "v09-verdict-in-review",
            "A row that is put aside has a false signature of its judge.",
            put_aside(946),
        ),
    ]
}

/// A decision with all that a verdict covers, under an id and salts that are known beforehand.
fn proposed(shop: &Strict) -> Draft {
    Draft { id: Some(IntentId([0x1d; 16])), salts: [Some([0x5a; 16]); 7], ..shop.scale(1) }
}

/// The actors that a judge has signed for the decision, as the same shop would have stored them.
fn signed(seed: u64) -> Vec<u8> {
    let mut twin = Strict::new(seed);
    let row = twin.forge.next_seq;
    let draft = proposed(&twin);
    twin.forge.submit(vec![draft]);
    let record = twin.forge.sink.record(row);
    Row::parse(&record).unwrap().content(PartTag::Actors).unwrap().to_vec()
}

/// The decision under the verdict that was signed for it, and changed afterwards.
fn changed(seed: u64, change: impl FnOnce(Draft) -> Draft) -> (Ledger, u64) {
    let shop = Strict::new(seed);
    let draft = Draft { judge: None, ..proposed(&shop) }.content(PartTag::Actors, signed(seed));
    shop.end_with(change(draft))
}

/// What it is over.
fn claims() -> Vec<Case> {
    let request = Value::Bool(true).encode().unwrap();
    let effects = move |draft: Draft| {
        draft.effects(&[Effect { adapter: "ads", request: &request, undo: Undo::Request(&request) }])
    };
    let salt = |draft: Draft| {
        let mut salts = draft.salts;
        salts[PartTag::Ops as usize] = Some([0; 16]);
        Draft { salts, ..draft }
    };
    let without = |mut draft: Draft| {
        draft.contents[PartTag::Subject as usize] = None;
        draft
    };
    let score = |draft: Draft| {
        let content = draft.contents[PartTag::Actors as usize].clone().unwrap();
        let mut actors = Actors::decode(&content).unwrap();
        actors.judge.as_mut().unwrap().score = JUDGE_FLOOR + 1;
        let content = encode(&actors).unwrap();
        draft.content(PartTag::Actors, content)
    };
    let id = |draft| Draft { id: Some(IntentId([0x2e; 16])), ..draft };
    vec![
        case("v09-verdict-score", "The score is higher than the one that was signed.", changed(960, score)),
        case("v09-verdict-id", "A verdict that was signed for one row stands in another.", changed(961, id)),
        case("v09-verdict-reused", "A verdict of an earlier row is used again.", reused(962)),
        case(
            "v09-verdict-ops",
            "The operations are others than those that were judged.",
            changed(963, |draft| Draft { ops: Vec::new(), ..draft }.add("ad/1/spend", 2)),
        ),
        case("v09-verdict-salt", "The operations are the same under another salt.", changed(964, salt)),
        case(
            "v09-verdict-subject",
            "The row is about something else than what was judged.",
            changed(965, |draft| draft.subject("ad-2", None)),
        ),
        case("v09-verdict-without", "A part is left out that was judged.", changed(966, without)),
        case(
            "v09-verdict-evidence",
            "The evidence is other than what was judged.",
            changed(967, |draft| draft.evidence(&[7, 6, 5].map(Evidence::Row))),
        ),
        case(
            "v09-verdict-effects",
            "The effects are others than those that were judged.",
            changed(968, effects),
        ),
        case(
            "v09-verdict-tier",
            "The tier is another one than that which was judged.",
            changed(969, |draft| Draft { tier: Tier::A, ..draft }),
        ),
        case(
            "v09-verdict-action",
            "The action is another one than that which was judged.",
            changed(970, |draft| Draft { action: "ad.raise".to_owned(), ..draft }),
        ),
    ]
}

fn reused(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let row = shop.forge.next_seq;
    let draft = shop.scale(1);
    shop.forge.submit(vec![draft]);
    let record = shop.forge.sink.record(row);
    let content = Row::parse(&record).unwrap().content(PartTag::Actors).unwrap().to_vec();
    let again = Draft { judge: None, ..shop.scale(1) }.content(PartTag::Actors, content);
    shop.end_with(again)
}

/// The gates stop the row, and its judge's signature is checked all the same.
fn put_aside(seed: u64) -> (Ledger, u64) {
    changed(seed, |draft| Draft { tier: Tier::C, ..draft })
}
