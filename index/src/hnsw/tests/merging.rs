//! Merges keep the promises of builds: recall, reachability and determinism, also after many of them.

use super::*;

/// The rows of `data` at `kept`, in that order.
fn subset(data: &Data, kept: &[u32]) -> Data {
    Data::new(data.metric, data.datatype, kept.iter().map(|row| data.values[*row as usize].clone()).collect())
}

fn merged(base: &[u8], map: &[u32], data: &Data, params: &Params) -> Vec<u8> {
    let graph = GraphView::parse(base, map.len()).unwrap();
    merge(Kernels::detect(), &graph, map, &data.codes.view(), params, &Threads(2), &|_, _| true).unwrap()
}

#[test]
fn a_merge_with_deletes_and_new_rows_keeps_recall() {
    let all = Data::clusters(Metric::L2, Datatype::F32, 8000, 32, 21);
    let params = Params::default();
    for (base_rows, keep_one_in) in [(6000, 2), (6000, 1), (500, 1), (10, 1)] {
        let base = subset(&all, &(0..base_rows).collect::<Vec<u32>>());
        let graph = base.build(&params);
        // Kept rows move behind the new ones, so that every number changes.
        let new: Vec<u32> = (base_rows..8000).collect();
        let kept: Vec<u32> = (0..base_rows).filter(|row| row % keep_one_in == 0).collect();
        let data = subset(&all, &[new.clone(), kept.clone()].concat());
        let mut map = vec![REMOVED; base_rows as usize];
        for (place, row) in kept.iter().enumerate() {
            map[*row as usize] = (new.len() + place) as u32;
        }
        let graph = merged(&graph, &map, &data, &params);
        checked(&graph, data.rows.len());
        let recall = data.recall(&graph, 64);
        assert!(recall >= 0.95, "{base_rows} rows, one in {keep_one_in} kept: recall {recall}");
    }
}

#[test]
fn new_rows_unlike_all_old_ones_find_each_other() {
    let near = Data::clusters(Metric::L2, Datatype::F32, 1500, 16, 31);
    let far: Vec<Vec<f32>> = Data::clusters(Metric::L2, Datatype::F32, 1500, 16, 32)
        .values
        .iter()
        .map(|row| row.iter().map(|value| value + 30.0).collect())
        .collect();
    let graph = near.build(&Params::default());
    let data = Data::new(Metric::L2, Datatype::F32, [near.values.clone(), far].concat());
    let map: Vec<u32> = (0..1500).collect();
    let graph = merged(&graph, &map, &data, &Params::default());
    checked(&graph, 3000);
    let recall = data.recall(&graph, 64);
    assert!(recall >= 0.95, "recall {recall}");
}

#[test]
fn recall_does_not_decay_over_twenty_merges_with_few_deletes() {
    let params = Params { ef_construction: 64, ..Params::default() };
    let all = Data::clusters(Metric::L2, Datatype::F32, 3600, 24, 41);
    let mut rows: Vec<u32> = (0..3000).collect();
    let mut graph = subset(&all, &rows).build(&params);
    for generation in 0..20_u32 {
        // One row in a hundred goes, as many come.
        let (mut map, mut next) = (Vec::new(), Vec::new());
        for (place, row) in rows.iter().enumerate() {
            let gone = place as u32 % 100 == generation;
            map.push(if gone { REMOVED } else { next.len() as u32 });
            next.extend((!gone).then_some(*row));
        }
        next.extend(3000 + generation * 30..3000 + (generation + 1) * 30);
        graph = merged(&graph, &map, &subset(&all, &next), &params);
        rows = next;
    }
    let data = subset(&all, &rows);
    checked(&graph, rows.len());
    let (after, fresh) = (data.recall(&graph, 20), data.recall(&data.build(&params), 20));
    assert!(after >= fresh - 0.01, "recall {after} after twenty merges, {fresh} of a fresh build");
}

#[test]
fn a_merge_is_the_same_on_every_instruction_set() {
    let all = Data::clusters(Metric::Dot, Datatype::F16, 900, 16, 51);
    let params = Params { ef_construction: 30, ..Params::default() };
    let base = subset(&all, &(0..600).collect::<Vec<u32>>()).build(&params);
    let map: Vec<u32> = (0..600).map(|node| if node % 9 == 0 { REMOVED } else { node }).collect();
    let wanted = merged(&base, &map, &all, &params);
    let graph = GraphView::parse(&base, 600).unwrap();
    for kernels in Kernels::available() {
        let found = merge(kernels, &graph, &map, &all.codes.view(), &params, &Sequential, &|_, _| true).unwrap();
        assert!(found == wanted, "{kernels:?}");
    }
}

#[test]
fn a_base_of_which_nothing_is_left_is_a_build() {
    let data = Data::clusters(Metric::L2, Datatype::U8, 300, 8, 61);
    let params = Params { ef_construction: 20, ..Params::default() };
    let graph = data.build(&params);
    assert!(merged(&graph, &[REMOVED; 300], &data, &params) == graph);
    let empty = Data::new(Metric::L2, Datatype::U8, Vec::new());
    let none = empty.build(&params);
    assert!(merged(&none, &[], &data, &params) == graph);
    checked(&merged(&graph, &[REMOVED; 300], &empty, &params), 0);
}

#[test]
fn a_wrong_map_is_refused() {
    let data = Data::clusters(Metric::L2, Datatype::U8, 30, 8, 71);
    let params = Params::default();
    let bytes = data.build(&params);
    let graph = GraphView::parse(&bytes, 30).unwrap();
    let straight: Vec<u32> = (0..30).collect();
    let mut twice = straight.clone();
    twice[3] = 4;
    let mut beyond = straight.clone();
    beyond[3] = 30;
    for (map, wanted) in [(&straight[..29], "29 entries"), (&twice, "row 4"), (&beyond, "row 30 of 30")] {
        let error = merge(Kernels::detect(), &graph, map, &data.codes.view(), &params, &Sequential, &|_, _| true);
        assert!(error.clone().unwrap_err().to_string().contains(wanted), "{error:?}");
    }
}
