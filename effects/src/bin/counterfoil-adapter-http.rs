//! An adapter that posts each call to a URL. All of it is in [`counterfoil_effects::adapters::http`].

use std::process::ExitCode;

fn main() -> ExitCode {
    counterfoil_effects::adapters::http::main()
}
