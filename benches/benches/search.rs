//! Searches of the pure index: a walk over the graph, candidates compared exactly; the name of a line says its recall.

use criterion::{BenchmarkId, Criterion, Throughput};
use index::hnsw::{self, GraphView, Scratch};
use index::recall::recall_at_k;
use index::{CodesBuf, Datatype, Kernels, Metric, flat};
use std::hint::black_box;
use std::time::Duration;
use vectra_benches::data::{Rows, graph, vectors};

/// (dimensions, rows).
const SETS: [(usize, usize); 2] = [(128, 50_000), (384, 20_000)];
const QUERIES: usize = 200;
const TOP: usize = 10;
const EFS: [usize; 5] = [10, 20, 40, 80, 160];

/// Everything that a search reads.
struct Set {
    kernels: &'static Kernels,
    rows: Rows,
    codes: CodesBuf,
    graph: Vec<u8>,
}

impl Set {
    fn make(dims: usize, count: usize) -> Self {
        let kernels = Kernels::detect();
        let rows = Rows::store(Metric::L2, Datatype::F32, &vectors(0, count, dims));
        let codes = rows.codes();
        let graph = graph(kernels, &codes);
        Set { kernels, rows, codes, graph }
    }

    fn view(&self) -> GraphView<'_> {
        GraphView::parse(&self.graph, self.codes.count()).expect("a graph that was just built")
    }

    fn search(&self, view: &GraphView<'_>, query: &[f32], ef: usize, scratch: &mut Scratch) -> Vec<u32> {
        let codes = self.codes.view();
        let coded = codes.params().encode_query(query);
        let found = hnsw::search(self.kernels, view, &codes, None, coded.as_query(), ef, scratch);
        let candidates = found.iter().map(|(_, id)| (*id, self.rows.row(*id)));
        let nearest = flat::search(self.kernels, self.rows.metric, self.rows.datatype, query, candidates, TOP);
        nearest.into_iter().map(|(_, id)| id).collect()
    }
}

fn measure(criterion: &mut Criterion, dims: usize, count: usize) {
    let set = Set::make(dims, count);
    let (view, queries, mut scratch) = (set.view(), vectors(1, QUERIES, dims), Scratch::default());
    let truth: Vec<Vec<u32>> = queries.iter().map(|query| set.rows.nearest(set.kernels, query, TOP)).collect();
    let mut group = criterion.benchmark_group(format!("search/{count}x{dims}"));
    group.throughput(Throughput::Elements(QUERIES as u64));
    for ef in EFS {
        let found = queries.iter().zip(&truth).map(|(query, truth)| recall_at_k(&set.search(&view, query, ef, &mut scratch), truth, TOP));
        let recall = found.sum::<f64>() / QUERIES as f64;
        group.bench_function(BenchmarkId::new(format!("ef {ef}"), format!("recall {recall:.4}")), |bencher| {
            bencher.iter(|| queries.iter().for_each(|query| drop(black_box(set.search(&view, query, ef, &mut scratch)))));
        });
    }
    group.finish();
}

fn main() {
    let short = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(20);
    let mut criterion = short.configure_from_args();
    for (dims, count) in SETS {
        measure(&mut criterion, dims, count);
    }
    criterion.final_summary();
}
