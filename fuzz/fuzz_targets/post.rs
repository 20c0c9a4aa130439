//! Any bytes as a post are refused, or are the only bytes of the submission that they are read as.
#![no_main]

use counterfoil_format::Hash;
use counterfoil_ledger::Submission;
use counterfoil_tests::post::sum;
use counterfoil_tests::shop::{Keys, decisions, switch};
use libfuzzer_sys::fuzz_target;

const LEDGER: Hash = Hash([7; 32]);
/// Bytes before the first intent.
const HEADER: usize = 180;

thread_local! {
    static POSTS: [Vec<u8>; 2] = [
        decisions(&Keys::default().executor, LEDGER, 0, 2).to_bytes().unwrap(),
        switch(LEDGER, 0, true).to_bytes().unwrap(),
    ];
}

/// A post with bytes at places changed, two bytes of the input for the place and one for the change.
fn changed(mut post: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % post.len();
        post[at] ^= change[2];
    }
    post
}

fuzz_target!(|input: &[u8]| {
    let Some((way, rest)) = input.split_first() else { return };
    let mut bytes = POSTS.with(|posts| match way % 4 {
        0 => rest.to_vec(),
        1 => [&posts[0][..HEADER], rest].concat(),
        2 => changed(posts[0].clone(), rest),
        _ => changed(posts[1].clone(), rest),
    });
    if way & 0x80 == 0 {
        sum(&mut bytes);
    }
    if let Ok(submission) = Submission::from_bytes(&bytes) {
        assert_eq!(submission.to_bytes().unwrap(), bytes);
    }
});
