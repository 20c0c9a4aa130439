//! What the rows say that are no decisions, line by line, for people.

use crate::names::Names;
use crate::policy_words;
use crate::row_json::score;
use crate::time;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Calibration, Erased, KeyChange, KillSwitch, Scope};
use counterfoil_format::intent::Micros;
use counterfoil_format::key::key_id;
use counterfoil_rules::keyring::KeyScope;

/// How many row numbers are listed.
const LISTED: usize = 20;

/// What a body says beyond its summary, each line with what it is about.
pub fn lines(body: &Body<'_>, names: &Names<'_>) -> Vec<(&'static str, String)> {
    match body {
        Body::Genesis(genesis) => {
            let mut lines = vec![
                ("owner", format!("key {}", key_id(&genesis.owner))),
                ("ledger", format!("key {}", key_id(&genesis.ledger))),
            ];
            lines.extend(policy_words::lines(&genesis.policy));
            lines
        }
        Body::Policy(policy) => policy_words::lines(policy),
        Body::Key(change) => key(change, names),
        Body::KillSwitch(switch) => kill_switch(switch),
        Body::Calibration(calibration) => self::calibration(calibration),
        Body::Evidence(reading) if !reading.source.is_empty() => vec![("source", reading.source.to_owned())],
        Body::Review(review) => vec![("about", format!("row {}, {}", review.row, review.row_hash))],
        Body::Rollback(rollback) => {
            let mut lines = vec![("about", format!("row {}, {}", rollback.target, rollback.target_hash))];
            let effects: Vec<String> = rollback.effects.iter().take(LISTED).map(u32::to_string).collect();
            if !effects.is_empty() {
                let more = rollback.effects.len() - effects.len();
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                lines.push(("calls for", format!("effects {}{more} of the decision", effects.join(", "))));
            }
            lines
        }
        Body::Outcome(outcome) if !outcome.detail.is_empty() => vec![("detail", outcome.detail.to_owned())],
        Body::Snapshot(snapshot) => vec![("state", snapshot.state.to_string())],
        Body::Erasure(erasure) => erasure.items.iter().take(LISTED).map(erased).collect(),
        _ => Vec::new(),
    }
}

fn key(change: &KeyChange<'_>, names: &Names<'_>) -> Vec<(&'static str, String)> {
    match change {
        KeyChange::Grant { key, scope, .. } => {
            let mut lines = vec![("key", format!("{} (public {})", key_id(key), Hash(*key)))];
            lines.push((
                "scope",
                Some(self::scope(scope)).filter(|words| !words.is_empty()).unwrap_or("everything".into()),
            ));
            lines
        }
        KeyChange::Rotate { old, key } => vec![
            ("key", format!("{} (public {})", key_id(key), Hash(*key))),
            ("ends", format!("key {old}; name, roles and scope stay those of {}", names.key(old))),
        ],
        KeyChange::Revoke { key, compromised_since, .. } => {
            let mut lines = vec![("ends", format!("key {key}, for good"))];
            lines.extend(compromised_since.map(|since| {
                let rows =
                    "rows that it signed then or later are suspect, and `counterfoil verify` lists them";
                ("suspect", format!("from {} on: {rows}", time::print(since)))
            }));
            lines
        }
    }
}

/// What a scope restricts; empty when it restricts nothing.
pub fn scope(scope: &Scope<'_>) -> String {
    let listed =
        |what: &str, texts: &[&str]| (!texts.is_empty()).then(|| format!("{what} {}", texts.join(" ")));
    let time =
        |what: &str, time: Option<Micros>| time.map(|time| format!("{what} {}", time::print_short(time)));
    let parts = [
        listed("actions", &scope.actions),
        listed("keys from", &scope.prefixes),
        time("from", scope.from),
        time("until", scope.until),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The scope of an enrolled key, as a row states it.
pub fn stated(scope: &KeyScope) -> Scope<'_> {
    let actions = scope.actions.iter().map(String::as_str).collect();
    let prefixes = scope.prefixes.iter().map(String::as_str).collect();
    Scope { actions, prefixes, from: scope.from, until: scope.until }
}

fn kill_switch(switch: &KillSwitch<'_>) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if switch.engaged {
        lines.push(("meaning", "nothing live is applied from the next row on; it goes to review".to_owned()));
    }
    if !switch.reason.is_empty() {
        lines.push(("reason", switch.reason.to_owned()));
    }
    lines.extend(switch.drill.map(|drill| {
        let words =
            format!("begun by row {}, and shown to work: it stopped row {}", drill.began, drill.probe);
        ("drill", words)
    }));
    lines
}

fn calibration(calibration: &Calibration<'_>) -> Vec<(&'static str, String)> {
    let Calibration { metric, action, from, upto, quantile, rows, threshold } = calibration;
    let action = if action.is_empty() { String::new() } else { format!(" with the action {action}") };
    let window = format!(
        "readings of {metric}{action} that landed from {} on, in rows below {upto}",
        time::print(*from)
    );
    let listed: Vec<String> = rows.iter().take(LISTED).map(u64::to_string).collect();
    let more = rows.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more; --json prints all") } else { String::new() };
    vec![
        ("window", window),
        ("from rows", format!("{}{more}", listed.join(", "))),
        ("threshold", format!("{threshold}, their quantile {}", score(*quantile))),
    ]
}

fn erased(item: &Erased) -> (&'static str, String) {
    let words = match item {
        Erased::Part { row, tag } => {
            let mut parts = counterfoil_format::part::PartTag::AUTHORED.into_iter();
            let part = parts.find(|part| *part as u8 == *tag).map_or("?", |part| part.name());
            format!("the part {part} of row {row}")
        }
        Erased::Value { commitment } => format!("the value {commitment}, wherever it stands"),
    };
    ("erased", words)
}
