//! Random ledgers: honest ones are intact, and one random fault in any of them is found.
//!
//! The forge and the verifier are two programs that only share the format and the rules. Honest ledgers mix all kinds of
//! rows, guards that fail, dry runs, withheld parts, rollbacks of rollbacks, changing keys, policies and kill switch.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use counterfoil_format::Hash;
use counterfoil_format::body::{
    Body, KeyChange, Manner, Reading, Role, RollbackOf, Scope, Snapshot, SwitchAct,
};
use counterfoil_format::content::Evidence;
use counterfoil_format::intent::IntentId;
use counterfoil_format::key::SignatureBytes;
use counterfoil_format::landing::Landing;
use counterfoil_format::ops::Guard;
use counterfoil_format::part::PartTag;
use counterfoil_format::value::{Decimal, Value};
use counterfoil_tests::draft::{ChangeDraft, Draft, EXECUTOR, Group, LEDGER, OWNER, Submission, Who};
use counterfoil_tests::forge::{EPOCH, Forge};
use counterfoil_tests::founding::{Founding, allowing};
use counterfoil_tests::output::{Ledger, Sink};
use counterfoil_tests::rng::Rng;
use counterfoil_verifier::{Options, Report, Status, Verdict, verify, verify_sequential};
use tempfile::TempDir;

/// Grows an honest ledger at random.
struct Shop {
    forge: Forge,
    rng: Rng,
    executor: Who,
    ledger: Who,
    engaged: bool,
    /// Applied rows with an open rollback.
    reversible: Vec<u64>,
}

impl Shop {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let founding = Founding { segment_bytes: 4096 + rng.below(20_000), ..Founding::default() };
        let forge = Forge::founded(seed, founding, Sink::memory());
        Shop { forge, rng, executor: EXECUTOR, ledger: LEDGER, engaged: false, reversible: Vec::new() }
    }

    fn op(&mut self, draft: Draft) -> Draft {
        let key = format!("key/{}", self.rng.below(5));
        let guard = match self.rng.below(12) {
            0 => Guard::Absent,
            1 => Guard::Counter(self.rng.below(3).cast_signed()),
            2 => Guard::Stage("testing"),
            _ => Guard::None,
        };
        let stage = ["", "testing", "winner"][self.rng.place(3)];
        match self.rng.below(8) {
            0 => draft.op(&key, guard, ChangeDraft::Delete),
            1 | 2 => draft.op(&key, guard, ChangeDraft::Add(1 + self.rng.below(3).cast_signed())),
            3 => draft.op("sku-1", guard, ChangeDraft::Transition(stage.to_owned())),
            _ => {
                let value = Value::Int(self.rng.below(100).cast_signed()).encode().unwrap();
                draft.op(&key, guard, ChangeDraft::Put(None, value))
            }
        }
    }

    fn decision(&mut self) -> Draft {
        let actions = ["price.set", "stock.sell", "discount.grant"];
        let mut draft = Draft::decision(actions[self.rng.place(actions.len())]).by(self.executor);
        for _ in 0..1 + self.rng.below(3) {
            draft = self.op(draft);
        }
        if self.rng.below(3) == 0 {
            let row = self.rng.below(self.forge.next_seq);
            draft = draft.evidence(&[Evidence::Row(row)]).reason("because").subject("sku-1", None);
        }
        match self.rng.below(12) {
            0 => draft.dry_run(),
            1 => draft.reason("withheld").close(PartTag::Context),
            2 => {
                draft.close_values = true;
                draft
            }
            _ => draft,
        }
    }

    fn reading(&mut self) -> Draft {
        let value = Decimal { mantissa: i128::from(self.rng.below(10_000)), scale: 2 };
        Draft::body(&Body::Evidence(Reading { metric: "cost", value, source: "" })).by(self.executor)
    }

    fn rotation(&mut self) -> Draft {
        let new = self.forge.new_key();
        let sealing = self.rng.below(2) == 0;
        let slot = if sealing { &mut self.ledger } else { &mut self.executor };
        let old = std::mem::replace(slot, new);
        let (old, key) = (self.forge.key_id(old), self.forge.public(new));
        Draft::body(&Body::Key(KeyChange::Rotate { old, key }))
    }

    fn governing(&mut self) -> Draft {
        match self.rng.below(5) {
            0 => self.rotation(),
            1 => {
                let live = if self.rng.below(2) == 0 { vec!["*"] } else { vec!["price.*", "stock.sell"] };
                Draft::body(&Body::Policy(allowing(&live, 8192)))
            }
            2 => {
                let (state, leaves) = (self.forge.state.digest(), self.forge.state.len() as u64);
                Draft::body(&Body::Snapshot(Snapshot { at: self.forge.next_seq - 1, state, leaves }))
            }
            3 => {
                let key = self.forge.new_key();
                let (key, roles) = (self.forge.public(key), Role::Planner.bit());
                Draft::body(&Body::Key(KeyChange::Grant {
                    key,
                    roles,
                    name: "planner",
                    scope: Scope::default(),
                }))
            }
            _ => {
                // No drill begins while the switch is engaged.
                let last = if self.engaged { SwitchAct::Release } else { SwitchAct::Drill };
                let acts = [SwitchAct::Engage, SwitchAct::Release, last];
                let act = acts[self.rng.place(3)];
                self.engaged = act != SwitchAct::Release;
                self.forge.switch(act, self.engaged)
            }
        }
    }

    /// The rollback of a row that may be taken back, if there is one.
    fn rollback(&mut self) -> Option<Draft> {
        let governance = self.forge.governance.as_ref().unwrap();
        let row = self.forge.next_seq;
        let free = |target: &&u64| {
            let body = RollbackOf {
                target: **target,
                target_hash: Hash::ZERO,
                manner: Manner::Exact,
                effects: Vec::new(),
            };
            governance.check(&Body::Rollback(body), row).is_ok()
        };
        let free: Vec<u64> = self.reversible.iter().filter(free).copied().collect();
        let target = *free.get(self.rng.place(free.len().max(1)))?;
        Some(self.forge.rollback(target, self.rng.below(3) == 0))
    }

    /// Writes a group; every submission in it has one author.
    fn grow(&mut self, fault: Option<&Fault>) {
        let mut submissions = Vec::new();
        match self.rng.below(6) {
            0 => submissions.push(vec![self.governing()]),
            1 => submissions.extend(self.rollback().map(|draft| vec![draft])),
            2 => submissions.push(vec![self.reading()]),
            _ => {}
        }
        if submissions.is_empty() {
            for _ in 0..1 + self.rng.below(3) {
                let drafts = (0..1 + self.rng.below(4)).map(|_| self.decision()).collect();
                submissions.push(drafts);
            }
        }
        let first = self.forge.next_seq;
        let mut group = Group::new(submissions.into_iter().map(Submission::new).collect());
        if let Some(fault) = fault {
            (fault.put)(&mut group, &mut self.rng);
        }
        self.forge.write(group);
        let applied = (first..self.forge.next_seq).filter(|row| self.forge.is_reversible(*row));
        self.reversible.extend(applied);
    }
}

/// A fault that every verifier must find.
struct Fault {
    name: &'static str,
    put: fn(&mut Group, &mut Rng),
}

fn submission<'a>(group: &'a mut Group, rng: &mut Rng) -> &'a mut Submission {
    let place = rng.place(group.submissions.len());
    &mut group.submissions[place]
}

fn draft<'a>(group: &'a mut Group, rng: &mut Rng) -> &'a mut Draft {
    let drafts = &mut submission(group, rng).drafts;
    let place = rng.place(drafts.len());
    &mut drafts[place]
}

fn landing(group: &mut Group, rng: &mut Rng, edit: fn(&mut Landing)) {
    draft(group, rng).edit_landing = Some(Box::new(edit));
}

const FAULTS: &[Fault] = &[
    Fault { name: "row number", put: |group, rng| landing(group, rng, |it| it.seq += 1) },
    Fault { name: "landing time", put: |group, rng| landing(group, rng, |it| it.landed_at = EPOCH) },
    Fault {
        name: "place",
        put: |group, rng| landing(group, rng, |it| (it.index, it.count) = (0, it.count + 1)),
    },
    Fault {
        name: "rollback commitment",
        put: |group, rng| {
            landing(group, rng, |it| it.rollback = it.rollback.is_none().then_some(Hash([1; 32])));
        },
    },
    Fault { name: "previous", put: |group, rng| draft(group, rng).previous = Some(Hash(rng.bytes())) },
    Fault { name: "row hash", put: |group, rng| draft(group, rng).row_hash = Some(Hash(rng.bytes())) },
    Fault {
        name: "id",
        put: |group, _| {
            let id = Some(IntentId([7; 16]));
            let first = &mut group.submissions[0].drafts;
            first[0].id = id;
            let mut again = Draft::decision("stock.sell").by(first[0].author).add("key/9", 1);
            again.id = id;
            again.author_id = first[0].author_id;
            first.push(again);
        },
    },
    Fault {
        name: "author",
        put: |group, rng| draft(group, rng).author_id = Some(counterfoil_format::intent::KeyId(rng.bytes())),
    },
    Fault { name: "intent root", put: |group, rng| submission(group, rng).root = Some(Hash(rng.bytes())) },
    Fault {
        name: "signed ledger id",
        put: |group, rng| submission(group, rng).ledger_id = Some(Hash(rng.bytes())),
    },
    Fault {
        name: "signature",
        put: |group, rng| submission(group, rng).signature = Some(SignatureBytes(rng.bytes())),
    },
    Fault { name: "signer", put: |group, rng| submission(group, rng).signer = Some(LEDGER) },
    Fault { name: "sealed root", put: |group, rng| group.root = Some(Hash(rng.bytes())) },
    Fault { name: "sealed size", put: |group, rng| group.size = Some(rng.number() >> 20) },
    Fault { name: "sealer", put: |group, _| group.sealer = Some(OWNER) },
    Fault { name: "group's first row", put: |group, rng| group.first_seq = Some(rng.number() >> 40) },
    Fault { name: "group's previous hash", put: |group, rng| group.previous = Some(Hash(rng.bytes())) },
    Fault {
        name: "durable_upto",
        put: |group, rng| group.durable_upto = Some((1 << 32) + rng.below(1 << 20)),
    },
    Fault {
        name: "record",
        put: |group, rng| {
            let at = rng.number();
            let edit = move |bytes: &mut Vec<u8>| {
                let place = usize::try_from(at % bytes.len() as u64).unwrap();
                bytes[place] ^= 1 << (at % 7);
            };
            draft(group, rng).edit_record = Some(Box::new(edit));
        },
    },
];

fn judge(ledger: &Ledger, what: &str) -> Report {
    let dir = TempDir::new().unwrap();
    ledger.write_to(dir.path()).unwrap();
    let reference = verify_sequential(dir.path(), &Options::default(), &|_, _| {}).unwrap();
    for threads in [1, 2, 4] {
        let options = Options { threads: Some(threads), ..Options::default() };
        let fast = verify(dir.path(), &options, &|_, _| {}).unwrap();
        assert_eq!(fast, reference, "{what}: {threads} threads say something else");
    }
    reference
}

#[test]
fn random_honest_ledgers_are_intact() {
    let mut rows = 0;
    for seed in 1000..1120 {
        let mut shop = Shop::new(seed);
        let groups = 1 + shop.rng.below(40);
        (0..groups).for_each(|_| shop.grow(None));
        let ledger = shop.forge.finish();
        let report = judge(&ledger, &format!("seed {seed}"));
        assert_eq!(report.verdict, Verdict::Intact, "seed {seed}: {:?}", report.findings);
        assert_eq!(report.rows, ledger.rows);
        rows += ledger.rows;
    }
    println!("{rows} honest rows");
    assert!(rows > 5_000);
}

#[test]
fn one_random_fault_is_found() {
    for (place, fault) in FAULTS.iter().enumerate() {
        for round in 0..8 {
            let seed = 2000 + 100 * place as u64 + round;
            let mut shop = Shop::new(seed);
            let (before, behind) = (1 + shop.rng.below(12), shop.rng.below(6));
            (0..before).for_each(|_| shop.grow(None));
            shop.grow(Some(fault));
            (0..behind).for_each(|_| shop.grow(None));
            let what = format!("{}, seed {seed}", fault.name);
            let report = judge(&shop.forge.finish(), &what);
            let failed: Vec<_> = report
                .checks
                .iter()
                .filter(|(_, check)| check.status == Status::Failed)
                .map(|(id, _)| id.name())
                .collect();
            assert!(!failed.is_empty() && !report.findings.is_empty(), "{what} is not found");
            let expected =
                if failed.iter().all(|id| *id > "V12") { Verdict::Findings } else { Verdict::Broken };
            assert_eq!(report.verdict, expected, "{what}: {failed:?}");
        }
    }
}
