//! Calibrations: which readings they look at, and the quantile by the nearest rank.

#![allow(clippy::unwrap_used, reason = "a test")]

use counterfoil_format::body::Calibration;
use counterfoil_format::value::Decimal;
use counterfoil_rules::calibration::{CalibrationFault, Sample, check_calibration};

fn cents(mantissa: i128) -> Decimal {
    Decimal { mantissa, scale: 2 }
}

/// Readings of two metrics and two actions, one each row from 4 on, landed at ten times the row's number.
const READINGS: [(&str, &str, i128); 8] = [
    ("ctr", "a", 500),
    ("ctr", "b", 100),
    ("cpc", "a", 900),
    ("ctr", "a", 300),
    ("ctr", "", 200),
    ("cpc", "b", 50),
    ("ctr", "a", 400),
    ("ctr", "b", 300),
];

fn samples() -> impl Iterator<Item = Sample<'static>> {
    (4..).zip(READINGS).map(|(row, (metric, action, value))| Sample {
        row,
        landed_at: 10 * row.cast_signed(),
        metric,
        action,
        value: cents(value),
    })
}

fn whole() -> Calibration<'static> {
    Calibration {
        metric: "ctr",
        action: "",
        from: 0,
        upto: 12,
        quantile: 500_000,
        rows: vec![4, 5, 7, 8, 10, 11],
        threshold: Decimal { mantissa: 3, scale: 0 },
    }
}

fn check(calibration: &Calibration<'_>) -> Result<(), CalibrationFault> {
    check_calibration(calibration, samples(), 12)
}

#[test]
fn all_readings_that_fit_are_named_and_no_other() {
    assert_eq!(check(&whole()), Ok(()));
    let rows = |rows: &[u64]| check(&Calibration { rows: rows.to_vec(), ..whole() });
    assert_eq!(rows(&[4, 5, 7, 8, 10]), Err(CalibrationFault::LeftOut(11)));
    assert_eq!(rows(&[5, 7, 8, 10, 11]), Err(CalibrationFault::LeftOut(4)));
    assert_eq!(rows(&[4, 5, 8, 10, 11]), Err(CalibrationFault::LeftOut(7)));
    assert_eq!(rows(&[4, 5, 6, 7, 8, 10, 11]), Err(CalibrationFault::NotOne(6)));
    assert_eq!(rows(&[3, 4, 5, 7, 8, 10, 11]), Err(CalibrationFault::NotOne(3)));
    assert_eq!(rows(&[4, 5, 7, 8, 10, 11, 12]), Err(CalibrationFault::NotOne(12)));
}

#[test]
fn action_window_and_upto_bound_what_fits() {
    let with = |action, from, upto, rows: &[u64], threshold| {
        let threshold = Decimal { mantissa: threshold, scale: 0 };
        check(&Calibration { action, from, upto, rows: rows.to_vec(), threshold, ..whole() })
    };
    assert_eq!(with("a", 0, 12, &[4, 7, 10], 4), Ok(()));
    assert_eq!(with("b", 0, 12, &[5, 11], 1), Ok(()));
    // A reading that lands at `from` fits; one in row `upto` does not.
    assert_eq!(with("", 70, 12, &[7, 8, 10, 11], 3), Ok(()));
    assert_eq!(with("", 71, 12, &[7, 8, 10, 11], 3), Err(CalibrationFault::NotOne(7)));
    assert_eq!(with("", 71, 12, &[8, 10, 11], 3), Ok(()));
    assert_eq!(with("", 0, 11, &[4, 5, 7, 8, 10], 3), Ok(()));
    assert_eq!(with("", 0, 10, &[4, 5, 7, 8], 2), Ok(()));
    assert_eq!(with("", 0, 10, &[4, 5, 7, 8, 10], 3), Err(CalibrationFault::NotOne(10)));
    assert_eq!(with("", 0, 13, &whole().rows, 3), Err(CalibrationFault::Ahead { upto: 13, rows: 12 }));
}

#[test]
fn the_threshold_is_the_value_at_the_nearest_rank() {
    // 1.00, 2.00, 3.00, 3.00, 4.00, 5.00
    let by_quantile = [
        (0, 1),
        (1, 1),
        (166_666, 1),
        (166_667, 2),
        (333_333, 2),
        (333_334, 3),
        (666_666, 3),
        (666_667, 4),
        (833_333, 4),
        (833_334, 5),
        (1_000_000, 5),
    ];
    for (quantile, computed) in by_quantile {
        for stated in 1..=5 {
            let threshold = Decimal { mantissa: stated, scale: 0 };
            let told = check(&Calibration { quantile, threshold, ..whole() });
            let computed = Decimal { mantissa: computed, scale: 0 };
            match threshold == computed {
                true => assert_eq!(told, Ok(()), "{quantile}"),
                false => assert_eq!(told, Err(CalibrationFault::Threshold { stated: threshold, computed })),
            }
        }
    }
    // It has no zeros at the end behind the point.
    let stated = cents(300);
    let computed = Decimal { mantissa: 3, scale: 0 };
    let told = check(&Calibration { threshold: stated, ..whole() });
    assert_eq!(told, Err(CalibrationFault::Threshold { stated, computed }));
}
