//! Equal rows: each is found, and they hide nobody else, from the build through merges, filters and damage.

use super::merging::{Parts, joined};
use super::*;
use std::collections::BTreeMap;

const ROWS: usize = 3000;

/// Rows in clusters among 1500 zeros and 40 copies of each of ten others.
fn crowded(metric: Metric, seed: u64) -> Data {
    let mut values = Data::clusters(metric, Datatype::F32, ROWS - 1900, 24, seed).values;
    let originals: Vec<Vec<f32>> = values.iter().take(10).cloned().collect();
    values.extend((0..400).map(|copy| originals[copy % 10].clone()));
    values.extend(vec![vec![0.0; 24]; 1500]);
    Data::new(metric, Datatype::F32, shuffled(values, seed))
}

fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut stream = Stream::new(seed);
    for at in (1..items.len()).rev() {
        items.swap(at, stream.next() as usize % (at + 1));
    }
    items
}

/// The share of answers that are among the ten nearest, where of rows that are as near each will do.
fn nearness(data: &Data, graph: &[u8], ef: usize) -> f64 {
    let graph = GraphView::parse(graph, data.rows.len()).unwrap();
    let view = data.codes.view();
    let (mut scratch, mut right, mut asked) = (Scratch::default(), 0, 0);
    for query in data.values.iter().step_by(23) {
        let keyed = || (0_u32..).zip(data.rows.iter().map(Vec::as_slice));
        let exact = |rows: &[u32]| {
            let rows = keyed().filter(|(id, _)| rows.contains(id));
            flat::search(Kernels::detect(), data.metric, data.datatype, query, rows, 10)
        };
        let worst = flat::search(Kernels::detect(), data.metric, data.datatype, query, keyed(), 10)[9].0;
        let code = view.params().encode_query(query);
        let found = search(Kernels::detect(), &graph, &view, None, code.as_query(), ef, &mut scratch);
        let nodes: Vec<u32> = found.iter().map(|hit| hit.1).collect();
        assert_eq!(nodes.len(), ef.min(data.rows.len()));
        right += exact(&nodes).iter().filter(|hit| hit.0 <= worst).count();
        asked += 10;
    }
    right as f64 / asked as f64
}

/// The rows of each code.
fn groups(data: &Data) -> BTreeMap<Vec<u8>, Vec<u32>> {
    let mut groups: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
    for row in 0..data.rows.len() as u32 {
        groups.entry(data.codes.view().rows().row(row).to_vec()).or_default().push(row);
    }
    groups
}

/// Checks that no list has two equal rows, and that from one of each group all are reached that stand nowhere else: of `stands` at most.
fn assert_apart(data: &Data, graph: &[u8], stands: usize) {
    checked(graph, data.rows.len());
    let view = GraphView::parse(graph, data.rows.len()).unwrap();
    let code = |row: u32| data.codes.view().rows().row(row).to_vec();
    let hanging = |row: &u32| view.neighbours(*row, 0).next().is_none();
    for (_, group) in groups(data) {
        assert!(group.iter().filter(|row| !hanging(row)).count() <= stands, "rows {group:?} stand for themselves");
    }
    for row in 0..data.rows.len() as u32 {
        for level in 0..=view.level_of(row) {
            let mut codes: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
            view.neighbours(row, level).for_each(|near| *codes.entry(code(near)).or_default() += 1);
            assert!(codes.values().all(|times| *times <= stands), "row {row} has equal neighbours");
        }
    }
}

#[test]
fn rows_among_heavy_duplicates_are_found_and_so_are_these() {
    for metric in [Metric::L2, Metric::Manhattan] {
        let data = crowded(metric, 4);
        let graph = data.build(&Params { ef_construction: 64, ..Params::default() });
        assert_apart(&data, &graph, 1);
        let found = [16, 64].map(|ef| nearness(&data, &graph, ef));
        assert!(found[0] >= 0.9 && found[1] >= 0.98, "{metric:?}: {found:?}");
        assert!((nearness(&data, &graph, ROWS) - 1.0).abs() < 1e-9, "{metric:?}: all rows");
    }
}

#[test]
fn merges_keep_equal_rows_apart_whoever_goes() {
    let all = crowded(Metric::L2, 6);
    let params = Params { ef_construction: 64, ..Params::default() };
    let keeps: [&dyn Fn(u32) -> bool; 3] = [&|_| true, &|row| row % 3 > 0, &|row| row % 10 == 0];
    for keep in keeps {
        let parts = Parts::new(&all, &[1000, 1500, 500], &params, keep);
        let graph = parts.merged(Kernels::detect(), &params, 2);
        assert_apart(&parts.data, &graph, 3);
        let found = nearness(&parts.data, &graph, 64);
        assert!(found >= 0.98, "{found}");
        assert!(parts.merged(Kernels::detect(), &params, 1) == graph, "with one thread");
        // Merged again, one of each group stands.
        let rows = parts.data.rows.len() as u32;
        let map: Vec<u32> = (0..rows).collect();
        let again = joined(Kernels::detect(), &[(&graph, &map)], &parts.data, &params, 2);
        assert_apart(&parts.data, &again, 1);
        assert!(nearness(&parts.data, &again, 64) >= 0.98);
    }
}

#[test]
fn the_first_equal_that_is_left_takes_the_lists_of_one_that_goes() {
    let data = crowded(Metric::L2, 7);
    let params = Params { ef_construction: 64, ..Params::default() };
    let bytes = data.build(&params);
    let graph = GraphView::parse(&bytes, ROWS).unwrap();
    let stands: Vec<u32> =
        groups(&data).values().map(|rows| *rows.iter().find(|row| graph.neighbours(**row, 0).count() > 0).unwrap()).collect();
    let goes = |row: u32| stands.contains(&row) && groups(&data)[data.codes.view().rows().row(row)].len() > 1;
    let kept: Vec<u32> = (0..ROWS as u32).filter(|row| !goes(*row)).collect();
    assert_eq!(kept.len(), ROWS - 11, "ten originals and zero go");
    let map: Vec<u32> = (0..ROWS as u32).map(|row| kept.binary_search(&row).map_or(REMOVED, |place| place as u32)).collect();
    let left = Data::new(Metric::L2, Datatype::F32, kept.iter().map(|row| data.values[*row as usize].clone()).collect());
    let merged = joined(Kernels::detect(), &[(&bytes, &map)], &left, &params, 2);
    assert_apart(&left, &merged, 1);
    assert!(nearness(&left, &merged, 64) >= 0.98);
    // Nothing was lost, so nobody else's list was chosen again.
    let view = GraphView::parse(&merged, kept.len()).unwrap();
    for row in kept.iter().filter(|row| graph.next_equal(**row).is_none() && graph.neighbours(**row, 0).count() > 0) {
        assert_eq!(view.neighbours(map[*row as usize], 0).count(), graph.neighbours(*row, 0).count(), "row {row}");
    }
}

#[test]
fn rows_that_are_no_longer_equal_by_their_codes_stand_for_themselves_and_the_other_way_round() {
    let apart = Data::clusters(Metric::L2, Datatype::F32, ROWS, 24, 8);
    let alike = Data::new(Metric::L2, Datatype::F32, (0..ROWS).map(|row| apart.values[row % 300].clone()).collect());
    let params = Params { ef_construction: 64, ..Params::default() };
    let map: Vec<u32> = (0..ROWS as u32).collect();
    for (before, after) in [(&alike, &apart), (&apart, &alike)] {
        let graph = joined(Kernels::detect(), &[(&before.build(&params), &map)], after, &params, 2);
        assert_apart(after, &graph, 1);
        let found = nearness(after, &graph, 64);
        assert!(found >= 0.95, "{found}");
    }
}

#[test]
fn filters_that_only_equals_pass_find_them() {
    let data = crowded(Metric::L2, 9);
    let bytes = data.build(&Params { ef_construction: 64, ..Params::default() });
    let graph = GraphView::parse(&bytes, ROWS).unwrap();
    let view = data.codes.view();
    for group in groups(&data).into_values().filter(|group| group.len() > 1) {
        let passing = &group[group.len() - 20..];
        let code = view.params().encode_query(&data.values[group[0] as usize]);
        let wanted = Wanted { accept: |row| passing.contains(&row), ef: 10, ef_min: 10, visits_max: 20 * ROWS };
        let mut scratch = Scratch::default();
        let found = search_filtered(Kernels::detect(), &graph, &view, code.as_query(), &wanted, &mut scratch).unwrap();
        assert!(found.len() == 10 && found.iter().all(|hit| passing.contains(&hit.1)), "{found:?} of {passing:?}");
    }
}

#[test]
fn walks_over_blocks_find_the_same_equals() {
    let data = crowded(Metric::L2, 10);
    let bytes = data.build(&Params { ef_construction: 64, ..Params::default() });
    let (graph, view) = (GraphView::parse(&bytes, ROWS).unwrap(), data.codes.view());
    let shape = BlocksShape::new(&graph, &view);
    let mut memory = vec![0; shape.bytes()];
    shape.fill(&graph, &view, &mut memory);
    for query in data.values.iter().step_by(100) {
        let code = view.params().encode_query(query);
        let [mut plain, mut packed] = [Scratch::default(), Scratch::default()];
        let wanted = search(Kernels::detect(), &graph, &view, None, code.as_query(), 30, &mut plain);
        assert_eq!(search(Kernels::detect(), &graph, &view, Some(shape.view(&memory)), code.as_query(), 30, &mut packed), wanted);
    }
}

#[test]
fn damaged_chains_never_panic_and_a_check_names_them() {
    let data = Data::new(Metric::L2, Datatype::U8, (0..400).map(|row| vec![(row % 40) as f32; 8]).collect());
    let bytes = data.build(&Params { ef_construction: 20, ..Params::default() });
    assert_eq!(bytes[0], 3, "readers that know no chains refuse them");
    let graph = GraphView::parse(&bytes, 400).unwrap();
    let (head, equal) = (0..400).find_map(|node| Some((node, graph.next_equal(node)?))).unwrap();
    let last = 64 + (head as usize * 32 + 31) * 4;
    for (named, offence) in [
        (400, Offence::Equal { node: head, equal: 400 }),
        (head, Offence::Equal { node: head, equal: head }),
        (equal + 1, Offence::Equal { node: head, equal: equal + 1 }),
    ] {
        let mut broken = bytes.clone();
        broken[last..last + 4].copy_from_slice(&((1 << 31) + named).to_le_bytes());
        let report = check(&GraphView::parse(&broken, 400).unwrap());
        assert!(report.offences > 0, "{named}");
        bytes::use_it(&data, &broken);
        if named >= 400 || named == head {
            assert_eq!(report.first_offence, Some(offence));
        }
    }
    let mut as_neighbour = bytes.clone();
    let other = (0..400).find(|node| *node != head && graph.neighbours(*node, 0).count() > 0).unwrap();
    let first = 64 + other as usize * 32 * 4;
    as_neighbour[first..first + 4].copy_from_slice(&equal.to_le_bytes());
    let report = check(&GraphView::parse(&as_neighbour, 400).unwrap());
    assert_eq!(report.first_offence, Some(Offence::Behind { node: other, level: 0, neighbour: equal }));
    for seed in 0..40 {
        let mut stream = Stream::new(seed);
        let mut broken = bytes.clone();
        for _ in 0..=seed * 5 {
            let node = stream.next() as usize % 400;
            let value = (1 << 31) + stream.next() as u32 % 410;
            broken[64 + (node * 32 + 31) * 4..][..4].copy_from_slice(&value.to_le_bytes());
        }
        bytes::use_it(&data, &broken);
    }
}
