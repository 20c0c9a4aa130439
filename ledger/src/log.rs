//! The log as readers see it: rows by number, id, key, time and range, up to what is durable.
//!
//! A [`Log`] is opened on its own by readers of other processes, who see the rows that were durable when they opened
//! it, and others at each [`Log::refresh`]; the writer's handle shares its own, which grows as rows become durable.

use crate::error::{OpenError, ReadError};
use crate::follow::Follower;
use crate::layout::Layout;
use crate::load::Loaded;
use crate::lookup::{Entry, GroupAt, Lookups};
use crate::platform::Platform;
use crate::segment::{GroupPlace, Look, Segment, SegmentFile, StoredRow};
use crate::side::SideFile;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Role};
use counterfoil_format::group::GroupBody;
use counterfoil_format::intent::{IntentId, Micros};
use counterfoil_format::landing::Outcome;
use counterfoil_format::note::{Checkpoint, NoteError, SignedNote, VerifierKey, checkpoint_text};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::{Governance, GovernanceError};
use counterfoil_rules::keyring::Enrolled;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The durable rows of a ledger.
#[derive(Debug)]
pub struct Log {
    layout: Layout,
    ledger_id: Hash,
    origin: String,
    inner: RwLock<Inner>,
    /// How far a reader has read; the writer's own log has none.
    follower: Option<Mutex<Follower>>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub sealed: Vec<Arc<Segment>>,
    pub active: Segment,
    pub head: Head,
}

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many rows.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The last row's hash.
    pub row_hash: Hash,
    /// When the last row landed.
    pub landed_at: Micros,
}

impl Log {
    /// Opens a ledger's log for reading, beside its writer or without one. No lock is taken, and nothing is written.
    ///
    /// The rows seen are a prefix of the ledger, every one of them known to be durable: the writer of this machine has
    /// said so, or something that is written only behind durable rows. A group that a writer is still writing, that it
    /// has written and not yet synced, or that a crash has torn, is left out; so is the last group before a power cut
    /// when nothing that outlived it vouches for that group, until a writer opens the ledger.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_on(&Platform::default(), dir)
    }

    /// The same in given surroundings.
    pub fn open_on(platform: &Platform, dir: &Path) -> Result<Self, OpenError> {
        let layout = Layout::on(dir, platform.storage.clone());
        let (mut follower, inner) = Follower::begin(layout.clone())?;
        let inner = RwLock::new(inner);
        follower.advance(&inner)?;
        let inner = inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self::over(layout, inner, Some(follower))
    }

    pub(crate) fn from_loaded(layout: Layout, loaded: Loaded) -> Result<Self, OpenError> {
        let Loaded { sealed, active, head, .. } = loaded;
        Self::over(layout, Inner { sealed, active, head }, None)
    }

    fn over(layout: Layout, inner: Inner, follower: Option<Follower>) -> Result<Self, OpenError> {
        let (ledger_id, origin) = identity(&inner)?;
        let (inner, follower) = (RwLock::new(inner), follower.map(Mutex::new));
        Ok(Log { layout, ledger_id, origin, inner, follower })
    }

    /// Takes in the rows that have become durable since the log was opened or last refreshed, by the rule of
    /// [`Log::open`], and yields whether there are any. Only what is new is read. Calls of several threads take turns;
    /// reading goes on meanwhile, and sees whole groups appear.
    ///
    /// A writer's own log needs no refreshing, and yields `false`. An error leaves the rows seen so far as they were; it
    /// means damage or trouble with the disk, never that a writer is at work.
    pub fn refresh(&self) -> Result<bool, OpenError> {
        let Some(follower) = &self.follower else { return Ok(false) };
        follower.lock().unwrap_or_else(PoisonError::into_inner).advance(&self.inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the ledger lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The ledger's id.
    pub fn ledger_id(&self) -> Hash {
        self.ledger_id
    }

    /// The ledger's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The end of the log.
    pub fn head(&self) -> Head {
        self.read().head
    }

    /// The checkpoint of the end of the log, not yet signed.
    pub fn checkpoint(&self) -> Checkpoint {
        let head = self.head();
        Checkpoint { origin: self.origin.clone(), size: head.size, root: head.root }
    }

    /// The newest seal, as a signed checkpoint.
    pub fn signed_checkpoint(&self) -> Result<SignedNote, OpenError> {
        self.seal_at(self.head().size)
    }

    /// The seal of the group that ends at a size, as a signed checkpoint.
    pub(crate) fn seal_at(&self, size: u64) -> Result<SignedNote, OpenError> {
        let keys = self.governance_at(size)?.keys;
        let key = keys.sealing().ok_or(OpenError::WrongLedgerKey)?.key.clone();
        let last = size.saturating_sub(1);
        let group = self.group(last).ok_or(ReadError::NoSuchRow { row: last, size })?;
        let mut body = Vec::new();
        let header = group.read(&mut body)?;
        let seal = GroupBody::parse(&header, &body).map_err(|error| group.damage(error.into()))?.seal;
        let text = checkpoint_text(&self.origin, header.end_seq(), &seal.root);
        let key = VerifierKey { name: self.origin.clone(), key };
        Ok(SignedNote::new(text, &key, &seal.signature))
    }

    /// Whether a key that has sealed this ledger stands under a note and has not signed it.
    pub(crate) fn denies(&self, note: &SignedNote) -> bool {
        let named = |key: &Enrolled| VerifierKey { name: self.origin.clone(), key: key.key.clone() };
        let denied = |key: &&Enrolled| matches!(note.verify(&named(key)), Err(NoteError::BadSignature(_)));
        let seals = |key: &&Enrolled| key.roles & Role::Ledger.bit() != 0;
        self.governance()
            .is_ok_and(|found| found.keys.all().into_iter().filter(seals).any(|key| denied(&key)))
    }

    /// The segments that hold rows, as far as they are durable, and the end of the log, all of one moment.
    pub(crate) fn segments(&self) -> (Vec<SegmentFile>, Head) {
        let inner = self.read();
        let rows = |segment: &&Segment| segment.end_seq > segment.header.first_seq;
        (inner.segments().filter(rows).map(SegmentFile::of).collect(), inner.head)
    }

    /// Reads a row.
    pub fn row(&self, seq: u64) -> Result<StoredRow, ReadError> {
        let inner = self.read();
        inner.segment(seq).ok_or(ReadError::NoSuchRow { row: seq, size: inner.head.size })?.row(seq)
    }

    /// The row with an id.
    pub fn find_id(&self, id: &IntentId) -> Result<Option<u64>, ReadError> {
        let inner = self.read();
        if let Some(row) = inner.active.find_id(id)? {
            return Ok(Some(row));
        }
        for segment in inner.sealed.iter().rev() {
            if let Some(row) = segment.find_id(id)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// The rows of a range that may be looked up by this hash, ascending.
    pub(crate) fn candidates(&self, hash: u64, within: Range<u64>) -> Result<Vec<u64>, ReadError> {
        let inner = self.read();
        let mut found = Vec::new();
        for segment in inner.segments().filter(|segment| segment.holds_some_of(&within)) {
            found.extend(segment.find_key(hash, &within)?);
        }
        Ok(found)
    }

    /// What was found and mended since the log was opened, in words for people.
    pub fn notices(&self) -> Vec<String> {
        self.read().segments().filter_map(Segment::notice).collect()
    }

    /// The rows that may change what governs those behind them, ascending.
    pub fn special(&self) -> Vec<u64> {
        self.read().segments().flat_map(Segment::special).collect()
    }

    /// How many rows had landed at a time, that time included.
    pub fn size_at(&self, time: Micros) -> Result<u64, ReadError> {
        let (mut low, mut high) = (0, self.head().size);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.row(middle)?.parse()?.landing.landed_at <= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Reads rows in order, from group to group, until the visitor breaks off or the range ends.
    pub fn scan<E: From<ReadError>>(
        &self,
        range: Range<u64>,
        mut visit: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut next = range.start;
        let mut body = Vec::new();
        while next < range.end {
            let Some(group) = self.group(next) else { break };
            let header = group.read(&mut body)?;
            let parsed = GroupBody::parse(&header, &body).map_err(|error| group.damage(error.into()))?;
            for (_, bytes) in parsed.rows() {
                let row = Row::parse(bytes).map_err(|error| group.damage(error.into()))?;
                if row.landing.seq < next {
                    continue;
                }
                if row.landing.seq >= range.end {
                    return Ok(());
                }
                if visit(&row)?.is_break() {
                    return Ok(());
                }
            }
            next = header.end_seq().max(next + 1);
        }
        Ok(())
    }

    /// The durable group that a row lies in, and the means to read it without holding a lock.
    fn group(&self, seq: u64) -> Option<GroupPlace> {
        let inner = self.read();
        let segment = inner.segment(seq)?;
        let at = segment.group_of(seq)?;
        Some(GroupPlace::of(segment, at.offset))
    }

    /// What governs the next row: keys, policy, kill switch, and which rows are taken back.
    pub fn governance(&self) -> Result<Governance, OpenError> {
        self.governance_at(u64::MAX)
    }

    /// What governs the row behind the first `size` rows.
    pub fn governance_at(&self, size: u64) -> Result<Governance, OpenError> {
        let mut governance: Option<Governance> = None;
        for seq in self.special().into_iter().take_while(|seq| *seq < size) {
            let refused = |reason: String| OpenError::Governance { row: seq, reason };
            let stored = self.row(seq)?;
            let row = stored.parse()?;
            if row.landing.outcome != Outcome::Applied {
                continue;
            }
            let bytes = row.content(PartTag::Body).ok_or_else(|| refused("its body is withheld".into()))?;
            let body = Body::decode(row.head.kind, bytes).map_err(|error| self.damaged(seq, error))?;
            let landed_at = row.landing.landed_at;
            let result = match (&mut governance, &body) {
                (None, Body::Genesis(genesis)) => Governance::from_genesis(genesis, landed_at).map(|first| {
                    governance = Some(first);
                }),
                (Some(governance), body) => governance.take_in(body, seq, landed_at),
                (None, _) => Err(GovernanceError::Genesis),
            };
            result.map_err(|error| refused(error.to_string()))?;
        }
        governance.ok_or_else(|| OpenError::Governance { row: 0, reason: "there is no genesis".into() })
    }

    /// An error that names where a row lies.
    pub fn damaged(&self, seq: u64, error: counterfoil_format::codec::CodecError) -> ReadError {
        let inner = self.read();
        match inner.segment(seq) {
            Some(segment) => ReadError::Damaged { row: seq, path: segment.path.clone(), offset: 0, error },
            None => ReadError::NoSuchRow { row: seq, size: inner.head.size },
        }
    }

    /// Lets readers see a group that has become durable.
    pub(crate) fn publish(&self, offset: u64, end: u64, entries: &[Entry], head: Head) {
        self.write().publish(offset, end, entries, head);
    }

    /// Closes the active segment, whose look-ups are in a side file now, and goes on with the next one.
    pub(crate) fn roll(&self, side: Option<SideFile>, next: Segment) {
        self.write().roll(side, next);
    }

    /// Looks at the active segment.
    pub(crate) fn with_active<T>(&self, look: impl FnOnce(&Segment) -> T) -> T {
        look(&self.read().active)
    }
}

impl Inner {
    /// Takes in a group of the active segment.
    pub fn publish(&mut self, offset: u64, end: u64, entries: &[Entry], head: Head) {
        let active = &mut self.active;
        if let Look::Memory(lookups) = &mut active.look {
            let first_seq = active.end_seq;
            lookups.groups.push(GroupAt { first_seq, offset });
            entries.iter().for_each(|entry| lookups.push(entry));
        }
        active.end = end;
        active.end_seq = head.size;
        self.head = head;
    }

    /// Closes the active segment, and goes on with the next one.
    pub fn roll(&mut self, side: Option<SideFile>, next: Segment) {
        let mut closed = std::mem::replace(&mut self.active, next);
        if let (Look::Memory(full), Look::Memory(empty)) = (&closed.look, &mut self.active.look) {
            *empty = Lookups::sized_like(full);
        }
        if let Some(side) = side {
            closed.look = Look::Side(side);
        }
        self.sealed.push(Arc::new(closed));
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.sealed.iter().map(Arc::as_ref).chain([&self.active])
    }

    fn segment(&self, seq: u64) -> Option<&Segment> {
        if seq >= self.head.size {
            return None;
        }
        if seq >= self.active.header.first_seq {
            return Some(&self.active);
        }
        let behind = self.sealed.partition_point(|segment| segment.header.first_seq <= seq);
        self.sealed.get(behind.checked_sub(1)?).map(Arc::as_ref)
    }
}

/// The ledger's id and origin, from row 0.
fn identity(inner: &Inner) -> Result<(Hash, String), OpenError> {
    let first = inner.sealed.first().map_or(&inner.active, Arc::as_ref);
    let governance = |reason: &str| OpenError::Governance { row: 0, reason: reason.to_owned() };
    let stored = first.row(0)?;
    let row = stored.parse()?;
    let hashes = row.hashes(&mut Vec::new()).map_err(|error| governance(&error.to_string()))?;
    if hashes.intent != first.header.ledger_id {
        return Err(governance("its hash is not the ledger id that the segments name"));
    }
    let bytes = row.content(PartTag::Body).ok_or_else(|| governance("the genesis has no body"))?;
    match Body::decode(row.head.kind, bytes) {
        Ok(Body::Genesis(genesis)) => Ok((hashes.intent, genesis.origin.to_owned())),
        Ok(_) => Err(governance("row 0 is no genesis")),
        Err(error) => Err(governance(&error.to_string())),
    }
}
