//! How much was applied lately, for the limits of the policy in force.
//!
//! A limit looks at the applied decisions whose landing lies within its window behind the row that is decided. What it
//! counts begins with the row behind the one that set it; a policy that repeats what a limit looks at goes on counting.

use crate::number::{Magnitude, Sum};
use crate::policy::{LimitRule, Span};
use counterfoil_format::intent::Micros;
use counterfoil_format::landing::Reason;
use counterfoil_format::policy::Per;
use std::collections::{HashMap, VecDeque};

/// What a limit has to know of a decision.
pub trait Amounts {
    /// What can go wrong on the way.
    type Error;

    /// What it is about.
    fn entity(&self) -> Result<Option<&str>, Self::Error>;
    /// The magnitude of a field; `None` when it has no such field.
    fn amount(&self, field: &str) -> Result<Option<Magnitude>, Self::Error>;
}

/// What was applied lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    tracks: Vec<Track>,
}

/// What one limit looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Track {
    rule: LimitRule,
    /// Rows, by what is counted together: by entity, or all under the empty text. An entity's name is never empty.
    rows: HashMap<String, Lately>,
    /// How many names were left when those without rows in the window were forgotten last.
    left: usize,
    /// Rows that could not be counted.
    unseen: Unseen,
}

/// When the newest rows landed of which it cannot be seen how much they are, or under what they are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Unseen {
    anywhere: Option<Micros>,
    under: HashMap<String, Micros>,
}

/// Rows that are counted together, the oldest first, and their sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lately {
    rows: VecDeque<(Micros, Magnitude)>,
    sum: Sum,
}

/// A row that was counted, for [`Limits::take_back`].
#[derive(Debug)]
pub struct Counted {
    track: usize,
    under: String,
}

impl Limits {
    /// The limits of a new policy. What is looked at under it as before keeps its count.
    pub fn follow(&mut self, rules: &[LimitRule]) {
        let mut before = std::mem::take(&mut self.tracks);
        for rule in rules {
            let kept = before.iter().position(|track| track.rule.span == rule.span);
            let (rows, unseen) = match kept.map(|place| before.swap_remove(place)) {
                Some(Track { rows, unseen, .. }) => (rows, unseen),
                None => (HashMap::new(), Unseen::default()),
            };
            self.tracks.push(Track { rule: rule.clone(), left: rows.len(), rows, unseen });
        }
    }

    /// The longest window.
    pub fn window(&self) -> Option<Micros> {
        self.tracks.iter().map(|track| track.rule.span.window).max()
    }

    /// Adds the reasons for which a decision would be too much. Times never go back from call to call.
    pub fn ask<A: Amounts>(
        &mut self,
        action: &str,
        landed_at: Micros,
        decision: &A,
        reasons: &mut Vec<Reason>,
    ) -> Result<(), A::Error> {
        let (mut too_many, mut too_much) = (false, false);
        for track in self.tracks.iter_mut().filter(|track| track.rule.span.covers(action)) {
            let under = track.rule.span.under(decision)?;
            let (count, sum) = track.lately(under, landed_at);
            too_many |= track.rule.count.is_some_and(|most| count >= most as usize);
            if let (Some(most), Some(field)) = (track.rule.most, &track.rule.span.field) {
                // What does not say how much it is could be any amount.
                let amount = decision.amount(field)?;
                too_much |= amount.is_none_or(|amount| sum.passes(amount, most));
            }
        }
        reasons.extend(too_many.then_some(Reason::CountLimit));
        reasons.extend(too_much.then_some(Reason::SumLimit));
        Ok(())
    }

    /// Whether all is counted that limits on this decision look at.
    pub fn is_known<A: Amounts>(
        &self,
        action: &str,
        landed_at: Micros,
        decision: &A,
    ) -> Result<bool, A::Error> {
        for track in self.tracks.iter().filter(|track| track.rule.span.covers(action)) {
            let Track { unseen, rule, .. } = track;
            let in_window = |then: Micros| landed_at.saturating_sub(then) < rule.span.window;
            if unseen.anywhere.is_some_and(in_window) {
                return Ok(false);
            }
            if !unseen.under.is_empty()
                && unseen.under.get(rule.span.under(decision)?).copied().is_some_and(in_window)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts a decision that was applied. Where it cannot be seen what it is about or how much it is, the limits that look
    /// at that are not known until it has left their windows, and the first error is yielded.
    pub fn count<A: Amounts>(
        &mut self,
        action: &str,
        landed_at: Micros,
        decision: &A,
        counted: &mut Vec<Counted>,
    ) -> Result<(), A::Error> {
        let mut seen = Ok(());
        for (place, track) in self.tracks.iter_mut().enumerate() {
            let span = &track.rule.span;
            if !span.covers(action) {
                continue;
            }
            let under = span.under(decision);
            let amount = span.field.as_deref().map(|field| decision.amount(field)).transpose();
            match (under, amount) {
                (Ok(under), Ok(amount)) => {
                    track.push(under, landed_at, amount.flatten().unwrap_or_default());
                    counted.push(Counted { track: place, under: under.to_owned() });
                }
                (Ok(under), Err(error)) => {
                    track.unseen.under.insert(under.to_owned(), landed_at);
                    seen = seen.and(Err(error));
                }
                (Err(error), _) => {
                    track.unseen.anywhere = Some(landed_at);
                    seen = seen.and(Err(error));
                }
            }
        }
        seen
    }

    /// Takes back the rows that were counted last.
    pub fn take_back(&mut self, counted: Vec<Counted>) {
        for Counted { track, under } in counted.into_iter().rev() {
            if let Some(rows) = self.tracks.get_mut(track).and_then(|track| track.rows.get_mut(&under)) {
                let newest = rows.rows.pop_back();
                newest.into_iter().for_each(|(_, amount)| rows.sum.subtract(amount));
            }
        }
    }
}

impl Lately {
    fn push(&mut self, landed_at: Micros, amount: Magnitude) {
        self.rows.push_back((landed_at, amount));
        self.sum.add(amount);
    }

    /// Forgets the rows that lie behind a window.
    fn forget(&mut self, landed_at: Micros, window: Micros) {
        while let Some((then, amount)) = self.rows.front().copied()
            && landed_at.saturating_sub(then) >= window
        {
            self.rows.pop_front();
            self.sum.subtract(amount);
        }
    }
}

impl Span {
    fn under<'d, A: Amounts>(&self, decision: &'d A) -> Result<&'d str, A::Error> {
        match self.per {
            Per::Store => Ok(""),
            Per::Entity => Ok(decision.entity()?.unwrap_or_default()),
        }
    }
}

/// Names that are kept before any is forgotten.
const NAMES: usize = 64;

impl Track {
    fn push(&mut self, under: &str, landed_at: Micros, amount: Magnitude) {
        if !self.rows.contains_key(under) {
            if self.rows.len() >= NAMES + 2 * self.left {
                self.forget_names(landed_at);
            }
            self.rows.insert(under.to_owned(), Lately::default());
        }
        self.rows.get_mut(under).into_iter().for_each(|rows| rows.push(landed_at, amount));
    }

    /// Forgets the names that have no rows in the window, which nobody may ask for again. It looks at all of them, so it is
    /// done when there are twice as many as the last time left.
    fn forget_names(&mut self, landed_at: Micros) {
        let window = self.rule.span.window;
        let in_window = |then: &Micros| landed_at.saturating_sub(*then) < window;
        self.rows.retain(|_, lately| lately.rows.back().is_some_and(|(then, _)| in_window(then)));
        self.unseen.under.retain(|_, then| in_window(then));
        self.left = self.rows.len();
    }

    /// How many rows lie in the window, and their sum.
    fn lately(&mut self, under: &str, landed_at: Micros) -> (usize, Sum) {
        let Some(lately) = self.rows.get_mut(under) else { return (0, Sum::default()) };
        lately.forget(landed_at, self.rule.span.window);
        let (count, sum) = (lately.rows.len(), lately.sum);
        if count == 0 {
            self.rows.remove(under);
        }
        (count, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decision about an entity, which may not tell how much it is.
    struct About(String, bool);

    impl Amounts for About {
        type Error = ();

        fn entity(&self) -> Result<Option<&str>, ()> {
            Ok(Some(&self.0))
        }

        fn amount(&self, _: &str) -> Result<Option<Magnitude>, ()> {
            if self.1 { Ok(Some(Magnitude::of_int(1))) } else { Err(()) }
        }
    }

    fn one_each(window: Micros) -> Limits {
        let span =
            Span { actions: "*".to_owned(), per: Per::Entity, window, field: Some("spend".to_owned()) };
        let mut limits = Limits::default();
        limits.follow(&[LimitRule { span, count: Some(1), most: None }]);
        limits
    }

    fn count(limits: &mut Limits, at: Micros, about: &About) -> Result<(), ()> {
        limits.count("pay", at, about, &mut Vec::new())
    }

    fn stopped(limits: &mut Limits, at: Micros, name: &str) -> bool {
        let mut reasons = Vec::new();
        limits.ask("pay", at, &About(name.to_owned(), true), &mut reasons).unwrap();
        !reasons.is_empty()
    }

    #[test]
    fn names_that_never_come_again_take_no_room() {
        let mut limits = one_each(100);
        for at in 0..10_000 {
            count(&mut limits, at, &About(at.to_string(), true)).unwrap();
            assert!(limits.tracks[0].rows.len() <= NAMES + 300, "{at}");
        }
        assert!((9_901..10_000).all(|name| stopped(&mut limits, 10_000, &name.to_string())));
        assert!((0..=9_900).all(|name| !stopped(&mut limits, 10_000, &name.to_string())));
    }

    #[test]
    fn names_with_a_row_in_the_window_are_kept_and_so_are_those_that_are_not_known() {
        let mut limits = one_each(100);
        count(&mut limits, 0, &About("steady".to_owned(), true)).unwrap();
        count(&mut limits, 950, &About("steady".to_owned(), true)).unwrap();
        assert_eq!(count(&mut limits, 950, &About("closed".to_owned(), false)), Err(()));
        for at in 0..1_000 {
            count(&mut limits, at.max(950), &About(at.to_string(), true)).unwrap();
        }
        assert!(stopped(&mut limits, 1_000, "steady"));
        let known =
            |limits: &Limits, at, name: &str| limits.is_known("pay", at, &About(name.to_owned(), true));
        assert_eq!(known(&limits, 1_049, "closed"), Ok(false));
        assert_eq!(known(&limits, 1_050, "closed"), Ok(true));
        assert_eq!(known(&limits, 1_000, "steady"), Ok(true));
    }
}
