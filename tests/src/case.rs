//! Cases: small ledgers with the verdict that is expected of them. They are what `vectors/` holds as files.

use crate::output::{Ledger, Segment};

/// A ledger, what its auditor knows from elsewhere, and the verdict.
#[derive(Debug, Clone)]
pub struct Case {
    /// The folder's name.
    pub name: &'static str,
    /// One sentence: what is right or wrong with it.
    pub why: &'static str,
    /// The segments: the number in the file's name, and the bytes.
    pub segments: Vec<Segment>,
    /// The file `checkpoint`.
    pub checkpoint: String,
    /// Pins, `(name, value)` as the verifier's options take them.
    pub pins: Vec<(&'static str, String)>,
    /// Checkpoints kept elsewhere, `(name, note)`.
    pub kept: Vec<(&'static str, String)>,
    /// The verdict.
    pub expected: Expected,
    /// Checks that must be reported as not checked, for what the ledger is and not for what nobody handed in.
    pub not_checked: &'static [&'static str],
    /// The row that every finding must name.
    pub row: Option<u64>,
}

/// What a verifier must say of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// `intact`, exit 0, no check failed.
    Intact,
    /// `broken`, exit 1, and exactly these checks failed.
    Broken(&'static [&'static str]),
    /// `findings`, exit 3, and exactly these checks failed.
    Findings(&'static [&'static str]),
    /// `unchecked`, exit 2: an error instead of a report.
    Unchecked,
}

impl Expected {
    /// The verdict's name.
    pub fn verdict(&self) -> &'static str {
        match self {
            Expected::Intact => "intact",
            Expected::Broken(_) => "broken",
            Expected::Findings(_) => "findings",
            Expected::Unchecked => "unchecked",
        }
    }

    /// The exit code.
    pub fn exit(&self) -> u8 {
        match self {
            Expected::Intact => 0,
            Expected::Broken(_) => 1,
            Expected::Findings(_) => 3,
            Expected::Unchecked => 2,
        }
    }

    /// The checks that fail.
    pub fn checks(&self) -> &'static [&'static str] {
        match *self {
            Expected::Intact | Expected::Unchecked => &[],
            Expected::Broken(checks) | Expected::Findings(checks) => checks,
        }
    }
}

impl Case {
    /// A ledger as it was forged.
    pub fn new(name: &'static str, why: &'static str, ledger: Ledger, expected: Expected) -> Self {
        let Ledger { segments, checkpoint, .. } = ledger;
        Case {
            name,
            why,
            segments,
            checkpoint,
            pins: Vec::new(),
            kept: Vec::new(),
            expected,
            not_checked: &[],
            row: None,
        }
    }

    /// With the row that every finding must name.
    pub fn at(self, row: u64) -> Self {
        Case { row: Some(row), ..self }
    }

    /// With checks that cannot be made.
    pub fn without(self, not_checked: &'static [&'static str]) -> Self {
        Case { not_checked, ..self }
    }

    /// With a pin.
    pub fn pinned(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.pins.push((name, value.into()));
        self
    }

    /// With a checkpoint kept elsewhere.
    pub fn kept(mut self, name: &'static str, note: impl Into<String>) -> Self {
        self.kept.push((name, note.into()));
        self
    }
}
