//! A journal of calls: one small file for each, written before the call is made and after. It survives a crash at any
//! moment, so that a later question has an answer.

use crate::call::Kind;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The largest entry.
const ENTRY_BYTES: u64 = 64 * 1024;

/// How far a call got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It began. If nothing makes it any more, nobody can tell whether it took effect.
    Begun,
    /// It took effect.
    Done,
    /// It did not take effect.
    Failed,
    /// It ended in a way that does not tell.
    Unknown,
}

/// What the journal has of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is to do.
    pub call: Kind,
    /// Its idempotency key.
    pub key: String,
    /// How far it got.
    pub state: State,
    /// Whether a failed one may succeed later.
    pub retry: bool,
    /// More about it, for people.
    pub detail: String,
}

/// A directory with an entry for each call.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
}

impl Journal {
    /// The journal in a directory, which is made when it does not exist; what it lies in must exist.
    pub fn open(dir: &Path) -> Result<Self, String> {
        let told = |error: io::Error| format!("the journal {} cannot be opened: {error}", dir.display());
        match fs::create_dir(dir) {
            Ok(()) => {
                let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
                sync(parent.unwrap_or(Path::new("."))).map_err(told)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(told(error)),
        }
        Ok(Journal { dir: dir.to_owned() })
    }

    /// Where the entry of a call lies.
    pub fn path(&self, call: Kind, key: &str) -> PathBuf {
        let hash = Sha256::digest(format!("{}\0{key}", call.name()));
        let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.dir.join(format!("{name}.json"))
    }

    /// The entry of a call.
    pub fn find(&self, call: Kind, key: &str) -> Result<Option<Entry>, String> {
        let path = self.path(call, key);
        let told = |fault: String| format!("{} cannot be read: {fault}", path.display());
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| told(error.to_string()))?,
        };
        let mut text = Vec::new();
        file.take(ENTRY_BYTES).read_to_end(&mut text).map_err(|error| told(error.to_string()))?;
        let entry: Entry = serde_json::from_slice(&text).map_err(|error| told(error.to_string()))?;
        if entry.call != call || entry.key != key {
            return Err(told("it is the entry of another call".to_owned()));
        }
        Ok(Some(entry))
    }

    /// Writes that a call begins, unless it has begun or taken effect: then yields what there is. Of several processes that
    /// begin the same call, one does.
    pub fn begin(&self, call: Kind, key: &str) -> Result<Option<Entry>, String> {
        let told = |error: io::Error| format!("the journal {} cannot be locked: {error}", self.dir.display());
        let lock = File::open(&self.dir).map_err(told)?;
        lock.lock().map_err(told)?;
        match self.find(call, key)? {
            Some(entry) if entry.state != State::Failed => return Ok(Some(entry)),
            _ => {}
        }
        let entry =
            Entry { call, key: key.to_owned(), state: State::Begun, retry: false, detail: String::new() };
        self.write(&entry)?;
        Ok(None)
    }

    /// Writes an entry, in place of the one before. It is there after a crash, whole, or the one before is.
    pub fn write(&self, entry: &Entry) -> Result<(), String> {
        let path = self.path(entry.call, &entry.key);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = serde_json::to_vec(entry).map_err(io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            let mut file = File::create(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync(&self.dir)
        });
        written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }
}

/// Makes durable what a directory lists.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(state: State) -> Entry {
        Entry { call: Kind::Do, key: "k".into(), state, retry: false, detail: "é".into() }
    }

    #[test]
    fn a_call_begins_once_and_again_when_it_failed() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal")).unwrap();
        assert_eq!(journal.find(Kind::Do, "k"), Ok(None));
        assert_eq!(journal.begin(Kind::Do, "k"), Ok(None));
        assert_eq!(journal.begin(Kind::Do, "k").unwrap().unwrap().state, State::Begun);
        // Undoing is another call, and so is another key.
        assert_eq!(journal.find(Kind::Undo, "k"), Ok(None));
        assert_eq!(journal.find(Kind::Do, "l"), Ok(None));
        journal.write(&entry(State::Failed)).unwrap();
        assert_eq!(journal.begin(Kind::Do, "k"), Ok(None));
        for state in [State::Done, State::Unknown] {
            journal.write(&entry(state)).unwrap();
            assert_eq!(journal.begin(Kind::Do, "k"), Ok(Some(entry(state))));
        }
        let names = fs::read_dir(dir.path().join("journal")).unwrap().count();
        assert_eq!(names, 1);
    }

    #[test]
    fn of_many_that_begin_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let begun = std::thread::scope(|scope| {
            let begin = || Journal::open(dir.path()).unwrap().begin(Kind::Do, "k").unwrap().is_none();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(begin)).collect();
            threads
                .into_iter()
                .filter(|_| true)
                .map(|thread| thread.join().unwrap())
                .filter(|first| *first)
                .count()
        });
        assert_eq!(begun, 1);
    }

    #[test]
    fn what_is_no_entry_is_told_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let path = journal.path(Kind::Do, "k");
        fs::write(&path, "").unwrap();
        let refused = journal.begin(Kind::Do, "k").unwrap_err();
        assert!(refused.contains(path.to_str().unwrap()), "{refused}");
        fs::write(&path, serde_json::to_vec(&Entry { key: "l".into(), ..entry(State::Done) }).unwrap())
            .unwrap();
        assert!(journal.find(Kind::Do, "k").unwrap_err().contains("another call"));
        let refused = Journal::open(&dir.path().join("a/b")).unwrap_err();
        assert!(refused.contains("cannot be opened"), "{refused}");
    }
}
