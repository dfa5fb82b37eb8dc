//! Searches under filters: the three ways to answer one over the pure index, and what the engine makes of it; the name of a line says its
//! recall. The engine must not be slower than the fastest of the three by more than what a whole search costs beside it.

use criterion::{BenchmarkId, Criterion};
use engine::PointId;
use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Collection, Mode, SearchRequest, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::payload::{FieldType, Filter};
use engine::schema::{Distance, FieldSchema, Numbers, Schema, VectorSchema};
use engine::segment::SearchScratch;
use index::flat::IdScan;
use index::hnsw::{self, GraphView, Scratch, Wanted};
use index::recall::recall_at_k;
use index::{Bitmap, CodesBuf, Datatype, Kernels, Metric, flat};
use platform::sim::SimWorld;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use vectra_benches::data::{Rows, graph, vectors};

/// (dimensions, rows).
const SETS: [(usize, usize); 2] = [(384, 52_000), (128, 200_000)];
const QUERIES: usize = 50;
const TOP: usize = 10;
const EF: usize = 64;
/// Of how many rows one passes.
const ONE_IN: [u32; 8] = [1, 2, 3, 5, 10, 30, 100, 1000];

/// Everything that a search of the pure index reads.
struct Pure {
    kernels: &'static Kernels,
    rows: Rows,
    codes: CodesBuf,
    graph: Vec<u8>,
}

impl Pure {
    fn nearest(&self, query: &[f32], candidates: impl Iterator<Item = u32>) -> Vec<u32> {
        let rows = candidates.map(|id| (id, self.rows.row(id)));
        let nearest = flat::search(self.kernels, self.rows.metric, self.rows.datatype, query, rows, TOP);
        nearest.into_iter().map(|(_, id)| id).collect()
    }

    fn scan(&self, query: &[f32], list: &[u32], scan: &mut IdScan) -> Vec<u32> {
        let codes = self.codes.view();
        let coded = codes.params().encode_query(query);
        let found = scan.scan(self.kernels, &codes, coded.as_query(), list, EF).to_vec();
        self.nearest(query, found.into_iter().map(|hit| hit.1))
    }

    fn walk(&self, query: &[f32], passing: &Bitmap, scratch: &mut Scratch) -> Vec<u32> {
        let codes = self.codes.view();
        let view = GraphView::parse(&self.graph, codes.count()).expect("a graph that was just built");
        let coded = codes.params().encode_query(query);
        let wanted = Wanted { accept: |id| passing.get(id), ef: EF, ef_min: TOP + TOP / 2, visits_max: usize::MAX };
        let found = hnsw::search_filtered(self.kernels, &view, &codes, coded.as_query(), &wanted, scratch);
        self.nearest(query, found.unwrap_or_default().iter().map(|hit| hit.1))
    }
}

/// The same rows in a collection; row `n` is point `n`, and has `n` as its payload's `n`.
fn collection(values: &[Vec<f32>]) -> (Database, Collection) {
    let world = SimWorld::new(1).world();
    let database = Database::open(&world, Path::new("/data"), DatabaseOptions::default()).expect("an empty disk");
    let vectors = vec![VectorSchema::dense("", values[0].len() as u32, Distance::Euclid, Numbers::F32)];
    let fields = vec![FieldSchema { name: "n".to_owned(), field_type: FieldType::Integer }];
    database.create_collection("c", &Schema { vectors, fields, ..Schema::default() }).expect("a new name");
    let collection = database.collection("c").expect("it exists");
    let ids: Vec<usize> = (0..values.len()).collect();
    for ids in ids.chunks(5_000) {
        let point = |&id: &usize| Point {
            id: PointId::Number(id as u64),
            vectors: vec![(String::new(), values[id].clone())],
            payload: Some(format!("{{\"n\":{}}}", mixed(id as u32))),
        };
        let points: Vec<Point> = ids.iter().map(point).collect();
        let batch = Batch::of_points(&collection.version().schema, &points).expect("good points");
        collection.write(WriteOperation::Upsert(batch)).expect("room");
    }
    while let Some(step) = collection.next_step(Goal::Indexed) {
        collection.step(&step, &Threads(2), &|_, _| true).expect("room");
    }
    (database, collection)
}

/// A number that has nothing to do with the row's place.
fn mixed(id: u32) -> u32 {
    id.wrapping_mul(2_654_435_761) >> 12
}

fn measure(criterion: &mut Criterion, dims: usize, count: usize) {
    let kernels = Kernels::detect();
    let values = vectors(0, count, dims);
    let (_database, collection) = collection(&values);
    let version = collection.version();
    let rows = Rows::store(Metric::L2, Datatype::F32, &values);
    drop(values);
    let codes = rows.codes();
    let pure = Pure { kernels, graph: graph(kernels, &codes), codes, rows };
    let queries = vectors(1, QUERIES, dims);
    for one_in in ONE_IN {
        let below = (1 << 20) / one_in;
        let list: Vec<u32> = (0..count as u32).filter(|id| mixed(*id) < below).collect();
        let mut passing = Bitmap::new(count as u32);
        list.iter().for_each(|id| passing.set(*id, true));
        let filter = Filter::parse(&format!("{{\"must\":[{{\"key\":\"n\",\"range\":{{\"lt\":{below}}}}}]}}")).expect("a filter");
        let engine = |query: &[f32], scratch: &mut SearchScratch| -> Vec<u32> {
            let request = SearchRequest { part: 1, query, top: TOP, mode: Mode::Walk(EF), filter: Some(&filter) };
            let hits = version.search(kernels, &request, scratch).expect("a search");
            hits.iter().map(|hit| if let PointId::Number(id) = hit.id { id as u32 } else { u32::MAX }).collect()
        };
        let (mut scan, mut walk, mut scratch) = (IdScan::default(), Scratch::default(), SearchScratch::default());
        let mut group = criterion.benchmark_group(format!("filter/{count}x{dims}/one in {one_in}"));
        let mut way = |name: &str, search: &mut dyn FnMut(&[f32]) -> Vec<u32>| {
            let truth = queries.iter().map(|query| pure.nearest(query, list.iter().copied()));
            let recall = truth.zip(&queries).map(|(truth, query)| recall_at_k(&search(query), &truth, TOP)).sum::<f64>() / QUERIES as f64;
            let mut next = queries.iter().cycle();
            group.bench_function(BenchmarkId::new(name, format!("recall {recall:.3}")), |bencher| {
                bencher.iter(|| next.next().map(|query| black_box(search(query))));
            });
        };
        way("compare what passes", &mut |query| pure.nearest(query, list.iter().copied()));
        way("scan its codes", &mut |query| pure.scan(query, &list, &mut scan));
        way("walk", &mut |query| pure.walk(query, &passing, &mut walk));
        way("engine", &mut |query| engine(query, &mut scratch));
        group.finish();
    }
}

fn main() {
    let short = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).sample_size(20);
    let mut criterion = short.configure_from_args();
    for (dims, count) in SETS {
        measure(&mut criterion, dims, count);
    }
    criterion.final_summary();
}
