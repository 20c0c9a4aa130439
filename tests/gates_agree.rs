//! The ledger, the verifier and the text: three that must say the same of every row.
//!
//! Random people work on a real ledger under random policies. Whatever lands, a model that was written from the format's
//! text gives the same stamps, and both verifiers find nothing, and leave nothing out.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

#[path = "gates_agree/draws.rs"]
mod draws;
#[path = "gates_agree/market.rs"]
mod market;
#[path = "gates_agree/offices.rs"]
mod offices;

use counterfoil_format::landing::Reason;
use counterfoil_format::row::Row;
use counterfoil_tests::gate_model::{Stamp, stamps};
use counterfoil_tests::rng::Rng;
use counterfoil_verifier::{CheckId, Options, Status, Verdict, verify, verify_sequential};
use market::{Market, ROOT};
use std::collections::BTreeMap;
use std::path::Path;

/// The stamps are those of the model.
fn check_stamps(market: &Market) {
    let stored = market.rows();
    let rows: Vec<Row<'_>> = stored.iter().map(|row| row.parse().unwrap()).collect();
    for (row, expected) in rows.iter().skip(1).zip(stamps(&rows)) {
        let landing = &row.landing;
        let stamped = Stamp {
            outcome: landing.outcome,
            reasons: landing.reasons.clone(),
            reversibility: landing.reversibility,
            policy_row: landing.policy_row,
            kill_switch_row: landing.kill_switch_row,
        };
        assert_eq!(stamped, expected, "row {} by {}: {:?}", landing.seq, row.head.kind, row.head);
    }
}

/// Both verifiers are content, and have looked at everything.
fn check_verdict(market: &Market) {
    let dir = tempfile::tempdir().unwrap();
    market.fs.export(Path::new(ROOT), dir.path());
    let options = Options { threads: Some(2), ..Options::default() };
    let report = verify(dir.path(), &options, &|_, _| {}).unwrap();
    assert_eq!(report, verify_sequential(dir.path(), &options, &|_, _| {}).unwrap());
    assert_eq!(report.verdict, Verdict::Intact, "{:#?}", report.findings);
    for check in [CheckId::V09, CheckId::V14, CheckId::V15, CheckId::V17, CheckId::V18, CheckId::V23] {
        let found = &report.checks[&check];
        assert_eq!(found.status, Status::Passed, "{}: {}", check.name(), found.detail);
    }
}

#[test]
fn ledger_verifier_and_text_agree_on_every_row() {
    let rounds: u64 = std::env::var("COUNTERFOIL_ROUNDS").map_or(12, |rounds| rounds.parse().unwrap());
    let mut rng = Rng::of_this_run();
    let mut tally: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..rounds {
        let mut market = Market::new(Rng::new(rng.number()));
        (0..120).for_each(|_| market.step());
        check_stamps(&market);
        check_verdict(&market);
        market.tally.iter().for_each(|(what, times)| *tally.entry(what.clone()).or_default() += times);
    }
    println!("{tally:#?}");
    for what in
        Reason::ALL.iter().map(|reason| reason.name()).chain(["approval applied", "drill ended applied"])
    {
        assert!(tally.get(what).is_some_and(|times| *times > 0), "{what} never came up");
    }
}
