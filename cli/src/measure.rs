//! `measure`: land readings, which decisions point to and thresholds are computed from.

use crate::act::{Urgency, land_all};
use crate::decision::random_id;
use crate::exit::Refused;
use crate::json::{self, Object};
use crate::place::Place;
use anyhow::{Context as _, Result, anyhow};
use counterfoil_format::body::{Body, Reading};
use counterfoil_format::content::Subject;
use counterfoil_format::intent::Kind;
use counterfoil_format::limits::SUBMISSION_ROWS;
use counterfoil_format::value::Decimal;
use counterfoil_ledger::{Draft, DraftError, SubmissionBuilder, now};
use serde::Deserialize;
use serde_json::Number;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

/// Bytes of the lines that are read at most.
const INPUT_BYTES: u64 = 64 << 20;

/// What `measure` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What was measured
    #[arg(required_unless_present = "lines")]
    metric: Option<String>,
    /// The measurement, an exact decimal
    #[arg(required_unless_present = "lines", allow_hyphen_values = true, value_parser = json::read_decimal)]
    value: Option<Decimal>,
    /// What it was measured of; the store as a whole when not given
    #[arg(long, value_name = "NAME")]
    entity: Option<String>,
    /// The action that the row has, by which `calibrate --where` picks readings
    #[arg(long, value_name = "NAME", default_value = "")]
    action: String,
    /// Where it comes from
    #[arg(long, value_name = "TEXT", default_value = "")]
    source: String,
    /// Read JSON lines instead, from a file or `-` for standard input; they land together
    #[arg(long, value_name = "FILE", conflicts_with_all = ["metric", "value", "entity", "action", "source"])]
    lines: Option<PathBuf>,
    /// Whose key signs; by default the first here that may, an executor's before others
    #[arg(long = "as", value_name = "NAME")]
    author: Option<String>,
    /// Accepted for the sake of scripts: receipts are always JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = r#"Examples:
  counterfoil -l shop measure roas 2.4 --entity sku-1 --source ads/daily
  counterfoil -l shop measure --lines readings.jsonl

A line is {"metric": "roas", "value": 2.4, "entity": "sku-1", "action": "...",
"source": "..."}; only metric and value are required. At most 4096 lines land
at once, together or not at all. Each reading is a row; a receipt has its
number, which decisions name as evidence."#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    metric: String,
    value: Number,
    #[serde(default)]
    entity: Option<String>,
    #[serde(default)]
    action: String,
    #[serde(default)]
    source: String,
}

/// A reading to land.
struct Measurement {
    /// The line it stands in, when it was read from lines.
    line: Option<usize>,
    metric: String,
    value: Decimal,
    entity: Option<String>,
    action: String,
    source: String,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let measurements = match (&args.lines, &args.metric, args.value) {
        (Some(path), ..) => read(path)?,
        (None, Some(metric), Some(value)) => vec![Measurement {
            line: None,
            metric: metric.clone(),
            value,
            entity: args.entity.clone(),
            action: args.action.clone(),
            source: args.source.clone(),
        }],
        _ => return Err(anyhow!("a metric and a value are wanted, or --lines")),
    };
    let log = place.log()?;
    let author = place.keys().author(&log.governance()?, args.author.as_deref(), Kind::Evidence)?;
    let mut builder = SubmissionBuilder::new(&author.key)?;
    for measurement in &measurements {
        builder.push(&measurement.draft()?).map_err(|error| measurement.told(error))?;
    }
    for landed in land_all(place, &log, builder.sign(log.ledger_id())?, Urgency::Plain)? {
        writeln!(out, "{}", landed.json())?;
    }
    Ok(())
}

impl Measurement {
    /// What is wrong with it, and where it stands.
    fn told(&self, error: DraftError) -> anyhow::Error {
        match (error, self.line) {
            (DraftError::Format { error, .. }, Some(line)) => wrong(line, &error.to_string()),
            (DraftError::Format { error, .. }, None) => Refused::error(format!("{error}; nothing landed")),
            (error, _) => error.into(),
        }
    }

    fn draft(&self) -> Result<Draft<'_>> {
        let time = now();
        let body = Body::Evidence(Reading { metric: &self.metric, value: self.value, source: &self.source });
        let id = random_id(time).map_err(|error| anyhow!(error))?;
        let subject = self.entity.as_deref().map(|entity| Subject { entity, lifecycle: None });
        Ok(Draft { action: &self.action, subject, ..Draft::with_body(id, body, time) })
    }
}

fn wrong(line: usize, why: &str) -> anyhow::Error {
    Refused::error(format!("line {line}: {why}; nothing landed"))
}

fn read(path: &std::path::Path) -> Result<Vec<Measurement>> {
    let input: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin()),
        false => Box::new(File::open(path).with_context(|| path.display().to_string())?),
    };
    let mut measurements = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(input.take(INPUT_BYTES)).lines()) {
        let line = line.with_context(|| path.display().to_string())?;
        if line.trim().is_empty() {
            continue;
        }
        if measurements.len() == SUBMISSION_ROWS {
            return Err(wrong(number, &format!("more than {SUBMISSION_ROWS} readings do not land at once")));
        }
        let Object(line): Object<Line> =
            serde_json::from_str(&line).map_err(|error| wrong(number, &error.to_string()))?;
        let value = json::read_decimal(&line.value.to_string()).map_err(|why| wrong(number, &why))?;
        let Line { metric, entity, action, source, .. } = line;
        measurements.push(Measurement { line: Some(number), metric, value, entity, action, source });
    }
    if measurements.is_empty() {
        return Err(Refused::error(format!("{}: it has no readings; nothing landed", path.display())));
    }
    Ok(measurements)
}
