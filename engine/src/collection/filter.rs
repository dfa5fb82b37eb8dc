//! Filters over a version: which rows of a segment pass, and which points of the collection.

use std::cell::RefCell;
use std::collections::BTreeSet;

use index::Bitmap;

use super::version::{OpenSegment, Place, Version};
use crate::error::{Error, Result};
use crate::ids::PointId;
use crate::log::PayloadCache;
use crate::payload::{Candidates, Filter, Lookup};
use crate::tail::TailRecord;

/// Which points an operation means.
#[derive(Debug, Clone)]
pub enum Selector {
    /// These, as far as they exist.
    Ids(Vec<PointId>),
    /// Those that pass a filter.
    Filter(Filter),
}

impl Selector {
    /// Lists the points that exist and are meant, each once.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub fn resolve(&self, version: &Version) -> Result<Vec<PointId>> {
        match self {
            Selector::Ids(ids) => {
                let once: BTreeSet<_> = ids.iter().copied().collect();
                Ok(once.into_iter().filter(|id| version.contains(id)).collect())
            }
            Selector::Filter(filter) => version.matching(filter),
        }
    }
}

/// A filter over the rows of one segment.
pub(super) struct SegmentFilter<'a> {
    version: &'a Version,
    open: &'a OpenSegment,
    number: usize,
    filter: &'a Filter,
    candidates: Candidates,
    /// The first error of a payload that had to be read.
    failed: RefCell<Option<Error>>,
    /// For callers that go through the rows in order; a walk jumps about and would fill it in vain.
    cache: Option<RefCell<PayloadCache>>,
}

impl<'a> SegmentFilter<'a> {
    pub(super) fn new(version: &'a Version, number: usize, filter: &'a Filter) -> Self {
        let open = &version.segments[number];
        let rows_of = |id: &PointId, visit: &mut dyn FnMut(u32)| open.segment.rows_of(id).for_each(visit);
        let lookup = Lookup { rows: open.segment.rows(), indexes: &open.fields, changed: None, rows_of: Some(&rows_of) };
        let candidates = lookup.plan(filter);
        SegmentFilter { version, open, number, filter, candidates, failed: RefCell::new(None), cache: None }
    }

    /// Prepares for rows that are asked about in their order.
    pub(super) fn in_order(self) -> Self {
        SegmentFilter { cache: Some(RefCell::default()), ..self }
    }

    /// Says whether the point of a row passes, wherever its payload stands now.
    pub(super) fn accepts(&self, row: u32) -> bool {
        let segment = &self.open.segment;
        if segment.is_visible(0, row, self.version.lsn_end) {
            return self.candidates.sure.get(row) || (self.candidates.maybe.get(row) && self.reads(&Place::Segment(self.number, row), row));
        }
        // The row's payload was changed or its point moved on: the id leads to where it stands now.
        match self.version.find(&segment.id(row), 0) {
            Some(place) => self.reads(&place, row),
            None => false,
        }
    }

    fn reads(&self, place: &Place, row: u32) -> bool {
        let payload = match &self.cache {
            Some(cache) => self.version.payload_in_order(place, &mut cache.borrow_mut()),
            None => self.version.payload(place),
        };
        match payload {
            Ok(payload) => self.filter.matches(&self.open.segment.id(row), payload.as_deref()),
            Err(error) => {
                self.failed.borrow_mut().get_or_insert(error);
                false
            }
        }
    }

    /// Collects the rows with a part that may pass, by what the indexes know.
    pub(super) fn possible(&self, part: u32) -> Bitmap {
        let mut rows = self.candidates.sure.clone();
        rows.or(&self.candidates.maybe);
        let segment = &self.open.segment;
        for row in 0..segment.rows() {
            let seen = segment.is_visible(part, row, self.version.lsn_end);
            let possible = seen && (rows.get(row) || !segment.is_visible(0, row, self.version.lsn_end));
            rows.set(row, possible);
        }
        rows
    }

    /// Gives the error that made an answer incomplete.
    pub(super) fn finish(self) -> Result<()> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }
}

impl Version {
    /// Lists the points that pass a filter.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub fn matching(&self, filter: &Filter) -> Result<Vec<PointId>> {
        let mut ids = Vec::new();
        for number in 0..self.segments.len() {
            let passing = SegmentFilter::new(self, number, filter).in_order();
            let segment = &self.segments[number].segment;
            ids.extend(
                (0..segment.rows())
                    .filter(|&row| segment.is_visible(0, row, self.lsn_end) && passing.accepts(row))
                    .map(|row| segment.id(row)),
            );
            passing.finish()?;
        }
        for record in self.tail_records() {
            for row in 0..record.rows() {
                if record.is_visible(0, row, self.lsn_end) && tail_row_passes(self, record, row, filter)? {
                    ids.push(record.ids[row as usize]);
                }
            }
        }
        Ok(ids)
    }

    /// Counts the points that pass a filter.
    ///
    /// # Errors
    /// `Corrupt` when a payload does not read.
    pub fn count(&self, filter: Option<&Filter>) -> Result<u64> {
        filter.map_or(Ok(self.points), |filter| self.matching(filter).map(|ids| ids.len() as u64))
    }
}

/// Says whether the point of a row of the tail passes.
pub(super) fn tail_row_passes(version: &Version, record: &TailRecord, row: u32, filter: &Filter) -> Result<bool> {
    let id = record.ids[row as usize];
    let payload = if record.is_visible(0, row, version.lsn_end) {
        record.payload(row)?
    } else {
        match version.find(&id, 0) {
            Some(place) => version.payload(&place)?,
            None => return Ok(false),
        }
    };
    Ok(filter.matches(&id, payload.as_deref()))
}
