//! The rows of a segment that a search may answer with, in the forms that scans and walks read.

use std::borrow::Cow;
use std::sync::OnceLock;

use index::Bitmap;

use super::vectors::Nodes;

/// Lists of more rows than this are made anew for each search instead of kept.
const LIST_KEPT_MAX: u32 = 1 << 17;
/// So are lists of most rows: those are walked, not listed.
const LIST_KEPT_SHARE: u32 = 2;

/// A set of rows, each of which has a part, lives for the version that is read, and passes what was asked for.
#[derive(Debug)]
pub struct Accepted {
    rows: Bitmap,
    count: u32,
    list: OnceLock<Vec<u32>>,
    /// The same by node, where not every row is one.
    nodes: OnceLock<Box<Accepted>>,
}

impl Accepted {
    /// Takes a set of rows.
    #[must_use]
    pub fn new(rows: Bitmap) -> Self {
        let count = rows.count();
        Accepted { rows, count, list: OnceLock::new(), nodes: OnceLock::new() }
    }

    /// Gives the number of rows in the set.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Gives the set.
    #[must_use]
    pub fn rows(&self) -> &Bitmap {
        &self.rows
    }

    /// Gives the rows, ascending.
    #[must_use]
    pub fn list(&self) -> Cow<'_, [u32]> {
        if !self.keeps_list() {
            return Cow::Owned(self.rows.iter().collect());
        }
        Cow::Borrowed(self.list.get_or_init(|| {
            let mut list = Vec::with_capacity(self.count as usize);
            list.extend(self.rows.iter());
            list
        }))
    }

    fn keeps_list(&self) -> bool {
        self.count <= LIST_KEPT_MAX.min(self.rows.len() / LIST_KEPT_SHARE)
    }

    /// Gives the same set of the nodes that the rows are; rows that are no nodes are left out.
    #[must_use]
    pub(super) fn of_nodes(&self, nodes: &Nodes) -> &Accepted {
        if nodes.are_rows() && nodes.count() == self.rows.len() {
            return self;
        }
        self.nodes.get_or_init(|| {
            let mut set = Bitmap::new(nodes.count());
            (0..nodes.count()).filter(|&node| self.rows.get(nodes.row(node))).for_each(|node| set.set(node, true));
            Box::new(Accepted::new(set))
        })
    }

    /// Gives the bytes that the set takes with its list.
    #[must_use]
    pub fn memory_bytes_max(&self) -> u64 {
        let list = if self.keeps_list() { u64::from(self.count) * 4 } else { 0 };
        u64::from(self.rows.len() / 8) + list + self.nodes.get().map_or(0, |nodes| nodes.memory_bytes_max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lists_are_kept_and_long_ones_made_anew() {
        let every = |len: u32, step: usize| {
            let mut rows = Bitmap::new(len);
            (0..len).step_by(step).for_each(|row| rows.set(row, true));
            Accepted::new(rows)
        };
        let few = every(1000, 4);
        assert!(matches!(few.list(), Cow::Borrowed(list) if list.iter().copied().eq((0..1000).step_by(4))));
        assert_eq!(few.memory_bytes_max(), 125 + 250 * 4);
        for many in [every(1000, 1), every(3 * LIST_KEPT_MAX, 2)] {
            assert!(matches!(many.list(), Cow::Owned(list) if list.len() == many.count() as usize));
            assert_eq!(many.memory_bytes_max(), u64::from(many.rows().len() / 8));
        }
    }
}
