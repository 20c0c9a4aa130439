//! Calling for effects: a row that says that a call is about to be made, the call, and a row that says what came of it.
//!
//! Whoever is stopped in between leaves the first row or none, and `effects resume` asks the adapter what happened and goes on.

mod held;

pub use self::held::{Held, Watch};
use crate::act::{self, Urgency};
use crate::exit::Refused;
use crate::json;
use crate::keys::NamedKey;
use crate::place::Place;
use anyhow::{Context as _, Result};
use counterfoil_effects::{Adapter, Adapters, Call, Fate, Kind, Outcome};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, EffectOutcome, EffectStatus};
use counterfoil_format::limits::TEXT_BYTES;
use counterfoil_ledger::Log;
use counterfoil_replay::plan::PlannedCall;
use counterfoil_rules::call::call_key;
use serde_json::{Value as Json, json};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// What came of a call.
pub struct Told {
    /// The row that called for it.
    pub row: u64,
    /// The effect's place.
    pub effect: u32,
    /// The adapter.
    pub adapter: String,
    /// How it stands now.
    pub status: EffectStatus,
    /// What the adapter said.
    pub detail: String,
    /// The row that tells.
    pub told_by: u64,
}

impl Told {
    /// As JSON.
    pub fn json(&self) -> Json {
        json!({
            "row": self.row,
            "effect": self.effect,
            "adapter": self.adapter,
            "status": self.status.name(),
            "detail": self.detail,
            "told_by": self.told_by,
        })
    }
}

/// Makes calls, and lands rows about them. There is one of a ledger at a time: two that went on with the same call could both make
/// it.
pub struct Caller<'p> {
    place: &'p Place,
    log: Log,
    author: &'p NamedKey,
    adapters: Adapters,
    watch: Watch,
    _alone: File,
}

/// The file that names the adapters of a ledger.
pub fn adapters_file(place: &Place, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| place.dir().join("adapters.toml"), Path::to_owned)
}

impl<'p> Caller<'p> {
    /// With these adapters. The author signs the rows.
    pub fn new(place: &'p Place, adapters: Adapters, author: &'p NamedKey) -> Result<Self> {
        let alone = alone(place)?;
        let log = place.log()?;
        let watch = Watch::of(&log)?;
        Ok(Caller { place, log, author, adapters, watch, _alone: alone })
    }

    /// The adapter of a call. It is an error when it is not in the file.
    pub fn knows(&self, call: &PlannedCall) -> Result<&Adapter> {
        self.adapters.find(&call.adapter).map_err(|error| Refused::error(error.to_string()))
    }

    /// Why what a row calls for is not to be called for now, as the log is now.
    pub fn held(&mut self, row: u64, effect: u32, call: Option<&PlannedCall>) -> Result<Option<Held>> {
        self.watch.refresh(&self.log)?;
        Ok(self.watch.held(row, effect, call))
    }

    /// Makes a call that a row calls for: says that it is about to be made, makes it, says what came of it.
    pub fn make(&mut self, row: u64, row_hash: &Hash, call: &PlannedCall) -> Result<Told> {
        let adapter = self.knows(call)?.clone();
        self.tell(row, call, EffectStatus::Intended, "")?;
        // Nobody plans from here on as if it were not called for. Whatever has landed before that is seen now.
        if let Some(held) = self.held(row, call.effect, Some(call))? {
            let why = format!("it was not made: {}", held.why());
            return self.tell(row, call, EffectStatus::Failed, &why);
        }
        let outcome = adapter.carry_out(&self.request(row, row_hash, call), &mut std::thread::sleep);
        self.end(row, call, &outcome)
    }

    /// Goes on with a call of which it is not known whether it was made: the adapter is asked before anything is called, and nothing
    /// is called that is not to be made. A call whose status is unknown is intended anew, so that a second crash leaves a trace too.
    pub fn go_on(
        &mut self,
        row: u64,
        row_hash: &Hash,
        call: &PlannedCall,
        status: EffectStatus,
    ) -> Result<Told> {
        let adapter = self.knows(call)?.clone();
        if status == EffectStatus::Unknown {
            self.tell(row, call, EffectStatus::Intended, "")?;
        }
        let request = self.request(row, row_hash, call);
        let outcome = match self.held(row, call.effect, Some(call))? {
            None => adapter.resume(&request, &mut std::thread::sleep),
            Some(held) => adapter.find_out(&request, held.why(), &mut std::thread::sleep),
        };
        self.end(row, call, &outcome)
    }

    fn end(&self, row: u64, call: &PlannedCall, outcome: &Outcome) -> Result<Told> {
        let status = match outcome.status {
            Fate::Done => EffectStatus::Done,
            Fate::Failed => EffectStatus::Failed,
            Fate::Unknown => EffectStatus::Unknown,
        };
        self.tell(row, call, status, &outcome.detail).with_context(|| {
            format!(
                "effect {} that row {row} calls for is {status} ({}), and the row that says so has not landed; \
                 `counterfoil effects resume` lands it",
                call.effect, outcome.detail
            )
        })
    }

    fn tell(&self, row: u64, call: &PlannedCall, status: EffectStatus, detail: &str) -> Result<Told> {
        self.land(&Telling { row, effect: call.effect, adapter: &call.adapter, status, detail })
    }

    /// Lands a row about a call.
    pub fn land(&self, telling: &Telling<'_>) -> Result<Told> {
        self.log.refresh()?;
        telling.land(self.place, &self.log, self.author)
    }

    fn request(&self, row: u64, row_hash: &Hash, call: &PlannedCall) -> Call {
        Call {
            kind: if call.does.acts() { Kind::Do } else { Kind::Undo },
            key: call_key(row_hash, call.effect),
            ledger: self.log.origin().to_owned(),
            row,
            effect: call.effect,
            sandbox: false,
            request: json::of_encoded(&call.request),
        }
    }
}

/// The file that whoever calls for effects holds locked.
pub fn alone(place: &Place) -> Result<File> {
    let path = place.dir().join("CALLS");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = opened.with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Refused::error(format!(
            "another program is calling for effects of this ledger (it holds {}); wait until it has ended",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// What a row shall tell of a call.
pub struct Telling<'t> {
    /// The row that calls for it.
    pub row: u64,
    /// The effect's place.
    pub effect: u32,
    /// The adapter.
    pub adapter: &'t str,
    /// How it stands.
    pub status: EffectStatus,
    /// What was said.
    pub detail: &'t str,
}

impl Telling<'_> {
    /// Lands the row.
    pub fn land(&self, place: &Place, log: &Log, author: &NamedKey) -> Result<Told> {
        let Telling { row, effect, status, .. } = *self;
        let detail = within(self.detail, TEXT_BYTES);
        let body = Body::Outcome(EffectOutcome { row, effect, status, detail });
        let landed = act::land(place, log, author, body, Urgency::Plain)?;
        let (adapter, detail) = (self.adapter.to_owned(), detail.to_owned());
        Ok(Told { row, effect, adapter, status, detail, told_by: landed.seq })
    }
}

/// A text that is cut where it is too long.
fn within(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
