//! The rows to doubt: those of keys whose revocation says since when they may have been in other hands.
//!
//! They are no findings. Nobody can tell from the log which of them the thief wrote; an auditor looks at each. The log is
//! walked a second time, and only when some revocation names a time.

use crate::authority::Authority;
use crate::error::VerifyError;
use crate::source::Book;
use crate::time::rfc3339;
use crate::walk::{Event, RawGroup, Walk};
use counterfoil_format::group::GroupBody;
use counterfoil_format::intent::{KeyId, Micros};
use counterfoil_format::row::Row;
use serde::Serialize;

/// How many rows of a key are named.
const NAMED: usize = 100;

/// The rows of a key that may have been in other hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// The key's id.
    pub key: String,
    /// Who it was granted to.
    pub name: String,
    /// Since when it may have been in other hands, RFC 3339 in UTC.
    pub compromised_since: String,
    /// The row that revoked it.
    pub revoked_by: u64,
    /// How many rows it wrote that landed then or later.
    pub count: u64,
    /// The first of them, at most 100.
    pub rows: Vec<u64>,
}

/// Finds the rows to doubt.
pub(crate) fn find(book: &Book, authority: &Authority) -> Result<Vec<Suspect>, VerifyError> {
    let keys = authority.governance().map(|governance| governance.keys.all()).unwrap_or_default();
    let mut suspects: Vec<(KeyId, Micros, Suspect)> = keys
        .into_iter()
        .filter_map(|key| {
            let (since, revoked_by) = (key.compromised_since?, key.until?);
            let id = key.key.id();
            let (name, compromised_since) = (key.name.clone(), rfc3339(since));
            let suspect = Suspect {
                key: id.to_string(),
                name,
                compromised_since,
                revoked_by,
                count: 0,
                rows: Vec::new(),
            };
            Some((id, since, suspect))
        })
        .collect();
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    let mut walk = Walk::new(book);
    let mut spare = Vec::new();
    while let Some(event) = walk.next(|| std::mem::take(&mut spare))? {
        let Event::Group(group) = event else { continue };
        look(&group, &mut suspects);
        spare = group.body;
    }
    Ok(suspects.into_iter().map(|(_, _, suspect)| suspect).collect())
}

fn look(group: &RawGroup, suspects: &mut [(KeyId, Micros, Suspect)]) {
    let Ok(body) = GroupBody::parse(&group.header, &group.body) else { return };
    for ((_, record), seq) in body.rows().zip(group.header.first_seq..) {
        let Ok(row) = Row::parse(record) else { continue };
        let late = |(key, since, _): &&mut (KeyId, Micros, Suspect)| {
            *key == row.head.author && row.landing.landed_at >= *since
        };
        for (_, _, suspect) in suspects.iter_mut().filter(late) {
            suspect.count += 1;
            if suspect.rows.len() < NAMED {
                suspect.rows.push(seq);
            }
        }
    }
}
