//! The ledger that is tampered with, on disk, and the count of what was caught.
#![allow(dead_code, reason = "each test uses a part of it")]

use counterfoil_format::content::Evidence;
use counterfoil_format::frame::SEGMENT_HEADER_BYTES;
use counterfoil_format::value::Value;
use counterfoil_tests::draft::{Draft, Group, Submission};
use counterfoil_tests::forge::Forge;
use counterfoil_tests::output::{Ledger, groups, segment_path};
use counterfoil_verifier::{CheckId, Options, Report, Status, Verdict, verify, verify_sequential};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The drafts of the small ledger behind its founding.
pub fn grow(forge: &mut Forge, cents: i64) {
    let price = |cents| Value::Map([("cents".to_owned(), Value::Int(cents))].into());
    forge.submit(vec![
        Draft::decision("price.set").put("price/1", &price(cents)).evidence(&[Evidence::Row(1)]).reason("up"),
        Draft::decision("stock.sell").add("stock/1", -2).subject("sku-1", None),
        Draft::decision("stage.move").transition("sku-1", "testing").dry_run(),
    ]);
    forge.close_segment();
    let rollback = forge.rollback(4, false);
    forge.write(Group::new(vec![
        Submission::new(vec![Draft::decision("price.drop").delete("price/9")]),
        Submission::new(vec![rollback]),
    ]));
    forge.submit(vec![Draft::decision("stock.sell").add("stock/1", -1)]);
}

pub fn small(seed: u64) -> Ledger {
    let mut forge = Forge::new(seed);
    grow(&mut forge, 1990);
    forge.finish()
}

/// A ledger on disk, to be damaged.
pub struct Victim {
    /// Where it lies.
    pub dir: TempDir,
    /// What it is.
    pub ledger: Ledger,
}

impl Victim {
    pub fn new(ledger: Ledger) -> Self {
        let dir = TempDir::new().unwrap();
        ledger.write_to(dir.path()).unwrap();
        let victim = Victim { dir, ledger };
        assert_eq!(victim.judge(&[1, 2, 4]).verdict, Verdict::Intact);
        victim
    }

    pub fn segment(&self, place: usize) -> PathBuf {
        segment_path(self.dir.path(), self.ledger.segments[place].0)
    }

    pub fn judge(&self, threads: &[usize]) -> Report {
        judge(self.dir.path(), &Options::default(), threads)
    }

    /// Judges with one segment damaged, and puts it right again.
    pub fn with_segment(&self, place: usize, bytes: &[u8], threads: &[usize]) -> Report {
        fs::write(self.segment(place), bytes).unwrap();
        let report = self.judge(threads);
        fs::write(self.segment(place), &self.ledger.segments[place].1).unwrap();
        report
    }
}

/// The report of the reference, which the fast path must give too.
pub fn judge(path: &Path, options: &Options, threads: &[usize]) -> Report {
    let reference = verify_sequential(path, options, &|_, _| {}).unwrap();
    for &threads in threads {
        let options = Options { threads: Some(threads), ..options.clone() };
        let fast = verify(path, &options, &|_, _| {}).unwrap();
        assert_eq!(fast, reference, "{threads} threads say something else than the reference");
    }
    reference
}

/// Whether all cases are judged in all ways.
pub fn exhaustive() -> bool {
    std::env::var_os("COUNTERFOIL_EXHAUSTIVE").is_some_and(|value| value == "1")
}

/// Which thread counts the case of this number is judged on, where there are thousands.
pub fn threads(number: usize) -> &'static [usize] {
    let all: &[usize] = &[1, 2, 4];
    if exhaustive() { all } else { &all[number % 3..=number % 3] }
}

/// How many cases there were, and which were not caught.
#[derive(Default)]
pub struct Kills {
    cases: usize,
    escaped: Vec<String>,
}

impl Kills {
    /// Takes down a case that must be `broken` and must satisfy more.
    pub fn expect(
        &mut self,
        report: &Report,
        name: impl FnOnce() -> String,
        more: impl FnOnce(&Report) -> bool,
    ) {
        self.cases += 1;
        if report.verdict != Verdict::Broken || report.findings.is_empty() || !more(report) {
            self.escaped.push(format!("{}: {} {:?}", name(), report.verdict.name(), report.findings));
        }
    }

    pub fn add(&mut self, other: Kills) {
        self.cases += other.cases;
        self.escaped.extend(other.escaped);
    }

    pub fn settle(self, what: &str) {
        let (cases, caught) = (self.cases, self.cases - self.escaped.len());
        println!("{what}: {caught} of {cases} caught ({:.2} %)", 100.0 * caught as f64 / cases as f64);
        assert!(cases > 0);
        let shown = &self.escaped[..self.escaped.len().min(10)];
        assert!(shown.is_empty(), "{what}: {} escaped, such as\n{}", self.escaped.len(), shown.join("\n"));
    }
}

pub fn failed(report: &Report, check: CheckId) -> bool {
    report.checks[&check].status == Status::Failed
}

/// Whether some finding lies in a file, within a range of it.
pub fn names(report: &Report, file: &Path, range: &Range<usize>) -> bool {
    let name = file.file_name().unwrap().to_str().unwrap();
    let within = |offset: u64| range.contains(&usize::try_from(offset).unwrap());
    report.findings.iter().any(|it| it.segment.ends_with(name) && within(it.offset))
}

/// The header or the group in which a byte of an honest segment stands.
pub fn frame_of(segment: &[u8], at: usize) -> Range<usize> {
    let frames = std::iter::once(0..SEGMENT_HEADER_BYTES).chain(groups(segment));
    frames.into_iter().find(|frame| frame.contains(&at)).unwrap()
}
