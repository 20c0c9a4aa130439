//! Who may write what, as the rows so far have it: the keys, and which rows are taken back.
//!
//! Rows are taken in one by one, in order. A submission's author is looked up before its rows take effect. What a row
//! changes takes effect also when its author had no right to write it: the log is broken then anyway.
//!
//! Behind an applied key row whose body is closed the keys are not known. What is certain is still told, for a key never
//! changes its bytes or roles and never comes back: a signature that does not hold, a role that is not there, a key
//! that had ended before. Nothing is passed, and nothing fails for lack of the keys that the row may have brought.

mod admission;
mod changes;

use crate::check::CheckId;
use crate::facts::{Judge, Part, RowFacts, text};
use crate::signatures::{Job, Signed};
use crate::tally::{Place, Tally};
use crate::words;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, Role};
use counterfoil_format::group::{GroupHeader, Seal};
use counterfoil_format::intent::{KeyId, Kind};
use counterfoil_format::key::PublicKey;
use counterfoil_format::submission::SignedSubmission;
use counterfoil_rules::governance::{Governance, GovernanceError, InForce};
use counterfoil_rules::keyring::Enrolled;
use std::collections::HashSet;
use std::sync::Arc;

const NO_GENESIS: &str = "the keys are not known: row 0, which names the first ones, is not here";
const BAD_GENESIS: &str = "the keys are not known: row 0, which names the first ones, cannot be read";
const DOUBT: &str =
    "the ledger's key may have changed in the rows that are missing or cannot be read before it";
const LOST_RULES: &str =
    "what is in force may have changed in rows that are missing or cannot be read before it";
const CLOSED_ACTORS: &str = "its actors are withheld or erased, and with them what a judge may have signed";
const CLOSED_SAYING: &str = "its body is withheld, so it is not known whether only an operator may say it";
const CLOSED_OPS: &str = "its operations are withheld, so it is not known whether its key's scope has them";
const LOST_KEY: &str = "its key may have been enrolled by rows that are missing or cannot be read";

/// The keys as they stand at a row, and the submission being taken in.
#[derive(Debug)]
pub(crate) struct Authority {
    governance: Option<Governance>,
    origin: Option<String>,
    /// What the signatures name as the ledger: by the segments, else by row 0.
    ledger_id: Option<Hash>,
    /// The intent hash of row 0.
    genesis: Option<Hash>,
    unknown: &'static str,
    /// Whether rows are missing or cannot be read, which may have changed the keys.
    lost: bool,
    /// Applied rollback rows of which it is not known what they take back.
    hidden: HashSet<u64>,
    /// The first applied key row whose body is closed, and what that means.
    closed: Option<(u64, String)>,
    /// Whether the checks of meaning are asked for.
    meaning: bool,
    /// Why it is not known what is in force.
    blind: Option<Arc<str>>,
    /// Why the policy in force is not known, until there is one again.
    unruled: Option<&'static str>,
    signer: Signer,
    /// The last author and kind that were let through; holds until keys change.
    cleared: Option<(KeyId, Kind)>,
}

/// The author of a submission.
#[derive(Debug, Clone, Default)]
struct Signer {
    id: Option<KeyId>,
    key: Option<PublicKey>,
    first: u64,
    refused: bool,
}

impl Authority {
    /// Before the first row. `ledger_id` is what the segments say; `meaning` asks for the parts of V14, V17 and V18 that
    /// are about which rows are taken back or reviewed already, and which drill is under way.
    pub fn new(ledger_id: Option<Hash>, meaning: bool) -> Self {
        Authority {
            governance: None,
            origin: None,
            ledger_id,
            genesis: None,
            unknown: NO_GENESIS,
            lost: false,
            hidden: HashSet::new(),
            closed: None,
            meaning,
            blind: None,
            unruled: None,
            signer: Signer::default(),
            cleared: None,
        }
    }

    /// What governs, once row 0 was read.
    pub fn governance(&self) -> Option<&Governance> {
        self.governance.as_ref()
    }

    /// The ledger's name, by row 0.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The ledger's id as row 0 gives it.
    pub fn genesis(&self) -> Option<Hash> {
        self.genesis
    }

    /// The ledger's id as it is used for signatures.
    pub fn ledger_id(&self) -> Option<Hash> {
        self.ledger_id
    }

    /// Why keys are not known.
    pub fn unknown(&self) -> &'static str {
        self.unknown
    }

    /// The applied key row whose body is closed, and why nothing is known of the keys behind it.
    pub fn closed(&self) -> Option<(u64, &str)> {
        self.closed.as_ref().map(|(row, why)| (*row, why.as_str()))
    }

    /// Why a key that is not among the keys may have been enrolled all the same.
    pub fn doubt(&self) -> Option<&str> {
        let closed = self.closed().map(|(_, why)| why);
        closed.or(self.lost.then_some(LOST_KEY))
    }

    /// Rows are missing: keys may have changed unseen.
    pub fn lose(&mut self) {
        self.lost = true;
    }

    /// A row of a submission cannot be read.
    pub fn unreadable_row(&mut self, seq: u64, tally: &mut Tally) {
        self.unreadable(seq);
        tally.skip(CheckId::V09, seq, words::ROW_UNREADABLE);
    }

    /// The rows of a group cannot be told apart, nor what is signed behind them.
    pub fn unreadable_group(&mut self, header: &GroupHeader, tally: &mut Tally) {
        self.unreadable(header.first_seq);
        for check in [CheckId::V06, CheckId::V08, CheckId::V09, CheckId::V10] {
            tally.skip(check, header.first_seq, words::GROUP_UNREADABLE);
        }
    }

    fn unreadable(&mut self, seq: u64) {
        self.lost = true;
        if seq == 0 && self.governance.is_none() {
            self.unknown = BAD_GENESIS;
        }
    }

    /// A submission begins.
    pub fn begin(&mut self, first: u64) {
        self.signer = Signer { first, ..Signer::default() };
    }

    /// The next row of the submission. Puts into it what is in force there and whom it enrols; yields the judge's
    /// signature that is left to check.
    pub fn row(&mut self, row: &mut RowFacts, file: u32, arena: &[u8], tally: &mut Tally) -> Option<Job> {
        let place = Place { seq: row.seq, file, offset: row.offset };
        row.in_force = Some(self.in_force());
        self.relate(row, arena);
        let founding = row.seq == 0 && self.genesis.is_none();
        if founding {
            self.found(row, arena, place, tally);
        } else if row.kind == Kind::Genesis {
            tally.fault(CheckId::V09, place, Some(row.seq), GovernanceError::Genesis.to_string());
        }
        self.admit(row, arena, place, tally);
        let verdict = self.verdict(row, arena, place, tally);
        match row.body {
            _ if founding || row.kind == Kind::Genesis => {}
            Part::Closed => self.take_in_closed(row, tally),
            _ => self.take_in(row, arena, place, tally),
        }
        verdict
    }

    /// What the gates have to know of a row and what only the rows before it tell: whether its judge has its author's name,
    /// and whether it brings a decision back.
    fn relate(&self, row: &mut RowFacts, arena: &[u8]) {
        let Some(governance) = &self.governance else { return };
        if let Judge::Named { by, is_party, .. } = &mut row.judge {
            let is_author = match governance.keys.get(&row.author) {
                Some(author) => Some(author.name == text(arena, by)),
                None => self.doubt().is_none().then_some(false),
            };
            *is_party = if *is_party == Some(true) { *is_party } else { is_author };
        }
        if row.kind == Kind::Outcome {
            let author = governance.keys.get(&row.author);
            row.by_operator = author.map(|author| author.roles & Role::Operator.bit() != 0);
        }
        if row.kind == Kind::Rollback {
            let body = row.body.bytes(arena).map(|bytes| Body::decode(row.kind, bytes));
            row.brings_back = match body {
                Some(Ok(Body::Rollback(rollback))) => {
                    let hidden = governance.chain(rollback.target).any(|row| self.hidden.contains(&row));
                    row.base = (!hidden && !self.lost).then(|| governance.base(rollback.target));
                    (!hidden).then(|| governance.brings_back(rollback.target))
                }
                _ => None,
            };
        }
    }

    /// By what the next row is judged, or why that is not known.
    fn in_force(&mut self) -> Result<Arc<InForce>, Arc<str>> {
        if let Some(why) = &self.blind {
            return Err(why.clone());
        }
        match &self.governance {
            Some(governance) if !self.lost => Ok(governance.in_force.clone()),
            Some(_) => Err(self.blind.insert(LOST_RULES.into()).clone()),
            None => Err(self.unknown.into()),
        }
    }

    /// The submission ends: the signature that is left to check, when its key is known.
    pub fn end(&mut self, place: Place, submission: &SignedSubmission, tally: &mut Tally) -> Option<Job> {
        let (first, count) = (self.signer.first, u64::from(submission.count));
        let closed = self.closed().filter(|_| self.governance.is_some());
        if let Some((row, why)) = closed {
            tally.skip(CheckId::V09, first.max(row), why);
        }
        match (&self.signer.key, self.signer.id, self.ledger_id) {
            (Some(key), _, Some(ledger_id)) => {
                let what = Signed::Submission { ledger_id, submission: *submission };
                let last = first.saturating_add(count).saturating_sub(1);
                return Some(Job { key: key.clone(), place, last, what, counted: closed.is_none() });
            }
            _ if closed.is_some() => {}
            _ if self.governance.is_none() => tally.skip(CheckId::V09, first, self.unknown),
            (None, Some(_), _) if !self.signer.refused => tally.skip(CheckId::V09, first, LOST_KEY),
            (_, None, _) => tally.skip(CheckId::V09, first, "none of its rows can be read"),
            _ => {}
        }
        None
    }

    /// A group ends with its seal over the tree of `size` rows.
    pub fn seal(&self, place: Place, size: u64, seal: &Seal, tally: &mut Tally) -> Option<Job> {
        let (Some(governance), Some(origin)) = (&self.governance, &self.origin) else {
            tally.skip(CheckId::V10, place.seq, self.unknown);
            return None;
        };
        if let Some((_, why)) = self.closed() {
            tally.skip(CheckId::V10, place.seq, why);
            return None;
        }
        let doubt = self.lost.then_some(DOUBT);
        let Some(Enrolled { key, .. }) = governance.keys.sealing() else {
            if let Some(why) = doubt {
                tally.skip(CheckId::V10, place.seq, why);
                return None;
            }
            let message = "no ledger key is in force at the end of the group".to_owned();
            tally.fault(CheckId::V10, place, Some(size.saturating_sub(1)), message);
            return None;
        };
        Some(Job::seal(key, place, origin, size, &seal.root, seal.signature, doubt))
    }
}
