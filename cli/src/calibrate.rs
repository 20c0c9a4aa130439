//! `calibrate`: a threshold from the store's own readings.

use crate::act::{self, Urgency};
use crate::exit::Refused;
use crate::json;
use crate::place::Place;
use crate::time;
use anyhow::{Result, anyhow};
use counterfoil_format::body::{Body, Calibration};
use counterfoil_format::intent::{Kind, Micros};
use counterfoil_format::limits::PPM;
use counterfoil_format::value::Decimal;
use counterfoil_ledger::now;
use counterfoil_rules::calibration::fits;
use counterfoil_rules::number::quantile;
use serde_json::json;
use std::io::Write;

/// What `calibrate` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The metric, as the evidence rows name it
    metric: String,
    /// The quantile, from 0 to 1 with at most 6 digits: 0.25 is the value that a quarter of the readings do not pass
    #[arg(long, value_name = "Q", value_parser = read_quantile)]
    quantile: u32,
    /// How far back readings are taken: `30 days`, `24h`, `90 min`
    #[arg(long, value_name = "TIME", value_parser = read_window)]
    window: Micros,
    /// Only readings whose rows have this action: `action=NAME`
    #[arg(long = "where", value_name = "action=NAME", value_parser = read_filter)]
    action: Option<String>,
    /// Show the threshold and land nothing
    #[arg(long)]
    dry_run: bool,
    /// Whose key signs; by default the first here that may, an operator's before the owner's
    #[arg(long = "as", value_name = "NAME")]
    author: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop calibrate roas --quantile 0.25 --window '30 days'
  counterfoil -l shop calibrate roas --quantile 0.5 --window 7days \\
    --where action=READ_ADS --dry-run

The threshold is the quantile by the nearest rank of all applied readings of
the metric in the window: exact, and one of them. A calibration row names them
all, so that anyone can recompute it, and `verify` does. A policy that says
metrics = { roas = \"calibrated\" } asks decisions to rest on readings that
reach the newest threshold.";

fn read_quantile(text: &str) -> Result<u32, String> {
    let wrong = || "a quantile is a number from 0 to 1 with at most 6 digits behind the point".to_owned();
    let Decimal { mantissa, scale } = json::read_decimal(text)?;
    let shift = 6u32.checked_sub(scale.into()).ok_or_else(wrong)?;
    let ppm = mantissa.checked_mul(10i128.pow(shift)).and_then(|ppm| u32::try_from(ppm).ok());
    ppm.filter(|ppm| *ppm <= PPM).ok_or_else(wrong)
}

fn read_window(text: &str) -> Result<Micros, String> {
    counterfoil_policy::parse_time(text).map_err(|fault| fault.to_string())
}

fn read_filter(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some(("action", action)) if !action.is_empty() => Ok(action.to_owned()),
        _ => Err("a filter is action=NAME; readings are known by the action of their rows".to_owned()),
    }
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    if args.metric.is_empty() {
        return Err(Refused::error("a metric is named by 1 to 128 bytes"));
    }
    let log = place.log()?;
    let governance = log.governance()?;
    let (from, upto) = (now().saturating_sub(args.window), log.head().size);
    let mut calibration = Calibration {
        metric: &args.metric,
        action: args.action.as_deref().unwrap_or_default(),
        from,
        upto,
        quantile: args.quantile,
        rows: Vec::new(),
        threshold: Decimal { mantissa: 0, scale: 0 },
    };
    let readings = log.readings(&args.metric, from, upto)?;
    let samples: Vec<_> =
        readings.iter().map(|reading| reading.sample()).filter(|sample| fits(&calibration, sample)).collect();
    let mut values: Vec<_> = samples.iter().map(|sample| sample.value).collect();
    let threshold = quantile(&mut values, args.quantile).ok_or_else(|| {
        let action =
            args.action.as_ref().map_or_else(String::new, |action| format!(" with the action {action}"));
        Refused::error(format!(
            "there is no reading of {}{action} since {}; `counterfoil log` lists readings as evidence rows",
            args.metric,
            time::print_short(from)
        ))
    })?;
    let rows: Vec<u64> = samples.iter().map(|sample| sample.row).collect();
    (calibration.threshold, calibration.rows) = (threshold, rows.clone());
    let landed = match args.dry_run {
        true => None,
        false => {
            let author = place.keys().author(&governance, args.author.as_deref(), Kind::Calibration)?;
            Some(act::land(place, &log, &author, Body::Calibration(calibration), Urgency::Plain)?)
        }
    };
    if args.json {
        let object = json!({
            "metric": args.metric, "quantile_ppm": args.quantile, "threshold": json::of_decimal(threshold),
            "from": time::print(from), "upto": upto, "rows": rows, "landed": landed.map(|landed| landed.json()),
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let (first, last) = (rows.first().copied(), rows.last().copied());
    let (first, last) = first.zip(last).ok_or_else(|| anyhow!("there is no reading"))?;
    writeln!(
        out,
        "{} reaches {threshold} at the quantile {}, of {} readings in rows {first} to {last}.",
        args.metric,
        Decimal { mantissa: args.quantile.into(), scale: 6 },
        rows.len()
    )?;
    match landed {
        Some(landed) => writeln!(out, "Row {} says so ({}).", landed.seq, landed.fate())?,
        None => writeln!(out, "Nothing landed: it was asked for as a dry run.")?,
    }
    Ok(())
}
