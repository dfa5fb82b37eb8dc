//! Points read back: by id, one after the other for an export, in an order, counted by a field.

mod facet;
mod order;
mod passing;
mod scroll;

pub use facet::{FACET_VALUES_MAX, FacetValue};
pub use order::FieldOrder;

use super::version::{Place, Version};
use crate::error::Result;
use crate::ids::PointId;
use crate::log::PayloadCache;

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
}
