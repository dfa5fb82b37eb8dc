//! What there is to say about a collection: counts, sizes on disk and in memory, and its indexes.

use std::collections::BTreeMap;

use super::cleaning::usage;
use super::search::EF_DEFAULT;
use super::version::Version;
use crate::schema::{IndexKind, IndexParams};
use crate::segment::{Segment, SegmentKind, SegmentMeta, Tuning};

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
    /// Bytes of log records that are kept.
    pub log_bytes: u64,
    /// Those of them that are alive: vectors and payloads.
    pub live_bytes: u64,
    /// Bytes of records that moved rows, since the collection began.
    pub moved_bytes: u64,
    /// Bytes of the segments' objects without codes.
    pub segment_bytes: u64,
    /// Bytes of codes.
    pub code_bytes: u64,
    /// Bytes of memory by what they hold.
    pub memory_bytes: BTreeMap<&'static str, u64>,
    /// The indexes of the vectors, in the order of the schema.
    pub indexes: Vec<IndexInfo>,
}

/// What there is to say about the index of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexInfo {
    /// The vector.
    pub vector: String,
    /// What the schema asks for.
    pub params: IndexParams,
    /// Rows that are in such an index, dead ones included.
    pub rows: u64,
    /// Most neighbours of a node on the lowest level; 0 where no graph is asked for.
    pub m0: u32,
    /// Neighbours of a node on the lowest level, in the mean; `None` where there is no graph, or an older one that does not say.
    pub mean_degree: Option<f64>,
    /// Bits for each dimension in the codes that searches compare.
    pub code_bits: u32,
    /// What a sample found when the indexes were built; `None` where none says.
    pub recall: Option<SampledRecall>,
    /// Whether an index was built otherwise than the schema asks for, and waits to be built anew.
    pub differs: bool,
}

/// Recall that was measured on a sample when indexes were built, in the mean over the rows of all segments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampledRecall {
    /// The share of neighbours that were found.
    pub recall: f64,
    /// Candidates of the searches.
    pub ef: u32,
    /// Neighbours that were asked for.
    pub top: u32,
    /// Queries that were asked.
    pub samples: u32,
}

impl Version {
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
        memory_bytes.insert("filters asked lately", self.filters_memory_bytes());
        memory_bytes.insert("tail", self.lsn_end - self.tail.start);
        memory_bytes.insert("tail codes", self.tail.code_bytes() + self.tail_last.memory_bytes());
        CollectionInfo {
            points: self.points,
            points_with_payload: self.points_with_payload,
            tail_points: self.tail_rows,
            flat_points: rows(SegmentKind::Flat),
            indexed_points: rows(SegmentKind::Graph) + rows(SegmentKind::Ivf),
            log_bytes: self.lsn_end - self.manifest.covered_lsn + self.manifest.log.iter().map(|file| file.end - file.start).sum::<u64>(),
            live_bytes: usage::live_bytes(self),
            moved_bytes: self.moved_bytes,
            segment_bytes: metas.iter().map(SegmentMeta::disk_bytes).sum::<u64>() - code_bytes,
            code_bytes,
            segments: metas,
            memory_bytes,
            indexes: (1..self.schema.parts()).map(|part| self.index_info(part)).collect(),
        }
    }

    fn filters_memory_bytes(&self) -> u64 {
        self.tail_filters.memory_bytes() + self.segments.iter().map(|open| open.filters.memory_bytes()).sum::<u64>()
    }

    fn index_info(&self, part: usize) -> IndexInfo {
        let vector = self.schema.vector(part);
        let indexed = || self.segments.iter().map(|open| &open.segment).filter(|segment| segment.is_indexed(part as u32));
        let nodes = |segment: &Segment| u64::from(segment.rows_with(part as u32));
        let measured: Vec<_> = indexed().filter_map(|segment| Some((segment.tuning(part as u32)?, nodes(segment)))).collect();
        let mean = |of: &dyn Fn(&Tuning, u64) -> f64| {
            let rows: u64 = measured.iter().map(|(_, rows)| rows).sum();
            (rows > 0).then(|| measured.iter().map(|(tuning, rows)| of(tuning, *rows)).sum::<f64>() / rows as f64)
        };
        let has_graph = vector.index.kind == IndexKind::Hnsw;
        let recall = mean(&|tuning, rows| tuning.recall_at(EF_DEFAULT as u32).unwrap_or(0.0) * rows as f64);
        IndexInfo {
            vector: vector.name.clone(),
            params: vector.index.clone(),
            rows: indexed().map(nodes).sum(),
            m0: if has_graph { 2 * vector.index.m } else { 0 },
            mean_degree: mean(&|tuning, _| tuning.edges as f64).filter(|_| has_graph),
            code_bits: if vector.index.kind == IndexKind::Ivf { 1 } else { 8 },
            recall: recall.map(|recall| SampledRecall {
                recall,
                ef: EF_DEFAULT as u32,
                top: measured.iter().map(|(tuning, _)| tuning.top).max().unwrap_or(0),
                samples: measured.iter().map(|(tuning, _)| tuning.samples).sum(),
            }),
            differs: self.differs(part),
        }
    }
}
