//! Policies to begin with.

/// A policy to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// The text of its file.
    pub text: &'static str,
}

/// All presets; the first is the one to take when in doubt.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "default",
        about: "a shop's first policy: named actions, tiers, a lifecycle, drills",
        text: include_str!("../presets/default.toml"),
    },
    Preset {
        name: "open",
        about: "asks for nothing: for trying out, importing and tests",
        text: include_str!("../presets/open.toml"),
    },
];

/// Finds one by its name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}
