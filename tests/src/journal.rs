//! A journal: what appenders have said, kept where no crash of theirs reaches it, and held against the ledger.

use crate::shop::{FOUNDING, decision_number};
use counterfoil_format::Hash;
use counterfoil_format::row::Row;
use counterfoil_ledger::{Log, Receipt};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::ops::{ControlFlow, Range};

/// What an appender says, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A submission of so many decisions, from this number on, is about to be handed to the ledger.
    Offered {
        /// Number of the first decision.
        first: u64,
        /// How many there are.
        rows: u64,
    },
    /// A row was acknowledged.
    Acknowledged {
        /// Its number in the ledger.
        seq: u64,
        /// Its hash.
        hash: Hash,
    },
    /// The ledger takes no more, and why.
    Failed(String),
}

impl From<&Receipt> for Said {
    fn from(receipt: &Receipt) -> Self {
        Said::Acknowledged { seq: receipt.seq, hash: receipt.row_hash }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Offered { first, rows } => writeln!(f, "offered {first} {rows}"),
            Said::Acknowledged { seq, hash } => writeln!(f, "row {seq} {hash}"),
            Said::Failed(reason) => writeln!(f, "failed {}", reason.replace('\n', " ")),
        }
    }
}

impl Said {
    /// Reads a line; one that a kill has cut short says nothing.
    pub fn parse(line: &str) -> Option<Self> {
        let (what, rest) = line.strip_suffix('\n')?.split_once(' ')?;
        match (what, rest.split_once(' ')) {
            ("failed", _) => Some(Said::Failed(rest.to_owned())),
            ("offered", Some((first, rows))) => {
                Some(Said::Offered { first: first.parse().ok()?, rows: rows.parse().ok()? })
            }
            ("row", Some((seq, hash))) => {
                Some(Said::Acknowledged { seq: seq.parse().ok()?, hash: Hash::from_hex(hash)? })
            }
            _ => None,
        }
    }
}

/// What was offered to a ledger, and what it acknowledged.
#[derive(Debug, Default)]
pub struct Journal {
    acknowledged: BTreeMap<u64, Hash>,
    /// First decision and rows of each submission.
    offered: BTreeMap<u64, u64>,
    failure: Option<String>,
    checked: u64,
}

impl Journal {
    /// Notes what was said.
    pub fn note(&mut self, said: Said) {
        match said {
            Said::Offered { first, rows } => drop(self.offered.insert(first, rows)),
            Said::Acknowledged { seq, hash } => drop(self.acknowledged.insert(seq, hash)),
            Said::Failed(reason) => self.failure = Some(reason),
        }
    }

    /// How many rows were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// The number of the first decision that was never offered.
    pub fn next(&self) -> u64 {
        self.offered.last_key_value().map_or(0, |(first, rows)| first + rows)
    }

    /// Why the ledger took no more, when an appender said so since this was last asked.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// Holds the rows that were not checked before against the log, and says what does not hold: every acknowledged
    /// row is there with its hash, submissions are whole, and each was offered.
    pub fn check_new(&mut self, log: &Log) -> Result<(), String> {
        let size = log.head().size;
        if let Some((seq, _)) = self.acknowledged.range(size..).next() {
            return Err(format!("row {seq} was acknowledged and is gone, {size} rows are there"));
        }
        if size < self.checked {
            return Err(format!("{} rows were shown, {size} are left", self.checked));
        }
        self.check_rows(log, self.checked..size).map_err(|error| error.to_string())?;
        self.checked = size;
        Ok(())
    }

    /// The same for all rows.
    pub fn check_all(&mut self, log: &Log) -> Result<(), String> {
        self.check_new(log)?;
        self.check_rows(log, 0..self.checked).map_err(|error| error.to_string())
    }

    fn check_rows(&self, log: &Log, rows: Range<u64>) -> Result<(), Box<dyn Error>> {
        let end = rows.end;
        let (mut seq, mut due) = (rows.start, 0..0);
        log.scan(rows, |row| {
            if row.landing.seq != seq {
                return Err(format!("row {} stands in the place of row {seq}", row.landing.seq).into());
            }
            self.check_row(row, &mut due)?;
            seq += 1;
            Ok::<_, Box<dyn Error>>(ControlFlow::Continue(()))
        })?;
        match (seq == end, due.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => Err(format!("the last {} rows of a submission are missing", due.count()).into()),
            (false, _) => Err(format!("{end} rows are said to be there, and row {seq} is not").into()),
        }
    }

    /// `due` are the decisions of the row's submission that must come next.
    fn check_row(&self, row: &Row<'_>, due: &mut Range<u64>) -> Result<(), String> {
        let seq = row.landing.seq;
        if self.acknowledged.get(&seq).is_some_and(|hash| *hash != row.row_hash) {
            return Err(format!("row {seq} was acknowledged and is another one"));
        }
        if seq < FOUNDING {
            return Ok(());
        }
        let number = decision_number(&row.head.id);
        if due.is_empty() {
            let rows = self.offered.get(&number);
            *due = number..number + rows.ok_or(format!("row {seq} begins no submission that was offered"))?;
        }
        match due.next() == Some(number) {
            true => Ok(()),
            false => Err(format!("a submission landed in part: row {seq} is decision {number}")),
        }
    }
}
