//! Notes, checkpoints, verifier keys and proof files that are accepted print as what they were read from.
#![no_main]

use counterfoil_format::note::{Checkpoint, SignedNote, VerifierKey};
use counterfoil_format::proof::ProofFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        if let Ok(checkpoint) = Checkpoint::parse(&note.text) {
            assert_eq!(checkpoint.text(), note.text);
        }
    }
    if let Ok(proof) = ProofFile::parse(bytes) {
        assert_eq!(ProofFile::parse(proof.to_string().as_bytes()), Ok(proof));
    }
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(key) = VerifierKey::parse(text)
    {
        assert_eq!(key.to_string(), text);
    }
});
