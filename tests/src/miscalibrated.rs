//! Ledgers with calibrations that do not follow from the rows they name (V23): one fault each.

use crate::case::{Case, Expected};
use crate::draft::Draft;
use crate::forge::Forge;
use crate::output::Ledger;
use crate::strict::reading;
use counterfoil_format::body::{Body, Calibration};
use counterfoil_format::intent::Micros;
use counterfoil_format::value::{Decimal, Value};

/// What is done to an honest calibration, whose window begins at that time.
type Change = fn(&mut Calibration<'static>, Micros);

/// All of them.
pub fn miscalibrated() -> Vec<Case> {
    let cases: [(&str, &str, Change); 11] = [
        ("v23-threshold", "A threshold is another one than the quantile.", |it, _| {
            it.threshold.mantissa += 1
        }),
        ("v23-not-reduced", "A threshold has a zero at its end.", |it, _| {
            it.threshold = Decimal { mantissa: 20, scale: 1 };
        }),
        ("v23-other-rank", "A threshold is the one of the next rank.", |it, _| it.quantile = 666_667),
        ("v23-left-out", "A reading is left out that fits.", |it, _| it.rows.retain(|row| *row != 5)),
        ("v23-last-left-out", "The last reading is left out.", |it, _| it.rows.truncate(2)),
        ("v23-other-metric", "A reading of another metric is named.", |it, _| it.rows.insert(3, 7)),
        ("v23-no-reading", "A row is named that is no reading.", |it, _| it.rows.insert(0, 3)),
        ("v23-dry-run", "A reading is named that was a dry run.", |it, _| it.rows.push(8)),
        ("v23-too-early", "A reading is named that landed before the window.", |it, began| {
            it.from = began + 1
        }),
        ("v23-other-action", "Readings of any action are named, and one action alone.", |it, _| {
            it.action = "price.set";
        }),
        ("v23-ahead", "A calibration looks at rows that are not there yet.", |it, _| it.upto = 10),
    ];
    let forged = |(seed, (name, why, change))| {
        let (ledger, row) = calibrated(seed, change);
        Case::new(name, why, ledger, Expected::Findings(&["V23"])).at(row)
    };
    (800..).zip(cases).map(forged).collect()
}

/// Readings of 1.00, 2.00 and 3.00 in rows 4 to 6, one of another metric and a dry run; then the calibration in row 9.
fn calibrated(seed: u64, change: Change) -> (Ledger, u64) {
    let mut forge = Forge::new(seed);
    let began = forge.clock;
    forge.submit(vec![reading("ctr", 300), reading("ctr", 100), reading("ctr", 200)]);
    forge.submit(vec![reading("cpc", 200), reading("ctr", 200).dry_run()]);
    let mut calibration = Calibration {
        metric: "ctr",
        action: "",
        from: began,
        upto: 9,
        quantile: 666_666,
        rows: vec![4, 5, 6],
        threshold: Decimal { mantissa: 2, scale: 0 },
    };
    change(&mut calibration, began);
    let row = forge.next_seq;
    forge.submit(vec![Draft::body(&Body::Calibration(calibration))]);
    forge.submit(vec![Draft::decision("price.set").put("price/1", &Value::Int(5))]);
    (forge.finish(), row)
}
