//! What the benchmarks of Counterfoil measure on.

#![allow(clippy::indexing_slicing, reason = "a bench that fails may panic")]

pub mod shop;
