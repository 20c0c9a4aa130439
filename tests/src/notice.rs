//! Loud words of what could not be tested.

use std::io::Write;

/// Says on standard error that something was not tested, and why. Not by a macro, whose words are kept back when the test
/// passes.
pub fn skipped(what: &str) {
    let _ = write!(std::io::stderr(), "\n*** SKIPPED: {what} ***\n\n");
}
