//! What a graph promises: recall, the same bytes everywhere, and sound answers for odd inputs.

mod blocks;
mod bytes;
mod equals;
mod filtered;
mod merging;

use super::*;
use crate::codes::{CodeParams, CodesBuf};
use crate::flat;
use crate::metric::{Datatype, Metric, normalise};
use crate::recall::recall_at_k;
use crate::simd::Kernels;
use crate::testing::Stream;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows with their codes, as an engine would hold them.
struct Data {
    metric: Metric,
    datatype: Datatype,
    values: Vec<Vec<f32>>,
    rows: Vec<Vec<u8>>,
    codes: CodesBuf,
}

impl Data {
    fn new(metric: Metric, datatype: Datatype, values: Vec<Vec<f32>>) -> Self {
        let encode = |values: &Vec<f32>| {
            let mut row = Vec::new();
            datatype.encode(values, &mut row);
            row
        };
        let rows: Vec<Vec<u8>> = values.iter().map(encode).collect();
        let sample: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let dims = values.first().map_or(4, Vec::len);
        let mut codes = CodesBuf::new(CodeParams::train(metric, datatype, &sample), dims);
        rows.iter().for_each(|row| codes.push(row));
        Data { metric, datatype, values, rows, codes }
    }

    /// Gaussian clusters; unit vectors for `Dot`, bytes around 128 for `U8`.
    fn clusters(metric: Metric, datatype: Datatype, count: usize, dims: usize, seed: u64) -> Self {
        let mut stream = Stream::new(seed);
        let centres: Vec<Vec<f32>> = (0..50).map(|_| (0..dims).map(|_| stream.gaussian()).collect()).collect();
        let mut point = || {
            let centre = &centres[(stream.next() % 50) as usize];
            let mut values: Vec<f32> = centre.iter().map(|c| c + stream.gaussian() * 0.7).collect();
            match (metric, datatype) {
                (_, Datatype::U8) => values.iter_mut().for_each(|v| *v = (*v * 25.0 + 128.0).round().clamp(0.0, 255.0)),
                (Metric::Dot, _) => normalise(&mut values),
                _ => {}
            }
            values
        };
        Data::new(metric, datatype, (0..count).map(|_| point()).collect())
    }

    fn build(&self, params: &Params) -> Vec<u8> {
        build(Kernels::detect(), &self.codes.view(), params, &Sequential, &|_, _| true).unwrap()
    }

    /// The exact nearest rows among those that `accept` takes.
    fn truth(&self, query: &[f32], k: usize, accept: impl Fn(u32) -> bool) -> Vec<u32> {
        let keyed = self.rows.iter().zip(0_u32..).map(|(row, id)| (id, row.as_slice())).filter(|(id, _)| accept(*id));
        flat::search(Kernels::detect(), self.metric, self.datatype, query, keyed, k).iter().map(|hit| hit.1).collect()
    }

    /// Nodes that a search found, in the order of the exact distance.
    fn rerank(&self, query: &[f32], found: &[(i32, u32)], k: usize) -> Vec<u32> {
        let keyed = found.iter().map(|(_, id)| (*id, self.rows[*id as usize].as_slice()));
        flat::search(Kernels::detect(), self.metric, self.datatype, query, keyed, k).iter().map(|hit| hit.1).collect()
    }

    /// Recall@10 of `graph` over 100 queries near the rows.
    fn recall(&self, graph: &[u8], ef: usize) -> f64 {
        self.recall_over(100, graph, ef)
    }

    fn recall_over(&self, queries: usize, graph: &[u8], ef: usize) -> f64 {
        let graph = GraphView::parse(graph, self.rows.len()).unwrap();
        let mut scratch = Scratch::default();
        let mut stream = Stream::new(99);
        let mut recall = 0.0;
        for _ in 0..queries {
            let near = &self.values[(stream.next() as usize) % self.values.len()];
            let scale = if self.datatype == Datatype::U8 { 10.0 } else { 0.05 };
            let query: Vec<f32> = near.iter().map(|v| v + stream.gaussian() * scale).collect();
            let code = self.codes.view().params().encode_query(&query);
            let found = search(Kernels::detect(), &graph, &self.codes.view(), None, code.as_query(), ef, &mut scratch);
            assert!(found.is_sorted());
            recall += recall_at_k(&self.rerank(&query, found, 10), &self.truth(&query, 10, |_| true), 10);
        }
        recall / queries as f64
    }
}

fn checked(graph: &[u8], nodes: usize) -> Report {
    let report = check(&GraphView::parse(graph, nodes).unwrap());
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.reachable as usize, nodes);
    report
}

struct Threads(usize);

impl Executor for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(mine) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|mine| *mine < jobs) {
                job(mine);
            }
        };
        std::thread::scope(|scope| (0..self.0).for_each(|_| drop(scope.spawn(work))));
    }
}

#[test]
fn recall_is_at_least_95_percent_for_every_metric_and_datatype() {
    for (metric, datatype) in
        [(Metric::Dot, Datatype::F16), (Metric::L2, Datatype::F32), (Metric::Manhattan, Datatype::F32), (Metric::L2, Datatype::U8)]
    {
        let data = Data::clusters(metric, datatype, 10_000, 64, 1);
        let graph = data.build(&Params::default());
        checked(&graph, 10_000);
        let recall = data.recall(&graph, 64);
        assert!(recall >= 0.95, "{metric:?} {datatype:?}: recall {recall}");
    }
}

#[test]
fn any_number_of_threads_and_any_instruction_set_give_the_same_bytes_and_answers() {
    for metric in Metric::ALL {
        let data = Data::clusters(metric, Datatype::F32, 1500, 24, 5);
        let params = Params { ef_construction: 40, seed: 3, ..Params::default() };
        let wanted = data.build(&params);
        let view = data.codes.view();
        for threads in [1, 3, 7] {
            let found = build(Kernels::detect(), &view, &params, &Threads(threads), &|_, _| true).unwrap();
            assert!(found == wanted, "{metric:?} with {threads} threads");
        }
        let graph = GraphView::parse(&wanted, 1500).unwrap();
        let code = view.params().encode_query(&data.values[7]);
        let answer = search(Kernels::detect(), &graph, &view, None, code.as_query(), 20, &mut Scratch::default()).to_vec();
        for kernels in Kernels::available() {
            let found = build(kernels, &view, &params, &Threads(2), &|_, _| true).unwrap();
            assert!(found == wanted, "{metric:?} with {kernels:?}");
            let found = search(kernels, &graph, &view, None, code.as_query(), 20, &mut Scratch::default()).to_vec();
            assert_eq!(found, answer, "{metric:?} with {kernels:?}");
        }
        let other_seed = data.build(&Params { seed: 4, ..params });
        assert!(other_seed != wanted, "the seed decides");
    }
}

#[test]
fn graphs_of_few_rows_answer_with_all_of_them() {
    for count in 0..6 {
        let values: Vec<Vec<f32>> = (0..count).map(|i| vec![i as f32, 1.0, 0.0, 0.0]).collect();
        let data = Data::new(Metric::L2, Datatype::F32, values);
        let graph = data.build(&Params { m: 2, m0: 2, ..Params::default() });
        checked(&graph, count);
        let graph = GraphView::parse(&graph, count).unwrap();
        let code = data.codes.view().params().encode_query(&[0.0, 1.0, 0.0, 0.0]);
        let mut scratch = Scratch::default();
        for ef in [0, 1, 100, usize::MAX] {
            let found = search(Kernels::detect(), &graph, &data.codes.view(), None, code.as_query(), ef, &mut scratch);
            let nodes: Vec<u32> = found.iter().map(|hit| hit.1).collect();
            let wanted: Vec<u32> = (0..count.min(ef) as u32).collect();
            assert_eq!(nodes, wanted, "{count} rows, ef {ef}");
        }
    }
}

#[test]
fn equal_rows_and_heavy_duplicates_stay_reachable() {
    let same = vec![vec![0.5; 4]; 2000];
    let zero = vec![vec![0.0; 4]; 300];
    let few: Vec<Vec<f32>> = (0..3000).map(|i| vec![(i % 7) as f32, (i % 3) as f32, 0.0, 1.0]).collect();
    let line: Vec<Vec<f32>> = (0..1000).map(|i| vec![(i % 256) as f32]).collect();
    for (name, values) in [("same", same), ("zero", zero), ("few", few), ("line", line)] {
        for (metric, datatype) in [(Metric::Dot, Datatype::F32), (Metric::L2, Datatype::U8), (Metric::Manhattan, Datatype::F16)] {
            let data = Data::new(metric, datatype, values.clone());
            let graph = data.build(&Params { ef_construction: 64, ..Params::default() });
            checked(&graph, values.len());
            let graph = GraphView::parse(&graph, values.len()).unwrap();
            let code = data.codes.view().params().encode_query(&values[1]);
            let mut scratch = Scratch::default();
            let found = search(Kernels::detect(), &graph, &data.codes.view(), None, code.as_query(), 50, &mut scratch);
            let best = flat::scan_codes(Kernels::detect(), &data.codes.view(), code.as_query(), 0..values.len() as u32, |_| true, 1);
            assert_eq!((found.len(), found[0].0), (50, best[0].0), "{name} {metric:?}");
        }
    }
}

#[test]
fn a_build_can_be_watched_and_cancelled() {
    let data = Data::clusters(Metric::L2, Datatype::U8, 600, 8, 2);
    let params = Params { ef_construction: 20, ..Params::default() };
    let seen = std::sync::Mutex::new(Vec::new());
    let watch = |done, total| {
        seen.lock().unwrap().push((done, total));
        true
    };
    build(Kernels::detect(), &data.codes.view(), &params, &Sequential, &watch).unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted() && seen.iter().all(|(_, total)| *total == 600));
    assert_eq!(seen.last(), Some(&(600, 600)));
    let stop = |done, _| done < 300;
    let stopped = build(Kernels::detect(), &data.codes.view(), &params, &Sequential, &stop);
    assert_eq!(stopped, Err(BuildError::Cancelled));
}

#[test]
fn parameters_out_of_range_are_named() {
    let data = Data::clusters(Metric::L2, Datatype::U8, 10, 8, 2);
    let good = Params::default();
    let bad = [
        (Params { m: 1, ..good }, "m is 1"),
        (Params { m: 40, ..good }, "m0 is 32"),
        (Params { m0: 4096, ..good }, "m0 is 4096"),
        (Params { ef_construction: 0, ..good }, "ef_construction is 0"),
    ];
    for (params, wanted) in bad {
        let error = build(Kernels::detect(), &data.codes.view(), &params, &Sequential, &|_, _| true).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
