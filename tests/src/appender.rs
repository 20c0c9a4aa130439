//! The process that appends until it is stopped, as its parent sees it. `src/bin/appender.rs` is the process.

use crate::journal::{Journal, Said};
use crate::rng::Rng;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// An appender that says nothing for so long will not end by itself.
const SILENCE: Duration = Duration::from_secs(60);

/// What an appender is told.
#[derive(Debug, Clone)]
pub struct Orders {
    /// Where the ledger lies.
    pub dir: PathBuf,
    /// The number of its first decision.
    pub first: u64,
    /// How many threads append.
    pub threads: u64,
    /// Rows of each submission; without a number they are of any size.
    pub rows: Option<u64>,
    /// Submissions of each thread.
    pub submissions: u64,
    /// From which the sizes are drawn.
    pub seed: u64,
    /// Found the ledger when there is none, with segments of this size.
    pub founds: Option<u64>,
    /// Do not sync anything.
    pub unsynced: bool,
}

impl Orders {
    /// Append to a ledger with one thread, submissions of so many rows, for ever.
    pub fn alone(dir: &Path, first: u64, rows: u64) -> Self {
        let dir = dir.to_owned();
        let rows = Some(rows);
        Orders { dir, first, threads: 1, rows, submissions: u64::MAX, seed: 0, founds: None, unsynced: false }
    }

    /// Append to a ledger with eight threads, submissions of any size, for ever.
    pub fn crowded(dir: &Path, first: u64, seed: u64) -> Self {
        Orders { threads: 8, rows: None, seed, ..Self::alone(dir, first, 0) }
    }

    /// The arguments that say so.
    pub fn args(&self) -> Vec<String> {
        let mut args = vec![self.dir.to_str().unwrap().to_owned()];
        let numbers = [self.first, self.threads, self.rows.unwrap_or(0), self.submissions, self.seed];
        args.extend(numbers.iter().map(u64::to_string));
        args.extend([self.founds.unwrap_or(0), u64::from(self.unsynced)].iter().map(u64::to_string));
        args
    }

    /// Reads such arguments.
    pub fn from_args(mut args: impl Iterator<Item = String>) -> Self {
        let dir = PathBuf::from(args.next().unwrap());
        let numbers: Vec<u64> = args.map(|text| text.parse().unwrap()).collect();
        let [first, threads, rows, submissions, seed, founds, unsynced] = numbers[..] else {
            panic!("seven numbers are needed, not {numbers:?}")
        };
        let given = |number| (number != 0).then_some(number);
        let (rows, founds) = (given(rows), given(founds));
        Orders { dir, first, threads, rows, submissions, seed, founds, unsynced: unsynced != 0 }
    }

    /// How many rows the next submission has: mostly 1 to 64, now and then 1000.
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        self.rows.unwrap_or_else(|| if rng.below(50) == 0 { 1000 } else { 1 + rng.below(64) })
    }
}

/// A moment in an appender's life.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// After so many acknowledged rows.
    pub rows: u64,
    /// And then so long.
    pub then: Duration,
}

impl Moment {
    /// Any moment before so many rows, now and then while the ledger is being opened.
    pub fn any(rng: &mut Rng, rows: u64) -> Self {
        let (rows, micros) = match rng.below(4) {
            0 => (0, 40_000),
            _ => (rng.below(rows), 3_000),
        };
        Moment { rows, then: Duration::from_micros(rng.below(micros)) }
    }
}

/// A process that appends. It is killed when this is dropped.
pub struct Appender {
    child: Child,
    said: Receiver<Said>,
    errors: Option<JoinHandle<String>>,
}

impl Appender {
    /// Starts the program.
    pub fn start(program: &str, orders: &Orders) -> Self {
        let mut command = Command::new(program);
        command.args(orders.args()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, said) = channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        // The pipes are emptied at once, so that the process never waits for its parent.
        thread::spawn(move || listen(stdout, &sender));
        let errors = Some(thread::spawn(move || io::read_to_string(stderr).unwrap_or_default()));
        Appender { child, said, errors }
    }

    /// What it says, until it ends.
    pub fn said(&self) -> impl Iterator<Item = Said> + '_ {
        self.said.iter()
    }

    /// Waits for a moment, and notes what is said.
    pub fn wait_for(&self, moment: Moment, journal: &mut Journal) {
        let enough = journal.acknowledged() + moment.rows;
        while journal.acknowledged() < enough {
            let Ok(said) = self.said.recv() else { return };
            journal.note(said);
        }
        thread::sleep(moment.then);
        self.said.try_iter().for_each(|said| journal.note(said));
    }

    /// Kills it, and notes what it had said.
    pub fn kill(mut self, journal: &mut Journal) {
        self.child.kill().unwrap();
        self.said.iter().for_each(|said| journal.note(said));
    }

    /// Waits for it to end by itself. Yields what it said since; an end with another status than 0 is an error.
    pub fn end(mut self) -> Result<Vec<Said>, String> {
        let mut last = Vec::new();
        loop {
            match self.said.recv_timeout(SILENCE) {
                Ok(said) => last.push(said),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err("the appender does not end".to_owned()),
            }
        }
        match self.child.wait().map_err(|error| error.to_string())? {
            status if status.success() => Ok(last),
            status => Err(format!("the appender: {status}: {}", self.errors())),
        }
    }

    /// What it has written to standard error.
    fn errors(&mut self) -> String {
        self.errors.take().map_or_else(String::new, |errors| errors.join().unwrap())
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stdout: ChildStdout, sender: &Sender<Said>) {
    let (mut lines, mut line) = (BufReader::new(stdout), String::new());
    while lines.read_line(&mut line).is_ok_and(|bytes| bytes != 0) {
        let heard = Said::parse(&line).is_none_or(|said| sender.send(said).is_ok());
        if !heard {
            return;
        }
        line.clear();
    }
}
