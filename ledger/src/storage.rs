//! The storage seam: every file operation of the ledger, and the one place that carries them out.
//!
//! The ledger names no other way to a disk than [`Storage`] and [`StoredFile`]. [`Disk`] is the operating system's.
//! Another implementation can keep what was written apart from what was synced, lose power, or fail any call.
//!
//! # Sync
//!
//! * [`StoredFile::sync_data`] makes a file's bytes and its size durable; [`StoredFile::sync_all`] its metadata too.
//! * A name (a file created, renamed or removed) is durable when [`Storage::sync_dir`] of its directory has returned.
//! * A sync that fails is final: what it should have made durable is in an unknown state, and is never synced again.

use counterfoil_format::frame::ReadAt;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of the files that are read whole, at most.
const SMALL: usize = 1 << 20;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// An existing file, to be read.
    Read,
    /// An existing file, to be read and written.
    Write,
    /// A new file, to be read and written; an error when there is one.
    CreateNew,
    /// The same, to be read by nobody but its owner.
    CreatePrivate,
    /// A new file, or the one that is there, emptied.
    Replace,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

/// A file that is open.
pub trait StoredFile: ReadAt + Send + Sync + Debug {
    /// Writes all bytes at an offset.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to a size, and gives back space that was reserved behind it.
    fn truncate(&self, size: u64) -> io::Result<()>;
    /// Reserves space from an offset on without changing the file's size. It is a hint: a disk that cannot do it is
    /// no worse for it.
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Makes bytes and size durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes bytes and metadata durable.
    fn sync_all(&self) -> io::Result<()>;
}

/// What keeps others out for as long as it lives.
pub trait Lock: Send + Sync + Debug {}

/// A file system.
pub trait Storage: Send + Sync + Debug {
    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoredFile>>;
    /// Takes an exclusive lock on a file, which is created when missing; `None` when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
    /// What stands at a path, if anything.
    fn kind(&self, path: &Path) -> Option<Kind>;
    /// The names in a directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes a directory and those above it, as far as they are missing.
    fn create_dirs(&self, dir: &Path) -> io::Result<()>;
    /// Gives a file or directory another name, in place of the file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Gives a file one more name, which must be free. A file system that cannot do it says so: callers copy then.
    fn hard_link(&self, _file: &Path, _name: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether a file has more names than one, so that what is written to it is seen under them all.
    fn is_shared(&self, _file: &Path) -> io::Result<bool> {
        Ok(false)
    }

    /// The one path of what exists, without `..` and symbolic links.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// Reads a small file whole: a checkpoint, a mark. One that is larger than they can be is an error.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_within(path, SMALL)
    }

    /// Reads a file whole. One of more bytes than `limit` is an error, and no memory is spent on it.
    fn read_within(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let file = self.open(path, Access::Read)?;
        let size = usize::try_from(file.size()?).ok().filter(|size| *size <= limit);
        let mut bytes = vec![0; size.ok_or(io::ErrorKind::FileTooLarge)?];
        file.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    }
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

#[derive(Debug)]
struct DiskFile(File);

impl ReadAt for DiskFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        ReadAt::read_exact_at(&self.0, offset, buffer)
    }
}

impl StoredFile for DiskFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        Ok(fallocate(&self.0, FallocateFlags::KEEP_SIZE, offset, bytes)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Opens a file, and nothing else: a pipe that stands in its place keeps nobody waiting.
fn open_regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "this is no regular file; put it aside, or restore what was here",
    ))
}

#[derive(Debug)]
struct DiskLock(#[expect(dead_code, reason = "the lock is held while the file is open")] File);

impl Lock for DiskLock {}

impl Storage for Disk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoredFile>> {
        let mut options = File::options();
        match access {
            Access::Read => options.read(true),
            Access::Write => options.read(true).write(true),
            Access::CreateNew => options.read(true).write(true).create_new(true),
            Access::CreatePrivate => options.read(true).write(true).create_new(true).mode(0o600),
            Access::Replace => options.read(true).write(true).create(true).truncate(true),
        };
        Ok(Arc::new(DiskFile(open_regular(&mut options, path)?)))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let file = open_regular(File::options().create(true).truncate(false).write(true), path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(DiskLock(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        let found = fs::metadata(path).ok()?;
        Some(if found.is_dir() { Kind::Directory } else { Kind::File })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        // A name that is not text is none of the ledger's.
        let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn hard_link(&self, file: &Path, name: &Path) -> io::Result<()> {
        // A link to a symbolic link would be no copy of what it leads to.
        if !fs::symlink_metadata(file)?.is_file() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        fs::hard_link(file, name)
    }

    fn is_shared(&self, file: &Path) -> io::Result<bool> {
        Ok(fs::metadata(file)?.nlink() > 1)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }
}
