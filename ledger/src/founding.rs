//! The founding of a ledger: its first segment, with row 0.
//!
//! The segment gets its name only when all of it is durable, so a crash leaves a directory in which a ledger can be
//! founded again, or a ledger. The names of `log/` and of the ledger's directory become durable when it is opened, those of
//! the directories above, which may be new too, before.

use crate::batch::Batch;
use crate::builder::{SubmissionBuilder, random};
use crate::chain::Chain;
use crate::draft::{Draft, DraftError, random_salt};
use crate::error::{CreateError, FileError};
use crate::layout::Layout;
use crate::secret::Signer;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, FORMAT_VERSION, Genesis};
use counterfoil_format::codec::CodecError;
use counterfoil_format::frame::SegmentHeader;
use counterfoil_format::intent::{IntentId, Micros};
use counterfoil_format::merkle::CompactRange;
use counterfoil_format::policy::PolicyBody;
use counterfoil_rules::governance::Governance;
use std::sync::Arc;

/// Writes the first segment.
pub(crate) fn found(
    layout: &Layout,
    now: Micros,
    origin: &str,
    policy: PolicyBody<'_>,
    owner: &dyn Signer,
    seal_key: Arc<dyn Signer>,
) -> Result<(), CreateError> {
    if is_occupied(layout)? {
        return Err(CreateError::Occupied(layout.root().to_owned()));
    }
    let mut random = random()?;
    let (owner_key, ledger_key) = (*owner.public().as_bytes(), *seal_key.public().as_bytes());
    let genesis = Genesis { format: FORMAT_VERSION, origin, owner: owner_key, ledger: ledger_key, policy };
    Governance::from_genesis(&genesis, now)?;
    let id = IntentId(random_salt(&mut random));
    let salt = random_salt(&mut random);
    let mut builder = SubmissionBuilder::with_random(owner, random);
    builder.push(&Draft::with_body(id, Body::Genesis(genesis), now))?;
    let ledger_id = builder.only_hash().unwrap_or_default();
    let batch = Batch::genesis(builder.sign(ledger_id)?, now);
    let header = SegmentHeader { first_seq: 0, salt, ledger_id, previous: Hash::ZERO };
    let mut segment = header.encode().to_vec();
    let mut chain = Chain::behind(origin, Hash::ZERO, CompactRange::starting_at(0), seal_key);
    let group = chain.extend(batch).and_then(|(group, _)| match group {
        Some(group) => group.builder.finish(0, 0, &Hash::ZERO, &salt, &group.seal),
        None => Err(CodecError::Empty("a submission")),
    });
    segment.extend(group.map_err(|error| DraftError::Format { index: 0, error })?);

    layout.storage().create_dirs(&layout.log()).map_err(FileError::at(&layout.log()))?;
    layout.sync_above()?;
    layout.replace(&layout.segment(0), &segment, true)?;
    Ok(())
}

/// Whether a directory holds more than what a founding that a crash has ended may have left.
fn is_occupied(layout: &Layout) -> Result<bool, CreateError> {
    let (root, log) = (layout.root(), layout.log());
    let storage = layout.storage();
    if storage.kind(root).is_none() {
        return Ok(false);
    }
    let names = storage.list(root).map_err(FileError::at(root))?;
    if names.iter().any(|name| !["log", "LOCK"].contains(&name.as_str())) {
        return Ok(true);
    }
    Ok(layout.is_dir(&log)
        && storage.list(&log).map_err(FileError::at(&log))?.iter().any(|name| !name.ends_with(".new")))
}
