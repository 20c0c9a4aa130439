//! What bytes are written is pinned: a hash of everything a correct implementation writes for a few seeds.
//!
//! `vectors/conformance.json` holds the hashes. One that differs means that stored or signed bytes have changed, and that
//! is a new version of the format, not a correction. Additions are approved with
//! `COUNTERFOIL_BLESS=1 cargo test -p counterfoil-tests --test conformance`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::Hash;
use counterfoil_format::body::{
    Body, EffectOutcome, EffectStatus, KeyChange, KillSwitch, Role, Scope, SwitchAct,
};
use counterfoil_format::codec::encode;
use counterfoil_format::content::{
    Actors, Attestation, Context, Effect, Evidence, Judge, LifecycleMove, Subject, Undo,
};
use counterfoil_format::hash::Use;
use counterfoil_format::intent::{KeyId, Kind, Mode, Tier};
use counterfoil_format::key::SignatureBytes;
use counterfoil_format::landing::{LANDING_VERSION, Landing, Outcome, Reason, Reversibility};
use counterfoil_format::merkle::{self, Nodes};
use counterfoil_format::note::SignedNote;
use counterfoil_format::ops::{Change, Guard, Op, encode_ops, encode_skeleton};
use counterfoil_format::part::{PartTag, Slot, commit_value};
use counterfoil_format::proof::{Claim, ProofFile};
use counterfoil_format::row::Row;
use counterfoil_format::submission::submission_message;
use counterfoil_format::tile::Tile;
use counterfoil_format::value::{Decimal, Value};
use counterfoil_rules::apply::apply;
use counterfoil_rules::state::MapState;
use counterfoil_tests::accepted::accepted;
use counterfoil_tests::output::{Segment, groups, rows};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::sample::sample;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::Path;

/// One BLAKE3 hash over byte strings, each with its length in front.
#[derive(Default)]
struct Digest(blake3::Hasher);

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }

    fn of<T: AsRef<[u8]>>(pieces: impl IntoIterator<Item = T>) -> String {
        let mut digest = Digest::default();
        pieces.into_iter().for_each(|piece| digest.add(piece.as_ref()));
        digest.0.finalize().to_hex().to_string()
    }
}

fn text(rng: &mut Rng) -> String {
    let letters = ["a", "b", "Z", "0", "-", "/", "é", "漢"];
    (0..1 + rng.below(12)).map(|_| letters[rng.place(letters.len())]).collect()
}

fn value(rng: &mut Rng, depth: u64) -> Value {
    let shift = rng.below(64);
    match rng.below(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Bool(rng.below(2) == 1),
        2 => Value::Int((rng.number() >> shift).cast_signed()),
        3 => {
            let mantissa = i128::from_le_bytes(rng.bytes()) >> (2 * shift);
            Value::Decimal(Decimal { mantissa, scale: u8::try_from(1 + rng.below(38)).unwrap() })
        }
        4 => Value::Text(text(rng)),
        5 => Value::Bytes(rng.bytes::<9>()[..rng.place(10)].to_vec()),
        6 => Value::List((0..rng.below(4)).map(|_| value(rng, depth - 1)).collect()),
        _ => Value::Map((0..rng.below(4)).map(|_| (text(rng), value(rng, depth - 1))).collect()),
    }
}

fn values() -> Vec<Vec<u8>> {
    let mut rng = Rng::new(1);
    (0..500).map(|_| value(&mut rng, 4).encode().unwrap()).collect()
}

fn op<'a>(rng: &mut Rng, key: &'a str, content: &'a [u8]) -> Op<'a> {
    let delta = (rng.number() >> rng.below(64)).cast_signed().max(1);
    let guard = match rng.below(5) {
        0 => Guard::None,
        1 => Guard::Absent,
        2 => Guard::Value(Hash(rng.bytes())),
        3 => Guard::Counter(delta.wrapping_neg()),
        _ => Guard::Stage("testing"),
    };
    let change = match rng.below(5) {
        0 => Change::Put(Slot::Open { salt: rng.bytes(), bytes: content }),
        1 => Change::Put(Slot::Closed(Hash(rng.bytes()))),
        2 => Change::Delete,
        3 => Change::Add(delta),
        _ => Change::Transition("winner"),
    };
    Op { key, guard, change }
}

/// Encoded operations, and their skeletons.
fn operations() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut rng = Rng::new(2);
    let values = values();
    let (mut contents, mut skeletons) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let keys: Vec<String> = (0..rng.below(6)).map(|_| text(&mut rng)).collect();
        let ops: Vec<Op<'_>> =
            keys.iter().map(|key| op(&mut rng, key, &values[usize::from(key.as_bytes()[0])])).collect();
        let (mut content, mut skeleton) = (Vec::new(), Vec::new());
        encode_ops(&ops, &mut content);
        encode_skeleton(&ops, &mut skeleton);
        contents.push(content);
        skeletons.push(skeleton);
    }
    (contents, skeletons)
}

fn contents() -> Vec<Vec<u8>> {
    let map = Value::Map([("a".to_owned(), Value::Int(1))].into()).encode().unwrap();
    let attestation = Attestation { key: KeyId([7; 8]), signature: SignatureBytes([9; 64]) };
    let judge = |attestation| Some(Judge { by: "judge", score: 780_000, attestation });
    let moved = LifecycleMove { from: "", to: "testing" };
    let document = Evidence::Document { uri: "https://example.com/x", blake3: Hash([4; 32]) };
    let effect = |undo| Effect { adapter: "shop", request: &map, undo };
    vec![
        encode(&Subject { entity: "sku-1", lifecycle: None }).unwrap(),
        encode(&Subject { entity: "sku-1", lifecycle: Some(moved) }).unwrap(),
        encode(&Actors { planner: "p", judge: None, executor: "" }).unwrap(),
        encode(&Actors { planner: "p", judge: judge(None), executor: "e" }).unwrap(),
        encode(&Actors { planner: "p", judge: judge(Some(attestation)), executor: "e" }).unwrap(),
        encode(&[Evidence::Row(0), Evidence::Row(u64::MAX), document][..]).unwrap(),
        encode(&[effect(Undo::Never), effect(Undo::Request(&map))][..]).unwrap(),
        encode(&[effect(Undo::Until(&map, -7)), effect(Undo::Compensate(&map))][..]).unwrap(),
        encode(&Context { reason: "margin", data: &map }).unwrap(),
    ]
}

/// Bodies in all their forms; those of other kinds are in the ledgers.
fn bodies() -> Vec<Vec<u8>> {
    let key = [6; 32];
    let mut bodies: Vec<Body<'_>> = SwitchAct::ALL
        .iter()
        .map(|&act| {
            Body::KillSwitch(KillSwitch {
                act,
                engaged: act != SwitchAct::Release,
                holder: KeyId([1; 8]),
                reason: "why",
                drill: None,
            })
        })
        .collect();
    bodies.extend(
        EffectStatus::ALL
            .iter()
            .map(|&status| Body::Outcome(EffectOutcome { row: 300, effect: 1, status, detail: "detail" })),
    );
    bodies.extend(Role::ALL.iter().map(|role| {
        Body::Key(KeyChange::Grant { key, roles: role.bit(), name: role.name(), scope: Scope::default() })
    }));
    let (old, since) = (KeyId([2; 8]), Some(-5));
    bodies.push(Body::Key(KeyChange::Rotate { old, key }));
    bodies.push(Body::Key(KeyChange::Revoke { key: old, compromised_since: None, reason: "" }));
    bodies.push(Body::Key(KeyChange::Revoke { key: old, compromised_since: since, reason: "lost" }));
    bodies.iter().map(|body| body.encode().unwrap()).collect()
}

/// Landings with every outcome, reason and class.
fn landings() -> Vec<Vec<u8>> {
    let reversibilities = [
        Reversibility::Exact,
        Reversibility::Declared,
        Reversibility::Window(1 << 50),
        Reversibility::Compensating,
        Reversibility::Never,
    ];
    let mut landings = Vec::new();
    for outcome in Outcome::ALL {
        for (place, reversibility) in reversibilities.into_iter().enumerate() {
            let landing = Landing {
                version: LANDING_VERSION,
                seq: 1 << (8 * place),
                landed_at: -1 << (8 * place),
                outcome: *outcome,
                reasons: Reason::ALL[..place].to_vec(),
                reversibility,
                policy_row: 0,
                kill_switch_row: 0,
                index: 127,
                count: 4096,
                rollback: (place % 2 == 0).then_some(Hash([3; 32])),
            };
            landings.push(encode(&landing).unwrap());
        }
    }
    landings
}

/// The names and numbers of what heads may say.
fn names() -> Vec<String> {
    let numbered = |name: &str, bytes: Vec<u8>| format!("{name}={bytes:?}");
    let kinds = Kind::ALL.iter().map(|it| numbered(it.name(), encode(it).unwrap()));
    let tiers = Tier::ALL.iter().map(|it| numbered(it.name(), encode(it).unwrap()));
    let modes = Mode::ALL.iter().map(|it| numbered(it.name(), encode(it).unwrap()));
    let reasons = Reason::ALL.iter().map(|it| numbered(it.name(), encode(it).unwrap()));
    let uses = [Use::Part, Use::Value, Use::Intent, Use::Row, Use::State, Use::Key].map(Use::context);
    kinds.chain(tiers).chain(modes).chain(reasons).chain(uses.map(str::to_owned)).collect()
}

/// The rows of ledgers: records, landings, heads, intent hashes, row hashes.
fn row_hashes(ledgers: &[Vec<Segment>]) -> [(&'static str, String); 4] {
    let mut digests: [Digest; 4] = Default::default();
    for (_, segment) in ledgers.iter().flatten() {
        for record in groups(segment).iter().flat_map(|group| rows(segment, group)) {
            let row = Row::parse(&segment[record.clone()]).unwrap();
            let hashes = row.hashes(&mut Vec::new()).unwrap();
            let pieces = [&segment[record], row.landing_bytes, row.head_bytes, &hashes.intent.0];
            digests.iter_mut().zip(pieces).for_each(|(digest, piece)| digest.add(piece));
        }
    }
    let [records, landings, heads, intents] = digests.map(|digest| digest.0.finalize().to_hex().to_string());
    [
        ("rows", records),
        ("rows: landings", landings),
        ("rows: heads", heads),
        ("rows: intent hashes", intents),
    ]
}

struct Leaves(Vec<Hash>);

impl Nodes for Leaves {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let first = usize::try_from(index << level).unwrap();
        Ok(merkle::root(self.0[first..first + (1 << level)].iter().copied()))
    }
}

fn proofs(checkpoint: &str) -> Vec<String> {
    let leaves =
        Leaves((0..300u32).map(|row| merkle::row_leaf(&Use::Row.hash(&[&row.to_le_bytes()]))).collect());
    let checkpoint = SignedNote::parse(checkpoint.as_bytes()).unwrap();
    let mut proofs =
        vec![merkle::root(leaves.0.iter().copied()).to_string(), merkle::empty_root().to_string()];
    for size in [1, 2, 37, 256, 300] {
        let Ok(inclusion) = merkle::prove_inclusion(size / 2, size, &leaves);
        let Ok(consistency) = merkle::prove_consistency(size.div_ceil(3), size, &leaves);
        let claims = [
            (Claim::Inclusion { index: size / 2 }, inclusion),
            (Claim::Consistency { from: size.div_ceil(3) }, consistency),
        ];
        proofs.extend(
            claims.map(|(claim, hashes)| {
                ProofFile { claim, hashes, checkpoint: checkpoint.clone() }.to_string()
            }),
        );
    }
    proofs.extend((0..20).map(|shift| Tile { level: 1, index: 0xfedc_ba98 >> shift, width: 255 }.path()));
    proofs
}

/// State digests after batches, and the inverses that were captured.
fn states() -> Vec<Vec<u8>> {
    let mut rng = Rng::new(5);
    let values = values();
    let keys = ["a", "b", "c", "d"];
    let mut state = MapState::default();
    let mut pinned = Vec::new();
    for _ in 0..300 {
        let ops: Vec<Op<'_>> = (0..1 + rng.below(3))
            .map(|_| {
                let (key, value) = (keys[rng.place(keys.len())], &values[rng.place(values.len())]);
                Op { guard: Guard::None, ..op(&mut rng, key, value) }
            })
            .collect();
        let Ok(applied) = apply(&state, &ops, true);
        let Ok(applied) = applied else { continue };
        let mut inverse = Vec::new();
        encode_ops(&applied.inverse(), &mut inverse);
        let changes: Vec<_> = applied.into_changes().collect();
        changes.into_iter().for_each(|(key, leaf)| state.set(&key, leaf));
        pinned.extend([inverse, state.digest().0.to_vec()]);
    }
    assert!(pinned.len() > 300, "hardly any batch went through");
    pinned
}

fn conformance() -> BTreeMap<String, String> {
    let cases = accepted();
    let values = values();
    let (operations, skeletons) = operations();
    let mut pinned: BTreeMap<String, String> = BTreeMap::new();
    let mut pin =
        |name: &str, hash: String| assert!(pinned.insert(name.to_owned(), hash).is_none(), "{name}");
    pin("values", Digest::of(&values));
    pin("values: commitments", Digest::of(values.iter().map(|bytes| commit_value(&[7; 16], bytes).0)));
    pin("ops", Digest::of(&operations));
    pin("ops: skeletons", Digest::of(&skeletons));
    let tags = PartTag::AUTHORED.into_iter().chain([PartTag::Rollback]);
    pin("parts: contents", Digest::of(contents()));
    pin("parts: commitments", Digest::of(tags.map(|tag| tag.commit(&[8; 16], tag.name().as_bytes()).0)));
    pin("bodies", Digest::of(bodies()));
    pin("landings", Digest::of(landings()));
    pin("names", Digest::of(names()));
    pin("submissions: message", Digest::of([submission_message(&Hash([1; 32]), 4096, &Hash([2; 32]))]));
    pin("states", Digest::of(states()));
    pin("proofs and tiles", Digest::of(proofs(&cases[0].checkpoint)));
    for case in &cases {
        pin(&format!("ledger {}", case.name), Digest::of(case.segments.iter().map(|(_, bytes)| bytes)));
    }
    pin("checkpoints", Digest::of(cases.iter().map(|case| &case.checkpoint)));
    let large = sample(11, 300);
    pin("ledger of 300 decisions", Digest::of(large.segments.iter().map(|(_, bytes)| bytes)));
    let mut ledgers: Vec<_> = cases.into_iter().map(|case| case.segments).collect();
    ledgers.push(large.segments);
    row_hashes(&ledgers).into_iter().for_each(|(name, hash)| pin(name, hash));
    pinned
}

#[test]
fn bytes_are_those_of_this_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/conformance.json");
    let made = conformance();
    if std::env::var_os("COUNTERFOIL_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let pinned: BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(&path).unwrap_or_else(|_| b"{}".to_vec())).unwrap();
    let names = pinned.keys().chain(made.keys()).collect::<std::collections::BTreeSet<_>>();
    let differing: Vec<_> = names.into_iter().filter(|name| pinned.get(*name) != made.get(*name)).collect();
    assert!(
        differing.is_empty(),
        "the bytes of {differing:?} have changed. A change of bytes is a change of version: ledgers already written \
         would no longer verify. If the change is meant (a new kind of data, or a new version beside this one), \
         COUNTERFOIL_BLESS=1 cargo test -p counterfoil-tests --test conformance approves it in vectors/conformance.json"
    );
}
