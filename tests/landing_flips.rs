//! What a ledger stamps on a row follows from the log, all of it: one stamped fact that is another is found, whatever it is.
//!
//! Ledgers are grown at random under a policy that asks for everything; one row in them is stamped with something else than
//! what follows, under valid hashes and signatures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::body::{ReviewVerdict, SwitchAct};
use counterfoil_format::landing::{Landing, Outcome, Reason, Reversibility};
use counterfoil_format::value::Value;
use counterfoil_tests::draft::Draft;
use counterfoil_tests::judge::judge;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::strict::{Strict, reading};
use counterfoil_verifier::{CheckId, Verdict};

/// An honest row, with whatever honest rows it needs before it.
fn draft(shop: &mut Strict, rng: &mut Rng) -> Draft {
    match rng.below(10) {
        0..4 => {
            let reason = Reason::ALL[rng.place(Reason::ALL.len())];
            shop.stopped_by(reason)
        }
        4 => shop.scale(1 + rng.below(30).cast_signed()),
        5 => shop.forge.switch(SwitchAct::Release, false),
        6 => reading("ctr", rng.below(900).into()),
        7 => Draft::decision("stock.sell").subject("sku-2", None).add("stock/sku-2", -1),
        8 => Draft::decision("price.set").put("price/1", &Value::Int(rng.below(9).cast_signed())).dry_run(),
        _ => waiting(shop).unwrap_or_else(|| Draft::decision("price.set").add("changes", 1)),
    }
}

/// The approval or rejection of the last row that waits for one.
fn waiting(shop: &Strict) -> Option<Draft> {
    let governance = shop.forge.governance.as_ref().unwrap();
    let row = (0..shop.forge.next_seq)
        .rev()
        .find(|row| shop.forge.is_put_aside(*row) && governance.reviewed_by(*row).is_none())?;
    let verdict = if row.is_multiple_of(3) { ReviewVerdict::Reject } else { ReviewVerdict::Approve };
    Some(shop.forge.review(row, verdict))
}

/// Stamps something else.
fn flip(landing: &mut Landing, rng: &mut Rng) {
    let honest = landing.clone();
    while *landing == honest {
        let reason = Reason::ALL[rng.place(Reason::ALL.len())];
        match rng.below(6) {
            0 => landing.outcome = Outcome::ALL[rng.place(3)],
            1 => {
                landing.reasons.push(reason);
                landing.reasons.sort_unstable();
                landing.reasons.dedup();
            }
            2 => landing.reasons.retain(|kept| *kept != reason),
            3 => {
                let until = landing.landed_at + 1 + rng.below(9).cast_signed();
                let all = [
                    Reversibility::Exact,
                    Reversibility::Declared,
                    Reversibility::Window(until),
                    Reversibility::Compensating,
                    Reversibility::Never,
                ];
                landing.reversibility = all[rng.place(all.len())];
            }
            4 => landing.policy_row = rng.below(landing.seq),
            _ => landing.kill_switch_row = rng.below(landing.seq),
        }
    }
}

#[test]
fn one_stamped_fact_that_is_another_is_found() {
    let rounds: u64 = std::env::var("COUNTERFOIL_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    let mut rng = Rng::of_this_run();
    for _ in 0..rounds {
        let (seed, steps, behind) = (rng.number(), rng.below(12), rng.below(6));
        for flipped in [false, true] {
            let (mut shop, mut rng) = (Strict::new(seed), Rng::new(seed));
            for _ in 0..steps {
                let draft = draft(&mut shop, &mut rng);
                shop.forge.submit(vec![draft]);
            }
            let (mut fault, mut flips) = (draft(&mut shop, &mut rng), Rng::new(seed));
            let row = shop.forge.next_seq;
            if flipped {
                fault = fault.landing(move |landing| flip(landing, &mut flips));
            }
            shop.forge.submit(vec![fault]);
            if !flipped {
                for _ in 0..behind {
                    let draft = draft(&mut shop, &mut rng);
                    shop.forge.submit(vec![draft]);
                }
            }
            let report = judge(&shop.forge.finish());
            let expected = if flipped { Verdict::Findings } else { Verdict::Intact };
            assert_eq!(report.verdict, expected, "seed {seed}, row {row}: {:#?}", report.findings);
            let found = report.findings.iter().any(|finding| {
                finding.row == Some(row) && matches!(finding.check, CheckId::V14 | CheckId::V18)
            });
            assert_eq!(found, flipped, "seed {seed}, row {row}: {:#?}", report.findings);
        }
    }
}
