//! Ledgers in which a human approves or rejects what could not be (V14): one fault each.

use crate::case::{Case, Expected};
use crate::draft::{Draft, OWNER, Who, ops_content};
use crate::output::Ledger;
use crate::strict::{Strict, grant, reading};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange, ReviewOf, ReviewVerdict, Role, Scope};
use counterfoil_format::content::{Effect, Evidence, Undo};
use counterfoil_format::intent::Tier;
use counterfoil_format::landing::Reason;
use counterfoil_format::part::PartTag;
use counterfoil_format::value::Value;

/// All of them.
pub fn reviewed() -> Vec<Case> {
    [copies(), targets(), clearings()].concat()
}

fn case(name: &'static str, why: &'static str, (ledger, row): (Ledger, u64)) -> Case {
    Case::new(name, why, ledger, Expected::Findings(&["V14"])).at(row)
}

/// A shop with a decision that was put aside: every part, and a reason that a human may clear.
fn put_aside(seed: u64) -> (Strict, u64) {
    let mut shop = Strict::new(seed);
    let draft = shop.stopped_by(Reason::TierTooLow).reason("it pays");
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![draft]);
    (shop, row)
}

/// An approval that is changed before it is written.
fn approval(seed: u64, change: impl FnOnce(Draft) -> Draft) -> (Ledger, u64) {
    let (shop, row) = put_aside(seed);
    let draft = change(shop.forge.review(row, ReviewVerdict::Approve));
    shop.end_with(draft)
}

/// What an approval has to share with the row that it approves.
fn copies() -> Vec<Case> {
    let request = Value::Bool(true).encode().unwrap();
    let effects = move |draft: Draft| {
        draft.effects(&[Effect { adapter: "ads", request: &request, undo: Undo::Request(&request) }])
    };
    let salt = |draft: Draft| {
        let mut salts = draft.salts;
        salts[PartTag::Subject as usize] = Some([0x5a; 16]);
        Draft { salts, ..draft }
    };
    let more = |draft: Draft| Draft { ops: Vec::new(), ..draft }.content(PartTag::Ops, spent(2));
    let actors = |draft: Draft| draft.actors("planner", "judge", 900_000, "agent");
    let evidence = |draft: Draft| draft.evidence(&[5, 6, 7, 7].map(Evidence::Row));
    let less = |mut draft: Draft| {
        draft.contents[PartTag::Effects as usize] = None;
        draft
    };
    let action = |draft| Draft { action: "ad.rescale".to_owned(), ..draft };
    vec![
        case(
            "v14-approval-subject",
            "An approval is about another entity.",
            approval(600, |draft| draft.subject("ad-2", None)),
        ),
        case("v14-approval-salt", "An approval has a subject of another salt.", approval(601, salt)),
        case("v14-approval-actors", "An approval raises the judge's score.", approval(602, actors)),
        case("v14-approval-evidence", "An approval points to more evidence.", approval(603, evidence)),
        case("v14-approval-ops", "An approval spends more.", approval(604, more)),
        case("v14-approval-effects", "An approval has another effect.", approval(605, effects)),
        case("v14-approval-without", "An approval leaves out the effects.", approval(606, less)),
        case("v14-approval-action", "An approval is of another action.", approval(607, action)),
        case(
            "v14-approval-tier",
            "An approval raises the tier.",
            approval(608, |draft| Draft { tier: Tier::A, ..draft }),
        ),
        case("v14-approval-mode", "A live row is approved as a dry run.", approval(609, Draft::dry_run)),
    ]
}

/// The content of operations that spend so much.
fn spent(delta: i64) -> Vec<u8> {
    ops_content(&Draft::decision("ad.scale").add("ad/1/spend", delta).ops)
}

/// Which rows can be approved or rejected at all, and by whom.
fn targets() -> Vec<Case> {
    vec![
        case(
            "v14-approval-of-applied",
            "A row is approved that was applied already.",
            of(620, |shop| shop.scale(1), ReviewVerdict::Approve),
        ),
        case(
            "v14-rejection-of-applied",
            "A row is rejected that was applied.",
            of(621, |shop| shop.scale(1), ReviewVerdict::Reject),
        ),
        case(
            "v14-rejection-of-reading",
            "A reading is rejected.",
            of(622, |_| reading("ctr", 1), ReviewVerdict::Reject),
        ),
        case(
            "v14-approval-of-approval",
            "An approval that was put aside in turn is approved.",
            of_approval(623),
        ),
        case("v14-approved-twice", "A row is approved that was approved before.", twice(624, true, true)),
        case(
            "v14-rejected-and-approved",
            "A row is approved that was rejected before.",
            twice(625, false, true),
        ),
        case(
            "v14-approved-and-rejected",
            "A row is rejected that was approved before.",
            twice(626, true, false),
        ),
        case(
            "v14-review-hash",
            "A rejection names another hash than the row has.",
            rejection(627, |review| ReviewOf { row_hash: Hash([9; 32]), ..review }),
        ),
        case(
            "v14-review-of-itself",
            "A rejection names its own number.",
            rejection(628, |review| ReviewOf { row: review.row + 1, ..review }),
        ),
        case("v14-rejection-acts", "A rejection has operations.", acts(629)),
        case(
            "v14-rejection-action",
            "A rejection has another action than the row that it is about.",
            renamed_rejection(632),
        ),
        case("v14-own-approval", "A row is approved by its author, under separation.", own(630)),
        case(
            "v14-own-approval-rotated",
            "A row is approved by its author with the key that came after, under separation.",
            own_rotated(631),
        ),
    ]
}

fn of(seed: u64, draft: fn(&mut Strict) -> Draft, verdict: ReviewVerdict) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let (row, draft) = (shop.forge.next_seq, draft(&mut shop));
    shop.forge.submit(vec![draft]);
    let review = shop.forge.review(row, verdict);
    shop.end_with(review)
}

fn of_approval(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![Draft::decision("stage.move").transition("sku-1", "live")]);
    let approval = shop.forge.review(row, ReviewVerdict::Approve);
    shop.forge.submit(vec![approval]);
    // By somebody else, so that only what it approves is wrong.
    let again = shop.forge.review(row + 1, ReviewVerdict::Approve).by(OWNER);
    shop.end_with(again)
}

fn twice(seed: u64, approved: bool, approves: bool) -> (Ledger, u64) {
    let (mut shop, row) = put_aside(seed);
    let verdict = |approves| if approves { ReviewVerdict::Approve } else { ReviewVerdict::Reject };
    let (first, second) =
        (shop.forge.review(row, verdict(approved)), shop.forge.review(row, verdict(approves)));
    shop.forge.submit(vec![first]);
    shop.end_with(second)
}

fn rejection(seed: u64, change: fn(ReviewOf<'static>) -> ReviewOf<'static>) -> (Ledger, u64) {
    let (shop, row) = put_aside(seed);
    let verdict = ReviewVerdict::Reject;
    let row_hash = Hash(shop.forge.head.0);
    let action = shop.forge.review(row, verdict).action;
    let review = change(ReviewOf { row, row_hash, verdict, reason: "" });
    shop.end_with(Draft { action, ..Draft::body(&Body::Review(review)) })
}

fn renamed_rejection(seed: u64) -> (Ledger, u64) {
    let (shop, row) = put_aside(seed);
    let draft = Draft { action: String::new(), ..shop.forge.review(row, ReviewVerdict::Reject) };
    shop.end_with(draft)
}

fn acts(seed: u64) -> (Ledger, u64) {
    let (shop, row) = put_aside(seed);
    let draft = shop.forge.review(row, ReviewVerdict::Reject).add("ad/9", 1);
    shop.end_with(draft)
}

/// A key that is executor and operator at once.
fn both(shop: &mut Strict) -> Who {
    let who = shop.forge.new_key();
    let row = grant(&shop.forge, who, &[Role::Executor, Role::Operator], "both", Scope::default());
    shop.forge.submit(vec![row]);
    who
}

fn own(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let who = both(&mut shop);
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![Draft::decision("house.sell").add("house/1", -1).by(who)]);
    let approval = shop.forge.review(row, ReviewVerdict::Approve).by(who);
    shop.end_with(approval)
}

fn own_rotated(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let who = both(&mut shop);
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![Draft::decision("house.sell").add("house/1", -1).by(who)]);
    let approval = shop.forge.review(row, ReviewVerdict::Approve);
    let (old, next) = (shop.forge.key_id(who), shop.forge.new_key());
    let change = KeyChange::Rotate { old, key: shop.forge.public(next) };
    shop.forge.submit(vec![Draft::body(&Body::Key(change))]);
    shop.end_with(approval.by(next))
}

/// What no approval lets pass, and what the human has not seen.
fn clearings() -> Vec<Case> {
    vec![
        case(
            "v14-approved-live",
            "An approval lets a live row pass of an action that may not be live.",
            cleared(640, Reason::LiveNotAllowed),
        ),
        case(
            "v14-approved-move",
            "An approval lets a move pass that the lifecycle does not have.",
            cleared(641, Reason::MoveNotAllowed),
        ),
        case(
            "v14-approved-not-separate",
            "An approval lets a row pass whose judge is its planner.",
            cleared(642, Reason::JudgeNotSeparate),
        ),
        case(
            "v14-approved-guard",
            "An approval lets a row pass whose guard does not hold.",
            cleared(643, Reason::GuardFailed),
        ),
        case(
            "v14-approved-unseen",
            "An approval lets a row pass for a reason that came up after the human saw it.",
            unseen(644),
        ),
    ]
}

fn cleared(seed: u64, reason: Reason) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let draft = shop.stopped_by(reason);
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![draft]);
    let approval = shop.forge.review(row, ReviewVerdict::Approve);
    shop.end_with(approval.ignoring(reason))
}

fn unseen(seed: u64) -> (Ledger, u64) {
    let (mut shop, row) = put_aside(seed);
    let spent = shop.scale(100);
    shop.forge.submit(vec![spent]);
    let approval = shop.forge.review(row, ReviewVerdict::Approve);
    shop.end_with(approval.ignoring(Reason::SumLimit))
}
