//! Room: how large a row may become, and that there is room to take it back.
//!
//! Hashes are not known yet when this is asked, so everything is counted at its largest.

use counterfoil_format::Hash;
use counterfoil_format::codec::{CodecError, within};
use counterfoil_format::landing::Landing;
use counterfoil_format::limits;
use counterfoil_format::part::Salt;
use counterfoil_rules::apply::Applied;

/// Bytes of a length, at most.
const LENGTH: usize = 5;
/// What a rollback row has besides its operations and their inverse: head, body, actors, a reason.
const AROUND: usize = 16 * 1024 + limits::TEXT_BYTES;
/// How many times larger an operation may be in a rollback's own rollback, which guards it.
const GROWTH: usize = 32;

fn slot(content: usize) -> usize {
    1 + size_of::<Salt>() + LENGTH + content
}

/// Bytes of a row in its group, at most, by the bytes of head and authored parts and of the rollback's content.
pub(crate) fn row(authored: usize, rollback: Option<usize>) -> Result<usize, CodecError> {
    let fixed = LENGTH + Landing::MAX_BYTES + LENGTH + size_of::<Hash>();
    let row = fixed + authored + rollback.map_or(0, slot);
    within("a row", row, limits::ROW_BYTES)?;
    Ok(4 + row)
}

/// Makes sure that the row can be taken back: that the row which does it, with this row's rollback for its operations
/// and a rollback of its own, is not too large either.
pub(crate) fn of_rollback(applied: &Applied<'_>, ops: usize, rollback: usize) -> Result<(), CodecError> {
    if AROUND + rollback + ops.saturating_mul(GROWTH) <= limits::ROW_BYTES {
        return Ok(());
    }
    let back = applied.redo_bytes();
    within("the rollback of a rollback", back, limits::PART_BYTES)?;
    within("a row that would take this one back", AROUND + slot(rollback) + slot(back), limits::ROW_BYTES)
}
