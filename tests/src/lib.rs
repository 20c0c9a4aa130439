//! Tests across the crates of Counterfoil, and the forger they share.
