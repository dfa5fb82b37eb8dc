//! The walk: from the entry down to the neighbours of a query.

use super::candidates::{Key, Pool};
use super::filtered::Buffers;
use super::layout::GraphView;
use super::visited::Visited;
use crate::codes::{CodeQuery, CodesView};
use crate::simd::{Kernels, prefetch};

/// Nodes expanded at once: the second one's list and rows are on their way while the first one's are
/// scored. Two give a little more recall at small `ef` and a few percent more speed than one; three lose.
const STEP: usize = 2;

type Step = [Option<u32>; STEP];

/// Memory that searches reuse. One a thread; any graph.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    visited: Visited,
    pool: Pool,
    ids: Vec<u32>,
    distances: Vec<i32>,
    found: Vec<(i32, u32)>,
    pub(super) visits: usize,
    pub(super) filtered: Buffers,
}

impl Scratch {
    /// Distances that the last search computed.
    #[must_use]
    pub fn visits(&self) -> usize {
        self.visits
    }
}

/// What a walk goes over.
#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) kernels: &'a Kernels,
    pub(super) graph: GraphView<'a>,
    pub(super) codes: &'a CodesView<'a>,
}

/// The `ef` nearest nodes that the walk finds, as (code distance, node), nearest first, ties by node.
///
/// # Panics
///
/// When the graph and the codes are not of the same number of rows, or the query was coded for another
/// number of dimensions.
pub fn search<'s>(
    kernels: &Kernels,
    graph: &GraphView<'_>,
    codes: &CodesView<'_>,
    query: CodeQuery<'_>,
    ef: usize,
    scratch: &'s mut Scratch,
) -> &'s [(i32, u32)] {
    let walk = Walk { kernels, graph: *graph, codes };
    scratch.visits = 0;
    scratch.found.clear();
    if let Some(entry) = walk.descend(query, 0, scratch) {
        walk.nearest(query, 0, entry, ef.min(codes.count()), scratch);
        let keys = scratch.pool.keys().iter().take(ef);
        scratch.found.extend(keys.map(|key| (key.distance(), key.node())));
    }
    &scratch.found
}

impl Walk<'_> {
    /// The nearest node that a greedy walk finds above `level`: where the search of `level` begins.
    pub(super) fn descend(&self, query: CodeQuery<'_>, level: usize, scratch: &mut Scratch) -> Option<Key> {
        assert_eq!(self.graph.node_count() as usize, self.codes.count(), "nodes of the graph and rows of the codes");
        let entry = self.graph.entry()?;
        let mut distance = [0];
        self.codes.distances(self.kernels, query, &[entry], &mut distance);
        scratch.visits += 1;
        let mut nearest = Key::new(distance[0], entry);
        for above in (level + 1..=self.graph.max_level()).rev() {
            self.nearest(query, above, nearest, 1, scratch);
            nearest = scratch.pool.keys()[0].unexpanded();
        }
        Some(nearest)
    }

    /// Fills the pool with the `ef` nearest nodes of `level` that a walk from `start` finds.
    pub(super) fn nearest(&self, query: CodeQuery<'_>, level: usize, start: Key, ef: usize, scratch: &mut Scratch) {
        scratch.pool.reset(ef);
        scratch.visited.reset(self.codes.count());
        scratch.visited.insert(start.node());
        scratch.pool.insert(start);
        self.expand_all(query, level, scratch);
    }

    /// Like [`Walk::nearest`], from several `starts`, which may repeat.
    pub(super) fn nearest_from(&self, query: CodeQuery<'_>, level: usize, starts: &[u32], ef: usize, scratch: &mut Scratch) {
        scratch.pool.reset(ef);
        scratch.visited.reset(self.codes.count());
        scratch.visited.take_fresh(starts.iter().copied(), starts.len() + 1, &mut scratch.ids);
        self.score(query, scratch);
        for (distance, id) in scratch.distances.iter().zip(&scratch.ids) {
            scratch.pool.insert(Key::new(*distance, *id));
        }
        self.expand_all(query, level, scratch);
    }

    /// Walks until every node of the pool is expanded.
    fn expand_all(&self, query: CodeQuery<'_>, level: usize, scratch: &mut Scratch) {
        loop {
            let step: Step = std::array::from_fn(|_| scratch.pool.expand());
            if step[0].is_none() {
                return;
            }
            // Most often what comes after this step, unless a neighbour is nearer.
            if let Some(next) = scratch.pool.peek() {
                self.prefetch_list(next);
            }
            self.score_neighbours(query, step, level, scratch);
            for (distance, id) in scratch.distances.iter().zip(&scratch.ids) {
                if scratch.pool.insert(Key::new(*distance, *id)) {
                    self.prefetch_list(*id);
                }
            }
        }
    }

    /// Collects the neighbours of the nodes of a step that were not seen yet, then scores them in one call.
    #[inline]
    fn score_neighbours(&self, query: CodeQuery<'_>, step: Step, level: usize, scratch: &mut Scratch) {
        // A place for every neighbour, and one that the last write without effect may take.
        let room = STEP * self.graph.capacity(level) + 1;
        let neighbours = step.into_iter().flatten().flat_map(|node| self.graph.neighbours(node, level));
        scratch.visited.take_fresh(neighbours, room, &mut scratch.ids);
        self.score(query, scratch);
    }

    /// Computes the distances of the collected ids.
    #[inline]
    fn score(&self, query: CodeQuery<'_>, scratch: &mut Scratch) {
        // The kernel prefetches from its second group of rows on.
        self.codes.rows().prefetch(&scratch.ids[..scratch.ids.len().min(4)]);
        scratch.distances.resize(scratch.ids.len(), 0);
        self.codes.distances(self.kernels, query, &scratch.ids, &mut scratch.distances);
        scratch.visits += scratch.ids.len();
    }

    #[inline]
    fn prefetch_list(&self, node: u32) {
        let bytes = self.graph.capacity(0) * 4;
        for line in (0..bytes).step_by(64) {
            prefetch(self.graph.base(), node as usize * bytes + line);
        }
    }
}

impl Scratch {
    /// What the last walk over a level found, nearest first.
    pub(super) fn nearest_keys(&self) -> &[Key] {
        self.pool.keys()
    }
}
