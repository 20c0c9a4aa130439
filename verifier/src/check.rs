//! The checks by their numbers, as `docs/VERIFICATION.md` lists them.

use serde::Serialize;

macro_rules! checks {
    ($($id:ident $title:literal $unit:literal,)*) => {
        /// A check. What each proves, and what it does not, stands in `docs/VERIFICATION.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum CheckId {
            $(#[doc = $title] $id,)*
        }

        impl CheckId {
            /// All checks, in order.
            pub const ALL: &[CheckId] = &[$(CheckId::$id,)*];

            /// The number, `V01` and on.
            pub const fn name(self) -> &'static str {
                match self { $(CheckId::$id => stringify!($id),)* }
            }

            /// What is checked, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(CheckId::$id => $title,)* }
            }

            /// What is counted when it is said how much was checked.
            pub(crate) const fn unit(self) -> &'static str {
                match self { $(CheckId::$id => $unit,)* }
            }
        }
    };
}

checks! {
    V01 "segments and frames" "groups",
    V02 "canonical encodings and bounds" "rows",
    V03 "row numbers without gaps" "rows",
    V04 "landing times never go back" "rows",
    V05 "commitments of rollback parts" "rollback parts",
    V06 "intent hashes" "submissions",
    V07 "the chain of row hashes" "rows",
    V08 "the root of every seal" "seals",
    V09 "the signature of every submission" "submissions",
    V10 "the signature of every seal" "seals",
    V11 "pins" "pins",
    V12 "checkpoints" "checkpoints",
    V13 "witness cosignatures" "cosignatures",
    V14 "stamped outcomes, decided again" "rows",
    V15 "rollbacks are the exact inverse" "rows",
    V16 "state digests of snapshots" "snapshots",
    V17 "rollback rows put back what was there" "rollback rows",
    V18 "kill switch and drills" "rows",
    V19 "effects and their outcomes" "effects",
    V20 "ids are unique" "ids",
    V21 "evidence precedes" "references to rows",
    V22 "erasures have authority" "erased parts",
    V23 "calibrations recomputed" "calibrations",
}

impl CheckId {
    /// The checks of integrity that look into every row beside V02.
    pub(crate) const OF_ROWS: &[CheckId] = &[CheckId::V03, CheckId::V04, CheckId::V05, CheckId::V07];
    /// The checks of meaning that look into every row.
    pub(crate) const OF_MEANING: &[CheckId] = &[
        CheckId::V14,
        CheckId::V15,
        CheckId::V16,
        CheckId::V17,
        CheckId::V18,
        CheckId::V19,
        CheckId::V20,
        CheckId::V21,
        CheckId::V23,
    ];

    /// Whether a failure means that the bytes are not what was written (V01 to V12).
    pub fn is_integrity(self) -> bool {
        self <= CheckId::V12
    }

    /// Why this build never runs the check; `None` when it does.
    pub(crate) const fn not_built(self) -> Option<&'static str> {
        match self {
            CheckId::V13 => Some("no witness policy was given; this build does not check witnesses yet"),
            CheckId::V22 => Some("this build does not check it yet"),
            _ => None,
        }
    }
}
