//! The build: batches that search a frozen graph in parallel, then join it in sorted order.

use super::Executor;
use super::blur::is_blurred;
use super::candidates::Key;
use super::connect::connect;
use super::equals::Equals;
use super::layout::GraphBuf;
use super::level;
use super::params::{MAX_NODES, Params};
use super::search::{Scratch, Walk};
use super::select_neighbors::{Geometry, Selection};
use crate::codes::{CodesView, PackedRows};
use crate::simd::{Kernels, RowForm};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Largest batch.
const MAX_BATCH: usize = 10_000;

/// A batch is at most this share of what was inserted before: the nodes of a batch do not meet, so a
/// larger one costs recall (measured: one in 4 gives 0.974 where one in 16 gives 0.981).
const BATCH_SHARE: usize = 16;

/// Nodes of one job: enough to hide the hand-out, few enough to keep all threads busy to the end.
const JOB_NODES: usize = 32;

/// Why there is no graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// The progress callback asked to stop.
    Cancelled,
    /// The parameters or the input are out of range; the sentence says which and how.
    Invalid(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Cancelled => f.write_str("the build was cancelled"),
            BuildError::Invalid(reason) => write!(f, "cannot build a graph: {reason}"),
        }
    }
}

impl std::error::Error for BuildError {}

/// Asked after each batch with (nodes done, nodes in all); `false` cancels the build.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);

/// Builds a graph over all rows of `codes` and gives its bytes, which [`super::GraphView::parse`] reads.
///
/// # Errors
///
/// [`BuildError::Invalid`] for parameters out of range or too many rows, [`BuildError::Cancelled`] when
/// `progress` said so.
pub fn build(
    kernels: &Kernels,
    codes: &CodesView<'_>,
    params: &Params,
    executor: &dyn Executor,
    progress: Progress<'_>,
) -> Result<Vec<u8>, BuildError> {
    check_input(codes, params)?;
    let builder = Builder::new(kernels, codes, params, executor, progress);
    let graph = builder.build(codes.params().row_form(false) == RowForm::Whole)?;
    // Rows so near to each other that half of a code does not tell them apart: all is done again with whole codes.
    if !graph.view().walks_whole() && is_blurred(&graph.view(), codes) {
        return builder.build(true).map(GraphBuf::into_bytes);
    }
    Ok(graph.into_bytes())
}

pub(super) fn check_input(codes: &CodesView<'_>, params: &Params) -> Result<(), BuildError> {
    params.validate().map_err(BuildError::Invalid)?;
    if codes.count() > MAX_NODES {
        return Err(BuildError::Invalid(format!("{} rows (at most {MAX_NODES})", codes.count())));
    }
    Ok(())
}

/// The list of a node on a level, ready to be written.
#[derive(Clone, Debug)]
pub(super) struct NewList {
    pub(super) node: u32,
    pub(super) level: usize,
    pub(super) neighbours: Vec<u32>,
}

/// An edge that a new node proposes to one of its neighbours. The order of the fields is the order in
/// which edges are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Proposal {
    level: usize,
    to: u32,
    key: Key,
}

/// Memory of one thread.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) scratch: Scratch,
    pub(super) selection: Selection,
}

/// What all steps of a build share.
pub(super) struct Builder<'a> {
    pub(super) kernels: &'a Kernels,
    pub(super) codes: &'a CodesView<'a>,
    pub(super) params: &'a Params,
    geometry: Geometry,
    packed: Option<PackedRows>,
    executor: &'a dyn Executor,
    progress: Progress<'a>,
    workspaces: Mutex<Vec<Workspace>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        kernels: &'a Kernels,
        codes: &'a CodesView<'a>,
        params: &'a Params,
        executor: &'a dyn Executor,
        progress: Progress<'a>,
    ) -> Self {
        let packed = (codes.params().row_form(false) == RowForm::Upper).then(|| codes.pack_all());
        Builder { kernels, codes, params, geometry: Geometry::of(codes), packed, executor, progress, workspaces: Mutex::default() }
    }

    /// Builds a graph over all rows whose walks compare whole codes or halves.
    pub(super) fn build(&self, whole: bool) -> Result<GraphBuf, BuildError> {
        let Params { seed, m, m0, .. } = *self.params;
        let mut levels: Vec<u8> = (0..self.codes.count() as u32).map(|node| level::of_node(seed, node, m)).collect();
        let equals = Equals::of(self.codes, &mut levels);
        let mut order: Vec<u32> = (0..self.codes.count() as u32).filter(|row| equals.stands(*row)).collect();
        level::sort_for_insertion(seed, &levels, &mut order);
        let Some((first, rest)) = order.split_first() else {
            return Ok(GraphBuf::new(self.params, &levels));
        };
        let mut graph = GraphBuf::new(&Params { m0: m0 + m0 / 2, ..*self.params }, &levels);
        graph.set_entry(*first);
        if whole {
            graph.walk_whole();
        }
        self.insert(&mut graph, &levels, rest, 1 + equals.behind())?;
        let mut graph = self.tighten(&graph, &levels);
        equals.hang(&mut graph);
        connect(self, &mut graph);
        Ok(graph)
    }

    pub(super) fn walk<'g>(&'g self, graph: &'g GraphBuf) -> Walk<'g> {
        Walk { kernels: self.kernels, graph: graph.view(), codes: self.codes, packed: self.packed.as_ref() }
    }

    /// Inserts the nodes of `order`, highest levels first, into a graph that holds `present` nodes.
    pub(super) fn insert(&self, graph: &mut GraphBuf, levels: &[u8], order: &[u32], present: usize) -> Result<(), BuildError> {
        let total = present + order.len();
        let mut left = order;
        while !left.is_empty() {
            // Counted from the first new node, also where many are present: new rows are often near to
            // each other and must meet, however unlike the old ones they are.
            let inserted = order.len() - left.len() + 1;
            if !(self.progress)(total - left.len(), total) {
                return Err(BuildError::Cancelled);
            }
            let (batch, rest) = left.split_at((inserted / BATCH_SHARE).clamp(1, MAX_BATCH).min(left.len()));
            self.insert_batch(graph, levels, batch);
            left = rest;
        }
        if (self.progress)(total, total) { Ok(()) } else { Err(BuildError::Cancelled) }
    }

    /// Inserts nodes that do not meet each other.
    pub(super) fn insert_batch(&self, graph: &mut GraphBuf, levels: &[u8], batch: &[u32]) {
        let walk = self.walk(graph);
        let mut lists = self.in_parallel(batch, |node, workspace, out| self.find_neighbours(&walk, levels, *node, workspace, out));
        let mut proposals: Vec<Proposal> = Vec::new();
        for (list, keys) in &lists {
            let own = |key: &Key| Proposal { level: list.level, to: key.node(), key: Key::new(key.distance(), list.node) };
            proposals.extend(keys.iter().map(own));
        }
        proposals.sort_unstable();
        for (list, _) in lists.drain(..) {
            graph.set_list(list.node, list.level, &list.neighbours);
        }
        let groups: Vec<&[Proposal]> = proposals.chunk_by(|a, b| (a.level, a.to) == (b.level, b.to)).collect();
        let walk = self.walk(graph);
        let joined = self.in_parallel(&groups, |group, workspace, out| out.push(self.join(&walk, group, workspace)));
        for list in joined {
            graph.set_list(list.node, list.level, &list.neighbours);
        }
    }

    /// The lists of a new node on each of its levels, with the distances of the neighbours.
    fn find_neighbours(&self, walk: &Walk<'_>, levels: &[u8], node: u32, workspace: &mut Workspace, out: &mut Vec<(NewList, Vec<Key>)>) {
        let Workspace { scratch, selection } = workspace;
        let query = self.codes.row_query(node);
        let Some(entry) = walk.graph.entry() else {
            return;
        };
        // Above the level of the entry there is nobody to meet yet.
        let top = levels[node as usize].min(levels[entry as usize]).into();
        let Some(mut start) = walk.descend(query, top, scratch) else {
            return;
        };
        for level in (0..=top).rev() {
            let ef = self.params.ef_construction as usize;
            let found = walk.nearest_by_codes(query, level, start, ef, scratch);
            start = found[0];
            let candidates = || found.iter().copied().filter(|key| key.node() != node);
            // A list on a level above is as long as it may get from the start: new nodes bring enough edges to it.
            let limit = if level == 0 { self.params.m0 } else { self.params.m } as usize;
            let neighbours = selection.choose(self.kernels, self.codes, &self.geometry, node, candidates(), limit, limit / 2).to_vec();
            let keys = candidates().filter(|key| neighbours.contains(&key.node())).collect();
            out.push((NewList { node, level, neighbours }, keys));
        }
    }

    /// The list of a node after a batch proposed edges to it.
    fn join(&self, walk: &Walk<'_>, group: &[Proposal], workspace: &mut Workspace) -> NewList {
        let (node, level) = (group[0].to, group[0].level);
        let mut neighbours: Vec<u32> = walk.graph.neighbours(node, level).collect();
        let proposed = group.iter().filter(|proposal| !neighbours.contains(&proposal.key.node()));
        let proposed: Vec<Key> = proposed.map(|proposal| proposal.key).collect();
        let capacity = self.params.capacity(level);
        // The lists of a build have more room than they keep, so that not every edge that comes chooses them anew.
        if neighbours.len() + proposed.len() <= walk.graph.capacity(level) {
            neighbours.extend(proposed.iter().map(|key| key.node()));
        } else {
            let candidates = self.keys_of(node, &neighbours).chain(proposed);
            neighbours = self.choose(node, candidates.collect(), capacity, &mut workspace.selection);
        }
        NewList { node, level, neighbours }
    }

    /// The graph with every list within the places that it keeps.
    fn tighten(&self, roomy: &GraphBuf, levels: &[u8]) -> GraphBuf {
        let view = roomy.view();
        let nodes: Vec<u32> = (0..view.node_count()).collect();
        let mut graph = GraphBuf::new(self.params, levels);
        graph.set_entry(view.entry().unwrap_or_else(|| unreachable!("a graph of some nodes")));
        if view.walks_whole() {
            graph.walk_whole();
        }
        let lists = self.in_parallel(&nodes, |node, workspace, out| {
            for level in 0..=usize::from(levels[*node as usize]) {
                let mut neighbours: Vec<u32> = view.neighbours(*node, level).collect();
                let capacity = self.params.capacity(level);
                if neighbours.len() > capacity {
                    let candidates = self.keys_of(*node, &neighbours).collect();
                    neighbours = self.choose(*node, candidates, capacity, &mut workspace.selection);
                }
                out.push(NewList { node: *node, level, neighbours });
            }
        });
        for list in lists {
            graph.set_list(list.node, list.level, &list.neighbours);
        }
        graph
    }

    /// The nodes `others` with their distances from `node`.
    pub(super) fn keys_of(&self, node: u32, others: &[u32]) -> impl Iterator<Item = Key> + use<> {
        let mut distances = vec![0; others.len()];
        self.codes.distances(self.kernels, self.codes.row_query(node), others, &mut distances);
        distances.into_iter().zip(others.to_vec()).map(|(distance, other)| Key::new(distance, other))
    }

    /// A list for the `capacity` places of a node, half of them filled if there are enough candidates.
    pub(super) fn choose(&self, owner: u32, mut candidates: Vec<Key>, capacity: usize, selection: &mut Selection) -> Vec<u32> {
        candidates.sort_unstable();
        candidates.dedup();
        selection.choose(self.kernels, self.codes, &self.geometry, owner, candidates, capacity, capacity / 2).to_vec()
    }

    /// Calls `work` for each item, on the threads of the executor; what it puts out comes back in the
    /// order of the items.
    pub(super) fn in_parallel<I: Sync, O: Send>(&self, items: &[I], work: impl Fn(&I, &mut Workspace, &mut Vec<O>) + Sync) -> Vec<O> {
        let chunks: Vec<&[I]> = items.chunks(JOB_NODES).collect();
        let slots: Vec<Mutex<Option<Vec<O>>>> = chunks.iter().map(|_| Mutex::new(None)).collect();
        self.executor.run(chunks.len(), &|job| {
            let mut workspace = lock(&self.workspaces).pop().unwrap_or_default();
            let mut out = Vec::new();
            chunks[job].iter().for_each(|item| work(item, &mut workspace, &mut out));
            let before = lock(&slots[job]).replace(out);
            assert!(before.is_none(), "the executor ran job {job} twice");
            lock(&self.workspaces).push(workspace);
        });
        let take = |slot: Mutex<Option<Vec<O>>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
        slots.into_iter().flat_map(|slot| take(slot).unwrap_or_else(|| panic!("the executor left a job out"))).collect()
    }
}

/// A panic of another job already travels through the executor; what the lock guards stays usable.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
