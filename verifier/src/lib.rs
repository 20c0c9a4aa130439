//! The judge of Counterfoil: proves offline what a ledger is, and says what it could not check.
