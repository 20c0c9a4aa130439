//! A policy file: read, checked and printed.

use crate::doubt::PolicyWarning;
use crate::doubting::doubts;
use crate::printing::print;
use crate::problem::{PolicyErrors, Problem, Problems};
use crate::reading::read;
use crate::settings::Settings;
use counterfoil_format::policy::PolicyBody;

/// The largest policy file.
pub const FILE_BYTES: usize = 1 << 20;

/// A policy as a file states it. It can be set: its body passes [`PolicyBody::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    settings: Settings,
    warnings: Vec<PolicyWarning>,
}

impl PolicyFile {
    /// Reads a file's text. On failure tells everything that is wrong with it; never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        if text.len() > FILE_BYTES {
            let mut problems = Problems::of("");
            problems.push(0, Problem::FileTooLarge { bytes: text.len(), limit: FILE_BYTES });
            problems.settle()?;
        }
        let mut problems = Problems::of(text);
        let (settings, marks) = read(text, &mut problems);
        problems.settle()?;
        // The readers refuse all that the format refuses, and say why better than it can. This holds them to it.
        if let Err(refused) = settings.body().check() {
            problems.push(0, Problem::Refused(refused));
        }
        problems.settle()?;
        let doubts = doubts(&settings, &marks).into_iter();
        let warnings = doubts.map(|(at, doubt)| PolicyWarning { place: problems.place(at), doubt }).collect();
        Ok(PolicyFile { settings, warnings })
    }

    /// The file that states what the body of a policy row says. It has no warnings; parsing its text gives them. The body
    /// is one that was read from a row, or passes [`PolicyBody::check`].
    pub fn from_body(body: &PolicyBody<'_>) -> Self {
        PolicyFile { settings: Settings::from_body(body), warnings: Vec::new() }
    }

    /// What is doubtful about it, in the order of the file.
    pub fn warnings(&self) -> &[PolicyWarning] {
        &self.warnings
    }

    /// The body of the policy row that sets it.
    pub fn body(&self) -> PolicyBody<'_> {
        self.settings.body()
    }

    /// Its canonical text, with comments. Every setting is spelled out, so that it means the same wherever it is read; it
    /// has the same body. A body near the limits of the format can have a text above [`FILE_BYTES`].
    pub fn to_toml(&self) -> String {
        print(&self.settings)
    }
}
