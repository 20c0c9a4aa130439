//! What a policy says that its author can hardly mean. Such a policy can be set all the same.

use crate::source::Place;
use counterfoil_format::intent::Kind;
use std::fmt;

/// Something that is doubtful, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {doubt}")]
pub struct PolicyWarning {
    /// Where.
    pub place: Place,
    /// What.
    pub doubt: Doubt,
}

/// What can be doubtful. Texts of the file are cut, hidden characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// No rule is live.
    #[error(
        "no action may be live, so nothing can be applied under this policy; set live = true where it may"
    )]
    NothingLive,
    /// There is a rule for every action.
    #[error("this is never asked, since the rule for \"*\" knows every action; leave it out")]
    UnknownNeverAsked,
    /// A rule takes the place of a wider one and asks for less.
    #[error("rules do not add up: this one takes the place of `{wider}`, and does not ask for {}", Listed(.demands))]
    AsksLess {
        /// The pattern of the wider rule.
        wider: String,
        /// What that one asks for.
        demands: Vec<String>,
    },
    /// A judge must sign, and any score will do.
    #[error("the judge must have signed, and any score will do; set `judge` to the least score that will")]
    AnyScore,
    /// A rule lets through what cannot be taken back, and asks that it be proven.
    #[error(
        "what cannot be taken back at all is never proven, so it goes to review although `reversibility` is \"none\"; ask \
         for a better one, or write proven = \"none\""
    )]
    NeverProven,
    /// Those who record recovery drills may not write evidence.
    #[error(
        "recovery drills, which rules with `proven` need, are evidence that only operators can write; name operator for \
         evidence, too"
    )]
    DrillsNotRecorded,
    /// A snapshot is made every few rows.
    #[error("each snapshot holds the whole state; let {least} rows or more lie between two")]
    ManySnapshots {
        /// How many rows should lie between two.
        least: u64,
    },
    /// Those whose decisions rest on readings may write them.
    #[error(
        "executors may write readings, also those that their own decisions rest on; name others in [writers], such as \
         evidence = [\"operator\"]"
    )]
    OwnReadings,
    /// Those who decide and plan may also govern.
    #[error(
        "{roles} may write {kind} rows then, and govern what stops them; leave these to the owner and to operators"
    )]
    AgentsGovern {
        /// The kind.
        kind: Kind,
        /// The roles of agents among its writers.
        roles: String,
    },
    /// A limit counts what no rule knows.
    #[error("no rule knows an action that `{pattern}` matches, so only approvals would be counted{}", OrNearest(.nearest))]
    CoversNothing {
        /// The limit's pattern.
        pattern: String,
        /// The pattern that may have been meant.
        nearest: Option<String>,
    },
    /// A limit counts what is never applied.
    #[error("no action that `{pattern}` matches may be live, so this limit never has anything to count")]
    NeverLive {
        /// The limit's pattern.
        pattern: String,
    },
    /// A limit that every amount is above.
    #[error("every amount above 0 goes to review; what must never be live has live = false")]
    NoAmount,
    /// Nothing may enter the lifecycle.
    #[error("`start` names no stage, so no entity can enter the lifecycle")]
    NoStart,
    /// No moves lead to a stage.
    #[error("no moves lead from `start` to `{stage}`")]
    NotReached {
        /// The stage.
        stage: String,
    },
    /// No move leads out of a stage.
    #[error("no move leads out of `{stage}`; name it in `end` if entities leave the lifecycle there")]
    NotLeft {
        /// The stage.
        stage: String,
    },
}

/// Words as a list in a sentence.
struct Listed<'w>(&'w [String]);

/// Another pattern, when one is near.
struct OrNearest<'n>(&'n Option<String>);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

impl fmt::Display for OrNearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pattern) => write!(f, "; did you mean `{pattern}`?"),
            None => Ok(()),
        }
    }
}
