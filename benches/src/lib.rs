//! Benchmarks of the crates of Counterfoil.
