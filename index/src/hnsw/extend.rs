//! Merging: a graph that exists is renumbered and mended where rows went away, and new rows are inserted.
//!
//! A list that lost a neighbour is chosen again among what is left of it and the neighbours of the lost
//! ones, whatever its length: a test against the length that is left lets recall decay over many merges
//! with few deletes each, because every merge thins the lists a little more.

use super::Executor;
use super::build::{BuildError, Builder, NewList, Progress, Workspace, build, check_input};
use super::connect::connect;
use super::layout::{GraphBuf, GraphView};
use super::level;
use super::params::Params;
use crate::codes::CodesView;
use crate::simd::Kernels;

/// In a map of nodes: the row is gone.
pub const REMOVED: u32 = u32::MAX;

/// Builds a graph over all rows of `codes` from `base`, whose node `i` is row `base_map[i]` now, or
/// [`REMOVED`]. Rows that no node maps to are inserted. The result depends on the inputs alone, as for
/// [`build`].
///
/// # Errors
///
/// [`BuildError::Invalid`] when the parameters are out of range, there are too many rows, or the map is
/// not of one entry a node, each another row; [`BuildError::Cancelled`] when `progress` said so.
pub fn merge(
    kernels: &Kernels,
    base: &GraphView<'_>,
    base_map: &[u32],
    codes: &CodesView<'_>,
    params: &Params,
    executor: &dyn Executor,
    progress: Progress<'_>,
) -> Result<Vec<u8>, BuildError> {
    check_input(codes, params)?;
    let old_of = invert(base, base_map, codes.count())?;
    let rows = 0..codes.count() as u32;
    let kept: Vec<u32> = rows.clone().filter(|row| old_of[*row as usize] != REMOVED).collect();
    if kept.is_empty() {
        return build(kernels, codes, params, executor, progress);
    }
    let level_of = |row: u32| match old_of[row as usize] {
        REMOVED => level::of_node(params.seed, row, params.m),
        old => base.level_of(old) as u8,
    };
    let levels: Vec<u8> = rows.clone().map(level_of).collect();
    let mut order: Vec<u32> = rows.filter(|row| old_of[*row as usize] == REMOVED).collect();
    level::sort_for_insertion(params.seed, &levels, &mut order);

    let builder = Builder::new(kernels, codes, params, executor, progress);
    let mut graph = GraphBuf::new(params, &levels);
    let mend = Mend { builder: &builder, base, base_map, old_of: &old_of, levels: &levels };
    for list in builder.in_parallel(&kept, |row, workspace, out| mend.lists(*row, workspace, out)) {
        graph.set_list(list.node, list.level, &list.neighbours);
    }
    let entry = kept.iter().copied().min_by_key(|row| (u8::MAX - levels[*row as usize], *row));
    let entry = entry.unwrap_or_else(|| unreachable!("a row is kept"));
    graph.set_entry(entry);
    let mut present = kept.len();
    if let Some(first) = order.first().copied().filter(|row| levels[*row as usize] > levels[entry as usize]) {
        // A new row that is higher than all is the entry for the others.
        builder.insert(&mut graph, &levels, &order[..1], present)?;
        graph.set_entry(first);
        order.remove(0);
        present += 1;
    }
    builder.insert(&mut graph, &levels, &order, present)?;
    connect(&builder, &mut graph);
    Ok(graph.into_bytes())
}

/// For each row the node of the base that it was, or [`REMOVED`] when it is new.
fn invert(base: &GraphView<'_>, base_map: &[u32], rows: usize) -> Result<Vec<u32>, BuildError> {
    if base_map.len() != base.node_count() as usize {
        return Err(BuildError::Invalid(format!("a map of {} entries for {} nodes", base_map.len(), base.node_count())));
    }
    let mut old_of = vec![REMOVED; rows];
    for (old, row) in (0..).zip(base_map).filter(|(_, row)| **row != REMOVED) {
        match old_of.get_mut(*row as usize) {
            Some(place) if *place == REMOVED => *place = old,
            Some(_) => return Err(BuildError::Invalid(format!("two nodes of the base are row {row}"))),
            None => return Err(BuildError::Invalid(format!("node {old} of the base is row {row} of {rows}"))),
        }
    }
    Ok(old_of)
}

/// What the lists of the base are carried over with.
struct Mend<'a> {
    builder: &'a Builder<'a>,
    base: &'a GraphView<'a>,
    base_map: &'a [u32],
    old_of: &'a [u32],
    levels: &'a [u8],
}

impl Mend<'_> {
    /// The lists of a kept row on all its levels.
    fn lists(&self, row: u32, workspace: &mut Workspace, out: &mut Vec<NewList>) {
        let old = self.old_of[row as usize];
        for level in 0..=usize::from(self.levels[row as usize]) {
            let mut neighbours = Vec::new();
            let mut lost = Vec::new();
            for neighbour in self.base.neighbours(old, level) {
                match self.base_map[neighbour as usize] {
                    REMOVED => lost.push(neighbour),
                    new => self.add(row, level, new, &mut neighbours),
                }
            }
            let capacity = self.builder.params.capacity(level);
            if !lost.is_empty() || neighbours.len() > capacity {
                for second in lost.iter().flat_map(|gone| self.base.neighbours(*gone, level)) {
                    self.add(row, level, self.base_map[second as usize], &mut neighbours);
                }
                let candidates = self.builder.keys_of(row, &neighbours).collect();
                neighbours = self.builder.choose(candidates, capacity, &mut workspace.selection);
            }
            out.push(NewList { node: row, level, neighbours });
        }
    }

    /// Adds a candidate that can be in the list: a kept row of this level, another one, not there yet.
    fn add(&self, row: u32, level: usize, candidate: u32, neighbours: &mut Vec<u32>) {
        let fits = candidate != REMOVED
            && candidate != row
            && usize::from(self.levels[candidate as usize]) >= level
            && !neighbours.contains(&candidate);
        if fits {
            neighbours.push(candidate);
        }
    }
}
