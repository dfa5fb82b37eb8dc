//! Points read back: by id, one after the other for an export, and what there is to say about a collection.

use std::collections::BTreeMap;

use super::version::{Place, Version};
use crate::error::Result;
use crate::ids::PointId;
use crate::log::PayloadCache;
use crate::segment::{SegmentKind, SegmentMeta};

/// A point as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct PointView {
    /// Its id.
    pub id: PointId,
    /// Its payload as JSON text.
    pub payload: Option<String>,
    /// Its vectors by name, as stored (cosine vectors are normalised).
    pub vectors: Vec<(String, Vec<f32>)>,
}

/// What there is to say about a collection.
#[derive(Debug, Clone)]
pub struct CollectionInfo {
    /// Live points.
    pub points: u64,
    /// Live points with a payload.
    pub points_with_payload: u64,
    /// Rows in the tail.
    pub tail_points: u64,
    /// Rows of flat segments.
    pub flat_points: u64,
    /// Rows of segments with a graph or lists.
    pub indexed_points: u64,
    /// The segments.
    pub segments: Vec<SegmentMeta>,
    /// Bytes of log records.
    pub log_bytes: u64,
    /// Bytes of the segments' objects without codes.
    pub segment_bytes: u64,
    /// Bytes of codes.
    pub code_bytes: u64,
    /// Bytes of memory by what they hold.
    pub memory_bytes: BTreeMap<&'static str, u64>,
}

impl Version {
    /// Reads a point; `None` when it does not exist.
    ///
    /// # Errors
    /// `Corrupt` when the log does not hold what was written.
    pub fn point(&self, id: &PointId, with_vectors: bool) -> Result<Option<PointView>> {
        self.find(id, 0).map(|place| self.view(*id, &place, with_vectors, None)).transpose()
    }

    fn view(&self, id: PointId, place: &Place, with_vectors: bool, cache: Option<&mut PayloadCache>) -> Result<PointView> {
        let mut vectors = Vec::new();
        if with_vectors {
            for part in 1..self.schema.parts() {
                if let Some(place) = self.find(&id, part) {
                    vectors.push((self.schema.vector(part).name.clone(), self.vector(&place, part)?));
                }
            }
        }
        let payload = match cache {
            Some(cache) => self.payload_in_order(place, cache)?,
            None => self.payload(place)?,
        };
        Ok(PointView { id, payload, vectors })
    }

    /// Shows every point once, in the order of their last payload in the log.
    ///
    /// # Errors
    /// Those of `visit`, and `Corrupt` when the log does not hold what was written.
    pub fn for_each_point(&self, with_vectors: bool, visit: &mut dyn FnMut(PointView) -> Result<()>) -> Result<()> {
        let mut cache = PayloadCache::default();
        for (number, open) in self.segments.iter().enumerate() {
            for row in (0..open.segment.rows()).filter(|&row| open.segment.is_visible(0, row, self.lsn_end)) {
                visit(self.view(open.segment.id(row), &Place::Segment(number, row), with_vectors, Some(&mut cache))?)?;
            }
        }
        for record in self.tail_records() {
            for row in (0..record.rows()).filter(|&row| record.is_visible(0, row, self.lsn_end)) {
                visit(self.view(record.ids[row as usize], &Place::Tail(record.clone(), row), with_vectors, Some(&mut cache))?)?;
            }
        }
        Ok(())
    }

    /// Describes the collection.
    #[must_use]
    pub fn info(&self) -> CollectionInfo {
        let metas: Vec<SegmentMeta> = self.segments.iter().map(|open| open.segment.meta().clone()).collect();
        let rows = |kind: SegmentKind| metas.iter().filter(|meta| meta.kind == kind).map(|meta| u64::from(meta.rows)).sum();
        let codes =
            |meta: &SegmentMeta| meta.objects.iter().filter(|o| o.role == crate::object_file::Role::Codes).map(|o| o.bytes).sum::<u64>();
        let code_bytes = metas.iter().map(codes).sum();
        let mut memory_bytes = BTreeMap::new();
        for (section, bytes) in self.segments.iter().flat_map(|open| open.segment.memory_bytes()) {
            *memory_bytes.entry(section).or_insert(0) += bytes;
        }
        memory_bytes.insert("filters asked lately", self.segments.iter().map(|open| open.filters.memory_bytes()).sum());
        memory_bytes.insert("tail", self.lsn_end - self.tail.start);
        memory_bytes.insert("tail codes", self.tail.code_bytes());
        CollectionInfo {
            points: self.points,
            points_with_payload: self.points_with_payload,
            tail_points: self.tail_rows,
            flat_points: rows(SegmentKind::Flat),
            indexed_points: rows(SegmentKind::Graph) + rows(SegmentKind::Ivf),
            log_bytes: self.lsn_end,
            segment_bytes: metas.iter().map(SegmentMeta::disk_bytes).sum::<u64>() - code_bytes,
            code_bytes,
            segments: metas,
            memory_bytes,
        }
    }
}
