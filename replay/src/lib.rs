//! The time machine of Counterfoil: state at any row, differences, rollback and restore plans.
