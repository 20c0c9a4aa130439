//! The inbox: where another process leaves a signed submission for the ledger's one writer, which holds the lock.
//!
//! A post ([`crate::post`]) is a file `inbox/<32 hex digits>.submission`. The writer looks there before it decides
//! anything else, lands what it finds like any submission, and then removes the file ([`crate::intake`]). So once a post
//! has been made, nothing that is submitted later is decided ahead of it; and when no writer is there, it lands at the
//! next open, before anything else.
//!
//! # Names
//!
//! The first 16 digits of a name are the time of posting in microseconds since 1970, the others are random. Posts are
//! taken in the order of their names, and a post's name comes behind those that were there before it.
//!
//! # Sync
//!
//! A post is written under a name that ends in `.new`, synced, and renamed; then the names in `inbox/`, and that of
//! `inbox/` itself, which this or another process may just have made, are synced. Only then it is said to be there.

use crate::error::{FileError, OpenError, PostError, ReadError};
use crate::layout::Layout;
use crate::log::Log;
use crate::platform::now;
use crate::submission::Submission;
use counterfoil_format::Hash;
use counterfoil_format::intent::IntentId;
use rand::TryRng;
use rand::rngs::SysRng;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the name of a post ends in.
const POST: &str = ".submission";
/// What is added to the name of a refused post for the file that says why.
const REASON: &str = ".reason";
/// How often somebody who waits looks for a post's fate.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The inbox of a ledger, as those see it who leave something there. They need no lock, and no key but their own.
///
/// ```
/// use counterfoil_format::body::{Body, KillSwitch, SwitchAct};
/// use counterfoil_format::policy::PolicyBody;
/// use counterfoil_format::intent::IntentId;
/// use counterfoil_ledger::{Draft, Fate, Inbox, Ledger, Log, SecretKey, Signer, SubmissionBuilder, now};
/// use std::{sync::Arc, time::Duration};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("shop");
/// # let (owner, seal_key) = (SecretKey::generate()?, Arc::new(SecretKey::generate()?));
/// # let policy = PolicyBody::open(64 << 20);
/// // Somebody has the ledger open for writing.
/// let ledger = Ledger::create(&path, "example.com/shop", policy, &owner, seal_key)?;
///
/// // Another process pulls the switch.
/// let log = Log::open(&path)?;
/// let switch =
///     KillSwitch { act: SwitchAct::Engage, engaged: true, holder: owner.public().id(), reason: "prices run away", drill: None };
/// let mut by_owner = SubmissionBuilder::new(&owner)?;
/// by_owner.push(&Draft::with_body(IntentId([7; 16]), Body::KillSwitch(switch), now()))?;
/// let posted = Inbox::of(&path).post(&by_owner.sign(log.ledger_id())?)?;
/// // From here on no decision is made ahead of it. The writer tells what became of it.
/// assert_eq!(posted.wait(&log, Duration::from_secs(60))?, Fate::Landed(1..2));
/// assert!(ledger.governance().in_force.switch.engaged);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Inbox {
    layout: Layout,
}

/// A submission that was left.
#[derive(Debug, Clone)]
pub struct Posted {
    layout: Layout,
    name: String,
    intents: Vec<(IntentId, Hash)>,
}

/// What became of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It has landed, as these rows.
    Landed(Range<u64>),
    /// The writer has refused it, and says why. It is kept in `quarantine/`.
    Refused(String),
    /// It is there and has not been taken. Either no process has the ledger open, or its writer has not come to it.
    Waiting,
    /// It is not there, and none of what else could have become of it is to be seen. Somebody has taken the file away;
    /// or it has landed, and the writer could not tell readers that its last rows are durable.
    Missing,
}

impl Inbox {
    /// The inbox of the ledger in a directory.
    pub fn of(dir: &Path) -> Self {
        Self::on(&Layout::of(dir))
    }

    /// How many posts wait in it.
    pub fn waiting(&self) -> Result<usize, OpenError> {
        Ok(posts(&self.layout)?.len())
    }

    /// The same by a ledger's paths.
    pub fn on(layout: &Layout) -> Self {
        Inbox { layout: layout.clone() }
    }

    /// Leaves a submission durably. Its author need not be enrolled: that is asked when it is decided.
    pub fn post(&self, submission: &Submission) -> Result<Posted, PostError> {
        let (layout, inbox) = (&self.layout, self.layout.inbox());
        layout.check()?;
        let bytes = submission.to_bytes().map_err(PostError::TooLarge)?;
        if !layout.is_dir(&inbox) {
            layout.storage().create_dirs(&inbox).map_err(FileError::at(&inbox))?;
        }
        let there = posts(layout)?;
        let name = name_behind(there.last().map(String::as_str))?;
        let path = inbox.join(&name);
        if let Err(error) = layout.replace(&path, &bytes, true) {
            // A disk that is full has room again.
            let _ = layout.discard(&path.with_extension("new"));
            return Err(error.into());
        }
        layout.sync_dir(&inbox)?;
        layout.sync_dir(layout.root())?;
        Ok(Posted { layout: layout.clone(), name, intents: intents_of(submission) })
    }
}

impl Posted {
    /// Where it lies until the writer has dealt with it.
    pub fn path(&self) -> PathBuf {
        self.layout.inbox().join(&self.name)
    }

    /// What has become of it, as a reader of the same ledger sees it. The log is refreshed.
    pub fn fate(&self, log: &Log) -> Result<Fate, OpenError> {
        // The writer removes a post when its rows are durable, and gives it another name when it is refused. So who
        // does not find it there looks once more for its rows.
        let landed = || {
            log.refresh()?;
            Ok::<_, OpenError>(landed_as(log, &self.intents)?.map(Fate::Landed))
        };
        if let Some(landed) = landed()? {
            return Ok(landed);
        }
        let storage = self.layout.storage();
        if storage.kind(&self.path()).is_some() {
            return Ok(Fate::Waiting);
        }
        let refused = self.layout.quarantine().join(&self.name);
        if storage.kind(&refused).is_some() {
            let reason = storage.read(&reason_beside(&refused)).unwrap_or_default();
            let reason = String::from_utf8_lossy(&reason).trim_end().to_owned();
            let lost = || "the reason was lost in a crash".to_owned();
            return Ok(Fate::Refused(if reason.is_empty() { lost() } else { reason }));
        }
        Ok(landed()?.unwrap_or(Fate::Missing))
    }

    /// Waits until it has landed or is refused, but no longer than this; yields what is known then.
    pub fn wait(&self, log: &Log, limit: Duration) -> Result<Fate, OpenError> {
        let begun = Instant::now();
        loop {
            let fate = self.fate(log)?;
            let left = limit.saturating_sub(begun.elapsed());
            if matches!(fate, Fate::Landed(_) | Fate::Refused(_)) || left.is_zero() {
                return Ok(fate);
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

/// The names of the posts in an inbox, in the order in which they are taken. Files of other names are not looked at: one
/// may be a post that is being written.
pub(crate) fn posts(layout: &Layout) -> Result<Vec<String>, FileError> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let inbox = layout.inbox();
    let mut names = match layout.storage().list(&inbox) {
        // Where there is no directory, nobody can have left anything.
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(Vec::new()),
        result => result.map_err(FileError::at(&inbox))?,
    };
    names.retain(|name| digits_of(name).is_some());
    names.sort_unstable();
    Ok(names)
}

fn digits_of(name: &str) -> Option<&str> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    name.strip_suffix(POST).filter(|digits| digits.len() == 32 && digits.bytes().all(hex))
}

/// A name behind the last one that is there.
fn name_behind(last: Option<&str>) -> Result<String, PostError> {
    let last = last.and_then(digits_of).and_then(|digits| digits.get(..16));
    let last = last.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let now = u64::try_from(now()).unwrap_or_default();
    let time = last.map_or(now, |last| now.max(last.saturating_add(1)));
    let random = SysRng.try_next_u64().map_err(|error| PostError::Random(error.to_string()))?;
    Ok(format!("{time:016x}{random:016x}{POST}"))
}

/// The file that says why a post was refused.
pub(crate) fn reason_beside(refused: &Path) -> PathBuf {
    let mut name = refused.as_os_str().to_owned();
    name.push(REASON);
    name.into()
}

/// By what the rows of a submission are known.
pub(crate) fn intents_of(submission: &Submission) -> Vec<(IntentId, Hash)> {
    submission.intents().iter().map(|intent| (intent.proposal.head.id, intent.hash)).collect()
}

/// The rows as which just these intents have landed together.
pub(crate) fn landed_as(log: &Log, intents: &[(IntentId, Hash)]) -> Result<Option<Range<u64>>, ReadError> {
    let Some((first_id, _)) = intents.first() else { return Ok(None) };
    let Some(first) = log.find_id(first_id)? else { return Ok(None) };
    let mut scratch = Vec::new();
    let mut end = first;
    for (index, (id, hash)) in (0u32..).zip(intents) {
        let stored = log.row(end)?;
        let row = stored.parse()?;
        let hashes = row.hashes(&mut scratch).map_err(|error| log.damaged(end, error))?;
        let (landing, count) = (&row.landing, intents.len() as u64);
        let is_this = row.head.id == *id && hashes.intent == *hash;
        if !is_this || landing.index != index || u64::from(landing.count) != count {
            return Ok(None);
        }
        end += 1;
    }
    Ok(Some(first..end))
}
