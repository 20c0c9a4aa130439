//! The fast way: groups on all cores, joined in order.
//!
//! The log is read in windows of groups. Each window goes through three steps:
//!
//! 1. every group is taken apart by itself, on all cores ([`Partial`]);
//! 2. neighbours are joined in order: the chain, the tree at each seal, the keys in force at each row;
//! 3. signatures are checked on all cores while the meaning of the rows is checked in row order.
//!
//! While a window is in step 3 the next one goes through steps 1 and 2. Two windows are in memory at a time, however
//! long the log is.

use crate::Progress;
use crate::anchors::Anchors;
use crate::error::VerifyError;
use crate::join::{Item, Joint};
use crate::meaning::Meaning;
use crate::options::{Options, Scope};
use crate::outcome::Outcome;
use crate::partial::Partial;
use crate::signatures::Job;
use crate::source::Book;
use crate::tally::Tally;
use crate::walk::{Event, Walk};
use counterfoil_format::intent::KeyId;
use counterfoil_format::key::{PublicKey, SignatureBytes};
use counterfoil_format::prepared::PreparedKey;
use rayon::prelude::*;
use std::collections::HashMap;

/// A window is full when its bodies have this many bytes,
const WINDOW_BYTES: usize = 8 << 20;
/// or this many rows,
const WINDOW_ROWS: usize = 1 << 16;
/// or when this many things were met.
const WINDOW_EVENTS: usize = 256;
/// Memory for bodies that is kept from window to window.
const SPARE_BYTES: usize = 4 * WINDOW_BYTES;
/// Signatures that one core checks before it looks for other work.
const SIGNATURES: usize = 16;

/// Verifies a book on several cores.
pub(crate) fn run(
    book: &Book,
    options: &Options,
    anchors: Anchors,
    progress: &Progress<'_>,
) -> Result<Outcome, VerifyError> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(options.threads.unwrap_or(0)).build();
    let threads = threads.map_err(|error| VerifyError::Threads(error.to_string()))?;
    let all = options.scope == Scope::All;
    let mut front = Front {
        walk: Walk::new(book),
        joint: Joint::new(book, anchors, all),
        spares: Vec::new(),
        all,
        total: book.bytes(),
        progress,
    };
    let mut meaning = all.then(|| Meaning::new(book));
    let mut tally = Tally::default();
    threads.install(|| {
        let mut ready = front.window()?;
        while let Some(window) = ready {
            let (done, next) = rayon::join(|| window.finish(meaning.as_mut()), || front.window());
            let (found, items) = done?;
            tally.merge(found);
            front.give_back(items);
            ready = next?;
        }
        Ok(())
    })?;
    if let Some(meaning) = meaning {
        meaning.finish(&mut tally)?;
    }
    Ok(front.joint.finish(tally))
}

/// Reads windows and takes them through the first two steps.
struct Front<'a> {
    walk: Walk<'a>,
    joint: Joint<'a>,
    spares: Vec<Vec<u8>>,
    all: bool,
    total: u64,
    progress: &'a Progress<'a>,
}

/// A window behind the second step.
struct Window {
    items: Vec<Item>,
    jobs: Vec<Job>,
    tally: Tally,
}

impl Front<'_> {
    /// The next window; `None` at the end of the log.
    fn window(&mut self) -> Result<Option<Window>, VerifyError> {
        let (mut events, mut bytes, mut rows) = (Vec::new(), 0, 0);
        while bytes < WINDOW_BYTES && rows < WINDOW_ROWS && events.len() < WINDOW_EVENTS {
            let spares = &mut self.spares;
            let Some(event) = self.walk.next(|| spares.pop().unwrap_or_default())? else { break };
            if let Event::Group(group) = &event {
                bytes += group.body.len();
                rows += group.header.rows as usize;
            }
            events.push(event);
        }
        (self.progress)(self.walk.passed(), self.total);
        if events.is_empty() {
            return Ok(None);
        }
        let all = self.all;
        let mut items: Vec<Item> = events.into_par_iter().map(|event| apart(event, all)).collect();
        let (mut jobs, mut tally) = (Vec::new(), Tally::default());
        for item in &mut items {
            self.joint.join(item, &mut jobs, &mut tally);
        }
        Ok(Some(Window { items, jobs, tally }))
    }

    /// Takes back the memory of a window that is done.
    fn give_back(&mut self, items: Vec<Item>) {
        let mut kept: usize = self.spares.iter().map(Vec::capacity).sum();
        for item in items {
            let Item::Group { group, .. } = item else { continue };
            kept += group.body.capacity();
            if kept <= SPARE_BYTES {
                self.spares.push(group.body);
            }
        }
    }
}

/// The first step.
fn apart(event: Event, all: bool) -> Item {
    match event {
        Event::Segment(file) => Item::Segment(file),
        Event::Damage(damage) => Item::Damage(damage),
        Event::Group(group) => {
            let partial = Box::new(Partial::of(&group, all));
            Item::Group { group, partial, lost: false }
        }
    }
}

impl Window {
    /// The third step; yields what it found, and the window's memory.
    fn finish(self, meaning: Option<&mut Meaning<'_>>) -> Result<(Tally, Vec<Item>), VerifyError> {
        let Window { items, jobs, mut tally } = self;
        let (signatures, meant) = rayon::join(|| check_signatures(&jobs), || mean(&items, meaning));
        tally.merge(signatures);
        tally.merge(meant?);
        Ok((tally, items))
    }
}

/// A key with so many signatures in a window is worth making ready.
const WORTH_PREPARING: usize = 16;

/// The keys with many signatures among these, made ready.
fn prepare(jobs: &[Job]) -> HashMap<KeyId, PreparedKey> {
    let mut counts: HashMap<KeyId, (usize, &PublicKey)> = HashMap::new();
    for job in jobs {
        counts.entry(job.key.id()).or_insert((0, &job.key)).0 += 1;
    }
    let many = counts.into_iter().filter(|(_, (count, _))| *count >= WORTH_PREPARING);
    many.map(|(id, (_, key))| (id, PreparedKey::new(key))).collect()
}

fn check_signatures(jobs: &[Job]) -> Tally {
    let prepared = prepare(jobs);
    let verify = |key: &PublicKey, message: &[u8], signature: &SignatureBytes| match prepared.get(&key.id()) {
        Some(ready) if ready.key() == key => ready.verify(message, signature),
        _ => key.verify(message, signature),
    };
    let check = |mut tally: Tally, job: &Job| {
        job.run(verify, &mut tally);
        tally
    };
    let merge = |mut sum: Tally, tally: Tally| {
        sum.merge(tally);
        sum
    };
    jobs.par_iter().with_min_len(SIGNATURES).fold(Tally::default, check).reduce(Tally::default, merge)
}

fn mean(items: &[Item], meaning: Option<&mut Meaning<'_>>) -> Result<Tally, VerifyError> {
    let mut tally = Tally::default();
    let Some(meaning) = meaning else { return Ok(tally) };
    for item in items {
        let Item::Group { group, partial, lost } = item else { continue };
        if *lost {
            meaning.lose(group.header.first_seq);
        }
        match &partial.contents {
            Ok(contents) => {
                meaning.ids(&contents.rows, &mut tally);
                for seen in &contents.rows {
                    meaning.row(seen, group, &contents.arena, &mut tally)?;
                }
            }
            Err(_) => meaning.lose_group(&group.header, &mut tally),
        }
    }
    Ok(tally)
}
