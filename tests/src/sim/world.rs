//! What the simulated disk and the memory before it hold.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

/// What crosses from one file system to another.
const EXDEV: i32 = 18;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Opening a file that is there.
    Open,
    /// Opening a file that is new or emptied.
    Create,
    /// Asking for a size.
    Size,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Cutting.
    Truncate,
    /// Reserving space.
    Reserve,
    /// Syncing bytes and size.
    SyncData,
    /// Syncing bytes and metadata.
    SyncAll,
    /// Taking a lock.
    Lock,
    /// Listing a directory.
    List,
    /// Making directories.
    CreateDirs,
    /// Renaming.
    Rename,
    /// Giving a file one more name.
    Link,
    /// Removing.
    Remove,
    /// Syncing names.
    SyncDir,
}

impl Call {
    /// Whether it can change what is on disk or will be.
    pub fn changes(self) -> bool {
        !matches!(self, Call::Open | Call::Size | Call::Read | Call::Lock | Call::List)
    }
}

/// A call that fails.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Which call, from 0.
    pub at: u64,
    /// With what: `EIO` is 5, `ENOSPC` 28.
    pub os_error: i32,
    /// Whether all later calls fail too.
    pub for_ever: bool,
    /// When a sync fails, whether what it should have made durable is taken for synced all the same, as Linux does.
    pub forgets: bool,
}

/// Syncs that are left out: of one kind, on paths that end so; only the `nth` of them, from 0, when that is said.
#[derive(Debug, Clone, Copy)]
pub struct Ignored {
    /// The kind.
    pub call: Call,
    /// The end of the path.
    pub path: &'static str,
    /// Which of them.
    pub nth: Option<u64>,
    /// How many there were so far.
    pub met: u64,
}

impl Ignored {
    /// All syncs of a kind on paths that end so.
    pub fn all(call: Call, path: &'static str) -> Self {
        Ignored { call, path, nth: None, met: 0 }
    }
}

/// A change to a file's bytes.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Change {
    pub fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Write(offset, bytes) => {
                let from = usize::try_from(*offset).unwrap();
                let end = from + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[from..end].copy_from_slice(bytes);
            }
            Change::Truncate(size) => content.resize(usize::try_from(*size).unwrap(), 0),
        }
    }
}

/// A change to names.
#[derive(Debug, Clone)]
pub(super) enum Naming {
    Set(PathBuf, Node),
    Rename(PathBuf, PathBuf, Node),
    Remove(PathBuf),
}

impl Naming {
    fn dir(&self) -> Option<&Path> {
        match self {
            Naming::Set(path, _) | Naming::Rename(_, path, _) | Naming::Remove(path) => path.parent(),
        }
    }

    pub fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Naming::Set(path, node) => drop(names.insert(path.clone(), *node)),
            Naming::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
            Naming::Remove(path) => drop(names.remove(path)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File(u64),
}

/// A file: what is read back, what is on disk, and the changes between the two.
#[derive(Debug, Clone, Default)]
pub(super) struct Bytes {
    pub content: Vec<u8>,
    pub durable: Vec<u8>,
    pub pending: Vec<Change>,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub files: HashMap<u64, Bytes>,
    pub names: BTreeMap<PathBuf, Node>,
    pub durable_names: BTreeMap<PathBuf, Node>,
    pub pending_names: Vec<Naming>,
    pub locks: HashSet<PathBuf>,
    /// Directories at which another file system begins.
    pub mounts: Vec<PathBuf>,
    pub calls: u64,
    pub changes: u64,
    pub off_after: Option<u64>,
    pub off: bool,
    pub fault: Option<Fault>,
    pub ignored: Option<Ignored>,
    pub trace: Vec<(Call, PathBuf)>,
}

impl World {
    /// Counts a call; an error when it is to fail.
    pub fn enter(&mut self, call: Call, path: &Path) -> io::Result<()> {
        let number = self.calls;
        self.calls += 1;
        self.trace.push((call, path.to_owned()));
        self.off |= call.changes() && self.off_after.is_some_and(|off| self.changes >= off);
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        if let Some(fault) = self.fault
            && (number == fault.at || (fault.for_ever && number > fault.at))
        {
            return Err(io::Error::from_raw_os_error(fault.os_error));
        }
        self.changes += u64::from(call.changes());
        Ok(())
    }

    /// The same for a sync; `false` when it is left out.
    pub fn enter_sync(&mut self, call: Call, path: &Path) -> io::Result<bool> {
        self.enter(call, path)?;
        let Some(ignored) = &mut self.ignored else { return Ok(true) };
        if ignored.call != call || !path.to_string_lossy().ends_with(ignored.path) {
            return Ok(true);
        }
        let number = ignored.met;
        ignored.met += 1;
        Ok(ignored.nth.is_some_and(|nth| nth != number))
    }

    pub fn change(&mut self, ino: u64, change: Change) {
        let file = self.files.get_mut(&ino).unwrap();
        change.apply(&mut file.content);
        file.pending.push(change);
    }

    pub fn sync_file(&mut self, ino: u64) {
        let file = self.files.get_mut(&ino).unwrap();
        // What a failed sync has made the system forget stays forgotten.
        for change in std::mem::take(&mut file.pending) {
            change.apply(&mut file.durable);
        }
    }

    /// After a sync that failed: takes what is pending for synced, when the fault says so.
    pub fn forget_if_asked(&mut self, ino: u64) {
        if self.fault.is_some_and(|fault| fault.forgets) {
            self.files.get_mut(&ino).unwrap().pending.clear();
        }
    }

    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.pending_names.push(naming);
    }

    pub fn create(&mut self, path: &Path) -> io::Result<u64> {
        if path.parent().is_none_or(|dir| self.names.get(dir) != Some(&Node::Directory)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let ino = self.files.len() as u64;
        self.files.insert(ino, Bytes::default());
        self.name(Naming::Set(path.to_owned(), Node::File(ino)));
        Ok(ino)
    }

    pub fn create_dirs(&mut self, dir: &Path) {
        let missing: Vec<_> =
            dir.ancestors().take_while(|dir| !self.names.contains_key(*dir)).map(Path::to_owned).collect();
        missing.into_iter().rev().for_each(|dir| {
            // The root of all is there already.
            let root = dir.parent().is_none();
            self.name(Naming::Set(dir.clone(), Node::Directory));
            if root {
                self.durable_names.insert(dir, Node::Directory);
            }
        });
    }

    /// Where the file system begins that a path is on.
    fn mount(&self, path: &Path) -> Option<&PathBuf> {
        self.mounts.iter().filter(|mount| path.starts_with(mount)).max()
    }

    fn check_mounts(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.mount(from) == self.mount(to) { Ok(()) } else { Err(io::Error::from_raw_os_error(EXDEV)) }
    }

    /// How many names a file has.
    pub fn links(&self, file: Node) -> usize {
        self.names.values().filter(|node| **node == file).count()
    }

    pub fn link(&mut self, file: &Path, name: &Path) -> io::Result<()> {
        let node = *self.names.get(file).ok_or(io::ErrorKind::NotFound)?;
        if node == Node::Directory {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if name.parent().is_none_or(|dir| self.names.get(dir) != Some(&Node::Directory)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.check_mounts(file, name)?;
        self.name(Naming::Set(name.to_owned(), node));
        Ok(())
    }

    /// Takes all that is there for written just now and never synced.
    pub fn doubt(&mut self) {
        self.durable_names.retain(|path, _| path.parent().is_none());
        self.pending_names = self.names.iter().map(|(path, node)| Naming::Set(path.clone(), *node)).collect();
        for file in self.files.values_mut() {
            (file.durable, file.pending) = (Vec::new(), vec![Change::Write(0, file.content.clone())]);
        }
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = *self.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        self.check_mounts(from, to)?;
        if matches!(node, Node::File(_)) && self.names.get(to) == Some(&node) {
            // Two names of one file: POSIX says that nothing is done, and that this is a success.
            return Ok(());
        }
        self.name(Naming::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        self.name(Naming::Remove(path.to_owned()));
        Ok(())
    }

    pub fn sync_dir(&mut self, dir: &Path) {
        let (synced, pending) =
            std::mem::take(&mut self.pending_names).into_iter().partition(|naming| naming.dir() == Some(dir));
        self.pending_names = pending;
        let synced: Vec<Naming> = synced;
        synced.iter().for_each(|naming| naming.apply(&mut self.durable_names));
    }
}
