//! The adapters that come with Counterfoil, each a program of its own.

pub mod command;
pub mod http;
mod journal;

use crate::answer::Answer;
use crate::request::Request;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Exit status: the request was not read, or the answer not written.
const UNABLE: u8 = 2;

/// What an adapter of this crate is.
struct Program<T> {
    name: &'static str,
    help: &'static str,
    /// Reads what it is started with.
    options: fn(Vec<OsString>) -> Result<T, String>,
    answer: fn(&T, &Request) -> Answer,
}

impl<T> Program<T> {
    /// Reads one request and answers it.
    fn run(&self) -> ExitCode {
        let args: Vec<OsString> = std::env::args_os().skip(1).collect();
        match args.first().and_then(|arg| arg.to_str()) {
            Some("--help" | "-h") => return self.print(self.help),
            Some("--version" | "-V") => {
                return self.print(&format!("{} {}\n", self.name, env!("CARGO_PKG_VERSION")));
            }
            _ => {}
        }
        let options = (self.options)(args);
        let request = match Request::read(io::stdin().lock()) {
            Ok(request) => request,
            Err(refused) => return self.fail(&refused.to_string()),
        };
        // With options that cannot be taken nothing is called, and that is an answer too.
        let answer = match options {
            Ok(options) => (self.answer)(&options, &request),
            Err(fault) => {
                let detail = format!("{}: {fault}; see {0} --help", self.name);
                Answer::not_sent(request.verb, detail)
            }
        };
        match answer.write(io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => self.fail(&format!("the answer cannot be written: {error}")),
        }
    }

    fn print(&self, text: &str) -> ExitCode {
        match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => self.fail(&format!("this cannot be written: {error}")),
        }
    }

    fn fail(&self, fault: &str) -> ExitCode {
        // Nobody may be reading this either.
        let _ = writeln!(io::stderr(), "{}: {fault}", self.name);
        ExitCode::from(UNABLE)
    }
}

/// The value of an option.
fn value(option: &str, args: &mut impl Iterator<Item = OsString>) -> Result<OsString, String> {
    args.next().ok_or_else(|| format!("{option} needs a value"))
}

/// The value of an option that is a text.
fn text(option: &str, args: &mut impl Iterator<Item = OsString>) -> Result<String, String> {
    value(option, args)?.into_string().map_err(|_| format!("the value of {option} is not UTF-8"))
}
