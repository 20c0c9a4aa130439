//! The writer of segments: writes a sealed group, syncs it, and only then lets readers see it.
//!
//! The order is write, fdatasync, publish. A write or a sync that fails leaves the disk in a state nobody knows, so
//! the caller must not use the writer again; it never syncs twice and never writes the same rows twice.

use crate::chain::Group;
use crate::durable::Mark;
use crate::error::FileError;
use crate::layout::Layout;
use crate::log::{Head, Log};
use crate::platform::Clock;
use crate::segment::{Look, Segment};
use crate::side::{self, SegmentEnd, SideFile};
use crate::storage::{Access, StoredFile};
use counterfoil_format::codec::CodecError;
use counterfoil_format::frame::{SEGMENT_HEADER_BYTES, SegmentHeader};
use counterfoil_format::intent::Micros;
use counterfoil_format::key::{PublicKey, SignatureBytes};
use counterfoil_format::merkle::CompactRange;
use counterfoil_format::note::{SignedNote, VerifierKey};
use std::sync::Arc;

/// How often the checkpoint file is replaced while rows land.
const CHECKPOINT_EVERY: Micros = 200_000;

/// How much space is reserved at a time for a segment that grows.
const RESERVED_AHEAD: u64 = 16 * 1024 * 1024;

/// Why a group was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("an earlier write failed")]
    Gap,
    #[error("the group cannot be encoded: {0}")]
    Codec(#[from] CodecError),
}

/// The writing end of a ledger.
pub(crate) struct Writer {
    log: Arc<Log>,
    header: SegmentHeader,
    file: Arc<dyn StoredFile>,
    /// Where the active segment's durable bytes end.
    end: u64,
    /// Up to where space is reserved.
    reserved: u64,
    mark: Mark,
    newest: Option<(PublicKey, SignatureBytes)>,
    written_out: Option<Micros>,
    /// Why the checkpoint file lags behind, when it could not be replaced.
    lagging: Option<FileError>,
    clock: Arc<dyn Clock>,
}

/// When a segment is closed, and the salt of the next one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    pub segment_bytes: u64,
    pub salt: [u8; 16],
}

impl Writer {
    /// Goes on where a log ends.
    pub fn new(log: Arc<Log>, clock: Arc<dyn Clock>) -> Self {
        let (header, file, end) = log.with_active(|active| (active.header, active.file.clone(), active.end));
        let mark = Mark::place(log.layout(), &log.head());
        let (newest, written_out, lagging) = (None, None, None);
        Writer { log, header, file, end, reserved: 0, mark, newest, written_out, lagging, clock }
    }

    /// Makes sure that what was decided behind this many rows is decided behind durable ones.
    pub fn check_place(&self, rows: u64) -> Result<(), WriteError> {
        // Only a write that failed leaves a gap; what was decided behind it must never be written.
        if self.log.head().size == rows { Ok(()) } else { Err(WriteError::Gap) }
    }

    /// Makes a group durable, and lets readers see it.
    pub fn write(&mut self, group: Group, rotation: &Rotation) -> Result<(), WriteError> {
        let before = self.log.head();
        let Group { builder, mut entries, before: tree, head, seal, seal_key } = group;
        self.roll_if_full(rotation, tree)?;
        let bytes = builder.finish(before.size, self.end, &before.row_hash, &self.header.salt, &seal)?;
        self.reserve(bytes.len() as u64);
        let path = self.log.layout().segment(self.header.first_seq);
        self.file.write_at(self.end, &bytes).map_err(FileError::at(&path))?;
        self.file.sync_data().map_err(FileError::at(&path))?;

        let offset = self.end;
        self.end += bytes.len() as u64;
        self.mark.move_to(&head);
        entries.iter_mut().for_each(|entry| entry.offset += offset);
        self.log.publish(offset, self.end, &entries, head);
        self.newest = Some((seal_key, seal.signature));
        // A clock that went backwards counts as time that has passed.
        let now = self.clock.now();
        if self.written_out.is_none_or(|then| !(then..then.saturating_add(CHECKPOINT_EVERY)).contains(&now)) {
            // The rows are durable and are seen; a checkpoint that lags behind takes nothing from that.
            self.lagging = self.write_checkpoint().err();
        }
        Ok(())
    }

    /// What people should know of the checkpoint file.
    pub fn notice(&self) -> Option<String> {
        let error = self.lagging.as_ref()?;
        Some(format!(
            "the checkpoint file lags behind the rows, and is tried again with the next ones: {error}"
        ))
    }

    /// Reserves space ahead, so that a file grows in few pieces. A disk that cannot do it is no worse for it.
    fn reserve(&mut self, bytes: u64) {
        if self.end + bytes > self.reserved {
            let ahead = RESERVED_AHEAD.max(bytes);
            let _ = self.file.reserve(self.end, ahead);
            self.reserved = self.end + ahead;
        }
    }

    /// Gives back what was reserved behind the active segment's bytes.
    fn release(&mut self) {
        if self.reserved > self.end {
            let _ = self.file.truncate(self.end);
        }
        self.reserved = 0;
    }

    /// Writes out the newest checkpoint and the look-ups of the active segment, so that the next open need not read it,
    /// and gives back space that was reserved.
    pub fn finish(&mut self, tree: CompactRange) -> Result<(), FileError> {
        self.release();
        let head = self.log.head();
        if head.size == tree.end() {
            self.close_look(self.log.layout(), &head, tree);
        }
        self.write_checkpoint()
    }

    /// Replaces the checkpoint file by the newest seal, when there is a newer one.
    fn write_checkpoint(&mut self) -> Result<(), FileError> {
        let Some((key, signature)) = &self.newest else { return Ok(()) };
        let key = VerifierKey { name: self.log.origin().to_owned(), key: key.clone() };
        let note = SignedNote::new(self.log.checkpoint().text(), &key, signature);
        self.written_out = Some(self.clock.now());
        let layout = self.log.layout();
        layout.replace(&layout.checkpoint(), note.to_string().as_bytes(), true)?;
        self.newest = None;
        Ok(())
    }

    /// Closes the active segment when it has reached this size, and begins the next. The closed one's bytes are durable
    /// already; the new one's header and name are made durable before anything is written behind it.
    fn roll_if_full(&mut self, rotation: &Rotation, tree: CompactRange) -> Result<(), WriteError> {
        if self.end < rotation.segment_bytes || self.end <= SEGMENT_HEADER_BYTES as u64 {
            return Ok(());
        }
        let head = self.log.head();
        let layout = self.log.layout().clone();
        let header = SegmentHeader {
            first_seq: head.size,
            salt: rotation.salt,
            ledger_id: self.log.ledger_id(),
            previous: head.row_hash,
        };
        let next = create_segment(&layout, header)?;
        let side = self.close_look(&layout, &head, tree);
        self.release();
        (self.header, self.file, self.end) = (header, next.file.clone(), next.end);
        self.log.roll(side, next);
        Ok(())
    }

    /// Writes the side file of the active segment, which is being closed or left. When it cannot be written, the look-ups stay in
    /// memory, and the next open tries again: no append ever fails for it.
    fn close_look(&self, layout: &Layout, head: &Head, tree: CompactRange) -> Option<SideFile> {
        let end = SegmentEnd {
            rows: head.size - self.header.first_seq,
            bytes: self.end,
            last_hash: head.row_hash,
            last_landed: head.landed_at,
            tree,
        };
        let path = layout.side(self.header.first_seq);
        let bytes = self.log.with_active(|active| match &active.look {
            Look::Memory(lookups) => Some(side::encode(&self.header, lookups, &end)),
            Look::Side(_) => None,
        });
        layout.replace(&path, &bytes?, false).ok()?;
        SideFile::open(layout, &self.header, self.end)
    }
}

/// Creates a segment durably: its header, then its name.
pub(crate) fn create_segment(layout: &Layout, header: SegmentHeader) -> Result<Segment, FileError> {
    let path = layout.segment(header.first_seq);
    let at = || FileError::at(&path);
    let file = layout.open(&path, Access::CreateNew)?;
    let bytes = header.encode();
    file.write_at(0, &bytes).map_err(at())?;
    file.sync_all().map_err(at())?;
    layout.sync_dir(&layout.log())?;
    Ok(Segment::begun(header, path, file))
}
