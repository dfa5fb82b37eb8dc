//! Indexes configured anew: one record, everything rebuilt that disagrees, and right answers before, in between and after.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Collection, Mode, SearchRequest, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::schema::{Distance, IndexConfig, IndexKind, Memory, Numbers, Schema, VectorConfig, VectorSchema};
use engine::segment::SegmentKind;
use engine::{ErrorKind, PointId};
use index::Kernels;
use platform::random::Stream;
use platform::sim::SimWorld;

const DIM: usize = 12;

fn opened(sim: &SimWorld) -> Database {
    Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap()
}

/// A collection of `rows` points, all of them in graphs.
fn filled(seed: u64, database: &Database, rows: u64) -> Collection {
    let schema = Schema { vectors: vec![VectorSchema::dense("", DIM as u32, Distance::Euclid, Numbers::F32)], ..Schema::default() };
    database.create_collection("c", &schema).unwrap();
    let collection = database.collection("c").unwrap();
    let mut stream = Stream::new(seed);
    for start in (0..rows).step_by(500) {
        let points: Vec<Point> = (start..start + 500).map(|id| point(id, &mut stream)).collect();
        collection.write(WriteOperation::Upsert(Batch::of_points(&schema, &points).unwrap())).unwrap();
    }
    index_all(&collection);
    collection
}

fn point(id: u64, stream: &mut Stream) -> Point {
    Point { id: PointId::Number(id), vectors: vec![(String::new(), (0..DIM).map(|_| stream.gaussian()).collect())], payload: None }
}

fn index_all(collection: &Collection) {
    let mut steps = 0;
    while let Some(step) = collection.next_step(Goal::Indexed) {
        collection.step(&step, &Threads(2), &|_, _| true).unwrap();
        steps += 1;
        assert!(steps < 50, "background work does not come to rest");
    }
}

fn configure(collection: &Collection, change: VectorConfig) {
    collection.write(WriteOperation::Configure(IndexConfig::of_vectors(vec![change]))).unwrap();
}

fn search(collection: &Collection, query: &[f32], mode: Mode) -> Vec<PointId> {
    let request = SearchRequest { part: 1, query, top: 10, mode, filter: None };
    let hits = collection.version().search(Kernels::detect(), &request, &mut Default::default()).unwrap();
    hits.iter().map(|hit| hit.id).collect()
}

/// Asks as many queries as there are and compares with exact search.
fn assert_right(collection: &Collection, what: &str) {
    let mut stream = Stream::new(99);
    let mut found = 0;
    for _ in 0..20 {
        let query: Vec<f32> = (0..DIM).map(|_| stream.gaussian()).collect();
        let truth = search(collection, &query, Mode::Exact);
        assert_eq!(truth.len(), 10, "{what}");
        found += search(collection, &query, Mode::Walk(100)).iter().filter(|id| truth.contains(id)).count();
    }
    assert!(found >= 195, "{what}: {found} of 200");
}

/// The degree on level 0 and above, and the effort, of each graph.
fn graphs(collection: &Collection) -> Vec<(usize, usize, u32)> {
    let version = collection.version();
    let graphs = version.segments.iter().filter_map(|open| {
        let segment = &open.segment;
        let (graph, nodes) = (segment.graph(1)?, segment.codes(1)?.nodes().unwrap());
        let view = graph.view(nodes).unwrap();
        let tuning = graph.tuning().unwrap().unwrap();
        assert!(tuning.samples > 100 && tuning.curve.last().unwrap().recall > 9_900, "{tuning:?}");
        Some((view.capacity(0), view.capacity(1), tuning.ef_construction))
    });
    graphs.collect()
}

#[test]
fn a_graph_of_other_parameters_is_built_anew_and_answers_stay_right() {
    let sim = SimWorld::new(31);
    let database = opened(&sim);
    let collection = filled(31, &database, 3_000);
    assert_eq!(graphs(&collection), [(32, 16, 128)]);
    assert_eq!(collection.next_step(Goal::Indexed), None);
    let before = collection.version().lsn_end;
    configure(&collection, VectorConfig { m: Some(8), ef_construction: Some(60), ..VectorConfig::default() });
    assert!(collection.version().lsn_end > before);
    assert_right(&collection, "before the rebuild");
    index_all(&collection);
    assert_eq!(graphs(&collection), [(16, 8, 60)]);
    assert_right(&collection, "after the rebuild");
    // More effort alone is worth a rebuild too, another seed is not.
    configure(&collection, VectorConfig { ef_construction: Some(90), ..VectorConfig::default() });
    index_all(&collection);
    assert_eq!(graphs(&collection), [(16, 8, 90)]);
    configure(&collection, VectorConfig { seed: Some(7), ..VectorConfig::default() });
    assert_eq!(collection.next_step(Goal::Indexed), None);
}

#[test]
fn a_graph_that_nobody_asks_for_is_dropped_and_comes_back() {
    let sim = SimWorld::new(32);
    let database = opened(&sim);
    let collection = filled(32, &database, 2_000);
    configure(&collection, VectorConfig { kind: Some(IndexKind::Flat), ..VectorConfig::default() });
    index_all(&collection);
    assert_eq!(graphs(&collection), []);
    assert_eq!(collection.version().segments[0].segment.meta().kind, SegmentKind::Flat);
    assert_right(&collection, "without a graph");
    configure(&collection, VectorConfig { memory: Some(Memory::Compact), kind: Some(IndexKind::Hnsw), ..VectorConfig::default() });
    index_all(&collection);
    assert_eq!(graphs(&collection).len(), 1);
    assert_right(&collection, "with a graph again");
}

#[test]
fn a_change_survives_a_crash_and_is_worked_off_after_it() {
    let sim = SimWorld::new(33);
    let database = opened(&sim);
    let collection = filled(33, &database, 1_500);
    configure(&collection, VectorConfig { m: Some(6), ..VectorConfig::default() });
    drop(collection);
    drop(database);
    sim.disk.crash();
    let database = opened(&sim);
    let collection = database.collection("c").unwrap();
    assert_eq!(collection.version().schema.vectors[0].index.m, 6);
    assert_right(&collection, "after the crash");
    index_all(&collection);
    assert_eq!(graphs(&collection), [(12, 6, 128)]);
}

#[test]
fn a_merge_does_not_go_on_with_a_graph_of_other_parameters() {
    let sim = SimWorld::new(34);
    let database = opened(&sim);
    let collection = filled(34, &database, 2_000);
    configure(&collection, VectorConfig { m: Some(10), ..VectorConfig::default() });
    let mut stream = Stream::new(5);
    let points: Vec<Point> = (5_000..6_000).map(|id| point(id, &mut stream)).collect();
    let schema = collection.version().schema.clone();
    collection.write(WriteOperation::Upsert(Batch::of_points(&schema, &points).unwrap())).unwrap();
    index_all(&collection);
    assert_eq!(graphs(&collection), [(20, 10, 128)]);
    assert_right(&collection, "after the merge");
}

#[test]
fn what_changes_nothing_writes_nothing_and_what_is_wrong_changes_nothing() {
    let sim = SimWorld::new(35);
    let database = opened(&sim);
    let collection = filled(35, &database, 500);
    let before = collection.version();
    let whole = IndexConfig::of(&before.schema);
    collection.write(WriteOperation::Configure(whole)).unwrap();
    let low_graph = VectorConfig { memory: Some(Memory::Low), kind: Some(IndexKind::Hnsw), ..VectorConfig::default() };
    let unknown = VectorConfig { name: "x".to_owned(), ..VectorConfig::default() };
    for wrong in [low_graph, unknown, VectorConfig { m: Some(0), ..VectorConfig::default() }] {
        let error = collection.write(WriteOperation::Configure(IndexConfig::of_vectors(vec![wrong]))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
    }
    assert_eq!(collection.version().lsn_end, before.lsn_end);
    assert_eq!(collection.version().schema, before.schema);
}
