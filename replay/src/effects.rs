//! What a row has done outside the state, and what taking it back calls for.

use crate::history::{History, ReplayError};
use counterfoil_format::body::EffectStatus;
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Effect, Undo};
use counterfoil_format::intent::Micros;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::rollback::no_undo;
use std::collections::BTreeMap;

/// An effect that a rollback calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCall {
    /// Its place.
    pub effect: u32,
    /// What carries it out.
    pub adapter: String,
    /// What is done.
    pub does: Does,
    /// The request, encoded.
    pub request: Vec<u8>,
    /// Until when it works, when that is known.
    pub until: Option<Micros>,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// It carries the effect out.
    Do,
    /// It undoes the effect.
    Undo,
    /// It makes up for the effect.
    Compensate,
    /// It carries the effect out again.
    Redo,
}

impl Does {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Does::Do => "do",
            Does::Undo => "undo",
            Does::Compensate => "compensate",
            Does::Redo => "do again",
        }
    }

    /// Whether it acts, and does not take back or make up for.
    pub const fn acts(self) -> bool {
        matches!(self, Does::Do | Does::Redo)
    }
}

/// An effect that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staying {
    /// Its place.
    pub effect: u32,
    /// What carried it out.
    pub adapter: String,
    /// Why it stays.
    pub why: String,
}

/// What taking a row back means outside the state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub calls: Vec<PlannedCall>,
    pub staying: Vec<Staying>,
}

impl Effects {
    /// All of them left as they are.
    pub fn all_staying(self, why: &str) -> Vec<Staying> {
        let left = self.calls.into_iter().map(|call| Staying {
            effect: call.effect,
            adapter: call.adapter,
            why: why.to_owned(),
        });
        let mut all: Vec<_> = left.chain(self.staying).collect();
        all.sort_unstable_by_key(|staying| staying.effect);
        all
    }
}

/// An effect of which it is not known whether it took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unresolved {
    pub row: u64,
    pub effect: u32,
    pub status: &'static str,
}

/// The rollbacks that called for effects, by the row whose effects they are.
#[derive(Debug)]
pub struct Calling {
    /// Ascending, each with the places of the effects.
    rollbacks: BTreeMap<u64, Vec<(u64, Vec<u32>)>>,
}

impl Calling {
    /// All of a history.
    pub fn of<H: History>(history: &H, governance: &Governance) -> Result<Self, H::Error> {
        let mut rollbacks: BTreeMap<u64, Vec<(u64, Vec<u32>)>> = BTreeMap::new();
        for (row, effects) in history.calling()? {
            if governance.target_of(row).is_some() {
                rollbacks.entry(governance.base(row)).or_default().push((row, effects));
            }
        }
        Ok(Calling { rollbacks })
    }

    /// Why what a row calls for by the place of an effect is not to be called for any more.
    pub fn moot(&self, governance: &Governance, row: u64, effect: u32) -> Option<Moot> {
        if let Some(by) = governance.undone_by(row) {
            return Some(Moot::TakenBack { row, by });
        }
        // Others of the same decision may have been taken back since, or brought back.
        let base = governance.base(row);
        match (governance.undone_by(base), governance.brings_back(row)) {
            (Some(by), false) => return Some(Moot::Out { base, by }),
            (None, true) => return Some(Moot::InForce { base }),
            _ => {}
        }
        let rollbacks = self.rollbacks.get(&base).into_iter().flatten();
        let mut later = rollbacks.filter(|(later, effects)| *later > row && effects.contains(&effect));
        later.next().map(|(later, _)| Moot::CalledSince(*later))
    }
}

/// Why a call is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Moot {
    /// The row that calls is out of force.
    #[error("row {row} is taken back itself, by row {by}")]
    TakenBack {
        /// The row.
        row: u64,
        /// The rollback row.
        by: u64,
    },
    /// It would act for a decision that is out of force.
    #[error("row {base} is taken back, by row {by}")]
    Out {
        /// The decision.
        base: u64,
        /// The rollback row.
        by: u64,
    },
    /// It would undo what a decision in force has done.
    #[error("row {base} is brought back")]
    InForce {
        /// The decision.
        base: u64,
    },
    /// A later row has taken back or brought back the same, and calls for the same effect.
    #[error("row {0} has called for it since")]
    CalledSince(u64),
}

/// An effect, as the row has left it and all that has taken that back or brought it back.
struct Standing {
    adapter: String,
    undo: Way,
    request: Vec<u8>,
    /// The row that says that the row has not carried it out, when one does.
    not_done: Option<u64>,
    /// Whether it stands now.
    stands: bool,
}

/// How an effect is undone.
struct Way {
    does: Does,
    request: Vec<u8>,
    until: Option<Micros>,
    /// Why not, when it cannot be.
    not: Option<&'static str>,
}

/// What taking a row back calls for at a time. The inner error names an effect of which it is not known whether it took place.
pub(crate) fn effects_of<H: History>(
    history: &H,
    governance: &Governance,
    calling: &Calling,
    row: u64,
    at: Micros,
) -> Result<Result<Effects, Unresolved>, ReplayError<H::Error>> {
    let base = governance.base(row);
    let read = history.with_row(base, |row| standings(row, at))?;
    let mut standings =
        read.map_err(|error| ReplayError::Impossible { row: base, reason: error.to_string() })?;
    if standings.is_empty() {
        return Ok(Ok(Effects::default()));
    }
    for (effect, standing) in (0..).zip(&mut standings) {
        match history.call(base, effect)? {
            None | Some((_, EffectStatus::Done)) => standing.stands = true,
            Some((by, EffectStatus::Failed | EffectStatus::Closed)) => standing.not_done = Some(by),
            Some((_, status)) => return Ok(Err(Unresolved { row: base, effect, status: status.name() })),
        }
    }
    for (rollback, called) in calling.rollbacks.get(&base).into_iter().flatten() {
        let undoes = governance.target_of(*rollback).is_some_and(|target| !governance.brings_back(target));
        for effect in called.iter().copied() {
            let place = usize::try_from(effect).ok();
            let Some(standing) = place.and_then(|place| standings.get_mut(place)) else { continue };
            match history.call(*rollback, effect)?.map(|(_, status)| status) {
                Some(EffectStatus::Done) => standing.stands = !undoes,
                Some(EffectStatus::Failed | EffectStatus::Closed) => {}
                status => {
                    let status = status.map_or("called for and not begun", EffectStatus::name);
                    return Ok(Err(Unresolved { row: *rollback, effect, status }));
                }
            }
        }
    }
    let mut effects = Effects::default();
    for (effect, standing) in (0..).zip(standings) {
        standing.plan(effect, !governance.brings_back(row), &mut effects);
    }
    Ok(Ok(effects))
}

impl Standing {
    fn plan(self, effect: u32, undoes: bool, effects: &mut Effects) {
        let Standing { adapter, undo, request, not_done, stands } = self;
        let mut stay = |adapter, why: &str| {
            effects.staying.push(Staying { effect, adapter, why: why.to_owned() });
        };
        if let Some(by) = not_done {
            return stay(adapter, &format!("it did not take place, as row {by} says"));
        }
        match (undoes, stands) {
            (true, false) => stay(adapter, "it is undone already"),
            (false, true) => stay(adapter, "it was never undone"),
            (true, true) => match undo.not {
                Some(why) => stay(adapter, &format!("it {why}")),
                None => {
                    let Way { does, request, until, .. } = undo;
                    effects.calls.push(PlannedCall { effect, adapter, does, request, until });
                }
            },
            (false, false) => {
                effects.calls.push(PlannedCall { effect, adapter, does: Does::Redo, request, until: None });
            }
        }
    }
}

fn standings(row: &Row<'_>, at: Micros) -> Result<Vec<Standing>, CodecError> {
    let effects = row.content(PartTag::Effects).map(Effect::decode_all).transpose()?.unwrap_or_default();
    let standing = |effect: Effect<'_>| {
        let (does, request, until) = match effect.undo {
            Undo::Never => (Does::Undo, &[][..], None),
            Undo::Request(request) => (Does::Undo, request, None),
            Undo::Until(request, until) => (Does::Undo, request, Some(until)),
            Undo::Compensate(request) => (Does::Compensate, request, None),
        };
        let undo = Way { does, request: request.to_vec(), until, not: no_undo(&effect.undo, at) };
        let (adapter, request) = (effect.adapter.to_owned(), effect.request.to_vec());
        Standing { adapter, undo, request, not_done: None, stands: false }
    };
    Ok(effects.into_iter().map(standing).collect())
}

/// What a row calls for by the place of an effect: what is to be called, and how. `None` when it calls for no such thing, or the
/// effects are withheld.
pub fn call_of<H: History>(
    history: &H,
    governance: &Governance,
    row: u64,
    effect: u32,
) -> Result<Option<PlannedCall>, ReplayError<H::Error>> {
    let base = governance.base(row);
    let read = history.with_row(base, |row| standings(row, Micros::MIN))?;
    let standings = read.map_err(|error| ReplayError::Impossible { row: base, reason: error.to_string() })?;
    let standing = usize::try_from(effect).ok().and_then(|place| standings.into_iter().nth(place));
    Ok(standing.and_then(|standing| {
        let Standing { adapter, undo, request, .. } = standing;
        let again = |does| PlannedCall { effect, adapter: adapter.clone(), does, request, until: None };
        match governance.chain(row).count() {
            1 => Some(again(Does::Do)),
            odd if odd % 2 == 1 => Some(again(Does::Redo)),
            _ if undo.not.is_some() => None,
            _ => {
                let Way { does, request, until, .. } = undo;
                Some(PlannedCall { effect, adapter, does, request, until })
            }
        }
    }))
}
