//! What speaks for rows having been durable: the checkpoint file, the durable mark, and the state index. Each is written
//! behind a sync of the rows that it names.
//!
//! A checkpoint file that has decayed must not make a sound ledger look as if rows were missing. It is **not believed**
//! when it is no checkpoint, or when a key that has sealed this ledger stands under it and has not signed what it says. A
//! key that the log does not know may have been granted by rows that are missing: such a checkpoint is believed when it
//! names them.

use crate::durable::Durable;
use crate::layout::Layout;
use crate::load::load_copy;
use crate::log::Log;
use crate::scan::Position;
use counterfoil_format::Hash;
use counterfoil_format::key::PublicKey;
use counterfoil_format::note::{Checkpoint, NoteError, SignedNote, VerifierKey};

/// What speaks for rows having been durable, gathered before the log is read.
#[derive(Default)]
pub(crate) struct Witnesses {
    checkpointed: u64,
    root: Hash,
    indexed: u64,
    marked: u64,
    note: Option<SignedNote>,
    /// Whether the key that seals has signed the note.
    proven: bool,
    /// Why the checkpoint file is not believed.
    doubt: Option<String>,
}

impl Witnesses {
    /// Asks the checkpoint file, which is written only after the rows it names are durable. `indexed` is how many rows
    /// the state index holds, when it was asked.
    pub fn gather(layout: &Layout, indexed: Option<u64>) -> Self {
        let marked = Durable::read(layout).map_or(0, |mark| mark.rows);
        let nobody = Witnesses { indexed: indexed.unwrap_or(0), marked, ..Witnesses::default() };
        let Ok(bytes) = layout.storage().read(&layout.checkpoint()) else { return nobody };
        let read = SignedNote::parse(&bytes)
            .and_then(|note| Checkpoint::parse(&note.text).map(|checkpoint| (note, checkpoint)));
        match read {
            Ok((note, Checkpoint { size, root, .. })) => {
                Witnesses { checkpointed: size, root, note: Some(note), ..nobody }
            }
            Err(error) => Witnesses { doubt: Some(error.to_string()), ..nobody },
        }
    }

    /// Holds the checkpoint against the key that seals.
    pub fn hold_against(&mut self, key: &PublicKey) {
        let Some(note) = &self.note else { return };
        let named =
            note.signatures.iter().map(|line| VerifierKey { name: line.name.clone(), key: key.clone() });
        let verdicts: Vec<_> = named.map(|key| note.verify(&key)).collect();
        self.proven = verdicts.contains(&Ok(()));
        if verdicts.iter().any(|verdict| matches!(verdict, Err(NoteError::BadSignature(_)))) {
            self.disbelieve();
        }
    }

    /// Whether a key that has sealed the ledger stands under the checkpoint and has not signed it. Reads the log, and is
    /// asked when rows are missing that the checkpoint names.
    pub fn is_denied(&self, layout: &Layout) -> bool {
        let Some(note) = &self.note else { return false };
        let log = load_copy(layout).and_then(|loaded| Log::from_loaded(layout.clone(), loaded));
        log.is_ok_and(|log| log.denies(note))
    }

    /// Believes the checkpoint no more.
    pub fn disbelieve(&mut self) {
        let doubt = Some("its signature does not hold".to_owned());
        *self = Witnesses { indexed: self.indexed, marked: self.marked, doubt, ..Witnesses::default() };
    }

    /// Says in words that the checkpoint is not believed, and why.
    pub fn doubt(&self, layout: &Layout) -> Option<String> {
        let (path, doubt) = (layout.checkpoint(), self.doubt.as_ref()?);
        Some(format!("{}: {doubt}; it was not believed, and the next row's seal replaces it", path.display()))
    }

    /// Whether the checkpoint file is of a log that ends here.
    pub fn seal(&self, position: &Position) -> bool {
        self.checkpointed == position.seq && position.tree.root() == Some(self.root)
    }

    /// How many rows were durable for sure.
    pub fn settled(&self) -> u64 {
        if self.proven { self.checkpointed.max(self.indexed) } else { self.indexed }
    }

    /// Who says that rows from `seq` on were durable.
    pub fn of_more_than(&self, layout: &Layout, seq: u64) -> Option<String> {
        let Witnesses { checkpointed, indexed, marked, .. } = self;
        let files = [(layout.checkpoint(), checkpointed), (layout.durable(), marked)];
        if let Some((path, rows)) = files.into_iter().find(|(_, rows)| **rows > seq) {
            return Some(format!("the file {} names {rows} rows, and the log holds {seq}", path.display()));
        }
        let path = layout.index();
        (*indexed > seq)
            .then(|| format!("the state index in {} holds {indexed} rows, and the log {seq}", path.display()))
    }
}
