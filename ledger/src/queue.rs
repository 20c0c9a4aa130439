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
use std::collections::{HashMap, VecDeque};

/// The answer to a submission.
pub(crate) type Answer = Result<Vec<Receipt>, SubmitError>;

/// The two stages of a group. An error means that what is on disk is not known any more.
pub(crate) trait Commit {
    /// A group that is decided, and what keeps its place in the order of writing.
    type Decided<'c>
    where
        Self: 'c;

    /// Takes as many of the submissions as have a place in one group, from the first on, at least one, and decides them.
    fn decide(&self, submissions: &mut VecDeque<Submission>) -> Result<Self::Decided<'_>, String>;

    /// Writes and syncs what was decided, and lets readers see it. Yields the answer to each submission that was taken.
    fn write(&self, decided: Self::Decided<'_>) -> Result<Vec<Answer>, String>;
}

/// Submissions that a leader takes at once.
const TAKEN: usize = 1024;
/// Bytes of intents that a leader takes at once: few enough that they stay in the processor's cache from stage to
/// stage, and enough that a sync is shared.
const TAKEN_BYTES: usize = 512 * 1024;

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(u64, Submission)>,
    answers: HashMap<u64, Answer>,
    next: u64,
    led: bool,
    poisoned: Option<String>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lands a submission, alone or together with others that wait. Returns when it is durable or refused.
    pub fn submit<C: Commit>(&self, submission: Submission, commit: &C) -> Answer {
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        state.waiting.push_back((ticket, submission));
        loop {
            if let Some(answer) = state.answers.remove(&ticket) {
                return answer;
            }
            if let Some(reason) = &state.poisoned {
                return Err(SubmitError::Poisoned(reason.clone()));
            }
            state = if state.led || state.waiting.is_empty() {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                state.led = true;
                let taken = take(&mut state.waiting);
                drop(state);
                self.lead(taken, commit);
                self.lock()
            };
        }
    }

    /// Whether an earlier write failed, and why.
    pub fn poisoned(&self) -> Option<String> {
        self.lock().poisoned.clone()
    }

    /// Commits what was taken. However it ends, the lead is given back and everybody is woken.
    fn lead<C: Commit>(&self, taken: Vec<(u64, Submission)>, commit: &C) {
        let (tickets, mut submissions): (Vec<_>, VecDeque<_>) = taken.into_iter().unzip();
        let mut lead = Lead { queue: self, tickets, leading: true, ended: false };
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
    tickets: Vec<u64>,
    leading: bool,
    ended: bool,
}

impl Lead<'_> {
    /// Lets the next caller lead. What found no place in the group waits in front again.
    fn hand_on(&mut self, rest: VecDeque<Submission>) {
        let placed = self.tickets.len().saturating_sub(rest.len());
        let mut state = self.queue.lock();
        let again = self.tickets.drain(placed..).zip(rest);
        again.rev().for_each(|waiting| state.waiting.push_front(waiting));
        state.led = false;
        self.leading = false;
        self.queue.changed.notify_all();
    }

    fn answer(&mut self, answers: Vec<Answer>) {
        self.queue.lock().answers.extend(self.tickets.drain(..).zip(answers));
        self.ended = true;
    }

    fn fail(&mut self, reason: &str) {
        let mut state = self.queue.lock();
        let failed = |ticket| (ticket, Err(SubmitError::Failed(reason.to_owned())));
        state.answers.extend(self.tickets.drain(..).map(failed));
        state.poisoned.get_or_insert_with(|| reason.to_owned());
        self.ended = true;
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if self.leading {
            state.led = false;
        }
        if !self.ended {
            state.poisoned.get_or_insert_with(|| "the writer panicked".to_owned());
        }
        self.queue.changed.notify_all();
    }
}
