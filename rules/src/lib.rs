//! What the rows of a ledger mean.
//!
//! Everything here is pure: a state, what governs, and an intent go in; a landing comes out. The ledger calls it to
//! decide, the verifier to decide again, replay to move a state. It knows nothing of files.
//!
//! ```
//! use counterfoil_format::ops::{Change, Guard, Op};
//! use counterfoil_rules::{apply::apply, state::MapState};
//!
//! let mut state = MapState::default();
//! let sold = [Op { key: "stock/sku-1", guard: Guard::None, change: Change::Add(-2) }];
//! let Ok(result) = apply(&state, &sold, true);
//! let applied = result.expect("nothing stands in the way of an add");
//! let Change::Add(undo) = applied.inverse()[0].change else { unreachable!() };
//! assert_eq!(undo, 2);
//! for (key, leaf) in applied.into_changes() {
//!     state.set(&key, leaf);
//! }
//! assert_eq!(state.len(), 1);
//! ```

pub mod amount;
pub mod apply;
pub mod calibration;
pub mod call;
pub mod cited;
pub mod gates;
pub mod governance;
pub mod keyring;
pub mod land;
pub mod limits;
pub mod number;
pub mod policy;
mod relation;
pub mod rollback;
pub mod state;
