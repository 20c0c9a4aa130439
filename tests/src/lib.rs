//! Tests across the crates of Counterfoil, and the forger they share.
//!
//! [`forge::Forge`] writes any ledger, right or wrong, byte by byte, with valid hashes and signatures; it shares the
//! format and the rules with the ledger, but none of the ledger's code. [`sample`] writes large honest ones;
//! [`shop`] has them written by the ledger itself.
//!
//! ```
//! use counterfoil_tests::{draft::Draft, forge::Forge};
//! use counterfoil_format::value::Value;
//!
//! let mut forge = Forge::new(7);
//! forge.submit(vec![Draft::decision("price.set").put("price/sku-1", &Value::Int(1990))]);
//! let ledger = forge.finish();
//! assert_eq!(ledger.segments.len(), 1);
//! assert!(ledger.checkpoint.starts_with("example.com/shop\n5\n"));
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test library: what it cannot do is a failed test"
)]

pub mod accepted;
pub mod appender;
pub mod broken;
pub mod case;
pub mod damage;
pub mod decay;
pub mod disputed;
pub mod draft;
pub mod drilled;
pub mod failing_index;
pub mod forge;
pub mod founding;
pub mod gate;
pub mod gate_model;
pub mod image;
pub mod impostors;
pub mod journal;
pub mod judge;
pub mod lawful;
pub mod lawless;
pub mod miscalibrated;
pub mod notice;
pub mod output;
pub mod past;
mod piece;
pub mod post;
pub mod reviewed;
pub mod rng;
pub mod sample;
pub mod shop;
pub mod sim;
pub mod strict;
pub mod told;
pub mod trial;
pub mod undone;
pub mod ungated;
pub mod unscoped;
pub mod verdicts;
