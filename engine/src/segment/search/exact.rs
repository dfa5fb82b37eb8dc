//! Rows compared with a query by their vectors in the log: what decides, whatever found them.

use index::{Kernels, TopK};

use super::{Hit, Segment};
use crate::error::{Error, Result};
use crate::ids::PointId;
use crate::segment::build::check_gathered;
use crate::segment::{VectorPart, VectorSource};

/// Vectors that are asked of the source at once.
const GATHER_BATCH: usize = 512;

/// Keeps the `k` nearest of the rows that it is given.
pub(super) struct Exact<'a> {
    segment: &'a Segment,
    part: u32,
    spec: &'a VectorPart,
    kernels: &'a Kernels,
    query: &'a [f32],
    source: &'a dyn VectorSource,
    addresses: &'a mut Vec<u64>,
    distances: &'a mut Vec<f32>,
    top: TopK<(PointId, u32)>,
}

impl<'a> Exact<'a> {
    pub(super) fn new(search: &super::Search<'a>, buffers: (&'a mut Vec<u64>, &'a mut Vec<f32>)) -> Self {
        let &super::Search { segment, part, spec, kernels, query, source, k, .. } = search;
        Exact { segment, part, spec, kernels, query, source, addresses: buffers.0, distances: buffers.1, top: TopK::new(k) }
    }

    /// Compares rows in their order, which is that of the log; see [`Exact::add`].
    pub(super) fn add_sorted(&mut self, rows: &mut [u32]) -> Result<bool> {
        rows.sort_unstable();
        self.add(rows)
    }

    /// Compares rows, each given once. Says whether one of them is among the nearest so far.
    ///
    /// # Errors
    /// Those of the source; `Corrupt` when a row has no address.
    pub(super) fn add(&mut self, rows: &[u32]) -> Result<bool> {
        let mut entered = false;
        let mut vectors = Vec::with_capacity(GATHER_BATCH.min(rows.len()));
        for batch in rows.chunks(GATHER_BATCH) {
            self.addresses.clear();
            for &row in batch {
                self.segment.prefetch_id(row);
                let address = self.segment.address(self.part, row).ok_or_else(|| no_address(self.segment, self.part, row))?;
                self.addresses.push(address);
            }
            vectors.clear();
            self.source.gather(self.addresses, self.spec.bytes_per_vector(), &mut vectors)?;
            check_gathered(self.spec, batch.len(), &vectors)?;
            exact_distances(self.kernels, self.spec, self.query, &vectors, self.distances);
            for (&row, &distance) in batch.iter().zip(self.distances.iter()) {
                if self.top.worst().is_none_or(|worst| distance <= worst.0 || distance.is_nan()) {
                    entered |= self.top.offer(distance, (self.segment.id(row), row));
                }
            }
        }
        Ok(entered)
    }

    /// Gives the nearest, sorted by (distance, id).
    pub(super) fn into_hits(self) -> Vec<Hit> {
        self.top.into_sorted().into_iter().map(|(distance, (id, row))| Hit { distance, id, row }).collect()
    }
}

/// Computes the exact distances of a query to stored vectors; the query of a cosine part is normalised by the caller.
///
/// # Panics
/// When a vector does not have the length that `spec` says.
pub fn exact_distances(kernels: &Kernels, spec: &VectorPart, query: &[f32], vectors: &[&[u8]], distances: &mut Vec<f32>) {
    distances.resize(vectors.len(), 0.0);
    kernels.distance_many(spec.metric, spec.datatype, query, vectors, distances);
    // Zero has one sign, so that equal distances are decided by id. Products beyond all floats that cancel out are as far as can be: as
    // numbers that are none they would be nearest or farthest, as the instruction set has it.
    distances.iter_mut().for_each(|distance| *distance = if distance.is_nan() { f32::INFINITY } else { *distance + 0.0 });
    if spec.normalise_codes {
        distances.iter_mut().zip(vectors).for_each(|(distance, vector)| *distance = over_norm(spec, *distance, vector));
    }
}

/// Turns a negated inner product with a vector that is stored as given into one with the normalised vector; the zero vector scores 0.
fn over_norm(spec: &VectorPart, distance: f32, vector: &[u8]) -> f32 {
    debug_assert_eq!(spec.datatype, index::Datatype::U8, "only bytes are stored as given under cosine");
    let squared: u64 = vector.iter().map(|&byte| u64::from(byte) * u64::from(byte)).sum();
    if squared == 0 { 0.0 } else { (f64::from(distance) / (squared as f64).sqrt()) as f32 }
}

fn no_address(segment: &Segment, part: u32, row: u32) -> Error {
    let error = Error::corrupt(format!("row {row} of segment {} has part {part}, but no address for it", segment.meta().id));
    error.with_hint("run \"vectra collections verify\"; segments can be rebuilt from the log")
}
