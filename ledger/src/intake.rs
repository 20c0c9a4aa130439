//! The intake: the writer's hand on the inbox ([`crate::inbox`]).
//!
//! Posts are taken before anything else is decided, and dealt with when the group that they are in is durable. One that
//! has landed is removed. A crash in between leaves a post whose rows have landed; taken again it is refused, since
//! its ids are there already, found to be in the log, and removed.
//!
//! A post that cannot be read, is for another ledger, or is refused, is moved to `quarantine/` with a file beside it that
//! says why. It stops no writer and fails no submission of others. A post that can neither be removed nor moved is let
//! lie until the next open.
//!
//! # Sync
//!
//! What is refused is moved, and the names synced, before the group is written with which it was decided. Otherwise a
//! crash could bring it back, and it might land behind rows that were decided when it was refused. Removals are not
//! synced: a post whose rows have landed is removed as often as it comes back.

use crate::error::{FileError, SubmitError};
use crate::inbox::{intents_of, landed_as, posts, reason_beside};
use crate::layout::Layout;
use crate::log::Log;
use crate::lookup::HashMap;
use crate::queue::Answer;
use crate::submission::Submission;
use counterfoil_format::Hash;
use counterfoil_format::intent::IntentId;
use counterfoil_rules::land::Refusal;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Posts that are taken at once.
const TAKEN: usize = 64;
/// Bytes of posts that are taken at once, unless the first has more.
const TAKEN_BYTES: usize = 4 * 1024 * 1024;
/// Notices that are kept; those before them are only counted.
const NOTICES: usize = 32;

/// The writer's hand on the inbox.
pub(crate) struct Intake {
    layout: Layout,
    ledger_id: Hash,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Posts that are not to be looked at, and why.
    held: HashMap<String, Held>,
    notices: VecDeque<String>,
    forgotten: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// It is in a group that is on its way.
    Underway,
    /// It is dealt with, and the file could not be taken away.
    Stuck,
}

/// What was taken from the inbox for one group.
#[derive(Default)]
pub(crate) struct Taken {
    /// The submissions of those that can be decided, in their order; who decides takes them from here.
    pub submissions: VecDeque<Submission>,
    /// The posts they are from.
    posts: Vec<Post>,
    /// Posts that cannot be decided, and why.
    unfit: Vec<(String, String)>,
    /// Whether more was there than is taken at once.
    more: bool,
}

/// A post that is in a group.
struct Post {
    name: String,
    /// By what its rows are known.
    intents: Vec<(IntentId, Hash)>,
}

/// Posts to be settled when a group is durable: those that it lands, and those that are refused because their ids have
/// landed.
#[derive(Default)]
pub(crate) struct Due(Vec<(Post, Option<SubmitError>)>);

impl Taken {
    /// Whether nothing is left in the inbox that is to be decided first.
    pub fn is_all_decided(&self) -> bool {
        self.submissions.is_empty() && !self.more
    }

    /// Parts what the stages have answered: those of the posts come first, the rest are for those who have submitted.
    pub fn split(&self, mut answers: Vec<Answer>) -> (Vec<Answer>, Vec<Answer>) {
        let others = answers.split_off(self.posts.len().min(answers.len()));
        (answers, others)
    }
}

impl Intake {
    pub fn of(log: &Log) -> Self {
        Intake { layout: log.layout().clone(), ledger_id: log.ledger_id(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable what a process that died has moved; yields how many posts are there to be taken.
    pub fn begin(&self) -> Result<usize, FileError> {
        let (inbox, quarantine) = (self.layout.inbox(), self.layout.quarantine());
        if self.layout.is_dir(&inbox) {
            for dir in [quarantine, inbox].into_iter().filter(|dir| self.layout.is_dir(dir)) {
                self.layout.sync_dir(&dir)?;
            }
        }
        Ok(self.names()?.len())
    }

    /// How many posts are there to be taken. None is also said when the inbox cannot be looked into.
    pub fn waiting(&self) -> usize {
        self.names().map_or(0, |names| names.len())
    }

    fn names(&self) -> Result<Vec<String>, FileError> {
        let mut names = posts(&self.layout)?;
        if !names.is_empty() {
            let mut state = self.lock();
            // A name that is gone may come again.
            state.held.retain(|name, held| *held == Held::Underway || names.binary_search(name).is_ok());
            names.retain(|name| !state.held.contains_key(name));
        }
        Ok(names)
    }

    /// Takes the first posts. Whoever decides holds the lock under which decisions are made until [`Intake::hold`], so no
    /// two take the same.
    ///
    /// # Errors
    ///
    /// The inbox cannot be looked into, and nobody knows what lies there.
    pub fn take(&self) -> Result<Taken, FileError> {
        let mut taken = Taken::default();
        let mut bytes = 0;
        for name in self.names()? {
            if taken.posts.len() + taken.unfit.len() >= TAKEN || bytes >= TAKEN_BYTES {
                taken.more = true;
                break;
            }
            let path = self.layout.inbox().join(&name);
            match self.layout.storage().read_within(&path, Submission::POST_BYTES) {
                Ok(post) => {
                    bytes += post.len();
                    taken.add(name, &post, self.ledger_id);
                }
                // It has just been dealt with, or leads nowhere. It is forgotten when its name is gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.lock().held.insert(name, Held::Stuck);
                }
                Err(error) if is_shortage(&error) => return Err(FileError { path, error }),
                Err(error) => taken.unfit.push((name, format!("it cannot be read: {error}"))),
            }
        }
        Ok(taken)
    }

    /// Keeps what was taken from being taken again. Posts that had no place in the group are let go, to be the first of
    /// the next one.
    pub fn hold(&self, taken: &mut Taken) {
        let undecided = std::mem::take(&mut taken.submissions).len();
        taken.posts.truncate(taken.posts.len().saturating_sub(undecided));
        let names = taken.posts.iter().map(|post| &post.name).chain(taken.unfit.iter().map(|(name, _)| name));
        self.lock().held.extend(names.map(|name| (name.clone(), Held::Underway)));
    }

    /// Moves away what was refused, and what was unfit to be decided, before the group is written. Yields what is to be
    /// settled behind it.
    pub fn refuse(&self, log: &Log, taken: Taken, answers: Vec<Answer>) -> Due {
        let mut refused = taken.unfit;
        let mut due = Due::default();
        for (post, answer) in taken.posts.into_iter().zip(answers) {
            match answer {
                Ok(_) => due.0.push((post, None)),
                // The row that has its id may be on its way, and be the post's own.
                Err(refusal @ SubmitError::Refused { refusal: Refusal::DuplicateId { .. }, .. }) => {
                    due.0.push((post, Some(refusal)));
                }
                Err(refusal) => refused.extend(self.unless_landed(log, post, &refusal)),
            }
        }
        self.move_aside(&refused);
        due
    }

    /// Removes posts whose rows are durable.
    pub fn settle(&self, log: &Log, due: Due) {
        let mut refused = Vec::new();
        for (post, refusal) in due.0 {
            match refusal {
                None => self.remove(&post.name),
                Some(refusal) => refused.extend(self.unless_landed(log, post, &refusal)),
            }
        }
        self.move_aside(&refused);
    }

    /// A post that is refused now, and why; unless that is because it has landed.
    fn unless_landed(&self, log: &Log, post: Post, refusal: &SubmitError) -> Option<(String, String)> {
        match landed_as(log, &post.intents) {
            Ok(Some(_)) => self.remove(&post.name),
            Ok(None) => return Some((post.name, refusal.to_string())),
            Err(error) => self.let_lie(&post.name, &format!("whether it has landed cannot be read: {error}")),
        }
        None
    }

    fn remove(&self, name: &str) {
        let path = self.layout.inbox().join(name);
        match self.layout.discard(&path) {
            Ok(()) => drop(self.lock().held.remove(name)),
            Err(error) => self.let_lie(name, &format!("it has landed, and cannot be removed: {error}")),
        }
    }

    /// Moves posts to quarantine, durably.
    fn move_aside(&self, refused: &[(String, String)]) {
        let mut moved = false;
        for (name, reason) in refused {
            match self.move_one(name, reason) {
                Ok(kept) => {
                    moved = true;
                    let mut state = self.lock();
                    state.held.remove(name);
                    let kept = kept.display();
                    state.notice(format!("inbox/{name} was refused, and is kept in {kept}: {reason}"));
                }
                Err(error) => {
                    let why = format!("it was refused ({reason}), and cannot be moved aside: {error}");
                    self.let_lie(name, &why);
                }
            }
        }
        let sync = || {
            self.layout
                .sync_dir(&self.layout.quarantine())
                .and_then(|()| self.layout.sync_dir(&self.layout.inbox()))
        };
        if moved && let Err(error) = sync() {
            self.lock().notice(format!("what was refused may come back after a crash: {error}"));
        }
    }

    fn let_lie(&self, name: &str, why: &str) {
        let mut state = self.lock();
        state.held.insert(name.to_owned(), Held::Stuck);
        state.notice(format!("inbox/{name} is let lie until the next open: {why}"));
    }

    /// Moves a post to quarantine, where its reason is before it.
    fn move_one(&self, name: &str, reason: &str) -> Result<PathBuf, FileError> {
        let (layout, storage, quarantine) = (&self.layout, self.layout.storage(), self.layout.quarantine());
        if !layout.is_dir(&quarantine) {
            storage.create_dirs(&quarantine).map_err(FileError::at(&quarantine))?;
            // What is moved to a directory that is lost is lost with it.
            layout.sync_dir(layout.root())?;
        }
        let numbered = |number: u32| quarantine.join(format!("{name}.{number}"));
        let free = |target: &PathBuf| storage.kind(target).is_none();
        let target = Some(quarantine.join(name)).into_iter().chain((0..u32::MAX).map(numbered)).find(free);
        let target = target.unwrap_or_else(|| numbered(u32::MAX));
        layout.replace(&reason_beside(&target), format!("{reason}\n").as_bytes(), false)?;
        storage.rename(&layout.inbox().join(name), &target).map_err(FileError::at(&target))?;
        Ok(target)
    }

    /// What people should know of the inbox.
    pub fn notices(&self) -> Vec<String> {
        let state = self.lock();
        let more = format!("{} earlier notices about the inbox are not kept", state.forgotten);
        (state.forgotten > 0).then_some(more).into_iter().chain(state.notices.iter().cloned()).collect()
    }
}

impl Taken {
    fn add(&mut self, name: String, bytes: &[u8], ledger_id: Hash) {
        match Submission::from_bytes(bytes) {
            Ok(submission) if submission.ledger_id() == ledger_id => {
                self.posts.push(Post { name, intents: intents_of(&submission) });
                self.submissions.push_back(submission);
            }
            Ok(submission) => {
                let (signed, here) = (submission.ledger_id(), ledger_id);
                self.unfit.push((name, SubmitError::OtherLedger { signed, here }.to_string()));
            }
            Err(fault) => self.unfit.push((name, fault.to_string())),
        }
    }
}

impl State {
    fn notice(&mut self, notice: String) {
        if self.notices.len() == NOTICES {
            self.notices.pop_front();
            self.forgotten += 1;
        }
        self.notices.push_back(notice);
    }
}

/// Whether this process, and not the file, is why it cannot be read now.
fn is_shortage(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
