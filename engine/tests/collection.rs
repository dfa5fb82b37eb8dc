//! A collection on the simulated disk: writes, background steps, searches and reopening, compared with a plain map.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Collection, Mode, SearchRequest, Selector, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::payload::{FieldType, Filter};
use engine::schema::{Distance, FieldSchema, IndexParams, Memory, Numbers, Schema, VectorSchema};
use engine::segment::SegmentKind;
use engine::{ErrorKind, Incarnation, PointId};
use index::Kernels;
use platform::random::Stream;
use platform::sim::SimWorld;

const DATA: &str = "/data";

fn schema() -> Schema {
    Schema { vectors: vec![VectorSchema::dense("", 16, Distance::Cosine, Numbers::F32)], ..Schema::default() }
}

fn point(id: u64, stream: &mut Stream) -> Point {
    let vector = (0..16).map(|_| stream.gaussian()).collect();
    Point {
        id: PointId::Number(id),
        vectors: vec![(String::new(), vector)],
        payload: Some(format!("{{\"n\":{},\"even\":{}}}", id, id.is_multiple_of(2))),
    }
}

fn database(sim: &SimWorld) -> Database {
    Database::open(&sim.world(), Path::new(DATA), DatabaseOptions::default()).unwrap()
}

fn upsert(collection: &Collection, points: &[Point]) {
    let batch = Batch::of_points(&collection.version().schema, points).unwrap();
    let ack = collection.write(WriteOperation::Upsert(batch)).unwrap();
    assert_eq!(ack.points, points.len() as u64);
}

fn index_all(collection: &Collection) {
    while let Some(step) = collection.next_step(Goal::Indexed) {
        collection.step(&step, &Threads(1), &|_, _| true).unwrap();
    }
}

fn search(collection: &Collection, query: &[f32], mode: Mode, filter: Option<&Filter>) -> Vec<PointId> {
    let request = SearchRequest { part: 1, query, top: 10, mode, filter };
    let hits = collection.version().search(Kernels::detect(), &request, &mut Default::default()).unwrap();
    hits.iter().map(|hit| hit.id).collect()
}

/// The oracle: cosine by plain loops over a map.
fn nearest(model: &BTreeMap<u64, Point>, query: &[f32], keep: impl Fn(u64) -> bool) -> Vec<PointId> {
    let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    let mut all: Vec<(f64, u64)> = model
        .iter()
        .filter(|(id, _)| keep(**id))
        .map(|(id, point)| {
            let v = &point.vectors[0].1;
            let dot: f64 = v.iter().zip(query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            (-dot / (norm(v) * norm(query)), *id)
        })
        .collect();
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all.into_iter().take(10).map(|(_, id)| PointId::Number(id)).collect()
}

#[test]
fn a_collection_answers_like_a_map_through_tail_segments_graphs_and_reopening() {
    answers_like_a_map(IndexParams::default(), SegmentKind::Graph);
}

#[test]
fn a_collection_with_lists_answers_like_a_map_through_tail_segments_merges_and_reopening() {
    answers_like_a_map(IndexParams::default().with_memory(Memory::Low), SegmentKind::Ivf);
}

fn answers_like_a_map(index: IndexParams, kind: SegmentKind) {
    let sim = SimWorld::new(7);
    let database = database(&sim);
    let mut schema = schema();
    schema.vectors[0].index = index;
    database.create_collection("products", &schema).unwrap();
    let collection = database.collection("products").unwrap();
    let (mut stream, mut model) = (Stream::new(7), BTreeMap::new());
    let queries: Vec<Vec<f32>> = (0..8).map(|_| (0..16).map(|_| stream.gaussian()).collect()).collect();
    let check = |collection: &Collection, model: &BTreeMap<u64, Point>, what: &str| {
        assert_eq!(collection.version().points, model.len() as u64, "{what}");
        let even = Filter::parse("{\"must\":[{\"key\":\"even\",\"match\":{\"value\":true}}]}").unwrap();
        for query in &queries {
            assert_eq!(search(collection, query, Mode::Exact, None), nearest(model, query, |_| true), "{what}");
            let filtered = search(collection, query, Mode::Exact, Some(&even));
            assert_eq!(filtered, nearest(model, query, |id| id % 2 == 0), "{what}, filtered");
            let walked = search(collection, query, Mode::Walk(200), None);
            let truth = nearest(model, query, |_| true);
            assert!(walked.iter().filter(|id| truth.contains(id)).count() >= 9, "{what}: the walk found {walked:?} of {truth:?}");
            assert_eq!(search(collection, query, Mode::Walk(usize::MAX), None), truth, "{what}: as many candidates as there are numbers");
            assert_eq!(search(collection, query, Mode::Walk(usize::MAX), Some(&even)), filtered, "{what}, filtered");
        }
    };
    for round in 0..6_u64 {
        let points: Vec<Point> = (0..700).map(|n| point(round * 400 + n, &mut stream)).collect();
        points.chunks(100).for_each(|chunk| upsert(&collection, chunk));
        model.extend(points.iter().map(|p| {
            (
                match p.id {
                    PointId::Number(id) => id,
                    PointId::Uuid(_) => 0,
                },
                p.clone(),
            )
        }));
        let gone: Vec<u64> = (0..40).map(|n| round * 300 + n * 7).collect();
        let ids = gone.iter().map(|id| PointId::Number(*id)).collect();
        collection.write(WriteOperation::Delete(Selector::Ids(ids))).unwrap();
        gone.iter().for_each(|id| drop(model.remove(id)));
        check(&collection, &model, "in the tail");
        if round == 2 {
            let field = FieldSchema { name: "even".to_owned(), field_type: FieldType::Bool };
            collection.write(WriteOperation::IndexField(field)).unwrap();
        }
        index_all(&collection);
        check(&collection, &model, "indexed");
    }
    assert!(collection.version().indexed_rows() > 1_000, "graphs or lists were built");
    let info = collection.version().info();
    assert!(info.segments.iter().any(|segment| segment.kind == kind), "{:?}", info.segments);
    let of = |name: &str| info.memory_bytes.get(name).copied().unwrap_or(0);
    assert_eq!((of("lists") > 0, of("graph") > 0), (kind == SegmentKind::Ivf, kind == SegmentKind::Graph), "{:?}", info.memory_bytes);
    collection.close().unwrap();
    drop(collection);
    database.close().unwrap();
    sim.disk.crash();
    let database = self::database(&sim);
    let collection = database.collection("products").unwrap();
    check(&collection, &model, "reopened");
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let sim = SimWorld::new(1);
    let database = database(&sim);
    database.create_collection("c", &schema()).unwrap();
    let collection = database.collection("c").unwrap();
    let schema = collection.version().schema.clone();
    let mut stream = Stream::new(1);
    let good = point(1, &mut stream);
    let with =
        |vectors: Vec<(String, Vec<f32>)>, payload: &str| Point { id: PointId::Number(2), vectors, payload: Some(payload.to_owned()) };
    let bad = [
        with(vec![(String::new(), vec![f32::NAN; 16])], "{}"),
        with(vec![(String::new(), vec![f32::INFINITY; 16])], "{}"),
        with(vec![(String::new(), vec![1.0; 15])], "{}"),
        with(vec![("other".to_owned(), vec![1.0; 16])], "{}"),
        with(vec![(String::new(), vec![1.0; 16])], "{\"a\":1,\"a\":2}"),
        with(vec![(String::new(), vec![1.0; 16])], "[1]"),
        good.clone(),
    ];
    let before = collection.version().lsn_end;
    for mut second in bad {
        second.id = if second == good { good.id } else { second.id };
        let error = Batch::of_points(&schema, &[good.clone(), second]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{error}");
        assert!(error.message.contains("row 1"), "{error}");
    }
    assert_eq!(collection.version().lsn_end, before);
    assert_eq!(database.create_collection("c", &Schema::clone(&schema)).unwrap_err().kind, ErrorKind::Exists);
    assert_eq!(database.collection("nope").unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn a_reader_sees_what_was_acknowledged_while_a_writer_goes_on() {
    let sim = SimWorld::new(3);
    let writer = database(&sim);
    writer.create_collection("c", &schema()).unwrap();
    let collection = writer.collection("c").unwrap();
    let mut stream = Stream::new(3);
    for round in 0..5_u64 {
        let points: Vec<Point> = (0..300).map(|n| point(round * 300 + n, &mut stream)).collect();
        upsert(&collection, &points);
        if round == 2 {
            index_all(&collection);
        }
        let reader = Database::open_read(&sim.world(), Path::new(DATA), DatabaseOptions::default()).unwrap();
        let seen = reader.collection("c").unwrap();
        assert_eq!(seen.version().points, (round + 1) * 300);
        let batch = Batch::of_points(&seen.version().schema, &points[..1]).unwrap();
        assert_eq!(seen.write(WriteOperation::Upsert(batch)).unwrap_err().kind, ErrorKind::Locked);
    }
}

#[test]
fn payload_changes_and_vector_changes_leave_each_other_alone() {
    let sim = SimWorld::new(4);
    let database = database(&sim);
    let named = |name: &str| VectorSchema::dense(name, 16, Distance::Euclid, Numbers::F32);
    database.create_collection("c", &Schema { vectors: vec![named("a"), named("b")], ..Schema::default() }).unwrap();
    let collection = database.collection("c").unwrap();
    let schema = collection.version().schema.clone();
    let both = |id: u64, x: f32| Point {
        id: PointId::Number(id),
        vectors: vec![("a".to_owned(), vec![x; 16]), ("b".to_owned(), vec![-x; 16])],
        payload: Some("{\"k\":1}".to_owned()),
    };
    let points: Vec<Point> = (0..1200).map(|id| both(id, id as f32)).collect();
    upsert(&collection, &points);
    index_all(&collection);
    let segments = |c: &Collection| c.version().segments.iter().map(|s| s.segment.meta().hash()).collect::<Vec<_>>();
    let before = segments(&collection);
    collection.write(WriteOperation::set_payload(Selector::Ids(vec![PointId::Number(5)]), "{\"k\":2,\"new\":true}".to_owned())).unwrap();
    let mut only_b = both(5, 99.0);
    only_b.vectors.remove(0);
    only_b.payload = None;
    collection.write(WriteOperation::Patch(Batch::of_points(&schema, &[only_b]).unwrap())).unwrap();
    let view = collection.version().point(&PointId::Number(5), true).unwrap().unwrap();
    assert_eq!(view.payload.as_deref(), Some("{\"k\":2,\"new\":true}"));
    assert_eq!(view.vectors[0].1, vec![5.0; 16], "vector a is as it was");
    assert_eq!(view.vectors[1].1, vec![-99.0; 16], "vector b is new");
    assert_eq!(segments(&collection), before, "no segment was touched");
    let filter = Filter::parse("{\"must\":[{\"key\":\"new\",\"match\":{\"value\":true}}]}").unwrap();
    assert_eq!(collection.version().matching(&filter).unwrap(), [PointId::Number(5)]);
    let request = SearchRequest { part: 1, query: &[5.0; 16], top: 1, mode: Mode::Walk(50), filter: Some(&filter) };
    let hits = collection.version().search(Kernels::detect(), &request, &mut Default::default()).unwrap();
    assert_eq!((hits[0].id, hits[0].score), (PointId::Number(5), 0.0), "the filter reaches the new payload through the id");
    assert_eq!(collection.version().points, 1200);
    collection.write(WriteOperation::Upsert(Batch::of_points(&schema, &[Point { vectors: Vec::new(), ..both(5, 0.0) }]).unwrap())).unwrap();
    assert!(
        collection.version().point(&PointId::Number(5), true).unwrap().unwrap().vectors.is_empty(),
        "an upsert replaces the whole point"
    );
}

#[test]
fn dropped_collections_come_back_until_they_are_purged_and_names_never_meet_old_data() {
    let sim = SimWorld::new(5);
    let database = database(&sim);
    database.create_collection("c", &schema()).unwrap();
    let first = database.collection("c").unwrap();
    upsert(&first, &[point(1, &mut Stream::new(5))]);
    first.close().unwrap();
    drop(first);
    assert!(database.drop_collection("c", false).unwrap());
    assert_eq!(database.drop_collection("c", false).unwrap_err().kind, ErrorKind::NotFound);
    database.create_collection("c", &schema()).unwrap();
    assert_eq!(database.collection("c").unwrap().version().points, 0);
    assert_eq!(database.undrop("c").unwrap_err().kind, ErrorKind::Exists);
    database.drop_collection("c", true).unwrap();
    database.undrop("c").unwrap();
    assert_eq!(database.collection("c").unwrap().version().points, 1);
    database.drop_collection("c", false).unwrap();
    database.close().unwrap();
    sim.disk.crash();
    let database = self::database(&sim);
    assert_eq!(database.state().dropped.len(), 1);
    assert_eq!(database.purge().unwrap(), 1);
    assert_eq!(database.undrop("c").unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn what_is_being_put_together_is_not_cleared_away_by_others_and_what_was_given_up_is() {
    let sim = SimWorld::new(6);
    let database = database(&sim);
    let (arriving, given_up) = (Incarnation([1; 16]), Incarnation([2; 16]));
    let guards = [arriving, given_up].map(|life| database.arrive(life));
    let fs = sim.disk.file_system();
    let is_there = |life| fs.metadata(&database.collection_dir(life)).unwrap().is_some();
    for life in [arriving, given_up] {
        fs.create_dir_all(&database.collection_dir(life)).unwrap();
    }
    let [_still, guard] = guards;
    database.create_collection("c", &schema()).unwrap();
    database.drop_collection("c", true).unwrap();
    assert!(is_there(arriving) && is_there(given_up));
    drop(guard);
    database.create_collection("c", &schema()).unwrap();
    database.drop_collection("c", true).unwrap();
    assert!(is_there(arriving) && !is_there(given_up));
}
