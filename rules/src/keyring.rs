//! The keys that may write, as the rows so far have granted, rotated and revoked them.

use counterfoil_format::body::{KeyBytes, KeyChange, Role};
use counterfoil_format::intent::{IntentHead, KeyId, Kind};
use counterfoil_format::key::{EnrolError, PublicKey, key_id};
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
    /// The row that enrolled it.
    pub since: u64,
    /// The row that ended it.
    pub until: Option<u64>,
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
        Kind::KillSwitch | Kind::Snapshot | Kind::Calibration => Role::Operator.bit() | Role::Owner.bit(),
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

    /// Whether the author of an intent may write it now; yields the key.
    pub fn authorise(&self, head: &IntentHead<'_>) -> Result<&Enrolled, KeyError> {
        let key = head.author;
        let author = self.keys.get(&key).ok_or(KeyError::Unknown(key))?;
        if let Some(row) = author.until {
            return Err(KeyError::Revoked { key, row });
        }
        let needed = roles_for(head.kind);
        if author.roles & needed == 0 {
            let (held, needed) = (role_names(author.roles), role_names(needed));
            return Err(KeyError::WrongRole { key, kind: head.kind, held, needed });
        }
        Ok(author)
    }

    /// Enrols a key.
    pub fn grant(&mut self, key: &KeyBytes, roles: u8, name: &str, row: u64) -> Result<(), KeyError> {
        let key = self.enrollable(key)?;
        let id = key.id();
        let enrolled = Enrolled { key, roles, name: name.to_owned(), since: row, until: None };
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

    /// Whether a change would go through.
    pub fn check(&self, change: &KeyChange<'_>) -> Result<(), KeyError> {
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
            KeyChange::Grant { key, roles, name } => self.grant(key, *roles, name, row),
            KeyChange::Rotate { old, key } => {
                let (roles, name) = self.living(old).map(|old| (old.roles, old.name.clone()))?;
                self.end(old, row);
                self.grant(key, roles, &name, row)
            }
            KeyChange::Revoke { key, .. } => {
                self.end(key, row);
                Ok(())
            }
        }
    }
}

fn role_names(roles: u8) -> String {
    Role::in_set(roles).map(Role::name).collect::<Vec<_>>().join(" or ")
}
