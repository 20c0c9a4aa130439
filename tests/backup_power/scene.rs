//! Scenes: a ledger and its copy on a simulated disk as a backup finds them, and what must hold whatever becomes of it.

use counterfoil_format::Hash;
use counterfoil_ledger::storage::Storage;
use counterfoil_ledger::{BackupReport, Linking, Log, OpenError};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{Shop, row_hashes};
use counterfoil_tests::sim::{Ignored, Left, SimFs};
use counterfoil_tests::trial::{ROOT, platform};
use counterfoil_verifier::{Options, Verdict, verify};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// Where the copy goes. Nothing of it is there before the first run.
pub const DEST: &str = "/safe/shops/copy";
/// Small segments: a backup takes several.
const SEGMENT_BYTES: u64 = 4096;

/// Files, and which of them have other names.
type Shared = BTreeMap<PathBuf, (Vec<u8>, bool)>;
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What a backup begins with; all of it is durable.
pub struct Scene {
    disk: SimFs,
    linking: Linking,
    /// The rows that the copy holds already.
    before: u64,
    /// The hashes of the ledger's rows.
    rows: Vec<Hash>,
    /// The ledger's files.
    files: Files,
    /// The ledger's checkpoint.
    checkpoint: Vec<u8>,
    /// Copies, and which of their files are shared with others, that were looked at and hold.
    seen: RefCell<HashSet<Shared>>,
}

/// A disk of its own, with the same content, all of it durable.
pub fn settled(fs: &SimFs) -> SimFs {
    fs.power_cut(Left::All, &mut Rng::new(0))
}

/// Files below a directory, but for the lock, by their paths in it.
fn files(fs: &SimFs, root: &str) -> Files {
    let below = |(path, bytes): (PathBuf, _)| Some((path.strip_prefix(root).ok()?.to_owned(), bytes));
    fs.contents("").into_iter().filter_map(below).filter(|(path, _)| path != Path::new("LOCK")).collect()
}

fn ends(path: &Path, end: &str) -> bool {
    path.to_string_lossy().ends_with(end)
}

fn segments(files: &Files) -> impl Iterator<Item = (&PathBuf, &Vec<u8>)> {
    files.iter().filter(|(path, _)| ends(path, ".seg"))
}

fn founded() -> SimFs {
    let fs = SimFs::default();
    Shop::begin_on(&platform(&fs), Path::new(ROOT), SEGMENT_BYTES).unwrap().ledger.close().unwrap();
    fs
}

/// Lands decisions in submissions of one to three rows.
fn append(fs: &SimFs, first: u64) {
    let shop = Shop::open_on(&platform(fs), Path::new(ROOT)).unwrap();
    for (at, rows) in [(0, 1), (1, 3), (4, 2), (6, 3), (9, 1), (10, 5), (15, 1)] {
        shop.ledger.submit(shop.decisions(first + at, rows)).unwrap();
    }
    shop.ledger.close().unwrap();
}

fn open(fs: &SimFs, root: &str) -> Result<Log, OpenError> {
    Log::open_on(&platform(fs), Path::new(root))
}

/// The rows that the verifier finds nothing wrong with.
fn intact(fs: &SimFs, root: &str) -> Result<u64, String> {
    let dir = tempfile::tempdir_in(memory()).unwrap();
    fs.export(Path::new(root), dir.path());
    let options = Options { threads: Some(1), ..Options::default() };
    let report = verify(dir.path(), &options, &|_, _| {}).map_err(|error| error.to_string())?;
    match report.verdict {
        Verdict::Intact => Ok(report.rows),
        verdict => Err(format!("the verifier says of {root} {verdict:?}: {:?}", report.findings)),
    }
}

/// A directory in memory, where there is one: thousands of ledgers are handed to the verifier.
fn memory() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    if shm.is_dir() { shm } else { std::env::temp_dir() }
}

impl Scene {
    fn of(disk: &SimFs, linking: Linking) -> Self {
        let (disk, log) = (settled(disk), open(disk, ROOT).unwrap());
        assert_eq!(intact(&disk, ROOT), Ok(log.head().size));
        Scene {
            before: open(&disk, DEST).map_or(0, |copy| copy.head().size),
            rows: row_hashes(&log),
            files: files(&disk, ROOT),
            checkpoint: log.signed_checkpoint().unwrap().to_string().into_bytes(),
            disk,
            linking,
            seen: RefCell::default(),
        }
    }

    /// A first backup.
    pub fn first(linking: Linking) -> Self {
        let disk = founded();
        append(&disk, 0);
        Self::of(&disk, linking)
    }

    /// An older copy is brought up to date.
    pub fn later(linking: Linking) -> Self {
        let disk = Self::first(linking).done();
        append(&disk, 100);
        Self::of(&disk, linking)
    }

    /// Nothing is new.
    pub fn nothing_new(linking: Linking) -> Self {
        Self::of(&Self::first(linking).done(), linking)
    }

    /// The copy has been opened for writing, and died when it had begun a segment that the ledger does not have.
    pub fn obstructed() -> Self {
        let disk = Self::of(&founded(), Linking::Allowed).done();
        let copied = open(&disk, DEST).unwrap().head();
        let mut header = disk.contents("/copy/log/00000000000000000000.seg")[0].1[..104].to_vec();
        header[16..24].copy_from_slice(&copied.size.to_le_bytes());
        header[72..104].copy_from_slice(&copied.row_hash.0);
        header[12..16].fill(0);
        let crc = crc32c::crc32c(&header).to_le_bytes();
        header[12..16].copy_from_slice(&crc);
        disk.place(&Path::new(DEST).join(format!("log/{:020}.seg", copied.size)), &header);
        append(&disk, 0);
        let scene = Self::of(&disk, Linking::Allowed);
        let begun = format!("log/{:020}.seg", copied.size);
        assert!(!scene.files.contains_key(Path::new(&begun)), "the ledger goes on in the segment it was in");
        scene
    }

    /// The copy went its own way and has lost the rows; its checkpoint alone knows of them.
    pub fn lost_fork() -> Self {
        let disk = Self::first(Linking::Never).done();
        let before = files(&disk, DEST);
        let shop = Shop::open_on(&platform(&disk), Path::new(DEST)).unwrap();
        shop.ledger.submit(shop.decisions(500, 2)).unwrap();
        shop.ledger.close().unwrap();
        append(&disk, 100);
        for (path, bytes) in segments(&before) {
            disk.overwrite(&Path::new(DEST).join(path), |found| found.clone_from(bytes));
        }
        Self::of(&disk, Linking::Allowed)
    }

    /// The same with the copy on another file system.
    pub fn across(self) -> Self {
        self.disk.mount(Path::new("/safe"));
        self
    }

    /// The disk as the backup finds it.
    pub fn disk(&self) -> SimFs {
        settled(&self.disk)
    }

    /// The disk behind a backup that met no trouble.
    pub fn done(&self) -> SimFs {
        let disk = self.disk();
        self.backup(&disk).unwrap();
        disk
    }

    /// Backs up as another process does it.
    pub fn backup(&self, fs: &SimFs) -> Result<BackupReport, String> {
        let log = open(fs, ROOT).map_err(|error| error.to_string())?;
        log.backup(Path::new(DEST), self.linking).map_err(|error| error.to_string())
    }

    /// Says what does not hold on a disk on which a backup has ended, with success or without. In the next one
    /// syncs may be left out.
    pub fn check(
        &self,
        fs: &SimFs,
        succeeded: bool,
        again: Option<Ignored>,
        rng: &mut Rng,
    ) -> Result<(), String> {
        self.check_source(fs)?;
        let copy = files(fs, DEST).into_iter().map(|(path, bytes)| {
            let shared = fs.is_shared(&Path::new(DEST).join(&path)).unwrap();
            (path, (bytes, shared))
        });
        let copy = copy.collect();
        if !self.seen.borrow().contains(&copy) {
            self.check_copy(fs)?;
            self.check_writing(fs)?;
            self.seen.borrow_mut().insert(copy);
        }
        if succeeded {
            self.check_complete(fs)?;
        }
        again.into_iter().for_each(|ignored| fs.ignore(ignored));
        let report = self.backup(fs).map_err(|error| format!("is refused the next time: {error}"))?;
        fs.attend();
        let told = report.kept + report.linked + report.copied;
        if (report.head.size, told) != (self.rows.len() as u64, segments(&self.files).count() as u64) {
            return Err(format!("the next backup tells another story: {report:?}"));
        }
        for disk in [fs, &fs.power_cut(Left::Nothing, rng)] {
            self.check_source(disk)?;
            self.check_complete(disk).map_err(|reason| format!("after the next backup: {reason}"))?;
        }
        Ok(())
    }

    /// No backup changes a byte of the ledger.
    fn check_source(&self, fs: &SimFs) -> Result<(), String> {
        if files(fs, ROOT) == self.files { Ok(()) } else { Err("the ledger was changed".to_owned()) }
    }

    /// The copy is no ledger yet, or a ledger that holds the first rows, and at least those that it held before.
    fn check_copy(&self, fs: &SimFs) -> Result<(), String> {
        let log = match open(fs, DEST) {
            Ok(log) => log,
            Err(OpenError::NotALedger { .. }) if self.before == 0 => return Ok(()),
            Err(error) => return Err(format!("the copy does not open: {error}")),
        };
        let rows = row_hashes(&log);
        if !self.rows.starts_with(&rows) {
            return Err(format!("the copy's {} rows are not the ledger's first", rows.len()));
        }
        if (rows.len() as u64) < self.before {
            return Err(format!("of the copy's {} rows {} are left", self.before, rows.len()));
        }
        let found = intact(fs, DEST)?;
        if (rows.len() as u64..=self.rows.len() as u64).contains(&found) {
            return Ok(());
        }
        Err(format!("the verifier counts {found} rows in the copy, a reader {}", rows.len()))
    }

    /// Ledger and copy take rows, and neither changes the other.
    fn check_writing(&self, fs: &SimFs) -> Result<(), String> {
        for (written, other) in [(ROOT, DEST), (DEST, ROOT)] {
            let disk = settled(fs);
            let before = files(&disk, other);
            let shop = match Shop::open_on(&platform(&disk), Path::new(written)) {
                Ok(shop) => shop,
                Err(OpenError::NotALedger { .. }) if written == DEST && self.before == 0 => continue,
                Err(error) => return Err(format!("{written} does not open for writing: {error}")),
            };
            // Where the executor is not known yet, the owner is.
            let landed = shop.ledger.submit(shop.decisions(1000, 2)).or_else(|_| shop.grant_another());
            landed.map_err(|error| format!("{written} takes no rows: {error}"))?;
            drop(shop);
            if files(&disk, other) != before {
                return Err(format!("what was written to {written} has changed {other}"));
            }
        }
        Ok(())
    }

    /// The copy is all of the ledger, and nothing else lies there.
    pub fn check_complete(&self, fs: &SimFs) -> Result<(), String> {
        let copy = files(fs, DEST);
        self.check_segments(fs)?;
        for (path, bytes) in copy.iter().filter(|(path, _)| !ends(path, ".seg")) {
            let wanted =
                if path == Path::new("checkpoint") { Some(&self.checkpoint) } else { self.files.get(path) };
            if !ends(path, ".idx") && path != Path::new("checkpoint") {
                return Err(format!("{} lies in the copy", path.display()));
            }
            if wanted != Some(bytes) {
                return Err(format!("{} is not the ledger's", path.display()));
            }
        }
        Ok(())
    }

    /// The copy's segments are the ledger's, byte for byte, its checkpoint names them all, and a reader sees all rows.
    pub fn check_segments(&self, fs: &SimFs) -> Result<(), String> {
        let (copy, ledger) = (files(fs, DEST), files(fs, ROOT));
        for (what, found) in [("copy", &copy), ("ledger", &ledger)] {
            if !segments(found).eq(segments(&self.files)) {
                let names: Vec<_> = segments(found).map(|(path, bytes)| (path, bytes.len())).collect();
                return Err(format!("the segments of the {what} are not those of the ledger: {names:?}"));
            }
        }
        if copy.get(Path::new("checkpoint")) != Some(&self.checkpoint) {
            return Err("the copy's checkpoint is not the ledger's last seal".to_owned());
        }
        let rows = open(fs, DEST).map(|log| row_hashes(&log)).map_err(|error| error.to_string())?;
        if rows == self.rows { Ok(()) } else { Err(format!("a reader sees {} rows of the copy", rows.len())) }
    }
}
