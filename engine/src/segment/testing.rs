//! Segments made up for tests: vectors in one buffer instead of a log.

use std::collections::BTreeMap;

use bytes::Bytes;
use index::hnsw::{Params, Sequential};
use index::{Datatype, Kernels, Metric};
use platform::random::Stream;

use super::{
    ABSENT, FlatInput, FlatRow, GraphBuild, ObjectMeta, Segment, SegmentKind, SegmentMeta, VectorPart, VectorSource, build_flat,
    build_graph,
};
use crate::error::{Error, Result};
use crate::ids::{PointId, SegmentId};

/// Vectors one after the other; an address is an offset, as in a log.
#[derive(Debug, Default)]
pub struct Vectors {
    bytes: Vec<u8>,
}

impl Vectors {
    /// Stores a vector and gives its address.
    pub fn push(&mut self, datatype: Datatype, vector: &[f32]) -> u64 {
        let address = self.bytes.len() as u64;
        datatype.encode(vector, &mut self.bytes);
        address
    }
}

impl VectorSource for Vectors {
    fn gather<'a>(&'a self, addresses: &[u64], bytes_per_vector: usize, out: &mut Vec<&'a [u8]>) -> Result<()> {
        for &address in addresses {
            let vector = self.bytes.get(address as usize..address as usize + bytes_per_vector);
            out.push(vector.ok_or_else(|| Error::corrupt("no vector at this address").with_offset(address))?);
        }
        Ok(())
    }
}

/// Draws vectors around a few centres, as embeddings are.
pub fn clustered(stream: &mut Stream, count: usize, dim: usize) -> Vec<Vec<f32>> {
    let centres: Vec<Vec<f32>> = (0..count.div_ceil(100)).map(|_| (0..dim).map(|_| stream.gaussian() * 2.0).collect()).collect();
    (0..count)
        .map(|_| {
            let centre = &centres[stream.below(centres.len() as u64) as usize];
            centre.iter().map(|value| value + stream.gaussian()).collect()
        })
        .collect()
}

/// A part of `dim` floats under L2.
pub fn floats(dim: usize) -> VectorPart {
    VectorPart { dim, datatype: Datatype::F32, metric: Metric::L2, normalise_codes: false, blocks: true }
}

/// Draws ids in order, so that the same builds give the same bytes.
pub fn ids() -> impl FnMut() -> SegmentId {
    let mut next = 0_u8;
    move || {
        next += 1;
        SegmentId([next; 16])
    }
}

/// The objects of a segment by id.
pub type Objects = BTreeMap<SegmentId, Bytes>;

/// Builds a segment without a graph and describes it.
pub fn build(rows: Vec<FlatRow>, vectors: Vec<VectorPart>, source: &dyn VectorSource, fields: Vec<Vec<u8>>) -> (SegmentMeta, Objects) {
    let count = rows.len() as u32;
    let built = build_flat(FlatInput { rows, vectors, source, fields, draw_id: &mut ids() }).unwrap();
    let objects = built.iter().map(|(meta, _)| meta.clone()).collect();
    let bytes = built.into_iter().map(|(meta, bytes)| (meta.id, bytes.into())).collect();
    (SegmentMeta { id: SegmentId([0xEE; 16]), kind: SegmentKind::Flat, from: 64, to: 1 << 20, rows: count, objects }, bytes)
}

/// Opens a segment of some objects.
pub fn open(meta: &SegmentMeta, objects: &Objects) -> Result<Segment> {
    let mut load = |object: &ObjectMeta| objects.get(&object.id).cloned().ok_or_else(|| Error::not_found("no such object"));
    Segment::open(meta.clone(), &mut load, 4)
}

/// Builds the graph of a part and opens the segment with it.
pub fn with_graph(segment: &Segment, part: u32) -> Segment {
    let build = GraphBuild { params: &Params::default(), kernels: Kernels::detect(), executor: &Sequential, progress: &|_, _| true };
    let (meta, bytes) = build_graph(segment, part, SegmentId([0x70 + part as u8; 16]), build).unwrap();
    segment.with_graphs(vec![(meta, bytes.into())]).unwrap()
}

/// Rows of points 0, 10, 20 ... each with one vector.
pub fn simple_rows(source: &mut Vectors, spec: &VectorPart, vectors: &[Vec<f32>]) -> Vec<FlatRow> {
    let row = |(number, vector): (u64, &Vec<f32>)| FlatRow {
        id: PointId::Number(number * 10),
        has_payload: number % 2 == 0,
        addresses: vec![number << 20, source.push(spec.datatype, vector)],
    };
    (0..).zip(vectors).map(row).collect()
}

/// Rows with UUIDs and integers, two vectors of which rows lack one or the other.
pub fn mixed_segment(count: usize) -> (SegmentMeta, Objects, Vectors, Vec<VectorPart>) {
    let mut stream = Stream::new(5);
    let specs = vec![floats(8), VectorPart { dim: 12, datatype: Datatype::F16, metric: Metric::Dot, normalise_codes: false, blocks: true }];
    let mut source = Vectors::default();
    let rows = (0..count)
        .map(|number| {
            let vector = |dim: usize, stream: &mut Stream| (0..dim).map(|_| stream.gaussian()).collect::<Vec<f32>>();
            let first = source.push(Datatype::F32, &vector(8, &mut stream));
            let second = source.push(Datatype::F16, &vector(12, &mut stream));
            let id = if number % 3 == 0 { PointId::Uuid([number as u8; 16]) } else { PointId::Number(number as u64 * 77 % 1009) };
            let second = if number % 4 == 1 { ABSENT } else { second };
            FlatRow { id, has_payload: number % 2 == 0, addresses: vec![number as u64, first, second] }
        })
        .collect();
    let (meta, objects) = build(rows, specs.clone(), &source, vec![b"a field".to_vec()]);
    (meta, objects, source, specs)
}
