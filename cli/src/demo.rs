//! `counterfoil demo`: a shop run by agents, from its first row to a tampered copy and a decision taken back.

use crate::exit::Refused;
use crate::init::{self, Founded};
use crate::json;
use crate::past::Past;
use crate::place::Place;
use crate::quote::{quoted, quoted_path};
use crate::shop::{Landed, Shop};
use crate::undo;
use crate::week::{Week, WeekClock};
use anyhow::{Context, Result};
use counterfoil_format::frame::{SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::group::GroupHeader;
use counterfoil_format::intent::Micros;
use counterfoil_ledger::{Layout, Log, Platform, now};
use counterfoil_replay::state::state_of_keys;
use counterfoil_verifier::human::Human;
use counterfoil_verifier::{Options, Report, Verdict, verify};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs the main job on a made shop: lands decisions, proves them offline, shows tampering caught, takes one back.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil demo
  counterfoil demo --rows 100000 --dir ./shop

The ledger stays in DIR, to play with, and DIR/demo/checkpoint is the seal that
an auditor would have kept elsewhere. Nothing outside DIR is written.")]
pub struct Args {
    /// Decisions of the usual business to land, spread over the week
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rows: u64,
    /// The seed of the shop's events; keys, salts and times are new each time
    #[arg(long, value_name = "S", default_value_t = 7)]
    seed: u64,
    /// The ledger's directory, new or empty; a new one among the temporary files, when not given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print one JSON object at the end, and nothing else
    #[arg(long)]
    json: bool,
}

/// What an auditor would hold elsewhere, and for a while the copies that are tampered with, within the ledger's directory.
const BESIDE: &str = "demo";

/// How long ago the demo's week began: a week and an hour.
const WEEK: Micros = 169 * 3_600_000_000;

/// What the demo found, for --json.
struct Story {
    landed: Landed,
    verdict: Verdict,
    caught: Vec<(&'static str, Verdict)>,
    taken_back: u64,
    by: u64,
    key: String,
    states: [Json; 3],
}

/// Runs the command.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => fresh_dir()?,
    };
    let mut quiet = std::io::sink();
    let told: &mut dyn Write = if args.json { &mut quiet } else { out };
    let (founded, story) = tell(args, &dir, told)?;
    if args.json {
        let caught: Vec<Json> = story
            .caught
            .iter()
            .map(|(what, verdict)| json!({ "tampering": what, "verdict": verdict.name() }))
            .collect();
        let [before, gone, back] = &story.states;
        let object = json!({
            "dir": dir, "checkpoint": dir.join(BESIDE).join("checkpoint"), "ledger_id": founded.ledger_id.to_string(), "rows": story.landed.total(),
            "applied": story.landed.applied, "dry_run": story.landed.dry_run, "review": story.landed.review,
            "verdict": story.verdict.name(), "tampered": caught,
            "rollback": { "row": story.taken_back, "by": story.by, "key": story.key,
                "before": before, "after": gone, "redone": back },
        });
        writeln!(out, "{object}")?;
    }
    Ok(())
}

fn fresh_dir() -> Result<PathBuf> {
    let base = std::env::temp_dir();
    let free = (1..10_000).map(|number| base.join(format!("counterfoil-demo-{number}")));
    let mut free = free.filter(|dir| fs::create_dir(dir).is_ok());
    free.next().with_context(|| format!("no directory could be made in {}; give --dir", base.display()))
}

fn tell(args: &Args, dir: &Path, out: &mut dyn Write) -> Result<(Founded, Story)> {
    let shown = dir.display();
    writeln!(out, "1. A ledger begins in {shown}: its keys, and row 0.")?;
    let clock = WeekClock::at(now().saturating_sub(WEEK));
    let platform = Platform { clock: Arc::new(clock.clone()), ..Platform::default() };
    let founding = init::Args::new("demo.example/shop", "default");
    let founded = init::found(&founding, dir, &platform)?;
    writeln!(out, "   An auditor pins its id, {}.\n", founded.ledger_id)?;

    writeln!(
        out,
        "2. A week of a shop under a policy. Each decision is a row, with its rollback beside it:"
    )?;
    let place = Place::find(Some(dir))?;
    let mut shop = Shop::open(&place, args.seed, &platform)?;
    shop.read_margin()?;
    Week::new(&mut shop, clock, out)?.live(args.rows)?;
    shop.set_a_price()?;
    let landed = shop.landed();
    let (row, key) = shop.last_price().context("the shop set no price")?;
    let beside = dir.join(BESIDE);
    fs::create_dir(&beside).with_context(|| beside.display().to_string())?;
    let checkpoint = beside.join("checkpoint");
    fs::write(&checkpoint, shop.checkpoint()?).with_context(|| checkpoint.display().to_string())?;
    shop.close()?;
    writeln!(
        out,
        "   {} rows: {} applied, {} dry runs that changed nothing, {} put aside for review.\n",
        landed.total(),
        landed.applied,
        landed.dry_run,
        landed.review
    )?;

    writeln!(out, "3. The verifier reads the files alone, offline:")?;
    let report = judge(dir, &founded, &checkpoint)?;
    indented(out, |out| Ok(write!(out, "{}", Human { report: &report, colour: false })?))?;
    writeln!(out)?;

    writeln!(out, "4. Somebody tampers with a copy:")?;
    let caught = tamper(dir, &founded, &checkpoint, out)?;
    writeln!(out)?;

    let (by, states) = take_back(&place, row, &key, out)?;
    let report = judge(dir, &founded, &checkpoint)?;
    writeln!(out, "   The verifier on all of it: {}.\n", report.verdict.name())?;
    writeln!(out, "The ledger is in {shown}, and the seal of step 2, as an auditor would have kept it, in")?;
    writeln!(out, "{}. They are yours to play with:", checkpoint.display())?;
    writeln!(out, "  export COUNTERFOIL_LEDGER={}", quoted_path(dir))?;
    for command in ["log", &format!("show {row}"), &format!("history {}", quoted(&key)), "state", "verify"] {
        writeln!(out, "  counterfoil {command}")?;
    }
    writeln!(out, "  counterfoil verify --checkpoint {}", quoted_path(&checkpoint))?;
    let verdict = report.verdict;
    if verdict != Verdict::Intact || caught.iter().any(|(_, verdict)| *verdict == Verdict::Intact) {
        return Err(Refused::error("the demo did not end as it should; please report it"));
    }
    Ok((founded, Story { landed, verdict, caught, taken_back: row, by, key, states }))
}

/// Verifies with everything an auditor would hold from elsewhere.
fn judge(dir: &Path, founded: &Founded, checkpoint: &Path) -> Result<Report> {
    let pins = [format!("ledger_id={}", founded.ledger_id), format!("owner={}", founded.owner)];
    let options = Options {
        pins: pins.iter().map(|pin| pin.parse()).collect::<Result<_, _>>()?,
        checkpoints: vec![checkpoint.to_owned()],
        ..Options::default()
    };
    Ok(verify(dir, &options, &|_, _| {})?)
}

/// What is done to a segment of a copy, in words and in deed.
type Tampering = (&'static str, fn(&Path) -> Result<()>);

/// Tampers with copies, and shows what the verifier says of each.
fn tamper(
    dir: &Path,
    founded: &Founded,
    checkpoint: &Path,
    out: &mut dyn Write,
) -> Result<Vec<(&'static str, Verdict)>> {
    let copy = dir.join(BESIDE).join("tampered");
    let mut caught = Vec::new();
    let kinds: [Tampering; 3] = [
        ("one bit of a row is flipped", flip),
        ("the newest rows are cut off, cleanly", cut),
        ("a segment is replaced by garbage", garble),
    ];
    for (what, change) in kinds {
        copy_log(dir, &copy)?;
        change(&last_segment(&copy)?)?;
        let report = judge(&copy, founded, checkpoint)?;
        writeln!(out, "   {what}: {}", report.verdict.name())?;
        if let Some(finding) = report.findings.first() {
            let row = finding.row.map_or(String::new(), |row| format!(", row {row}"));
            let (check, segment, offset) = (finding.check.name(), &finding.segment, finding.offset);
            writeln!(out, "     {check}{row}, {segment} at byte {offset}: {}", finding.message)?;
        }
        caught.push((what, report.verdict));
        fs::remove_dir_all(&copy).with_context(|| copy.display().to_string())?;
    }
    Ok(caught)
}

fn copy_log(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (Layout::of(from), Layout::of(to));
    fs::create_dir_all(to.log()).with_context(|| to.log().display().to_string())?;
    for first in from.segments()? {
        fs::copy(from.segment(first), to.segment(first))?;
    }
    Ok(())
}

fn last_segment(dir: &Path) -> Result<PathBuf> {
    let layout = Layout::of(dir);
    let last = layout.segments()?.pop().context("the copy has no segment")?;
    Ok(layout.segment(last))
}

fn flip(segment: &Path) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(segment)?;
    let offset = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    Ok(file.write_all_at(&byte.map(|byte| byte ^ 1), offset)?)
}

/// Cuts whole groups off, so that what is left holds together and only a checkpoint kept elsewhere can tell.
fn cut(segment: &Path) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(segment)?;
    let (header, size) = (SegmentHeader::read(&file)?, file.metadata()?.len());
    let mut end = SEGMENT_HEADER_BYTES as u64;
    while let Ok(group) = GroupHeader::read(&file, end, size, &header.salt)
        && end + group.group_bytes() <= size / 2
    {
        end += group.group_bytes();
    }
    Ok(file.set_len(end)?)
}

fn garble(segment: &Path) -> Result<()> {
    Ok(fs::write(segment, vec![0x5a; SEGMENT_HEADER_BYTES * 4])?)
}

/// Takes the newest price back, and brings it back again.
fn take_back(place: &Place, row: u64, key: &str, out: &mut dyn Write) -> Result<(u64, [Json; 3])> {
    writeln!(out, "5. An operator takes row {row} back. First the plan, which changes nothing:")?;
    let before = held(&place.log()?, key)?;
    indented(out, |out| undo::preview_one(place, row, out))?;
    writeln!(out, "   Then it is done, as a row of its own:")?;
    let by = indented(out, |out| undo::apply_one(place, row, "demo: the price was wrong", out))?;
    let gone = held(&place.log()?, key)?;
    writeln!(out, "   {key} was {before}, and is {gone}.")?;
    let again = undo::apply_one(place, by, "demo: it was right after all", &mut std::io::sink())?;
    let back = held(&place.log()?, key)?;
    writeln!(out, "   A rollback can be taken back too: row {again} does, and {key} is {back}.")?;
    Ok((by, [before, gone, back]))
}

fn held(log: &Log, key: &str) -> Result<Json> {
    let state = state_of_keys(&Past::of(log), &BTreeSet::from([key.to_owned()]))?;
    Ok(state.get(key).map_or(Json::Null, |held| json::of_leaf(&held.leaf)))
}

/// Prints what `print` prints, with three spaces before each line.
fn indented<T>(out: &mut dyn Write, print: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let mut text = Vec::new();
    let result = print(&mut text)?;
    for line in String::from_utf8_lossy(&text).lines() {
        writeln!(out, "   {line}")?;
    }
    Ok(result)
}
