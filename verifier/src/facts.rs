//! What the checks that go in row order need to know of a row, kept apart from the row's bytes.
//!
//! Skeletons and bodies are copied into an arena that the rows of a group share. In a skeleton a value is its
//! commitment, so these checks never hash a value, and work on withheld and erased values too.

use counterfoil_format::Hash;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Actors, Attestation, Effect, Subject};
use counterfoil_format::intent::{IntentId, KeyId, Kind, Micros, Mode, Tier};
use counterfoil_format::landing::{Outcome, Reason, Reversibility};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;
use counterfoil_format::verdict::write_claim;
use counterfoil_rules::gates::reversibility;
use counterfoil_rules::governance::InForce;
use std::sync::Arc;

/// Bytes in the arena of a group. There are no more of them than a group has, so 32 bits hold their places.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Piece {
    start: u32,
    end: u32,
}

impl Piece {
    /// What was put into the arena since it had this many bytes.
    pub fn since(start: usize, arena: &[u8]) -> Self {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Piece { start: place(start), end: place(arena.len()) }
    }

    /// The bytes.
    pub fn of(self, arena: &[u8]) -> &[u8] {
        arena.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A part of a row.
#[derive(Debug, Clone, Default)]
pub(crate) enum Part {
    /// The row has none.
    #[default]
    Absent,
    /// It is withheld or erased.
    Closed,
    /// Its content, in the arena.
    Open(Piece),
}

/// A row that could be taken apart.
#[derive(Debug, Clone)]
pub(crate) struct RowFacts {
    /// The number by its place.
    pub seq: u64,
    /// Where its record begins in the segment.
    pub offset: u64,
    pub id: IntentId,
    pub author: KeyId,
    pub kind: Kind,
    pub tier: Tier,
    pub mode: Mode,
    pub intent: Hash,
    /// What the ledger has stamped.
    pub stamp: Stamp,
    /// The action, in the arena.
    pub action: Piece,
    /// The skeleton of the operations.
    pub ops: Part,
    /// The skeleton of the rollback.
    pub rollback: Part,
    /// The body, of the kinds that later rows are judged by.
    pub body: Part,
    /// The entity that it is about.
    pub entity: Part,
    /// What its actors say of a judge.
    pub judge: Judge,
    /// How many effects it has; `None` when they are closed.
    pub effects: Option<u32>,
    /// How reversible its effects are; `None` when they are closed.
    pub reversibility: Option<Reversibility>,
    /// Whether it is a rollback that brings a decision back into force. Found where the keys are looked at; `None` when
    /// a withheld body hides it.
    pub brings_back: Option<bool>,
    /// The row at the end of the chain of targets of a rollback row. Found where the keys are looked at; `None` when that is
    /// not known.
    pub base: Option<u64>,
    /// Whether its author is an operator. Found where the keys are looked at; `None` when the key is not known.
    pub by_operator: Option<bool>,
    /// By what it is to be judged, or why that is not known; `None` until the keys are looked at.
    pub in_force: Option<Result<Arc<InForce>, Arc<str>>>,
    /// The keys that it enrols, and for whom. Found where the keys are looked at.
    pub enrols: Vec<(KeyId, Box<str>)>,
}

/// What the ledger has stamped on a row.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub landed_at: Micros,
    pub outcome: Outcome,
    pub reasons: Box<[Reason]>,
    pub reversibility: Reversibility,
    pub policy_row: u64,
    pub kill_switch_row: u64,
    /// How many rows its submission has.
    pub count: u32,
}

/// What a row says of a judge.
#[derive(Debug, Clone, Default)]
pub(crate) enum Judge {
    /// It names none.
    #[default]
    Absent,
    /// Its actors are withheld or erased.
    Closed,
    /// It names one.
    Named {
        score: u32,
        /// The judge's name, in the arena.
        by: Piece,
        /// Whether the planner has the same name; or the author, which is found where the keys are looked at. `None`
        /// when the author's name is not known.
        is_party: Option<bool>,
        verdict: Option<Box<Verdict>>,
    },
}

/// A verdict that a judge has signed.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub attestation: Attestation,
    /// What is claimed, in the arena; empty until it is known.
    pub claim: Piece,
    pub score: u32,
}

/// A row on the way through the checks that go in row order.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly every row is taken apart")]
pub(crate) enum Seen {
    /// It was taken apart.
    Row(RowFacts),
    /// It could not be.
    Unreadable(u64),
}

impl Seen {
    /// The row's number by its place.
    pub fn seq(&self) -> u64 {
        match self {
            Seen::Row(row) => row.seq,
            Seen::Unreadable(seq) => *seq,
        }
    }
}

impl Part {
    /// A part as a slot has it; `write` puts the content of an open one into the arena.
    pub fn store(
        slot: Option<Slot<'_>>,
        arena: &mut Vec<u8>,
        write: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<(), CodecError>,
    ) -> Result<Part, CodecError> {
        Ok(match slot {
            None => Part::Absent,
            Some(Slot::Closed(_)) => Part::Closed,
            Some(Slot::Open { bytes, .. }) => {
                let start = arena.len();
                write(bytes, arena)?;
                Part::Open(Piece::since(start, arena))
            }
        })
    }

    /// The content, when it is there.
    pub fn bytes<'a>(&self, arena: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Part::Open(piece) => Some(piece.of(arena)),
            _ => None,
        }
    }
}

impl RowFacts {
    /// The facts of a row but for its skeletons and what its judge claims. What of it is open has been checked.
    pub fn of(
        row: &Row<'_>,
        said: &Said<'_>,
        seq: u64,
        offset: u64,
        intent: Hash,
        arena: &mut Vec<u8>,
    ) -> Result<Self, CodecError> {
        let judged_by = !matches!(row.head.kind, Kind::Decision | Kind::Erasure);
        let body = row.part(PartTag::Body).filter(|_| judged_by);
        let landing = &row.landing;
        let (closed, open) = (row.part(PartTag::Effects), said.effects.as_deref());
        let reversibility = match (closed, open) {
            (Some(Slot::Closed(_)), _) => None,
            (_, effects) => Some(reversibility(effects.unwrap_or_default(), landing.landed_at)),
        };
        let entity = match (row.part(PartTag::Subject), &said.subject) {
            (Some(Slot::Closed(_)), _) => Part::Closed,
            (_, Some(subject)) => Part::Open(store(subject.entity.as_bytes(), arena)),
            _ => Part::Absent,
        };
        Ok(RowFacts {
            seq,
            offset,
            id: row.head.id,
            author: row.head.author,
            kind: row.head.kind,
            tier: row.head.tier,
            mode: row.head.mode,
            intent,
            stamp: Stamp {
                landed_at: landing.landed_at,
                outcome: landing.outcome,
                reasons: landing.reasons.as_slice().into(),
                reversibility: landing.reversibility,
                policy_row: landing.policy_row,
                kill_switch_row: landing.kill_switch_row,
                count: landing.count,
            },
            action: store(row.head.action.as_bytes(), arena),
            ops: Part::Absent,
            rollback: Part::Absent,
            body: Part::store(body, arena, |bytes, arena| {
                arena.extend_from_slice(bytes);
                Ok(())
            })?,
            entity,
            judge: Judge::of(row, said.actors.as_ref(), arena),
            effects: reversibility
                .map(|_| open.map_or(0, |effects| u32::try_from(effects.len()).unwrap_or(u32::MAX))),
            reversibility,
            brings_back: Some(false),
            base: None,
            by_operator: None,
            in_force: None,
            enrols: Vec::new(),
        })
    }

    /// Keeps what the judge claims of the intent with these commitments, when there is a signature to check.
    pub fn claim(&mut self, row: &Row<'_>, commitments: &[Hash], arena: &mut Vec<u8>) {
        if let Judge::Named { verdict: Some(verdict), .. } = &mut self.judge {
            let start = arena.len();
            write_claim(&row.head, verdict.score, commitments, arena);
            verdict.claim = Piece::since(start, arena);
        }
    }

    /// The action.
    pub fn action<'a>(&self, arena: &'a [u8]) -> &'a str {
        text(arena, &self.action)
    }
}

impl Judge {
    fn of(row: &Row<'_>, actors: Option<&Actors<'_>>, arena: &mut Vec<u8>) -> Self {
        if let Some(Slot::Closed(_)) = row.part(PartTag::Actors) {
            return Judge::Closed;
        }
        let Some((actors, judge)) = actors.and_then(|actors| Some((actors, actors.judge?))) else {
            return Judge::Absent;
        };
        let verdict =
            |attestation| Box::new(Verdict { attestation, claim: Piece::default(), score: judge.score });
        Judge::Named {
            score: judge.score,
            by: store(judge.by.as_bytes(), arena),
            is_party: Some(judge.by == actors.planner),
            verdict: judge.attestation.map(verdict),
        }
    }
}

/// What of a row's parts says more than that they are well-formed.
#[derive(Debug, Default)]
pub(crate) struct Said<'a> {
    pub subject: Option<Subject<'a>>,
    pub actors: Option<Actors<'a>>,
    pub effects: Option<Vec<Effect<'a>>>,
}

impl<'a> Said<'a> {
    /// Decodes these parts, as far as they are open.
    pub fn read(row: &Row<'a>) -> Result<Self, CodecError> {
        Ok(Said {
            subject: row.content(PartTag::Subject).map(Subject::decode).transpose()?,
            actors: row.content(PartTag::Actors).map(Actors::decode).transpose()?,
            effects: row.content(PartTag::Effects).map(Effect::decode_all).transpose()?,
        })
    }
}

fn store(bytes: &[u8], arena: &mut Vec<u8>) -> Piece {
    let start = arena.len();
    arena.extend_from_slice(bytes);
    Piece::since(start, arena)
}

/// A text that was put into the arena.
pub(crate) fn text<'a>(arena: &'a [u8], piece: &Piece) -> &'a str {
    std::str::from_utf8(piece.of(arena)).unwrap_or_default()
}
