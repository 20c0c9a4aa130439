//! What is held against a ledger from outside: pins (V11) and checkpoints (V12).
//!
//! Whoever holds the keys of a ledger can write a whole new one under the same name, and whoever holds the files can
//! cut the tail. Only what is held elsewhere shows it.

use crate::authority::Authority;
use crate::check::CheckId;
use crate::error::VerifyError;
use crate::options::{Options, Pin};
use crate::source::{Book, read_note};
use crate::tally::{Place, Tally};
use counterfoil_format::Hash;
use counterfoil_format::body::Role;
use counterfoil_format::merkle::CompactRange;
use counterfoil_format::note::{Checkpoint, NoteError, SignedNote, VerifierKey};
use counterfoil_rules::governance::Governance;
use std::collections::BTreeMap;

/// The name in findings of the file in the ledger's directory.
const OWN: &str = "checkpoint";
/// Why V11 is not checked.
pub(crate) const NO_PIN: &str =
    "no pin was given: whoever held the keys could have made the whole ledger anew";
/// Why a cut tail goes unseen.
pub(crate) const NO_CHECKPOINT: &str = "no checkpoint from elsewhere was given: a tail cut at the end of a group, or a \
     history rewritten by whoever holds the keys, would not be seen";

/// The checkpoints to hold against the log, and the roots at their sizes.
#[derive(Debug)]
pub(crate) struct Anchors {
    notes: Vec<Anchor>,
    roots: BTreeMap<u64, Option<Hash>>,
    /// Whether any of them comes from elsewhere.
    pub foreign: bool,
}

#[derive(Debug)]
struct Anchor {
    name: String,
    note: Result<(SignedNote, Checkpoint), NoteError>,
}

impl Anchors {
    /// Reads the checkpoints handed in, and takes the ledger's own.
    pub fn gather(book: &Book, options: &Options) -> Result<Self, VerifyError> {
        let mut notes = Vec::new();
        if let Some(own) = &book.checkpoint {
            notes.push(Anchor { name: OWN.to_owned(), note: read(own) });
        }
        for path in &options.checkpoints {
            let note = read(&read_note(path)?)
                .map_err(|error| VerifyError::Checkpoint { path: path.clone(), why: error.to_string() })?;
            notes.push(Anchor { name: path.display().to_string(), note: Ok(note) });
        }
        let sizes = notes.iter().filter_map(|anchor| anchor.note.as_ref().ok());
        let roots = sizes.map(|(_, checkpoint)| (checkpoint.size, None)).collect();
        Ok(Anchors { notes, roots, foreign: !options.checkpoints.is_empty() })
    }

    /// The names of the files, in the order in which findings number them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(|anchor| anchor.name.as_str())
    }

    /// How many checkpoints there are.
    pub fn count(&self) -> usize {
        self.notes.len()
    }

    /// Whether a root is wanted at a size in `begin + 1 .. end`, within a group.
    pub fn within(&self, begin: u64, end: u64) -> bool {
        begin.saturating_add(1) < end && self.roots.range(begin + 1..end).next().is_some()
    }

    /// Notes the root when it is wanted at this size.
    pub fn pass(&mut self, range: &CompactRange) {
        if let Some(root) = self.roots.get_mut(&range.end()) {
            *root = range.root();
        }
    }

    /// V12, once the whole log was read and `size` rows were met.
    pub fn check(&self, first_file: u32, size: u64, authority: &Authority, tally: &mut Tally) {
        for (file, anchor) in (first_file..).zip(&self.notes) {
            let place = Place { seq: size, file, offset: 0 };
            match &anchor.note {
                Ok((note, checkpoint)) => self.check_one(note, checkpoint, place, authority, tally),
                Err(error) => tally.fault(CheckId::V12, place, None, error.to_string()),
            }
        }
    }

    /// A checkpoint lies on this history when its origin is the ledger's, its size is one that the log has had since row
    /// 0, its root is the log's at that size, and it is signed by a key that is or was a ledger key here.
    fn check_one(
        &self,
        note: &SignedNote,
        checkpoint: &Checkpoint,
        place: Place,
        authority: &Authority,
        tally: &mut Tally,
    ) {
        let (size, wanted) = (place.seq, checkpoint.size);
        let mut fault = |message| tally.fault(CheckId::V12, place, None, message);
        if wanted == 0 {
            return fault("it was made over no rows: every ledger has row 0".to_owned());
        }
        if wanted > size {
            fault(format!("it was made over {wanted} rows, and the log has {size}: the tail was cut"));
        }
        let (Some(governance), Some(origin)) = (authority.governance(), authority.origin()) else {
            return tally.skip(CheckId::V12, size, authority.unknown());
        };
        if checkpoint.origin != origin {
            return fault(format!("it is of {}, and this ledger is {origin}", checkpoint.origin));
        }
        let signed = signed_by_ledger(note, origin, governance);
        let doubt = authority.doubt().filter(|_| !signed);
        if !signed && doubt.is_none() {
            return fault("no ledger key of this ledger has signed it".to_owned());
        }
        let root = self.roots.get(&wanted).copied().flatten();
        if root.is_some_and(|root| root != checkpoint.root) {
            fault(format!("the log has another root at {wanted} rows"));
        }
        let behind = authority.closed().filter(|(row, _)| wanted > *row);
        if let Some((row, why)) = behind {
            tally.skip(CheckId::V12, row, why);
        } else if let Some(why) = doubt {
            tally.skip(CheckId::V12, size, why);
        } else if root.is_none() && wanted <= size {
            tally.skip(CheckId::V12, size, "rows before it are missing or cannot be read");
        } else {
            tally.checked(CheckId::V12, 1);
        }
    }
}

fn read(bytes: &[u8]) -> Result<(SignedNote, Checkpoint), NoteError> {
    let note = SignedNote::parse(bytes)?;
    let checkpoint = Checkpoint::parse(&note.text)?;
    Ok((note, checkpoint))
}

fn ledger_keys(governance: &Governance) -> impl Iterator<Item = VerifierKey> {
    let keys = governance.keys.all().into_iter().filter(|key| key.roles & Role::Ledger.bit() != 0);
    keys.map(|key| VerifierKey { name: String::new(), key: key.key.clone() })
}

fn signed_by_ledger(note: &SignedNote, origin: &str, governance: &Governance) -> bool {
    ledger_keys(governance).any(|key| note.verify(&VerifierKey { name: origin.to_owned(), ..key }).is_ok())
}

/// V11: the pins against row 0 and the keys.
pub(crate) fn check_pins(pins: &[Pin], book: &Book, authority: &Authority, tally: &mut Tally) {
    let place = Place { seq: 0, file: 0, offset: 0 };
    for pin in pins {
        // Without row 0 what the segments say can refute a pin, but not prove it.
        let id = authority.genesis().or(book.ledger_id);
        let found = match (pin, authority.governance(), authority.origin()) {
            (Pin::LedgerId(pinned), ..) if id.is_some_and(|id| id != *pinned) => {
                Err(format!("the ledger's id is {}, and {pinned} is pinned", id.unwrap_or_default()))
            }
            (Pin::LedgerId(_), ..) if authority.genesis().is_some() => Ok(()),
            (Pin::Owner(pinned), Some(governance), _) => owner_is(governance, pinned),
            (Pin::Ledger(pinned), Some(governance), Some(origin)) => match authority.doubt() {
                Some(why) if pinned.name == origin && !is_ledger_key(governance, pinned) => {
                    tally.skip(CheckId::V11, 0, why);
                    continue;
                }
                _ => seals(governance, origin, pinned),
            },
            _ => {
                tally.skip(CheckId::V11, 0, authority.unknown());
                continue;
            }
        };
        tally.checked(CheckId::V11, 1);
        if let Err(message) = found {
            tally.fault(CheckId::V11, place, Some(0), message);
        }
    }
}

/// The owner's key of row 0; a later owner was granted by it.
fn owner_is(governance: &Governance, pinned: &[u8; 32]) -> Result<(), String> {
    let keys = governance.keys.all();
    let owner = keys.iter().find(|key| key.since == 0 && key.roles & Role::Owner.bit() != 0);
    match owner {
        Some(owner) if owner.key.as_bytes() == pinned => Ok(()),
        _ => Err(format!("row 0 names another owner than the pinned {}", Hash(*pinned))),
    }
}

fn seals(governance: &Governance, origin: &str, pinned: &VerifierKey) -> Result<(), String> {
    if pinned.name != origin {
        return Err(format!("the ledger is {origin}, and {} is pinned", pinned.name));
    }
    match is_ledger_key(governance, pinned) {
        true => Ok(()),
        false => Err(format!("{pinned} was never a ledger key of this ledger")),
    }
}

fn is_ledger_key(governance: &Governance, pinned: &VerifierKey) -> bool {
    ledger_keys(governance).any(|key| key.key == pinned.key)
}
