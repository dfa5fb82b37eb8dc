//! One hop of a walk: 32 rows at random places of a set that no cache holds, by full vectors and by codes.

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use index::{Datatype, Kernels, Metric};
use platform::random::Stream;
use std::hint::black_box;
use std::time::Duration;
use vectra_benches::data::{Rows, vectors};

/// (dimensions, rows): more than 100 MiB of codes each.
const SETS: [(usize, usize); 3] = [(128, 1_000_000), (384, 300_000), (768, 150_000)];
/// Vectors that are generated; the set repeats them, which memory does not notice.
const DISTINCT: usize = 2_000;
/// Neighbours of a node.
const NEIGHBOURS: usize = 32;
/// Hops of one measurement.
const HOPS: usize = 256;

type Hop = [u32; NEIGHBOURS];

/// Measures `HOPS` hops at places that were not touched just before.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, (dims, count): (usize, usize), mut hop: impl FnMut(&Hop)) {
    let mut stream = Stream::new(1);
    group.throughput(Throughput::Elements(HOPS as u64));
    group.bench_function(BenchmarkId::new(name, dims), |bencher| {
        let places = || -> Vec<Hop> { (0..HOPS).map(|_| std::array::from_fn(|_| stream.below(count as u64) as u32)).collect() };
        bencher.iter_batched_ref(places, |hops| hops.iter().for_each(&mut hop), BatchSize::LargeInput);
    });
}

fn set(criterion: &mut Criterion, dims: usize, count: usize) {
    let kernels = Kernels::detect();
    let (points, query) = (vectors(0, DISTINCT, dims), vectors(1, 1, dims).remove(0));
    let mut group = criterion.benchmark_group("hop");
    for datatype in [Datatype::F32, Datatype::F16] {
        let rows = Rows::store(Metric::L2, datatype, &points).repeated(count);
        let mut out = [0.0; NEIGHBOURS];
        measure(&mut group, &format!("{datatype:?} vectors").to_lowercase(), (dims, count), |hop| {
            kernels.distance_many(Metric::L2, datatype, &query, &hop.map(|id| rows.row(id)), &mut out);
            black_box(&out);
        });
    }
    let codes = Rows::store(Metric::L2, Datatype::F32, &points).repeated(count).codes();
    let view = codes.view();
    let coded = view.params().encode_query(&query);
    let mut out = [0; NEIGHBOURS];
    measure(&mut group, "codes", (dims, count), |hop| {
        view.distances(kernels, coded.as_query(), hop, &mut out);
        black_box(&out);
    });
    group.finish();
}

fn main() {
    let short = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(20);
    let mut criterion = short.configure_from_args();
    for (dims, count) in SETS {
        set(&mut criterion, dims, count);
    }
    criterion.final_summary();
}
