//! Counting without locks: a histogram of plain atomics, cheap enough for every request and every commit.
//! Not here: how it is shown; see `http::metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of durations, in microseconds: dense where a check-out should be, up to the time limit of a request.
const MICROS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 15_000_000,
];
/// Upper bounds of how many.
const NUMBERS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// How often a value fell between two bounds, and the sum of all.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// How many units of a value make one of what is shown: a million for microseconds shown as seconds. Divided by, so
    /// that a bound reads 0.0001 and not 0.00009999999999999999.
    divisor: f64,
    /// One more than bounds: the last is what is above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram at one moment, in the unit it is shown in.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub sum: f64,
    pub count: u64,
    /// Upper bound and how many fell at or below it but above the one before; the last bound is `f64::INFINITY`.
    pub buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// Of durations; shown in seconds.
    pub fn of_durations() -> Self {
        Self::new(MICROS, 1e6)
    }

    /// Of numbers of things, up to a thousand.
    pub fn of_numbers() -> Self {
        Self::new(NUMBERS, 1.0)
    }

    fn new(bounds: &'static [u64], divisor: f64) -> Self {
        Self {
            bounds,
            divisor,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Counts a duration.
    pub fn observe(&self, took: Duration) {
        self.count(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a value in the histogram's own unit.
    pub fn count(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// What was counted so far. Others go on counting meanwhile, so the sum may be a moment ahead of the buckets.
    pub fn snapshot(&self) -> Snapshot {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / self.divisor);
        Snapshot {
            sum: self.sum.load(Ordering::Relaxed) as f64 / self.divisor,
            count: counts.iter().sum(),
            buckets: bounds.chain([f64::INFINITY]).zip(counts).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_at_or_below_its_bound() {
        let times = Histogram::of_durations();
        for micros in [0, 100, 101, 250, 15_000_001] {
            times.observe(Duration::from_micros(micros));
        }
        let seen = times.snapshot();
        assert_eq!((seen.count, seen.buckets.len()), (5, MICROS.len() + 1));
        assert_eq!((seen.buckets[0].1, seen.buckets[1].1), (2, 2));
        assert_eq!(seen.buckets.last(), Some(&(f64::INFINITY, 1)));
        assert!((seen.sum - 15.000_452).abs() < 1e-9);
        assert!((seen.buckets[0].0 - 0.0001).abs() < 1e-12);
    }

    #[test]
    fn a_number_is_shown_as_it_is() {
        let jobs = Histogram::of_numbers();
        jobs.count(3);
        jobs.count(5_000);
        let seen = jobs.snapshot();
        assert_eq!((seen.sum, seen.count), (5_003.0, 2));
        assert_eq!(seen.buckets[2], (4.0, 1));
    }
}
