//! The stages of a group: deciding it, chaining and sealing it, writing it.
//!
//! Each stage has a lock of its own. The lock of the next is taken before one's own is given up, so groups are written
//! in the order they were decided. Rows that are decided and not yet durable are seen by the next decisions alone: when
//! writing them fails, nothing more is accepted.
//!
//! What lies in the inbox ([`crate::inbox`]) is decided before anything else, in every group. While it cannot be looked
//! into, a pulled kill switch may lie there, and what is submitted is refused.

use crate::batch::{Batch, End, Fresh, Ground};
use crate::chain::Chain;
use crate::current::Current;
use crate::draft::random_salt;
use crate::error::{FileError, ReadError};
use crate::index::{Held, Watermark};
use crate::intake::{Intake, Taken};
use crate::log::Log;
use crate::platform::Clock;
use crate::queue::{Answer, Commit};
use crate::rebuild::memory_index;
use crate::secret::Signer;
use crate::submission::Submission;
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::tiles::Tiles;
use crate::writer::{Rotation, Writer};
use counterfoil_format::intent::{KeyId, Micros};
use counterfoil_rules::governance::{Governance, InForce};
use counterfoil_rules::keyring::Keyring;
use counterfoil_rules::limits::Limits;
use rand::rngs::StdRng;
use std::collections::VecDeque;
use std::sync::Arc;

/// What the next decision depends on.
struct Decider {
    governance: Governance,
    limits: Limits,
    current: Current,
    /// The keys at hand that could seal.
    seal_keys: Vec<KeyId>,
    random: StdRng,
    /// How far decisions have gone, which may be further than what is durable.
    end: End,
    /// Whether a decision has been begun and not ended; it stays so when somebody panics.
    deciding: bool,
    /// What was decided and may not be durable yet, by the group it is in.
    underway: VecDeque<(u64, Fresh)>,
}

/// What the stages begin with.
pub(crate) struct Stages {
    pub governance: Governance,
    pub limits: Limits,
    pub current: Current,
    /// The key that seals.
    pub seal_key: KeyId,
    pub random: StdRng,
    pub chain: Chain,
    pub writer: Writer,
}

/// The stages.
pub(crate) struct Pipeline {
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    decider: Mutex<Decider>,
    chain: Mutex<Chain>,
    writer: Mutex<Writer>,
    intake: Intake,
    notices: Mutex<Vec<String>>,
}

/// A batch that is decided, with the right to be chained next.
pub(crate) struct Decided<'p> {
    chain: MutexGuard<'p, Chain>,
    batch: Batch,
    rotation: Rotation,
    /// The posts whose submissions are the first of the batch.
    taken: Taken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipeline {
    pub fn new(log: Arc<Log>, clock: Arc<dyn Clock>, stages: Stages, notices: Vec<String>) -> Self {
        let Stages { governance, limits, current, seal_key, random, chain, writer } = stages;
        let (head, underway) = (log.head(), VecDeque::new());
        let end = End { size: head.size, landed_at: head.landed_at, decided_at: head.landed_at };
        let seal_keys = vec![seal_key];
        let decider =
            Decider { governance, limits, current, seal_keys, random, end, deciding: false, underway };
        let decider = Mutex::new(decider);
        let (chain, writer) = (Mutex::new(chain), Mutex::new(writer));
        let intake = Intake::of(&log);
        Pipeline { log, clock, decider, chain, writer, intake, notices: Mutex::new(notices) }
    }

    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// How many posts are in the inbox as the ledger is opened.
    pub fn begin(&self) -> Result<usize, FileError> {
        self.intake.begin()
    }

    /// How many posts are in the inbox, not counting those that are on their way.
    pub fn waiting(&self) -> usize {
        self.intake.waiting()
    }

    pub fn governance(&self) -> Governance {
        lock(&self.decider).governance.clone()
    }

    /// By what the next decision is judged.
    pub fn in_force(&self) -> Arc<InForce> {
        lock(&self.decider).governance.in_force.clone()
    }

    /// The time by the ledger's clock.
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// The keys as the next decision has them.
    pub fn keys(&self) -> Arc<Keyring> {
        lock(&self.decider).governance.keys.clone()
    }

    /// Has another key at hand that seals when a row puts it in force.
    pub fn hold(&self, seal_key: Arc<dyn Signer>) {
        let mut decider = lock(&self.decider);
        decider.seal_keys.push(seal_key.public().id());
        lock(&self.chain).hold(seal_key);
    }

    pub fn notices(&self) -> Vec<String> {
        let mut notices = lock(&self.notices).clone();
        notices.extend(self.log.notices());
        notices.extend(self.intake.notices());
        notices.extend(lock(&self.writer).notice());
        notices
    }

    /// What a key holds by durable rows: nothing new is decided and nothing is underway while it is looked up.
    pub fn current(&self, key: &str) -> Result<Option<Held>, ReadError> {
        let mut decider = lock(&self.decider);
        self.wait();
        if decider.deciding || self.log.head().size != decider.end.size {
            return Err(ReadError::Unsettled);
        }
        match decider.current.held(key) {
            Ok(held) => Ok(held),
            Err(reason) => {
                self.replace_index(&mut decider, &reason)?;
                decider.current.held(key).map_err(ReadError::Index)
            }
        }
    }

    /// Writes out the state, the tiles and the checkpoint. The first two are rebuilt when this fails.
    pub fn finish(&self) -> Result<(), FileError> {
        let mut decider = lock(&self.decider);
        self.wait();
        let _ = decider.current.flush(self.watermark());
        let _ = Tiles::of(&self.log).catch_up();
        let tree = lock(&self.chain).tree();
        lock(&self.writer).finish(tree)
    }

    fn watermark(&self) -> Watermark {
        let head = self.log.head();
        Watermark { rows: head.size, last_hash: head.row_hash }
    }

    /// Waits until nothing is underway. The caller holds the decider, so nothing comes after it.
    fn wait(&self) {
        let _chained = lock(&self.chain);
        let _written = lock(&self.writer);
    }

    /// Hands the state over to its index when it is time. The index may hold durable rows alone, so what is underway is
    /// waited for.
    fn hand_over(&self, decider: &mut Decider) -> Result<(), String> {
        if !decider.current.is_due() {
            return Ok(());
        }
        self.wait();
        if self.log.head().size != decider.end.size {
            // The write that was waited for has failed, and said so to its callers.
            return Err("an earlier write failed".to_owned());
        }
        match decider.current.hand_over(self.watermark()) {
            Ok(()) => Ok(()),
            Err(reason) => self.replace_index(decider, &reason).map_err(|error| error.to_string()),
        }
    }

    /// Decides what lies in the inbox, and then the submissions of callers. These wait for the next group when it is not
    /// all decided.
    fn decide_all(
        &self,
        decider: &mut Decider,
        batch: &mut Batch,
        submissions: &mut VecDeque<Submission>,
    ) -> Result<Taken, String> {
        let mut taken = match self.intake.take() {
            Ok(taken) => taken,
            Err(error) => {
                submissions.drain(..).for_each(|_| batch.refuse(error.unseen()));
                return Ok(Taken::default());
            }
        };
        self.offer(decider, batch, &mut taken.submissions)?;
        if taken.is_all_decided() {
            self.offer(decider, batch, submissions)?;
        }
        self.intake.hold(&mut taken);
        Ok(taken)
    }

    /// Decides submissions from the first on, until one has no place in the batch.
    fn offer(
        &self,
        decider: &mut Decider,
        batch: &mut Batch,
        submissions: &mut VecDeque<Submission>,
    ) -> Result<(), String> {
        while let Some(submission) = submissions.pop_front() {
            let Decider { governance, limits, current, seal_keys, random, underway, .. } = &mut *decider;
            let ground =
                &mut Ground { log: &self.log, underway, governance, limits, current, seal_keys, random };
            let Some(later) = batch.offer(ground, submission, self.clock.now()) else { continue };
            submissions.push_front(later);
            match batch.index_failed.take() {
                Some(reason) => self.replace_index(decider, &reason).map_err(|error| error.to_string())?,
                None => break,
            }
        }
        Ok(())
    }

    /// Puts an index in memory, made from the durable rows, in place of one that has failed. What is decided and not yet
    /// handed over stays on top, so it does not matter how much of it is durable by now.
    fn replace_index(&self, decider: &mut Decider, reason: &str) -> Result<(), ReadError> {
        let notice = format!("the state index failed and is kept in memory until the next open: {reason}");
        lock(&self.notices).push(notice);
        let index = memory_index(&self.log)?;
        decider.current.replace_index(Arc::new(index));
        Ok(())
    }
}

impl Decider {
    /// Forgets what of groups that are durable the log itself knows.
    fn settle(&mut self, durable: u64) {
        while self.underway.front().is_some_and(|(end, _)| *end <= durable) {
            self.underway.pop_front();
        }
    }
}

impl Commit for Pipeline {
    type Decided<'p> = Decided<'p>;

    fn decide(&self, submissions: &mut VecDeque<Submission>) -> Result<Decided<'_>, String> {
        let mut decider = lock(&self.decider);
        self.hand_over(&mut decider)?;
        decider.settle(self.log.head().size);
        decider.deciding = true;
        let mut batch = Batch::behind(decider.end);
        let taken = self.decide_all(&mut decider, &mut batch, submissions)?;
        let Decider { governance, random, end, deciding, underway, .. } = &mut *decider;
        batch.sealing = governance.keys.sealing().map(|key| key.key.id());
        *end = batch.end;
        *deciding = false;
        underway.push_back((batch.end.size, batch.take_fresh()));
        let rotation =
            Rotation { segment_bytes: governance.in_force.policy.segment_bytes, salt: random_salt(random) };
        let chain = lock(&self.chain);
        drop(decider);
        Ok(Decided { chain, batch, rotation, taken })
    }

    fn write(&self, decided: Decided<'_>) -> Result<Vec<Answer>, String> {
        let Decided { mut chain, batch, rotation, taken } = decided;
        let before = chain.size();
        let (group, answers) = chain.extend(batch).map_err(|error| error.to_string())?;
        let mut writer = lock(&self.writer);
        drop(chain);
        writer.check_place(before).map_err(|error| error.to_string())?;
        let (of_posts, answers) = taken.split(answers);
        let due = self.intake.refuse(&self.log, taken, of_posts);
        if let Some(group) = group {
            writer.write(group, &rotation).map_err(|error| error.to_string())?;
        }
        drop(writer);
        self.intake.settle(&self.log, due);
        Ok(answers)
    }
}
