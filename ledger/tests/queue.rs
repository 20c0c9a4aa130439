//! The queue under a model checker: the very source of `src/queue.rs`, over loom's locks, with a small model of the
//! stages that couples its locks as `src/pipeline.rs` does. loom runs every interleaving of the callers in which threads
//! are preempted two or three times at most, and fails on a deadlock.
//!
//! All threads of a model run on one of the system's, where a panic poisons what the others hold. So panics of writers
//! are left to real threads, in `tests/panics.rs` of the workspace.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, and a file that is made for another crate"
)]

mod sync {
    pub use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub use std::sync::PoisonError;
}

mod chain {
    /// A row of the model: who submitted it, and where it landed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Receipt {
        pub caller: usize,
        pub seq: usize,
    }
}

mod submission {
    /// Two rows of a caller.
    #[derive(Debug)]
    pub struct Submission(pub usize);

    impl Submission {
        pub fn bytes(&self) -> usize {
            1
        }
    }
}

mod error {
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum SubmitError {
        Failed(String),
        Poisoned(String),
    }
}

#[path = "../src/queue.rs"]
mod queue;

use chain::Receipt;
use error::SubmitError;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use queue::{Answer, Commit, Queue};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use submission::Submission;

/// How often threads are preempted at most, by the number of callers: with more of either the time grows without bound.
fn preemptions(callers: usize) -> usize {
    if callers > 3 { 2 } else { 3 }
}

const ROWS: usize = 2;

/// What goes wrong when the first group comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    DecidingPanics,
    DecidingFails,
    WritingFails,
    /// Nothing does, but the group of caller 0 is written only when that of caller 1 has been decided.
    WritingWaits,
}

/// Groups that came to the disk: the callers of each, and whether it was synced.
type Disk = Vec<(Vec<usize>, bool)>;

struct Stages {
    trouble: Trouble,
    /// Submissions that have a place in one group.
    places: usize,
    decided: Mutex<usize>,
    /// The callers in the order in which their submissions were first offered.
    offered: Mutex<Vec<usize>>,
    /// Callers whose groups are decided.
    underway: Mutex<Vec<usize>>,
    progress: Condvar,
    chained: Mutex<usize>,
    disk: Mutex<Disk>,
}

struct Decided<'s> {
    chained: MutexGuard<'s, usize>,
    callers: Vec<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn durable(disk: &Disk) -> usize {
    disk.iter().filter(|(_, synced)| *synced).map(|(callers, _)| callers.len() * ROWS).sum()
}

impl Stages {
    fn new(trouble: Trouble, places: usize) -> Self {
        let (decided, chained, disk) = (Mutex::new(0), Mutex::new(0), Mutex::new(Vec::new()));
        let (offered, underway) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        Stages { trouble, places, decided, offered, underway, progress: Condvar::new(), chained, disk }
    }
}

impl Stages {
    /// What had no place keeps its place in the queue.
    fn check_order(&self, submissions: &VecDeque<Submission>) {
        let mut offered = lock(&self.offered);
        let places: Vec<_> = submissions
            .iter()
            .filter_map(|submission| offered.iter().position(|caller| *caller == submission.0))
            .collect();
        assert!(places.is_sorted(), "the order of the queue has changed");
        for Submission(caller) in submissions {
            if !offered.contains(caller) {
                offered.push(*caller);
            }
        }
    }
}

impl Commit for Stages {
    type Decided<'s> = Decided<'s>;

    fn decide(&self, submissions: &mut VecDeque<Submission>) -> Result<Decided<'_>, String> {
        let mut decided = lock(&self.decided);
        match self.trouble {
            Trouble::DecidingPanics if *decided == 0 => {
                // A panic must find no lock held: loom has no locks that are poisoned.
                drop(decided);
                std::panic::resume_unwind(Box::new("deciding"))
            }
            Trouble::DecidingFails if *decided == 0 => return Err("deciding".into()),
            _ => {}
        }
        self.check_order(submissions);
        let places = self.places.min(submissions.len());
        let callers: Vec<_> = submissions.drain(..places).map(|submission| submission.0).collect();
        *decided += callers.len() * ROWS;
        lock(&self.underway).extend(&callers);
        self.progress.notify_all();
        let chained = lock(&self.chained);
        drop(decided);
        Ok(Decided { chained, callers })
    }

    fn write(&self, decided: Decided<'_>) -> Result<Vec<Answer>, String> {
        let Decided { mut chained, callers } = decided;
        let before = *chained;
        *chained += callers.len() * ROWS;
        let mut disk = lock(&self.disk);
        drop(chained);
        if durable(&disk) != before {
            return Err("an earlier write failed".into());
        }
        if self.trouble == Trouble::WritingWaits && callers == [0] {
            let mut underway = lock(&self.underway);
            while !underway.contains(&1) {
                underway = self.progress.wait(underway).unwrap();
            }
        }
        let sound = before > 0 || self.trouble != Trouble::WritingFails;
        disk.push((callers.clone(), sound));
        if !sound {
            return Err("the disk".into());
        }
        let rows = |(place, caller): (usize, usize)| {
            let seq = before + place * ROWS;
            Ok((seq..seq + ROWS).map(|seq| Receipt { caller, seq }).collect())
        };
        Ok(callers.into_iter().enumerate().map(rows).collect())
    }
}

/// How a caller's submission ended; `None` when the caller panicked.
type End = Option<Answer>;

/// Runs this many callers, one submission each and the last one two, in every interleaving, and hands over how each
/// submission ended and what came to the disk.
fn explore(
    trouble: Trouble,
    callers: usize,
    places: usize,
    check: impl Fn(&[End], &Disk) + Sync + Send + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions(callers));
    let runs = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new((Queue::default(), Stages::new(trouble, places)));
        let submit = |shared: &(Queue, Stages), caller| -> End {
            catch_unwind(AssertUnwindSafe(|| shared.0.submit(Submission(caller), &shared.1))).ok()
        };
        let others: Vec<_> = (1..callers)
            .map(|caller| {
                let shared = shared.clone();
                loom::thread::spawn(move || submit(&shared, caller))
            })
            .collect();
        let mut ends = vec![submit(&shared, 0)];
        ends.extend(others.into_iter().map(|other| other.join().unwrap()));
        ends.push(submit(&shared, callers));
        let disk = lock(&shared.1.disk).clone();
        let sound = matches!(trouble, Trouble::None | Trouble::WritingWaits);
        assert_eq!(shared.0.poisoned().is_some(), !sound);
        check(&ends, &disk);
    });
    println!(
        "{trouble:?}, {callers} callers, {places} places: {} interleavings",
        runs.load(Ordering::Relaxed)
    );
    assert!(runs.load(Ordering::Relaxed) > 20, "the callers hardly met");
}

/// Each submission that was answered well is on the disk once, whole, at the place that its caller was told.
fn holds(ends: &[End], disk: &Disk) {
    let synced: Vec<usize> =
        disk.iter().filter(|(_, synced)| *synced).flat_map(|(callers, _)| callers.clone()).collect();
    for (caller, end) in ends.iter().enumerate() {
        let told = match end {
            Some(Ok(receipts)) => receipts.clone(),
            _ => Vec::new(),
        };
        let places: Vec<_> = (0..synced.len()).filter(|place| synced[*place] == caller).collect();
        let landed: Vec<_> = places
            .iter()
            .flat_map(|place| (place * ROWS..(place + 1) * ROWS).map(|seq| Receipt { caller, seq }))
            .collect();
        assert_eq!(told, landed, "caller {caller} was told what is on the disk");
        assert!(places.len() <= 1);
    }
}

fn all_land(ends: &[End], disk: &Disk) {
    holds(ends, disk);
    assert!(ends.iter().all(|end| matches!(end, Some(Ok(_)))), "{ends:?}");
    let last = &ends[ends.len() - 1];
    let expected = (ends.len() - 1) * ROWS;
    assert!(
        matches!(last, Some(Ok(receipts)) if receipts[0].seq == expected),
        "what is submitted last lands last: {last:?}"
    );
}

/// Nothing lands behind what failed, nobody waits for ever, and whoever comes later is told.
fn nothing_lands(ends: &[End], disk: &Disk) {
    holds(ends, disk);
    assert_eq!(durable(disk), 0);
    assert!(disk.len() <= 1, "a group that was decided behind a failed write is never written: {disk:?}");
    assert!(ends.iter().all(|end| !matches!(end, Some(Ok(_)))));
    assert!(matches!(ends.last(), Some(Some(Err(SubmitError::Poisoned(_))))), "{ends:?}");
}

#[test]
fn each_submission_is_answered_once_in_the_order_of_groups() {
    explore(Trouble::None, 3, 8, all_land);
}

#[test]
fn what_finds_no_place_is_decided_next() {
    explore(Trouble::None, 4, 1, all_land);
}

#[test]
fn the_next_group_is_decided_while_one_is_written() {
    explore(Trouble::WritingWaits, 2, 1, all_land);
    explore(Trouble::WritingWaits, 3, 1, all_land);
}

#[test]
fn a_write_that_fails_fails_all_that_was_decided_behind_it() {
    explore(Trouble::WritingFails, 3, 1, nothing_lands);
    explore(Trouble::DecidingFails, 3, 8, nothing_lands);
}

#[test]
fn a_leader_that_panics_holds_nobody() {
    let one_panics = |ends: &[End], disk: &Disk| {
        nothing_lands(ends, disk);
        assert_eq!(ends.iter().filter(|end| end.is_none()).count(), 1);
    };
    explore(Trouble::DecidingPanics, 3, 8, one_panics);
}
