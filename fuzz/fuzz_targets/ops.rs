//! Operations that are accepted have exactly the bytes they were read from, and one skeleton.
#![no_main]

use counterfoil_format::ops::{decode_ops, decode_skeleton, encode_ops, encode_skeleton, skeleton_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(ops) = decode_ops(bytes) {
        let (mut again, mut built, mut cut) = (Vec::new(), Vec::new(), Vec::new());
        encode_ops(&ops, &mut again);
        assert_eq!(again, bytes);
        encode_skeleton(&ops, &mut built);
        skeleton_of(bytes, &mut cut).unwrap();
        assert_eq!(built, cut);
        assert_eq!(decode_skeleton(&built).unwrap().len(), ops.len());
    }
});
