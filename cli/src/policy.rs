//! `policy`: by which rules decisions land, as a file and in the ledger.

mod rehearse;

use crate::act::{self, Urgency};
use crate::body_json;
use crate::confirm::confirm;
use crate::exit::Refused;
use crate::names::Names;
use crate::place::Place;
use crate::policy_words::policy_of;
use anyhow::{Context, Result, anyhow};
use counterfoil_format::body::{Body, Role};
use counterfoil_ledger::{Log, StoredRow};
use counterfoil_policy::{Difference, FILE_BYTES, PRESETS, PolicyErrors, PolicyFile, diff, preset};
use serde_json::{Value as Json, json};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// What `policy` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Print the policy in force, or one that comes with this program
    Show(Show),
    /// Tell all that is wrong or doubtful in a policy file
    Check(Check),
    /// Tell what a policy file would change
    Diff(Diff),
    /// Set a policy, in force from the next row on
    Set(Set),
    /// Rehearse a policy: which rows would have landed differently under it
    Test(rehearse::Args),
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop policy show > policy.toml
  counterfoil policy show --preset default
  counterfoil policy check policy.toml
  counterfoil -l shop policy diff policy.toml
  counterfoil -l shop policy test policy.toml --against-log
  counterfoil -l shop policy set policy.toml

docs/POLICY.md explains each setting. A policy is set by a row of the owner.";

#[derive(clap::Args)]
struct Show {
    /// One that comes with this program instead: default or open
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Check {
    /// The policy file
    file: std::path::PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Diff {
    /// The policy file
    file: std::path::PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Set {
    /// The policy file
    file: std::path::PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command. Only some of it needs a ledger.
pub fn run(args: &Args, place: impl Fn() -> Result<Place>, out: &mut dyn Write) -> Result<()> {
    match &args.what {
        What::Show(args) => show(args, place, out),
        What::Check(args) => check(args, out),
        What::Diff(args) => differ(args, &place()?, out),
        What::Set(args) => set(args, &place()?, out),
        What::Test(args) => rehearse::run(args, &place()?, out),
    }
}

/// Reads a policy file. What is wrong in it is told by line and column; what is doubtful goes to standard error.
pub fn read(path: &Path) -> Result<PolicyFile> {
    let file = parse(path)?;
    for warning in file.warnings() {
        eprintln!("counterfoil: note: {}:{warning}", path.display());
    }
    Ok(file)
}

fn parse(path: &Path) -> Result<PolicyFile> {
    parsed(path)?.map_err(|errors| refusal(path, &errors))
}

fn refusal(path: &Path, errors: &PolicyErrors) -> anyhow::Error {
    Refused::error(errors.in_file(&path.display().to_string()).to_string())
}

fn parsed(path: &Path) -> Result<Result<PolicyFile, PolicyErrors>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut text = String::new();
    let most = FILE_BYTES as u64 + 1;
    file.take(most).read_to_string(&mut text).with_context(|| path.display().to_string())?;
    Ok(PolicyFile::parse(&text))
}

/// A policy by the name of a preset, or a file's.
pub fn named(name: &str) -> Result<PolicyFile> {
    match preset(name) {
        Some(preset) => PolicyFile::parse(preset.text).map_err(|errors| anyhow!(errors)),
        None => read(Path::new(name)),
    }
}

/// The row that sets the policy in force.
pub fn row_in_force(log: &Log) -> Result<StoredRow> {
    Ok(log.row(log.governance()?.in_force.policy_row)?)
}

fn show(args: &Show, place: impl Fn() -> Result<Place>, out: &mut dyn Write) -> Result<()> {
    if let Some(name) = &args.preset {
        let found = preset(name).ok_or_else(|| {
            let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
            Refused::error(format!(
                "no policy {name} comes with this program; there are {}",
                names.join(", ")
            ))
        })?;
        match args.json {
            true => writeln!(
                out,
                "{}",
                json!({ "preset": found.name, "about": found.about, "toml": found.text })
            )?,
            false => write!(out, "{}", found.text)?,
        }
        return Ok(());
    }
    let log = place()?.log()?;
    let stored = row_in_force(&log)?;
    let row = stored.parse()?;
    let policy = policy_of(&row)?;
    if args.json {
        let names = Names::of(&log)?;
        let body = body_json::of_body(&Body::Policy(policy), &names);
        writeln!(out, "{}", json!({ "row": row.landing.seq, "policy": body }))?;
        return Ok(());
    }
    writeln!(out, "# The policy of {}, set by row {}.\n", log.origin(), row.landing.seq)?;
    write!(out, "{}", PolicyFile::from_body(&policy).to_toml())?;
    Ok(())
}

fn check(args: &Check, out: &mut dyn Write) -> Result<()> {
    let at = |place: counterfoil_policy::Place, words: String| json!({ "line": place.line, "column": place.column, "says": words });
    let file = match parsed(&args.file)? {
        Ok(file) => file,
        Err(errors) => {
            if args.json {
                let told = errors.errors.iter().map(|error| at(error.place, error.problem.to_string()));
                let object = json!({ "file": args.file, "ok": false, "errors": told.collect::<Vec<_>>(), "more": errors.more });
                writeln!(out, "{object}")?;
            }
            return Err(refusal(&args.file, &errors));
        }
    };
    if args.json {
        let told = file.warnings().iter().map(|warning| at(warning.place, warning.doubt.to_string()));
        writeln!(out, "{}", json!({ "file": args.file, "ok": true, "warnings": told.collect::<Vec<_>>() }))?;
        return Ok(());
    }
    let shown = args.file.display();
    for warning in file.warnings() {
        writeln!(out, "{shown}:{warning}")?;
    }
    let doubts = match file.warnings().len() {
        0 => String::new(),
        1 => "; 1 thing in it is doubtful".to_owned(),
        many => format!("; {many} things in it are doubtful"),
    };
    writeln!(out, "{shown}: a policy can be set from it{doubts}.")?;
    Ok(())
}

fn as_json(changes: &[Difference]) -> Vec<Json> {
    changes.iter().map(|change| json!({ "says": change.to_string(), "turn": change.turn.name() })).collect()
}

fn differ(args: &Diff, place: &Place, out: &mut dyn Write) -> Result<()> {
    let file = read(&args.file)?;
    let log = place.log()?;
    let stored = row_in_force(&log)?;
    let changes = diff(&policy_of(&stored.parse()?)?, &file.body());
    if args.json {
        writeln!(out, "{}", json!({ "file": args.file, "changes": as_json(&changes) }))?;
        return Ok(());
    }
    if changes.is_empty() {
        writeln!(out, "It changes nothing.")?;
    }
    changes.iter().try_for_each(|change| writeln!(out, "{change}"))?;
    Ok(())
}

fn set(args: &Set, place: &Place, out: &mut dyn Write) -> Result<()> {
    let file = read(&args.file)?;
    let log = place.log()?;
    let governance = log.governance()?;
    let stored = row_in_force(&log)?;
    let changes = diff(&policy_of(&stored.parse()?)?, &file.body());
    if changes.is_empty() {
        return Err(Refused::error("nothing was changed: this is the policy in force"));
    }
    if !args.json {
        changes.iter().try_for_each(|change| writeln!(out, "{change}"))?;
        out.flush()?;
    }
    let many = if changes.len() == 1 { "This change" } else { "These changes" };
    confirm(&format!("{many} will be in force from the next row on. Set the policy?"), args.yes)?;
    let owner = place.keys().for_role(&governance, Role::Owner).context("a policy is set by the owner")?;
    let landed = act::land(place, &log, &owner, Body::Policy(file.body()), Urgency::Plain)?;
    if args.json {
        writeln!(out, "{}", landed.json_with([("changes", json!(as_json(&changes)))]))?;
        return Ok(());
    }
    writeln!(out, "Row {} sets it.", landed.seq)?;
    Ok(())
}
