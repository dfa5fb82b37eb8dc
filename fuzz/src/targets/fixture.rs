//! Valid things to begin with: a collection on a simulated disk, and a segment with every kind of object.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use engine::batch::{Batch, Point};
use engine::clock::CommitClock;
use engine::codec::checksum::Hash;
use engine::collection::open::{OpenOptions, create};
use engine::collection::{Collection, Selector, WriteOperation};
use engine::ids::{Incarnation, SegmentId, Timeline};
use engine::log::LogFileName;
use engine::manifest::store::CollectionDir;
use engine::object_file::Role;
use engine::payload::{FieldIndexBuilder, FieldPath, FieldType};
use engine::schema::{Distance, FieldSchema, Numbers, Schema, VectorSchema};
use engine::segment::deletes::DeletesBuilder;
use engine::segment::{
    ABSENT, FlatInput, FlatRow, GraphBuild, ListsBuild, ObjectMeta, Segment, SegmentKind, SegmentMeta, VectorPart, VectorSource,
    build_flat, build_graph, build_lists,
};
use engine::{Error, PointId};
use index::hnsw::{Params, Sequential};
use index::{Bitmap, Datatype, Kernels, Metric};
use platform::World;
use platform::fs::{FileSystem, OpenMode};
use platform::random::Stream;
use platform::sim::SimWorld;

/// Where the collection lies.
pub const ROOT: &str = "/c";
/// The life that it is.
pub const INCARNATION: Incarnation = Incarnation([5; 16]);
/// Rows of the segment.
pub const ROWS: u32 = 48;

/// Two vectors of different kinds.
#[must_use]
pub fn schema() -> Schema {
    let vectors =
        vec![VectorSchema::dense("a", 8, Distance::Euclid, Numbers::F32), VectorSchema::dense("b", 4, Distance::Cosine, Numbers::U8)];
    Schema { vectors, fields: vec![FieldSchema { name: "tag".to_owned(), field_type: FieldType::Keyword }], ..Schema::default() }
}

/// Draws a point; every third lacks its second vector, every fifth is named by a UUID.
pub fn point(number: u64, stream: &mut Stream) -> Point {
    let mut vectors = vec![("a".to_owned(), (0..8).map(|_| stream.below(200) as f32 - 100.0).collect())];
    if !number.is_multiple_of(3) {
        vectors.push(("b".to_owned(), (0..4).map(|_| 1.0 + stream.below(255) as f32).collect()));
    }
    let id = if number.is_multiple_of(5) { PointId::Uuid([number as u8; 16]) } else { PointId::Number(number) };
    Point { id, vectors, payload: (!number.is_multiple_of(4)).then(|| format!("{{\"tag\":\"t{}\",\"n\":{number}}}", number % 7)) }
}

/// The files of a collection that was written and closed.
#[derive(Debug)]
pub struct Files {
    /// Every file but the log's last, with its path.
    pub others: Vec<(PathBuf, Vec<u8>)>,
    /// The name of the log's last file.
    pub log_name: LogFileName,
    /// Its bytes.
    pub log: Vec<u8>,
}

/// Gives the collection, made once.
pub fn collection() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(make_collection)
}

fn make_collection() -> Files {
    let (sim, dir) = (SimWorld::new(1), CollectionDir::new(PathBuf::from(ROOT)));
    let world = sim.world();
    let clock = Arc::new(CommitClock::new(world.clock.clone()));
    create(&world, &dir, INCARNATION, &schema(), &clock).expect("a new collection is created");
    let opened = open(&world, &clock).expect("a new collection opens");
    let mut stream = Stream::new(1);
    for first in [0, 6, 3] {
        let points: Vec<Point> = (first..first + 6).map(|number| point(number, &mut stream)).collect();
        let batch = Batch::of_points(&schema(), &points).expect("the points are valid");
        opened.write(WriteOperation::Upsert(batch)).expect("the batch is written");
    }
    let some = Selector::Ids(vec![PointId::Number(1), PointId::Number(4)]);
    opened.write(WriteOperation::set_payload(some.clone(), "{\"n\":null}".to_owned())).expect("a payload is set");
    opened.write(WriteOperation::Delete(some)).expect("points are deleted");
    opened.close().expect("the collection closes");
    let mut others: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for path in sim.disk.paths() {
        if world.fs.metadata(&path).ok().flatten().is_some_and(|meta| !meta.is_dir) {
            others.push((path.clone(), platform::fs::read_file(&*world.fs, &path).expect("a file reads")));
        }
    }
    let name_of = |path: &Path| path.file_name().and_then(|name| name.to_str()).and_then(LogFileName::parse);
    let last = others.iter().position(|(path, _)| name_of(path).is_some()).expect("the collection has a log");
    let (path, log) = others.remove(last);
    Files { others, log_name: name_of(&path).expect("it has the name of a log file"), log }
}

/// Opens the collection on a disk.
///
/// # Errors
/// Those of the engine.
pub fn open(world: &World, clock: &Arc<CommitClock>) -> engine::Result<Collection> {
    Collection::open(world, "c", Path::new(ROOT), INCARNATION, clock, OpenOptions::default())
}

/// Puts a file on a disk, its directories too.
///
/// # Panics
/// When the disk does not take it.
pub fn put(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) {
    fs.create_dir_all(platform::fs::parent(path)).expect("a simulated disk without faults makes directories");
    let file = fs.open(path, OpenMode::CreateNew).expect("the name is free");
    file.write_all_at(bytes, 0).expect("a simulated disk without faults takes bytes");
}

/// A segment, its objects and the vectors that they are of.
#[derive(Debug)]
pub struct Parts {
    /// What a manifest would say.
    pub meta: SegmentMeta,
    /// The bytes of its objects, in the order of the description.
    pub objects: Vec<Bytes>,
    /// An object of dead rows.
    pub deletes: Vec<u8>,
    /// Two vector parts.
    pub specs: Vec<VectorPart>,
    /// Where the vectors are.
    pub source: Vectors,
}

/// The id of the object of dead rows.
pub const DELETES_ID: SegmentId = SegmentId([0xDD; 16]);

/// Vectors one after the other; an address is an offset.
#[derive(Debug, Default)]
pub struct Vectors(Vec<u8>);

impl VectorSource for Vectors {
    fn gather<'a>(&'a self, addresses: &[u64], bytes_per_vector: usize, out: &mut Vec<&'a [u8]>) -> engine::Result<()> {
        for &address in addresses {
            let from = usize::try_from(address).ok();
            let vector = from.and_then(|from| self.0.get(from..from.checked_add(bytes_per_vector)?));
            out.push(vector.ok_or_else(|| Error::corrupt("no vector at this address").with_offset(address))?);
        }
        Ok(())
    }
}

/// Gives the segment, made once.
pub fn segment() -> &'static Parts {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    PARTS.get_or_init(make_segment)
}

fn make_segment() -> Parts {
    let specs = vec![
        VectorPart { dim: 8, datatype: Datatype::F32, metric: Metric::L2, normalise_codes: false, blocks: true },
        VectorPart { dim: 4, datatype: Datatype::U8, metric: Metric::Dot, normalise_codes: true, blocks: true },
    ];
    let (mut stream, mut source) = (Stream::new(2), Vectors::default());
    let mut fields = FieldIndexBuilder::new(&FieldPath::parse("tag").expect("a path"), FieldType::Keyword, ROWS);
    let mut rows = Vec::new();
    for row in 0..ROWS {
        // Out of order and with repetitions, so that every section of the rows object is there.
        let point = point(u64::from(row) * 7 % 31, &mut stream);
        fields.add(row, point.payload.as_deref());
        let mut addresses = vec![u64::from(row) << 20, ABSENT, ABSENT];
        for (part, (spec, (_, vector))) in specs.iter().zip(&point.vectors).enumerate() {
            addresses[part + 1] = source.0.len() as u64;
            spec.datatype.encode(vector, &mut source.0);
        }
        rows.push(FlatRow { id: point.id, has_payload: point.payload.is_some(), addresses });
    }
    let mut next = 0;
    let mut draw_id = || {
        next += 1;
        SegmentId([next; 16])
    };
    let input = FlatInput { rows, vectors: specs.clone(), source: &source, fields: vec![fields.finish()], draw_id: &mut draw_id };
    let mut built = build_flat(input).expect("a segment is built");
    let flat = describe(&built, SegmentKind::Flat);
    let opened = open_segment(&flat, &built).expect("a new segment opens");
    let build = GraphBuild { params: &Params::default(), kernels: Kernels::detect(), executor: &Sequential, progress: &|_, _| true };
    built.push(build_graph(&opened, 1, SegmentId([0x71; 16]), build).expect("a graph is built"));
    let lists = index::ivf::Params { lists: 4, seed: 1 };
    let build = ListsBuild { params: &lists, kernels: Kernels::detect(), executor: &Sequential, progress: &|_, _| true };
    built.push(build_lists(&opened, None, 2, SegmentId([0x72; 16]), build).expect("lists are built"));
    let mut deletes = DeletesBuilder::new(DELETES_ID);
    let mut dead = Bitmap::new(ROWS);
    [0, 9, ROWS - 1].iter().for_each(|&row| dead.set(row, true));
    deletes.add(flat.id, 0, &dead);
    deletes.add(flat.id, 1, &dead);
    let meta = describe(&built, SegmentKind::Graph);
    let objects = built.into_iter().map(|(_, bytes)| bytes.into()).collect();
    Parts { meta, objects, deletes: deletes.finish(), specs, source }
}

fn describe(built: &[(ObjectMeta, Vec<u8>)], kind: SegmentKind) -> SegmentMeta {
    let objects = built.iter().map(|(meta, _)| meta.clone()).collect();
    SegmentMeta { id: SegmentId([0xEE; 16]), kind, from: 64, to: 1 << 20, rows: ROWS, objects }
}

fn open_segment(meta: &SegmentMeta, built: &[(ObjectMeta, Vec<u8>)]) -> engine::Result<Segment> {
    let mut load = |object: &ObjectMeta| {
        let found = built.iter().find(|(meta, _)| meta.id == object.id);
        found.map(|(_, bytes)| Bytes::from(bytes.clone())).ok_or_else(|| Error::not_found("no such object"))
    };
    Segment::open(meta.clone(), &mut load, 3)
}

/// Describes other bytes in place of an object.
#[must_use]
pub fn with_object(meta: &SegmentMeta, place: usize, bytes: &[u8]) -> SegmentMeta {
    let mut meta = meta.clone();
    let blake3 = bytes.last_chunk().map_or(Hash([0; 32]), |hash| Hash(*hash));
    meta.objects[place] = ObjectMeta { bytes: bytes.len() as u64, blake3, ..meta.objects[place].clone() };
    meta
}

/// The timeline of files that are made up.
pub const TIMELINE: Timeline = Timeline([9; 16]);

/// The role of an object by its place in the segment's description; one behind the last is the object of dead rows.
#[must_use]
pub fn role_at(place: usize) -> (Role, SegmentId) {
    segment().meta.objects.get(place).map_or((Role::Deletes, DELETES_ID), |object| (object.role, object.id))
}
