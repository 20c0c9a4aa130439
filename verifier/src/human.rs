//! The report for people: short, and never a bare "valid".

use crate::check::CheckId;
use crate::report::{Report, Status, Verdict};
use std::fmt;

/// How many findings are shown.
const SHOWN: usize = 20;

/// A report as it is printed on a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Human<'a> {
    /// The report.
    pub report: &'a Report,
    /// Whether to use colours.
    pub colour: bool,
}

const BOLD: &str = "1";
const RED: &str = "1;31";
const GREEN: &str = "1;32";
const YELLOW: &str = "1;33";
const DIM: &str = "2";

impl Human<'_> {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn verdict(&self) -> String {
        let (code, gist) = match self.report.verdict {
            Verdict::Intact => (GREEN, "every check that ran passed"),
            Verdict::Broken => (RED, "the bytes are not what was written"),
            Verdict::Unchecked => (YELLOW, "there was nothing to check"),
            Verdict::Findings => (YELLOW, "the bytes are intact, but rows break the rules"),
        };
        format!("{}: {gist}", self.paint(code, self.report.verdict.name()))
    }

    fn span(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let name = report.origin.as_deref().unwrap_or("(name unknown: row 0 was not read)");
        writeln!(f, "  ledger   {}", self.paint(BOLD, name))?;
        if let Some(id) = &report.ledger_id {
            writeln!(f, "  id       {id}")?;
        }
        let segments = report.counts.segments;
        match report.first_row {
            Some(first) => {
                let last = report.size.saturating_sub(1);
                writeln!(f, "  rows     {first} to {last} ({} read, {segments} segments)", report.rows)?;
            }
            None => writeln!(f, "  rows     none ({segments} segments)")?,
        }
        if let (Some(first), Some(last)) = (&report.first_landed_at, &report.last_landed_at) {
            writeln!(f, "  landed   {first} to {last}, by the ledger's own clock")?;
        }
        match &report.head {
            Some(head) => writeln!(f, "  head     {head}"),
            None => Ok(()),
        }
    }

    fn checks(&self, f: &mut fmt::Formatter<'_>, status: Status) -> fmt::Result {
        for (id, check) in self.report.checks.iter().filter(|(_, check)| check.status == status) {
            writeln!(f, "  {} {}: {}", id.name(), id.title(), check.detail)?;
        }
        Ok(())
    }

    fn passed(&self) -> Vec<&'static str> {
        let passed = self.report.checks.iter().filter(|(_, check)| check.status == Status::Passed);
        passed.map(|(id, _)| CheckId::name(*id)).collect()
    }

    fn findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in self.report.findings.iter().take(SHOWN) {
            let row = finding.row.map_or(String::new(), |row| format!(" row {row}"));
            let place = self.paint(DIM, &format!("{} at byte {}", finding.segment, finding.offset));
            writeln!(f, "  {}{row}: {} ({place})", self.paint(RED, finding.check.name()), finding.message)?;
        }
        match self.report.findings.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => writeln!(f, "  and {more} more; --json lists them"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Human<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict())?;
        self.span(f)?;
        let passed = self.passed();
        if !passed.is_empty() {
            writeln!(f, "{} {}", self.paint(GREEN, "passed"), passed.join(" "))?;
        }
        if self.report.checks.values().any(|check| check.status == Status::Failed) {
            writeln!(f, "{}", self.paint(RED, "failed"))?;
            self.checks(f, Status::Failed)?;
            writeln!(f, "{}", self.paint(RED, "where"))?;
            self.findings(f)?;
        }
        for suspect in &self.report.suspects {
            let (key, since) = (&suspect.name, &suspect.compromised_since);
            let revoked = suspect.revoked_by;
            let rows: Vec<String> = suspect.rows.iter().take(SHOWN).map(u64::to_string).collect();
            let more = if suspect.count > rows.len() as u64 { ", ..." } else { "" };
            let named = if rows.is_empty() { String::new() } else { format!(": {}{more}", rows.join(", ")) };
            writeln!(
                f,
                "{} {} rows that {key} wrote since {since}, when by row {revoked} its key may have been in other hands{named}",
                self.paint(YELLOW, "suspect"),
                suspect.count
            )?;
        }
        if !self.report.not_checked.is_empty() {
            writeln!(f, "{}", self.paint(YELLOW, "not checked"))?;
            for item in &self.report.not_checked {
                writeln!(f, "  {}: {}", item.what, item.why)?;
            }
        }
        Ok(())
    }
}
