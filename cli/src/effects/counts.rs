//! How many calls are open.

use anyhow::Result;
use counterfoil_format::body::EffectStatus;
use counterfoil_ledger::Log;
use serde_json::{Value as Json, json};

/// How many calls stand how, of those that have not ended.
#[derive(Default)]
pub struct Counts {
    /// They certainly failed.
    pub failed: usize,
    /// Nobody knows.
    pub unknown: usize,
    /// They were called for, or about to be made, and no more is known.
    pub unfinished: usize,
}

impl Counts {
    /// Those of a ledger.
    pub fn of(log: &Log) -> Result<Self> {
        let mut counts = Counts::default();
        for open in log.open_calls()? {
            match open.status {
                Some(EffectStatus::Failed) => counts.failed += 1,
                Some(EffectStatus::Unknown) => counts.unknown += 1,
                _ => counts.unfinished += 1,
            }
        }
        Ok(counts)
    }

    /// In words; the empty ones when there are none.
    pub fn words(&self) -> String {
        let Counts { failed, unknown, unfinished } = self;
        let parts = [(failed, "failed"), (unknown, "unknown"), (unfinished, "not finished")];
        let parts = parts.into_iter().filter(|(count, _)| **count > 0);
        let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
        parts.join(", ")
    }

    /// As JSON.
    pub fn json(&self) -> Json {
        json!({ "failed": self.failed, "unknown": self.unknown, "unfinished": self.unfinished })
    }
}
