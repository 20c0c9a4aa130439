//! Reading a git repository's first-parent line through the `git` program, as a stream.
//!
//! Two plumbing commands do it: `rev-list --first-parent` names the commits, `diff-tree --stdin` compares each with
//! the one before it on the line, which is its first parent. Both print formats made for programs, and options
//! override what a user's configuration could change in them.

use anyhow::{Context, Result, anyhow, bail};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread::JoinHandle;

/// A repository.
#[derive(Debug)]
pub struct Repository {
    dir: PathBuf,
    ceiling: PathBuf,
}

/// A commit with what it changed against its first parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The object id, in hexadecimal.
    pub id: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// `Name <address>` of the author.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
    /// The changed paths.
    pub changes: Vec<Change>,
}

/// A path that a commit set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path in the repository, as git has it: any bytes but NUL.
    pub path: Vec<u8>,
    /// What stands there now; `None` when the path is gone.
    pub entry: Option<Entry>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The mode, six octal digits: `100644`, `100755`, `120000` for a symbolic link, `160000` for a submodule.
    pub mode: String,
    /// The object id, in hexadecimal.
    pub blob: String,
}

/// Variables that would point git at another repository.
const MISLEADING: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

impl Repository {
    /// The repository in a directory; its parents are not searched for one.
    pub fn open(dir: &Path) -> Result<Self> {
        let real = dir.canonicalize().with_context(|| dir.display().to_string())?;
        let ceiling = real.parent().unwrap_or(&real).to_owned();
        let repository = Repository { dir: real, ceiling };
        let found = repository.run(["rev-parse", "--git-dir"])?;
        if !found.status.success() {
            bail!("{}: not a git repository: {}", dir.display(), said(&found.stderr));
        }
        Ok(repository)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.dir).args(["-c", "core.quotePath=false", "--no-pager"]);
        command
            .env("GIT_CEILING_DIRECTORIES", &self.ceiling)
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0");
        for name in MISLEADING {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Output> {
        self.command().args(args).output().map_err(|error| no_git(&error))
    }

    /// The commits of the first-parent line that ends at a revision, oldest first.
    pub fn first_parents(&self, revision: &str) -> Result<Vec<String>> {
        let wanted = format!("{revision}^{{commit}}");
        let tip = self.run(["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])?;
        if !tip.status.success() {
            let any = self.run(["rev-list", "--all", "--max-count=1"])?;
            match any.stdout.is_empty() {
                true => bail!("{}: the repository has no commits yet", self.dir.display()),
                false => bail!("{}: there is no commit {revision}", self.dir.display()),
            }
        }
        let tip = String::from_utf8_lossy(&tip.stdout).trim().to_owned();
        let list = self.run(["rev-list", "--first-parent", "--reverse", &tip, "--"])?;
        if !list.status.success() {
            bail!("{}: git rev-list failed: {}", self.dir.display(), said(&list.stderr));
        }
        Ok(String::from_utf8_lossy(&list.stdout).lines().map(str::to_owned).collect())
    }

    /// Reads commits of the line with their changes; `before` is the commit that the first of them follows.
    pub fn commits(&self, before: Option<&str>, commits: &[String]) -> Result<Commits> {
        let mut input = String::with_capacity(commits.len() * 82);
        let mut parent = before;
        for commit in commits {
            match parent {
                Some(parent) => writeln!(input, "{commit} {parent}")?,
                None => writeln!(input, "{commit}")?,
            }
            parent = Some(commit);
        }
        let mut command = self.command();
        command.stdin(Stdio::piped()).args([
            "diff-tree",
            "--stdin",
            "--always",
            "--root",
            "-r",
            "--raw",
            "-z",
        ]);
        command.args(["--no-renames", "--no-abbrev", "--no-relative", "--ignore-submodules=none"]);
        command.args(["--encoding=UTF-8", "--format=%x01%H%x00%ct%x00%an <%ae>%x00%s"]);
        let mut child = command.spawn().map_err(|error| no_git(&error))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(mut stderr)) = (stdin, stdout, stderr) else {
            bail!("git was started without pipes");
        };
        // A git that stops reading says why on its standard error.
        let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let complaints = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            text
        });
        let output = BufReader::with_capacity(1 << 16, stdout);
        Ok(Commits { child, output, left: commits.len(), writer: Some(writer), complaints: Some(complaints) })
    }
}

/// A stream of commits.
pub struct Commits {
    child: Child,
    output: BufReader<ChildStdout>,
    left: usize,
    writer: Option<JoinHandle<()>>,
    complaints: Option<JoinHandle<Vec<u8>>>,
}

impl Commits {
    /// The next commit, `None` behind the last one.
    pub fn next(&mut self) -> Result<Option<Commit>> {
        if self.left == 0 {
            self.finish()?;
            return Ok(None);
        }
        match self.read() {
            Ok(commit) => {
                self.left -= 1;
                Ok(Some(commit))
            }
            Err(error) => {
                // What git says itself is the better reason.
                self.finish()?;
                Err(error)
            }
        }
    }

    /// One commit: `\x01`, four fields that end in NUL, and, when something changed, a newline and its changes.
    fn read(&mut self) -> Result<Commit> {
        let id = self.field()?;
        let id =
            id.strip_prefix('\u{1}').ok_or_else(|| anyhow!("git printed something else than a commit"))?;
        let time = self.field()?;
        let mut commit = Commit {
            id: id.to_owned(),
            time: time.parse().map_err(|_| anyhow!("commit {id}: its time {time:?} is no number"))?,
            author: self.field()?,
            subject: self.field()?,
            changes: Vec::new(),
        };
        if self.peek()? == Some(b'\n') {
            self.output.consume(1);
        }
        while self.peek()? == Some(b':') {
            let change = self.change().with_context(|| format!("commit {}", commit.id))?;
            commit.changes.push(change);
        }
        Ok(commit)
    }

    /// `:<old mode> <new mode> <old id> <new id> <status>` NUL `<path>` NUL
    fn change(&mut self) -> Result<Change> {
        let line = self.field()?;
        let mut words = line.split(' ').skip(1);
        let (Some(mode), Some(_), Some(blob), Some(_)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            bail!("git printed a change that cannot be read: {line:?}");
        };
        let path = self.bytes()?;
        let gone = mode.bytes().all(|digit| digit == b'0');
        let entry = (!gone).then(|| Entry { mode: mode.to_owned(), blob: blob.to_owned() });
        Ok(Change { path, entry })
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        Ok(self.output.fill_buf().context("git's output")?.first().copied())
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.output.read_until(0, &mut bytes).context("git's output")?;
        match bytes.pop() {
            Some(0) => Ok(bytes),
            _ => bail!("git's output ends early"),
        }
    }

    fn field(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            // Git may still be printing; what is left is not wanted.
            std::io::copy(&mut self.output, &mut std::io::sink()).context("git's output")?;
            let _ = writer.join();
        }
        let status = self.child.wait().context("git")?;
        let complaints = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if status.success() { Ok(()) } else { bail!("git diff-tree failed: {}", said(&complaints)) }
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        // A git that is no longer listened to is ended and waited for; both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn no_git(error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            anyhow!("the program git was not found; install it, or add it to PATH")
        }
        _ => anyhow!("git cannot be started: {error}"),
    }
}

/// What git said on standard error, on one line.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    crate::table::printable(&lines.join("; "))
}

/// A path as text: `%` and every byte that is not part of UTF-8 text stand as `%` and two hexadecimal digits, so that
/// different paths stay different and each can be had back.
pub fn path_text(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' { out.push_str("%25") } else { out.push(c) }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_has_a_text_of_its_own() {
        assert_eq!(path_text(b"src/a b.rs"), "src/a b.rs");
        assert_eq!(path_text("\u{fc}\n".as_bytes()), "\u{fc}\n");
        assert_eq!(path_text(b"100%"), "100%25");
        assert_eq!(path_text(b"a\xff\xfeb"), "a%FF%FEb");
        assert_eq!(path_text(b"%FF"), "%25FF");
    }
}
