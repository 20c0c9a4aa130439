//! What a row cites of an earlier one: the row that a human approves or rejects, the decision that a drill has stopped.

use counterfoil_format::Hash;
use counterfoil_format::body::{Drill, ReviewOf, ReviewVerdict};
use counterfoil_format::codec::CodecError;
use counterfoil_format::intent::{IntentHead, KeyId, Kind, Mode};
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;

/// Why a row does not cite what it says it does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CitedFault {
    /// The cited row's hash is another one.
    #[error("row {0} has another hash than the one named")]
    AnotherRow(u64),
    /// The cited row was not put aside.
    #[error("row {0} is no live decision that was put aside for review")]
    NotPutAside(u64),
    /// It has not what it shares with the row that it is about.
    #[error("its {part} is not that of row {row}, which it is about")]
    OtherPart {
        /// The row.
        row: u64,
        /// What differs.
        part: &'static str,
    },
    /// A rejection does nothing.
    #[error("it rejects row {0}, and has operations or effects of its own")]
    RejectionActs(u64),
    /// Who wrote a row may not approve it.
    #[error(
        "{name} wrote row {row} and may not approve it, by whatever key: the policy in force keeps the two apart"
    )]
    OwnRow {
        /// The row.
        row: u64,
        /// Who wrote it.
        name: String,
    },
    /// The cited decision was not stopped by the drill.
    #[error("row {probe} is no live decision that the switch stopped while the drill of row {began} lasted")]
    NotStopped {
        /// The decision.
        probe: u64,
        /// The row that began the drill.
        began: u64,
    },
    /// The rows cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What an approval takes over from the row that it approves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutAside {
    /// Why it was put aside.
    pub reasons: Vec<Reason>,
    /// Who wrote it.
    pub author: KeyId,
}

/// The parts that an approval shares with the row that it approves.
pub const APPROVED: [PartTag; 5] =
    [PartTag::Subject, PartTag::Actors, PartTag::Evidence, PartTag::Ops, PartTag::Effects];

/// Checks a review row against the row that it is about. `commitments` are those of the review row's own parts, in tag
/// order; `own` is who wrote both rows, if it is one and the policy lets nobody approve what they wrote.
pub fn check_review(
    review: &ReviewOf<'_>,
    head: &IntentHead<'_>,
    commitments: &[Hash],
    own: Option<&str>,
    target: &Row<'_>,
) -> Result<PutAside, CitedFault> {
    let row = review.row;
    if target.landing.seq != row || target.row_hash != review.row_hash {
        return Err(CitedFault::AnotherRow(row));
    }
    let live = target.head.mode == Mode::Live;
    if target.head.kind != Kind::Decision || target.landing.outcome != Outcome::Review || !live {
        return Err(CitedFault::NotPutAside(row));
    }
    if target.head.action != head.action {
        return Err(CitedFault::OtherPart { row, part: "action" });
    }
    let put_aside = PutAside { reasons: target.landing.reasons.clone(), author: target.head.author };
    if review.verdict == ReviewVerdict::Reject {
        let acts = head.parts & (PartTag::Ops.bit() | PartTag::Effects.bit()) != 0;
        return if acts { Err(CitedFault::RejectionActs(row)) } else { Ok(put_aside) };
    }
    if let Some(name) = own {
        return Err(CitedFault::OwnRow { row, name: name.to_owned() });
    }
    let same = [("tier", target.head.tier == head.tier), ("mode", target.head.mode == head.mode)];
    if let Some((part, _)) = same.into_iter().find(|(_, same)| !same) {
        return Err(CitedFault::OtherPart { row, part });
    }
    let mut scratch = Vec::new();
    let present = PartTag::AUTHORED.into_iter().filter(|tag| head.parts & tag.bit() != 0);
    let own: Vec<_> = present.zip(commitments).collect();
    for tag in APPROVED {
        let ours = own.iter().find(|(found, _)| *found == tag).map(|(_, commitment)| **commitment);
        if target.commitment(tag, &mut scratch)? != ours {
            return Err(CitedFault::OtherPart { row, part: tag.name() });
        }
    }
    Ok(put_aside)
}

/// Checks that a decision was stopped by the switch while a drill lasted.
pub fn check_probe(drill: &Drill, probe: &Row<'_>) -> Result<(), CitedFault> {
    let stopped = probe.landing.seq == drill.probe
        && probe.head.kind == Kind::Decision
        && probe.head.mode == Mode::Live
        && probe.landing.outcome == Outcome::Review
        && probe.landing.reasons.contains(&Reason::KillSwitch)
        && probe.landing.kill_switch_row == drill.began;
    match stopped {
        true => Ok(()),
        false => Err(CitedFault::NotStopped { probe: drill.probe, began: drill.began }),
    }
}
