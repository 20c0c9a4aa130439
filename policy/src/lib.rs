//! The policy of a ledger as a file that its operator reads and writes.
//!
//! The format knows a policy as the body of a row, [`counterfoil_format::policy::PolicyBody`]. Here it is a TOML text:
//! parsed with every error in it told by line and column, printed from any body so that it reads back as the same one, and
//! compared with another in words. What the settings mean stands in `docs/POLICY.md`.
//!
//! ```
//! use counterfoil_policy::{PolicyFile, diff};
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
//! let wider = PolicyFile::parse(&file.to_toml().replace("count = 3", "count = 5"))?;
//! let changes = diff(&file.body(), &wider.body());
//! assert_eq!(changes[0].to_string(), "limit on SCALE_AD per entity in 1 day: count: 3 -> 5 (looser)");
//!
//! let errors = PolicyFile::parse("seperation = true").unwrap_err();
//! assert_eq!(
//!     errors.in_file("policy.toml").to_string(),
//!     "policy.toml:1:1: a policy has no setting `seperation`; did you mean `separation`?"
//! );
//! # Ok::<(), counterfoil_policy::PolicyErrors>(())
//! ```

mod diff;
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
mod turn;

pub use diff::{Change, Difference, Subject, diff};
pub use doubt::{Doubt, PolicyWarning};
pub use file::{FILE_BYTES, PolicyFile};
pub use presets::{PRESETS, Preset, preset};
pub use problem::{ERRORS, Hint, NameFault, NumberFault, PolicyError, PolicyErrors, Problem, QuantityFault};
pub use quantity::time as parse_time;
pub use source::Place;
pub use turn::Turn;
