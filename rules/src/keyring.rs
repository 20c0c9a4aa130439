//! The keys that may write, as the rows so far have granted, rotated and revoked them.

use crate::policy::Policy;
use counterfoil_format::body::{Body, DRILL_METRICS, EffectStatus, KeyBytes, KeyChange, Role, Scope};
use counterfoil_format::content::Judge;
use counterfoil_format::intent::{IntentHead, KeyId, Kind, Micros};
use counterfoil_format::key::{EnrolError, PublicKey, key_id};
use counterfoil_format::ops::Op;
use counterfoil_format::policy::matches;
use std::collections::HashMap;

/// A key that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The key.
    pub key: PublicKey,
    /// What it may do, [`Role::bit`] each.
    pub roles: u8,
    /// Who holds it.
    pub name: String,
    /// Where and when it may do it.
    pub scope: KeyScope,
    /// The row that enrolled it.
    pub since: u64,
    /// The row that ended it.
    pub until: Option<u64>,
    /// Since when it may have been in other hands, as the row that revoked it says.
    pub compromised_since: Option<Micros>,
}

/// Where and when a key may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyScope {
    /// The actions that its decisions may have, as patterns; none: all.
    pub actions: Vec<String>,
    /// The beginnings that the keys of its operations may have; none: all.
    pub prefixes: Vec<String>,
    /// Rows before this time are not its.
    pub from: Option<Micros>,
    /// Rows from this time on are not its.
    pub until: Option<Micros>,
}

/// Why a key change or an author is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No row has enrolled the key.
    #[error("key {0} was never enrolled in this ledger; the owner can grant it")]
    Unknown(KeyId),
    /// A row has ended the key.
    #[error("key {key} was revoked by row {row}")]
    Revoked {
        /// The key.
        key: KeyId,
        /// The row that ended it.
        row: u64,
    },
    /// The key has none of the roles that this kind of row needs.
    #[error("key {key} may not write {kind} rows: it is {held}, and needs to be {needed}")]
    WrongRole {
        /// The key.
        key: KeyId,
        /// The kind of the row.
        kind: Kind,
        /// The roles that the key has.
        held: String,
        /// The roles of which it needs one.
        needed: String,
    },
    /// What the row says is for an operator to say.
    #[error("key {key} may not say so in a row of {kind}: only an operator's key tells of {what}")]
    OperatorsOnly {
        /// The key.
        key: KeyId,
        /// The kind of the row.
        kind: Kind,
        /// What it tells of.
        what: &'static str,
    },
    /// What the row does lies outside of what the key was granted for.
    #[error("key {key} was not granted for {what}")]
    OutOfScope {
        /// The key.
        key: KeyId,
        /// What lies outside.
        what: String,
    },
    /// A judge's signature is not by a judge's key in force.
    #[error("key {0}, which signs the judge's verdict, is no judge's key in force")]
    NoJudge(KeyId),
    /// A judge's signature is by another judge than the one named.
    #[error("key {key}, which signs the verdict of {named}, is enrolled for {enrolled}")]
    OtherJudge {
        /// The key.
        key: KeyId,
        /// Whom the row names.
        named: String,
        /// Whose the key is.
        enrolled: String,
    },
    /// A judge's signature does not hold.
    #[error("the signature of judge {0} under its verdict does not hold")]
    FalseVerdict(String),
    /// The policy keeps who judges and who plans apart.
    #[error("key {0} would plan and judge: the policy in force keeps the two apart")]
    NotSeparate(KeyId),
    /// Without the key nobody could grant keys or seal any more.
    #[error("key {0} is the last one of the owner or of the ledger; grant another first, or rotate it")]
    Last(KeyId),
    /// The key is enrolled already. A key is enrolled once.
    #[error("key {0} is enrolled already")]
    Enrolled(KeyId),
    /// The key may not be enrolled.
    #[error("key {key}: {error}")]
    Refused {
        /// The key.
        key: KeyId,
        /// Why.
        error: EnrolError,
    },
}

/// The roles of which an author needs one to write rows of a kind.
pub const fn roles_for(kind: Kind) -> u8 {
    match kind {
        Kind::Genesis | Kind::Key | Kind::Policy | Kind::Erasure => Role::Owner.bit(),
        Kind::Decision => Role::Executor.bit(),
        Kind::Evidence => {
            Role::Executor.bit() | Role::Planner.bit() | Role::Judge.bit() | Role::Operator.bit()
        }
        Kind::Outcome => Role::Executor.bit() | Role::Operator.bit(),
        Kind::Rollback => Role::Operator.bit(),
        Kind::Review | Kind::KillSwitch | Kind::Calibration => Role::Operator.bit() | Role::Owner.bit(),
        Kind::Snapshot => Role::Ledger.bit() | Role::Operator.bit() | Role::Owner.bit(),
    }
}

/// What a row tells of that is an operator's to tell, whatever other roles may write rows of its kind.
fn operators_only(body: &Body<'_>) -> Option<&'static str> {
    match body {
        Body::Evidence(reading) if reading.metric.starts_with(DRILL_METRICS) => Some("recovery drills"),
        Body::Outcome(outcome) if outcome.status == EffectStatus::Closed => {
            Some("effects that are not tried any more")
        }
        _ => None,
    }
}

/// All keys ever enrolled, and the ledger key in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: HashMap<KeyId, Enrolled>,
    sealing: Option<KeyId>,
}

impl Keyring {
    /// A key by its id, whether it has ended or not.
    pub fn get(&self, id: &KeyId) -> Option<&Enrolled> {
        self.keys.get(id)
    }

    /// Who holds both keys, when it is one: the name under which both are enrolled.
    pub fn holder_of_both(&self, left: &KeyId, right: &KeyId) -> Option<&str> {
        let [left, right] = [left, right].map(|key| self.keys.get(key).map(|key| key.name.as_str()));
        left.filter(|name| right == Some(name))
    }

    /// All keys, in the order they were enrolled.
    pub fn all(&self) -> Vec<&Enrolled> {
        let mut keys: Vec<_> = self.keys.values().collect();
        keys.sort_by_key(|key| (key.since, *key.key.as_bytes()));
        keys
    }

    /// The key that seals: the newest one with the role `ledger` that has not ended.
    pub fn sealing(&self) -> Option<&Enrolled> {
        self.keys.get(&self.sealing?)
    }

    /// Whether the author of an intent may write it now under this policy; yields the key. What it may do it with is
    /// asked of the key's scope.
    pub fn authorise(&self, head: &IntentHead<'_>, policy: &Policy) -> Result<&Enrolled, KeyError> {
        self.may_write(head.author, head.kind, policy)
    }

    /// Whether a key may write rows of a kind now under this policy; yields the key.
    pub fn may_write(&self, key: KeyId, kind: Kind, policy: &Policy) -> Result<&Enrolled, KeyError> {
        let author = self.keys.get(&key).ok_or(KeyError::Unknown(key))?;
        if let Some(row) = author.until {
            return Err(KeyError::Revoked { key, row });
        }
        let needed = policy.writers(kind);
        if author.roles & needed == 0 {
            let (held, needed) = (role_names(author.roles), role_names(needed));
            return Err(KeyError::WrongRole { key, kind, held, needed });
        }
        Ok(author)
    }

    /// Whether the author of a row may say this in it.
    pub fn check_saying(&self, author: KeyId, body: &Body<'_>) -> Result<(), KeyError> {
        let roles = self.keys.get(&author).map_or(0, |author| author.roles);
        match operators_only(body) {
            Some(what) if roles & Role::Operator.bit() == 0 => {
                Err(KeyError::OperatorsOnly { key: author, kind: body.kind(), what })
            }
            _ => Ok(()),
        }
    }

    /// The key of the judge who signed a verdict that lands now.
    pub fn judge(&self, judge: &Judge<'_>, landed_at: Micros) -> Result<Option<&PublicKey>, KeyError> {
        let Some(attestation) = &judge.attestation else { return Ok(None) };
        let key = attestation.key;
        let living = |found: &&Enrolled| found.until.is_none() && found.roles & Role::Judge.bit() != 0;
        let found = self.keys.get(&key).filter(living).ok_or(KeyError::NoJudge(key))?;
        found.scope.check_time(key, landed_at)?;
        if found.name != judge.by {
            let (named, enrolled) = (judge.by.to_owned(), found.name.clone());
            return Err(KeyError::OtherJudge { key, named, enrolled });
        }
        Ok(Some(&found.key))
    }

    /// Enrols a key.
    pub fn grant(
        &mut self,
        key: &KeyBytes,
        roles: u8,
        name: &str,
        scope: KeyScope,
        row: u64,
    ) -> Result<(), KeyError> {
        let key = self.enrollable(key)?;
        let id = key.id();
        let name = name.to_owned();
        let enrolled = Enrolled { key, roles, name, scope, since: row, until: None, compromised_since: None };
        self.keys.insert(id, enrolled);
        if roles & Role::Ledger.bit() != 0 {
            self.sealing = Some(id);
        }
        Ok(())
    }

    fn enrollable(&self, key: &KeyBytes) -> Result<PublicKey, KeyError> {
        let id = key_id(key);
        if self.keys.contains_key(&id) {
            return Err(KeyError::Enrolled(id));
        }
        PublicKey::enrol(key).map_err(|error| KeyError::Refused { key: id, error })
    }

    fn living(&self, id: &KeyId) -> Result<&Enrolled, KeyError> {
        let found = self.keys.get(id).ok_or(KeyError::Unknown(*id))?;
        match found.until {
            Some(row) => Err(KeyError::Revoked { key: *id, row }),
            None => Ok(found),
        }
    }

    fn end(&mut self, id: &KeyId, row: u64) {
        if let Some(found) = self.keys.get_mut(id) {
            found.until = Some(row);
        }
        if self.sealing == Some(*id) {
            let seals = |key: &&Enrolled| key.until.is_none() && key.roles & Role::Ledger.bit() != 0;
            let newest = self.keys.values().filter(seals).max_by_key(|key| (key.since, *key.key.as_bytes()));
            self.sealing = newest.map(|key| key.key.id());
        }
    }

    /// Whether a change would go through under this policy.
    pub fn check_under(&self, change: &KeyChange<'_>, policy: &Policy) -> Result<(), KeyError> {
        self.check(change)?;
        let both = Role::Planner.bit() | Role::Judge.bit();
        let enrolled = match change {
            KeyChange::Grant { key, roles, .. } => Some((key, *roles)),
            KeyChange::Rotate { old, key } => self.keys.get(old).map(|old| (key, old.roles)),
            KeyChange::Revoke { .. } => None,
        };
        match enrolled {
            Some((key, roles)) if policy.separation && roles & both == both => {
                Err(KeyError::NotSeparate(key_id(key)))
            }
            _ => Ok(()),
        }
    }

    /// Whether a change would go through.
    fn check(&self, change: &KeyChange<'_>) -> Result<(), KeyError> {
        match change {
            KeyChange::Grant { key, .. } => self.enrollable(key).map(drop),
            KeyChange::Rotate { old, key } => self.living(old).and_then(|_| self.enrollable(key)).map(drop),
            KeyChange::Revoke { key, .. } => self.living(key).and_then(|found| self.spare(key, found.roles)),
        }
    }

    /// Whether others remain for the roles without which a ledger cannot go on.
    fn spare(&self, id: &KeyId, roles: u8) -> Result<(), KeyError> {
        let remains = |role: Role| {
            let mut others = self.keys.iter().filter(|(other, key)| *other != id && key.until.is_none());
            others.any(|(_, key)| key.roles & role.bit() != 0)
        };
        let vital = [Role::Owner, Role::Ledger].into_iter().filter(|role| roles & role.bit() != 0);
        if vital.into_iter().all(remains) { Ok(()) } else { Err(KeyError::Last(*id)) }
    }

    /// Carries out a change that a row makes.
    pub fn change(&mut self, change: &KeyChange<'_>, row: u64) -> Result<(), KeyError> {
        self.check(change)?;
        match change {
            KeyChange::Grant { key, roles, name, scope } => {
                self.grant(key, *roles, name, KeyScope::from_body(scope), row)
            }
            KeyChange::Rotate { old, key } => {
                let Enrolled { roles, name, scope, .. } = self.living(old)?.clone();
                self.end(old, row);
                self.grant(key, roles, &name, scope, row)
            }
            KeyChange::Revoke { key, compromised_since, .. } => {
                self.end(key, row);
                self.keys.get_mut(key).into_iter().for_each(|key| key.compromised_since = *compromised_since);
                Ok(())
            }
        }
    }
}

impl KeyScope {
    fn from_body(scope: &Scope<'_>) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        KeyScope {
            actions: owned(&scope.actions),
            prefixes: owned(&scope.prefixes),
            from: scope.from,
            until: scope.until,
        }
    }

    /// Whether it restricts nothing.
    pub fn is_everything(&self) -> bool {
        *self == KeyScope::default()
    }

    /// Whether a row that lands now lies within it, but for its operations.
    pub fn check(&self, head: &IntentHead<'_>, landed_at: Micros) -> Result<(), KeyError> {
        self.check_time(head.author, landed_at)?;
        let asked = matches!(head.kind, Kind::Decision | Kind::Review) && !self.actions.is_empty();
        if asked && !self.actions.iter().any(|pattern| matches(pattern, head.action)) {
            return Err(KeyError::OutOfScope {
                key: head.author,
                what: format!("the action {}", head.action),
            });
        }
        Ok(())
    }

    /// Whether all operations lie within it.
    pub fn check_ops(&self, author: KeyId, ops: &[Op<'_>]) -> Result<(), KeyError> {
        if self.prefixes.is_empty() {
            return Ok(());
        }
        let outside = ops
            .iter()
            .map(Op::state_key)
            .find(|key| !self.prefixes.iter().any(|prefix| key.starts_with(prefix.as_str())));
        match outside {
            Some(key) => Err(KeyError::OutOfScope { key: author, what: format!("the key {key}") }),
            None => Ok(()),
        }
    }

    /// Whether a row of this key that lands now lies within its times.
    pub fn check_time(&self, key: KeyId, landed_at: Micros) -> Result<(), KeyError> {
        let early = self.from.is_some_and(|from| landed_at < from);
        let late = self.until.is_some_and(|until| landed_at >= until);
        match (early, late) {
            (true, _) => Err(KeyError::OutOfScope { key, what: "so early a time".to_owned() }),
            (_, true) => Err(KeyError::OutOfScope { key, what: "so late a time".to_owned() }),
            _ => Ok(()),
        }
    }
}

fn role_names(roles: u8) -> String {
    Role::in_set(roles).map(Role::name).collect::<Vec<_>>().join(" or ")
}
