//! A state index that fails when it is told to.

use counterfoil_ledger::{Held, IndexSource, StateIndex, Watermark};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A call of a state index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Opening it.
    Open,
    /// Reading a key.
    Get,
    /// Writing a key.
    Set,
    /// Reading the watermark.
    Watermark,
    /// Writing the watermark.
    SetWatermark,
}

/// Which calls fail: from the n-th of a kind on, for ever or once.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The kind.
    pub call: Call,
    /// From which one on, counted from 1.
    pub nth: u64,
    /// Whether later ones fail as well.
    pub forever: bool,
}

#[derive(Debug, Default)]
struct Store {
    held: HashMap<String, Held>,
    watermark: Option<Watermark>,
}

#[derive(Debug, Default)]
struct Failing {
    /// What the directories hold, by the number in each.
    stores: HashMap<String, Arc<Mutex<Store>>>,
    fault: Option<Fault>,
    calls: HashMap<Call, u64>,
    failed: u64,
}

/// State indexes that fail when they are told to. They lie in their directories as others do.
#[derive(Debug, Clone, Default)]
pub struct Source(Arc<Mutex<Failing>>);

struct Index {
    source: Source,
    store: Arc<Mutex<Store>>,
}

impl Source {
    fn call(&self, call: Call) -> Result<(), String> {
        let mut failing = self.0.lock().unwrap();
        let count = failing.calls.entry(call).or_default();
        *count += 1;
        let count = *count;
        let fails = failing.fault.is_some_and(|fault| {
            fault.call == call && (count == fault.nth || fault.forever && count > fault.nth)
        });
        failing.failed += u64::from(fails);
        if fails { Err(format!("{call:?} number {count} was told to fail")) } else { Ok(()) }
    }

    /// Says what is to fail from now on.
    pub fn tell(&self, fault: Option<Fault>) {
        let mut failing = self.0.lock().unwrap();
        (failing.fault, failing.failed) = (fault, 0);
        failing.calls.clear();
    }

    /// How many calls have failed since.
    pub fn failed(&self) -> u64 {
        self.0.lock().unwrap().failed
    }
}

impl IndexSource for Source {
    fn open(&self, dir: &Path) -> Result<Arc<dyn StateIndex>, String> {
        self.call(Call::Open)?;
        let mut failing = self.0.lock().unwrap();
        let number = failing.stores.len().to_string();
        fs::create_dir_all(dir).unwrap();
        let name = dir.join("number");
        let number = fs::read_to_string(&name).unwrap_or(number);
        fs::write(name, &number).unwrap();
        let store = failing.stores.entry(number).or_default().clone();
        Ok(Arc::new(Index { source: self.clone(), store }))
    }
}

impl StateIndex for Index {
    fn get(&self, key: &str) -> Result<Option<Held>, String> {
        self.source.call(Call::Get)?;
        Ok(self.store.lock().unwrap().held.get(key).cloned())
    }

    fn set(&self, key: &str, held: Option<&Held>) -> Result<(), String> {
        self.source.call(Call::Set)?;
        let map = &mut self.store.lock().unwrap().held;
        match held {
            Some(held) => drop(map.insert(key.to_owned(), held.clone())),
            None => drop(map.remove(key)),
        }
        Ok(())
    }

    fn watermark(&self) -> Result<Option<Watermark>, String> {
        self.source.call(Call::Watermark)?;
        Ok(self.store.lock().unwrap().watermark)
    }

    fn set_watermark(&self, watermark: &Watermark) -> Result<(), String> {
        self.source.call(Call::SetWatermark)?;
        self.store.lock().unwrap().watermark = Some(*watermark);
        Ok(())
    }
}
