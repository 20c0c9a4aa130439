//! What the verifier says of a forged ledger.

use crate::output::Ledger;
use counterfoil_verifier::{Options, Report, verify, verify_sequential};

/// What the sequential path and the fast one say, on one thread and on three: the same.
pub fn judge(ledger: &Ledger) -> Report {
    let dir = tempfile::tempdir().unwrap();
    ledger.write_to(dir.path()).unwrap();
    let reference = verify_sequential(dir.path(), &Options::default(), &|_, _| {}).unwrap();
    for threads in [1, 3] {
        let options = Options { threads: Some(threads), ..Options::default() };
        assert_eq!(verify(dir.path(), &options, &|_, _| {}).unwrap(), reference);
    }
    reference
}
