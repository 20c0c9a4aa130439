//! `counterfoil checkpoint`: the newest seal, to be kept elsewhere.

use crate::place::Place;
use anyhow::Result;
use counterfoil_format::note::{Checkpoint, encode_hash};
use serde_json::json;
use std::io::Write;

/// Prints the newest seal as a signed note (c2sp.org/tlog-checkpoint).
///
/// Whoever keeps it can later show that nothing before it was changed and that no row up to it is missing:
/// `counterfoil verify DIR --checkpoint FILE`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  counterfoil checkpoint > /somewhere/else/shop.checkpoint
  counterfoil checkpoint --json")]
pub struct Args {
    /// One JSON object: origin, size, root (base64, as in the note), note
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let note = place.log()?.signed_checkpoint()?;
    if !args.json {
        return Ok(write!(out, "{note}")?);
    }
    let Checkpoint { origin, size, root } = Checkpoint::parse(&note.text)?;
    let root = encode_hash(&root);
    Ok(writeln!(
        out,
        "{}",
        json!({ "origin": origin, "size": size, "root": root, "note": note.to_string() })
    )?)
}
