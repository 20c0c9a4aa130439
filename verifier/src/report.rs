//! The report: what was checked, what was found, and what was not checked and why.
//!
//! Its JSON is stable: fields are added, never renamed or removed. `docs/VERIFICATION.md` describes it.

use crate::anchors::{NO_CHECKPOINT, NO_PIN};
use crate::check::CheckId;
use crate::options::{Options, Scope};
use crate::outcome::Outcome;
use crate::source::Book;
use crate::suspects::Suspect;
use crate::tally::{Fault, KEPT, Tally};
use crate::time::rfc3339;
use counterfoil_format::body::Role;
use counterfoil_rules::keyring::Enrolled;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a run says in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check that ran passed.
    Intact,
    /// Structure, hash or signature failed: the bytes are not what was written (V01 to V12).
    Broken,
    /// There was nothing to check.
    Unchecked,
    /// The bytes are intact, but rows break the rules (V14 to V23).
    Findings,
}

impl Verdict {
    /// The exit code of the process.
    pub const fn exit_code(self) -> u8 {
        match self {
            Verdict::Intact => 0,
            Verdict::Broken => 1,
            Verdict::Unchecked => 2,
            Verdict::Findings => 3,
        }
    }

    /// The word used in docs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Intact => "intact",
            Verdict::Broken => "broken",
            Verdict::Unchecked => "unchecked",
            Verdict::Findings => "findings",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Status {
    /// Everything it is about was checked and holds.
    #[serde(rename = "passed")]
    Passed,
    /// It found something.
    #[serde(rename = "failed")]
    Failed,
    /// It found nothing, and did not look at everything.
    #[serde(rename = "not checked")]
    NotChecked,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// How it ended.
    pub status: Status,
    /// How much was checked, how much was not and why.
    pub detail: String,
    /// What it found, at most the first [`KEPT`]; the detail says how many there are.
    pub findings: Vec<Finding>,
}

/// One finding and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: CheckId,
    /// The row, when it is about one.
    pub row: Option<u64>,
    /// The file's name.
    pub segment: String,
    /// The byte in it.
    pub offset: u64,
    /// What is wrong.
    pub message: String,
}

/// A key that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Who holds it.
    pub name: String,
    /// What it may do.
    pub roles: Vec<&'static str>,
    /// The row that enrolled it.
    pub since: u64,
    /// The row that ended it.
    pub until: Option<u64>,
}

/// Something that was not checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotChecked {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Counts of what was met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows by kind, tier, mode and outcome.
    #[serde(flatten)]
    pub rows: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Segment files.
    pub segments: u64,
    /// Groups.
    pub groups: u64,
    /// Submissions.
    pub submissions: u64,
    /// Parts of which only the commitment is there: withheld or erased.
    pub closed_parts: u64,
    /// Values of which only the commitment is there.
    pub closed_values: u64,
    /// Documents outside the ledger that rows point to.
    pub documents: u64,
    /// Rollbacks that say they were forced.
    pub forced_rollbacks: u64,
    /// Rollbacks that say they left some keys as they were.
    pub partial_rollbacks: u64,
}

/// What a run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In one word.
    pub verdict: Verdict,
    /// How many rows were read.
    pub rows: u64,
    /// The number of the first row.
    pub first_row: Option<u64>,
    /// The number behind the last row: the size of the tree.
    pub size: u64,
    /// The ledger's id.
    pub ledger_id: Option<String>,
    /// The ledger's name.
    pub origin: Option<String>,
    /// The hash of the last row.
    pub head: Option<String>,
    /// The root of the tree over all rows.
    pub root: Option<String>,
    /// When the first row landed, RFC 3339 in UTC, by the ledger's own clock.
    pub first_landed_at: Option<String>,
    /// When the last row landed.
    pub last_landed_at: Option<String>,
    /// Every check.
    pub checks: BTreeMap<CheckId, Check>,
    /// All findings that are kept, by place.
    pub findings: Vec<Finding>,
    /// What was met.
    pub counts: Counts,
    /// The keys that were enrolled, in order.
    pub keys: Vec<Key>,
    /// Rows of keys that may have been in other hands. They are no findings.
    pub suspects: Vec<Suspect>,
    /// What was not checked.
    pub not_checked: Vec<NotChecked>,
}

impl Report {
    pub(crate) fn new(outcome: Outcome, suspects: Vec<Suspect>, book: &Book, options: &Options) -> Self {
        let Outcome { tally, anchors, authority, span, head, root, landed } = outcome;
        let mut checks: BTreeMap<CheckId, Check> =
            CheckId::ALL.iter().map(|id| (*id, judge(*id, &tally, options))).collect();
        qualify(&mut checks, &tally, anchors.count(), anchors.foreign);
        let counts = counts(&tally, book);
        let mut report = Report {
            verdict: verdict(&tally),
            rows: tally.rows,
            first_row: span.map(|(first, _)| first),
            size: span.map_or(0, |(_, end)| end),
            ledger_id: authority.ledger_id().map(|id| id.to_string()),
            origin: authority.origin().map(str::to_owned),
            head: head.map(|hash| hash.to_string()),
            root: root.map(|hash| hash.to_string()),
            first_landed_at: landed.map(|(first, _)| rfc3339(first)),
            last_landed_at: landed.map(|(_, last)| rfc3339(last)),
            not_checked: not_checked(&checks, &counts, anchors.foreign),
            counts,
            keys: authority
                .governance()
                .map(|governance| governance.keys.all().into_iter().map(Key::of).collect())
                .unwrap_or_default(),
            suspects,
            findings: Vec::new(),
            checks,
        };
        let files: Vec<&str> =
            book.segments.iter().map(|segment| segment.name.as_str()).chain(anchors.names()).collect();
        for fault in tally.into_faults() {
            let finding = Finding::of(fault, &files);
            if let Some(check) = report.checks.get_mut(&finding.check) {
                check.findings.push(finding.clone());
            }
            report.findings.push(finding);
        }
        report
    }
}

impl Finding {
    fn of(fault: Fault, files: &[&str]) -> Self {
        let file = files.get(fault.place.file as usize).copied().unwrap_or_default();
        Finding {
            check: fault.check,
            row: fault.row,
            segment: file.to_owned(),
            offset: fault.place.offset,
            message: fault.message,
        }
    }
}

impl Key {
    fn of(key: &Enrolled) -> Self {
        Key {
            id: key.key.id().to_string(),
            name: key.name.clone(),
            roles: Role::in_set(key.roles).map(Role::name).collect(),
            since: key.since,
            until: key.until,
        }
    }
}

fn verdict(tally: &Tally) -> Verdict {
    let found = |integrity: bool| {
        CheckId::ALL.iter().any(|id| id.is_integrity() == integrity && tally.found(*id) > 0)
    };
    match (found(true), found(false)) {
        (true, _) => Verdict::Broken,
        (false, true) => Verdict::Findings,
        (false, false) if tally.rows == 0 => Verdict::Unchecked,
        (false, false) => Verdict::Intact,
    }
}

/// A check by what the tally has of it.
fn judge(id: CheckId, tally: &Tally, options: &Options) -> Check {
    let absent =
        |why: &str| Check { status: Status::NotChecked, detail: why.to_owned(), findings: Vec::new() };
    if let Some(why) = id.not_built() {
        return absent(why);
    }
    if options.scope == Scope::Integrity && !id.is_integrity() {
        return absent("not asked for: only V01 to V12 were");
    }
    if id == CheckId::V11 && options.pins.is_empty() {
        return absent(NO_PIN);
    }
    let (found, skipped) = (tally.found(id), tally.skipped(id));
    if tally.rows == 0 && found == 0 {
        return absent("there is no row that can be read");
    }
    let mut detail = format!("{} {} checked", tally.units(id), id.unit());
    if let Some(skip) = skipped {
        let (row, why) = &skip.first;
        detail.push_str(&format!("; {} not checked, the first at row {row}: {why}", skip.count));
    }
    match found {
        0 => {}
        1..=1000 => detail.push_str(&format!("; {found} found")),
        _ => detail.push_str(&format!("; {found} found, of which the first {KEPT} are listed")),
    }
    let status = match (found, skipped) {
        (0, None) => Status::Passed,
        (0, Some(_)) => Status::NotChecked,
        _ => Status::Failed,
    };
    Check { status, detail, findings: Vec::new() }
}

/// What some checks must say beside the count.
fn qualify(checks: &mut BTreeMap<CheckId, Check>, tally: &Tally, checkpoints: usize, foreign: bool) {
    let mut add = |id: CheckId, text: String| {
        if let Some(check) = checks.get_mut(&id) {
            check.detail.push_str(&text);
        }
    };
    let counts = &tally.counts;
    if counts.closed_parts + counts.closed_values > 0 {
        let (parts, values) = (counts.closed_parts, counts.closed_values);
        add(CheckId::V05, format!("; {parts} parts and {values} values stand as commitments alone"));
    }
    if checkpoints > 0 && !foreign {
        add(CheckId::V12, "; the only one is the ledger's own, held by the same hands as the log".to_owned());
    }
    if counts.forced > 0 {
        let rows: Vec<String> = tally.forced_rows().iter().map(u64::to_string).collect();
        let more = if counts.forced > rows.len() as u64 { ", ..." } else { "" };
        let rows = rows.join(", ");
        add(CheckId::V17, format!("; {} of them openly forced: rows {rows}{more}", counts.forced));
    }
    if counts.partial > 0 {
        add(CheckId::V17, format!("; {} of them openly partial", counts.partial));
    }
    if counts.documents > 0 {
        let documents = counts.documents;
        add(CheckId::V21, format!("; {documents} documents outside the ledger were counted, not checked"));
    }
    if checkpoints == 0
        && let Some(check) = checks.get_mut(&CheckId::V12)
    {
        *check = Check { status: Status::NotChecked, detail: NO_CHECKPOINT.to_owned(), findings: Vec::new() };
    }
}

fn counts(tally: &Tally, book: &Book) -> Counts {
    let counts = &tally.counts;
    Counts {
        rows: counts.named().into_iter().collect(),
        segments: book.segments.len() as u64,
        groups: counts.groups,
        submissions: counts.submissions,
        closed_parts: counts.closed_parts,
        closed_values: counts.closed_values,
        documents: counts.documents,
        forced_rollbacks: counts.forced,
        partial_rollbacks: counts.partial,
    }
}

fn not_checked(checks: &BTreeMap<CheckId, Check>, counts: &Counts, foreign: bool) -> Vec<NotChecked> {
    let left_out = checks.iter().filter(|(_, check)| check.status == Status::NotChecked);
    let mut list: Vec<NotChecked> = left_out
        .map(|(id, check)| NotChecked {
            what: format!("{} {}", id.name(), id.title()),
            why: check.detail.clone(),
        })
        .collect();
    let mut add = |what: String, why: &str| list.push(NotChecked { what, why: why.to_owned() });
    if !foreign {
        add("that no tail was cut and no history was rewritten".to_owned(), NO_CHECKPOINT);
    }
    let closed = counts.closed_parts + counts.closed_values;
    if closed > 0 {
        add(
            format!("the content of {} parts and {} values", counts.closed_parts, counts.closed_values),
            "they are withheld or erased; their commitments stand in every hash",
        );
    }
    if counts.documents > 0 {
        add(format!("{} documents outside the ledger", counts.documents), "only their hashes are in it");
    }
    list
}
