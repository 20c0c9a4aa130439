//! A file system in memory that keeps what was written and what was synced apart.
//!
//! [`SimFs`] is a [`Storage`]. It counts calls, can fail any of them once or for ever, and can lose power at any of
//! them. [`SimFs::power_cut`] gives the disk as it may be found afterwards: of what was never synced, nothing, all, a
//! beginning, or any of its 512-byte sectors and any of its names.

mod file;
mod power;
mod world;

pub use power::Left;
pub use world::{Call, Fault, Ignored};

use counterfoil_ledger::storage::{Access, Kind, Lock, Storage, StoredFile};
use file::SimFile;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use world::{Node, World};

/// The file system. Its clones are the same one.
#[derive(Debug, Clone)]
pub struct SimFs {
    world: Arc<Mutex<World>>,
}

#[derive(Debug)]
struct SimLock {
    fs: SimFs,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.fs.world().locks.remove(&self.path);
    }
}

impl Default for SimFs {
    /// An empty disk.
    fn default() -> Self {
        let mut world = World::default();
        world.create_dirs(Path::new("/"));
        SimFs { world: Arc::new(Mutex::new(world)) }
    }
}

impl SimFs {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// How many of them could change something.
    pub fn changes(&self) -> u64 {
        self.world().changes
    }

    /// Power goes when this many calls that could change something have been made; every later call fails.
    pub fn lose_power_after(&self, changes: u64) {
        self.world().off_after = Some(changes);
    }

    /// Lets another file system begin at a directory: no file has names on both sides.
    pub fn mount(&self, dir: &Path) {
        self.world().mounts.push(dir.to_owned());
    }

    /// Takes all that is there for written just now and never synced, as when a person has copied it there.
    pub fn doubt(&self) {
        self.world().doubt();
    }

    /// Fails calls.
    pub fn fail(&self, fault: Fault) {
        self.world().fault = Some(fault);
    }

    /// From now on nothing fails and nothing is left out. What is not synced stays so: the process is a new one.
    pub fn restart(&self) {
        let mut world = self.world();
        (world.fault, world.off_after, world.ignored, world.off) = (None, None, None, false);
    }

    /// Leaves syncs out, as if they were not in the code.
    pub fn ignore(&self, ignored: Ignored) {
        self.world().ignored = Some(ignored);
    }

    /// Leaves no sync out any more.
    pub fn attend(&self) {
        self.world().ignored = None;
    }

    /// What was called, in order.
    pub fn trace(&self) -> Vec<(Call, PathBuf)> {
        self.world().trace.clone()
    }

    /// Copies files to a directory of the operating system, for tools that read no other.
    pub fn export(&self, root: &Path, to: &Path) {
        let world = self.world();
        for (path, node) in &world.names {
            let Ok(rest) = path.strip_prefix(root) else { continue };
            let target = to.join(rest);
            match node {
                Node::Directory => std::fs::create_dir_all(target).unwrap(),
                Node::File(ino) => std::fs::write(target, &world.files[ino].content).unwrap(),
            }
        }
    }

    /// The bytes of a file, or of any file whose path ends so.
    pub fn contents(&self, end: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let world = self.world();
        let found = world.names.iter().filter_map(|(path, node)| match node {
            Node::File(ino) => Some((path.clone(), world.files[ino].content.clone())),
            Node::Directory => None,
        });
        found.filter(|(path, _)| path.to_string_lossy().ends_with(end)).collect()
    }

    /// Takes files away behind everybody's back, durably.
    pub fn lose(&self, end: &str) {
        let mut world = self.world();
        let kept = |path: &Path| !path.to_string_lossy().ends_with(end);
        world.names.retain(|path, _| kept(path));
        world.durable_names.retain(|path, _| kept(path));
    }

    /// Puts a new file there behind everybody's back, durably.
    pub fn place(&self, path: &Path, bytes: &[u8]) {
        let mut world = self.world();
        let ino = world.create(path).unwrap();
        world.change(ino, world::Change::Write(0, bytes.to_vec()));
        world.sync_file(ino);
        world.sync_dir(path.parent().unwrap());
    }

    /// Changes a file behind everybody's back, durably.
    pub fn overwrite(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        let Some(Node::File(ino)) = world.names.get(path).copied() else {
            panic!("no file {}", path.display())
        };
        let file = world.files.get_mut(&ino).unwrap();
        change(&mut file.content);
        (file.durable, file.pending) = (file.content.clone(), Vec::new());
    }
}

impl Storage for SimFs {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoredFile>> {
        let mut world = self.world();
        let creates = matches!(access, Access::CreateNew | Access::CreatePrivate | Access::Replace);
        world.enter(if creates { Call::Create } else { Call::Open }, path)?;
        let ino = match (world.names.get(path).copied(), access) {
            (Some(Node::Directory), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::File(_)), Access::CreateNew | Access::CreatePrivate) => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            (Some(Node::File(ino)), Access::Replace) => {
                world.change(ino, world::Change::Truncate(0));
                ino
            }
            (Some(Node::File(ino)), _) => ino,
            (None, _) if !creates => return Err(io::ErrorKind::NotFound.into()),
            (None, _) => world.create(path)?,
        };
        Ok(Arc::new(SimFile {
            fs: self.clone(),
            path: path.to_owned(),
            ino,
            writable: access != Access::Read,
        }))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut world = self.world();
        world.enter(Call::Lock, path)?;
        if !world.names.contains_key(path) {
            world.create(path)?;
        }
        let free = world.locks.insert(path.to_owned());
        Ok(free.then(|| Box::new(SimLock { fs: self.clone(), path: path.to_owned() }) as Box<dyn Lock>))
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        Some(match self.world().names.get(path)? {
            Node::Directory => Kind::Directory,
            Node::File(_) => Kind::File,
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut world = self.world();
        world.enter(Call::List, dir)?;
        if world.names.get(dir) != Some(&Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = world.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.enter(Call::CreateDirs, dir)?;
        world.create_dirs(dir);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.enter(Call::Rename, to)?;
        world.rename(from, to)
    }

    fn hard_link(&self, file: &Path, name: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.enter(Call::Link, name)?;
        world.link(file, name)
    }

    fn is_shared(&self, file: &Path) -> io::Result<bool> {
        let mut world = self.world();
        world.enter(Call::Size, file)?;
        let node = *world.names.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(world.links(node) > 1)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.enter(Call::Remove, path)?;
        world.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        if world.enter_sync(Call::SyncDir, dir)? {
            world.sync_dir(dir);
        }
        Ok(())
    }
}
