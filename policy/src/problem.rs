//! Why a policy file is refused.

use crate::source::{Lines, Place};
use counterfoil_format::body::Role;
use counterfoil_format::codec::CodecError;
use counterfoil_format::intent::Kind;
use std::collections::BTreeSet;
use std::fmt;

/// So many errors of a file are told; nobody reads more.
pub const ERRORS: usize = 100;

/// Why a file is refused: everything that is wrong with it, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyErrors {
    /// The first [`ERRORS`] of them; at least one.
    pub errors: Vec<PolicyError>,
    /// How many more there are.
    pub more: usize,
}

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct PolicyError {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// What can be wrong. Texts of the file are as [`fmt::Display`] shows them: cut, hidden characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file is too large.
    #[error("the file has {bytes} bytes; a policy file has at most {limit}")]
    FileTooLarge {
        /// Its size.
        bytes: usize,
        /// The most.
        limit: usize,
    },
    /// It is no TOML.
    #[error("this is not TOML: {message}")]
    Syntax {
        /// In the parser's words.
        message: String,
    },
    /// A text without quotes.
    #[error("texts stand in quotes: write \"{text}\"")]
    Unquoted {
        /// The text.
        text: String,
    },
    /// A key that must be quoted.
    #[error(
        "a name with other signs than letters, digits, - and _ stands in quotes, such as [action.\"REPLY*\"]"
    )]
    UnquotedKey,
    /// A key stands twice.
    #[error("`{key}` was set before; keep one of the two")]
    Twice {
        /// The key.
        key: String,
    },
    /// A key that is none.
    #[error("{of} has no setting `{key}`; {hint}")]
    UnknownKey {
        /// What it was set in.
        of: &'static str,
        /// The key.
        key: String,
        /// What it may have been meant to be.
        hint: Hint,
    },
    /// A setting that must be there is not.
    #[error("{of} needs `{key}`, such as {key} = {example}")]
    Missing {
        /// What needs it.
        of: &'static str,
        /// The setting.
        key: &'static str,
        /// A value.
        example: &'static str,
    },
    /// A value of another type.
    #[error("`{setting}` is {wanted}, and this is {found}")]
    WrongType {
        /// The setting.
        setting: String,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A word that is none of those that are known.
    #[error("`{word}` is no {what}; {hint}")]
    UnknownWord {
        /// What it should be.
        what: &'static str,
        /// The word.
        word: String,
        /// What it may have been meant to be.
        hint: Hint,
    },
    /// A name that the format refuses.
    #[error("{what} {fault}")]
    Name {
        /// Of what.
        what: &'static str,
        /// Why.
        fault: NameFault,
    },
    /// A star in the midst of a pattern.
    #[error(
        "in `{pattern}` a * stands elsewhere than at the end; a pattern is a name, or the beginning of names and a *"
    )]
    Star {
        /// The pattern.
        pattern: String,
    },
    /// A number that cannot be taken as it is written.
    #[error("`{text}` cannot be taken for `{setting}`: {fault}")]
    Number {
        /// The setting.
        setting: String,
        /// As it is written.
        text: String,
        /// Why.
        fault: NumberFault,
    },
    /// A time or a size that cannot be taken as it is written.
    #[error("`{text}` cannot be taken for `{setting}`: {fault}")]
    Quantity {
        /// The setting.
        setting: String,
        /// As it is written.
        text: String,
        /// Why.
        fault: QuantityFault,
    },
    /// A list names something twice.
    #[error("`{word}` is in this list already; take one out")]
    Again {
        /// What.
        word: String,
    },
    /// A move from or to a stage that is not listed.
    #[error("`{stage}` is none of the `stages`; {hint}")]
    UnknownStage {
        /// The stage.
        stage: String,
        /// What it may have been meant to be.
        hint: Hint,
    },
    /// A move to where it came from.
    #[error("`{stage}` cannot be moved to from itself: staying is no move, and needs no permission")]
    SelfMove {
        /// The stage.
        stage: String,
    },
    /// A lifecycle that allows nothing.
    #[error(
        "this lifecycle allows no move at all; state `start` and moves, or write lifecycle = \"free\" for any move"
    )]
    NoMoves,
    /// A limit that limits nothing.
    #[error("a limit needs a `count` or a `sum`, or both")]
    NoBound,
    /// Two limits that look at the same.
    #[error("the limit in line {line} has the same action, per, window and field; make one of the two")]
    SameLimit {
        /// The line of the other one.
        line: usize,
    },
    /// A list that is too long.
    #[error("{found} {what}; at most {limit} are possible")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The most.
        limit: usize,
    },
    /// What becomes of unknown actions is said twice, in two ways.
    #[error(
        "unknown = \"allow\" and a rule for \"*\" both say what holds for all other actions; keep one of the two"
    )]
    AllowsAndRules,
    /// Nobody writes the genesis.
    #[error("a genesis is written once, when the ledger is made; it has no writers")]
    GenesisWriters,
    /// Who writes snapshot rows is no matter of policy.
    #[error(
        "snapshot rows are written by the ledger's key, an operator or the owner, whatever the policy says; take this out"
    )]
    SnapshotWriters,
    /// A role that writes no rows of which a policy could say so.
    #[error("keys with the role {role} write no such rows; take it out")]
    WritesNothing {
        /// The role.
        role: Role,
    },
    /// A kind that nobody may write.
    #[error("nobody could write {kind} rows; name a role, or leave {kind} out for the usual ones")]
    NoWriters {
        /// The kind.
        kind: Kind,
    },
    /// A kind without those who must be able to write it.
    #[error("{kind} rows need the {needed} among their writers: {why}")]
    LockedOut {
        /// The kind.
        kind: Kind,
        /// Who is missing.
        needed: &'static str,
        /// What would no longer be possible.
        why: &'static str,
    },
    /// The format refuses the policy for a reason that none of the others tells.
    #[error("the policy as a whole cannot be set: {0}")]
    Refused(CodecError),
}

/// What somebody may have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// This word.
    Nearest(String),
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// A name with dots, which must be quoted: this one.
    Dotted(String),
    /// A stage that is not listed yet.
    List,
}

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("of {0} bytes is too long; 128 are possible")]
    TooLong(usize),
    /// It has control characters.
    #[error("has a control character in it, such as a line break or a tabulator")]
    Control,
}

/// Why a number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberFault {
    /// It is not written with digits and a point alone.
    #[error("numbers are exact; write it with digits and a point, such as 1.8")]
    NotPlain,
    /// It has more digits than the format holds.
    #[error("it has too many digits; 38 are possible")]
    TooLong,
    /// It is no score.
    #[error("a score lies between 0 and 1")]
    Score,
    /// It is a score of more digits than the format holds.
    #[error("a score has at most 6 digits behind the point")]
    ScoreDigits,
    /// It is below 0.
    #[error("it is below 0")]
    Negative,
    /// It is no count.
    #[error("a count is a whole number from 1 to 4294967295; what must never be live has live = false")]
    Count,
    /// It is no number of rows.
    #[error("it is a whole number of rows, 1 to 18446744073709551615; for none write \"never\"")]
    Rows,
}

/// Why a time or a size is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityFault {
    /// It is no number and a unit.
    #[error("write a whole number and one of {0}")]
    Unit(&'static str),
    /// It is 0.
    #[error("it must be above 0")]
    Zero,
    /// It is too long a time.
    #[error("it is too long")]
    TooLong,
    /// It is a size that segments cannot have.
    #[error("a segment has 4 KiB to 4 GiB")]
    Segment,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Nearest(word) => write!(f, "did you mean `{word}`?"),
            Hint::OneOf(words) => write!(f, "there are {}", words.join(", ")),
            Hint::Dotted(name) => write!(f, "a name with a dot in it stands in quotes: \"{name}\""),
            Hint::List => f.write_str("list it there if it is one"),
        }
    }
}

impl PolicyErrors {
    /// A line for each, with the file's name before it, such as `policy.toml:12:8: ...`.
    pub fn in_file(&self, file: &str) -> impl fmt::Display {
        fmt::from_fn(move |f| self.write(&format!("{file}:"), f))
    }

    fn write(&self, before: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.errors.iter().enumerate() {
            let separator = if place == 0 { "" } else { "\n" };
            write!(f, "{separator}{before}{error}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write("", f)
    }
}

impl std::error::Error for PolicyErrors {}

/// What is found wrong while a file is read, each with the byte where it stands.
pub(crate) struct Problems<'t> {
    lines: Lines<'t>,
    found: Vec<(usize, Problem)>,
}

impl<'t> Problems<'t> {
    /// None yet in this text.
    pub fn of(text: &'t str) -> Self {
        Problems { lines: Lines::of(text), found: Vec::new() }
    }

    pub fn push(&mut self, at: usize, problem: Problem) {
        self.found.push((at, problem));
    }

    /// The place of a byte.
    pub fn place(&self, at: usize) -> Place {
        self.lines.place(at)
    }

    /// Forgets all, and fails if there was any.
    pub fn settle(&mut self) -> Result<(), PolicyErrors> {
        let mut found = std::mem::take(&mut self.found);
        if found.is_empty() {
            return Ok(());
        }
        // A word without quotes where no word belongs is only told to be no number, no yes or no, or the like.
        let mistyped = found.iter().filter(|(_, problem)| matches!(problem, Problem::WrongType { .. }));
        let mistyped: BTreeSet<usize> = mistyped.map(|(at, _)| *at).collect();
        found.retain(|(at, problem)| !(matches!(problem, Problem::Unquoted { .. }) && mistyped.contains(at)));
        found.sort_by_key(|(at, _)| *at);
        let more = found.len().saturating_sub(ERRORS);
        found.truncate(ERRORS);
        let told = |(at, problem)| PolicyError { place: self.lines.place(at), problem };
        Err(PolicyErrors { errors: found.into_iter().map(told).collect(), more })
    }
}
