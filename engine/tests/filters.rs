//! Searches under filters find what comparing everything finds: whatever share of the points passes, and wherever what passes lies.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use engine::PointId;
use engine::batch::{Batch, Point};
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{Collection, Mode, SearchRequest, Selector, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::payload::{FieldType, Filter};
use engine::schema::{Distance, FieldSchema, Numbers, Schema, VectorSchema};
use index::Kernels;
use platform::random::Stream;
use platform::sim::SimWorld;

const DIM: usize = 32;
const CLUSTERS: u64 = 40;
/// Values of `u`, which has nothing to do with the vector.
const VALUES: u64 = 100_000;

/// What the oracle knows of a point.
struct Known {
    vector: Vec<f32>,
    u: u64,
    cluster: u64,
}

/// A collection beside a plain map of what is in it.
struct Bench {
    _database: Database,
    collection: Collection,
    model: BTreeMap<u64, Known>,
    stream: Stream,
    centres: Vec<Vec<f32>>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let sim = SimWorld::new(seed);
        let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
        let field = |name: &str| FieldSchema { name: name.to_owned(), field_type: FieldType::Integer };
        let vectors = vec![VectorSchema::dense("", DIM as u32, Distance::Euclid, Numbers::F32)];
        database.create_collection("c", &Schema { vectors, fields: vec![field("u"), field("cluster")], ..Schema::default() }).unwrap();
        let collection = database.collection("c").unwrap();
        let mut stream = Stream::new(seed);
        let centres = (0..CLUSTERS).map(|_| (0..DIM).map(|_| stream.gaussian() * 1.5).collect()).collect();
        Bench { _database: database, collection, model: BTreeMap::new(), stream, centres }
    }

    fn payload(u: u64, cluster: u64) -> String {
        format!("{{\"u\":{u},\"unindexed\":{u},\"cluster\":{cluster}}}")
    }

    fn upsert(&mut self, ids: impl Iterator<Item = u64>) {
        let mut points = Vec::new();
        for id in ids {
            let (cluster, u) = (self.stream.below(CLUSTERS), self.stream.below(VALUES));
            let vector: Vec<f32> = self.centres[cluster as usize].iter().map(|value| value + self.stream.gaussian()).collect();
            let vectors = vec![(String::new(), vector.clone())];
            points.push(Point { id: PointId::Number(id), vectors, payload: Some(Bench::payload(u, cluster)) });
            self.model.insert(id, Known { vector, u, cluster });
        }
        for points in points.chunks(2000) {
            let batch = Batch::of_points(&self.collection.version().schema, points).unwrap();
            self.collection.write(WriteOperation::Upsert(batch)).unwrap();
        }
    }

    fn delete(&mut self, ids: impl Iterator<Item = u64>) {
        let ids: Vec<u64> = ids.collect();
        ids.iter().for_each(|id| drop(self.model.remove(id)));
        let ids = ids.into_iter().map(PointId::Number).collect();
        self.collection.write(WriteOperation::Delete(Selector::Ids(ids))).unwrap();
    }

    /// Gives points another `u`; their vectors stay where they are.
    fn set_u(&mut self, ids: impl Iterator<Item = u64>, u: u64) {
        let ids: Vec<u64> = ids.filter(|id| self.model.contains_key(id)).collect();
        ids.iter().for_each(|id| self.model.get_mut(id).unwrap().u = u);
        let ids = ids.into_iter().map(PointId::Number).collect();
        let keys = format!("{{\"u\":{u},\"unindexed\":{u}}}");
        self.collection.write(WriteOperation::set_payload(Selector::Ids(ids), keys)).unwrap();
    }

    fn index_all(&self) {
        while let Some(step) = self.collection.next_step(Goal::Indexed) {
            self.collection.step(&step, &Threads(2), &|_, _| true).unwrap();
        }
    }

    /// Three segments with graphs, a tail, and points that were deleted, overwritten or given another payload; `thousands` of points in all.
    fn filled(seed: u64, thousands: u64) -> Self {
        let mut bench = Bench::new(seed);
        for (from, to) in [(0, 620), (620, 830), (830, 960)] {
            bench.upsert(from * thousands..to * thousands);
            bench.index_all();
        }
        bench.upsert((0..65 * thousands).map(|n| n * 13));
        bench.upsert(960 * thousands..1000 * thousands);
        bench.delete((0..40 * thousands).map(|n| n * 17 + 5));
        bench.set_u((0..13 * thousands).map(|n| n * 31 + 2), 7);
        let version = bench.collection.version();
        assert!(version.segments.len() >= 2 && version.indexed_rows() > 900 * thousands, "several graphs");
        bench
    }

    fn query(&mut self, cluster: u64) -> Vec<f32> {
        self.centres[cluster as usize].iter().map(|value| value + self.stream.gaussian()).collect()
    }

    /// Ids of all points, nearest first.
    fn order(&self, query: &[f32]) -> Vec<u64> {
        let distance = |known: &Known| known.vector.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let mut all: Vec<(f32, u64)> = self.model.iter().map(|(id, known)| (distance(known), *id)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.into_iter().map(|(_, id)| id).collect()
    }

    fn search(&self, kernels: &Kernels, query: &[f32], top: usize, mode: Mode, filter: &Filter) -> Vec<u64> {
        let request = SearchRequest { part: 1, query, top, mode, filter: Some(filter) };
        let hits = self.collection.version().search(kernels, &request, &mut Default::default()).unwrap();
        hits.iter().map(|hit| if let PointId::Number(id) = hit.id { id } else { unreachable!("all ids are numbers") }).collect()
    }
}

/// Which points pass beside those whose `u` is small: all, those of the query's cluster, or those of the clusters that are farthest.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lie {
    Anywhere,
    Near,
    Far,
}

/// A filter in both forms.
struct Asked {
    filter: Filter,
    u_below: u64,
    clusters: Vec<u64>,
}

impl Asked {
    fn new(bench: &Bench, key: &str, share: f64, lie: Lie, order: &[u64]) -> Self {
        let mut by_distance: Vec<u64> = Vec::new();
        for id in order {
            let cluster = bench.model[id].cluster;
            if !by_distance.contains(&cluster) {
                by_distance.push(cluster);
            }
        }
        let clusters = match lie {
            Lie::Anywhere => by_distance,
            Lie::Near => by_distance[..4].to_vec(),
            Lie::Far => by_distance[by_distance.len() / 2..].to_vec(),
        };
        let u_below = (share * VALUES as f64) as u64;
        let text = format!(
            "{{\"must\":[{{\"key\":\"{key}\",\"range\":{{\"lt\":{u_below}}}}},{{\"key\":\"cluster\",\"match\":{{\"any\":{clusters:?}}}}}]}}"
        );
        Asked { filter: Filter::parse(&text).unwrap(), u_below, clusters }
    }

    fn holds(&self, known: &Known) -> bool {
        known.u < self.u_below && self.clusters.contains(&known.cluster)
    }
}

/// The mean recall of the ten nearest over some queries.
fn recall(bench: &mut Bench, key: &str, share: f64, lie: Lie) -> f64 {
    let (mut sum, mut queries) = (0.0, 0);
    for cluster in (0..CLUSTERS).step_by(5) {
        let query = bench.query(cluster);
        let order = bench.order(&query);
        let asked = Asked::new(bench, key, share, lie, &order);
        let truth: Vec<u64> = order.into_iter().filter(|id| asked.holds(&bench.model[id])).take(10).collect();
        let found = bench.search(Kernels::detect(), &query, 10, Mode::Walk(64), &asked.filter);
        assert!(found.iter().all(|id| asked.holds(&bench.model[id])), "{key} {share} {lie:?}: what does not pass");
        assert_eq!(found.len(), truth.len(), "{key} {share} {lie:?}: ten, or all there are");
        let again = bench.search(Kernels::detect(), &query, 10, Mode::Walk(64), &asked.filter);
        assert_eq!(again, found, "{key} {share} {lie:?}: the same filter asked again");
        let hit = found.iter().filter(|id| truth.contains(id)).count();
        sum += if truth.is_empty() { 1.0 } else { hit as f64 / truth.len() as f64 };
        queries += 1;
    }
    sum / f64::from(queries)
}

#[test]
fn recall_holds_at_every_share_wherever_what_passes_lies() {
    let mut bench = Bench::filled(21, 22);
    for lie in [Lie::Anywhere, Lie::Near, Lie::Far] {
        for share in [1.0, 0.9, 0.5, 0.3, 0.1, 0.03, 0.01, 0.001, 0.0001] {
            let recall = recall(&mut bench, "u", share, lie);
            assert!(recall >= 0.95, "seed 21, share {share}, {lie:?}: recall {recall}");
        }
    }
    assert!(bench.collection.version().info().memory_bytes["filters asked lately"] > 0);
}

#[test]
fn a_field_without_an_index_is_filtered_by_as_well() {
    let mut bench = Bench::filled(22, 9);
    for lie in [Lie::Anywhere, Lie::Near, Lie::Far] {
        for share in [1.0, 0.4, 0.02, 0.0005] {
            let recall = recall(&mut bench, "unindexed", share, lie);
            assert!(recall >= 0.95, "seed 22, share {share}, {lie:?}: recall {recall}");
        }
    }
}

#[test]
fn a_filter_that_is_remembered_follows_every_write() {
    let mut bench = Bench::filled(23, 9);
    let query = bench.query(3);
    let rare = Filter::parse("{\"must\":[{\"key\":\"u\",\"match\":{\"value\":1000000}}]}").unwrap();
    let often = Filter::parse("{\"must\":[{\"key\":\"u\",\"range\":{\"lt\":50000}}]}").unwrap();
    for round in 0..12_u64 {
        let old = bench.collection.version();
        let before = old.matching(&often).unwrap().len();
        match round % 4 {
            0 => bench.set_u((0..40).map(|n| round * 700 + n * 3), 1_000_000),
            1 => bench.delete((0..25).map(|n| round * 700 + n * 6)),
            2 => bench.upsert((0..60).map(|n| round * 500 + n)),
            _ => bench.set_u((0..30).map(|n| (round - 3) * 700 + n * 3), 5),
        }
        if round == 6 {
            bench.index_all();
        }
        for (filter, holds) in [(&rare, (|known| known.u == 1_000_000) as fn(&Known) -> bool), (&often, |known| known.u < 50_000)] {
            let wanted = bench.order(&query).into_iter().filter(|id| holds(&bench.model[id]));
            let exact = bench.search(Kernels::detect(), &query, 20, Mode::Exact, filter);
            assert_eq!(exact, wanted.take(20).collect::<Vec<_>>(), "round {round}");
            let walked = bench.search(Kernels::detect(), &query, 20, Mode::Walk(100), filter);
            assert!(walked.iter().all(|id| holds(&bench.model[id])) && walked.len() == exact.len(), "round {round}");
            let count = bench.model.values().filter(|known| holds(known)).count() as u64;
            assert_eq!(bench.collection.version().count(Some(filter)).unwrap(), count, "round {round}");
        }
        assert_eq!(old.matching(&often).unwrap().len(), before, "round {round}: an older version stays what it was");
    }
}

#[test]
fn nothing_passes_or_less_than_is_asked_for() {
    let mut bench = Bench::filled(24, 9);
    let query = bench.query(0);
    for text in [
        "{\"must\":[{\"key\":\"u\",\"match\":{\"value\":-1}}]}",
        "{\"must\":[{\"key\":\"none\",\"match\":{\"value\":1}}]}",
        "{\"must\":[{\"has_id\":[999999]}]}",
        "{\"must_not\":[{\"key\":\"u\",\"range\":{\"gte\":0}}]}",
    ] {
        let filter = Filter::parse(text).unwrap();
        for mode in [Mode::Auto, Mode::Walk(10), Mode::Exact] {
            assert!(bench.search(Kernels::detect(), &query, 10, mode, &filter).is_empty(), "{text}");
        }
    }
    let few = Filter::parse("{\"must\":[{\"has_id\":[1,2,5801,7901,8901]}]}").unwrap();
    let wanted: Vec<u64> = bench.order(&query).into_iter().filter(|id| [1, 2, 5_801, 7_901, 8_901].contains(id)).collect();
    for (top, mode) in [(3, Mode::Auto), (5, Mode::Walk(1)), (1000, Mode::Walk(64)), (1000, Mode::Exact)] {
        let found = bench.search(Kernels::detect(), &query, top, mode, &few);
        assert_eq!(found, wanted[..top.min(wanted.len())], "top {top}, {mode:?}");
    }
}

#[test]
fn every_instruction_set_gives_the_same_points() {
    let mut bench = Bench::filled(25, 9);
    for (share, lie) in [(0.9, Lie::Anywhere), (0.4, Lie::Far), (0.1, Lie::Near), (0.05, Lie::Anywhere), (0.002, Lie::Far)] {
        let query = bench.query(9);
        let order = bench.order(&query);
        let asked = Asked::new(&bench, "u", share, lie, &order);
        let mut answers = Kernels::available().map(|kernels| bench.search(kernels, &query, 10, Mode::Walk(64), &asked.filter));
        let first = answers.next().unwrap();
        assert!(!first.is_empty() && answers.all(|other| other == first), "{share} {lie:?}");
    }
}
