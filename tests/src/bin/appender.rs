//! A process that appends until it is stopped, as `Orders` say.
//!
//! It says what it offers to the ledger, what the ledger has acknowledged, and why it takes no more.

#![allow(clippy::unwrap_used, reason = "a test program")]

use counterfoil_ledger::{Platform, SubmitError};
use counterfoil_tests::appender::Orders;
use counterfoil_tests::gate::Gate;
use counterfoil_tests::journal::Said;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{FOUNDING, Shop};
use std::error::Error;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

fn main() {
    let orders = Orders::from_args(std::env::args().skip(1));
    if let Err(error) = append(&orders) {
        say([Said::Failed(error.to_string())]);
    }
}

fn append(orders: &Orders) -> Result<(), Box<dyn Error>> {
    let shop = open(orders)?;
    let next = AtomicU64::new(orders.first);
    thread::scope(|scope| {
        let begin = |thread| {
            let (shop, next, rng) = (&shop, &next, Rng::new(orders.seed.wrapping_add(thread)));
            scope.spawn(move || append_alone(orders, shop, next, rng))
        };
        let threads: Vec<_> = (0..orders.threads).map(begin).collect();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        ended.into_iter().collect::<Result<(), _>>()
    })?;
    Ok(shop.ledger.close()?)
}

fn open(orders: &Orders) -> Result<Shop, Box<dyn Error>> {
    let gate = Gate::default();
    gate.leave_out();
    let platform = if orders.unsynced { gate.platform() } else { Platform::default() };
    let Some(segment_bytes) = orders.founds else { return Ok(Shop::open_on(&platform, &orders.dir)?) };
    let shop = Shop::ensure_on(&platform, &orders.dir, segment_bytes)?;
    for seq in 0..FOUNDING {
        let hash = shop.ledger.log().row(seq)?.parse()?.row_hash;
        say([Said::Acknowledged { seq, hash }]);
    }
    Ok(shop)
}

fn append_alone(orders: &Orders, shop: &Shop, next: &AtomicU64, mut rng: Rng) -> Result<(), SubmitError> {
    for _ in 0..orders.submissions {
        let rows = orders.draw(&mut rng);
        let first = next.fetch_add(rows, Ordering::Relaxed);
        say([Said::Offered { first, rows }]);
        let receipts = shop.ledger.submit(shop.decisions(first, rows))?;
        say(receipts.iter().map(Said::from));
    }
    Ok(())
}

/// What is said together is written together.
fn say(said: impl IntoIterator<Item = Said>) {
    let lines: String = said.into_iter().map(|said| said.to_string()).collect();
    let mut out = std::io::stdout().lock();
    out.write_all(lines.as_bytes()).unwrap();
    out.flush().unwrap();
}
