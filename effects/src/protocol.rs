//! How one call is seen through: when it is made again, and when it is asked about. Pure, so that it can be read and tested
//! without any program.

use crate::answer::{Answer, Status};
use crate::call::Verb;
use crate::text::{DETAIL_BYTES, cut};
use std::time::Duration;

/// The longest wait between two attempts.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What became of a call in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It took effect, once.
    Done,
    /// It certainly did not take effect.
    Failed,
    /// Nobody can tell: somebody has to look.
    Unknown,
}

impl Fate {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Done => "done",
            Fate::Failed => "failed",
            Fate::Unknown => "unknown",
        }
    }
}

/// What became of a call, with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What became of it.
    pub status: Fate,
    /// More about it, for people: at most 4096 bytes.
    pub detail: String,
    /// How often it was made; being asked about does not count.
    pub attempts: u32,
}

impl Outcome {
    pub(crate) fn new(status: Fate, detail: &str, attempts: u32) -> Self {
        Outcome { status, detail: cut(detail, DETAIL_BYTES).to_owned(), attempts }
    }
}

/// How patiently a call is seen through.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often a call is made again, and how often an unanswered question is asked again: so often each.
    pub retries: u32,
    /// The first wait; each further one is twice as long, up to [`LONGEST_WAIT`].
    pub backoff: Duration,
}

/// Sees a call through. `adapter` makes it or asks about it, by the number of the attempt; `pause` waits. With `asks_first`
/// it may have been made before, by somebody who did not learn what became of it.
pub fn see_through(
    patience: Patience,
    asks_first: bool,
    adapter: &mut dyn FnMut(Verb, u32) -> Answer,
    pause: &mut dyn FnMut(Duration),
) -> Outcome {
    let mut waits = Waits { next: patience.backoff.min(LONGEST_WAIT), pause };
    let (mut attempts, mut asked_again) = (0, 0);
    let mut unsettled = if asks_first { Some(String::new()) } else { None };
    loop {
        let Some(said) = &unsettled else {
            attempts += 1;
            let answer = adapter(Verb::Make, attempts);
            match answer.status {
                Status::Done => return Outcome::new(Fate::Done, &answer.detail, attempts),
                Status::Failed if answer.retry && attempts <= patience.retries => waits.wait(),
                Status::Failed => return Outcome::new(Fate::Failed, &answer.detail, attempts),
                Status::Unknown | Status::Absent => unsettled = Some(answer.detail),
            }
            continue;
        };
        // It may have taken effect: nothing is made again before it is known that it did not.
        let answer = adapter(Verb::Ask, attempts.max(1));
        let may_be_made = answer.status == Status::Absent || answer.status == Status::Failed && answer.retry;
        match answer.status {
            Status::Done => return Outcome::new(Fate::Done, &answer.detail, attempts),
            Status::Unknown if asked_again < patience.retries => {
                asked_again += 1;
                waits.wait();
            }
            Status::Unknown => return Outcome::new(Fate::Unknown, &both(said, &answer.detail), attempts),
            _ if may_be_made && attempts <= patience.retries => {
                unsettled = None;
                if attempts > 0 {
                    waits.wait();
                }
            }
            Status::Failed => return Outcome::new(Fate::Failed, &answer.detail, attempts),
            Status::Absent => {
                let detail = format!("it was never received; {}", both(said, &answer.detail));
                return Outcome::new(Fate::Failed, &detail, attempts);
            }
        }
    }
}

/// What was said when the call was made, and what when it was asked about.
fn both(made: &str, asked: &str) -> String {
    match (cut(made, DETAIL_BYTES / 2), cut(asked, DETAIL_BYTES / 2)) {
        ("", asked) => format!("asked what became of it: {asked}"),
        (made, "") => made.to_owned(),
        (made, asked) => format!("{made}; asked what became of it: {asked}"),
    }
}

struct Waits<'a> {
    next: Duration,
    pause: &'a mut dyn FnMut(Duration),
}

impl Waits<'_> {
    fn wait(&mut self) {
        (self.pause)(self.next);
        self.next = self.next.saturating_mul(2).min(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests;
