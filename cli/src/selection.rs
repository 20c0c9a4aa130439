//! Rows that are meant without being named: by who wrote them, what they are about, what they did, and when.

use crate::exit::Refused;
use crate::past::{Moment, Past};
use anyhow::Result;
use counterfoil_format::intent::{KeyId, Micros};
use counterfoil_ledger::Log;
use counterfoil_replay::plan::Later;
use counterfoil_replay::selection::{Selection, select};
use counterfoil_rules::governance::Governance;
use serde::{Deserialize, Serialize};

/// Which rows are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[group(id = "selection")]
pub struct Args {
    /// All rows of the submission that this row lies in
    #[arg(long, value_name = "SEQ", help_heading = "Which rows", conflicts_with_all = ["key", "executor", "entity", "action", "since", "until"])]
    submission: Option<u64>,
    /// All rows that this key has signed: its name, or its id
    #[arg(long, value_name = "KEY", help_heading = "Which rows")]
    key: Option<String>,
    /// All rows that this executor has carried out
    #[arg(long, value_name = "NAME", help_heading = "Which rows")]
    executor: Option<String>,
    /// All rows that are about this entity, or move it
    #[arg(long, value_name = "NAME", help_heading = "Which rows")]
    entity: Option<String>,
    /// All rows of this action: a name, or a beginning and *
    #[arg(long, value_name = "ACTION", help_heading = "Which rows")]
    action: Option<String>,
    /// Only those that landed behind this row, or at this time (RFC 3339) or later
    #[arg(long, value_name = "SEQ or TIME", help_heading = "Which rows")]
    since: Option<Moment>,
    /// Only those up to this row, or that landed before this time
    #[arg(long, value_name = "SEQ or TIME", help_heading = "Which rows")]
    until: Option<Moment>,
}

impl Args {
    /// Those by a key since a moment.
    pub fn by_key(key: &str, since: Option<Moment>) -> Self {
        Args { key: Some(key.to_owned()), since, ..Args::default() }
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        let named = [&self.key, &self.executor, &self.entity, &self.action];
        self.submission.is_none()
            && named.iter().all(|text| text.is_none())
            && self.since.is_none()
            && self.until.is_none()
    }

    /// What was said, as it is typed.
    pub fn words(&self) -> String {
        use crate::quote::quoted_option;
        let texts = [
            ("key", &self.key),
            ("executor", &self.executor),
            ("entity", &self.entity),
            ("action", &self.action),
        ];
        let moments = [("--since", self.since), ("--until", self.until)];
        let mut words: Vec<String> =
            self.submission.iter().map(|row| format!("--submission {row}")).collect();
        let said = |(name, text): (&str, &Option<String>)| Some(quoted_option(name, text.as_ref()?));
        words.extend(texts.into_iter().filter_map(said));
        words.extend(moments.into_iter().filter_map(|(flag, at)| Some(format!("{flag} {}", at?))));
        words.join(" ")
    }

    /// The rows that are meant, can be taken back and are in force. It is an error when there are none.
    pub fn rows(
        &self,
        past: &Past<'_>,
        governance: &Governance,
        log: &Log,
        later: Later,
    ) -> Result<Vec<u64>> {
        let rows = self.find(past, governance, log, later)?;
        if rows.is_empty() {
            return Err(Refused::error(format!(
                "no row in force that can be taken back is meant by {}",
                self.words()
            )));
        }
        Ok(rows)
    }

    /// The same; there may be none.
    pub fn find(
        &self,
        past: &Past<'_>,
        governance: &Governance,
        log: &Log,
        later: Later,
    ) -> Result<Vec<u64>> {
        let (range, selection) = match self.submission {
            Some(row) => {
                past.check_rows(&[row])?;
                let stored = log.row(row)?;
                let landing = stored.parse()?.landing;
                let first = row - u64::from(landing.index);
                (first..first + u64::from(landing.count), Selection::default())
            }
            None => self.selection(governance, log)?,
        };
        Ok(select(past, governance, range, &selection, later)?)
    }

    fn selection(&self, governance: &Governance, log: &Log) -> Result<(std::ops::Range<u64>, Selection)> {
        let size = log.head().size;
        let first = match self.since {
            None => 0,
            Some(Moment::Time(time)) => before(log, time)?,
            Some(at) => at.size(log)?,
        };
        let end = match self.until {
            None => size,
            Some(Moment::Time(time)) => before(log, time)?,
            Some(at) => at.size(log)?,
        };
        let authors = self.key.as_deref().map(|key| keys(governance, key)).transpose()?;
        let (executor, entity, action) = (self.executor.clone(), self.entity.clone(), self.action.clone());
        Ok((first..end.max(first), Selection { authors, executor, entity, action, since: None, until: None }))
    }
}

/// How many rows landed before a time.
fn before(log: &Log, time: Micros) -> Result<u64> {
    time.checked_sub(1).map_or(Ok(0), |time| Ok(log.size_at(time)?))
}

/// The keys of a name, or the key of an id.
pub fn keys(governance: &Governance, named: &str) -> Result<Vec<KeyId>> {
    let all = governance.keys.all();
    let of =
        |key: &&counterfoil_rules::keyring::Enrolled| key.name == named || key.key.id().to_string() == named;
    let found: Vec<KeyId> = all.into_iter().filter(of).map(|key| key.key.id()).collect();
    match found.is_empty() {
        true => Err(Refused::error(format!(
            "no key is or was enrolled as {named:?}; `counterfoil key list` shows them"
        ))),
        false => Ok(found),
    }
}
