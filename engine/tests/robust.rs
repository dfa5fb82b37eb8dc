//! Vectors that indexes stumble over, from the first write through the tail, a flat segment and a graph to the last delete: every search
//! gives as many answers as there are, the nearest ones, with a score that is a number.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Step, Threads};
use engine::collection::{Collection, Mode, SearchHit, SearchRequest, Selector, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::payload::Filter;
use engine::schema::{Distance, Numbers, Schema, VectorSchema};
use engine::{ErrorKind, PointId};
use index::Kernels;
use platform::random::Stream;
use platform::sim::SimWorld;

const DISTANCES: [Distance; 4] = [Distance::Cosine, Distance::Dot, Distance::Euclid, Distance::Manhattan];

type Model = BTreeMap<u64, Vec<f32>>;

struct Fixture {
    name: String,
    distance: Distance,
    database: Database,
    collection: Collection,
    model: Model,
}

impl Fixture {
    /// A collection of these vectors, written in batches, nothing indexed yet.
    fn new(name: &str, distance: Distance, numbers: Numbers, dim: usize, vectors: Vec<Vec<f32>>) -> Self {
        let sim = SimWorld::new(3);
        let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
        let schema = Schema { vectors: vec![VectorSchema::dense("", dim as u32, distance, numbers)], ..Schema::default() };
        database.create_collection("c", &schema).unwrap();
        let collection = database.collection("c").unwrap();
        let model: Model = (0..).zip(vectors).collect();
        let points: Vec<Point> = model
            .iter()
            .map(|(id, vector)| Point {
                id: PointId::Number(*id),
                vectors: vec![(String::new(), vector.clone())],
                payload: Some(format!("{{\"odd\":{}}}", id % 2 == 1)),
            })
            .collect();
        for points in points.chunks(137) {
            collection.write(WriteOperation::Upsert(Batch::of_points(&schema, points).unwrap())).unwrap();
        }
        Fixture { name: format!("{name}, {distance:?} {numbers:?}"), distance, database, collection, model }
    }

    /// Checks the collection in each of its states.
    fn through_all_states(mut self, queries: &[Vec<f32>]) {
        self.check(queries, "tail");
        self.check(queries, "tail with codes");
        self.collection.step(&Step::Seal, &Threads(1), &|_, _| true).unwrap();
        self.check(queries, "flat");
        while let Some(step) = self.collection.next_step(Goal::Indexed) {
            self.collection.step(&step, &Threads(2), &|_, _| true).unwrap();
        }
        assert_eq!(self.collection.version().indexed_rows() > 0, self.model.len() >= 1000, "{}: a graph", self.name);
        self.check(queries, "graph");
        self.delete(|id| id % 4 < 2);
        self.check(queries, "graph with deleted points");
        self.delete(|_| true);
        self.check(queries, "nothing left");
        while let Some(step) = self.collection.next_step(Goal::Indexed) {
            self.collection.step(&step, &Threads(2), &|_, _| true).unwrap();
        }
        self.check(queries, "nothing left, merged");
        self.database.close().unwrap();
    }

    fn delete(&mut self, goes: impl Fn(u64) -> bool) {
        let ids: Vec<u64> = self.model.keys().copied().filter(|id| goes(*id)).collect();
        self.model.retain(|id, _| !goes(*id));
        let ids = ids.into_iter().map(PointId::Number).collect();
        self.collection.write(WriteOperation::Delete(Selector::Ids(ids))).unwrap();
    }

    fn search(&self, query: &[f32], top: usize, mode: Mode, filter: Option<&Filter>) -> Vec<SearchHit> {
        let request = SearchRequest { part: 1, query, top, mode, filter };
        self.collection.version().search(Kernels::detect(), &request, &mut Default::default()).unwrap()
    }

    fn check(&self, queries: &[Vec<f32>], state: &str) {
        let filter = |text: &str| Filter::parse(&format!("{{\"must\":[{{\"key\":\"odd\",\"match\":{{\"value\":{text}}}}}]}}")).unwrap();
        let (odd, none) = (filter("true"), filter("\"neither\""));
        let count = self.model.len();
        let odd_count = self.model.keys().filter(|id| *id % 2 == 1).count();
        for query in queries {
            for top in [1, 10, count + 7] {
                for mode in [Mode::Exact, Mode::Auto, Mode::Walk(64)] {
                    let what = format!("{} ({state}), top {top}, {mode:?}", self.name);
                    self.check_hits(query, &self.search(query, top, mode, None), count.min(top), mode, &what);
                    let filtered = self.search(query, top, mode, Some(&odd));
                    assert!(filtered.iter().all(|hit| matches!(hit.id, PointId::Number(id) if id % 2 == 1)), "{what}, filtered");
                    assert_eq!(filtered.len(), odd_count.min(top), "{what}, filtered");
                    assert!(self.search(query, top, mode, Some(&none)).is_empty(), "{what}, a filter that nothing passes");
                }
            }
        }
    }

    /// Checks the number of the hits, their order, and that they are the nearest: all of them where every vector was compared, nine in
    /// ten otherwise. What counts is how near they are, so that of equal ones each will do.
    fn check_hits(&self, query: &[f32], hits: &[SearchHit], expected: usize, mode: Mode, what: &str) {
        assert_eq!(hits.len(), expected, "{what}");
        let mut truth: Vec<f64> = self.model.values().map(|vector| badness(self.distance, query, vector)).collect();
        truth.sort_by(f64::total_cmp);
        let found: Vec<f64> = hits
            .iter()
            .map(|hit| match hit.id {
                PointId::Number(id) => badness(self.distance, query, &self.model[&id]),
                PointId::Uuid(_) => f64::NAN,
            })
            .collect();
        assert!(hits.iter().all(|hit| !hit.score.is_nan()), "{what}: a score that is no number");
        let unique: std::collections::BTreeSet<PointId> = hits.iter().map(|hit| hit.id).collect();
        assert_eq!(unique.len(), hits.len(), "{what}: a point twice");
        let Some(worst) = expected.checked_sub(1).map(|last| truth[last]) else { return };
        // Floats with a mantissa of 11 bits, where vectors are stored so.
        let slack = truth.iter().map(|value| value.abs()).filter(|value| value.is_finite()).fold(0.0, f64::max) * 2e-3;
        let right = found.iter().filter(|value| **value <= worst + slack).count();
        let wanted = if mode == Mode::Exact { expected } else { expected - expected / 10 };
        assert!(right >= wanted, "{what}: {right} of {expected} are among the nearest");
    }
}

/// How far a vector is, in doubles.
fn badness(distance: Distance, query: &[f32], vector: &[f32]) -> f64 {
    let pairs = || query.iter().zip(vector).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let over = |dot: f64, norms: f64| if norms == 0.0 { 0.0 } else { dot / norms };
    match distance {
        Distance::Cosine => -over(pairs().map(|(a, b)| a * b).sum(), norm(query) * norm(vector)),
        Distance::Dot => -pairs().map(|(a, b)| a * b).sum::<f64>(),
        Distance::Euclid => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
        Distance::Manhattan => pairs().map(|(a, b)| (a - b).abs()).sum(),
    }
}

fn gaussian(dim: usize, stream: &mut Stream) -> Vec<f32> {
    (0..dim).map(|_| stream.gaussian()).collect()
}

/// The zero vector, a point of the collection, and one beside it.
fn queries(vectors: &[Vec<f32>], dim: usize) -> Vec<Vec<f32>> {
    let own = vectors.get(vectors.len() / 2).cloned().unwrap_or_else(|| vec![0.25; dim]);
    let beside = own.iter().map(|value| value + 0.5).collect();
    vec![vec![0.0; dim], own, beside]
}

fn check_all(name: &str, dim: usize, vectors: &[Vec<f32>]) {
    for distance in DISTANCES {
        Fixture::new(name, distance, Numbers::F32, dim, vectors.to_vec()).through_all_states(&queries(vectors, dim));
    }
}

#[test]
fn zero_vectors_are_points_like_others() {
    check_all("zeros alone", 40, &vec![vec![0.0; 40]; 1100]);
    let mut stream = Stream::new(1);
    let some: Vec<Vec<f32>> = (0..1100).map(|n| if n % 3 == 0 { vec![0.0; 40] } else { gaussian(40, &mut stream) }).collect();
    check_all("zeros among others", 40, &some);
}

#[test]
fn equal_vectors_and_heavy_duplicates_are_all_found() {
    check_all("all equal", 33, &vec![vec![-0.3; 33]; 1200]);
    let mut stream = Stream::new(2);
    let originals: Vec<Vec<f32>> = (0..9).map(|_| gaussian(33, &mut stream)).collect();
    let copies: Vec<Vec<f32>> = (0..1800).map(|n| originals[n % 9].clone()).collect();
    check_all("200 copies of nine", 33, &copies);
}

#[test]
fn one_dimension_is_enough() {
    let vectors: Vec<Vec<f32>> = (0..1100_u16).map(|n| vec![f32::from(n * 7 % 1100) - 550.0]).collect();
    check_all("one dimension", 1, &vectors);
}

#[test]
fn eight_thousand_dimensions_are_not_too_many() {
    let mut stream = Stream::new(3);
    let vectors: Vec<Vec<f32>> = (0..1010).map(|_| gaussian(8192, &mut stream)).collect();
    Fixture::new("8192 dimensions", Distance::Euclid, Numbers::F16, 8192, vectors.clone()).through_all_states(&vectors[7..8]);
}

#[test]
fn no_point_one_point_and_two_points_are_collections() {
    for count in 0..3_u8 {
        let vectors: Vec<Vec<f32>> = (0..count).map(|n| vec![f32::from(n), 1.0, 0.0, -2.0]).collect();
        check_all(&format!("{count} points"), 4, &vectors);
    }
}

#[test]
fn bytes_and_halves_at_the_ends_of_their_ranges_are_found() {
    let mut stream = Stream::new(4);
    for distance in DISTANCES {
        let bytes: Vec<Vec<f32>> = (0..1100).map(|_| (0..64).map(|_| stream.below(2) as f32 * 255.0).collect()).collect();
        Fixture::new("bytes", distance, Numbers::U8, 64, bytes.clone()).through_all_states(&queries(&bytes, 64));
        let halves: Vec<Vec<f32>> = (0..1100).map(|_| (0..64).map(|_| stream.below(3) as f32 * 65_504.0 - 65_504.0).collect()).collect();
        Fixture::new("halves", distance, Numbers::F16, 64, halves.clone()).through_all_states(&queries(&halves, 64));
    }
}

#[test]
fn huge_and_tiny_numbers_give_numbers_and_every_point() {
    let mut stream = Stream::new(5);
    for scale in [f32::MAX / 8.0, 1e20, 1e-20, 1e-44] {
        let vectors: Vec<Vec<f32>> = (0..1100).map(|_| gaussian(48, &mut stream).iter().map(|value| value * scale).collect()).collect();
        for distance in DISTANCES {
            let fixture = Fixture::new(&format!("times {scale}"), distance, Numbers::F32, 48, vectors.clone());
            // Sums of such numbers are beyond floats, so how near they are cannot be said; each is a point all the same.
            for state in ["tail", "tail with codes", "graph"] {
                for mode in [Mode::Exact, Mode::Walk(64)] {
                    for (query, top) in [(&vectors[3], 1), (&vectors[4], 10), (&vectors[5], 2000)] {
                        let hits = fixture.search(query, top, mode, None);
                        assert_eq!(hits.len(), top.min(1100), "{} ({state}) {mode:?}", fixture.name);
                        assert!(hits.iter().all(|hit| !hit.score.is_nan()), "{} ({state}) {mode:?}", fixture.name);
                        if state != "graph" {
                            assert_eq!(hits, fixture.search(query, top, Mode::Exact, None), "{} ({state})", fixture.name);
                        }
                    }
                }
                while let Some(step) = fixture.collection.next_step(Goal::Indexed).filter(|_| state != "tail") {
                    fixture.collection.step(&step, &Threads(2), &|_, _| true).unwrap();
                }
            }
        }
    }
}

#[test]
fn numbers_that_are_none_are_refused_in_points_and_queries() {
    let fixture = Fixture::new("plain", Distance::Euclid, Numbers::F32, 2, vec![vec![1.0, 2.0]]);
    for wild in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let point = Point { id: PointId::Number(9), vectors: vec![(String::new(), vec![0.0, wild])], payload: None };
        let refused = Batch::of_points(&fixture.collection.version().schema, &[point]).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidInput);
        assert!(refused.to_string().contains("row 0"), "{refused}");
        for mode in [Mode::Exact, Mode::Auto, Mode::Walk(8)] {
            let request = SearchRequest { part: 1, query: &[wild, 0.0], top: 3, mode, filter: None };
            let refused = fixture.collection.version().search(Kernels::detect(), &request, &mut Default::default()).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::InvalidInput);
        }
    }
    assert_eq!(fixture.collection.version().points, 1);
}
