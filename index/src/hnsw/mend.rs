//! Carrying a graph over: its rows are renumbered, and lists are mended where rows went away.
//!
//! A list that lost a neighbour is chosen again among what is left of it and the neighbours of the lost
//! ones, whatever its length: a test against the length that is left lets recall decay over many merges
//! with few deletes each, because every merge thins the lists a little more.

use super::build::{Builder, NewList, Workspace};
use super::extend::{REMOVED, Source};

/// What the lists of a graph are carried over with.
pub(super) struct Mend<'a> {
    pub(super) builder: &'a Builder<'a>,
    pub(super) source: &'a Source<'a>,
    /// The levels of the rows of the merge.
    pub(super) levels: &'a [u8],
}

impl Mend<'_> {
    /// The lists of a node that is kept, on all levels of its row, and whether each had to be mended.
    pub(super) fn lists(&self, old: u32, workspace: &mut Workspace, out: &mut Vec<(NewList, bool)>) {
        let row = self.source.map[old as usize];
        for level in 0..=usize::from(self.levels[row as usize]) {
            let mut neighbours = Vec::new();
            let mut lost = Vec::new();
            for neighbour in self.source.graph.neighbours(old, level) {
                match self.source.map[neighbour as usize] {
                    REMOVED => lost.push(neighbour),
                    new => self.add(row, level, new, &mut neighbours),
                }
            }
            let capacity = self.builder.params.capacity(level);
            let mended = !lost.is_empty() || neighbours.len() > capacity;
            if mended {
                for second in lost.iter().flat_map(|gone| self.source.graph.neighbours(*gone, level)) {
                    self.add(row, level, self.source.map[second as usize], &mut neighbours);
                }
                let candidates = self.builder.keys_of(row, &neighbours).collect();
                neighbours = self.builder.choose(row, candidates, capacity, &mut workspace.selection);
            }
            out.push((NewList { node: row, level, neighbours }, mended));
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
