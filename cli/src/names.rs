//! The names of keys, and who held the kill switch when.

use anyhow::Result;
use counterfoil_format::body::Body;
use counterfoil_format::intent::KeyId;
use counterfoil_format::part::PartTag;
use counterfoil_ledger::Log;
use counterfoil_rules::keyring::Keyring;
use std::collections::HashMap;
use std::sync::Arc;

/// Names by key, from the rows that enrolled them.
pub struct Names<'l> {
    log: &'l Log,
    keys: Arc<Keyring>,
    holders: HashMap<u64, Option<String>>,
}

impl<'l> Names<'l> {
    /// The names that a ledger's rows have given.
    pub fn of(log: &'l Log) -> Result<Self> {
        Ok(Names { log, keys: log.governance()?.keys, holders: HashMap::new() })
    }

    /// The name of a key; its id, when no row has enrolled it.
    pub fn key(&self, id: &KeyId) -> String {
        self.keys.get(id).map_or_else(|| id.to_string(), |key| key.name.clone())
    }

    /// Who has held the kill switch since a row that moved it, or since row 0: until it is handed over, the owner
    /// does. `None` when that row is withheld.
    pub fn holder(&mut self, row: u64) -> Result<Option<String>> {
        if let Some(name) = self.holders.get(&row) {
            return Ok(name.clone());
        }
        let stored = self.log.row(row)?;
        let parsed = stored.parse()?;
        let bytes = parsed.content(PartTag::Body);
        let body = bytes.map(|bytes| Body::decode(parsed.head.kind, bytes)).transpose();
        let name = match body.map_err(|error| self.log.damaged(row, error))? {
            Some(Body::KillSwitch(switch)) => Some(self.key(&switch.holder)),
            Some(Body::Genesis(genesis)) => Some(self.key(&counterfoil_format::key::key_id(&genesis.owner))),
            _ => None,
        };
        self.holders.insert(row, name.clone());
        Ok(name)
    }
}
