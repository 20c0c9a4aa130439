//! Which rows are meant: those by someone, about something, of some kind, within some time.

use crate::history::{History, ReplayError};
use crate::in_part::InPart;
use crate::plan::{Later, in_force};
use counterfoil_format::body::{Body, ReviewVerdict};
use counterfoil_format::content::{Actors, Subject};
use counterfoil_format::intent::{KeyId, Kind, Micros};
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::Change;
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::matches;
use counterfoil_format::row::Row;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::rollback::can_be_taken_back;
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

/// What rows must be to be meant; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// One of these keys has signed them.
    pub authors: Option<Vec<KeyId>>,
    /// Their actors name this executor.
    pub executor: Option<String>,
    /// They are about this entity, or move it.
    pub entity: Option<String>,
    /// Their action matches this pattern.
    pub action: Option<String>,
    /// They landed then or later.
    pub since: Option<Micros>,
    /// They landed before this.
    pub until: Option<Micros>,
}

impl Selection {
    /// Whether a row is meant.
    pub fn holds(&self, row: &Row<'_>) -> bool {
        let at = row.landing.landed_at;
        self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && self.authors.as_ref().is_none_or(|authors| authors.contains(&row.head.author))
            && self.action.as_ref().is_none_or(|pattern| matches(pattern, row.head.action))
            && self.executor.as_ref().is_none_or(|name| executor(row) == Some(name))
            && self.entity.as_ref().is_none_or(|entity| is_about(row, entity))
    }
}

fn executor<'r>(row: &Row<'r>) -> Option<&'r str> {
    row.content(PartTag::Actors)
        .and_then(|bytes| Actors::decode(bytes).ok())
        .map(|actors| actors.executor)
        .filter(|name| !name.is_empty())
}

/// Whether a row is about an entity, or moves it.
fn is_about(row: &Row<'_>, entity: &str) -> bool {
    let subject = row.content(PartTag::Subject).and_then(|bytes| Subject::decode(bytes).ok());
    let moves = || {
        let ops = row.ops(PartTag::Ops).ok().flatten().unwrap_or_default();
        ops.iter().any(|op| matches!(op.change, Change::Transition(_)) && op.key == entity)
    };
    subject.is_some_and(|subject| subject.entity == entity) || moves()
}

/// The rows that are meant, can be taken back and are in force, ascending: those of a range for which it holds, and approvals of such,
/// wherever they landed. A rollback of what is meant itself is not: the two cancel out. Of a row that stands in part it is all that it
/// takes to leave nothing of it; where later rows stay, it is not meant.
pub fn select<H: History>(
    history: &H,
    governance: &Governance,
    range: Range<u64>,
    selection: &Selection,
    later: Later,
) -> Result<Vec<u64>, ReplayError<H::Error>> {
    let acts = |row: &Row<'_>| row.landing.outcome == Outcome::Applied && can_be_taken_back(row);
    // Those that were put aside are meant too: a human may have approved them.
    let (mut meant, mut acting) = (BTreeSet::new(), BTreeSet::new());
    history.scan(range, |row| {
        if selection.holds(row) {
            meant.insert(row.landing.seq);
            acting.extend(acts(row).then_some(row.landing.seq));
        }
        ControlFlow::Continue(())
    })?;
    for approval in meant.iter().filter_map(|row| governance.reviewed_by(*row)).collect::<Vec<_>>() {
        if history.with_row(approval, acts)? {
            meant.insert(approval);
            acting.insert(approval);
        }
    }
    let in_part = InPart::of(history, governance)?;
    let cancelled = |row: u64| governance.target_of(row).is_some_and(|target| meant.contains(&target));
    let mut found = Vec::new();
    for row in acting {
        if cancelled(row) {
            continue;
        }
        match in_part.whole(governance, row) {
            // What is left of it is left to later rows.
            Some(_) if later == Later::Keep => {}
            Some(rows) => found.extend(rows),
            None if governance.undone_by(row).is_some() => {}
            None => found.push(row),
        }
    }
    Ok(in_force(governance, history.size(), &found))
}

/// The row that an approval approves; `None` of another row, or when its body is withheld.
pub fn approved_by(row: &Row<'_>) -> Option<u64> {
    let bytes = row.content(PartTag::Body).filter(|_| row.head.kind == Kind::Review)?;
    match Body::decode(row.head.kind, bytes) {
        Ok(Body::Review(review)) if review.verdict == ReviewVerdict::Approve => Some(review.row),
        _ => None,
    }
}
