//! Ledgers with effects, partial rollbacks, snapshots and recovery drills: some that every verifier must accept, and some of a
//! writer or an operator that breaks their rules (V09, V16, V17, V19) under valid hashes and signatures.

use crate::case::{Case, Expected};
use crate::draft::{Draft, EXECUTOR, LEDGER, OPERATOR, Who};
use crate::forge::Forge;
use crate::output::Ledger;
use crate::strict::reading;
use counterfoil_format::Hash;
use counterfoil_format::body::{Body, EffectOutcome, EffectStatus, Manner, Snapshot};
use counterfoil_format::content::{Effect, Undo};
use counterfoil_format::ops::Op;
use counterfoil_format::part::PartTag;
use counterfoil_format::value::{Decimal, Value};

/// All of them.
pub fn undone() -> Vec<Case> {
    [accepted(), snapshots(), rollbacks(), calls(), sayings()].concat()
}

fn request() -> Vec<u8> {
    Value::Text("publish".into()).encode().unwrap()
}

/// Puts a price, with an effect for each of these undos.
fn publish(undos: &[Undo<'_>]) -> Draft {
    let request = request();
    let effect = |undo: &Undo<'static>| Effect { adapter: "shop", request: &request, undo: *undo };
    let undos: Vec<Undo<'static>> = undos.iter().map(|undo| lasting(undo)).collect();
    let effects: Vec<Effect<'_>> = undos.iter().map(effect).collect();
    Draft::decision("price.set").put("price/1", &Value::Int(5)).effects(&effects)
}

/// The same undo, with a request that lasts.
fn lasting(undo: &Undo<'_>) -> Undo<'static> {
    match *undo {
        Undo::Never => Undo::Never,
        Undo::Request(_) => Undo::Request(NULL),
        Undo::Until(_, until) => Undo::Until(NULL, until),
        Undo::Compensate(_) => Undo::Compensate(NULL),
    }
}

/// The encoded value null.
const NULL: &[u8] = &[0];
const UNDO: Undo<'_> = Undo::Request(NULL);

/// An outcome row by who may: row 4 is an executor's, and all that call behind it are an operator's.
fn told(row: u64, effect: u32, status: EffectStatus) -> Draft {
    let who = if row > 4 || status == EffectStatus::Closed { OPERATOR } else { EXECUTOR };
    Draft::body(&Body::Outcome(EffectOutcome { row, effect, status, detail: "as the shop said" })).by(who)
}

fn all(_: &Op<'_>) -> bool {
    true
}

/// A rollback of a row that calls for effects.
fn back(forge: &mut Forge, target: u64, effects: &[u32]) -> u64 {
    let draft = forge.rollback_as(target, Manner::Exact, effects, all);
    let row = forge.next_seq;
    forge.submit(vec![draft]);
    row
}

fn land(forge: &mut Forge, drafts: impl IntoIterator<Item = Draft>) {
    drafts.into_iter().for_each(|draft| forge.submit(vec![draft]));
}

fn accepted() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Intact);
    vec![
        case(
            "effects-undone",
            "Effects are undone, done again and undone again, one is closed.",
            effects_undone(),
        ),
        case("effect-alone", "A decision of nothing but an effect is taken back.", effect_alone()),
        case("partial-rollback", "A row is taken back but for a key that a later row has set.", partial()),
        case("snapshots", "Snapshots by the ledger and by an operator, of states further back.", pinned()),
        case("recovery-drills", "Drills prove classes, and one fails.", drills()),
        case("withheld-outcome", "What became of a call is withheld.", withheld_outcome()).without(&["V19"]),
    ]
}

fn effects_undone() -> Ledger {
    use EffectStatus::{Closed, Done, Failed, Intended, Unknown};
    let mut forge = Forge::new(800);
    let late = forge.clock + 1_000_000_000;
    land(&mut forge, [publish(&[UNDO, Undo::Until(NULL, late), Undo::Compensate(NULL), Undo::Never])]);
    land(&mut forge, [told(4, 0, Done), told(4, 1, Unknown), told(4, 1, Done)]);
    let first = back(&mut forge, 4, &[0, 1, 2]);
    land(&mut forge, [told(first, 2, Intended), told(first, 2, Failed), told(first, 2, Intended)]);
    land(&mut forge, [told(first, 2, Failed), told(first, 2, Closed), told(first, 1, Intended)]);
    land(&mut forge, [told(first, 1, Unknown), told(first, 1, Intended), told(first, 1, Done)]);
    land(&mut forge, [told(first, 0, Intended), told(first, 0, Done)]);
    let redo = back(&mut forge, first, &[0]);
    land(&mut forge, [told(redo, 0, Intended), told(redo, 0, Done)]);
    let again = back(&mut forge, redo, &[0, 2]);
    land(&mut forge, [told(again, 2, Closed), told(again, 0, Intended), told(again, 0, Unknown)]);
    forge.finish()
}

fn effect_alone() -> Ledger {
    let mut forge = Forge::new(801);
    let request = request();
    let effect = Effect { adapter: "mail", request: &request, undo: UNDO };
    land(&mut forge, [Draft::decision("price.set").effects(&[effect])]);
    let back_row = back(&mut forge, 4, &[0]);
    land(&mut forge, [told(back_row, 0, EffectStatus::Intended), told(back_row, 0, EffectStatus::Done)]);
    back(&mut forge, back_row, &[]);
    forge.finish()
}

fn two_keys(cents: i64) -> Draft {
    Draft::decision("price.set").put("price/1", &Value::Int(cents)).put("price/2", &Value::Int(cents))
}

fn partial() -> Ledger {
    let mut forge = Forge::new(802);
    land(&mut forge, [two_keys(1), two_keys(2)]);
    land(&mut forge, [Draft::decision("price.set").put("price/2", &Value::Int(3))]);
    let part = forge.rollback_as(5, Manner::Partial, &[], |op| op.key == "price/1");
    land(&mut forge, [part]);
    back(&mut forge, 7, &[]);
    forge.finish()
}

fn snapshot(forge: &Forge, at: u64) -> Snapshot {
    Snapshot { at, state: forge.state.digest(), leaves: forge.state.len() as u64 }
}

fn pinning(snapshot: Snapshot, who: Who) -> Draft {
    Draft::body(&Body::Snapshot(snapshot)).by(who)
}

/// A ledger with a state, and that of row 5.
fn with_state(seed: u64) -> (Forge, Snapshot) {
    let mut forge = Forge::new(seed);
    land(&mut forge, [two_keys(1), Draft::decision("stock.sell").add("stock/1", -3)]);
    let then = snapshot(&forge, 5);
    land(&mut forge, [two_keys(2), Draft::decision("stock.sell").add("stock/1", 3).add("stock/2", 1)]);
    land(&mut forge, [Draft::decision("price.set").delete("price/1")]);
    (forge, then)
}

fn pinned() -> Ledger {
    let mut forge = Forge::new(803);
    let empty = snapshot(&forge, 0);
    land(&mut forge, [pinning(empty, LEDGER)]);
    land(&mut forge, [two_keys(1)]);
    let then = snapshot(&forge, 5);
    land(&mut forge, [two_keys(2), Draft::decision("price.set").delete("price/1").add("stock/1", 1)]);
    back(&mut forge, 7, &[]);
    land(&mut forge, [pinning(then, OPERATOR)]);
    let now = snapshot(&forge, 9);
    land(&mut forge, [pinning(now, LEDGER), pinning(then, LEDGER)]);
    forge.finish()
}

fn drill(class: &'static str, passed: bool) -> Draft {
    let value = Decimal { mantissa: i128::from(passed), scale: 0 };
    let reading = counterfoil_format::body::Reading { metric: class, value, source: "" };
    Draft::body(&Body::Evidence(reading)).by(OPERATOR)
}

fn drills() -> Ledger {
    let mut forge = Forge::new(804);
    land(&mut forge, [drill("drill/exact", true), drill("drill/window", false), reading("margin", 20)]);
    forge.finish()
}

/// A decision in row 4, and so many rollbacks and one more, each of the row before.
pub fn chain(rollbacks: u64) -> Ledger {
    let mut forge = Forge::new(805 + rollbacks);
    land(&mut forge, [Draft::decision("stock.sell").add("stock/1", 1)]);
    for place in 0..=rollbacks {
        back(&mut forge, 4 + place, &[]);
    }
    forge.finish()
}

fn withheld_outcome() -> Ledger {
    let mut forge = Forge::new(806);
    land(&mut forge, [publish(&[UNDO])]);
    let row = back(&mut forge, 4, &[0]);
    land(
        &mut forge,
        [
            told(row, 0, EffectStatus::Intended),
            told(row, 0, EffectStatus::Done).by(OPERATOR).close(PartTag::Body),
        ],
    );
    forge.finish()
}

fn snapshots() -> Vec<Case> {
    let case = |name, why, seed, edit: fn(&mut Snapshot)| {
        let (mut forge, mut stated) = with_state(seed);
        edit(&mut stated);
        let row = forge.next_seq;
        land(&mut forge, [pinning(stated, LEDGER)]);
        Case::new(name, why, forge.finish(), Expected::Findings(&["V16"])).at(row)
    };
    vec![
        case("v16-digest", "A snapshot states another digest.", 810, |stated| stated.state = Hash([7; 32])),
        case("v16-leaves", "A snapshot states one leaf too many.", 811, |stated| stated.leaves += 1),
        case("v16-other-row", "A snapshot states the state of the row before.", 812, |stated| stated.at += 1),
        case("v16-itself", "A snapshot is of the state after itself.", 813, |stated| stated.at = 9),
    ]
}

fn rollbacks() -> Vec<Case> {
    let case = |name, why, (ledger, row): (Ledger, u64)| {
        Case::new(name, why, ledger, Expected::Findings(&["V17"])).at(row)
    };
    let partly = |seed, wanted: fn(&Op<'_>) -> bool| {
        let mut forge = Forge::new(seed);
        land(&mut forge, [two_keys(1).add("stock/1", 1).add("stock/1", 2)]);
        let draft = forge.rollback_as(4, Manner::Partial, &[], wanted);
        land(&mut forge, [draft]);
        (forge.finish(), 5)
    };
    let calling = |seed, undo: Undo<'static>, effects: &[u32]| {
        let mut forge = Forge::new(seed);
        land(&mut forge, [publish(&[undo])]);
        let row = back(&mut forge, 4, effects);
        land(
            &mut forge,
            effects.iter().map(|effect| told(row, *effect, EffectStatus::Closed)).filter(|_| undo != UNDO),
        );
        (forge.finish(), row)
    };
    let mut cases = vec![
        case("v17-partial-whole", "A rollback says it is partial and leaves nothing out.", partly(820, all)),
        case(
            "v17-half-a-key",
            "A partial rollback takes back one of two operations on a key.",
            partly(821, |op| !matches!(op.change, counterfoil_format::ops::Change::Add(-1))),
        ),
        case(
            "v17-no-undo",
            "A rollback calls for the undo of an effect that has none.",
            calling(822, Undo::Never, &[0]),
        ),
        case(
            "v17-too-late",
            "A rollback calls for an undo that worked until a time before it.",
            calling(823, Undo::Until(NULL, crate::forge::EPOCH), &[0]),
        ),
        case("v17-aside", "A rollback that was put aside names a row that is taken back already.", aside()),
        case("v17-wrong-kind", "A reading is taken back, which has done nothing.", wrong_kind()),
    ];
    let (ledger, row) = calling(824, UNDO, &[1]);
    let both = Expected::Findings(&["V17", "V19"]);
    cases.push(
        Case::new("v17-no-effect", "A rollback calls for an effect that is not there.", ledger, both).at(row),
    );
    cases
}

/// The guard fails as well: the row is stamped as it should be, and should never have landed.
fn aside() -> (Ledger, u64) {
    let mut forge = Forge::new(825);
    land(&mut forge, [Draft::decision("price.set").put("price/1", &Value::Int(1))]);
    back(&mut forge, 4, &[]);
    let row = back(&mut forge, 4, &[]);
    (forge.finish(), row)
}

fn wrong_kind() -> (Ledger, u64) {
    let mut forge = Forge::new(826);
    land(&mut forge, [reading("margin", 20)]);
    let row = back(&mut forge, 4, &[]);
    (forge.finish(), row)
}

fn calls() -> Vec<Case> {
    use EffectStatus::{Closed, Done, Failed, Intended};
    let case = |name, why, row, ledger| Case::new(name, why, ledger, Expected::Findings(&["V19"])).at(row);
    let taken_back = |seed, told_of: &[(u64, u32, EffectStatus)]| {
        let mut forge = Forge::new(seed);
        land(&mut forge, [publish(&[UNDO, UNDO])]);
        back(&mut forge, 4, &[1]);
        land(&mut forge, told_of.iter().map(|(row, effect, status)| told(*row, *effect, *status)));
        forge.finish()
    };
    vec![
        case(
            "v19-forgotten",
            "A rollback calls for an undo, and nobody tells of it.",
            5,
            taken_back(830, &[]),
        ),
        case(
            "v19-unfinished",
            "An undo was about to be made, and nobody tells what came of it.",
            5,
            taken_back(831, &[(5, 1, Intended)]),
        ),
        case(
            "v19-twice",
            "A call is told to be done twice.",
            8,
            taken_back(832, &[(5, 1, Intended), (5, 1, Done), (5, 1, Done)]),
        ),
        case(
            "v19-unannounced",
            "An undo is told to be done that nobody was about to make.",
            6,
            taken_back(833, &[(5, 1, Done), (5, 1, Closed)]),
        ),
        case(
            "v19-not-called",
            "The undo of an effect is told of that the rollback did not call for.",
            6,
            taken_back(834, &[(5, 0, Intended), (5, 1, Closed)]),
        ),
        case(
            "v19-no-effect",
            "An effect is told of that the decision does not have.",
            6,
            taken_back(835, &[(4, 2, Done), (5, 1, Closed)]),
        ),
        case(
            "v19-after-close",
            "A call that was closed is told to be done.",
            8,
            taken_back(836, &[(4, 0, Failed), (4, 0, Closed), (4, 0, Done), (5, 1, Closed)]),
        ),
        case(
            "v19-itself",
            "An outcome tells of itself.",
            6,
            taken_back(837, &[(6, 0, Done), (5, 1, Closed)]),
        ),
        case("v19-dry-run", "An effect of a dry run is told of.", 5, of_dry_run()),
        case("v19-told-by-another", "An executor says that an operator's undo is done.", 7, by_another()),
    ]
}

fn of_dry_run() -> Ledger {
    let mut forge = Forge::new(838);
    land(&mut forge, [publish(&[UNDO]).dry_run(), told(4, 0, EffectStatus::Done)]);
    forge.finish()
}

fn by_another() -> Ledger {
    let mut forge = Forge::new(839);
    land(&mut forge, [publish(&[UNDO])]);
    back(&mut forge, 4, &[0]);
    land(&mut forge, [told(5, 0, EffectStatus::Intended), told(5, 0, EffectStatus::Done).by(EXECUTOR)]);
    land(&mut forge, [told(5, 0, EffectStatus::Done)]);
    forge.finish()
}

/// What only an operator may say.
fn sayings() -> Vec<Case> {
    let case = |name, why, ledger| Case::new(name, why, ledger, Expected::Broken(&["V09"]));
    let mut closing = Forge::new(840);
    land(&mut closing, [publish(&[UNDO]), told(4, 0, EffectStatus::Closed).by(EXECUTOR)]);
    let mut drilling = Forge::new(841);
    land(&mut drilling, [drill("drill/exact", true).by(EXECUTOR)]);
    let mut pinning_by = Forge::new(842);
    let now = snapshot(&pinning_by, 3);
    land(&mut pinning_by, [pinning(now, EXECUTOR)]);
    vec![
        case(
            "v09-closed-by-agent",
            "An executor says that an effect is not tried any more.",
            closing.finish(),
        ),
        case("v09-drilled-by-agent", "An executor says that a recovery drill has passed.", drilling.finish()),
        case("v09-pinned-by-agent", "An executor pins a snapshot.", pinning_by.finish()),
    ]
}
