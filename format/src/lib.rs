//! The bytes of a Counterfoil ledger.
//!
//! Everything that is hashed, signed or stored is defined here and in `docs/FORMAT.md`, which is normative: values,
//! parts, intents, landings, rows, submissions, seals, segments, notes and proofs. Decoding is strict: bytes that are
//! not the one canonical encoding are refused, every length is checked before it is believed, and nothing panics.
//! The crate has no clock, no threads and no randomness of its own.
//!
//! ```
//! use counterfoil_format::{merkle, part::PartTag, value::Value};
//!
//! // A part is committed with a salt, so that its commitment betrays nothing of it.
//! let salt = [7; 16];
//! let price = Value::Int(1990).encode()?;
//! let commitment = PartTag::Context.commit(&salt, &price);
//! assert_ne!(commitment, PartTag::Context.commit(&[8; 16], &price));
//!
//! // Ranges of the tree are hashed apart and joined.
//! let leaves: Vec<_> = (0u8..5).map(|row| merkle::leaf_hash(&[row])).collect();
//! let mut left = merkle::CompactRange::starting_at(0);
//! let mut right = merkle::CompactRange::starting_at(3);
//! leaves[..3].iter().for_each(|leaf| left.push(*leaf));
//! leaves[3..].iter().for_each(|leaf| right.push(*leaf));
//! assert!(left.join(&right));
//! assert_eq!(left.root(), Some(merkle::root(leaves)));
//! # Ok::<(), counterfoil_format::codec::CodecError>(())
//! ```

pub mod body;
pub mod codec;
pub mod content;
pub mod frame;
pub mod group;
pub mod hash;
pub mod intent;
pub mod key;
pub mod landing;
pub mod limits;
pub mod merkle;
pub mod note;
pub mod ops;
pub mod part;
pub mod policy;
pub mod prepared;
pub mod proof;
pub mod row;
pub mod state;
pub mod submission;
pub mod tile;
pub mod value;
pub mod verdict;

pub use hash::Hash;
