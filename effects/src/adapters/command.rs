//! The adapter `counterfoil-adapter-command`: each call is a run of a program, which need not know of keys or of Counterfoil.
//! A journal remembers which calls were made.

use super::journal::{Entry, Journal, State};
use super::{Program, value};
use crate::answer::{Answer, Status};
use crate::call::Verb;
use crate::process::{End, Ended, Keep, Leash, run};
use crate::request::Request;
use crate::text::last_line;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The exit status of a program that failed for now: `EX_TEMPFAIL`.
const FOR_NOW: i32 = 75;

const HELP: &str = "\
Carries out one call of Counterfoil by running a program: reads a request from
the standard input, and writes an answer to the standard output. A journal
remembers which calls were made, so that none is made twice.

Usage: counterfoil-adapter-command --journal DIR -- PROGRAM [ARGUMENT]...

  --journal DIR  the directory of the journal; it is made when it is not there

The program gets what the call asks for, as JSON, on its standard input, and in
its environment COUNTERFOIL_CALL (do or undo), COUNTERFOIL_KEY, COUNTERFOIL_ROW,
COUNTERFOIL_EFFECT and COUNTERFOIL_SANDBOX (0 or 1).

Its exit status  0   done; the last line of its output is kept
                 75  failed, and may succeed later
                 other ones  failed: it certainly had no effect
When a signal kills it, nobody can tell.
";

/// Reads a request, runs the program, and writes an answer.
pub fn main() -> ExitCode {
    Program {
        name: "counterfoil-adapter-command",
        help: HELP,
        options: Options::read,
        answer: Options::answer,
    }
    .run()
}

struct Options {
    journal: PathBuf,
    program: OsString,
    args: Vec<OsString>,
}

impl Options {
    fn read(args: Vec<OsString>) -> Result<Self, String> {
        let mut journal = None;
        let mut args = args.into_iter();
        while let Some(option) = args.next() {
            match option.to_str() {
                Some("--journal") => journal = Some(PathBuf::from(value("--journal", &mut args)?)),
                Some("--") => break,
                _ => return Err(format!("{} is no option", option.display())),
            }
        }
        let journal = journal.ok_or("--journal is missing")?;
        let program = args.next().ok_or("the program is missing: it stands behind --")?;
        Ok(Options { journal, program, args: args.collect() })
    }

    fn answer(&self, request: &Request) -> Answer {
        let refused = |fault: String| Answer::not_sent(request.verb, fault);
        let journal = match Journal::open(&self.journal) {
            Ok(journal) => journal,
            Err(fault) => return refused(fault),
        };
        let found = match request.verb {
            Verb::Ask => match journal.find(request.kind, &request.key) {
                Ok(Some(entry)) => Ok(Some(entry)),
                Ok(None) => return Answer::absent("the journal has no such call"),
                Err(fault) => Err(fault),
            },
            Verb::Make => journal.begin(request.kind, &request.key),
        };
        match found {
            Ok(Some(entry)) => told(&journal, entry),
            Ok(None) => self.make(&journal, request),
            // What an entry that cannot be read says of the call, nobody can tell.
            Err(fault) if journal.path(request.kind, &request.key).exists() => Answer::unknown(fault),
            Err(fault) => refused(fault),
        }
    }

    /// Makes a call that has begun in the journal.
    fn make(&self, journal: &Journal, request: &Request) -> Answer {
        let mut answer = self.run(request);
        let state = match answer.status {
            Status::Done => State::Done,
            Status::Failed => State::Failed,
            Status::Unknown | Status::Absent => State::Unknown,
        };
        let entry = Entry {
            call: request.kind,
            key: request.key.clone(),
            state,
            retry: answer.retry,
            detail: answer.detail.clone(),
        };
        if let Err(fault) = journal.write(&entry) {
            answer.detail = format!("{}; the journal does not know: {fault}", answer.detail);
            // It says that the call began: it would not be made again.
            answer.retry = false;
        }
        answer
    }

    fn run(&self, request: &Request) -> Answer {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env("COUNTERFOIL_CALL", request.kind.name())
            .env("COUNTERFOIL_KEY", &request.key)
            .env("COUNTERFOIL_ROW", request.row.to_string())
            .env("COUNTERFOIL_EFFECT", request.effect.to_string())
            .env("COUNTERFOIL_SANDBOX", if request.sandbox { "1" } else { "0" });
        match run(command, format!("{}\n", request.request).into_bytes(), Leash::Ours, Keep::Tail) {
            Ok(ended) => judge(&ended),
            Err(error) => Answer::failed(format!(
                "{} could not be started: {error}; install it, or correct what stands behind --",
                self.program.display()
            )),
        }
        .cut()
    }
}

/// What the journal tells of a call.
fn told(journal: &Journal, entry: Entry) -> Answer {
    match entry.state {
        State::Done => Answer::done(entry.detail),
        State::Failed if entry.retry => Answer::failed_for_now(entry.detail),
        State::Failed => Answer::failed(entry.detail),
        State::Begun | State::Unknown => {
            let path = journal.path(entry.call, &entry.key);
            let detail = if entry.detail.is_empty() {
                "it began, and either still runs or was cut short"
            } else {
                &entry.detail
            };
            let remedy = "find out whether it took effect; when it did not, remove";
            Answer::unknown(format!("{detail}: {remedy} {}", path.display())).cut()
        }
    }
}

/// What the end of the program means.
fn judge(ended: &Ended) -> Answer {
    let errors = last_line(&ended.errors);
    let words = if errors.is_empty() { last_line(&ended.output) } else { errors };
    let said = |how: String| if words.is_empty() { how } else { format!("{how}: {words}") };
    match &ended.end {
        End::Exited(0) => Answer::done(last_line(&ended.output)),
        End::Exited(FOR_NOW) => Answer::failed_for_now(said(format!("it ended with status {FOR_NOW}"))),
        End::Exited(status) => Answer::failed(said(format!("it ended with status {status}"))),
        End::Killed(signal) => Answer::unknown(said(format!("it was killed by signal {signal}"))),
        End::TimedOut => Answer::unknown(said("its time was up".to_owned())),
        End::Lost(error) => Answer::unknown(said(format!("it could not be followed: {error}"))),
    }
}
