//! The payloads of all points that pass a filter, one after the other.

use super::super::filter::TailFilter;
use super::super::version::{Place, Version};
use crate::error::Result;
use crate::ids::PointId;
use crate::log::PayloadCache;
use crate::payload::Filter;

impl Version {
    /// Shows the id and the payload of each point that passes a filter and has one, in no order that means anything.
    ///
    /// # Errors
    /// Those of `visit`, and `Corrupt` when a payload does not read.
    pub(super) fn for_each_payload(&self, filter: Option<&Filter>, visit: &mut dyn FnMut(PointId, &str) -> Result<()>) -> Result<()> {
        let mut cache = PayloadCache::default();
        for (number, open) in self.segments.iter().enumerate() {
            let ready = filter.map(|filter| self.decided(number, Some(filter), 0)).transpose()?;
            for row in 0..open.segment.rows() {
                let passes = match &ready {
                    Some(ready) => ready.accepted.rows().get(row),
                    None => open.segment.is_visible(0, row, self.lsn_end),
                };
                if passes && let Some(payload) = self.payload_in_order(&Place::Segment(number, row), &mut cache)? {
                    visit(open.segment.id(row), &payload)?;
                }
            }
        }
        let in_tail = filter.map(|filter| TailFilter::new(self, filter));
        for record in self.tail_records() {
            for row in 0..record.rows() {
                let is_seen = record.is_visible(0, row, self.lsn_end);
                if is_seen
                    && in_tail.as_ref().map_or(Ok(true), |filter| filter.passes(record, row))?
                    && let Some(payload) = record.payload(row)?
                {
                    visit(record.ids[row as usize], &payload)?;
                }
            }
        }
        Ok(())
    }
}
