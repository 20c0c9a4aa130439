//! Ledgers written by the ledger: a shop that sets prices.

use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange, POLICY_VERSION, PolicyBody, Role};
use counterfoil_format::content::{Actors, Context, Evidence, Judge, Subject};
use counterfoil_format::intent::{IntentId, Tier};
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::{
    CreateError, Draft, DraftOp, Ledger, OpenError, Platform, Receipt, SecretKey, Signer, Submission,
    SubmissionBuilder, SubmitError, now,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Sixty bytes.
const REASON: &str = "margin above floor for three days, stock covers two weeks ok";
/// Entities of the shop; each has one key.
pub const ENTITIES: u64 = 20_000;
/// Rows that found a shop: genesis and the grants of executor and operator.
pub const FOUNDING: u64 = 3;

/// The keys of a shop, always the same.
pub struct Keys {
    /// Grants keys.
    pub owner: SecretKey,
    /// Writes decisions.
    pub executor: SecretKey,
    /// Rolls back.
    pub operator: SecretKey,
    /// Seals.
    pub ledger: Arc<SecretKey>,
}

impl Default for Keys {
    fn default() -> Self {
        let key = |seed| SecretKey::from_seed(&[seed; 32]).unwrap();
        Keys { owner: key(1), ledger: Arc::new(key(2)), executor: key(3), operator: key(4) }
    }
}

/// A shop's ledger and its keys.
pub struct Shop {
    /// The ledger.
    pub ledger: Ledger,
    /// The keys.
    pub keys: Keys,
}

impl Shop {
    /// Begins a ledger in a directory that is new or empty.
    pub fn begin(dir: &Path, segment_bytes: u64) -> Self {
        Self::begin_on(&Platform::default(), dir, segment_bytes).unwrap()
    }

    /// The same in given surroundings.
    pub fn begin_on(platform: &Platform, dir: &Path, segment_bytes: u64) -> Result<Self, CreateError> {
        let keys = Keys::default();
        let policy = PolicyBody { version: POLICY_VERSION, live: vec!["*"], segment_bytes };
        let (owner, seal_key) = (&keys.owner, keys.ledger.clone());
        let ledger = Ledger::create_on(platform, dir, "example.com/shop", policy, owner, seal_key)?;
        let shop = Shop { ledger, keys };
        for (number, role, name, key) in [
            (1, Role::Executor, "executor-1", &shop.keys.executor),
            (2, Role::Operator, "operator-1", &shop.keys.operator),
        ] {
            let grant = KeyChange::Grant { key: *key.public().as_bytes(), roles: role.bit(), name };
            let draft = Draft::with_body(IntentId([number; 16]), Body::Key(grant), now());
            shop.land(&shop.keys.owner, &[draft])?;
        }
        Ok(shop)
    }

    /// Opens a shop's ledger again.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_on(&Platform::default(), dir)
    }

    /// The same in given surroundings.
    pub fn open_on(platform: &Platform, dir: &Path) -> Result<Self, OpenError> {
        let keys = Keys::default();
        Ok(Shop { ledger: Ledger::open_on(platform, dir, keys.ledger.clone())?, keys })
    }

    /// Lands drafts as one submission.
    pub fn land(&self, author: &dyn Signer, drafts: &[Draft<'_>]) -> Result<Vec<Receipt>, SubmitError> {
        let mut builder = SubmissionBuilder::new(author)?;
        for draft in drafts {
            builder.push(draft)?;
        }
        self.ledger.submit(builder.sign(self.ledger.ledger_id())?)
    }

    /// Lands a row that needs the owner's key alone.
    pub fn grant_another(&self) -> Result<Vec<Receipt>, SubmitError> {
        let key = SecretKey::from_seed(&[5; 32]).unwrap();
        let grant =
            KeyChange::Grant { key: *key.public().as_bytes(), roles: Role::Auditor.bit(), name: "auditor-1" };
        self.land(&self.keys.owner, &[Draft::with_body(IntentId([5; 16]), Body::Key(grant), now())])
    }

    /// A signed submission of the reference decisions numbered `first..first + rows`.
    pub fn decisions(&self, first: u64, rows: u64) -> Submission {
        decisions(&self.keys.executor, self.ledger.ledger_id(), first, rows)
    }
}

/// The id of a numbered reference decision.
pub fn decision_id(number: u64) -> IntentId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number + 1).to_be_bytes());
    id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    IntentId(id)
}

/// A signed submission of reference decisions: 6 parts, 3 pieces of evidence, one put of a map of three fields, and 60
/// bytes of reason.
pub fn decisions(executor: &dyn Signer, ledger_id: Hash, first: u64, rows: u64) -> Submission {
    let mut builder = SubmissionBuilder::new(executor).unwrap();
    let authored_at = now();
    let data = Value::Map(BTreeMap::new()).encode().unwrap();
    for number in first..first + rows {
        let entity = format!("sku-{:06}", number.wrapping_mul(7919) % ENTITIES);
        let key = format!("price/{entity}");
        let mantissa = i128::from(number % 10_000);
        let price = Value::Map(BTreeMap::from([
            ("amount".to_owned(), Value::Decimal(Decimal { mantissa, scale: 2 })),
            ("currency".to_owned(), Value::Text("EUR".into())),
            ("version".to_owned(), Value::Int(number.cast_signed())),
        ]));
        let mut draft = Draft::decision(decision_id(number), "SET_PRICE", authored_at);
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
        builder.push(&draft).unwrap();
    }
    builder.sign(ledger_id).unwrap()
}
