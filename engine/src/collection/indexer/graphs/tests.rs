//! Which graphs are taken: those of hard rows as they are, broken ones never.

use std::path::Path;

use platform::random::Stream;
use platform::sim::SimWorld;

use super::super::{Goal, Step, Threads};
use super::*;
use crate::batch::{Batch, Point};
use crate::collection::WriteOperation;
use crate::database::{Database, DatabaseOptions};
use crate::ids::PointId;
use crate::object_file::{ObjectBuilder, ObjectFile};
use crate::schema::{Distance, Numbers, VectorSchema};
use crate::segment::TAG_GRAPH;

const PART: usize = 1;

/// A collection whose rows are in one segment, with its graph.
fn indexed(vectors: &[Vec<f32>]) -> (Database, Collection) {
    let sim = SimWorld::new(5);
    let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
    let dim = vectors[0].len() as u32;
    let schema = Schema { vectors: vec![VectorSchema::dense("", dim, Distance::Euclid, Numbers::F32)], ..Schema::default() };
    database.create_collection("c", &schema).unwrap();
    let collection = database.collection("c").unwrap();
    let points: Vec<Point> = (0..)
        .zip(vectors)
        .map(|(id, vector)| Point { id: PointId::Number(id), vectors: vec![(String::new(), vector.clone())], payload: None })
        .collect();
    for points in points.chunks(1000) {
        collection.write(WriteOperation::Upsert(Batch::of_points(&schema, points).unwrap())).unwrap();
    }
    collection.step(&Step::Seal, &Threads(1), &|_, _| true).unwrap();
    while let Some(step) = collection.next_step(Goal::Indexed) {
        collection.step(&step, &Threads(2), &|_, _| true).unwrap();
    }
    assert_eq!(collection.version().segments.len(), 1);
    (database, collection)
}

fn uniform(count: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut stream = Stream::new(1);
    (0..count).map(|_| (0..dim).map(|_| stream.below(1 << 24) as f32).collect()).collect()
}

/// Rows around fifty centres.
fn clusters(count: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut stream = Stream::new(2);
    let centres: Vec<Vec<f32>> = (0..50).map(|_| (0..dim).map(|_| stream.gaussian()).collect()).collect();
    (0..count).map(|row| centres[row % 50].iter().map(|centre| centre + stream.gaussian() * 0.7).collect()).collect()
}

fn measured(collection: &Collection, segment: &Segment) -> Measured {
    let version = collection.version();
    sampling::measure(Subject { kernels: collection.kernels, version: &version, segment, part: PART }, &Threads(2)).unwrap()
}

/// What can be wrong with a graph.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Eleven of twelve edges are gone.
    FewEdges,
    /// No edge leads to one of two nodes.
    HalfCutOff,
    /// The lists are those of other rows, as if it had been built over other codes.
    OtherRows,
}

impl Damage {
    const ALL: [Damage; 3] = [Damage::FewEdges, Damage::HalfCutOff, Damage::OtherRows];

    /// What is left of a neighbour.
    fn neighbour(self, neighbour: u32, nodes: u32, stream: &mut Stream) -> Option<u32> {
        match self {
            Damage::FewEdges => (stream.below(12) == 0).then_some(neighbour),
            Damage::HalfCutOff => (neighbour.wrapping_mul(2_654_435_761) >> 31 == 0).then_some(neighbour),
            // No number of rows here has this factor, so no two become one.
            Damage::OtherRows => Some((neighbour * 7919 + 1) % nodes),
        }
    }
}

/// The segment with its graph damaged; what was measured of the whole graph stays with it.
fn damaged(collection: &Collection, segment: &Segment, damage: Damage) -> Segment {
    let object = segment.meta().objects.iter().find(|object| object.role == Role::Graph).unwrap().clone();
    let bytes = super::super::super::open::map_object(&*collection.world.fs, &collection.dir, object.id, object.bytes).unwrap();
    let file = ObjectFile::open(bytes, object.role, object.id).unwrap();
    let mut stream = Stream::new(3);
    let mut builder = ObjectBuilder::new(object.role, object.id);
    for (tag, part) in file.names() {
        let mut bytes = file.required(tag, part).unwrap().to_vec();
        if tag == TAG_GRAPH {
            let nodes = nodes_of(segment, PART) as u32;
            let places = &mut bytes[64..64 + nodes as usize * 32 * 4];
            for list in places.chunks_exact_mut(32 * 4) {
                let left: Vec<u32> = list
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|place| u32::from_le_bytes(*place))
                    .filter(|neighbour| *neighbour < nodes)
                    .filter_map(|neighbour| damage.neighbour(neighbour, nodes, &mut stream))
                    .collect();
                let padded = left.into_iter().chain(std::iter::repeat(u32::MAX));
                list.as_chunks_mut::<4>().0.iter_mut().zip(padded).for_each(|(place, neighbour)| *place = neighbour.to_le_bytes());
            }
        }
        builder = builder.section(tag, part, bytes);
    }
    let bytes = builder.finish();
    let object = ObjectMeta { bytes: bytes.len() as u64, blake3: ObjectFile::stored_hash(&bytes).unwrap(), ..object };
    segment.with_graphs(vec![(object, bytes.into())]).unwrap()
}

fn graph_of(built: &(ObjectMeta, Vec<u8>)) -> bytes::Bytes {
    ObjectFile::open(built.1.clone().into(), Role::Graph, built.0.id).unwrap().required(TAG_GRAPH, PART as u32).unwrap()
}

#[test]
fn uniform_rows_of_many_dimensions_are_indexed_at_once_and_broken_graphs_of_them_are_refused() {
    let (database, collection) = indexed(&uniform(20_000, 768));
    let version = collection.version();
    let segment = &version.segments[0].segment;
    let tuning = segment.tuning(PART as u32).unwrap();
    assert!(tuning.recall_at(96).unwrap() < 0.7, "rows that are no trouble prove nothing: {tuning:?}");
    assert_eq!(tuning.ef_construction, version.schema.vector(PART).index.ef_construction, "built once");
    assert!(measured(&collection, segment).is_good());
    for damage in Damage::ALL {
        let found = measured(&collection, &damaged(&collection, segment, damage));
        assert!(!found.is_good(), "{damage:?}: {found:?}");
    }
    database.close().unwrap();
}

#[test]
fn what_is_made_of_a_broken_graph_is_refused_and_built_from_nothing() {
    let (database, collection) = indexed(&clusters(6000, 48));
    let version = collection.version();
    let segment = &version.segments[0].segment;
    let flat = segment.without_index(PART as u32);
    let build = |bases: &[Base]| {
        let inputs: Vec<Arc<OpenSegment>> = bases.iter().map(|base| base.open.clone()).collect();
        let building = Building { version: &version, inputs: &inputs, bases, executor: &Threads(2), progress: &|_, _| true };
        collection.build_measured(&flat, PART, building).unwrap()
    };
    let row_map: Vec<u32> = (0..6000).collect();
    let base = |segment: Segment| Base { open: Arc::new(OpenSegment::new(segment).unwrap()), row_map: row_map.clone(), kept: 6000 };
    let fresh = graph_of(&build(&[]).object);
    let carried = graph_of(&build(&[base(segment.clone())]).object);
    for damage in Damage::ALL {
        let broken = damaged(&collection, segment, damage);
        let found = measured(&collection, &broken);
        assert!(!found.is_good(), "{damage:?}: {found:?}");
        let built = graph_of(&build(&[base(broken)]).object);
        assert!(built == fresh, "{damage:?}: what was built from nothing");
    }
    assert_eq!(carried.len(), fresh.len());
    database.close().unwrap();
}
