//! Effects: what a decision does outside of the ledger, carried out by *adapters*.
//!
//! An adapter is a program that makes one call: it reads a JSON request from its standard input and writes a JSON answer to
//! its standard output. `docs/EFFECTS.md` is normative. [`Adapters`] reads from a file which adapters there are, and
//! [`Adapter::carry_out`] sees one call through, with one key that stays the same however often it is made, so that it
//! takes effect once.
//!
//! This crate knows nothing of ledgers: the caller says which row a call belongs to, and records what became of it.

mod adapter;
pub mod adapters;
mod answer;
mod call;
mod config;
pub mod duration;
mod process;
mod protocol;
pub mod request;
mod text;

pub use adapter::Adapter;
pub use answer::{Answer, Status};
pub use call::{Call, CallError, Kind, Verb};
pub use config::{Adapters, ConfigError, EXAMPLE};
pub use protocol::{Fate, Outcome};

/// The version of the protocol between a ledger and its adapters.
pub const PROTOCOL: u32 = 1;
