//! `counterfoil drill`: carry rows out and take them back on a copy of the state, and their effects in a sandbox.

use crate::act::{self, Urgency};
use crate::calls::adapters_file;
use crate::exit::{Refused, no_such_row};
use crate::json;
use crate::past::Past;
use crate::place::Place;
use crate::table::{Table, cut};
use anyhow::{Context as _, Result, anyhow};
use counterfoil_effects::{Adapter, Adapters, Call, Fate, Kind as CallKind};
use counterfoil_format::body::{Body, DRILL_METRICS, Reading};
use counterfoil_format::content::{Effect, Evidence, Undo};
use counterfoil_format::limits::{ITEMS, TEXT_BYTES};
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::Reach;
use counterfoil_format::value::Decimal;
use counterfoil_ledger::{Log, SubmissionBuilder};
use counterfoil_replay::drill::{Drilled, drill};
use counterfoil_rules::call::call_key;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

/// Carries rows out on a scratch copy of the state of their moment, takes them back by their stored rollbacks, and compares the
/// digests. Effects are done and undone for real where their adapter has a sandbox. With --apply the outcome lands as readings,
/// one for each class of reversibility, by which the class is proven or not.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil drill 41 44            show what comes of it
  counterfoil drill 41 44 --apply    and have it prove their classes

The copy lives in memory, and the ledger is only read until --apply lands the
readings. A class is proven by its newest drill; a policy may ask for that with
`proven` (docs/POLICY.md). A row whose adapter has no sandbox is drilled in part,
and proves nothing.")]
pub struct Args {
    /// The rows
    #[arg(required = true, value_name = "SEQ")]
    rows: Vec<u64>,
    /// Land the outcome, signed by an operator
    #[arg(long)]
    apply: bool,
    /// The file that names the adapters; DIR/adapters.toml when not given
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_ADAPTERS")]
    adapters: Option<PathBuf>,
    /// The key that signs, by name; the first operator's here, when not given
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What a drill of one row has shown.
struct Shown {
    drilled: Drilled,
    /// What its effects have shown; `None` when it has none.
    effects: Option<Result<String, Trouble>>,
}

/// Why effects have shown nothing good.
enum Trouble {
    /// They could not be tried.
    Untried(String),
    /// They were tried and went wrong.
    Failed(String),
}

impl Shown {
    fn passed(&self) -> bool {
        self.drilled.passed() && !matches!(self.effects, Some(Err(_)))
    }

    /// Whether all of it was tried, so that it says something of its class.
    fn tells(&self) -> bool {
        !self.drilled.passed() || !matches!(self.effects, Some(Err(Trouble::Untried(_))))
    }

    fn class(&self) -> Reach {
        self.drilled.reversibility.reach()
    }

    fn words(&self) -> String {
        let state = match (&self.drilled.fault, self.drilled.passed()) {
            (Some(fault), _) => fault.clone(),
            (None, true) => "the state is as before".to_owned(),
            (None, false) => "the state is NOT as before".to_owned(),
        };
        match &self.effects {
            None => state,
            Some(Ok(words)) => format!("{state}; {words}"),
            Some(Err(Trouble::Untried(why))) => format!("{state}; effects not tried: {why}"),
            Some(Err(Trouble::Failed(why))) => format!("{state}; {why}"),
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let past = Past::of(&log);
    past.check_rows(&args.rows)?;
    if args.rows.len() > ITEMS {
        return Err(Refused::error(format!(
            "{} rows are too many for one drill: {ITEMS} are the most",
            args.rows.len()
        )));
    }
    let mut adapters = None;
    let mut shown = Vec::new();
    for row in &args.rows.iter().copied().collect::<BTreeSet<u64>>() {
        let drilled = drill(&past, *row).map_err(|error| Refused::error(error.to_string()))?;
        let effects = try_effects(args, place, &log, *row, &mut adapters)?;
        shown.push(Shown { drilled, effects });
    }
    let classes = classes(&shown);
    let landed = if args.apply { land(args, place, &log, &classes)? } else { Vec::new() };
    show(args, &shown, &classes, &landed, out)?;
    let failed = shown.iter().filter(|shown| !shown.passed() && shown.tells()).count();
    match failed {
        0 => Ok(()),
        failed => Err(Refused::error(format!("the drill of {failed} of {} rows failed", shown.len()))),
    }
}

/// Does and undoes the effects of a row in the sandboxes of their adapters.
fn try_effects(
    args: &Args,
    place: &Place,
    log: &Log,
    row: u64,
    adapters: &mut Option<Adapters>,
) -> Result<Option<Result<String, Trouble>>> {
    let stored = log.row(row).map_err(|_| no_such_row(row, log.head().size))?;
    let parsed = stored.parse()?;
    if parsed.part(PartTag::Effects).is_none() {
        return Ok(None);
    }
    let Some(bytes) = parsed.content(PartTag::Effects) else {
        return Ok(Some(Err(Trouble::Untried("they are withheld".to_owned()))));
    };
    let effects = Effect::decode_all(bytes).map_err(|error| log.damaged(row, error))?;
    if adapters.is_none() {
        let file = adapters_file(place, args.adapters.as_deref());
        match Adapters::read(&file) {
            Ok(read) => *adapters = Some(read),
            Err(error) => {
                // What follows the first line says how to write one.
                let why = error.to_string().lines().next().unwrap_or_default().to_owned();
                return Ok(Some(Err(Trouble::Untried(why))));
            }
        }
    }
    let adapters = adapters.as_ref().context("they were read")?;
    for (place, effect) in (0..).zip(&effects) {
        let adapter = match adapters.find(effect.adapter) {
            Ok(adapter) if adapter.sandbox => adapter,
            Ok(adapter) => {
                let why = format!("the adapter {} has no sandbox", adapter.name);
                return Ok(Some(Err(Trouble::Untried(why))));
            }
            Err(error) => return Ok(Some(Err(Trouble::Untried(error.to_string())))),
        };
        let key = call_key(&parsed.row_hash, place);
        if let Err(trouble) = there_and_back(adapter, log, (row, place), &key, effect) {
            return Ok(Some(Err(trouble)));
        }
    }
    let count = effects.len();
    Ok(Some(Ok(format!("{count} effect{} done and undone in a sandbox", if count == 1 { "" } else { "s" }))))
}

/// Does an effect and undoes it in a sandbox. Each drill has keys of its own, so that it really calls.
fn there_and_back(
    adapter: &Adapter,
    log: &Log,
    (row, place): (u64, u32),
    key: &str,
    effect: &Effect<'_>,
) -> Result<(), Trouble> {
    let undo = match effect.undo {
        Undo::Never => return Err(Trouble::Failed(format!("effect {place} has no undo"))),
        Undo::Request(request) | Undo::Until(request, _) | Undo::Compensate(request) => request,
    };
    let nonce = counterfoil_ledger::now();
    let call = |kind, request| Call {
        kind,
        key: format!("{key}/drill/{nonce}"),
        ledger: log.origin().to_owned(),
        row,
        effect: place,
        sandbox: true,
        request: json::of_encoded(request),
    };
    for (kind, request) in [(CallKind::Do, effect.request), (CallKind::Undo, undo)] {
        let outcome = adapter.carry_out(&call(kind, request), &mut std::thread::sleep);
        if outcome.status != Fate::Done {
            let (kind, status, detail) = (kind.name(), outcome.status.name(), outcome.detail);
            return Err(Trouble::Failed(format!(
                "{kind} of effect {place} is {status} in the sandbox: {detail}"
            )));
        }
    }
    Ok(())
}

/// What the drills say of each class: the rows, and whether all passed.
fn classes(shown: &[Shown]) -> BTreeMap<Reach, (Vec<u64>, bool)> {
    let mut classes: BTreeMap<Reach, (Vec<u64>, bool)> = BTreeMap::new();
    for shown in shown.iter().filter(|shown| shown.tells() && shown.class() != Reach::Never) {
        let (rows, passed) = classes.entry(shown.class()).or_insert((Vec::new(), true));
        rows.push(shown.drilled.row);
        *passed &= shown.passed();
    }
    classes
}

fn land(
    args: &Args,
    place: &Place,
    log: &Log,
    classes: &BTreeMap<Reach, (Vec<u64>, bool)>,
) -> Result<Vec<act::Landed>> {
    if classes.is_empty() {
        return Err(Refused::error("nothing was drilled whole, so there is nothing to land"));
    }
    // An operator's: who else may write readings may not write these.
    let author = place.keys().operator(&log.governance()?, args.author.as_deref())?;
    let metrics: Vec<(String, String, &Vec<u64>, bool)> = classes
        .iter()
        .map(|(class, (rows, passed))| {
            let words: Vec<String> = rows.iter().map(u64::to_string).collect();
            let source = format!("counterfoil drill {}", words.join(" "));
            (format!("{DRILL_METRICS}{}", class.name()), cut(&source, TEXT_BYTES.min(200)), rows, *passed)
        })
        .collect();
    let mut builder = SubmissionBuilder::new(&author.key)?;
    for (metric, source, rows, passed) in &metrics {
        let value = Decimal { mantissa: i128::from(*passed), scale: 0 };
        let mut draft = act::draft(Body::Evidence(Reading { metric, value, source }))?;
        draft.evidence = rows.iter().map(|row| Evidence::Row(*row)).collect();
        builder.push(&draft)?;
    }
    let landed = act::land_all(place, log, builder.sign(log.ledger_id())?, Urgency::Plain)?;
    if landed.len() == metrics.len() { Ok(landed) } else { Err(anyhow!("the readings are not to be found")) }
}

fn show(
    args: &Args,
    shown: &[Shown],
    classes: &BTreeMap<Reach, (Vec<u64>, bool)>,
    landed: &[act::Landed],
    out: &mut dyn Write,
) -> Result<()> {
    if args.json {
        let rows: Vec<Json> = shown.iter().map(row_json).collect();
        let classes: Vec<Json> = classes
            .iter()
            .map(|(class, (rows, passed))| json!({ "class": class.name(), "rows": rows, "passed": passed }))
            .collect();
        let landed: Vec<Json> = landed.iter().map(act::Landed::json).collect();
        return Ok(writeln!(out, "{}", json!({ "rows": rows, "classes": classes, "landed": landed }))?);
    }
    let mut table = Table::with_heading(&["ROW", "CLASS", "DRILL", ""]).right(0);
    for shown in shown {
        let verdict = match (shown.passed(), shown.tells()) {
            (true, _) => "passed",
            (_, true) => "FAILED",
            _ => "in part",
        };
        table.push([
            shown.drilled.row.to_string(),
            shown.class().name().into(),
            verdict.into(),
            shown.words(),
        ]);
    }
    table.print(0, out)?;
    for (class, (rows, passed)) in classes {
        let says = match (passed, landed.is_empty()) {
            (true, true) => "would be proven",
            (true, false) => "is proven",
            (false, true) => "would NOT be proven",
            (false, false) => "is NOT proven",
        };
        let of = if rows.len() == 1 { "1 row".to_owned() } else { format!("{} rows", rows.len()) };
        writeln!(out, "The class {} {says} by {of}.", class.name())?;
    }
    match landed {
        [] if args.apply => {}
        [] if classes.is_empty() => writeln!(out, "Nothing was drilled whole, so this proves nothing.")?,
        [] => writeln!(out, "Nothing was landed. To have it count: --apply")?,
        landed => {
            let rows: Vec<String> = landed.iter().map(|landed| landed.seq.to_string()).collect();
            writeln!(out, "Landed as row {}.", rows.join(", "))?;
        }
    }
    Ok(())
}

fn row_json(shown: &Shown) -> Json {
    json!({
        "row": shown.drilled.row,
        "class": shown.class().name(),
        "passed": shown.passed(),
        "whole": shown.tells(),
        "before": shown.drilled.before.to_string(),
        "after": shown.drilled.after.map(|after| after.to_string()),
        "said": shown.words(),
    })
}
