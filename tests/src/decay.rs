//! A small sound ledger whose file `checkpoint` or `durable` holds any bytes, and what must hold then.

use crate::rng::Rng;
use crate::shop::{Keys, Shop, decisions, row_hashes};
use crate::sim::{Left, SimFs};
use crate::trial::{ROOT, platform};
use counterfoil_format::Hash;
use counterfoil_format::merkle::{CompactRange, row_leaf};
use counterfoil_format::note::{Checkpoint, NoteError, SignedNote, VerifierKey};
use counterfoil_ledger::{Ledger, Log, OpenError, Signer};
use counterfoil_verifier::{Options, Verdict, verify_sequential};
use std::path::{Path, PathBuf};

/// The ledger.
pub struct Sound {
    disk: SimFs,
    rows: Vec<Hash>,
    /// The root of the first rows, by their number.
    roots: Vec<Hash>,
    keys: Keys,
    key: VerifierKey,
    /// The same ledger for the verifier.
    dir: tempfile::TempDir,
}

/// What a checkpoint file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing: it is no checkpoint, or the ledger's key has not signed what it says.
    Nothing,
    /// The rows that are there, or the first of them.
    Rows,
    /// Rows that are not there, and the ledger's key has signed it or may have: it names a key that the log does not know.
    MoreRows,
    /// No more rows than are there, and not as they are, or by a key that the log does not know.
    Otherwise,
}

impl Sound {
    /// A closed ledger of a few rows.
    pub fn new() -> Self {
        let fs = SimFs::default();
        let shop = Shop::begin_on(&platform(&fs), Path::new(ROOT), 4096).unwrap();
        (0..2).for_each(|number| drop(shop.ledger.submit(shop.decisions(number * 2, 2)).unwrap()));
        shop.ledger.close().unwrap();
        let disk = fs.power_cut(Left::All, &mut Rng::new(0));
        let log = Log::open_on(&platform(&disk), Path::new(ROOT)).unwrap();
        let (rows, mut tree) = (row_hashes(&log), CompactRange::starting_at(0));
        let roots = rows.iter().map(|hash| {
            tree.push(row_leaf(hash));
            tree.root().unwrap()
        });
        let roots = roots.collect();
        let shm = PathBuf::from("/dev/shm");
        let dir = tempfile::tempdir_in(if shm.is_dir() { shm } else { std::env::temp_dir() }).unwrap();
        disk.export(Path::new(ROOT), dir.path());
        let keys = Keys::default();
        let key = VerifierKey { name: log.origin().to_owned(), key: keys.ledger.public().clone() };
        Sound { disk, rows, roots, keys, key, dir }
    }

    /// The bytes of one of its files.
    pub fn file(&self, name: &str) -> Vec<u8> {
        self.disk.contents(&format!("/{name}"))[0].1.clone()
    }

    /// How many rows it has.
    pub fn size(&self) -> u64 {
        self.rows.len() as u64
    }

    /// A note of any size and root, which the ledger's key signs.
    pub fn signed(&self, size: u64, root: Hash) -> Vec<u8> {
        let text = Checkpoint { origin: self.key.name.clone(), size, root }.text();
        let signature = self.keys.ledger.sign(text.as_bytes());
        SignedNote::new(text, &self.key, &signature).to_string().into_bytes()
    }

    /// The root of its first rows.
    pub fn root(&self, size: u64) -> Option<Hash> {
        self.roots.get(usize::try_from(size.checked_sub(1)?).ok()?).copied()
    }

    /// What bytes say as the file `checkpoint`.
    pub fn said(&self, bytes: &[u8]) -> Said {
        let Ok(note) = SignedNote::parse(bytes) else { return Said::Nothing };
        let Ok(named) = Checkpoint::parse(&note.text) else { return Said::Nothing };
        let signed = note.verify(&self.key);
        let origin = named.origin == self.key.name;
        match signed {
            Err(NoteError::BadSignature(_)) => Said::Nothing,
            _ if named.size > self.size() => Said::MoreRows,
            Ok(()) if origin && self.root(named.size) == Some(named.root) => Said::Rows,
            _ => Said::Otherwise,
        }
    }

    /// Puts bytes into the file `checkpoint` of the ledger, and checks all that is said of it then.
    pub fn check_checkpoint(&self, bytes: &[u8]) {
        let said = self.said(bytes);
        let fs = self.with("checkpoint", bytes);
        self.check_reader(&fs, said);
        self.check_writer(&fs, said, bytes);
        self.check_verdict(bytes, said);
    }

    /// The same for the file `durable`, of which the verifier knows nothing.
    pub fn check_durable(&self, bytes: &[u8]) {
        let fs = self.with("durable", bytes);
        self.check_reader(&fs, Said::Rows);
        self.check_writer(&fs, Said::Rows, &self.file("checkpoint"));
    }

    /// A disk of its own on which a file holds other bytes.
    fn with(&self, name: &str, bytes: &[u8]) -> SimFs {
        let fs = self.disk.power_cut(Left::All, &mut Rng::new(0));
        fs.overwrite(&Path::new(ROOT).join(name), |content| *content = bytes.to_vec());
        // A side file of the last segment would vouch for all rows.
        fs.lose(".idx");
        fs
    }

    /// Every row is shown, and none that is not there, unless rows are named that are not there.
    fn check_reader(&self, fs: &SimFs, said: Said) {
        match Log::open_on(&platform(fs), Path::new(ROOT)) {
            Ok(log) => {
                assert_ne!(said, Said::MoreRows, "rows are missing, and nothing is said");
                assert_eq!(row_hashes(&log), self.rows, "{said:?}");
                assert!(!log.refresh().unwrap());
            }
            Err(error) => self.check_refused(&error, said),
        }
    }

    fn check_refused(&self, error: &OpenError, said: Said) {
        assert!(matches!(error, OpenError::Broken { .. }), "{error}");
        assert_eq!(said, Said::MoreRows, "all rows are there: {error}");
        assert!(error.to_string().contains(&format!("the log holds {}", self.size())), "{error}");
    }

    /// It opens with every row, says what it does not believe, takes rows, and then the file is a true one again.
    fn check_writer(&self, fs: &SimFs, said: Said, bytes: &[u8]) {
        let root = Path::new(ROOT);
        let ledger = match Ledger::open_on(&platform(fs), root, self.keys.ledger.clone()) {
            Ok(ledger) => ledger,
            Err(error) => {
                self.check_refused(&error, said);
                assert_eq!(fs.contents("/checkpoint")[0].1, bytes, "nothing is changed");
                return;
            }
        };
        assert_ne!(said, Said::MoreRows, "rows are missing, and nothing is said");
        assert_eq!(row_hashes(ledger.log()), self.rows, "{said:?}");
        let told = ledger.notices().iter().any(|notice| notice.contains("/checkpoint"));
        assert_eq!(told, said == Said::Nothing, "{said:?}: {:?}", ledger.notices());
        ledger.submit(decisions(&self.keys.executor, ledger.ledger_id(), 100, 1)).unwrap();
        drop(ledger);
        assert_eq!(Log::open_on(&platform(fs), root).unwrap().head().size, self.size() + 1);
        let note = SignedNote::parse(&fs.contents("/checkpoint")[0].1).unwrap();
        assert_eq!(note.verify(&self.key), Ok(()), "the row's seal replaces it");
        assert_eq!(Checkpoint::parse(&note.text).unwrap().size, self.size() + 1);
    }

    /// The verifier finds the ledger intact, and the file to be what it is.
    fn check_verdict(&self, bytes: &[u8], said: Said) {
        std::fs::write(self.dir.path().join("checkpoint"), bytes).unwrap();
        let report = verify_sequential(self.dir.path(), &Options::default(), &|_, _| {}).unwrap();
        let wanted = if said == Said::Rows { Verdict::Intact } else { Verdict::Broken };
        assert_eq!(report.verdict, wanted, "{said:?}: {:?}", report.findings);
        assert!(
            report.findings.iter().all(|finding| finding.segment == "checkpoint"),
            "{:?}",
            report.findings
        );
    }
}

impl Default for Sound {
    fn default() -> Self {
        Self::new()
    }
}
