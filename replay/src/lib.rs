//! The time machine: the state at any row, what differs between two, and plans that take rows back.
//!
//! Replay reads a log through [`history::History`] and changes nothing. A plan lands as rollback rows, each the exact
//! inverse that its target stored; nothing is ever deleted, so a rollback can be taken back too.
//!
//! ```
//! use counterfoil_format::row::Row;
//! use counterfoil_format::body::EffectStatus;
//! use counterfoil_replay::{history::{History, Touch}, state::state_after};
//! use std::ops::{ControlFlow, Range};
//!
//! /// A ledger without rows.
//! struct Nothing;
//!
//! impl History for Nothing {
//!     type Error = std::io::Error;
//!     fn size(&self) -> u64 { 0 }
//!     fn with_row<T>(&self, _: u64, _: impl FnOnce(&Row<'_>) -> T) -> std::io::Result<T> {
//!         Err(std::io::ErrorKind::NotFound.into())
//!     }
//!     fn scan(&self, _: Range<u64>, _: impl FnMut(&Row<'_>) -> ControlFlow<()>) -> std::io::Result<()> {
//!         Ok(())
//!     }
//!     fn rows_of_key(&self, _: &str, _: Touch, _: Range<u64>) -> std::io::Result<Vec<u64>> {
//!         Ok(Vec::new())
//!     }
//!     fn inexact(&self) -> std::io::Result<Vec<u64>> { Ok(Vec::new()) }
//!     fn calling(&self) -> std::io::Result<Vec<(u64, Vec<u32>)>> { Ok(Vec::new()) }
//!     fn citing(&self, _: u64) -> std::io::Result<Vec<u64>> { Ok(Vec::new()) }
//!     fn call(&self, _: u64, _: u32) -> std::io::Result<Option<(u64, EffectStatus)>> { Ok(None) }
//! }
//!
//! assert!(state_after(&Nothing, 0)?.is_empty());
//! assert!(state_after(&Nothing, 1).is_err());
//! # Ok::<(), counterfoil_replay::history::ReplayError<std::io::Error>>(())
//! ```

mod ahead;
mod dependence;
pub mod diff;
pub mod drill;
pub mod effects;
pub mod history;
pub mod horizon;
pub mod in_part;
pub mod operation;
pub mod plan;
pub mod rehearsal;
pub mod selection;
pub mod state;
