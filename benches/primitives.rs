//! What the pieces of one row cost: `cargo bench -p counterfoil-benches --bench primitives`.

#![allow(clippy::unwrap_used, reason = "a bench that fails may panic")]

use counterfoil_format::merkle::{CompactRange, leaf_hash};
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;
use counterfoil_format::value::Value;
use counterfoil_ledger::Signer;
use counterfoil_rules::apply::apply;
use counterfoil_rules::state::MapState;
use counterfoil_tests::shop::{Keys, Shop, decisions};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn rows(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::begin(&dir.path().join("shop"), 64 << 20);
    shop.ledger.submit(shop.decisions(0, 1)).unwrap();
    let stored = shop.ledger.log().row(3).unwrap();
    println!("the reference row has {} bytes", stored.bytes().len());
    c.bench_function("row: parse", |b| b.iter(|| Row::parse(black_box(stored.bytes())).unwrap()));
    let row = stored.parse().unwrap();
    let mut scratch = Vec::new();
    c.bench_function("row: hashes", |b| b.iter(|| row.hashes(&mut scratch).unwrap()));
    c.bench_function("row: check the parts", |b| {
        b.iter(|| counterfoil_format::content::check_parts(black_box(&row)).unwrap());
    });
    let id = shop.ledger.ledger_id();
    c.bench_function("submission of 1000: build and sign", |b| {
        b.iter(|| decisions(&shop.keys.executor, id, 0, 1000));
    });
}

fn state(c: &mut Criterion) {
    let mut state = MapState::default();
    let value = Value::Int(1990).encode().unwrap();
    let put = [Op {
        key: "price/sku-1",
        guard: Guard::None,
        change: Change::Put(Slot::Open { salt: [1; 16], bytes: &value }),
    }];
    let Ok(Ok(applied)) = apply(&state, &put, true) else { unreachable!("a put always applies") };
    applied.into_changes().for_each(|(key, leaf)| state.set(&key, leaf));
    c.bench_function("ops: apply a put and invert it", |b| {
        b.iter(|| {
            let Ok(Ok(applied)) = apply(&state, black_box(&put), true) else { unreachable!("a put applies") };
            applied.inverse().len()
        });
    });
}

fn hashes(c: &mut Criterion) {
    let leaf = leaf_hash(&[1; 33]);
    c.bench_function("tree: append a leaf", |b| {
        let mut range = CompactRange::starting_at(0);
        b.iter(|| range.push(black_box(leaf)));
    });
    c.bench_function("part: commit 64 bytes", |b| {
        b.iter(|| PartTag::Context.commit(&[1; 16], black_box(&[2; 64])));
    });
    let keys = Keys::default();
    let signature = keys.owner.sign(&[3; 94]);
    let key = keys.owner.public();
    c.bench_function("signature: verify", |b| b.iter(|| key.verify(black_box(&[3; 94]), &signature)));
    c.bench_function("signature: verify by the reference", |b| {
        b.iter(|| key.verify_reference(black_box(&[3; 94]), &signature));
    });
}

criterion_group!(benches, rows, state, hashes);
criterion_main!(benches);
