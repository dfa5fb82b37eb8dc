//! Keeping the nearest few of many.

use super::TotalF32;
use std::collections::BinaryHeap;

/// Up to so many are kept sorted: to move a few is less work than a heap.
const SORTED_MAX: usize = 32;

/// Keeps the `k` nearest of what it is offered; equal distances are decided by the smaller key, so
/// the result does not depend on the order of the offers.
#[derive(Clone, Debug)]
pub struct TopK<K, D = TotalF32> {
    k: usize,
    /// Nearest first; used for small `k`.
    sorted: Vec<(D, K)>,
    /// Used for large `k`.
    heap: BinaryHeap<(D, K)>,
}

impl<K: Ord + Copy, D: Ord + Copy> TopK<K, D> {
    /// A collector of the `k` nearest.
    #[must_use]
    pub fn new(k: usize) -> Self {
        // A hostile k must not allocate: the heap grows with what really comes.
        let (sorted, heap) = if k <= SORTED_MAX { (k, 0) } else { (0, k.min(1024)) };
        TopK { k, sorted: Vec::with_capacity(sorted), heap: BinaryHeap::with_capacity(heap) }
    }

    /// Offers one row.
    pub fn push(&mut self, distance: impl Into<D>, key: K) {
        self.offer(distance, key);
    }

    /// Offers one row; says whether it is among the nearest so far.
    pub fn offer(&mut self, distance: impl Into<D>, key: K) -> bool {
        let entry = (distance.into(), key);
        if self.k <= SORTED_MAX {
            return self.sort_in(entry);
        }
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

    fn sort_in(&mut self, entry: (D, K)) -> bool {
        if self.sorted.len() < self.k {
            self.sorted.push(entry);
        } else {
            match self.sorted.last_mut() {
                Some(worst) if entry < *worst => *worst = entry,
                _ => return false,
            }
        }
        let mut at = self.sorted.len() - 1;
        while at > 0 && self.sorted[at] < self.sorted[at - 1] {
            self.sorted.swap(at, at - 1);
            at -= 1;
        }
        true
    }

    /// The distance that a row has to beat, once `k` rows are held.
    #[must_use]
    pub fn worst(&self) -> Option<D> {
        let worst = if self.k <= SORTED_MAX { self.sorted.last() } else { self.heap.peek() };
        worst.filter(|_| self.len() >= self.k).map(|(distance, _)| *distance)
    }

    /// Number of rows held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len() + self.heap.len()
    }

    /// True when nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was kept, nearest first.
    #[must_use]
    pub fn into_sorted<R: From<D>>(self) -> Vec<(R, K)> {
        let sorted = if self.k <= SORTED_MAX { self.sorted } else { self.heap.into_sorted_vec() };
        sorted.into_iter().map(|(distance, key)| (R::from(distance), key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Stream;

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
    fn any_number_of_nearest_is_what_sorting_everything_gives() {
        let mut stream = Stream::new(31);
        for k in [0, 1, 2, SORTED_MAX - 1, SORTED_MAX, SORTED_MAX + 1, 100, 999, usize::MAX] {
            let offers: Vec<(i32, u64)> = (0..400).map(|key| (stream.next() as i8 as i32, key)).collect();
            let mut top: TopK<u64, i32> = TopK::new(k);
            let mut so_far = Vec::new();
            for &(distance, key) in &offers {
                so_far.push((distance, key));
                so_far.sort_unstable();
                so_far.truncate(k);
                assert_eq!(top.offer(distance, key), so_far.contains(&(distance, key)), "k {k}");
                assert_eq!(top.worst(), so_far.last().filter(|_| so_far.len() == k).map(|worst| worst.0), "k {k}");
                assert_eq!((top.len(), top.is_empty()), (so_far.len(), so_far.is_empty()));
            }
            assert_eq!(top.into_sorted::<i32>(), so_far, "k {k}");
        }
    }
}
