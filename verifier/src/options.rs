//! What the caller asks for, and what the caller holds from elsewhere.

use counterfoil_format::Hash;
use counterfoil_format::note::VerifierKey;
use std::path::PathBuf;
use std::str::FromStr;

/// What to verify, and against what.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the caller knows of the ledger from elsewhere (V11).
    pub pins: Vec<Pin>,
    /// Files with checkpoints that were kept elsewhere (V12).
    pub checkpoints: Vec<PathBuf>,
    /// How many threads; by default one for each core.
    pub threads: Option<usize>,
    /// Which checks are asked for.
    pub scope: Scope,
}

/// Which checks are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// All that this build has.
    #[default]
    All,
    /// V01 to V12 alone: whether the bytes are what was written, not whether the rows keep the rules.
    Integrity,
}

/// Something about a ledger that is known from elsewhere, and that nobody who only holds the files can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// The ledger's id: the intent hash of its row 0.
    LedgerId(Hash),
    /// The owner's public key.
    Owner([u8; 32]),
    /// The ledger's name and a key of it that seals.
    Ledger(VerifierKey),
}

/// Why a text is no pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// It is not `name=value` with a known name.
    #[error("a pin is ledger_id=HEX, owner=HEX or vkey=KEY")]
    Name,
    /// The value is not 64 hexadecimal digits.
    #[error("{0} needs 64 hexadecimal digits")]
    Hex(&'static str),
    /// The verifier key cannot be read.
    #[error("{0}")]
    VerifierKey(#[from] counterfoil_format::note::NoteError),
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let (name, value) = text.split_once('=').ok_or(PinError::Name)?;
        match name {
            "ledger_id" => Hash::from_hex(value).map(Pin::LedgerId).ok_or(PinError::Hex("ledger_id")),
            "owner" => Hash::from_hex(value).map(|key| Pin::Owner(key.0)).ok_or(PinError::Hex("owner")),
            "vkey" => Ok(Pin::Ledger(VerifierKey::parse(value)?)),
            _ => Err(PinError::Name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_by_name() {
        let hex = "ab".repeat(32);
        assert_eq!(format!("ledger_id={hex}").parse(), Ok(Pin::LedgerId(Hash([0xab; 32]))));
        assert_eq!(format!("owner={hex}").parse(), Ok(Pin::Owner([0xab; 32])));
        assert_eq!("owner=12".parse::<Pin>(), Err(PinError::Hex("owner")));
        assert_eq!("who=12".parse::<Pin>(), Err(PinError::Name));
        assert!("vkey=a+b+c".parse::<Pin>().is_err());
    }
}
