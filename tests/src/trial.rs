//! A trial: a ledger on a simulated disk, worked on until something fails, and what must hold afterwards.

use crate::rng::Rng;
use crate::shop::{Shop, decision_id, decision_key};
use crate::sim::{Ignored, Left, SimFs};
use counterfoil_format::Hash;
use counterfoil_format::intent::Micros;
use counterfoil_format::note::SignedNote;
use counterfoil_ledger::{Clock, InMemory, OpenError, Platform};
use counterfoil_verifier::{Options, Verdict, verify};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where the ledger lies.
pub const ROOT: &str = "/shop";
/// Rows of each submission, before the handle is closed and after it was opened again.
const SUBMISSIONS: [&[u64]; 2] = [&[1, 3, 2, 4, 1], &[2, 1, 5]];
/// Small segments, so that trials also go from one to the next.
const SEGMENT_BYTES: u64 = 4096;

/// A clock that moves whenever it is asked.
#[derive(Debug)]
pub struct SimClock {
    now: AtomicI64,
    step: Micros,
}

impl SimClock {
    /// A clock that moves by so many microseconds, backwards when that is negative.
    pub fn stepping(step: Micros) -> Arc<Self> {
        Arc::new(SimClock { now: AtomicI64::new(1_800_000_000_000_000), step })
    }
}

impl Clock for SimClock {
    fn now(&self) -> Micros {
        self.now.fetch_add(self.step, Ordering::Relaxed)
    }
}

/// A part of a ledger's life in which syncs may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Founding it.
    Founding,
    /// Appending.
    Appending,
    /// Opening it after the process has died, before power goes.
    Opening,
    /// Opening it after power has gone.
    Repair,
}

/// A ledger on a simulated disk.
pub struct Trial {
    /// The disk.
    pub fs: SimFs,
    /// Syncs that are left out, and when.
    pub sabotage: Option<(Phase, Ignored)>,
    created: bool,
    acknowledged: Vec<(u64, Hash)>,
    /// First decision and rows of each submission that was offered.
    offered: Vec<(u64, u64)>,
}

/// The surroundings of a simulated disk.
pub fn platform(fs: &SimFs) -> Platform {
    let clock = SimClock::stepping(60_000);
    Platform {
        storage: Arc::new(fs.clone()),
        clock,
        index: Arc::new(InMemory),
        inbox_every: None,
        snapshots_every: None,
    }
}

impl Trial {
    /// On an empty disk.
    pub fn new(sabotage: Option<(Phase, Ignored)>) -> Self {
        let fs = SimFs::default();
        Trial { fs, sabotage, created: false, acknowledged: Vec::new(), offered: Vec::new() }
    }

    fn enter(&self, fs: &SimFs, phase: Phase) {
        if let Some((when, ignored)) = self.sabotage {
            if when == phase { fs.ignore(ignored) } else { fs.attend() }
        }
    }

    /// Founds a ledger, appends, closes, opens, appends, until the disk fails.
    pub fn work(&mut self) -> Result<(), String> {
        let (root, platform) = (Path::new(ROOT), platform(&self.fs));
        self.enter(&self.fs, Phase::Founding);
        let shop = Shop::begin_on(&platform, root, SEGMENT_BYTES).map_err(|error| error.to_string())?;
        self.created = true;
        self.enter(&self.fs, Phase::Appending);
        self.append(&shop, SUBMISSIONS[0])?;
        shop.ledger.close().map_err(|error| error.to_string())?;
        let shop = Shop::open_on(&platform, root).map_err(|error| error.to_string())?;
        self.append(&shop, SUBMISSIONS[1])
    }

    fn append(&mut self, shop: &Shop, submissions: &[u64]) -> Result<(), String> {
        for rows in submissions {
            let first = self.offered.last().map_or(0, |(first, rows)| first + rows);
            self.offered.push((first, *rows));
            let receipts = shop.ledger.submit(shop.decisions(first, *rows)).map_err(|error| {
                self.check_current(shop);
                error.to_string()
            })?;
            self.acknowledged.extend(receipts.iter().map(|receipt| (receipt.seq, receipt.row_hash)));
        }
        Ok(())
    }

    /// Whatever has failed, a key is never said to hold what no durable row has set.
    fn check_current(&self, shop: &Shop) {
        let size = shop.ledger.log().head().size;
        for number in self.offered.iter().flat_map(|(first, rows)| *first..first + rows) {
            if let Ok(Some(held)) = shop.ledger.current(&decision_key(number)) {
                assert!(held.row < size, "row {} is not durable and is shown", held.row);
            }
        }
    }

    /// Opens the ledger on a disk that has power, and says what does not hold.
    pub fn check(&self, fs: &SimFs, phase: Phase, rng: &mut Rng) -> Result<(), String> {
        let root = Path::new(ROOT);
        let before = last_segment(fs);
        check_checkpoint(fs)?;
        self.enter(fs, phase);
        let shop = match Shop::open_on(&platform(fs), root) {
            Ok(shop) => shop,
            Err(error @ OpenError::NotALedger { .. }) if !self.created => {
                let again = Shop::begin_on(&platform(fs), root, SEGMENT_BYTES).map(drop);
                return again.map_err(|second| format!("not founded ({error}), and cannot be: {second}"));
            }
            Err(error) => return Err(format!("does not open: {error}")),
        };
        fs.attend();
        let shown = self.check_rows(&shop)?;
        drop(shop);
        let later = fs.power_cut(Left::Nothing, rng);
        check_kept(&later, before.as_ref())?;
        check_settled(&later, &shown)?;
        self.check_goes_on(fs, rng)
    }

    /// Acknowledged rows are there, submissions are whole. Yields the rows' hashes.
    fn check_rows(&self, shop: &Shop) -> Result<Vec<Hash>, String> {
        let log = shop.ledger.log();
        let hash = |seq| -> Result<Hash, String> {
            let stored = log.row(seq).map_err(|error| error.to_string())?;
            let row = stored.parse().map_err(|error| error.to_string())?;
            Ok(row.row_hash)
        };
        for (seq, expected) in &self.acknowledged {
            if hash(*seq)? != *expected {
                return Err(format!("row {seq} was acknowledged and is another one"));
            }
        }
        for (first, rows) in &self.offered {
            let mut found = 0;
            for number in *first..first + rows {
                let row = log.find_id(&decision_id(number)).map_err(|error| error.to_string())?;
                found += u64::from(row.is_some());
            }
            if found != 0 && found != *rows {
                return Err(format!("{found} of the {rows} rows of a submission are there"));
            }
        }
        (0..log.head().size).map(hash).collect()
    }

    /// The ledger takes more rows, which outlive a power cut; the verifier finds nothing wrong.
    fn check_goes_on(&self, fs: &SimFs, rng: &mut Rng) -> Result<(), String> {
        let next = self.offered.last().map_or(0, |(first, rows)| first + rows);
        let open = |fs: &SimFs| Shop::open_on(&platform(fs), Path::new(ROOT));
        let shop = open(fs).map_err(|error| format!("does not open again: {error}"))?;
        let receipts = match self.created {
            true => shop.ledger.submit(shop.decisions(next, 2)),
            // The executor's key may be missing.
            false => shop.grant_another(),
        };
        let receipts = receipts.map_err(|error| format!("takes no more rows: {error}"))?;
        drop(shop);
        let later = fs.power_cut(Left::Nothing, rng);
        let shop = open(&later).map_err(|error| format!("does not open after more rows: {error}"))?;
        if shop.ledger.log().head().size != receipts.last().map_or(0, |receipt| receipt.seq + 1) {
            return Err("rows landed after recovery and are gone".to_owned());
        }
        shop.ledger.close().map_err(|error| format!("does not close: {error}"))?;
        check_intact(&later)
    }
}

fn last_segment(fs: &SimFs) -> Option<Vec<u8>> {
    fs.contents(".seg").pop().map(|(_, bytes)| bytes)
}

/// The checkpoint file is a whole one, or there is none.
fn check_checkpoint(fs: &SimFs) -> Result<(), String> {
    let whole = |(_, bytes): &(_, Vec<u8>)| SignedNote::parse(bytes).is_ok();
    match fs.contents("/checkpoint").iter().all(whole) {
        true => Ok(()),
        false => Err("the checkpoint file is torn".to_owned()),
    }
}

/// What was cut from the last segment lies in quarantine.
fn check_kept(fs: &SimFs, before: Option<&Vec<u8>>) -> Result<(), String> {
    let (Some(before), Some(after)) = (before, last_segment(fs)) else { return Ok(()) };
    let cut = match before.strip_prefix(after.as_slice()) {
        Some([]) => return Ok(()),
        Some(cut) => cut,
        // The segment that was last has been removed whole.
        None => before,
    };
    let kept = fs.contents(".torn").iter().any(|(_, bytes)| bytes == cut);
    if kept { Ok(()) } else { Err(format!("{} bytes were cut and are not in quarantine", cut.len())) }
}

/// What an open ledger has shown outlives a power cut, and what it has mended is mended.
fn check_settled(fs: &SimFs, shown: &[Hash]) -> Result<(), String> {
    let shop = Shop::open_on(&platform(fs), Path::new(ROOT));
    let shop = shop.map_err(|error| format!("does not open a second time: {error}"))?;
    if let Some(notice) = shop.ledger.notices().iter().find(|notice| notice.contains("a crash")) {
        return Err(format!("mended twice: {notice}"));
    }
    match shop.ledger.log().head().size {
        left if left < shown.len() as u64 => Err(format!("{} rows were shown, {left} are left", shown.len())),
        _ => Ok(()),
    }
}

/// The verifier finds nothing wrong.
pub fn check_intact(fs: &SimFs) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs.export(Path::new(ROOT), dir.path());
    let report = verify(dir.path(), &Options::default(), &|_, _| {}).map_err(|error| error.to_string())?;
    match report.verdict {
        Verdict::Intact => Ok(()),
        verdict => Err(format!("the verifier says {verdict:?}: {:?}", report.findings)),
    }
}
