//! The policies to begin with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::intent::Tier;
use counterfoil_format::policy::{Class, PolicyBody, Reach};
use counterfoil_policy::{PRESETS, PolicyFile, diff, preset};
use counterfoil_rules::policy::Policy;

fn parsed(name: &str) -> PolicyFile {
    PolicyFile::parse(preset(name).unwrap().text).unwrap()
}

#[test]
fn every_preset_can_be_set_without_a_doubt() {
    for preset in PRESETS {
        let file =
            PolicyFile::parse(preset.text).unwrap_or_else(|errors| panic!("{}: {errors}", preset.name));
        assert_eq!(file.warnings(), [], "{}", preset.name);
        assert_eq!(file.body().check(), Ok(()));
        let printed = PolicyFile::parse(&file.to_toml()).unwrap();
        assert_eq!(printed.body(), file.body(), "{}", preset.name);
        assert_eq!(printed.warnings(), []);
    }
    assert!(preset("strict").is_none());
}

#[test]
fn the_open_one_asks_for_nothing() {
    assert_eq!(parsed("open").body(), PolicyBody::open(64 << 20));
}

#[test]
fn the_default_one_is_that_of_a_shop() {
    let file = parsed("default");
    let body = file.body();
    assert!(body.separation);
    assert_eq!(body.segment_bytes, 64 << 20);
    assert_eq!(body.snapshot_rows, Some(100_000));
    assert_eq!(body.drill_period, Some(30 * 24 * 3600 * 1_000_000));
    let policy = Policy::from_body(&body);
    let expected = [
        ("DISCOUNT", Class::Hard, Tier::A, None),
        ("MOVE", Class::Soft, Tier::B, None),
        ("OPTIMIZE_LOSER", Class::Soft, Tier::B, None),
        ("REPLY", Class::Soft, Tier::B, Some(780_000)),
        ("SCALE_AD", Class::Hard, Tier::A, None),
        ("SELL", Class::Soft, Tier::Unstated, None),
        ("SET_PRICE", Class::Soft, Tier::B, None),
    ];
    assert_eq!(body.actions.len(), expected.len());
    for (action, class, tier, judge) in expected {
        let rule = policy.rule(action).unwrap();
        assert!(rule.live, "{action}");
        assert_eq!((rule.class, rule.tier, rule.judge_floor), (class, tier, judge), "{action}");
        assert_eq!(rule.reach, Reach::Compensating, "{action}");
    }
    assert!(policy.rule("INVENTED").is_none());
    let lifecycle = policy.lifecycle.unwrap();
    assert_eq!(lifecycle.stages.len(), 8);
    assert!(lifecycle.allows("", "candidate") && lifecycle.allows("winner", "scaling"));
    assert!(!lifecycle.allows("paused", "scaling") && !lifecycle.allows("", "winner"));
}

/// What the file spells out is what holds where a file says nothing, so that taking a part of it away changes little.
#[test]
fn the_default_one_spells_out_what_an_empty_file_means() {
    let empty = PolicyFile::parse("").unwrap();
    let changes: Vec<_> =
        diff(&empty.body(), &parsed("default").body()).iter().map(ToString::to_string).collect();
    assert!(
        changes.iter().all(|change| change.starts_with("action ") || change.starts_with("limit ")),
        "{changes:#?}"
    );
    assert_eq!(changes.len(), 8);
}

/// The file with the # taken away from its examples: comments behind an empty one that begin a table or set something
/// in one.
fn with_examples(text: &str) -> (String, usize) {
    let (mut out, mut examples) = (String::new(), 0);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out += line;
        out += "\n";
        let begins = |next: &&str| ["# [", "# metrics", "# proven"].iter().any(|code| next.starts_with(code));
        if line != "#" || !lines.peek().is_some_and(begins) {
            continue;
        }
        while let Some(code) = lines.next_if(|next| next.starts_with("# ")) {
            out += code.trim_start_matches("# ");
            out += "\n";
            examples += 1;
        }
    }
    (out, examples)
}

/// An operator takes the # away and expects it to work.
#[test]
fn the_commented_examples_are_right() {
    let (text, examples) = with_examples(preset("default").unwrap().text);
    assert_eq!(examples, 11, "{text}");
    let file = PolicyFile::parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(file.warnings(), [], "{text}");
    assert_eq!(file.body().limits.len(), 2);
    assert_eq!(file.body().writers.len(), 1);
    assert_eq!(file.body().actions.len(), 8);
    assert_eq!(file.body().actions.iter().map(|rule| rule.metrics.len()).sum::<usize>(), 2);
    assert!(file.body().actions.iter().all(|rule| rule.proven == Some(30 * 24 * 3600 * 1_000_000)));
}
