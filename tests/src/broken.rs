//! Ledgers whose bytes are not what a correct ledger writes: one fault each, for the checks V01 to V08.
//!
//! Everything a fault does not touch is put right behind it: checksums, hashes, signatures, seals and the checkpoint.

use crate::case::{Case, Expected};
use crate::draft::{ChangeDraft, Draft, Edit, Group, Submission};
use crate::forge::{EPOCH, Forge};
use crate::founding::Founding;
use crate::output::{Ledger, Sink, fix_checksums, groups, rows, set_body_checksum};
use counterfoil_format::Hash;
use counterfoil_format::frame::SEGMENT_HEADER_BYTES;
use counterfoil_format::group::SEAL_BYTES;
use counterfoil_format::landing::Landing;
use counterfoil_format::ops::Guard;
use counterfoil_format::part::PartTag;
use counterfoil_format::submission::SignedSubmission;
use counterfoil_format::value::Value;

/// All of them.
pub fn broken() -> Vec<Case> {
    [frames(), encodings(), numbers(), hashes()].concat()
}

pub(crate) fn put(cents: i64) -> Draft {
    Draft::decision("price.set").put("price/sku-1", &Value::Int(cents)).reason("margin")
}

/// Three groups behind the founding; the one in the middle is `group`.
pub(crate) fn around(seed: u64, group: impl FnOnce(&mut Forge) -> Group) -> Ledger {
    let mut forge = Forge::new(seed);
    forge.submit(vec![put(1), put(2)]);
    let group = group(&mut forge);
    forge.write(group);
    forge.submit(vec![put(8), put(9)]);
    forge.finish()
}

/// The same with one faulty row between two honest ones.
pub(crate) fn around_row(seed: u64, fault: impl FnOnce(Draft) -> Draft) -> Ledger {
    around(seed, |_| Group::new(vec![Submission::new(vec![put(3), fault(put(4)), put(5)])]))
}

fn segments(seed: u64) -> Ledger {
    let founding = Founding { segment_bytes: 4096, ..Founding::default() };
    let mut forge = Forge::founded(seed, founding, Sink::memory());
    (0..6).for_each(|round| forge.submit((0..6).map(|at| put(10 * round + at)).collect()));
    let ledger = forge.finish();
    assert!(ledger.segments.len() >= 3);
    ledger
}

/// A ledger whose only segment was changed, and its checksums put right.
fn patched(seed: u64, patch: impl FnOnce(&mut Vec<u8>)) -> Ledger {
    let mut ledger = around_row(seed, |draft| draft);
    let (_, segment) = &mut ledger.segments[0];
    patch(segment);
    fix_checksums(segment);
    ledger
}

fn frames() -> Vec<Case> {
    let case = |name, why, ledger, checks| Case::new(name, why, ledger, Expected::Broken(checks));
    let mut body_checksum = around_row(201, |draft| draft);
    let group = groups(&body_checksum.segments[0].1)[3].clone();
    set_body_checksum(&mut body_checksum.segments[0].1, &group, 0);

    let mut cut = around_row(202, |draft| draft);
    let length = cut.segments[0].1.len();
    cut.segments[0].1.truncate(length - 100);

    let mut missing = segments(203);
    missing.segments.remove(1);

    let mut header_bit = around_row(204, |draft| draft);
    header_bit.segments[0].1[30] ^= 4;

    let mut leftover = around_row(205, |draft| draft);
    leftover.segments[0].1.extend([0xa5; 24]);

    let mut rowless = around_row(213, |draft| draft);
    rowless.segments[0].1.truncate(SEGMENT_HEADER_BYTES);

    let mut misnamed = segments(206);
    misnamed.segments[1].0 += 1;

    let mut other = segments(207);
    other.segments[1].1[40..72].fill(7);
    fix_checksums(&mut other.segments[1].1);

    vec![
        case(
            "v01-body-checksum",
            "A group's body has another checksum than its header says.",
            body_checksum,
            &["V01"],
        ),
        case("v01-cut", "The file ends in the middle of the last group.", cut, &["V01", "V12"]),
        case(
            "v01-missing-segment",
            "The second of three segments is missing.",
            missing,
            &["V01", "V03", "V07"],
        ),
        case(
            "v01-header-checksum",
            "A bit of the segment header's salt is flipped.",
            header_bit,
            &["V01", "V12"],
        ),
        case(
            "v01-magic",
            "The segment begins with other magic bytes.",
            patched(208, |bytes| bytes[0] ^= 1),
            &["V01"],
        ),
        case("v01-leftover", "Bytes that are no group follow the last group.", leftover, &["V01"]),
        case("v01-misnamed", "A segment's file name is not its first row.", misnamed, &["V01"]),
        case("v01-foreign-segment", "A segment names another ledger's id.", other, &["V01"]),
        case(
            "v01-other-genesis",
            "The segment names another ledger's id than row 0 hashes to, which the signatures are for.",
            patched(212, |bytes| bytes[40] ^= 1),
            &["V01"],
        ),
        case("v01-no-rows", "The log ends behind the first segment's header.", rowless, &["V01", "V12"]),
        case(
            "v01-durable-upto",
            "A group says that bytes behind its own beginning were on disk.",
            around(211, |_| Group {
                durable_upto: Some(1 << 40),
                ..Group::new(vec![Submission::new(vec![put(3)])])
            }),
            &["V01"],
        ),
    ]
}

/// A ledger with a padding byte that is not zero; the row's length is chosen so that there is padding.
fn around_padding(seed: u64) -> Ledger {
    let padded = |extra: usize| {
        let mut ledger = around_row(seed, |draft| draft.reason(&"x".repeat(extra)));
        let (_, segment) = &mut ledger.segments[0];
        let group = groups(segment)[3].clone();
        let used = rows(segment, &group).last().unwrap().end + SignedSubmission::BYTES + SEAL_BYTES;
        *segment[..group.end].get_mut(used)? = 1;
        fix_checksums(segment);
        Some(ledger)
    };
    (0..8).find_map(padded).unwrap()
}

fn edited(edit: impl FnOnce(&mut Vec<u8>) + 'static) -> Option<Edit<Vec<u8>>> {
    Some(Box::new(edit))
}

fn encodings() -> Vec<Case> {
    let case = |name, why, seed, fault: fn(Draft) -> Draft| {
        Case::new(name, why, around_row(seed, fault), Expected::Broken(&["V02"]))
    };
    let why = "The padding of a group is not zero.";
    vec![
        Case::new("v02-padding", why, around_padding(210), Expected::Broken(&["V02"])),
        case(
            "v02-long-varint",
            "A landing's row number is written in two bytes where one will do.",
            220,
            |draft| {
                let edit = |bytes: &mut Vec<u8>| {
                    bytes[1] |= 0x80;
                    bytes.insert(2, 0);
                };
                Draft { edit_landing_bytes: edited(edit), ..draft }
            },
        ),
        case("v02-trailing-byte", "A byte is left over behind an intent's head.", 221, |draft| Draft {
            edit_head_bytes: edited(|bytes| bytes.push(0)),
            ..draft
        }),
        case(
            "v02-trailing-in-record",
            "A byte is left over in a row record before its hash.",
            222,
            |draft| Draft { edit_record: edited(|bytes| bytes.insert(bytes.len() - 32, 0)), ..draft },
        ),
        case("v02-unsorted-map", "The keys of a map do not ascend.", 223, |draft| {
            let map = [7, 2, 1, b'b', 0, 1, b'a', 0];
            draft.content(PartTag::Context, [&[0, 8][..], &map].concat())
        }),
        case("v02-double-map-key", "A map has one key twice.", 228, |draft| {
            let map = [7, 2, 1, b'a', 0, 1, b'a', 0];
            draft.content(PartTag::Context, [&[0, 8][..], &map].concat())
        }),
        case("v02-add-of-nothing", "An operation adds 0 to a counter.", 229, |draft| draft.add("stock", 0)),
        case("v02-long-action", "An action has 129 bytes.", 224, |draft| Draft {
            action: format!("price.{}", "x".repeat(123)),
            ..draft
        }),
        case("v02-empty-key", "An operation has an empty key.", 225, |draft| {
            draft.op("", Guard::None, ChangeDraft::Delete)
        }),
        case("v02-decision-without-ops", "A decision changes nothing and does nothing.", 226, |draft| {
            Draft { ops: Vec::new(), ..draft }
        }),
        case("v02-unknown-kind", "The kind's number belongs to no kind.", 227, |draft| Draft {
            edit_head_bytes: edited(|bytes| bytes[17] = 99),
            ..draft
        }),
    ]
}

fn numbers() -> Vec<Case> {
    let case = |name, why, ledger, checks| Case::new(name, why, ledger, Expected::Broken(checks));
    let landing = |seed, edit: fn(&mut Landing)| around_row(seed, move |draft| draft.landing(edit));
    vec![
        case(
            "v03-gap",
            "A row's landing says the number of the next one.",
            landing(230, |it| it.seq += 1),
            &["V03"],
        ),
        case(
            "v03-group-gap",
            "A group header says a later row number than its rows, and the seal is for as many.",
            around(231, |_| Group {
                first_seq: Some(9),
                size: Some(10),
                ..Group::new(vec![Submission::new(vec![put(3)])])
            }),
            &["V03", "V10"],
        ),
        case(
            "v03-group-number",
            "A group header says a later row number than its rows; the seal is for those that are there.",
            around(234, |_| Group { first_seq: Some(9), ..Group::new(vec![Submission::new(vec![put(3)])]) }),
            &["V03"],
        ),
        case(
            "v03-index",
            "A row says another place in its submission than it has.",
            around_row(233, |draft| draft.landing(|it| it.index = 0)),
            &["V03"],
        ),
        case(
            "v04-earlier",
            "A row lands before the one in front of it.",
            landing(232, |it| it.landed_at = EPOCH),
            &["V04"],
        ),
    ]
}

fn hashes() -> Vec<Case> {
    let case = |name, why, ledger, checks| Case::new(name, why, ledger, Expected::Broken(checks));
    let wrong = Hash([9; 32]);
    let last_in_chain = around_row(243, move |draft| Draft { previous: Some(wrong), ..draft });
    vec![
        case(
            "v05-rollback-commitment",
            "The landing commits to another rollback than the row has.",
            around_row(240, move |draft| draft.landing(move |it| it.rollback = Some(wrong))),
            &["V05"],
        ),
        case(
            "v06-submission-root",
            "The root that the author signed is not that of the intents.",
            around(241, |_| {
                Group::new(vec![Submission { root: Some(wrong), ..Submission::new(vec![put(3), put(4)]) }])
            }),
            &["V06"],
        ),
        case(
            "v06-changed-content",
            "The reason of a row was changed; all checksums are right.",
            patched(242, |bytes| {
                let at = bytes.windows(6).position(|word| word == b"margin").unwrap();
                bytes[at] = b'M';
            }),
            &["V06", "V07"],
        ),
        case("v07-chain", "A row is chained to another row than the one before it.", last_in_chain, &["V07"]),
        case(
            "v07-segment-previous",
            "The segment header names another row hash before its first row.",
            patched(209, |bytes| bytes[72] ^= 1),
            &["V07"],
        ),
        case(
            "v07-stored-hash",
            "The stored hash of a row is not its hash; what follows is chained to it.",
            around_row(244, move |draft| Draft { row_hash: Some(wrong), ..draft }),
            &["V07"],
        ),
        case(
            "v08-root",
            "A seal signs another root than that of the tree.",
            around(245, |_| Group { root: Some(wrong), ..Group::new(vec![Submission::new(vec![put(3)])]) }),
            &["V08"],
        ),
    ]
}
