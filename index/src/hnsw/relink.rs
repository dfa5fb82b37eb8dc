//! Choosing lists again after a join, and giving edges back.

use super::build::{Builder, NewList, Workspace};
use super::candidates::Key;
use super::extend::BATCH;
use super::join::{Finds, Part};
use super::layout::GraphBuf;
use crate::filter::Bitmap;

/// Rows of the larger part whose candidates are collected at once: bounds the memory, and reads the finds
/// once for so many rows.
const SECTION: usize = 1 << 18;

/// A candidate for a list on one of the upper levels, or an edge to be given back. Sorts by list, then
/// distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Offer {
    level: usize,
    to: u32,
    key: Key,
}

impl Offer {
    fn same_list(&self, other: &Offer) -> bool {
        (self.level, self.to) == (other.level, other.to)
    }
}

/// Chooses the lists of both parts again, and adds the rows whose lists changed to `changed`.
pub(super) fn relink(builder: &Builder<'_>, graph: &mut GraphBuf, (smaller, larger): (&Part, &Part), finds: &Finds, changed: &mut Bitmap) {
    relink_upper(builder, graph, finds);
    for batch in smaller.rows.chunks(BATCH) {
        let choose = |row: &u32, workspace: &mut Workspace, out: &mut Vec<NewList>| {
            out.push(choose_again(builder, graph, *row, 0, &finds.base[*row as usize], workspace));
        };
        let lists = builder.in_parallel(batch, choose);
        set(graph, &lists, changed);
    }
    for section in larger.rows.chunks(SECTION) {
        let finders = Finders::new(section, smaller, finds);
        for batch in section.chunks(BATCH) {
            let choose = |row: &u32, workspace: &mut Workspace, out: &mut Vec<NewList>| {
                let keys = finders.of(*row);
                if !keys.is_empty() {
                    out.push(choose_again(builder, graph, *row, 0, keys, workspace));
                }
            };
            let lists = builder.in_parallel(batch, choose);
            set(graph, &lists, changed);
        }
    }
}

fn set(graph: &mut GraphBuf, lists: &[NewList], changed: &mut Bitmap) {
    for list in lists {
        graph.set_list(list.node, list.level, &list.neighbours);
        changed.set(list.node, true);
    }
}

/// The few lists of the upper levels.
fn relink_upper(builder: &Builder<'_>, graph: &mut GraphBuf, finds: &Finds) {
    let mut offers: Vec<Offer> = Vec::new();
    for find in &finds.upper {
        for key in &find.keys {
            offers.push(Offer { level: find.level, to: find.row, key: *key });
            offers.push(Offer { level: find.level, to: key.node(), key: Key::new(key.distance(), find.row) });
        }
    }
    offers.sort_unstable();
    let groups: Vec<&[Offer]> = offers.chunk_by(Offer::same_list).collect();
    let lists = builder.in_parallel(&groups, |group, workspace, out| {
        let keys: Vec<Key> = group.iter().map(|offer| offer.key).collect();
        out.push(choose_again(builder, graph, group[0].to, group[0].level, &keys, workspace));
    });
    for list in lists {
        graph.set_list(list.node, list.level, &list.neighbours);
    }
}

/// A list among the neighbours that a node has and `more` rows, none of which is among them.
fn choose_again(builder: &Builder<'_>, graph: &GraphBuf, node: u32, level: usize, more: &[Key], workspace: &mut Workspace) -> NewList {
    let own: Vec<u32> = graph.view().neighbours(node, level).collect();
    let candidates = builder.keys_of(node, &own).chain(more.iter().copied()).collect();
    let neighbours = builder.choose(node, candidates, builder.params.capacity(level), &mut workspace.selection);
    NewList { node, level, neighbours }
}

/// For each row of a section of the larger part, the rows that found it.
struct Finders {
    first: u32,
    /// Where the keys of each row begin, counted from the first, and where the last end.
    starts: Vec<u32>,
    keys: Vec<Key>,
}

impl Finders {
    fn new(section: &[u32], smaller: &Part, finds: &Finds) -> Self {
        let (first, last) = (section[0], section[section.len() - 1]);
        let found = || {
            let all = smaller.rows.iter().flat_map(|row| finds.base[*row as usize].iter().map(|key| (*row, *key)));
            all.filter(|(_, key)| (first..=last).contains(&key.node()))
        };
        let mut starts = vec![0; (last - first) as usize + 2];
        for (_, key) in found() {
            starts[(key.node() - first) as usize + 1] += 1;
        }
        for place in 1..starts.len() {
            starts[place] += starts[place - 1];
        }
        let mut next = starts.clone();
        let mut keys = vec![Key::new(0, 0); starts[starts.len() - 1] as usize];
        for (row, key) in found() {
            let place = &mut next[(key.node() - first) as usize];
            keys[*place as usize] = Key::new(key.distance(), row);
            *place += 1;
        }
        Finders { first, starts, keys }
    }

    fn of(&self, row: u32) -> &[Key] {
        let place = (row - self.first) as usize;
        &self.keys[self.starts[place] as usize..self.starts[place + 1] as usize]
    }
}

/// Gives the edges of the lists that changed back, where there is room: a choice among all candidates at
/// once leaves lists shorter than a build does, whose lists fill up between two choices.
pub(super) fn give_back(builder: &Builder<'_>, graph: &mut GraphBuf, changed: &Bitmap) {
    let rows: Vec<u32> = (0..graph.view().node_count()).filter(|row| changed.get(*row)).collect();
    for batch in rows.chunks(BATCH) {
        let mut offers = builder.in_parallel(batch, |row, _, out| offer_back(builder, graph, *row, out));
        offers.sort_unstable();
        let groups: Vec<&[Offer]> = offers.chunk_by(Offer::same_list).collect();
        let lists = builder.in_parallel(&groups, |group, _, out| {
            let Offer { level, to, .. } = group[0];
            let mut neighbours: Vec<u32> = graph.view().neighbours(to, level).collect();
            neighbours.extend(group.iter().map(|offer| offer.key.node()));
            neighbours.truncate(builder.params.capacity(level));
            out.push(NewList { node: to, level, neighbours });
        });
        for list in lists {
            graph.set_list(list.node, list.level, &list.neighbours);
        }
    }
}

/// What the neighbours of `row` lack: it.
fn offer_back(builder: &Builder<'_>, graph: &GraphBuf, row: u32, out: &mut Vec<Offer>) {
    let view = graph.view();
    for level in 0..=view.level_of(row) {
        let capacity = builder.params.capacity(level);
        let wants =
            |near: &u32| view.neighbours(*near, level).count() < capacity && view.neighbours(*near, level).all(|other| other != row);
        let takers: Vec<u32> = view.neighbours(row, level).filter(wants).collect();
        let keys = builder.keys_of(row, &takers);
        out.extend(keys.map(|key| Offer { level, to: key.node(), key: Key::new(key.distance(), row) }));
    }
}
