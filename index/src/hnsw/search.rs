//! Search: a walk by coarse codes from the nearest of some seeds, its candidates put in order by whole codes.

use super::blocks::BlocksView;
use super::candidates::{Key, Pool};
use super::equals::add_equals;
use super::filtered::Buffers;
use super::layout::GraphView;
use super::visited::Visited;
use crate::codes::{CodeQuery, CodesView, PackedRows, packed_stride};
use crate::simd::{Kernels, RowForm, WalkState, WalkTask, prefetch};

/// Memory that searches reuse. One a thread; any graph.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    visited: Visited,
    pool: Pool,
    ids: Vec<u32>,
    distances: Vec<i32>,
    query: Vec<u8>,
    seeds: Vec<u32>,
    state: WalkState,
    found: Vec<(i32, u32)>,
    keys: Vec<Key>,
    pub(super) filtered: Buffers,
    pub(super) visits: usize,
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
    /// The rows of the codes packed, where halves of them are compared: half of the memory that a build reads.
    pub(super) packed: Option<&'a PackedRows>,
}

/// The `ef` nearest nodes that a walk finds, as (code distance, node), nearest first, ties by node. The walk goes over `blocks` where they
/// are given, and finds the same without.
///
/// # Panics
///
/// When the graph, the blocks and the codes are not of the same number of rows, or the query was coded for another number of dimensions.
pub fn search<'s>(
    kernels: &Kernels,
    graph: &GraphView<'_>,
    codes: &CodesView<'_>,
    blocks: Option<BlocksView<'_>>,
    query: CodeQuery<'_>,
    ef: usize,
    scratch: &'s mut Scratch,
) -> &'s [(i32, u32)] {
    let walk = Walk { kernels, graph: *graph, codes, packed: None };
    scratch.found.clear();
    if walk.walk_from_seeds(blocks, query, ef, scratch) {
        walk.order_by_codes(query, scratch);
    }
    if graph.has_equals() {
        // The walk has just read the lists that it went over.
        let lists = blocks.map_or(graph.base(), |blocks| blocks.lists());
        add_equals(lists, graph.capacity(0), ef, &mut scratch.found);
    }
    &scratch.found
}

/// Like [`search`], for callers that compare all of what is found by themselves: the nodes only, by the coarse codes of the walk.
///
/// # Panics
///
/// Like [`search`].
pub fn search_coarse<'s>(
    kernels: &Kernels,
    graph: &GraphView<'_>,
    codes: &CodesView<'_>,
    blocks: Option<BlocksView<'_>>,
    query: CodeQuery<'_>,
    ef: usize,
    scratch: &'s mut Scratch,
) -> &'s [u32] {
    if graph.has_equals() {
        // By whole codes it is known which nodes the equal rows come after.
        search(kernels, graph, codes, blocks, query, ef, scratch);
        scratch.ids.clear();
        scratch.ids.extend(scratch.found.iter().map(|found| found.1));
        return &scratch.ids;
    }
    let walk = Walk { kernels, graph: *graph, codes, packed: None };
    scratch.ids.clear();
    if walk.walk_from_seeds(blocks, query, ef, scratch) {
        scratch.ids.extend(scratch.state.pool.keys().iter().map(|key| key.node()));
    }
    &scratch.ids
}

impl Walk<'_> {
    /// Walks level 0 from the nearest of the seeds; false when there is nothing to walk over or to find.
    fn walk_from_seeds(&self, blocks: Option<BlocksView<'_>>, query: CodeQuery<'_>, ef: usize, scratch: &mut Scratch) -> bool {
        scratch.visits = 0;
        if self.graph.entry().is_none() || ef == 0 {
            return false;
        }
        let Scratch { query: coarse, seeds, state, .. } = scratch;
        let params = self.codes.params();
        params.coarse_query(query.code(), params.row_form(self.graph.walks_whole()), coarse);
        match blocks {
            Some(blocks) => self.over_blocks(blocks, coarse, ef, state),
            None => {
                seeds.clear();
                seeds.extend(self.graph.seeds());
                self.over_codes(coarse, seeds, ef, state);
            }
        }
        scratch.visits = state.visits;
        true
    }

    fn over_blocks(&self, blocks: BlocksView<'_>, query: &[u8], ef: usize, state: &mut WalkState) {
        assert_eq!(blocks.nodes() as usize, self.codes.count(), "nodes of the blocks and rows of the codes");
        let (starts, start_rows) = blocks.seeds();
        let task = WalkTask {
            rows: blocks.rows(),
            stride: blocks.stride(),
            lists: blocks.lists(),
            degree: blocks.degree(),
            nodes: blocks.nodes(),
            query,
            starts,
            start_rows,
        };
        self.kernels.walk(self.codes.params().metric(), blocks.form(), &task, ef.min(self.codes.count()), state);
    }

    /// Walks level 0 over the codes as they are stored, or packed where they are.
    pub(super) fn over_codes(&self, query: &[u8], starts: &[u32], ef: usize, state: &mut WalkState) {
        assert_eq!(self.graph.node_count() as usize, self.codes.count(), "nodes of the graph and rows of the codes");
        let params = self.codes.params();
        let form = params.row_form(self.graph.walks_whole());
        let (form, rows, stride) = match self.packed.filter(|_| form == RowForm::Upper) {
            Some(packed) => (RowForm::Packed, packed.bytes(), packed_stride(self.codes.dims())),
            None => (form, self.codes.rows().bytes(), self.codes.rows().stride()),
        };
        let task = WalkTask {
            rows,
            stride,
            lists: self.graph.base(),
            degree: self.graph.capacity(0),
            nodes: self.graph.node_count(),
            query,
            starts,
            start_rows: &[],
        };
        self.kernels.walk(params.metric(), form, &task, ef.min(self.codes.count()), state);
    }

    fn order_by_codes(&self, query: CodeQuery<'_>, scratch: &mut Scratch) {
        let Scratch { ids, distances, state, found, .. } = scratch;
        ids.clear();
        ids.extend(state.pool.keys().iter().map(|key| key.node()));
        distances.resize(ids.len(), 0);
        self.codes.rows().prefetch(&ids[..ids.len().min(4)]);
        self.codes.distances(self.kernels, query, ids, distances);
        found.extend(distances.iter().copied().zip(ids.iter().copied()));
        found.sort_unstable();
    }

    /// The `ef` nearest nodes of `level` that a walk from `start` finds, nearest first, by whole codes: on level 0 the walk goes by coarse ones.
    pub(super) fn nearest_by_codes<'s>(
        &self,
        query: CodeQuery<'_>,
        level: usize,
        start: Key,
        ef: usize,
        scratch: &'s mut Scratch,
    ) -> &'s [Key] {
        if level == 0 {
            return self.nearest_by_codes_from(query, &[start.node()], ef, scratch);
        }
        self.nearest(query, level, start, ef, scratch);
        scratch.keys.clear();
        scratch.keys.extend(scratch.pool.keys().iter().map(|key| key.unexpanded()));
        &scratch.keys
    }

    /// As [`Walk::nearest_by_codes`] on level 0, from the nearest of some `starts`.
    pub(super) fn nearest_by_codes_from<'s>(&self, query: CodeQuery<'_>, starts: &[u32], ef: usize, scratch: &'s mut Scratch) -> &'s [Key] {
        let form = self.codes.params().row_form(self.graph.walks_whole());
        self.codes.params().coarse_query(query.code(), form, &mut scratch.query);
        self.over_codes(&scratch.query, starts, ef, &mut scratch.state);
        scratch.found.clear();
        self.order_by_codes(query, scratch);
        scratch.keys.clear();
        scratch.keys.extend(scratch.found.iter().map(|(distance, node)| Key::new(*distance, *node)));
        &scratch.keys
    }

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

    /// Fills the pool with the `ef` nearest nodes of `level` that a walk by whole codes from `start` finds.
    pub(super) fn nearest(&self, query: CodeQuery<'_>, level: usize, start: Key, ef: usize, scratch: &mut Scratch) {
        scratch.pool.reset(ef);
        scratch.visited.reset(self.codes.count());
        scratch.visited.insert(start.node());
        scratch.pool.insert(start);
        self.expand_all(query, level, scratch);
    }

    /// Walks until every node of the pool is expanded.
    fn expand_all(&self, query: CodeQuery<'_>, level: usize, scratch: &mut Scratch) {
        while let Some(node) = scratch.pool.expand() {
            // A place for every neighbour, and one that the last write without effect may take.
            let room = self.graph.capacity(level) + 1;
            scratch.visited.take_fresh(self.graph.neighbours(node, level), room, &mut scratch.ids);
            self.score(query, scratch);
            for (distance, id) in scratch.distances.iter().zip(&scratch.ids) {
                if scratch.pool.insert(Key::new(*distance, *id)) == Some(0) {
                    self.prefetch_list(*id);
                }
            }
        }
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
