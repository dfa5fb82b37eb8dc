//! A list that one writer appends to while any number of readers index it, without locks: buckets of doubling size, filled in order.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Slots of the first bucket, as a power of two.
const FIRST_BITS: usize = 6;
/// Buckets; together they hold more records than a log can have between two segments.
const BUCKETS: usize = 26;

/// The list; items never move and are never removed.
#[derive(Debug)]
pub struct AppendList<T> {
    buckets: [OnceLock<Box<[OnceLock<T>]>>; BUCKETS],
    len: AtomicUsize,
}

/// Gives the bucket of an index and the slot in it.
fn place(index: usize) -> (usize, usize) {
    let shifted = index + (1 << FIRST_BITS);
    let bits = (usize::BITS - 1 - shifted.leading_zeros()) as usize;
    (bits - FIRST_BITS, shifted - (1 << bits))
}

impl<T> AppendList<T> {
    /// Starts empty.
    pub fn new() -> Self {
        AppendList { buckets: [const { OnceLock::new() }; BUCKETS], len: AtomicUsize::new(0) }
    }

    /// Gives the number of items.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Adds an item at the end.
    ///
    /// # Panics
    /// When two threads append at once.
    pub fn push(&self, item: T) {
        let index = self.len();
        let (bucket, slot) = place(index);
        let slots = self.buckets[bucket].get_or_init(|| (0..1 << (FIRST_BITS + bucket)).map(|_| OnceLock::new()).collect());
        assert!(slots[slot].set(item).is_ok(), "only one writer appends");
        self.len.store(index + 1, Ordering::Release);
    }

    /// Gives an item.
    pub fn get(&self, index: usize) -> Option<&T> {
        if index >= self.len() {
            return None;
        }
        let (bucket, slot) = place(index);
        self.buckets[bucket].get()?[slot].get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_where_they_were_put() {
        let list = AppendList::new();
        for value in 0..10_000 {
            list.push(value);
        }
        assert_eq!(list.len(), 10_000);
        assert!((0..10_000).all(|index| list.get(index) == Some(&index)));
        assert_eq!(list.get(10_000), None);
    }
}
