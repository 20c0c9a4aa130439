//! An adapter, and how it carries a call out.

use crate::answer::{Answer, Status};
use crate::call::{Call, Verb};
use crate::duration::show;
use crate::process::{End, Ended, Keep, Leash, OUTPUT_BYTES, run};
use crate::protocol::{Fate, Outcome, Patience, see_through};
use crate::text::last_line;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How often a call may be made again, at most.
pub const MOST_RETRIES: u32 = 20;

/// A program that carries out calls. It is started anew for every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Its name: what rows call it.
    pub name: String,
    /// The program: a path, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// What the program is started with.
    pub args: Vec<String>,
    /// The directory that it is started in; without one, that of the caller.
    pub dir: Option<PathBuf>,
    /// How long it may take for one answer.
    pub timeout: Duration,
    /// How often a call is made again, and how often an unanswered question is asked again: so often each.
    pub retries: u32,
    /// The wait before the first repetition; each further one is twice as long, up to 30 s.
    pub backoff: Duration,
    /// Whether it can act in a sandbox.
    pub sandbox: bool,
}

impl Adapter {
    /// An adapter with the settings that hold when a file says nothing else.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Adapter {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            dir: None,
            timeout: Duration::from_secs(30),
            retries: 3,
            backoff: Duration::from_millis(200),
            sandbox: false,
        }
    }

    /// Carries out a call that was never made before. It is made again only when it certainly did not take effect.
    /// `pause` waits: [`std::thread::sleep`], but for tests.
    pub fn carry_out(&self, call: &Call, pause: &mut dyn FnMut(Duration)) -> Outcome {
        self.settle(call, false, None, pause)
    }

    /// The same for a call of which it is not known whether it was made, or what became of it: that is asked first.
    pub fn resume(&self, call: &Call, pause: &mut dyn FnMut(Duration)) -> Outcome {
        self.settle(call, true, None, pause)
    }

    /// Asks what became of a call of which that is not known, and does not make it: when it was never made it has failed, for
    /// this reason.
    pub fn find_out(&self, call: &Call, not_made: &str, pause: &mut dyn FnMut(Duration)) -> Outcome {
        self.settle(call, true, Some(not_made.to_owned()), pause)
    }

    /// Sees a call through; with a reason not to make it, it is asked about at most.
    fn settle(
        &self,
        call: &Call,
        asks_first: bool,
        not_made: Option<String>,
        pause: &mut dyn FnMut(Duration),
    ) -> Outcome {
        if let Err(refused) = call.check() {
            return Outcome::new(Fate::Failed, &refused.to_string(), 0);
        }
        let unfit = (call.sandbox && !self.sandbox).then(|| self.no_sandbox());
        let not_made = not_made.or(unfit);
        // Whether it was made before can still be asked.
        if let Some(reason) = not_made.as_ref().filter(|_| !asks_first) {
            return Outcome::new(Fate::Failed, reason, 0);
        }
        let patience = Patience { retries: self.retries.min(MOST_RETRIES), backoff: self.backoff };
        let mut request = |verb, attempt| match (verb, &not_made) {
            (Verb::Make, Some(reason)) => Answer::failed(reason.clone()),
            _ => self.request(call, verb, attempt),
        };
        let outcome = see_through(patience, asks_first, &mut request, pause);
        Outcome { attempts: if not_made.is_some() { 0 } else { outcome.attempts }, ..outcome }
    }

    fn no_sandbox(&self) -> String {
        format!(
            "the call is for a sandbox, and the adapter {} has none: nothing was called. When it can act in one, say \
             `sandbox = true` in [adapters.{0}]",
            self.name
        )
    }

    /// One request, and what the program answers. Never "failed" to a question that could not be asked: of the call itself
    /// that says nothing.
    fn request(&self, call: &Call, verb: Verb, attempt: u32) -> Answer {
        let line = match call.line(verb, &self.name, attempt) {
            Ok(line) => line,
            Err(refused) => return Answer::not_sent(verb, refused.to_string()),
        };
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        match run(command, line, Leash::Group(self.timeout), Keep::Head) {
            Ok(ended) => self.read(verb, ended),
            Err(error) => Answer::not_sent(
                verb,
                format!(
                    "the adapter {} could not be started: {}{}: {error}; install the program, or correct `program` in \
                     [adapters.{0}]",
                    self.name,
                    self.program.display(),
                    self.dir.as_ref().map(|dir| format!(" in {}", dir.display())).unwrap_or_default(),
                ),
            ),
        }
    }

    /// What an ended program has answered.
    fn read(&self, verb: Verb, ended: Ended) -> Answer {
        let fault = match ended.end {
            End::TimedOut => format!("gave no answer within {} and was killed", show(self.timeout)),
            End::Killed(signal) => format!("was killed by signal {signal}"),
            End::Lost(error) => format!("could not be followed and was killed ({error})"),
            End::Exited(0) if ended.more_output => {
                format!("answered with more than {OUTPUT_BYTES} bytes, which is no answer")
            }
            End::Exited(0) if ended.output.trim_ascii().is_empty() => "ended without an answer".to_owned(),
            End::Exited(0) => match Answer::parse(&ended.output) {
                Ok(answer) if answer.status == Status::Absent && verb == Verb::Make => {
                    "answered `absent`, which answers only `ask`".to_owned()
                }
                Ok(answer) => return answer,
                Err(fault) => format!("gave no answer that can be read ({fault})"),
            },
            End::Exited(status) => format!("ended with status {status}, which makes any answer void"),
        };
        let mut detail = format!("the adapter {} {fault}", self.name);
        let words = last_line(&ended.errors);
        if !words.is_empty() {
            detail.push_str("; it said: ");
            detail.push_str(&words);
        }
        Answer::unknown(detail).cut()
    }
}

#[cfg(test)]
mod tests;
