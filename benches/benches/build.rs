//! Building a graph: rows a second on one thread and on two.

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use index::hnsw::{self, Params};
use index::{CodesBuf, Datatype, Kernels, Metric};
use std::hint::black_box;
use std::time::Duration;
use vectra_benches::data::{Rows, Threads, vectors};

/// (dimensions, rows).
const SETS: [(usize, usize); 2] = [(128, 20_000), (384, 10_000)];

fn build(codes: &CodesBuf, threads: usize) -> Vec<u8> {
    let built = hnsw::build(Kernels::detect(), &codes.view(), &Params::default(), &Threads(threads), &|_, _| true);
    built.expect("default parameters and few rows")
}

fn main() {
    let short = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(5)).sample_size(10);
    let mut criterion = short.configure_from_args();
    for (dims, count) in SETS {
        let codes = Rows::store(Metric::L2, Datatype::F32, &vectors(0, count, dims)).codes();
        let mut group = criterion.benchmark_group(format!("build/{count}x{dims}"));
        group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(count as u64));
        for threads in [1, 2] {
            group.bench_function(BenchmarkId::new("threads", threads), |bencher| bencher.iter(|| black_box(build(&codes, threads))));
        }
        group.finish();
    }
    criterion.final_summary();
}
