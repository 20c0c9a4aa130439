//! Group commit under a model checker: the very sources of `src/queue.rs` and `src/pipeline.rs` over loom's locks, with
//! small models of what moves through the stages. loom runs every interleaving of the callers in which threads are
//! preempted two or three times at most, and fails on a deadlock.
//!
//! All threads of a model run on one of the system's, where a panic poisons what the others hold. So panics within a stage
//! are left to real threads, in `tests/panics.rs` of the workspace.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "a test, and files that are made for another crate"
)]

#[path = "commit/intake.rs"]
mod intake;
#[path = "commit/posts.rs"]
mod posts;
#[path = "commit/stages.rs"]
mod stages;

#[path = "../src/pipeline.rs"]
mod pipeline;
#[path = "../src/queue.rs"]
mod queue;

use chain::{Chain, Receipt};
use counterfoil_format::body::{FORMAT_VERSION, Genesis};
use counterfoil_format::policy::PolicyBody;
use counterfoil_ledger::{SecretKey, Signer};
use counterfoil_rules::governance::Governance;
use counterfoil_rules::limits::Limits;
use current::Current;
use error::SubmitError;
use log::{Disk, Log, Trouble, durable};
use loom::sync::{Condvar, Mutex};
use pipeline::{Pipeline, Stages};
use queue::{Answer, Commit, Queue};
use rand::SeedableRng;
use rand::rngs::StdRng;
use stages::{
    ROWS, batch, chain, current, draft, error, index, log, platform, rebuild, secret, submission, sync,
    tiles, writer,
};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use submission::Submission;
use writer::Writer;

/// How often threads are preempted at most, by the number of callers: with more of either the time grows without bound.
fn preemptions(callers: usize) -> usize {
    if callers > 3 { 2 } else { 3 }
}

/// What is explored.
#[derive(Debug, Clone, Copy)]
struct Setting {
    trouble: Trouble,
    callers: usize,
    /// Submissions that have a place in one group.
    places: usize,
    /// Whether the state is handed to its index before each group.
    due: bool,
}

/// A ledger of the model.
struct Model {
    queue: Queue,
    commit: Watched,
    log: Arc<Log>,
}

/// The pipeline, watched from outside.
struct Watched {
    pipeline: Pipeline,
    trouble: Trouble,
    /// Groups that were to be decided.
    begun: Mutex<usize>,
    /// The callers in the order in which their submissions were first offered.
    offered: Mutex<Vec<usize>>,
}

impl Model {
    fn new(setting: Setting, governance: Governance) -> Self {
        let Setting { trouble, places, due, .. } = setting;
        let (disk, underway) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let (progress, inbox) = (Condvar::new(), Mutex::default());
        let log = Arc::new(Log { trouble, places, disk, underway, progress, inbox });
        let stages = Stages {
            governance,
            limits: Limits::default(),
            current: Current { rows: 0, due },
            seal_key: SecretKey::from_seed(&[2; 32]).unwrap().public().id(),
            random: StdRng::seed_from_u64(1),
            chain: Chain::default(),
            writer: Writer(log.clone()),
        };
        let pipeline = Pipeline::new(log.clone(), Arc::new(platform::Standing), stages, Vec::new());
        let (begun, offered) = (Mutex::new(0), Mutex::new(Vec::new()));
        Model { queue: Queue::default(), commit: Watched { pipeline, trouble, begun, offered }, log }
    }

    fn submit(&self, caller: usize) -> End {
        catch_unwind(AssertUnwindSafe(|| self.queue.submit(Submission(caller), &self.commit))).ok()
    }

    /// What the one key holds is durable. After a failure it is not said.
    fn read(&self) {
        // Reading waits for the writer, and whoever decides waits for the reader.
        if self.commit.trouble == Trouble::WritingWaits {
            return;
        }
        match self.commit.pipeline.current("key") {
            Ok(held) => {
                let (row, size) = (held.map(|held| held.row), self.log.head().size);
                assert!(row < Some(size), "row {row:?} is shown and {size} rows are durable");
            }
            Err(error) => assert_ne!(self.commit.trouble, Trouble::None, "{error}"),
        }
    }
}

impl Watched {
    /// What had no place keeps its place in the queue.
    fn check_order(&self, submissions: &VecDeque<Submission>) {
        let mut offered = self.offered.lock().unwrap();
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

impl Commit for Watched {
    type Decided<'w> = pipeline::Decided<'w>;

    fn decide(&self, submissions: &mut VecDeque<Submission>) -> Result<Self::Decided<'_>, String> {
        let begun = {
            let mut begun = self.begun.lock().unwrap();
            *begun += 1;
            *begun
        };
        match self.trouble {
            // A panic must find no lock held: loom has no locks that are poisoned.
            Trouble::DecidingPanics if begun == 1 => std::panic::resume_unwind(Box::new("deciding")),
            Trouble::DecidingFails if begun == 1 => return Err("deciding".into()),
            Trouble::DecidingFailsThen if begun == 3 => return Err("deciding".into()),
            _ => {}
        }
        self.check_order(submissions);
        self.pipeline.decide(submissions)
    }

    fn write(&self, decided: Self::Decided<'_>) -> Result<Vec<Answer>, String> {
        self.pipeline.write(decided)
    }
}

/// How a caller's submission ended; `None` when the caller panicked.
type End = Option<Answer>;

/// What governs at the beginning.
fn governance() -> Governance {
    let key = |seed| *SecretKey::from_seed(&[seed; 32]).unwrap().public().as_bytes();
    let policy = PolicyBody::open(1 << 20);
    let genesis = Genesis { format: FORMAT_VERSION, origin: "o", owner: key(1), ledger: key(2), policy };
    Governance::from_genesis(&genesis, 0).unwrap()
}

/// Runs the callers, one submission each and the last one two, in every interleaving, and hands over how each
/// submission ended and what came to the disk.
fn explore(setting: Setting, check: impl Fn(&[End], &Disk) + Sync + Send + 'static) {
    let Setting { trouble, callers, .. } = setting;
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions(callers));
    let runs = Arc::new(AtomicUsize::new(0));
    let founded = governance();
    let counted = runs.clone();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let model = loom::sync::Arc::new(Model::new(setting, founded.clone()));
        let others: Vec<_> = (1..callers)
            .map(|caller| {
                let model = model.clone();
                loom::thread::spawn(move || model.submit(caller))
            })
            .collect();
        let mut ends = vec![model.submit(0)];
        model.read();
        ends.extend(others.into_iter().map(|other| other.join().unwrap()));
        ends.push(model.submit(callers));
        model.read();
        let disk = model.log.disk.lock().unwrap().clone();
        let sound = matches!(trouble, Trouble::None | Trouble::WritingWaits);
        let poisoned = model.queue.poisoned().is_some();
        // There may be no third group.
        assert!(poisoned != sound || trouble == Trouble::DecidingFailsThen);
        check(&ends, &disk);
    });
    println!("{setting:?}: {} interleavings", runs.load(Ordering::Relaxed));
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
            .map(|place| *place as u64 * ROWS)
            .flat_map(|first| (first..first + ROWS).map(|seq| Receipt { caller, seq }))
            .collect();
        assert_eq!(told, landed, "caller {caller} was told what is on the disk");
        assert!(places.len() <= 1);
    }
}

fn all_land(ends: &[End], disk: &Disk) {
    holds(ends, disk);
    assert!(ends.iter().all(|end| matches!(end, Some(Ok(_)))), "{ends:?}");
    let last = &ends[ends.len() - 1];
    let expected = (ends.len() - 1) as u64 * ROWS;
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

const NO_TROUBLE: Setting = Setting { trouble: Trouble::None, callers: 3, places: 8, due: false };

#[test]
fn each_submission_is_answered_once_in_the_order_of_groups() {
    explore(NO_TROUBLE, all_land);
    explore(Setting { due: true, ..NO_TROUBLE }, all_land);
}

#[test]
fn what_finds_no_place_is_decided_next() {
    explore(Setting { callers: 4, places: 1, ..NO_TROUBLE }, all_land);
}

#[test]
fn the_next_group_is_decided_while_one_is_written() {
    let setting = Setting { trouble: Trouble::WritingWaits, places: 1, ..NO_TROUBLE };
    explore(Setting { callers: 2, ..setting }, all_land);
    explore(setting, all_land);
}

#[test]
fn a_write_that_fails_fails_all_that_was_decided_behind_it() {
    let setting = Setting { trouble: Trouble::WritingFails, places: 1, ..NO_TROUBLE };
    explore(setting, nothing_lands);
    explore(Setting { due: true, ..setting }, nothing_lands);
    explore(Setting { trouble: Trouble::DecidingFails, ..NO_TROUBLE }, nothing_lands);
}

#[test]
fn what_is_on_its_way_when_another_fails_is_told_its_own_end() {
    explore(Setting { trouble: Trouble::DecidingFailsThen, callers: 4, ..NO_TROUBLE }, |ends, disk| {
        holds(ends, disk);
        assert!(disk.len() < 3, "nothing lands behind what failed");
    });
}

#[test]
fn a_leader_that_panics_holds_nobody() {
    let one_panics = |ends: &[End], disk: &Disk| {
        nothing_lands(ends, disk);
        assert_eq!(ends.iter().filter(|end| end.is_none()).count(), 1);
    };
    explore(Setting { trouble: Trouble::DecidingPanics, ..NO_TROUBLE }, one_panics);
}
