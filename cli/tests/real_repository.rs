//! The main job on real input: a git repository is a log of decisions with a known truth for every moment.
//!
//! The real repository is the one that `COUNTERFOIL_GIT_REPO` names, or else this project's own. A made one of 1,200
//! commits stands beside it, so that the size does not depend on what is at hand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod repo;
mod shop;

use repo::{Repo, Tree};
use shop::{Shop, finish};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the ledger says stood at each path.
fn state(shop: &Shop, args: &[&str]) -> Tree {
    let run = shop.run(&[&["state", "--json", "--prefix", "file/"], args].concat());
    assert_eq!(run.status, 0, "{}", run.err);
    let held = run.lines().into_iter().map(|line| {
        let field = |name: &str| line["value"][name].as_str().unwrap().to_owned();
        (line["key"].as_str().unwrap().to_owned(), (field("mode"), field("blob")))
    });
    held.collect()
}

fn succeeds(shop: &Shop, args: &[&str]) -> shop::Run {
    let run = shop.run(args);
    assert_eq!(run.status, 0, "{args:?}: {}", run.err);
    run
}

/// Imports a repository, compares 20 moments with what git says, puts the state back to an early one, and forward again.
fn holds_true(repo: &Repo) {
    let shop = Shop::open();
    let line = repo.line();
    succeeds(&shop, &["import", "git", repo.dir.to_str().unwrap()]);
    let log = shop.run(&["log", "--json", "--all"]).lines();
    let rows: Vec<u64> = log
        .iter()
        .filter(|row| row["action"] == "git.commit")
        .map(|row| row["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(rows.len(), line.len(), "one row for each commit of the first-parent line");

    let last = line.len() - 1;
    let spread: Vec<usize> = (0..20).map(|place| place * last / 19).collect();
    for place in &spread {
        let at = rows[*place].to_string();
        assert_eq!(
            state(&shop, &["--at", &at]),
            repo.tree(&line[*place]),
            "row {at}, commit {}",
            line[*place]
        );
    }

    let (early, head) = (spread[1], rows[last].to_string());
    let to = rows[early].to_string();
    let before = shop.size();
    let preview = succeeds(&shop, &["restore", "--to", &to, "--json"]).json();
    assert_eq!(preview["plan"].as_array().unwrap().len(), last - early);
    assert_eq!(shop.size(), before, "a preview changes nothing");
    let unasked = shop.run(&["restore", "--to", &to, "--apply"]);
    assert_eq!((unasked.status, shop.size()), (1, before), "without an answer nothing changes");
    succeeds(&shop, &["restore", "--to", &to, "--apply", "--yes"]);
    assert_eq!(state(&shop, &[]), repo.tree(&line[early]), "restored to commit {}", line[early]);
    succeeds(&shop, &["redo", "--apply", "--yes"]);
    assert_eq!(state(&shop, &[]), repo.tree(&line[last]), "brought back");
    assert_eq!(state(&shop, &["--at", &head]), repo.tree(&line[last]), "and the past is what it was");

    let report = succeeds(&shop, &["verify", "--json"]).json();
    assert_eq!(report["verdict"], "intact");
    assert_eq!(report["rows"].as_u64(), Some(shop.size()));
}

/// Says something past what the test harness holds back.
fn notice(words: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("\n*** {words} ***\n\n").as_bytes());
}

#[test]
fn a_real_repository_holds_true() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let dir = std::env::var_os("COUNTERFOIL_GIT_REPO").map_or(own, PathBuf::from);
    let is_one = Command::new("git").arg("-C").arg(&dir).args(["rev-parse", "HEAD"]).output();
    if !is_one.is_ok_and(|output| output.status.success()) {
        notice(&format!("SKIPPED: {} is no git repository; name one in COUNTERFOIL_GIT_REPO", dir.display()));
        return;
    }
    let repo = Repo { dir };
    let commits = repo.line().len();
    println!("{} has {commits} commits on its first-parent line", repo.dir.display());
    if commits < 1000 {
        notice("SMALL: fewer than 1,000 commits; name a larger repository in COUNTERFOIL_GIT_REPO");
    }
    holds_true(&repo);
}

/// A history of 1,200 commits: files come, change, move and go, in directories that come and go with them.
fn made(dir: PathBuf) -> Repo {
    let repo = Repo::new(dir);
    let mut stream = String::new();
    for number in 0..1200u32 {
        let subject = format!("commit {number}");
        let time = 1_500_000_000 + u64::from(number) * 60;
        writeln!(stream, "commit refs/heads/main\ncommitter Ann <ann@example.com> {time} +0000").unwrap();
        write!(stream, "data {}\n{subject}\n", subject.len()).unwrap();
        for file in [number % 97, (number * 31) % 211] {
            let content = format!("content {}", number / 3);
            writeln!(stream, "M 100644 inline dir{}/file{file}.txt", file % 7).unwrap();
            write!(stream, "data {}\n{content}\n", content.len()).unwrap();
        }
        let old = (number * 17) % 211;
        writeln!(stream, "D dir{}/file{old}.txt\n", old % 7).unwrap();
    }
    let run = finish(
        Command::new("git").arg("-C").arg(&repo.dir).args(["fast-import", "--quiet"]),
        stream.as_bytes(),
    );
    assert_eq!(run.status, 0, "{}", run.err);
    repo
}

#[test]
fn a_made_repository_of_twelve_hundred_commits_holds_true() {
    let dir = tempfile::tempdir().unwrap();
    holds_true(&made(dir.path().join("repo")));
}
