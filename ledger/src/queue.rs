//! Group commit: callers queue up; one of them at a time leads, and lands what has queued as one group with one sync.
//!
//! A group is decided first: outcomes and rollbacks. Then it is chained, written and synced. The lead is handed on
//! between the two, so the next group is decided while this one is on its way to the disk.
//! Groups are written in the order they were decided. Each caller waits for its own rows to be durable, and for
//! nothing else; when a caller dies while it leads, the ledger accepts nothing more.

use crate::chain::Receipt;
use crate::error::SubmitError;
use crate::submission::Submission;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The answer to a submission.
pub(crate) type Answer = Result<Vec<Receipt>, SubmitError>;

/// The two stages of a group. An error means that what is on disk is not known any more.
pub(crate) trait Commit {
    /// A group that is decided, and what keeps its place in the order of writing.
    type Decided<'c>
    where
        Self: 'c;

    /// Decides what the ledger has to land by itself, and then as many of the submissions as have a place in the same
    /// group, from the first on, which it takes: at least one, unless what comes before them has taken the place.
    fn decide(&self, submissions: &mut VecDeque<Submission>) -> Result<Self::Decided<'_>, String>;

    /// Writes and syncs what was decided, and lets readers see it. Yields the answer to each submission that was taken.
    fn write(&self, decided: Self::Decided<'_>) -> Result<Vec<Answer>, String>;
}

/// Submissions that a leader takes at once.
const TAKEN: usize = 1024;
/// Bytes of intents that a leader takes at once: few enough that they stay in the processor's cache from stage to
/// stage, and enough that a sync is shared.
const TAKEN_BYTES: usize = 1024 * 1024;

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Submissions that no leader has taken, by the caller they are from.
    waiting: VecDeque<(u64, Submission)>,
    /// Those who have not been answered yet.
    callers: BTreeMap<u64, Caller>,
    next: u64,
    led: bool,
    poisoned: Option<String>,
}

/// A caller that waits, to be woken when it is answered or may lead.
struct Caller {
    woken: Arc<Condvar>,
    /// Whether it is asleep and nobody has woken it.
    sleeps: bool,
    answer: Option<Answer>,
}

impl Caller {
    fn wake(&mut self) {
        self.sleeps = false;
        self.woken.notify_one();
    }
}

impl State {
    fn join(&mut self, submission: Submission) -> (u64, Arc<Condvar>) {
        let (caller, woken) = (self.next, Arc::new(Condvar::new()));
        self.next += 1;
        self.waiting.push_back((caller, submission));
        self.callers.insert(caller, Caller { woken: woken.clone(), sleeps: false, answer: None });
        (caller, woken)
    }

    /// The caller's answer, with which it leaves.
    fn leave(&mut self, caller: u64) -> Option<Answer> {
        let answer = self.callers.get_mut(&caller)?.answer.take()?;
        self.callers.remove(&caller);
        Some(answer)
    }

    fn answer(&mut self, caller: u64, answer: Answer) {
        if let Some(caller) = self.callers.get_mut(&caller) {
            caller.answer = Some(answer);
            caller.wake();
        }
    }

    /// Gives up the lead. When something waits, one who sleeps is woken to take it: the one who has waited longest, or
    /// else one whose submission is on its way. Those who do not sleep look for themselves.
    fn give_up_lead(&mut self) {
        self.led = false;
        self.refuse_if_poisoned();
        if self.waiting.is_empty() {
            return;
        }
        let waiting = self.waiting.iter().map(|(caller, _)| caller);
        let sleeps = |caller: &&u64| self.callers.get(caller).is_some_and(|caller| caller.sleeps);
        let sleeper = waiting.chain(self.callers.keys()).find(sleeps).copied();
        if let Some(caller) = sleeper.and_then(|caller| self.callers.get_mut(&caller)) {
            caller.wake();
        }
    }

    /// From now on nothing is accepted. Submissions that are on their way still get their own answers.
    fn poison(&mut self, reason: &str) {
        self.poisoned.get_or_insert_with(|| reason.to_owned());
        self.refuse_if_poisoned();
    }

    fn refuse_if_poisoned(&mut self) {
        let Some(reason) = self.poisoned.clone() else { return };
        for (caller, _) in std::mem::take(&mut self.waiting) {
            self.answer(caller, Err(SubmitError::Poisoned(reason.clone())));
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lands a submission, alone or together with others that wait. Returns when it is durable or refused.
    pub fn submit<C: Commit>(&self, submission: Submission, commit: &C) -> Answer {
        let mut state = self.lock();
        if let Some(reason) = &state.poisoned {
            return Err(SubmitError::Poisoned(reason.clone()));
        }
        let (caller, woken) = state.join(submission);
        loop {
            if let Some(answer) = state.leave(caller) {
                return answer;
            }
            state = if state.led || state.waiting.is_empty() {
                state.callers.entry(caller).and_modify(|caller| caller.sleeps = true);
                let mut state = woken.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.callers.entry(caller).and_modify(|caller| caller.sleeps = false);
                state
            } else {
                state.led = true;
                let taken = take(&mut state.waiting);
                drop(state);
                self.lead(taken, commit);
                self.lock()
            };
        }
    }

    /// Lands what the ledger has to land by itself, with nobody's submission. Nothing is done while somebody leads, or
    /// when nothing is accepted any more.
    pub fn tend<C: Commit>(&self, commit: &C) {
        let mut state = self.lock();
        if state.led || state.poisoned.is_some() {
            return;
        }
        state.led = true;
        drop(state);
        self.lead(Vec::new(), commit);
    }

    /// Whether an earlier write failed, and why.
    pub fn poisoned(&self) -> Option<String> {
        self.lock().poisoned.clone()
    }

    /// Commits what was taken. However it ends, the lead is given back, and everybody whom it concerns is woken.
    fn lead<C: Commit>(&self, taken: Vec<(u64, Submission)>, commit: &C) {
        let (callers, mut submissions): (Vec<_>, VecDeque<_>) = taken.into_iter().unzip();
        let mut lead = Lead { queue: self, callers, leading: true, ended: false };
        let written = commit.decide(&mut submissions).and_then(|decided| {
            lead.hand_on(submissions);
            commit.write(decided)
        });
        match written {
            Ok(answers) => lead.answer(answers),
            Err(reason) => lead.fail(&reason),
        }
    }
}

fn take(waiting: &mut VecDeque<(u64, Submission)>) -> Vec<(u64, Submission)> {
    let mut taken = Vec::new();
    let mut bytes = 0;
    while let Some((_, next)) = waiting.front() {
        bytes += next.bytes();
        if !taken.is_empty() && (taken.len() >= TAKEN || bytes > TAKEN_BYTES) {
            break;
        }
        taken.extend(waiting.pop_front());
    }
    taken
}

/// A group on its way. When it is dropped before it has ended, somebody panicked, and nothing more is accepted.
struct Lead<'q> {
    queue: &'q Queue,
    callers: Vec<u64>,
    leading: bool,
    ended: bool,
}

impl Lead<'_> {
    /// Lets the next caller lead. What found no place in the group waits in front again.
    fn hand_on(&mut self, rest: VecDeque<Submission>) {
        let placed = self.callers.len().saturating_sub(rest.len());
        let mut state = self.queue.lock();
        let again = self.callers.drain(placed..).zip(rest);
        again.rev().for_each(|waiting| state.waiting.push_front(waiting));
        state.give_up_lead();
        self.leading = false;
    }

    fn answer(&mut self, answers: Vec<Answer>) {
        let mut state = self.queue.lock();
        self.callers.drain(..).zip(answers).for_each(|(caller, answer)| state.answer(caller, answer));
        self.ended = true;
    }

    fn fail(&mut self, reason: &str) {
        let mut state = self.queue.lock();
        let failed = || Err(SubmitError::Failed(reason.to_owned()));
        self.callers.drain(..).for_each(|caller| state.answer(caller, failed()));
        state.poison(reason);
        self.ended = true;
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.fail("the writer panicked");
        }
        if self.leading {
            self.queue.lock().give_up_lead();
        }
    }
}
