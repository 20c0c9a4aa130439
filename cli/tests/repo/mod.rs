//! A git repository, and what git itself says of it.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Modes and blobs by the key that an import gives a path.
pub type Tree = BTreeMap<String, (String, String)>;

/// A repository.
pub struct Repo {
    pub dir: PathBuf,
}

impl Repo {
    /// A new repository.
    pub fn new(dir: PathBuf) -> Self {
        fs::create_dir(&dir).unwrap();
        let repo = Repo { dir };
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    /// Runs git in it.
    pub fn git(&self, args: &[&str]) -> String {
        let names = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "Ann Ö"));
        let addresses = ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "ann@example.com"));
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.dir).args([
            "-c",
            "core.quotePath=false",
            "-c",
            "protocol.file.allow=always",
        ]);
        command.args(args).envs(names).envs(addresses).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = command.env("GIT_COMMITTER_DATE", "2020-02-02T02:02:02Z").output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Writes a file of the work tree.
    pub fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits all of the work tree.
    pub fn commit(&self, subject: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
    }

    /// The first-parent line, oldest first.
    pub fn line(&self) -> Vec<String> {
        self.git(&["rev-list", "--first-parent", "--reverse", "HEAD"]).lines().map(str::to_owned).collect()
    }

    /// What git says stood at each path, under the keys that an import gives them.
    pub fn tree(&self, commit: &str) -> Tree {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.dir)
            .args(["ls-tree", "-r", "-z", commit])
            .output()
            .unwrap();
        let entries = output.stdout.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| {
                let tab = entry.iter().position(|byte| *byte == b'\t').unwrap();
                let head = str::from_utf8(&entry[..tab]).unwrap();
                let words: Vec<_> = head.split(' ').collect();
                (format!("file/{}", escaped(&entry[tab + 1..])), (words[0].to_owned(), words[2].to_owned()))
            })
            .collect()
    }
}

/// The escaping as it is documented: `%` and what is no UTF-8.
fn escaped(path: &[u8]) -> String {
    let text: Vec<_> = path
        .utf8_chunks()
        .flat_map(|chunk| {
            let invalid: String = chunk.invalid().iter().map(|byte| format!("%{byte:02X}")).collect();
            [chunk.valid().replace('%', "%25"), invalid]
        })
        .collect();
    text.concat()
}
