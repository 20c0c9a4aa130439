//! Time travel: the state at any row, and plans that take rows back, as a ledger grows.
//!
//! `cargo bench -p counterfoil-benches --bench travel [-- ROWS [ROUNDS]]`, 1,000,000 rows and 60 rounds when not said; a tenth and a
//! hundredth of the rows are measured too. Each decision sets one of 10,000 keys and adds to one of 100 counters; a snapshot is
//! kept every 50,000 rows. Medians, and the longest of all in parentheses.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench that fails may panic"
)]

use counterfoil_benches::{machine, median, seconds};
use counterfoil_format::body::Body;
use counterfoil_format::intent::IntentId;
use counterfoil_format::policy::PolicyBody;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, DraftOp, Log, SubmissionBuilder, now};
use counterfoil_replay::plan::{Later, Outside, plan_rollback, preview};
use counterfoil_replay::state::state_after;
use counterfoil_tests::past::Rows;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::Shop;
use std::path::Path;

const KEYS: u64 = 10_000;
const COUNTERS: u64 = 100;
const SNAPSHOT_ROWS: u64 = 50_000;
const PER_SUBMISSION: u64 = 2_000;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let rows = numbers.first().copied().unwrap_or(1_000_000);
    let rounds = numbers.get(1).copied().unwrap_or(60);
    println!("machine: {}", machine());
    for rows in [rows / 100, rows / 10, rows] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop");
        fill(&path, rows);
        measure(&path, rounds);
    }
}

fn fill(path: &Path, rows: u64) {
    let shop = Shop::begin(path, 64 << 20);
    let policy = PolicyBody { snapshot_rows: Some(SNAPSHOT_ROWS), ..PolicyBody::open(64 << 20) };
    shop.land(&shop.keys.owner, &[Draft::with_body(IntentId([7; 16]), Body::Policy(policy), now())]).unwrap();
    let mut rng = Rng::new(1);
    let (mut snapshots, mut took) = (0, 0.0);
    for first in (0..rows).step_by(usize::try_from(PER_SUBMISSION).unwrap()) {
        let picked: Vec<(String, String, Value)> = (first..rows.min(first + PER_SUBMISSION))
            .map(|number| {
                let (key, counter) = (rng.below(KEYS), rng.below(COUNTERS));
                let value = Value::Int(number.cast_signed());
                (format!("price/sku-{key:05}"), format!("stock/place-{counter:02}"), value)
            })
            .collect();
        let mut builder = SubmissionBuilder::new(&shop.keys.executor).unwrap();
        for (key, counter, value) in &picked {
            let mut draft = Draft::decision(IntentId(rng.bytes()), "SET_PRICE", now());
            draft.ops = vec![DraftOp::Put(key, value), DraftOp::Add(counter, 1)];
            builder.push(&draft).unwrap();
        }
        shop.ledger.submit(builder.sign(shop.ledger.ledger_id()).unwrap()).unwrap();
        if (first + PER_SUBMISSION) / SNAPSHOT_ROWS > snapshots {
            // Made here and not by the thread that watches for it, so that there are as many each time.
            took = seconds(|| drop(shop.ledger.snapshot().unwrap()));
            snapshots += 1;
        }
    }
    shop.ledger.close().unwrap();
    println!("{rows} rows: {snapshots} snapshots, the last one made in {:.0} ms", took * 1e3);
}

fn measure(path: &Path, rounds: u64) {
    let log = Log::open(path).unwrap();
    let (history, plain) = (Rows::and_snapshots(&log), Rows::of(&log));
    let (size, governance) = (log.head().size, log.governance().unwrap());
    let outside = Outside { called: true, at: 0 };
    let mut rng = Rng::new(2);
    let (mut states, mut whole, mut late, mut any, mut planned) = (vec![], vec![], vec![], vec![], 0);
    let plan = |row: u64| match plan_rollback(&history, &governance, &[row], Later::Cascade, outside) {
        Ok(plan) => {
            drop(preview(&history, &plan, 0).unwrap());
            plan.reversals.len()
        }
        // A snapshot row.
        Err(_) => 0,
    };
    for round in 0..rounds {
        let at = rng.below(size) + 1;
        states.push(seconds(|| drop(state_after(&history, at).unwrap())));
        if round < 3 {
            whole.push(seconds(|| drop(state_after(&plain, size).unwrap())));
        }
        let row = size - 1 - rng.below(size / 100);
        late.push(seconds(|| _ = plan(row)));
        let row = 8 + rng.below(size - 8);
        any.push(seconds(|| planned += plan(row)));
    }
    println!(
        "{size} rows: the state at any row {}, replayed from the first row {}; a plan for one of the last rows {}, for any row, \
         of {:.0} rows on average, {}",
        told(states),
        told(whole),
        told(late),
        planned as f64 / rounds as f64,
        told(any),
    );
}

fn told(figures: Vec<f64>) -> String {
    let longest = figures.iter().copied().fold(0.0, f64::max);
    format!("{:.1} ms ({:.1})", median(figures) * 1e3, longest * 1e3)
}
