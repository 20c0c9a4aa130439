//! Stages and moves as nodes and arrows, with what an entity did among them.

use super::path::Step;
use counterfoil_format::landing::Outcome;
use counterfoil_rules::policy::Lifecycle;

/// What is drawn.
#[derive(Debug, Default)]
pub struct Graph {
    /// What it is, in a line.
    pub title: String,
    /// What is marked in it, in a line.
    pub subtitle: Option<String>,
    /// The places: where entities come from, the stages, where they go when they leave them.
    pub nodes: Vec<Node>,
    /// The moves.
    pub arrows: Vec<Arrow>,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No stage yet.
    Start,
    /// A stage.
    Stage,
    /// No stage any more.
    End,
}

/// A place.
#[derive(Debug)]
pub struct Node {
    pub kind: Kind,
    /// The stage's name.
    pub name: String,
    /// Whether the policy knows it.
    pub known: bool,
    /// Whether the entity has been there.
    pub been: bool,
    /// Whether it is there now.
    pub now: bool,
}

/// A move between two places, by their numbers.
#[derive(Debug)]
pub struct Arrow {
    pub from: usize,
    pub to: usize,
    /// Whether the policy allows it.
    pub allowed: bool,
    /// The rows that made it.
    pub rows: Vec<u64>,
}

impl Arrow {
    /// The rows that made it, in words, the newest of many.
    pub fn label(&self) -> Option<String> {
        const NAMED: usize = 3;
        let newest = self.rows.iter().skip(self.rows.len().saturating_sub(NAMED)).map(u64::to_string);
        let named = newest.collect::<Vec<_>>().join(", ");
        match self.rows.len() {
            0 => None,
            1 => Some(format!("row {named}")),
            2..=NAMED => Some(format!("rows {named}")),
            _ => Some(format!("rows … {named}")),
        }
    }
}

impl Graph {
    /// The stages and moves of a policy.
    pub fn of(lifecycle: &Lifecycle) -> Self {
        let mut graph = Graph::default();
        for (from, to) in lifecycle.moves() {
            graph.arrow(from, to, |arrow| arrow.allowed = true);
        }
        for stage in &lifecycle.stages {
            graph.place(stage, Kind::Stage);
        }
        graph.nodes.iter_mut().for_each(|node| node.known = true);
        graph
    }

    /// The place where entities come from, when there is one.
    pub fn start(&self) -> Option<usize> {
        self.nodes.iter().position(|node| node.kind == Kind::Start)
    }

    /// The number of a place, which is made when it is not there.
    fn place(&mut self, name: &str, kind: Kind) -> usize {
        if let Some(at) = self.nodes.iter().position(|node| node.kind == kind && node.name == name) {
            return at;
        }
        self.nodes.push(Node { kind, name: name.to_owned(), known: false, been: false, now: false });
        self.nodes.len() - 1
    }

    /// Changes the arrow of a move, which is made when it is not there; yields where it begins and ends.
    fn arrow(&mut self, from: &str, to: &str, change: impl FnOnce(&mut Arrow)) -> [usize; 2] {
        let from = self.place(from, if from.is_empty() { Kind::Start } else { Kind::Stage });
        let to = self.place(to, if to.is_empty() { Kind::End } else { Kind::Stage });
        match self.arrows.iter_mut().find(|arrow| (arrow.from, arrow.to) == (from, to)) {
            Some(arrow) => change(arrow),
            None => {
                let mut arrow = Arrow { from, to, allowed: false, rows: Vec::new() };
                change(&mut arrow);
                self.arrows.push(arrow);
            }
        }
        [from, to]
    }

    /// Marks the moves that an entity made, and where it is.
    pub fn mark(&mut self, entity: &str, steps: &[Step]) {
        let made = steps.iter().filter(|step| step.outcome == Outcome::Applied && step.from != step.to);
        let mut last = self.start();
        for step in made {
            let ends = self.arrow(&step.from, &step.to, |arrow| arrow.rows.push(step.seq));
            let passed = self.nodes.iter_mut().enumerate().filter(|(at, _)| ends.contains(at));
            passed.for_each(|(_, node)| node.been = true);
            last = ends.last().copied();
        }
        let here = last.and_then(|at| self.nodes.get_mut(at));
        here.into_iter().for_each(|node| (node.been, node.now) = (true, true));
        let (stage, since) = super::now(steps);
        let stage = if stage.is_empty() { "in no stage".to_owned() } else { format!("in {stage}") };
        let since = since.map_or(String::new(), |row| format!(" since row {row}"));
        self.subtitle = Some(format!("{entity}: {stage}{since}"));
    }
}
