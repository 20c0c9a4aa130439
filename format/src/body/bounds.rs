//! What bodies may say: versions, bounds, order.

use super::{
    Body, Calibration, DRILL_METRICS, Erased, FORMAT_VERSION, Genesis, KeyChange, KillSwitch, Reading, Role,
    Scope, SwitchAct,
};
use crate::codec::{CodecError, label, listed, name, named, within};
use crate::limits;
use crate::note::check_key_name;
use crate::part::PartTag;
use crate::policy::{Reach, ascending, check_pattern};
use crate::value::Decimal;

impl Body<'_> {
    pub(super) fn check(&self) -> Result<(), CodecError> {
        let text = |text: &str| within("a text", text.len(), limits::TEXT_BYTES);
        match self {
            Body::Genesis(genesis) => genesis.check(),
            Body::Key(change) => change.check(),
            Body::Policy(policy) => policy.check(),
            Body::Evidence(reading) => {
                name("a metric", reading.metric)?;
                text(reading.source)?;
                reading.value.check()?;
                reading.check_drill()
            }
            Body::KillSwitch(switch) => switch.check(),
            Body::Rollback(rollback) => {
                within("a rollback's effects", rollback.effects.len(), limits::ITEMS)?;
                ascending("a rollback's effects", &rollback.effects, |effect| *effect)
            }
            Body::Snapshot(_) => Ok(()),
            Body::Outcome(outcome) => text(outcome.detail),
            Body::Erasure(erasure) => {
                listed("erased items", erasure.items.len(), limits::ITEMS)?;
                named("an authority", erasure.authority, limits::TEXT_BYTES)?;
                erasure.items.iter().try_for_each(Erased::check)
            }
            Body::Calibration(calibration) => calibration.check(),
            Body::Review(review) => text(review.reason),
        }
    }
}

impl Reading<'_> {
    /// The class of reversibility that a recovery drill has tried, and whether it passed; `None` of another reading.
    pub fn drilled(&self) -> Option<(Reach, bool)> {
        let class = self.metric.strip_prefix(DRILL_METRICS)?;
        let class = Reach::from_name(class).filter(|class| *class != Reach::Never)?;
        match self.value {
            Decimal { mantissa: passed @ (0 | 1), scale: 0 } => Some((class, passed == 1)),
            _ => None,
        }
    }

    fn check_drill(&self) -> Result<(), CodecError> {
        match self.metric.starts_with(DRILL_METRICS) && self.drilled().is_none() {
            true => Err(CodecError::Inconsistent(
                "a recovery drill of something else than a class of reversibility, or that is neither 0 nor 1",
            )),
            false => Ok(()),
        }
    }
}

impl KillSwitch<'_> {
    fn check(&self) -> Result<(), CodecError> {
        let said = match self.act {
            SwitchAct::Engage => self.engaged,
            SwitchAct::Release => !self.engaged,
            SwitchAct::HandOver | SwitchAct::Drill => true,
        };
        if !said {
            return Err(CodecError::Inconsistent("a kill switch is said to be in the other position"));
        }
        if self.drill.is_some() != (self.act == SwitchAct::Drill && !self.engaged) {
            return Err(CodecError::Inconsistent(
                "the end of a drill, and nothing else, says what it has shown",
            ));
        }
        within("a text", self.reason.len(), limits::TEXT_BYTES)
    }
}

impl Calibration<'_> {
    fn check(&self) -> Result<(), CodecError> {
        name("a metric", self.metric)?;
        label("an action", self.action)?;
        within("a quantile in parts per million", self.quantile as usize, limits::PPM as usize)?;
        listed("a calibration's rows", self.rows.len(), limits::PART_BYTES)?;
        ascending("a calibration's rows", &self.rows, |row| *row)?;
        if self.rows.last().is_some_and(|last| *last >= self.upto) {
            return Err(CodecError::Inconsistent(
                "a calibration from rows behind those it says it looked at",
            ));
        }
        self.threshold.check()
    }
}

impl Scope<'_> {
    /// Whether it restricts nothing.
    pub fn is_everything(&self) -> bool {
        *self == Scope::default()
    }

    fn check(&self) -> Result<(), CodecError> {
        within("a scope's actions", self.actions.len(), limits::ITEMS)?;
        self.actions.iter().try_for_each(|pattern| check_pattern(pattern))?;
        ascending("a scope's actions", &self.actions, |pattern| *pattern)?;
        within("a scope's key prefixes", self.prefixes.len(), limits::ITEMS)?;
        self.prefixes.iter().try_for_each(|prefix| named("a key prefix", prefix, limits::KEY_BYTES))?;
        ascending("a scope's key prefixes", &self.prefixes, |prefix| *prefix)?;
        match (self.from, self.until) {
            (Some(from), Some(until)) if from >= until => {
                Err(CodecError::Inconsistent("a scope that ends before it begins"))
            }
            _ => Ok(()),
        }
    }
}

impl Genesis<'_> {
    fn check(&self) -> Result<(), CodecError> {
        if self.format != FORMAT_VERSION {
            return Err(CodecError::Version { what: "a ledger", found: self.format.into() });
        }
        check_key_name(self.origin)?;
        self.policy.check()
    }
}

impl KeyChange<'_> {
    fn check(&self) -> Result<(), CodecError> {
        match self {
            KeyChange::Grant { roles, name: holder, scope, .. } => {
                name("a key holder's name", holder)?;
                scope.check()?;
                // Without an owner and a sealing key nothing goes on; their keys end by rows, not by time.
                if roles & (Role::Owner.bit() | Role::Ledger.bit()) != 0 && !scope.is_everything() {
                    return Err(CodecError::Inconsistent("a scope for a key of the role owner or ledger"));
                }
                let known = Role::ALL.iter().fold(0, |set, role| set | role.bit());
                if *roles == 0 || roles & !known != 0 {
                    return Err(CodecError::Malformed("a set of roles"));
                }
                Ok(())
            }
            KeyChange::Rotate { .. } => Ok(()),
            KeyChange::Revoke { reason, .. } => within("a reason", reason.len(), limits::TEXT_BYTES),
        }
    }
}

impl Erased {
    fn check(&self) -> Result<(), CodecError> {
        const ERASABLE: [PartTag; 5] =
            [PartTag::Subject, PartTag::Actors, PartTag::Evidence, PartTag::Effects, PartTag::Context];
        match self {
            Erased::Part { tag, .. } if !ERASABLE.iter().any(|part| *part as u8 == *tag) => Err(
                CodecError::Inconsistent("only subject, actors, evidence, effects and context are erasable"),
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Calibration, Erasure};
    use crate::intent::Kind;

    const SCORE: Decimal = Decimal { mantissa: 1, scale: 0 };

    /// What the reader says of a body, whatever the writer thinks of it.
    fn read<T: serde::Serialize>(kind: Kind, body: &T) -> Result<(), CodecError> {
        Body::decode(kind, &crate::codec::encode(body).unwrap()).map(drop)
    }

    #[test]
    fn names_hold_no_control_characters() {
        let reading = Reading { metric: "cost\u{1b}", value: SCORE, source: "a\nb" };
        assert_eq!(read(Kind::Evidence, &reading), Err(CodecError::Control("a metric")));
        let grant = KeyChange::Grant { key: [1; 32], roles: 1, name: "me\u{7f}", scope: Scope::default() };
        assert_eq!(read(Kind::Key, &grant), Err(CodecError::Control("a key holder's name")));
    }

    #[test]
    fn lists_of_nothing_are_refused() {
        let erasure = Erasure { items: Vec::new(), authority: "request 7" };
        assert_eq!(read(Kind::Erasure, &erasure), Err(CodecError::Empty("erased items")));
        let calibration = Calibration {
            metric: "cost",
            action: "",
            from: 0,
            upto: 9,
            quantile: 1,
            rows: Vec::new(),
            threshold: SCORE,
        };
        assert_eq!(read(Kind::Calibration, &calibration), Err(CodecError::Empty("a calibration's rows")));
    }
}
