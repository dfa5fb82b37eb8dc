//! Which nodes a walk has seen: one bit a node, so that the set of a large graph still fits the cache.

/// A set of nodes that is cleared at the cost of what was in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Visited {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Visited {
    /// Empties the set and makes room for nodes below `count`.
    pub(super) fn reset(&mut self, count: usize) {
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

    /// Adds `node`; true when it was not there. The node is below the count given to `reset`.
    #[inline]
    pub(super) fn insert(&mut self, node: u32) -> bool {
        let word = &mut self.words[(node / 64) as usize];
        let bit = 1 << (node % 64);
        let fresh = *word & bit == 0;
        *word |= bit;
        if fresh {
            self.touched.push(node);
        }
        fresh
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
            for node in (0..count as u32).step_by(step) {
                assert!(visited.insert(node));
                assert!(!visited.insert(node));
            }
            assert_eq!(visited.touched.len(), count.div_ceil(step));
        }
    }
}
