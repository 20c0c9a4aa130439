//! The policy of a ledger as a file that its operator reads and writes.
//!
//! The format knows a policy as the body of a row, [`counterfoil_format::policy::PolicyBody`]. Here it is a TOML text:
//! parsed with every error in it told by line and column, and printed from any body so that it reads back as the same one.
//! What the settings mean stands in `docs/POLICY.md`.
//!
//! ```
//! use counterfoil_policy::PolicyFile;
//!
//! let file = PolicyFile::parse(
//!     r#"
//!     [action.SCALE_AD]
//!     class = "hard"
//!     live = true
//!
//!     [[limit]]
//!     action = "SCALE_AD"
//!     per = "entity"
//!     window = "24 h"
//!     count = 3
//!     "#,
//! )?;
//! assert_eq!(file.warnings(), []);
//! assert_eq!(PolicyFile::from_body(&file.body()).to_toml(), file.to_toml());
//!
//! let errors = PolicyFile::parse("seperation = true").unwrap_err();
//! assert_eq!(
//!     errors.in_file("policy.toml").to_string(),
//!     "policy.toml:1:1: a policy has no setting `seperation`; did you mean `separation`?"
//! );
//! # Ok::<(), counterfoil_policy::PolicyErrors>(())
//! ```

mod doubt;
mod doubting;
mod file;
mod nearest;
mod number;
mod presets;
mod printing;
mod problem;
mod quantity;
mod read_action;
mod read_lifecycle;
mod read_limit;
mod read_writers;
mod reading;
mod settings;
mod source;
mod table;

pub use doubt::{Doubt, PolicyWarning};
pub use file::{FILE_BYTES, PolicyFile};
pub use presets::{PRESETS, Preset, preset};
pub use problem::{ERRORS, Hint, NameFault, NumberFault, PolicyError, PolicyErrors, Problem, QuantityFault};
pub use source::Place;
