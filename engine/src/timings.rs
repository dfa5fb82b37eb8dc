//! Durations, counted into fixed buckets: what a collection tells about its syncs and builds. Counting takes no lock and no memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper ends of the buckets, in microseconds: a duration counts where it is at most that; longer ones count in a last bucket.
pub const BOUNDS_MICROS: [u64; 18] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    10_000_000,
    60_000_000,
    600_000_000,
    3_600_000_000,
];

/// Durations by how long they were.
#[derive(Debug, Default)]
pub struct Durations {
    counts: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

/// What was counted up to a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Durations in each bucket; the last one holds those above every bound.
    pub counts: [u64; BOUNDS_MICROS.len() + 1],
    /// All of them, added up.
    pub sum_micros: u64,
}

impl Durations {
    /// Counts one.
    pub fn count(&self, micros: u64) {
        let bucket = BOUNDS_MICROS.iter().take_while(|bound| **bound < micros).count();
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Reads what was counted; durations that are counted meanwhile may be in part of it.
    #[must_use]
    pub fn read(&self) -> Counted {
        let mut counted = Counted { sum_micros: self.sum_micros.load(Ordering::Relaxed), ..Counted::default() };
        counted.counts.iter_mut().zip(&self.counts).for_each(|(to, from)| *to = from.load(Ordering::Relaxed));
        counted
    }
}

impl Counted {
    /// Gives how many durations were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What a collection did since it was opened, and how long it took.
#[derive(Debug, Default)]
pub struct Timings {
    /// Syncs of the log that writes waited for.
    pub syncs: Durations,
    /// Graphs and lists that were built, one each.
    pub builds: Durations,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_holds_it() {
        let durations = Durations::default();
        for micros in [0, 100, 101, 3_600_000_000, 3_600_000_001] {
            durations.count(micros);
        }
        let counted = durations.read();
        let last = BOUNDS_MICROS.len();
        assert_eq!((counted.counts[0], counted.counts[1], counted.counts[last - 1], counted.counts[last]), (2, 1, 1, 1));
        assert_eq!((counted.total(), counted.sum_micros), (5, 7_200_000_202));
    }

    #[test]
    fn the_bounds_rise() {
        assert!(BOUNDS_MICROS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
