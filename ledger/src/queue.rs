//! Group commit: callers queue up; one of them at a time leads, lands what has queued as one group with one sync, and
//! hands the lead on. Each caller waits for its own rows to be durable, and for nothing else.

use crate::batch::Receipt;
use crate::draft::Submission;
use crate::error::SubmitError;
use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The answer to a submission.
pub(crate) type Answer = Result<Vec<Receipt>, SubmitError>;

/// What a leader does with the submissions it takes: the answers to as many of them as it could place, from the
/// first on, at least one; or why nothing more can be written.
pub(crate) type Commit<'c> = dyn Fn(&[Submission]) -> Result<Vec<Answer>, String> + 'c;

/// Submissions that a leader takes at once.
const TAKEN: usize = 1024;
/// Bytes of intents that a leader takes at once; the rows of a group are larger by their rollbacks.
const TAKEN_BYTES: usize = 16 * 1024 * 1024;

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
    pub fn submit(&self, submission: Submission, commit: &Commit<'_>) -> Answer {
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
            state = if state.led {
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
    fn lead(&self, taken: Vec<(u64, Submission)>, commit: &Commit<'_>) {
        let mut lead =
            Lead { queue: self, outcome: Outcome::Panicked, tickets: Vec::new(), rest: Vec::new() };
        let (tickets, submissions): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        lead.tickets = tickets;
        lead.outcome = match commit(&submissions) {
            Ok(answers) => {
                lead.rest = submissions.into_iter().skip(answers.len()).collect();
                Outcome::Answered(answers)
            }
            Err(reason) => Outcome::Failed(reason),
        };
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

enum Outcome {
    Answered(Vec<Answer>),
    Failed(String),
    Panicked,
}

/// The lead; giving it back is its drop, so that a panic cannot keep it.
struct Lead<'q> {
    queue: &'q Queue,
    outcome: Outcome,
    tickets: Vec<u64>,
    rest: Vec<Submission>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.led = false;
        match std::mem::replace(&mut self.outcome, Outcome::Panicked) {
            Outcome::Answered(answers) => {
                let placed = answers.len();
                state.answers.extend(self.tickets.iter().copied().zip(answers));
                let rest = self.tickets.iter().copied().skip(placed).zip(self.rest.drain(..));
                rest.rev().for_each(|waiting| state.waiting.push_front(waiting));
            }
            Outcome::Failed(reason) => {
                let failed = |ticket: &u64| (*ticket, Err(SubmitError::Failed(reason.clone())));
                state.answers.extend(self.tickets.iter().map(failed));
                state.poisoned = Some(reason);
            }
            Outcome::Panicked => state.poisoned = Some("the writer panicked".to_owned()),
        }
        self.queue.changed.notify_all();
    }
}
