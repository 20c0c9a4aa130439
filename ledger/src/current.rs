//! The current state: what has changed lately in memory, over the state index.
//!
//! Changes collect in `fresh`. When there are enough, they become `behind` and a thread of their own writes them to
//! the index, in row order, the watermark last; meanwhile new ones collect. A key is looked for in `fresh`, then
//! `behind`, then in what was written last, then in the index. When `fresh` is full before `behind` is done, the writer
//! waits: the lag is bounded, and so is the memory.

use crate::index::{StateIndex, Watermark};
use crate::lookup::HashMap;
use counterfoil_rules::state::{Held, Leaf, State};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Keys in `fresh` at which it is handed over, when the thread is free.
const HAND_OVER: usize = 65_536;
/// Keys in `fresh` at which the writer waits for the thread.
const FULL: usize = 262_144;
/// How long changes wait before they are handed over however few they are. Keys that change often are written once
/// in that time, not once a row.
const LAG: Duration = Duration::from_secs(5);

/// A key's change: what it holds now, and the row that changed it.
pub(crate) type Change = (Option<Leaf>, u64);
type Changes = HashMap<String, Change>;

struct Job {
    changes: Arc<Changes>,
    watermark: Watermark,
}

/// The current state of a ledger.
pub(crate) struct Current {
    fresh: Changes,
    behind: Option<Arc<Changes>>,
    /// What was written last; it is in the index as well, and found faster here.
    settled: Option<Arc<Changes>>,
    /// How writing `behind` went, once it is known.
    finished: Option<Result<(), String>>,
    index: Arc<RwLock<Arc<dyn StateIndex>>>,
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Result<(), String>>,
    worker: Option<JoinHandle<()>>,
    handed_over: Instant,
}

impl Current {
    /// Over an index. Fails when there is no thread to be had.
    pub fn over(index: Arc<dyn StateIndex>) -> std::io::Result<Self> {
        let index = Arc::new(RwLock::new(index));
        let (jobs, inbox) = sync_channel::<Job>(1);
        let (outbox, done) = sync_channel(1);
        let shared = index.clone();
        let work = move || {
            for job in inbox {
                let index = shared.read().unwrap_or_else(PoisonError::into_inner).clone();
                if outbox.send(write_out(&*index, &job)).is_err() {
                    break;
                }
            }
        };
        let worker = std::thread::Builder::new().name("state-index".into()).spawn(work)?;
        let (fresh, behind) = (HashMap::default(), None);
        Ok(Current {
            fresh,
            behind,
            settled: None,
            finished: None,
            index,
            jobs: Some(jobs),
            done,
            worker: Some(worker),
            handed_over: Instant::now(),
        })
    }

    /// What a key holds, and the row that set it.
    pub fn held(&self, key: &str) -> Result<Option<Held>, String> {
        match self.changed(key) {
            Some((leaf, row)) => Ok(leaf.map(|leaf| Held { leaf, row })),
            None => self.index().get(key),
        }
    }

    /// The key's change, when it is still in memory.
    pub fn changed(&self, key: &str) -> Option<Change> {
        let in_map = |map: &Option<Arc<Changes>>| map.as_ref().and_then(|map| map.get(key).cloned());
        let found = self.fresh.get(key).cloned();
        found.or_else(|| in_map(&self.behind)).or_else(|| in_map(&self.settled))
    }

    /// The index, as far as it has been written.
    pub fn index(&self) -> Arc<dyn StateIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in what a row changed. Yields what stood in its place, for [`Current::put_back`].
    pub fn set(&mut self, key: &str, leaf: Option<Leaf>, row: u64) -> Option<Change> {
        match self.fresh.get_mut(key) {
            Some(place) => Some(std::mem::replace(place, (leaf, row))),
            None => self.fresh.insert(key.to_owned(), (leaf, row)),
        }
    }

    /// Takes back the newest change of a key.
    pub fn put_back(&mut self, key: &str, replaced: Option<Change>) {
        match replaced {
            Some(change) => drop(self.set(key, change.0, change.1)),
            None => drop(self.fresh.remove(key)),
        }
    }

    /// Whether it is time to hand changes over: there are many, or the last time is long ago, and the thread is free;
    /// or there are so many that the thread must be waited for.
    pub fn is_due(&mut self) -> bool {
        if self.fresh.len() < HAND_OVER && self.handed_over.elapsed() < LAG {
            return false;
        }
        if let Some(result) = self.behind.as_ref().and_then(|_| self.done.try_recv().ok()) {
            self.finished = Some(result);
        }
        self.behind.is_none() || self.finished.is_some() || self.fresh.len() >= FULL
    }

    /// Hands changes over to the index, waiting for those before; `watermark` is where the log ends, all of it durable.
    pub fn hand_over(&mut self, watermark: Watermark) -> Result<(), String> {
        self.wait()?;
        self.send(watermark)
    }

    /// Writes everything out, and waits for it.
    pub fn flush(&mut self, watermark: Watermark) -> Result<(), String> {
        self.hand_over(watermark)?;
        self.wait()
    }

    fn send(&mut self, watermark: Watermark) -> Result<(), String> {
        let changes = Arc::new(std::mem::take(&mut self.fresh));
        self.handed_over = Instant::now();
        self.behind = Some(changes.clone());
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(Job { changes, watermark }));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err("the thread of the state index is gone".to_owned()),
        }
    }

    fn wait(&mut self) -> Result<(), String> {
        if self.behind.is_none() {
            return Ok(());
        }
        self.outcome()?;
        self.finished = None;
        self.settled = self.behind.take();
        Ok(())
    }

    /// How writing `behind` went, which is waited for when it is not known yet.
    fn outcome(&mut self) -> Result<(), String> {
        let gone = |_| Err("the thread of the state index is gone".to_owned());
        self.finished.get_or_insert_with(|| self.done.recv().unwrap_or_else(gone)).clone()
    }

    /// Gives up the index for another that covers the durable log. Changes not yet written stay on top.
    pub fn replace_index(&mut self, index: Arc<dyn StateIndex>) {
        if self.behind.is_some() {
            // Its outcome must not be taken for that of a later one.
            let _ = self.outcome();
        }
        let fresh = std::mem::take(&mut self.fresh);
        if let Some(behind) = self.behind.take() {
            self.fresh = Arc::try_unwrap(behind).unwrap_or_else(|behind| (*behind).clone());
        }
        self.fresh.extend(fresh);
        (self.settled, self.finished) = (None, None);
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
    }
}

/// Plain inserts in row order, the watermark last.
fn write_out(index: &dyn StateIndex, job: &Job) -> Result<(), String> {
    let mut changes: Vec<_> = job.changes.iter().collect();
    changes.sort_unstable_by_key(|(key, (_, row))| (*row, *key));
    for (key, (leaf, row)) in changes {
        let held = leaf.clone().map(|leaf| Held { leaf, row: *row });
        index.set(key, held.as_ref())?;
    }
    index.set_watermark(&job.watermark)
}

impl Drop for Current {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(worker) = self.worker.take() {
            // A worker that panicked has left an index behind the log, which the next open brings up to date.
            let _ = worker.join();
        }
    }
}

impl State for Current {
    type Error = String;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, String> {
        Ok(self.held(key)?.map(|held| held.leaf))
    }
}
