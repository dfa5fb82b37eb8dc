//! Merging graphs, beside building the whole at once; the names of the lines say which recall comes out.

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use index::hnsw::{self, GraphView, Params, REMOVED, Scratch, Source};
use index::recall::recall_at_k;
use index::{CodesBuf, Datatype, Kernels, Metric, flat};
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;
use vectra_benches::data::{Rows, Threads, graph, vectors};

/// (dimensions, rows).
const SETS: [(usize, usize); 2] = [(128, 20_000), (384, 10_000)];
/// Shares of the rows in percent that the merged graphs hold.
const SHARES: [&[usize]; 4] = [&[50, 50], &[25, 25, 25, 25], &[90, 10], &[99, 1]];
const QUERIES: usize = 200;
const TOP: usize = 10;
const EF: usize = 40;

/// The rows of a set, and what they are asked.
struct Set {
    kernels: &'static Kernels,
    vectors: Vec<Vec<f32>>,
    rows: Rows,
    codes: CodesBuf,
    queries: Vec<(Vec<f32>, Vec<u32>)>,
}

impl Set {
    fn make(dims: usize, count: usize) -> Self {
        let kernels = Kernels::detect();
        let vectors = vectors(0, count, dims);
        let rows = Rows::store(Metric::L2, Datatype::F32, &vectors);
        let codes = rows.codes();
        let with_truth = |query: Vec<f32>| {
            let truth = rows.nearest(kernels, &query, TOP);
            (query, truth)
        };
        let queries = vectra_benches::data::vectors(1, QUERIES, dims).into_iter().map(with_truth).collect();
        Set { kernels, vectors, rows, codes, queries }
    }

    /// A graph over some of the rows, and where they are among all.
    fn part(&self, range: Range<usize>) -> (Vec<u8>, Vec<u32>) {
        let codes = Rows::store(self.rows.metric, self.rows.datatype, &self.vectors[range.clone()]).codes();
        (graph(self.kernels, &codes), range.map(|row| row as u32).collect())
    }

    fn merge(&self, parts: &[(Vec<u8>, Vec<u32>)]) -> Vec<u8> {
        let view = |graph, rows| GraphView::parse(graph, rows).expect("a graph that was just built");
        let sources: Vec<Source<'_>> = parts.iter().map(|(graph, map)| Source { graph: view(graph, map.len()), map }).collect();
        let merged = hnsw::merge(self.kernels, &sources, &self.codes.view(), &Params::default(), &Threads(1), &|_, _| true);
        merged.expect("default parameters and few rows")
    }

    fn build(&self) -> Vec<u8> {
        let built = hnsw::build(self.kernels, &self.codes.view(), &Params::default(), &Threads(1), &|_, _| true);
        built.expect("default parameters and few rows")
    }

    fn recall(&self, graph: &[u8]) -> f64 {
        let view = GraphView::parse(graph, self.codes.count()).expect("a graph that was just built");
        let (codes, mut scratch) = (self.codes.view(), Scratch::default());
        let recall = |(query, truth): &(Vec<f32>, Vec<u32>)| {
            let coded = codes.params().encode_query(query);
            let found = hnsw::search(self.kernels, &view, &codes, None, coded.as_query(), EF, &mut scratch);
            let candidates = found.iter().map(|(_, id)| (*id, self.rows.row(*id)));
            let nearest = flat::search(self.kernels, self.rows.metric, self.rows.datatype, query, candidates, TOP);
            recall_at_k(&nearest.into_iter().map(|(_, id)| id).collect::<Vec<u32>>(), truth, TOP)
        };
        self.queries.iter().map(recall).sum::<f64>() / QUERIES as f64
    }
}

fn measure(criterion: &mut Criterion, dims: usize, count: usize) {
    let set = Set::make(dims, count);
    let mut group = criterion.benchmark_group(format!("merge/{count}x{dims}"));
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(count as u64));
    let name = |what: String, graph: &[u8]| BenchmarkId::new(what, format!("recall {:.4}", set.recall(graph)));
    let built = name("build".to_owned(), &set.build());
    group.bench_function(built, |bencher| bencher.iter(|| black_box(set.build())));
    for shares in SHARES {
        let mut first = 0;
        let ranges = shares.iter().map(|share| {
            let range = first..first + count * share / 100;
            first = range.end;
            range
        });
        let parts: Vec<_> = ranges.map(|range| set.part(range)).collect();
        let merged = name(format!("{shares:?}"), &set.merge(&parts));
        group.bench_function(merged, |bencher| bencher.iter(|| black_box(set.merge(&parts))));
    }
    let mut thinned = set.part(0..count);
    thinned.1.iter_mut().step_by(100).for_each(|row| *row = REMOVED);
    group.bench_function("one in 100 again", |bencher| bencher.iter(|| black_box(set.merge(std::slice::from_ref(&thinned)))));
    group.finish();
}

fn main() {
    let short = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(5)).sample_size(10);
    let mut criterion = short.configure_from_args();
    for (dims, count) in SETS {
        measure(&mut criterion, dims, count);
    }
    criterion.final_summary();
}
