//! The forge itself: what it calls honest must be honest by the format and the rules.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Genesis};
use counterfoil_format::content::check_parts;
use counterfoil_format::frame::SegmentHeader;
use counterfoil_format::group::{GroupBody, GroupHeader};
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::note::{Checkpoint, SignedNote};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::submission::submission_root;
use counterfoil_format::value::Value;
use counterfoil_rules::governance::Governance;
use counterfoil_tests::draft::{Draft, EXECUTOR, LEDGER, OPERATOR, OWNER};
use counterfoil_tests::forge::Forge;
use counterfoil_tests::output::{Ledger, Sink, fix_checksums, groups, rows, segment_path};
use counterfoil_tests::sample::{Sample, sample};

/// Reads a ledger with the format alone and checks every hash; yields the rows met.
fn read(ledger: &Ledger) -> u64 {
    let (mut head, mut seq) = (Hash::ZERO, 0);
    let mut tree = CompactRange::starting_at(0);
    for (first_seq, bytes) in &ledger.segments {
        let header = SegmentHeader::read(bytes.as_slice()).unwrap();
        assert_eq!(
            (header.first_seq, header.ledger_id, header.previous),
            (*first_seq, ledger.ledger_id, head)
        );
        let mut offset = counterfoil_format::frame::SEGMENT_HEADER_BYTES as u64;
        for place in groups(bytes) {
            let size = bytes.len() as u64;
            let group = GroupHeader::read(bytes.as_slice(), offset, size, &header.salt).unwrap();
            let mut body = Vec::new();
            group.read_body(bytes.as_slice(), offset, &header.salt, &mut body).unwrap();
            let parsed = GroupBody::parse(&group, &body).unwrap();
            assert_eq!((group.first_seq, group.previous, group.durable_upto), (seq, head, offset));
            let stored: Vec<_> = rows(bytes, &place).into_iter().map(|range| &bytes[range]).collect();
            assert_eq!(stored, parsed.rows().map(|(_, record)| record).collect::<Vec<_>>());
            let (mut intents, mut scratch) = (Vec::new(), Vec::new());
            for (_, record) in parsed.rows() {
                let row = Row::parse(record).unwrap();
                check_parts(&row).unwrap();
                let hashes = row.hashes(&mut scratch).unwrap();
                assert_eq!(row.landing.seq, seq);
                assert_eq!(row.landing.rollback, hashes.rollback);
                assert_eq!(row.row_hash, row.chained(&head, &hashes.intent));
                head = row.row_hash;
                tree.push(row_leaf(&head));
                intents.push(hashes.intent);
                seq += 1;
            }
            let mut rest = intents.as_slice();
            for submission in &parsed.submissions {
                let (own, behind) = rest.split_at(submission.count as usize);
                assert_eq!(submission.root, submission_root(own));
                rest = behind;
            }
            assert_eq!(parsed.seal.root, tree.root().unwrap());
            offset += group.group_bytes();
        }
        assert_eq!(offset, bytes.len() as u64);
    }
    let note = SignedNote::parse(ledger.checkpoint.as_bytes()).unwrap();
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (seq, tree.root().unwrap()));
    seq
}

#[test]
fn an_honest_ledger_reads_back() {
    let mut forge = Forge::new(3);
    let price = Value::Int(1990);
    forge.submit(vec![
        Draft::decision("price.set").put("price/1", &price).reason("first"),
        Draft::decision("stock.sell").add("stock/1", -2).subject("sku-1", None),
    ]);
    forge.submit(vec![Draft::decision("price.set").put("price/1", &price).dry_run()]);
    let rollback = forge.rollback(4, false);
    forge.submit(vec![rollback]);
    assert_eq!(forge.state.get("price/1"), None);
    let ledger = forge.finish();
    assert_eq!(read(&ledger), 8);
    assert_eq!(ledger.rows, 8);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (one, two, other) = (sample(5, 50), sample(5, 50), sample(6, 50));
    assert_eq!(one.segments, two.segments);
    assert_eq!(one.checkpoint, two.checkpoint);
    assert_ne!(one.segments, other.segments);
}

#[test]
fn a_sample_rolls_segments_and_has_rows_of_the_reference_size() {
    let recipe = Sample { decisions: 500, per_submission: 50, segment_bytes: 65_536, ..Sample::default() };
    let ledger = recipe.write(Sink::memory());
    assert_eq!(read(&ledger), 500 + Sample::BEFORE);
    assert!(ledger.segments.len() > 2);
    let (_, first) = &ledger.segments[0];
    let group = groups(first).pop().unwrap();
    let record = &first[rows(first, &group)[7].clone()];
    let row = Row::parse(record).unwrap();
    let open = [
        PartTag::Subject,
        PartTag::Actors,
        PartTag::Evidence,
        PartTag::Ops,
        PartTag::Context,
        PartTag::Rollback,
    ];
    assert!(open.iter().all(|tag| row.content(*tag).is_some()));
    println!("a reference row takes {} bytes", record.len());
    assert!((400..=540).contains(&record.len()), "{}", record.len());
}

#[test]
fn what_goes_to_a_directory_is_what_stays_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = Sample { decisions: 200, per_submission: 20, segment_bytes: 16_384, ..Sample::default() };
    let kept = recipe.write(Sink::memory());
    recipe.write(Sink::directory(dir.path()).unwrap());
    for (first_seq, bytes) in &kept.segments {
        assert_eq!(&std::fs::read(segment_path(dir.path(), *first_seq)).unwrap(), bytes);
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("checkpoint")).unwrap(), kept.checkpoint);
    assert_eq!(std::fs::read_dir(dir.path().join("log")).unwrap().count(), kept.segments.len());
}

#[test]
fn checksums_are_put_right() {
    let mut ledger = sample(1, 20);
    let (_, segment) = &mut ledger.segments[0];
    let honest = segment.clone();
    fix_checksums(segment);
    assert_eq!(*segment, honest);
    segment[12] ^= 1;
    let last = groups(segment).pop().unwrap();
    segment[last.start + 64] ^= 1;
    fix_checksums(segment);
    assert_eq!(*segment, honest);
}

#[test]
fn the_four_keys_are_what_the_rows_say() {
    let forge = Forge::new(9);
    let genesis = forge.genesis();
    let bytes = genesis.contents[PartTag::Body as usize].clone().unwrap();
    let Body::Genesis(Genesis { owner, ledger, .. }) =
        Body::decode(counterfoil_format::intent::Kind::Genesis, &bytes).unwrap()
    else {
        panic!("row 0 is a genesis")
    };
    assert_eq!((owner, ledger), (forge.public(OWNER), forge.public(LEDGER)));
    let governance: &Governance = forge.governance.as_ref().unwrap();
    assert!(governance.keys.get(&forge.key_id(EXECUTOR)).is_some());
    assert_eq!(governance.in_force.switch.holder, forge.key_id(OPERATOR));
    assert_eq!((governance.in_force.switch_row, governance.in_force.policy_row), (3, 0));
}
