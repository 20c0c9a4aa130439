//! `import`: land what another system has recorded.

use crate::decision::hashed_id;
use crate::exit::Refused;
use crate::git::{Commit, Repository, path_text};
use crate::keys::NamedKey;
use crate::place::Place;
use crate::policy_words::policy_of;
use crate::quote::quoted_path;
use anyhow::{Context as _, Result, anyhow};
use counterfoil_format::body::{Body, Role};
use counterfoil_format::content::{Actors, Context};
use counterfoil_format::intent::{IntentId, Kind};
use counterfoil_format::landing::Outcome;
use counterfoil_format::part::Salt;
use counterfoil_format::policy::ActionRule;
use counterfoil_format::value::Value;
use counterfoil_ledger::{Draft, DraftError, DraftOp, Held, Ledger, SubmissionBuilder, now};
use counterfoil_rules::state::Leaf;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// What `import` is given.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    source: Source,
}

/// Where it comes from.
#[derive(clap::Subcommand)]
enum Source {
    /// Land a git repository's history, one row for each commit
    Git(GitArgs),
}

/// What `import git` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
struct GitArgs {
    /// The repository's directory
    #[arg(value_name = "REPO")]
    repo: PathBuf,
    /// Where the history ends
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    rev: String,
    /// The key that signs, by the name of its file; by default the first executor's key that is there
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil -l book import git ~/src/project
  counterfoil -l book state --prefix file/src/
  counterfoil -l book history file/README.md

One row lands for each commit of the first-parent line, oldest first, with the
action git.commit: `file/<path>` is set to {\"mode\", \"blob\"} or deleted, as
the commit changed it against its first parent, and the counter git/commits
grows by one. The context holds commit, author and subject; the row is dated
with the commit's time. Importing again adds what is new, and an older revision
of what is imported adds nothing. A line that has commits of its own and does
not hold the commit that was imported last is refused.

In keys, `%` and bytes of a path that are no UTF-8 stand as % and two
hexadecimal digits.";

/// The action of imported rows.
const ACTION: &str = "git.commit";
/// Counts the imported commits, so that every row changes something, and the newest one is found again.
const COUNTER: &str = "git/commits";
/// Before the commit's id, hashed into the row's id.
const COMMIT_ID: &Salt = b"counterfoil git1";
/// Rows in one submission.
const SUBMISSION_ROWS: usize = 500;
/// Bytes at which a submission is landed though it has fewer rows.
const SUBMISSION_BYTES: usize = 8 << 20;

/// What was imported.
#[derive(Default)]
struct Tally {
    commits: usize,
    first_row: Option<u64>,
    last_row: Option<u64>,
}

/// Imports.
pub fn run(args: &Args, place: &Place, out: &mut dyn Write) -> Result<()> {
    let Source::Git(args) = &args.source;
    let repository = Repository::open(&args.repo)?;
    let line = repository.first_parents(&args.rev)?;
    let ledger = place.ledger()?;
    let result = import(args, place, &ledger, &repository, &line);
    let closed = ledger.close();
    let tally = result?;
    closed?;
    let known = line.len() - tally.commits;
    if args.json {
        let head = line.last();
        let (first, last) = (tally.first_row, tally.last_row);
        let object = json!({ "imported": tally.commits, "known": known, "first_row": first, "last_row": last,
                             "commit": head });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    match tally.first_row.zip(tally.last_row) {
        None => writeln!(out, "nothing new: all {known} commits were imported before")?,
        Some((first, last)) => {
            writeln!(
                out,
                "{} commits imported as rows {first} to {last}, {known} known before",
                tally.commits
            )?;
            let dir = quoted_path(place.dir());
            writeln!(out, "next: counterfoil -l {dir} state --at {last} --prefix file/")?;
        }
    }
    Ok(())
}

fn import(
    args: &GitArgs,
    place: &Place,
    ledger: &Ledger,
    repository: &Repository,
    line: &[String],
) -> Result<Tally> {
    let start = first_new(ledger, line)?;
    let new = line.get(start..).unwrap_or_default();
    if new.is_empty() {
        return Ok(Tally::default());
    }
    let governance = ledger.governance();
    if governance.in_force.switch.engaged {
        return Err(Refused::error(
            "the kill switch is engaged, so imported rows would land in review; release it",
        ));
    }
    let author = place.keys().author(&governance, args.author.as_deref(), Kind::Decision)?;
    allow(place, ledger)?;
    let before = start.checked_sub(1).and_then(|last| line.get(last)).map(String::as_str);
    let mut commits = repository.commits(before, new)?;
    let mut landing = Landing {
        ledger,
        author: &author,
        builder: SubmissionBuilder::new(&author.key)?,
        commits: Vec::new(),
        tally: Tally::default(),
    };
    let progress = Progress { total: new.len(), shown: std::io::stderr().is_terminal() };
    while let Some(commit) = commits.next()? {
        landing.push(&commit)?;
        if landing.commits.len() >= SUBMISSION_ROWS || landing.builder.bytes() >= SUBMISSION_BYTES {
            landing.land()?;
            progress.show(landing.tally.commits);
        }
    }
    landing.land()?;
    progress.end();
    Ok(landing.tally)
}

/// Where in the line the commits begin that were not imported yet. The state must be that of the newest commit on the
/// line that has landed: the counter says how many have, less those that were taken back.
fn first_new(ledger: &Ledger, line: &[String]) -> Result<usize> {
    let mut known = None;
    for (at, commit) in line.iter().enumerate().rev() {
        if let Some(row) = ledger.log().find_id(&commit_id(commit))? {
            known = Some((at + 1, commit, row));
            break;
        }
    }
    let held = ledger.current(COUNTER)?;
    let counted = match &held {
        Some(Held { leaf: Leaf::Counter(count), .. }) => usize::try_from(*count).unwrap_or_default(),
        _ => 0,
    };
    let landed = known.map_or(0, |(count, _, _)| count);
    // An older end of the line that is imported has nothing new, and the state holds what came after it.
    if landed == counted || (landed == line.len() && landed < counted) {
        return Ok(landed);
    }
    let taken_back = match &held {
        Some(held) => ledger.log().row(held.row)?.parse()?.head.kind != Kind::Decision,
        None => true,
    };
    let newest = known.map_or_else(
        || "none of its commits has been imported".to_owned(),
        |(_, commit, row)| {
            format!("the newest of its commits that has been imported is {commit}, as row {row}")
        },
    );
    Err(Refused::error(match taken_back {
        true => format!(
            "imported commits have been taken back: {newest}, and the state holds {counted} commits. Bring them back \
             with `counterfoil redo`, then import again"
        ),
        false => format!(
            "this line does not hold the commit that was imported last: {newest}, and the state holds {counted} \
             commits. The history was rewritten, or it is another one; import it into a ledger of its own"
        ),
    }))
}

/// The id of a commit's row.
fn commit_id(commit: &str) -> IntentId {
    hashed_id(COMMIT_ID, commit.as_bytes())
}

/// Sets a policy under which imported rows are applied, when the one in force is not.
fn allow(place: &Place, ledger: &Ledger) -> Result<()> {
    let in_force = ledger.governance().in_force;
    if in_force.policy.rule(ACTION).is_some_and(|rule| rule.live) {
        return Ok(());
    }
    let owner = place.keys().for_role(&ledger.governance(), Role::Owner);
    let owner = owner
        .with_context(|| format!("the policy does not allow {ACTION} to be live, and only the owner can"))?;
    let stored = ledger.log().row(in_force.policy_row)?;
    let mut body = policy_of(&stored.parse()?)?;
    body.actions.retain(|rule| rule.pattern != ACTION);
    body.actions.push(ActionRule::open(ACTION));
    body.actions.sort_unstable_by_key(|rule| rule.pattern);
    let time = now();
    let id = crate::decision::random_id(time).map_err(|error| anyhow!(error))?;
    let mut builder = SubmissionBuilder::new(&owner.key)?;
    builder.push(&Draft::with_body(id, Body::Policy(body), time))?;
    let receipts = ledger.submit(builder.sign(ledger.ledger_id())?)?;
    if let Some(receipt) = receipts.first() {
        eprintln!("counterfoil: note: row {} sets a policy that allows {ACTION} to be live", receipt.seq);
    }
    Ok(())
}

/// Commits on their way into the ledger.
struct Landing<'l> {
    ledger: &'l Ledger,
    author: &'l NamedKey,
    builder: SubmissionBuilder<'l>,
    commits: Vec<String>,
    tally: Tally,
}

impl Landing<'_> {
    /// Takes a commit into the submission.
    fn push(&mut self, commit: &Commit) -> Result<()> {
        let text = |text: &str| Value::Text(text.to_owned());
        let keys: Vec<String> =
            commit.changes.iter().map(|change| format!("file/{}", path_text(&change.path))).collect();
        let values: Vec<Option<Value>> = commit
            .changes
            .iter()
            .map(|change| {
                let entry = change.entry.as_ref()?;
                let fields = [("mode", &entry.mode), ("blob", &entry.blob)];
                Some(Value::Map(fields.map(|(name, field)| (name.to_owned(), text(field))).into()))
            })
            .collect();
        let files = keys.iter().zip(&values).map(|(key, value)| match value {
            Some(value) => DraftOp::Put(key, value),
            None => DraftOp::Delete(key),
        });
        let ops = files.chain([DraftOp::Add(COUNTER, 1)]).collect();
        let too_large = |error: &dyn std::fmt::Display| {
            let (id, count) = (&commit.id, commit.changes.len());
            Refused::error(format!("commit {id} does not fit a row ({count} paths changed): {error}"))
        };
        let data = BTreeMap::from([
            ("author".to_owned(), text(&commit.author)),
            ("commit".to_owned(), text(&commit.id)),
            ("subject".to_owned(), text(&commit.subject)),
        ]);
        let data = Value::Map(data).encode().map_err(|error| too_large(&error))?;
        let authored_at = commit.time.checked_mul(1_000_000);
        let authored_at =
            authored_at.ok_or_else(|| anyhow!("commit {}: its time is out of range", commit.id))?;
        let draft = Draft {
            actors: Some(Actors { planner: "", judge: None, executor: &self.author.name }),
            ops,
            context: Some(Context { reason: "", data: &data }),
            ..Draft::decision(commit_id(&commit.id), ACTION, authored_at)
        };
        self.builder.push(&draft).map_err(|error| match error {
            DraftError::Format { error, .. } => too_large(&error),
            error => error.into(),
        })?;
        self.commits.push(commit.id.clone());
        Ok(())
    }

    /// Lands the submission. Every row of it must have been applied.
    fn land(&mut self) -> Result<()> {
        let commits = std::mem::take(&mut self.commits);
        let Some(first) = commits.first() else { return Ok(()) };
        let submission = self.builder.sign(self.ledger.ledger_id())?;
        let landed =
            self.ledger.submit(submission).with_context(|| format!("the submission from commit {first} on"));
        for (receipt, commit) in landed?.iter().zip(&commits) {
            if receipt.outcome != Outcome::Applied {
                let reasons: Vec<_> = receipt.reasons.iter().map(|reason| reason.name()).collect();
                return Err(Refused::error(format!(
                    "commit {commit} landed as row {}, but in {} ({}): something else has changed its keys",
                    receipt.seq,
                    receipt.outcome,
                    reasons.join(", ")
                )));
            }
            self.tally.first_row.get_or_insert(receipt.seq);
            self.tally.last_row = Some(receipt.seq);
            self.tally.commits += 1;
        }
        Ok(())
    }
}

/// How far the import is, on a terminal.
struct Progress {
    total: usize,
    shown: bool,
}

impl Progress {
    fn show(&self, done: usize) {
        if self.shown {
            eprint!("\r{done} of {} commits", self.total);
        }
    }

    fn end(&self) {
        if self.shown {
            eprint!("\r{:width$}\r", "", width = 40);
        }
    }
}
