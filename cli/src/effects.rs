//! `counterfoil effects`: calls that have not ended, and how to end them.

mod counts;
mod list;

pub use self::counts::Counts;
use self::list::list;
use crate::calls::{Caller, Held, Telling, Told, Watch, adapters_file, alone};
use crate::exit::Refused;
use crate::keys::NamedKey;
use crate::past::Past;
use crate::place::Place;
use anyhow::Result;
use counterfoil_effects::Adapters;
use counterfoil_format::Hash;
use counterfoil_format::body::EffectStatus;
use counterfoil_ledger::{Log, OpenCall};
use counterfoil_replay::effects::call_of;
use counterfoil_replay::plan::PlannedCall;
use counterfoil_rules::governance::Governance;
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
  counterfoil effects close 57 0 --reason 'the customer keeps the money'
  counterfoil effects close 57 0 --done --reason 'refunded by hand'

A row names its effects from 0. Nothing is called again that has reported
success: each attempt has the same key, the hash of the row and the effect's
number. `retry` is for what certainly failed; what is unknown is resumed. What
is closed counts as not made, unless --done says that somebody has made it.";

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
    /// Say that an effect is not tried any more, and why: it counts as not made
    Close {
        /// The row that calls for it
        row: u64,
        /// The effect's place
        effect: u32,
        /// It was made otherwise, by hand say: it counts as made
        #[arg(long)]
        done: bool,
        /// Why, or how it was made
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
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        None | Some(Command::List) => list(args, place, out),
        Some(Command::Resume) => resume(args, place, out),
        Some(Command::Retry { row, effect }) => retry(args, place, (*row, *effect), out),
        Some(Command::Close { row, effect, done, reason }) => {
            let status = if *done { EffectStatus::Done } else { EffectStatus::Closed };
            close(args, place, (*row, *effect), status, reason, out)
        }
    }
}

/// How a call stands, in a word.
pub fn status(open: &OpenCall) -> &'static str {
    open.status.map_or("not begun", EffectStatus::name)
}

fn author(args: &Args, place: &Place, governance: &Governance) -> Result<NamedKey> {
    place.keys().teller(governance, args.author.as_deref())
}

/// All calls that have not ended, in the order in which they are gone on with: of each row what acts goes forth, what undoes goes back.
fn all(log: &Log, governance: &Governance) -> Result<Vec<Open>> {
    let mut found = log.open_calls()?;
    found.sort_unstable_by_key(|open| {
        let back = governance.brings_back(open.row);
        (open.row, if back { u32::MAX - open.effect } else { open.effect })
    });
    found.into_iter().map(|found| open(log, governance, found)).collect()
}

fn open(log: &Log, governance: &Governance, found: OpenCall) -> Result<Open> {
    let call = call_of(&Past::of(log), governance, found.row, found.effect)?;
    Ok(Open { found, row_hash: log.row(found.row)?.parse()?.row_hash, call })
}

impl Open {
    fn held(&self, caller: &mut Caller<'_>) -> Result<Option<Held>> {
        caller.held(self.found.row, self.found.effect, self.call.as_ref())
    }

    /// What is called, when it and its adapter are known.
    fn callable(&self, caller: &Caller<'_>) -> Result<&PlannedCall> {
        let call = self.call.as_ref().ok_or_else(|| {
            Refused::error(format!(
                "what it is is withheld or erased, so it cannot be called; `counterfoil effects close {} {} --reason TEXT` ends it",
                self.found.row, self.found.effect
            ))
        })?;
        caller.knows(call)?;
        Ok(call)
    }

    /// What a row shall tell of it.
    fn telling<'t>(&'t self, status: EffectStatus, detail: &'t str) -> Telling<'t> {
        let adapter = self.call.as_ref().map_or("", |call| &call.adapter);
        Telling { row: self.found.row, effect: self.found.effect, adapter, status, detail }
    }
}

fn find(log: &Log, governance: &Governance, (row, effect): (u64, u32)) -> Result<Open> {
    let found = log.open_calls()?.into_iter().find(|open| (open.row, open.effect) == (row, effect));
    let found = found.ok_or_else(|| {
        Refused::error(format!(
            "nothing is open of effect {effect} of row {row}; `counterfoil effects` lists what is"
        ))
    })?;
    open(log, governance, found)
}

/// What `resume` goes on with. What has failed and is of no use any more is ended.
fn pending(log: &Log) -> Result<Pending> {
    let watch = Watch::of(log)?;
    let moot = |open: &Open| {
        let held = watch.held(open.found.row, open.found.effect, open.call.as_ref());
        matches!(held, Some(Held::Moot(_)))
    };
    let failed = |open: &Open| open.found.status == Some(EffectStatus::Failed) && !moot(open);
    let (failed, open): (Vec<_>, Vec<_>) = all(log, &watch.governance)?.into_iter().partition(failed);
    let ended = |open: &Open| matches!(open.found.status, None | Some(EffectStatus::Failed)) && moot(open);
    Ok(Pending { ends: open.iter().all(ended), open, failed: failed.len() })
}

/// What `resume` has to do.
struct Pending {
    open: Vec<Open>,
    /// How many have failed and are called again by `retry` alone.
    failed: usize,
    /// Whether all that is open is just ended, for which no adapter is needed.
    ends: bool,
}

fn resume(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let Pending { open, failed, ends } = pending(&log)?;
    if open.is_empty() {
        if !args.json {
            let failed =
                if failed == 0 { "" } else { " What has failed is called again by `effects retry`." };
            writeln!(out, "Nothing is to be resumed.{failed}")?;
        }
        return Ok(());
    }
    let author = author(args, place, &log.governance()?)?;
    let mut caller = caller(args, place, &author, ends)?;
    // Nobody else calls from here on: what is open is looked up once more.
    let open = pending(&place.log()?)?.open;
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

/// Who makes calls; without adapters, when all that is open is just ended.
fn caller<'p>(args: &Args, place: &'p Place, author: &'p NamedKey, ends: bool) -> Result<Caller<'p>> {
    let file = adapters_file(place, args.adapters.as_deref());
    let adapters = match Adapters::read(&file) {
        Err(_) if ends => Adapters::none(&file),
        read => read?,
    };
    Caller::new(place, adapters, author)
}

/// Goes on with a call that may have been made or not.
fn go_on(caller: &mut Caller<'_>, open: &Open) -> Result<Told> {
    let (row, hash) = (open.found.row, &open.row_hash);
    match (open.found.status, open.callable(caller)) {
        (None, callable) => match open.held(caller)? {
            None => caller.make(row, hash, callable?),
            Some(Held::Moot(why)) => caller.land(&open.telling(EffectStatus::Closed, &why)),
            Some(Held::Now(why)) => Err(Refused::error(format!("it was not begun, and is not now: {why}"))),
        },
        (Some(EffectStatus::Failed), _) => match open.held(caller)? {
            Some(held) => caller.land(&open.telling(EffectStatus::Closed, held.why())),
            None => Err(Refused::error("it has failed; `counterfoil effects retry` calls again")),
        },
        (Some(status), Ok(call)) => caller.go_on(row, hash, call, status),
        // Nobody can be asked: it is as when the answer is that nobody knows, and can be closed then.
        (Some(EffectStatus::Intended), Err(error)) => {
            caller.land(&open.telling(EffectStatus::Unknown, &error.to_string()))
        }
        (Some(_), Err(error)) => Err(error),
    }
}

fn retry(args: &Args, place: &Place, which: (u64, u32), out: &mut dyn Write) -> Result<()> {
    let (row, effect) = which;
    let author = author(args, place, &place.log()?.governance()?)?;
    let mut caller = caller(args, place, &author, false)?;
    let log = place.log()?;
    let open = find(&log, &log.governance()?, which)?;
    if open.found.status != Some(EffectStatus::Failed) {
        let status = status(&open.found);
        return Err(Refused::error(format!(
            "effect {effect} that row {row} calls for is {status}, and only what has failed is called again; \
             `counterfoil effects resume` goes on with the others"
        )));
    }
    match open.held(&mut caller)? {
        Some(Held::Now(why)) => Err(Refused::error(format!("nothing was called: {why}"))),
        Some(Held::Moot(why)) => {
            Err(Refused::error(format!("nothing was called: {why}; `counterfoil effects resume` ends it")))
        }
        None => {
            let call = open.callable(&caller)?;
            tell(args, &[caller.make(row, &open.row_hash, call)?], out)
        }
    }
}

fn close(
    args: &Args,
    place: &Place,
    which: (u64, u32),
    status: EffectStatus,
    reason: &str,
    out: &mut dyn Write,
) -> Result<()> {
    let (row, effect) = which;
    if reason.trim().is_empty() {
        return Err(Refused::error("nothing was closed: say why with --reason"));
    }
    // Nobody makes the call that is said to be made.
    let _alone = if status == EffectStatus::Done { Some(alone(place)?) } else { None };
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
    if status == EffectStatus::Done && open.found.status != Some(EffectStatus::Unknown) {
        open.telling(EffectStatus::Intended, reason).land(place, &log, &author)?;
        log.refresh()?;
    }
    let told = open.telling(status, reason).land(place, &log, &author)?;
    tell(args, &[told], out)?;
    let call = open.call.as_ref().filter(|_| status == EffectStatus::Done && !args.json);
    if let Some(held) = call.and_then(|call| Watch::of(&log).ok()?.held(row, effect, Some(call))) {
        writeln!(out, "It counts as made, though it was not to be made: {}.", held.why())?;
    }
    Ok(())
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
