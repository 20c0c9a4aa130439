//! What a policy asks for, in words.

use crate::row_json::score;
use crate::table::printable;
use crate::time;
use anyhow::{Context, Result, anyhow};
use counterfoil_format::body::{Body, Role};
use counterfoil_format::intent::Tier;
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::{ActionRule, Floor, Limit, Per, PolicyBody, Reach};
use counterfoil_format::row::Row;

/// The policy that a row sets.
pub fn policy_of<'a>(row: &Row<'a>) -> Result<PolicyBody<'a>> {
    let bytes = row.content(PartTag::Body).context("the body of the policy row is withheld")?;
    match Body::decode(row.head.kind, bytes)? {
        Body::Genesis(genesis) => Ok(genesis.policy),
        Body::Policy(policy) => Ok(policy),
        _ => Err(anyhow!("row {} sets no policy", row.landing.seq)),
    }
}

/// The policy in a line.
pub fn summary(policy: &PolicyBody<'_>) -> String {
    let live: Vec<_> = policy.actions.iter().filter(|rule| rule.live).map(|rule| rule.pattern).collect();
    let live = if live.is_empty() { "none".to_owned() } else { live.join(", ") };
    let mut words = vec![format!("a policy; live: {live}")];
    let count = |many: usize, one: &str| match many {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let stages = policy.lifecycle.as_ref().map_or(0, |lifecycle| lifecycle.stages.len());
    words.extend([count(stages, "stage"), count(policy.limits.len(), "limit")].into_iter().flatten());
    words.join("; ")
}

/// The policy line by line, each with what it is about.
pub fn lines(policy: &PolicyBody<'_>) -> Vec<(&'static str, String)> {
    let mut lines: Vec<_> = policy
        .actions
        .iter()
        .map(|each| ("rule", format!("{}: {}", printable(each.pattern), rule(each))))
        .collect();
    if policy.actions.is_empty() {
        lines.push(("rule", "none: every decision goes to review".to_owned()));
    }
    lines.extend(policy.lifecycle.iter().flat_map(|lifecycle| {
        let stages = ("stages", lifecycle.stages.join(", "));
        let moves = lifecycle.moves.iter().map(|moved| {
            let name = crate::summary::stage;
            format!("{} to {}", name(moved.from), name(moved.to))
        });
        [stages, ("moves", moves.collect::<Vec<_>>().join("; "))]
    }));
    lines.extend(policy.limits.iter().map(|each| ("limit", limit(each))));
    lines.extend(policy.writers.iter().map(|of| {
        let roles: Vec<_> = Role::in_set(of.roles).map(Role::name).collect();
        ("writers", format!("of {} rows: {}", of.kind.name(), roles.join(", ")))
    }));
    if policy.separation {
        lines.push((
            "roles",
            "who judges neither plans nor writes, and who approves did not write".to_owned(),
        ));
    }
    lines.extend(
        policy
            .drill_period
            .map(|period| ("drills", format!("of the kill switch every {}", time::span(period)))),
    );
    lines.extend(policy.snapshot_rows.map(|rows| {
        ("snapshots", format!("of the state every {rows} row{}", if rows == 1 { "" } else { "s" }))
    }));
    lines
}

/// What an action must be to land as it asks.
pub fn rule(rule: &ActionRule<'_>) -> String {
    let mut words = vec![if rule.live { "may be live".to_owned() } else { "dry runs only".to_owned() }];
    words.push(rule.class.name().to_owned());
    if rule.tier != Tier::Unstated {
        words.push(format!("tier {} or better", rule.tier.name()));
    }
    let signed = if rule.attested { ", who signs" } else { "" };
    match rule.judge_floor {
        Some(floor) => words.push(format!("a judge with a score of at least {}{signed}", score(floor))),
        None if rule.attested => words.push("a judge, who signs".to_owned()),
        None => {}
    }
    if rule.reach != Reach::Never {
        words.push(format!("reversibility {} or better", rule.reach.name()));
    }
    words.extend(
        rule.proven.map(|within| format!("a recovery drill of its class within {}", time::span(within))),
    );
    words.extend(rule.metrics.iter().map(|least| match least.floor {
        Floor::Fixed(number) => format!("{} at least {number}", least.metric),
        Floor::Calibrated => format!("{} at least as calibrated", least.metric),
    }));
    words.join("; ")
}

/// How much may be applied.
pub fn limit(limit: &Limit<'_>) -> String {
    let per = match limit.per {
        Per::Store => "in all",
        Per::Entity => "per entity",
    };
    let count = limit.count.map(|count| format!("at most {count} row{}", if count == 1 { "" } else { "s" }));
    let sum = limit.sum.map(|sum| format!("a sum of {} of at most {}", sum.field, sum.most));
    let most: Vec<_> = count.into_iter().chain(sum).collect();
    format!("{} {per} in {}: {}", limit.actions, time::span(limit.window), most.join(", and "))
}
