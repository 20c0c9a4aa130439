//! The command line of Counterfoil: one file per subcommand, each of which parses, calls and prints.
//!
//! Beside them stand the pieces that several subcommands use: where the ledger and its keys lie ([`place`], [`keys`]),
//! rows and values as JSON ([`row_json`], [`json`]), times ([`time`]), tables for people ([`table`]), questions
//! ([`confirm`], [`passphrase`]) and exit statuses ([`exit`]).

mod act;
mod append;
mod backup;
mod blame;
mod body_json;
mod body_words;
mod calibrate;
mod calls;
mod checkpoint;
mod completions;
mod confirm;
mod decision;
mod demo;
mod diff;
mod drill;
mod effects;
mod exit;
mod git;
mod history;
mod horizon;
mod import;
mod init;
mod json;
mod key;
mod keys;
mod kill_switch;
mod lifecycle;
mod log;
mod man;
mod measure;
mod names;
mod output;
mod passphrase;
mod past;
mod place;
mod policy;
mod policy_words;
mod prove;
mod quote;
mod redo;
mod reindex;
mod restore;
mod retry;
mod review;
mod rollback;
mod row_json;
mod selection;
mod shop;
mod show;
mod snapshot;
mod state;
mod status;
mod summary;
mod suspect;
mod table;
mod terminal;
mod time;
mod undo;
mod verify;
mod week;
mod why;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Parser, Subcommand};
use output::Output;
use place::Place;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A book of decisions that nobody can rewrite, with the operation that takes each one back.
#[derive(Parser)]
#[command(name = "counterfoil", version, max_term_width = 100, after_help = HELP)]
struct Cli {
    /// The ledger's directory
    #[arg(short, long, global = true, env = "COUNTERFOIL_LEDGER", value_name = "DIR",
          value_parser = OsStringValueParser::new().map(PathBuf::from))]
    ledger: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const HELP: &str = "\
Begin:
  counterfoil init shop --origin example.com/shop
  export COUNTERFOIL_LEDGER=shop
  echo '{\"action\":\"SET_PRICE\",\"tier\":\"A\",\"mode\":\"live\",
         \"ops\":[{\"put\":{\"key\":\"price/sku-1\",\"value\":19.90}}]}' |
    tr -d '\\n' | counterfoil append
  counterfoil log

Exit status:
  0  done
  1  refused, or it failed; what landed before is said
  2  usage, a file that cannot be read or written, or no ledger there
  `verify` has statuses of its own; see its help.

Environment:
  COUNTERFOIL_LEDGER           the ledger's directory, instead of -l
  COUNTERFOIL_KEY_DIR          where the secret keys lie, instead of DIR/keys
  COUNTERFOIL_PASSPHRASE_FILE  holds the passphrase of encrypted keys in its
                               first line; else the terminal is asked
  COUNTERFOIL_ADAPTERS         names the adapters, instead of DIR/adapters.toml";

#[derive(Subcommand)]
enum Command {
    /// Begin a ledger: make its keys and its first rows
    Init(init::Args),
    /// Land decisions, read as JSON lines
    Append(append::Args),
    /// Land what another system has recorded
    Import(import::Args),
    /// List rows
    Log(log::Args),
    /// Show one row: who, why, on what evidence, and how to take it back
    Show(show::Args),
    /// List the values a key has held, with the rows that set them
    History(history::Args),
    /// Tell how an entity went from stage to stage, or draw the stages of the policy
    Lifecycle(lifecycle::Args),
    /// Say what the ledger is and where it stands
    Status(status::Args),
    /// Show for every key the row that last set it
    Blame(blame::Args),
    /// List the snapshots of the state, or make one
    Snapshot(snapshot::Args),
    /// Print the state, now or at an earlier moment
    State(state::Args),
    /// Print what differs between two moments
    Diff(diff::Args),
    /// Take rows back
    Rollback(rollback::Args),
    /// Put the whole state back to an earlier row
    Restore(restore::Args),
    /// Bring back what a rollback took back
    Redo(redo::Args),
    /// Go on with effects outside the store that were called for and have not ended
    Effects(effects::Args),
    /// Show what can be taken back, until when, and what cannot
    Horizon(horizon::Args),
    /// Carry rows out and take them back on a copy, to see that it works
    Drill(drill::Args),
    /// Show what a key that may have been stolen has done, and the plan to take it back
    Suspect(suspect::Args),
    /// Show, check, compare, rehearse and set the policy
    Policy(policy::Args),
    /// Pull the kill switch, release it, hand it over, drill it
    KillSwitch(kill_switch::Args),
    /// Approve or reject decisions that were put aside
    Review(review::Args),
    /// Land readings, which decisions point to as evidence
    Measure(measure::Args),
    /// Compute a threshold from the store's own readings
    Calibrate(calibrate::Args),
    /// Copy the ledger, or bring an older copy up to date, and verify the copy
    Backup(backup::Args),
    /// Rebuild side files, state index and tiles from the segments
    Reindex(reindex::Args),
    /// Print the newest seal, to be kept elsewhere
    Checkpoint(checkpoint::Args),
    /// Prove that a row lies in the log, or that an earlier log is a prefix of it
    Prove(prove::Args),
    /// Prove offline what a ledger is, and say what was not checked
    Verify(verify::Args),
    /// List, grant, rotate and revoke keys; make and encrypt secret ones
    Key(key::Args),
    /// Run the main job on a made shop, and leave its ledger to play with
    Demo(demo::Args),
    /// Print a script that completes commands in a shell
    Completions(completions::Args),
    /// Print the manual page, or write one for each command
    Man(man::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Output::open();
    let result = run(cli, &mut out).and_then(|status| {
        out.flush()?;
        Ok(status)
    });
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // What was printed before the error belongs before it; when that fails, the error is the older one.
            let _ = out.flush();
            exit::report(&error, out.is_gone())
        }
    }
}

/// Runs the command; yields the exit status.
fn run(cli: Cli, out: &mut dyn Write) -> anyhow::Result<u8> {
    let place = || Place::find(cli.ledger.as_deref());
    match cli.command {
        Command::Init(args) => init::run(&args, cli.ledger.as_deref(), out)?,
        Command::Append(args) => append::run(&args, &place()?, out)?,
        Command::Import(args) => import::run(&args, &place()?, out)?,
        Command::Log(args) => log::run(&args, &place()?, out)?,
        Command::Show(args) => show::run(&args, &place()?, out)?,
        Command::History(args) => history::run(&args, &place()?, out)?,
        Command::Lifecycle(args) => lifecycle::run(&args, &place()?, out)?,
        Command::Status(args) => status::run(&args, &place()?, out)?,
        Command::State(args) => state::run(&args, &place()?, out)?,
        Command::Diff(args) => diff::run(&args, &place()?, out)?,
        Command::Rollback(args) => rollback::run(&args, &place()?, out)?,
        Command::Restore(args) => restore::run(&args, &place()?, out)?,
        Command::Redo(args) => redo::run(&args, &place()?, out)?,
        Command::Effects(args) => effects::run(&args, &place()?, out)?,
        Command::Horizon(args) => horizon::run(&args, &place()?, out)?,
        Command::Drill(args) => drill::run(&args, &place()?, out)?,
        Command::Suspect(args) => suspect::run(&args, &place()?, out)?,
        Command::Blame(args) => blame::run(&args, &place()?, out)?,
        Command::Snapshot(args) => snapshot::run(&args, &place()?, out)?,
        Command::Policy(args) => policy::run(&args, place, out)?,
        Command::KillSwitch(args) => kill_switch::run(&args, &place()?, out)?,
        Command::Review(args) => review::run(&args, &place()?, out)?,
        Command::Measure(args) => measure::run(&args, &place()?, out)?,
        Command::Calibrate(args) => calibrate::run(&args, &place()?, out)?,
        Command::Backup(args) => backup::run(&args, &place()?, out)?,
        Command::Reindex(args) => reindex::run(&args, &place()?, out)?,
        Command::Checkpoint(args) => checkpoint::run(&args, &place()?, out)?,
        Command::Prove(args) => prove::run(&args, &place()?, out)?,
        Command::Verify(args) => return verify::run(&args, cli.ledger.as_deref()),
        Command::Key(args) => key::run(&args, cli.ledger.as_deref(), out)?,
        Command::Completions(args) => completions::run(&args, out)?,
        Command::Demo(args) => demo::run(&args, out)?,
        Command::Man(args) => man::run(&args, out)?,
    }
    Ok(exit::DONE)
}
