//! Judges who sign their verdicts, when `append --attest` names their keys.

use crate::exit::Refused;
use crate::place::Place;
use anyhow::Result;
use counterfoil_format::body::Role;
use counterfoil_ledger::{SecretKey, Signer};
use counterfoil_rules::governance::Governance;

/// The judges whose keys are at hand.
pub struct Judges {
    /// Their names, as their keys are enrolled.
    keys: Vec<(String, SecretKey)>,
}

impl Judges {
    /// Reads the keys in the files of these names. Each must be a judge's in force, or nothing that they sign would land.
    pub fn load(place: &Place, governance: &Governance, files: &[String]) -> Result<Self> {
        let mut keys = Vec::with_capacity(files.len());
        for file in files {
            let key = place.keys().load(file)?;
            let id = key.public().id();
            let refused =
                |why: String| Refused::error(format!("--attest {file}: key {id} {why}. Nothing landed"));
            let enrolled = governance.keys.get(&id);
            let enrolled =
                enrolled.ok_or_else(|| refused("is not enrolled; the owner can grant it".into()))?;
            if let Some(row) = enrolled.until {
                return Err(refused(format!("was ended by row {row}")));
            }
            if enrolled.roles & Role::Judge.bit() == 0 {
                return Err(refused("has not the role judge".into()));
            }
            keys.push((enrolled.name.clone(), key));
        }
        Ok(Judges { keys })
    }

    /// The key that signs for the judge whom a line names; none when no judge signs at all.
    pub fn signer(&self, named: &str) -> Result<Option<&SecretKey>, String> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let found = self.keys.iter().find(|(name, _)| name == named);
        found.map(|(_, key)| Some(key)).ok_or_else(|| {
            let names: Vec<&str> = self.keys.iter().map(|(name, _)| name.as_str()).collect();
            format!(
                "it names the judge {named:?}, and --attest signs for {}: a judge signs under the name for which its \
                 key is enrolled",
                names.join(", ")
            )
        })
    }
}
