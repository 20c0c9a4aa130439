//! Every bound of the format in one place. A reader checks a length against its bound before it believes it;
//! a writer refuses to write what a reader would refuse.

/// Bytes of one stored row record, its own length prefix excluded.
pub const ROW_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one part's content.
pub const PART_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one encoded value.
pub const VALUE_BYTES: usize = 1024 * 1024;
/// Nesting of lists and maps in a value; a scalar has depth 1.
pub const VALUE_DEPTH: usize = 32;
/// Bytes of a state key, and of an entity name. The least is 1.
pub const KEY_BYTES: usize = 1024;
/// Bytes of an action, role holder's, adapter's, stage's or metric's name.
pub const NAME_BYTES: usize = 128;
/// Bytes of a free-form text outside a value: a reason, a detail, a URI.
pub const TEXT_BYTES: usize = 64 * 1024;
/// Bytes of an origin.
pub const ORIGIN_BYTES: usize = 255;
/// Operations in one row.
pub const OPS: usize = 65_536;
/// Items of any other list in a row: evidence, effects, reasons, patterns.
pub const ITEMS: usize = 4_096;
/// Rollback rows in a chain of targets.
pub const ROLLBACK_CHAIN: usize = 256;
/// Limits of one policy.
pub const POLICY_LIMITS: usize = 64;
/// Intents in one submission.
pub const SUBMISSION_ROWS: usize = 4_096;
/// Rows in one group.
pub const GROUP_ROWS: usize = 65_536;
/// Bytes of one group's body.
pub const GROUP_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of one segment file.
pub const SEGMENT_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of a signed note, checkpoint or proof file.
pub const NOTE_BYTES: usize = 256 * 1024;
/// Signature lines of a signed note.
pub const NOTE_SIGNATURES: usize = 64;
/// Digits after the point of a decimal.
pub const DECIMAL_SCALE: u8 = 38;
/// Parts per million in one whole: the largest judge score.
pub const PPM: u32 = 1_000_000;
