//! What can be set and is told all the same.

mod told;

use told::{LIMIT, RULE, warned};

const NONE: [&str; 0] = [];

#[test]
fn a_policy_under_which_nothing_is_live() {
    let nothing = "1:1: no action may be live, so nothing can be applied under this policy; set live = true where it may";
    assert_eq!(warned(""), [nothing]);
    assert_eq!(warned("[action.AD]\nclass = \"soft\""), [nothing]);
    assert_eq!(warned(RULE), NONE);
    assert_eq!(warned("unknown = \"allow\""), NONE);
}

#[test]
fn what_is_never_asked() {
    let text = "unknown = \"review\"\n[action.\"*\"]\nlive = true";
    assert_eq!(
        warned(text),
        ["1:11: this is never asked, since the rule for \"*\" knows every action; leave it out"]
    );
    assert_eq!(warned("[action.\"*\"]\nlive = true"), NONE);
}

#[test]
fn a_rule_that_takes_the_place_of_one_that_asks_for_more() {
    let writers = "writers.evidence = [\"operator\"]\n";
    let wide = format!(
        "{writers}[action.\"REPLY*\"]\nlive = true\njudge = 0.78\nattested = true\nmetrics = {{ csat = 4.2 }}\n"
    );
    let narrow = |lines: &str| warned(&format!("{wide}[action.REPLY_REFUND]\nlive = true\n{lines}"));
    assert_eq!(
        narrow(""),
        [
            "7:9: rules do not add up: this one takes the place of `REPLY*`, and does not ask for a judge's score or a \
          judge's signature or the metric `csat`"
        ]
    );
    assert_eq!(narrow("judge = 0.5\nattested = true\nmetrics = { csat = 1 }"), NONE);
    // Where it may not be live, it can hardly do harm.
    assert_eq!(warned(&format!("{wide}[action.REPLY_REFUND]")), NONE);
    // The prefix itself is no wider rule than itself, and one of another beginning neither.
    assert_eq!(warned(&format!("{wide}[action.SELL]\nlive = true")), NONE);
    let nested = warned(&format!(
        "{wide}[action.\"REPLY_*\"]\nlive = true\njudge = 0.9\nattested = true\nmetrics = {{ csat = 3 }}"
    ));
    assert_eq!(nested, NONE);
    let proven = |narrow: &str| {
        warned(&format!(
            "[action.\"AD*\"]\nlive = true\nproven = \"7 days\"\n[action.AD_STOP]\nlive = true\n{narrow}"
        ))
    };
    assert_eq!(
        proven(""),
        [
            "4:9: rules do not add up: this one takes the place of `AD*`, and does not ask for a recovery drill"
        ]
    );
    assert_eq!(proven("proven = \"30 days\""), NONE);
    let nested = warned("[action.\"AD*\"]\nlive = true\njudge = 0.5\n[action.\"AD_*\"]\nlive = true");
    assert_eq!(
        nested,
        ["4:9: rules do not add up: this one takes the place of `AD*`, and does not ask for a judge's score"]
    );
}

#[test]
fn a_signature_under_any_score() {
    assert_eq!(
        warned("[action.REPLY]\nlive = true\nattested = true"),
        ["1:9: the judge must have signed, and any score will do; set `judge` to the least score that will"]
    );
}

#[test]
fn limits_that_count_nothing() {
    let with =
        |rules: &str, action: &str| warned(&format!("{rules}{}count = 1", LIMIT.replace("AD", action)));
    assert_eq!(with(RULE, "AD"), NONE);
    assert_eq!(with(RULE, "A*"), NONE);
    assert_eq!(with("[action.\"A*\"]\nlive = true\n", "AD"), NONE);
    assert_eq!(with("[action.\"A*\"]\nlive = true\n", "AD*"), NONE);
    assert_eq!(with("unknown = \"allow\"\n", "AD"), NONE);
    assert_eq!(
        with("[action.SCALE_AD]\nlive = true\n", "SCALEAD"),
        [
            "3:1: no rule knows an action that `SCALEAD` matches, so only approvals would be counted; did you mean \
          `SCALE_AD`?"
        ]
    );
    assert_eq!(
        with(RULE, "SELL"),
        ["3:1: no rule knows an action that `SELL` matches, so only approvals would be counted"]
    );
    assert_eq!(
        with(&format!("{RULE}[action.SELL]\n"), "SELL"),
        ["4:1: no action that `SELL` matches may be live, so this limit never has anything to count"]
    );
    // The named rule holds, and not the wider one that is live.
    assert_eq!(
        with("[action.\"*\"]\nlive = true\n[action.AD]\n", "AD"),
        ["4:1: no action that `AD` matches may be live, so this limit never has anything to count"]
    );
    assert_eq!(with("[action.\"*\"]\nlive = true\n[action.AD]\n", "A*"), NONE);
    assert_eq!(
        warned(&format!("{RULE}{LIMIT}sum = {{ field = \"spend\", at_most = 0.00 }}")),
        ["3:1: every amount above 0 goes to review; what must never be live has live = false"]
    );
}

#[test]
fn stages_that_lead_nowhere() {
    let with = |lines: &str| {
        warned(&format!("{RULE}[lifecycle]\nstages = [\n  \"new\",\n  \"old\",\n  \"lost\",\n]\n{lines}"))
    };
    assert_eq!(
        with("start = [\"new\"]\nend = [\"lost\"]\n[lifecycle.moves]\nnew = [\"old\"]"),
        [
            "6:3: no move leads out of `old`; name it in `end` if entities leave the lifecycle there",
            "7:3: no moves lead from `start` to `lost`",
        ]
    );
    assert_eq!(
        with("[lifecycle.moves]\nnew = [\"old\"]\nold = [\"lost\"]\nlost = [\"new\"]"),
        ["3:1: `start` names no stage, so no entity can enter the lifecycle"]
    );
    assert_eq!(
        with(
            "start = [\"new\"]\nend = [\"lost\"]\n[lifecycle.moves]\nnew = [\"old\", \"lost\"]\nold = [\"new\"]"
        ),
        NONE
    );
}

#[test]
fn readings_by_those_who_rest_on_them() {
    let rests = "[action.AD]\nlive = true\nmetrics = { roas = 2 }\n";
    let told = warned(rests);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("1:9: executors may write readings"), "{told:?}");
    assert_eq!(warned(&format!("{rests}[writers]\nevidence = [\"operator\"]\n")), [""; 0]);
    let executors = format!("{rests}[writers]\nevidence = [\"executor\", \"operator\"]\n");
    assert_eq!(warned(&executors), told);
    assert_eq!(warned("[action.AD]\nlive = true\n"), [""; 0]);
}

#[test]
fn drills_that_prove_nothing() {
    let never = "what cannot be taken back at all is never proven, so it goes to review although `reversibility` is \
                 \"none\"; ask for a better one, or write proven = \"none\"";
    let reach = "reversibility = \"none\"";
    assert_eq!(warned(&format!("{RULE}{reach}\nproven = \"7 days\"")), [format!("1:9: {never}")]);
    let defaults = format!("[defaults]\nproven = \"7 days\"\n{RULE}");
    assert_eq!(warned(&defaults), NONE);
    assert_eq!(warned(&format!("{defaults}{reach}")), [format!("3:9: {never}")]);
    assert_eq!(warned(&format!("{defaults}{reach}\nproven = \"none\"")), NONE);
    assert_eq!(
        warned(&format!("{defaults}[writers]\nevidence = [\"judge\"]")),
        [
            "5:1: recovery drills, which rules with `proven` need, are evidence that only operators can write; name operator \
          for evidence, too"
        ]
    );
    assert_eq!(warned(&format!("{RULE}[writers]\nevidence = [\"judge\"]")), NONE);
}

#[test]
fn snapshots_in_quick_succession() {
    let told = "1:13: each snapshot holds the whole state; let 1000 rows or more lie between two";
    assert_eq!(warned(&format!("snapshots = 999\n{RULE}")), [told]);
    for rows in ["1000", "100_000", "18446744073709551615", "\"never\""] {
        assert_eq!(warned(&format!("snapshots = {rows}\n{RULE}")), NONE);
    }
}

#[test]
fn agents_who_govern() {
    let told =
        warned("[action.AD]\nlive = true\n[writers]\nkill-switch = [\"owner\", \"executor\", \"judge\"]\n");
    assert_eq!(
        told,
        [
            "3:1: judges and executors may write kill-switch rows then, and govern what stops them; leave these to the owner \
          and to operators"
        ]
    );
    assert_eq!(warned("[action.AD]\nlive = true\n[writers]\nkill-switch = [\"owner\"]\n"), NONE);
}
