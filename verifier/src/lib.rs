//! The judge of Counterfoil: proves offline what a ledger is, and says what it could not check.
//!
//! [`verify`] reads a ledger's directory or one segment and yields a [`Report`]; what each check proves, and what it
//! does not, stands in `docs/VERIFICATION.md`. [`verify_sequential`] is the same, written for reading instead of
//! speed. The crate shares the format and the rules with the ledger, and none of its code.
//!
//! ```no_run
//! use counterfoil_verifier::{Options, Verdict, verify};
//!
//! let options = Options { pins: vec!["ledger_id=00..".parse()?], ..Options::default() };
//! let report = verify("shop.ledger".as_ref(), &options, &|_, _| {})?;
//! assert_eq!(report.verdict, Verdict::Intact);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod again;
mod anchors;
mod authority;
mod calls;
mod check;
pub mod command;
mod error;
mod facts;
mod gates;
pub mod human;
mod ids;
mod inverse;
mod join;
mod lookup;
mod meaning;
mod options;
mod outcome;
mod parallel;
mod partial;
mod readings;
mod report;
mod rollbacks;
mod sequential;
mod sight;
mod signatures;
mod snapshots;
mod source;
mod suspects;
mod tally;
mod time;
mod walk;
mod words;

pub use check::CheckId;
pub use error::VerifyError;
pub use options::{Options, Pin, PinError, Scope};
pub use report::{Check, Counts, Finding, Key, NotChecked, Report, Status, Verdict};
pub use suspects::Suspect;
pub use tally::KEPT;

use anchors::Anchors;
use outcome::Outcome;
use source::Book;
use std::path::Path;

/// Told how many bytes of how many were read. May be called from any thread.
pub type Progress<'a> = dyn Fn(u64, u64) + Sync + 'a;

type Run = fn(&Book, &Options, Anchors, &Progress<'_>) -> Result<Outcome, VerifyError>;

/// Verifies a ledger's directory, a directory of segments, or one segment, on all cores.
pub fn verify(path: &Path, options: &Options, progress: &Progress<'_>) -> Result<Report, VerifyError> {
    run(path, options, progress, parallel::run)
}

/// Verifies row by row, as the reference does it. The report is the same, but for the time it takes.
pub fn verify_sequential(
    path: &Path,
    options: &Options,
    progress: &Progress<'_>,
) -> Result<Report, VerifyError> {
    run(path, options, progress, sequential::run)
}

fn run(path: &Path, options: &Options, progress: &Progress<'_>, run: Run) -> Result<Report, VerifyError> {
    let book = Book::open(path)?;
    let anchors = Anchors::gather(&book, options)?;
    let mut outcome = run(&book, options, anchors, progress)?;
    outcome.conclude(&book, options);
    let suspects = suspects::find(&book, &outcome.authority)?;
    Ok(Report::new(outcome, suspects, &book, options))
}
