//! Public test vectors that nobody here wrote: RFC 6962 proofs, Ed25519 edge cases, BLAKE3.
//!
//! The files lie beside the project, in `../shared/vectors`; they are not copied into it. Where they are missing, each
//! test says so on standard error and passes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterfoil_format::Hash;
use counterfoil_format::hash::Use;
use counterfoil_format::key::{PublicKey, SignatureBytes};
use counterfoil_format::merkle::{check_consistency, check_inclusion};
use counterfoil_format::prepared::PreparedKey;
use counterfoil_tests::notice::skipped;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of vectors; `None`, and a loud word, when it is not there.
fn folder(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(name);
    if path.is_dir() {
        return Some(path);
    }
    skipped(&format!("the public vectors `{name}` are not at {}; nothing was tested", path.display()));
    None
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// All JSON files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|kind| kind == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn number(case: &Value, field: &str) -> u64 {
    case[field].to_string().parse().unwrap()
}

fn hex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// A hash in base64. Some cases have words of a few bytes where a hash belongs; zeros fill them up, so that equal
/// words stay equal and our functions are asked all the same. No bytes at all are no hash.
fn hash(text: &Value) -> Option<Hash> {
    let mut bytes = BASE64.decode(text.as_str()?).unwrap();
    bytes.resize(bytes.len().max(32), 0);
    bytes.try_into().ok().filter(|bytes| *bytes != [0; 32]).map(Hash)
}

fn proof(case: &Value) -> Option<Vec<Hash>> {
    match &case["proof"] {
        Value::Null => Some(Vec::new()),
        Value::Array(hashes) => hashes.iter().map(hash).collect(),
        other => panic!("a proof that is no list: {other}"),
    }
}

#[test]
fn inclusion_proofs_of_transparency_dev() {
    let Some(folder) = folder("rfc6962/inclusion") else { return };
    let files = files(&folder);
    for file in &files {
        let case = json(file);
        let holds = (|| {
            let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
            let (index, size) = (number(&case, "leafIdx"), number(&case, "treeSize"));
            check_inclusion(index, &leaf, size, &root, &proof(&case)?).ok()
        })();
        assert_eq!(holds.is_none(), case["wantErr"].as_bool().unwrap(), "{}", file.display());
    }
    assert_eq!(files.len(), 98);
}

#[test]
fn consistency_proofs_of_transparency_dev() {
    let Some(folder) = folder("rfc6962/consistency") else { return };
    let files = files(&folder);
    let mut from_nothing = 0;
    for file in &files {
        let case = json(file);
        let (size1, size2) = (number(&case, "size1"), number(&case, "size2"));
        let holds = (|| {
            let (root1, root2) = (hash(&case["root1"])?, hash(&case["root2"])?);
            check_consistency(size1, &root1, size2, &root2, &proof(&case)?).ok()
        })();
        assert_eq!(holds.is_none(), case["wantErr"].as_bool().unwrap(), "{}", file.display());
        if size1 == 0 {
            assert!(holds.is_none(), "an empty tree proves nothing: {}", file.display());
            from_nothing += 1;
        }
    }
    assert!(from_nothing > 0);
    assert_eq!(files.len(), 98);
}

/// What the rule says of a case: `None` when the key is not enrolled. Both paths and the library must agree.
fn rule(key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let key: [u8; 32] = key.try_into().ok()?;
    let enrolled = PublicKey::enrol(&key).ok()?;
    let Ok(bytes) = <[u8; 64]>::try_from(signature) else { return Some(false) };
    let signature = SignatureBytes(bytes);
    let strict = ed25519_dalek::VerifyingKey::from_bytes(&key)
        .unwrap()
        .verify_strict(message, &ed25519_dalek::Signature::from_bytes(&bytes))
        .is_ok();
    let fast = enrolled.verify(message, &signature);
    assert_eq!(
        fast,
        enrolled.verify_reference(message, &signature),
        "the two paths disagree on {signature:?}"
    );
    assert_eq!(fast, strict, "the rule and verify_strict disagree on {signature:?}");
    let prepared = PreparedKey::new(&enrolled).verify(message, &signature);
    assert_eq!(fast, prepared, "a prepared key disagrees on {signature:?}");
    Some(fast)
}

#[test]
fn ed25519_cases_of_wycheproof() {
    let Some(folder) = folder("wycheproof") else { return };
    let (mut cases, mut valid) = (0, 0);
    for group in json(&folder.join("ed25519_test.json"))["testGroups"].as_array().unwrap() {
        let key = hex(&group["publicKey"]["pk"]);
        for case in group["tests"].as_array().unwrap() {
            let accepted = rule(&key, &hex(&case["msg"]), &hex(&case["sig"]));
            let expected = case["result"] == "valid";
            assert_eq!(accepted, Some(expected), "tcId {}: {}", case["tcId"], case["comment"]);
            cases += 1;
            valid += usize::from(expected);
        }
    }
    assert_eq!((cases, valid), (151, 88));
}

#[test]
fn ed25519_cases_of_cctv() {
    let Some(folder) = folder("cctv") else { return };
    let cases = json(&folder.join("ed25519vectors.json"));
    let cases = cases.as_array().unwrap();
    let (mut enrolled, mut accepted) = (0, Vec::new());
    for case in cases {
        let message = case["msg"].as_str().unwrap().as_bytes();
        let verdict = rule(&hex(&case["key"]), message, &hex(&case["sig"]));
        enrolled += usize::from(verdict.is_some());
        if verdict == Some(true) {
            assert_eq!(case["flags"], Value::Null, "an accepted case has a flaw: {case}");
            accepted.push(number(case, "number"));
        }
    }
    println!("{enrolled} of {} keys pass enrolment; accepted: {accepted:?}", cases.len());
    assert_eq!(cases.len(), 914);
    assert_eq!(accepted.len(), 1);
    assert!(enrolled > 1, "the rule itself was hardly tried");
}

#[test]
fn blake3_in_its_three_modes_and_ours() {
    let Some(folder) = folder("blake3") else { return };
    let vectors = json(&folder.join("test_vectors.json"));
    let key: [u8; 32] = vectors["key"].as_str().unwrap().as_bytes().try_into().unwrap();
    let context = vectors["context_string"].as_str().unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let length = usize::try_from(number(case, "input_len")).unwrap();
        let input: Vec<u8> = (0u8..251).cycle().take(length).collect();
        let modes = [
            ("hash", blake3::Hasher::new()),
            ("keyed_hash", blake3::Hasher::new_keyed(&key)),
            ("derive_key", blake3::Hasher::new_derive_key(context)),
        ];
        for (mode, mut hasher) in modes {
            let expected = hex(&case[mode]);
            let mut output = vec![0; expected.len()];
            hasher.update(&input).finalize_xof().fill(&mut output);
            assert_eq!(output, expected, "{mode} of {length} bytes");
        }
        assert_eq!(blake3::hash(&input).as_bytes()[..], hex(&case["hash"])[..32]);
        assert_eq!(blake3::keyed_hash(&key, &input).as_bytes()[..], hex(&case["keyed_hash"])[..32]);
        assert_eq!(blake3::derive_key(context, &input)[..], hex(&case["derive_key"])[..32]);
        for purpose in [Use::Part, Use::Value, Use::Intent, Use::Row, Use::State, Use::Key] {
            let (head, tail) = input.split_at(length / 3);
            let expected = blake3::derive_key(purpose.context(), &input);
            assert_eq!(purpose.hash(&[head, tail]).0, expected, "{purpose:?} of {length} bytes");
        }
    }
    assert_eq!(cases.len(), 35);
}
