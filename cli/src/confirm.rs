//! Asking before more than one row changes.

use crate::exit::Refused;
use anyhow::Result;
use std::io::{self, BufRead, IsTerminal, Write};

/// Asks on the terminal, unless `--yes` was given. Without a terminal nobody can answer, and that is a no.
pub fn confirm(question: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Refused::error(format!(
            "nothing was changed: {question} Nobody can be asked here; give --yes to answer beforehand"
        )));
    }
    let mut terminal = io::stderr().lock();
    write!(terminal, "{question} [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Refused::error("nothing was changed")),
    }
}
