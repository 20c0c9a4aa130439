//! `man`: the manual pages.

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_mangen::Man;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// What `man` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where to write a page for each command; without it, the main page is printed
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil man | man -l -
  counterfoil man ~/.local/share/man/man1";

/// Prints or writes the pages.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let command = crate::Cli::command();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        return Ok(out.write_all(&page)?);
    };
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    clap_mangen::generate_to(command, dir).with_context(|| dir.display().to_string())?;
    writeln!(out, "the pages are in {}", dir.display())?;
    Ok(())
}
