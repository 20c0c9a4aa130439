//! What a power cut leaves.

use super::SimFs;
use super::world::{Bytes, Change, Node, World};
use crate::rng::Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What is left of what was never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// All of it.
    All,
    /// The first changes of each file and the first names, the last of them in part.
    Beginning,
    /// Any sectors of any changes, any sizes on the way, any names.
    Anything,
}

impl Left {
    /// All of them.
    pub const ALL: [Left; 4] = [Left::Nothing, Left::All, Left::Beginning, Left::Anything];
}

/// A disk writes these whole or not at all.
const SECTOR: u64 = 512;

impl SimFs {
    /// The disk as it may be found when power comes back.
    pub fn power_cut(&self, left: Left, rng: &mut Rng) -> SimFs {
        let world = self.world();
        let names = reachable(&names_left(&world, left, rng));
        let mounts = world.mounts.clone();
        let mut after = World { durable_names: names.clone(), names, mounts, ..World::default() };
        for node in after.names.values() {
            let Node::File(ino) = node else { continue };
            let durable = bytes_left(&world.files[ino], left, rng);
            let content = durable.clone();
            after.files.insert(*ino, Bytes { content, durable, pending: Vec::new() });
        }
        // Numbers of files are given out in order; those that are gone keep theirs.
        for ino in 0..world.files.len() as u64 {
            after.files.entry(ino).or_default();
        }
        SimFs { world: Arc::new(Mutex::new(after)) }
    }
}

fn names_left(world: &World, left: Left, rng: &mut Rng) -> BTreeMap<PathBuf, Node> {
    let mut names = world.durable_names.clone();
    let count = world.pending_names.len();
    let first = rng.place(count + 1);
    for (place, naming) in world.pending_names.iter().enumerate() {
        let kept = match left {
            Left::Nothing => false,
            Left::All => true,
            Left::Beginning => place < first,
            Left::Anything => rng.below(2) == 0,
        };
        if kept {
            naming.apply(&mut names);
        }
    }
    names
}

/// Names whose directories are there.
fn reachable(names: &BTreeMap<PathBuf, Node>) -> BTreeMap<PathBuf, Node> {
    let there = |path: &Path| path.ancestors().skip(1).all(|dir| names.get(dir) == Some(&Node::Directory));
    names.iter().filter(|(path, _)| there(path)).map(|(path, node)| (path.clone(), *node)).collect()
}

fn bytes_left(file: &Bytes, left: Left, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = file.durable.clone();
    match left {
        Left::Nothing => {}
        Left::All => file.pending.iter().for_each(|change| change.apply(&mut bytes)),
        Left::Beginning => {
            let whole = rng.place(file.pending.len() + 1);
            file.pending[..whole].iter().for_each(|change| change.apply(&mut bytes));
            if let Some(Change::Write(offset, written)) = file.pending.get(whole) {
                let part = rng.place(written.len() + 1);
                Change::Write(*offset, written[..part].to_vec()).apply(&mut bytes);
            }
        }
        Left::Anything => {
            for change in &file.pending {
                any_of(change, &mut bytes, rng);
            }
        }
    }
    bytes
}

/// Carries out any part of a change: sectors of a write, and a size that may be short of it or ahead of its bytes.
fn any_of(change: &Change, bytes: &mut Vec<u8>, rng: &mut Rng) {
    let Change::Write(offset, written) = change else {
        if rng.below(2) == 0 {
            change.apply(bytes);
        }
        return;
    };
    let size = bytes.len() as u64;
    let end = offset + written.len() as u64;
    let grown = if end > size { size + rng.below(end - size + 1) } else { size };
    let grown = if rng.below(3) == 0 { end.max(size) } else { grown };
    let mut at = *offset;
    while at < end {
        let until = (at / SECTOR + 1).saturating_mul(SECTOR).min(end);
        let range = usize::try_from(at - offset).unwrap()..usize::try_from(until - offset).unwrap();
        if rng.below(2) == 0 {
            Change::Write(at, written[range].to_vec()).apply(bytes);
        }
        at = until;
    }
    bytes.resize(usize::try_from(grown.max(size)).unwrap(), 0);
}
