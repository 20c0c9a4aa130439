//! Signed notes, checkpoints and verifier keys (C2SP signed-note and tlog-checkpoint).
//!
//! A checkpoint of a ledger is the note text `origin\nsize\nbase64(root)\n`, without extension lines, under an
//! Ed25519 signature of type 0x01 whose key name is the origin.

use crate::codec::CodecError;
use crate::hash::Hash;
use crate::key::{EnrolError, PublicKey, SignatureBytes};
use crate::limits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use std::fmt;

const ED25519: u8 = 0x01;

/// Why a note, a checkpoint or a verifier key cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is not what the specification describes.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// The note's text is no checkpoint of ours.
    #[error("not a checkpoint: {0}")]
    NotCheckpoint(&'static str),
    /// The verifier key cannot be read.
    #[error("not a verifier key: {0}")]
    BadKey(&'static str),
    /// The verifier key's point may not be used.
    #[error("verifier key refused: {0}")]
    Refused(#[from] EnrolError),
    /// The key in question has not signed the note.
    #[error("no signature by {0}")]
    Unsigned(String),
    /// The key's signature does not hold.
    #[error("the signature by {0} does not hold")]
    BadSignature(String),
}

/// Checks the name of a key, which for a ledger is its origin.
pub fn check_key_name(name: &str) -> Result<(), CodecError> {
    crate::codec::named("an origin", name, limits::ORIGIN_BYTES)?;
    if name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+') {
        return Err(CodecError::Inconsistent("an origin has spaces, control characters or a plus"));
    }
    Ok(())
}

/// A name and a public key, written `name+hex key id+base64(0x01 || key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// The key's name.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

impl VerifierKey {
    /// The note key id: the first four bytes of `SHA-256(name || "\n" || 0x01 || key)`.
    pub fn id(&self) -> [u8; 4] {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize()
            .into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut fields = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(NoteError::BadKey("it needs name, key id and key, joined by +"));
        };
        check_key_name(name).map_err(|_| NoteError::BadKey("its name is empty, too long or has spaces"))?;
        let bytes = BASE64.decode(key).map_err(|_| NoteError::BadKey("the key is not base64"))?;
        let [ED25519, key @ ..] = bytes.as_slice() else {
            return Err(NoteError::BadKey("it is not of type Ed25519"));
        };
        let key = key.try_into().map_err(|_| NoteError::BadKey("an Ed25519 key has 32 bytes"))?;
        let found = VerifierKey { name: name.to_owned(), key: PublicKey::enrol(key)? };
        if id != hex4(found.id()) {
            return Err(NoteError::BadKey("the key id does not belong to the name and key"));
        }
        Ok(found)
    }
}

fn hex4(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex4(self.id()), BASE64.encode(bytes))
    }
}

/// A signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The key's note id.
    pub id: [u8; 4],
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

/// A text and signatures over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// The text, which ends in a newline.
    pub text: String,
    /// The signatures, at least one.
    pub signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A note with one Ed25519 signature.
    pub fn new(text: String, key: &VerifierKey, signature: &SignatureBytes) -> Self {
        let line = NoteSignature { name: key.name.clone(), id: key.id(), signature: signature.0.to_vec() };
        SignedNote { text, signatures: vec![line] }
    }

    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > limits::NOTE_BYTES {
            return Err(NoteError::Malformed("it is longer than 256 KiB"));
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed("it has control characters"));
        }
        let cut = note.rfind("\n\n").ok_or(NoteError::Malformed("it has no blank line before signatures"))?;
        let (text, lines) = note.split_at_checked(cut + 1).unwrap_or_default();
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed("it does not end in a newline"))?;
        let signatures = lines.split('\n').map(parse_signature).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > limits::NOTE_SIGNATURES {
            return Err(NoteError::Malformed("it has more than 64 signatures"));
        }
        Ok(SignedNote { text: text.to_owned(), signatures })
    }

    /// Checks that this key has signed the text. Lines of other keys are passed over.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let id = key.id();
        let mut by_key =
            self.signatures.iter().filter(|line| line.name == key.name && line.id == id).peekable();
        if by_key.peek().is_none() {
            return Err(NoteError::Unsigned(key.name.clone()));
        }
        let holds = |line: &NoteSignature| {
            <[u8; 64]>::try_from(line.signature.as_slice())
                .is_ok_and(|bytes| key.key.verify_reference(self.text.as_bytes(), &SignatureBytes(bytes)))
        };
        if by_key.all(holds) { Ok(()) } else { Err(NoteError::BadSignature(key.name.clone())) }
    }
}

fn parse_signature(line: &str) -> Result<NoteSignature, NoteError> {
    let bad = NoteError::Malformed("a signature line is not `— name base64`");
    let Some((name, encoded)) = line.strip_prefix("— ").and_then(|line| line.split_once(' ')) else {
        return Err(bad);
    };
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
        return Err(NoteError::Malformed("a signature line's key name is empty or has spaces or a plus"));
    }
    let bytes = BASE64.decode(encoded).map_err(|_| NoteError::Malformed("a signature is not base64"))?;
    match bytes.split_first_chunk::<4>() {
        Some((id, signature)) if !signature.is_empty() => {
            Ok(NoteSignature { name: name.to_owned(), id: *id, signature: signature.to_vec() })
        }
        _ => Err(bad),
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| {
            let bytes = [&line.id[..], &line.signature].concat();
            writeln!(f, "— {} {}", line.name, BASE64.encode(bytes))
        })
    }
}

/// A tree head under a ledger's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger's origin.
    pub origin: String,
    /// How many rows.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// The text of a checkpoint, which the ledger signs.
pub fn checkpoint_text(origin: &str, size: u64, root: &Hash) -> String {
    format!("{origin}\n{size}\n{}\n", encode_hash(root))
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        checkpoint_text(&self.origin, self.size, &self.root)
    }

    /// Reads the text of a note. Extension lines are refused: no checkpoint of ours has any.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(NoteError::NotCheckpoint("it needs the three lines origin, size and root"));
        };
        check_key_name(origin).map_err(|_| NoteError::NotCheckpoint("its origin is not a key name"))?;
        let number = size.parse::<u64>().map_err(|_| NoteError::NotCheckpoint("its size is not a number"))?;
        if number.to_string() != *size {
            return Err(NoteError::NotCheckpoint("its size has leading zeros or a sign"));
        }
        let root = decode_hash(root).ok_or(NoteError::NotCheckpoint("its root is not 32 bytes of base64"))?;
        Ok(Checkpoint { origin: (*origin).to_owned(), size: number, root })
    }
}

/// A hash in base64, as in checkpoints and proofs.
pub fn encode_hash(hash: &Hash) -> String {
    BASE64.encode(hash.0)
}

/// Reads a hash in base64.
pub fn decode_hash(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok().map(Hash)
}
