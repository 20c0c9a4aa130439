//! `log --follow`: rows of another process as they land, until there is no reader.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod shop;

use serde_json::Value;
use shop::Shop;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

fn decisions(from: u32, to: u32) -> String {
    let line = |n| {
        format!(
            r#"{{"id":"d{n}","action":"SET","mode":"live","ops":[{{"put":{{"key":"k{n}","value":{n}}}}}]}}"#
        ) + "\n"
    };
    (from..to).map(line).collect()
}

struct Following {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn of(shop: &Shop, args: &[&str]) -> Self {
        let mut command = shop.command();
        command.args(["log", "--follow"]).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Following { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn row(&mut self) -> u64 {
        serde_json::from_str::<Value>(&self.line()).unwrap()["seq"].as_u64().unwrap()
    }

    /// Stops reading; the program must then end by itself.
    fn ends_when_nobody_reads(self) {
        let Following { mut child, lines } = self;
        drop(lines);
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn rows_are_printed_as_they_land_until_nobody_reads() {
    let shop = Shop::open();
    let mut following = Following::of(&shop, &["--json"]);
    for seq in 0..4 {
        assert_eq!(following.row(), seq);
    }
    for round in 0..3 {
        assert_eq!(shop.append(&[], &decisions(round * 2, round * 2 + 2)).status, 0);
        let first = 4 + u64::from(round) * 2;
        assert_eq!([following.row(), following.row()], [first, first + 1]);
    }
    following.ends_when_nobody_reads();
}

#[test]
fn people_get_one_heading_and_ranges_hold() {
    let shop = Shop::open();
    assert_eq!(shop.append(&[], &decisions(0, 2)).status, 0);
    let mut following = Following::of(&shop, &["--limit", "1"]);
    assert!(following.line().trim_start().starts_with("SEQ"));
    assert!(following.line().trim_start().starts_with("5 "));
    let mut later = Following::of(&shop, &["--from", "7", "--limit", "2", "--json"]);
    assert_eq!(shop.append(&[], &decisions(2, 6)).status, 0);
    for seq in 6..10 {
        assert!(following.line().trim_start().starts_with(&format!("{seq} ")));
    }
    assert_eq!([later.row(), later.row()], [7, 8]);
    assert!(later.lines.next().is_none() && later.child.wait().unwrap().success(), "two rows were asked for");
    following.ends_when_nobody_reads();
    assert_eq!(
        shop.run(&["log", "--follow", "--to", "3"]).status,
        2,
        "a range that ends has nothing to follow"
    );
}
