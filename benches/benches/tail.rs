//! Rows without a graph: searches of a full tail and of a flat segment, by codes and by comparing every vector.

use criterion::{BatchSize, BenchmarkId, Criterion};
use engine::PointId;
use engine::batch::Batch;
use engine::collection::indexer::{Step, Threads};
use engine::collection::{Collection, Mode, SearchRequest, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::schema::{Distance, Numbers, Schema, VectorSchema};
use engine::segment::SearchScratch;
use index::recall::recall_at_k;
use index::{Datatype, Kernels, Metric, TopK, flat};
use platform::sim::SimWorld;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use vectra_benches::data::{Rows, vectors};

/// 64 MiB of vectors.
const ROWS: usize = 43_000;
const DIMS: usize = 384;
const QUERIES: usize = 100;
const TOP: usize = 10;
const EF: usize = 64;
/// Rows of a record.
const RECORD: usize = 1_000;

fn store(collection: &Collection, vectors: &[Vec<f32>]) {
    let schema = collection.version().schema.clone();
    for (number, vectors) in vectors.chunks(RECORD).enumerate() {
        let mut batch = Batch::new(&schema);
        for (row, vector) in vectors.iter().enumerate() {
            let id = PointId::Number((number * RECORD + row) as u64);
            batch.push_row(&schema, id, ROW, &[Some(vector)], None).expect("a vector of the schema");
        }
        collection.write(WriteOperation::Upsert(batch)).expect("a simulated disk with room");
    }
}

/// The flags of a whole point.
const ROW: u8 = engine::log::record::ROW_HAS_POINT | engine::log::record::ROW_REPLACES;

fn search(collection: &Collection, query: &[f32], mode: Mode, scratch: &mut SearchScratch) -> Vec<u64> {
    let request = SearchRequest { part: 1, query, top: TOP, mode, filter: None };
    let hits = collection.version().search(Kernels::detect(), &request, scratch).expect("a sound collection");
    let number = |id| match id {
        PointId::Number(number) => number,
        PointId::Uuid(_) => u64::MAX,
    };
    hits.into_iter().map(|hit| number(hit.id)).collect()
}

/// Measures single searches, each with the next query.
fn measure(criterion: &mut Criterion, name: &str, collection: &Collection, queries: &[Vec<f32>]) {
    let mut scratch = SearchScratch::default();
    let mut group = criterion.benchmark_group(format!("{name}/{ROWS}x{DIMS}"));
    group.measurement_time(Duration::from_secs(3)).sample_size(30);
    for (how, mode) in [("every vector", Mode::Exact), ("codes", Mode::Walk(EF))] {
        // Goes through the queries once before, as a server has: the first searches make the codes of a tail.
        let recall = queries.iter().map(|query| {
            let truth = search(collection, query, Mode::Exact, &mut scratch);
            recall_at_k(&search(collection, query, mode, &mut scratch), &truth, TOP)
        });
        let recall = recall.sum::<f64>() / queries.len() as f64;
        let mut next = queries.iter().cycle();
        group.bench_function(BenchmarkId::new(how, format!("recall {recall:.4}")), |bencher| {
            let query = || next.next().expect("there are queries");
            bencher.iter_batched(query, |query| black_box(search(collection, query, mode, &mut scratch)), BatchSize::SmallInput);
        });
    }
}

/// Measures the scan of codes alone: rows in a row, and the same rows as a list of numbers.
fn measure_scan(criterion: &mut Criterion, stored: &Rows, query: &[f32]) {
    let (kernels, codes) = (Kernels::detect(), stored.codes());
    let view = codes.view();
    let query = view.params().encode_query(query);
    let mut group = criterion.benchmark_group(format!("scan of codes/{ROWS}x{DIMS}"));
    group.measurement_time(Duration::from_secs(3)).sample_size(30);
    group.bench_function("in a row", |bencher| {
        bencher.iter(|| black_box(flat::scan_codes(kernels, &view, query.as_query(), 0..ROWS as u32, |_| true, EF)));
    });
    let numbers: Vec<u32> = (0..ROWS as u32).collect();
    group.bench_function("by number", |bencher| {
        bencher.iter(|| {
            let mut top: TopK<u32, i32> = TopK::new(EF);
            let mut distances = [0; 64];
            for rows in numbers.chunks(64) {
                view.distances(kernels, query.as_query(), rows, &mut distances[..rows.len()]);
                rows.iter().zip(&distances).for_each(|(row, distance)| top.push(*distance, *row));
            }
            black_box(top.into_sorted::<i32>())
        });
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let sim = SimWorld::new(1);
    let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).expect("an empty disk");
    let schema = Schema { vectors: vec![VectorSchema::dense("", DIMS as u32, Distance::Cosine, Numbers::F32)], ..Schema::default() };
    database.create_collection("c", &schema).expect("a new name");
    let collection = database.collection("c").expect("the new collection");
    let (rows, queries) = (vectors(0, ROWS, DIMS), vectors(1, QUERIES, DIMS));
    store(&collection, &rows);
    measure(&mut criterion, "tail", &collection, &queries);
    collection.step(&Step::Seal, &Threads(1), &|_, _| true).expect("a simulated disk with room");
    measure(&mut criterion, "flat segment", &collection, &queries);
    measure_scan(&mut criterion, &Rows::store(Metric::Dot, Datatype::F32, &rows), &queries[0]);
    criterion.final_summary();
}
