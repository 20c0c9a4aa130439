//! Writes settings as the canonical text of a policy file.

use crate::number::score_text;
use crate::quantity::{size_text, time_text};
use crate::read_action::{CALIBRATED, tier_name};
use crate::read_lifecycle::FREE;
use crate::reading::NEVER;
use crate::settings::{Bound, EVERY, Rule, Settings, Span, Stages, Unknown};
use crate::source::is_hidden;
use counterfoil_format::body::Role;
use counterfoil_format::policy::Floor;
use std::fmt::Write;

/// The column behind which a list is broken.
const WIDTH: usize = 100;

const HEAD: &str = "\
# A policy of Counterfoil: by which rules decisions land. docs/POLICY.md explains each setting.
# Times are in days, h, min, s, ms, us; numbers are exact decimals.
";
const ACTIONS: &str = "
# What holds for which actions. A name comes before a prefix such as \"AD_*\", a longer prefix before a shorter one;
# rules do not add up. `tier` is the least that will do: A, B, C or any. `reversibility` is the least as well: exact,
# declared, window, compensating or none. `proven` is how long ago a recovery drill of its class may have passed.
";
const LIFECYCLE: &str = "
# The stages of entities: where they may begin, from which they may leave, and which moves there are.
";
const LIMITS: &str = "
# How much may be applied in a time, over all actions that `action` matches.
";
const WRITERS: &str = "
# Who may write rows of a kind, where that is not as usual.
";

/// The text. Writing into a string cannot fail, so what [`Write`] says is put aside.
pub(crate) fn print(settings: &Settings) -> String {
    let mut out = HEAD.to_owned();
    print_whole(settings, &mut out);
    if !settings.rules.is_empty() {
        out.push_str(ACTIONS);
    }
    settings.rules.iter().for_each(|(pattern, rule)| print_rule(pattern, rule, &mut out));
    settings.lifecycle.iter().for_each(|lifecycle| print_lifecycle(lifecycle, &mut out));
    if !settings.limits.is_empty() {
        out.push_str(LIMITS);
    }
    settings.limits.iter().for_each(|(span, bound)| print_limit(span, bound, &mut out));
    if !settings.writers.is_empty() {
        let _ = writeln!(out, "{WRITERS}[writers]");
    }
    for (kind, roles) in &settings.writers {
        let _ = writeln!(out, "{kind} = {}", list(0, Role::in_set(*roles).map(Role::name)));
    }
    out
}

/// The settings of the policy as a whole.
fn print_whole(settings: &Settings, out: &mut String) {
    match (settings.unknown, settings.rules.contains_key(EVERY)) {
        (Unknown::Review, true) => out.push_str("\n# No action is unknown: there is a rule for \"*\".\n"),
        (unknown, _) => drop(writeln!(
            out,
            "\n# What becomes of actions without a rule.\nunknown = \"{}\"",
            unknown.name()
        )),
    }
    let _ =
        writeln!(out, "# Who judges is another than who plans or writes, and who approves than who wrote.");
    let _ = writeln!(out, "separation = {}", settings.separation);
    let _ = writeln!(out, "# A file of the log is closed at this size.");
    let _ = writeln!(out, "segment_bytes = \"{}\"", size_text(settings.segment_bytes));
    let _ = writeln!(out, "# A snapshot of the state is made so many rows after the last one.");
    let _ = match settings.snapshots {
        Some(rows) => writeln!(out, "snapshots = {rows}"),
        None => writeln!(out, "snapshots = \"{NEVER}\""),
    };
    if settings.lifecycle.is_none() {
        let _ = writeln!(out, "# Entities may move from any stage to any other.\nlifecycle = \"{FREE}\"");
    }
    let drill = settings.drill.map_or_else(|| NEVER.to_owned(), time_text);
    let _ = writeln!(out, "\n[kill_switch]\n# How often it is tried out.\ndrill = \"{drill}\"");
}

fn print_rule(pattern: &str, rule: &Rule, out: &mut String) {
    let _ = writeln!(out, "\n[action.{}]", key(pattern));
    let _ = writeln!(out, "class = \"{}\"", rule.class);
    let _ = writeln!(out, "tier = \"{}\"", tier_name(rule.tier));
    let _ = writeln!(out, "live = {}", rule.live);
    let _ = writeln!(out, "reversibility = \"{}\"", rule.reach);
    if let Some(within) = rule.proven {
        let _ = writeln!(out, "proven = \"{}\"", time_text(within));
    }
    if let Some(floor) = rule.judge {
        let _ = writeln!(out, "judge = {}", score_text(floor));
    }
    if rule.attested {
        let _ = writeln!(out, "attested = true");
    }
    if !rule.metrics.is_empty() {
        let floors =
            rule.metrics.iter().map(|(metric, floor)| format!("{} = {}", key(metric), floor_text(floor)));
        let _ = writeln!(out, "metrics = {{ {} }}", floors.collect::<Vec<_>>().join(", "));
    }
}

/// A floor as it is written.
pub(crate) fn floor_text(floor: &Floor) -> String {
    match floor {
        Floor::Fixed(number) => number.to_string(),
        Floor::Calibrated => format!("\"{CALIBRATED}\""),
    }
}

fn print_lifecycle(lifecycle: &Stages, out: &mut String) {
    let _ = writeln!(out, "{LIFECYCLE}[lifecycle]");
    let _ = writeln!(out, "stages = {}", list(9, lifecycle.stages.iter()));
    let _ = writeln!(out, "start = {}", list(8, lifecycle.from("")));
    let ends = lifecycle.stages.iter().filter(|stage| lifecycle.from(stage).any(str::is_empty));
    let _ = writeln!(out, "end = {}", list(6, ends));
    let _ = writeln!(out, "\n[lifecycle.moves]");
    for stage in &lifecycle.stages {
        let mut targets = lifecycle.from(stage).filter(|to| !to.is_empty()).peekable();
        if targets.peek().is_some() {
            let stage = key(stage);
            let _ = writeln!(out, "{stage} = {}", list(stage.len() + 3, targets));
        }
    }
}

fn print_limit(span: &Span, bound: &Bound, out: &mut String) {
    let _ = writeln!(out, "\n[[limit]]");
    let _ = writeln!(out, "action = {}", quoted(&span.actions));
    let _ = writeln!(out, "per = \"{}\"", span.per);
    let _ = writeln!(out, "window = \"{}\"", time_text(span.window));
    if let Some(count) = bound.count {
        let _ = writeln!(out, "count = {count}");
    }
    if let Some((field, most)) = span.field.as_deref().zip(bound.sum) {
        let _ = writeln!(out, "sum = {{ field = {}, at_most = {most} }}", quoted(field));
    }
}

/// A list whose first line begins behind so many characters.
fn list(before: usize, items: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let (mut out, mut width) = ("[".to_owned(), before + 1);
    for (place, item) in items.into_iter().enumerate() {
        let item = quoted(item.as_ref());
        let letters = item.chars().count() + 2;
        if place > 0 {
            out.push(',');
            if width + letters > WIDTH {
                out.push_str("\n   ");
                width = 3;
            }
            out.push(' ');
        }
        out.push_str(&item);
        width += letters;
    }
    out.push(']');
    out
}

/// A key, in quotes where it must be.
pub(crate) fn key(name: &str) -> String {
    let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare && !name.is_empty() { name.to_owned() } else { quoted(name) }
}

/// A text in quotes, with an escape for whatever would be hidden.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_hidden(c) => drop(write!(out, "\\U{:08x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
