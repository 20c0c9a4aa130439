//! A ledger that random people work on: they decide, measure, calibrate, approve, pull the switch, change keys and policies.

use crate::draws::{Wish, once_in, pick, policy, wish};
use counterfoil_format::body::{Body, KeyChange, Manner, ReviewOf, ReviewVerdict, Role, RollbackOf, Scope};
use counterfoil_format::intent::{IntentId, Micros, Mode};
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::ops::decode_ops;
use counterfoil_format::part::PartTag;
use counterfoil_format::policy::PolicyBody;
use counterfoil_ledger::{
    Clock, Draft, DraftError, DraftOp, Ledger, Platform, ReadError, SecretKey, Signer, StoredRow, Submission,
    SubmissionBuilder, SubmitError,
};
use counterfoil_tests::rng::Rng;
use counterfoil_tests::sim::SimFs;
use counterfoil_tests::told::{Told, told};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub const ROOT: &str = "/market";

/// Who holds a key.
pub struct Holder {
    pub key: SecretKey,
    pub roles: u8,
}

impl Holder {
    fn has(&self, role: Role) -> bool {
        self.roles & role.bit() != 0
    }
}

pub struct Market {
    pub fs: SimFs,
    pub rng: Rng,
    /// What happened how often.
    pub tally: BTreeMap<String, u64>,
    platform: Platform,
    clock: Arc<Told>,
    ledger: Option<Ledger>,
    sealer: Arc<SecretKey>,
    /// The owner, an executor, an operator and a judge without scopes, and whoever came later.
    pub holders: Vec<Holder>,
    /// Those who were granted a key, rotated or revoked; their keys may have ended.
    pub made: u8,
    policy: PolicyBody<'static>,
    pub readings: Vec<u64>,
}

pub fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32]).unwrap()
}

impl Market {
    pub fn new(mut rng: Rng) -> Self {
        let fs = SimFs::default();
        let (platform, clock) = told(&fs);
        let sealer = Arc::new(secret(200));
        let first = policy(&mut rng, None);
        let owner = Holder { key: secret(1), roles: Role::Owner.bit() };
        let ledger = Ledger::create_on(
            &platform,
            Path::new(ROOT),
            "example.com/market",
            first.clone(),
            &owner.key,
            sealer.clone(),
        );
        let mut market = Market {
            fs,
            rng,
            tally: BTreeMap::new(),
            platform,
            clock,
            ledger: Some(ledger.unwrap()),
            sealer,
            holders: vec![owner],
            made: 1,
            policy: first,
            readings: Vec::new(),
        };
        for (roles, name) in [
            (Role::Executor.bit(), "agent"),
            (Role::Operator.bit(), "operator"),
            (Role::Judge.bit(), "judge"),
        ] {
            market.grant(roles, name, Scope::default());
        }
        assert_eq!(market.size(), 4);
        market
    }

    pub fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().unwrap()
    }

    pub fn size(&self) -> u64 {
        self.ledger().log().head().size
    }

    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    fn note(&mut self, what: impl Into<String>) {
        *self.tally.entry(what.into()).or_default() += 1;
    }

    /// All rows.
    pub fn rows(&self) -> Vec<StoredRow> {
        (0..self.size()).map(|row| self.ledger().log().row(row).unwrap()).collect()
    }

    pub fn holder(&mut self, role: Role) -> usize {
        let fit: Vec<usize> = (0..self.holders.len()).filter(|who| self.holders[*who].has(role)).collect();
        // The first one of each role has no scope, and is let alone.
        if once_in(&mut self.rng, 4) { pick(&mut self.rng, &fit) } else { fit[0] }
    }

    pub fn id(&mut self) -> IntentId {
        IntentId(self.rng.bytes())
    }

    /// Builds a submission of a holder.
    pub fn build(
        &self,
        who: usize,
        fill: impl FnOnce(&mut SubmissionBuilder<'_>) -> Result<(), DraftError>,
    ) -> Submission {
        let mut builder = SubmissionBuilder::new(&self.holders[who].key).unwrap();
        fill(&mut builder).unwrap();
        builder.sign(self.ledger().ledger_id()).unwrap()
    }

    /// Submits, and notes what came of it.
    pub fn submit(&mut self, what: &str, submission: Submission) -> bool {
        let answer = self.ledger().submit(submission);
        self.answered(
            what,
            answer.map(|receipts| receipts.into_iter().map(|it| (it.outcome, it.reasons)).collect()),
        )
    }

    fn answered(&mut self, what: &str, answer: Result<Vec<(Outcome, Vec<Reason>)>, SubmitError>) -> bool {
        match answer {
            Ok(rows) => {
                for (outcome, reasons) in rows {
                    self.note(format!("{what} {outcome}"));
                    reasons.iter().for_each(|reason| self.note(reason.name()));
                }
                true
            }
            Err(
                SubmitError::Refused { .. }
                | SubmitError::Cited { .. }
                | SubmitError::Read(ReadError::NoSuchRow { .. }),
            ) => {
                self.note(format!("{what} refused"));
                false
            }
            Err(error) => panic!("{what}: {error}"),
        }
    }

    pub fn submit_body(&mut self, what: &str, who: usize, body: Body<'_>) -> bool {
        let dry = once_in(&mut self.rng, 12);
        let (id, now) = (self.id(), self.now());
        let mode = if dry { Mode::DryRun } else { Mode::Live };
        let draft = Draft { mode, ..Draft::with_body(id, body, now) };
        let submission = self.build(who, |builder| builder.push(&draft));
        self.submit(what, submission) && !dry
    }

    pub fn grant(&mut self, roles: u8, name: &'static str, scope: Scope<'static>) {
        self.made += 1;
        let key = secret(self.made);
        let change = KeyChange::Grant { key: *key.public().as_bytes(), roles, name, scope };
        let draft = Draft::with_body(self.id(), Body::Key(change), self.now());
        let submission = self.build(0, |builder| builder.push(&draft));
        if self.submit("grant", submission) {
            self.holders.push(Holder { key, roles });
        }
    }

    /// One thing that somebody does.
    pub fn step(&mut self) {
        self.tick();
        match self.rng.below(40) {
            0 => self.reopen(),
            1 | 2 => self.set_policy(),
            3 | 4 => self.change_keys(),
            5..8 => self.turn(),
            8..12 => self.measure(),
            12..14 => self.calibrate(),
            14..20 => self.review(),
            20 => self.roll_back(),
            21 => self.decide_together(),
            22..24 => self.drill_recovery(),
            _ => self.decide(),
        }
    }

    /// Time passes, mostly little and mostly forwards.
    fn tick(&mut self) {
        let step = match self.rng.below(30) {
            0 => 3_000,
            1 => -(self.rng.below(400).cast_signed()),
            2 => 60_000,
            3..12 => 0,
            _ => self.rng.below(40).cast_signed(),
        };
        self.clock.pass(step);
    }

    fn reopen(&mut self) {
        let ledger = self.ledger.take().unwrap();
        match once_in(&mut self.rng, 2) {
            true => ledger.close().unwrap(),
            false => drop(ledger),
        }
        let ledger = Ledger::open_on(&self.platform, Path::new(ROOT), self.sealer.clone());
        self.ledger = Some(ledger.unwrap());
        self.note("reopened");
    }

    fn set_policy(&mut self) {
        let next = policy(&mut self.rng, Some(&self.policy));
        if self.submit_body("policy", 0, Body::Policy(next.clone())) {
            self.policy = next;
        }
    }

    /// Approves or rejects; mostly something that was put aside and that nobody has settled.
    fn review(&mut self) {
        let governance = self.ledger().governance();
        let waiting: Vec<u64> = self
            .rows()
            .iter()
            .map(|stored| stored.parse().unwrap().landing)
            .filter(|it| it.outcome == Outcome::Review && governance.reviewed_by(it.seq).is_none())
            .map(|it| it.seq)
            .collect();
        let any = once_in(&mut self.rng, 10) || waiting.is_empty();
        let row = if any { self.rng.below(self.size()) } else { pick(&mut self.rng, &waiting) };
        let stored = self.ledger().log().row(row).unwrap();
        let target = stored.parse().unwrap();
        let verdict = if once_in(&mut self.rng, 4) { ReviewVerdict::Reject } else { ReviewVerdict::Approve };
        let who = self.holder(Role::Operator);
        let body = Body::Review(ReviewOf { row, row_hash: target.row_hash, verdict, reason: "" });
        let draft = Draft::with_body(self.id(), body, self.now());
        let submission = self.build(who, |builder| builder.push_review(&draft, &target));
        let what = if verdict == ReviewVerdict::Reject { "rejection" } else { "approval" };
        self.submit(what, submission);
    }

    fn roll_back(&mut self) {
        let row = self.rng.below(self.size());
        let stored = self.ledger().log().row(row).unwrap();
        let target = stored.parse().unwrap();
        let Some(content) = target.content(PartTag::Rollback) else { return };
        let who = self.holder(Role::Operator);
        let body = Body::Rollback(RollbackOf {
            target: row,
            target_hash: target.row_hash,
            manner: Manner::Exact,
            effects: Vec::new(),
        });
        let mut draft = Draft::with_body(self.id(), body, self.now());
        draft.ops = decode_ops(content).unwrap().into_iter().map(DraftOp::Stored).collect();
        let submission = self.build(who, |builder| builder.push(&draft));
        self.submit("rollback", submission);
    }

    /// Decisions under one signature, mostly with the verdicts of the judges they name.
    fn decisions(&mut self) -> Submission {
        let (who, now, count) = (self.holder(Role::Executor), self.now(), 1 + self.rng.below(4));
        let readings = self.readings[self.readings.len().saturating_sub(12)..].to_vec();
        let mut wishes: Vec<Wish> = (0..count).map(|_| wish(&mut self.rng, now, &readings)).collect();
        if once_in(&mut self.rng, 12) {
            // Refused as a whole for its last intent.
            wishes.push(wishes[0].clone());
        }
        let judges: Vec<Option<usize>> = wishes
            .iter()
            .map(|wish| {
                (wish.judge.is_some() && !once_in(&mut self.rng, 3)).then(|| self.holder(Role::Judge))
            })
            .collect();
        let ledger_id = self.ledger().ledger_id();
        let requests: Vec<_> = wishes.iter().map(Wish::requests).collect();
        let drafts: Vec<_> =
            wishes.iter().zip(&requests).map(|(wish, requests)| wish.draft(requests, now)).collect();
        self.build(who, |builder| {
            drafts.iter().zip(&judges).try_for_each(|(draft, judge)| match judge {
                Some(judge) => builder.push_judged(draft, &self.holders[*judge].key, ledger_id),
                None => builder.push(draft),
            })
        })
    }

    fn decide(&mut self) {
        let submission = self.decisions();
        self.submit("decision", submission);
    }

    /// Several at once, which may share a group or be decided while others are written.
    fn decide_together(&mut self) {
        let submissions: Vec<_> = (0..4).map(|_| self.decisions()).collect();
        let ledger = self.ledger();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let started: Vec<_> =
                submissions.into_iter().map(|submission| scope.spawn(|| ledger.submit(submission))).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for answer in answers {
            let rows =
                answer.map(|receipts| receipts.into_iter().map(|it| (it.outcome, it.reasons)).collect());
            self.answered("decision", rows);
        }
    }
}
