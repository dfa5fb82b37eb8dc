//! An immutable state of a collection: everything below one position of its log, found by id, row and address.

use std::sync::Arc;

use super::filter::cache::FilterCache;
use super::filter::tail::TailFilters;
use crate::error::{Error, Result};
use crate::ids::{CommitTime, Lsn, PointId};
use crate::log::moves::Moves;
use crate::log::{LogMap, PayloadCache};
use crate::manifest::Manifest;
use crate::payload::field_index::FieldIndex;
use crate::schema::{Distance, Memory, Numbers, Schema, VectorSchema};
use crate::segment::{Segment, VectorPart, VectorSource};
use crate::tail::codes::LastChunk;
use crate::tail::{Tail, TailRecord};

/// A segment with its field indexes opened.
#[derive(Debug)]
pub struct OpenSegment {
    /// The segment.
    pub segment: Segment,
    /// Its field indexes.
    pub fields: Vec<FieldIndex>,
    /// Filters that were asked lately, with the rows that pass.
    pub(super) filters: Arc<FilterCache>,
}

impl OpenSegment {
    /// Opens the field indexes of a segment.
    ///
    /// # Errors
    /// `Corrupt` when one does not read.
    pub fn new(segment: Segment) -> Result<Self> {
        let fields = segment.fields()?.into_iter().map(FieldIndex::open).collect::<Result<Vec<_>>>()?;
        Ok(OpenSegment { segment, fields, filters: Arc::default() })
    }

    /// Makes the handle that takes this one's place when objects were added to the segment or replaced: the same rows with the same marks.
    #[must_use]
    pub fn with_segment(&self, segment: Segment) -> Self {
        assert_eq!(segment.rows(), self.segment.rows(), "the same rows");
        OpenSegment { segment, fields: self.fields.clone(), filters: self.filters.clone() }
    }
}

/// One state of a collection. Cloning it copies a few references.
#[derive(Debug, Clone)]
pub struct Version {
    /// Everything below is in it.
    pub lsn_end: Lsn,
    /// Commit time of the last operation in it.
    pub commit_time: CommitTime,
    /// The schema.
    pub schema: Arc<Schema>,
    /// The manifest that it builds on.
    pub manifest: Arc<Manifest>,
    /// Segments in the order of their ranges.
    pub segments: Arc<Vec<Arc<OpenSegment>>>,
    /// Sealed log files.
    pub log: Arc<LogMap>,
    /// Rows behind the last segment.
    pub tail: Arc<Tail>,
    /// Filters that the tail was asked lately, with what its payloads said.
    pub(super) tail_filters: Arc<TailFilters>,
    /// The last rows of the tail as a chunk of this version.
    pub(super) tail_last: Arc<LastChunk>,
    /// Number behind the last record of the tail that is in this version.
    pub tail_end: u32,
    /// Live points.
    pub points: u64,
    /// Live points with a payload.
    pub points_with_payload: u64,
    /// Upserted rows in the tail.
    pub tail_rows: u64,
    /// Moves behind the covered position, in the order of the log: the next manifest that covers them has the new addresses.
    pub moves: Arc<Vec<Arc<Moves>>>,
    /// Bytes of the records that moved rows, since the collection began.
    pub moved_bytes: u64,
}

/// Where a part of a point stands in a version.
#[derive(Debug, Clone)]
pub enum Place {
    /// A record of the tail and a row there.
    Tail(Arc<TailRecord>, u32),
    /// The number of a segment and a row there.
    Segment(usize, u32),
}

/// Describes a vector to the segments.
#[must_use]
pub fn vector_part(vector: &VectorSchema) -> VectorPart {
    VectorPart {
        dim: vector.dim as usize,
        datatype: vector.datatype.datatype(),
        metric: vector.distance.metric(),
        normalise_codes: vector.distance == Distance::Cosine && vector.datatype == Numbers::U8,
        blocks: vector.index.memory == Memory::Fast,
    }
}

impl Version {
    /// Finds where a part of a point stands; `None` when the point, or that part of it, does not exist.
    #[must_use]
    pub fn find(&self, id: &PointId, part: usize) -> Option<Place> {
        if let Some((record, row)) = self.tail.find(id, part, self.lsn_end) {
            return Some(Place::Tail(record.clone(), row));
        }
        let segments = self.segments.iter().enumerate().rev();
        let mut found = segments
            .filter_map(|(number, open)| open.segment.find_visible(part as u32, id, self.lsn_end).map(|row| Place::Segment(number, row)));
        found.next()
    }

    /// Says whether a point exists.
    #[must_use]
    pub fn contains(&self, id: &PointId) -> bool {
        self.find(id, 0).is_some()
    }

    /// Says whether the point at a place has a payload.
    #[must_use]
    pub fn has_payload(&self, place: &Place) -> bool {
        match place {
            Place::Tail(record, row) => record.has_payload(*row),
            Place::Segment(number, row) => self.segments[*number].segment.has_payload(*row),
        }
    }

    /// Reads the payload at a place of part 0.
    ///
    /// # Errors
    /// `Corrupt` when the log does not hold what was written.
    pub fn payload(&self, place: &Place) -> Result<Option<String>> {
        match place {
            Place::Tail(record, row) => record.payload(*row),
            Place::Segment(number, row) => {
                let segment = &self.segments[*number].segment;
                if !segment.has_payload(*row) {
                    return Ok(None);
                }
                let address = segment
                    .address(0, *row)
                    .ok_or_else(|| Error::corrupt("a point has no address").with_object(segment.meta().id.to_string()))?;
                self.log.payload(address)
            }
        }
    }

    /// Reads the payload at a place of part 0 like [`Version::payload`], for callers that go through a version in its order.
    ///
    /// # Errors
    /// As [`Version::payload`].
    pub fn payload_in_order(&self, place: &Place, cache: &mut PayloadCache) -> Result<Option<String>> {
        let Place::Segment(number, row) = place else { return self.payload(place) };
        let segment = &self.segments[*number].segment;
        match segment.address(0, *row).filter(|_| segment.has_payload(*row)) {
            Some(address) => self.log.payload_in_order(address, cache),
            None => Ok(None),
        }
    }

    /// Reads a vector at a place of its part, as floats.
    ///
    /// # Errors
    /// `Corrupt` when the log does not hold what was written.
    pub fn vector(&self, place: &Place, part: usize) -> Result<Vec<f32>> {
        let spec = vector_part(self.schema.vector(part));
        let mut out = vec![0.0; spec.dim];
        let missing = || Error::corrupt("a vector has no address");
        match place {
            Place::Tail(record, row) => spec.datatype.decode(record.vector(part, *row).ok_or_else(missing)?, &mut out),
            Place::Segment(number, row) => {
                let address = self.segments[*number].segment.address(part as u32, *row).ok_or_else(missing)?;
                let mut rows = Vec::with_capacity(1);
                self.log.gather(&[address], spec.bytes_per_vector(), &mut rows)?;
                spec.datatype.decode(rows[0], &mut out);
            }
        }
        Ok(out)
    }

    /// Gives the records of the tail that are in this version.
    pub fn tail_records(&self) -> impl Iterator<Item = &Arc<TailRecord>> + '_ {
        let numbers = self.tail.first_number()..self.tail_end;
        numbers.filter_map(|number| self.tail.record(number)).filter(|record| record.lsn() < self.lsn_end)
    }

    /// Gives the rows that graphs or lists cover, dead ones included.
    #[must_use]
    pub fn indexed_rows(&self) -> u64 {
        let indexed = self.segments.iter().filter(|open| open.segment.meta().kind.is_indexed());
        indexed.map(|open| u64::from(open.segment.rows())).sum()
    }
}
