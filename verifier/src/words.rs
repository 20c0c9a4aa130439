//! What findings say, so that both ways of verifying say the same, and the two readings they share.

use crate::walk::RawGroup;
use counterfoil_format::Hash;
use counterfoil_format::codec::CodecError;
use counterfoil_format::group::{GroupBody, GroupHeader};

pub(crate) const SEGMENT_LINK: &str =
    "the segment header names another hash than that of the row before the segment";
pub(crate) const GROUP_LINK: &str = "the group names another hash than that of the row before it";
pub(crate) const NO_PREVIOUS: &str = "the row before it cannot be read";
pub(crate) const DURABLE: &str =
    "the group claims that bytes behind its own beginning were on disk before it";
pub(crate) const OTHER_PLACE: &str = "its place in its submission is another than the row says";
pub(crate) const BACK_IN_TIME: &str = "it landed before the row before it";
pub(crate) const ROLLBACK_COMMITMENT: &str = "its rollback is not the one that its landing commits to";
pub(crate) const ROW_HASH: &str =
    "its hash does not follow from its bytes and the row before: the row is not what was written";
pub(crate) const UNREADABLE: &str = "a row of it cannot be read";
pub(crate) const ROW_UNREADABLE: &str = "the row cannot be read";
pub(crate) const GROUP_UNREADABLE: &str = "the rows of its group cannot be told apart";
pub(crate) const NO_TREE: &str = "rows before it are missing or cannot be read";

/// What else may be the matter at the end of the log.
pub(crate) const TORN: &str =
    "; a crash may have torn the last write: if so, opening the ledger sets that right";

pub(crate) fn group_checksum(group: &RawGroup) -> String {
    let (first, last) = (group.header.first_seq, group.header.end_seq().saturating_sub(1));
    let torn = if group.last { TORN } else { "" };
    format!(
        "the checksum of the group with rows {first} to {last} does not match: bytes in it have changed{torn}"
    )
}

pub(crate) fn group_body(header: &GroupHeader, error: &CodecError) -> String {
    let (first, last) = (header.first_seq, header.end_seq().saturating_sub(1));
    format!("rows {first} to {last} of the group cannot be told apart: {error}")
}

/// Another number in a group's header than that of the row which is next.
pub(crate) fn gap(expected: u64, group: &RawGroup) -> String {
    let (claimed, first) = (group.claimed, group.header.first_seq);
    if first == expected {
        format!("the group's header says that row {claimed} is next, and its rows say that row {first} is")
    } else if first > expected {
        format!("rows {expected} to {} are missing", first - 1)
    } else {
        format!("row {first} comes where row {expected} is next")
    }
}

pub(crate) fn other_number(stated: u64) -> String {
    format!("the row calls itself row {stated}")
}

pub(crate) fn submission_root(first: u64, count: u32) -> String {
    let last = first.saturating_add(u64::from(count)).saturating_sub(1);
    format!("the intents of rows {first} to {last} do not hash to the root that their author signed")
}

pub(crate) fn seal_root(size: u64) -> String {
    format!("the tree over the {size} rows so far has another root than the one sealed")
}

/// The hash at the end of a row record, also of one that cannot be read otherwise.
pub(crate) fn stored_hash(record: &[u8]) -> Option<Hash> {
    record.last_chunk().map(|hash| Hash(*hash))
}

/// Where the rows of a body end.
pub(crate) fn rows_end(body: &GroupBody<'_>) -> u64 {
    body.rows().last().map_or(0, |(start, record)| (start + record.len()) as u64)
}
