//! The inbox on a simulated disk: power goes at every change, every call fails, and every sync is left out once. A post
//! that was made is there or has landed, once; what is refused is there or kept.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod inbox_power {
    pub mod scene;
}

use counterfoil_format::landing::Outcome;
use counterfoil_ledger::Inbox;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{Shop, switch};
use counterfoil_tests::sim::{Call, Fault, Ignored, Left, SimFs};
use counterfoil_tests::trial::{ROOT, platform};
use inbox_power::scene::{GARBAGE, Phase, begin, inbox, landed, layout, ledger_id, work};
use std::path::Path;

/// Power goes at every call that can change something, or the process dies there.
fn power_goes_everywhere(sabotage: Option<(Phase, Ignored)>, rng: &mut Rng) -> Result<u64, String> {
    let mut checked = 0;
    for littered in [false, true] {
        let whole = begin(littered);
        work(&whole, None);
        for at in 0..=whole.changes() {
            let fs = begin(littered);
            fs.lose_power_after(at);
            let run = work(&fs, sabotage);
            for left in Left::ALL {
                let told = |reason| format!("power went at change {at}, {left:?} was left: {reason}");
                run.check(&fs.power_cut(left, rng), littered, rng).map_err(told)?;
            }
            fs.restart();
            sabotage
                .filter(|(when, _)| *when == Phase::Opening)
                .into_iter()
                .for_each(|(_, it)| fs.ignore(it));
            run.check(&fs, littered, rng)
                .map_err(|reason| format!("the process died at change {at}: {reason}"))?;
            checked += 5;
        }
    }
    Ok(checked)
}

#[test]
fn no_post_is_lost_and_none_lands_twice_wherever_power_goes() {
    let mut rng = Rng::of_this_run();
    let checked = power_goes_everywhere(None, &mut rng).unwrap_or_else(|reason| panic!("{reason}"));
    println!("{checked} disks checked after power cuts");
}

/// Every call fails, once or for ever; a failed sync may be forgotten by the system.
#[test]
fn no_post_is_lost_and_none_lands_twice_whichever_call_fails() {
    let mut rng = Rng::of_this_run();
    let whole = begin(true);
    work(&whole, None);
    let mut checked = 0;
    for (at, (call, path)) in (0..).zip(whole.trace()) {
        for (os_error, for_ever, forgets) in
            [(5, false, false), (5, true, false), (28, false, false), (28, true, false), (5, false, true)]
        {
            if forgets && !matches!(call, Call::SyncData | Call::SyncAll | Call::SyncDir) {
                continue;
            }
            let fs = begin(true);
            fs.fail(Fault { at, os_error, for_ever, forgets });
            let mut run = work(&fs, None);
            let is_post = path.extension().is_some_and(|end| end == "submission");
            let is_read = matches!(call, Call::Open | Call::Size | Call::Read);
            run.excused = (is_post && is_read) || path.starts_with(Path::new(ROOT).join("quarantine"));
            let told = |reason| {
                let path = path.display();
                panic!(
                    "call {at} ({call:?} of {path}) failed with {os_error}, for ever: {for_ever}, forgotten: {forgets}: {reason}"
                )
            };
            run.check(&fs.power_cut(Left::Anything, &mut rng), true, &mut rng).unwrap_or_else(told);
            fs.restart();
            run.check(&fs, true, &mut rng).unwrap_or_else(told);
            checked += 2;
        }
    }
    println!("{checked} disks checked after failing calls");
}

/// The controls: each sync, and when it is left out.
const CONTROLS: &[(&str, Phase, Call, &str, Option<u64>)] = &[
    ("a post's bytes", Phase::Posting, Call::SyncAll, ".new", None),
    ("a post's name", Phase::Posting, Call::SyncDir, "/inbox", None),
    ("the name of inbox/", Phase::Posting, Call::SyncDir, ROOT, None),
    ("the group that it is in", Phase::Landing, Call::SyncData, ".seg", None),
    ("the name of quarantine/", Phase::Landing, Call::SyncDir, ROOT, Some(1)),
    ("what was refused", Phase::Landing, Call::SyncDir, "/quarantine", None),
    ("what a process that died has refused", Phase::Opening, Call::SyncDir, "/quarantine", None),
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

/// While the inbox cannot be looked into nothing is decided, and when it can be, all goes on.
#[test]
fn nothing_is_decided_while_the_inbox_cannot_be_seen() {
    let fs = begin(false);
    let shop = Shop::open_on(&platform(&fs), Path::new(ROOT)).unwrap();
    Inbox::on(&layout(&fs)).post(&switch(shop.ledger.ledger_id(), 0, true)).unwrap();
    let size = shop.ledger.log().head().size;
    for os_error in [5, 13, 24] {
        fs.fail(Fault { at: fs.calls(), os_error, for_ever: true, forgets: false });
        let refused = shop.ledger.submit(shop.decisions(10, 1)).unwrap_err();
        assert!(refused.to_string().contains("kill switch may lie there"), "{refused}");
    }
    // The inbox can be listed, and for want of descriptors the post cannot be opened.
    fs.fail(Fault { at: fs.calls() + 1, os_error: 24, for_ever: true, forgets: false });
    let refused = shop.ledger.submit(shop.decisions(10, 1)).unwrap_err();
    assert!(refused.to_string().contains("kill switch may lie there"), "{refused}");
    fs.restart();
    assert_eq!(shop.ledger.log().head().size, size);
    let receipts = shop.ledger.submit(shop.decisions(10, 1)).unwrap();
    assert_eq!((receipts[0].seq, receipts[0].outcome), (size + 1, Outcome::Review));
}

/// What can neither be removed nor moved is let lie, and stops nobody.
#[test]
fn what_cannot_be_taken_away_is_let_lie() {
    let fs = begin(true);
    let posted = Inbox::on(&layout(&fs)).post(&switch(ledger_id(), 0, true)).unwrap();
    let whole = fs.power_cut(Left::All, &mut Rng::new(0));
    drop(Shop::open_on(&platform(&whole), Path::new(ROOT)).unwrap());
    let at = |found: &dyn Fn(Call, &Path) -> bool| {
        let trace = whole.trace();
        trace.iter().position(|(call, path)| found(*call, path)).unwrap() as u64
    };
    let removal = at(&|call, path| call == Call::Remove && *path == posted.path());
    let moving = at(&|call, path| call == Call::Rename && path.ends_with(GARBAGE));
    for (call, lies) in [(removal, "cannot be removed"), (moving, "cannot be moved aside")] {
        let fs = fs.power_cut(Left::All, &mut Rng::new(0));
        fs.fail(Fault { at: call, os_error: 13, for_ever: false, forgets: false });
        let shop = Shop::open_on(&platform(&fs), Path::new(ROOT)).unwrap();
        let notices = shop.ledger.notices();
        assert!(notices.iter().any(|notice| notice.contains(lies)), "{notices:?}");
        let reads = |fs: &SimFs| fs.trace().iter().filter(|(call, _)| *call == Call::Read).count();
        let before = reads(&fs);
        shop.ledger.submit(shop.decisions(10, 1)).unwrap();
        assert_eq!(reads(&fs), before, "it is not read again");
        drop(shop);
        let shop = Shop::open_on(&platform(&fs), Path::new(ROOT)).unwrap();
        assert!(layout(&fs).storage().list(&inbox()).unwrap().is_empty(), "the next open takes it away");
        assert_eq!(landed(&shop.ledger).unwrap().len(), 1);
    }
}
