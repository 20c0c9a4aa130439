//! Following a log that a writer of another process goes on with.
//!
//! A reader takes a group in when it is whole (its checksums, its chain and its root hold) and something says that it
//! is durable. Until then it is as good as not there. What says so:
//!
//! * a header behind it in its segment, which names it by `durable_upto`, or
//! * a segment behind its own, which is begun when all before it is durable, or
//! * the durable mark ([`crate::durable`]) or the checkpoint file, when it names rows up to the group's end or beyond,
//!   and names the hash or the root that the reader has found there itself, or
//! * the segment's side file, which a writer leaves as it closes, or
//! * that it holds row 0: the first segment gets its name when row 0 is durable.
//!
//! Each of them is written after the sync it speaks of has returned. They are read before the log is, so what they
//! name must be there; a group that cannot be read is damage only when something names it and it still cannot be read
//! at a second look. Otherwise a writer is in the middle of it, or a crash was.

use crate::durable::Durable;
use crate::error::{FileError, OpenError};
use crate::layout::Layout;
use crate::load::{Sides, begin_last, born_segments, frame_error, load_closed, open_segment};
use crate::log::Inner;
use crate::recovery::{Tail, judge_tail};
use crate::scan::{Buffers, Position, ScannedGroup, scan_group};
use crate::segment::Segment;
use crate::side::SideFile;
use crate::storage::{Access, StoredFile};
use crate::witness::Witnesses;
use counterfoil_format::frame::{FrameError, SegmentHeader};
use counterfoil_format::group::GroupHeader;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

/// How often a reader looks again when a file has become shorter under its eyes, which a writer's recovery does once.
const READ_AGAIN: usize = 3;

/// How far a reader has read.
#[derive(Debug)]
pub(crate) struct Follower {
    layout: Layout,
    /// The end of the groups that were taken in; it lies in the last segment known.
    at: Position,
}

/// What speaks for durability, read before the log.
struct Signs {
    witnesses: Witnesses,
    mark: Option<Durable>,
}

/// A segment that is read on.
struct Open {
    header: SegmentHeader,
    path: PathBuf,
    file: Arc<dyn StoredFile>,
}

impl Signs {
    fn gather(layout: &Layout) -> Self {
        Signs { mark: Durable::read(layout), witnesses: Witnesses::gather(layout, None) }
    }

    /// Whether the log was durable up to here.
    fn reach(&self, position: &Position) -> bool {
        let marked = |mark: Durable| mark.rows == position.seq && mark.last_hash == position.last_hash;
        self.mark.is_some_and(marked) || self.witnesses.seal(position)
    }
}

fn write(inner: &RwLock<Inner>) -> RwLockWriteGuard<'_, Inner> {
    inner.write().unwrap_or_else(PoisonError::into_inner)
}

impl Follower {
    /// Stands before the last segment of a ledger; the closed ones are loaded.
    pub fn begin(layout: Layout) -> Result<(Self, Inner), OpenError> {
        layout.check()?;
        let mut witnesses = Witnesses::gather(&layout, None);
        match Self::begin_by(layout.clone(), &witnesses) {
            Err(_) if witnesses.is_denied(&layout) => {
                witnesses.disbelieve();
                Self::begin_by(layout, &witnesses)
            }
            result => result,
        }
    }

    fn begin_by(layout: Layout, witnesses: &Witnesses) -> Result<(Self, Inner), OpenError> {
        let (closed, last) = born_segments(&layout, witnesses, false, &mut Vec::new())?;
        let (sealed, before) = load_closed(&layout, &closed, Sides::Read, &mut Vec::new())?;
        let (file, header) = open_segment(&layout, last, &before, false)?;
        let begun = Segment::begun(header, layout.segment(last), file);
        let (active, at) = begin_last(&layout, begun, &before);
        let inner = Inner { sealed, active, head: at.head() };
        Ok((Follower { layout, at }, inner))
    }

    /// Takes in what has become durable; yields whether anything has.
    pub fn advance(&mut self, inner: &RwLock<Inner>) -> Result<bool, OpenError> {
        let before = self.at.seq;
        let mut tries = 0..READ_AGAIN;
        loop {
            match self.step(inner) {
                Ok(true) => {}
                Ok(false) => return Ok(self.at.seq > before),
                Err(OpenError::File(FileError { error, .. }))
                    if error.kind() == ErrorKind::UnexpectedEof && tries.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the last segment known to its end; yields whether there is a next one to go on with.
    fn step(&mut self, inner: &RwLock<Inner>) -> Result<bool, OpenError> {
        let mut signs = Signs::gather(&self.layout);
        match self.step_by(inner, &signs) {
            Err(_) if signs.witnesses.is_denied(&self.layout) => {
                signs.witnesses.disbelieve();
                self.step_by(inner, &signs)
            }
            result => result,
        }
    }

    fn step_by(&mut self, inner: &RwLock<Inner>, signs: &Signs) -> Result<bool, OpenError> {
        let open = {
            let active = &inner.read().unwrap_or_else(PoisonError::into_inner).active;
            Open { header: active.header, path: active.path.clone(), file: active.file.clone() }
        };
        let next = self.next_segment(open.header.first_seq, &signs.witnesses)?;
        self.read_on(inner, &open, signs, next.is_some())?;
        let Some(next) = next else { return Ok(false) };
        let end = self.at.end(&open.header);
        let (file, header) = open_segment(&self.layout, next, &end, false)?;
        let side = SideFile::open(&self.layout, &open.header, end.bytes);
        write(inner).roll(side, Segment::begun(header, self.layout.segment(next), file));
        self.at = Position::start(&header, end.last_landed, end.tree);
        Ok(true)
    }

    /// The segment behind the one that begins with a row, when its header is there.
    fn next_segment(&self, first: u64, witnesses: &Witnesses) -> Result<Option<u64>, OpenError> {
        let later = self.layout.segments()?.into_iter().find(|later| *later > first);
        let Some(next) = later else { return Ok(None) };
        let path = self.layout.segment(next);
        let file = match self.layout.open(&path, Access::Read) {
            Ok(file) => file,
            // A writer has found that a crash came before the header, and has removed it.
            Err(error) if error.error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match SegmentHeader::read(&*file) {
            Ok(_) => Ok(Some(next)),
            Err(error @ (FrameError::Io(_) | FrameError::Version(_))) => Err(frame_error(&path, 0, error)),
            Err(error) if witnesses.of_more_than(&self.layout, next).is_some() => {
                Err(frame_error(&path, 0, error))
            }
            Err(_) => Ok(None),
        }
    }

    /// Takes in the groups of the last segment known that are durable, all of them when it is closed.
    fn read_on(
        &mut self,
        inner: &RwLock<Inner>,
        open: &Open,
        signs: &Signs,
        closed: bool,
    ) -> Result<(), OpenError> {
        let Open { header, path, file } = open;
        let at_fault = |position: &Position, error| frame_error(path, position.offset, error);
        let mut buffers = Buffers::default();
        let mut tip = self.at.clone();
        // Groups that are whole, and of which nothing says yet that they are durable.
        let mut pending = Vec::new();
        loop {
            let size = file.size().map_err(FileError::at(path))?;
            if size < self.at.offset {
                let (needed, left) = (self.at.offset, size);
                let error = FrameError::Truncated { what: "what was durable of the segment", needed, left };
                return Err(at_fault(&self.at, error));
            }
            let read = match tip.offset < size {
                true => scan_group(&**file, header, size, &tip, &mut buffers).map(Some),
                false => Ok(None),
            };
            let bad = match read {
                Ok(Some(group)) => {
                    tip = group.next.clone();
                    let durable_upto = group.durable_upto;
                    pending.push(group);
                    if signs.reach(&tip) || self.at.seq == 0 {
                        self.take_in(inner, pending.drain(..));
                    }
                    self.take_in_up_to(inner, &mut pending, durable_upto);
                    continue;
                }
                Ok(None) => None,
                Err(error @ FrameError::Io(_)) => return Err(at_fault(&tip, error)),
                Err(error) => Some(error),
            };
            if closed {
                self.take_in(inner, pending.drain(..));
                return bad.map_or(Ok(()), |error| Err(at_fault(&tip, error)));
            }
            if bad.is_some() {
                let durable_upto = durable_upto_at(&**file, header, &tip);
                self.take_in_up_to(inner, &mut pending, durable_upto);
            }
            let tail = Tail { file: &**file, path, header, position: &tip };
            match judge_tail(&self.layout, &tail, bad, &signs.witnesses, false) {
                Ok(_) => return Ok(()),
                // What names the group may be younger than the look at it. Then it is whole by now.
                Err(OpenError::Damaged(_))
                    if scan_group(&**file, header, size_of(file), &tip, &mut buffers).is_ok() => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take_in_up_to(&mut self, inner: &RwLock<Inner>, pending: &mut Vec<ScannedGroup>, offset: u64) {
        let durable = pending.partition_point(|group| group.next.offset <= offset);
        self.take_in(inner, pending.drain(..durable));
    }

    fn take_in(&mut self, inner: &RwLock<Inner>, groups: impl Iterator<Item = ScannedGroup>) {
        for ScannedGroup { at, entries, next, .. } in groups {
            write(inner).publish(at.offset, next.offset, &entries, next.head());
            self.at = next;
        }
    }
}

fn size_of(file: &Arc<dyn StoredFile>) -> u64 {
    file.size().unwrap_or_default()
}

/// What the header of a group says that is not whole, when the header itself is; 0 when it is not.
fn durable_upto_at(file: &dyn StoredFile, header: &SegmentHeader, tip: &Position) -> u64 {
    let group = GroupHeader::read(file, tip.offset, u64::MAX, &header.salt).ok();
    group.filter(|group| tip.precedes(group)).map_or(0, |group| group.durable_upto)
}
