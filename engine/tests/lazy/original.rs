//! A collection with everything that a lazy one must get right, what it answers, and lazy copies of it on other disks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use engine::clock::CommitClock;
use engine::collection::indexer::{Goal, Threads};
use engine::collection::lazy::{LazyMarker, RangeSources};
use engine::collection::snapshot::LogRange;
use engine::collection::{Mode, OpenOptions, PointView, SearchHit, SearchRequest, Selector, WriteOperation};
use engine::install::Installer;
use engine::log::residency::RangeSource;
use engine::manifest::{Manifest, Span};
use engine::payload::{FieldType, Filter};
use engine::schema::{Distance, FieldSchema, Numbers, Schema, VectorSchema};
use engine::{Batch, Collection, Incarnation, Kernels, Lsn, Point, PointId, Result, SegmentId};
use platform::World;
use platform::random::Stream;
use platform::sim::SimWorld;

use super::sources::MapSource;

const INCARNATION: Incarnation = Incarnation([9; 16]);
const ROOT: &str = "/lazy";
/// Points that lie close to each other, and are written together.
const GROUP: u64 = 100;

/// Everything that is compared.
pub type Answers = (Vec<Vec<SearchHit>>, Vec<Option<PointView>>);

/// A collection taken to pieces.
#[derive(Debug)]
pub struct Original {
    dim: usize,
    pub manifest: Manifest,
    ancestry: Vec<Span>,
    pub lsn: Lsn,
    pub log: Vec<(LogRange, Bytes)>,
    objects: Vec<(SegmentId, Bytes)>,
    pub queries: Vec<Vec<f32>>,
    pub walks: Vec<Vec<SearchHit>>,
    pub answers: Answers,
}

fn vector(dim: usize, group: u64, salt: u64) -> Vec<f32> {
    let (mut centre, mut own) = (Stream::new(group + 1), Stream::new(salt + 1_000_000));
    (0..dim).map(|_| centre.gaussian() * 4.0 + own.gaussian()).collect()
}

fn point(dim: usize, id: u64) -> Point {
    Point {
        id: PointId::Number(id),
        vectors: vec![(String::new(), vector(dim, id / GROUP, id))],
        payload: Some(format!("{{\"n\":{id},\"even\":{},\"text\":\"point number {id}\"}}", id.is_multiple_of(2))),
    }
}

fn write_round(collection: &Collection, dim: usize, round: u64, rows: u64) {
    let write = |operation| assert!(collection.write(operation).unwrap().points > 0);
    let ids: Vec<u64> = (round * rows..(round + 1) * rows).collect();
    for chunk in ids.chunks(GROUP as usize) {
        let points: Vec<Point> = chunk.iter().map(|&id| point(dim, id)).collect();
        write(WriteOperation::Upsert(Batch::of_points(&collection.version().schema, &points).unwrap()));
    }
    let some = |step: usize, skip: usize| ids.iter().skip(skip).step_by(step).map(|&id| PointId::Number(id)).collect::<Vec<_>>();
    write(WriteOperation::Delete(Selector::Ids(some(17, 3))));
    // Records without a vector, and vectors without a point, lie between the others.
    write(WriteOperation::set_payload(Selector::Ids(some(13, 1)), "{\"later\":true}".to_owned()));
    let alone = Point { vectors: vec![(String::new(), vector(dim, 5, 77 + round))], payload: None, ..point(dim, ids[8]) };
    write(WriteOperation::Patch(Batch::of_points(&collection.version().schema, &[alone]).unwrap()));
}

impl Original {
    /// Builds a collection of `rounds` sealed log files with `rows` points each, and a tail.
    pub fn build(seed: u64, dim: usize, rounds: u64, rows: u64) -> Self {
        let sim = SimWorld::new(seed);
        let world = sim.world();
        let dir = engine::manifest::store::CollectionDir::new(PathBuf::from("/original"));
        let clock = Arc::new(CommitClock::new(world.clock.clone()));
        let field = FieldSchema { name: "even".to_owned(), field_type: FieldType::Bool };
        let schema = Schema {
            vectors: vec![VectorSchema::dense("", dim as u32, Distance::Euclid, Numbers::F32)],
            fields: vec![field],
            ..Schema::default()
        };
        engine::collection::open::create(&world, &dir, INCARNATION, &schema, &clock).unwrap();
        let collection = Collection::open(&world, "c", dir.root(), INCARNATION, &clock, OpenOptions::default()).unwrap();
        for round in 0..rounds {
            write_round(&collection, dim, round, rows);
            collection.step(&engine::collection::Step::Seal, &Threads(1), &|_, _| true).unwrap();
        }
        while let Some(step) = collection.next_step(Goal::Indexed) {
            collection.step(&step, &Threads(1), &|_, _| true).unwrap();
        }
        write_round(&collection, dim, rounds, GROUP);
        let snapshot = collection.snapshot();
        let log = snapshot.log_ranges().unwrap().into_iter().map(|range| (range, snapshot.log_bytes(&range).unwrap())).collect();
        let manifest = snapshot.manifest().clone();
        let objects = manifest.objects().map(|(id, len, hash)| (id, snapshot.object(id, len, hash).unwrap())).collect();
        let queries = (0..6).map(|n| vector(dim, n * 7 % (rounds * rows / GROUP), 5_000 + n)).collect();
        let (ancestry, lsn) = (snapshot.ancestry(), snapshot.lsn());
        let (walks, answers) = (Vec::new(), (Vec::new(), Vec::new()));
        let mut original = Original { dim, manifest, ancestry, lsn, log, objects, queries, walks, answers };
        original.walks = original.queries.iter().map(|query| walk(&collection, query)).collect();
        original.answers = self::answers(&collection, &original);
        original
    }

    /// Gives a point like those of the collection, with another vector.
    pub fn other_point(&self, id: u64) -> Point {
        Point { vectors: vec![(String::new(), vector(self.dim, id / GROUP + 3, id + 9_999))], ..point(self.dim, id) }
    }

    /// Gives the number of files that lazy copies have not got.
    pub fn away(&self) -> usize {
        self.manifest.log.len()
    }
}

fn search(collection: &Collection, query: &[f32], mode: Mode, filter: Option<&Filter>) -> Result<Vec<SearchHit>> {
    let request = SearchRequest { part: 1, query, top: 10, mode, filter };
    collection.version().search(Kernels::detect(), &request, &mut Default::default())
}

/// Searches through the index.
pub fn walk(collection: &Collection, query: &[f32]) -> Vec<SearchHit> {
    try_walk(collection, query).unwrap()
}

pub fn try_walk(collection: &Collection, query: &[f32]) -> Result<Vec<SearchHit>> {
    search(collection, query, Mode::Walk(32), None)
}

/// Asks everything: walks, exact searches, filters with and without a field index, points with payload and vector.
pub fn answers(collection: &Collection, original: &Original) -> Answers {
    try_answers(collection, original).unwrap()
}

pub fn try_answers(collection: &Collection, original: &Original) -> Result<Answers> {
    let filter = |key: &str| Filter::parse(&format!("{{\"must\":[{{\"key\":\"{key}\",\"match\":{{\"value\":true}}}}]}}")).unwrap();
    let (even, later) = (filter("even"), filter("later"));
    let mut hits = Vec::new();
    for query in &original.queries {
        hits.push(search(collection, query, Mode::Walk(32), None)?);
        hits.push(search(collection, query, Mode::Walk(32), Some(&even))?);
        hits.push(search(collection, query, Mode::Exact, Some(&later))?);
        hits.push(search(collection, query, Mode::Exact, None)?);
    }
    let version = collection.version();
    let points = hits.iter().flatten().map(|hit| version.point(&hit.id, true)).collect::<Result<_>>()?;
    Ok((hits, points))
}

/// Gives what a collection's function finds a source with.
pub fn sources_of(source: &Arc<MapSource>) -> RangeSources {
    let source = source.clone();
    RangeSources::new(move |marker: &LazyMarker| {
        assert_eq!(marker.source, "a map");
        Ok(source.clone() as Arc<dyn RangeSource>)
    })
}

/// Lays a life out at a place: with its sealed log files (`None`), or without them, kept away or not.
pub fn install_life(world: &World, root: &Path, incarnation: Incarnation, original: &Original, lazy: Option<bool>) {
    try_install(world, root, incarnation, original, lazy).unwrap();
}

pub fn try_install(world: &World, root: &Path, incarnation: Incarnation, original: &Original, lazy: Option<bool>) -> Result<()> {
    let mut installer = Installer::begin(world, root.to_path_buf(), incarnation)?;
    if let Some(keep) = lazy {
        installer.set_source("a map", keep);
    }
    for (range, bytes) in &original.log {
        if lazy.is_some() && range.blake3.is_some() {
            installer.begin_lazy_log(range.timeline, range.start, range.end)?;
        } else {
            installer.begin_log(range.timeline, range.start)?.append(bytes)?;
        }
    }
    for (id, bytes) in &original.objects {
        installer.begin_object(*id)?.append(bytes)?;
    }
    installer.finish(&original.manifest, &original.ancestry, original.lsn).map(|_| ())
}

pub fn install_at(world: &World, root: &Path, original: &Original, keep: bool) {
    install_life(world, &root.join("lazy"), INCARNATION, original, Some(keep));
}

pub fn install(world: &World, original: &Original, keep: bool) {
    install_life(world, Path::new(ROOT), INCARNATION, original, Some(keep));
}

pub fn install_whole(world: &World, original: &Original) {
    install_life(world, Path::new(ROOT), INCARNATION, original, None);
}

fn open_root(world: &World, root: &Path, sources: Option<&RangeSources>) -> Result<Collection> {
    let clock = Arc::new(CommitClock::new(world.clock.clone()));
    let options = OpenOptions { ranges: sources.cloned(), accept_clock: true, ..OpenOptions::default() };
    Collection::open(world, "c", root, INCARNATION, &clock, options)
}

pub fn open_at(world: &World, root: &Path, sources: Option<&RangeSources>) -> Result<Collection> {
    open_root(world, &root.join("lazy"), sources)
}

pub fn open(world: &World, sources: Option<&RangeSources>) -> Result<Collection> {
    open_root(world, Path::new(ROOT), sources)
}

pub fn open_read(world: &World, sources: Option<&RangeSources>) -> Result<Collection> {
    let clock = Arc::new(CommitClock::new(world.clock.clone()));
    Collection::open_read_with(world, "c", Path::new(ROOT), INCARNATION, &clock, sources)
}

/// Gives the content of all log files.
pub fn log_content(sim: &SimWorld) -> Vec<Vec<u8>> {
    let paths = sim.disk.paths().into_iter().filter(|path| path.extension().is_some_and(|end| end == "log"));
    paths.map(|path| platform::fs::read_file(&*sim.world().fs, &path).unwrap()).collect()
}

/// Checks that a whole collection holds the log byte for byte, and no marker.
pub fn check_log(collection: &Collection, original: &Original) {
    assert!(!collection.is_lazy() && collection.lazy_marker().is_none());
    let snapshot = collection.snapshot();
    for (range, bytes) in original.log.iter().filter(|(range, _)| range.blake3.is_some()) {
        assert_eq!(&snapshot.log_bytes(range).unwrap(), bytes, "the file at {}", range.start);
    }
}
