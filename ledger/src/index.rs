//! The state index: what each key holds now, with the row that set it.
//!
//! It runs behind the log and holds nothing that cannot be rebuilt from it. Its watermark names the rows it covers and
//! the hash of the last one; it is written after the changes it stands for, and applying the same rows again gives
//! the same result. sled holds it; when sled fails, memory does, and the log goes on.

use crate::held::{read_held, write_held};
use counterfoil_format::Hash;
use counterfoil_format::codec::{CodecError, Cursor, put_varint};
pub use counterfoil_rules::state::Held;
use std::collections::HashMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Which rows an index covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// How many.
    pub rows: u64,
    /// The hash of the last of them.
    pub last_hash: Hash,
}

/// What an index must be able to do. An error means that nothing it says can be trusted any more.
pub trait StateIndex: Send + Sync {
    /// What a key holds.
    fn get(&self, key: &str) -> Result<Option<Held>, String>;
    /// Sets or removes a key.
    fn set(&self, key: &str, held: Option<&Held>) -> Result<(), String>;
    /// Which rows the index covers; `None` when it is new.
    fn watermark(&self) -> Result<Option<Watermark>, String>;
    /// Says which rows the index covers, after their changes were set.
    fn set_watermark(&self, watermark: &Watermark) -> Result<(), String>;
}

/// Where state indexes are kept.
pub trait IndexSource: Send + Sync + Debug {
    /// Opens or creates the index in a directory.
    fn open(&self, dir: &Path) -> Result<Arc<dyn StateIndex>, String>;
}

/// Indexes in sled.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sled;

impl IndexSource for Sled {
    fn open(&self, dir: &Path) -> Result<Arc<dyn StateIndex>, String> {
        Ok(Arc::new(SledIndex::open(dir)?))
    }
}

/// Indexes in memory, which are gone with the handle and rebuilt from the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct InMemory;

impl IndexSource for InMemory {
    fn open(&self, _: &Path) -> Result<Arc<dyn StateIndex>, String> {
        Ok(Arc::new(MemoryIndex::default()))
    }
}

/// An index in memory.
#[derive(Default)]
pub(crate) struct MemoryIndex {
    held: RwLock<HashMap<String, Held>>,
}

impl StateIndex for MemoryIndex {
    fn get(&self, key: &str) -> Result<Option<Held>, String> {
        Ok(self.held.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn set(&self, key: &str, held: Option<&Held>) -> Result<(), String> {
        let mut map = self.held.write().unwrap_or_else(PoisonError::into_inner);
        match held {
            Some(held) => drop(map.insert(key.to_owned(), held.clone())),
            None => drop(map.remove(key)),
        }
        Ok(())
    }

    fn watermark(&self) -> Result<Option<Watermark>, String> {
        Ok(None)
    }

    fn set_watermark(&self, _: &Watermark) -> Result<(), String> {
        Ok(())
    }
}

/// An index in sled. Its panics become errors, those of closing it too.
pub(crate) struct SledIndex(Option<Trees>);

struct Trees {
    state: sled::Tree,
    meta: sled::Tree,
    db: sled::Db,
}

const WATERMARK: &[u8] = b"watermark";
const VERSION: u64 = 1;
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// How often, and with which pauses, a lock is waited for that an earlier handle still holds.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("sled panicked".to_owned()))
}

impl SledIndex {
    /// Opens or creates the index in a directory. An earlier handle of this process may still be on its way out, as
    /// sled's threads hold its lock for a moment longer; the writer's own lock has kept every other process out.
    pub fn open(path: &Path) -> Result<Self, String> {
        for _ in 0..LOCK_TRIES {
            match guarded(|| Self::open_once(path)) {
                Err(reason) if reason.contains("acquire lock") => std::thread::sleep(LOCK_PAUSE),
                result => return result,
            }
        }
        guarded(|| Self::open_once(path))
    }

    fn open_once(path: &Path) -> Result<Self, String> {
        let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(Some(1000));
        let db = config.open().map_err(|error| error.to_string())?;
        let tree = |name: &str| db.open_tree(name).map_err(|error| error.to_string());
        Ok(SledIndex(Some(Trees { state: tree("state")?, meta: tree("meta")?, db })))
    }

    fn trees(&self) -> Result<&Trees, String> {
        self.0.as_ref().ok_or_else(|| "sled is closed".to_owned())
    }
}

impl Drop for SledIndex {
    fn drop(&mut self) {
        // What is not flushed is applied again from the log, so a failure here costs time and nothing else. sled syncs
        // once more as it is dropped, and panics when that fails.
        let trees = self.0.take();
        let _ = guarded(move || match trees {
            Some(trees) => trees.db.flush().map(drop).map_err(|error| error.to_string()),
            None => Ok(()),
        });
    }
}

impl StateIndex for SledIndex {
    fn get(&self, key: &str) -> Result<Option<Held>, String> {
        guarded(|| {
            let bytes = self.trees()?.state.get(key).map_err(|error| error.to_string())?;
            bytes.map(|bytes| decode_held(&bytes).map_err(|error| error.to_string())).transpose()
        })
    }

    fn set(&self, key: &str, held: Option<&Held>) -> Result<(), String> {
        guarded(|| {
            let state = &self.trees()?.state;
            match held {
                Some(held) => state.insert(key, encode_held(held)),
                None => state.remove(key),
            }
            .map(drop)
            .map_err(|error| error.to_string())
        })
    }

    fn watermark(&self) -> Result<Option<Watermark>, String> {
        guarded(|| {
            let Some(bytes) = self.trees()?.meta.get(WATERMARK).map_err(|error| error.to_string())? else {
                return Ok(None);
            };
            decode_watermark(&bytes).map(Some).map_err(|error| error.to_string())
        })
    }

    fn set_watermark(&self, watermark: &Watermark) -> Result<(), String> {
        guarded(|| {
            let mut bytes = Vec::new();
            put_varint(VERSION, &mut bytes);
            put_varint(watermark.rows, &mut bytes);
            bytes.extend_from_slice(&watermark.last_hash.0);
            self.trees()?.meta.insert(WATERMARK, bytes).map(drop).map_err(|error| error.to_string())
        })
    }
}

fn decode_watermark(bytes: &[u8]) -> Result<Watermark, CodecError> {
    let mut cursor = Cursor::new(bytes);
    let found = cursor.varint()?;
    if found != VERSION {
        return Err(CodecError::Version { what: "a state index", found });
    }
    let watermark = Watermark { rows: cursor.varint()?, last_hash: Hash(cursor.array()?) };
    cursor.finish()?;
    Ok(watermark)
}

fn encode_held(held: &Held) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_held(held, &mut bytes);
    bytes
}

fn decode_held(bytes: &[u8]) -> Result<Held, CodecError> {
    let mut cursor = Cursor::new(bytes);
    let held = read_held(&mut cursor)?;
    cursor.finish()?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use counterfoil_rules::state::Leaf;

    #[test]
    fn a_watermark_outlives_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let watermark = Watermark { rows: 9, last_hash: Hash([2; 32]) };
        let held = Held { leaf: Leaf::Counter(4), row: 8 };
        {
            let index = SledIndex::open(dir.path()).unwrap();
            index.set("k", Some(&held)).unwrap();
            index.set_watermark(&watermark).unwrap();
        }
        let index = SledIndex::open(dir.path()).unwrap();
        assert_eq!(index.watermark(), Ok(Some(watermark)));
        assert_eq!(index.get("k"), Ok(Some(held)));
    }
}
