//! A ledger in memory whose clock says what it is told to.

use crate::sim::SimFs;
use counterfoil_format::intent::Micros;
use counterfoil_ledger::{Clock, InMemory, Platform};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that says what it is told to.
#[derive(Debug)]
pub struct Told(AtomicI64);

impl Default for Told {
    fn default() -> Self {
        Told(AtomicI64::new(1_800_000_000_000_000))
    }
}

impl Clock for Told {
    fn now(&self) -> Micros {
        self.0.load(Ordering::Relaxed)
    }
}

impl Told {
    /// Moves it by so many microseconds, backwards when that is negative.
    pub fn pass(&self, step: Micros) {
        self.0.fetch_add(step, Ordering::Relaxed);
    }
}

/// The surroundings of a disk in memory with such a clock.
pub fn told(fs: &SimFs) -> (Platform, Arc<Told>) {
    let clock = Arc::new(Told::default());
    let (storage, index) = (Arc::new(fs.clone()), Arc::new(InMemory));
    (Platform { storage, clock: clock.clone(), index, inbox_every: None, snapshots_every: None }, clock)
}
