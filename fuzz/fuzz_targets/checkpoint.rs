//! Whatever the files `checkpoint` and `durable` of a sound ledger hold: no row is lost, none is invented, a note that
//! does not hold is not believed, and the verifier says what the file is.
#![no_main]

use counterfoil_format::Hash;
use counterfoil_tests::decay::Sound;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static SOUND: Sound = Sound::new();
}

/// The file with bytes at places changed, two bytes of the input for the place and one for the change.
fn changed(mut file: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
        file[at] ^= change[2];
    }
    file
}

/// A note that the ledger's key signs: of any size with any root, or with the root that the rows have.
fn signed(sound: &Sound, input: &[u8]) -> Vec<u8> {
    let mut size = [0; 8];
    size.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
    let size = u64::from_le_bytes(size);
    let root = Hash([input.get(8).copied().unwrap_or_default(); 32]);
    sound.signed(size, sound.root(size).filter(|_| input.len() < 9).unwrap_or(root))
}

fuzz_target!(|input: &[u8]| {
    let Some((way, rest)) = input.split_first() else { return };
    SOUND.with(|sound| match way % 6 {
        0 => sound.check_checkpoint(rest),
        1 => sound.check_checkpoint(&changed(sound.file("checkpoint"), rest)),
        2 => sound.check_checkpoint(&signed(sound, rest)),
        3 => sound.check_checkpoint(&changed(signed(sound, rest), rest.get(9..).unwrap_or_default())),
        4 => sound.check_durable(rest),
        _ => sound.check_durable(&changed(sound.file("durable"), rest)),
    });
});
