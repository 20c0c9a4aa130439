//! A disk whose syncs can be held up, made to fail, left out, and are counted in rows.
//!
//! It looks at what is written to segments and at what is synced, and so knows by itself how many rows are durable.

use counterfoil_format::frame::ReadAt;
use counterfoil_ledger::storage::{Access, Disk, Kind, Lock, Storage, StoredFile};
use counterfoil_ledger::{Clock, InMemory, Platform};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What becomes of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Fate {
    #[default]
    Done,
    Held,
    Failed,
    LeftOut,
}

#[derive(Debug, Default)]
struct State {
    fate: Fate,
    waiting: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    written: AtomicU64,
    durable: AtomicU64,
    looked_at: Mutex<Vec<PathBuf>>,
}

/// The disk.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Shared>);

/// A clock that stands still, so that nothing becomes due by itself.
#[derive(Debug)]
pub struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> i64 {
        counterfoil_ledger::now() / 3_600_000_000 * 3_600_000_000
    }
}

impl Gate {
    /// Surroundings with this disk, a clock that stands still, and the state index in memory.
    pub fn platform(&self) -> Platform {
        Platform {
            storage: Arc::new(self.clone()),
            clock: Arc::new(Stopped),
            index: Arc::new(InMemory),
            inbox_every: None,
            snapshots_every: None,
        }
    }

    /// How many rows are durable, counting those written through this disk.
    pub fn durable(&self) -> u64 {
        self.0.durable.load(Ordering::SeqCst)
    }

    /// How often a file has been opened or a directory listed.
    pub fn looks(&self, path: &Path) -> usize {
        self.0.looked_at.lock().unwrap().iter().filter(|other| *other == path).count()
    }

    fn note(&self, path: &Path) {
        self.0.looked_at.lock().unwrap().push(path.to_owned());
    }

    /// Lets syncs of data wait until they are released.
    pub fn hold(&self) {
        self.decree(Fate::Held);
    }

    /// Lets syncs of data happen again.
    pub fn release(&self) {
        self.decree(Fate::Done);
    }

    /// Lets syncs of data fail.
    pub fn fail(&self) {
        self.decree(Fate::Failed);
    }

    /// Lets every sync, of names too, say that it was done, and does none.
    pub fn leave_out(&self) {
        self.decree(Fate::LeftOut);
    }

    /// Waits until a sync is held up.
    pub fn wait_for_sync(&self) {
        let mut state = self.lock();
        while state.waiting == 0 {
            state = self.0.changed.wait(state).unwrap();
        }
    }

    fn decree(&self, fate: Fate) {
        self.lock().fate = fate;
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn leaves_out(&self) -> bool {
        self.lock().fate == Fate::LeftOut
    }

    fn pass(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.waiting += 1;
        self.0.changed.notify_all();
        while state.fate == Fate::Held {
            state = self.0.changed.wait(state).unwrap();
        }
        state.waiting -= 1;
        match state.fate {
            Fate::Failed => Err(io::Error::other("the gate is shut")),
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct GateFile {
    file: Arc<dyn StoredFile>,
    gate: Gate,
}

impl ReadAt for GateFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buffer)
    }
}

impl StoredFile for GateFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.starts_with(b"cfgr") {
            let rows = u32::from_le_bytes(bytes[8..12].try_into().unwrap());
            let first_seq = u64::from_le_bytes(bytes[16..24].try_into().unwrap());
            self.gate.0.written.store(first_seq + u64::from(rows), Ordering::SeqCst);
        }
        self.file.write_at(offset, bytes)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.file.reserve(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.gate.leaves_out() {
            return Ok(());
        }
        let written = self.gate.0.written.load(Ordering::SeqCst);
        // Whoever believes what is written and not yet synced has time to do so.
        (0..20).for_each(|_| std::thread::yield_now());
        self.gate.pass()?;
        self.file.sync_data()?;
        self.gate.0.durable.fetch_max(written, Ordering::SeqCst);
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        if self.gate.leaves_out() { Ok(()) } else { self.file.sync_all() }
    }
}

impl Storage for Gate {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoredFile>> {
        self.note(path);
        Ok(Arc::new(GateFile { file: Disk.open(path, access)?, gate: self.clone() }))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        Disk.lock(path)
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        Disk.kind(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.note(dir);
        Disk.list(dir)
    }

    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        Disk.create_dirs(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if self.leaves_out() { Ok(()) } else { Disk.sync_dir(dir) }
    }
}
