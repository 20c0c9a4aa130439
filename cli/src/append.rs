//! `append`: land decisions, read as JSON lines; one JSON receipt a line out, in order.

mod attest;
mod receipt;

use self::attest::Judges;
use self::receipt::{Fate, ReceiptLine, print_receipts};
use crate::decision::{Decision, random_id};
use crate::exit::Refused;
use crate::keys::NamedKey;
use crate::place::Place;
use crate::retry::{Likeness, compare};
use crate::time;
use anyhow::{Context, Result, anyhow};
use counterfoil_format::intent::{IntentId, Kind};
use counterfoil_ledger::{DraftError, Ledger, Receipt, Signer, SubmissionBuilder, SubmitError, now};
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes of one line. A row is at most half as large.
const LINE_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of the lines of one submission, which is the size of a group.
const SUBMISSION_BYTES: usize = counterfoil_format::limits::GROUP_BYTES;

/// What `append` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The file to read; `-` is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Lines in one submission: they land together or not at all, under one signature
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch: u16,
    /// The key that signs, by the name of its file; by default the first executor's key that is there
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// A judge's key, by the name of its file, that signs each verdict of that judge; may be given again
    #[arg(long, value_name = "KEY")]
    attest: Vec<String>,
    /// Accepted for the sake of scripts: receipts are always JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = r#"Examples:
  echo '{"action":"SET_PRICE","mode":"live",
         "ops":[{"put":{"key":"price/sku-1","value":19.90}}]}' |
    tr -d '\n' | counterfoil append
  counterfoil append decisions.jsonl --batch 1000
  tail -f agent.jsonl | counterfoil append
  counterfoil append judged.jsonl --attest judge-1

A line is one JSON object. Only `action` and one of `ops` and `effects` are
required; a field that is not known is an error. Without `"mode":"live"` it is
a dry run, which says what would have happened:
  {"id": "...", "action": "SET_PRICE", "entity": "sku-1", "tier": "A",
   "mode": "live", "planner": "planner-1",
   "judge": {"by": "judge-1", "score": 0.87},
   "evidence": [12, {"uri": "...", "blake3": "..."}],
   "ops": [{"put": {"key": "...", "value": ...}}, {"delete": {"key": "..."}},
           {"add": {"key": "...", "delta": -2}},
           {"transition": {"entity": "sku-1", "from": "...", "to": "..."}}],
   "effects": [{"adapter": "...", "do": ..., "undo": ..., "undo_until": TIME},
               {"adapter": "...", "do": ..., "compensate": ...}],
   "reason": "...", "context": {}}
A transition moves an entity to another stage, or with null out of all stages.
`from` may be left out: it is the stage in which the entity was seen, for the
reader, and may stand where the decision is about that entity. An effect has an
`undo`, perhaps one that works until a time, or a `compensate`, which makes up
for it, or neither: then it cannot be undone.
Numbers with a fraction are exact decimals. {"$bytes": "00ff"} stands for
bytes. {"$map": {...}} stands for the map in it, and is how `log`, `show` and
`state` print a map whose only key is "$bytes", "$map" or "withheld", since
{"withheld": "..."} stands there for what is withheld. No object may hold a
key twice. Evidence names rows that have landed, or earlier lines of the same
submission.

With --attest every line that names a judge is signed by that judge's key too,
so that nobody can put a verdict into a judge's mouth. The name in `judge.by`
must be the one under which the key is enrolled, and a line that names another
judge is refused. A policy may ask for such a signature.

An id is 32 hexadecimal digits, a UUID, or any other text, which is hashed to
sixteen bytes. A line whose id has landed with the same content lands nothing:
its receipt is the first one, with "duplicate": true. So a file that failed
half way can be sent again. Lines without an id land again.

A receipt is {"seq", "row_hash", "outcome", "reasons", "landed_at", "id"},
printed when its row is on disk. A line that is refused ends the run with its number on standard
error and status 1: nothing of its submission has landed, and what was
submitted before has. The error says how many rows that is. Each submission
waits for the disk once, so a long file is quicker with --batch."#;

/// A submission that is being read.
struct Pending {
    /// Each line's number and what it says.
    lines: Vec<(u64, Decision)>,
    bytes: usize,
}

/// What is needed to land one.
struct Desk<'d> {
    ledger: &'d Ledger,
    author: &'d NamedKey,
    judges: &'d Judges,
    /// What its errors begin with: nothing for standard input, else the file's name.
    source: String,
    landed: Cell<Landed>,
}

/// What is said of a line when writing it has failed.
const IN_DOUBT: &str =
    "may have landed or not (`counterfoil log` tells; a line with an id can be sent again and lands once)";

/// What this run has landed so far.
#[derive(Debug, Clone, Copy, Default)]
struct Landed {
    rows: u64,
    /// The number of the last of them.
    row: u64,
    /// The last line that needs no sending again.
    line: u64,
}

impl Landed {
    fn words(self) -> String {
        let Landed { rows, row, line } = self;
        match (rows, line) {
            (0, 0) => "before anything had landed".into(),
            (0, line) => format!("after line {line}, with no new row landed"),
            (1, line) => format!("after line {line}, with 1 row landed, row {row}"),
            (rows, line) => format!("after line {line}, with {rows} rows landed, up to row {row}"),
        }
    }
}

/// Lands what is read, submission by submission.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let mut input = open(&args.file)?;
    let ledger = place.ledger()?;
    let governance = ledger.governance();
    let judges = Judges::load(place, &governance, &args.attest)?;
    let author = place.keys().author(&governance, args.author.as_deref(), Kind::Decision)?;
    let source =
        if args.file.as_os_str() == "-" { String::new() } else { format!("{}, ", args.file.display()) };
    let desk = Desk { ledger: &ledger, author: &author, judges: &judges, source, landed: Cell::default() };
    let result = land_all(&mut *input, usize::from(args.batch), &desk, out);
    let landed = desk.landed.get();
    let closed = ledger.close();
    result?;
    closed.with_context(|| format!("all is on disk, up to row {}; closing the ledger failed", landed.row))
}

fn open(file: &Path) -> Result<Box<dyn BufRead>> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let named = || file.display().to_string();
    let opened = File::open(file).with_context(named)?;
    if opened.metadata().with_context(named)?.is_dir() {
        return Err(anyhow!(
            "{} is a directory; give a file of JSON lines, or - for standard input",
            named()
        ));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 16, opened)))
}

fn land_all(input: &mut dyn BufRead, batch: usize, desk: &Desk<'_>, out: &mut dyn Write) -> Result<()> {
    let mut pending = Pending { lines: Vec::new(), bytes: 0 };
    let mut line = Vec::new();
    for number in 1u64.. {
        if !read_line(input, number, &mut line, desk)? {
            break;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let decision = Decision::parse(text).map_err(|fault| desk.refuse(number, &fault))?;
        pending.bytes += text.len();
        if pending.bytes > SUBMISSION_BYTES {
            return Err(desk.refuse(number, "the submission is above 64 MiB with it; use a smaller --batch"));
        }
        pending.lines.push((number, decision));
        if pending.lines.len() == batch {
            desk.land(&mut pending, out)?;
        }
    }
    desk.land(&mut pending, out)
}

/// Reads the next line, however long the input is; `false` at its end.
fn read_line(input: &mut dyn BufRead, number: u64, line: &mut Vec<u8>, desk: &Desk<'_>) -> Result<bool> {
    line.clear();
    let mut limited = input.take(LINE_BYTES as u64 + 1);
    let read = limited.read_until(b'\n', line).with_context(|| {
        format!("{}line {number} cannot be read, {}", desk.source, desk.landed.get().words())
    })?;
    if line.len() > LINE_BYTES {
        return Err(desk.refuse(number, "it is longer than 16 MiB, and a row holds at most 8 MiB"));
    }
    Ok(read > 0)
}

impl Desk<'_> {
    /// The error of a line that is refused, with what has landed before it.
    fn refuse(&self, line: u64, fault: &str) -> anyhow::Error {
        let (fault, source) = (fault.trim_end_matches('.'), &self.source);
        let Landed { rows, row, .. } = self.landed.get();
        let landed = match rows {
            0 => "Nothing landed".into(),
            1 => format!("Nothing of its submission landed; 1 row did before it, row {row}"),
            rows => format!("Nothing of its submission landed; {rows} rows did before it, up to row {row}"),
        };
        Refused::error(format!("{source}line {line}: {fault}. {landed}"))
    }

    /// The error of a submission that something else than its content has stopped.
    fn stopped(&self, error: SubmitError, numbers: &[u64], fate: &str) -> anyhow::Error {
        let (source, landed) = (&self.source, self.landed.get().words());
        let line = numbers.first().copied().unwrap_or_default();
        anyhow::Error::new(error).context(format!("{source}line {line} {fate}, {landed}"))
    }

    /// Lands what is pending, and prints its receipts once it is on disk.
    fn land(&self, pending: &mut Pending, out: &mut dyn Write) -> Result<()> {
        let Pending { lines, .. } = std::mem::replace(pending, Pending { lines: Vec::new(), bytes: 0 });
        if lines.is_empty() {
            return Ok(());
        }
        let mut builder = SubmissionBuilder::new(&self.author.key)?;
        // The line behind each intent, what became of each line, and the lines that have an id of their own.
        let mut numbers = Vec::new();
        let mut fates = Vec::with_capacity(lines.len());
        let mut first_with: HashMap<IntentId, (usize, &Decision)> = HashMap::new();
        for (number, decision) in &lines {
            if let Some(id) = decision.id
                && let Some((place, first)) = first_with.get(&id)
            {
                if *first != decision {
                    let fault =
                        format!("id {id} stands in an earlier line of the submission, with other content");
                    return Err(self.refuse(*number, &fault));
                }
                fates.push(Fate::In { place: *place, id, duplicate: true });
                continue;
            }
            let fate = self.push(&mut builder, *number, decision)?;
            if let Fate::In { place, id, .. } = fate {
                numbers.push(*number);
                first_with.insert(id, (place, decision));
            }
            fates.push(fate);
        }
        let receipts = self.submit(&mut builder, &numbers)?;
        let Landed { rows, row, .. } = self.landed.get();
        self.landed.set(Landed {
            rows: rows + receipts.len() as u64,
            row: receipts.last().map_or(row, |receipt| receipt.seq),
            line: lines.last().map_or(0, |(number, _)| *number),
        });
        let written = print_receipts(&fates, &receipts, out);
        written.map_err(|error| {
            let last = self.ledger.log().head().size.saturating_sub(1);
            Refused::error(format!(
                "rows up to {last} have landed, but their receipts cannot be written: {error}"
            ))
        })
    }

    /// Takes a line into the submission, unless its id has landed already.
    fn push(&self, builder: &mut SubmissionBuilder<'_>, number: u64, decision: &Decision) -> Result<Fate> {
        let now = now();
        let id = match decision.id {
            Some(id) => id,
            None => random_id(now).map_err(|error| anyhow!(error))?,
        };
        let draft = decision.draft(id, &self.author.name, now);
        let signer = decision.judge().map_or(Ok(None), |named| self.judges.signer(named));
        let signer = signer.map_err(|fault| self.refuse(number, &fault))?;
        if decision.id.is_some()
            && let Some(seq) = self.ledger.log().find_id(&id)?
        {
            let stored = self.ledger.log().row(seq)?;
            let row = stored.parse()?;
            let likeness =
                compare(&row, &draft, self.author.key.public().id(), signer.map(|judge| judge.public().id()));
            let fault = match likeness.map_err(|error| self.ledger.log().damaged(seq, error))? {
                Likeness::Same => {
                    return Ok(Fate::Landed(ReceiptLine {
                        seq,
                        row_hash: row.row_hash.to_string(),
                        outcome: row.landing.outcome.name(),
                        reasons: row.landing.reasons.iter().map(|reason| reason.name()).collect(),
                        landed_at: time::print(row.landing.landed_at),
                        id: id.to_string(),
                        duplicate: true,
                    }));
                }
                Likeness::Differs(what) => {
                    format!("id {id} has landed as row {seq} with other content ({what})")
                }
                Likeness::Unknown(what) => format!(
                    "id {id} has landed as row {seq}, whose {what} is withheld or erased, so that nobody can say \
                     whether it is the same"
                ),
            };
            return Err(self.refuse(number, &fault));
        }
        let place = builder.len();
        // Nobody else writes, so this is the number that its row will have.
        let seq = self.ledger.log().head().size + place as u64;
        if let Some(row) = decision.newest_evidence().filter(|row| *row >= seq) {
            let fault = format!(
                "its evidence names row {row}, which does not exist yet: the line would land as row {seq}"
            );
            return Err(self.refuse(number, &fault));
        }
        let pushed = match signer {
            Some(judge) => builder.push_judged(&draft, judge, self.ledger.ledger_id()),
            None => builder.push(&draft),
        };
        pushed.map_err(|error| match error {
            DraftError::Format { error, .. } => self.refuse(number, &error.to_string()),
            error => error.into(),
        })?;
        Ok(Fate::In { place, id, duplicate: false })
    }

    fn submit(&self, builder: &mut SubmissionBuilder<'_>, numbers: &[u64]) -> Result<Vec<Receipt>> {
        if builder.is_empty() {
            return Ok(Vec::new());
        }
        let submission = builder.sign(self.ledger.ledger_id())?;
        self.ledger.submit(submission).map_err(|error| {
            let line = |index: usize| numbers.get(index).copied().unwrap_or_default();
            match &error {
                SubmitError::Refused { index, refusal } => self.refuse(line(*index), &refusal.to_string()),
                SubmitError::Format { index, error } => self.refuse(line(*index), &error.to_string()),
                SubmitError::Failed(_) => self.stopped(error, numbers, IN_DOUBT),
                _ => self.stopped(error, numbers, "did not land"),
            }
        })
    }
}
