//! Power cuts and failing disks, on a simulated disk: at every call, with anything left of what was not synced.

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
use counterfoil_tests::sim::{Call, Fault, Ignored, Left, SimFs};
use counterfoil_tests::trial::{Phase, ROOT, Trial, platform};
use std::path::Path;

/// How often each random choice is made anew.
fn rounds() -> u64 {
    std::env::var("COUNTERFOIL_POWER_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

/// A work that meets no trouble, and how many calls it takes.
fn undisturbed() -> SimFs {
    let mut trial = Trial::new(None);
    trial.work().unwrap();
    trial.fs
}

/// A disk of its own with the same content.
fn copy(fs: &SimFs, rng: &mut Rng) -> SimFs {
    fs.power_cut(Left::All, rng)
}

/// Power goes at every call that can change something, then again at every such call of the repair. Yields how many
/// disks were checked.
fn power_goes_everywhere(sabotage: Option<(Phase, Ignored)>, rng: &mut Rng) -> Result<u64, String> {
    let mut checked = 0;
    for at in 0..=undisturbed().changes() {
        let mut trial = Trial::new(sabotage);
        trial.fs.lose_power_after(at);
        let _ = trial.work();
        for left in Left::ALL {
            let disk = trial.fs.power_cut(left, rng);
            let told =
                |what: &str, reason| format!("power went at change {at}, {left:?} was left{what}: {reason}");
            checked +=
                1 + power_goes_again(&trial, &disk, rng).map_err(|reason| told(", and again", reason))?;
            trial.check(&disk, Phase::Repair, rng).map_err(|reason| told("", reason))?;
        }
        trial.fs.restart();
        let died = trial.check(&trial.fs, Phase::Opening, rng);
        died.map_err(|reason| format!("the process died at change {at}: {reason}"))?;
        checked += 1;
    }
    Ok(checked)
}

/// Power goes at every change that opening makes.
fn power_goes_again(trial: &Trial, disk: &SimFs, rng: &mut Rng) -> Result<u64, String> {
    let open = |fs: &SimFs| drop(Shop::open_on(&platform(fs), Path::new(ROOT)));
    let probe = copy(disk, rng);
    open(&probe);
    for at in 0..probe.changes() {
        let again = copy(disk, rng);
        again.lose_power_after(at);
        open(&again);
        let left = Left::ALL[rng.place(4)];
        trial.check(&again.power_cut(left, rng), Phase::Repair, rng)?;
    }
    Ok(probe.changes())
}

#[test]
fn nothing_acknowledged_is_lost_wherever_power_goes() {
    let mut rng = Rng::of_this_run();
    for _ in 0..rounds() {
        let checked = power_goes_everywhere(None, &mut rng).unwrap_or_else(|reason| panic!("{reason}"));
        println!("{checked} disks checked after power cuts");
    }
}

/// Every call fails, once or for ever; a failed sync may be forgotten by the system.
#[test]
fn nothing_acknowledged_is_lost_whichever_call_fails() {
    let mut rng = Rng::of_this_run();
    let whole = undisturbed();
    let mut checked = 0;
    for (at, (call, path)) in (0..).zip(whole.trace()) {
        for (os_error, for_ever, forgets) in
            [(5, false, false), (5, true, false), (28, false, false), (28, true, false), (5, false, true)]
        {
            let is_sync = matches!(call, Call::SyncData | Call::SyncAll | Call::SyncDir);
            if forgets && !is_sync {
                continue;
            }
            let mut trial = Trial::new(None);
            trial.fs.fail(Fault { at, os_error, for_ever, forgets });
            let worked = trial.work();
            let told = |reason| {
                let path = path.display();
                format!(
                    "call {at} ({call:?} of {path}) failed with {os_error}, for ever: {for_ever}, forgotten: {forgets}, told: {worked:?}: {reason}"
                )
            };
            for left in [Left::Nothing, Left::Anything] {
                let disk = trial.fs.power_cut(left, &mut rng);
                trial
                    .check(&disk, Phase::Repair, &mut rng)
                    .map_err(told)
                    .unwrap_or_else(|why| panic!("{why}"));
            }
            trial.fs.restart();
            trial
                .check(&trial.fs, Phase::Opening, &mut rng)
                .map_err(told)
                .unwrap_or_else(|why| panic!("{why}"));
            checked += 3;
        }
    }
    println!("{checked} disks checked after failing calls");
}

/// The controls: each sync, the phase in which leaving it out must show.
const CONTROLS: &[(&str, Phase, Call, &str, Option<u64>)] = &[
    ("the first segment's bytes", Phase::Founding, Call::SyncAll, ".new", None),
    ("the first segment's name", Phase::Founding, Call::SyncDir, "/log", None),
    ("the name of log/", Phase::Founding, Call::SyncDir, ROOT, None),
    ("the name of the ledger's directory", Phase::Founding, Call::SyncDir, "/", None),
    ("a group", Phase::Appending, Call::SyncData, ".seg", None),
    ("a new segment's header", Phase::Appending, Call::SyncAll, ".seg", None),
    ("a new segment's name", Phase::Appending, Call::SyncDir, "/log", None),
    ("a checkpoint's bytes", Phase::Appending, Call::SyncAll, "/checkpoint.new", None),
    ("what a process that died has written", Phase::Opening, Call::SyncAll, ".seg", None),
    ("segments that a process that died has named", Phase::Opening, Call::SyncDir, "/log", None),
    ("the name of log/, made by a process that died", Phase::Opening, Call::SyncDir, ROOT, None),
    ("the directory's name, made by a process that died", Phase::Opening, Call::SyncDir, "/", None),
    ("the bytes kept in quarantine", Phase::Repair, Call::SyncAll, ".torn", None),
    ("their name", Phase::Repair, Call::SyncDir, "/quarantine", None),
    ("the name of quarantine/", Phase::Repair, Call::SyncDir, ROOT, Some(1)),
    ("the cut of a torn tail", Phase::Repair, Call::SyncAll, ".seg", None),
    ("the removal of an unborn segment", Phase::Repair, Call::SyncDir, "/log", Some(1)),
];

/// For each sync: without it, power cuts show that something is missing.
#[test]
fn every_sync_is_needed() {
    let mut rng = Rng::of_this_run();
    let mut missed = Vec::new();
    for (what, phase, call, path, nth) in CONTROLS {
        let ignored = Ignored { nth: *nth, ..Ignored::all(*call, path) };
        let shown = (0..3).find_map(|_| power_goes_everywhere(Some((*phase, ignored)), &mut rng).err());
        match shown {
            Some(reason) => println!("without the sync of {what}: {reason}"),
            None => missed.push(what),
        }
    }
    assert!(missed.is_empty(), "nothing fails without the sync of: {missed:#?}");
}

/// A ledger that is founded where no directory is yet.
#[test]
fn directories_made_on_the_way_outlive_a_power_cut() {
    let (fs, root) = (SimFs::default(), Path::new("/new/place/shop"));
    let shop = Shop::begin_on(&platform(&fs), root, 4096).unwrap();
    let rows = shop.ledger.log().head().size;
    let disk = fs.power_cut(Left::Nothing, &mut Rng::new(0));
    let shop = Shop::open_on(&platform(&disk), root).unwrap();
    assert_eq!(shop.ledger.log().head().size, rows);
}
