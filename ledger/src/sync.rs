//! The locks of the queue and of the stages. The model checker puts its own in their place (`tests/commit.rs`).

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
