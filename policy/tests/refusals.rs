//! Each way in which a file can be wrong: where it is told, and in which words.

mod told;

use told::{LIMIT, RULE, fault, limit, refused, rule};

#[test]
fn what_is_no_toml() {
    assert_eq!(fault("\n  live true\n"), "2:8: this is not TOML: key with no value, expected `=`");
    assert_eq!(fault("[action"), "1:8: this is not TOML: unclosed table, expected `]`");
    assert_eq!(
        refused("unknown = \"rev\nx = 1\nscore = .78\n"),
        [
            "1:15: this is not TOML: invalid basic string, expected `\"`",
            "3:9: this is not TOML: invalid mantissa, expected digits"
        ],
        "what the parser has to guess behind such a fault is not told"
    );
    let deep = format!("x = {}", "[".repeat(500));
    assert!(refused(&deep)[0].contains("recur"), "{:?}", refused(&deep));
}

#[test]
fn what_lacks_quotes_or_stands_twice_is_told_with_all_the_rest() {
    assert_eq!(
        refused(
            "unknown = review\nseparation = yes\n[action.REPLY*]\njudge = 2\njudge = 0.5\n[action.'REPLY*']\n"
        ),
        [
            "1:11: texts stand in quotes: write \"review\"",
            "2:14: `separation` is true or false, without quotes, and this is a text",
            "3:14: a name with other signs than letters, digits, - and _ stands in quotes, such as [action.\"REPLY*\"]",
            "4:9: `2` cannot be taken for `judge`: a score lies between 0 and 1",
            "5:1: `judge` was set before; keep one of the two",
            "6:9: `REPLY*` was set before; keep one of the two",
        ]
    );
}

#[test]
fn what_is_no_setting() {
    assert_eq!(
        fault("seperation = true"),
        "1:1: a policy has no setting `seperation`; did you mean `separation`?"
    );
    assert_eq!(
        fault("[kill_switch]\nholder = \"me\""),
        "2:1: the kill switch has no setting `holder`; there are drill"
    );
    assert_eq!(
        fault("[defaults]\ntier = \"B\""),
        "2:1: [defaults] has no setting `tier`; there are class, live, reversibility, proven"
    );
    assert_eq!(
        fault("snapshot = 1000"),
        "1:1: a policy has no setting `snapshot`; did you mean `snapshots`?"
    );
    assert_eq!(rule("provn = \"1 h\""), "3:1: an action has no setting `provn`; did you mean `proven`?");
    assert_eq!(rule("clas = \"soft\""), "3:1: an action has no setting `clas`; did you mean `class`?");
    assert_eq!(
        rule("[action.AD.metric]\nroas = 1"),
        "3:12: an action has no setting `metric`; did you mean `metrics`?"
    );
    assert_eq!(
        fault("[action.price.set]\nlive = true"),
        "1:15: an action has no setting `set`; a name with a dot in it stands in quotes: \"price.set\""
    );
    assert_eq!(
        rule("metrics = { ads.roas = 1.8 }"),
        "3:17: a metric has no setting `roas`; a name with a dot in it stands in quotes: \"ads.roas\""
    );
    assert_eq!(
        limit("count = 1\nsize = 3"),
        "8:1: a limit has no setting `size`; there are action, per, window, count, sum"
    );
    assert_eq!(
        limit("sum = { field = \"spend\", at_least = 1, at_most = 2 }"),
        "7:26: a sum has no setting `at_least`; there are field, at_most"
    );
    assert_eq!(
        fault("[lifecycle]\nstages = [\"a\"]\nstart = [\"a\"]\nmove = {}"),
        "4:1: a lifecycle has no setting `move`; did you mean `moves`?"
    );
    assert_eq!(
        fault("[writers]\nevidense = [\"owner\"]"),
        "2:1: `evidense` is no kind of row; did you mean `evidence`?"
    );
}

#[test]
fn what_is_of_another_type() {
    for (text, told) in [
        ("separation = \"true\"", "1:14: `separation` is true or false, without quotes, and this is a text"),
        ("unknown = true", "1:11: `unknown` is a word in quotes, and this is true or false"),
        (
            "segment_bytes = 64",
            "1:17: `segment_bytes` is a size in quotes, such as \"64 MiB\", and this is a number",
        ),
        (
            "snapshots = true",
            "1:13: `snapshots` is a whole number of rows, without quotes, or \"never\", and this is true or false",
        ),
        (
            "snapshots = \"100000\"",
            "1:13: `snapshots` is a whole number of rows, without quotes, or \"never\", and this is a text",
        ),
        (
            "[defaults]\nproven = 30",
            "2:10: `proven` is a time in quotes, such as \"30 days\", or \"none\", and this is a number",
        ),
        ("kill_switch = 30", "1:15: `kill_switch` is a table, [kill_switch], and this is a number"),
        (
            "[kill_switch]\ndrill = 30",
            "2:9: `drill` is a time in quotes, such as \"30 days\", or \"never\", and this is a number",
        ),
        ("action = []", "1:10: `action` is tables by action, [action.NAME], and this is a list"),
        ("[action]\nAD = 1", "2:6: `AD` is a table, [action.NAME], and this is a number"),
        (
            "lifecycle = true",
            "1:13: `lifecycle` is a table, [lifecycle], or \"free\" for any move, and this is true or false",
        ),
        (
            "[limit]\ncount = 3",
            "1:1: `limit` is a list of tables, each under its own [[limit]], and this is a table",
        ),
        (
            "[writers]\nevidence = \"owner\"",
            "2:12: `evidence` is a list of roles, such as [\"operator\"], and this is a text",
        ),
        ("[defaults]\nlive = 2026-01-01", "2:8: `live` is true or false, without quotes, and this is a date"),
    ] {
        assert_eq!(fault(text), told);
    }
    assert_eq!(
        rule("judge = \"0.78\""),
        "3:9: `judge` is a number from 0 to 1, without quotes, and this is a text"
    );
    assert_eq!(
        rule("proven = true"),
        "3:10: `proven` is a time in quotes, such as \"30 days\", or \"none\", and this is true or false"
    );
    assert_eq!(
        rule("metrics = [\"roas\"]"),
        "3:11: `metrics` is a table of floors by metric, such as { roas = 1.8 }, and this is a list"
    );
    assert_eq!(
        rule("metrics = { roas = true }"),
        "3:20: `roas` is a number without quotes, or \"calibrated\", and this is true or false"
    );
    assert_eq!(limit("count = \"3\""), "7:9: `count` is a whole number, without quotes, and this is a text");
    assert_eq!(
        limit("sum = 200"),
        "7:7: `sum` is a table, such as { field = \"spend\", at_most = 200.00 }, and this is a number"
    );
}

#[test]
fn words_that_are_not_known() {
    assert_eq!(
        fault("unknown = \"alow\""),
        "1:11: `alow` is no choice for unknown actions; did you mean `allow`?"
    );
    assert_eq!(rule("class = \"medium\""), "3:9: `medium` is no class; there are soft, hard");
    assert_eq!(rule("tier = \"D\""), "3:8: `D` is no tier; there are A, B, C, any");
    assert_eq!(rule("tier = \"b\""), "3:8: `b` is no tier; did you mean `B`?");
    assert_eq!(
        rule("reversibility = \"compensate\""),
        "3:17: `compensate` is no reversibility; did you mean `compensating`?"
    );
    let both = refused(&format!("{RULE}{}count = 1", LIMIT.replace("store", "shop")));
    assert_eq!(both, ["5:7: `shop` is no choice for `per`; there are store, entity"]);
    assert_eq!(
        fault("[writers]\nevidence = [\"janitor\"]"),
        "2:13: `janitor` is no role; there are owner, planner, judge, executor, operator, ledger, auditor"
    );
    assert_eq!(rule("class = \"\\u001b[2J\""), "3:9: `\\u{1b}[2J` is no class; there are soft, hard");
}

#[test]
fn names_and_patterns() {
    assert_eq!(
        fault("[action.\"A*B\"]\nlive = true"),
        "1:9: in `A*B` a * stands elsewhere than at the end; a pattern is a name, or the beginning of names and a *"
    );
    assert_eq!(fault("[action.\"\"]\nlive = true"), "1:9: an action's name is empty");
    assert_eq!(
        fault(&format!("[action.{}]\nlive = true", "A".repeat(129))),
        "1:9: an action's name of 129 bytes is too long; 128 are possible"
    );
    assert_eq!(
        fault("[action.\"A\\n\"]\nlive = true"),
        "1:9: an action's name has a control character in it, such as a line break or a tabulator"
    );
    assert_eq!(rule("metrics = { \"\" = 1 }"), "3:13: a metric's name is empty");
    assert_eq!(limit("sum = { field = \"\", at_most = 1 }"), "7:17: a field's name is empty");
}
