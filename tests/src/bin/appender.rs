//! A process that appends until it is killed: `appender DIR FIRST ROWS_PER_SUBMISSION [SUBMISSIONS]`.
//!
//! It prints `seq row_hash` of each row once the ledger has acknowledged it, and `failed: why` when the ledger says
//! that a write failed.

#![allow(clippy::unwrap_used, reason = "a test program")]

use counterfoil_tests::shop::Shop;
use std::io::Write;

fn main() {
    let mut args = std::env::args().skip(1);
    let dir = args.next().unwrap();
    let mut number = || args.next().map(|text| text.parse::<u64>().unwrap());
    let (mut first, rows) = (number().unwrap(), number().unwrap());
    let submissions = number().unwrap_or(u64::MAX);
    let shop = Shop::open(dir.as_ref()).unwrap();
    let mut out = std::io::stdout().lock();
    for _ in 0..submissions {
        match shop.ledger.submit(shop.decisions(first, rows)) {
            Ok(receipts) => {
                for receipt in receipts {
                    writeln!(out, "{} {}", receipt.seq, receipt.row_hash).unwrap();
                }
                out.flush().unwrap();
            }
            Err(error) => {
                writeln!(out, "failed: {error}").unwrap();
                return;
            }
        }
        first += rows;
    }
    shop.ledger.close().unwrap();
}
