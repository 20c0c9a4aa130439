//! Rows by what they do and say: the keys that they touch, the rows that they cite, the calls that they tell of.

use crate::error::ReadError;
use crate::log::Log;
use crate::lookup::{
    added_hash, call_hash, calling_hash, cited_hash, inexact_hash, key_hash, snapshot_hash, unfinished_hash,
};
use counterfoil_format::body::{Body, EffectStatus, Manner, Snapshot};
use counterfoil_format::codec::CodecError;
use counterfoil_format::content::Evidence;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::Row;
use std::collections::BTreeSet;
use std::ops::Range;

/// A call that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCall {
    /// The row that calls.
    pub row: u64,
    /// The effect's place.
    pub effect: u32,
    /// How it stands; `None` when nothing was told of it.
    pub status: Option<EffectStatus>,
    /// The row that says so.
    pub told_by: Option<u64>,
}

impl Log {
    /// The rows of a range whose ops name a key, ascending, whatever became of them; and, once in a great while, one that names
    /// another. No row is read.
    pub fn find_key(&self, key: &str, within: Range<u64>) -> Result<Vec<u64>, ReadError> {
        let mut rows = self.candidates(added_hash(key), within.clone())?;
        rows.extend(self.find_key_set(key, within)?);
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    /// Those of them that may do more than add to the key: that set or remove it, look at what it holds, or are rollbacks.
    pub fn find_key_set(&self, key: &str, within: Range<u64>) -> Result<Vec<u64>, ReadError> {
        self.candidates(key_hash(key), within)
    }

    /// The rows that point to a row as evidence, ascending.
    pub fn citing(&self, cited: u64) -> Result<Vec<u64>, ReadError> {
        self.rows_with(cited_hash(cited), |row| {
            let evidence = row.content(PartTag::Evidence).map(Evidence::decode_all).transpose()?;
            Ok(Evidence::rows(&evidence.unwrap_or_default()).contains(&cited))
        })
    }

    /// The applied outcome rows of a call, ascending, each with the status that it states.
    pub fn outcomes(&self, row: u64, effect: u32) -> Result<Vec<(u64, EffectStatus)>, ReadError> {
        let mut found = Vec::new();
        self.rows_with(call_hash(row, effect), |told| {
            if let Some(Body::Outcome(outcome)) = said(told, Kind::Outcome)?
                && (outcome.row, outcome.effect) == (row, effect)
            {
                found.push((told.landing.seq, outcome.status));
            }
            Ok(false)
        })?;
        Ok(found)
    }

    /// The calls that may not have ended, by the row that calls and the effect's place: those that a rollback row asks for, and
    /// those of which a row has told something else than that they are done. Each with the rows that tell of it.
    pub fn open_calls(&self) -> Result<Vec<OpenCall>, ReadError> {
        let calling = self.calling_rollbacks()?;
        let each = |(row, effects): (u64, Vec<u32>)| effects.into_iter().map(move |effect| (row, effect));
        let mut calls: BTreeSet<(u64, u32)> = calling.into_iter().flat_map(each).collect();
        self.rows_with(unfinished_hash(), |row| {
            if let Some(Body::Outcome(outcome)) = said(row, Kind::Outcome)? {
                calls.insert((outcome.row, outcome.effect));
            }
            Ok(false)
        })?;
        let mut open = Vec::new();
        for (row, effect) in calls {
            let told = self.outcomes(row, effect)?;
            let status = told.last().map(|(_, status)| *status);
            if !matches!(status, Some(EffectStatus::Done | EffectStatus::Closed)) {
                open.push(OpenCall { row, effect, status, told_by: told.last().map(|(row, _)| *row) });
            }
        }
        Ok(open)
    }

    /// The applied rollback rows that call for effects, ascending, each with the places of these.
    pub fn calling_rollbacks(&self) -> Result<Vec<(u64, Vec<u32>)>, ReadError> {
        let mut found = Vec::new();
        self.rows_with(calling_hash(), |row| {
            if let Some(Body::Rollback(rollback)) = said(row, Kind::Rollback)? {
                found.push((row.landing.seq, rollback.effects));
            }
            Ok(false)
        })?;
        Ok(found)
    }

    /// The applied rollback rows that are forced or partial, ascending.
    pub fn inexact_rollbacks(&self) -> Result<Vec<u64>, ReadError> {
        self.rows_with(inexact_hash(), |row| {
            let body = said(row, Kind::Rollback)?;
            Ok(matches!(body, Some(Body::Rollback(rollback)) if rollback.manner != Manner::Exact))
        })
    }

    /// The applied snapshot rows, ascending, each with what it says.
    pub fn snapshot_rows(&self) -> Result<Vec<(u64, Snapshot)>, ReadError> {
        let mut found = Vec::new();
        self.rows_with(snapshot_hash(), |row| {
            if let Some(Body::Snapshot(snapshot)) = said(row, Kind::Snapshot)? {
                found.push((row.landing.seq, snapshot));
            }
            Ok(false)
        })?;
        Ok(found)
    }

    /// Those of the rows looked up by a hash for which it holds.
    fn rows_with(
        &self,
        hash: u64,
        mut holds: impl FnMut(&Row<'_>) -> Result<bool, CodecError>,
    ) -> Result<Vec<u64>, ReadError> {
        let mut rows = Vec::new();
        for seq in self.candidates(hash, 0..u64::MAX)? {
            let stored = self.row(seq)?;
            if holds(&stored.parse()?).map_err(|error| self.damaged(seq, error))? {
                rows.push(seq);
            }
        }
        Ok(rows)
    }
}

/// The body of an applied row of a kind, when it is open.
fn said<'r>(row: &Row<'r>, kind: Kind) -> Result<Option<Body<'r>>, CodecError> {
    let applied = row.head.kind == kind && row.landing.outcome == Outcome::Applied;
    row.content(PartTag::Body).filter(|_| applied).map(|bytes| Body::decode(kind, bytes)).transpose()
}
