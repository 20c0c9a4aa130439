//! What `grant`, `rotate` and `revoke` share: finding a key, landing a change of the keys, and telling of it.

use crate::act::{self, Landed, Urgency};
use crate::body_json;
use crate::exit::Refused;
use crate::keys::{KeyDir, NamedKey, read_public, there};
use crate::names::Names;
use crate::place::Place;
use crate::time;
use anyhow::{Context, Result, bail};
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyBytes, KeyChange};
use counterfoil_format::intent::{KeyId, Kind};
use counterfoil_format::key::PublicKey;
use counterfoil_ledger::{Log, SecretKey, Signer, SubmissionBuilder, SubmitError, now};
use counterfoil_rules::governance::Governance;
use counterfoil_rules::keyring::Enrolled;
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::Arc;

/// Where the keys of a ledger are changed, with the key that signs the change.
pub struct Desk<'p> {
    pub place: &'p Place,
    pub log: Log,
    pub governance: Governance,
    author: NamedKey,
}

impl<'p> Desk<'p> {
    /// Reads what governs. The change is signed by the key named, or by the owner's.
    pub fn open(place: &'p Place, author: Option<&str>) -> Result<Self> {
        let log = place.log()?;
        let governance = log.governance()?;
        let author = place.keys().author(&governance, author, Kind::Key)?;
        Ok(Desk { place, log, governance, author })
    }

    /// Where the key files lie.
    pub fn keys(&self) -> &'p KeyDir {
        self.place.keys()
    }

    /// Refuses a change that would not land, before anything is made for it.
    pub fn check(&self, change: &KeyChange<'_>) -> Result<()> {
        let body = Body::Key(change.clone());
        body.encode().map_err(|error| Refused::error(error.to_string()))?;
        let row = self.log.head().size;
        self.governance.check(&body, row).map_err(|error| Refused::error(error.to_string()))
    }

    /// Lands the change. `secret` is the new key, when it is here. Where another key seals behind the change, the ledger must be
    /// opened to hold it; any other change also lands while somebody else has it open.
    pub fn land(
        &self,
        change: &KeyChange<'_>,
        secret: Option<SecretKey>,
        urgency: Urgency,
    ) -> Result<Landed> {
        let landed = match self.next_to_seal(change, secret)? {
            None => {
                let body = Body::Key(change.clone());
                act::land(self.place, &self.log, &self.author, body, urgency)
            }
            Some(seal_key) => self.land_sealed_by(seal_key, change),
        };
        landed.map_err(|error| match error.downcast_ref() {
            Some(SubmitError::Refused { refusal, .. }) => Refused::error(refusal.to_string()),
            Some(SubmitError::Failed(_)) => {
                error.context("the change may have landed or not (`counterfoil key list` tells)")
            }
            _ => error,
        })
    }

    fn land_sealed_by(&self, seal_key: SecretKey, change: &KeyChange<'_>) -> Result<Landed> {
        let ledger = self.place.ledger().context("the key that seals changes with the ledger open here")?;
        ledger.hold(Arc::new(seal_key));
        let mut builder = SubmissionBuilder::new(&self.author.key)?;
        builder.push(&act::draft(Body::Key(change.clone()))?)?;
        let receipts = ledger.submit(builder.sign(ledger.ledger_id())?)?;
        let seq = receipts.first().map(|receipt| receipt.seq).context("the ledger gave no receipt")?;
        let landed = act::landed(ledger.log(), seq)?;
        // The row is durable; what is not written out by now is made anew by the next open.
        if let Err(error) = ledger.close() {
            eprintln!("counterfoil: note: row {seq} has landed, but closing the ledger failed: {error}");
        }
        Ok(landed)
    }

    /// The key that seals behind a change, when it is another than before.
    fn next_to_seal(&self, change: &KeyChange<'_>, secret: Option<SecretKey>) -> Result<Option<SecretKey>> {
        let sealing = |governance: &Governance| governance.keys.sealing().map(|key| key.key.id());
        let (mut after, row) = (self.governance.clone(), self.log.head().size);
        let taken = after.take_in(&Body::Key(change.clone()), row, now());
        taken.map_err(|error| Refused::error(error.to_string()))?;
        let next = after.keys.sealing().filter(|key| sealing(&self.governance) != Some(key.key.id()));
        let Some(next) = next else { return Ok(None) };
        match secret {
            Some(secret) if *secret.public() == next.key => Ok(Some(secret)),
            _ => self.keys().load(&next.name).map(Some).context("the key that would seal behind the change"),
        }
    }

    /// The living key of this name or with this id.
    pub fn living(&self, named: &str) -> Result<&Enrolled> {
        living(&self.governance, named)
    }
}

/// The living key of this name or with this id.
fn living<'g>(governance: &'g Governance, named: &str) -> Result<&'g Enrolled> {
    let all = governance.keys.all();
    let alive = all.iter().copied().filter(|key| key.until.is_none());
    let of_name: Vec<&Enrolled> = alive.clone().filter(|key| key.name == named).collect();
    if let [key] = of_name.as_slice() {
        return Ok(key);
    }
    if let Some(key) = alive.clone().find(|key| key.key.id().to_string() == named) {
        return Ok(key);
    }
    let listed = "`counterfoil key list` shows all keys";
    let ids =
        |keys: &[&Enrolled]| keys.iter().map(|key| key.key.id().to_string()).collect::<Vec<_>>().join(", ");
    if !of_name.is_empty() {
        let ids = ids(&of_name);
        return Err(Refused::error(format!("several keys are called {named}: {ids}. Say which, by its id")));
    }
    let ended = all.iter().rev().find(|key| key.name == named || key.key.id().to_string() == named);
    Err(Refused::error(match ended.and_then(|key| Some((key.key.id(), key.until?))) {
        Some((id, row)) => format!("key {id} of {named} was ended by row {row}; {listed}"),
        None => format!("no key is called {named} or has that id; {listed}"),
    }))
}

/// A public key, in hexadecimal or in the file that is named.
pub fn public_key(given: &str) -> Result<KeyBytes> {
    let key = match Hash::from_hex(given) {
        Some(digits) => digits.0,
        None if there(Path::new(given)) => read_public(Path::new(given))?,
        None => {
            bail!("--public {given:?}: neither 64 hexadecimal digits nor a file; NAME.pub is such a file")
        }
    };
    PublicKey::enrol(&key).map_err(|error| Refused::error(format!("--public {given}: {error}")))?;
    Ok(key)
}

/// What a change says, the row that says it, and more, as one JSON object.
pub fn as_json<'m>(
    place: &Place,
    change: &KeyChange<'_>,
    landed: &Landed,
    more: impl IntoIterator<Item = (&'m str, Json)>,
) -> Result<Json> {
    let log = place.log()?;
    let mut object = body_json::of_body(&Body::Key(change.clone()), &Names::of(&log)?);
    if let Json::Object(fields) = &mut object {
        let of_row = [
            ("seq", json!(landed.seq)),
            ("row_hash", json!(landed.row_hash.to_string())),
            ("landed_at", json!(time::print(landed.landed_at))),
        ];
        fields.extend(of_row.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(object)
}

/// Who holds the kill switch by a key that has ended can move it no more.
pub fn note_on_switch(governance: &Governance, key: KeyId) -> Option<&'static str> {
    (governance.in_force.switch.holder == key).then_some(
        "The kill switch stays in the hands of the key that ended until it is handed over with `counterfoil \
         kill-switch hand-over NAME`; every other operator and the owner can move it.",
    )
}
