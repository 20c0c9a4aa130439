//! Importing a git repository that has everything a repository can have.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod repo;
mod shop;

use repo::Repo;
use serde_json::json;
use shop::Shop;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Plays the rows of a ledger into a map, and compares it at each commit with what git says.
fn assert_true_to(shop: &Shop, repo: &Repo) {
    let mut rows = shop.run(&["log", "--json"]).lines();
    rows.retain(|row| row["action"] == "git.commit");
    let line = repo.line();
    assert_eq!(rows.len(), line.len());
    let mut state = BTreeMap::new();
    for (row, commit) in rows.iter().zip(&line) {
        assert_eq!((&row["outcome"], &row["mode"]), (&json!("applied"), &json!("live")));
        assert_eq!(row["context"]["commit"], commit.as_str());
        for op in row["ops"].as_array().unwrap() {
            if let Some(put) = op.get("put") {
                let field = |name: &str| put["value"][name].as_str().unwrap().to_owned();
                state.insert(put["key"].as_str().unwrap().to_owned(), (field("mode"), field("blob")));
            } else if let Some(delete) = op.get("delete") {
                assert!(state.remove(delete["key"].as_str().unwrap()).is_some());
            }
        }
        assert_eq!(state, repo.tree(commit), "{}", row["context"]["subject"]);
    }
    assert_eq!(shop.run(&["verify"]).status, 0);
}

/// Merges, renames, deletions, a file that becomes a directory, links, modes, submodules, odd names, empty commits.
fn everything(repo: &Repo) {
    repo.write("a.txt", "a");
    repo.write("dir/b.txt", "b");
    repo.write("gone", "soon");
    repo.commit("begin");
    repo.git(&["mv", "dir/b.txt", "dir/c.txt"]);
    fs::remove_file(repo.dir.join("gone")).unwrap();
    repo.commit("rename and delete");
    repo.commit("nothing at all");
    repo.write(OsStr::from_bytes(b"odd \xff\xfe 100% \n\t\"q\" \\ \xc3\xbc"), "odd");
    repo.write("%25", "percent");
    std::os::unix::fs::symlink("a.txt", repo.dir.join("link")).unwrap();
    repo.commit("odd paths, \"quotes\" and a link");
    fs::set_permissions(repo.dir.join("a.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    repo.commit("executable");
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.write("side.txt", "s1");
    repo.commit("on the side");
    repo.write("side.txt", "s2");
    repo.commit("on the side again");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("main.txt", "m");
    repo.git(&["rm", "-q", "a.txt"]);
    repo.commit("on main");
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge the side", "side"]);
    fs::remove_file(repo.dir.join("link")).unwrap();
    repo.write("link/now/a/directory", "x");
    repo.commit("a link becomes a directory");
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    repo.git(&["commit", "-q", "-m", "a submodule"]);
    repo.git(&["commit", "-q", "--allow-empty", "--allow-empty-message", "-m", ""]);
}

#[test]
fn the_state_after_each_row_is_the_tree_of_its_commit() {
    let shop = Shop::open();
    let repo = Repo::new(shop.beside("repo"));
    everything(&repo);
    let path = repo.dir.to_str().unwrap();
    let first = shop.run(&["import", "git", path, "--json"]);
    assert_eq!(first.status, 0, "{}", first.err);
    let line = repo.line();
    let told = first.json();
    assert_eq!(
        (&told["imported"], &told["known"], &told["first_row"]),
        (&json!(line.len()), &json!(0), &json!(4))
    );
    assert_true_to(&shop, &repo);
    let row = shop.run(&["show", "4", "--json"]).json();
    assert_eq!(row["authored_at"], "2020-02-02T02:02:02.000000Z");
    assert_eq!(row["context"]["author"], "Ann Ö <ann@example.com>");
    assert_eq!(row["context"]["subject"], "begin");

    let again = shop.run(&["import", "git", path]);
    assert!(again.out.contains("nothing new"), "{}{}", again.out, again.err);
    repo.write("later.txt", "l");
    repo.commit("later");
    repo.commit("and nothing");
    let more = shop.run(&["import", "git", path, "--json"]).json();
    assert_eq!((&more["imported"], &more["known"]), (&json!(2), &json!(line.len())));
    assert_true_to(&shop, &repo);
}

#[test]
fn a_history_that_was_rewritten_is_not_imported_over_the_old_one() {
    let shop = Shop::open();
    let repo = Repo::new(shop.beside("repo"));
    everything(&repo);
    let path = repo.dir.to_str().unwrap();
    assert_eq!(shop.run(&["import", "git", path]).status, 0);
    let size = shop.size();
    let old = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["reset", "-q", "--hard", "HEAD~2"]);
    // An older end of what is imported holds nothing new.
    let older = shop.run(&["import", "git", path]);
    assert!(older.status == 0 && older.out.contains("nothing new"), "{}{}", older.out, older.err);
    repo.write("new", "way");
    repo.commit("another way");
    repo.commit("and on");
    shop.run(&["import", "git", path]).fails(1, &["rewritten"]);
    let other = Repo::new(shop.beside("other"));
    other.commit("elsewhere");
    shop.run(&["import", "git", other.dir.to_str().unwrap()]).fails(1, &["none of its commits"]);
    assert_eq!(shop.size(), size);
    assert_eq!(shop.run(&["import", "git", path, "--rev", &old]).status, 0);
    assert_eq!(shop.size(), size);
}

#[test]
fn an_import_that_was_taken_back_must_be_brought_back_first() {
    let shop = Shop::open();
    let repo = Repo::new(shop.beside("repo"));
    everything(&repo);
    let path = repo.dir.to_str().unwrap();
    assert_eq!(shop.run(&["import", "git", path]).status, 0);
    let restored = shop.run(&["restore", "--to", "6", "--apply", "--yes"]);
    assert_eq!(restored.status, 0, "{}", restored.err);
    shop.run(&["import", "git", path]).fails(1, &["taken back", "redo"]);
}

#[test]
fn what_cannot_be_imported_is_named() {
    let shop = Shop::open();
    let plain = shop.beside("plain");
    fs::create_dir(&plain).unwrap();
    let import = |path: &Path| shop.run(&["import", "git", path.to_str().unwrap()]);
    import(&plain).fails(2, &["not a git repository"]);
    import(&shop.beside("missing")).fails(2, &["missing"]);
    let repo = Repo::new(shop.beside("repo"));
    import(&repo.dir).fails(2, &["no commits yet"]);
    // A directory inside a repository is not that repository.
    repo.write("inside/file", "x");
    import(&repo.dir.join("inside")).fails(2, &["not a git repository"]);
    repo.commit("one");
    shop.run(&["import", "git", repo.dir.to_str().unwrap(), "--rev=--all"]).fails(2, &["no commit --all"]);
    let mut without = shop.command();
    without.args(["import", "git"]).arg(&repo.dir).env("PATH", "/nonexistent");
    shop::finish(&mut without, b"").fails(2, &["git was not found"]);
    assert_eq!(shop.size(), 4);
    let long =
        ["d".repeat(250), "e".repeat(250), "f".repeat(250), "g".repeat(250), "h".repeat(250)].join("/");
    repo.write(&long, "far down");
    repo.commit("a path that no key can hold");
    let head = repo.git(&["rev-parse", "HEAD"]);
    import(&repo.dir).fails(1, &[&head, "does not fit a row", "a key of"]);
    assert_eq!(shop.size(), 4, "both commits were in one submission");
}
