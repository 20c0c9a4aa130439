//! Receipts, one a line that was read.

use crate::time;
use counterfoil_format::intent::IntentId;
use counterfoil_ledger::Receipt;
use serde::Serialize;
use std::io::{self, Write};

/// A receipt as it is printed.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptLine {
    pub seq: u64,
    pub row_hash: String,
    pub outcome: &'static str,
    pub reasons: Vec<&'static str>,
    pub landed_at: String,
    pub id: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// What becomes of a line.
pub enum Fate {
    /// It is an intent of the submission, at this place.
    In { place: usize, id: IntentId, duplicate: bool },
    /// It has landed before.
    Landed(ReceiptLine),
}

/// Prints the receipt of each line.
pub fn print_receipts(fates: &[Fate], receipts: &[Receipt], out: &mut dyn Write) -> io::Result<()> {
    for fate in fates {
        match fate {
            Fate::Landed(line) => serde_json::to_writer(&mut *out, line)?,
            Fate::In { place, id, duplicate } => {
                let Some(receipt) = receipts.get(*place) else { continue };
                let line = ReceiptLine {
                    seq: receipt.seq,
                    row_hash: receipt.row_hash.to_string(),
                    outcome: receipt.outcome.name(),
                    reasons: receipt.reasons.iter().map(|reason| reason.name()).collect(),
                    landed_at: time::print(receipt.landed_at),
                    id: id.to_string(),
                    duplicate: *duplicate,
                };
                serde_json::to_writer(&mut *out, &line)?;
            }
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}
