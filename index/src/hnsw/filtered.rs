//! The walk under a filter: nodes that do not pass are walked through and not collected.

use super::candidates::{Key, Pool};
use super::layout::GraphView;
use super::search::{Scratch, Walk};
use super::visited::Visited;
use crate::codes::{CodeQuery, CodesView};
use crate::simd::{Kernels, prefetch};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nodes expanded at once, so that the second one's list and rows are on their way while the first one's are scored.
const STEP: usize = 2;

/// Memory that filtered walks reuse.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    visited: Visited,
    pool: Pool,
    frontier: BinaryHeap<Reverse<Key>>,
    ids: Vec<u32>,
    distances: Vec<i32>,
    found: Vec<(i32, u32)>,
    visits: usize,
}

/// Like [`search`](super::search()), over the nodes that `accept` takes. The others are walked through but not collected,
/// and the walk goes on until `ef` are collected and nothing nearer is in sight, the graph is exhausted,
/// or about `max_visits` distances were computed ([`Scratch::visits`] tells).
///
/// # Panics
///
/// Like [`search`](super::search()).
#[expect(clippy::too_many_arguments, reason = "a search and its filter; a struct of them would be used once")]
pub fn search_filtered<'s>(
    kernels: &Kernels,
    graph: &GraphView<'_>,
    codes: &CodesView<'_>,
    query: CodeQuery<'_>,
    ef: usize,
    accept: impl Fn(u32) -> bool,
    max_visits: usize,
    scratch: &'s mut Scratch,
) -> &'s [(i32, u32)] {
    let walk = Walk { kernels, graph: *graph, codes };
    scratch.visits = 0;
    scratch.filtered.found.clear();
    if ef == 0 {
        return &scratch.filtered.found;
    }
    if let Some(entry) = walk.descend(query, 0, scratch) {
        let buffers = &mut scratch.filtered;
        buffers.visits = scratch.visits;
        walk.nearest_accepted(query, entry, ef.min(codes.count()), &accept, max_visits, buffers);
        scratch.visits = buffers.visits;
        buffers.found.extend(buffers.pool.keys().iter().map(|key| (key.distance(), key.node())));
    }
    &scratch.filtered.found
}

impl Walk<'_> {
    /// Fills the pool with the `ef` nearest accepted nodes of level 0 that a walk from `start` finds.
    fn nearest_accepted(
        &self,
        query: CodeQuery<'_>,
        start: Key,
        ef: usize,
        accept: &impl Fn(u32) -> bool,
        max_visits: usize,
        buffers: &mut Buffers,
    ) {
        buffers.pool.reset(ef);
        buffers.visited.reset(self.codes.count());
        buffers.frontier.clear();
        buffers.visited.insert(start.node());
        buffers.frontier.push(Reverse(start));
        if accept(start.node()) {
            buffers.pool.insert(start);
        }
        while buffers.visits < max_visits {
            // What the pool has no place for stays without: it only gets nearer.
            let wanted = |nearest: &Reverse<Key>| !buffers.pool.is_full_before(nearest.0);
            let step: [Option<u32>; STEP] = std::array::from_fn(|_| buffers.frontier.pop().filter(wanted).map(|nearest| nearest.0.node()));
            if step[0].is_none() {
                return;
            }
            self.score_fresh(query, step, buffers);
            for (distance, id) in buffers.distances.iter().zip(&buffers.ids) {
                let key = Key::new(*distance, *id);
                if buffers.pool.is_full_before(key) {
                    continue;
                }
                buffers.frontier.push(Reverse(key));
                if accept(*id) {
                    buffers.pool.insert(key);
                }
            }
            if let Some(Reverse(next)) = buffers.frontier.peek() {
                let bytes = self.graph.capacity(0) * 4;
                (0..bytes).step_by(64).for_each(|line| prefetch(self.graph.base(), next.node() as usize * bytes + line));
            }
        }
    }

    /// Collects the neighbours of the nodes of a step that were not seen yet, then scores them in one call.
    fn score_fresh(&self, query: CodeQuery<'_>, step: [Option<u32>; STEP], buffers: &mut Buffers) {
        // A place for every neighbour, and one that the last write without effect may take.
        let room = STEP * self.graph.capacity(0) + 1;
        let neighbours = step.into_iter().flatten().flat_map(|node| self.graph.neighbours(node, 0));
        buffers.visited.take_fresh(neighbours, room, &mut buffers.ids);
        // The kernel prefetches from its second group of rows on.
        self.codes.rows().prefetch(&buffers.ids[..buffers.ids.len().min(4)]);
        buffers.distances.resize(buffers.ids.len(), 0);
        self.codes.distances(self.kernels, query, &buffers.ids, &mut buffers.distances);
        buffers.visits += buffers.ids.len();
    }
}
