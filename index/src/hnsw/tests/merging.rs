//! Merges keep the promises of builds: recall, reachability and determinism, also after many of them.

use super::*;

/// The rows of `data` at `kept`, in that order.
fn subset(data: &Data, kept: &[u32]) -> Data {
    Data::new(data.metric, data.datatype, kept.iter().map(|row| data.values[*row as usize].clone()).collect())
}

/// The merge of graphs, each with the map of its nodes.
pub(super) fn joined(kernels: &Kernels, graphs: &[(&[u8], &[u32])], data: &Data, params: &Params, threads: usize) -> Vec<u8> {
    let sources: Vec<Source<'_>> =
        graphs.iter().map(|(graph, map)| Source { graph: GraphView::parse(graph, map.len()).unwrap(), map }).collect();
    merge(kernels, &sources, &data.codes.view(), params, &Threads(threads), &|_, _| true).unwrap()
}

fn merged(base: &[u8], map: &[u32], data: &Data, params: &Params) -> Vec<u8> {
    joined(Kernels::detect(), &[(base, map)], data, params, 2)
}

/// Graphs of consecutive `parts` of the rows of `all`, less the rows that `keeps` leaves out: what they hold, and the maps.
pub(super) struct Parts {
    pub(super) data: Data,
    graphs: Vec<Vec<u8>>,
    maps: Vec<Vec<u32>>,
}

impl Parts {
    pub(super) fn new(all: &Data, parts: &[u32], params: &Params, keeps: impl Fn(u32) -> bool) -> Self {
        let (mut graphs, mut maps, mut kept, mut first) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for part in parts {
            let rows: Vec<u32> = (first..first + part).collect();
            graphs.push(subset(all, &rows).build(params));
            let mut place = |row: &u32| {
                kept.push(*row);
                kept.len() as u32 - 1
            };
            maps.push(rows.iter().map(|row| if keeps(*row) { place(row) } else { REMOVED }).collect());
            first += part;
        }
        Parts { data: subset(all, &kept), graphs, maps }
    }

    pub(super) fn merged(&self, kernels: &Kernels, params: &Params, threads: usize) -> Vec<u8> {
        let graphs: Vec<(&[u8], &[u32])> = self.graphs.iter().map(Vec::as_slice).zip(self.maps.iter().map(Vec::as_slice)).collect();
        joined(kernels, &graphs, &self.data, params, threads)
    }
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
fn graphs_that_are_joined_find_what_one_built_at_once_finds() {
    let all = Data::clusters(Metric::L2, Datatype::F32, 8000, 32, 23);
    let params = Params { ef_construction: 64, ..Params::default() };
    let fresh = all.build(&params);
    let fresh = [16, 64].map(|ef| all.recall_over(200, &fresh, ef));
    for parts in [&[4000, 4000][..], &[7900, 100], &[100, 7900], &[2000, 1000, 3000, 2000], &[7997, 1, 1, 1]] {
        let graph = Parts::new(&all, parts, &params, |_| true).merged(Kernels::detect(), &params, 2);
        checked(&graph, 8000);
        let found = [16, 64].map(|ef| all.recall_over(200, &graph, ef));
        assert!(found[0] >= fresh[0] - 0.02 && found[1] >= fresh[1] - 0.005, "{parts:?}: recall {found:?}, built at once {fresh:?}");
    }
}

#[test]
fn joined_graphs_that_lost_rows_keep_recall() {
    let all = Data::clusters(Metric::Dot, Datatype::F32, 8000, 32, 24);
    let params = Params { ef_construction: 64, ..Params::default() };
    for (one_in, below) in [(10, 1), (2, 1), (10, 7)] {
        let parts = Parts::new(&all, &[3000, 5000], &params, |row| row % one_in >= below);
        let graph = parts.merged(Kernels::detect(), &params, 2);
        checked(&graph, parts.data.rows.len());
        let (after, fresh) = (parts.data.recall(&graph, 64), parts.data.recall(&parts.data.build(&params), 64));
        assert!(after >= fresh - 0.01, "{below} in {one_in} removed: recall {after}, {fresh} of a fresh build");
    }
}

#[test]
fn recall_does_not_decay_over_twenty_merges_with_few_deletes() {
    let params = Params { ef_construction: 64, ..Params::default() };
    let all = Data::clusters(Metric::L2, Datatype::U8, 24_000, 24, 41);
    let mut rows: Vec<u32> = (0..20_000).collect();
    let mut graph = subset(&all, &rows).build(&params);
    for generation in 0..20_u32 {
        // One row in a hundred goes, as many come: with a graph of their own, or without in every other generation.
        let (mut map, mut next) = (Vec::new(), Vec::new());
        for (place, row) in rows.iter().enumerate() {
            let gone = place as u32 % 100 == generation * 7 % 100;
            map.push(if gone { REMOVED } else { next.len() as u32 });
            next.extend((!gone).then_some(*row));
        }
        let new: Vec<u32> = (20_000 + generation * 200..20_000 + (generation + 1) * 200).collect();
        let new_map: Vec<u32> = (next.len() as u32..).take(new.len()).collect();
        let new_graph = subset(&all, &new).build(&params);
        next.extend(new);
        let graphs: [(&[u8], &[u32]); 2] = [(&graph, &map), (&new_graph, &new_map)];
        graph = joined(Kernels::detect(), &graphs[..1 + generation as usize % 2], &subset(&all, &next), &params, 2);
        rows = next;
    }
    let data = subset(&all, &rows);
    checked(&graph, rows.len());
    let fresh = data.build(&params);
    for ef in [10, 20, 40] {
        let (after, fresh) = (data.recall_over(400, &graph, ef), data.recall_over(400, &fresh, ef));
        assert!(after >= fresh - 0.005, "ef {ef}: recall {after} after twenty merges, {fresh} of a fresh build");
    }
}

#[test]
fn a_merge_is_the_same_at_any_number_of_threads_and_on_every_instruction_set() {
    let params = Params { ef_construction: 30, seed: 8, ..Params::default() };
    for metric in Metric::ALL {
        let all = Data::clusters(metric, Datatype::F16, 2000, 16, 51);
        // Three graphs that lost rows, and rows that no graph has.
        let mut parts = Parts::new(&all, &[800, 500, 600], &params, |row| row % 9 > 0);
        let values = [&parts.data.values[..], &all.values[1900..]].concat();
        parts.data = Data::new(metric, Datatype::F16, values);
        let wanted = parts.merged(Kernels::detect(), &params, 1);
        checked(&wanted, parts.data.rows.len());
        for threads in [2, 3] {
            assert!(parts.merged(Kernels::detect(), &params, threads) == wanted, "{metric:?} with {threads} threads");
        }
        for kernels in Kernels::available() {
            assert!(parts.merged(kernels, &params, 2) == wanted, "{metric:?} {kernels:?}");
        }
    }
}

#[test]
fn a_merge_can_be_watched_and_cancelled() {
    let all = Data::clusters(Metric::L2, Datatype::U8, 900, 8, 55);
    let params = Params { ef_construction: 20, ..Params::default() };
    let parts = Parts::new(&all, &[300, 300, 200], &params, |_| true);
    let map =
        |part: usize| Source { graph: GraphView::parse(&parts.graphs[part], parts.maps[part].len()).unwrap(), map: &parts.maps[part] };
    let sources = [0, 1, 2].map(map);
    let run = |progress: Progress<'_>| merge(Kernels::detect(), &sources, &all.codes.view(), &params, &Sequential, progress);
    let seen = std::sync::Mutex::new(Vec::new());
    let watch = |done, total| {
        seen.lock().unwrap().push((done, total));
        true
    };
    run(&watch).unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted() && seen.iter().all(|(_, total)| *total == 900), "{seen:?}");
    assert_eq!((seen.first(), seen.last()), (Some(&(0, 900)), Some(&(900, 900))));
    for stop in [0, 400, 850] {
        assert_eq!(run(&|done, _| done < stop), Err(BuildError::Cancelled), "stopped at {stop}");
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
    assert!(joined(Kernels::detect(), &[], &data, &params, 1) == graph, "no sources");
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
        let error = merge(Kernels::detect(), &[Source { graph, map }], &data.codes.view(), &params, &Sequential, &|_, _| true);
        assert!(error.clone().unwrap_err().to_string().contains(wanted), "{error:?}");
    }
    let both = [Source { graph, map: &straight }; 2];
    let error = merge(Kernels::detect(), &both, &data.codes.view(), &params, &Sequential, &|_, _| true);
    assert!(error.unwrap_err().to_string().contains("two nodes of the graphs are row 0"));
}
