//! Builds the objects of a segment from rows and a source of vectors; pure: bytes out, ids from the caller.

use index::codes::{CodeParams, CodesBuf, layout};
use index::{Datatype, metric};

use super::meta::ObjectMeta;
use super::source::VectorSource;
use super::vectors::{self, VectorPart};
use super::{ABSENT, PARTS_MAX, addresses, rows};
use crate::error::{Error, Result};
use crate::ids::{PointId, SegmentId};
use crate::object_file::{ObjectFile, Role};

/// Vectors that are asked of the source at once.
const GATHER_BATCH: usize = 1024;

/// Vectors from which the range of the codes is learnt.
const SAMPLE_MAX: usize = 4096;

/// One row of a segment to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlatRow {
    /// The point it is of.
    pub id: PointId,
    /// Whether it is a point with a payload.
    pub has_payload: bool,
    /// For each part its address in the log, or [`ABSENT`].
    pub addresses: Vec<u64>,
}

/// What a flat segment is built from.
pub struct FlatInput<'a> {
    /// Rows in the order of the log.
    pub rows: Vec<FlatRow>,
    /// The named vectors: `vectors[i]` is part `i + 1`.
    pub vectors: Vec<VectorPart>,
    /// Gives full vectors by address.
    pub source: &'a dyn VectorSource,
    /// Finished field indexes over these rows.
    pub fields: Vec<Vec<u8>>,
    /// Draws the id of each object.
    pub draw_id: &'a mut dyn FnMut() -> SegmentId,
}

impl std::fmt::Debug for FlatInput<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlatInput").field("rows", &self.rows.len()).field("vectors", &self.vectors).finish_non_exhaustive()
    }
}

/// Builds the rows, addresses and codes objects of a segment, in the order in which a description lists them. The same rows, vectors
/// and ids give the same bytes.
///
/// # Errors
/// Those of the source; `Internal` when there are no rows, or too many rows or parts for a segment.
///
/// # Panics
/// When a row does not have one address for each part.
pub fn build_flat(input: FlatInput<'_>) -> Result<Vec<(ObjectMeta, Vec<u8>)>> {
    let FlatInput { rows, vectors, source, fields, draw_id } = input;
    let parts = vectors.len() + 1;
    if rows.is_empty() || rows.len() >= u32::MAX as usize || parts > PARTS_MAX as usize {
        let error = Error::internal("a segment of these rows cannot be built");
        let got = format!("{} rows of {parts} parts", rows.len());
        return Err(error.with_expected(format!("1 to {} rows of up to {PARTS_MAX} parts", u32::MAX - 1), got));
    }
    let mut objects = Vec::with_capacity(2 + vectors.len());
    let id = draw_id();
    objects.push(finished(Role::Rows, 0, id, rows::encode(id, &rows, parts as u32, &fields))?);
    let columns: Vec<Vec<u64>> = (0..parts).map(|part| rows.iter().map(|row| row.addresses[part]).collect()).collect();
    let id = draw_id();
    objects.push(finished(Role::Addresses, 0, id, addresses::encode(id, &columns))?);
    for ((part, spec), column) in (1_u32..).zip(&vectors).zip(&columns[1..]) {
        let node_rows: Vec<u32> = (0..).zip(column).filter(|&(_, &address)| address != ABSENT).map(|(row, _)| row).collect();
        if node_rows.is_empty() {
            continue;
        }
        let present: Vec<u64> = column.iter().copied().filter(|&address| address != ABSENT).collect();
        let codes = encode_vectors(spec, &present, source)?;
        let id = draw_id();
        let bytes = vectors::encode_codes(id, part, &codes, &node_rows, rows.len() as u32);
        objects.push(finished(Role::Codes, part, id, bytes)?);
    }
    Ok(objects)
}

/// Builds a rows object anew, with other field indexes over the same rows.
///
/// # Errors
/// `Corrupt` when the object does not end as it should.
pub fn build_rows(id: SegmentId, rows: &[FlatRow], parts: u32, fields: &[Vec<u8>]) -> Result<(ObjectMeta, Vec<u8>)> {
    finished(Role::Rows, 0, id, rows::encode(id, rows, parts, fields))
}

/// Describes a finished object.
pub(super) fn finished(role: Role, part: u32, id: SegmentId, bytes: Vec<u8>) -> Result<(ObjectMeta, Vec<u8>)> {
    let blake3 = ObjectFile::stored_hash(&bytes)?;
    Ok((ObjectMeta { role, part, id, bytes: bytes.len() as u64, blake3 }, bytes))
}

/// Learns the range of the codes from a sample, then codes every vector.
fn encode_vectors(spec: &VectorPart, addresses: &[u64], source: &dyn VectorSource) -> Result<Vec<u8>> {
    let step = addresses.len().div_ceil(SAMPLE_MAX);
    let sampled: Vec<u64> = addresses.iter().copied().step_by(step).collect();
    let mut prepared = Prepared::new(spec);
    let mut sample = Vec::with_capacity(sampled.len() * spec.bytes_for_codes());
    gather_batches(spec, &sampled, source, |vector| sample.extend_from_slice(prepared.of(vector)))?;
    let sample: Vec<&[u8]> = sample.chunks_exact(spec.bytes_for_codes()).collect();
    let params = CodeParams::train(spec.metric, spec.datatype_of_codes(), &sample);
    let mut codes = CodesBuf::new(params, spec.dim);
    gather_batches(spec, addresses, source, |vector| codes.push(prepared.of(vector)))?;
    assert_eq!(codes.count(), addresses.len(), "one code for each vector");
    Ok(layout::write(&codes.view()))
}

/// Calls `each` with the bytes of every vector, in order.
fn gather_batches(spec: &VectorPart, addresses: &[u64], source: &dyn VectorSource, mut each: impl FnMut(&[u8])) -> Result<()> {
    let mut batch = Vec::with_capacity(GATHER_BATCH.min(addresses.len()));
    for addresses in addresses.chunks(GATHER_BATCH) {
        batch.clear();
        source.gather(addresses, spec.bytes_per_vector(), &mut batch)?;
        check_gathered(spec, addresses.len(), &batch)?;
        batch.iter().for_each(|vector| each(vector));
    }
    Ok(())
}

/// Checks that a source gave one whole vector for each address.
pub(super) fn check_gathered(spec: &VectorPart, count: usize, vectors: &[&[u8]]) -> Result<()> {
    if vectors.len() == count && vectors.iter().all(|vector| vector.len() == spec.bytes_per_vector()) {
        return Ok(());
    }
    let error = Error::internal("the source of vectors did not give what was asked for");
    Err(error.with_expected(format!("{count} vectors of {} bytes", spec.bytes_per_vector()), format!("{} slices", vectors.len())))
}

/// Brings stored vectors into the form that codes are of.
pub(crate) struct Prepared {
    spec: VectorPart,
    floats: Vec<f32>,
    bytes: Vec<u8>,
}

impl Prepared {
    pub(crate) fn new(spec: &VectorPart) -> Self {
        Prepared { spec: *spec, floats: vec![0.0; spec.dim], bytes: Vec::new() }
    }

    pub(crate) fn of<'a>(&'a mut self, vector: &'a [u8]) -> &'a [u8] {
        if !self.spec.normalise_codes {
            return vector;
        }
        self.spec.datatype.decode(vector, &mut self.floats);
        metric::normalise(&mut self.floats);
        self.bytes.clear();
        Datatype::F32.encode(&self.floats, &mut self.bytes);
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
