//! Regenerates the worked example of `docs/FORMAT.md` and compares it with the text.
//!
//! With `COUNTERFOIL_BLESS=1` in the environment the blocks in the text are rewritten instead.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be computed here is a failed test"
)]

use counterfoil_format::Hash;
use counterfoil_format::body::{Body, FORMAT_VERSION, Genesis, KeyChange, Manner, Role, RollbackOf, Scope};
use counterfoil_format::codec::encode;
use counterfoil_format::content::{Context, check_parts};
use counterfoil_format::frame::{ReadAt, SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::group::{GROUP_HEADER_BYTES, GroupBody, GroupBuilder, GroupHeader, Seal};
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, IntentId, Kind, Mode, Tier, intent_hash};
use counterfoil_format::key::{PublicKey, SignatureBytes, key_id};
use counterfoil_format::landing::{LANDING_VERSION, Landing, Outcome, Reversibility, row_hash};
use counterfoil_format::merkle::{CompactRange, Nodes, prove_inclusion, root, row_leaf};
use counterfoil_format::note::{SignedNote, VerifierKey, checkpoint_text};
use counterfoil_format::ops::{Change, Guard, Op, encode_ops, skeleton_of};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::policy::{ActionRule, PolicyBody};
use counterfoil_format::proof::{Claim, ProofFile};
use counterfoil_format::row::{Row, write_row};
use counterfoil_format::state::{LeafContent, state_digest};
use counterfoil_format::submission::{SignedSubmission, submission_message, submission_root};
use counterfoil_format::value::{Decimal, Value};
use curve25519_dalek::constants::EIGHT_TORSION;
use ed25519_dalek::{Signer, SigningKey};
use std::convert::Infallible;
use std::fmt::Write;

const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/FORMAT.md");
const ORIGIN: &str = "example.com/ledger";
const OWNER: u8 = 1;
const LEDGER: u8 = 2;
const AGENT: u8 = 3;
const SEGMENT_SALT: [u8; 16] = [0xcc; 16];
const VALUE_SALT: [u8; 16] = [0xee; 16];

fn signer(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> [u8; 32] {
    signer(seed).verifying_key().to_bytes()
}

fn sign(seed: u8, message: &[u8]) -> SignatureBytes {
    let signature = SignatureBytes(signer(seed).sign(message).to_bytes());
    assert!(PublicKey::enrol(&public(seed)).unwrap().verify_reference(message, &signature));
    signature
}

/// A block of the text: labels and hexadecimal.
#[derive(Default)]
struct Block(String);

impl Block {
    fn hex(&mut self, label: &str, bytes: &[u8]) {
        for (place, line) in bytes.chunks(40).enumerate() {
            let label = if place == 0 { label } else { "" };
            let digits: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(self.0, "{label:<22} {digits}").unwrap();
        }
    }

    fn text(&mut self, label: &str, text: &str) {
        writeln!(self.0, "{label:<22} {text}").unwrap();
    }
}

/// What differs from row to row. The parts are in tag order; the rollback is the last.
struct Content<'a> {
    kind: Kind,
    author: u8,
    action: &'a str,
    tier: Tier,
    parts: Vec<(PartTag, Vec<u8>)>,
    rollback: Option<Vec<u8>>,
}

struct Example {
    blocks: Vec<(String, String)>,
    ledger_id: Hash,
    head: Hash,
    leaves: Vec<Hash>,
    segment: Vec<u8>,
    pending: Vec<(u8, Hash, Vec<u8>)>,
    checkpoint: Option<SignedNote>,
}

impl Example {
    fn block(&mut self, name: &str, block: Block) {
        self.blocks.push((name.to_owned(), block.0));
    }

    /// Lands a row, shows every step, and keeps it for the next group.
    fn row(&mut self, content: &Content<'_>, mut block: Block) {
        let seq = self.leaves.len() as u64;
        let number = u8::try_from(seq).unwrap();
        let commit = |tag: PartTag, content: &[u8], block: &mut Block| {
            let salt = [16 * (number + 1) + tag as u8; 16];
            block.hex(tag.name(), content);
            let mut covered = content.to_vec();
            if matches!(tag, PartTag::Ops | PartTag::Rollback) {
                covered.clear();
                skeleton_of(content, &mut covered).unwrap();
                block.hex("  skeleton", &covered);
            }
            let commitment = tag.commit(&salt, &covered);
            block.hex("  commitment", &commitment.0);
            (salt, commitment)
        };
        let committed: Vec<_> =
            content.parts.iter().map(|(tag, bytes)| commit(*tag, bytes, &mut block)).collect();
        let landed_at = 1_795_424_400_000_000 + 1000 * i64::from(number);
        let head = encode(&IntentHead {
            version: INTENT_VERSION,
            id: IntentId([0xd0 + number; 16]),
            kind: content.kind,
            author: key_id(&public(content.author)),
            action: content.action,
            tier: content.tier,
            mode: Mode::Live,
            authored_at: landed_at - 500,
            parts: content.parts.iter().fold(0, |bits, (tag, _)| bits | tag.bit()),
        });
        let head = head.unwrap();
        let commitments: Vec<Hash> = committed.iter().map(|(_, commitment)| *commitment).collect();
        let intent = intent_hash(&head, &commitments);
        block.hex("head", &head);
        block.hex("intent hash", &intent.0);
        if seq == 0 {
            self.ledger_id = intent;
        }

        let rollback = content.rollback.as_ref().map(|bytes| commit(PartTag::Rollback, bytes, &mut block));
        let landing = encode(&Landing {
            version: LANDING_VERSION,
            seq,
            landed_at,
            outcome: Outcome::Applied,
            reasons: Vec::new(),
            reversibility: Reversibility::Exact,
            policy_row: 0,
            kill_switch_row: 0,
            index: 0,
            count: 1,
            rollback: rollback.map(|(_, commitment)| commitment),
        });
        let landing = landing.unwrap();
        let hash = row_hash(&self.head, &landing, &intent);
        block.hex("landing", &landing);
        block.hex("previous row hash", &self.head.0);
        block.hex("row hash", &hash.0);
        block.hex("leaf", &row_leaf(&hash).0);

        let authored = committed.iter().zip(&content.parts);
        let slots = authored.map(|((salt, _), (_, bytes))| Slot::Open { salt: *salt, bytes });
        let written = rollback.iter().zip(&content.rollback);
        let slots = slots.chain(written.map(|((salt, _), bytes)| Slot::Open { salt: *salt, bytes }));
        let mut record = Vec::new();
        write_row(&landing, &head, slots, &hash, &mut record);
        block.hex("row record", &record);
        self.block(&format!("row-{seq}"), block);
        self.head = hash;
        self.leaves.push(row_leaf(&hash));
        self.pending.push((content.author, intent, record));
    }

    /// Writes a group of the rows since the last one, each a submission of its own.
    fn group(&mut self, number: u8) {
        let mut block = Block::default();
        let mut builder = GroupBuilder::default();
        let rows = std::mem::take(&mut self.pending);
        for (_, _, record) in &rows {
            builder.push_row(|out| out.extend_from_slice(record)).unwrap();
        }
        let size = self.leaves.len() as u64;
        let first_seq = size - rows.len() as u64;
        for ((author, intent, _), seq) in rows.iter().zip(first_seq..) {
            let root = submission_root([intent]);
            let message = submission_message(&self.ledger_id, 1, &root);
            let signature = sign(*author, &message);
            block.hex(&format!("row {seq}: root"), &root.0);
            block.hex("  signed message", &message);
            block.hex("  signature", &signature.0);
            builder.push_submission(SignedSubmission { count: 1, root, signature });
        }
        let tree = root(self.leaves.iter().copied());
        let text = checkpoint_text(ORIGIN, size, &tree);
        let signature = sign(LEDGER, text.as_bytes());
        block.hex("seal: root", &tree.0);
        for (place, line) in text.lines().enumerate() {
            block.text(if place == 0 { "  checkpoint text" } else { "" }, line);
        }
        block.hex("  signature", &signature.0);
        self.checkpoint = Some(SignedNote::new(text, &ledger_vkey(), &signature));

        let previous = match first_seq {
            0 => Hash::ZERO,
            _ => Row::parse(&self.last_record()).unwrap().row_hash,
        };
        if self.segment.is_empty() {
            let (salt, ledger_id) = (SEGMENT_SALT, self.ledger_id);
            self.segment = SegmentHeader { first_seq, salt, ledger_id, previous }.encode();
        }
        let seal = Seal { root: tree, signature };
        let durable_upto = self.segment.len() as u64;
        let bytes = builder.finish(first_seq, durable_upto, &previous, &SEGMENT_SALT, &seal).unwrap();
        block.hex("group header", &bytes[..GROUP_HEADER_BYTES]);
        block.text("durable_upto", &durable_upto.to_string());
        block.text("body_bytes", &(bytes.len() - GROUP_HEADER_BYTES).to_string());
        self.block(&format!("group-{number}"), block);
        self.segment.extend(bytes);
    }

    /// The last row record of the segment so far, read as any reader would.
    fn last_record(&self) -> Vec<u8> {
        let mut last = Vec::new();
        read_rows(&self.segment, |record| last = record.to_vec());
        last
    }
}

/// Walks the groups of a segment and checks each row.
fn read_rows(segment: &[u8], mut see: impl FnMut(&[u8])) {
    let header = SegmentHeader::read(segment).unwrap();
    let (mut offset, size) = (SEGMENT_HEADER_BYTES as u64, segment.size().unwrap());
    while offset < size {
        let group = GroupHeader::read(segment, offset, size, &header.salt).unwrap();
        let mut body = Vec::new();
        group.read_body(segment, offset, &header.salt, &mut body).unwrap();
        for (_, record) in GroupBody::parse(&group, &body).unwrap().rows() {
            let row = Row::parse(record).unwrap();
            check_parts(&row).unwrap();
            assert_eq!(row.hashes(&mut Vec::new()).unwrap().rollback, row.landing.rollback);
            see(record);
        }
        offset += group.group_bytes();
    }
}

fn ledger_vkey() -> VerifierKey {
    VerifierKey { name: ORIGIN.to_owned(), key: PublicKey::enrol(&public(LEDGER)).unwrap() }
}

/// Complete subtrees of a few leaves.
struct Leaves<'a>(&'a [Hash]);

impl Nodes for Leaves<'_> {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let first = usize::try_from(index << level).unwrap();
        let mut range = CompactRange::starting_at(0);
        self.0[first..first + (1 << level)].iter().for_each(|leaf| range.push(*leaf));
        Ok(range.root().unwrap())
    }
}

fn small_order() -> Block {
    let mut block = Block::default();
    for order in [1, 2, 4, 8] {
        // Point `n` of the list is `n` times a point of order 8.
        for (n, point) in EIGHT_TORSION.iter().enumerate() {
            if (1..=8).find(|times| n * times % 8 == 0) == Some(order) {
                block.hex(&format!("order {order}"), point.compress().as_bytes());
            }
        }
    }
    block
}

fn keys() -> Block {
    let mut block = Block::default();
    for (name, seed) in [("owner", OWNER), ("ledger", LEDGER), ("agent", AGENT)] {
        block.hex(&format!("{name}: seed"), &[seed; 32]);
        block.hex("  public key", &public(seed));
        block.hex("  key id", &key_id(&public(seed)).0);
    }
    block.text("ledger: vkey", &ledger_vkey().to_string());
    block
}

fn body_row(body: &Body<'_>, author: u8) -> Content<'static> {
    let parts = vec![(PartTag::Body, body.encode().unwrap())];
    Content { kind: body.kind(), author, action: "", tier: Tier::Unstated, parts, rollback: None }
}

fn ops(ops: &[Op<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_ops(ops, &mut bytes);
    bytes
}

fn example() -> Vec<(String, String)> {
    let mut example = Example {
        blocks: Vec::new(),
        ledger_id: Hash::ZERO,
        head: Hash::ZERO,
        leaves: Vec::new(),
        segment: Vec::new(),
        pending: Vec::new(),
        checkpoint: None,
    };
    example.block("small-order", small_order());
    example.block("keys", keys());

    let policy = PolicyBody { actions: vec![ActionRule::open("price.*")], ..PolicyBody::open(64 << 20) };
    let (owner, ledger) = (public(OWNER), public(LEDGER));
    let genesis = Body::Genesis(Genesis { format: FORMAT_VERSION, origin: ORIGIN, owner, ledger, policy });
    example.row(&body_row(&genesis, OWNER), Block::default());
    example.group(0);

    let roles = Role::Executor.bit() | Role::Operator.bit();
    let grant =
        Body::Key(KeyChange::Grant { key: public(AGENT), roles, name: "agent", scope: Scope::default() });
    example.row(&body_row(&grant, OWNER), Block::default());

    let value = Value::Decimal(Decimal { mantissa: 1990, scale: 2 }).encode().unwrap();
    let open = Slot::Open { salt: VALUE_SALT, bytes: &value };
    let commitment = open.value_commitment();
    let put = |guard| ops(&[Op { key: "price/sku-1", guard, change: Change::Put(open) }]);
    let guard = Guard::Value(commitment);
    let delete = ops(&[Op { key: "price/sku-1", guard, change: Change::Delete }]);
    let data = Value::Map([].into()).encode().unwrap();
    let context = encode(&Context { reason: "clear stock", data: &data }).unwrap();
    let mut block = Block::default();
    block.hex("value", &value);
    block.hex("  commitment", &commitment.0);
    let decision = Content {
        kind: Kind::Decision,
        author: AGENT,
        action: "price.set",
        tier: Tier::A,
        parts: vec![(PartTag::Ops, put(Guard::None)), (PartTag::Context, context)],
        rollback: Some(delete.clone()),
    };
    example.row(&decision, block);
    let mut block = Block::default();
    block.hex("leaf", &[&[11], &b"price/sku-1"[..], &[0], &commitment.0].concat());
    block.hex("state digest", &state_digest([("price/sku-1", LeafContent::Value(commitment))]).0);
    example.block("state-2", block);
    example.group(1);

    let back = Body::Rollback(RollbackOf {
        target: 2,
        target_hash: example.head,
        manner: Manner::Exact,
        effects: Vec::new(),
    });
    let mut rollback = body_row(&back, AGENT);
    rollback.parts.insert(0, (PartTag::Ops, delete));
    rollback.rollback = Some(put(Guard::Absent));
    example.row(&rollback, Block::default());
    example.group(2);
    closing_blocks(&mut example);
    example.blocks
}

fn closing_blocks(example: &mut Example) {
    let mut rows = 0;
    read_rows(&example.segment, |_| rows += 1);
    assert_eq!(rows, 4);
    let mut block = Block::default();
    for (place, line) in example.segment.chunks(40).enumerate() {
        block.hex(&format!("offset {:>4}", place * 40), line);
    }
    example.block("segment", block);
    let checkpoint = example.checkpoint.clone().unwrap();
    example.block("checkpoint", Block(checkpoint.to_string()));
    let Ok(hashes) = prove_inclusion(2, 4, &Leaves(&example.leaves));
    let proof = ProofFile { claim: Claim::Inclusion { index: 2 }, hashes, checkpoint };
    example.block("proof", Block(proof.to_string()));
}

#[test]
fn the_text_shows_what_the_code_writes() {
    let old = std::fs::read_to_string(TEXT).unwrap();
    let mut new = old.clone();
    for (name, block) in example() {
        let (begin, end) =
            (format!("<!-- example:begin {name} -->\n"), format!("<!-- example:end {name} -->"));
        let from = new.find(&begin).unwrap_or_else(|| panic!("no block {name} in the text")) + begin.len();
        let upto = from + new[from..].find(&end).unwrap_or_else(|| panic!("block {name} does not end"));
        new.replace_range(from..upto, &format!("```text\n{block}```\n"));
    }
    if std::env::var_os("COUNTERFOIL_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(TEXT, new).unwrap();
        return;
    }
    let differs = old.lines().zip(new.lines()).position(|(old, new)| old != new);
    assert!(
        old == new,
        "docs/FORMAT.md differs from the code from line {} on; if the format was changed on purpose, run this \
         test with COUNTERFOIL_BLESS=1",
        differs.unwrap_or(0) + 1
    );
}
