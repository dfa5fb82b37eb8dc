//! Which nodes a walk has seen: one bit a node, so that the set of a large graph still fits the cache.

/// A set of nodes that is cleared at the cost of what was in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Visited {
    /// Empties the set and makes room for nodes below `count`.
    pub(crate) fn reset(&mut self, count: usize) {
        if self.touched.len() * 16 > self.words.len() {
            self.words.fill(0);
        } else {
            for node in &self.touched {
                self.words[(*node / 64) as usize] = 0;
            }
        }
        self.touched.clear();
        self.words.resize(count.div_ceil(64), 0);
    }

    /// Adds to `fresh` those of `nodes` that were not in the set, and to the set. All are below the count
    /// given to `reset`.
    ///
    /// Whether a node is fresh is close to a coin toss, so the loop has no branch on it.
    #[inline]
    pub(crate) fn take_fresh(&mut self, nodes: impl Iterator<Item = u32>, room: usize, fresh: &mut Vec<u32>) {
        fresh.clear();
        fresh.resize(room, 0);
        let mut count = 0;
        for node in nodes {
            let word = &mut self.words[(node / 64) as usize];
            let bit = node % 64;
            fresh[count] = node;
            count += usize::from(*word >> bit & 1 == 0);
            *word |= 1 << bit;
        }
        fresh.truncate(count);
        self.touched.extend_from_slice(fresh);
    }

    /// Writes those of `nodes` that were not in the set to the front of `fresh`, adds them to the set, and gives their number. `fresh`
    /// has a place more than there are nodes.
    #[inline(always)]
    pub(crate) fn take_fresh_into(&mut self, nodes: impl Iterator<Item = u32>, fresh: &mut [u32]) -> usize {
        let mut count = 0;
        for node in nodes {
            let word = &mut self.words[(node / 64) as usize];
            let bit = node % 64;
            fresh[count] = node;
            count += usize::from(*word >> bit & 1 == 0);
            *word |= 1 << bit;
        }
        self.touched.extend_from_slice(&fresh[..count]);
        count
    }

    /// Adds one node.
    pub(crate) fn insert(&mut self, node: u32) {
        self.words[(node / 64) as usize] |= 1 << (node % 64);
        self.touched.push(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_forgets_everything_at_any_fill() {
        let mut visited = Visited::default();
        for (count, step) in [(10_000, 1), (10_000, 997), (100, 3), (0, 1), (500, 7)] {
            visited.reset(count);
            assert_eq!(visited.touched.len(), 0);
            let nodes: Vec<u32> = (0..count as u32).step_by(step).collect();
            let mut fresh = Vec::new();
            let twice = nodes.iter().flat_map(|node| [*node, *node]);
            visited.take_fresh(twice, nodes.len() + 1, &mut fresh);
            assert_eq!(fresh, nodes);
            nodes.first().iter().for_each(|node| visited.insert(**node));
            visited.take_fresh(nodes.iter().copied(), 1, &mut fresh);
            assert!(fresh.is_empty());
        }
    }
}
