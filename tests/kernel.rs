//! Power cuts made by the kernel: a process appends to a ledger on an ext4 file system, and the kernel shuts the file
//! system down under it. What the file system had not handed to the disk is gone.
//!
//! Two things are not as they are when power goes. The disk below is a file of another file system, which loses nothing:
//! whether a disk empties its own cache when it is told to is not shown. And processes live on: an fdatasync that is under
//! way while ext4 is shut down mostly says that it was done, and its bytes are gone. With power, whoever is told so would
//! be gone too; so what is acknowledged counts when it was heard before the cut.
//!
//! `COUNTERFOIL_KERNEL_CUTS` says how many cuts there are; without it the test passes, and
//! says so, where it cannot run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use counterfoil_ledger::{Ledger, Platform};
use counterfoil_tests::appender::{Appender, Moment, Orders};
use counterfoil_tests::image::Image;
use counterfoil_tests::journal::{Journal, Said};
use counterfoil_tests::notice::skipped;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{FOUNDING, Shop};
use counterfoil_verifier::{Options, Verdict, verify};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Small segments, so that cuts also hit the change from one to the next.
const SEGMENT_BYTES: u64 = 64 << 10;
/// After so many cuts another ledger is begun, and that is cut too.
const CUTS_OF_A_LEDGER: u64 = 10;

/// How many cuts were asked for.
fn asked() -> Option<u64> {
    std::env::var("COUNTERFOIL_KERNEL_CUTS").ok().map(|cuts| cuts.parse().unwrap())
}

/// A file system; `None`, and a loud word, where none can be had and nobody asked for it.
fn image() -> Option<Image> {
    match Image::make(192) {
        Ok(image) => Some(image),
        Err(reason) => {
            assert!(asked().is_none(), "no power can be cut here: {reason}");
            skipped(&format!(
                "no file system can be mounted and shut down here ({reason}); power cuts by the kernel were NOT \
                 tested. They need root, a loop device, e2fsprogs and python3"
            ));
            None
        }
    }
}

/// A ledger on a file system, and what was said about it.
struct Victim<'a> {
    image: &'a Image,
    path: PathBuf,
    journal: Journal,
    /// Rows that were acknowledged when power was going.
    too_late: u64,
}

impl<'a> Victim<'a> {
    fn new(image: &'a Image) -> Self {
        Victim { image, path: image.mounted().join("shop"), journal: Journal::default(), too_late: 0 }
    }

    /// A process appends, power goes at a moment, and comes again. Yields what the process says it ended for.
    fn cut(&mut self, orders: &Orders, moment: Moment) -> String {
        let power = self.image.power().unwrap();
        let appender = Appender::start(env!("CARGO_BIN_EXE_appender"), orders);
        appender.wait_for(moment, &mut self.journal);
        power.cut().unwrap();
        for said in appender.end().unwrap() {
            match said {
                Said::Acknowledged { .. } => self.too_late += 1,
                said => self.journal.note(said),
            }
        }
        self.image.restore().unwrap();
        self.journal.take_failure().unwrap()
    }

    fn orders(&self, rng: &mut Rng) -> Orders {
        let founds = (self.journal.acknowledged() < FOUNDING).then_some(SEGMENT_BYTES);
        Orders { founds, ..Orders::crowded(&self.path, self.journal.next(), rng.number()) }
    }

    /// Opens the ledger, or founds it where nobody was told that it was founded, and says what does not hold.
    fn check(&mut self) -> Result<(), String> {
        let shop = match self.journal.acknowledged() < FOUNDING {
            true => Shop::ensure_on(&Platform::default(), &self.path, SEGMENT_BYTES)
                .map_err(|error| format!("cannot be founded: {error}"))?,
            false => Shop::open(&self.path).map_err(|error| format!("does not open: {error}"))?,
        };
        self.journal.check_new(shop.ledger.log())?;
        self.go_on(&shop)?;
        let size = shop.ledger.log().head().size;
        drop(shop);
        check_intact(&self.path, size)
    }

    /// Removes the ledger, so that no power cut brings it back.
    fn remove(&self) {
        fs::remove_dir_all(&self.path).unwrap();
        self.image.restore().unwrap();
    }

    /// The ledger takes more rows.
    fn go_on(&mut self, shop: &Shop) -> Result<(), String> {
        let (first, rows) = (self.journal.next(), 3);
        self.journal.note(Said::Offered { first, rows });
        let receipts = shop.ledger.submit(shop.decisions(first, rows));
        let receipts = receipts.map_err(|error| format!("takes no more rows: {error}"))?;
        for seq in 0..FOUNDING {
            self.journal.note(founding_row(&shop.ledger, seq)?);
        }
        receipts.iter().for_each(|receipt| self.journal.note(receipt.into()));
        self.journal.check_new(shop.ledger.log())
    }
}

fn founding_row(ledger: &Ledger, seq: u64) -> Result<Said, String> {
    let stored = ledger.log().row(seq).map_err(|error| error.to_string())?;
    let hash = stored.parse().map_err(|error| error.to_string())?.row_hash;
    Ok(Said::Acknowledged { seq, hash })
}

fn check_intact(path: &Path, size: u64) -> Result<(), String> {
    let report = verify(path, &Options::default(), &|_, _| {}).map_err(|error| error.to_string())?;
    match report.verdict {
        Verdict::Intact if report.rows == size => Ok(()),
        Verdict::Intact => Err(format!("the verifier finds {} rows of {size}", report.rows)),
        verdict => Err(format!("the verifier says {verdict:?}: {:?}", report.findings)),
    }
}

/// A ledger is begun, and power goes again and again, the first time while it is being founded.
fn live<'a>(image: &'a Image, cuts: u64, rng: &mut Rng) -> Victim<'a> {
    let mut victim = Victim::new(image);
    for cut in 0..cuts {
        let orders = victim.orders(rng);
        let moment = match orders.founds {
            Some(_) => Moment { rows: 0, then: Duration::from_micros(rng.below(60_000)) },
            None => Moment::any(rng, 1500),
        };
        let failure = victim.cut(&orders, moment);
        let right = victim.check();
        right.unwrap_or_else(|reason| panic!("cut {cut}, at {moment:?} ({failure}): {reason}"));
    }
    victim.remove();
    victim
}

#[test]
fn what_was_acknowledged_outlives_power_cuts_by_the_kernel() {
    let Some(image) = image() else { return };
    let (mut rng, begun) = (Rng::of_this_run(), Instant::now());
    let cuts = asked().unwrap_or(6);
    let (mut done, mut ledgers, mut rows, mut too_late) = (0, 0, 0, 0);
    while done < cuts {
        let next = (cuts - done).min(CUTS_OF_A_LEDGER);
        let victim = live(&image, next, &mut rng);
        (done, ledgers) = (done + next, ledgers + 1);
        (rows, too_late) = (rows + victim.journal.acknowledged(), too_late + victim.too_late);
    }
    let seconds = begun.elapsed().as_secs();
    println!(
        "{cuts} cuts, {ledgers} ledgers, {rows} rows acknowledged and none lost, {too_late} acknowledged too late to \
         count, {seconds} s"
    );
}

/// The control: a ledger that does not sync loses rows, and this is seen. It may also be refused, when a later group
/// reached the disk before an earlier one.
#[test]
fn without_syncs_a_power_cut_by_the_kernel_loses_what_was_acknowledged() {
    let Some(image) = image() else { return };
    let mut rng = Rng::of_this_run();
    let lost = (0..5).any(|_| {
        let mut victim = Victim::new(&image);
        victim.check().unwrap();
        let orders = Orders { unsynced: true, ..victim.orders(&mut rng) };
        victim.cut(&orders, Moment { rows: 500, then: Duration::ZERO });
        let missed = victim.check().unwrap_err();
        println!("without syncs: {missed}");
        victim.remove();
        missed.contains("was acknowledged and is gone")
    });
    assert!(lost, "no row was lost without syncs");
}
