//! Nearest neighbours among the rows of the tail.

use index::{Kernels, TopK};

use super::filter::tail_row_passes;
use super::search::{Query, SearchRequest};
use super::version::Version;
use crate::error::Result;
use crate::ids::PointId;
use crate::segment::search::exact_distances;

/// Rows of the tail that are compared at once.
const TAIL_BATCH: usize = 256;

impl Version {
    pub(super) fn search_tail(&self, kernels: &Kernels, request: &SearchRequest<'_>, query: &Query, top: &mut TopK<PointId>) -> Result<()> {
        let (mut ids, mut rows) = (Vec::with_capacity(TAIL_BATCH), Vec::with_capacity(TAIL_BATCH));
        let mut distances = Vec::with_capacity(TAIL_BATCH);
        let mut flush = |ids: &mut Vec<PointId>, rows: &mut Vec<&[u8]>| {
            exact_distances(kernels, &query.spec, &query.vector, rows, &mut distances);
            ids.drain(..).zip(&distances).for_each(|(id, &distance)| top.push(distance, id));
            rows.clear();
        };
        for record in self.tail_records() {
            for row in 0..record.rows() {
                let seen = record.is_visible(request.part, row, self.lsn_end);
                let passes = match request.filter {
                    Some(filter) if seen => tail_row_passes(self, record, row, filter)?,
                    _ => seen,
                };
                if let Some(vector) = record.vector(request.part, row).filter(|_| passes) {
                    ids.push(record.ids[row as usize]);
                    rows.push(vector);
                    if rows.len() == TAIL_BATCH {
                        flush(&mut ids, &mut rows);
                    }
                }
            }
        }
        flush(&mut ids, &mut rows);
        Ok(())
    }
}
