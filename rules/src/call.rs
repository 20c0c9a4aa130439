//! Calls: effects that an applied row calls for, and from which status to which they go.

use counterfoil_format::body::{Body, EffectOutcome, EffectStatus};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Effect;
use counterfoil_format::intent::{KeyId, Kind};
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;

/// The effects that a row calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// All of its own, so many: a decision, or the approval of one.
    Own(u32),
    /// Those of the row at the end of its chain of targets that it lists, ascending: a rollback row.
    Listed(Box<[u32]>),
    /// It is withheld.
    Unknown,
}

/// Why an outcome row does not fit the call that it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// It does not come behind the row that calls.
    #[error("row {0}, whose effect it tells of, does not come before it")]
    NotBefore(u64),
    /// Nothing calls for it.
    #[error("row {row} calls for no effect {effect}")]
    NotCalled {
        /// The row.
        row: u64,
        /// The effect's place.
        effect: u32,
    },
    /// The row is another's, and its author is no operator.
    #[error(
        "what became of what row {0} calls for is told by its author or an operator, and its author is neither"
    )]
    NotTheirs(u64),
    /// The call cannot go there from where it is.
    #[error("effect {effect} that row {row} calls for is {}, and goes from there to no {to}", from.map_or("not begun", EffectStatus::name))]
    NoStep {
        /// The row.
        row: u64,
        /// The effect's place.
        effect: u32,
        /// The status before.
        from: Option<EffectStatus>,
        /// The status that the row states.
        to: EffectStatus,
    },
}

impl Called {
    /// What a row calls for; a row that was not applied calls for nothing.
    pub fn by(row: &Row<'_>) -> Result<Called, CodecError> {
        if row.landing.outcome != Outcome::Applied {
            return Ok(Called::Own(0));
        }
        match row.head.kind {
            Kind::Rollback => match row.content(PartTag::Body) {
                None => Ok(Called::Unknown),
                Some(bytes) => match Body::decode(Kind::Rollback, bytes)? {
                    Body::Rollback(rollback) => Ok(Called::Listed(rollback.effects.into())),
                    _ => Ok(Called::Own(0)),
                },
            },
            Kind::Decision | Kind::Review => match row.part(PartTag::Effects) {
                None => Ok(Called::Own(0)),
                Some(Slot::Closed(_)) => Ok(Called::Unknown),
                Some(Slot::Open { bytes, .. }) => {
                    let effects = Effect::decode_all(bytes)?.len();
                    Ok(Called::Own(u32::try_from(effects).unwrap_or(u32::MAX)))
                }
            },
            _ => Ok(Called::Own(0)),
        }
    }

    /// Whether an effect is among them; `None` when that is not known.
    pub fn has(&self, effect: u32) -> Option<bool> {
        match self {
            Called::Own(count) => Some(effect < *count),
            Called::Listed(effects) => Some(effects.binary_search(&effect).is_ok()),
            Called::Unknown => None,
        }
    }

    /// The effects, as far as they are known.
    pub fn effects(&self) -> Vec<u32> {
        match self {
            Called::Own(count) => (0..*count).collect(),
            Called::Listed(effects) => effects.to_vec(),
            Called::Unknown => Vec::new(),
        }
    }
}

/// Checks that an outcome row tells of a call, and of a step that the call can take. `before` is the status that the call
/// has. What is withheld is taken at its word.
pub fn check_outcome(
    outcome: &EffectOutcome<'_>,
    called: &Called,
    before: Option<EffectStatus>,
) -> Result<(), CallFault> {
    let EffectOutcome { row, effect, status: to, .. } = *outcome;
    if called.has(effect) == Some(false) {
        return Err(CallFault::NotCalled { row, effect });
    }
    let begun_by_itself = !matches!(called, Called::Listed(_));
    match steps(before, begun_by_itself, to) {
        true => Ok(()),
        false => Err(CallFault::NoStep { row, effect, from: before, to }),
    }
}

/// Whether an author may tell of a call of a row: of their own, or as an operator. `None` when it is not known whether they are one.
pub fn may_tell(author: KeyId, caller: KeyId, operator: Option<bool>) -> Option<bool> {
    if author == caller { Some(true) } else { operator }
}

/// Whether a call can go from one status to another. A decision is itself the intention to carry its effects out.
const fn steps(from: Option<EffectStatus>, begun_by_itself: bool, to: EffectStatus) -> bool {
    use EffectStatus::{Closed, Done, Failed, Intended, Unknown};
    match (from, to) {
        (None, to) => begun_by_itself || matches!(to, Intended | Closed),
        (Some(Intended), to) => matches!(to, Done | Failed | Unknown),
        (Some(Failed), to) => matches!(to, Intended | Closed),
        (Some(Unknown), to) => matches!(to, Intended | Done | Failed | Closed),
        (Some(Done | Closed), _) => false,
    }
}

/// The key under which a call is made: the hash of the row that calls, and the effect's place. It is the same with each
/// attempt, so that who is called can tell attempts of one call from two calls.
pub fn call_key(row_hash: &counterfoil_format::Hash, effect: u32) -> String {
    format!("{row_hash}/{effect}")
}
