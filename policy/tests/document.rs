//! What docs/POLICY.md says is so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::body::Role;
use counterfoil_format::intent::{KeyId, Kind, Mode, Tier};
use counterfoil_format::landing::Reason;
use counterfoil_format::policy::Reach;
use counterfoil_format::value::Decimal;
use counterfoil_policy::PolicyFile;
use counterfoil_rules::gates::{Asked, Judged, Sight, is_clearable};
use counterfoil_rules::governance::{InForce, RecoveryDrill, Switch};
use counterfoil_rules::keyring::roles_for;
use counterfoil_rules::limits::{Amounts, Limits};
use counterfoil_rules::number::Magnitude;
use counterfoil_rules::policy::{Policy, Rule};
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/POLICY.md")).unwrap()
}

/// What stands between two marks.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let (_, behind) = text.split_once(begin).unwrap_or_else(|| unreachable!("no {begin}"));
    behind.split_once(end).unwrap().0
}

/// The cells of a marked table, a row each, without its head.
fn table(text: &str, name: &str) -> Vec<Vec<String>> {
    let marked = between(text, &format!("<!-- {name}:begin"), &format!("<!-- {name}:end"));
    let rows = marked.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

#[test]
fn the_policies_in_it_can_be_set_without_a_doubt() {
    let text = document();
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        // Without a live action it would be told that there is none.
        let live = if block.contains("live = true") { "" } else { "unknown = \"allow\"\n" };
        let file = PolicyFile::parse(&format!("{live}{block}"))
            .unwrap_or_else(|errors| unreachable!("{errors}\n{block}"));
        assert_eq!(file.warnings(), [], "{block}");
    }
}

#[test]
fn it_explains_every_reason_and_which_can_be_approved() {
    let text = document();
    let explained: Vec<String> = table(&text, "reasons").into_iter().map(|row| row[0].clone()).collect();
    let all: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(explained, all);
    let approvals = between(&text, "## Approvals", "## Limits");
    let row = approvals.lines().filter(|line| line.starts_with('|')).nth(2).unwrap();
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let named = |clearable: bool| {
        let reasons = Reason::ALL.iter().filter(|reason| is_clearable(**reason) == clearable);
        reasons.map(|reason| reason.name()).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(cells, [named(true), named(false)]);
}

#[test]
fn its_moves_are_those_of_a_file_that_says_none() {
    let file = PolicyFile::parse("").unwrap();
    let body = file.body();
    let mut moves: Vec<(String, String)> = Vec::new();
    let stage = |stage: &str| if stage == "(none)" { String::new() } else { stage.to_owned() };
    for row in table(&document(), "moves") {
        moves.extend(row[1].split(", ").map(|to| (stage(&row[0]), stage(to))));
    }
    moves.sort_unstable();
    let expected = body.lifecycle.unwrap().moves;
    let expected: Vec<_> =
        expected.iter().map(|moved| (moved.from.to_owned(), moved.to.to_owned())).collect();
    assert_eq!(moves, expected);
}

#[test]
fn its_writers_are_the_usual_ones() {
    let rows = table(&document(), "writers");
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| !matches!(kind, Kind::Genesis | Kind::Snapshot)).collect();
    assert_eq!(rows.len(), kinds.len());
    for (row, kind) in rows.iter().zip(kinds) {
        let roles: Vec<&str> = Role::in_set(roles_for(kind)).map(Role::name).collect();
        assert_eq!(row[..2], [kind.name().to_owned(), roles.join(", ")]);
        for role in ["owner", "planner", "judge", "executor", "operator"] {
            let alone = PolicyFile::parse(&format!("[writers]\n{kind} = [\"{role}\"]"));
            let fit = row[2].is_empty() || row[2].split(" or ").any(|needed| needed == role);
            assert_eq!(alone.is_ok(), fit, "{kind} {role}");
        }
    }
    let roles: Vec<&str> = Role::in_set(roles_for(Kind::Snapshot)).map(Role::name).collect();
    assert_eq!(roles, ["owner", "operator", "ledger"], "as the text below the table says");
    assert!(PolicyFile::parse("[writers]\nsnapshot = [\"owner\"]").is_err());
}

#[test]
fn what_it_says_that_is_told_is_told() {
    for (text, position) in [
        ("[action.AD]\nclass = \"hrad\"", "2:9"),
        ("[[limit]]\naction = \"AD\"\nper = \"store\"\ncount = 1", "1:1"),
    ] {
        let told = PolicyFile::parse(text).unwrap_err().to_string();
        let words = told.strip_prefix(position).unwrap();
        assert!(
            document().lines().any(|line| line.starts_with("policy.toml:") && line.ends_with(words)),
            "{told}"
        );
    }
}

/// A decision of the worked example.
#[derive(Debug, Clone)]
struct Decision {
    given: Option<Decimal>,
    margin: Option<Decimal>,
}

impl Amounts for Decision {
    type Error = Infallible;

    fn entity(&self) -> Result<Option<&str>, Infallible> {
        Ok(Some("sku-1"))
    }

    fn amount(&self, field: &str) -> Result<Option<Magnitude>, Infallible> {
        Ok(self.given.as_ref().filter(|_| field == "given").map(Magnitude::of))
    }
}

impl Sight for Decision {
    fn judge(&self) -> Result<Option<Judged>, Infallible> {
        Ok(None)
    }

    fn reach(&self) -> Result<Reach, Infallible> {
        Ok(Reach::Exact)
    }

    fn moves(&self) -> Result<Vec<(&str, &str)>, Infallible> {
        Ok(Vec::new())
    }

    fn calibrated(&self, _: &str) -> Result<Option<Decimal>, Infallible> {
        Ok(None)
    }

    fn drilled(&self, _: Reach) -> Result<Option<RecoveryDrill>, Infallible> {
        Ok(None)
    }

    fn stage(&self, _: &str) -> Result<String, Infallible> {
        Ok(String::new())
    }

    fn readings(&self, _: &Rule, take: &mut dyn FnMut(&str, &Decimal)) -> Result<(), Infallible> {
        self.margin.iter().for_each(|reading| take("margin", reading));
        Ok(())
    }
}

/// A number of the table.
fn number(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.')?;
    let scale = u8::try_from(fraction.len()).unwrap();
    Some(Decimal { mantissa: format!("{whole}{fraction}").parse().unwrap(), scale })
}

/// The gates themselves decide the day of the worked example, and come to what its table says.
#[test]
fn its_day_of_discounts_goes_as_it_says() {
    let text = document();
    let example = between(&text, "<!-- policy:begin -->\n```toml\n", "```\n<!-- policy:end");
    let file = PolicyFile::parse(example).unwrap();
    let mut in_force = InForce {
        policy: Arc::new(Policy::from_body(&file.body())),
        policy_row: 0,
        switch: Switch { engaged: false, holder: KeyId([0; 8]), drilling: false },
        switch_row: 0,
        drilled_at: 0,
    };
    let mut limits = Limits::default();
    limits.follow(&in_force.policy.limits);
    let mut landed: Vec<(Decision, Vec<Reason>)> = Vec::new();
    for (place, row) in (1i64..).zip(table(&text, "day")) {
        let [_, words, tier, given, outcome, reasons] = row.as_slice() else { unreachable!("{row:?}") };
        let approved = words.strip_prefix("an approval of ").map(|rest| {
            let earlier: usize = rest.split(' ').next().unwrap().parse().unwrap();
            landed[earlier - 1].clone()
        });
        let margin = match words.as_str() {
            "without a reading" => None,
            words => number(words.split_once("margin of ").map_or("0.22", |(_, margin)| margin)),
        };
        let (decision, seen) = approved.unwrap_or((Decision { given: number(given), margin }, Vec::new()));
        in_force.switch.engaged = words.contains("pulled");
        let asked = Asked {
            action: if words.contains("does not know") { "GIVE_AWAY" } else { "DISCOUNT" },
            tier: Tier::from_name(tier).unwrap(),
            mode: if words.starts_with("a dry run") { Mode::DryRun } else { Mode::Live },
            landed_at: place * 3_600_000_000,
        };
        let Ok(found) = in_force.gates(&mut limits, &asked, &decision, &seen);
        let names: Vec<&str> = found.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.join(", "), *reasons, "{row:?}");
        let lands = if !found.is_empty() {
            "review"
        } else if asked.mode == Mode::Live {
            "applied"
        } else {
            "dry-run"
        };
        assert_eq!(lands, outcome, "{row:?}");
        if lands == "applied" {
            let Ok(()) = limits.count(asked.action, asked.landed_at, &decision, &mut Vec::new());
        }
        landed.push((decision, found));
    }
    assert_eq!(landed.len(), 11);
}
