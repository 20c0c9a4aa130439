//! The path of an entity: every move that a row made or asked for, in the order they landed.

use crate::names::Names;
use anyhow::Result;
use counterfoil_format::content::Subject;
use counterfoil_format::intent::{Kind, Micros};
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::ops::stage_key;
use counterfoil_format::part::PartTag;
use counterfoil_ledger::Log;
use counterfoil_rules::land::moves;

/// One move of one row. Empty text stands for no stage.
#[derive(Debug)]
pub struct Step {
    /// The row.
    pub seq: u64,
    /// When it landed.
    pub landed_at: Micros,
    /// The name of the key that signed it.
    pub author: String,
    /// What the row is.
    pub kind: Kind,
    /// The action of a decision, and else what the row is.
    pub action: String,
    /// The stage before: as it was, and behind another move of the row as that would have left it.
    pub from: String,
    /// The stage moved to.
    pub to: String,
    /// The stage in which the author saw the entity, as far as the row says so.
    pub seen: Option<String>,
    /// What became of the row.
    pub outcome: Outcome,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// The path of an entity.
pub fn steps(log: &Log, names: &Names<'_>, entity: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut stage = String::new();
    for seq in log.find_key(&stage_key(entity), 0..log.head().size)? {
        let stored = log.row(seq)?;
        let row = stored.parse()?;
        let damaged = |error| log.damaged(seq, error);
        let ops = row.ops(PartTag::Ops).map_err(damaged)?.unwrap_or_default();
        let subject = row.content(PartTag::Subject).map(Subject::decode).transpose().map_err(damaged)?;
        let seen = subject.filter(|subject| subject.entity == entity).and_then(|subject| subject.lifecycle);
        let (head, landing) = (&row.head, &row.landing);
        let action = if head.kind == Kind::Decision { head.action } else { head.kind.name() };
        let mut from = stage.clone();
        for (_, to) in moves(&ops).into_iter().filter(|(moved, _)| *moved == entity) {
            steps.push(Step {
                seq,
                landed_at: landing.landed_at,
                author: names.key(&head.author),
                kind: head.kind,
                action: action.to_owned(),
                from: std::mem::replace(&mut from, to.to_owned()),
                to: to.to_owned(),
                seen: seen.filter(|moved| moved.to == to).map(|moved| moved.from.to_owned()),
                outcome: landing.outcome,
                reasons: landing.reasons.clone(),
            });
        }
        if landing.outcome == Outcome::Applied {
            stage = from;
        }
    }
    Ok(steps)
}
