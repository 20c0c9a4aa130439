//! A crash between any two steps of changing a key file in place.

use super::{Scene, give};
use crate::keyfile::{SecretKey, replace};
use crate::secret::SecretError;
use crate::storage::{Access, Disk, Kind, Lock, Storage, StoredFile};
use counterfoil_format::frame::ReadAt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The disk, up to a step at which the program is killed: that step and all later ones fail, cleaning up among them.
#[derive(Debug, Clone)]
struct Mortal {
    left: Arc<Mutex<usize>>,
    steps: Arc<Mutex<Vec<&'static str>>>,
}

impl Mortal {
    fn with(steps: usize) -> Self {
        Mortal { left: Arc::new(Mutex::new(steps)), steps: Arc::default() }
    }

    fn step(&self, step: &'static str) -> io::Result<()> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other("killed"))?;
        self.steps.lock().unwrap().push(step);
        Ok(())
    }
}

#[derive(Debug)]
struct MortalFile(Arc<dyn StoredFile>, Mortal);

impl ReadAt for MortalFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(offset, buffer)
    }
}

impl StoredFile for MortalFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.step("write")?;
        self.0.write_at(offset, bytes)
    }

    fn truncate(&self, _size: u64) -> io::Result<()> {
        unreachable!()
    }

    fn reserve(&self, _offset: u64, _bytes: u64) -> io::Result<()> {
        unreachable!()
    }

    fn sync_data(&self) -> io::Result<()> {
        unreachable!()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.1.step("sync")?;
        self.0.sync_all()
    }
}

impl Storage for Mortal {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoredFile>> {
        assert_eq!(access, Access::CreatePrivate);
        self.step("create")?;
        Ok(Arc::new(MortalFile(Disk.open(path, access)?, self.clone())))
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        unreachable!()
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        Disk.kind(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        Disk.list(dir)
    }

    fn create_dirs(&self, _dir: &Path) -> io::Result<()> {
        unreachable!()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename")?;
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove")?;
        Disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.step("sync directory")?;
        Disk.sync_dir(dir)
    }
}

#[test]
fn a_crash_leaves_the_old_file_or_the_new_one() {
    const STEPS: [&str; 5] = ["create", "write", "sync", "rename", "sync directory"];
    for killed_at in 0..=STEPS.len() {
        let scene = Scene::open();
        let path = scene.file("a.key", scene.line());
        let new = fs::read(scene.encrypted("new", &scene.line())).unwrap();
        let mortal = Mortal::with(killed_at);
        let checked = Mutex::new(false);
        let done = replace(&mortal, &path, &new, |fresh| {
            *checked.lock().unwrap() = true;
            // It is read back when it is durable, and before it takes the old one's place.
            assert_eq!(*mortal.steps.lock().unwrap(), STEPS[..3]);
            assert_eq!(fs::read(fresh).unwrap(), new);
            Ok(())
        });
        assert_eq!(done.is_ok(), killed_at == STEPS.len(), "{done:?}");
        assert_eq!(*mortal.steps.lock().unwrap(), STEPS[..killed_at]);
        assert_eq!(*checked.lock().unwrap(), killed_at >= 3);
        let kept = fs::read(&path).unwrap();
        match killed_at {
            0..=3 => assert_eq!(kept, scene.line().as_bytes(), "killed at {killed_at}"),
            _ => assert_eq!(kept, new, "killed at {killed_at}"),
        }
        assert!(SecretKey::load_with(&path, give::<SecretError>(super::WORDS)).is_ok());
    }
}

#[test]
fn a_new_file_that_is_not_good_takes_nobodys_place() {
    let scene = Scene::open();
    let path = scene.file("a.key", scene.line());
    let living = Mortal::with(usize::MAX);
    let refused =
        replace(&living, &path, b"nonsense", |fresh| Err(SecretError::NotReadBack(fresh.to_owned())));
    assert!(matches!(refused, Err(SecretError::NotReadBack(_))), "{refused:?}");
    assert_eq!(*living.steps.lock().unwrap(), ["create", "write", "sync", "remove"]);
    assert_eq!((fs::read_to_string(&path).unwrap(), scene.names()), (scene.line(), vec!["a.key".to_owned()]));
}
