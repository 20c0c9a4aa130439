//! `lifecycle`: how an entity went from stage to stage, and the stages that the policy knows.

mod dot;
mod graph;
mod layout;
mod path;
mod svg;

use self::graph::Graph;
use self::path::Step;
pub use self::path::steps;
use crate::exit::Refused;
use crate::names::Names;
use crate::place::Place;
use crate::table::{Table, cut, printable};
use crate::time;
use anyhow::Result;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_rules::governance::{Governance, InForce};
use serde_json::{Value as Json, json};
use std::io::Write;

/// What `lifecycle` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The entity; with --graph it may be left out
    #[arg(required_unless_present = "graph")]
    entity: Option<String>,
    /// Draw the stages and moves of the policy in force
    #[arg(long)]
    graph: bool,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t, requires = "graph")]
    format: Format,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A format of graphs.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Format {
    /// The language of Graphviz
    #[default]
    Dot,
    /// A picture for browsers
    Svg,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil lifecycle sku-1
  counterfoil lifecycle --graph | dot -Tpng > stages.png
  counterfoil lifecycle --graph --format svg sku-1 > sku-1.svg

Each row that moved the entity or asked to is listed, with the stage before and
the one moved to; one that is not applied left the stage as it was. A row that
takes another back moves the entity too. The moves that are allowed next are
those of the policy in force now, from the stage that the entity is in now.

The picture needs no other program. With an entity, the moves that it made are
marked, with the rows that made them, and the stage it is in. What it did and
the policy does not allow now is drawn in dashes.";

/// Tells of an entity, or draws.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let log = place.log()?;
    let governance = log.governance()?;
    let names = Names::of(&log)?;
    let steps = match &args.entity {
        Some(entity) => steps(&log, &names, entity)?,
        None => Vec::new(),
    };
    if let Some(entity) = args.entity.as_ref().filter(|_| steps.is_empty()) {
        return Err(Refused::error(format!("no row has moved {entity:?} to another stage, or asked to")));
    }
    if args.graph {
        return draw(args, &governance.in_force, &steps, log.origin(), out);
    }
    let entity = args.entity.as_deref().unwrap_or_default();
    if args.json {
        return Ok(writeln!(out, "{}", as_json(entity, &steps, &governance))?);
    }
    tell(entity, &steps, &governance, out)
}

/// The stage that an entity is in after its steps, and the row that put it there.
fn now(steps: &[Step]) -> (&str, Option<u64>) {
    let last = steps.iter().rev().find(|step| step.outcome == Outcome::Applied);
    last.map_or(("", None), |step| (step.to.as_str(), Some(step.seq)))
}

fn shown(stage: &str) -> String {
    if stage.is_empty() { "(none)".into() } else { cut(stage, 24) }
}

fn tell(entity: &str, steps: &[Step], governance: &Governance, out: &mut dyn Write) -> Result<()> {
    let entity = printable(entity);
    match now(steps) {
        (_, None) => writeln!(out, "{entity} has never been in a stage.\n")?,
        ("", Some(row)) => writeln!(out, "{entity} is in no stage, since row {row}.\n")?,
        (stage, Some(row)) => {
            writeln!(out, "{entity} is in the stage {}, since row {row}.\n", printable(stage))?
        }
    }
    let heading = ["SEQ", "LANDED (UTC)", "BY", "ACTION", "FROM", "TO", "OUTCOME", "WHY"];
    let mut table = Table::with_heading(&heading).right(0);
    for step in steps {
        table.push([
            step.seq.to_string(),
            time::print_short(step.landed_at),
            cut(&step.author, 14),
            cut(&step.action, 20),
            shown(&step.from),
            shown(&step.to),
            step.outcome.name().to_owned(),
            why(step, governance),
        ]);
    }
    table.print(0, out)?;
    writeln!(out, "\n{}", next_words(now(steps).0, &governance.in_force))?;
    Ok(())
}

/// Why a step did not go through, how the author saw the entity, and whether the row is taken back.
fn why(step: &Step, governance: &Governance) -> String {
    let mut words: Vec<String> = step.reasons.iter().map(|reason| reason.name().to_owned()).collect();
    if let Some(seen) = step.seen.as_ref().filter(|seen| **seen != step.from) {
        words.push(format!("seen in {}", shown(seen)));
    }
    words.extend(governance.undone_by(step.seq).map(|by| format!("taken back by row {by}")));
    words.join(", ")
}

/// The stages that an entity in this one may move to; `None` when there is no lifecycle, so that any move goes.
fn next<'p>(stage: &str, in_force: &'p InForce) -> Option<Vec<&'p str>> {
    let moves = in_force.policy.lifecycle.as_ref()?.moves();
    Some(moves.filter(|(from, _)| *from == stage).map(|(_, to)| to).collect())
}

fn next_words(stage: &str, in_force: &InForce) -> String {
    let row = in_force.policy_row;
    let Some(lifecycle) = &in_force.policy.lifecycle else {
        return format!("The policy of row {row} has no lifecycle: the entity may move to any stage.");
    };
    let known = stage.is_empty() || lifecycle.stages.iter().any(|known| known == stage);
    let next = next(stage, in_force).unwrap_or_default();
    if !known {
        return format!(
            "The policy of row {row} does not know the stage that it is in, and allows no move from it."
        );
    }
    let stages: Vec<String> = next.iter().filter(|to| !to.is_empty()).map(|to| printable(to)).collect();
    let leaves = next.iter().any(|to| to.is_empty());
    match (stages.as_slice(), leaves) {
        ([], false) => format!("The policy of row {row} allows no move from there."),
        ([], true) => format!("Under the policy of row {row} it may only leave its stages."),
        (to, leaves) => {
            let leave = if leaves { ", or leave its stages" } else { "" };
            format!("Under the policy of row {row} it may move to {}{leave}.", to.join(", "))
        }
    }
}

fn as_json(entity: &str, steps: &[Step], governance: &Governance) -> Json {
    let (stage, since) = now(steps);
    let step = |step: &Step| {
        json!({
            "seq": step.seq,
            "landed_at": time::print(step.landed_at),
            "author": step.author,
            "kind": step.kind.name(),
            "action": (step.kind == Kind::Decision).then_some(&step.action),
            "from": step.from,
            "to": step.to,
            "seen_in": step.seen,
            "outcome": step.outcome.name(),
            "reasons": step.reasons.iter().copied().map(Reason::name).collect::<Vec<_>>(),
            "taken_back_by": governance.undone_by(step.seq),
        })
    };
    json!({
        "entity": entity,
        "stage": stage,
        "since": since,
        "path": steps.iter().map(step).collect::<Vec<_>>(),
        "policy_row": governance.in_force.policy_row,
        "next": next(stage, &governance.in_force),
    })
}

fn draw(args: &Args, in_force: &InForce, steps: &[Step], origin: &str, out: &mut dyn Write) -> Result<()> {
    let row = in_force.policy_row;
    let Some(lifecycle) = &in_force.policy.lifecycle else {
        return Err(Refused::error(format!(
            "the policy of row {row} has no lifecycle: any move goes, and there is nothing to draw"
        )));
    };
    let mut graph = Graph::of(lifecycle);
    graph.title = format!("Lifecycle of {origin}, by the policy of row {row}");
    if let Some(entity) = &args.entity {
        graph.mark(entity, steps);
    }
    let (format, drawn) = match args.format {
        Format::Dot => ("dot", dot::draw(&graph)),
        Format::Svg => ("svg", svg::draw(&graph)?),
    };
    if !args.json {
        return Ok(write!(out, "{drawn}")?);
    }
    let moves: Vec<_> = lifecycle.moves().collect();
    let stages = &lifecycle.stages;
    let object =
        json!({ "policy_row": row, "stages": stages, "moves": moves, "format": format, "graph": drawn });
    Ok(writeln!(out, "{object}")?)
}
