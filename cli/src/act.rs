//! What a person does to the ledger: rows of the owner or of an operator, landed at once, also while another process writes.
//!
//! When nobody has the ledger open, they land like any others. When a writer has it, they are left in its inbox, which it
//! looks into before each group of rows, and their fate is waited for.

use crate::decision::random_id;
use crate::exit::Refused;
use crate::keys::NamedKey;
use crate::place::Place;
use crate::time;
use anyhow::{Result, anyhow};
use counterfoil_format::Hash;
use counterfoil_format::body::Body;
use counterfoil_format::intent::Micros;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_ledger::{
    Draft, Fate, Inbox, Ledger, Log, OpenError, Posted, Receipt, Submission, SubmissionBuilder, now,
};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a writer may take to look into its inbox. It does so before each group, and many times a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait for a writer before seeing whether there is one: it looks several times within.
const TURN: Duration = Duration::from_millis(200);

/// A row that landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub row_hash: Hash,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reasons: Vec<Reason>,
    /// When.
    pub landed_at: Micros,
}

/// How much it matters that an act takes effect, should the ledger not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// It can be tried again.
    Plain,
    /// It is left in the inbox whatever the matter is: whoever opens the ledger next lands it before anything else.
    Urgent,
}

/// A draft of a row with a body, that somebody lands now.
pub fn draft(body: Body<'_>) -> Result<Draft<'_>> {
    let time = now();
    let id = random_id(time).map_err(|error| anyhow!(error))?;
    Ok(Draft::with_body(id, body, time))
}

/// Lands one row.
pub fn land(place: &Place, log: &Log, author: &NamedKey, body: Body<'_>, urgency: Urgency) -> Result<Landed> {
    let draft = draft(body)?;
    let mut builder = SubmissionBuilder::new(&author.key)?;
    builder.push(&draft)?;
    let landed = land_all(place, log, builder.sign(log.ledger_id())?, urgency)?;
    landed.into_iter().next().ok_or_else(|| anyhow!("the row is not to be found"))
}

/// Lands several submissions one after the other: in the ledger, which is open for them alone, or beside a writer that has it,
/// through its inbox.
pub struct Lander<'p> {
    place: &'p Place,
    ledger: Option<Ledger>,
    log: Arc<Log>,
}

impl<'p> Lander<'p> {
    /// Opens the ledger, unless a writer has it.
    pub fn begin(place: &'p Place) -> Result<Self> {
        match place.ledger() {
            Ok(ledger) => Ok(Lander { place, log: ledger.log().clone(), ledger: Some(ledger) }),
            Err(error) if is_locked(&error) => {
                Ok(Lander { place, log: Arc::new(place.log()?), ledger: None })
            }
            Err(error) => Err(error),
        }
    }

    /// The log, as far as it was durable then; rows that land here are seen too.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Lands a submission.
    pub fn land(&self, submission: Submission) -> Result<Vec<Landed>> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.submit(submission)?.into_iter().map(Landed::from).collect()),
            None => land_all(self.place, &self.log, submission, Urgency::Plain),
        }
    }

    /// Closes the ledger.
    pub fn end(self) -> Result<()> {
        self.ledger.map_or(Ok(()), |ledger| Ok(ledger.close()?))
    }
}

/// Lands a submission.
pub fn land_all(place: &Place, log: &Log, submission: Submission, urgency: Urgency) -> Result<Vec<Landed>> {
    // What is urgent is left first: it holds also when this program is stopped before the ledger has opened.
    if urgency == Urgency::Plain {
        match place.ledger() {
            Ok(ledger) => {
                let receipts = ledger.submit(submission)?;
                ledger.close()?;
                return Ok(receipts.into_iter().map(Landed::from).collect());
            }
            Err(error) if is_locked(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let posted = Inbox::of(place.dir()).post(&submission)?;
    let (fate, unopened) = wait(place, log, &posted)?;
    match fate {
        Fate::Landed(rows) => rows.map(|seq| landed(log, seq)).collect(),
        Fate::Refused(reason) => Err(Refused::error(reason)),
        Fate::Waiting => {
            let waits = format!(
                "it waits in {}: whoever has the ledger open, or opens it next, lands it before anything else",
                posted.path().display()
            );
            Err(match unopened {
                Some(error) => error.context(format!("{waits}; the ledger could not be opened here")),
                None => anyhow!("{waits}; the writer has not come to it within {} s", PATIENCE.as_secs()),
            })
        }
        Fate::Missing => Err(anyhow!(
            "{} was taken away and no such row is to be seen; look at `counterfoil log` and try again",
            posted.path().display()
        )),
    }
}

/// Waits until a submission that was left in the inbox has a fate. A writer that has the ledger open comes to it by itself.
/// When there is none, or none any longer, the ledger is opened here: that too looks into the inbox before anything else.
/// Yields also why it could not be opened.
fn wait(place: &Place, log: &Log, posted: &Posted) -> Result<(Fate, Option<anyhow::Error>)> {
    let since = Instant::now();
    loop {
        let fate = posted.wait(log, TURN)?;
        if matches!(fate, Fate::Landed(_) | Fate::Refused(_)) {
            return Ok((fate, None));
        }
        let unopened = match place.ledger() {
            Ok(ledger) => {
                ledger.close()?;
                None
            }
            Err(error) if is_locked(&error) && since.elapsed() < PATIENCE => continue,
            Err(error) if is_locked(&error) => return Ok((fate, None)),
            Err(error) => Some(error),
        };
        return Ok((posted.wait(log, Duration::ZERO)?, unopened));
    }
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::Locked(_)))
}

/// A row of the log, as it landed.
pub fn landed(log: &Log, seq: u64) -> Result<Landed> {
    let stored = log.row(seq)?;
    let row = stored.parse()?;
    Ok(Landed {
        seq,
        row_hash: row.row_hash,
        outcome: row.landing.outcome,
        reasons: row.landing.reasons.clone(),
        landed_at: row.landing.landed_at,
    })
}

impl From<Receipt> for Landed {
    fn from(receipt: Receipt) -> Self {
        let Receipt { seq, row_hash, outcome, reasons, landed_at } = receipt;
        Landed { seq, row_hash, outcome, reasons, landed_at }
    }
}

impl Landed {
    /// As JSON, in the shape of a receipt.
    pub fn json(&self) -> Json {
        json!({
            "seq": self.seq,
            "row_hash": self.row_hash.to_string(),
            "outcome": self.outcome.name(),
            "reasons": self.reasons.iter().map(|reason| reason.name()).collect::<Vec<_>>(),
            "landed_at": time::print(self.landed_at),
        })
    }

    /// The same, with more to say.
    pub fn json_with(&self, more: impl IntoIterator<Item = (&'static str, Json)>) -> Json {
        let mut object = self.json();
        if let Some(fields) = object.as_object_mut() {
            fields.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        object
    }

    /// What became of it, in words.
    pub fn fate(&self) -> String {
        let reasons: Vec<_> = self.reasons.iter().map(|reason| reason.name()).collect();
        match reasons.as_slice() {
            [] => self.outcome.to_string(),
            reasons => format!("{}: {}", self.outcome, reasons.join(", ")),
        }
    }
}
