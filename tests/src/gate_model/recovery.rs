//! How reversible a row must be, and whether its class is proven: sections 20 and 21 of the format.

use super::{Said, reversibility};
use counterfoil_format::body::Body;
use counterfoil_format::landing::{Reason, Reversibility};
use counterfoil_format::policy::{ActionRule, Reach};

/// The reasons that follow from the class of a row.
pub(super) fn reasons(before: &[Said<'_>], rule: Option<&ActionRule<'_>>, row: &Said<'_>) -> Vec<Reason> {
    let (number, name) = match reversibility(row) {
        Reversibility::Exact => (0, "exact"),
        Reversibility::Declared => (1, "declared"),
        Reversibility::Window(_) => (2, "window"),
        Reversibility::Compensating => (3, "compensating"),
        Reversibility::Never => (4, "none"),
    };
    let Some(rule) = rule else { return Vec::new() };
    let irreversible = rule.reach != Reach::Never && number > rule.reach as u8;
    let unproven = rule.proven.is_some_and(|within| match newest(before, &format!("drill/{name}")) {
        Some((landed_at, passed)) => !passed || landed_at < row.row.landing.landed_at - within,
        None => true,
    });
    let held = [(irreversible, Reason::Irreversible), (unproven, Reason::Unproven)];
    held.into_iter().filter_map(|(holds, reason)| holds.then_some(reason)).collect()
}

/// When the newest drill landed, and whether it passed.
fn newest(before: &[Said<'_>], metric: &str) -> Option<(i64, bool)> {
    before.iter().rev().filter(|it| it.applied()).find_map(|it| match &it.body {
        Some(Body::Evidence(reading)) if reading.metric == metric => {
            Some((it.row.landing.landed_at, reading.value.mantissa == 1))
        }
        _ => None,
    })
}
