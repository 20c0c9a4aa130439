//! Every bit of a log of 64 KiB, flipped: opening never takes it in silence and never shortens the log in silence.
//!
//! One bit of each byte is flipped, chosen by the seed; all of them with `COUNTERFOIL_EXHAUSTIVE=1`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::Shop;
use counterfoil_tests::sim::{Left, SimFs};
use counterfoil_tests::trial::{ROOT, platform};
use std::path::Path;
use std::thread;

const LOG_BYTES: usize = 64 << 10;

/// What opening made of a flipped bit.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Verdicts {
    refused: u64,
    /// The last group was taken for a torn tail; it is kept in quarantine, and the ledger says so.
    cut: u64,
}

/// A log of one segment, how many rows it has, and where its last group begins.
fn log() -> (SimFs, u64, usize) {
    let fs = SimFs::default();
    let shop = Shop::begin_on(&platform(&fs), Path::new(ROOT), 64 << 20).unwrap();
    let size = || fs.contents(".seg")[0].1.len();
    let (mut number, mut last) = (0, 0);
    while size() < LOG_BYTES {
        last = size();
        let rows = 1 + number % 3;
        shop.ledger.submit(shop.decisions(number, rows)).unwrap();
        number += rows;
    }
    let rows = shop.ledger.log().head().size;
    shop.ledger.close().unwrap();
    // What a side file covers is not read at open.
    fs.lose(".idx");
    (fs, rows, last)
}

/// Opens a copy with one bit flipped.
fn flipped(fs: &SimFs, rows: u64, last: usize, byte: usize, bit: u8, verdicts: &mut Verdicts) {
    let copy = fs.power_cut(Left::All, &mut Rng::new(0));
    let (path, _) = copy.contents(".seg").remove(0);
    copy.overwrite(&path, |bytes| bytes[byte] ^= 1 << bit);
    let flipped = copy.contents(".seg").remove(0).1;
    let Ok(shop) = Shop::open_on(&platform(&copy), Path::new(ROOT)) else {
        verdicts.refused += 1;
        assert_eq!(copy.contents(".seg").remove(0).1, flipped, "what was refused was changed");
        return;
    };
    let place = format!("bit {bit} of byte {byte}");
    assert!(byte >= last, "{place} lies before the last group and was accepted");
    assert!(shop.ledger.log().head().size < rows, "{place} was accepted in silence");
    assert!(
        shop.ledger.notices().iter().any(|notice| notice.contains("a crash")),
        "{place} was cut in silence"
    );
    let kept = copy.contents(".torn").remove(0).1;
    assert_eq!(copy.contents(".seg").remove(0).1.len() + kept.len(), flipped.len());
    assert_eq!(kept, flipped[last..], "{place}: more was cut than the last group");
    verdicts.cut += 1;
}

fn flip_all(fs: &SimFs, rows: u64, last: usize) -> Verdicts {
    let exhaustive = std::env::var_os("COUNTERFOIL_EXHAUSTIVE").is_some();
    let seed = Rng::of_this_run().number();
    let bytes = fs.contents(".seg")[0].1.len();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = |thread: usize| {
        let mut verdicts = Verdicts::default();
        for byte in (thread..bytes).step_by(threads) {
            let one = Rng::new(seed ^ byte as u64).below(8) as u8;
            let bits = if exhaustive { 0..8 } else { one..one + 1 };
            bits.for_each(|bit| flipped(fs, rows, last, byte, bit, &mut verdicts));
        }
        verdicts
    };
    let part = &part;
    thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).fold(Verdicts::default(), |sum, part| Verdicts {
            refused: sum.refused + part.refused,
            cut: sum.cut + part.cut,
        })
    })
}

#[test]
fn no_flipped_bit_is_taken_and_none_shortens_the_log_in_silence() {
    let (fs, rows, last) = log();
    // The checkpoint and the durable mark name the last group, so nothing is taken for a torn tail.
    let witnessed = flip_all(&fs, rows, last);
    assert_eq!(witnessed.cut, 0);
    println!("with witnesses: {witnessed:?}");

    // Without them, damage to the last group cannot be told from a torn write.
    let bare = fs.power_cut(Left::All, &mut Rng::new(0));
    bare.lose("/checkpoint");
    bare.lose("/durable");
    let alone = flip_all(&bare, rows, last);
    println!("without any witness: {alone:?}; those cut are the ambiguity of the last group");
    assert!(alone.cut > 0 && alone.refused > alone.cut);
}
