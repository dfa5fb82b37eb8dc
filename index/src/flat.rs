//! Exact search: the product for few rows, and the oracle that every index is compared with.

mod ids;
mod scan;

pub use ids::IdScan;
pub use scan::scan_codes;

use crate::metric::{Datatype, Metric};
use crate::simd::Kernels;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

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

/// Keeps the `k` nearest of what it is offered; equal distances are decided by the smaller key, so
/// the result does not depend on the order of the offers.
#[derive(Clone, Debug)]
pub struct TopK<K, D = TotalF32> {
    k: usize,
    heap: BinaryHeap<(D, K)>,
}

impl<K: Ord + Copy, D: Ord + Copy> TopK<K, D> {
    /// A collector of the `k` nearest.
    #[must_use]
    pub fn new(k: usize) -> Self {
        // A hostile k must not allocate: the heap grows with what really comes.
        TopK { k, heap: BinaryHeap::with_capacity(k.min(1024)) }
    }

    /// Offers one row.
    pub fn push(&mut self, distance: impl Into<D>, key: K) {
        self.offer(distance, key);
    }

    /// Offers one row; says whether it is among the nearest so far.
    pub fn offer(&mut self, distance: impl Into<D>, key: K) -> bool {
        let entry = (distance.into(), key);
        if self.heap.len() < self.k {
            self.heap.push(entry);
            return true;
        }
        match self.heap.peek_mut() {
            Some(mut worst) if entry < *worst => {
                *worst = entry;
                true
            }
            _ => false,
        }
    }

    /// The distance that a row has to beat, once `k` rows are held.
    #[must_use]
    pub fn worst(&self) -> Option<D> {
        (self.heap.len() >= self.k).then(|| self.heap.peek().map(|(distance, _)| *distance)).flatten()
    }

    /// Number of rows held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True when nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// What was kept, nearest first.
    #[must_use]
    pub fn into_sorted<R: From<D>>(self) -> Vec<(R, K)> {
        self.heap.into_sorted_vec().into_iter().map(|(distance, key)| (R::from(distance), key)).collect()
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
    fn the_nearest_are_kept_whatever_the_order_of_the_offers() {
        let offers = [(3.0, 7_u64), (1.0, 9), (1.0, 2), (2.0, 5), (f32::NAN, 0)];
        for turn in 0..offers.len() {
            let mut top: TopK<u64> = TopK::new(3);
            for step in 0..offers.len() {
                let (distance, key) = offers[(turn + step) % offers.len()];
                top.push(distance, key);
            }
            assert_eq!(top.into_sorted::<f32>(), vec![(1.0, 2), (1.0, 9), (2.0, 5)]);
        }
    }

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
