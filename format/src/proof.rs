//! Proof files: inclusion as in c2sp.org/tlog-proof, and consistency in the same manner.
//!
//! # Format
//!
//! Inclusion, checked against the checkpoint at its end:
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! index <row number>
//! <base64 hash>, from the leaf's sibling to the root's child, one a line
//!
//! <checkpoint, a signed note>
//! ```
//!
//! Consistency has no C2SP file format; ours is the same with `counterfoil/consistency@v1` in the first line and
//! `from <old size>` in the second.

use crate::hash::Hash;
use crate::limits;
use crate::note::{NoteError, SignedNote, decode_hash, encode_hash};
use std::fmt;

const INCLUSION: &str = "c2sp.org/tlog-proof@v1";
const CONSISTENCY: &str = "counterfoil/consistency@v1";

/// What a proof file proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// That this row lies in the checkpointed tree.
    Inclusion {
        /// The row's number.
        index: u64,
    },
    /// That the tree of this size is a prefix of the checkpointed one.
    Consistency {
        /// The smaller size.
        from: u64,
    },
}

/// A proof with the checkpoint it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// What is proved.
    pub claim: Claim,
    /// The proof's hashes.
    pub hashes: Vec<Hash>,
    /// The checkpoint, with its signatures.
    pub checkpoint: SignedNote,
}

impl ProofFile {
    /// Reads a proof file. An `extra` line, which C2SP allows and nothing authenticates, is passed over.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > limits::NOTE_BYTES {
            return Err(NoteError::Malformed("it is longer than 256 KiB"));
        }
        let text = str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        let (head, note) = text
            .split_once("\n\n")
            .ok_or(NoteError::Malformed("a proof has a blank line before its checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        let first = lines.next().unwrap_or_default();
        lines.next_if(|line| first == INCLUSION && line.starts_with("extra "));
        let number = |line: Option<&str>, word: &str| {
            let digits = line.and_then(|line| line.strip_prefix(word)).unwrap_or_default();
            digits.parse::<u64>().ok().filter(|number| number.to_string() == digits)
        };
        let claim = match first {
            INCLUSION => number(lines.next(), "index ").map(|index| Claim::Inclusion { index }),
            CONSISTENCY => number(lines.next(), "from ").map(|from| Claim::Consistency { from }),
            _ => return Err(NoteError::Malformed("its first line names no kind of proof known here")),
        };
        let claim = claim.ok_or(NoteError::Malformed("a proof's second line gives no index or size"))?;
        let hashes = lines.map(decode_hash).collect::<Option<Vec<_>>>();
        let hashes = hashes.ok_or(NoteError::Malformed("a line of the proof is not 32 bytes of base64"))?;
        Ok(ProofFile { claim, hashes, checkpoint: SignedNote::parse(note.as_bytes())? })
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.claim {
            Claim::Inclusion { index } => writeln!(f, "{INCLUSION}\nindex {index}")?,
            Claim::Consistency { from } => writeln!(f, "{CONSISTENCY}\nfrom {from}")?,
        }
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", encode_hash(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
