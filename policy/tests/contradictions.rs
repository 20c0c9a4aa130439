//! What no policy can mean: numbers out of range, moves of unknown stages, the same thing twice, writers that lock out.

mod told;

use counterfoil_policy::{ERRORS, FILE_BYTES, PolicyFile, Problem};
use told::{LIMIT, RULE, fault, limit, refused, rule, warned};

#[test]
fn scores_and_other_numbers() {
    assert_eq!(
        rule("judge = 1.000001"),
        "3:9: `1.000001` cannot be taken for `judge`: a score lies between 0 and 1"
    );
    assert_eq!(rule("judge = -0.1"), "3:9: `-0.1` cannot be taken for `judge`: a score lies between 0 and 1");
    assert_eq!(
        rule("judge = 0.7800001"),
        "3:9: `0.7800001` cannot be taken for `judge`: a score has at most 6 digits behind the point"
    );
    for number in ["7.8e-1", "inf", "nan", "0x1f", "0b1"] {
        let told = rule(&format!("judge = {number}"));
        assert!(told.contains("numbers are exact; write it with digits and a point, such as 1.8"), "{told}");
    }
    let long = format!("metrics = {{ roas = 0.{} }}", "1".repeat(39));
    assert!(rule(&long).ends_with("cannot be taken for `roas`: it has too many digits; 38 are possible"));
    assert!(rule(&format!("metrics = {{ roas = {} }}", "9".repeat(39))).ends_with("38 are possible"));
    for count in ["0", "-3", "1.5", "4294967296"] {
        let told = limit(&format!("count = {count}"));
        assert_eq!(
            told,
            format!(
                "7:9: `{count}` cannot be taken for `count`: a count is a whole number from 1 to 4294967295; what must \
                 never be live has live = false"
            )
        );
    }
    for rows in ["0", "-1", "2.5", "18446744073709551616"] {
        assert_eq!(
            fault(&format!("snapshots = {rows}")),
            format!(
                "1:13: `{rows}` cannot be taken for `snapshots`: it is a whole number of rows, 1 to 18446744073709551615; \
                 for none write \"never\""
            )
        );
    }
    let told = limit("sum = { field = \"spend\", at_most = -0.01 }");
    assert_eq!(told, "7:36: `-0.01` cannot be taken for `at_most`: it is below 0");
}

#[test]
fn times_and_sizes() {
    let window = |window: &str| fault(&format!("{RULE}{}count = 1\n", LIMIT.replace("24 h", window)));
    let unit = "write a whole number and one of days, h, min, s, ms, us";
    for text in ["3 weeks", "24", "1.5 h", "-1 h", "", "h"] {
        assert_eq!(window(text), format!("6:10: `{text}` cannot be taken for `window`: {unit}"));
    }
    assert_eq!(window("0 h"), "6:10: `0 h` cannot be taken for `window`: it must be above 0");
    assert_eq!(
        window("999999999 days"),
        "6:10: `999999999 days` cannot be taken for `window`: it is too long"
    );
    assert!(fault("kill_switch.drill = \"0 days\"").ends_with("it must be above 0"));
    assert!(rule("proven = \"0 h\"").ends_with("cannot be taken for `proven`: it must be above 0"));
    assert_eq!(
        fault("[defaults]\nproven = \"never\""),
        format!("2:10: `never` cannot be taken for `proven`: {unit}")
    );
    assert_eq!(
        fault("segment_bytes = \"64 MB\""),
        "1:17: `64 MB` cannot be taken for `segment_bytes`: write a whole number and one of GiB, MiB, KiB, bytes"
    );
    for text in ["1 KiB", "5 GiB"] {
        assert!(fault(&format!("segment_bytes = \"{text}\"")).ends_with("a segment has 4 KiB to 4 GiB"));
    }
}

#[test]
fn lifecycles() {
    let with = |lines: &str| fault(&format!("[lifecycle]\nstages = [\"new\", \"testing\"]\n{lines}\n"));
    let begun = |lines: &str| with(&format!("start = [\"new\"]\n{lines}"));
    assert_eq!(
        fault("[lifecycle]\nstart = [\"new\"]"),
        "1:1: a lifecycle needs `stages`, such as stages = [\"candidate\", \"testing\"]"
    );
    assert_eq!(begun("end = [\"old\"]"), "4:8: `old` is none of the `stages`; list it there if it is one");
    assert_eq!(begun("end = [\"tesing\"]"), "4:8: `tesing` is none of the `stages`; did you mean `testing`?");
    assert_eq!(
        begun("[lifecycle.moves]\ntestng = [\"new\"]"),
        "5:1: `testng` is none of the `stages`; did you mean `testing`?"
    );
    assert_eq!(
        begun("[lifecycle.moves]\ntesting = [\"new\", \"\"]"),
        "5:19: `` is none of the `stages`; list it there if it is one"
    );
    assert_eq!(
        begun("moves = { new = [\"testing\", \"testing\"] }"),
        "4:29: `testing` is in this list already; take one out"
    );
    assert_eq!(begun("end = [\"new\", \"new\"]"), "4:15: `new` is in this list already; take one out");
    assert_eq!(
        begun("moves = { new = [\"new\"] }"),
        "4:18: `new` cannot be moved to from itself: staying is no move, and needs no permission"
    );
    assert_eq!(
        with("start = []"),
        "1:1: this lifecycle allows no move at all; state `start` and moves, or write lifecycle = \"free\" for any move"
    );
    assert_eq!(
        fault("[lifecycle]\nstages = [\"a\", \"b\", \"a\"]\nstart = [\"a\"]"),
        "2:21: `a` is in this list already; take one out"
    );
    assert_eq!(
        fault("lifecycle = { stages = [\"\", \"a\"], start = [\"a\"] }"),
        "1:25: a stage's name is empty"
    );
}

#[test]
fn limits() {
    assert_eq!(
        refused("[[limit]]\n"),
        [
            "1:1: a limit needs `action`, such as action = \"SCALE_AD\"",
            "1:1: a limit needs `per`, such as per = \"entity\"",
            "1:1: a limit needs `window`, such as window = \"24 h\"",
            "1:1: a limit needs a `count` or a `sum`, or both",
        ]
    );
    assert_eq!(limit("sum = { field = \"spend\" }"), "7:7: a sum needs `at_most`, such as at_most = 200.00");
    assert_eq!(limit("sum = { at_most = 2 }"), "7:7: a sum needs `field`, such as field = \"spend\"");
    assert!(
        limit("count = 1\n[[limit]]\naction = \"*AD\"\nper = \"store\"\nwindow = \"1 h\"\ncount = 1")
            .starts_with("9:10: in `*AD` a *")
    );
    let twice = format!("{RULE}{LIMIT}count = 1\n{}count = 2\n", LIMIT.replace("24 h", "1 day"));
    assert_eq!(
        fault(&twice),
        "8:1: the limit in line 3 has the same action, per, window and field; make one of the two"
    );
    // A field of its own makes it another limit.
    let sum = "sum = { field = \"spend\", at_most = 1 }\n";
    assert_eq!(warned(&format!("{RULE}{LIMIT}count = 1\n{LIMIT}{sum}")), [""; 0]);
    let many: String = (0..65)
        .map(|hours| format!("{}count = 1\n", LIMIT.replace("24", &(hours + 1).to_string())))
        .collect();
    assert_eq!(fault(&format!("{RULE}{many}")), "3:1: 65 limits; at most 64 are possible");
}

#[test]
fn what_is_unknown_is_not_said_in_two_ways() {
    assert_eq!(
        fault("unknown = \"allow\"\n[action.\"*\"]\nlive = true"),
        "2:9: unknown = \"allow\" and a rule for \"*\" both say what holds for all other actions; keep one of the two"
    );
}

#[test]
fn writers_that_lock_somebody_out() {
    let with = |line: &str| fault(&format!("[writers]\n{line}"));
    assert_eq!(
        with("policy = [\"operator\"]"),
        "2:10: policy rows need the owner among their writers: else who owns the ledger could not set another policy"
    );
    assert!(with("key = [\"operator\"]").starts_with("2:7: key rows need the owner"));
    assert!(with("erasure = [\"operator\"]").starts_with("2:11: erasure rows need the owner"));
    for kind in ["rollback", "kill-switch", "review"] {
        let told = with(&format!("{kind} = [\"executor\", \"judge\"]"));
        assert!(told.contains("rows need the operator or the owner among their writers"), "{told}");
        assert_eq!(warned(&format!("{RULE}[writers]\n{kind} = [\"operator\"]")), [""; 0]);
        let agents = warned(&format!("{RULE}[writers]\n{kind} = [\"owner\", \"executor\"]"));
        assert!(matches!(agents.as_slice(), [told] if told.contains("executors may write")), "{agents:?}");
    }
    assert_eq!(
        with("decision = []"),
        "2:12: nobody could write decision rows; name a role, or leave decision out for the usual ones"
    );
    assert!(with("key = []").contains("nobody could write key rows"));
    assert_eq!(
        with("outcome = [\"ledger\"]"),
        "2:12: keys with the role ledger write no such rows; take it out"
    );
    assert_eq!(
        with("outcome = [\"operator\", \"auditor\"]"),
        "2:24: keys with the role auditor write no such rows; take it out"
    );
    assert_eq!(
        with("outcome = [\"judge\", \"judge\"]"),
        "2:21: `judge` is in this list already; take one out"
    );
    assert_eq!(
        with("genesis = [\"owner\"]"),
        "2:1: a genesis is written once, when the ledger is made; it has no writers"
    );
    assert_eq!(
        with("snapshot = [\"owner\"]"),
        "2:1: snapshot rows are written by the ledger's key, an operator or the owner, whatever the policy says; take \
         this out"
    );
}

#[test]
fn files_are_bounded_and_so_is_what_is_said_of_them() {
    let large = format!("#{}", "x".repeat(FILE_BYTES));
    assert_eq!(fault(&large), "1:1: the file has 1048577 bytes; a policy file has at most 1048576");
    assert!(PolicyFile::parse(&large[..FILE_BYTES]).is_ok());
    let rules: String = (0..4097).map(|rule| format!("[action.A{rule}]\nlive = true\n")).collect();
    assert_eq!(fault(&rules), "1:2: 4097 rules for actions; at most 4096 are possible");
    let unknown: String = (0..1000).map(|key| format!("x{key} = 1\n")).collect();
    let errors = PolicyFile::parse(&unknown).unwrap_err();
    assert_eq!((errors.errors.len(), errors.more), (ERRORS, 1000 - ERRORS));
    assert!(errors.to_string().ends_with("\nand 900 more"));
    // The first ones of the file, whatever their names.
    assert!(errors.errors.iter().enumerate().all(|(line, error)| error.place.line == line + 1));
    assert!(errors.errors.iter().all(|error| matches!(error.problem, Problem::UnknownKey { .. })));
}
