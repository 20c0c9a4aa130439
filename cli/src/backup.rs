//! `backup`: a copy of the ledger that is a ledger itself, verified when it is made.

use crate::exit::Refused;
use crate::place::Place;
use crate::table::Table;
use anyhow::Result;
use counterfoil_ledger::{BackupReport, Layout, Linking, Log};
use counterfoil_verifier::{Options, Pin, Report, Verdict, verify};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What `backup` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where the copy goes: a new or empty directory, or an older copy of the same ledger
    #[arg(value_name = "DEST")]
    dest: PathBuf,
    /// Copy every segment, even where a hard link would do
    #[arg(long)]
    copy: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l shop backup /mnt/disk2/shop
  counterfoil -l shop backup --copy ~/copies/shop
  counterfoil -l shop backup /mnt/disk2/shop --json | jq .rows

  cp -r /mnt/disk2/shop shop && cp -r ~/safe/keys shop/keys    # restore

Others may append meanwhile. An older copy in DEST is brought up to date; an
interrupted backup is completed by running it again. Closed segments are
hard-linked where DEST is on the same file system: that costs nothing and
survives mistakes, but not the disk; --copy writes them all. When the copy is
made, all of it is verified.

Secret keys are NEVER copied: keep them elsewhere, for without the ledger's key
nothing can be appended to a restored copy.

DEST is refused when it holds another ledger, another history of this one (the
row where they part is named), or more rows than this one.

Exit status:
  0  the copy is there and intact
  1  DEST was refused, or the copy is not intact
  2  usage, a file that cannot be read or written, or no ledger there";

/// Makes the copy, and verifies it.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let linking = if args.copy { Linking::Never } else { Linking::Allowed };
    let done = log.backup(&args.dest, linking)?;
    let options = Options { pins: vec![Pin::LedgerId(log.ledger_id())], ..Options::default() };
    let verified = verify(&args.dest, &options, &|_, _| {})?;
    if args.json {
        print_json(&args.dest, &log, &done, &verified, out)?;
    } else {
        print(&args.dest, place, &log, &done, &verified, out)?;
    }
    match verified.verdict {
        Verdict::Intact => Ok(()),
        verdict => Err(Refused::error(format!(
            "the copy in {dest} is not intact ({}): `counterfoil verify {dest}` tells all that was found. When the \
             ledger itself is intact, move the copy aside and back up to an empty directory",
            verdict.name(),
            dest = args.dest.display()
        ))),
    }
}

fn print_json(
    dest: &Path,
    log: &Log,
    done: &BackupReport,
    verified: &Report,
    out: &mut dyn Write,
) -> Result<()> {
    let object = json!({
        "dest": dest, "origin": log.origin(), "ledger_id": log.ledger_id().to_string(),
        "rows": done.head.size, "rows_before": done.rows_before, "root": done.head.root.to_string(),
        "segments": { "kept": done.kept, "linked": done.linked, "copied": done.copied, "shared": done.shared },
        "bytes_copied": done.bytes_copied, "checkpoint": done.checkpoint.to_string(),
        "verdict": verified.verdict.name(), "findings": verified.findings.len(), "keys_copied": false,
    });
    Ok(writeln!(out, "{object}")?)
}

fn print(
    dest: &Path,
    place: &Place,
    log: &Log,
    done: &BackupReport,
    verified: &Report,
    out: &mut dyn Write,
) -> Result<()> {
    let BackupReport { head, rows_before, kept, linked, shared, copied, bytes_copied, .. } = done;
    let new = head.size.saturating_sub(*rows_before);
    let mut table = Table::default();
    table.push(["copy", &dest.display().to_string()]);
    table.push(["origin", log.origin()]);
    table.push(["rows", &format!("{}, {new} of them new", head.size)]);
    let segments = format!("{kept} were there, {linked} linked, {copied} copied anew ({bytes_copied} bytes)");
    table.push(["segments", &segments]);
    table.push(["root", &head.root.to_string()]);
    table.push(["verified", verified.verdict.name()]);
    table.print(0, out)?;
    for finding in verified.findings.iter().take(3) {
        let (check, segment, offset) = (finding.check.name(), &finding.segment, finding.offset);
        writeln!(out, "  {check}, {segment} at byte {offset}: {}", finding.message)?;
    }
    let keys = place.keys();
    writeln!(out, "\nSecret keys are not in the copy; keep {} safe elsewhere.", keys.path().display())?;
    if Layout::of(dest).keys().is_dir() {
        writeln!(out, "(What lies in {} was there before.)", Layout::of(dest).keys().display())?;
    }
    if *shared > 0 {
        writeln!(
            out,
            "{shared} of the segments are links, of this run or earlier ones: their bytes lie on this disk once; \
             --copy, or another disk, makes them two."
        )?;
    }
    Ok(())
}
