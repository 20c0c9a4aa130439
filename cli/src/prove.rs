//! `counterfoil prove`: that a row lies in the log, or that an earlier log is a prefix of this one.

use crate::exit::{Refused, no_such_row};
use crate::place::Place;
use anyhow::Result;
use clap::ArgGroup;
use counterfoil_format::proof::{Claim, ProofFile};
use counterfoil_ledger::Tiles;
use serde_json::json;
use std::io::Write;

/// Prints a proof against the newest checkpoint, which it contains.
///
/// `prove SEQ` is an inclusion proof as in c2sp.org/tlog-proof; the entry is the byte 01 and the row's hash.
/// `prove --from SIZE` is a consistency proof from the log of that size.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil prove 41 > row-41.tlog-proof
  counterfoil prove --from 1000")]
#[command(group = ArgGroup::new("proven").args(["row", "from"]).required(true))]
pub struct Args {
    /// The row to prove
    #[arg(value_name = "SEQ")]
    row: Option<u64>,
    /// The size of the earlier log
    #[arg(long, value_name = "SIZE")]
    from: Option<u64>,
    /// One JSON object: index or from, hashes (hexadecimal), checkpoint, file
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let checkpoint = log.signed_checkpoint()?;
    let mut tiles = Tiles::of(&log);
    let size = tiles.head().size;
    let (claim, hashes) = match (args.row, args.from) {
        (_, Some(from)) if from == 0 || from > size => {
            return Err(Refused::error(format!(
                "there is no earlier log of {from} rows: the ledger has {size} rows, so give --from a size from 1 to \
                 {size}"
            )));
        }
        (Some(row), None) if row >= size => return Err(no_such_row(row, size)),
        (_, Some(from)) => (Claim::Consistency { from }, tiles.prove_consistency(from)?),
        (row, None) => {
            let index = row.unwrap_or_default();
            (Claim::Inclusion { index }, tiles.prove_inclusion(index)?)
        }
    };
    let proof = ProofFile { claim, hashes, checkpoint };
    if !args.json {
        return Ok(write!(out, "{proof}")?);
    }
    let (name, number) = match claim {
        Claim::Inclusion { index } => ("index", index),
        Claim::Consistency { from } => ("from", from),
    };
    let hashes: Vec<String> = proof.hashes.iter().map(ToString::to_string).collect();
    let object = json!({
        name: number,
        "hashes": hashes,
        "checkpoint": proof.checkpoint.to_string(),
        "file": proof.to_string(),
    });
    Ok(writeln!(out, "{object}")?)
}
