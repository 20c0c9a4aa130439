//! Signatures to be checked, with the message that each stands under and what to say when it does not hold.

use crate::check::CheckId;
use crate::tally::{Place, Tally};
use counterfoil_format::Hash;
use counterfoil_format::content::Attestation;
use counterfoil_format::key::{PublicKey, SignatureBytes};
use counterfoil_format::note::checkpoint_text;
use counterfoil_format::submission::SignedSubmission;

/// A signature, and the key that it should be by.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub key: PublicKey,
    pub place: Place,
    /// The last row under the signature.
    pub last: u64,
    pub what: Signed,
    /// Whether a signature that holds is enough for its check to pass.
    pub counted: bool,
}

/// What is signed.
#[derive(Debug, Clone)]
pub(crate) enum Signed {
    /// A submission, by its author (V09).
    Submission { ledger_id: Hash, submission: SignedSubmission },
    /// What a judge says of a decision (V09).
    Verdict { message: Vec<u8>, attestation: Attestation },
    /// The tree up to the end of a group, by the ledger (V10).
    Seal { text: String, signature: SignatureBytes, doubt: Option<&'static str> },
}

impl Job {
    /// A seal over the tree of `size` rows.
    pub fn seal(
        key: &PublicKey,
        place: Place,
        origin: &str,
        size: u64,
        root: &Hash,
        signature: SignatureBytes,
        doubt: Option<&'static str>,
    ) -> Self {
        let text = checkpoint_text(origin, size, root);
        Job {
            key: key.clone(),
            place,
            last: size.saturating_sub(1),
            what: Signed::Seal { text, signature, doubt },
            counted: true,
        }
    }

    /// Checks the signature by `verify` and takes down what it finds.
    pub fn run(&self, verify: impl Fn(&PublicKey, &[u8], &SignatureBytes) -> bool, tally: &mut Tally) {
        let (check, holds) = match &self.what {
            Signed::Submission { ledger_id, submission } => {
                let message = submission.message(ledger_id);
                (CheckId::V09, verify(&self.key, &message, &submission.signature))
            }
            Signed::Verdict { message, attestation } => {
                (CheckId::V09, verify(&self.key, message, &attestation.signature))
            }
            Signed::Seal { text, signature, .. } => {
                (CheckId::V10, verify(&self.key, text.as_bytes(), signature))
            }
        };
        match &self.what {
            // Another key may be in force by now.
            Signed::Seal { doubt: Some(why), .. } if !holds => tally.skip(check, self.place.seq, why),
            _ => {
                tally.checked(check, u64::from(self.counted || !holds));
                if !holds {
                    tally.fault(check, self.place, Some(self.row()), self.complaint());
                }
            }
        }
    }

    /// The row that a finding names: the first of a submission, the last of a seal.
    fn row(&self) -> u64 {
        match self.what {
            Signed::Submission { .. } | Signed::Verdict { .. } => self.place.seq,
            Signed::Seal { .. } => self.last,
        }
    }

    fn complaint(&self) -> String {
        let (key, first, last) = (self.key.id(), self.place.seq, self.last);
        match &self.what {
            Signed::Submission { .. } => {
                format!("the signature by key {key} over rows {first} to {last} does not hold")
            }
            Signed::Verdict { .. } => {
                format!("the signature by judge key {key} under its verdict on row {first} does not hold")
            }
            Signed::Seal { .. } => {
                let size = last.saturating_add(1);
                format!("the seal over {size} rows is not signed by ledger key {key}")
            }
        }
    }
}
