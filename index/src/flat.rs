//! Exact search: the product for few rows, and the oracle that every index is compared with.

mod ids;
mod scan;
mod top_k;

pub use ids::IdScan;
pub use scan::scan_codes;
pub use top_k::TopK;

use crate::metric::{Datatype, Metric};
use crate::simd::Kernels;
use std::cmp::Ordering;

/// A distance under IEEE total order, so that NaN sorts last instead of breaking the order.
#[derive(Clone, Copy, Debug)]
pub struct TotalF32(pub f32);

impl Ord for TotalF32 {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for TotalF32 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TotalF32 {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TotalF32 {}

impl From<f32> for TotalF32 {
    fn from(distance: f32) -> Self {
        TotalF32(distance)
    }
}

impl From<TotalF32> for f32 {
    fn from(distance: TotalF32) -> Self {
        distance.0
    }
}

/// Rows that one kernel call scores: enough to hide the call, few enough to stay on the stack.
const BATCH: usize = 64;

/// The exact `k` nearest rows, as (distance, key), nearest first; ties go to the smaller key.
///
/// # Panics
///
/// When a row does not hold `query.len()` dimensions of `datatype`.
#[must_use]
pub fn search<'a, K: Ord + Copy>(
    kernels: &Kernels,
    metric: Metric,
    datatype: Datatype,
    query: &[f32],
    rows: impl Iterator<Item = (K, &'a [u8])>,
    k: usize,
) -> Vec<(f32, K)> {
    let mut top: TopK<K> = TopK::new(k);
    let mut keys = Vec::with_capacity(BATCH);
    let mut batch: Vec<&[u8]> = Vec::with_capacity(BATCH);
    let mut distances = [0.0; BATCH];
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        keys.clear();
        batch.clear();
        for (key, row) in rows.by_ref().take(BATCH) {
            keys.push(key);
            batch.push(row);
        }
        let out = &mut distances[..batch.len()];
        kernels.distance_many(metric, datatype, query, &batch, out);
        for (distance, key) in out.iter().zip(&keys) {
            top.push(*distance, *key);
        }
    }
    top.into_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_for_nothing_or_for_more_than_there_is_works() {
        let rows: Vec<[u8; 3]> = (0..5).map(|i| [i, 0, 0]).collect();
        let keyed = || rows.iter().enumerate().map(|(key, row)| (key as u32, row.as_slice()));
        let kernels = Kernels::detect();
        let query = [4.0, 0.0, 0.0];
        assert!(search(kernels, Metric::L2, Datatype::U8, &query, keyed(), 0).is_empty());
        let all = search(kernels, Metric::L2, Datatype::U8, &query, keyed(), usize::MAX);
        assert_eq!(all, vec![(0.0, 4), (1.0, 3), (4.0, 2), (9.0, 1), (16.0, 0)]);
    }

    #[test]
    fn exact_search_agrees_with_sorting_everything() {
        let rows: Vec<[u8; 2]> = (0..200_u32).map(|i| [(i * 37 % 251) as u8, (i * 91 % 241) as u8]).collect();
        let query = [100.0, 50.0];
        for kernels in Kernels::available() {
            let keyed = rows.iter().enumerate().map(|(key, row)| (key as u32, row.as_slice()));
            let found = search(kernels, Metric::Manhattan, Datatype::U8, &query, keyed, 10);
            let mut wanted: Vec<(f32, u32)> = rows
                .iter()
                .zip(0..)
                .map(|(row, key)| ((f32::from(row[0]) - 100.0).abs() + (f32::from(row[1]) - 50.0).abs(), key))
                .collect();
            wanted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            wanted.truncate(10);
            assert_eq!(found, wanted, "{}", kernels.name());
        }
    }
}
