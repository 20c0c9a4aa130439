//! An adapter that runs a command for each call. All of it is in [`counterfoil_effects::adapters::command`].

use std::process::ExitCode;

fn main() -> ExitCode {
    counterfoil_effects::adapters::command::main()
}
