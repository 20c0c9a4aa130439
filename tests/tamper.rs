//! The tamper corpus, byte by byte: whatever is flipped or cut in the files of a ledger is found, with its place.
//!
//! The ledger is small, so that every bit of it can be flipped. Each damaged ledger is judged by the reference. The fast
//! path must give the same report: on 1, 2 and 4 threads where there are few cases; where there are thousands, on one
//! of them in turn, and for six of eight bits on none. With `COUNTERFOIL_EXHAUSTIVE=1` it is asked for every case on all
//! three. The kill rate is printed; 100 % is the bar.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

#[path = "tamper/victim.rs"]
mod victim;

use counterfoil_tests::output::{Sink, fix_checksums, groups};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::sample::Sample;
use counterfoil_verifier::{CheckId, Options, Report, Status, Verdict, VerifyError, verify};
use std::fs;
use victim::{Kills, Victim, exhaustive, failed, frame_of, judge, names, small, threads};

/// Every bit of the first 4 KiB of a segment, and two bits of each byte behind them.
fn masks(at: usize) -> &'static [u8] {
    if at < 4096 { &[1, 2, 4, 8, 16, 32, 64, 128] } else { &[0x01, 0x80] }
}

/// Runs a case for each byte of a segment on all cores.
fn for_each_byte(place: usize, run: impl Fn(&Victim, usize, &mut Kills) + Sync) -> Kills {
    let length = small(7).segments[place].1.len();
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let mut kills = Kills::default();
    std::thread::scope(|scope| {
        let work = |worker: usize| {
            let run = &run;
            move || {
                let victim = Victim::new(small(7));
                let mut kills = Kills::default();
                (worker..length).step_by(workers).for_each(|at| run(&victim, at, &mut kills));
                kills
            }
        };
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(work(worker))).collect();
        running.into_iter().for_each(|worker| kills.add(worker.join().unwrap()));
    });
    kills
}

#[test]
fn every_flipped_bit_is_found_in_its_frame() {
    for place in 0..2 {
        let kills = for_each_byte(place, |victim, at, kills| {
            let honest = &victim.ledger.segments[place].1;
            for mask in masks(at) {
                let mut bytes = honest.clone();
                bytes[at] ^= mask;
                let in_turn = *mask == 0x01 || *mask == 0x80 || exhaustive();
                let threads = if in_turn { threads(at) } else { &[] };
                let report = victim.with_segment(place, &bytes, threads);
                let found = |report: &Report| {
                    failed(report, CheckId::V01)
                        && names(report, &victim.segment(place), &frame_of(honest, at))
                };
                kills.expect(&report, || format!("segment {place}, byte {at} ^ {mask:#x}"), found);
            }
        });
        kills.settle(&format!("single bits of segment {place}"));
    }
}

/// With the checksums put right only hashes and signatures are left. What they do not cover says nothing: the salt of a
/// segment, and how far a group believed the disk.
#[test]
fn every_flipped_byte_is_found_without_checksums() {
    for place in 0..2 {
        let kills = for_each_byte(place, |victim, at, kills| {
            let honest = &victim.ledger.segments[place].1;
            let mut bytes = honest.clone();
            bytes[at] ^= 1;
            let lengths = |bytes: &[u8]| groups(bytes).len();
            if lengths(&bytes) == lengths(honest) {
                fix_checksums(&mut bytes);
            }
            if bytes == *honest {
                return;
            }
            let frame = frame_of(honest, at);
            if (8..12).contains(&at) {
                // A segment of another version, with a checksum that fits, is not judged but told as such.
                fs::write(victim.segment(place), &bytes).unwrap();
                let unread = verify(victim.dir.path(), &Options::default(), &|_, _| {});
                assert!(matches!(unread, Err(VerifyError::NewerVersion { .. })), "{unread:?}");
                fs::write(victim.segment(place), honest).unwrap();
                return;
            }
            let report = victim.with_segment(place, &bytes, threads(at));
            let mute = match frame.start {
                0 => (24..40).contains(&at),
                start => (24..32).contains(&(at - start)),
            };
            if mute && report.verdict == Verdict::Intact {
                return;
            }
            kills.expect(&report, || format!("segment {place}, byte {at}"), |_| true);
        });
        kills.settle(&format!("bytes of segment {place} with right checksums"));
    }
}

#[test]
fn every_flipped_bit_of_the_checkpoint_is_found() {
    let victim = Victim::new(small(7));
    let path = victim.dir.path().join("checkpoint");
    let honest = victim.ledger.checkpoint.as_bytes();
    let mut kills = Kills::default();
    for (at, mask) in (0..honest.len()).flat_map(|at| (0..8).map(move |bit| (at, 1u8 << bit))) {
        let mut bytes = honest.to_vec();
        bytes[at] ^= mask;
        fs::write(&path, bytes).unwrap();
        let report = victim.judge(threads(at));
        kills.expect(
            &report,
            || format!("checkpoint, byte {at} ^ {mask:#x}"),
            |report| failed(report, CheckId::V12) && names(report, &path, &(0..honest.len())),
        );
    }
    kills.settle("single bits of the checkpoint");
}

#[test]
fn every_cut_tail_is_found() {
    let victim = Victim::new(small(7));
    let own = victim.dir.path().join("checkpoint");
    let mut kills = Kills::default();
    for (place, (_, segment)) in victim.ledger.segments.iter().enumerate() {
        for length in 0..segment.len() {
            let report = victim.with_segment(place, &segment[..length], threads(length));
            kills.expect(&report, || format!("segment {place} cut to {length}"), |_| true);
        }
    }
    kills.settle("cuts");

    // At the end of a group, and without the ledger's own checkpoint, only one kept elsewhere tells.
    let kept = victim.dir.path().join("kept.note");
    fs::rename(&own, &kept).unwrap();
    let segment = &victim.ledger.segments[1].1;
    let last = groups(segment).pop().unwrap();
    let report = victim.with_segment(1, &segment[..last.start], &[1, 2, 4]);
    assert_eq!(report.verdict, Verdict::Intact);
    assert_eq!(report.checks[&CheckId::V12].status, Status::NotChecked);
    fs::write(victim.segment(1), &segment[..last.start]).unwrap();
    let options = Options { checkpoints: vec![kept], ..Options::default() };
    let report = judge(victim.dir.path(), &options, &[1, 2, 4]);
    assert!(report.verdict == Verdict::Broken && failed(&report, CheckId::V12));
}

#[test]
fn a_larger_ledger_hides_no_flipped_bit() {
    let seed = 20_261_123;
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let recipe = Sample { decisions: 240, per_submission: 40, segment_bytes: 65_536, ..Sample::default() };
    let victim = Victim::new(recipe.write(Sink::memory()));
    let mut kills = Kills::default();
    for _ in 0..300 {
        let place = rng.place(victim.ledger.segments.len());
        let honest = &victim.ledger.segments[place].1;
        let (at, mask) = (rng.place(honest.len()), 1u8 << rng.below(8));
        let mut bytes = honest.clone();
        bytes[at] ^= mask;
        let report = victim.with_segment(place, &bytes, &[1, 2, 4]);
        kills.expect(
            &report,
            || format!("segment {place}, byte {at} ^ {mask:#x}"),
            |report| names(report, &victim.segment(place), &frame_of(honest, at)),
        );
    }
    kills.settle("random bits of a larger ledger");
}
