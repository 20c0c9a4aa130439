//! A value that is accepted has exactly the bytes that it was read from.
#![no_main]

use counterfoil_format::value::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let checked = Value::check(bytes);
    match Value::decode(bytes) {
        Ok(value) => {
            assert_eq!(checked, Ok(()));
            assert_eq!(value.encode().as_deref(), Ok(bytes));
        }
        Err(error) => assert_eq!(checked, Err(error)),
    }
});
