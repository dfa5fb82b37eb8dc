//! The walk under a filter: nodes that do not pass are walked through and not collected.
//!
//! The fewer nodes pass, the wider the walk has to be for the same number of answers, and the surer each of them is: a walk that
//! collects 20 nodes of which one in ten passes has seen the 200 nearest. So the walk collects fewer than `ef` where few pass, by what
//! it sees around the query (a filter may pass everywhere but there). Reaching for neighbours of neighbours that fail (ACORN) was
//! measured too and costs more at equal recall: it reads a list for each node that it does not score.

use super::candidates::{Key, Pool};
use super::equals::behind;
use super::layout::GraphView;
use super::search::{Scratch, Walk};
use super::visited::Visited;
use crate::codes::{CodeQuery, CodesView};
use crate::simd::{Kernels, prefetch};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nodes expanded at once, so that the second one's list and rows are on their way while the first one's are scored.
const STEP: usize = 2;

/// A walk that is on its way through this share of what it may cost tells whether it will arrive.
const OUTLOOK: usize = 8;

/// Scored nodes that are too few to tell anything.
const SEEN_MIN: usize = 64;

/// What a walk collects, and when it is better given up.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<A> {
    /// Says which nodes pass.
    pub accept: A,
    /// Nodes collected where all pass.
    pub ef: usize,
    /// Nodes collected at least, if that many pass.
    pub ef_min: usize,
    /// Distances after which the answers are better found by a scan of what passes.
    pub visits_max: usize,
}

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

/// Like [`search`](super::search()), over the nodes that `wanted` accepts: at least `ef_min` and at most `ef` of the nearest, nearest
/// first. `None` when the walk was given up, because fewer are in reach or finding them would cost more than `visits_max` distances
/// ([`Scratch::visits`] tells how many it cost until then).
///
/// # Panics
///
/// Like [`search`](super::search()).
pub fn search_filtered<'s>(
    kernels: &Kernels,
    graph: &GraphView<'_>,
    codes: &CodesView<'_>,
    query: CodeQuery<'_>,
    wanted: &Wanted<impl Fn(u32) -> bool>,
    scratch: &'s mut Scratch,
) -> Option<&'s [(i32, u32)]> {
    let walk = Walk { kernels, graph: *graph, codes, packed: None };
    scratch.visits = 0;
    scratch.filtered.found.clear();
    if wanted.ef == 0 {
        return Some(&scratch.filtered.found);
    }
    let entry = walk.descend(query, 0, scratch)?;
    let buffers = &mut scratch.filtered;
    buffers.visits = scratch.visits;
    let arrived = walk.nearest_accepted(query, entry, wanted, buffers);
    scratch.visits = buffers.visits;
    buffers.found.extend(buffers.pool.keys().iter().map(|key| (key.distance(), key.node())));
    arrived.then_some(buffers.found.as_slice())
}

/// Gives how many nodes have to be collected where `passed` of `seen` pass: `ef` times the share to the power of 3/8, within the bounds.
///
/// Few that were seen tell nothing: then it is `ef`. Square roots are exact everywhere, so the same walk is as wide on every machine.
#[must_use]
pub fn filtered_width(ef: usize, ef_min: usize, passed: usize, seen: usize) -> usize {
    if seen < SEEN_MIN {
        return ef;
    }
    let quarter = (passed as f64 / seen as f64).sqrt().sqrt();
    let width = (ef as f64 * quarter * quarter.sqrt()).ceil() as usize;
    width.clamp(ef_min.min(ef), ef)
}

impl Walk<'_> {
    /// Fills the pool with the nearest accepted nodes of level 0 that a walk from `start` finds; false when it was given up.
    fn nearest_accepted(&self, query: CodeQuery<'_>, start: Key, wanted: &Wanted<impl Fn(u32) -> bool>, buffers: &mut Buffers) -> bool {
        let ef = wanted.ef.min(self.codes.count());
        buffers.pool.reset(ef);
        buffers.visited.reset(self.codes.count());
        buffers.frontier.clear();
        buffers.visited.insert(start.node());
        buffers.frontier.push(Reverse(start));
        let (mut seen, mut passed) = (1, 0);
        if (wanted.accept)(start.node()) {
            buffers.pool.insert(start);
            passed += 1;
        }
        let limit = buffers.visits.saturating_add(wanted.visits_max);
        let outlook = buffers.visits.saturating_add(wanted.visits_max / OUTLOOK);
        loop {
            let width = filtered_width(ef, wanted.ef_min, passed, seen);
            let bar = buffers.pool.keys().get(width - 1).copied();
            // What is not nearer than what has to be collected stays without: that only gets nearer.
            let in_reach = |nearest: &Reverse<Key>| bar.is_none_or(|bar| nearest.0 < bar);
            let step: [Option<Key>; STEP] = std::array::from_fn(|_| buffers.frontier.pop().filter(in_reach).map(|nearest| nearest.0));
            if step[0].is_none() {
                return bar.is_some();
            }
            if buffers.visits >= limit
                || (bar.is_none() && buffers.visits >= outlook && seen * width > passed.saturating_mul(wanted.visits_max))
            {
                return false;
            }
            if self.graph.has_equals() {
                let (more, taken) = self.take_equals(step, wanted, limit, buffers);
                seen += more;
                passed += taken;
            }
            self.score_fresh(query, step, buffers);
            for (distance, id) in buffers.distances.iter().zip(&buffers.ids) {
                let key = Key::new(*distance, *id);
                if bar.is_some_and(|bar| bar < key) {
                    continue;
                }
                buffers.frontier.push(Reverse(key));
                seen += 1;
                if (wanted.accept)(*id) {
                    buffers.pool.insert(key);
                    passed += 1;
                }
            }
            if let Some(Reverse(next)) = buffers.frontier.peek() {
                let bytes = self.graph.capacity(0) * 4;
                (0..bytes).step_by(64).for_each(|line| prefetch(self.graph.base(), next.node() as usize * bytes + line));
            }
        }
    }

    /// Collects the accepted equals of the nodes of a step, and gives how many were looked at and how many accepted.
    fn take_equals(
        &self,
        step: [Option<Key>; STEP],
        wanted: &Wanted<impl Fn(u32) -> bool>,
        limit: usize,
        buffers: &mut Buffers,
    ) -> (usize, usize) {
        let (mut seen, mut passed) = (0, 0);
        for head in step.into_iter().flatten() {
            for equal in behind(self.graph.base(), self.graph.capacity(0), head.node()) {
                let key = Key::new(head.distance(), equal);
                // Those that follow are no nearer.
                if buffers.visits >= limit || buffers.pool.is_full_before(key) {
                    break;
                }
                buffers.visits += 1;
                seen += 1;
                if (wanted.accept)(equal) {
                    buffers.pool.insert(key);
                    passed += 1;
                }
            }
        }
        (seen, passed)
    }

    /// Collects the neighbours of the nodes of a step that were not seen yet, then scores them in one call.
    fn score_fresh(&self, query: CodeQuery<'_>, step: [Option<Key>; STEP], buffers: &mut Buffers) {
        // A place for every neighbour, and one that the last write without effect may take.
        let room = STEP * self.graph.capacity(0) + 1;
        let neighbours = step.into_iter().flatten().flat_map(|key| self.graph.neighbours(key.node(), 0));
        buffers.visited.take_fresh(neighbours, room, &mut buffers.ids);
        // The kernel prefetches from its second group of rows on.
        self.codes.rows().prefetch(&buffers.ids[..buffers.ids.len().min(4)]);
        buffers.distances.resize(buffers.ids.len(), 0);
        self.codes.distances(self.kernels, query, &buffers.ids, &mut buffers.distances);
        buffers.visits += buffers.ids.len();
    }
}
