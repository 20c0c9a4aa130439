//! Large honest ledgers for measuring: a shop that sets prices.
//!
//! Every decision is the reference row: live, with subject, actors, three pieces of evidence, one put of a map with
//! three fields, a reason of 60 bytes, and its rollback.

use crate::draft::{Draft, Group, Submission};
use crate::forge::Forge;
use crate::founding::Founding;
use crate::output::{Ledger, Sink};
use counterfoil_format::body::{Body, Reading};
use counterfoil_format::content::Evidence;
use counterfoil_format::value::{Decimal, Value};
use std::collections::BTreeMap;

/// What to make.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The seed of everything.
    pub seed: u64,
    /// How many decisions. The ledger has [`Sample::BEFORE`] rows before them.
    pub decisions: u64,
    /// Decisions in one submission, 1 to 4096.
    pub per_submission: usize,
    /// Submissions in one group.
    pub per_group: usize,
    /// How many different keys are put.
    pub keys: u64,
    /// A segment is closed when it has reached this many bytes.
    pub segment_bytes: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Sample {
            seed: 1,
            decisions: 1000,
            per_submission: 1000,
            per_group: 1,
            keys: 10_000,
            segment_bytes: 64 << 20,
        }
    }
}

const READINGS: u64 = 12;

impl Sample {
    /// Rows before the first decision: four to found the ledger, twelve readings.
    pub const BEFORE: u64 = 4 + READINGS;

    /// Makes the ledger, in memory or in a directory as it goes.
    pub fn write(&self, sink: Sink) -> Ledger {
        let founding = Founding { segment_bytes: self.segment_bytes, ..Founding::default() };
        let mut forge = Forge::founded(self.seed, founding, sink);
        forge.submit((0..READINGS).map(reading).collect());
        let mut left = self.decisions;
        while left > 0 {
            let mut submissions = Vec::new();
            while left > 0 && submissions.len() < self.per_group {
                let count = left.min(self.per_submission as u64);
                submissions
                    .push(Submission::new((0..count).map(|_| decision(&mut forge, self.keys)).collect()));
                left -= count;
            }
            forge.write(Group::new(submissions));
        }
        forge.finish()
    }
}

/// A ledger in memory with this many decisions in submissions of 1000.
pub fn sample(seed: u64, decisions: u64) -> Ledger {
    Sample { seed, decisions, ..Sample::default() }.write(Sink::memory())
}

fn reading(place: u64) -> Draft {
    let value = Decimal { mantissa: i128::from(place) * 25 + 1000, scale: 2 };
    Draft::body(&Body::Evidence(Reading { metric: "cost-per-order", value, source: "ads/daily" }))
}

/// The reference row.
pub fn decision(forge: &mut Forge, keys: u64) -> Draft {
    let entity = format!("sku-{:06}", forge.rng.below(keys));
    let cents = i64::try_from(forge.rng.below(10_000)).unwrap();
    let evidence = [0, 1, 2].map(|third| {
        let each = READINGS / 3;
        Evidence::Row(4 + third * each + forge.rng.below(each))
    });
    let price = Value::Map(BTreeMap::from([
        ("amount".to_owned(), Value::Decimal(Decimal { mantissa: i128::from(cents), scale: 2 })),
        ("cur".to_owned(), Value::Text("EUR".to_owned())),
        ("vat".to_owned(), Value::Int(19)),
    ]));
    Draft::decision("price.set")
        .subject(&entity, None)
        .actors("planner", "judge", 780_000, "agent")
        .evidence(&evidence)
        .put(&format!("price/{entity}"), &price)
        .reason("demand fell for three days while the cost per order rose 4 %")
}
