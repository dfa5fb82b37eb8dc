//! The rows that a new segment is made of: gathered from the tail or from older segments, with the marks that they may still get.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::version::{OpenSegment, Version};
use crate::error::Result;
use crate::ids::{Lsn, PointId};
use crate::log::PayloadCache;
use crate::payload::{FieldIndexBuilder, FieldPath};
use crate::segment::{ABSENT, FlatRow, Segment};
use crate::tail::TailRecord;
use index::hnsw::REMOVED;

/// Where a gathered row comes from.
enum Origin {
    Tail(Arc<TailRecord>, u32),
    Segment(Arc<OpenSegment>, u32),
}

impl Origin {
    /// Gives the LSN that ended a part there, or 0.
    fn ended(&self, part: u32) -> Lsn {
        match self {
            Origin::Tail(record, row) => record.ended(part as usize, *row),
            Origin::Segment(open, row) => open.segment.deletion_lsn(part, *row),
        }
    }
}

/// Rows for a segment.
pub struct Gathered {
    /// The rows, in the order of the log.
    pub rows: Vec<FlatRow>,
    origins: Vec<Origin>,
}

/// A segment whose graph or centres are taken over, and where its rows went.
pub struct Base {
    /// The segment.
    pub open: Arc<OpenSegment>,
    /// For each of its rows the row in the new segment, or [`REMOVED`].
    pub row_map: Vec<u32>,
    /// How many of its rows are in the new segment.
    pub kept: usize,
}

impl Gathered {
    /// Finds the indexed segments that rows come from, in the order of the log.
    pub fn bases(&self) -> Vec<Base> {
        let mut bases: Vec<Base> = Vec::new();
        for (new_row, origin) in (0..).zip(&self.origins) {
            let Origin::Segment(open, row) = origin else { continue };
            if !open.segment.meta().kind.is_indexed() {
                continue;
            }
            if bases.last().is_none_or(|last| !Arc::ptr_eq(&last.open, open)) {
                bases.push(Base { open: open.clone(), row_map: vec![REMOVED; open.segment.rows() as usize], kept: 0 });
            }
            if let Some(base) = bases.last_mut() {
                base.row_map[*row as usize] = new_row;
                base.kept += 1;
            }
        }
        bases
    }

    /// Marks in the new segment what has ended where its rows come from. May run again: the first mark stays.
    pub fn carry_marks(&self, segment: &Segment) {
        for (row, origin) in self.origins.iter().enumerate() {
            for part in 0..segment.parts() {
                let ended = origin.ended(part);
                if ended != 0 && segment.has_part(part, row as u32) && segment.deletion_lsn(part, row as u32) == 0 {
                    segment.carry_mark(part, row as u32, ended);
                }
            }
        }
    }

    /// Gives the numbers of the rows of each point.
    pub fn by_id(&self) -> HashMap<PointId, Vec<usize>> {
        let mut rows: HashMap<PointId, Vec<usize>> = HashMap::with_capacity(self.rows.len());
        for (number, row) in self.rows.iter().enumerate() {
            rows.entry(row.id).or_default().push(number);
        }
        rows
    }

    /// Builds the field indexes that the schema asks for.
    pub fn field_indexes(&self, version: &Version) -> Result<Vec<Vec<u8>>> {
        if version.schema.fields.is_empty() {
            return Ok(Vec::new());
        }
        let mut builders = Vec::with_capacity(version.schema.fields.len());
        for field in &version.schema.fields {
            builders.push(FieldIndexBuilder::new(&FieldPath::parse(&field.name)?, field.field_type, self.rows.len() as u32));
        }
        let mut cache = PayloadCache::default();
        for (row, flat) in self.rows.iter().enumerate() {
            // What was dead at the covered position is in no version of the segment, and its payload may be gone.
            let ended = self.origins[row].ended(0);
            let is_over = ended != 0 && ended < version.manifest.covered_lsn;
            let payload = if flat.has_payload && !is_over { self.payload(version, row, &mut cache)? } else { None };
            builders.iter_mut().for_each(|builder| builder.add(row as u32, payload.as_deref()));
        }
        Ok(builders.into_iter().map(FieldIndexBuilder::finish).collect())
    }

    /// Rows of the tail are in sealed files by now, like all others.
    fn payload(&self, version: &Version, row: usize, cache: &mut PayloadCache) -> Result<Option<String>> {
        version.log.payload_in_order(self.rows[row].addresses[0], cache)
    }
}

/// Gathers what is alive in the tail of a version.
pub fn gather_tail(version: &Version) -> Result<Gathered> {
    let mut gathered = Gathered { rows: Vec::new(), origins: Vec::new() };
    for record in version.tail_records() {
        for row in 0..record.rows() {
            let address =
                |part: usize| record.address(part, row).filter(|_| record.is_visible(part, row, version.lsn_end)).unwrap_or(ABSENT);
            let addresses: Vec<u64> = (0..version.schema.parts()).map(address).collect();
            if addresses.iter().all(|&address| address == ABSENT) {
                continue;
            }
            let has_payload = addresses[0] != ABSENT && record.has_payload(row);
            gathered.rows.push(FlatRow { id: record.ids[row as usize], has_payload, addresses });
            gathered.origins.push(Origin::Tail(record.clone(), row));
        }
    }
    Ok(gathered)
}

/// Gathers what is alive at a position in adjacent segments.
pub fn gather_segments(segments: &[Arc<OpenSegment>], covered: Lsn) -> Result<Gathered> {
    Ok(gather(segments, |segment, part, row| segment.is_visible(part, row, covered)))
}

/// Gathers every row of a segment, dead or alive.
pub fn gather_all(open: &Arc<OpenSegment>) -> Result<Gathered> {
    let segments = std::slice::from_ref(open);
    let mut gathered = gather(segments, |segment, part, row| segment.has_part(part, row));
    assert_eq!(gathered.rows.len(), open.segment.rows() as usize, "every row of a segment has a part");
    for (row, flat) in gathered.rows.iter_mut().enumerate() {
        flat.has_payload = open.segment.has_payload(row as u32);
    }
    Ok(gathered)
}

fn gather(segments: &[Arc<OpenSegment>], takes: impl Fn(&Segment, u32, u32) -> bool) -> Gathered {
    let mut gathered = Gathered { rows: Vec::new(), origins: Vec::new() };
    for open in segments {
        let segment = &open.segment;
        for row in 0..segment.rows() {
            let address = |part: u32| segment.address(part, row).filter(|_| takes(segment, part, row)).unwrap_or(ABSENT);
            let addresses: Vec<u64> = (0..segment.parts()).map(address).collect();
            if addresses.iter().all(|&address| address == ABSENT) {
                continue;
            }
            let has_payload = addresses[0] != ABSENT && segment.has_payload(row);
            gathered.rows.push(FlatRow { id: segment.id(row), has_payload, addresses });
            gathered.origins.push(Origin::Segment(open.clone(), row));
        }
    }
    gathered
}
