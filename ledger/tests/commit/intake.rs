//! An inbox whose posts are numbers.

use super::chain::Receipt;
use super::error::FileError;
use super::log::{Log, Trouble};
use super::queue::Answer;
use super::submission::Submission;
use std::collections::VecDeque;
use std::sync::Arc;

pub struct Intake(Arc<Log>);

#[derive(Default)]
pub struct Taken {
    pub submissions: VecDeque<Submission>,
    posts: Vec<usize>,
}

impl Taken {
    pub fn is_all_decided(&self) -> bool {
        self.submissions.is_empty()
    }

    pub fn split(&self, mut answers: Vec<Answer>) -> (Vec<Answer>, Vec<Answer>) {
        let others = answers.split_off(self.posts.len());
        (answers, others)
    }
}

impl Intake {
    pub fn of(log: &Arc<Log>) -> Self {
        Intake(log.clone())
    }

    pub fn notices(&self) -> Vec<String> {
        Vec::new()
    }

    pub fn begin(&self) -> Result<usize, FileError> {
        Ok(self.waiting())
    }

    pub fn waiting(&self) -> usize {
        let inbox = self.0.inbox.lock().unwrap();
        inbox.posts.len() - inbox.held.len()
    }

    pub fn take(&self) -> Result<Taken, FileError> {
        let mut inbox = self.0.inbox.lock().unwrap();
        inbox.looks += 1;
        if self.0.trouble == Trouble::InboxHides && inbox.looks == 1 {
            return Err(FileError);
        }
        let posts: Vec<_> = inbox.posts.iter().copied().filter(|post| !inbox.held.contains(post)).collect();
        Ok(Taken { submissions: posts.iter().map(|post| Submission(*post)).collect(), posts })
    }

    pub fn hold(&self, taken: &mut Taken) {
        let undecided = std::mem::take(&mut taken.submissions).len();
        taken.posts.truncate(taken.posts.len() - undecided);
        self.0.inbox.lock().unwrap().held.extend(&taken.posts);
    }

    /// Posts are told of their own rows.
    pub fn refuse(&self, _: &Log, taken: Taken, answers: Vec<Answer>) -> Vec<(usize, Vec<Receipt>)> {
        assert_eq!(taken.posts.len(), answers.len());
        let due = taken.posts.into_iter().zip(answers).map(|(post, answer)| (post, answer.unwrap()));
        due.inspect(|(post, receipts)| assert!(receipts.iter().all(|row| row.caller == *post))).collect()
    }

    /// They are removed behind durable rows.
    pub fn settle(&self, log: &Log, due: Vec<(usize, Vec<Receipt>)>) {
        for (post, receipts) in due {
            assert!(receipts.iter().all(|receipt| receipt.seq < log.head().size));
            let mut inbox = log.inbox.lock().unwrap();
            inbox.posts.retain(|other| *other != post);
            inbox.held.retain(|other| *other != post);
        }
    }
}
