//! The locks of the queue. The model checker puts its own in their place (`tests/queue.rs`).

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
