//! The judge as a command: its arguments, and how it prints. `counterfoil-verify` and `counterfoil verify` are the same.

use crate::human::Human;
use crate::{Options, Pin, Report, Scope, Verdict, VerifyError, verify, verify_sequential};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// The exit codes, for a help text.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  intact: every check that ran passed
  1  broken: the bytes are not what was written
  2  unchecked: usage, unreadable input
  3  findings: the bytes are intact, but rows break the rules";

/// What the judge is asked.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What you know of the ledger from elsewhere: ledger_id=HEX, owner=HEX or vkey=KEY. Repeatable.
    #[arg(long = "pin", value_name = "NAME=VALUE")]
    pins: Vec<Pin>,
    /// A checkpoint of this ledger that was kept elsewhere. Repeatable.
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// How many threads; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Check V01 to V12 alone: whether the bytes are what was written.
    #[arg(long)]
    integrity_only: bool,
    /// Use the slow reference, row by row on one thread. The report is the same.
    #[arg(long, conflicts_with = "threads")]
    sequential: bool,
    /// Print nothing; the exit code is the verdict.
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

/// Verifies what lies at a path (a ledger's directory, a directory of segments, or one segment file) and prints the
/// report. `name` is what the program calls itself in an error. Yields the exit code.
pub fn run(path: &Path, arguments: &Arguments, name: &str) -> u8 {
    match judge(path, arguments) {
        Ok(report) => match print(arguments, &report) {
            Ok(()) => report.verdict.exit_code(),
            Err(error) => complain(arguments, name, &format!("{error:#}")),
        },
        Err(error) => complain(arguments, name, &error.to_string()),
    }
}

fn judge(path: &Path, arguments: &Arguments) -> Result<Report, VerifyError> {
    let options = Options {
        pins: arguments.pins.clone(),
        checkpoints: arguments.checkpoints.clone(),
        threads: arguments.threads.map(usize::from),
        scope: if arguments.integrity_only { Scope::Integrity } else { Scope::All },
    };
    let bar = bar(arguments.quiet);
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let run = if arguments.sequential { verify_sequential } else { verify };
    let report = run(path, &options, &progress);
    bar.finish_and_clear();
    report
}

/// A bar on standard error, when that is a terminal. It draws at most a few times a second.
fn bar(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    {
        bar.set_style(style);
    }
    bar
}

fn print(arguments: &Arguments, report: &Report) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = if arguments.quiet {
        Ok(())
    } else if arguments.json {
        let text = serde_json::to_string_pretty(report).context("the report cannot be written as JSON")?;
        writeln!(out, "{text}")
    } else {
        let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        write!(out, "{}", Human { report, colour })
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough; the verdict stands in the exit code all the same.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the report cannot be printed"),
    }
}

fn complain(arguments: &Arguments, name: &str, message: &str) -> u8 {
    if arguments.json {
        // Nobody may be left to read it; the exit code says the same.
        let object = serde_json::json!({ "verdict": Verdict::Unchecked.name(), "error": message });
        let _ = writeln!(std::io::stdout(), "{object}");
    }
    eprintln!("{name}: {message}");
    Verdict::Unchecked.exit_code()
}
