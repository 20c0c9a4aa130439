//! How the benchmarks of Counterfoil measure: rounds of two things in turn, medians, ratios.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that fails may panic"
)]

use std::time::Instant;

/// Seconds that work takes.
pub fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// The median of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Two things measured in turn.
#[derive(Debug, Default)]
pub struct Pair {
    ours: Vec<f64>,
    reference: Vec<f64>,
}

impl Pair {
    /// Measures both, in turn, for some rounds; each yields a rate.
    pub fn measure(rounds: usize, mut ours: impl FnMut() -> f64, mut reference: impl FnMut() -> f64) -> Self {
        let mut pair = Pair::default();
        for _ in 0..rounds {
            pair.ours.push(ours());
            pair.reference.push(reference());
        }
        pair
    }

    /// The median of our rate.
    pub fn rate(&self) -> f64 {
        median(self.ours.clone())
    }

    /// The median of the reference's rate.
    pub fn reference(&self) -> f64 {
        median(self.reference.clone())
    }

    /// The median of the rounds' ratios, ours to the reference.
    pub fn ratio(&self) -> f64 {
        median(self.ours.iter().zip(&self.reference).map(|(ours, reference)| ours / reference).collect())
    }
}

/// The processor's name and how many of them there are.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores", name.trim_start_matches([':', ' ', '\t']))
}

/// The most memory this process has had resident so far, in MiB.
pub fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib =
        peak.and_then(|peak| peak.trim().strip_suffix(" kB")).and_then(|kib| kib.trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
