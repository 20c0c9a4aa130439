//! V16: the digest and the leaves that a snapshot row states are those of the state after the row that it names.
//!
//! The state at hand is the one before the snapshot row. What the rows in between did is taken back on top of it, newest
//! first, by the rollbacks that they have stored and that V15 has found to be exact.

use crate::again::{Again, For, Found, TOO_MANY};
use crate::check::CheckId;
use crate::error::VerifyError;
use crate::facts::RowFacts;
use crate::inverse::{Commitments, Inverses};
use crate::tally::{Place, Tally};
use counterfoil_format::body::{Body, Snapshot};
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_format::ops::{decode_skeleton, skeleton_of};
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use counterfoil_format::state::StateHasher;
use counterfoil_rules::apply::{Applied, apply};
use counterfoil_rules::state::{Leaf, State};
use std::collections::BTreeMap;
use std::convert::Infallible;

const BODY_CLOSED: &str = "its body is withheld";
const NOT_EXACT: &str =
    "a row between it and the row that it names has a rollback that is not the exact inverse";
const LOST: &str = "a row between it and the row that it names cannot be read, or its rollback is withheld";

/// Checks a snapshot row; others are passed over.
pub(crate) fn check_snapshot(
    (row, arena): (&RowFacts, &[u8]),
    inverses: &Inverses,
    again: &mut Again<'_>,
    place: Place,
    tally: &mut Tally,
) -> Result<(), VerifyError> {
    if row.kind != Kind::Snapshot {
        return Ok(());
    }
    let mut skip = |why: &str| {
        tally.skip(CheckId::V16, row.seq, why);
        Ok(())
    };
    let Some(bytes) = row.body.bytes(arena) else { return skip(BODY_CLOSED) };
    let Ok(Body::Snapshot(stated)) = Body::decode(row.kind, bytes) else { return Ok(()) };
    if stated.at >= row.seq {
        // That it does not come before was told where the keys are looked at.
        return Ok(());
    }
    let state = match inverses.known_since(stated.at) {
        Ok(Some(state)) => state,
        Ok(None) => return skip(NOT_EXACT),
        Err(why) => return skip(why),
    };
    let mut past = Past { now: state, then: BTreeMap::new() };
    for between in (stated.at + 1..row.seq).rev() {
        match again.record(between, For::Snapshot)? {
            Found::Record(record) if past.take_back(&record) => {}
            Found::TooMany => return skip(TOO_MANY),
            Found::Record(_) | Found::Lost => return skip(LOST),
        }
    }
    let (found, bytes) = past.digest(stated.at);
    if !again.spend(For::Snapshot, bytes) {
        return skip(TOO_MANY);
    }
    tally.checked(CheckId::V16, 1);
    let at = stated.at;
    if found.leaves != stated.leaves {
        let (is, shall) = (stated.leaves, found.leaves);
        tally.fault(
            CheckId::V16,
            place,
            Some(row.seq),
            format!("it states {is} leaves, and the state after row {at} has {shall}"),
        );
    }
    if found.state != stated.state {
        let message = format!("its digest is not that of the state after row {at}, which is {}", found.state);
        tally.fault(CheckId::V16, place, Some(row.seq), message);
    }
    Ok(())
}

/// An earlier state: what was taken back, over the state of now.
struct Past<'s> {
    now: &'s Commitments,
    then: BTreeMap<String, Option<Leaf>>,
}

impl State for Past<'_> {
    type Error = Infallible;

    fn leaf(&self, key: &str) -> Result<Option<Leaf>, Infallible> {
        Ok(self.then.get(key).cloned().unwrap_or_else(|| self.now.get(key).cloned()))
    }
}

impl Past<'_> {
    /// Takes a row back that is the newest not taken back yet; `false` when that cannot be done.
    fn take_back(&mut self, record: &[u8]) -> bool {
        let Ok(row) = Row::parse(record) else { return false };
        if row.landing.outcome != Outcome::Applied || row.part(PartTag::Rollback).is_none() {
            return true;
        }
        let Some(content) = row.content(PartTag::Rollback) else { return false };
        let mut skeleton = Vec::new();
        if skeleton_of(content, &mut skeleton).is_err() {
            return false;
        }
        let Ok(ops) = decode_skeleton(&skeleton) else { return false };
        let Ok(Ok(applied)) = apply(self, &ops, false) else { return false };
        for (key, leaf) in Applied::into_changes(applied) {
            self.then.insert(key.into_owned(), leaf);
        }
        true
    }

    /// What a snapshot of it would state, and how many bytes were looked at for it.
    fn digest(&self, at: u64) -> (Snapshot, u64) {
        let kept = self.now.iter().filter(|(key, _)| !self.then.contains_key(*key));
        let then = self.then.iter().filter_map(|(key, leaf)| Some((key.as_str(), leaf.as_ref()?)));
        let mut leaves: Vec<_> = kept.chain(then).collect();
        leaves.sort_unstable_by_key(|(key, _)| *key);
        let mut hasher = StateHasher::default();
        leaves.iter().for_each(|(key, leaf)| hasher.push(key, &leaf.content()));
        let bytes = leaves.iter().map(|(key, _)| key.len() as u64 + 64).sum();
        (Snapshot { at, state: hasher.finish(), leaves: leaves.len() as u64 }, bytes)
    }
}
