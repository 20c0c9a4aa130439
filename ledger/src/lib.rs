//! The writer of Counterfoil: segments, group commit, recovery, side files and the state index.
