//! Posts as files: what a submission is written as is read again, and nothing else is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_format::Hash;
use counterfoil_format::body::Body;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Evidence;
use counterfoil_format::intent::Kind;
use counterfoil_format::key::SignatureBytes;
use counterfoil_format::limits;
use counterfoil_format::part::PartTag;
use counterfoil_format::value::Value;
use counterfoil_ledger::{
    Draft as Wish, DraftOp, PostFault, SecretKey, Signer, Submission, SubmissionBuilder,
};
use counterfoil_tests::draft::{self, Draft};
use counterfoil_tests::post::{post, sum};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{Keys, decision_id, decisions, switch};

const LEDGER: Hash = Hash([7; 32]);
/// Bytes before the first intent.
const HEADER: usize = 180;

fn price() -> Draft {
    Draft::decision("SET_PRICE")
        .subject("sku-1", None)
        .actors("planner-1", "judge-1", 900_000, "executor-1")
        .evidence(&[Evidence::Row(0)])
        .put("price/sku-1", &Value::Int(1990))
        .reason("margin")
}

/// A post of these drafts, by the executor.
fn forged(drafts: Vec<Draft>) -> Vec<u8> {
    forged_as(draft::Submission::new(drafts))
}

fn forged_as(submission: draft::Submission) -> Vec<u8> {
    post(&mut Rng::new(1), &Keys::default().executor, LEDGER, submission)
}

fn fault(bytes: &[u8]) -> PostFault {
    Submission::from_bytes(bytes).unwrap_err()
}

#[test]
fn a_submission_is_read_as_it_was_written() {
    let honest = forged(vec![price(), price().delete("price/sku-2"), price().transition("sku-1", "live")]);
    for bytes in [
        honest,
        decisions(&Keys::default().executor, LEDGER, 0, 100).to_bytes().unwrap(),
        switch(LEDGER, 0, true).to_bytes().unwrap(),
    ] {
        let read = Submission::from_bytes(&bytes).unwrap();
        assert_eq!(read.ledger_id(), LEDGER);
        assert_eq!(read.to_bytes().unwrap(), bytes);
    }
}

/// Whatever is changed, also under a checksum that holds, the post is refused.
#[test]
fn every_flip_and_every_cut_is_refused() {
    let honest = forged(vec![price(), price()]);
    let refused = |mut bytes: Vec<u8>, what: String| {
        assert!(Submission::from_bytes(&bytes).is_err(), "{what}");
        sum(&mut bytes);
        assert!(Submission::from_bytes(&bytes).is_err(), "{what}, under its checksum");
    };
    for (place, bit) in (0..honest.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut bytes = honest.clone();
        bytes[place] ^= 1 << bit;
        // Putting the checksum right undoes a flip in it.
        if (12..16).contains(&place) {
            assert_eq!(fault(&bytes), PostFault::Checksum);
        } else {
            refused(bytes, format!("bit {bit} of byte {place}"));
        }
    }
    (0..honest.len()).for_each(|end| refused(honest[..end].to_vec(), format!("cut at {end}")));
    refused([honest.as_slice(), &[0]].concat(), "one byte more".to_owned());
    refused([honest.as_slice(), &honest[HEADER..]].concat(), "intents twice".to_owned());
}

/// Bytes of any kind are refused or are the bytes of the submission that they are read as.
#[test]
fn manglings_are_refused_or_canonical() {
    let mut rng = Rng::of_this_run();
    let honest = forged(vec![price(), price().dry_run()]);
    for _ in 0..20_000 {
        let mut bytes = honest.clone();
        for _ in 0..=rng.below(4) {
            let place = rng.place(bytes.len());
            match rng.below(4) {
                0 => bytes[place] = rng.bytes::<1>()[0],
                1 => drop(bytes.remove(place)),
                2 => bytes.insert(place, rng.bytes::<1>()[0]),
                _ => {
                    let from = rng.place(bytes.len());
                    let piece = bytes[from..(from + 8).min(bytes.len())].to_vec();
                    bytes.splice(place..place, piece);
                }
            }
        }
        if rng.below(8) != 0 {
            sum(&mut bytes);
        }
        if let Ok(read) = Submission::from_bytes(&bytes) {
            assert_eq!(read.to_bytes().unwrap(), bytes);
        }
    }
}

#[test]
fn lengths_are_checked_before_they_are_believed() {
    let with_count = |count: u32| {
        let mut bytes = forged(vec![price()]);
        bytes[80..84].copy_from_slice(&count.to_le_bytes());
        sum(&mut bytes);
        fault(&bytes)
    };
    assert_eq!(with_count(0), PostFault::Format(CodecError::Empty("a submission")));
    for count in [4097, u32::MAX] {
        assert!(matches!(with_count(count), PostFault::Format(CodecError::TooLarge { .. })));
    }
    assert_eq!(with_count(2), PostFault::Intent { index: 1, error: CodecError::Truncated });
    let too_large = vec![0; Submission::POST_BYTES + 1];
    assert!(matches!(fault(&too_large), PostFault::Format(CodecError::TooLarge { .. })));
    // A head that says it has four gigabytes.
    let mut bytes = forged(vec![price()]);
    bytes.splice(HEADER..=HEADER, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    sum(&mut bytes);
    let PostFault::Intent { index: 0, error: CodecError::TooLarge { .. } } = fault(&bytes) else { panic!() };
}

/// A row as large as rows may be is left whole; a submission that is larger is not written at all.
#[test]
fn any_row_fits_and_a_larger_submission_is_not_written() {
    let keys = Keys::default();
    let mut builder = SubmissionBuilder::new(&keys.executor).unwrap();
    let value = Value::Text("x".repeat(limits::VALUE_BYTES - 16));
    let mut put = |number, values: usize| {
        let names: Vec<_> = (0..values).map(|place| format!("key/{place}")).collect();
        let mut wish = Wish::decision(decision_id(number), "SET", 0);
        wish.ops.extend(names.iter().map(|name| DraftOp::Put(name, &value)));
        builder.push(&wish).unwrap();
    };
    put(0, 7);
    let largest = builder.sign(LEDGER).unwrap();
    let bytes = largest.to_bytes().unwrap();
    assert_eq!(Submission::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
    let mut builder = SubmissionBuilder::new(&keys.executor).unwrap();
    for number in 0..9 {
        let mut wish = Wish::decision(decision_id(number), "SET", 0);
        wish.ops.push(DraftOp::Put("key", &value));
        builder.push(&wish).unwrap();
    }
    let error = builder.sign(LEDGER).unwrap().to_bytes().unwrap_err();
    assert!(matches!(error, CodecError::TooLarge { what: "a post", .. }), "{error}");
}

/// Posts in which everything holds but one thing.
#[test]
fn what_no_author_could_have_built_is_refused() {
    let keys = Keys::default();
    let one = |draft: Draft| fault(&forged(vec![draft])).to_string();
    let sent = |submission: draft::Submission| fault(&forged_as(submission)).to_string();
    let honest = || draft::Submission::new(vec![price()]);
    let elsewhere = draft::Submission { ledger_id: Some(Hash([8; 32])), ..honest() };
    let other_root = draft::Submission { root: Some(Hash([9; 32])), ..honest() };
    let no_signature = draft::Submission { signature: Some(SignatureBytes([0; 64])), ..honest() };
    let by_another = Draft { author_id: Some(keys.owner.public().id()), ..price() };
    let head = |edit: fn(&mut Vec<u8>)| Draft { edit_head_bytes: Some(Box::new(edit)), ..price() };
    let cases = [
        ("another ledger is signed", sent(elsewhere), "signature"),
        ("another root", sent(other_root), "root"),
        ("no signature", sent(no_signature), "signature"),
        ("another author in the head", one(by_another), "names another author"),
        ("a withheld part", one(price().close(PartTag::Context)), "withheld"),
        ("withheld operations", one(price().close(PartTag::Ops)), "withheld"),
        ("a subject without a name", one(price().subject("", None)), "an entity is empty"),
        ("a judge beyond certainty", one(price().actors("p", "j", 1_000_001, "e")), "score"),
        ("a reason that is none", one(price().content(PartTag::Context, vec![0, 1, 0])), "a map"),
        ("operations that are none", one(Draft::decision("SET").content(PartTag::Ops, vec![0])), "empty"),
        ("a decision that changes nothing", one(Draft::decision("SET").reason("")), "no ops"),
        ("a key row without a body", one(Draft::new(Kind::Key)), "no body"),
        ("a decision with a body", one(price().content(PartTag::Body, vec![0])), "has a body"),
        ("another version", one(head(|head| head[0] = 4)), "version 4"),
        ("a rollback part", one(head(|head| *head.last_mut().unwrap() |= 0x80)), "rollback part"),
        ("a byte behind the head", one(head(|head| head.push(0))), "left over"),
    ];
    for (what, told, expected) in cases {
        assert!(told.contains(expected), "{what}: {told}");
    }
}

/// Keys that could sign for anything are no authors.
#[test]
fn a_key_of_small_order_is_no_author() {
    let mut bytes = forged(vec![price()]);
    bytes[48..80].fill(0);
    bytes[48] = 1;
    sum(&mut bytes);
    assert!(fault(&bytes).to_string().contains("small order"));
}

/// A body that its kind does not have.
#[test]
fn a_body_of_another_kind_is_refused() {
    let key = SecretKey::generate().unwrap();
    let grant = counterfoil_format::body::KeyChange::Grant {
        key: *key.public().as_bytes(),
        roles: 1,
        name: "executor-1",
        scope: counterfoil_format::body::Scope::default(),
    };
    let mut row = Draft::body(&Body::Key(grant));
    row.kind = Kind::Policy;
    assert!(matches!(fault(&forged(vec![row])), PostFault::Intent { index: 0, .. }));
}
