//! Carrying a graph over: its rows are renumbered, and lists are mended where rows went away.
//!
//! A list that lost a neighbour is chosen again among what is left of it and the neighbours of the lost
//! ones, whatever its length: a test against the length that is left lets recall decay over many merges
//! with few deletes each, because every merge thins the lists a little more. A neighbour that hangs behind an equal row is lost like one
//! that went away, but for the row that stands for it.

use super::build::{Builder, NewList, Workspace};
use super::equals::Equals;
use super::extend::REMOVED;
use super::layout::GraphView;

/// What the lists of a graph are carried over with.
pub(super) struct Mend<'a> {
    pub(super) builder: &'a Builder<'a>,
    /// The graph.
    pub(super) graph: GraphView<'a>,
    /// For each of its nodes the row whose lists it has, or [`REMOVED`].
    pub(super) map: &'a [u32],
    /// The levels of the rows of the merge.
    pub(super) levels: &'a [u8],
    /// Which of them stand for others.
    pub(super) equals: &'a Equals,
}

impl Mend<'_> {
    /// True when the lists of a node are carried over: its row is kept, and does not hang behind another.
    pub(super) fn is_carried(&self, old: u32) -> bool {
        let row = self.map[old as usize];
        row != REMOVED && self.equals.stands(row)
    }

    /// The lists of a node that is carried over, on all levels of its row, and whether each had to be mended.
    pub(super) fn lists(&self, old: u32, workspace: &mut Workspace, out: &mut Vec<(NewList, bool)>) {
        let row = self.map[old as usize];
        for level in 0..=usize::from(self.levels[row as usize]) {
            let mut neighbours = Vec::new();
            let mut lost = Vec::new();
            for neighbour in self.graph.neighbours(old, level) {
                if !self.is_carried(neighbour) {
                    lost.push(neighbour);
                }
                self.add(row, level, neighbour, &mut neighbours);
            }
            let capacity = self.builder.params.capacity(level);
            let mended = !lost.is_empty() || neighbours.len() > capacity;
            if mended {
                for second in lost.iter().flat_map(|gone| self.graph.neighbours(*gone, level)) {
                    self.add(row, level, second, &mut neighbours);
                }
                let candidates = self.builder.keys_of(row, &neighbours).collect();
                neighbours = self.builder.choose(row, candidates, capacity, &mut workspace.selection);
            }
            out.push((NewList { node: row, level, neighbours }, mended));
        }
    }

    /// Adds what became of a node when that can be in the list: a row that stands, of this level, another one, not there yet.
    fn add(&self, row: u32, level: usize, node: u32, neighbours: &mut Vec<u32>) {
        let kept = self.map[node as usize];
        if kept == REMOVED {
            return;
        }
        let candidate = self.equals.stand(kept);
        let fits = candidate != row && usize::from(self.levels[candidate as usize]) >= level && !neighbours.contains(&candidate);
        if fits {
            neighbours.push(candidate);
        }
    }
}
