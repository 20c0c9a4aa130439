//! Exit statuses, and how an error ends the program.

use crate::table::printable;
use counterfoil_format::merkle::ProofError;
use counterfoil_ledger::{BackupError, DraftError, ProveError, ReadError, SecretError, SubmitError};
use counterfoil_replay::history::ReplayError;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Done.
pub const DONE: u8 = 0;
/// The operation was refused, or it failed.
pub const REFUSED: u8 = 1;
/// Usage, a file that cannot be read or written, no ledger there.
pub const UNABLE: u8 = 2;

/// Says that an operation was understood and refused, or that it failed. Any other error is of the kind that
/// [`UNABLE`] stands for.
#[derive(Debug)]
pub struct Refused(String);

impl Refused {
    /// An error with these words.
    pub fn error(words: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Refused(words.into()))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// The refusal of a row that the ledger does not have.
pub fn no_such_row(row: u64, size: u64) -> anyhow::Error {
    let last = size.saturating_sub(1);
    Refused::error(format!(
        "there is no row {row}: the ledger has {size} rows, 0 to {last}. `counterfoil log` lists the newest"
    ))
}

/// The exit status that an error stands for.
pub fn status_of(error: &anyhow::Error) -> u8 {
    let refused = error.chain().any(|cause| {
        cause.is::<Refused>()
            || cause.downcast_ref::<SubmitError>().is_some_and(|error| {
                use SubmitError::{Cited, Draft, Format, NoSealKey, OtherLedger, Refused};
                let refused = matches!(error, Refused { .. } | OtherLedger { .. } | NoSealKey { .. });
                refused || matches!(error, Cited { .. } | Format { .. } | Draft(_))
            })
            || matches!(
                cause.downcast_ref::<SecretError>(),
                Some(SecretError::AlreadyEncrypted(_) | SecretError::NotEncrypted(_))
            )
            || matches!(
                cause.downcast_ref::<DraftError>(),
                Some(DraftError::Format { .. } | DraftError::Empty | DraftError::NoJudge { .. })
            )
            || matches!(cause.downcast_ref::<ReadError>(), Some(ReadError::NoSuchRow { .. }))
            || matches!(
                cause.downcast_ref::<ReplayError<ReadError>>(),
                Some(ReplayError::NoSuchRow { .. } | ReplayError::Read(ReadError::NoSuchRow { .. }))
            )
            || matches!(
                cause.downcast_ref::<ProveError>(),
                Some(
                    ProveError::Proof(ProofError::OutOfRange { .. })
                        | ProveError::Read(ReadError::NoSuchRow { .. })
                )
            )
            || cause.downcast_ref::<BackupError>().is_some_and(|error| {
                use BackupError::{Copy, File, Open, Read};
                !matches!(error, Copy(_) | Open(_) | Read(_) | File(_))
            })
    });
    if refused { REFUSED } else { UNABLE }
}

/// Prints an error on standard error, and yields the exit status. When nobody reads the output any more, as with
/// `counterfoil log | head`, that is no error, unless something was left undone because of it.
pub fn report(error: &anyhow::Error, output_gone: bool) -> ExitCode {
    let status = status_of(error);
    if output_gone && status != REFUSED {
        return ExitCode::from(DONE);
    }
    // Nobody may be reading this either.
    let words = format!("counterfoil: {error:#}");
    // What rows and adapters say may hold control characters.
    let lines: Vec<String> = words.lines().map(printable).collect();
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
    ExitCode::from(status)
}
