//! `counterfoil effects`: calls that have not ended, and how to end them.

mod counts;
mod list;

pub use self::counts::Counts;
use self::list::list;
use crate::calls::{Caller, Telling, Told};
use crate::exit::Refused;
use crate::keys::NamedKey;
use crate::past::Past;
use crate::place::Place;
use crate::time;
use anyhow::Result;
use counterfoil_format::Hash;
use counterfoil_format::body::EffectStatus;
use counterfoil_format::intent::Kind;
use counterfoil_ledger::{Log, OpenCall, now};
use counterfoil_replay::effects::{Calling, call_of};
use counterfoil_replay::plan::{Does, PlannedCall};
use counterfoil_rules::governance::Governance;
use std::cmp::Reverse;
use std::io::Write;
use std::path::PathBuf;

/// Effects outside the store: those that were called for and have not ended, and how to go on with them.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// One JSON object a line
    #[arg(long, global = true)]
    json: bool,
    /// The file that names the adapters; DIR/adapters.toml when not given
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_ADAPTERS", global = true)]
    adapters: Option<PathBuf>,
    /// The key that signs, by name; the first here that may, an operator's before others
    #[arg(long, value_name = "KEY", global = true)]
    author: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil effects                     what is open: not begun, intended,
                                          unknown or failed
  counterfoil effects resume              after a crash: ask the adapters what
                                          happened, and finish
  counterfoil effects retry 57 0          call again for effect 0 of row 57
  counterfoil effects close 57 0 --reason 'refunded by hand'

A row names its effects from 0. Nothing is called again that has reported
success: each attempt has the same key, the hash of the row and the effect's
number. `retry` is for what certainly failed; what is unknown is resumed.";

#[derive(clap::Subcommand)]
enum Command {
    /// List what is open
    List,
    /// Ask what became of calls that may have been made, make those that were not, and say so
    Resume,
    /// Call again for an effect that has failed
    Retry {
        /// The row that calls for it
        row: u64,
        /// The effect's place
        effect: u32,
    },
    /// Say that an effect is not tried any more, and why
    Close {
        /// The row that calls for it
        row: u64,
        /// The effect's place
        effect: u32,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// A call that has not ended.
struct Open {
    found: OpenCall,
    row_hash: Hash,
    /// What is called; `None` when that is withheld or erased.
    call: Option<PlannedCall>,
    /// Why it is not to be made now.
    held: Option<Held>,
}

/// Why a call is not to be made.
enum Held {
    /// It is of no use any more.
    Moot(String),
    /// It cannot be made now.
    Now(String),
}

impl Held {
    fn why(&self) -> &str {
        match self {
            Held::Moot(why) | Held::Now(why) => why,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        None | Some(Command::List) => list(args, place, out),
        Some(Command::Resume) => resume(args, place, out),
        Some(Command::Retry { row, effect }) => retry(args, place, (*row, *effect), out),
        Some(Command::Close { row, effect, reason }) => close(args, place, (*row, *effect), reason, out),
    }
}

/// How a call stands, in a word.
pub fn status(open: &OpenCall) -> &'static str {
    open.status.map_or("not begun", EffectStatus::name)
}

fn author(args: &Args, place: &Place, governance: &Governance) -> Result<NamedKey> {
    // An operator's, who may also say that an effect is not tried any more.
    place.keys().author(governance, args.author.as_deref(), Kind::Rollback)
}

/// All calls that have not ended, in the order in which they are gone on with: of each row the last effect first.
fn all(log: &Log, governance: &Governance) -> Result<Vec<Open>> {
    let mut found = log.open_calls()?;
    found.sort_unstable_by_key(|open| (open.row, Reverse(open.effect)));
    let calling = Calling::of(&Past::of(log), governance)?;
    found.into_iter().map(|found| open(log, governance, &calling, found)).collect()
}

fn open(log: &Log, governance: &Governance, calling: &Calling, found: OpenCall) -> Result<Open> {
    let (past, row, effect) = (Past::of(log), found.row, found.effect);
    let call = call_of(&past, governance, row, effect)?;
    let since = calling.since(governance, row, effect);
    let held = held(governance, &found, call.as_ref(), since);
    Ok(Open { found, row_hash: log.row(row)?.parse()?.row_hash, call, held })
}

/// Why a call is not to be made now; `since` is a later row that calls for the same effect.
fn held(
    governance: &Governance,
    found: &OpenCall,
    call: Option<&PlannedCall>,
    since: Option<u64>,
) -> Option<Held> {
    let (row, in_force) = (found.row, &governance.in_force);
    if let Some(by) = governance.undone_by(row) {
        return Some(Held::Moot(format!("row {row} is taken back itself, by row {by}")));
    }
    if let Some(since) = since {
        return Some(Held::Moot(format!("row {since} has called for it since")));
    }
    let acts = call.is_some_and(|call| matches!(call.does, Does::Do | Does::Redo));
    if acts && in_force.switch.engaged {
        return Some(Held::Now(format!("the kill switch is engaged, by row {}", in_force.switch_row)));
    }
    let until = call.and_then(|call| call.until).filter(|until| *until <= now())?;
    Some(Held::Moot(format!("it could be undone until {}", time::print_short(until))))
}

fn find(log: &Log, governance: &Governance, (row, effect): (u64, u32)) -> Result<Open> {
    let found = log.open_calls()?.into_iter().find(|open| (open.row, open.effect) == (row, effect));
    let found = found.ok_or_else(|| {
        Refused::error(format!(
            "nothing is open of effect {effect} of row {row}; `counterfoil effects` lists what is"
        ))
    })?;
    open(log, governance, &Calling::of(&Past::of(log), governance)?, found)
}

fn resume(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let governance = place.log()?.governance()?;
    let pending = |log: &Log, governance: &Governance| -> Result<(Vec<Open>, Vec<Open>)> {
        let failed = |open: &Open| open.found.status == Some(EffectStatus::Failed);
        Ok(all(log, governance)?.into_iter().partition(failed))
    };
    let (failed, open) = pending(&place.log()?, &governance)?;
    if open.is_empty() {
        if !args.json {
            let failed =
                if failed.is_empty() { "" } else { " What has failed is called again by `effects retry`." };
            writeln!(out, "Nothing is to be resumed.{failed}")?;
        }
        return Ok(());
    }
    let author = author(args, place, &governance)?;
    let mut caller = Caller::new(place, args.adapters.as_deref(), &author)?;
    // Nobody else calls from here on: what is open is looked up once more.
    let log = place.log()?;
    let (_, open) = pending(&log, &log.governance()?)?;
    let (mut told, mut troubles) = (Vec::new(), Vec::new());
    for open in &open {
        match go_on(&mut caller, open) {
            Ok(made) => told.push(made),
            Err(error) => troubles.push(format!(
                "effect {} that row {} calls for: {error:#}",
                open.found.effect, open.found.row
            )),
        }
    }
    let ended = tell(args, &told, out);
    match troubles.is_empty() {
        true => ended,
        false => Err(Refused::error(troubles.join("\n"))),
    }
}

/// Goes on with a call that may have been made or not.
fn go_on(caller: &mut Caller<'_>, open: &Open) -> Result<Told> {
    let (row, hash, status) = (open.found.row, &open.row_hash, open.found.status);
    let call = open.call.as_ref().ok_or_else(|| withheld(open))?;
    caller.knows(call)?;
    match (status, &open.held) {
        (None, None) => caller.make(row, hash, call),
        (None, Some(Held::Moot(why))) => caller.tell(row, call, EffectStatus::Closed, why),
        (None, Some(Held::Now(why))) => {
            Err(Refused::error(format!("it was not begun, and is not now: {why}")))
        }
        (Some(status), None) => caller.resume(row, hash, call, status),
        (Some(status), Some(held)) => caller.find_out(row, hash, call, status, held.why()),
    }
}

fn withheld(open: &Open) -> anyhow::Error {
    Refused::error(format!(
        "what it is is withheld or erased, so it cannot be called; `counterfoil effects close {} {} --reason TEXT` ends it",
        open.found.row, open.found.effect
    ))
}

fn retry(args: &Args, place: &Place, which: (u64, u32), out: &mut dyn Write) -> Result<()> {
    let (row, effect) = which;
    let author = author(args, place, &place.log()?.governance()?)?;
    let mut caller = Caller::new(place, args.adapters.as_deref(), &author)?;
    let log = place.log()?;
    let open = find(&log, &log.governance()?, which)?;
    if open.found.status != Some(EffectStatus::Failed) {
        let status = status(&open.found);
        return Err(Refused::error(format!(
            "effect {effect} that row {row} calls for is {status}, and only what has failed is called again; \
             `counterfoil effects resume` goes on with the others"
        )));
    }
    match &open.held {
        Some(Held::Now(why)) => Err(Refused::error(format!("nothing was called: {why}"))),
        Some(Held::Moot(why)) => Err(Refused::error(format!(
            "nothing was called: {why}; `counterfoil effects close {row} {effect} --reason TEXT` ends it"
        ))),
        None => {
            let call = open.call.as_ref().ok_or_else(|| withheld(&open))?;
            caller.knows(call)?;
            tell(args, &[caller.make(row, &open.row_hash, call)?], out)
        }
    }
}

fn close(args: &Args, place: &Place, which: (u64, u32), reason: &str, out: &mut dyn Write) -> Result<()> {
    let (row, effect) = which;
    if reason.trim().is_empty() {
        return Err(Refused::error("nothing was closed: say why with --reason"));
    }
    let log = place.log()?;
    let governance = log.governance()?;
    let open = find(&log, &governance, which)?;
    if open.found.status == Some(EffectStatus::Intended) {
        return Err(Refused::error(format!(
            "effect {effect} that row {row} calls for was about to be carried out; `counterfoil effects resume` finds out \
             what became of it, and it can be closed then"
        )));
    }
    let author = author(args, place, &governance)?;
    let adapter = open.call.map_or(String::new(), |call| call.adapter);
    let told = Telling { row, effect, adapter: &adapter, status: EffectStatus::Closed, detail: reason };
    tell(args, &[told.land(place, &log, &author)?], out)
}

fn tell(args: &Args, told: &[Told], out: &mut dyn Write) -> Result<()> {
    for told in told {
        match args.json {
            true => writeln!(out, "{}", told.json())?,
            false => {
                let detail =
                    if told.detail.is_empty() { String::new() } else { format!(": {}", told.detail) };
                let line =
                    format!("effect {} called for by row {}: {}{detail}", told.effect, told.row, told.status);
                writeln!(out, "{}", crate::table::printable(&line))?;
            }
        }
    }
    let open =
        told.iter().filter(|told| !matches!(told.status, EffectStatus::Done | EffectStatus::Closed)).count();
    match open {
        0 => Ok(()),
        open => Err(Refused::error(format!(
            "{open} of {} are still open; `counterfoil effects` lists them",
            told.len()
        ))),
    }
}
