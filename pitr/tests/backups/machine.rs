//! A simulated machine with a database and backup locations on one disk, and what the tests do with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::collection::indexer::{Goal, Threads};
use engine::collection::merge::Work;
use engine::collection::{CleaningLimits, PointView, Selector, Step, WriteOperation};
use engine::database::DatabaseOptions;
use engine::schema::Numbers;
use engine::{Batch, Collection, Database, Distance, Point, PointId, Result, Schema, VectorSchema};
use pitr::{
    BackupReport, BackupRequest, Candidates, Level, ParentStore, RestoreReport, RestoreRequest, Scratch, Target, VerifyReport,
    VerifyRequest,
};
use platform::object_store::ObjectStore;
use platform::object_store::sim::SimStore;
use platform::random::Stream;
use platform::sim::SimWorld;

pub const DATA: &str = "/data";
pub const DIM: usize = 4;

/// Every point of a collection by id, with payload and vectors.
pub type Content = BTreeMap<PointId, PointView>;

pub struct Machine {
    pub sim: SimWorld,
    pub seed: u64,
}

impl Machine {
    pub fn new(seed: u64) -> Self {
        Machine { sim: SimWorld::new(seed), seed }
    }

    pub fn database(&self) -> Database {
        self.try_database().unwrap_or_else(|e| panic!("seed {}: {e}", self.seed))
    }

    /// Opens the database so that cleaning happens in files of a few rows.
    pub fn cleaning_database(&self) -> Database {
        let cleaning = CleaningLimits { live_percent: 25, gain_min: 1, gain_min_bounded: 1 << 30, step_bytes: 1 << 20 };
        let options = DatabaseOptions { cleaning, ..DatabaseOptions::default() };
        Database::open(&self.sim.world(), Path::new(DATA), options).unwrap_or_else(|e| panic!("seed {}: {e}", self.seed))
    }

    pub fn try_database(&self) -> Result<Database> {
        Database::open(&self.sim.world(), Path::new(DATA), DatabaseOptions::default())
    }

    pub fn store(&self, root: &str) -> Arc<dyn ObjectStore> {
        self.try_store(root).unwrap_or_else(|e| panic!("seed {}: {e}", self.seed))
    }

    pub fn try_store(&self, root: &str) -> std::result::Result<Arc<dyn ObjectStore>, platform::object_store::StoreError> {
        let store = SimStore::open(self.sim.disk.file_system(), Path::new(root), self.sim.known_bad)?;
        Ok(Arc::new(store))
    }

    pub fn verify(&self, root: &str, level: Level) -> VerifyReport {
        self.try_verify(root, level, None, Candidates::default()).unwrap_or_else(|e| panic!("seed {}: {e}", self.seed))
    }

    pub fn try_verify(&self, root: &str, level: Level, id: Option<&str>, candidates: Candidates<'_>) -> Result<VerifyReport> {
        let other = SimWorld::new(self.seed + 1_000);
        let scratch = Some(Scratch { world: other.world(), dir: "/scratch".into() });
        let request = VerifyRequest { level, snapshot_id: id, candidates, scratch };
        pitr::verify(&self.sim.world(), &self.store(root), &request, &|_, _| ())
    }

    /// Restores to another, empty machine and gives what is there then.
    pub fn restored_elsewhere(
        &self,
        root: &str,
        name: &str,
        id: Option<&str>,
        candidates: Candidates<'_>,
    ) -> Result<(RestoreReport, Content)> {
        let other = Machine::new(self.seed + 2_000);
        let database = other.database();
        let request = RestoreRequest { name, target: Target::Snapshot(id), candidates, ..RestoreRequest::default() };
        let report = pitr::restore(&database, &self.store(root), &request, &|_, _| ())?;
        Ok((report, content(&database.collection(name)?)))
    }
}

pub fn schema() -> Schema {
    Schema { vectors: vec![VectorSchema::dense("", DIM as u32, Distance::Euclid, Numbers::F32)], ..Schema::default() }
}

pub fn create(database: &Database, name: &str) -> Collection {
    database.create_collection(name, &schema()).expect("a collection is created");
    database.collection(name).expect("it opens")
}

/// Writes points `ids` with vectors drawn from `stream`; every second one has a payload.
pub fn upsert(collection: &Collection, ids: std::ops::Range<u64>, stream: &mut Stream) {
    try_upsert(collection, ids, stream).expect("points are written");
}

pub fn try_upsert(collection: &Collection, ids: std::ops::Range<u64>, stream: &mut Stream) -> Result<()> {
    let points: Vec<Point> = ids
        .map(|id| Point {
            id: PointId::Number(id),
            vectors: vec![(String::new(), (0..DIM).map(|_| stream.unit_f32()).collect())],
            payload: id.is_multiple_of(2).then(|| format!("{{\"n\":{},\"at\":{id}}}", stream.below(1_000))),
        })
        .collect();
    let batch = Batch::of_points(&collection.version().schema, &points)?;
    collection.write(WriteOperation::Upsert(batch)).map(drop)
}

pub fn delete(collection: &Collection, id: u64) {
    collection.write(WriteOperation::Delete(Selector::Ids(vec![PointId::Number(id)]))).expect("a point is deleted");
}

/// Seals the tail; a new segment of 1,000 rows and more gets a graph.
pub fn seal(collection: &Collection) {
    step(collection, &Step::Seal);
    let last = collection.version().segments.len() - 1;
    step(collection, &Step::Segments(Work::Graph(last)));
}

pub fn step(collection: &Collection, step: &Step) {
    collection.step(step, &Threads(1), &|_, _| true).expect("a background step succeeds");
}

/// Does everything that the indexer wants to do.
pub fn index_all(collection: &Collection) {
    while let Some(next) = collection.next_step(Goal::Indexed) {
        step(collection, &next);
    }
}

pub fn content(collection: &Collection) -> Content {
    let mut all = Content::new();
    let version = collection.version();
    let visited = version.for_each_point(true, &mut |point| {
        assert!(all.insert(point.id, point).is_none(), "a point is shown once");
        Ok(())
    });
    visited.expect("a collection can be read");
    assert_eq!(all.len() as u64, version.points);
    assert_eq!(all.values().filter(|point| point.payload.is_some()).count() as u64, version.points_with_payload);
    all
}

pub fn backup(database: &Database, collection: &Collection, store: &Arc<dyn ObjectStore>, id: &str) -> BackupReport {
    try_backup(database, collection, store, id).expect("a backup succeeds")
}

pub fn try_backup(database: &Database, collection: &Collection, store: &Arc<dyn ObjectStore>, id: &str) -> Result<BackupReport> {
    let request = BackupRequest { snapshot_id: Some(id), ..BackupRequest::default() };
    pitr::backup(database, collection, store, &request, &|_, _| ())
}

pub fn parent(store: &Arc<dyn ObjectStore>, hint: &str) -> ParentStore {
    ParentStore { store: store.clone(), hint: hint.to_owned() }
}

pub fn parents(stores: &[&Arc<dyn ObjectStore>]) -> Candidates<'static> {
    Candidates { parents: stores.iter().map(|store| parent(store, "/nowhere")).collect(), ..Candidates::default() }
}

/// Lists everything at a location with its bytes.
pub fn dump(store: &Arc<dyn ObjectStore>) -> BTreeMap<String, Vec<u8>> {
    let listed = store.list("").expect("a listing succeeds");
    listed.into_iter().map(|meta| (meta.key.clone(), store.get(&meta.key).expect("an object is read").to_vec())).collect()
}

/// Puts a whole dump at a location.
pub fn lay_out(store: &Arc<dyn ObjectStore>, objects: &BTreeMap<String, Vec<u8>>) {
    for (key, bytes) in objects {
        store.put_if_absent(key, vec![bytes.clone().into()]).expect("an object is put");
    }
}
