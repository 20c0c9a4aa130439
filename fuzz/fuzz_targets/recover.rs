//! Power goes where the input says, twice, and what is left is what the input says: nothing acknowledged is lost.
#![no_main]

use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::Shop;
use counterfoil_tests::sim::Left;
use counterfoil_tests::trial::{Phase, ROOT, Trial, platform};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: [u8; 12]| {
    let [first, second, left, again, seed @ ..] = data;
    let mut rng = Rng::new(u64::from_le_bytes(seed));
    let mut trial = Trial::new(None);
    trial.fs.lose_power_after(first.into());
    let _ = trial.work();
    let disk = trial.fs.power_cut(Left::ALL[usize::from(left % 4)], &mut rng);
    disk.lose_power_after(u64::from(second % 16));
    drop(Shop::open_on(&platform(&disk), Path::new(ROOT)));
    let disk = disk.power_cut(Left::ALL[usize::from(again % 4)], &mut rng);
    trial.check(&disk, Phase::Repair, &mut rng).unwrap();
});
