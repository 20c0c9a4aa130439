//! Taking commits back: what the ledger makes of it and what git does.
//!
//! The real repository is the one that `COUNTERFOIL_GIT_REPO` names, or else this project's own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod repo;
mod shop;

use repo::{Repo, Tree};
use shop::{Run, Shop};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository and its ledger.
struct Imported {
    repo: Repo,
    shop: Shop,
    /// The commits of the first-parent line, the oldest first, each with its row and the keys that it touched.
    commits: Vec<(String, u64, BTreeSet<String>)>,
}

impl Imported {
    fn of(repo: Repo) -> Self {
        let shop = Shop::open();
        let run = shop.run(&["import", "git", repo.dir.to_str().unwrap()]);
        assert_eq!(run.status, 0, "{}", run.err);
        let rows = shop.run(&["log", "--json", "--all"]).lines();
        let mut commits = Vec::new();
        let line = repo.line();
        for (row, commit) in rows.iter().filter(|row| row["action"] == "git.commit").zip(&line) {
            let seq = row["seq"].as_u64().unwrap();
            let shown = shop.run(&["show", &seq.to_string(), "--json"]).json();
            let ops = shown["ops"].as_array().cloned().unwrap_or_default();
            let key = |op: &serde_json::Value| {
                let inner = op.as_object().unwrap().values().find_map(|inner| inner["key"].as_str());
                inner.unwrap_or_else(|| panic!("{op}")).to_owned()
            };
            // Each commit also adds to a counter, which goes in any order.
            let files = ops.iter().map(key).filter(|key| key.starts_with("file/"));
            commits.push((commit.clone(), seq, files.collect()));
        }
        assert_eq!(commits.len(), line.len());
        Imported { repo, shop, commits }
    }

    #[track_caller]
    fn succeeds(&self, args: &[&str]) -> Run {
        let run = self.shop.run(args);
        assert_eq!(run.status, 0, "{args:?}: {}", run.err);
        run
    }

    fn state(&self) -> Tree {
        let run = self.succeeds(&["state", "--json", "--prefix", "file/"]);
        let held = run.lines().into_iter().map(|line| {
            let field = |name: &str| line["value"][name].as_str().unwrap().to_owned();
            (line["key"].as_str().unwrap().to_owned(), (field("mode"), field("blob")))
        });
        held.collect()
    }

    /// The rows that touched a key of a commit or of one of these, transitively: what a cascade has to take back.
    fn building_on(&self, place: usize) -> Vec<u64> {
        let mut keys = self.commits[place].2.clone();
        let mut rows = vec![self.commits[place].1];
        for (_, row, touched) in &self.commits[place + 1..] {
            if !touched.is_disjoint(&keys) {
                keys.extend(touched.iter().cloned());
                rows.push(*row);
            }
        }
        rows.reverse();
        rows
    }

    /// The state that `git revert` of a commit on top of the last one gives.
    fn reverted(&self, commit: &str) -> Option<Tree> {
        let dir = tempfile::tempdir().unwrap();
        let clone = dir.path().join("clone");
        let git = |at: &Path, args: &[&str]| {
            let mut command = Command::new("git");
            command
                .arg("-C")
                .arg(at)
                .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
                .args(args);
            command.output().unwrap()
        };
        let from = self.repo.dir.to_str().unwrap();
        let cloned = git(dir.path(), &["clone", "--quiet", "--shared", from, clone.to_str().unwrap()]);
        assert!(cloned.status.success(), "{}", String::from_utf8_lossy(&cloned.stderr));
        let head = self.commits.last().unwrap().0.as_str();
        assert!(git(&clone, &["checkout", "--quiet", "--detach", head]).status.success());
        // git names files, and cares for what they hold; a commit that git cannot revert cleanly is none for this test.
        if !git(&clone, &["revert", "--no-edit", commit]).status.success() {
            return None;
        }
        let head = git(&clone, &["rev-parse", "HEAD"]);
        let head = String::from_utf8(head.stdout).unwrap().trim().to_owned();
        Some(Repo { dir: clone }.tree(&head))
    }
}

/// Says something past what the test harness holds back.
fn notice(words: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("\n*** {words} ***\n\n").as_bytes());
}

#[test]
fn commits_are_taken_back_as_git_does_it() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let dir = std::env::var_os("COUNTERFOIL_GIT_REPO").map_or(own, PathBuf::from);
    let is_one = Command::new("git").arg("-C").arg(&dir).args(["rev-parse", "HEAD"]).output();
    if !is_one.is_ok_and(|output| output.status.success()) {
        notice(&format!("SKIPPED: {} is no git repository; name one in COUNTERFOIL_GIT_REPO", dir.display()));
        return;
    }
    let imported = Imported::of(Repo { dir });
    if imported.commits.len() < 20 {
        notice("SKIPPED: fewer than 20 commits; name a larger repository in COUNTERFOIL_GIT_REPO");
        return;
    }
    alone(&imported);
    with_what_was_built_on_it(&imported);
    back_to_any_commit(&imported);
    let report = imported.succeeds(&["verify", "--json"]).json();
    assert_eq!(report["verdict"], "intact");
}

/// The newest commit whose files nobody touched later, taken back, is what `git revert` gives.
fn alone(imported: &Imported) {
    let places = (0..imported.commits.len())
        .rev()
        .filter(|place| imported.building_on(*place).len() == 1 && !imported.commits[*place].2.is_empty());
    let found = places.take(40).find_map(|place| {
        let (commit, row, _) = &imported.commits[place];
        imported.reverted(commit).map(|tree| (*row, tree))
    });
    let (row, tree) = found.unwrap();
    let row = row.to_string();
    imported.succeeds(&["rollback", &row, "--apply"]);
    assert_eq!(imported.state(), tree, "row {row}, taken back");
    imported.succeeds(&["redo", "--apply"]);
}

/// A cascade is exactly the commits that touched the files of the first one, or of these.
fn with_what_was_built_on_it(imported: &Imported) {
    let count = imported.commits.len();
    let mut shown = BTreeMap::new();
    for place in (0..count).step_by((count / 12).max(1)) {
        let expected = imported.building_on(place);
        let (_, row, keys) = &imported.commits[place];
        if keys.is_empty() {
            continue;
        }
        let plan = imported.succeeds(&["rollback", &row.to_string(), "--cascade", "--json"]).json();
        let rows = plan["plan"].as_array().unwrap().iter().map(|row| row["target"].as_u64().unwrap());
        let rows: Vec<u64> = rows.collect();
        let (more, less): (Vec<_>, Vec<_>) = (
            rows.iter().filter(|row| !expected.contains(row)).collect(),
            expected.iter().filter(|row| !rows.contains(row)).collect(),
        );
        assert!(more.is_empty() && less.is_empty(), "row {row}: {more:?} too many, {less:?} too few");
        assert_eq!(rows, expected, "the newest first");
        shown.insert(expected.len(), (place, *row));
    }
    // One of them, with others but not with all: each key holds what it held before the first of them that touched it.
    let Some((_, (place, row))) = shown.range(2..).next() else { return };
    let taken = imported.building_on(*place);
    imported.succeeds(&["rollback", &row.to_string(), "--cascade", "--apply", "--yes"]);
    let last = imported.repo.tree(&imported.commits.last().unwrap().0);
    let mut expected = last.clone();
    for (place, (_, row, keys)) in imported.commits.iter().enumerate().rev() {
        if taken.contains(row) && !keys.is_empty() {
            let before = imported.repo.tree(&imported.commits[place - 1].0);
            for key in keys {
                match before.get(key) {
                    Some(held) => drop(expected.insert(key.clone(), held.clone())),
                    None => drop(expected.remove(key)),
                }
            }
        }
    }
    assert_eq!(imported.state(), expected, "row {row} and {} more, taken back", taken.len() - 1);
    imported.succeeds(&["redo", "--apply", "--yes"]);
    assert_eq!(imported.state(), last, "brought back");
}

/// A restore to a commit is what git has there.
fn back_to_any_commit(imported: &Imported) {
    let count = imported.commits.len();
    for place in [count / 7, count - 2, count / 2] {
        let (commit, row, _) = &imported.commits[place];
        imported.succeeds(&["restore", "--to", &row.to_string(), "--apply", "--yes"]);
        assert_eq!(imported.state(), imported.repo.tree(commit), "restored to {commit}");
    }
    // Some of it alone: what begins with one directory.
    let (commit, row, _) = &imported.commits[count / 3];
    let now = imported.state();
    let prefix = "file/t";
    let run =
        imported.shop.run(&["restore", "--to", &row.to_string(), "--prefix", prefix, "--apply", "--yes"]);
    if run.status == 0 {
        let then = imported.repo.tree(commit);
        let state = imported.state();
        for key in now.keys().chain(then.keys()).chain(state.keys()) {
            let expected = if key.starts_with(prefix) { then.get(key) } else { now.get(key) };
            assert_eq!(state.get(key), expected, "{key}");
        }
    }
}
