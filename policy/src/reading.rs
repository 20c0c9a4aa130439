//! From the text of a policy file to its settings.

use crate::problem::{Problem, Problems};
use crate::read_action::{Defaults, read_action};
use crate::read_lifecycle::read_lifecycle;
use crate::read_limit::read_limits;
use crate::read_writers::read_writers;
use crate::settings::{EVERY, Settings, Unknown};
use crate::source::shown;
use crate::table::{Entry, entries, pattern};
use crate::{number, quantity};
use counterfoil_format::limits;
use std::collections::BTreeMap;
use toml::de::DeTable;

const SETTINGS: &[&str] = &[
    "unknown",
    "separation",
    "segment_bytes",
    "snapshots",
    "kill_switch",
    "defaults",
    "action",
    "lifecycle",
    "limit",
    "writers",
];
const SWITCH: &[&str] = &["drill"];
/// The word for no drills, and for no snapshots.
pub(crate) const NEVER: &str = "never";

/// Where things stand in the file, by the byte, for what is said of them later.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub unknown: Option<usize>,
    pub snapshots: usize,
    pub lifecycle: usize,
    pub writers: usize,
    /// By pattern.
    pub rules: BTreeMap<String, usize>,
    /// By stage.
    pub stages: BTreeMap<String, usize>,
    /// In the order of the limits.
    pub limits: Vec<usize>,
}

/// What an action without a rule may be said to become.
const UNKNOWN: &[Unknown] = &[Unknown::Review, Unknown::Allow];

impl Unknown {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Unknown::Review => "review",
            Unknown::Allow => "allow",
        }
    }
}

/// Reads a text. What is wrong with it goes to `problems`; the settings are then as far as they could be read.
pub(crate) fn read(text: &str, problems: &mut Problems<'_>) -> (Settings, Marks) {
    let (mut settings, mut marks) = (Settings::empty(), Marks::default());
    let (document, errors) = DeTable::parse_recoverable(text);
    // Behind most errors of syntax the parser has to guess what was meant, and what it guesses is not worth a word.
    let mut guessed = false;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let problem = syntax(error.message(), text.get(span.clone()).unwrap_or_default());
        guessed |= matches!(problem, Problem::Syntax { .. });
        problems.push(span.start, problem);
    }
    if !guessed {
        read_settings(document.get_ref(), &mut settings, &mut marks, problems);
    }
    (settings, marks)
}

/// What the parser says, in our words where it is a frequent slip after which it need not guess.
fn syntax(message: &str, text: &str) -> Problem {
    if message.starts_with("duplicate key") {
        Problem::Twice { key: shown(text.trim_matches(['"', '\''])) }
    } else if message.starts_with("string values must be quoted") {
        Problem::Unquoted { text: shown(text) }
    } else if message.starts_with("invalid unquoted key") {
        Problem::UnquotedKey
    } else {
        Problem::Syntax { message: message.to_owned() }
    }
}

fn read_settings(
    document: &DeTable<'_>,
    settings: &mut Settings,
    marks: &mut Marks,
    problems: &mut Problems<'_>,
) {
    let find = |key| entries(document).find(|entry| entry.key == key);
    let defaults = find("defaults").map(|entry| Defaults::read(&entry, problems)).unwrap_or_default();
    for entry in entries(document) {
        match entry.key {
            "unknown" => {
                marks.unknown = Some(entry.at);
                set(
                    &mut settings.unknown,
                    entry.word("choice for unknown actions", UNKNOWN, Unknown::name, problems),
                );
            }
            "separation" => set(&mut settings.separation, entry.boolean(problems)),
            "segment_bytes" => {
                let size =
                    entry.quantity("a size in quotes, such as \"64 MiB\"", quantity::segment, problems);
                set(&mut settings.segment_bytes, size);
            }
            "snapshots" => {
                marks.snapshots = entry.at;
                set(&mut settings.snapshots, read_snapshots(&entry, problems));
            }
            "kill_switch" => read_switch(&entry, settings, problems),
            "defaults" => {}
            "action" => read_actions(&entry, &defaults, settings, marks, problems),
            "lifecycle" => {
                marks.lifecycle = entry.at;
                set(&mut settings.lifecycle, read_lifecycle(&entry, &mut marks.stages, problems));
            }
            "limit" => (settings.limits, marks.limits) = read_limits(&entry, problems),
            "writers" => {
                marks.writers = entry.at;
                settings.writers = read_writers(&entry, problems);
            }
            _ => entry.unknown("a policy", SETTINGS, problems),
        }
    }
    if let Some(at) = marks.rules.get(EVERY).filter(|_| settings.unknown == Unknown::Allow) {
        problems.push(*at, Problem::AllowsAndRules);
    }
}

/// Sets what could be read.
pub(crate) fn set<T>(setting: &mut T, read: Option<T>) {
    if let Some(value) = read {
        *setting = value;
    }
}

/// Rows from one snapshot to the next, or none.
fn read_snapshots(entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Option<u64>> {
    if entry.is_text(NEVER) {
        return Some(None);
    }
    let wanted = "a whole number of rows, without quotes, or \"never\"";
    entry.number(wanted, number::rows, problems).map(Some)
}

fn read_switch(entry: &Entry<'_>, settings: &mut Settings, problems: &mut Problems<'_>) {
    let table = entry.table("a table, [kill_switch]", problems);
    for entry in table.into_iter().flat_map(entries) {
        match entry.key {
            "drill" if entry.is_text(NEVER) => settings.drill = None,
            "drill" => {
                let wanted = "a time in quotes, such as \"30 days\", or \"never\"";
                set(&mut settings.drill, entry.quantity(wanted, quantity::time, problems).map(Some));
            }
            _ => entry.unknown("the kill switch", SWITCH, problems),
        }
    }
}

fn read_actions(
    entry: &Entry<'_>,
    defaults: &Defaults,
    settings: &mut Settings,
    marks: &mut Marks,
    problems: &mut Problems<'_>,
) {
    let Some(table) = entry.table("tables by action, [action.NAME]", problems) else { return };
    if table.len() > limits::ITEMS {
        let problem =
            Problem::TooMany { what: "rules for actions", found: table.len(), limit: limits::ITEMS };
        problems.push(entry.at, problem);
    }
    for entry in entries(table) {
        let rule = read_action(&entry, defaults, problems);
        if pattern(entry.key, entry.key_at, problems) {
            marks.rules.insert(entry.key.to_owned(), entry.key_at);
            settings.rules.extend(rule.map(|rule| (entry.key.to_owned(), rule)));
        }
    }
}
