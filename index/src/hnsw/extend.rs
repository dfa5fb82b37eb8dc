//! Merging: graphs that exist become one, and rows that no graph has are inserted.
//!
//! Each graph is carried over with its rows renumbered, the parts are joined, the two smallest first, and
//! what is left is inserted as a build would.

use super::Executor;
use super::blur::is_blurred;
use super::build::{BuildError, Builder, Progress, build, check_input};
use super::connect::connect;
use super::equals::{Equals, HOMELESS, carried};
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
    let mut homes = vec![HOMELESS; codes.count()];
    let mut maps = Vec::with_capacity(sources.len());
    for (home, source) in (0..).zip(sources) {
        maps.push(place(source, home, &mut levels, &mut homes)?);
    }
    for row in (0..codes.count() as u32).filter(|row| homes[*row as usize] == HOMELESS) {
        levels[row as usize] = level::of_node(params.seed, row, params.m);
    }
    let equals = Equals::with_homes(codes, &mut levels, |row| homes[row as usize]);
    let standing = |home: u32| -> Vec<u32> {
        let rows = 0..codes.count() as u32;
        rows.filter(|row| homes[*row as usize] == home && equals.stands(*row)).collect()
    };
    let parts: Vec<Part> = (0..sources.len() as u32).filter_map(|home| Part::new(standing(home), &levels)).collect();
    if parts.is_empty() {
        return build(kernels, codes, params, executor, progress);
    }
    let kept = parts.iter().map(|part| part.rows.len()).sum::<usize>() + equals.behind();
    let mut order = standing(HOMELESS);
    level::sort_for_insertion(params.seed, &levels, &mut order);

    let builder = Builder::new(kernels, codes, params, executor, progress);
    let mut graph = GraphBuf::new(params, &levels);
    if sources.iter().any(|source| source.graph.walks_whole()) {
        graph.walk_whole();
    }
    let mut changed = Bitmap::new(codes.count() as u32);
    for (source, map) in sources.iter().zip(&maps) {
        carry_over(&Mend { builder: &builder, graph: source.graph, map, levels: &levels, equals: &equals }, &mut graph, &mut changed);
    }
    let mut steps = Steps::new(&parts, kept, codes.count(), progress);
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
    equals.hang(&mut graph);
    connect(&builder, &mut graph);
    // The new rows can make codes so coarse that halves no longer do, whatever they did for the base.
    if !graph.view().walks_whole() && is_blurred(&graph.view(), codes) {
        return builder.build(true).map(GraphBuf::into_bytes);
    }
    Ok(graph.into_bytes())
}

/// Sets the levels and the home of the rows of a source that have lists there, and gives the map of those.
fn place(source: &Source<'_>, home: u32, levels: &mut [u8], homes: &mut [u32]) -> Result<Vec<u32>, BuildError> {
    let (nodes, entries, rows) = (source.graph.node_count(), source.map.len(), levels.len());
    if entries != nodes as usize {
        return Err(BuildError::Invalid(format!("a map of {entries} entries for {nodes} nodes")));
    }
    for (old, row) in (0..).zip(source.map).filter(|(_, row)| **row != REMOVED) {
        match levels.get_mut(*row as usize) {
            Some(level) if *level == UNPLACED => *level = source.graph.level_of(old) as u8,
            Some(_) => return Err(BuildError::Invalid(format!("two nodes of the graphs are row {row}"))),
            None => return Err(BuildError::Invalid(format!("node {old} of a graph is row {row} of {rows}"))),
        }
    }
    let map = carried(&source.graph, source.map);
    for (old, row) in (0..).zip(&map).filter(|(_, row)| **row != REMOVED) {
        levels[*row as usize] = source.graph.level_of(old) as u8;
        homes[*row as usize] = home;
    }
    Ok(map)
}

/// Copies the lists of the rows of a source that stand; those that lost a neighbour are mended and noted in `changed`.
fn carry_over(mend: &Mend<'_>, graph: &mut GraphBuf, changed: &mut Bitmap) {
    let kept: Vec<u32> = (0..mend.graph.node_count()).filter(|old| mend.is_carried(*old)).collect();
    for batch in kept.chunks(BATCH) {
        for (list, mended) in mend.builder.in_parallel(batch, |old, workspace, out| mend.lists(*old, workspace, out)) {
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
    fn new(parts: &[Part], kept: usize, total: usize, progress: Progress<'a>) -> Self {
        let mut sizes: Vec<usize> = parts.iter().map(|part| part.rows.len()).collect();
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
