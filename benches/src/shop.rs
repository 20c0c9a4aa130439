//! The reference row and a ledger of them: a live decision with 6 parts, 3 evidence references, one put of a 3-field
//! map, and 60 bytes of reason.

use counterfoil_format::body::{Body, KeyChange, POLICY_VERSION, PolicyBody, Role};
use counterfoil_format::content::{Actors, Context, Evidence, Judge, Subject};
use counterfoil_format::intent::{IntentId, Tier};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::{Draft, DraftOp, Ledger, SecretKey, Signer, Submission, SubmissionBuilder, now};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// Sixty bytes.
const REASON: &str = "margin above floor for three days, stock covers two weeks ok";
/// Entities of the shop; each has one key.
const ENTITIES: u64 = 20_000;

/// A shop's ledger and the key that writes its decisions.
pub struct Shop {
    /// The ledger.
    pub ledger: Ledger,
    /// The executor's key.
    pub executor: SecretKey,
}

impl Shop {
    /// Begins a ledger in an empty directory.
    pub fn begin(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let owner = SecretKey::from_seed(&[1; 32])?;
        let executor = SecretKey::from_seed(&[3; 32])?;
        let seal_key = Arc::new(SecretKey::from_seed(&[2; 32])?);
        let policy = PolicyBody { version: POLICY_VERSION, live: vec!["*"], segment_bytes: 64 << 20 };
        let ledger = Ledger::create(dir, "example.com/shop", policy, &owner, seal_key)?;
        let grant = KeyChange::Grant {
            key: *executor.public().as_bytes(),
            roles: Role::Executor.bit(),
            name: "executor-1",
        };
        let mut by_owner = SubmissionBuilder::new(&owner)?;
        by_owner.push(&Draft::with_body(IntentId([1; 16]), Body::Key(grant), now()))?;
        ledger.submit(by_owner.sign(ledger.ledger_id())?)?;
        Ok(Shop { ledger, executor })
    }

    /// Signed submissions of reference rows numbered `first..first + rows`.
    pub fn submission(&self, first: u64, rows: u64) -> Result<Submission, Box<dyn Error>> {
        submission(&self.executor, self.ledger.ledger_id(), first, rows)
    }
}

/// A signed submission of reference rows.
pub fn submission(
    executor: &dyn Signer,
    ledger_id: counterfoil_format::Hash,
    first: u64,
    rows: u64,
) -> Result<Submission, Box<dyn Error>> {
    let mut builder = SubmissionBuilder::new(executor)?;
    let authored_at = now();
    let data = Value::Map(BTreeMap::new()).encode()?;
    for number in first..first + rows {
        let entity = format!("sku-{:06}", number.wrapping_mul(7919) % ENTITIES);
        let key = format!("price/{entity}");
        let mantissa = i128::from(number % 10_000);
        let price = Value::Map(BTreeMap::from([
            ("amount".to_owned(), Value::Decimal(Decimal { mantissa, scale: 2 })),
            ("currency".to_owned(), Value::Text("EUR".into())),
            ("version".to_owned(), Value::Int(number.cast_signed())),
        ]));
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number + 1).to_be_bytes());
        id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let mut draft = Draft::decision(IntentId(id), "SET_PRICE", authored_at);
        draft.tier = Tier::A;
        draft.subject = Some(Subject { entity: &entity, lifecycle: None });
        draft.actors = Some(Actors {
            planner: "planner-1",
            judge: Some(Judge { by: "judge-1", score: 870_000, attestation: None }),
            executor: "executor-1",
        });
        draft.evidence = vec![Evidence::Row(0), Evidence::Row(1), Evidence::Row(0)];
        draft.ops = vec![DraftOp::Put(&key, &price)];
        draft.context = Some(Context { reason: REASON, data: &data });
        builder.push(&draft)?;
    }
    Ok(builder.sign(ledger_id)?)
}
