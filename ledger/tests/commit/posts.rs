//! What is left in the inbox while others submit: it lands once, ahead of all that is submitted later, and its answers
//! are mixed up with nobody's.

use super::log::Trouble;
use super::stages::{POST, ROWS};
use super::{End, Model, NO_TROUBLE, Setting, governance};
use crate::error::SubmitError;
use loom::sync::Arc;

/// Who submits when the posts are made.
const LATER: usize = 2;

impl Model {
    /// Looks into the inbox while nobody submits.
    fn tend(&self) {
        if self.commit.pipeline.waiting() > 0 {
            self.queue.tend(&self.commit);
        }
    }

    fn post(&self, post: usize) {
        self.log.inbox.lock().unwrap().posts.push(post);
    }

    /// The callers and posts whose rows are durable, in the order of their rows.
    fn landed(&self) -> Vec<usize> {
        let disk = self.log.disk.lock().unwrap();
        disk.iter().filter(|(_, synced)| *synced).flat_map(|(callers, _)| callers.clone()).collect()
    }

    /// Nobody looks any more: what could be landed is.
    fn settle(&self) {
        while self.commit.pipeline.waiting() > 0 && self.queue.poisoned().is_none() {
            self.tend();
        }
    }
}

/// One who submits, one who posts and then submits, and one who looks into the inbox, in every interleaving.
fn explore(setting: Setting, posts: usize, check: impl Fn(&Model, &[End]) + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    let founded = governance();
    builder.check(move || {
        let model = Arc::new(Model::new(setting, founded.clone()));
        let (poster, watch) = (model.clone(), model.clone());
        let poster = loom::thread::spawn(move || {
            (POST..POST + posts).for_each(|post| poster.post(post));
            poster.submit(LATER)
        });
        let watch = loom::thread::spawn(move || watch.tend());
        let mut ends = vec![model.submit(0)];
        watch.join().unwrap();
        ends.push(None);
        ends.push(poster.join().unwrap());
        model.settle();
        check(&model, &ends);
    });
}

/// The place at which a caller or a post has landed; it is one at most.
fn place(landed: &[usize], who: usize) -> Option<usize> {
    let places: Vec<_> = (0..landed.len()).filter(|place| landed[*place] == who).collect();
    assert!(places.len() <= 1, "{who} lands once: {landed:?}");
    places.first().copied()
}

/// Each who was answered well was told of its own rows, and nobody else has landed.
fn told_rightly(landed: &[usize], ends: &[End]) {
    for caller in [0, LATER] {
        let told = match &ends[caller] {
            Some(Ok(receipts)) => receipts.iter().map(|receipt| (receipt.caller, receipt.seq)).collect(),
            _ => Vec::new(),
        };
        let rows = place(landed, caller).into_iter().flat_map(|place| (0..ROWS).map(move |row| (place, row)));
        let rows: Vec<_> = rows.map(|(place, row)| (caller, place as u64 * ROWS + row)).collect();
        assert_eq!(told, rows, "{ends:?}");
    }
}

fn all_land_in_order(model: &Model, ends: &[End], posts: usize) {
    let landed = model.landed();
    assert_eq!(landed.len(), posts + 2);
    let places: Vec<_> = (POST..POST + posts).map(|post| place(&landed, post)).collect();
    assert!(places.is_sorted() && !places.contains(&None), "{landed:?}");
    assert!(places.last() < Some(&place(&landed, LATER)), "{landed:?}");
    assert!(model.log.inbox.lock().unwrap().posts.is_empty());
    told_rightly(&landed, ends);
}

#[test]
fn a_post_lands_once_and_ahead_of_what_is_submitted_later() {
    explore(NO_TROUBLE, 1, |model, ends| all_land_in_order(model, ends, 1));
    explore(Setting { due: true, ..NO_TROUBLE }, 1, |model, ends| all_land_in_order(model, ends, 1));
}

/// No group has room for two posts, and one has room for a post and a caller.
#[test]
fn posts_that_find_no_place_come_before_callers() {
    for places in [1, 3] {
        explore(Setting { places, ..NO_TROUBLE }, 2, |model, ends| all_land_in_order(model, ends, 2));
    }
}

#[test]
fn a_post_whose_group_is_not_written_stays() {
    let setting = Setting { trouble: Trouble::WritingFails, places: 1, ..NO_TROUBLE };
    explore(setting, 1, |model, ends| {
        assert_eq!(model.landed(), []);
        assert_eq!(model.log.inbox.lock().unwrap().posts, [POST]);
        assert!(ends.iter().flatten().all(Result::is_err));
    });
}

/// While nobody knows what lies in the inbox, nothing is decided; nobody is left without an answer, and it goes on.
#[test]
fn nothing_is_decided_while_the_inbox_cannot_be_seen() {
    let setting = Setting { trouble: Trouble::InboxHides, ..NO_TROUBLE };
    explore(setting, 1, |model, ends| {
        assert_eq!(model.queue.poisoned(), None);
        let refused = |end: &&End| matches!(end, Some(Err(SubmitError::Unseen)));
        assert!(ends.iter().filter(refused).count() <= 2);
        let landed = model.landed();
        let (post, later) = (place(&landed, POST), place(&landed, LATER));
        assert!(post.is_some() && (later.is_none() || post < later), "{landed:?}");
        told_rightly(&landed, ends);
    });
}
