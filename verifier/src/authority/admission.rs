//! V09 of one row: whether its author may write it, and whether the judge who signed is the one named.

use super::{Authority, CLOSED_ACTORS, CLOSED_OPS, CLOSED_SAYING, LOST_KEY};
use crate::check::CheckId;
use crate::facts::{Judge, Part, RowFacts, text};
use crate::signatures::{Job, Signed};
use crate::tally::{Place, Tally};
use counterfoil_format::body::{Body, Role};
use counterfoil_format::content;
use counterfoil_format::intent::{INTENT_VERSION, IntentHead, Kind, Mode, Tier};
use counterfoil_format::ops::decode_skeleton;
use counterfoil_format::verdict::verdict_message;
use counterfoil_rules::governance::Governance;
use counterfoil_rules::keyring::KeyError;

impl Authority {
    /// V09 of one row: the same author as the rest of the submission, who may write it now.
    pub(super) fn admit(&mut self, row: &RowFacts, arena: &[u8], place: Place, tally: &mut Tally) {
        let unruled = self.unruled();
        let Some(governance) = &self.governance else { return };
        let signer = &mut self.signer;
        match signer.id {
            Some(id) if id != row.author => {
                let message = format!("its author {} is not {id}, who signs the submission", row.author);
                tally.fault(CheckId::V09, place, Some(row.seq), message);
                return;
            }
            Some(_) => {}
            None => {
                signer.id = Some(row.author);
                signer.key = governance.keys.get(&row.author).map(|enrolled| enrolled.key.clone());
            }
        }
        if self.cleared == Some((row.author, row.kind)) && !says_more(row.kind) {
            return;
        }
        let policy = &governance.in_force.policy;
        let admitted = governance.keys.authorise(&asked(row, arena), policy).and_then(|author| {
            author.scope.check(&asked(row, arena), row.stamp.landed_at)?;
            let ops = row.ops.bytes(arena).map(decode_skeleton).and_then(Result::ok).unwrap_or_default();
            author.scope.check_ops(row.author, &ops)?;
            let body = row.body.bytes(arena).filter(|_| says_more(row.kind));
            if let Some(Ok(body)) = body.map(|bytes| Body::decode(row.kind, bytes)) {
                governance.keys.check_saying(row.author, &body)?;
            }
            Ok(author)
        });
        match admitted {
            Ok(author) => {
                let scope = &author.scope;
                if !scope.prefixes.is_empty() && matches!(row.ops, Part::Closed) {
                    tally.skip(CheckId::V09, row.seq, CLOSED_OPS);
                }
                let unsaid = says_more(row.kind) && matches!(row.body, Part::Closed);
                if unsaid && author.roles & Role::Operator.bit() == 0 {
                    tally.skip(CheckId::V09, row.seq, CLOSED_SAYING);
                }
                match unruled.filter(|_| !always_writes(author.roles, row.kind)) {
                    Some(why) => tally.skip(CheckId::V09, row.seq, why),
                    None if scope.is_everything() => self.cleared = Some((row.author, row.kind)),
                    None => {}
                }
            }
            Err(KeyError::Unknown(_)) if self.lost || self.closed.is_some() => {}
            Err(KeyError::WrongRole { kind, .. })
                if unruled.is_some() && kind != Kind::Snapshot && may_write(governance, row) =>
            {
                tally.skip(CheckId::V09, row.seq, unruled.unwrap_or_default());
            }
            Err(_) if signer.refused => {}
            Err(error) => {
                signer.refused = true;
                tally.fault(CheckId::V09, place, Some(row.seq), error.to_string());
            }
        }
    }

    /// V09 of a judge's signature: by a judge's key in force, enrolled for who is named. Whether it holds is left to check.
    pub(super) fn verdict(
        &self,
        row: &RowFacts,
        arena: &[u8],
        place: Place,
        tally: &mut Tally,
    ) -> Option<Job> {
        let (Judge::Named { verdict: Some(verdict), by, .. }, Kind::Decision) = (&row.judge, row.kind) else {
            if matches!((&row.judge, row.kind), (Judge::Closed, Kind::Decision)) {
                tally.skip(CheckId::V09, row.seq, CLOSED_ACTORS);
            }
            return None;
        };
        let (Some(governance), Some(ledger_id)) = (&self.governance, self.ledger_id) else { return None };
        let attestation = verdict.attestation;
        let by = text(arena, by);
        let judge = content::Judge { by, score: verdict.score, attestation: Some(attestation) };
        match governance.keys.judge(&judge, row.stamp.landed_at) {
            Ok(Some(key)) => {
                let message = verdict_message(&ledger_id, verdict.claim.of(arena));
                let what = Signed::Verdict { message, attestation };
                return Some(Job { key: key.clone(), place, last: row.seq, what, counted: false });
            }
            Ok(None) => {}
            Err(_) if governance.keys.get(&attestation.key).is_none() && self.doubt().is_some() => {
                tally.skip(CheckId::V09, row.seq, LOST_KEY);
            }
            Err(error) => tally.fault(CheckId::V09, place, Some(row.seq), error.to_string()),
        }
        None
    }
}

/// Whether these roles let a key write rows of this kind under any policy.
fn always_writes(roles: u8, kind: Kind) -> bool {
    let owners = matches!(kind, Kind::Key | Kind::Policy | Kind::Erasure) && roles & Role::Owner.bit() != 0;
    owners || kind == Kind::Snapshot
}

/// Whether what a row of this kind says decides who may say it.
fn says_more(kind: Kind) -> bool {
    matches!(kind, Kind::Evidence | Kind::Outcome)
}

/// Whether there is a policy under which the author may write rows. The role auditor writes none, and ledger none but
/// snapshots, which no policy changes.
fn may_write(governance: &Governance, row: &RowFacts) -> bool {
    let writes_none = Role::Ledger.bit() | Role::Auditor.bit();
    governance.keys.get(&row.author).is_some_and(|author| author.roles & !writes_none != 0)
}

/// A head that asks for no more than the right to write such a row.
fn asked<'a>(row: &RowFacts, arena: &'a [u8]) -> IntentHead<'a> {
    IntentHead {
        version: INTENT_VERSION,
        id: row.id,
        kind: row.kind,
        author: row.author,
        action: row.action(arena),
        tier: Tier::Unstated,
        mode: Mode::Live,
        authored_at: 0,
        parts: 0,
    }
}
