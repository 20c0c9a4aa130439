//! Whatever a segment holds, both verifiers say the same of it, and a ledger opens or says why not.
#![no_main]

use counterfoil_ledger::Log;
use counterfoil_verifier::{Options, verify, verify_sequential};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::fs;

thread_local! {
    static DIR: RefCell<tempfile::TempDir> = RefCell::new(tempfile::tempdir().unwrap());
}

fuzz_target!(|bytes: &[u8]| {
    DIR.with_borrow(|dir| {
        let path = dir.path().join("ledger");
        fs::create_dir_all(path.join("log")).unwrap();
        fs::write(path.join("log/00000000000000000000.seg"), bytes).unwrap();
        let options = Options { threads: Some(2), ..Options::default() };
        let fast = verify(&path, &options, &|_, _| {});
        let slow = verify_sequential(&path, &options, &|_, _| {});
        match (fast, slow) {
            (Ok(fast), Ok(slow)) => assert_eq!(fast, slow),
            (Err(fast), Err(slow)) => assert_eq!(fast.to_string(), slow.to_string()),
            (fast, slow) => panic!("one can read it and one cannot: {fast:?} {slow:?}"),
        }
        drop(Log::open(&path));
    });
});
