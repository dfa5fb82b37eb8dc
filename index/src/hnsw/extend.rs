//! Merging: graphs that exist become one, and rows that no graph has are inserted.
//!
//! Each graph is carried over with its rows renumbered, the parts are joined, the two smallest first, and
//! what is left is inserted as a build would.

use super::Executor;
use super::blur::is_blurred;
use super::build::{BuildError, Builder, Progress, build, check_input};
use super::connect::connect;
use super::join::{Part, join};
use super::layout::{GraphBuf, GraphView};
use super::level;
use super::mend::Mend;
use super::params::Params;
use super::relink::give_back;
use crate::codes::CodesView;
use crate::filter::Bitmap;
use crate::simd::Kernels;
use std::cmp::Reverse;

/// In a map of nodes: the row is gone.
pub const REMOVED: u32 = u32::MAX;

/// Above all levels: no graph has the row.
const UNPLACED: u8 = u8::MAX;

/// Nodes between two questions to the progress callback.
pub(super) const BATCH: usize = 10_000;

/// A graph that goes into a merge.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The graph.
    pub graph: GraphView<'a>,
    /// For each of its nodes the row that it is now, or [`REMOVED`].
    pub map: &'a [u32],
}

/// Builds a graph over all rows of `codes` from the graphs of `sources`. Rows that no node maps to are
/// inserted. The result depends on the inputs alone, as for [`build`].
///
/// # Errors
///
/// [`BuildError::Invalid`] when the parameters are out of range, there are too many rows, or a map is
/// not of one entry a node, each another row; [`BuildError::Cancelled`] when `progress` said so.
pub fn merge(
    kernels: &Kernels,
    sources: &[Source<'_>],
    codes: &CodesView<'_>,
    params: &Params,
    executor: &dyn Executor,
    progress: Progress<'_>,
) -> Result<Vec<u8>, BuildError> {
    check_input(codes, params)?;
    let mut levels = vec![UNPLACED; codes.count()];
    let mut parts = Vec::new();
    for source in sources {
        parts.extend(place(source, &mut levels)?);
    }
    if parts.is_empty() {
        return build(kernels, codes, params, executor, progress);
    }
    let kept: usize = parts.iter().map(|part| part.rows.len()).sum();
    let mut order: Vec<u32> = (0..codes.count() as u32).filter(|row| levels[*row as usize] == UNPLACED).collect();
    for row in &order {
        levels[*row as usize] = level::of_node(params.seed, *row, params.m);
    }
    level::sort_for_insertion(params.seed, &levels, &mut order);

    let builder = Builder::new(kernels, codes, params, executor, progress);
    let mut graph = GraphBuf::new(params, &levels);
    if sources.iter().any(|source| source.graph.walks_whole()) {
        graph.walk_whole();
    }
    let mut changed = Bitmap::new(codes.count() as u32);
    for source in sources {
        carry_over(&builder, source, &levels, &mut graph, &mut changed);
    }
    let mut steps = Steps::new(&parts, codes.count(), progress);
    let entry = join_all(&builder, &levels, &mut graph, parts, &mut changed, &mut steps)?;
    graph.set_entry(entry);
    give_back(&builder, &mut graph, &changed);
    let mut present = kept;
    if let Some(first) = order.first().copied().filter(|row| levels[*row as usize] > levels[entry as usize]) {
        // A new row that is higher than all is the entry for the others.
        builder.insert_batch(&mut graph, &levels, &order[..1]);
        graph.set_entry(first);
        order.remove(0);
        present += 1;
    }
    builder.insert(&mut graph, &levels, &order, present)?;
    connect(&builder, &mut graph);
    // The new rows can make codes so coarse that halves no longer do, whatever they did for the base.
    if !graph.view().walks_whole() && is_blurred(&graph.view(), codes) {
        return builder.build(true).map(GraphBuf::into_bytes);
    }
    Ok(graph.into_bytes())
}

/// Sets the levels of the rows of a source; `None` when it has none left.
fn place(source: &Source<'_>, levels: &mut [u8]) -> Result<Option<Part>, BuildError> {
    let (nodes, entries, rows) = (source.graph.node_count(), source.map.len(), levels.len());
    if entries != nodes as usize {
        return Err(BuildError::Invalid(format!("a map of {entries} entries for {nodes} nodes")));
    }
    let mut kept = Vec::with_capacity(entries);
    for (old, row) in (0..).zip(source.map).filter(|(_, row)| **row != REMOVED) {
        match levels.get_mut(*row as usize) {
            Some(level) if *level == UNPLACED => *level = source.graph.level_of(old) as u8,
            Some(_) => return Err(BuildError::Invalid(format!("two nodes of the graphs are row {row}"))),
            None => return Err(BuildError::Invalid(format!("node {old} of a graph is row {row} of {rows}"))),
        }
        kept.push(*row);
    }
    kept.sort_unstable();
    Ok(Part::new(kept, levels))
}

/// Copies the lists of a source; those that lost a neighbour are mended and noted in `changed`.
fn carry_over(builder: &Builder<'_>, source: &Source<'_>, levels: &[u8], graph: &mut GraphBuf, changed: &mut Bitmap) {
    let mend = Mend { builder, source, levels };
    let kept: Vec<u32> = (0..source.graph.node_count()).filter(|old| source.map[*old as usize] != REMOVED).collect();
    for batch in kept.chunks(BATCH) {
        for (list, mended) in builder.in_parallel(batch, |old, workspace, out| mend.lists(*old, workspace, out)) {
            graph.set_list(list.node, list.level, &list.neighbours);
            if mended {
                changed.set(list.node, true);
            }
        }
    }
}

/// Joins the parts, the two smallest first, and gives the entry of the whole.
fn join_all(
    builder: &Builder<'_>,
    levels: &[u8],
    graph: &mut GraphBuf,
    mut parts: Vec<Part>,
    changed: &mut Bitmap,
    steps: &mut Steps<'_>,
) -> Result<u32, BuildError> {
    loop {
        parts.sort_by_key(|part| Reverse(part.rows.len()));
        let Some(smaller) = parts.pop() else { unreachable!("there is a part") };
        let Some(larger) = parts.pop() else {
            return Ok(smaller.entry);
        };
        join(builder, levels, graph, (&smaller, &larger), changed, steps)?;
        parts.push(larger.with(smaller, levels));
    }
}

/// Tells how far a merge is while parts are joined: a row that searches counts for its share of the rows kept.
pub(super) struct Steps<'a> {
    progress: Progress<'a>,
    /// Rows that searched, and that will.
    searched: usize,
    searches: usize,
    kept: usize,
    total: usize,
}

impl<'a> Steps<'a> {
    fn new(parts: &[Part], total: usize, progress: Progress<'a>) -> Self {
        let mut sizes: Vec<usize> = parts.iter().map(|part| part.rows.len()).collect();
        let kept = sizes.iter().sum();
        let mut searches = 0;
        while sizes.len() > 1 {
            sizes.sort_by_key(|size| Reverse(*size));
            let joined = sizes.split_off(sizes.len() - 2);
            searches += joined[1];
            sizes.push(joined.iter().sum());
        }
        Steps { progress, searched: 0, searches, kept, total }
    }

    /// Tells how far it is.
    pub(super) fn ask(&self) -> Result<(), BuildError> {
        let done = (self.kept as u64 * self.searched as u64 / self.searches.max(1) as u64) as usize;
        if (self.progress)(done, self.total) { Ok(()) } else { Err(BuildError::Cancelled) }
    }

    /// Counts rows that searched.
    pub(super) fn done(&mut self, rows: usize) {
        self.searched += rows;
    }
}
