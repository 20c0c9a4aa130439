//! `counterfoil-verify`: the judge as a program of its own.

use clap::{CommandFactory, FromArgMatches, Parser};
use counterfoil_verifier::command::{self, EXIT_CODES};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  counterfoil-verify shop.ledger
      Checks the whole ledger, and says what it could not check.
  counterfoil-verify shop.ledger --pin ledger_id=5f1c... --checkpoint march.note
      Also holds it against what you kept: its id, and a checkpoint from March.
  counterfoil-verify shop.ledger/log/00000000000000000000.seg
      Checks one segment by itself.
  counterfoil-verify shop.ledger --json | jq .verdict";

/// Proves offline what a Counterfoil ledger is, and says what it could not check.
#[derive(Debug, Parser)]
#[command(version)]
struct Program {
    /// A ledger's directory, a directory of segments, or one segment file.
    path: PathBuf,
    #[command(flatten)]
    arguments: command::Arguments,
}

fn main() -> ExitCode {
    let help = format!("{EXAMPLES}\n\n{EXIT_CODES}");
    let matches = Program::command().after_help(help).get_matches();
    match Program::from_arg_matches(&matches) {
        Ok(program) => ExitCode::from(command::run(&program.path, &program.arguments, "counterfoil-verify")),
        Err(error) => error.exit(),
    }
}
