//! Ledgers whose writer passes by the kill switch, or holds drills that are none (V18): one fault each.

use crate::case::{Case, Expected};
use crate::draft::{Draft, Group, OPERATOR, OWNER, Rollback, Submission};
use crate::forge::EPOCH;
use crate::output::Ledger;
use crate::strict::{DRILL_PERIOD, Strict, reading, switch_to};
use counterfoil_format::body::{KillSwitch, ReviewVerdict, SwitchAct};
use counterfoil_format::codec::encode;
use counterfoil_format::intent::Kind;
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::part::PartTag;
use counterfoil_format::value::Value;

/// All of them.
pub fn drilled() -> Vec<Case> {
    [switched(), drills(), periods(), vec![without_probe()]].concat()
}

fn case(name: &'static str, why: &'static str, (ledger, row): (Ledger, u64)) -> Case {
    Case::new(name, why, ledger, Expected::Findings(&["V18"])).at(row)
}

fn put(key: &str) -> Draft {
    Draft::decision("price.set").put(key, &Value::Int(1990))
}

/// Pulls the switch, or lets it go.
fn turn(shop: &mut Strict, act: SwitchAct) {
    let draft = shop.forge.switch(act, matches!(act, SwitchAct::Engage | SwitchAct::Drill));
    shop.forge.submit(vec![draft]);
}

/// The faulty row, and an honest one that no switch stops.
fn end_with(mut shop: Strict, fault: Draft) -> (Ledger, u64) {
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![fault]);
    shop.forge.submit(vec![reading("ctr", 1)]);
    (shop.forge.finish(), row)
}

fn engaged(seed: u64) -> Strict {
    let mut shop = Strict::new(seed);
    turn(&mut shop, SwitchAct::Engage);
    shop
}

fn switched() -> Vec<Case> {
    let stopped = |draft: Draft| {
        let bare = Draft { rollback: Rollback::Absent, ..draft };
        bare.landing(|landing| {
            (landing.outcome, landing.reasons) = (Outcome::Review, vec![Reason::KillSwitch]);
        })
    };
    vec![
        case(
            "v18-kill-switch",
            "A live row is applied while the kill switch is engaged.",
            end_with(engaged(700), put("price/1").ignoring(Reason::KillSwitch)),
        ),
        case("v18-approval", "An approval is applied while the kill switch is engaged.", approved(701)),
        case(
            "v18-released",
            "A live row is put aside for the kill switch, which is released.",
            end_with(Strict::new(702), stopped(put("price/1"))),
        ),
        case(
            "v18-dry-run",
            "A dry run is put aside for the kill switch.",
            end_with(engaged(703), stopped(put("price/1").dry_run())),
        ),
        case(
            "v18-reading",
            "A reading is put aside for the kill switch.",
            end_with(engaged(704), stopped(reading("ctr", 1))),
        ),
        case(
            "v18-row",
            "A row names another row than the one that set the switch.",
            end_with(Strict::new(705), put("price/1").landing(|landing| landing.kill_switch_row = 2)),
        ),
        case(
            "v18-row-of-stopped",
            "A row that the switch stopped names the row that had released it before.",
            end_with(engaged(706), put("price/1").landing(|landing| landing.kill_switch_row = 3)),
        ),
        case(
            "v18-within",
            "A row is applied behind the row of its own group that pulled the switch.",
            within(707),
        ),
    ]
}

fn approved(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let draft = shop.stopped_by(Reason::UnknownAction);
    let row = shop.forge.next_seq;
    shop.forge.submit(vec![draft]);
    turn(&mut shop, SwitchAct::Engage);
    let approval = shop.forge.review(row, ReviewVerdict::Approve).ignoring(Reason::KillSwitch);
    end_with(shop, approval)
}

fn within(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let row = shop.forge.next_seq + 1;
    let engage = shop.forge.switch(SwitchAct::Engage, true);
    let rows = [engage, put("price/1").ignoring(Reason::KillSwitch)];
    shop.forge.write(Group::new(rows.into_iter().map(|row| Submission::new(vec![row])).collect()));
    shop.forge.submit(vec![reading("ctr", 1)]);
    (shop.forge.finish(), row)
}

/// A shop with a drill under way; yields the row that began it, and the row of a live decision that it stopped.
fn drilling(seed: u64) -> (Strict, u64, u64) {
    let mut shop = Strict::new(seed);
    let began = shop.forge.next_seq;
    turn(&mut shop, SwitchAct::Drill);
    shop.forge.submit(vec![put("price/1")]);
    (shop, began, began + 1)
}

/// A drill with something else in the place of its probe.
fn probed(seed: u64, probe: fn(&mut Strict) -> Draft) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let began = shop.forge.next_seq;
    turn(&mut shop, SwitchAct::Drill);
    let (row, draft) = (shop.forge.next_seq, probe(&mut shop));
    shop.forge.submit(vec![draft]);
    let end = shop.forge.drill_end(began, row);
    end_with(shop, end)
}

fn drills() -> Vec<Case> {
    let ended = |seed, end: fn(&mut Strict, u64, u64) -> Draft| {
        let (mut shop, began, probe) = drilling(seed);
        let draft = end(&mut shop, began, probe);
        end_with(shop, draft)
    };
    vec![
        case("v18-probe-before", "A drill ends with a decision that was stopped before it.", before(710)),
        case(
            "v18-probe-dry-run",
            "A drill ends with a dry run, which no switch stops.",
            probed(711, |_| put("price/1").dry_run()),
        ),
        case("v18-probe-reading", "A drill ends with a reading.", probed(712, |_| reading("ctr", 1))),
        case(
            "v18-probe-itself",
            "A drill ends with its own last row.",
            ended(713, |shop, began, _| shop.forge.drill_end(began, shop.forge.next_seq)),
        ),
        case(
            "v18-drill-other",
            "The drill that ends began with another row.",
            ended(714, |shop, began, probe| shop.forge.drill_end(began - 1, probe)),
        ),
        case(
            "v18-drill-over",
            "A drill ends that has ended already.",
            ended(715, |shop, began, probe| {
                let end = shop.forge.drill_end(began, probe);
                shop.forge.submit(vec![end]);
                shop.forge.drill_end(began, probe)
            }),
        ),
        case(
            "v18-drill-engaged",
            "A drill ends although the switch was pulled in earnest meanwhile.",
            ended(716, |shop, began, probe| {
                turn(shop, SwitchAct::Engage);
                shop.forge.drill_end(began, probe)
            }),
        ),
        case(
            "v18-drill-handed-over",
            "A drill ends although the switch changed hands meanwhile.",
            ended(717, |shop, began, probe| {
                let hand_over = switch_to(&shop.forge, OWNER, SwitchAct::HandOver, true);
                shop.forge.submit(vec![hand_over]);
                shop.forge.drill_end(began, probe)
            }),
        ),
        case(
            "v18-drill-begun-engaged",
            "A drill begins while the switch is engaged in earnest.",
            moved(720, SwitchAct::Drill, true),
        ),
        case(
            "v18-hand-over-releases",
            "The switch is given away, and released by it.",
            moved(721, SwitchAct::HandOver, false),
        ),
        case(
            "v18-redo-engaged",
            "A decision is brought back while the switch is engaged.",
            brought_back(722),
        ),
        case("v18-drill-in-earnest", "A drill ends that began as no drill.", in_earnest(718)),
        case("v18-dry-drill", "A dry run ends a drill with a dry run.", probed_dry(719)),
    ]
}

fn before(seed: u64) -> (Ledger, u64) {
    let mut shop = engaged(seed);
    let probe = shop.forge.next_seq;
    shop.forge.submit(vec![put("price/1")]);
    turn(&mut shop, SwitchAct::Release);
    let began = shop.forge.next_seq;
    turn(&mut shop, SwitchAct::Drill);
    let end = shop.forge.drill_end(began, probe);
    end_with(shop, end)
}

/// A row of the switch where the switch is engaged in earnest.
fn moved(seed: u64, act: SwitchAct, position: bool) -> (Ledger, u64) {
    let shop = engaged(seed);
    let draft = switch_to(&shop.forge, OPERATOR, act, position);
    end_with(shop, draft)
}

/// A decision that was taken back, and is brought back while the switch is engaged.
fn brought_back(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let decision = shop.forge.next_seq;
    shop.forge.submit(vec![put("price/1")]);
    let back = shop.forge.rollback(decision, false);
    shop.forge.submit(vec![back]);
    turn(&mut shop, SwitchAct::Engage);
    let redo = shop.forge.rollback(decision + 1, false).ignoring(Reason::KillSwitch);
    end_with(shop, redo)
}

fn in_earnest(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let began = shop.forge.next_seq;
    turn(&mut shop, SwitchAct::Engage);
    shop.forge.submit(vec![put("price/1")]);
    let end = shop.forge.drill_end(began, began + 1);
    end_with(shop, end)
}

fn probed_dry(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    let began = shop.forge.next_seq;
    turn(&mut shop, SwitchAct::Drill);
    shop.forge.submit(vec![put("price/1").dry_run()]);
    let end = shop.forge.drill_end(began, began + 1).dry_run();
    end_with(shop, end)
}

/// The body says nothing of what the drill has shown, which no reader of the format accepts.
fn without_probe() -> Case {
    let (shop, ..) = drilling(725);
    let (act, engaged, holder) = (SwitchAct::Drill, false, shop.forge.key_id(OPERATOR));
    let body = encode(&KillSwitch { act, engaged, holder, reason: "", drill: None }).unwrap();
    let (ledger, row) = end_with(shop, Draft::new(Kind::KillSwitch).content(PartTag::Body, body));
    let why = "A drill ends that has shown nothing.";
    Case::new("v02-drill-without-probe", why, ledger, Expected::Broken(&["V02"])).at(row)
}

fn periods() -> Vec<Case> {
    vec![
        case("v18-overdue", "A row lands a microsecond after the first drill was due.", overdue(720)),
        case("v18-overdue-again", "A row lands a microsecond after the second drill was due.", again(721)),
        case("v18-overdue-drill", "A drill ends when it was due already.", late(722)),
    ]
}

/// When row 0 landed is the founding; the first drill is due a period later.
fn overdue(seed: u64) -> (Ledger, u64) {
    let mut shop = Strict::new(seed);
    shop.forge.clock = EPOCH + DRILL_PERIOD;
    shop.go_on();
    shop.forge.clock = EPOCH + DRILL_PERIOD + 1;
    end_with(shop, put("price/1"))
}

fn again(seed: u64) -> (Ledger, u64) {
    let (mut shop, began, probe) = drilling(seed);
    let (end, ended_at) = (shop.forge.drill_end(began, probe), shop.forge.clock);
    shop.forge.submit(vec![end]);
    shop.forge.clock = ended_at + DRILL_PERIOD;
    shop.go_on();
    shop.forge.clock = ended_at + DRILL_PERIOD + 1;
    end_with(shop, put("price/1"))
}

fn late(seed: u64) -> (Ledger, u64) {
    let (mut shop, began, probe) = drilling(seed);
    shop.forge.clock = EPOCH + DRILL_PERIOD + 1;
    let end = shop.forge.drill_end(began, probe);
    end_with(shop, end)
}
