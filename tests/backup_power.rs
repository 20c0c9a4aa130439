//! Backups on a simulated disk: power goes at every change, every call fails, and every sync is left out once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod backup_power {
    pub mod scene;
}

use backup_power::scene::Scene;
use counterfoil_ledger::Linking::{Allowed, Never};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::sim::{Call, Fault, Ignored, Left};

/// Which of two runs leaves a sync out: the one that is cut short, or the one that completes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Disturbed,
    Next,
}

/// Power goes at every call of a backup that can change something, and the process dies there. Yields how many disks
/// were checked.
fn power_goes_everywhere(
    scene: &Scene,
    sabotage: Option<(Run, Ignored)>,
    rng: &mut Rng,
) -> Result<u64, String> {
    let left_out = |run| sabotage.filter(|(when, _)| *when == run).map(|(_, ignored)| ignored);
    let mut checked = 0;
    for at in 0..=scene.done().changes() {
        let fs = scene.disk();
        left_out(Run::Disturbed).into_iter().for_each(|ignored| fs.ignore(ignored));
        fs.lose_power_after(at);
        let succeeded = scene.backup(&fs).is_ok();
        for left in Left::ALL {
            let disk = fs.power_cut(left, rng);
            let told = |reason| format!("power went at change {at}, {left:?} was left: {reason}");
            scene.check(&disk, succeeded, left_out(Run::Next), rng).map_err(told)?;
        }
        fs.restart();
        let told = |reason| format!("the process died at change {at}: {reason}");
        scene.check(&fs, succeeded, left_out(Run::Next), rng).map_err(told)?;
        checked += 5;
    }
    Ok(checked)
}

#[test]
fn a_copy_is_the_old_one_or_the_new_one_wherever_power_goes() {
    let mut rng = Rng::of_this_run();
    for (what, scene) in [
        ("a first backup", Scene::first(Allowed)),
        ("a first backup, to another file system", Scene::first(Allowed).across()),
        ("a later one", Scene::later(Allowed)),
        ("a later one, to another file system", Scene::later(Allowed).across()),
        ("a later one, without links", Scene::later(Never)),
        ("one with nothing new", Scene::nothing_new(Allowed)),
        ("one over a segment that was begun there", Scene::obstructed()),
    ] {
        let checked = power_goes_everywhere(&scene, None, &mut rng);
        println!("{what}: {} disks checked", checked.unwrap_or_else(|reason| panic!("{what}: {reason}")));
    }
}

/// Every call fails, once or for ever; a failed sync may be forgotten by the system.
#[test]
fn a_copy_is_the_old_one_or_the_new_one_whichever_call_fails() {
    let mut rng = Rng::of_this_run();
    let mut checked = 0;
    for scene in [Scene::first(Allowed), Scene::later(Allowed), Scene::later(Allowed).across()] {
        for (at, (call, path)) in (0..).zip(scene.done().trace()) {
            let ways = [
                (5, false, false),
                (5, true, false),
                (28, false, false),
                (28, true, false),
                (5, false, true),
            ];
            let is_sync = matches!(call, Call::SyncData | Call::SyncAll | Call::SyncDir);
            for (os_error, for_ever, forgets) in ways.into_iter().filter(|way| is_sync || !way.2) {
                // What fails and changes nothing fails alike with every error.
                if !call.changes() && os_error == 28 {
                    continue;
                }
                let fs = scene.disk();
                fs.fail(Fault { at, os_error, for_ever, forgets });
                let worked = scene.backup(&fs);
                let told = |reason: String| {
                    let path = path.display();
                    panic!(
                        "{reason}: call {at} ({call:?} of {path}) failed with {os_error}, for ever: {for_ever}, forgotten: {forgets}, told: {worked:?}"
                    )
                };
                if call.changes() {
                    let disk = fs.power_cut(Left::Anything, &mut rng);
                    scene.check(&disk, worked.is_ok(), None, &mut rng).unwrap_or_else(told);
                }
                fs.restart();
                scene.check(&fs, worked.is_ok(), None, &mut rng).unwrap_or_else(told);
                checked += 1 + u64::from(call.changes());
            }
        }
    }
    println!("{checked} disks checked after failing calls");
}

/// What cannot be read of a destination is no reason to write over it.
#[test]
fn another_history_is_refused_whichever_call_fails() {
    let scene = Scene::lost_fork();
    let refused = scene.disk();
    let reason = scene.backup(&refused).unwrap_err();
    assert!(reason.contains("not those of this ledger"), "{reason}");
    for (at, (call, path)) in (0..).zip(refused.trace()) {
        let fs = scene.disk();
        fs.fail(Fault { at, os_error: 5, for_ever: false, forgets: false });
        if let Ok(report) = scene.backup(&fs) {
            panic!(
                "call {at} ({call:?} of {}) failed, and the copy was replaced: {report:?}",
                path.display()
            );
        }
    }
}

/// What a backup has reported outlives a power cut, also when nobody has synced what it found there.
#[test]
fn a_backup_that_was_reported_outlives_a_power_cut() {
    for scene in doubted() {
        check_doubted(&scene.1, None).unwrap_or_else(|reason| panic!("{}: {reason}", scene.0));
    }
}

fn doubted() -> [(&'static str, Scene); 4] {
    [
        ("a first backup", Scene::first(Allowed)),
        ("a first backup, without links", Scene::first(Never)),
        ("a later one", Scene::later(Allowed)),
        ("one with nothing new", Scene::nothing_new(Never)),
    ]
}

fn check_doubted(scene: &Scene, left_out: Option<Ignored>) -> Result<(), String> {
    let fs = scene.disk();
    fs.doubt();
    left_out.into_iter().for_each(|ignored| fs.ignore(ignored));
    scene.backup(&fs)?;
    scene.check_segments(&fs.power_cut(Left::Nothing, &mut Rng::new(0)))
}

/// The controls: each sync of a backup, the run that leaves it out, and the scene in which power cuts then show it.
type Control = (&'static str, fn() -> Scene, Run, Call, &'static str, Option<u64>);

const CONTROLS: &[Control] = &[
    ("the name of log/", first, Run::Disturbed, Call::SyncDir, "/copy", Some(0)),
    ("the name of the copy's directory", first, Run::Disturbed, Call::SyncDir, "/safe/shops", None),
    ("the name of the directory above", first, Run::Disturbed, Call::SyncDir, "/safe", None),
    ("the name of the one above that", first, Run::Disturbed, Call::SyncDir, "/", None),
    ("the same, made by a run that died", first, Run::Next, Call::SyncDir, "/safe/shops", None),
    ("the name above, made by a run that died", first, Run::Next, Call::SyncDir, "/safe", None),
    ("a copied segment's bytes", first, Run::Disturbed, Call::SyncAll, ".seg.unfinished", None),
    ("the first segment's name, before the next", first, Run::Disturbed, Call::SyncDir, "/copy/log", Some(1)),
    ("the next segment's name", first, Run::Disturbed, Call::SyncDir, "/copy/log", Some(2)),
    ("the last segment's name", first, Run::Disturbed, Call::SyncDir, "/copy/log", Some(3)),
    ("a segment's name, left by a run that died", first, Run::Next, Call::SyncDir, "/copy/log", None),
    ("the checkpoint's bytes", first, Run::Disturbed, Call::SyncAll, "/checkpoint.new", None),
    ("the checkpoint's name", first, Run::Disturbed, Call::SyncDir, "/copy", Some(1)),
    ("the name of a later checkpoint", later, Run::Disturbed, Call::SyncDir, "/copy", Some(1)),
    ("a checkpoint's name, left by a run that died", later, Run::Next, Call::SyncDir, "/copy", None),
    ("removals, before the rest", Scene::obstructed, Run::Disturbed, Call::SyncDir, "/copy/log", Some(0)),
];

/// The same where nobody has synced what the backup finds.
type Doubt = (&'static str, fn() -> Scene, Call, &'static str);

const DOUBTED: &[Doubt] = &[
    ("a segment that is linked", first, Call::SyncData, "/shop/log/00000000000000000000.seg"),
    ("the ledger's last segment", first, Call::SyncData, "/shop/log/00000000000000000018.seg"),
    ("the names of the ledger's segments", first, Call::SyncDir, "/shop/log"),
    ("the name of the ledger's log/", first, Call::SyncDir, "/shop"),
    ("the name of the ledger's directory", first, Call::SyncDir, "/"),
    ("a segment that was there", nothing_new, Call::SyncData, "/copy/log/00000000000000000000.seg"),
    ("a checkpoint that was there", nothing_new, Call::SyncData, "/copy/checkpoint"),
];

fn first() -> Scene {
    Scene::first(Allowed)
}

fn later() -> Scene {
    Scene::later(Allowed)
}

fn nothing_new() -> Scene {
    Scene::nothing_new(Never)
}

/// For each sync: without it, power cuts show that something is missing, some of them only when chance leaves one name
/// and loses another.
#[test]
fn every_sync_of_a_backup_is_needed() {
    let mut rng = Rng::of_this_run();
    let mut missed = Vec::new();
    let mut told = |what, shown: Option<String>| match shown {
        Some(reason) => println!("without the sync of {what}: {reason}"),
        None => missed.push(what),
    };
    for (what, scene, run, call, path, nth) in CONTROLS {
        let (scene, ignored) = (scene(), Ignored { nth: *nth, ..Ignored::all(*call, path) });
        told(
            what,
            (0..30).find_map(|_| power_goes_everywhere(&scene, Some((*run, ignored)), &mut rng).err()),
        );
    }
    for (what, scene, call, path) in DOUBTED {
        told(what, check_doubted(&scene(), Some(Ignored::all(*call, path))).err());
    }
    assert!(missed.is_empty(), "nothing fails without the sync of: {missed:#?}");
}
