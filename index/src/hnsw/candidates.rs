//! The candidates of a walk: the nearest nodes seen so far, and which of them were expanded.

/// Distance, node and a flag in one number that sorts by distance, then node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64);

const EXPANDED: u64 = 1;

/// Longest pool whose keys are moved one by one.
const SHORT: usize = 128;

impl Key {
    #[inline(always)]
    pub(crate) fn new(distance: i32, node: u32) -> Self {
        // Flipping the sign bit makes the unsigned order the signed one. Nodes are below 2^31.
        let distance = u64::from(distance.cast_unsigned() ^ (1 << 31));
        Key(distance << 32 | u64::from(node) << 1)
    }

    #[inline(always)]
    pub(crate) fn distance(self) -> i32 {
        ((self.0 >> 32) as u32 ^ (1 << 31)).cast_signed()
    }

    /// The key as it was made, whatever became of its node.
    pub(crate) fn unexpanded(self) -> Self {
        Key(self.0 & !EXPANDED)
    }

    #[inline(always)]
    pub(crate) fn node(self) -> u32 {
        (self.0 as u32) >> 1
    }
}

/// The `ef` nearest nodes of a walk, sorted. For the sizes of a search, moving a few hundred bytes beats
/// the branches of a heap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    keys: Vec<Key>,
    ef: usize,
    /// Nothing before it is left to expand.
    cursor: usize,
}

impl Pool {
    /// Empties the pool; it will hold `ef` nodes at most.
    pub(crate) fn reset(&mut self, ef: usize) {
        self.keys.clear();
        self.ef = ef.max(1);
        self.cursor = 0;
    }

    /// Adds a node if it is among the nearest, and gives how many places behind the next to expand it is at most; 0 when it is the next.
    /// A node may be added once.
    #[inline(always)]
    pub(crate) fn insert(&mut self, key: Key) -> Option<usize> {
        if self.is_full_before(key) {
            return None;
        }
        if self.keys.len() < self.ef {
            self.keys.push(key);
        }
        let at = if self.ef <= SHORT { self.shift_in(key) } else { self.search_in(key) };
        let behind = at.saturating_sub(self.cursor);
        self.cursor = self.cursor.min(at);
        Some(behind)
    }

    /// Puts the key in its place and what is farther one place on; the last falls out. Steps from the end: of a short pool few keys move.
    #[inline(always)]
    fn shift_in(&mut self, key: Key) -> usize {
        let mut at = self.keys.len() - 1;
        while at > 0 && self.keys[at - 1] > key {
            self.keys[at] = self.keys[at - 1];
            at -= 1;
        }
        self.keys[at] = key;
        at
    }

    /// As [`Pool::shift_in`], for pools in which stepping takes longer than searching and moving.
    fn search_in(&mut self, key: Key) -> usize {
        let last = self.keys.len() - 1;
        let at = self.keys[..last].partition_point(|other| *other < key);
        self.keys.copy_within(at..last, at + 1);
        self.keys[at] = key;
        at
    }

    /// The nearest node that was not expanded yet, marked as expanded.
    #[inline(always)]
    pub(crate) fn expand(&mut self) -> Option<u32> {
        let node = self.peek()?;
        self.keys[self.cursor].0 |= EXPANDED;
        Some(node)
    }

    /// The node that `expand` would give.
    #[inline(always)]
    fn peek(&mut self) -> Option<u32> {
        while self.keys.get(self.cursor)?.0 & EXPANDED != 0 {
            self.cursor += 1;
        }
        Some(self.keys[self.cursor].node())
    }

    /// The first `count` nodes that `expand` would give if none were added.
    #[inline(always)]
    pub(crate) fn next(&self, count: usize) -> impl Iterator<Item = u32> {
        let left = self.keys.get(self.cursor..).unwrap_or_default().iter();
        left.filter(|key| key.0 & EXPANDED == 0).take(count).map(|key| key.node())
    }

    /// True when `ef` nodes are held and all are nearer than `key`.
    #[inline(always)]
    pub(crate) fn is_full_before(&self, key: Key) -> bool {
        self.keys.len() == self.ef && self.keys.last().is_some_and(|worst| *worst < key)
    }

    /// What is held, nearest first.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Stream;

    #[test]
    fn keys_sort_by_distance_then_node() {
        let mut pairs = vec![(i32::MIN, 5), (-1, 7), (0, 0), (0, (1 << 31) - 2), (1, 3), (i32::MAX, 1)];
        let keys: Vec<Key> = pairs.iter().map(|(distance, node)| Key::new(*distance, *node)).collect();
        assert!(keys.is_sorted());
        pairs.dedup();
        assert!(keys.iter().map(|key| (key.distance(), key.node())).eq(pairs));
    }

    #[test]
    fn the_pool_keeps_the_nearest_and_expands_each_once() {
        let mut stream = Stream::new(11);
        let mut pool = Pool::default();
        for ef in [1, 2, 17] {
            pool.reset(ef);
            let keys: Vec<Key> = (0..200).map(|node| Key::new(stream.next() as i8 as i32, node)).collect();
            let mut expanded = Vec::new();
            for key in &keys {
                pool.insert(*key);
                expanded.extend(pool.expand());
            }
            while let Some(node) = pool.expand() {
                expanded.push(node);
            }
            let mut wanted = keys.clone();
            wanted.sort();
            wanted.truncate(ef);
            let nodes = |keys: &[Key]| keys.iter().map(|key| key.node()).collect::<Vec<_>>();
            assert_eq!(nodes(pool.keys()), nodes(&wanted));
            assert!(wanted.iter().all(|key| expanded.contains(&key.node())));
            expanded.sort_unstable();
            assert!(expanded.windows(2).all(|pair| pair[0] != pair[1]), "expanded twice");
        }
    }
}
