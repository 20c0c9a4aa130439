//! A ledger in a directory of its own, driven through the program as a user drives it.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::RwLock;
use tempfile::TempDir;

/// A shop's ledger.
pub struct Shop {
    dir: TempDir,
}

/// What a run of the program left.
pub struct Run {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Shop {
    /// A ledger that has just begun.
    pub fn open() -> Self {
        let shop = Shop { dir: tempfile::tempdir().unwrap() };
        let begun = shop.run(&["init", "--origin", "example.com/shop", "--policy", "open"]);
        assert_eq!(begun.status, 0, "{}", begun.err);
        shop
    }

    /// The ledger's directory.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    /// A path beside it.
    #[allow(dead_code, reason = "not every test needs a place beside the ledger")]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program, with the ledger named.
    pub fn command(&self) -> Command {
        let mut command = program();
        command.arg("-l").arg(self.path());
        command
    }

    /// Runs the program without input.
    pub fn run(&self, args: &[&str]) -> Run {
        finish(self.command().args(args), b"")
    }

    /// The same where nothing goes wrong.
    #[track_caller]
    #[allow(dead_code, reason = "not every test expects success")]
    pub fn succeeds(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.status, 0, "{args:?}: {}{}", run.out, run.err);
        run
    }

    /// Runs `append` with these arguments and lines.
    #[allow(dead_code, reason = "not every test appends")]
    pub fn append(&self, args: &[&str], lines: &str) -> Run {
        finish(self.command().arg("append").args(args), lines.as_bytes())
    }

    /// How many rows there are.
    #[allow(dead_code, reason = "not every test counts")]
    pub fn size(&self) -> u64 {
        self.run(&["status", "--json"]).json()["size"].as_u64().unwrap()
    }

    /// The newest segment.
    #[allow(dead_code, reason = "not every test looks at segments")]
    pub fn segment(&self) -> PathBuf {
        segments(&self.path()).pop().unwrap()
    }
}

/// The program, with nothing of the environment that it would read.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
    let variables = ["LEDGER", "KEY_DIR", "PASSPHRASE_FILE", "ADAPTERS"];
    for variable in variables.map(|name| format!("COUNTERFOIL_{name}")) {
        command.env_remove(variable);
    }
    command
}

/// Held while a program is started, and alone by those who open a ledger in this process: a child has this process's files,
/// with the ledger's lock among them, until it is another program.
pub static STARTING: RwLock<()> = RwLock::new(());

/// Runs a command with this input.
pub fn finish(command: &mut Command, input: &[u8]) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let starting = STARTING.read();
    let mut child = command.spawn().unwrap();
    drop(starting);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A program that has refused its input no longer reads it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { status: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

#[allow(dead_code, reason = "not every test looks at segments")]
fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("log")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    found.sort();
    found
}

impl Run {
    /// The one JSON object that was printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {:?} {}", self.out, self.err))
    }

    /// The rows that a plan takes back, in its order.
    #[allow(dead_code, reason = "not every test plans")]
    pub fn targets(&self) -> Vec<u64> {
        let plan = self.json()["plan"].as_array().unwrap().clone();
        plan.iter().map(|row| row["target"].as_u64().unwrap()).collect()
    }

    /// The JSON objects that were printed, one a line.
    #[allow(dead_code, reason = "not every test reads lines")]
    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asserts that the program ended with this status and one line of error that holds these words.
    #[allow(dead_code, reason = "not every test is about errors")]
    #[track_caller]
    pub fn fails(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "{}{}", self.out, self.err);
        assert_eq!(self.err.lines().count(), 1, "one clear error: {}", self.err);
        assert!(self.err.starts_with("counterfoil: "), "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {}", self.err);
        }
    }
}
