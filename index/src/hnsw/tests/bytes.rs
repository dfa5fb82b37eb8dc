//! The bytes of a graph: whatever they are, nothing panics; what is wrong is named.

use super::*;

const NODES: usize = 400;
const M0: usize = 32;

fn sample() -> (Data, Vec<u8>) {
    let data = Data::clusters(Metric::L2, Datatype::U8, NODES, 8, 6);
    let graph = data.build(&Params { ef_construction: 20, ..Params::default() });
    (data, graph)
}

/// Position of a place in the list of a node on level 0.
fn place(node: usize, place: usize) -> usize {
    64 + (node * M0 + place) * 4
}

fn with_word(graph: &[u8], at: usize, value: u32) -> Vec<u8> {
    let mut changed = graph.to_vec();
    changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
    changed
}

/// Everything that reads a graph, over bytes that may be anything.
pub(super) fn use_it(data: &Data, bytes: &[u8]) {
    let Ok(graph) = GraphView::parse(bytes, NODES) else {
        return;
    };
    let view = data.codes.view();
    let code = view.params().encode_query(&data.values[3]);
    let mut scratch = Scratch::default();
    search(Kernels::detect(), &graph, &view, None, code.as_query(), 20, &mut scratch);
    let wanted = Wanted { accept: |row| row % 3 == 0, ef: 20, ef_min: 5, visits_max: 1000 };
    search_filtered(Kernels::detect(), &graph, &view, code.as_query(), &wanted, &mut scratch);
    assert!(check(&graph).reachable >= 1, "the entry at least");
    // Both sources are damaged, each holds some of the rows, and one row in five is in none.
    let map = |part: u32| -> Vec<u32> {
        let holds = |node: &u32| !node.is_multiple_of(5) && (node % 5 == 4) == (part > 0);
        (0..NODES as u32).map(|node| if holds(&node) { node } else { REMOVED }).collect()
    };
    let (larger, smaller) = (map(0), map(1));
    let sources = [Source { graph, map: &larger }, Source { graph, map: &smaller }];
    let params = Params { ef_construction: 10, ..Params::default() };
    let merged = merge(Kernels::detect(), &sources, &view, &params, &Sequential, &|_, _| true).unwrap();
    checked(&merged, NODES);
}

#[test]
fn every_truncation_and_every_extension_is_an_error() {
    let (_, graph) = sample();
    for len in 0..graph.len() {
        assert!(GraphView::parse(&graph[..len], NODES).is_err(), "truncated to {len}");
    }
    assert!(GraphView::parse(&[&graph[..], &[0]].concat(), NODES).is_err());
    assert!(GraphView::parse(&graph, NODES + 1).is_err(), "another number of rows");
}

#[test]
fn damaged_bytes_never_panic() {
    let (data, graph) = sample();
    for at in 0..64 {
        for value in [0, 1, 2, 31, 64, 128, 255] {
            let mut broken = graph.clone();
            broken[at] = value;
            use_it(&data, &broken);
        }
    }
    for seed in 0..40 {
        let mut stream = Stream::new(seed);
        let mut broken = graph.clone();
        for _ in 0..=seed * 5 {
            let at = 64 + stream.next() as usize % (broken.len() - 64);
            broken[at] = stream.next() as u8;
        }
        use_it(&data, &broken);
    }
    let lists = place(NODES, 0);
    for filler in [0x00, 0x01, 0xff] {
        let mut broken = graph.clone();
        broken[64..lists].fill(filler);
        use_it(&data, &broken);
    }
}

#[test]
fn a_check_names_what_is_wrong_and_where() {
    let (_, graph) = sample();
    let first_of = |bytes: &[u8]| check(&GraphView::parse(bytes, NODES).unwrap()).first_offence;
    assert_eq!(first_of(&graph), None);
    let neighbour = u32::from_le_bytes(graph[place(5, 0)..place(5, 1)].try_into().unwrap());
    assert_eq!(first_of(&with_word(&graph, place(5, 0), 5)), Some(Offence::SelfLoop { node: 5, level: 0 }));
    assert_eq!(first_of(&with_word(&graph, place(5, 1), neighbour)), Some(Offence::Duplicate { node: 5, level: 0, neighbour }));
    assert_eq!(
        first_of(&with_word(&graph, place(5, 0), NODES as u32)),
        Some(Offence::OutOfRange { node: 5, level: 0, neighbour: NODES as u32 })
    );
    assert_eq!(first_of(&with_word(&graph, place(5, 0), u32::MAX)), Some(Offence::AfterFreePlace { node: 5, level: 0 }));
    let mut cut_off = graph.clone();
    cut_off[64..place(NODES, 0)].fill(0xff);
    let report = check(&GraphView::parse(&cut_off, NODES).unwrap());
    assert_eq!((report.reachable, report.edges), (1, 0));
    assert!(matches!(report.first_offence, Some(Offence::Unreachable { .. })));
}

#[test]
fn a_neighbour_on_the_wrong_level_is_named() {
    let (_, graph) = sample();
    let view = GraphView::parse(&graph, NODES).unwrap();
    let upper = (0..NODES as u32).find(|node| view.neighbours(*node, 1).next().is_some()).unwrap();
    let flat = (0..NODES as u32).find(|node| view.level_of(*node) == 0).unwrap();
    let lists = view.neighbours(upper, 1).count();
    // The lists of the upper levels are the last section, and the first one belongs to the first upper node.
    let section = graph.len() - (0..NODES as u32).map(|node| view.level_of(node)).sum::<usize>() * 16 * 4;
    let broken = with_word(&graph, section, flat);
    assert!(lists > 0);
    assert_eq!(
        check(&GraphView::parse(&broken, NODES).unwrap()).first_offence,
        Some(Offence::WrongLevel { node: upper, level: 1, neighbour: flat })
    );
}

#[test]
fn the_bytes_of_a_graph_of_two_rows_are_these() {
    let data = Data::new(Metric::L2, Datatype::U8, vec![vec![1.0; 4], vec![2.0; 4]]);
    let graph = data.build(&Params { m: 16, m0: 16, ..Params::default() });
    let words: Vec<u32> = graph.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let free = u32::MAX;
    // version, nodes, m0, m, entry, highest level, upper nodes, upper lists, walk, then zeros
    assert_eq!(words[..8], [2, 2, 16, 16, words[4], 0, 0, 0]);
    assert!(words[4] < 2 && words[8] == 1 && words[9..16] == [0; 7]);
    // one list a node, then the number of upper lists, then zeros up to the empty last section
    assert_eq!(words[16..18], [1, free]);
    assert_eq!(words[32..34], [0, free]);
    assert_eq!(words[48..], [0; 16]);
}
