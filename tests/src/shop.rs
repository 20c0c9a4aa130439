//! Ledgers written by the ledger: a shop that sets prices.

use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange, KillSwitch, Role, Scope, SwitchAct};
use counterfoil_format::content::{Actors, Context, Evidence, Judge, Subject};
use counterfoil_format::intent::{IntentId, Micros, Tier};
use counterfoil_format::policy::PolicyBody;
use counterfoil_format::value::{Decimal, Value};
use counterfoil_ledger::{
    CreateError, Draft, DraftOp, Ledger, Log, OpenError, Platform, ReadError, Receipt, SecretKey, Signer,
    Submission, SubmissionBuilder, SubmitError, now,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
        let policy = PolicyBody::open(segment_bytes);
        let (owner, seal_key) = (&keys.owner, keys.ledger.clone());
        let ledger = Ledger::create_on(platform, dir, "example.com/shop", policy, owner, seal_key)?;
        let shop = Shop { ledger, keys };
        shop.grant_keys()?;
        Ok(shop)
    }

    /// Opens a shop's ledger, or begins it, or goes on with a founding that was cut short.
    pub fn ensure_on(platform: &Platform, dir: &Path, segment_bytes: u64) -> Result<Self, CreateError> {
        let shop = match Self::open_on(platform, dir) {
            Ok(shop) => shop,
            Err(OpenError::NotALedger { .. }) => return Self::begin_on(platform, dir, segment_bytes),
            Err(error) => return Err(CreateError::Open(Box::new(error))),
        };
        shop.grant_keys()?;
        Ok(shop)
    }

    /// Grants the keys that a shop begins with, as far as they are not granted yet.
    fn grant_keys(&self) -> Result<(), SubmitError> {
        let grants = [
            (1, Role::Executor, "executor-1", &self.keys.executor),
            (2, Role::Operator, "operator-1", &self.keys.operator),
        ];
        let size = self.ledger.log().head().size;
        for (number, role, name, key) in grants.into_iter().filter(|(number, ..)| u64::from(*number) >= size)
        {
            let grant = KeyChange::Grant {
                key: *key.public().as_bytes(),
                roles: role.bit(),
                name,
                scope: Scope::default(),
            };
            let draft = Draft::with_body(IntentId([number; 16]), Body::Key(grant), now());
            self.land(&self.keys.owner, &[draft])?;
        }
        Ok(())
    }

    /// Opens a shop's ledger again.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_on(&Platform::default(), dir)
    }

    /// The same in given surroundings. A child that another test starts has the lock of this process until it is another program,
    /// so it is tried again.
    pub fn open_on(platform: &Platform, dir: &Path) -> Result<Self, OpenError> {
        let keys = Keys::default();
        let mut tries = 0;
        loop {
            match Ledger::open_on(platform, dir, keys.ledger.clone()) {
                Err(OpenError::Locked(_)) if tries < 50 => std::thread::sleep(Duration::from_millis(10)),
                opened => return Ok(Shop { ledger: opened?, keys }),
            }
            tries += 1;
        }
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
        let grant = KeyChange::Grant {
            key: *key.public().as_bytes(),
            roles: Role::Auditor.bit(),
            name: "auditor-1",
            scope: Scope::default(),
        };
        self.land(&self.keys.owner, &[Draft::with_body(IntentId([5; 16]), Body::Key(grant), now())])
    }

    /// A signed submission of the reference decisions numbered `first..first + rows`.
    pub fn decisions(&self, first: u64, rows: u64) -> Submission {
        decisions(&self.keys.executor, self.ledger.ledger_id(), first, rows)
    }
}

/// The hashes of all rows, as a reader sees them.
pub fn row_hashes(log: &Log) -> Vec<Hash> {
    let mut hashes = Vec::new();
    log.scan::<ReadError>(0..log.head().size, |row| {
        hashes.push(row.row_hash);
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    hashes
}

/// The id of a numbered reference decision.
pub fn decision_id(number: u64) -> IntentId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number + 1).to_be_bytes());
    id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    IntentId(id)
}

/// The number of the reference decision with this id.
pub fn decision_number(id: &IntentId) -> u64 {
    u64::from_be_bytes(id.0[..8].try_into().unwrap()).wrapping_sub(1)
}

fn decision_entity(number: u64) -> String {
    format!("sku-{:06}", number.wrapping_mul(7919) % ENTITIES)
}

/// The key that a numbered reference decision sets.
pub fn decision_key(number: u64) -> String {
    format!("price/{}", decision_entity(number))
}

/// What a reference decision is about, with its new price.
pub struct Pricing {
    id: IntentId,
    entity: String,
    key: String,
    price: Value,
}

impl Pricing {
    /// The one with this number.
    pub fn numbered(number: u64) -> Self {
        let (entity, key) = (decision_entity(number), decision_key(number));
        let mantissa = i128::from(number % 10_000);
        let price = Value::Map(BTreeMap::from([
            ("amount".to_owned(), Value::Decimal(Decimal { mantissa, scale: 2 })),
            ("currency".to_owned(), Value::Text("EUR".into())),
            ("version".to_owned(), Value::Int(number.cast_signed())),
        ]));
        Pricing { id: decision_id(number), entity, key, price }
    }

    /// The decision: 6 parts, 3 pieces of evidence, one put of a map of three fields, and 60 bytes of reason.
    fn draft<'a>(&'a self, authored_at: Micros, data: &'a [u8]) -> Draft<'a> {
        let judge = Some(Judge { by: "judge-1", score: 870_000, attestation: None });
        Draft {
            tier: Tier::A,
            subject: Some(Subject { entity: &self.entity, lifecycle: None }),
            actors: Some(Actors { planner: "planner-1", judge, executor: "executor-1" }),
            evidence: vec![Evidence::Row(0), Evidence::Row(1), Evidence::Row(0)],
            ops: vec![DraftOp::Put(&self.key, &self.price)],
            context: Some(Context { reason: REASON, data }),
            ..Draft::decision(self.id, "SET_PRICE", authored_at)
        }
    }
}

/// A signed submission of reference decisions.
pub fn priced(builder: &mut SubmissionBuilder<'_>, ledger_id: Hash, pricings: &[Pricing]) -> Submission {
    let (authored_at, data) = (now(), Value::Map(BTreeMap::new()).encode().unwrap());
    pricings.iter().for_each(|pricing| builder.push(&pricing.draft(authored_at, &data)).unwrap());
    builder.sign(ledger_id).unwrap()
}

/// A signed submission of the reference decisions numbered `first..first + rows`.
pub fn decisions(executor: &dyn Signer, ledger_id: Hash, first: u64, rows: u64) -> Submission {
    let pricings: Vec<_> = (first..first + rows).map(Pricing::numbered).collect();
    priced(&mut SubmissionBuilder::new(executor).unwrap(), ledger_id, &pricings)
}

/// A signed submission by which a shop's owner pulls or releases the kill switch. Numbers keep ids apart.
pub fn switch(ledger_id: Hash, number: u64, engaged: bool) -> Submission {
    let owner = Keys::default().owner;
    let act = if engaged { SwitchAct::Engage } else { SwitchAct::Release };
    let body =
        Body::KillSwitch(KillSwitch { act, engaged, holder: owner.public().id(), reason: "", drill: None });
    let mut builder = SubmissionBuilder::new(&owner).unwrap();
    builder.push(&Draft::with_body(switch_id(number), body, now())).unwrap();
    builder.sign(ledger_id).unwrap()
}

/// The id of a numbered row that moves the switch.
pub fn switch_id(number: u64) -> IntentId {
    IntentId(std::array::from_fn(|place| if place < 8 { 0xff } else { number.to_be_bytes()[place - 8] }))
}
