//! Intents: the author's part of a row, which is what the author signs.
//!
//! # Format
//!
//! An intent is its head followed by the commitments (32 bytes each) of the parts it names, in tag order. Its hash
//! is `BLAKE3[intent](head || commitments)`. A row stores the head; the commitments follow from the parts.

use crate::codec::{CodecError, label};
use crate::hash::{Hash, Use, write_hex};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of intents that this build writes.
pub const INTENT_VERSION: u8 = 3;

/// Microseconds since 1970-01-01T00:00:00 UTC, leap seconds not counted.
pub type Micros = i64;

/// The id of an intent: sixteen bytes of the author's choice, unique in the ledger; the idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IntentId(pub [u8; 16]);

/// The id of a key: the first eight bytes of `BLAKE3[key](public key)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl IntentId {
    /// Reads 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<IntentId> {
        let mut out = [0; 16];
        crate::hash::decode_hex(text, &mut out).then_some(IntentId(out))
    }
}

/// An enum of unit variants with the names used in docs and JSON.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them, in the order of their numbers in the format, from 0.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The name used in docs and JSON.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// Finds one by its name.
            pub fn from_name(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use named_enum;

named_enum! {
    /// What a row is.
    Kind {
        /// Row 0: origin, keys, first policy.
        Genesis = "genesis",
        /// A key is granted, rotated or revoked.
        Key = "key",
        /// A policy comes into force.
        Policy = "policy",
        /// An agent's decision.
        Decision = "decision",
        /// A reading that decisions may point to.
        Evidence = "evidence",
        /// The kill switch is moved, handed over or drilled.
        KillSwitch = "kill-switch",
        /// A row is taken back.
        Rollback = "rollback",
        /// How an external effect went.
        Outcome = "outcome",
        /// The digest of the state at a row.
        Snapshot = "snapshot",
        /// Parts and values are erased.
        Erasure = "erasure",
        /// A threshold computed from the store's own rows.
        Calibration = "calibration",
        /// A human approves or rejects a row that was put aside.
        Review = "review",
    }
}

named_enum! {
    /// Cost confidence as the author saw it.
    Tier {
        /// None was stated.
        Unstated = "-",
        /// Cost confidence A.
        A = "A",
        /// Cost confidence B.
        B = "B",
        /// Cost confidence C.
        C = "C",
    }
}

named_enum! {
    /// What the author asks for.
    Mode {
        /// Say what would happen.
        DryRun = "dry-run",
        /// Make it happen.
        Live = "live",
    }
}

/// The head of an intent: everything but the commitments of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentHead<'a> {
    /// [`INTENT_VERSION`].
    pub version: u8,
    /// The idempotency key.
    pub id: IntentId,
    /// What the row is.
    pub kind: Kind,
    /// Who signs.
    pub author: KeyId,
    /// The action's name; empty only for kinds other than decisions.
    pub action: &'a str,
    /// Cost confidence as the author saw it.
    pub tier: Tier,
    /// What the author asks for.
    pub mode: Mode,
    /// When the author made it, by the author's clock.
    pub authored_at: Micros,
    /// The bits of the parts that follow, [`crate::part::PartTag::bit`]. The rollback is never among them.
    pub parts: u8,
}

impl<'a> IntentHead<'a> {
    /// Decodes and checks a head.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CodecError> {
        // A version byte below 0x80 stands alone in the first byte, so that a newer one is told as such.
        match bytes.first() {
            Some(&INTENT_VERSION) => {}
            Some(&found) => return Err(CodecError::Version { what: "an intent", found: found.into() }),
            None => return Err(CodecError::Truncated),
        }
        let head: IntentHead<'a> = crate::codec::decode("an intent", bytes)?;
        head.check()?;
        Ok(head)
    }

    /// Checks what needs no context.
    pub fn check(&self) -> Result<(), CodecError> {
        label("an action", self.action)?;
        if self.kind == Kind::Decision && self.action.is_empty() {
            return Err(CodecError::Empty("a decision's action"));
        }
        if self.parts & crate::part::PartTag::Rollback.bit() != 0 {
            return Err(CodecError::Inconsistent("an intent names a rollback part, which the ledger writes"));
        }
        Ok(())
    }
}

/// The hash of an intent: its head's bytes and the commitments of its parts in tag order.
pub fn intent_hash(head: &[u8], commitments: &[Hash]) -> Hash {
    let mut hasher = Use::Intent.hasher();
    hasher.update(head);
    for commitment in commitments {
        hasher.update(&commitment.0);
    }
    Hash(*hasher.finalize().as_bytes())
}
