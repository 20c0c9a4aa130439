//! Reads the stages of entities, and the moves between them.

use crate::nearest::nearest;
use crate::problem::{Hint, Problem, Problems};
use crate::settings::Stages;
use crate::source::shown;
use crate::table::{Entry, entries};
use counterfoil_format::limits;
use std::collections::{BTreeMap, BTreeSet};

const LIFECYCLE: &[&str] = &["stages", "start", "end", "moves"];
/// The word for no lifecycle.
pub(crate) const FREE: &str = "free";
const STAGES: &str = "a list of stages, such as [\"testing\", \"paused\"]";
const NONE: &str = "";

/// Reads a lifecycle; `Some(None)` when any move goes. `stages` gets the places of the stages.
pub(crate) fn read_lifecycle(
    entry: &Entry<'_>,
    stages: &mut BTreeMap<String, usize>,
    problems: &mut Problems<'_>,
) -> Option<Option<Stages>> {
    if entry.is_text(FREE) {
        return Some(None);
    }
    let table = entry.table("a table, [lifecycle], or \"free\" for any move", problems)?;
    let find = |key| entries(table).find(|entry| entry.key == key);
    let Some(listed) = find("stages") else {
        let problem =
            Problem::Missing { of: "a lifecycle", key: "stages", example: "[\"candidate\", \"testing\"]" };
        problems.push(entry.at, problem);
        return None;
    };
    *stages = read_stages(&listed, problems);
    let mut reader = Moves { stages, moves: BTreeSet::new(), problems };
    for entry in entries(table) {
        match entry.key {
            "stages" => {}
            "start" => reader.read_targets(NONE, &entry),
            "end" => reader.read_end(&entry),
            "moves" => reader.read_moves(&entry),
            _ => entry.unknown("a lifecycle", LIFECYCLE, reader.problems),
        }
    }
    let moves = reader.moves;
    if moves.is_empty() {
        problems.push(entry.at, Problem::NoMoves);
    }
    if moves.len() > limits::ITEMS {
        problems.push(entry.at, Problem::TooMany { what: "moves", found: moves.len(), limit: limits::ITEMS });
    }
    Some(Some(Stages { stages: stages.keys().cloned().collect(), moves }))
}

fn read_stages(entry: &Entry<'_>, problems: &mut Problems<'_>) -> BTreeMap<String, usize> {
    let mut stages = BTreeMap::new();
    for item in entry.list(STAGES, problems).unwrap_or_default() {
        if let Some(stage) = item.name("a stage's name", problems)
            && stages.insert(stage.to_owned(), item.at).is_some()
        {
            problems.push(item.at, Problem::Again { word: shown(stage) });
        }
    }
    if stages.len() > limits::ITEMS {
        problems
            .push(entry.at, Problem::TooMany { what: "stages", found: stages.len(), limit: limits::ITEMS });
    }
    stages
}

struct Moves<'r, 't> {
    stages: &'r BTreeMap<String, usize>,
    moves: BTreeSet<(String, String)>,
    problems: &'r mut Problems<'t>,
}

impl Moves<'_, '_> {
    fn read_moves(&mut self, entry: &Entry<'_>) {
        let table = entry.table("a table of lists by stage, [lifecycle.moves]", self.problems);
        for entry in table.into_iter().flat_map(entries) {
            if self.is_stage(entry.key, entry.key_at) {
                self.read_targets(entry.key, &entry);
            }
        }
    }

    /// The stages that one can be left for.
    fn read_targets(&mut self, from: &str, entry: &Entry<'_>) {
        for item in entry.list(STAGES, self.problems).unwrap_or_default() {
            let Some(to) = item.text("a stage in quotes", self.problems) else { continue };
            if to == from {
                self.problems.push(item.at, Problem::SelfMove { stage: shown(to) });
            } else if self.is_stage(to, item.at) {
                self.allow(from, to, &item);
            }
        }
    }

    /// The stages in which an entity leaves the lifecycle.
    fn read_end(&mut self, entry: &Entry<'_>) {
        for item in entry.list(STAGES, self.problems).unwrap_or_default() {
            let Some(from) = item.text("a stage in quotes", self.problems) else { continue };
            if self.is_stage(from, item.at) {
                self.allow(from, NONE, &item);
            }
        }
    }

    fn allow(&mut self, from: &str, to: &str, item: &Entry<'_>) {
        if !self.moves.insert((from.to_owned(), to.to_owned())) {
            let word = if to.is_empty() { from } else { to };
            self.problems.push(item.at, Problem::Again { word: shown(word) });
        }
    }

    fn is_stage(&mut self, stage: &str, at: usize) -> bool {
        let known = self.stages.contains_key(stage);
        if !known {
            let near = nearest(stage, self.stages.keys().map(String::as_str));
            let hint = near.map_or(Hint::List, |near| Hint::Nearest(shown(near)));
            self.problems.push(at, Problem::UnknownStage { stage: shown(stage), hint });
        }
        known
    }
}
