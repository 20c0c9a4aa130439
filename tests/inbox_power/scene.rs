//! What is done to an inbox on a simulated disk, and what must hold afterwards.

use counterfoil_format::Hash;
use counterfoil_format::body::{Body, KeyChange, Role, Scope};
use counterfoil_format::landing::Outcome;
use counterfoil_format::value::Value;
use counterfoil_ledger::{
    Draft, DraftOp, Inbox, Layout, Ledger, Receipt, SecretKey, Signer, Submission, SubmissionBuilder,
};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{FOUNDING, Keys, Shop, decision_id, switch, switch_id};
use counterfoil_tests::sim::{Ignored, Left, SimFs};
use counterfoil_tests::trial::{ROOT, check_intact, platform};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// What is left in the inbox before it all begins: garbage, under the name of a post.
pub const GARBAGE: &str = "00000000000000000000000000000000.submission";
/// Rows of the reference decisions that landed before.
const BEFORE: u64 = 2;
/// What is posted is known by numbers: a grant, switches from 1 on, and a decision that comes too early to land.
const GRANT: u64 = 0;
const PULLED: u64 = 2;
const EARLY: u64 = 9;

/// When a sync may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Posting,
    Landing,
    /// When another process opens the ledger after the one before has died.
    Opening,
}

/// A disk with a ledger that nobody has open, and no inbox.
fn disk() -> SimFs {
    let fs = SimFs::default();
    let shop = Shop::begin_on(&platform(&fs), Path::new(ROOT), 4096).unwrap();
    shop.ledger.submit(shop.decisions(0, BEFORE)).unwrap();
    shop.ledger.close().unwrap();
    fs
}

pub fn layout(fs: &SimFs) -> Layout {
    Layout::on(Path::new(ROOT), Arc::new(fs.clone()))
}

pub fn inbox() -> PathBuf {
    Path::new(ROOT).join("inbox")
}

/// How far a run came.
#[derive(Debug, Default)]
pub struct Run {
    /// What was said to be there, and under which name.
    posted: Vec<(u64, String)>,
    /// Decisions that were submitted after the switch had been pulled, and acknowledged.
    acknowledged: Vec<Receipt>,
    /// Whether a post could not be read, so that it may be refused, or what was refused could not be moved durably.
    pub excused: bool,
}

impl Run {
    /// Leaves what is to land, under the number by which its row is known.
    fn post(&mut self, fs: &SimFs, number: u64, submission: &Submission) -> Result<(), String> {
        let posted = Inbox::on(&layout(fs)).post(submission).map_err(|error| error.to_string())?;
        let name = posted.path().file_name().unwrap().to_str().unwrap().to_owned();
        self.posted.push((number, name));
        Ok(())
    }

    /// Before anybody opens the ledger: a decision of a key that is granted right behind it, and switches, the last of
    /// them pulled.
    fn post_all(&mut self, fs: &SimFs) -> Result<(), String> {
        let keys = Keys::default();
        let (newcomer, value) = (SecretKey::from_seed(&[9; 32]).unwrap(), Value::Int(1));
        let mut early = Draft::decision(switch_id(EARLY), "SET", 0);
        early.ops.push(DraftOp::Put("early", &value));
        let key = *newcomer.public().as_bytes();
        let grant = KeyChange::Grant {
            key,
            roles: Role::Executor.bit(),
            name: "executor-2",
            scope: Scope::default(),
        };
        let grant = Draft::with_body(switch_id(GRANT), Body::Key(grant), 0);
        let early = signed(&newcomer, &early);
        Inbox::on(&layout(fs)).post(&early).map_err(|error| error.to_string())?;
        self.post(fs, GRANT, &signed(&keys.owner, &grant))?;
        self.post(fs, 1, &switch(ledger_id(), 1, false))?;
        self.post(fs, 2, &switch(ledger_id(), 2, true))
    }

    /// A writer opens the ledger and submits; then another post is made, and another submission.
    fn write(&mut self, fs: &SimFs) -> Result<(), String> {
        let shop = Shop::open_on(&platform(fs), Path::new(ROOT)).map_err(|error| error.to_string())?;
        self.submit(&shop, 10)?;
        self.post(fs, 3, &switch(ledger_id(), 3, true))?;
        self.submit(&shop, 20)
    }

    fn submit(&mut self, shop: &Shop, first: u64) -> Result<(), String> {
        let receipts = shop.ledger.submit(shop.decisions(first, 2)).map_err(|error| error.to_string())?;
        self.acknowledged.extend(receipts);
        Ok(())
    }

    /// Opens the ledger on a disk that has power, and says what does not hold.
    pub fn check(&self, fs: &SimFs, littered: bool, rng: &mut Rng) -> Result<(), String> {
        let shop = Shop::open_on(&platform(fs), Path::new(ROOT)).map_err(|error| error.to_string())?;
        let ledger = &shop.ledger;
        let rows = landed(ledger)?;
        if let Some((_, row)) = rows.iter().find(|(number, _)| *number == EARLY && !self.excused) {
            return Err(format!("what was refused has landed, as row {row}"));
        }
        for (number, name) in &self.posted {
            if self.excused && fs.contents(&format!("/quarantine/{name}")).len() == 1 {
                return Ok(());
            }
            let row = rows.iter().find(|(other, _)| other == number);
            row.ok_or_else(|| format!("{number} was posted, and is lost"))?;
        }
        if self.posted.iter().any(|(number, _)| *number == PULLED)
            && !ledger.governance().in_force.switch.engaged
        {
            return Err("the switch was pulled last and is not engaged".to_owned());
        }
        if !rows.is_sorted_by_key(|(_, row)| *row) && !self.excused {
            return Err(format!("the posts landed in another order: {rows:?}"));
        }
        self.check_receipts(ledger, &rows)?;
        let left = layout(fs).storage().list(&inbox()).unwrap_or_default();
        if let Some(left) = left.iter().find(|name| name.ends_with(".submission")) {
            return Err(format!("{left} is still there"));
        }
        check_kept(fs, littered)?;
        drop(shop);
        check_again(&fs.power_cut(Left::ALL[rng.place(4)], rng), &rows, self.excused, littered)
    }

    fn check_receipts(&self, ledger: &Ledger, rows: &[(u64, u64)]) -> Result<(), String> {
        let pulled = rows.iter().find(|(number, _)| *number == PULLED).map(|(_, row)| *row);
        for receipt in &self.acknowledged {
            let stored = ledger.log().row(receipt.seq).map_err(|error| error.to_string())?;
            if stored.parse().map_err(|error| error.to_string())?.row_hash != receipt.row_hash {
                return Err(format!("row {} was acknowledged and is another one", receipt.seq));
            }
            if receipt.outcome != Outcome::Review || Some(receipt.seq) < pulled {
                return Err(format!("row {} was decided ahead of the switch", receipt.seq));
            }
        }
        Ok(())
    }
}

/// A submission of one draft.
fn signed(author: &SecretKey, draft: &Draft<'_>) -> Submission {
    let mut builder = SubmissionBuilder::new(author).unwrap();
    builder.push(draft).unwrap();
    builder.sign(ledger_id()).unwrap()
}

/// What has landed of what is posted, and as which rows; each once.
pub fn landed(ledger: &Ledger) -> Result<Vec<(u64, u64)>, String> {
    let mut found = Vec::new();
    let mut ids = HashSet::new();
    for seq in 0..ledger.log().head().size {
        let stored = ledger.log().row(seq).map_err(|error| error.to_string())?;
        let id = stored.parse().map_err(|error| error.to_string())?.head.id;
        if !ids.insert(id) {
            return Err(format!("row {seq} has landed twice"));
        }
        found.extend((GRANT..=EARLY).filter(|number| switch_id(*number) == id).map(|number| (number, seq)));
    }
    found.sort_unstable();
    Ok(found)
}

/// What was refused is kept, once.
fn check_kept(fs: &SimFs, littered: bool) -> Result<(), String> {
    let garbage = fs.contents(GARBAGE);
    let quarantine = Path::new(ROOT).join("quarantine").join(GARBAGE);
    match garbage.as_slice() {
        [] if !littered => Ok(()),
        [(path, bytes)] if littered && *path == quarantine && bytes == b"garbage" => Ok(()),
        other => {
            Err(format!("the garbage is at {:?}", other.iter().map(|(path, _)| path).collect::<Vec<_>>()))
        }
    }
}

/// After another power cut all is as it was shown, what was refused is somewhere, and the verifier finds nothing wrong.
fn check_again(fs: &SimFs, rows: &[(u64, u64)], excused: bool, littered: bool) -> Result<(), String> {
    if littered && fs.contents(GARBAGE).is_empty() {
        return Err("the garbage is neither there nor kept".to_owned());
    }
    let shop = Shop::open_on(&platform(fs), Path::new(ROOT)).map_err(|error| error.to_string())?;
    if landed(&shop.ledger)? != rows && !excused {
        return Err(format!("{rows:?} had landed"));
    }
    let before = shop.ledger.log().find_id(&decision_id(0)).map_err(|error| error.to_string())?;
    assert_eq!(before, Some(FOUNDING));
    shop.ledger.close().map_err(|error| error.to_string())?;
    check_intact(fs)
}

/// Does all of it until something fails.
pub fn work(fs: &SimFs, sabotage: Option<(Phase, Ignored)>) -> Run {
    let left_out = |phase| match sabotage {
        Some((when, ignored)) if when == phase => fs.ignore(ignored),
        _ => fs.attend(),
    };
    let mut run = Run::default();
    left_out(Phase::Posting);
    let posted = run.post_all(fs);
    left_out(Phase::Landing);
    // Whoever could not leave a post has nothing more to say; the writer is another process.
    let _ = posted.and_then(|()| run.write(fs));
    fs.attend();
    run
}

/// The id of the ledger, which is another one each time it is founded.
pub fn ledger_id() -> Hash {
    DISKS.id
}

struct Disks {
    plain: SimFs,
    littered: SimFs,
    id: Hash,
}

/// Disks to begin with. They hold the same ledger.
static DISKS: LazyLock<Disks> = LazyLock::new(Disks::new);

impl Disks {
    fn new() -> Self {
        let plain = disk();
        let id = Shop::open_on(&platform(&plain), Path::new(ROOT)).unwrap().ledger.ledger_id();
        let littered = plain.power_cut(Left::All, &mut Rng::new(0));
        layout(&littered).storage().create_dirs(&inbox()).unwrap();
        littered.place(&inbox().join(GARBAGE), b"garbage");
        let littered = littered.power_cut(Left::All, &mut Rng::new(0));
        Disks { plain, littered, id }
    }
}

/// A disk on which nothing has been done yet; littered or without an inbox.
pub fn begin(littered: bool) -> SimFs {
    let disk = if littered { &DISKS.littered } else { &DISKS.plain };
    disk.power_cut(Left::All, &mut Rng::new(0))
}
