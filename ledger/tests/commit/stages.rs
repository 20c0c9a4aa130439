//! What the pipeline moves through its stages, as far as the model needs it: rows are counted, and the disk is a list of
//! groups. Each module stands where one of the ledger's own does.

use loom::sync::{Condvar, Mutex};

/// Rows of a submission.
pub const ROWS: u64 = 2;
/// The first post; callers have smaller numbers. It needs the room of two.
pub const POST: usize = 10;

pub mod sync {
    pub use loom::sync::{Condvar, Mutex, MutexGuard};
    pub use std::sync::PoisonError;
}

pub mod submission {
    /// Two rows of a caller.
    #[derive(Debug)]
    pub struct Submission(pub usize);

    impl Submission {
        pub fn bytes(&self) -> usize {
            1
        }
    }
}

pub mod error {
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum SubmitError {
        Failed(String),
        Poisoned(String),
        Unseen,
    }

    #[derive(Debug, thiserror::Error)]
    pub enum ReadError {
        #[error("{0}")]
        Index(String),
        #[error("unsettled")]
        Unsettled,
    }

    #[derive(Debug)]
    pub struct FileError;

    impl FileError {
        pub fn unseen(&self) -> SubmitError {
            SubmitError::Unseen
        }
    }
}

pub mod draft {
    use rand::rngs::StdRng;

    pub fn random_salt(_: &mut StdRng) -> [u8; 16] {
        [0; 16]
    }
}

pub mod platform {
    pub trait Clock: Send + Sync {
        fn now(&self) -> i64;
    }

    /// A clock that stands.
    pub struct Standing;

    impl Clock for Standing {
        fn now(&self) -> i64 {
            0
        }
    }
}

pub mod log {
    use super::{Condvar, Mutex, ROWS};

    /// Groups that came to the disk: the callers of each, and whether it was synced.
    pub type Disk = Vec<(Vec<usize>, bool)>;

    /// What goes wrong when the first group comes by.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Trouble {
        None,
        DecidingPanics,
        DecidingFails,
        /// Deciding the third group fails, when others may be on their way.
        DecidingFailsThen,
        WritingFails,
        /// Nothing does, but the group of caller 0 is written only when that of caller 1 has been decided.
        WritingWaits,
        /// The inbox cannot be looked into, the first time.
        InboxHides,
    }

    /// The log, with the disk under it.
    pub struct Log {
        pub trouble: Trouble,
        /// Submissions of callers that have a place in one group.
        pub places: usize,
        pub disk: Mutex<Disk>,
        /// Callers whose submissions are decided.
        pub underway: Mutex<Vec<usize>>,
        pub progress: Condvar,
        pub inbox: Mutex<Inbox>,
    }

    /// What was posted, in order.
    #[derive(Default)]
    pub struct Inbox {
        pub posts: Vec<usize>,
        /// Posts that are in a group on its way.
        pub held: Vec<usize>,
        /// How often somebody has looked to take them.
        pub looks: usize,
    }

    pub struct Head {
        pub size: u64,
        pub landed_at: i64,
        pub row_hash: u64,
    }

    impl Log {
        pub fn head(&self) -> Head {
            Head { size: durable(&self.disk.lock().unwrap()), landed_at: 0, row_hash: 0 }
        }

        pub fn notices(&self) -> Vec<String> {
            Vec::new()
        }
    }

    /// How many rows of a disk are durable.
    pub fn durable(disk: &Disk) -> u64 {
        disk.iter().filter(|(_, synced)| *synced).map(|(callers, _)| callers.len() as u64 * ROWS).sum()
    }
}

pub mod index {
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Held {
        pub row: u64,
    }

    pub struct Index;

    pub struct Watermark {
        pub rows: u64,
        pub last_hash: u64,
    }
}

pub mod rebuild {
    use super::error::ReadError;
    use super::index::Index;
    use super::log::Log;

    pub fn memory_index(_: &Log) -> Result<Index, ReadError> {
        Ok(Index)
    }
}

pub mod tiles {
    use super::log::Log;

    pub struct Tiles;

    impl Tiles {
        pub fn of(_: &Log) -> Self {
            Tiles
        }

        pub fn catch_up(&self) -> Result<(), ()> {
            Ok(())
        }
    }
}

pub mod current {
    use super::index::{Held, Index, Watermark};
    use std::sync::Arc;

    /// A state of one key, which every row sets.
    #[derive(Default)]
    pub struct Current {
        pub rows: u64,
        /// Whether it is handed over before each group.
        pub due: bool,
    }

    impl Current {
        pub fn held(&self, _: &str) -> Result<Option<Held>, String> {
            Ok(self.rows.checked_sub(1).map(|row| Held { row }))
        }

        pub fn is_due(&mut self) -> bool {
            self.due
        }

        /// An index may hold durable rows alone, and it holds what has been decided.
        pub fn hand_over(&mut self, watermark: Watermark) -> Result<(), String> {
            assert_eq!(watermark.rows, self.rows, "rows that are not durable are handed to the index");
            Ok(())
        }

        pub fn flush(&mut self, watermark: Watermark) -> Result<(), String> {
            self.hand_over(watermark)
        }

        pub fn replace_index(&mut self, _: Arc<Index>) {}
    }
}

pub mod batch {
    use super::current::Current;
    use super::error::SubmitError;
    use super::log::Log;
    use super::submission::Submission;
    use super::{POST, ROWS};
    use counterfoil_format::intent::KeyId;
    use counterfoil_rules::governance::Governance;
    use counterfoil_rules::limits::Limits;
    use rand::rngs::StdRng;
    use std::collections::VecDeque;

    pub struct Fresh;

    pub struct Ground<'g> {
        pub log: &'g Log,
        pub underway: &'g VecDeque<(u64, Fresh)>,
        pub governance: &'g mut Governance,
        pub limits: &'g mut Limits,
        pub current: &'g mut Current,
        pub seal_keys: &'g [KeyId],
        pub random: &'g mut StdRng,
    }

    #[derive(Clone, Copy)]
    pub struct End {
        pub size: u64,
        pub landed_at: i64,
        pub decided_at: i64,
    }

    pub struct Batch {
        pub end: End,
        pub index_failed: Option<String>,
        pub callers: Vec<usize>,
        pub sealing: Option<KeyId>,
        /// What is answered to those behind them.
        pub refused: Vec<SubmitError>,
    }

    impl Batch {
        pub fn behind(end: End) -> Self {
            Batch { end, index_failed: None, callers: Vec::new(), sealing: None, refused: Vec::new() }
        }

        pub fn offer(
            &mut self,
            ground: &mut Ground<'_>,
            submission: Submission,
            _: i64,
        ) -> Option<Submission> {
            let places = |caller: usize| if caller < POST { 1 } else { 2 };
            let taken: usize = self.callers.iter().map(|caller| places(*caller)).sum();
            if taken > 0 && taken + places(submission.0) > ground.log.places {
                return Some(submission);
            }
            self.callers.push(submission.0);
            self.end.size += ROWS;
            ground.current.rows = self.end.size;
            ground.log.underway.lock().unwrap().push(submission.0);
            ground.log.progress.notify_all();
            None
        }

        pub fn refuse(&mut self, error: SubmitError) {
            self.refused.push(error);
        }

        pub fn take_fresh(&mut self) -> Fresh {
            Fresh
        }
    }
}

pub mod secret {
    pub use counterfoil_ledger::Signer;
}

pub mod chain {
    use super::ROWS;
    use super::batch::Batch;
    use super::error::SubmitError;
    use super::secret::Signer;
    use std::sync::Arc;

    /// A row of the model: who submitted it, and where it landed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Receipt {
        pub caller: usize,
        pub seq: u64,
    }

    #[derive(Default)]
    pub struct Chain {
        rows: u64,
    }

    type Answers = Vec<Result<Vec<Receipt>, SubmitError>>;

    impl Chain {
        pub fn hold(&mut self, _: Arc<dyn Signer>) {}

        pub fn size(&self) -> u64 {
            self.rows
        }

        pub fn tree(&self) -> u64 {
            self.rows
        }

        pub fn extend(&mut self, batch: Batch) -> Result<(Option<Vec<usize>>, Answers), String> {
            let answers = batch.callers.iter().map(|caller| {
                let first = self.rows;
                self.rows += ROWS;
                Ok((first..self.rows).map(|seq| Receipt { caller: *caller, seq }).collect())
            });
            let answers = answers.chain(batch.refused.into_iter().map(Err)).collect();
            Ok(((!batch.callers.is_empty()).then_some(batch.callers), answers))
        }
    }
}

pub mod writer {
    use super::error::FileError;
    use super::log::{Log, Trouble};
    use std::sync::Arc;

    pub struct Rotation {
        pub segment_bytes: u64,
        pub salt: [u8; 16],
    }

    pub struct Writer(pub Arc<Log>);

    impl Writer {
        pub fn check_place(&self, rows: u64) -> Result<(), String> {
            if self.0.head().size == rows { Ok(()) } else { Err("an earlier write failed".to_owned()) }
        }

        pub fn write(&mut self, callers: Vec<usize>, _: &Rotation) -> Result<(), String> {
            let Log { trouble, disk, underway, progress, .. } = &*self.0;
            if *trouble == Trouble::WritingWaits && callers == [0] {
                let mut underway = underway.lock().unwrap();
                while !underway.contains(&1) {
                    underway = progress.wait(underway).unwrap();
                }
            }
            let mut disk = disk.lock().unwrap();
            let sound = !disk.is_empty() || *trouble != Trouble::WritingFails;
            disk.push((callers, sound));
            if sound { Ok(()) } else { Err("the disk".to_owned()) }
        }

        pub fn notice(&self) -> Option<String> {
            None
        }

        pub fn finish(&mut self, _: u64) -> Result<(), FileError> {
            Ok(())
        }
    }
}
