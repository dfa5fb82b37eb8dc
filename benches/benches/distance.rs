//! Distance kernels: every instruction set that runs here, on rows that lie in the cache.

use criterion::{BenchmarkId, Criterion, Throughput};
use index::{Datatype, Kernels, Metric};
use std::hint::black_box;
use std::time::Duration;
use vectra_benches::data::{Rows, vectors};

const DIMS: [usize; 4] = [128, 384, 768, 1536];
/// Rows of one call: those of a hop.
const ROWS: usize = 32;

fn exact(criterion: &mut Criterion, metric: Metric, datatype: Datatype) {
    let mut group = criterion.benchmark_group(format!("distance/{metric:?} {datatype:?}").to_lowercase());
    group.throughput(Throughput::Elements(ROWS as u64));
    for dims in DIMS {
        let rows = Rows::store(metric, datatype, &vectors(0, ROWS, dims));
        let slices: Vec<&[u8]> = rows.iter().collect();
        let query = vectors(1, 1, dims).remove(0);
        let mut out = [0.0; ROWS];
        for kernels in Kernels::available() {
            group.bench_function(BenchmarkId::new(kernels.name(), dims), |bencher| {
                bencher.iter(|| kernels.distance_many(metric, datatype, black_box(&query), black_box(&slices), &mut out));
            });
        }
    }
    group.finish();
}

fn codes(criterion: &mut Criterion, metric: Metric) {
    let mut group = criterion.benchmark_group(format!("distance/{metric:?} codes").to_lowercase());
    group.throughput(Throughput::Elements(ROWS as u64));
    for dims in DIMS {
        let codes = Rows::store(metric, Datatype::F32, &vectors(0, ROWS, dims)).codes();
        let view = codes.view();
        let query = view.params().encode_query(&vectors(1, 1, dims)[0]);
        let ids: Vec<u32> = (0..ROWS as u32).collect();
        let mut out = [0; ROWS];
        for kernels in Kernels::available() {
            group.bench_function(BenchmarkId::new(kernels.name(), dims), |bencher| {
                bencher.iter(|| view.distances(kernels, black_box(query.as_query()), black_box(&ids), &mut out));
            });
        }
    }
    group.finish();
}

fn main() {
    let short = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let mut criterion = short.configure_from_args();
    for (metric, datatype) in
        [(Metric::Dot, Datatype::F32), (Metric::L2, Datatype::F32), (Metric::Dot, Datatype::F16), (Metric::L2, Datatype::U8)]
    {
        exact(&mut criterion, metric, datatype);
    }
    for metric in [Metric::Dot, Metric::L2, Metric::Manhattan] {
        codes(&mut criterion, metric);
    }
    criterion.final_summary();
}
