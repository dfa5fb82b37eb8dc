//! The tail answers by codes as if every vector had been compared: same points, same scores, same order.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use engine::PointId;
use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Threads};
use engine::collection::version::Version;
use engine::collection::{Collection, Mode, SearchHit, SearchRequest, Selector, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::payload::Filter;
use engine::schema::{Distance, Numbers, Schema, VectorSchema};
use index::Kernels;
use platform::random::Stream;
use platform::sim::SimWorld;

const DIM: usize = 256;

fn collection(distance: Distance, numbers: Numbers) -> (Database, Collection) {
    let sim = SimWorld::new(5);
    let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
    let schema = Schema { vectors: vec![VectorSchema::dense("", DIM as u32, distance, numbers)], ..Schema::default() };
    database.create_collection("c", &schema).unwrap();
    let collection = database.collection("c").unwrap();
    (database, collection)
}

/// Vectors around a few centres, with duplicates, and one dimension that is far off.
fn vector(numbers: Numbers, stream: &mut Stream) -> Vec<f32> {
    let centre = stream.below(8) as f32;
    let spread = if stream.below(10) == 0 { 0.0 } else { 1.0 };
    let floats = (0..DIM).map(|at| stream.gaussian() * spread + centre * ((at % 7) as f32 - 3.0) + if at == 3 { 40.0 } else { 0.0 });
    match numbers {
        Numbers::U8 => floats.map(|value| (value * 2.0 + 120.0).round().clamp(0.0, 255.0)).collect(),
        Numbers::F32 | Numbers::F16 => floats.collect(),
    }
}

fn upsert(collection: &Collection, numbers: Numbers, ids: impl Iterator<Item = u64>, stream: &mut Stream) {
    let point = |id: u64, stream: &mut Stream| Point {
        id: PointId::Number(id),
        vectors: vec![(String::new(), vector(numbers, stream))],
        payload: Some(format!("{{\"rest\":{}}}", id % 50)),
    };
    let points: Vec<Point> = ids.map(|id| point(id, stream)).collect();
    let batch = Batch::of_points(&collection.version().schema, &points).unwrap();
    collection.write(WriteOperation::Upsert(batch)).unwrap();
}

/// Writes as clients do: large batches, small ones, single points, the same points again, and deletes.
fn fill(collection: &Collection, numbers: Numbers, stream: &mut Stream) {
    upsert(collection, numbers, 0..1500, stream);
    (0..5).for_each(|n| upsert(collection, numbers, 1500 + n * 100..1600 + n * 100, stream));
    (0..60).for_each(|n| upsert(collection, numbers, n * 31..n * 31 + 1, stream));
    upsert(collection, numbers, (0..400).map(|n| n * 3), stream);
    let gone = (0..300).map(|n| PointId::Number(n * 5)).collect();
    collection.write(WriteOperation::Delete(Selector::Ids(gone))).unwrap();
}

fn search(version: &Version, query: &[f32], top: usize, mode: Mode, filter: Option<&Filter>) -> Vec<SearchHit> {
    let request = SearchRequest { part: 1, query, top, mode, filter };
    version.search(Kernels::detect(), &request, &mut Default::default()).unwrap()
}

/// Searches by codes and by comparing everything, so often that all rows are coded: each search codes a little more.
fn check(version: &Version, numbers: Numbers, stream: &mut Stream, what: &str) {
    let rare = Filter::parse("{\"must\":[{\"key\":\"rest\",\"match\":{\"value\":7}}]}").unwrap();
    for round in 0..9 {
        let query = vector(numbers, stream);
        for (top, filter) in [(1, None), (10, None), (10, Some(&rare)), (200, None), (9000, None), (0, None)] {
            let exact = search(version, &query, top, Mode::Exact, filter);
            let by_codes = search(version, &query, top, Mode::Walk(1), filter);
            assert_eq!(by_codes, exact, "{what}, round {round}, top {top}");
        }
    }
}

#[test]
fn codes_give_the_answers_of_comparing_everything() {
    for distance in [Distance::Cosine, Distance::Dot, Distance::Euclid, Distance::Manhattan] {
        for numbers in [Numbers::F32, Numbers::F16, Numbers::U8] {
            let (_database, collection) = collection(distance, numbers);
            let mut stream = Stream::new(11);
            fill(&collection, numbers, &mut stream);
            let version = collection.version();
            assert_eq!(version.info().memory_bytes["tail codes"], 0, "whoever writes makes no codes");
            check(&version, numbers, &mut stream, &format!("{distance:?} {numbers:?}"));
            let (codes, rows) = (version.info().memory_bytes["tail codes"], version.tail_rows);
            let expected = if numbers == Numbers::U8 { 0.. } else { rows * DIM as u64 / 3.. };
            assert!(expected.contains(&codes) && codes < rows * DIM as u64 * 5 / 3, "{codes} bytes of codes for {rows} rows");
        }
    }
}

#[test]
fn an_older_version_answers_as_it_did() {
    let (_database, collection) = collection(Distance::Euclid, Numbers::F32);
    let mut stream = Stream::new(12);
    fill(&collection, Numbers::F32, &mut stream);
    let (older, query) = (collection.version(), vector(Numbers::F32, &mut stream));
    let before = search(&older, &query, 50, Mode::Exact, None);
    for _ in 0..3 {
        fill(&collection, Numbers::F32, &mut stream);
        let newer = collection.version();
        check(&newer, Numbers::F32, &mut stream, "newer");
        assert_eq!(search(&older, &query, 50, Mode::Walk(1), None), before);
    }
}

#[test]
fn what_is_written_after_a_seal_is_found_beside_the_segment() {
    let (_database, collection) = collection(Distance::Euclid, Numbers::F32);
    let mut stream = Stream::new(13);
    fill(&collection, Numbers::F32, &mut stream);
    check(&collection.version(), Numbers::F32, &mut stream, "before");
    while let Some(step) = collection.next_step(Goal::Indexed) {
        collection.step(&step, &Threads(1), &|_, _| true).unwrap();
    }
    upsert(&collection, Numbers::F32, 1000..6000, &mut stream);
    let version = collection.version();
    assert!(version.tail_rows == 5000 && !version.segments.is_empty());
    for _ in 0..5 {
        let query = vector(Numbers::F32, &mut stream);
        let exact = search(&version, &query, 10, Mode::Exact, None);
        assert_eq!(search(&version, &query, 10, Mode::Walk(2000), None), exact);
    }
}

#[test]
fn searches_beside_each_other_and_a_writer_agree_with_comparing_everything() {
    let (_database, collection) = collection(Distance::Cosine, Numbers::F32);
    let mut stream = Stream::new(14);
    fill(&collection, Numbers::F32, &mut stream);
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let collection = &collection;
            scope.spawn(move || {
                let mut stream = Stream::new(100 + seed);
                for _ in 0..12 {
                    let (version, query) = (collection.version(), vector(Numbers::F32, &mut stream));
                    let by_codes = search(&version, &query, 20, Mode::Walk(1), None);
                    assert_eq!(by_codes, search(&version, &query, 20, Mode::Exact, None), "seed {seed}");
                }
            });
        }
        for n in 0..20 {
            upsert(&collection, Numbers::F32, n * 90..n * 90 + 150, &mut stream);
        }
    });
}

/// Vectors as models make them: a few dimensions decide.
fn uneven(stream: &mut Stream) -> Vec<f32> {
    (0..64).map(|at| stream.gaussian() * if at % 8 == 0 { 8.0 } else { 1.0 }).collect()
}

#[test]
fn in_a_large_collection_hardly_a_neighbour_is_missed_and_none_that_does_not_pass_is_found() {
    let sim = SimWorld::new(6);
    let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
    for distance in [Distance::Cosine, Distance::Euclid, Distance::Manhattan] {
        let schema = Schema { vectors: vec![VectorSchema::dense("", 64, distance, Numbers::F32)], ..Schema::default() };
        let name = format!("{distance:?}").to_lowercase();
        database.create_collection(&name, &schema).unwrap();
        let (collection, mut stream) = (database.collection(&name).unwrap(), Stream::new(15));
        for first in (0..21_000).step_by(1000) {
            let point = |id| Point { id: PointId::Number(id), vectors: vec![(String::new(), uneven(&mut stream))], payload: None };
            let points: Vec<Point> = (first..first + 1000).map(point).collect();
            collection.write(WriteOperation::Upsert(Batch::of_points(&schema, &points).unwrap())).unwrap();
        }
        let gone = (0..900).map(|n| PointId::Number(n * 23)).collect();
        collection.write(WriteOperation::Delete(Selector::Ids(gone))).unwrap();
        let version = collection.version();
        let (mut found, mut wanted) = (0, 0);
        for _ in 0..60 {
            let query = uneven(&mut stream);
            let exact = search(&version, &query, 10, Mode::Exact, None);
            let by_signs = search(&version, &query, 10, Mode::Walk(1), None);
            assert!(by_signs.iter().is_sorted_by_key(|hit| index::flat::TotalF32(if distance == Distance::Cosine {
                -hit.score
            } else {
                hit.score
            })));
            assert!(by_signs.iter().all(|hit| matches!(hit.id, PointId::Number(id) if !id.is_multiple_of(23) || id >= 900 * 23)));
            wanted += exact.len();
            found += by_signs.iter().filter(|hit| exact.contains(hit)).count();
        }
        assert!(found * 200 >= wanted * 199, "{distance:?}: {found} of {wanted} neighbours");
    }
}
