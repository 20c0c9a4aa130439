//! What a ledger takes from its surroundings: files, a clock, and a place for the state index.

use crate::index::{IndexSource, Sled};
use crate::storage::{Disk, Storage};
use counterfoil_format::intent::Micros;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync + Debug {
    /// Microseconds since 1970. It may go backwards; the ledger's times do not.
    fn now(&self) -> Micros;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        now()
    }
}

/// Microseconds since 1970 by the system's clock.
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// The surroundings of a ledger.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Where files are.
    pub storage: Arc<dyn Storage>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where the state index is.
    pub index: Arc<dyn IndexSource>,
    /// How often a writer looks into its inbox while nobody submits. With `None` it looks there only as it opens the
    /// ledger, and before each group.
    pub inbox_every: Option<Duration>,
    /// How often a writer sees whether a snapshot is due. With `None` it makes none by itself.
    pub snapshots_every: Option<Duration>,
}

/// Often enough that nobody who waits for a post notices, and seldom enough that nobody else does.
const INBOX_EVERY: Duration = Duration::from_millis(50);

/// So long rows may land behind the one at which a snapshot was due.
const SNAPSHOTS_EVERY: Duration = Duration::from_millis(100);

impl Default for Platform {
    /// The operating system's disk and clock, and sled; the inbox is looked into twenty times a second.
    fn default() -> Self {
        Platform {
            storage: Arc::new(Disk),
            clock: Arc::new(SystemClock),
            index: Arc::new(Sled),
            inbox_every: Some(INBOX_EVERY),
            snapshots_every: Some(SNAPSHOTS_EVERY),
        }
    }
}
