//! Joining two parts of a graph that have no edge in common.
//!
//! Every row of the smaller part looks for its nearest rows of the larger one. The rows of the upper
//! levels, a fair sample, search from the entry; the others begin where their neighbours ended, so they
//! are at the place at once. Then the lists of the smaller part are chosen again among the neighbours
//! they have and those found, and the lists of the larger part among theirs and the rows that found
//! them: one side searches, both gain.

use super::build::{BuildError, Builder, Workspace};
use super::candidates::Key;
use super::extend::{BATCH, Steps};
use super::layout::GraphBuf;
use super::relink::relink;
use crate::filter::Bitmap;

/// Neighbours at whose finds a walk begins.
const GUIDES: usize = 4;

/// How many of the finds of each.
const SEEDS: usize = 8;

/// A search keeps this part of the candidates that a build would be expected to have in the larger part:
/// own neighbours and finds are chosen among together, so fewer do (measured: a half finds as much as a
/// build does, and all of them cost half as much again).
const EF_DIVISOR: u64 = 2;

/// Rows that hang together.
pub(super) struct Part {
    /// The rows, ascending.
    pub(super) rows: Vec<u32>,
    /// Where a walk over the part begins: the first of its rows on its highest level.
    pub(super) entry: u32,
}

impl Part {
    /// `None` when there are no rows.
    pub(super) fn new(rows: Vec<u32>, levels: &[u8]) -> Option<Self> {
        assert!(rows.is_sorted_by(|a, b| a < b), "rows of a part ascend");
        let entry = rows.iter().copied().min_by_key(|row| (u8::MAX - levels[*row as usize], *row))?;
        Some(Part { rows, entry })
    }

    /// The rows of both.
    pub(super) fn with(self, other: Part, levels: &[u8]) -> Self {
        let mut rows = [self.rows, other.rows].concat();
        rows.sort_unstable();
        Part::new(rows, levels).unwrap_or_else(|| unreachable!("parts have rows"))
    }
}

/// What a row found on a level, nearest first.
pub(super) struct Find {
    pub(super) row: u32,
    pub(super) level: usize,
    pub(super) keys: Box<[Key]>,
}

/// What the rows of the smaller part found.
pub(super) struct Finds {
    /// On level 0, for each row of the merge; empty when it has not searched.
    pub(super) base: Vec<Box<[Key]>>,
    /// On the levels above.
    pub(super) upper: Vec<Find>,
}

/// Adds the edges between `smaller` and `larger`, and the rows whose lists it changed to `changed`.
pub(super) fn join(
    builder: &Builder<'_>,
    levels: &[u8],
    graph: &mut GraphBuf,
    (smaller, larger): (&Part, &Part),
    changed: &mut Bitmap,
    steps: &mut Steps<'_>,
) -> Result<(), BuildError> {
    // Walks from here stay in the larger part: there is no edge that leaves it.
    graph.set_entry(larger.entry);
    let mut finds = Finds { base: vec![Box::default(); levels.len()], upper: Vec::new() };
    let seek = Seek::new(builder, levels, graph, smaller, larger);
    let (mut ready, mut waiting): (Vec<u32>, Vec<u32>) = smaller.rows.iter().partition(|row| levels[**row as usize] > 0);
    while !(ready.is_empty() && waiting.is_empty()) {
        if ready.is_empty() {
            // No edge leads from these to rows that searched.
            std::mem::swap(&mut ready, &mut waiting);
        }
        for batch in ready.chunks(BATCH) {
            steps.ask()?;
            let found = builder.in_parallel(batch, |row, workspace, out| seek.find(*row, &finds.base, workspace, out));
            for find in found {
                if find.level == 0 {
                    finds.base[find.row as usize] = find.keys;
                } else {
                    finds.upper.push(find);
                }
            }
            steps.done(batch.len());
        }
        let guided = |row: &u32| seek.graph.view().neighbours(*row, 0).any(|near| !finds.base[near as usize].is_empty());
        (ready, waiting) = waiting.iter().partition(|row| guided(row));
    }
    relink(builder, graph, (smaller, larger), &finds, changed);
    Ok(())
}

/// What the searches of a join have in common.
struct Seek<'a> {
    builder: &'a Builder<'a>,
    levels: &'a [u8],
    graph: &'a GraphBuf,
    ef: usize,
}

impl<'a> Seek<'a> {
    fn new(builder: &'a Builder<'a>, levels: &'a [u8], graph: &'a GraphBuf, smaller: &Part, larger: &Part) -> Self {
        let all = (larger.rows.len() + smaller.rows.len()) as u64;
        let ef = u64::from(builder.params.ef_construction) * larger.rows.len() as u64 / all / EF_DIVISOR;
        Seek { builder, levels, graph, ef: (ef as usize).max(1) }
    }

    /// Looks for the nearest rows of the larger part on all levels that the row shares with it.
    fn find(&self, row: u32, finds: &[Box<[Key]>], workspace: &mut Workspace, out: &mut Vec<Find>) {
        let walk = self.builder.walk(self.graph);
        let query = self.builder.codes.row_query(row);
        let scratch = &mut workspace.scratch;
        let Some(entry) = walk.graph.entry() else {
            return;
        };
        let level = self.levels[row as usize];
        let top = usize::from(level.min(self.levels[entry as usize]));
        if level == 0 {
            let guides = walk.graph.neighbours(row, 0).map(|near| &finds[near as usize]).filter(|keys| !keys.is_empty());
            let starts: Vec<u32> = guides.take(GUIDES).flat_map(|keys| keys.iter().take(SEEDS)).map(|key| key.node()).collect();
            if !starts.is_empty() {
                let keys = walk.nearest_by_codes_from(query, &starts, self.ef, scratch).into();
                return out.push(Find { row, level: 0, keys });
            }
        }
        let Some(mut start) = walk.descend(query, top, scratch) else {
            return;
        };
        for level in (0..=top).rev() {
            let keys: Box<[Key]> = walk.nearest_by_codes(query, level, start, self.ef, scratch).into();
            start = keys[0];
            out.push(Find { row, level, keys });
        }
    }
}
