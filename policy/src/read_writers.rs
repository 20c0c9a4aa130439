//! Reads who may write rows of a kind, where that differs from the usual.

use crate::problem::{Problem, Problems};
use crate::source::shown;
use crate::table::{Entry, entries};
use counterfoil_format::body::Role;
use counterfoil_format::intent::Kind;
use std::collections::BTreeMap;

/// Reads roles by kind, a bit each.
pub(crate) fn read_writers(entry: &Entry<'_>, problems: &mut Problems<'_>) -> BTreeMap<Kind, u8> {
    let mut writers = BTreeMap::new();
    let table = entry.table("a table of lists by kind, [writers]", problems);
    for entry in table.into_iter().flat_map(entries) {
        let Some(kind) = entry.key_word("kind of row", Kind::ALL, Kind::name, problems) else { continue };
        match kind {
            Kind::Genesis => problems.push(entry.key_at, Problem::GenesisWriters),
            Kind::Snapshot => problems.push(entry.key_at, Problem::SnapshotWriters),
            _ => writers.extend(read_roles(kind, &entry, problems).map(|roles| (kind, roles))),
        }
    }
    writers
}

fn read_roles(kind: Kind, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<u8> {
    let (mut roles, mut sound) = (0, true);
    let items = entry.list("a list of roles, such as [\"operator\"]", problems)?;
    for item in &items {
        let Some(role) = item.word("role", Role::ALL, Role::name, problems) else {
            sound = false;
            continue;
        };
        if matches!(role, Role::Ledger | Role::Auditor) {
            problems.push(item.at, Problem::WritesNothing { role });
            sound = false;
        } else if roles & role.bit() != 0 {
            problems.push(item.at, Problem::Again { word: shown(role.name()) });
        }
        roles |= role.bit();
    }
    // What is missing is told only when nothing in the list may have been meant to be it.
    if !sound {
        return None;
    }
    match locked_out(kind, roles) {
        Some(problem) => {
            problems.push(entry.at, problem);
            None
        }
        None => Some(roles),
    }
}

/// Whoever sets policy and keys must be able to go on, and whoever takes back and pulls the switch too.
fn locked_out(kind: Kind, roles: u8) -> Option<Problem> {
    let owner = Role::Owner.bit();
    let holders = Role::Operator.bit() | owner;
    let (fit, needed, why) = match kind {
        Kind::Key => (owner, "owner", "else no key could be granted or revoked by who owns the ledger"),
        Kind::Policy => (owner, "owner", "else who owns the ledger could not set another policy"),
        Kind::Erasure => (owner, "owner", "else who owns the ledger could not erase what must be erased"),
        Kind::Rollback => {
            (holders, "operator or the owner", "else nobody in charge could take anything back")
        }
        Kind::KillSwitch => (holders, "operator or the owner", "else nobody in charge could pull the switch"),
        Kind::Review => (holders, "operator or the owner", "else nobody in charge could approve or reject"),
        _ if roles == 0 => return Some(Problem::NoWriters { kind }),
        _ => return None,
    };
    match roles {
        0 => Some(Problem::NoWriters { kind }),
        _ if roles & fit == 0 => Some(Problem::LockedOut { kind, needed, why }),
        _ => None,
    }
}
