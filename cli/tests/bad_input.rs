//! Bad input: one clear error, the right status, and nothing lost or half done.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use shop::{Shop, finish, program};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const DECISION: &str = r#"{"id":"a","action":"SET","mode":"live","ops":[{"put":{"key":"k","value":1}}]}"#;

#[test]
fn a_directory_that_is_no_ledger_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    for (place, words) in [(dir.path(), "no directory log/"), (&missing, "no such directory")] {
        for command in [&["log"][..], &["status"], &["show", "0"], &["history", "k"], &["append"]] {
            let run = finish(program().arg("-l").arg(place).args(command), DECISION.as_bytes());
            run.fails(2, &["not a ledger", words, "counterfoil init"]);
        }
    }
    finish(program().arg("log"), b"").fails(2, &["no ledger was named", "COUNTERFOIL_LEDGER"]);
    let empty = finish(program().arg("log").env("COUNTERFOIL_LEDGER", ""), b"");
    empty.fails(2, &["no ledger was named", "COUNTERFOIL_LEDGER"]);
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    finish(program().arg("-l").arg(&file).arg("log"), b"").fails(2, &["not a ledger", "is a file"]);
}

#[test]
fn init_takes_nothing_that_is_in_the_way() {
    let shop = Shop::open();
    shop.run(&["init", "--origin", "x"]).fails(1, &["is a ledger already", "nothing was changed"]);
    let (full, file) = (shop.beside("full"), shop.beside("file"));
    fs::create_dir(&full).unwrap();
    fs::write(full.join("thesis.txt"), "years of work").unwrap();
    fs::write(&file, "").unwrap();
    let init = |place: &std::path::Path, origin: &str| {
        finish(program().arg("init").arg(place).args(["--origin", origin]), b"")
    };
    init(&full, "x").fails(1, &["not empty"]);
    init(&file, "x").fails(1, &["is a file"]);
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    let new = shop.beside("new");
    for origin in ["", "a b", "https://example.com/shop", "a+b", &"x".repeat(256)] {
        init(&new, origin).fails(2, &["--origin"]);
        assert!(!new.exists(), "{origin}");
    }
    let locked = shop.beside("locked");
    fs::create_dir(&locked).unwrap();
    let taken =
        finish(program().arg("init").arg(&locked).args(["--origin", "x", "--executor", "owner"]), b"");
    taken.fails(2, &["two keys would be called owner"]);
    assert_eq!(fs::read_dir(&locked).unwrap().count(), 0);
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let shop = Shop::open();
    for name in ["ledger", "executor-1"] {
        let key = shop.path().join(format!("keys/{name}.key"));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        shop.append(&[], DECISION).fails(2, &[&format!("{name}.key"), "0644", "chmod 600"]);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let key = shop.path().join("keys/executor-1.key");
    fs::write(&key, "garbage").unwrap();
    shop.append(&[], DECISION).fails(2, &["not a secret key file"]);
    fs::remove_file(&key).unwrap();
    shop.append(&[], DECISION).fails(2, &["executor-1.key", "looked in"]);
    shop.append(&["--author", "nobody"], DECISION).fails(2, &["there is no key nobody"]);
    shop.append(&["--author", "../owner"], DECISION).fails(2, &["a key's name"]);
    let keys = shop.path().join("keys");
    let set_mode = |mode| fs::set_permissions(&keys, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o777);
    shop.append(&[], DECISION).fails(2, &["keys", "0777", "chmod go-w"]);
    set_mode(0o700);
    shop.append(&["--author", "operator-1"], DECISION).fails(1, &["line 1", "may not write decision rows"]);
    assert_eq!(shop.size(), 4);
}

#[test]
fn damaged_segments_are_named() {
    let shop = Shop::open();
    assert_eq!(shop.append(&[], DECISION).status, 0);
    let segment = shop.segment();
    let sound = fs::read(&segment).unwrap();
    let name = "00000000000000000000.seg";
    let mut newer = sound.clone();
    // A header of a later version: in order, but for the number.
    newer[8..12].copy_from_slice(&99u32.to_le_bytes());
    newer[12..16].fill(0);
    let checksum = crc32c::crc32c(&newer[..104]);
    newer[12..16].copy_from_slice(&checksum.to_le_bytes());
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    let cases = [
        ("empty", Vec::new()),
        ("foreign", b"PK\x03\x04 this is some other file, and quite a long one at that".repeat(9)),
        ("cut header", sound[..20].to_vec()),
        ("newer", newer),
        ("flipped", flipped),
    ];
    for (what, bytes) in cases {
        fs::write(&segment, &bytes).unwrap();
        let run = shop.append(&[], &DECISION.replace("\"a\"", "\"b\""));
        run.fails(2, &[]);
        assert!(run.err.contains(name) || what == "empty", "{what}: {}", run.err);
        if what == "newer" {
            assert!(run.err.contains("version") && run.err.contains("newer"), "{}", run.err);
        }
        assert_eq!(fs::read(&segment).unwrap(), bytes, "{what}: nothing is changed");
    }
    fs::write(&segment, &sound).unwrap();
    assert_eq!(shop.size(), 5);
    assert_eq!(shop.run(&["verify"]).status, 0);
}

#[test]
fn lines_and_rows_have_limits() {
    let shop = Shop::open();
    let with_value = |bytes: usize| {
        let value = "x".repeat(bytes);
        format!(r#"{{"action":"SET","mode":"live","ops":[{{"put":{{"key":"k","value":"{value}"}}}}]}}"#)
    };
    shop.append(&[], &with_value(16 << 20)).fails(1, &["line 1", "longer than 16 MiB"]);
    shop.append(&[], &with_value(9 << 20)).fails(1, &["line 1", "above the limit"]);
    shop.append(&[], &with_value(2 << 20)).fails(1, &["line 1", "a value", "1048576"]);
    let puts: Vec<_> = (0..10)
        .map(|at| format!(r#"{{"put":{{"key":"k{at}","value":"{}"}}}}"#, "x".repeat(1_000_000)))
        .collect();
    let row = format!(r#"{{"action":"SET","mode":"live","ops":[{}]}}"#, puts.join(","));
    shop.append(&[], &row).fails(1, &["line 1", "above the limit"]);
    let key = "k".repeat(1025);
    shop.append(&[], &format!(r#"{{"action":"SET","ops":[{{"delete":{{"key":"{key}"}}}}]}}"#))
        .fails(1, &["line 1", "a key of 1025"]);
    let nested = format!(
        r#"{{"action":"SET","ops":[{{"put":{{"key":"k","value":{}1{}}}}}]}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    shop.append(&[], &nested).fails(1, &["line 1", "nesting"]);
    assert_eq!(shop.size(), 4);
    assert_eq!(shop.append(&[], &with_value(1 << 19)).status, 0);
}

#[test]
fn strange_lines_are_named_by_their_number() {
    let shop = Shop::open();
    let deep = format!(r#"{{"action":"A","context":{{"a":{}"#, "[".repeat(1_000_000));
    let zero_key = r#"{"action":"A","ops":[{"put":{"key":"","value":1}}]}"#;
    for (line, word) in [
        (deep.as_bytes(), "recursion limit"),
        (zero_key.as_bytes(), "a key is empty"),
        (b"\xff\xfe{}", "expected value"),
        (br#"{"action":"A","ops":[{"add":{"key":"k","delta":0}}]}"#, "an add of 0"),
        (br#"{"action":"","ops":[{"delete":{"key":"k"}}]}"#, "action is empty"),
        (br#"{"action":"A","ops":[{"delete":{"key":"lifecycle/sku"}}]}"#, "transitions alone"),
        (br#"{"action":"A","ops":[{"put":{"key":"k","value":1e99}}]}"#, "too many digits"),
        (br#"{"action":"A"} {"action":"B"}"#, "trailing characters"),
    ] {
        let input = [DECISION.as_bytes(), b"\n", line, b"\n"].concat();
        let run = finish(shop.command().arg("append"), &input);
        run.fails(1, &["line 2", word]);
        assert_eq!(shop.size(), 5, "the first line has landed");
    }
    let dir = shop.path();
    shop.append(&[dir.to_str().unwrap()], "").fails(2, &["is a directory"]);
    shop.append(&["/nonexistent.jsonl"], "").fails(2, &["/nonexistent.jsonl"]);
    assert_eq!(shop.append(&["--batch", "0"], "").status, 2);
    assert_eq!(shop.append(&["--batch", "4097"], "").status, 2);
    assert_eq!(shop.append(&[], "").status, 0);
    shop.run(&["show", "99"]).fails(1, &["no row 99", "0 to 4"]);
}

#[test]
fn a_row_that_is_not_there_is_refused_alike_everywhere() {
    let shop = Shop::open();
    for command in [
        &["show", "9999"][..],
        &["show", "9999", "--json"],
        &["state", "--at", "9999"],
        &["state", "--at", "9999", "--key", "k"],
        &["diff", "0", "9999"],
        &["redo", "9999"],
        &["rollback", "9999"],
        &["rollback", "0", "9999", "--apply", "--yes"],
        &["restore", "--to", "9999"],
        &["restore", "--to", "4", "--apply"],
        &["prove", "9999"],
        &["prove", "9999", "--json"],
        &["prove", "4"],
    ] {
        shop.run(command).fails(1, &["there is no row", "has 4 rows, 0 to 3", "counterfoil log"]);
    }
    for from in ["9999", "5", "0"] {
        shop.run(&["prove", "--from", from]).fails(1, &["no earlier log", "has 4 rows", "from 1 to 4"]);
    }
}

#[test]
fn an_error_of_append_names_the_file_and_what_landed() {
    let shop = Shop::open();
    let file = shop.beside("some lines.jsonl");
    let append = |lines: &str| {
        fs::write(&file, lines).unwrap();
        shop.run(&["append", file.to_str().unwrap()])
    };
    append("x\n").fails(1, &["some lines.jsonl, line 1: ", "Nothing landed"]);
    append(&format!("{DECISION}\nx\n"))
        .fails(1, &["some lines.jsonl, line 2: ", "1 row did before it, row 4"]);
    append(&format!("{DECISION}\nx\n")).fails(1, &["some lines.jsonl, line 2: ", "Nothing landed"]);
    let other = |id: &str| DECISION.replace(r#""id":"a""#, &format!(r#""id":"{id}""#));
    append(&format!("{}\n\n{}\n[]\n", other("b"), other("c")))
        .fails(1, &["some lines.jsonl, line 4: ", "2 rows did before it, up to row 6"]);
    for lost in [r#"{"put":["x",2]}"#, r#"{"put":{"key":"k","value":{"a":1,"a":2}}}"#] {
        let line = format!(r#"{{"action":"A","ops":[{lost}]}}"#);
        append(&format!("{}\n{line}\n", other("c")))
            .fails(1, &["some lines.jsonl, line 2: ", "Nothing landed"]);
    }
    assert_eq!(shop.size(), 7);
}

#[test]
fn evidence_that_is_not_there_yet_is_refused() {
    let shop = Shop::open();
    let naming = |row: u64| {
        format!(
            r#"{{"action":"SET","mode":"live","evidence":[1,{row}],"ops":[{{"put":{{"key":"k","value":{row}}}}}]}}"#
        )
    };
    shop.append(&[], &naming(9999)).fails(1, &["line 1", "row 9999", "does not exist yet"]);
    shop.append(&[], &naming(4)).fails(1, &["line 1", "row 4"]);
    // The second line would be row 5.
    let two = |row: u64| format!("{}\n{}\n", naming(3), naming(row));
    shop.append(&["--batch", "2"], &two(5)).fails(1, &["line 2", "row 5"]);
    assert_eq!(shop.size(), 4);
    assert_eq!(shop.append(&["--batch", "2"], &two(4)).status, 0);
    assert_eq!(shop.append(&[], &naming(5)).status, 0);
    assert_eq!(shop.run(&["verify"]).status, 0);
}

/// The limit on the size of a file stands for a disk that is full: writes fail half way.
#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    const ROWS: usize = 400;
    let shop = Shop::open();
    let lines: String = (0..ROWS)
        .map(|at| format!(r#"{{"id":"{at}","action":"SET","mode":"live","ops":[{{"put":{{"key":"k","value":"{}"}}}}]}}{}"#, "x".repeat(4000), "\n"))
        .collect();
    let script = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"";
    let mut limited = std::process::Command::new("bash");
    limited
        .args(["-c", script, env!("CARGO_BIN_EXE_counterfoil"), "-l"])
        .arg(shop.path())
        .args(["append", "-"]);
    limited.env_remove("COUNTERFOIL_KEY_DIR");
    let run = finish(&mut limited, lines.as_bytes());
    let landed = run.lines();
    let (rows, last) = (landed.len(), landed.len() + 3);
    let said = format!(
        "line {} may have landed or not (`counterfoil log` tells; a line with an id can be sent again and lands once), after line {rows}, with {rows} rows landed, up to row {last}",
        rows + 1
    );
    run.fails(2, &["File too large", &said]);
    assert!(landed.len() > 10 && landed.len() < ROWS, "{}", landed.len());
    let again = shop.append(&["--batch", "50"], &lines);
    assert_eq!(again.status, 0, "{}", again.err);
    let again = again.lines();
    assert_eq!(again.len(), ROWS);
    for (first, second) in landed.iter().zip(&again) {
        assert_eq!((&first["seq"], &first["row_hash"]), (&second["seq"], &second["row_hash"]));
        assert_eq!(second["duplicate"], true);
    }
    assert_eq!(shop.run(&["verify"]).status, 0);
}
