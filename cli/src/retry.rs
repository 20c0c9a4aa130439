//! Whether a draft says what a row that landed with the same id says.
//!
//! Salts, times and judges' signatures are left out: they differ from one attempt to the next. Whose key a judge signs with is
//! compared when a signature is asked for; a row that has one nobody asked for now has more than the draft, and says the same.

use counterfoil_format::codec::CodecError;
use counterfoil_format::content::{Actors, Context, Effect, Evidence, Judge, Subject};
use counterfoil_format::intent::KeyId;
use counterfoil_format::ops::{Change, Guard, Op};
use counterfoil_format::part::{PartTag, Slot};
use counterfoil_format::row::Row;
use counterfoil_ledger::{Draft, DraftOp};

/// What the comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// They say the same.
    Same,
    /// They differ in this.
    Differs(&'static str),
    /// This part of the row is withheld or erased, so nobody can say.
    Unknown(&'static str),
}

/// Compares a draft of a decision, signed by this author, with a row. `judge` is the key that would sign its verdict.
pub fn compare(
    row: &Row<'_>,
    draft: &Draft<'_>,
    author: KeyId,
    judge: Option<KeyId>,
) -> Result<Likeness, CodecError> {
    let head = &row.head;
    let heads = [
        ("kind", head.kind == draft.kind),
        ("action", head.action == draft.action),
        ("tier", head.tier == draft.tier),
        ("mode", head.mode == draft.mode),
        ("author", head.author == author),
    ];
    if let Some((what, _)) = heads.into_iter().find(|(_, same)| !same) {
        return Ok(Likeness::Differs(what));
    }
    for tag in PartTag::AUTHORED {
        let same = match row.part(tag) {
            Some(Slot::Closed(_)) => return Ok(Likeness::Unknown(tag.name())),
            Some(Slot::Open { bytes, .. }) if tag == PartTag::Actors => {
                let actors = Actors::decode(bytes)?;
                if judge.is_some() && signed_by(&actors) != judge {
                    return Ok(Likeness::Differs("the judge's signature"));
                }
                Some(draft.actors.map(unsigned) == Some(unsigned(actors)))
            }
            Some(Slot::Open { bytes, .. }) => same_part(tag, bytes, row, draft)?,
            None => is_absent(tag, draft),
        };
        match same {
            Some(true) => {}
            Some(false) => return Ok(Likeness::Differs(tag.name())),
            None => return Ok(Likeness::Unknown(tag.name())),
        }
    }
    Ok(Likeness::Same)
}

/// The key under which a judge has signed.
fn signed_by(actors: &Actors<'_>) -> Option<KeyId> {
    actors.judge?.attestation.map(|attestation| attestation.key)
}

/// What the part says but for a judge's signature.
fn unsigned(actors: Actors<'_>) -> Actors<'_> {
    Actors { judge: actors.judge.map(|judge| Judge { attestation: None, ..judge }), ..actors }
}

fn is_absent(tag: PartTag, draft: &Draft<'_>) -> Option<bool> {
    Some(match tag {
        PartTag::Subject => draft.subject.is_none(),
        PartTag::Actors => draft.actors.is_none(),
        PartTag::Evidence => draft.evidence.is_empty(),
        PartTag::Ops => draft.ops.is_empty(),
        PartTag::Effects => draft.effects.is_empty(),
        PartTag::Context => draft.context.is_none(),
        PartTag::Body => draft.body.is_none(),
        PartTag::Rollback => true,
    })
}

/// `None` when an erased value keeps it open.
fn same_part(
    tag: PartTag,
    bytes: &[u8],
    row: &Row<'_>,
    draft: &Draft<'_>,
) -> Result<Option<bool>, CodecError> {
    Ok(Some(match tag {
        PartTag::Subject => draft.subject == Some(Subject::decode(bytes)?),
        PartTag::Evidence => draft.evidence == Evidence::decode_all(bytes)?,
        PartTag::Effects => draft.effects == Effect::decode_all(bytes)?,
        PartTag::Context => draft.context == Some(Context::decode(bytes)?),
        PartTag::Ops => return same_ops(&row.ops(tag)?.unwrap_or_default(), &draft.ops),
        PartTag::Actors | PartTag::Body | PartTag::Rollback => false,
    }))
}

fn same_ops(stored: &[Op<'_>], drafted: &[DraftOp<'_>]) -> Result<Option<bool>, CodecError> {
    if stored.len() != drafted.len() {
        return Ok(Some(false));
    }
    for (stored, drafted) in stored.iter().zip(drafted) {
        let same = match (stored.change, drafted) {
            (Change::Put(Slot::Closed(_)), DraftOp::Put(..)) => return Ok(None),
            (Change::Put(Slot::Open { bytes, .. }), DraftOp::Put(key, value)) => {
                stored.key == *key && value.encode()? == bytes
            }
            (Change::Delete, DraftOp::Delete(key)) => stored.key == *key,
            (Change::Add(delta), DraftOp::Add(key, added)) => stored.key == *key && delta == *added,
            (Change::Transition(stage), DraftOp::Transition(entity, to)) => {
                stored.key == *entity && stage == *to
            }
            _ => false,
        };
        if !same || stored.guard != Guard::None {
            return Ok(Some(false));
        }
    }
    Ok(Some(true))
}
