//! The last step of a build: every node can be reached from the entry on level 0.
//!
//! Choosing neighbours in different directions can leave a node, most of all one of many equal ones,
//! without a single edge that leads to it. Such a node is put into the list of the nearest reachable node
//! that a search finds; when that list is full, it takes the place of the last neighbour and takes that
//! neighbour into its own list, so that nothing else is cut off.

use super::build::Builder;
use super::equals::hanging;
use super::layout::{GraphBuf, GraphView};
use super::search::Scratch;
use crate::filter::Bitmap;

/// Candidates among which a place is looked for.
const EF: usize = 32;

/// Makes every node reachable from the entry on level 0.
pub(super) fn connect(builder: &Builder<'_>, graph: &mut GraphBuf) {
    let view = graph.view();
    let Some(entry) = view.entry() else {
        return;
    };
    let mut reached = Bitmap::new(view.node_count());
    reach(&view, entry, &mut reached);
    // What hangs behind an equal node is reached with it.
    let hangs = hanging(&view);
    let unreached: Vec<u32> = (0..view.node_count()).filter(|node| !reached.get(*node) && !hangs.get(*node)).collect();
    let mut scratch = Scratch::default();
    for node in unreached {
        // Attaching an earlier one may have brought this one along.
        if !reached.get(node) {
            attach(builder, graph, node, &reached, &mut scratch);
            reach(&graph.view(), node, &mut reached);
        }
    }
    assert_eq!(reached.count(), reached.len(), "nodes that a walk reaches");
}

/// Adds `from` and all that can be reached from it to `reached`.
pub(super) fn reach(graph: &GraphView<'_>, from: u32, reached: &mut Bitmap) {
    let mut stack = vec![from];
    reached.set(from, true);
    while let Some(node) = stack.pop() {
        for neighbour in graph.neighbours(node, 0).chain(graph.next_equal(node)) {
            if !reached.get(neighbour) {
                reached.set(neighbour, true);
                stack.push(neighbour);
            }
        }
    }
}

fn attach(builder: &Builder<'_>, graph: &mut GraphBuf, node: u32, reached: &Bitmap, scratch: &mut Scratch) {
    let walk = builder.walk(graph);
    let query = builder.codes.row_query(node);
    let start = walk.descend(query, 0, scratch).unwrap_or_else(|| unreachable!("the graph has an entry"));
    walk.nearest(query, 0, start, EF, scratch);
    // The walk comes down the upper levels, so it may begin at a node that level 0 does not reach.
    let found = scratch.nearest_keys().iter().map(|key| key.node()).filter(|host| reached.get(*host));
    let hosts: Vec<u32> = found.chain(walk.graph.entry()).collect();
    let list_of = |host: u32| walk.graph.neighbours(host, 0).collect::<Vec<u32>>();
    let with_room = hosts.iter().copied().find(|host| list_of(*host).len() < graph.room(*host));
    let host = with_room.unwrap_or(hosts[0]);
    let mut host_list = list_of(host);
    let mut own_list = list_of(node);
    if host_list.len() == graph.room(host) {
        let displaced = host_list.pop();
        own_list.retain(|neighbour| Some(*neighbour) != displaced);
        own_list.truncate(graph.room(node) - 1);
        own_list.extend(displaced);
    }
    host_list.push(node);
    graph.set_list(host, 0, &host_list);
    graph.set_list(node, 0, &own_list);
}
