//! Rows with equal codes: one stands for all of them in the graph, and the others hang behind it in a chain that walks do not enter.
//!
//! A walk cannot tell such rows apart. Inserted like others, hundreds of them fill their own lists and those of all rows around, and the
//! candidates of a walk that only passes by. Behind one that stands they cost a walk nothing; what it found is told its equals at the end.

use super::extend::REMOVED;
use super::layout::{GraphBuf, GraphView, next_equal};
use crate::codes::CodesView;
use crate::filter::Bitmap;
use std::cmp::Reverse;

/// The home of a row that no graph of a merge has.
pub(super) const HOMELESS: u32 = u32::MAX;

/// Rows that equal each other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chain {
    /// The row that leads to the others.
    head: u32,
    /// The others, ascending.
    behind: Vec<u32>,
}

/// Which rows stand for those that equal them.
pub(super) struct Equals {
    chains: Vec<Chain>,
    stands: Vec<u32>,
    behind: usize,
}

impl Equals {
    /// Of equal rows the one on the highest level stands, the first of several; the others go down to level 0.
    pub(super) fn of(codes: &CodesView<'_>, levels: &mut [u8]) -> Self {
        Equals::with_homes(codes, levels, |_| HOMELESS)
    }

    /// As [`Equals::of`], where rows come from graphs: one of each graph stands, and the chain is behind the one of the first graph.
    pub(super) fn with_homes(codes: &CodesView<'_>, levels: &mut [u8], home: impl Fn(u32) -> u32) -> Self {
        let mut stands: Vec<u32> = (0..codes.count() as u32).collect();
        let mut chains = Vec::new();
        for mut group in groups(codes) {
            group.sort_unstable_by_key(|row| (home(*row), Reverse(levels[*row as usize]), *row));
            let head = group[0];
            let mut behind = Vec::new();
            for rows in group.chunk_by(|a, b| home(*a) == home(*b)) {
                let stand = if home(rows[0]) == HOMELESS { head } else { rows[0] };
                for row in rows.iter().filter(|row| **row != stand) {
                    stands[*row as usize] = stand;
                    levels[*row as usize] = 0;
                    behind.push(*row);
                }
            }
            behind.sort_unstable();
            if !behind.is_empty() {
                chains.push(Chain { head, behind });
            }
        }
        let behind = chains.iter().map(|chain| chain.behind.len()).sum();
        Equals { chains, stands, behind }
    }

    /// The row that stands for a row: itself, unless it hangs behind another.
    pub(super) fn stand(&self, row: u32) -> u32 {
        self.stands[row as usize]
    }

    /// True when the row does not hang behind another.
    pub(super) fn stands(&self, row: u32) -> bool {
        self.stand(row) == row
    }

    /// Rows that hang behind others.
    pub(super) fn behind(&self) -> usize {
        self.behind
    }

    /// Hangs the chains into a graph of the rows that stand. A full list gives its last neighbour up for its chain.
    pub(super) fn hang(&self, graph: &mut GraphBuf) {
        for Chain { head, behind } in &self.chains {
            let mut neighbours: Vec<u32> = graph.view().neighbours(*head, 0).collect();
            neighbours.truncate(graph.view().capacity(0) - 1);
            graph.set_list(*head, 0, &neighbours);
            let mut before = *head;
            for row in behind {
                graph.set_equal(before, *row);
                before = *row;
            }
        }
    }
}

/// The nodes behind `node`, one after the other, by the lists of level 0. Damaged lists may name anything, and come to an end.
pub(super) fn behind(lists: &[u8], degree: usize, node: u32) -> impl Iterator<Item = u32> {
    let mut next = next_equal(lists, degree, node);
    std::iter::from_fn(move || {
        let equal = next?;
        next = next_equal(lists, degree, equal).filter(|after| *after > equal);
        Some(equal)
    })
}

/// Adds the equals of what a walk found, nearest first, until there are `ef`; they take the places of what is farther.
pub(super) fn add_equals(lists: &[u8], degree: usize, ef: usize, found: &mut Vec<(i32, u32)>) {
    let heads = found.len();
    let (mut kept, mut added) = (0, 0);
    while kept < heads && kept + added < ef {
        let (distance, node) = found[kept];
        kept += 1;
        for equal in behind(lists, degree, node).take(ef - kept - added) {
            found.push((distance, equal));
            added += 1;
        }
    }
    found.drain(kept..heads);
    if added > 0 {
        found.sort_unstable();
    }
    assert_eq!(found.len(), kept + added, "what was found, and its equals");
}

/// The nodes that hang behind others.
pub(super) fn hanging(graph: &GraphView<'_>) -> Bitmap {
    let mut hangs = Bitmap::new(graph.node_count());
    if graph.has_equals() {
        (0..graph.node_count()).filter_map(|node| graph.next_equal(node)).for_each(|equal| hangs.set(equal, true));
    }
    hangs
}

/// The map of a graph's nodes to rows for a merge, where only nodes that stand have lists to be carried over: those behind them get
/// [`REMOVED`] like those that are gone, and where one that stands is gone, the first of its equals that is left takes its lists.
pub(super) fn carried(graph: &GraphView<'_>, map: &[u32]) -> Vec<u32> {
    let mut carried = map.to_vec();
    if !graph.has_equals() {
        return carried;
    }
    let (lists, degree) = (graph.base(), graph.capacity(0));
    let mut hangs = hanging(graph);
    hangs.iter().for_each(|equal| carried[equal as usize] = REMOVED);
    let gone: Vec<u32> = (0..graph.node_count()).filter(|node| !hangs.get(*node) && map[*node as usize] == REMOVED).collect();
    for head in gone {
        // In damaged lists chains may meet: a row is taken once.
        let mut heirs = behind(lists, degree, head).filter(|equal| hangs.get(*equal) && map[*equal as usize] != REMOVED);
        if let Some(heir) = heirs.next() {
            hangs.set(heir, false);
            carried[head as usize] = map[heir as usize];
        }
    }
    carried
}

/// The rows that equal another one, in groups, ascending.
fn groups(codes: &CodesView<'_>) -> Vec<Vec<u32>> {
    let row = |row: u32| codes.rows().row(row);
    let mut hashed: Vec<(u64, u32)> = (0..codes.count() as u32).map(|number| (hash(row(number)), number)).collect();
    hashed.sort_unstable();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for run in hashed.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
        let mut rows: Vec<u32> = run.iter().map(|(_, number)| *number).collect();
        // Most often all are equal; what only has the same hash is sorted out.
        if rows.iter().any(|other| row(*other) != row(rows[0])) {
            rows.sort_by_key(|number| row(*number));
        }
        groups.extend(rows.chunk_by(|a, b| row(*a) == row(*b)).filter(|group| group.len() > 1).map(<[u32]>::to_vec));
    }
    groups.sort_unstable();
    groups
}

/// Spreads a code row, of whole words, over 64 bits.
fn hash(row: &[u8]) -> u64 {
    let (words, rest) = row.as_chunks::<8>();
    assert!(rest.is_empty(), "code rows are padded");
    words.iter().fold(0, |hash, word| mix(hash ^ u64::from_le_bytes(*word)))
}

fn mix(word: u64) -> u64 {
    let mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{CodeParams, CodesBuf};
    use crate::{Datatype, Metric};

    fn codes<const DIMS: usize>(rows: &[[u8; DIMS]]) -> CodesBuf {
        let mut codes = CodesBuf::new(CodeParams::train(Metric::L2, Datatype::U8, &[]), DIMS);
        rows.iter().for_each(|row| codes.push(row));
        codes
    }

    #[test]
    fn the_highest_of_equal_rows_stands_for_all_and_the_others_go_down() {
        let codes = codes(&[[1, 1], [2, 2], [1, 1], [3, 3], [2, 2], [1, 1]]);
        let mut levels = [0, 1, 2, 1, 1, 1];
        let equals = Equals::of(&codes.view(), &mut levels);
        assert_eq!(equals.stands, [2, 1, 2, 3, 1, 2]);
        assert_eq!(levels, [0, 1, 2, 1, 0, 0]);
        let chain = |head, behind: &[u32]| Chain { head, behind: behind.to_vec() };
        assert_eq!(equals.chains, [chain(2, &[0, 5]), chain(1, &[4])]);
        assert_eq!((equals.behind(), equals.stands(3), equals.stands(4)), (3, true, false));
    }

    #[test]
    fn of_equal_rows_in_several_graphs_one_of_each_stands() {
        let codes = codes(&[[7, 7]; 6]);
        let mut levels = [0, 1, 0, 0, 2, 3];
        // Rows 0 and 1 are of one graph, 2 and 3 of another, the others of none.
        let home = [0, 0, 1, 1, HOMELESS, HOMELESS];
        let equals = Equals::with_homes(&codes.view(), &mut levels, |row| home[row as usize]);
        assert_eq!(equals.stands, [1, 1, 2, 2, 1, 1]);
        assert_eq!(equals.chains, [Chain { head: 1, behind: vec![0, 3, 4, 5] }]);
        assert_eq!(levels, [0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn rows_that_only_share_a_hash_are_told_apart() {
        // The second word undoes what the first did to the hash.
        let row = |number: u64| {
            let mut row = [0; 16];
            row[..8].copy_from_slice(&number.to_le_bytes());
            row[8..].copy_from_slice(&(mix(number) ^ 0x0102_0304_0506_0708).to_le_bytes());
            row
        };
        let codes = codes(&[3, 1, 2, 3, 1, 4, 3].map(row));
        let hashes: Vec<u64> = (0..7).map(|number| hash(codes.view().rows().row(number))).collect();
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "{hashes:?}");
        assert_eq!(groups(&codes.view()), [vec![0, 3, 6], vec![1, 4]]);
    }
}
