//! What `rollback`, `restore` and `redo` share: planning, showing a plan, landing it as rollback rows, and calling for the effects
//! that it names.

mod asked;
mod json;
mod land;
mod saved;
mod show;

pub use self::asked::Asked;
pub use self::land::Again;
use self::land::{Saying, land};
pub use self::saved::Saved;
use self::show::{Done, show, show_plan};
use crate::act::{Landed, Lander};
use crate::calls::{Caller, Told, adapters_file};
use crate::confirm::confirm;
use crate::exit::Refused;
use crate::keys::NamedKey;
use crate::past::Past;
use crate::place::Place;
use crate::quote::{quoted_option, quoted_path};
use crate::table::counted;
use anyhow::{Context as _, Result};
use counterfoil_effects::Adapters;
use counterfoil_format::body::EffectStatus;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_ledger::{Log, ReadError, Signer as _, now};
use counterfoil_replay::diff::{Difference, difference};
use counterfoil_replay::plan::{Outside, Plan, PlanError, PlannedCall, preview};
use counterfoil_rules::governance::Governance;
use serde_json::Value as Json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Rows and keys that are listed for people before it cuts.
const LISTED: usize = 30;

/// What is said when effects cannot be called for.
const UNCALLABLE: &str = "nothing was changed, since effects cannot be called for; a plan that is made --without-effects leaves them as they are";

/// How a plan is made and shown.
#[derive(clap::Args, Default, Clone)]
pub struct Shown {
    /// Why, in your words; it stands in each rollback row
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The key that signs, by name; the first here that may, when not given
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// Leave effects outside the store as they are
    #[arg(long)]
    without_effects: bool,
    /// Sign the plan and write it to a file, for `rollback --plan FILE`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// One JSON object: size, plan, changes, applied, receipts, effects
    #[arg(long)]
    pub json: bool,
}

/// How a plan is carried out.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Do it; without this, the plan is shown and nothing changes
    #[arg(long, conflicts_with = "save")]
    apply: bool,
    /// Answer yes when more than one row is taken back
    #[arg(long)]
    yes: bool,
    /// The file that names the adapters, which carry effects out; DIR/adapters.toml when not given
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_ADAPTERS")]
    adapters: Option<PathBuf>,
    #[command(flatten)]
    shown: Shown,
    /// What stands in the JSON as `written`.
    #[arg(skip)]
    written: Option<Vec<Json>>,
}

/// A plan, with what it would change.
struct Made {
    asked: Asked,
    plan: Plan,
    changes: Vec<Difference>,
    /// Why its effects cannot be called for, as things stand.
    uncallable: Option<String>,
}

impl Options {
    /// Those of a plan that is only shown, with rows that were written.
    pub fn for_preview(shown: &Shown, written: Vec<Json>) -> Options {
        Options { shown: shown.clone(), written: Some(written), ..Options::default() }
    }

    fn outside(&self) -> Outside {
        Outside { called: !self.shown.without_effects, at: now() }
    }

    /// The command that carries a plan out which was shown.
    fn command(&self, again: &Again) -> String {
        let Shown { reason, author, without_effects, save, .. } = &self.shown;
        let mut command = match save {
            Some(file) => format!("{} rollback --plan {}", again.program, quoted_path(file)),
            None => again.command.clone(),
        };
        if save.is_none() && !again.is_saved {
            if *without_effects {
                command.push_str(" --without-effects");
            }
            if !reason.is_empty() {
                command.push_str(&format!(" {}", quoted_option("reason", reason)));
            }
        }
        if let Some(author) = author {
            command.push_str(&format!(" {}", quoted_option("author", author)));
        }
        command + &self.applying()
    }

    /// How a command that is printed goes on that applies a plan: with the same adapters.
    fn applying(&self) -> String {
        let known = std::env::var_os("COUNTERFOIL_ADAPTERS");
        let named = self.adapters.as_ref().filter(|file| known.as_deref() != Some(file.as_os_str()));
        let adapters = named.map(|file| format!(" --adapters {}", quoted_path(file)));
        adapters.unwrap_or_default() + " --apply"
    }

    fn make(
        &self,
        log: &Log,
        governance: &Governance,
        ask: impl Fn(&Past<'_>, &Governance, &Log) -> Result<Asked>,
    ) -> Result<Made> {
        let past = Past::of(log);
        let asked = ask(&past, governance, log)?;
        let refused = |error| refused(error, &asked);
        let plan = asked.plan(&past, governance, self.outside()).map_err(refused)?;
        let (before, after) = preview(&past, &plan, self.shown.reason.len()).map_err(refused)?;
        check_switch(&plan, governance)?;
        Ok(Made { asked, plan, changes: difference(&before, &after), uncallable: None })
    }
}

/// Makes a plan on the log as it is, shows it, and with --apply lands it. `again` is the command to apply it with.
pub fn run(
    place: &Place,
    options: &Options,
    again: &Again,
    out: &mut dyn Write,
    ask: impl Fn(&Past<'_>, &Governance, &Log) -> Result<Asked>,
) -> Result<()> {
    if !options.apply {
        let log = place.log()?;
        let governance = log.governance()?;
        let mut made = options.make(&log, &governance, ask)?;
        let known = adapters_of(place, options, &made.plan);
        made.uncallable = known
            .err()
            .and_then(|error| Some(error.to_string().lines().next()?.trim_end_matches('.').to_owned()));
        let saved = options.shown.save.as_deref();
        saved.map_or(Ok(()), |file| {
            Saved::of(&log, options, &made)?.write(place, options, &governance, &made.plan, file)
        })?;
        return show(options, again, &made, &Done::default(), out);
    }
    apply(place, options, again, out, ask)
}

/// The same for a plan that was saved, which must still be what would be planned now.
pub fn run_saved(place: &Place, options: &Options, file: &Path, out: &mut dyn Write) -> Result<()> {
    let saved = Saved::read(file)?;
    let again = Again::with(place, &format!("rollback --plan {}", quoted_path(file)), false).saved();
    let options = saved.options(options);
    run(place, &options, &again, out, |_, governance, log| {
        let asked = saved.check(log, governance)?;
        let made =
            options.make(log, governance, |past, governance, log| asked.again(past, governance, log))?;
        saved.compare(&Saved::of(log, &options, &made)?)?;
        saved.check_scope(governance, &made.plan)?;
        Ok(made.asked)
    })
}

fn apply(
    place: &Place,
    options: &Options,
    again: &Again,
    out: &mut dyn Write,
    ask: impl Fn(&Past<'_>, &Governance, &Log) -> Result<Asked>,
) -> Result<()> {
    let log = place.log()?;
    let governance = log.governance()?;
    let mut made = options.make(&log, &governance, &ask)?;
    let author = place.keys().author(&governance, options.shown.author.as_deref(), Kind::Rollback)?;
    // Whatever is in the way of calling for effects shows before anything lands.
    let adapters = adapters_of(place, options, &made.plan).context(UNCALLABLE)?;
    let operator = match adapters.is_some() {
        true => operator_beside(place, &governance, &author).context(UNCALLABLE)?,
        false => None,
    };
    let (count, keys) = (made.plan.reversals.len(), counted(made.changes.len(), "key", "keys"));
    if count > 1 {
        if !options.yes && !options.shown.json {
            show_plan(&made, out)?;
            out.flush()?;
        }
        confirm(&format!("Take back {count} rows and change {keys}?"), options.yes)?;
    }
    let teller = operator.as_ref().unwrap_or(&author);
    let caller = adapters.map(|adapters| Caller::new(place, adapters, teller)).transpose()?;
    let lander = Lander::begin(place)?;
    if lander.log().head().size != made.plan.size {
        made = still(&made, lander.log(), options, ask)?;
    }
    let saying = Saying { reason: &options.shown.reason, redo: made.asked.is_redo() };
    let landed = land(&lander, &author, &saying, &made.plan, again)?;
    lander.end().with_context(|| format!("{} closing the ledger failed", done(&landed)))?;
    let (told, stopped) = caller.map_or((Vec::new(), None), |caller| call(caller, &made.plan, &landed));
    let done_so_far = Done { landed: &landed, told: &told };
    show(options, again, &made, &done_so_far, out).map_err(|error| {
        Refused::error(format!("{} that cannot be written out: {error:#}", done(&landed)))
    })?;
    check_landed(&landed, again)?;
    stopped.map_or(Ok(()), Err)?;
    check_told(&told)
}

/// The adapters that a plan's effects are called for by, when it has any; an error when one is not known.
fn adapters_of(place: &Place, options: &Options, plan: &Plan) -> Result<Option<Adapters>> {
    let mut calls = plan.reversals.iter().flat_map(|reversal| &reversal.calls).peekable();
    if calls.peek().is_none() {
        return Ok(None);
    }
    let adapters = Adapters::read(&adapters_file(place, options.adapters.as_deref()))?;
    let found = calls.try_for_each(|call| adapters.find(&call.adapter).map(drop));
    found.map_err(|error| Refused::error(error.to_string()))?;
    Ok(Some(adapters))
}

/// An operator who tells what became of calls, when the author of the rows that call may not.
fn operator_beside(place: &Place, governance: &Governance, author: &NamedKey) -> Result<Option<NamedKey>> {
    let may_tell = |key: &NamedKey| {
        let policy = &governance.in_force.policy;
        governance.keys.may_write(key.key.public().id(), Kind::Outcome, policy).map(drop)
    };
    if may_tell(author).is_ok() {
        return Ok(None);
    }
    let operator = place.keys().operator(governance, None)?;
    may_tell(&operator).map_err(|error| Refused::error(error.to_string()))?;
    Ok(Some(operator))
}

/// The same plan, made now that rows have landed since; an error when another would be made.
fn still(
    made: &Made,
    log: &Log,
    options: &Options,
    ask: impl Fn(&Past<'_>, &Governance, &Log) -> Result<Asked>,
) -> Result<Made> {
    let now = options.make(log, &log.governance()?, ask)?;
    match now.plan.reversals == made.plan.reversals {
        true => Ok(now),
        false => Err(Refused::error(
            "nothing was changed: rows have landed meanwhile, and the plan is another now; plan anew",
        )),
    }
}

/// Calls for what the rollback rows that were applied call for, the newest row first; yields also what has
/// stopped it.
fn call(mut caller: Caller<'_>, plan: &Plan, landed: &[Landed]) -> (Vec<Told>, Option<anyhow::Error>) {
    let mut told = Vec::new();
    for (reversal, row) in plan.reversals.iter().zip(landed) {
        for call in reversal.calls_in_order().filter(|_| row.outcome == Outcome::Applied) {
            match call_one(&mut caller, row, call) {
                Ok(one) => told.push(one),
                Err(error) => return (told, Some(error)),
            }
        }
    }
    (told, None)
}

fn call_one(caller: &mut Caller<'_>, row: &Landed, call: &PlannedCall) -> Result<Told> {
    let (seq, effect) = (row.seq, call.effect);
    let context = || format!("row {seq} has landed, but calling for its effect {effect} failed");
    if let Some(held) = caller.held(seq, effect, Some(call)).with_context(context)? {
        return Err(Refused::error(format!(
            "row {seq} has landed, and its effect {effect} was not called for: {}; `counterfoil effects` lists what is open and \
             how to go on",
            held.why()
        )));
    }
    caller.make(seq, &row.row_hash, call).with_context(context)
}

fn done(landed: &[Landed]) -> String {
    match landed {
        [] => "nothing was to be taken back".to_owned(),
        [one] => format!("row {} has landed, but", one.seq),
        [first, .., last] => format!("rows {} to {} have landed, but", first.seq, last.seq),
    }
}

fn check_landed(landed: &[Landed], again: &Again) -> Result<()> {
    let aside = landed.iter().filter(|row| row.outcome != Outcome::Applied).count();
    match landed.iter().find(|row| row.outcome != Outcome::Applied) {
        None => Ok(()),
        Some(row) => Err(Refused::error(format!(
            "{aside} of {} rollback rows were put aside, since somebody else has written meanwhile: row {} landed as {}; \
             `counterfoil show {}` tells more. Plan anew: {}",
            landed.len(),
            row.seq,
            row.fate(),
            row.seq,
            again.command
        ))),
    }
}

fn check_told(told: &[Told]) -> Result<()> {
    match told.iter().find(|told| told.status != EffectStatus::Done) {
        None => Ok(()),
        Some(open) => Err(Refused::error(format!(
            "effect {} that row {} calls for is {}: {}; `counterfoil effects` lists what is open and how to go on",
            open.effect, open.row, open.status, open.detail
        ))),
    }
}

/// Refuses a plan that the kill switch would stop half way: taking a rollback back acts again.
fn check_switch(plan: &Plan, governance: &Governance) -> Result<()> {
    let stopped = plan.reversals.iter().find(|reversal| governance.brings_back(reversal.target));
    match stopped.filter(|_| governance.in_force.switch.engaged) {
        None => Ok(()),
        Some(reversal) => Err(Refused::error(format!(
            "nothing was changed: taking back row {}, a rollback, acts again, and row {} has engaged the kill switch; \
             release it first",
            reversal.target, governance.in_force.switch_row
        ))),
    }
}

/// Shows what taking one row back would do.
pub fn preview_one(place: &Place, row: u64, out: &mut dyn Write) -> Result<()> {
    one(place, row, &Options::default(), out)
}

/// Takes one row back; yields the row that does.
pub fn apply_one(place: &Place, row: u64, reason: &str, out: &mut dyn Write) -> Result<u64> {
    let shown = Shown { reason: reason.to_owned(), ..Shown::default() };
    one(place, row, &Options { apply: true, shown, ..Options::default() }, out)?;
    let by = place.log()?.governance()?.undone_by(row);
    by.with_context(|| format!("row {row} was taken back, and no row is to be found that did it"))
}

fn one(place: &Place, row: u64, options: &Options, out: &mut dyn Write) -> Result<()> {
    let again = Again::with(place, &format!("rollback {row}"), false);
    run(place, options, &again, out, |_, _, _| Ok(Asked::rows(vec![row])))
}

/// A plan that cannot be made is a refusal, unless the log could not be read.
fn refused(error: PlanError<ReadError>, asked: &Asked) -> anyhow::Error {
    match error {
        PlanError::Replay(error) => error.into(),
        PlanError::Dependants(dependants) => {
            let listed = dependants.iter().take(LISTED);
            let rows = listed.map(|d| format!("\n  row {} wrote {} after row {}", d.row, d.key, d.on));
            let more = match dependants.len().saturating_sub(LISTED) {
                0 => String::new(),
                more => format!("\n  and {more} more"),
            };
            Refused::error(format!(
                "later rows build on what would be taken back; `counterfoil rollback{}` takes them back too with --cascade, or \
                 leaves what they touch with --keep-later:{}{more}",
                asked.named(),
                rows.collect::<String>()
            ))
        }
        error => Refused::error(error.to_string()),
    }
}
