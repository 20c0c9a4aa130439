//! The writer of a Counterfoil ledger.
//!
//! A ledger is a directory. Its segment files are the record; side files and the state index hold only what can be
//! rebuilt from them. A submission lands whole or not at all, and [`Ledger::submit`] returns when it is on disk.
//!
//! ```
//! use counterfoil_format::body::{Body, KeyChange, Role, Scope};
//! use counterfoil_format::intent::IntentId;
//! use counterfoil_format::policy::PolicyBody;
//! use counterfoil_format::value::Value;
//! use counterfoil_ledger::{Draft, DraftOp, Ledger, SecretKey, Signer, SubmissionBuilder, now};
//! use std::sync::Arc;
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("shop");
//! let (owner, executor) = (SecretKey::generate()?, SecretKey::generate()?);
//! let seal_key = Arc::new(SecretKey::generate()?);
//!
//! // Open: here, begin.
//! let policy = PolicyBody::open(64 << 20);
//! let ledger = Ledger::create(&path, "example.com/shop", policy, &owner, seal_key.clone())?;
//!
//! // The owner grants the executor's key.
//! let grant = KeyChange::Grant {
//!     key: *executor.public().as_bytes(),
//!     roles: Role::Executor.bit(),
//!     name: "executor-1",
//!     scope: Scope::default(),
//! };
//! let mut by_owner = SubmissionBuilder::new(&owner)?;
//! by_owner.push(&Draft::with_body(IntentId([1; 16]), Body::Key(grant), now()))?;
//! ledger.submit(by_owner.sign(ledger.ledger_id())?)?;
//!
//! // Submit a decision, and take its receipt.
//! let price = Value::Int(1990);
//! let mut decision = Draft::decision(IntentId([2; 16]), "SET_PRICE", now());
//! decision.ops.push(DraftOp::Put("price/sku-1", &price));
//! let mut by_executor = SubmissionBuilder::new(&executor)?;
//! by_executor.push(&decision)?;
//! let receipts = ledger.submit(by_executor.sign(ledger.ledger_id())?)?;
//! assert_eq!(receipts[0].seq, 2);
//!
//! // Read the row, and its rollback, which was written in the same instant.
//! let stored = ledger.log().row(2)?;
//! let row = stored.parse()?;
//! assert_eq!(row.row_hash, receipts[0].row_hash);
//! assert_eq!(row.ops(counterfoil_format::part::PartTag::Rollback)?.unwrap().len(), 1);
//!
//! // Close, and open again.
//! ledger.close()?;
//! let ledger = Ledger::open(&path, seal_key)?;
//! assert_eq!(ledger.log().head().size, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backup;
mod batch;
mod builder;
mod chain;
mod cited;
mod current;
mod draft;
mod durable;
mod error;
mod find;
mod follow;
mod founding;
mod held;
mod inbox;
mod index;
mod intake;
mod keyfile;
mod layout;
mod ledger;
mod load;
mod log;
mod lookup;
mod passphrase;
mod pinning;
mod pipeline;
mod platform;
mod post;
mod queue;
mod readings;
mod rebuild;
mod recount;
mod recovery;
mod reindex;
mod room;
mod scan;
mod secret;
mod segment;
mod side;
mod snapshot;
pub mod storage;
mod submission;
mod surroundings;
mod sync;
mod tiles;
mod watch;
mod witness;
mod writer;

pub use backup::{BackupReport, Linking};
pub use builder::SubmissionBuilder;
pub use chain::Receipt;
pub use counterfoil_rules::state::Held;
pub use draft::{Draft, DraftError, DraftOp};
pub use error::{BackupError, CreateError, Damage, FileError, OpenError, PostError, ReadError, SubmitError};
pub use find::OpenCall;
pub use inbox::{Fate, Inbox, Posted};
pub use index::{InMemory, IndexSource, Sled, StateIndex, Watermark};
pub use layout::Layout;
pub use ledger::Ledger;
pub use log::{Head, Log};
pub use passphrase::{Passphrase, PassphraseError};
pub use pinning::PinError;
pub use platform::{Clock, Platform, SystemClock, now};
pub use post::PostFault;
pub use readings::Reading;
pub use reindex::{Reindexed, Rewritten, reindex, reindex_on};
pub use secret::{SecretError, SecretKey, Signer};
pub use segment::StoredRow;
pub use snapshot::{MakeError, SnapshotError, SnapshotFile};
pub use submission::Submission;
pub use tiles::{ProveError, Tiles};
