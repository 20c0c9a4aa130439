//! A file of the simulated file system.

use super::SimFs;
use super::world::{Call, Change};
use counterfoil_format::frame::ReadAt;
use counterfoil_ledger::storage::StoredFile;
use std::io;
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct SimFile {
    pub fs: SimFs,
    pub path: PathBuf,
    pub ino: u64,
    pub writable: bool,
}

impl SimFile {
    fn changed(&self, call: Call, change: Change) -> io::Result<()> {
        assert!(self.writable, "{} was opened to be read alone", self.path.display());
        let mut world = self.fs.world();
        world.enter(call, &self.path)?;
        world.change(self.ino, change);
        Ok(())
    }

    fn sync(&self, call: Call) -> io::Result<()> {
        let mut world = self.fs.world();
        match world.enter_sync(call, &self.path) {
            Ok(true) => world.sync_file(self.ino),
            Ok(false) => {}
            Err(error) => {
                world.forget_if_asked(self.ino);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl ReadAt for SimFile {
    fn size(&self) -> io::Result<u64> {
        let mut world = self.fs.world();
        world.enter(Call::Size, &self.path)?;
        Ok(world.files[&self.ino].content.len() as u64)
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut world = self.fs.world();
        world.enter(Call::Read, &self.path)?;
        world.files[&self.ino].content.as_slice().read_exact_at(offset, buffer)
    }
}

impl StoredFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.changed(Call::Write, Change::Write(offset, bytes.to_vec()))
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.changed(Call::Truncate, Change::Truncate(size))
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        self.fs.world().enter(Call::Reserve, &self.path)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(Call::SyncData)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(Call::SyncAll)
    }
}
