//! The shop as a program; see README.md.

use counterfoil_example_shop::{Options, parse_faults, start};
use std::io::{self, Write};
use std::process::ExitCode;

const HELP: &str = "\
A shop that carries out what a ledger asks for, to try effects with. It listens
on 127.0.0.1 alone, keeps everything in memory, and prints its port.

Usage: counterfoil-example-shop [OPTIONS]

  --port PORT        the port; without it any that is free
  --secret-env NAME  the environment variable that holds the secret with which
                     calls must be signed
  --fail FAULTS      what goes wrong with the next calls, such as
                     fail:2,drop-after:1. Nothing is done with fail (503),
                     busy (429), refuse (422), hang and drop-before; it takes
                     effect with unknown-after (500), hang-after and drop-after

POST /webhook      a call, or a question
GET /log           the calls, and how often each key took effect
GET /state         what the shop has
The same in /sandbox/ is for calls with \"sandbox\":true.
";

fn main() -> ExitCode {
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // Nobody may be reading this.
            let _ = writeln!(io::stderr(), "counterfoil-example-shop: {fault}");
            ExitCode::from(2)
        }
    }
}

fn run(args: Vec<String>) -> Result<(), String> {
    let untold = |error: io::Error| format!("the standard output cannot be written: {error}");
    let mut options = Options::default();
    let mut args = args.into_iter();
    while let Some(option) = args.next() {
        if matches!(option.as_str(), "--help" | "-h") {
            return io::stdout().write_all(HELP.as_bytes()).map_err(untold);
        }
        let mut value = || args.next().ok_or_else(|| format!("{option} needs a value; see --help"));
        match option.as_str() {
            "--port" => options.port = value()?.parse().map_err(|_| "--port is a number up to 65535")?,
            "--secret-env" => {
                let name = value()?;
                let secret = std::env::var(&name).ok().filter(|secret| !secret.is_empty());
                options.secret = Some(secret.ok_or(format!("set the environment variable {name}"))?);
            }
            "--fail" => options.faults = parse_faults(&value()?)?,
            _ => return Err(format!("{option} is no option; see --help")),
        }
    }
    let port = options.port;
    let shop = start(options).map_err(|error| format!("port {port} cannot be listened on: {error}"))?;
    writeln!(io::stdout(), "{}", shop.port()).map_err(untold)?;
    shop.wait();
    Ok(())
}
