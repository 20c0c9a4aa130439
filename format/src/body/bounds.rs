//! What bodies may say: versions, bounds, order.

use super::{Body, Erased, FORMAT_VERSION, Genesis, KeyChange, POLICY_VERSION, PolicyBody, Role, SwitchAct};
use crate::codec::{CodecError, listed, name, named, within};
use crate::limits;
use crate::note::check_key_name;
use crate::part::PartTag;
use crate::value::Decimal;

impl Body<'_> {
    pub(super) fn check(&self) -> Result<(), CodecError> {
        let text = |text: &str| within("a text", text.len(), limits::TEXT_BYTES);
        let decimal = |decimal: &Decimal| match decimal.scale <= limits::DECIMAL_SCALE {
            true => Ok(()),
            false => Err(CodecError::Malformed("a decimal")),
        };
        match self {
            Body::Genesis(genesis) => genesis.check(),
            Body::Key(change) => change.check(),
            Body::Policy(policy) => policy.check(),
            Body::Evidence(reading) => {
                name("a metric", reading.metric)?;
                text(reading.source)?;
                decimal(&reading.value)
            }
            Body::KillSwitch(switch) => {
                let said = match switch.act {
                    SwitchAct::Engage => switch.engaged,
                    SwitchAct::Release => !switch.engaged,
                    SwitchAct::HandOver | SwitchAct::Drill => true,
                };
                if !said {
                    return Err(CodecError::Inconsistent(
                        "a kill switch is said to be in the other position",
                    ));
                }
                text(switch.reason)
            }
            Body::Rollback(_) | Body::Snapshot(_) => Ok(()),
            Body::Outcome(outcome) => text(outcome.detail),
            Body::Erasure(erasure) => {
                listed("erased items", erasure.items.len(), limits::ITEMS)?;
                named("an authority", erasure.authority, limits::TEXT_BYTES)?;
                erasure.items.iter().try_for_each(Erased::check)
            }
            Body::Calibration(calibration) => {
                name("a metric", calibration.metric)?;
                within(
                    "a quantile in parts per million",
                    calibration.quantile as usize,
                    limits::PPM as usize,
                )?;
                listed("a calibration's rows", calibration.rows.len(), limits::PART_BYTES)?;
                if !calibration.rows.is_sorted_by(|a, b| a < b) {
                    return Err(CodecError::Unsorted("a calibration's rows"));
                }
                decimal(&calibration.threshold)
            }
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
            KeyChange::Grant { roles, name: holder, .. } => {
                name("a key holder's name", holder)?;
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

impl PolicyBody<'_> {
    /// Checks version, patterns and bounds.
    pub fn check(&self) -> Result<(), CodecError> {
        if self.version != POLICY_VERSION {
            return Err(CodecError::Version { what: "a policy", found: self.version.into() });
        }
        within("patterns of live actions", self.live.len(), limits::ITEMS)?;
        self.live.iter().try_for_each(|pattern| check_pattern(pattern))?;
        if !self.live.is_sorted_by(|a, b| a < b) {
            return Err(CodecError::Unsorted("patterns of live actions"));
        }
        if !(4096..=limits::SEGMENT_BYTES).contains(&self.segment_bytes) {
            return Err(CodecError::Inconsistent("a segment size outside 4 KiB to 4 GiB"));
        }
        Ok(())
    }
}

/// A pattern is a name, or a prefix with one `*` behind it.
fn check_pattern(pattern: &str) -> Result<(), CodecError> {
    name("a pattern", pattern)?;
    if pattern.strip_suffix('*').unwrap_or(pattern).contains('*') {
        return Err(CodecError::Inconsistent("a pattern has a * that is not its last character"));
    }
    Ok(())
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
    use crate::body::{Calibration, Erasure, Reading};
    use crate::intent::Kind;

    const SCORE: Decimal = Decimal { mantissa: 1, scale: 0 };

    fn policy(live: Vec<&str>) -> PolicyBody<'_> {
        PolicyBody { version: POLICY_VERSION, live, segment_bytes: 4096 }
    }

    /// What the reader says of a body, whatever the writer thinks of it.
    fn read<T: serde::Serialize>(kind: Kind, body: &T) -> Result<(), CodecError> {
        Body::decode(kind, &crate::codec::encode(body).unwrap()).map(drop)
    }

    #[test]
    fn a_pattern_is_a_name_or_a_prefix_with_one_star_behind_it() {
        for pattern in ["*", "price.*", "price.set"] {
            assert_eq!(read(Kind::Policy, &policy(vec![pattern])), Ok(()), "{pattern}");
        }
        for pattern in ["**", "*.set", "price.*.*", "a*b"] {
            let refused = read(Kind::Policy, &policy(vec![pattern]));
            assert!(matches!(refused, Err(CodecError::Inconsistent(_))), "{pattern}: {refused:?}");
        }
        assert_eq!(read(Kind::Policy, &policy(vec!["a\n*"])), Err(CodecError::Control("a pattern")));
        assert_eq!(read(Kind::Policy, &policy(vec![""])), Err(CodecError::Empty("a pattern")));
        assert_eq!(read(Kind::Policy, &policy(Vec::new())), Ok(()));
    }

    #[test]
    fn names_hold_no_control_characters() {
        let reading = Reading { metric: "cost\u{1b}", value: SCORE, source: "a\nb" };
        assert_eq!(read(Kind::Evidence, &reading), Err(CodecError::Control("a metric")));
        let grant = KeyChange::Grant { key: [1; 32], roles: 1, name: "me\u{7f}" };
        assert_eq!(read(Kind::Key, &grant), Err(CodecError::Control("a key holder's name")));
    }

    #[test]
    fn lists_of_nothing_are_refused() {
        let erasure = Erasure { items: Vec::new(), authority: "request 7" };
        assert_eq!(read(Kind::Erasure, &erasure), Err(CodecError::Empty("erased items")));
        let calibration = Calibration { metric: "cost", quantile: 1, rows: Vec::new(), threshold: SCORE };
        assert_eq!(read(Kind::Calibration, &calibration), Err(CodecError::Empty("a calibration's rows")));
    }
}
